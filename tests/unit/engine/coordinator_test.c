/* coordinator_test.c - when an epoch ends. */
#include "test.h"

#include "engine/coordinator.h"

enum { WORKERS = 2, FIRST = 5, INTERVAL_MS = 10, NOW_MS = 1000 };

static int set_up(void **state)
{
    *state = coordinator_new(WORKERS, FIRST, INTERVAL_MS);
    return 0;
}

static int tear_down(void **state)
{
    coordinator_free(*state);
    return 0;
}

static void expect_step(struct coordinator *coordinator, uint64_t now_ms,
                        enum coordinator_action action, uint64_t epoch, uint64_t wake_ms)
{
    struct coordinator_step step = coordinator_next(coordinator, now_ms);
    assert_int_equal(step.action, action);
    assert_int_equal(step.epoch, epoch);
    if (action == COORDINATOR_WAIT)
        assert_int_equal(step.wake_ms, wake_ms);
}

static void hand_in(struct coordinator *coordinator, uint32_t worker, uint64_t epoch)
{
    coordinator_part(coordinator, delta_new(worker, epoch, 0));
}

/* From a wish to a durable epoch. */
static void commit(struct coordinator *coordinator, uint64_t epoch)
{
    coordinator_wish(coordinator, epoch, WANT_COMMIT_NOW, NOW_MS);
    expect_step(coordinator, NOW_MS, COORDINATOR_SEAL, epoch, 0);
    for (uint32_t i = 0; i < WORKERS; i++)
        hand_in(coordinator, i, epoch);
    expect_step(coordinator, NOW_MS, COORDINATOR_COMMIT, epoch, 0);
    coordinator_committed(coordinator);
}

static void while_nothing_changes_nothing_is_committed(void **state)
{
    struct coordinator *c = *state;
    expect_step(c, NOW_MS, COORDINATOR_WAIT, FIRST, UINT64_MAX);
    coordinator_wish(c, FIRST, WANT_NOTHING, NOW_MS);
    expect_step(c, NOW_MS + 1000 * INTERVAL_MS, COORDINATOR_WAIT, FIRST, UINT64_MAX);
}

static void an_epoch_is_sealed_at_once_when_somebody_waits_for_it(void **state)
{
    struct coordinator *c = *state;
    coordinator_wish(c, FIRST, WANT_COMMIT_NOW, NOW_MS);
    expect_step(c, NOW_MS, COORDINATOR_SEAL, FIRST, 0);
    expect_step(c, NOW_MS, COORDINATOR_WAIT, FIRST, UINT64_MAX); /* said once */
}

static void otherwise_it_is_sealed_some_time_after_the_first_change(void **state)
{
    struct coordinator *c = *state;
    coordinator_wish(c, FIRST, WANT_COMMIT, NOW_MS);
    expect_step(c, NOW_MS, COORDINATOR_WAIT, FIRST, NOW_MS + INTERVAL_MS);
    coordinator_wish(c, FIRST, WANT_COMMIT, NOW_MS + 5); /* a later change does not put it off */
    expect_step(c, NOW_MS + 9, COORDINATOR_WAIT, FIRST, NOW_MS + INTERVAL_MS);
    expect_step(c, NOW_MS + INTERVAL_MS, COORDINATOR_SEAL, FIRST, 0);
}

static void an_egress_that_waits_is_served_at_once(void **state)
{
    struct coordinator *c = *state;
    commit(c, FIRST);
    coordinator_wish(c, FIRST + 1, WANT_COMMIT_SOON, NOW_MS + 1);
    expect_step(c, NOW_MS + 1, COORDINATOR_SEAL, FIRST + 1, 0);
}

/* An epoch of `bytes`, sealed at NOW_MS. */
static void commit_flood(struct coordinator *c, size_t bytes)
{
    coordinator_wish(c, FIRST, WANT_COMMIT_NOW, NOW_MS);
    expect_step(c, NOW_MS, COORDINATOR_SEAL, FIRST, 0);
    struct delta *part = delta_new(0, FIRST, 0);
    char *value = mem_new(bytes);
    delta_put(part, bytes_of("k"), bytes_make(value, bytes));
    free(value);
    coordinator_part(c, part);
    hand_in(c, 1, FIRST);
    expect_step(c, NOW_MS, COORDINATOR_COMMIT, FIRST, 0);
    coordinator_committed(c);
}

static void in_a_flood_it_waits_for_more(void **state)
{
    struct coordinator *c = *state;
    commit_flood(c, 20 * FLOOD_BYTES_PER_MS);
    coordinator_wish(c, FIRST + 1, WANT_COMMIT_SOON, NOW_MS + 1);
    expect_step(c, NOW_MS + 1, COORDINATOR_WAIT, FIRST + 1, NOW_MS + 20);
    expect_step(c, NOW_MS + 20, COORDINATOR_SEAL, FIRST + 1, 0);
}

static void but_never_for_long(void **state)
{
    struct coordinator *c = *state;
    commit_flood(c, 100 * EPOCH_MS_MAX * FLOOD_BYTES_PER_MS);
    coordinator_wish(c, FIRST + 1, WANT_COMMIT, NOW_MS + 1);
    expect_step(c, NOW_MS + 1, COORDINATOR_WAIT, FIRST + 1, NOW_MS + EPOCH_MS_MAX);
}

static void an_acknowledgement_does_not_wait_in_a_flood_either(void **state)
{
    struct coordinator *c = *state;
    commit_flood(c, 100 * EPOCH_MS_MAX * FLOOD_BYTES_PER_MS);
    coordinator_wish(c, FIRST + 1, WANT_COMMIT_NOW, NOW_MS + 1);
    expect_step(c, NOW_MS + 1, COORDINATOR_SEAL, FIRST + 1, 0);
}

