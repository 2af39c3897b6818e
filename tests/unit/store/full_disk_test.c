/* full_disk_test.c - a real file system that is full: commits are refused, and go on when there is
 * room.
 *
 * Needs the right to mount a small file system for this process alone; without it the tests are
 * skipped. */
#include "fixture.h"

#include <sched.h>
#include <sys/mount.h>

enum { VALUE_BYTES = 1000, PUTS = 20, BALLAST_BYTES = 28 << 20 };

struct fixture {
    char *place, *path, *ballast;
    struct store_options options;
    struct store *store;
    bool is_mounted;
    struct sf_status status;
};

/* Mounts concern this process alone: what it was told before its first thread holds for them all.
 */
static bool may_mount;

static int setup(void **state)
{
    struct fixture *f = mem_new(sizeof *f);
    f->place = make_place();
    f->path = mem_format("%s/data", f->place);
    f->ballast = mem_format("%s/ballast", f->place);
    f->options = small_options(f->path);
    f->options.write_buffer_bytes = 512 * 1024;
    f->options.lag_bytes_max = 2 << 20;
    f->is_mounted = may_mount && !mount("none", f->place, "tmpfs", 0, "size=40m");
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    store_close(f->store);
    if (f->is_mounted)
        (void)umount2(f->place, MNT_DETACH);
    remove_tree(f->place);
    free(f->ballast);
    free(f->path);
    free(f->place);
    free(f);
    return 0;
}

/* More than a compaction of all that fits beside it may want. */
static void use_up(struct fixture *f)
{
    int fd = open(f->ballast, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(posix_fallocate(fd, 0, BALLAST_BYTES), 0);
    close(fd);
}

/* Commits new keys. */
static bool try_commit(struct fixture *f)
{
    uint64_t epoch = store_epoch(f->store) + 1;
    struct delta *delta = delta_new(0, epoch, 0);
    char value[VALUE_BYTES];
    memset(value, (int)epoch, sizeof value);
    for (unsigned long long i = 0; i < PUTS; i++) {
        char *key = mem_format("s%010llu", (unsigned long long)epoch * PUTS + i);
        delta_put(delta, bytes_of(key), bytes_make(value, sizeof value));
        free(key);
    }
    bool good = store_commit(f->store, epoch, &delta, 1, &f->status);
    delta_unref(delta);
    return good;
}

static uint64_t commit_until_full(struct fixture *f)
{
    while (try_commit(f))
        assert_true(store_epoch(f->store) < 100000);
    assert_int_equal(f->status.code, SF_FULL);
    assert_mentions(f->status.message, f->path);
    assert_mentions(f->status.message, "No space left on device");
    return store_epoch(f->store);
}

static bool check_entry(void *owner, struct bytes key, struct bytes value)
{
    uint64_t *count = owner;
    unsigned long long number = 0;
    for (size_t i = 1; i < key.size; i++)
        number = number * 10 + (unsigned)(key.data[i] - '0');
    assert_int_equal(number, PUTS + *count);
    assert_int_equal(value.size, VALUE_BYTES);
    assert_int_equal(value.data[VALUE_BYTES / 2], number / PUTS & 0xff);
    ++*count;
    return true;
}

static void assert_all(struct fixture *f)
{
    uint64_t count = 0;
    assert_true(store_scan(f->store, bytes_of("s"), (struct bytes){0}, check_entry, &count));
    assert_int_equal(count, store_epoch(f->store) * PUTS);
}

static void commits_go_on_when_there_is_room_again(void **state)
{
    struct fixture *f = *state;
    if (!f->is_mounted)
        skip();
    use_up(f);
    f->store = open_store(&f->options);
    uint64_t epoch = commit_until_full(f);
    assert_true(epoch > 100);
    for (int i = 0; i < 10; i++) { /* a compaction that ends may make a little room each time */
        sleep_ms(50);
        epoch = commit_until_full(f);
    }
    assert_int_equal(unlink(f->ballast), 0);
    for (int i = 0; i < 1500 && store_epoch(f->store) < epoch + 20; i++) {
        if (try_commit(f))
            continue;
        assert_int_equal(f->status.code, SF_FULL); /* until the view has tried again */
        sleep_ms(20);
    }
    assert_int_equal(store_epoch(f->store), epoch + 20);
    bring_forward(f->store);
    assert_all(f);
}

static void what_was_committed_on_a_full_disk_is_there_after_opening_again(void **state)
{
    struct fixture *f = *state;
    if (!f->is_mounted)
        skip();
    use_up(f);
    f->store = open_store(&f->options);
    uint64_t epoch = commit_until_full(f);
    store_close(f->store);
    f->store = NULL;
    assert_int_equal(unlink(f->ballast), 0);
    f->store = open_store(&f->options);
    assert_int_equal(store_epoch(f->store), epoch);
    assert_all(f);
    assert_good(try_commit(f), &f->status);
}

int main(void)
{
    may_mount = !unshare(CLONE_NEWNS) && !mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL);
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(commits_go_on_when_there_is_room_again),
        TEST(what_was_committed_on_a_full_disk_is_there_after_opening_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
