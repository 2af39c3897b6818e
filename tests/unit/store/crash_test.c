/* crash_test.c - a process that commits as fast as it can is killed, again and again.
 *
 * Each epoch's changes follow from its number alone, so that the whole content of the store follows
 * from the last epoch: whatever is half, lost or left over shows. The child (this program, started
 * anew, as RocksDB's threads do not live through a fork) writes each committed epoch into a pipe.
 */
#include "fixture.h"

#include <signal.h>
#include <sys/wait.h>

/* The queue is long enough that what a write of the view left out is still in it at the kill. */
enum { KILLS = 30, SLOTS = 16, KEYS = 12, QUEUE = 150, RUN_MS_MAX = 90 };

static struct store_options crash_options(const char *directory)
{
    struct store_options options = small_options(directory);
    options.segment_bytes = 16 * 1024; /* segments, batches and trims come and go all the time */
    options.write_buffer_bytes = 64 * 1024;
    options.lag_bytes_max = 128 * 1024;
    options.partitions = 4;
    return options;
}

/* Epoch e sets all keys of its slot, queues a message and takes the one of QUEUE epochs ago, and
 * puts an outbox record, of which it trims all that are QUEUE epochs old. */
static struct delta *delta_of_epoch(uint64_t epoch)
{
    struct delta *delta = delta_new(0, epoch, 0);
    unsigned long long e = epoch;
    struct buffer script = {0};
    for (int i = 0; i < KEYS; i++)
        buffer_add_format(&script, "s%02llu-%02d=%llu ", e % SLOTS, i, e);
    buffer_add_format(&script, "m%010llu=%llu o%010llu=%llu o..o%010llu p=%llu", e, e, e, e,
                      e > QUEUE ? e - QUEUE + 1 : 0, e);
    if (e > QUEUE)
        buffer_add_format(&script, " -m%010llu", e - QUEUE);
    add_script(delta, buffer_text(&script));
    buffer_destroy(&script);
    return delta;
}

/* Everything that the store holds after `epoch`, as add_entry_text writes it. */
static void add_expected(struct buffer *text, uint64_t epoch)
{
    unsigned long long last = epoch;
    unsigned long long first = last > QUEUE ? last - QUEUE + 1 : 1;
    if (!epoch)
        return;
    for (unsigned long long e = first; e <= last; e++)
        buffer_add_format(text, "m%010llu=%llu ", e, e);
    for (unsigned long long e = first; e <= last; e++)
        buffer_add_format(text, "o%010llu=%llu ", e, e);
    buffer_add_format(text, "p=%llu", last);
    for (unsigned long long slot = 0; slot < SLOTS; slot++) {
        unsigned long long e = last - (last + SLOTS - slot) % SLOTS;
        for (int i = 0; i < KEYS && e && e <= last; i++)
            buffer_add_format(text, " s%02llu-%02d=%llu", slot, i, e);
    }
}

/* The child: commits until it is killed. */
static int commit_for_ever(const char *directory, int pipe)
{
    struct store_options options = crash_options(directory);
    struct store *store;
    struct sf_status status;
    if (!store_open(&options, &store, &status)) {
        fprintf(stderr, "%s\n", status.message);
        return 1;
    }
    for (;;) {
        uint64_t epoch = store_epoch(store) + 1;
        struct delta *delta = delta_of_epoch(epoch);
        if (!store_commit(store, epoch, &delta, 1, &status)) {
            fprintf(stderr, "%s\n", status.message);
            return 1;
        }
        delta_unref(delta);
        if (write(pipe, &epoch, sizeof epoch) != sizeof epoch)
            return 1;
    }
}

/* Runs a child for a while and kills it; returns the last epoch that it has reported, or 0. */
static uint64_t run_and_kill(const char *directory, long ms)
{
    int reports[2];
    assert_int_equal(pipe(reports), 0);
    assert_int_equal(fcntl(reports[0], F_SETPIPE_SZ, 1 << 20), 1 << 20); /* never held up by us */
    pid_t child = fork();
    if (!child) {
        char fd[16];
        snprintf(fd, sizeof fd, "%d", reports[1]);
        execl("/proc/self/exe", "crash_test", directory, fd, (char *)NULL);
        _exit(127);
    }
    close(reports[1]);

    uint64_t epoch, last = 0;
    if (ms > RUN_MS_MAX / 3) /* mostly from its first commit on, sometimes while it still opens */
        last = read(reports[0], &epoch, sizeof epoch) == sizeof epoch ? epoch : 0;
    sleep_ms(ms);
    assert_int_equal(kill(child, SIGKILL), 0);
    int result;
    waitpid(child, &result, 0);
    assert_true(WIFSIGNALED(result)); /* it has not failed by itself */
    while (read(reports[0], &epoch, sizeof epoch) == sizeof epoch)
        last = epoch;
    close(reports[0]);
    return last;
}

/* Opens the store and fails unless it stands at an epoch from `least` to `most`, whole. */
static uint64_t check(const char *directory, uint64_t least, uint64_t most)
{
    struct store_options options = crash_options(directory);
    struct store *store = open_store(&options);
    uint64_t epoch = store_epoch(store);
    assert_in_range(epoch, least, most);
    assert_int_equal(store_view_epoch(store), epoch);

    struct buffer expected = {0};
    add_expected(&expected, epoch);
    assert_view(store, buffer_text(&expected));
    buffer_destroy(&expected);
    store_close(store);
    return epoch;
}

static void what_was_committed_survives_a_kill_at_any_moment(void **state)
{
    (void)state;
    uint32_t random = 20261123;
    char *directory = make_place();
    uint64_t known = 0, unreported = 0;
    for (int i = 0; i < KILLS; i++) {
        random = random * 1664525 + 1013904223;
        uint64_t reported = run_and_kill(directory, (long)(random >> 16) % RUN_MS_MAX);
        assert_true(!reported || reported > known);
        if (reported)
            known = reported;
        unreported++; /* each may have been killed between its commit and its report */
        if (i % 3 < 2)
            continue; /* the next child opens what this one has left */
        known = check(directory, known, known + unreported);
        unreported = 0;
    }
    assert_true(known > 100);
    remove_tree(directory);
    free(directory);
}

int main(int argc, char **argv)
{
    if (argc == 3)
        return commit_for_ever(argv[1], (int)strtol(argv[2], NULL, 10));
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_committed_survives_a_kill_at_any_moment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
