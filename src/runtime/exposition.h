/* exposition.h - figures in Prometheus' text format.
 *
 * Every metric is described in docs/metrics.md; those that upstream has keep its names (runtime.md
 * 8), in Prometheus' spelling: outLocal is statefun_functions_out_local_total. */
#ifndef RUNTIME_EXPOSITION_H
#define RUNTIME_EXPOSITION_H

#include "egress/kafka_egress.h"
#include "egress/kinesis_egress.h"
#include "egress/module_egress.h"
#include "egress/playground_egress.h"
#include "runtime/committer.h"
#include "runtime/worker.h"
#include "store/store.h"

struct exposed_egress {
    const char *id;
    struct outbox_figures outbox;
    bool is_playground; /* else it has figures */
    struct egress_figures figures;
    struct playground_egress_figures playground;
};

struct exposed {
    uint64_t epoch;
    uint64_t start_time_s; /* since 1970 */
    const struct application *application;
    const struct registry *registry; /* of embedded modules; NULL: there are none */
    struct worker_figures *const *workers;
    size_t worker_count;
    struct committer_figures committer;
    struct store_figures store;
    const struct exposed_egress *egresses;
    size_t egress_count;
};

void exposition_add(struct buffer *text, const struct exposed *exposed);

#endif
