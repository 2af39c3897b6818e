/* committer.h - the thread that ends epochs: it seals across all workers and makes deltas durable.
 *
 * What it does when is decided by the coordinator (engine/coordinator.h); this is its driver. A
 * commit blocks this thread and no other: the workers go on with the next epoch meanwhile. */
#ifndef RUNTIME_COMMITTER_H
#define RUNTIME_COMMITTER_H

#include "base/histogram.h"
#include "engine/engine.h"
#include "store/store.h"

struct committer;

struct committer_options {
    struct store *store;
    uint32_t workers;
    uint64_t interval_ms;
    void *owner;
    /* Both on the committer's thread. */
    void (*on_seal)(void *owner, uint64_t epoch);
    void (*on_committed)(void *owner, uint64_t epoch, struct delta *const *parts, size_t count);
};

struct committer *committer_new(const struct committer_options *options);
void committer_start(struct committer *committer);

/* Any thread. What worker `worker` wants of its open epoch, and which egresses have records in it.
 */
void committer_wish(struct committer *committer, uint32_t worker, uint64_t epoch, enum want want,
                    uint64_t egresses);

/* Any thread. A worker's share of the epoch being sealed; the reference changes hands. */
void committer_part(struct committer *committer, struct delta *part);

/* Any thread. An egress that has nothing to do waits for the next epoch that has something for it.
 */
void committer_hungry(struct committer *committer, uint32_t egress, bool hungry);

/* From now on whatever changes is committed at once. Waits until nothing is left to commit, at most
 * `timeout_ms`; false if that was not enough. Not on the committer's thread. */
bool committer_flush(struct committer *committer, uint64_t timeout_ms);

void committer_stop(
    struct committer *committer); /* ends the thread; a commit under way is finished */
void committer_free(struct committer *committer); /* NULL is fine */

struct committer_figures {
    uint64_t epochs;
    uint64_t bytes;           /* of all deltas */
    uint64_t last_bytes;      /* of the last one */
    struct histogram latency; /* from the seal to being durable */
    struct histogram sync;    /* of the store alone */
};
void committer_figures(struct committer *committer, struct committer_figures *ret_figures);

#endif