static void a_hurry_overtakes_the_interval(void **state)
{
    struct coordinator *c = *state;
    coordinator_wish(c, FIRST, WANT_COMMIT, NOW_MS);
    coordinator_wish(c, FIRST, WANT_COMMIT_NOW, NOW_MS + 3);
    expect_step(c, NOW_MS + 3, COORDINATOR_SEAL, FIRST, 0);
}

static void it_is_committed_when_all_parts_are_in(void **state)
{
    struct coordinator *c = *state;
    coordinator_wish(c, FIRST, WANT_COMMIT_NOW, NOW_MS);
    expect_step(c, NOW_MS, COORDINATOR_SEAL, FIRST, 0);
    hand_in(c, 1, FIRST);
    expect_step(c, NOW_MS, COORDINATOR_WAIT, FIRST, UINT64_MAX);
    hand_in(c, 0, FIRST);
    expect_step(c, NOW_MS, COORDINATOR_COMMIT, FIRST, 0);
    struct delta *const *parts = coordinator_parts(c);
    for (uint32_t i = 0; i < WORKERS; i++) {
        assert_int_equal(parts[i]->worker, i); /* by worker, however they came */
        assert_int_equal(parts[i]->epoch, FIRST);
    }
    expect_step(c, NOW_MS, COORDINATOR_WAIT, FIRST, UINT64_MAX);
    coordinator_committed(c);
    expect_step(c, NOW_MS, COORDINATOR_WAIT, FIRST + 1, UINT64_MAX);
}

/* Whoever wants the next epoch says so again when it is open: wishes are never remembered. */
static void one_epoch_is_committed_after_another(void **state)
{
    struct coordinator *c = *state;
    coordinator_wish(c, FIRST, WANT_COMMIT_NOW, NOW_MS);
    expect_step(c, NOW_MS, COORDINATOR_SEAL, FIRST, 0);
    coordinator_wish(c, FIRST + 1, WANT_COMMIT_NOW, NOW_MS);
    expect_step(c, NOW_MS + 1000, COORDINATOR_WAIT, FIRST, UINT64_MAX);
    for (uint32_t i = 0; i < WORKERS; i++)
        hand_in(c, i, FIRST);
    expect_step(c, NOW_MS, COORDINATOR_COMMIT, FIRST, 0);
    coordinator_wish(c, FIRST + 1, WANT_COMMIT_NOW, NOW_MS);
    expect_step(c, NOW_MS + 1000, COORDINATOR_WAIT, FIRST, UINT64_MAX);
    coordinator_committed(c);
    for (uint64_t epoch = FIRST + 1; epoch < FIRST + 4; epoch++)
        commit(c, epoch);
}

static void a_wish_for_another_epoch_than_the_open_one_is_ignored(void **state)
{
    struct coordinator *c = *state;
    commit(c, FIRST);
    coordinator_wish(c, FIRST, WANT_COMMIT_NOW, NOW_MS);     /* it came too late */
    coordinator_wish(c, FIRST + 2, WANT_COMMIT_NOW, NOW_MS); /* it cannot come */
    expect_step(c, NOW_MS + 1000, COORDINATOR_WAIT, FIRST + 1, UINT64_MAX);
    coordinator_wish(c, FIRST + 1, WANT_COMMIT_NOW, NOW_MS);
    expect_step(c, NOW_MS, COORDINATOR_SEAL, FIRST + 1, 0);
}

static void the_parts_of_a_committed_epoch_are_given_back(void **state)
{
    struct coordinator *c = *state;
    struct delta *kept[WORKERS];
    coordinator_wish(c, FIRST, WANT_COMMIT_NOW, NOW_MS);
    expect_step(c, NOW_MS, COORDINATOR_SEAL, FIRST, 0);
    for (uint32_t i = 0; i < WORKERS; i++) {
        kept[i] = delta_new(i, FIRST, 0);
        coordinator_part(c, delta_ref(kept[i]));
        assert_int_equal(atomic_load(&kept[i]->references), 2);
    }
    expect_step(c, NOW_MS, COORDINATOR_COMMIT, FIRST, 0);
    coordinator_committed(c);
    for (uint32_t i = 0; i < WORKERS; i++) {
        assert_int_equal(atomic_load(&kept[i]->references), 1);
        delta_unref(kept[i]);
    }
}

/* The sanitizer sees what is not freed. */
static void a_coordinator_may_be_freed_in_the_middle(void **state)
{
    struct coordinator *c = *state;
    coordinator_wish(c, FIRST, WANT_COMMIT_NOW, NOW_MS);
    expect_step(c, NOW_MS, COORDINATOR_SEAL, FIRST, 0);
    hand_in(c, 1, FIRST);
    coordinator_free(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(while_nothing_changes_nothing_is_committed),
        TEST(an_epoch_is_sealed_at_once_when_somebody_waits_for_it),
        TEST(otherwise_it_is_sealed_some_time_after_the_first_change),
        TEST(an_egress_that_waits_is_served_at_once),
        TEST(in_a_flood_it_waits_for_more),
        TEST(but_never_for_long),
        TEST(an_acknowledgement_does_not_wait_in_a_flood_either),
        TEST(a_hurry_overtakes_the_interval),
        TEST(it_is_committed_when_all_parts_are_in),
        TEST(one_epoch_is_committed_after_another),
        TEST(a_wish_for_another_epoch_than_the_open_one_is_ignored),
        TEST(the_parts_of_a_committed_epoch_are_given_back),
        TEST(a_coordinator_may_be_freed_in_the_middle),
    };
    return cmocka_run_group_tests_name("coordinator", tests, NULL, NULL);
}
