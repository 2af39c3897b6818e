/* invocation_served.c - the function's side: requests read, replies written, by hand.
 *
 * What is read comes from anybody who can reach the function. So nothing of it is taken to be
 * canonical, and what is passed on is either checked or written anew. */
#include "wire/invocation_inside.h"

/* --- requests --- */

struct reading {
    struct arena *arena;
    struct sf_status *status;
    struct pieces target;
    struct request_state *states;
    size_t state_count;
    struct bytes *messages;
    size_t message_count;
};

static bool malformed(struct reading *reading, const char *what)
{
    return sf_fail(reading->status, SF_INVALID, "%s in the request is not valid protobuf", what);
}

static bool read_state(struct reading *reading, struct bytes message)
{
    reading->states = invocation_room(reading->arena, reading->states, reading->state_count,
                                      sizeof *reading->states);
    struct request_state *state = &reading->states[reading->state_count++];
    *state = (struct request_state){0};

    struct pieces value = {.arena = reading->arena};
    struct pb_reader reader = pb_read(message);
    struct pb_field field;
    while (pb_next(&reader, &field)) {
        if (field.number == PERSISTED_KEPT && field.type == PB_VARINT) {
            state->kept = field.value != 0;
        } else if (field.number == PERSISTED_NAME && field.type == PB_BYTES) {
            state->name = field.bytes;
        } else if (field.number == PERSISTED_VALUE && field.type == PB_BYTES) {
            pieces_add(&value, &reader, field.bytes);
            state->present = true;
        }
    }
    state->kept &= !state->present; /* a value that comes counts */
    if (reader.failed)
        return malformed(reading, "a state");
    if (!bytes_are_utf8(state->name))
        return sf_fail(reading->status, SF_INVALID,
                       "the name of a state in the request is not UTF-8");
    struct typed_value typed;
    state->value = value.whole;
    return typed_value_parse(state->value, &typed, reading->status);
}

/* A message's body, written anew unless it came just as message_body_put would write it. */
static struct bytes body_of(struct reading *reading, struct bytes came, bool is_as_it_came,
                            struct bytes caller, struct bytes argument)
{
    size_t size = message_body_size(caller.size, argument.size);
    if (is_as_it_came && size == came.size)
        return came;
    uint8_t *body = arena_take(reading->arena, size);
    message_body_put(body, caller, argument);
    return bytes_make(body, size);
}

static bool read_message(struct reading *reading, struct bytes message)
{
    reading->messages = invocation_room(reading->arena, reading->messages, reading->message_count,
                                        sizeof *reading->messages);
    struct pieces caller = {.arena = reading->arena}, argument = {.arena = reading->arena};
    struct pb_reader reader = pb_read(message);
    struct pb_field field;
    bool ends_in_argument = false;
    while (pb_next(&reader, &field)) {
        ends_in_argument = field.number == INVOCATION_ARGUMENT && field.type == PB_BYTES;
        if (ends_in_argument)
            pieces_add(&argument, &reader, field.bytes);
        else if (field.number == INVOCATION_CALLER && field.type == PB_BYTES)
            pieces_add(&caller, &reader, field.bytes);
    }
    if (reader.failed)
        return malformed(reading, "a message");

    struct address address;
    struct typed_value typed;
    if (!address_read(caller.whole, reading->arena, &address, reading->status) ||
        !typed_value_parse(argument.whole, &typed, reading->status))
        return false;
    /* In this order and of this size there is nothing else in it, and nothing is padded. */
    bool is_as_it_came =
        ends_in_argument && (!address.wire.size || address.wire.data == caller.whole.data);
    reading->messages[reading->message_count++] =
        body_of(reading, message, is_as_it_came, address.wire, argument.whole);
    return true;
}

static bool read_batch(struct reading *reading, struct bytes message)
{
    struct pb_reader reader = pb_read(message);
    struct pb_field field;
    while (pb_next(&reader, &field)) {
        if (field.type != PB_BYTES)
            continue;
        if (field.number == BATCH_TARGET)
            pieces_add(&reading->target, &reader, field.bytes);
        else if (field.number == BATCH_STATE && !read_state(reading, field.bytes))
            return false;
        else if (field.number == BATCH_INVOCATIONS && !read_message(reading, field.bytes))
            return false;
    }
    return !reader.failed || malformed(reading, "the batch");
}

