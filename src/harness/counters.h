/* counters.h - what functions have counted with sf_count. */
#ifndef HARNESS_COUNTERS_H
#define HARNESS_COUNTERS_H

#include "base/bytes.h"

struct counter;

struct counters {
    struct counter *items;
    size_t count;
};

/* An empty one is all zeros. */
void counters_destroy(struct counters *counters);

/* `type` is the wire form of a function type; empty in a trial. */
void counters_add(struct counters *counters, struct bytes type, const char *name, int64_t by);
int64_t counters_get(const struct counters *counters, struct bytes type, const char *name);

#endif
