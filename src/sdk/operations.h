/* operations.h - the asynchronous operations that were begun in this process, until their results
 * are told (async.h).
 *
 *     BEGUN ──its call counts──▶ RUNNING ──complete, fail──▶ ENDED ──its companion waits──▶ told
 *       └──its call does not──▶ ABANDONED                                       (and forgotten)
 *
 * Ending may come at any time, also before the call has returned, and from any thread: so this is
 * locked. All else comes from the thread, or threads, of the host. */
#ifndef SDK_OPERATIONS_H
#define SDK_OPERATIONS_H

#include "base/list.h"
#include "sdk/async.h"

struct operations;

/* `life` tells this process from those before it. `on_end` (may be NULL) comes from any thread, and
 * must not call back: operations_next has something to tell. */
struct operations *operations_new(uint64_t life, void (*on_end)(void *owner), void *owner);

/* Operations that have not ended may still do so; nobody hears of it. NULL is fine. */
void operations_free(struct operations *operations);

/* For batch_world.async_begin: begins an operation, and adds what begins it to the batch. It stays
 * in `begun` until the batch is over. */
struct sf_async *operations_begin(struct operations *operations, struct list *begun,
                                  struct batch *batch, struct bytes metadata);

/* The batch is over: does it count? One that asks for more states does not. Empties the list. */
void operations_settle(struct operations *operations, struct list *begun, bool counts);

/* A companion is invoked, and waits from now on: operations_next will give its `waiter`, perhaps at
 * once. False: nobody knows the operation (any more). */
bool operations_wait(struct operations *operations, const struct async_ticket *ticket,
                     void *waiter);

/* The next operation that has ended and is waited for; it is forgotten. Its end is copied into
 * `arena`. False: there is none now. */
bool operations_next(struct operations *operations, struct arena *arena, void **ret_waiter,
                     struct async_end *ret_end);

/* Waits up to `ms` of real time until operations_next has something; false if it has not. */
bool operations_await(struct operations *operations, uint64_t ms);

#endif
