/* histogram.c - a linear search: most durations are short, so they end in its first steps. */
#include "base/histogram.h"

#include <time.h>

const uint64_t histogram_bounds_us[HISTOGRAM_STEPS] = {
    500,    1000,   2500,    5000,    10000,   25000,    50000,    100000,
    250000, 500000, 1000000, 2500000, 5000000, 10000000, 30000000, 60000000,
};

void histogram_add(struct histogram *histogram, uint64_t us)
{
    size_t step = 0;
    while (step < HISTOGRAM_STEPS && us > histogram_bounds_us[step])
        step++;
    histogram->counts[step]++;
    histogram->count++;
    histogram->sum_us += us;
}

void histogram_merge(struct histogram *into, const struct histogram *from)
{
    for (size_t i = 0; i <= HISTOGRAM_STEPS; i++)
        into->counts[i] += from->counts[i];
    into->count += from->count;
    into->sum_us += from->sum_us;
}

uint64_t clock_now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}
