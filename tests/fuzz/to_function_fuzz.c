/* to_function_fuzz.c - any bytes as a request to a remote function.
 *
 * protobuf-c reads the same bytes; where it should agree (tests/unit/wire/reference.h) and does
 * not, that is a finding. What was read is written and read again, which must change nothing. */
#include "wire/reference.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(const char *what, const char *complaint)
{
    if (!complaint)
        return;
    fprintf(stderr, "%s: %s\n", what, complaint);
    abort();
}

/* `b` was read from `wire`, where everything is canonical and may stay where it is. */
static const char *compare(const struct to_function *a, const struct to_function *b,
                           struct bytes wire)
{
    if (!bytes_equal(a->target, b->target) || a->state_count != b->state_count ||
        a->message_count != b->message_count)
        return "the target, or how much there is";
    for (size_t i = 0; i < a->state_count; i++)
        if (!bytes_equal(a->states[i].name, b->states[i].name) ||
            !bytes_equal(a->states[i].value, b->states[i].value) ||
            a->states[i].present != b->states[i].present)
            return "a state";
    for (size_t i = 0; i < a->message_count; i++)
        if (!bytes_equal(a->messages[i], b->messages[i]))
            return "a message";
        else if (b->messages[i].data < wire.data || b->messages[i].data >= wire.data + wire.size)
            return "a canonical message, which was copied";
    return NULL;
}

static const char *write_and_read(struct bytes bytes)
{
    struct arena arena = {0};
    struct to_function first, second;
    const char *complaint = NULL;
    if (to_function_parse(bytes, &arena, &first, NULL)) {
        size_t size = to_function_size(&first);
        uint8_t *wire = arena_take(&arena, size);
        if (to_function_put(wire, &first) != wire + size)
            complaint = "it is not of the size that was said";
        else if (!to_function_parse(bytes_make(wire, size), &arena, &second, NULL))
            complaint = "it cannot be read";
        else
            complaint = compare(&first, &second, bytes_make(wire, size));
    }
    arena_destroy(&arena);
    return complaint;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes bytes = bytes_make(data, size);
    demand("a request", reference_judge_request(bytes));
    demand("a request written again", write_and_read(bytes));
    return 0;
}
