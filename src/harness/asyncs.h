/* asyncs.h - the asynchronous operations that were begun in this process, until their results
 * are told (async.h).
 *
 *     BEGUN ──its call counts──▶ RUNNING ──complete, fail──▶ ENDED ──its companion waits──▶ told
 *       └──its call does not──▶ ABANDONED                                       (and forgotten)
 *
 * Ending may come at any time, also before the call has returned, and from any thread: so this is
 * locked. All else comes from the thread, or threads, of the host. */
#ifndef HARNESS_ASYNCS_H
#define HARNESS_ASYNCS_H

#include "base/list.h"
#include "sdk/async.h"

struct asyncs;

/* `life` tells this process from those before it. `on_end` (may be NULL) comes from any thread, and
 * must not call back: asyncs_next has something to tell. */
struct asyncs *asyncs_new(uint64_t life, void (*on_end)(void *owner), void *owner);

/* Operations that have not ended may still do so; nobody hears of it. NULL is fine. */
void asyncs_free(struct asyncs *asyncs);

/* For batch_world.async_begin: begins an operation, and adds what begins it to the batch. It stays
 * in `begun` until the batch is over. */
struct sf_async *asyncs_begin(struct asyncs *asyncs, struct list *begun, struct batch *batch,
                              struct bytes metadata);

/* The batch is over: does it count? One that asks for more states does not. Empties the list. */
void asyncs_settle(struct asyncs *asyncs, struct list *begun, bool counts);

/* A companion is invoked, and waits from now on: asyncs_next will give its `waiter`, perhaps at
 * once. False: nobody knows the operation (any more). */
bool asyncs_wait(struct asyncs *asyncs, const struct async_ticket *ticket, void *waiter);

/* The next operation that has ended and is waited for; it is forgotten. Its end is copied into
 * `arena`. False: there is none now. */
bool asyncs_next(struct asyncs *asyncs, struct arena *arena, void **ret_waiter,
                 struct async_end *ret_end);

/* Waits up to `ms` of real time until asyncs_next has something; false if it has not. */
bool asyncs_await(struct asyncs *asyncs, uint64_t ms);

#endif
