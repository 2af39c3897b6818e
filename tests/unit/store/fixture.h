/* fixture.h - what the store's tests share: a directory of their own, and changes written as text.
 *
 * A script is words: "k=v" puts, "-k" removes, "a..b" trims from a to b (without b). Keys are taken
 * as they stand; their first letter is their kind (engine/keys.h). */
#ifndef STORE_FIXTURE_H
#define STORE_FIXTURE_H

#include "test.h"

#include "base/mem.h"
#include "engine/delta.h"
#include "store/store.h"
#include "store/view.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static inline int remove_one(const char *path, const struct stat *found, int kind,
                             struct FTW *where)
{
    (void)found, (void)kind, (void)where;
    return remove(path);
}

static inline void remove_tree(const char *path)
{
    (void)nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS); /* mostly there */
}

/* A new directory, for free() after remove_tree. */
static inline char *make_place(void)
{
    const char *base = getenv("TMPDIR");
    char *place = mem_format("%s/statefun-store.XXXXXX", base ? base : "/tmp");
    assert_non_null(mkdtemp(place));
    return place;
}

static inline bool exists(const char *directory, const char *name)
{
    char *path = mem_format("%s/%s", directory, name);
    bool found = !access(path, F_OK);
    free(path);
    return found;
}

/* All bytes of a file. */
static inline void read_file(const char *path, struct buffer *bytes)
{
    struct stat found;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &found), 0);
    size_t size = (size_t)found.st_size;
    buffer_clear(bytes);
    assert_int_equal(read(fd, buffer_reserve(bytes, size), size), size);
    bytes->size = size;
    close(fd);
}

static inline void write_file(const char *path, struct bytes bytes)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes.data, bytes.size), bytes.size);
    close(fd);
}

static inline void write_text(const char *directory, const char *name, const char *text)
{
    char *path = mem_format("%s/%s", directory, name);
    write_file(path, bytes_of(text));
    free(path);
}

/* Adds the changes of a script to a delta. */
static inline void add_script(struct delta *delta, const char *script)
{
    char *text = mem_string(script), *rest = text;
    for (char *word; (word = strsep(&rest, " "));) {
        char *range = strstr(word, ".."), *value = strchr(word, '=');
        if (!*word)
            continue;
        if (value)
            delta_put(delta, bytes_make(word, (size_t)(value - word)), bytes_of(value + 1));
        else if (range)
            delta_trim(delta, bytes_make(word, (size_t)(range - word)), bytes_of(range + 2));
        else
            delta_remove(delta, bytes_of(word + 1));
    }
    free(text);
}

static inline struct delta *delta_of(uint64_t epoch, const char *script)
{
    struct delta *delta = delta_new(0, epoch, 0);
    add_script(delta, script);
    return delta;
}

/* Options that keep a test small; the view comes forward when it is told to. */
static inline struct store_options small_options(const char *directory)
{
    struct store_options options = store_defaults;
    options.directory = directory;
    options.segment_bytes = 64 * 1024;
    return options;
}

static inline struct store *open_store(const struct store_options *options)
{
    struct store *store = NULL;
    struct sf_status status = {0};
    assert_good(store_open(options, &store, &status), &status);
    return store;
}

static inline void commit(struct store *store, const char *script)
{
    struct sf_status status = {0};
    uint64_t epoch = store_epoch(store) + 1;
    struct delta *delta = delta_of(epoch, script);
    assert_good(store_commit(store, epoch, &delta, 1, &status), &status);
    delta_unref(delta);
}

static inline void sleep_ms(long ms)
{
    struct timespec time = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&time, NULL);
}

/* Brings the view up to the last commit. */
static inline void bring_forward(struct store *store)
{
    store_hurry(store, VIEW_WHOLE);
    for (int i = 0; i < 10000 && store_view_epoch(store) < store_epoch(store); i++)
        sleep_ms(1);
    assert_int_equal(store_view_epoch(store), store_epoch(store));
}

struct got {
    struct buffer *value;
    bool found;
};

static inline void take_got(void *owner, size_t nth, const struct bytes *value)
{
    struct got *got = owner;
    assert_int_equal(nth, 0);
    got->found = value != NULL;
    buffer_clear(got->value);
    if (value)
        buffer_add_bytes(got->value, *value);
}

/* One key of the view alone. */
static inline bool view_get(struct view *view, struct bytes key, struct buffer *value)
{
    struct got got = {.value = value};
    view_get_all(view, &key, 1, take_got, &got);
    return got.found;
}

static inline bool add_entry_text(void *owner, struct bytes key, struct bytes value)
{
    struct buffer *text = owner;
    if (text->size)
        buffer_add_text(text, " ");
    buffer_add_bytes(text, key);
    buffer_add_text(text, "=");
    buffer_add_bytes(text, value);
    return true;
}

/* Fails unless the view holds just these, in this order, written like a script. */
static inline void assert_view(struct store *store, const char *expected)
{
    struct buffer text = {0};
    assert_true(store_scan(store, bytes_of("\1"), bytes_of("\xff"), add_entry_text, &text));
    assert_string_equal(buffer_text(&text), expected);
    buffer_destroy(&text);
}

/* Opens, looks, closes. */
static inline void assert_stored(const struct store_options *options, const char *expected)
{
    struct store *store = open_store(options);
    assert_view(store, expected);
    store_close(store);
}

/* What a crash would leave: a copy of the directory of a store that is idle and not closed. */
static inline char *copy_place(const char *place)
{
    char *copy = make_place();
    char *command = mem_format("cp -r '%s'/. '%s'", place, copy);
    assert_int_equal(system(command), 0);
    free(command);
    return copy;
}

#endif
