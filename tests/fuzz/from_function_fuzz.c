/* from_function_fuzz.c - any bytes as what a function sends: a reply, an address, a typed value or
 * a Kafka record.
 *
 * protobuf-c reads the same bytes; where it should agree (tests/unit/wire/reference.h) and does
 * not, that is a finding. The input is all four at once: no byte is spent on choosing. */
#include "wire/reference.h"

#include "wire/protobuf.h"

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

/* What was read is passed on: it must be readable by whoever gets it. */
static const char *pass_on(struct bytes reply)
{
    struct arena arena = {0};
    struct from_function parsed;
    const char *complaint = NULL;
    if (from_function_parse(reply, &arena, &parsed, NULL))
        for (size_t i = 0; i < parsed.message_count && !complaint; i++) {
            const struct outgoing_message *message = &parsed.messages[i];
            size_t body_size = message_body_size(message->target.size, message->argument.size);
            uint8_t *body = arena_take(&arena, body_size);
            message_body_put(body, message->target, message->argument);

            struct bytes caller, argument, bodies[] = {bytes_make(body, body_size)};
            if (!message_body_parse(bodies[0], &caller, &argument) ||
                !bytes_equal(caller, message->target) || !bytes_equal(argument, message->argument))
                complaint = "a message's body is not read back";

            struct to_function request = {
                .target = message->target, .messages = bodies, .message_count = 1};
            size_t request_size = to_function_size(&request);
            uint8_t *to = arena_take(&arena, request_size);
            if (to_function_put(to, &request) != to + request_size)
                complaint = "a request is not of the size that was said";
        }
    arena_destroy(&arena);
    return complaint;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes bytes = bytes_make(data, size);
    demand("a reply", reference_judge_reply(bytes));
    demand("a reply passed on", pass_on(bytes));
    demand("an address", reference_judge_address(bytes));
    demand("a typed value", reference_judge_typed_value(bytes));
    demand("a Kafka record", reference_judge_kafka_record(bytes));
    return 0;
}
