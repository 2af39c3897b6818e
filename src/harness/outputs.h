/* outputs.h - messages and egress records that came out, kept for the test to look at. */
#ifndef HARNESS_OUTPUTS_H
#define HARNESS_OUTPUTS_H

#include "base/bytes.h"
#include "statefun/harness.h"
#include "wire/address.h"

struct outputs {
    struct output **items; /* each stays where it is until it is taken out */
    size_t count, capacity;
};

/* An empty one is all zeros. */
void outputs_clear(struct outputs *outputs);

/* What is added; all is copied. */
struct made_output {
    const struct address *target; /* NULL: it is an egress record */
    struct bytes egress;          /* "namespace/name" */
    const struct address *sender; /* of an egress record; else NULL */
    struct bytes argument;        /* the body of a TypedValue */
    int64_t due_ms;
    struct bytes token;
};
const struct sf_output *outputs_add(struct outputs *outputs, const struct made_output *made);

/* NULL beyond the end. */
const struct sf_output *outputs_get(const struct outputs *outputs, size_t index);

/* Takes one out, without freeing it, and puts it last in `to` (NULL: frees it). */
void outputs_move(struct outputs *outputs, size_t index, struct outputs *to);

/* As messages go; views into the output. */
struct bytes output_argument(const struct sf_output *output);
struct bytes output_target(const struct sf_output *output); /* canonical */

/* Is it a message to this address? */
bool output_is_to(const struct sf_output *output, struct sf_address target);

/* No delayed message any more. */
void output_is_sent(const struct sf_output *output);

#endif
