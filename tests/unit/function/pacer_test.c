/* pacer_test.c - against functions that are busy, slow by nature, or hang. */
#include "function/pacer.h"
#include "test.h"

/* Windows of answers, with as many under way as are allowed; the time of an answer is the model's.
 */
static void run(struct pacer *pacer, unsigned windows, uint64_t (*time_us)(size_t under_way))
{
    while (pacer->under_way < pacer_allowed(pacer))
        pacer_sent(pacer);
    for (unsigned window = 0; window < windows; window++)
        for (size_t left = pacer->limit; left; left--) {
            pacer_answered(pacer, time_us(pacer->under_way), false);
            while (pacer->under_way < pacer_allowed(pacer))
                pacer_sent(pacer);
        }
}

/* One processor, 200 us for each. */
static uint64_t busy(size_t under_way)
{
    return 200 * under_way;
}

/* Waits for something else, 20 ms each, whatever else goes on. */
static uint64_t slow(size_t under_way)
{
    (void)under_way;
    return 20 * 1000;
}

static uint64_t quick(size_t under_way)
{
    (void)under_way;
    return 100;
}

static void a_busy_function_is_not_crowded(void **state)
{
    struct pacer pacer;
    (void)state;
    pacer_init(&pacer, 1024);
    run(&pacer, 1000, busy);
    assert_in_range(pacer.limit, 32, 100);
}

static void a_crowd_from_before_is_dispersed(void **state)
{
    struct pacer pacer;
    (void)state;
    pacer_init(&pacer, 1024);
    run(&pacer, 20, quick);
    assert_int_equal(pacer.limit, 1024);
    run(&pacer, 300, busy);
    assert_in_range(pacer.limit, 32, 100);
}

static void a_function_that_waits_for_others_gets_as_many_as_it_may(void **state)
{
    struct pacer pacer;
    (void)state;
    pacer_init(&pacer, 1024);
    run(&pacer, 20, slow);
    assert_int_equal(pacer.limit, 1024);
}

static void nothing_grows_that_is_not_used(void **state)
{
    struct pacer pacer;
    (void)state;
    pacer_init(&pacer, 1024);
    for (int i = 0; i < 10000; i++) {
        pacer_sent(&pacer);
        pacer_answered(&pacer, 100, false);
    }
    assert_int_equal(pacer.limit, 32);
}

static void what_hangs_takes_nobodys_place(void **state)
{
    struct pacer pacer;
    (void)state;
    pacer_init(&pacer, 1024);
    while (pacer.under_way < pacer_allowed(&pacer))
        pacer_sent(&pacer);
    for (int i = 0; i < 32; i++)
        pacer_grew_old(&pacer);
    assert_int_equal(pacer_allowed(&pacer), 64);
    for (int i = 0; i < 32; i++)
        pacer_answered(&pacer, 60 * 1000 * 1000, true);
    assert_int_equal(pacer_allowed(&pacer), 32);
}

static void no_more_than_the_most_are_allowed_ever(void **state)
{
    struct pacer pacer;
    (void)state;
    pacer_init(&pacer, 3);
    assert_int_equal(pacer_allowed(&pacer), 3);
    run(&pacer, 100, quick);
    for (int i = 0; i < 3; i++)
        pacer_grew_old(&pacer);
    assert_int_equal(pacer_allowed(&pacer), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_busy_function_is_not_crowded),
        cmocka_unit_test(a_crowd_from_before_is_dispersed),
        cmocka_unit_test(a_function_that_waits_for_others_gets_as_many_as_it_may),
        cmocka_unit_test(nothing_grows_that_is_not_used),
        cmocka_unit_test(what_hangs_takes_nobodys_place),
        cmocka_unit_test(no_more_than_the_most_are_allowed_ever),
    };
    return cmocka_run_group_tests_name("pacer", tests, NULL, NULL);
}
