/* operations.h - asynchronous operations of embedded functions, of all workers of the process.
 *
 * How they travel stands in sdk/async.h: a companion's invocation comes to a worker's desk, stays
 * under way there until the operation has ended, and answers with the result. An operation that the
 * process does not know was begun by one that is gone: its result is UNKNOWN.
 *
 * An operation ends on whatever thread its function's helpers have; the desk's worker hears of it.
 */
#ifndef FUNCTION_OPERATIONS_H
#define FUNCTION_OPERATIONS_H

#include "engine/engine.h"
#include "loop/loop.h"
#include "sdk/async.h"
#include "sdk/batch.h"

struct operations; /* of the process */

/* `life` tells this process from all that were and will be. */
struct operations *operations_new(uint64_t life);

/* What functions have begun and not ended yet may still be ended afterwards, to no effect. After
 * all desks. NULL is fine. */
void operations_free(struct operations *operations);

/* Begins one for the call that is under way; batch_world.async_begin. */
struct sf_async *operations_begin(struct operations *operations, struct batch *batch,
                                  struct bytes metadata);

/* One worker's share: invocations that wait for an operation's end. */
struct operation_desk;
struct operation_desk *operation_desk_new(struct operations *operations, struct loop *loop);
void operation_desk_set_engine(struct operation_desk *desk, struct engine *engine);
void operation_desk_free(struct operation_desk *desk); /* before engine_free; NULL is fine */

/* ports.invoke for the function type of companions. */
void operation_desk_invoke(struct operation_desk *desk, struct invocation *invocation,
                           const struct to_function *request);

#endif
