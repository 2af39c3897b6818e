/* operation_desk.h - one worker's share of the asynchronous operations of embedded functions
 * (sdk/operations.h): invocations of companions, under way until their operation has ended.
 *
 * An operation ends on whatever thread its function's helpers have; the desk's worker hears of it.
 */
#ifndef FUNCTION_OPERATION_DESK_H
#define FUNCTION_OPERATION_DESK_H

#include "engine/engine.h"
#include "loop/loop.h"
#include "sdk/operations.h"

struct operation_desk;
struct operation_desk *operation_desk_new(struct operations *operations, struct loop *loop);
void operation_desk_set_engine(struct operation_desk *desk, struct engine *engine);
void operation_desk_free(struct operation_desk *desk); /* before engine_free; NULL is fine */

/* ports.invoke for the function type of companions. */
void operation_desk_invoke(struct operation_desk *desk, struct invocation *invocation,
                           const struct to_function *request);

#endif
