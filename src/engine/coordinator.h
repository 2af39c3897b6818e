/* coordinator.h - decides when an epoch ends: the cut across all workers, one commit after another.
 *
 *     OPEN ──somebody wants it──▶ SEALING ──all parts are in──▶ COMMITTING ──durable──▶ OPEN (next
 * epoch)
 *
 * Like the engine it is pure: it is told what the workers want and what time it is, and says what
 * to do. An epoch is sealed as soon as the last one is durable and somebody waits for it; otherwise
 * when the interval has passed since something first changed. While nothing changes, nothing is
 * committed.
 *
 * In a flood epochs are longer, up to EPOCH_MS_MAX, unless an acknowledgement waits: what is taken
 * in and processed within one epoch leaves only its effects, and each commit and each transaction
 * of an egress costs something. How long follows from the size of the last epoch, so a trickle is
 * never kept waiting. */
#ifndef ENGINE_COORDINATOR_H
#define ENGINE_COORDINATOR_H

#include "engine/delta.h"
#include "engine/engine.h"

enum { EPOCH_MS_MAX = 50, FLOOD_BYTES_PER_MS = 4096 };

struct coordinator;

struct coordinator *coordinator_new(uint32_t workers, uint64_t epoch, uint64_t interval_ms);
void coordinator_free(struct coordinator *coordinator); /* NULL is fine */

/* What a worker wants for its open epoch. A wish for another epoch than the one that is open here
 * is out of date and ignored. */
void coordinator_wish(struct coordinator *coordinator, uint64_t epoch, enum want want,
                      uint64_t now_ms);

/* A worker's share of the epoch being sealed; the reference changes hands. */
void coordinator_part(struct coordinator *coordinator, struct delta *part);

enum coordinator_action {
    COORDINATOR_WAIT,  /* for a wish, a part, or until `wake_ms` */
    COORDINATOR_SEAL,  /* tell every worker to seal `epoch` */
    COORDINATOR_COMMIT /* make the parts of `epoch` durable, then say so */
};

struct coordinator_step {
    enum coordinator_action action;
    uint64_t epoch;
    uint64_t wake_ms; /* UINT64_MAX: no time matters */
};
struct coordinator_step coordinator_next(struct coordinator *coordinator, uint64_t now_ms);

/* The parts to commit, one for each worker, after COORDINATOR_COMMIT until coordinator_committed.
 */
struct delta *const *coordinator_parts(const struct coordinator *coordinator);

/* The epoch is durable; the parts' references are given back. */
void coordinator_committed(struct coordinator *coordinator);

#endif
