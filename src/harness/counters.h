/* counters.h - what functions, or routers, have counted, by whom they belong to. */
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

/* `whose`: the wire form of a function type, or the id of an ingress. */
void counters_add(struct counters *counters, struct bytes whose, const char *name, int64_t by);
int64_t counters_get(const struct counters *counters, struct bytes whose, const char *name);

#endif
