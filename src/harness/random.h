/* random.h - the only source of chance in a simulation: a seed gives the same run for ever. */
#ifndef HARNESS_RANDOM_H
#define HARNESS_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

struct random {
    uint64_t state;
};

/* splitmix64 */
static inline uint64_t random_next(struct random *random)
{
    uint64_t z = (random->state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* 0 to n - 1 */
static inline uint64_t random_below(struct random *random, uint64_t n)
{
    return n ? random_next(random) % n : 0;
}

static inline uint64_t random_between(struct random *random, uint64_t least, uint64_t most)
{
    return least + random_below(random, most - least + 1);
}

/* True in `in_thousand` of a thousand cases. */
static inline bool random_chance(struct random *random, uint64_t in_thousand)
{
    return random_below(random, 1000) < in_thousand;
}

#endif
