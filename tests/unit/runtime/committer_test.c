/* committer_test.c - the committer's thread with a real store, and workers that are played by hand.
 */
#include "store/store_fixture.h"

#include "runtime/committer.h"

#include <pthread.h>

enum { WORKERS = 2, INTERVAL_MS = 5, LONG_MS = 60 * 1000, PATIENCE_MS = 10 * 1000 };

struct cast {
    struct fixture *store;
    struct committer *committer;
    pthread_mutex_t lock; /* of all below */
    pthread_cond_t changed;
    uint64_t sealed, committed; /* epochs */
    size_t part_count;
    bool answers; /* parts are handed in as soon as an epoch is sealed */
};

/* Both workers' shares; the first one's holds the epoch. */
static void hand_in(struct cast *cast, uint64_t epoch)
{
    for (uint32_t i = 0; i < WORKERS; i++) {
        struct delta *part = delta_new(i, epoch, 0);
        char value[24];
        snprintf(value, sizeof value, "%llu", (unsigned long long)epoch);
        if (i == 0)
            delta_put(part, bytes_of("m1"), bytes_of(value));
        committer_part(cast->committer, part);
    }
}

static void on_seal(void *owner, uint64_t epoch)
{
    struct cast *cast = owner;
    pthread_mutex_lock(&cast->lock);
    cast->sealed = epoch;
    bool answers = cast->answers;
    pthread_cond_signal(&cast->changed);
    pthread_mutex_unlock(&cast->lock);
    if (!answers)
        return;
    for (uint32_t i = 0; i < WORKERS; i++)
        committer_wish(cast->committer, i, epoch + 1, WANT_NOTHING, 0);
    hand_in(cast, epoch);
}

static void on_committed(void *owner, uint64_t epoch, struct delta *const *parts, size_t count)
{
    struct cast *cast = owner;
    for (size_t i = 0; i < count; i++)
        assert_true(parts[i]->worker == i && parts[i]->epoch == epoch);
    assert_int_equal(store_epoch(cast->store->store), epoch); /* durable before anybody hears */
    pthread_mutex_lock(&cast->lock);
    cast->committed = epoch;
    cast->part_count = count;
    pthread_cond_signal(&cast->changed);
    pthread_mutex_unlock(&cast->lock);
}

static void start(struct cast *cast, uint64_t interval_ms)
{
    cast->committer = committer_new(&(struct committer_options){.store = cast->store->store,
                                                                .workers = WORKERS,
                                                                .interval_ms = interval_ms,
                                                                .owner = cast,
                                                                .on_seal = on_seal,
                                                                .on_committed = on_committed});
    committer_start(cast->committer);
}

static int set_up(void **state)
{
    struct cast *cast = mem_new(sizeof *cast);
    void *store;
    setup(&store);
    cast->store = store;
    cast->answers = true;
    pthread_mutex_init(&cast->lock, NULL);
    pthread_cond_init(&cast->changed, NULL);
    *state = cast;
    return 0;
}

static int tear_down(void **state)
{
    struct cast *cast = *state;
    committer_free(cast->committer);
    void *store = cast->store;
    teardown(&store);
    pthread_cond_destroy(&cast->changed);
    pthread_mutex_destroy(&cast->lock);
    free(cast);
    return 0;
}

/* Waits until `*epoch` has reached `least`; false after `ms`. */
static bool await(struct cast *cast, const uint64_t *epoch, uint64_t least, uint64_t ms)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += (time_t)(ms / 1000);
    until.tv_nsec += (long)(ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&cast->lock);
    int error = 0;
    while (*epoch < least && !error)
        error = pthread_cond_timedwait(&cast->changed, &cast->lock, &until);
    bool reached = *epoch >= least;
    pthread_mutex_unlock(&cast->lock);
    return reached;
}

static void what_somebody_waits_for_is_committed_at_once(void **state)
{
    struct cast *cast = *state;
    start(cast, LONG_MS);
    for (uint64_t epoch = 1; epoch <= 3; epoch++) {
        committer_wish(cast->committer, 1, epoch, WANT_COMMIT_NOW, 0);
        assert_true(await(cast, &cast->committed, epoch, PATIENCE_MS));
    }
    assert_int_equal(cast->part_count, WORKERS);
    struct committer_figures counted;
    committer_figures(cast->committer, &counted);
    assert_int_equal(counted.epochs, 3);
    assert_true(counted.bytes > 0 && counted.last_bytes * 3 == counted.bytes);
    assert_int_equal(counted.latency.count, 3);
}

static void what_changed_is_committed_after_the_interval(void **state)
{
    struct cast *cast = *state;
    start(cast, INTERVAL_MS);
    committer_wish(cast->committer, 0, 1, WANT_COMMIT, 0);
    assert_true(await(cast, &cast->committed, 1, PATIENCE_MS));
}

static void without_a_wish_nothing_is_committed(void **state)
{
    struct cast *cast = *state;
    start(cast, INTERVAL_MS);
    committer_wish(cast->committer, 0, 1, WANT_NOTHING, 0);
    assert_false(await(cast, &cast->sealed, 1, 10 * INTERVAL_MS));
}

