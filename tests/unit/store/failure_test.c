/* failure_test.c - the 1st, 2nd, ... system call fails: nothing that was committed is lost. */
#include "fixture.h"

#include "store/files.h"

#include <stdatomic.h>

enum { EPOCHS = 9, CALLS_MAX = 500 };

/* What is to happen at the call number `fails_at`, counted over all threads and all kinds of calls.
 */
static struct files real;
static atomic_int calls;
static int fails_at, error;

static bool fails(void)
{
    if (++calls != fails_at)
        return false;
    errno = error;
    return true;
}

static int failing_open(const char *path, int flags, mode_t mode)
{
    return fails() ? -1 : real.open(path, flags, mode);
}

static int failing_mkdir(const char *path, mode_t mode)
{
    return fails() ? -1 : real.mkdir(path, mode);
}

static ssize_t failing_pread(int fd, void *to, size_t size, off_t offset)
{
    return fails() ? -1 : real.pread(fd, to, size, offset);
}

static ssize_t failing_pwritev(int fd, const struct iovec *runs, int count, off_t offset)
{
    return fails() ? -1 : real.pwritev(fd, runs, count, offset);
}

static int failing_fallocate(int fd, int mode, off_t offset, off_t size)
{
    return fails() ? -1 : real.fallocate(fd, mode, offset, size);
}

static int failing_fdatasync(int fd)
{
    return fails() ? -1 : real.fdatasync(fd);
}

static int failing_fsync(int fd)
{
    return fails() ? -1 : real.fsync(fd);
}

static int failing_rename(const char *from, const char *to)
{
    return fails() ? -1 : real.rename(from, to);
}

static int failing_unlink(const char *path)
{
    return fails() ? -1 : real.unlink(path);
}

static void arm(int nth, int with)
{
    calls = 0;
    fails_at = nth;
    error = with;
    files = (struct files){failing_open,    failing_mkdir,     failing_pread,
                           failing_pwritev, failing_fallocate, failing_fdatasync,
                           failing_fsync,   failing_rename,    failing_unlink};
}

static struct delta *delta_of_epoch(uint64_t epoch)
{
    char *script = mem_format("s%02d=%0600d p=%d", (int)epoch % 5, (int)epoch, (int)epoch);
    struct delta *delta = delta_of(epoch, script);
    free(script);
    return delta;
}

static void add_expected(struct buffer *text, int epoch)
{
    if (epoch)
        buffer_add_format(text, "p=%d", epoch);
    for (int slot = 0; slot < 5; slot++) {
        int last = epoch - (epoch + 5 - slot) % 5;
        if (last > 0)
            buffer_add_format(text, " s%02d=%0600d", slot, last);
    }
}

static void assert_says_what_and_where(const struct sf_status *status, const char *place)
{
    assert_true(status->code == SF_IO || status->code == SF_FULL);
    assert_mentions(status->message, place);
    assert_mentions(status->message, "cannot");
    assert_mentions(status->message, strerror(error));
}

/* Commits up to EPOCHS; returns the last one that was committed. `ret_unknown` tells that one more
 * may have been. */
static uint64_t commit_all(struct store *store, const char *place, bool *ret_unknown)
{
    while (store_epoch(store) < EPOCHS) {
        struct sf_status status = {0};
        uint64_t epoch = store_epoch(store) + 1;
        struct delta *delta = delta_of_epoch(epoch);
        bool good = store_commit(store, epoch, &delta, 1, &status);
        if (!good) {
            assert_says_what_and_where(&status, place);
            if (status.code == SF_FULL)
                assert_good(store_commit(store, epoch, &delta, 1, &status), &status);
            else
                assert_false(store_commit(store, epoch, &delta, 1, &status));
            *ret_unknown = status.code == SF_IO;
        }
        delta_unref(delta);
        if (*ret_unknown)
            break;
        if (epoch % 4 == 0)
            bring_forward(store); /* so that there is something to trim and to use again */
    }
    return store_epoch(store);
}

/* Opens, commits, closes, and opens once more without failures. Returns false when no call has
 * failed because there were fewer. */
