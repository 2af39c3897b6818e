/* log_fixture.h - a log in a directory of its own, for the tests of it. */
#ifndef STORE_LOG_FIXTURE_H
#define STORE_LOG_FIXTURE_H

#include "fixture.h"

#include "store/files.h"
#include "store/log.h"
#include "store/record.h"

static const char id[] = "0123456789abcdef0123456789abcdef";

struct fixture {
    char *place;
    struct log_options options;
    struct log *log;
    struct buffer taken; /* by the last opening: "1 k=v; 2 ..." */
    struct sf_status status;
};

static inline bool take(void *owner, uint64_t epoch, struct bytes entries, uint64_t bytes,
                        struct sf_status *status)
{
    struct fixture *f = owner;
    struct delta_entry entry;
    (void)status;
    assert_int_equal(bytes, entries.size + RECORD_HEADER_BYTES);
    buffer_add_format(&f->taken, "%s%llu", f->taken.size ? "; " : "", (unsigned long long)epoch);
    while (delta_next(&entries, &entry)) {
        assert_int_equal(entry.change, DELTA_PUT);
        buffer_add_format(&f->taken, " %.*s=%.*s", BYTES_ARG(entry.key),
                          (int)(entry.value.size < 8 ? entry.value.size : 8), entry.value.data);
    }
    assert_int_equal(entries.size, 0);
    return true;
}

static inline int setup(void **state)
{
    struct fixture *f = mem_new(sizeof *f);
    f->place = make_place();
    f->options =
        (struct log_options){.path = f->place, .id = id, .segment_bytes = 4096, .sync = false};
    *state = f;
    return 0;
}

static inline int teardown(void **state)
{
    struct fixture *f = *state;
    log_close(f->log);
    buffer_destroy(&f->taken);
    remove_tree(f->place);
    free(f->place);
    free(f);
    return 0;
}

static inline bool open_log(struct fixture *f, uint64_t view_epoch)
{
    log_close(f->log);
    f->log = NULL;
    buffer_clear(&f->taken);
    struct log_sink sink = {take, f};
    return log_open(&f->options, view_epoch, &sink, &f->log, &f->status);
}

/* Opens, and fails unless just this was taken. */
static inline void assert_log(struct fixture *f, uint64_t view_epoch, const char *taken)
{
    assert_good(open_log(f, view_epoch), &f->status);
    assert_string_equal(buffer_text(&f->taken), taken);
}

static inline void assert_damaged(struct fixture *f, uint64_t view_epoch, const char *part)
{
    assert_false(open_log(f, view_epoch));
    assert_int_equal(f->status.code, SF_CORRUPT);
    assert_mentions(f->status.message, f->place);
    assert_mentions(f->status.message, part);
}

static inline bool append_delta(struct fixture *f, struct delta *delta)
{
    uint64_t bytes = 0;
    bool good = log_append(f->log, log_epoch(f->log) + 1, &delta, 1, &bytes, &f->status);
    delta_unref(delta);
    return good;
}

static inline bool try_append(struct fixture *f, const char *script)
{
    return append_delta(f, delta_of(log_epoch(f->log) + 1, script));
}

static inline void append(struct fixture *f, const char *script)
{
    assert_good(try_append(f, script), &f->status);
}

/* One put whose value is `size` letters. */
static inline void append_large(struct fixture *f, const char *key, size_t size)
{
    struct delta *delta = delta_new(0, log_epoch(f->log) + 1, 0);
    char *value = mem_new(size);
    memset(value, 'x', size);
    delta_put(delta, bytes_of(key), bytes_make(value, size));
    free(value);
    assert_good(append_delta(f, delta), &f->status);
}

static inline char *segment(struct fixture *f, uint64_t first)
{
    return mem_format("%s/%020llu.log", f->place, (unsigned long long)first);
}

static inline void remove_segment(struct fixture *f, uint64_t first)
{
    char *path = segment(f, first);
    (void)unlink(path); /* it need not be there */
    free(path);
}

static inline uint64_t segment_count(struct fixture *f)
{
    struct log_figures figures;
    log_figures(f->log, &figures);
    return figures.segments;
}

/* The offset of the end of what has been appended to the segment that is being written, if it is
 * the first and only one. */
static inline uint64_t end_of_log(struct fixture *f)
{
    struct log_figures figures;
    log_figures(f->log, &figures);
    return figures.bytes;
}

#endif
