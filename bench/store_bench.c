/* store_bench.c - what a commit, a change, a read and an opening of the store cost.
 *
 *     store_bench [keys in millions, default 1] [directory, default $TMPDIR or /tmp]
 *
 * Each measurement runs in a process of its own, on a new data directory, with the store's default
 * options. Keys are states of 44 bytes, values 108 bytes that do not compress. CPU is that of all
 * threads, less what building the deltas took; it is shown by thread, as the kernel counts it (10
 * ms). */
#include "base/mem.h"
#include "engine/keys.h"
#include "engine/partition.h"
#include "store/store.h"

#include <dirent.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { VALUE_BYTES = 108, HOT_KEYS = 100, QUEUE_EPOCHS = 5, GETS = 50000 };

static uint64_t key_count = 1000000;
static const char *base_directory;
static char directory[512];
static uint64_t random_state = 88172645463325252u;

static uint64_t random_next(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static double seconds(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static double now_us(void)
{
    return seconds(CLOCK_MONOTONIC) * 1e6;
}

static double process_cpu_us(void)
{
    return seconds(CLOCK_PROCESS_CPUTIME_ID) * 1e6;
}

static double thread_cpu_us(void)
{
    return seconds(CLOCK_THREAD_CPUTIME_ID) * 1e6;
}

static int by_size(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

/* Sorts the samples; afterwards the p-th part of them is at most the result. */
static double percentile(double *samples, size_t count, double p)
{
    qsort(samples, count, sizeof *samples, by_size);
    return samples[(size_t)((double)(count - 1) * p)];
}

static double resident_mb(void)
{
    long total = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file && fscanf(file, "%ld %ld", &total, &resident) != 2)
        resident = 0;
    if (file)
        fclose(file);
    return (double)resident * (double)sysconf(_SC_PAGESIZE) / 1e6;
}

static void must(bool good, const struct sf_status *status)
{
    if (!good) {
        fprintf(stderr, "store_bench: %s\n", status->message);
        exit(1);
    }
}

static struct store *open_store(void)
{
    struct store_options options = store_defaults;
    options.directory = directory;
    struct store *store = NULL;
    struct sf_status status;
    must(store_open(&options, &store, &status), &status);
    return store;
}

static struct bytes key_of(struct buffer *key, uint64_t nth)
{
    char id[24], address[48];
    int size = snprintf(id, sizeof id, "user-%012" PRIu64, nth);
    uint32_t partition = partition_of(bytes_make(id, (size_t)size), PARTITIONS_DEFAULT);
    size = snprintf(address, sizeof address, "bench/greeter/%s", id);
    return key_of_state(key, partition, bytes_make(address, (size_t)size), bytes_of("seen_cnt"));
}

static struct bytes value_of(uint8_t value[VALUE_BYTES])
{
    for (size_t i = 8; i + 8 <= VALUE_BYTES; i += 8)
        u64_put(value + i, random_next());
    return bytes_make(value, VALUE_BYTES);
}

/* Adds egress records, and trims those that are older than some epochs: they have been delivered.
 */
static void add_queue(struct delta *delta, size_t changes)
{
    static struct buffer from, to;
    uint8_t value[VALUE_BYTES] = {0};
    struct bytes egress = bytes_of("bench/greetings");
    for (size_t i = 0; i < changes; i++)
        delta_put(delta, key_of_record(&to, egress, delta->epoch, 0, (uint32_t)i), value_of(value));
    if (delta->epoch > QUEUE_EPOCHS)
        delta_trim(delta, key_of_outbox(&from, egress, 0),
                   key_of_outbox(&to, egress, delta->epoch - QUEUE_EPOCHS));
}

/* Commits one epoch of changes to random keys below `range`, or to a queue if that is 0; returns
 * what building it took. */
static double commit(struct store *store, size_t changes, uint64_t range, double *ret_us)
{
    static struct buffer key;
    uint8_t value[VALUE_BYTES] = {0};
    struct sf_status status;

    double built = thread_cpu_us();
    struct delta *delta = delta_new(0, store_epoch(store) + 1, 0);
    if (!range)
        add_queue(delta, changes);
    for (size_t i = 0; i < changes && range; i++)
        delta_put(delta, key_of(&key, random_next() % range), value_of(value));
    built = thread_cpu_us() - built;

    double start = now_us();
    must(store_commit(store, store_epoch(store) + 1, &delta, 1, &status), &status);
    *ret_us = now_us() - start;
    delta_unref(delta);
    return built;
}

static void measure_commits(void)
{
    static const size_t sizes[] = {1, 100, 1000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        enum { COUNT = 3000 };
        static double samples[COUNT];
        struct store *store = open_store();
        usleep(100000); /* until the spare segment is ready */
        double spent = 0;
        for (size_t k = 0; k < COUNT; k++) {
            (void)commit(store, sizes[i], key_count, &samples[k]);
            spent += samples[k];
        }
        double p50 = percentile(samples, COUNT, 0.5);
        printf("commit of %4zu changes: %6.0f commits/s, %8.0f changes/s, p50 %4.0f us, "
               "p99 %5.0f us, max %6.0f us\n",
               sizes[i], COUNT / spent * 1e6, (double)sizes[i] * COUNT / spent * 1e6, p50,
               percentile(samples, COUNT, 0.99), percentile(samples, COUNT, 1));
        store_close(store);
        if (system("rm -rf \"$STORE_BENCH_DIRECTORY\"/*"))
            exit(1);
    }
}

/* Prints the CPU of each thread so far, in microseconds a change. */
static void print_threads(double changes)
{
    DIR *tasks = opendir("/proc/self/task");
    for (struct dirent *task; tasks && (task = readdir(tasks));) {
        if (task->d_name[0] == '.')
            continue;
        char path[300], line[512], name[32] = "";
        unsigned long user = 0, kernel = 0;
        snprintf(path, sizeof path, "/proc/self/task/%s/stat", task->d_name);
        FILE *file = fopen(path, "r");
        if (!file)
            continue;
        char *end = fgets(line, sizeof line, file) ? strrchr(line, ')') : NULL;
        if (end && sscanf(line, "%*d (%31[^)]", name) == 1 &&
            sscanf(end + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
                   &kernel) == 2 &&
            user + kernel > 1)
            printf("    %-16s %5.2f us (kernel %.2f)\n", name,
                   (double)(user + kernel) * 1e4 / changes, (double)kernel * 1e4 / changes);
        fclose(file);
    }
    if (tasks)
        closedir(tasks);
}

/* Changes until the view is in its steady state, then measures as many again. */
static void measure_cpu(const char *what, uint64_t range, size_t commits)
{
    enum { CHANGES = 1000 };
    struct store *store = open_store();
    struct store_figures figures;
    double built = 0, start = 0, wall = 0, us, resident = 0;

    for (size_t i = 0; i < 2 * commits; i++) {
        if (i == commits) {
            start = process_cpu_us();
            wall = now_us();
            built = 0;
        }
        built += commit(store, CHANGES, range, &us);
        if (i % 16 == 0 && resident_mb() > resident)
            resident = resident_mb();
    }
    double changes = (double)(commits * CHANGES);
    store_figures(store, &figures);
    printf("changes to %s: %.2f us of CPU each, %.0f changes/s, peak resident %.1f MB, "
           "%.2f of the changes reach the view\n",
           what, (process_cpu_us() - start - built) / changes, changes / (now_us() - wall) * 1e6,
           resident, (double)figures.view_changes / (2 * changes));
    printf("  of which, over the whole run (building deltas took %.2f us of the first):\n",
           built / changes);
    print_threads(2 * changes);
    store_close(store);
}

static void measure_cpu_distinct(void)
{
    measure_cpu("distinct keys", key_count, (size_t)(key_count / 200));
}

static void measure_cpu_hot(void)
{
    measure_cpu("100 hot keys", HOT_KEYS, 5000);
}

static void measure_cpu_queue(void)
{
    measure_cpu("a queue", 0, 5000);
}

static void measure_hurry(void)
{
    enum { COUNT = 200 };
    double samples[COUNT], us;
    struct store *store = open_store();
    for (size_t i = 0; i < COUNT; i++) {
        (void)commit(store, 10, key_count, &us);
        double start = now_us();
        store_hurry(store, VIEW_WHOLE);
        while (store_view_epoch(store) < store_epoch(store))
            usleep(50);
        samples[i] = now_us() - start;
    }
    printf("bringing 10 changes into the view at once: p50 %.1f ms, p99 %.1f ms\n",
           percentile(samples, COUNT, 0.5) / 1e3, percentile(samples, COUNT, 0.99) / 1e3);
    store_close(store);
}

static void fill(void)
{
    struct store *store = open_store();
    struct buffer key = {0};
    uint8_t value[VALUE_BYTES] = {0};
    struct sf_status status;
    for (uint64_t nth = 0; nth < key_count;) {
        struct delta *delta = delta_new(0, store_epoch(store) + 1, 0);
        for (size_t i = 0; i < 1000 && nth < key_count; i++)
            delta_put(delta, key_of(&key, nth++), value_of(value));
        must(store_commit(store, store_epoch(store) + 1, &delta, 1, &status), &status);
        delta_unref(delta);
    }
    buffer_destroy(&key);
    store_close(store);
}

static void measure_gets_of(struct store *store, const char *what, uint64_t start, uint64_t range)
{
    static double samples[GETS];
    struct buffer key = {0}, value = {0};
    double cpu = thread_cpu_us();
    for (size_t i = 0; i < GETS; i++) {
        struct bytes wanted = key_of(&key, start + random_next() % range);
        double begun = now_us();
        (void)store_get(store, wanted, &value);
        samples[i] = now_us() - begun;
    }
    cpu = (thread_cpu_us() - cpu) / GETS;
    printf("get, %-28s p50 %5.1f us, p99 %6.1f us, %5.1f us of CPU\n", what,
           percentile(samples, GETS, 0.5), percentile(samples, GETS, 0.99), cpu);
    buffer_destroy(&key);
    buffer_destroy(&value);
}

static void measure_gets(void)
{
    fill();
    struct store *store = open_store();
    measure_gets_of(store, "anywhere (mostly cold)", 0, key_count);
    measure_gets_of(store, "absent", key_count, key_count);
    measure_gets_of(store, "hit (1000 keys)", 0, 1000);
    measure_gets_of(store, "hit (1000 keys) again", 0, 1000);
    printf("resident after that: %.1f MB\n", resident_mb());
    store_close(store);
}

static void measure_open_empty(void)
{
    enum { COUNT = 15 };
    double samples[COUNT], again[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        double start = now_us();
        struct store *store = open_store();
        samples[i] = now_us() - start;
        store_close(store);
        start = now_us();
        store = open_store();
        again[i] = now_us() - start;
        if (!i)
            printf("resident with an empty store: %.1f MB\n", resident_mb());
        store_close(store);
        if (system("rm -rf \"$STORE_BENCH_DIRECTORY\"/*"))
            exit(1);
    }
    printf("open: a new directory p50 %.1f ms, again p50 %.1f ms\n",
           percentile(samples, COUNT, 0.5) / 1e3, percentile(again, COUNT, 0.5) / 1e3);
}

/* Leaves about as much in the log as the view may lack, as a crash in a flood of changes does. */
static void measure_replay_of(const char *what, uint64_t range, size_t lag_bytes)
{
    pid_t child = fork();
    if (!child) {
        struct store *store = open_store();
        struct store_figures figures = {0};
        double us;
        for (size_t i = 0; i < 10000 && (i < 500 || figures.lag_bytes < lag_bytes); i++) {
            (void)commit(store, 1000, range, &us);
            store_figures(store, &figures);
        }
        _exit(0);
    }
    waitpid(child, NULL, 0);
    double start = now_us();
    struct store *store = open_store();
    struct store_figures figures;
    double took = now_us() - start;
    store_figures(store, &figures);
    printf("open after a crash, %s: %.0f ms, %.1f MB replayed, resident %.1f MB\n", what,
           took / 1e3, (double)figures.replayed_bytes / 1e6, resident_mb());
    store_close(store);
}

static void measure_replay_distinct(void)
{
    measure_replay_of("distinct keys", key_count, 8 << 20);
}

static void measure_replay_hot(void)
{
    measure_replay_of("100 hot keys", HOT_KEYS, store_defaults.lag_bytes_max / 2 - (1 << 20));
}

static void run(void (*measure)(void))
{
    snprintf(directory, sizeof directory, "%s/store_bench.XXXXXX", base_directory);
    if (!mkdtemp(directory) || setenv("STORE_BENCH_DIRECTORY", directory, 1))
        exit(1);
    fflush(stdout);
    pid_t child = fork();
    if (!child) {
        measure();
        exit(0);
    }
    waitpid(child, NULL, 0);
    if (system("rm -rf \"$STORE_BENCH_DIRECTORY\""))
        exit(1);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        key_count = (uint64_t)(strtod(argv[1], NULL) * 1e6);
    base_directory = argc > 2 ? argv[2] : getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp";
    if (key_count < 10000) {
        fprintf(stderr, "usage: store_bench [millions of keys, at least 0.01] [directory]\n");
        return 2;
    }
    run(measure_open_empty);
    run(measure_commits);
    run(measure_cpu_distinct);
    run(measure_cpu_hot);
    run(measure_cpu_queue);
    run(measure_hurry);
    run(measure_gets);
    run(measure_replay_distinct);
    run(measure_replay_hot);
    return 0;
}