static bool survives(int nth, int with)
{
    char *place = make_place();
    char *path = mem_format("%s/data", place);
    struct store_options options = small_options(path);
    options.segment_bytes = 2048;
    struct sf_status status = {0};
    struct store *store = NULL;
    bool unknown = false;
    uint64_t committed = 0;

    arm(nth, with);
    if (store_open(&options, &store, &status))
        committed = commit_all(store, path, &unknown);
    else
        assert_says_what_and_where(&status, path);
    store_close(store);
    files = real;

    store = open_store(&options);
    assert_in_range(store_epoch(store), committed, committed + unknown);
    struct buffer expected = {0};
    add_expected(&expected, (int)store_epoch(store));
    assert_view(store, buffer_text(&expected));
    buffer_destroy(&expected);
    if (committed < EPOCHS) { /* and it can go on from there */
        unknown = false;
        assert_int_equal(commit_all(store, path, &unknown), EPOCHS);
    }
    store_close(store);
    remove_tree(place);
    free(path);
    free(place);
    return calls >= nth;
}

static void sweep(int with)
{
    real = files;
    int nth = 1;
    while (survives(nth, with) && nth < CALLS_MAX)
        nth++;
    assert_in_range(nth, 40, CALLS_MAX - 1); /* all calls had their turn */
}

static void every_call_may_fail_with_an_input_output_error(void **state)
{
    (void)state;
    sweep(EIO);
}

static void every_call_may_find_the_disk_full(void **state)
{
    (void)state;
    sweep(ENOSPC);
}

/* A store that is opened again, with a log to replay: failures while it reads. */
static void a_replay_that_fails_can_be_repeated(void **state)
{
    (void)state;
    real = files;
    char *place = make_place();
    struct store_options options = small_options(place);
    options.segment_bytes = 2048;
    struct store *store = open_store(&options);
    bool unknown = false;
    for (int i = 1; i <= 7; i++) {
        struct sf_status status;
        struct delta *delta = delta_of_epoch((uint64_t)i);
        assert_good(store_commit(store, (uint64_t)i, &delta, 1, &status), &status);
        delta_unref(delta);
    }
    char *crashed = copy_place(place);
    store_close(store);

    for (int nth = 1;; nth++) {
        struct sf_status status = {0};
        char *copy = copy_place(crashed);
        struct store_options again = options;
        again.directory = copy;
        store = NULL;
        arm(nth, EIO);
        bool good = store_open(&again, &store, &status);
        if (!good)
            assert_says_what_and_where(&status, copy);
        store_close(store);
        bool all = calls < nth;
        files = real;

        store = open_store(&again);
        assert_int_equal(store_epoch(store), 7);
        assert_int_equal(commit_all(store, copy, &unknown), EPOCHS);
        store_close(store);
        remove_tree(copy);
        free(copy);
        if (all)
            break;
    }
    remove_tree(crashed);
    remove_tree(place);
    free(crashed);
    free(place);
}

static ssize_t short_pwritev(int fd, const struct iovec *runs, int count, off_t offset)
{
    (void)count;
    if (++calls % 3 == 0) {
        errno = EINTR;
        return -1;
    }
    size_t size = runs->iov_len > 700 ? 700 : (runs->iov_len + 1) / 2;
    return pwrite(fd, runs->iov_base, size, offset);
}

static ssize_t short_pread(int fd, void *to, size_t size, off_t offset)
{
    if (++calls % 3 == 0) {
        errno = EINTR;
        return -1;
    }
    return pread(fd, to, size > 100 ? 100 : size, offset);
}

static void short_and_interrupted_calls_are_continued(void **state)
{
    (void)state;
    real = files;
    char *place = make_place();
    struct store_options options = small_options(place);
    options.segment_bytes = 2048;
    files.pwritev = short_pwritev;
    files.pread = short_pread;
    struct store *store = open_store(&options);
    bool unknown = false;
    assert_int_equal(commit_all(store, place, &unknown), EPOCHS);
    char *copy = copy_place(place);
    store_close(store);
    options.directory = copy;
    store = open_store(&options);
    assert_int_equal(store_epoch(store), EPOCHS);
    store_close(store);
    files = real;
    remove_tree(copy);
    remove_tree(place);
    free(copy);
    free(place);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_call_may_fail_with_an_input_output_error),
        cmocka_unit_test(every_call_may_find_the_disk_full),
        cmocka_unit_test(a_replay_that_fails_can_be_repeated),
        cmocka_unit_test(short_and_interrupted_calls_are_continued),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
