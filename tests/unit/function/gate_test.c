/* gate_test.c - places and their queue, in a second and at once. */
#include "test.h"

#include "function/gate.h"

enum { GUESTS = 4, SECOND_US = 1000000 };

static struct guest {
    struct gate_guest gate;
    int calls;
} guests[GUESTS];

static void on_call(void *owner)
{
    ((struct guest *)owner)->calls++;
}

static int set_up(void **state)
{
    (void)state;
    for (size_t i = 0; i < GUESTS; i++) {
        guests[i] = (struct guest){.gate = {.call = on_call, .owner = &guests[i]}};
        list_init(&guests[i].gate.node);
    }
    return 0;
}

static bool enter_at(struct gate *gate, size_t number, uint64_t now_us, uint64_t *ret_wait_us)
{
    return gate_enter(gate, &guests[number].gate, now_us, ret_wait_us);
}

static bool enter(struct gate *gate, size_t number)
{
    uint64_t wait_us;
    bool enters = enter_at(gate, number, 0, &wait_us);
    assert_int_equal(wait_us, 0);
    return enters;
}

static void so_many_are_in_at_once(void **state)
{
    (void)state;
    struct gate *gate = gate_new(2, 0);
    assert_true(enter(gate, 0));
    assert_true(enter(gate, 0));
    assert_false(enter(gate, 0));
    assert_int_equal(guests[0].calls, 0);
    gate_leave(gate);
    assert_int_equal(guests[0].calls, 1);
    assert_true(enter(gate, 0));
    gate_free(gate);
}

static void everybody_has_a_turn(void **state)
{
    (void)state;
    struct gate *gate = gate_new(1, 0);
    assert_true(enter(gate, 0));
    assert_false(enter(gate, 1));
    assert_false(enter(gate, 2));
    assert_false(enter(gate, 1)); /* stands in the queue once */
    gate_leave(gate);
    assert_int_equal(guests[1].calls, 1);
    assert_int_equal(guests[2].calls, 0);
    assert_false(enter(gate, 0)); /* who was in before is not first again */
    assert_false(enter(gate, 2));
    assert_true(enter(gate, 1));
    gate_leave(gate);
    assert_int_equal(guests[2].calls, 1);
    assert_true(enter(gate, 2));
    gate_leave(gate);
    assert_true(enter(gate, 0));
    gate_free(gate);
}

/* Two places become free before the first in the queue comes: the second is called by it. */
static void no_place_stays_empty_while_somebody_waits(void **state)
{
    (void)state;
    struct gate *gate = gate_new(2, 0);
    assert_true(enter(gate, 0));
    assert_true(enter(gate, 0));
    assert_false(enter(gate, 1));
    assert_false(enter(gate, 2));
    gate_leave(gate);
    gate_leave(gate);
    assert_int_equal(guests[2].calls, 0);
    assert_true(enter(gate, 1));
    assert_int_equal(guests[2].calls, 1);
    assert_true(enter(gate, 2));
    gate_free(gate);
}

static void who_goes_away_leaves_its_turn_to_the_next(void **state)
{
    (void)state;
    struct gate *gate = gate_new(1, 0);
    assert_true(enter(gate, 0));
    assert_false(enter(gate, 1));
    assert_false(enter(gate, 2));
    gate_leave(gate);
    gate_forget(gate, &guests[1].gate);
    assert_int_equal(guests[2].calls, 1);
    assert_true(enter(gate, 2));
    gate_free(gate);
}

static void so_many_enter_in_a_second(void **state)
{
    (void)state;
    struct gate *gate = gate_new(0, 100);
    size_t entered = 0;
    uint64_t now_us = 5 * SECOND_US, end_us = now_us + SECOND_US, wait_us;
    while (now_us < end_us) {
        if (enter_at(gate, 0, now_us, &wait_us))
            entered++;
        else
            now_us += wait_us;
    }
    assert_in_range(entered, 100, 102);

    now_us += SECOND_US; /* what was not used then is not made up for */
    entered = 0;
    while (enter_at(gate, 0, now_us, &wait_us))
        entered++;
    assert_int_equal(entered, 2);
    gate_forget(gate, &guests[0].gate);
    gate_free(gate);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(so_many_are_in_at_once, set_up),
        cmocka_unit_test_setup(everybody_has_a_turn, set_up),
        cmocka_unit_test_setup(no_place_stays_empty_while_somebody_waits, set_up),
        cmocka_unit_test_setup(who_goes_away_leaves_its_turn_to_the_next, set_up),
        cmocka_unit_test_setup(so_many_enter_in_a_second, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