bool to_function_parse(struct bytes request, struct arena *arena, struct to_function *ret_request,
                       struct sf_status *status)
{
    struct reading reading = {.arena = arena, .status = status};
    struct pieces batch = {.arena = arena};
    struct pb_reader reader = pb_read(request);
    struct pb_field field;
    bool has_batch = false;
    reading.target.arena = arena;

    while (pb_next(&reader, &field)) {
        if (field.number == REQUEST_INVOCATION && field.type == PB_BYTES) {
            pieces_add(&batch, &reader, field.bytes);
            has_batch = true;
        }
    }
    if (reader.failed)
        return malformed(&reading, "the outermost message");
    if (!has_batch)
        return sf_fail(status, SF_INVALID, "the request invokes nothing");

    struct address target;
    if (!read_batch(&reading, batch.whole) ||
        !address_read(reading.target.whole, arena, &target, status))
        return false;
    *ret_request = (struct to_function){
        .target = target.wire,
        .states = reading.states,
        .state_count = reading.state_count,
        .messages = reading.messages,
        .message_count = reading.message_count,
    };
    return true;
}

/* --- replies --- */

static size_t typed_size(const struct typed_value *value)
{
    return pb_set_bytes_size(TYPED_TYPENAME, value->type.size) +
           pb_set_uint_size(TYPED_HAS_VALUE, value->has_value) +
           pb_set_bytes_size(TYPED_VALUE, value->value.size);
}

static uint8_t *put_typed(uint8_t *to, uint32_t number, const struct typed_value *value)
{
    to = pb_put_head(to, number, typed_size(value));
    to = pb_put_set_bytes(to, TYPED_TYPENAME, value->type);
    to = pb_put_set_uint(to, TYPED_HAS_VALUE, value->has_value);
    return pb_put_set_bytes(to, TYPED_VALUE, value->value);
}

static size_t mutation_size(const struct state_mutation *mutation)
{
    size_t size = pb_set_uint_size(MUTATION_TYPE, mutation->kind) +
                  pb_set_bytes_size(MUTATION_NAME, mutation->name.size);
    if (mutation->kind != MUTATION_DELETE)
        size += pb_bytes_size(MUTATION_VALUE, typed_size(&mutation->value));
    return size;
}

static uint8_t *put_mutation(uint8_t *to, const struct state_mutation *mutation)
{
    to = pb_put_head(to, RESULT_MUTATIONS, mutation_size(mutation));
    to = pb_put_set_uint(to, MUTATION_TYPE, mutation->kind);
    to = pb_put_set_bytes(to, MUTATION_NAME, mutation->name);
    if (mutation->kind != MUTATION_DELETE)
        to = put_typed(to, MUTATION_VALUE, &mutation->value);
    return to;
}

static size_t message_size(const struct outgoing_message *message)
{
    return pb_bytes_size(OUTGOING_TARGET, message->target.size) +
           pb_bytes_size(OUTGOING_ARGUMENT, message->argument.size);
}

static uint8_t *put_message(uint8_t *to, const struct outgoing_message *message)
{
    to = pb_put_head(to, RESULT_MESSAGES, message_size(message));
    to = pb_put_bytes(to, OUTGOING_TARGET, message->target);
    return pb_put_bytes(to, OUTGOING_ARGUMENT, message->argument);
}

static size_t delayed_size(const struct delayed_message *delayed)
{
    size_t size = pb_set_uint_size(DELAYED_DELAY, (uint64_t)delayed->delay_ms) +
                  pb_set_uint_size(DELAYED_IS_CANCELLATION, delayed->is_cancellation) +
                  pb_set_bytes_size(DELAYED_TOKEN, delayed->token.size);
    if (!delayed->is_cancellation)
        size += pb_bytes_size(DELAYED_TARGET, delayed->target.size) +
                pb_bytes_size(DELAYED_ARGUMENT, delayed->argument.size);
    return size;
}

static uint8_t *put_delayed(uint8_t *to, const struct delayed_message *delayed)
{
    to = pb_put_head(to, RESULT_DELAYED, delayed_size(delayed));
    to = pb_put_set_uint(to, DELAYED_DELAY, (uint64_t)delayed->delay_ms);
    if (!delayed->is_cancellation) {
        to = pb_put_bytes(to, DELAYED_TARGET, delayed->target);
        to = pb_put_bytes(to, DELAYED_ARGUMENT, delayed->argument);
    }
    to = pb_put_set_uint(to, DELAYED_IS_CANCELLATION, delayed->is_cancellation);
    return pb_put_set_bytes(to, DELAYED_TOKEN, delayed->token);
}

