/* counters.h - what functions count with sf_count: a number for each function type and name.
 *
 * Any thread. Function types may come from outside (a binding of "namespace/prefix*" serves many),
 * so there is a limit; what would go beyond it is not counted, and that is logged once. */
#ifndef SERVE_COUNTERS_H
#define SERVE_COUNTERS_H

#include "base/bytes.h"
#include "base/map.h"

#include <pthread.h>

enum { COUNTERS_MAX = 10000 };

struct counters {
    pthread_mutex_t lock;
    struct map map;
    bool is_full; /* and has been said to be */
};

void counters_init(struct counters *counters);
void counters_destroy(struct counters *counters);

/* `type` as in struct address. */
void counters_add(struct counters *counters, struct bytes type, const char *name, int64_t by);

/* Appends the metric in Prometheus' text format. */
void counters_expose(struct counters *counters, struct buffer *text);

/* A label with its value, and its quotes, escaped. */
void metric_label_add(struct buffer *text, const char *name, struct bytes value);

#endif
