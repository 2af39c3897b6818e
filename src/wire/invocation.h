/* invocation.h - the remote invocation protocol: ToFunction and FromFunction (protocol.md 1.1).
 *
 * A request is written straight into its send buffer from parts that are already in wire form. A
 * reply is read in place: the arrays of a struct from_function hold views into the reply's bytes.
 * The function's side is the reverse of both: it reads requests and writes replies. */
#ifndef WIRE_INVOCATION_H
#define WIRE_INVOCATION_H

#include "base/arena.h"
#include "base/bytes.h"
#include "statefun/status.h"
#include "wire/address.h"
#include "wire/protobuf.h"
#include "wire/typed_value.h"

/* The body of one ToFunction.Invocation: appends `caller` (a canonical address, or empty for a
 * message from an ingress) and `argument` (the body of a TypedValue). This is also how a waiting
 * message is kept in memory and in the store. */
enum { INVOCATION_CALLER = 1, INVOCATION_ARGUMENT = 2 };

static inline size_t message_body_size(size_t caller_size, size_t argument_size)
{
    return pb_set_bytes_size(INVOCATION_CALLER, caller_size) +
           pb_bytes_size(INVOCATION_ARGUMENT, argument_size);
}

void message_body_put(uint8_t *to, struct bytes caller, struct bytes argument);

/* The same for an argument that is not written yet: it goes where this returns. */
static inline uint8_t *message_body_begin(uint8_t *to, struct bytes caller, size_t argument_size)
{
    to = pb_put_set_bytes(to, INVOCATION_CALLER, caller);
    return pb_put_head(to, INVOCATION_ARGUMENT, argument_size);
}

/* For message_body_parse: what does not have the common form. */
bool message_body_parse_any(struct bytes body, struct bytes *ret_caller,
                            struct bytes *ret_argument);

/* The caller (empty if none) and the argument in such a body; false if it is none. */
static inline bool message_body_parse(struct bytes body, struct bytes *ret_caller,
                                      struct bytes *ret_argument)
{
    enum {
        TAG_CALLER = INVOCATION_CALLER << 3 | PB_BYTES,
        TAG_ARGUMENT = INVOCATION_ARGUMENT << 3 | PB_BYTES
    };
    const uint8_t *at = body.data;
    size_t left = body.size;
    struct bytes caller = {0};
    if (left >= 2 && at[0] == TAG_CALLER && at[1] < PB_SHORT && at[1] <= left - 2) {
        caller = bytes_make(at + 2, at[1]);
        at += 2 + caller.size;
        left -= 2 + caller.size;
    }
    if (left < 2 || at[0] != TAG_ARGUMENT || at[1] >= PB_SHORT || at[1] != left - 2)
        return message_body_parse_any(body, ret_caller, ret_argument);
    *ret_caller = caller;
    *ret_argument = bytes_make(at + 2, left - 2);
    return true;
}

struct request_state {
    struct bytes name;
    struct bytes value; /* the body of a TypedValue, when present */
    bool present;
    bool kept; /* the function has it, as of the request's version: docs/bundles.md */
};

/* Smaller values are sent rather than kept: a lookup costs more than they do. */
enum { STATE_KEPT_BYTES_MIN = 512 };

struct to_function {
    struct bytes target; /* canonical address */
    const struct request_state *states;
    size_t state_count;
    const struct bytes *messages; /* message bodies, oldest first */
    size_t message_count;
    uint64_t version; /* under which the function keeps states; 0: each comes with its value */
};

size_t to_function_size(const struct to_function *request);

/* Writes exactly to_function_size bytes; returns the place behind them. */
uint8_t *to_function_put(uint8_t *to, const struct to_function *request);

/* Reads a request, which may come from anybody: target and callers are made canonical, arguments
 * and values of states are known to be typed values, names of states to be text. The arrays live in
 * `arena`, what they refer to in `request` or `arena`. A state that is kept has no value here, and
 * the version travels outside. False if the bytes are no ToFunction, or invoke nothing. */
bool to_function_parse(struct bytes request, struct arena *arena, struct to_function *ret_request,
                       struct sf_status *status);

/* What a reply asks for. `number` of an enum that we do not know is kept as it came. */
struct state_mutation {
    struct bytes name;
    uint64_t kind; /* MUTATION_DELETE, MUTATION_MODIFY or something unknown */
    struct typed_value value;
};

enum { MUTATION_DELETE = 0, MUTATION_MODIFY = 1 };

struct outgoing_message {
    struct bytes target;   /* canonical address */
    struct bytes argument; /* the body of a TypedValue */

    /* If it is already in the memory in which it will wait (struct batch_world); it changes hands
     * with the reply, and whoever takes it says so by NULL. */
    struct message *ready;
};

struct delayed_message {
    int64_t delay_ms;
    bool is_cancellation;
    struct bytes token;  /* empty: cannot be cancelled */
    struct bytes target; /* canonical address; of a cancellation there is none */
    struct bytes argument;
};

struct egress_message {
    struct bytes ns, name;
    struct bytes argument;
};

enum expire_mode { EXPIRE_NONE = 0, EXPIRE_AFTER_WRITE = 1, EXPIRE_AFTER_INVOKE = 2 };

enum { STATE_NAME_BYTES_MAX = 1024 }; /* it becomes part of stored keys */

struct state_spec {
    struct bytes name;
    struct bytes type; /* type name; empty becomes io.statefun.types/unset */
    enum expire_mode mode;
    int64_t expire_after_ms;
};

struct from_function {
    bool is_incomplete; /* then `missing` counts, and nothing else */
    struct state_spec *missing;
    size_t missing_count;
    struct state_mutation *mutations;
    size_t mutation_count;
    struct outgoing_message *messages;
    size_t message_count;
    struct delayed_message *delayed;
    size_t delayed_count;
    struct egress_message *egresses;
    size_t egress_count;
    uint64_t version; /* under which the function keeps the states that this leaves; 0: it does not.
                       * Travels outside, too */
};

/* Reads a reply. The arrays live in `arena`, what they refer to in `reply` or `arena`. False if the
 * bytes are not a FromFunction; what they mean is not judged here. */
bool from_function_parse(struct bytes reply, struct arena *arena, struct from_function *ret_reply,
                         struct sf_status *status);

/* Writes a reply: exactly from_function_size bytes; returns the place behind them. */
size_t from_function_size(const struct from_function *reply);
uint8_t *from_function_put(uint8_t *to, const struct from_function *reply);

#endif