static size_t egress_size(const struct egress_message *egress)
{
    return pb_set_bytes_size(EGRESS_NAMESPACE, egress->ns.size) +
           pb_set_bytes_size(EGRESS_TYPE, egress->name.size) +
           pb_bytes_size(EGRESS_ARGUMENT, egress->argument.size);
}

static uint8_t *put_egress(uint8_t *to, const struct egress_message *egress)
{
    to = pb_put_head(to, RESULT_EGRESSES, egress_size(egress));
    to = pb_put_set_bytes(to, EGRESS_NAMESPACE, egress->ns);
    to = pb_put_set_bytes(to, EGRESS_TYPE, egress->name);
    return pb_put_bytes(to, EGRESS_ARGUMENT, egress->argument);
}

static size_t expiration_size(const struct state_spec *spec)
{
    return pb_set_uint_size(EXPIRATION_MODE, spec->mode) +
           pb_set_uint_size(EXPIRATION_AFTER_MS, (uint64_t)spec->expire_after_ms);
}

static size_t spec_size(const struct state_spec *spec)
{
    return pb_set_bytes_size(SPEC_NAME, spec->name.size) +
           pb_bytes_size(SPEC_EXPIRATION, expiration_size(spec)) +
           pb_set_bytes_size(SPEC_TYPENAME, spec->type.size);
}

static uint8_t *put_spec(uint8_t *to, const struct state_spec *spec)
{
    to = pb_put_head(to, INCOMPLETE_MISSING, spec_size(spec));
    to = pb_put_set_bytes(to, SPEC_NAME, spec->name);
    to = pb_put_head(to, SPEC_EXPIRATION, expiration_size(spec));
    to = pb_put_set_uint(to, EXPIRATION_MODE, spec->mode);
    to = pb_put_set_uint(to, EXPIRATION_AFTER_MS, (uint64_t)spec->expire_after_ms);
    return pb_put_set_bytes(to, SPEC_TYPENAME, spec->type);
}

static size_t body_size(const struct from_function *reply)
{
    size_t size = 0;
    if (reply->is_incomplete) {
        for (size_t i = 0; i < reply->missing_count; i++)
            size += pb_bytes_size(INCOMPLETE_MISSING, spec_size(&reply->missing[i]));
        return size;
    }
    for (size_t i = 0; i < reply->mutation_count; i++)
        size += pb_bytes_size(RESULT_MUTATIONS, mutation_size(&reply->mutations[i]));
    for (size_t i = 0; i < reply->message_count; i++)
        size += pb_bytes_size(RESULT_MESSAGES, message_size(&reply->messages[i]));
    for (size_t i = 0; i < reply->delayed_count; i++)
        size += pb_bytes_size(RESULT_DELAYED, delayed_size(&reply->delayed[i]));
    for (size_t i = 0; i < reply->egress_count; i++)
        size += pb_bytes_size(RESULT_EGRESSES, egress_size(&reply->egresses[i]));
    return size;
}

size_t from_function_size(const struct from_function *reply)
{
    return pb_bytes_size(RESPONSE_RESULT, body_size(reply)); /* both tags are of one size */
}

uint8_t *from_function_put(uint8_t *to, const struct from_function *reply)
{
    if (reply->is_incomplete) {
        to = pb_put_head(to, RESPONSE_INCOMPLETE, body_size(reply));
        for (size_t i = 0; i < reply->missing_count; i++)
            to = put_spec(to, &reply->missing[i]);
        return to;
    }
    to = pb_put_head(to, RESPONSE_RESULT, body_size(reply));
    for (size_t i = 0; i < reply->mutation_count; i++)
        to = put_mutation(to, &reply->mutations[i]);
    for (size_t i = 0; i < reply->message_count; i++)
        to = put_message(to, &reply->messages[i]);
    for (size_t i = 0; i < reply->delayed_count; i++)
        to = put_delayed(to, &reply->delayed[i]);
    for (size_t i = 0; i < reply->egress_count; i++)
        to = put_egress(to, &reply->egresses[i]);
    return to;
}
