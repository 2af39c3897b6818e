/* histogram_test.c - durations in steps. */
#include "test.h"

#include "base/histogram.h"

static void bounds_grow_from_half_a_millisecond_to_a_minute(void **state)
{
    (void)state;
    assert_int_equal(histogram_bounds_us[0], 500);
    assert_int_equal(histogram_bounds_us[HISTOGRAM_STEPS - 1], 60 * 1000 * 1000);
    for (int i = 1; i < HISTOGRAM_STEPS; i++)
        assert_true(histogram_bounds_us[i] > histogram_bounds_us[i - 1]);
}

/* As Prometheus has it: a bound belongs to its step. */
static void a_duration_counts_in_the_step_that_it_does_not_exceed(void **state)
{
    (void)state;
    for (int i = 0; i < HISTOGRAM_STEPS; i++) {
        struct histogram histogram = {0};
        histogram_add(&histogram, histogram_bounds_us[i]);
        assert_int_equal(histogram.counts[i], 1);
        histogram_add(&histogram, histogram_bounds_us[i] + 1);
        assert_int_equal(histogram.counts[i + 1], 1);
        assert_int_equal(histogram.count, 2);
        assert_int_equal(histogram.sum_us, 2 * histogram_bounds_us[i] + 1);
    }
    struct histogram histogram = {0};
    histogram_add(&histogram, 0);
    assert_int_equal(histogram.counts[0], 1);
    histogram_add(&histogram, UINT64_C(1) << 60);
    assert_int_equal(histogram.counts[HISTOGRAM_STEPS], 1);
}

static void two_histograms_become_one(void **state)
{
    (void)state;
    struct histogram all = {0}, first = {0}, second = {0}, expected = {0};
    for (uint64_t us = 1; us < 100 * 1000 * 1000; us = us * 3 + 1) {
        histogram_add(us % 2 ? &first : &second, us);
        histogram_add(&expected, us);
    }
    histogram_merge(&all, &first);
    histogram_merge(&all, &second);
    assert_memory_equal(&all, &expected, sizeof all);
}

static void the_clock_goes_forward(void **state)
{
    (void)state;
    uint64_t last = clock_now_us();
    for (int i = 0; i < 1000; i++) {
        uint64_t now = clock_now_us();
        assert_true(now >= last);
        last = now;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bounds_grow_from_half_a_millisecond_to_a_minute),
        cmocka_unit_test(a_duration_counts_in_the_step_that_it_does_not_exceed),
        cmocka_unit_test(two_histograms_become_one),
        cmocka_unit_test(the_clock_goes_forward),
    };
    return cmocka_run_group_tests_name("histogram", tests, NULL, NULL);
}