static void a_wish_for_an_epoch_that_is_over_is_ignored(void **state)
{
    struct cast *cast = *state;
    start(cast, LONG_MS);
    committer_wish(cast->committer, 0, 1, WANT_COMMIT_NOW, 0);
    assert_true(await(cast, &cast->committed, 1, PATIENCE_MS));
    committer_wish(cast->committer, 0, 1, WANT_COMMIT_NOW, 0);
    assert_false(await(cast, &cast->sealed, 2, 30));
}

/* An egress with nothing to do makes its records urgent; others' records stay as they are. */
static void a_hungry_egress_is_waited_for(void **state)
{
    struct cast *cast = *state;
    start(cast, LONG_MS);
    committer_hungry(cast->committer, 1, true);
    committer_wish(cast->committer, 0, 1, WANT_COMMIT, 1 << 0);
    assert_false(await(cast, &cast->sealed, 1, 30));
    committer_wish(cast->committer, 0, 1, WANT_COMMIT, 1 << 1);
    assert_true(await(cast, &cast->committed, 1, PATIENCE_MS));

    committer_hungry(cast->committer, 1, false);
    committer_wish(cast->committer, 0, 2, WANT_COMMIT, 1 << 1);
    assert_false(await(cast, &cast->sealed, 2, 30));
    committer_hungry(cast->committer, 1, true); /* it wakes the committer by itself */
    assert_true(await(cast, &cast->committed, 2, PATIENCE_MS));
}

static void a_commit_waits_for_all_parts(void **state)
{
    struct cast *cast = *state;
    cast->answers = false;
    start(cast, LONG_MS);
    committer_wish(cast->committer, 0, 1, WANT_COMMIT_NOW, 0);
    assert_true(await(cast, &cast->sealed, 1, PATIENCE_MS));
    committer_part(cast->committer, delta_new(1, 1, 0));
    assert_false(await(cast, &cast->committed, 1, 30));
    committer_part(cast->committer, delta_new(0, 1, 0));
    assert_true(await(cast, &cast->committed, 1, PATIENCE_MS));
}

static void a_flush_commits_what_has_changed_and_waits_for_it(void **state)
{
    struct cast *cast = *state;
    start(cast, LONG_MS);
    committer_wish(cast->committer, 0, 1, WANT_COMMIT, 0);
    committer_wish(cast->committer, 1, 1, WANT_NOTHING, 0);
    assert_false(await(cast, &cast->sealed, 1, 30));
    assert_true(committer_flush(cast->committer, PATIENCE_MS));
    assert_true(await(cast, &cast->committed, 1, 0));
}

static void a_flush_gives_up_when_it_takes_too_long(void **state)
{
    struct cast *cast = *state;
    cast->answers = false; /* a worker hangs */
    start(cast, LONG_MS);
    committer_wish(cast->committer, 0, 1, WANT_COMMIT, 0);
    committer_wish(cast->committer, 1, 1, WANT_NOTHING, 0);
    assert_false(committer_flush(cast->committer, 30));
}

static void what_was_committed_is_there_after_a_start(void **state)
{
    struct cast *cast = *state;
    start(cast, LONG_MS);
    committer_wish(cast->committer, 0, 1, WANT_COMMIT_NOW, 0);
    assert_true(await(cast, &cast->committed, 1, PATIENCE_MS));
    committer_wish(cast->committer, 0, 2, WANT_COMMIT_NOW, 0);
    assert_true(await(cast, &cast->committed, 2, PATIENCE_MS));
    committer_stop(cast->committer);
    committer_stop(cast->committer);
    committer_free(cast->committer);

    reopen(cast->store);
    struct buffer *value = &cast->store->value;
    assert_true(store_get(cast->store->store, bytes_of("m1"), value));
    assert_bytes(buffer_bytes(value), "2");
    start(cast, LONG_MS); /* goes on with epoch 3 */
    committer_wish(cast->committer, 0, 3, WANT_COMMIT_NOW, 0);
    assert_true(await(cast, &cast->committed, 3, PATIENCE_MS));
}

static void a_committer_may_be_freed_before_it_was_started(void **state)
{
    struct cast *cast = *state;
    cast->committer = committer_new(&(struct committer_options){.store = cast->store->store,
                                                                .workers = WORKERS,
                                                                .interval_ms = LONG_MS,
                                                                .owner = cast,
                                                                .on_seal = on_seal,
                                                                .on_committed = on_committed});
    committer_free(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_somebody_waits_for_is_committed_at_once),
        TEST(what_changed_is_committed_after_the_interval),
        TEST(without_a_wish_nothing_is_committed),
        TEST(a_wish_for_an_epoch_that_is_over_is_ignored),
        TEST(a_hungry_egress_is_waited_for),
        TEST(a_commit_waits_for_all_parts),
        TEST(a_flush_commits_what_has_changed_and_waits_for_it),
        TEST(a_flush_gives_up_when_it_takes_too_long),
        TEST(what_was_committed_is_there_after_a_start),
        TEST(a_committer_may_be_freed_before_it_was_started),
    };
    return cmocka_run_group_tests_name("committer", tests, NULL, NULL);
}
