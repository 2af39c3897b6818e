/* invocation_inside.h (wire, internal) - what both sides of the protocol share: invocation.c is the
 * runtime's, invocation_served.c the function's. */
#ifndef WIRE_INVOCATION_INSIDE_H
#define WIRE_INVOCATION_INSIDE_H

#include "wire/invocation.h"
#include "wire/protobuf.h"

enum { REQUEST_INVOCATION = 100, RESPONSE_RESULT = 100, RESPONSE_INCOMPLETE = 101 };
enum { BATCH_TARGET = 1, BATCH_STATE = 2, BATCH_INVOCATIONS = 3 };
enum { PERSISTED_NAME = 1, PERSISTED_VALUE = 2, PERSISTED_KEPT = 101 };
enum { RESULT_MUTATIONS = 1, RESULT_MESSAGES = 2, RESULT_DELAYED = 3, RESULT_EGRESSES = 4 };
enum { MUTATION_TYPE = 1, MUTATION_NAME = 2, MUTATION_VALUE = 3 };
enum { OUTGOING_TARGET = 1, OUTGOING_ARGUMENT = 2 };
enum {
    DELAYED_DELAY = 1,
    DELAYED_TARGET = 2,
    DELAYED_ARGUMENT = 3,
    DELAYED_IS_CANCELLATION = 10,
    DELAYED_TOKEN = 11
};
enum { EGRESS_NAMESPACE = 1, EGRESS_TYPE = 2, EGRESS_ARGUMENT = 3 };
enum { INCOMPLETE_MISSING = 1 };
enum { SPEC_NAME = 1, SPEC_EXPIRATION = 2, SPEC_TYPENAME = 3 };
enum { EXPIRATION_MODE = 1, EXPIRATION_AFTER_MS = 2 };

/* Returns `array` with room for one element more than `count`: grown at powers of two. */
void *invocation_room(struct arena *arena, void *array, size_t count, size_t element_size);

/* A sub-message that may come in pieces: the pieces one after another are the whole. */
struct pieces {
    struct arena *arena;
    struct bytes whole;
    uint8_t *joined; /* NULL while there is but one piece */
};

/* Adds a piece that was just read by `reader`. */
void pieces_add(struct pieces *pieces, const struct pb_reader *reader, struct bytes piece);

#endif
