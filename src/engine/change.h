/* change.h - a change to one state that comes from outside the functions: a put or a delete.
 *
 * On its way, and while it waits, a change is a message like any other; it stands where the body of
 * a ToFunction.Invocation would stand, in a field that an Invocation does not have:
 *
 *     StateChange change = 15;
 *     message StateChange { string state = 1; TypedValue value = 2; uint64 deadline = 3; }
 *
 * Without a value it is a delete.
 * The first byte of a message's body tells whether it is a change. */
#ifndef ENGINE_CHANGE_H
#define ENGINE_CHANGE_H

#include "wire/protobuf.h"
#include "wire/typed_value.h"

struct state_change {
    struct bytes state; /* its name */
    bool is_delete;
    struct typed_value value; /* an empty type means: the type that the state has */
    uint64_t deadline;        /* ms since 1970; 0: as the function has declared */
};

void change_add(struct buffer *body, const struct state_change *change);

enum { BODY_CHANGE = 15 };

static inline bool body_is_change(struct bytes body)
{
    return body.size && body.data[0] == (BODY_CHANGE << 3 | PB_BYTES);
}

/* Reads a body for which that is true; false if it is malformed. */
bool change_parse(struct bytes body, struct state_change *ret_change);

#endif
