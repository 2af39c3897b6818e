/* operations.h - the asynchronous operations that were begun in this process, until their results
 * are told (async.h).
 *
 *     RUNNING ──complete, fail──▶ ENDED
 *        └──── its companion is invoked: a visit ────▶ waiting ──it has ended──▶ due ──▶ told
 *
 * The visits of one thread wait at its desk. Ending may come at any time, also before the call has
 * returned, and from any thread: so this is locked. An operation that the process does not know was
 * begun by one that is gone, or by a call that does not count: its result is UNKNOWN. */
#ifndef SDK_OPERATIONS_H
#define SDK_OPERATIONS_H

#include "base/list.h"
#include "sdk/async.h"

struct operations; /* of the process */
struct operation;

/* `life` tells this process from all that were and will be. */
struct operations *operations_new(uint64_t life);

/* What functions have begun and not ended yet may still be ended afterwards, to no effect. After
 * all desks. NULL is fine. */
void operations_free(struct operations *operations);

/* For batch_world.async_begin: begins an operation, and adds what begins it to the batch. */
struct sf_async *operations_begin(struct operations *operations, struct batch *batch,
                                  struct bytes metadata);

/* --- being told --- */

/* A companion's invocation, at a desk. Memory of the host's, part of what it knows of it. */
struct visit {
    struct list place; /* in desk->waiting or desk->due */
    struct desk *desk;
    struct operation *operation; /* NULL: it is not known */
};

/* Memory of the host's. */
struct desk {
    struct operations *operations;
    struct list waiting, due;    /* under the operations' lock */
    void (*on_due)(void *owner); /* any thread, under the lock: desk_next has something; or NULL */
    void *owner;
};

void desk_init(struct desk *desk, struct operations *operations, void (*on_due)(void *owner),
               void *owner);

/* A companion was invoked with this ticket (NULL: with nonsense). desk_next gives the visit when
 * the operation has ended: perhaps at once, but never before this returns. */
void desk_put(struct desk *desk, struct visit *visit, const struct async_ticket *ticket);

/* The next visit whose operation has ended, or is not known; NULL: there is none now. The end is
 * lent until visit_done. */
struct visit *desk_next(struct desk *desk, struct async_end *ret_end);

/* Forgets the operation: its end was told. */
void visit_done(struct visit *visit);

/* Waits up to `ms` of real time until desk_next has something; false if it has not. */
bool desk_await(struct desk *desk, uint64_t ms);

/* Takes any visit out, untold; NULL if there is none. A desk goes when it is empty. */
struct visit *desk_drop(struct desk *desk);

#endif
