/* histogram.h - how durations are distributed: counts in fixed steps from half a millisecond to a
 * minute.
 *
 * Belongs to one thread; what another thread shows is a copy. */
#ifndef BASE_HISTOGRAM_H
#define BASE_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

enum { HISTOGRAM_STEPS = 16 };

/* The upper bound of each step, in microseconds; what is longer counts beyond the last. */
extern const uint64_t histogram_bounds_us[HISTOGRAM_STEPS];

struct histogram {
    uint64_t counts[HISTOGRAM_STEPS + 1];
    uint64_t count;
    uint64_t sum_us;
};

/* An empty histogram is all zeros. */
void histogram_add(struct histogram *histogram, uint64_t us);
void histogram_merge(struct histogram *into, const struct histogram *from);

/* Microseconds on the monotonic clock, for taking durations. */
uint64_t clock_now_us(void);

#endif
