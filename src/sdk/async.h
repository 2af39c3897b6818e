/* async.h - asynchronous operations as messages: how one that a function has begun stays known.
 *
 * To begin one means to send a message, with the call's other effects, to an address that nobody
 * else knows, the operation's companion: function type SF_TYPE_ASYNC, an id of its own. Its
 * "invocation" lasts as long as the operation, and ends with a message to the function that began
 * it, which says how it ended. So whatever becomes of messages becomes of operations: nothing is
 * known of one whose call has failed, and after a crash the companion is invoked anew, by a process
 * that has never heard of the operation, and answers SF_ASYNC_UNKNOWN.
 *
 * What a companion is sent is a ticket, a value of type SF_TYPE_ASYNC:
 *
 *     1  life: the number of the process that knows the operation
 *     2  number of the operation in it
 *     3  metadata (TypedValue)
 *
 * What it sends to its caller is a result, a value of type SF_TYPE_ASYNC_RESULT:
 *
 *     1  status (enum sf_async_status)
 *     2  metadata (TypedValue)
 *     3  value (TypedValue), of SUCCESS
 *     4  cause (string), of FAILURE
 *
 * To the function it looks as if it came from its own address (batch.c). */
#ifndef SDK_ASYNC_H
#define SDK_ASYNC_H

#include "base/bytes.h"
#include "sdk/host.h"
#include "wire/invocation.h"

/* The function type of companions, and the type of what they are sent. */
#define SF_TYPE_ASYNC       "io.statefun.c/async"
#define ASYNC_FUNCTION_NS   "io.statefun.c"
#define ASYNC_FUNCTION_NAME "async"

struct async_ticket {
    uint64_t life;
    uint64_t number;
    struct bytes metadata; /* the body of a TypedValue */
};

/* How an operation has ended. */
struct async_end {
    enum sf_async_status status;
    struct bytes value; /* of SUCCESS: the body of a TypedValue */
    struct bytes cause; /* of FAILURE */
};

/* An operation, to whoever ends it; part of what its host knows of it. */
struct async {
    struct sf_async handle; /* what functions get */
    struct async_end end;   /* its bytes are in `bytes` */
    struct buffer bytes;
    void (*on_end)(struct async *async); /* once, when `end` is set; any thread */
};
void async_init(struct async *async, void (*on_end)(struct async *async));
void async_destroy(struct async *async);

/* Adds to a batch the message that begins an operation. */
struct batch;
void async_add_message(struct batch *batch, const struct async_ticket *ticket);

/* Reads what a companion was invoked with: always one message. `ret_caller` (canonical) is whoever
 * began the operation. Views into the request. False if it is no such thing. */
bool async_ticket_read(const struct to_function *request, struct async_ticket *ret_ticket,
                       struct bytes *ret_caller, struct sf_status *status);

/* What the companion answers. The reply lives as long as `arena`, `caller` and what they refer to.
 */
bool async_reply_make(struct arena *arena, struct bytes caller, struct bytes metadata,
                      const struct async_end *end, struct from_function *ret_reply,
                      struct sf_status *status);

/* Appends a result's bytes. `metadata` is the body of a TypedValue. */
void async_result_add(struct buffer *buffer, struct bytes metadata, const struct async_end *end);

#endif
