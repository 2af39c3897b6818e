/* invocation.c - the runtime's side: requests written, replies read, by hand.
 *
 * By hand because this is the hot path and the messages are few and fixed: no tree is built,
 * nothing is allocated per field. The tests compare it with protobuf-c. */
#include "wire/invocation_inside.h"

void message_body_put(uint8_t *to, struct bytes caller, struct bytes argument)
{
    to = message_body_begin(to, caller, argument.size);
    if (argument.size)
        memcpy(to, argument.data, argument.size);
}

bool message_body_parse_any(struct bytes body, struct bytes *ret_caller, struct bytes *ret_argument)
{
    struct pb_reader reader = pb_read(body);
    struct pb_field field;
    bool has_argument = false;
    *ret_caller = (struct bytes){0};
    while (pb_next(&reader, &field)) {
        if (field.type != PB_BYTES)
            return false;
        if (field.number == INVOCATION_CALLER) {
            *ret_caller = field.bytes;
        } else if (field.number == INVOCATION_ARGUMENT) {
            *ret_argument = field.bytes;
            has_argument = true;
        }
    }
    return !reader.failed && has_argument;
}

static bool is_kept(const struct to_function *request, const struct request_state *state)
{
    return request->version && state->kept;
}

static size_t persisted_value_size(const struct to_function *request,
                                   const struct request_state *state)
{
    size_t size = pb_bytes_size(PERSISTED_NAME, state->name.size);
    if (is_kept(request, state))
        return size + pb_varint_size((uint64_t)PERSISTED_KEPT << 3) + 1;
    return size + (state->present ? pb_bytes_size(PERSISTED_VALUE, state->value.size) : 0);
}

static size_t batch_size(const struct to_function *request)
{
    size_t size = pb_bytes_size(BATCH_TARGET, request->target.size);
    for (size_t i = 0; i < request->state_count; i++)
        size += pb_bytes_size(BATCH_STATE, persisted_value_size(request, &request->states[i]));
    for (size_t i = 0; i < request->message_count; i++)
        size += pb_bytes_size(BATCH_INVOCATIONS, request->messages[i].size);
    return size;
}

size_t to_function_size(const struct to_function *request)
{
    return pb_bytes_size(REQUEST_INVOCATION, batch_size(request));
}

uint8_t *to_function_put(uint8_t *to, const struct to_function *request)
{
    to = pb_put_head(to, REQUEST_INVOCATION, batch_size(request));
    to = pb_put_bytes(to, BATCH_TARGET, request->target);
    for (size_t i = 0; i < request->state_count; i++) {
        const struct request_state *state = &request->states[i];
        to = pb_put_head(to, BATCH_STATE, persisted_value_size(request, state));
        to = pb_put_bytes(to, PERSISTED_NAME, state->name);
        if (is_kept(request, state))
            to = pb_put_uint(to, PERSISTED_KEPT, true);
        else if (state->present)
            to = pb_put_bytes(to, PERSISTED_VALUE, state->value);
    }
    for (size_t i = 0; i < request->message_count; i++)
        to = pb_put_bytes(to, BATCH_INVOCATIONS, request->messages[i]);
    return to;
}

/* --- what both sides of the protocol read with --- */

void *invocation_room(struct arena *arena, void *array, size_t count, size_t element_size)
{
    enum { FIRST = 4 };
    if (count == 0)
        return arena_take(arena, FIRST * element_size);
    if (count < FIRST || (count & (count - 1)))
        return array;
    void *grown = arena_take(arena, 2 * count * element_size);
    memcpy(grown, array, count * element_size);
    return grown;
}

static bool is_message(struct bytes bytes)
{
    struct pb_reader reader = pb_read(bytes);
    struct pb_field field;
    while (pb_next(&reader, &field))
        continue;
    return !reader.failed;
}

/* All that follows in that reader would fit behind the first piece, so there is one allocation,
 * however many pieces come. Each must be a message by itself: one that is not stands for the whole,
 * which then fails too. */
void pieces_add(struct pieces *pieces, const struct pb_reader *reader, struct bytes piece)
{
    struct bytes *whole = &pieces->whole;
    if (!whole->size) {
        *whole = piece;
        return;
    }
    if (!pieces->joined) {
        if (!is_message(*whole))
            return;
        pieces->joined =
            arena_take(pieces->arena, whole->size + (size_t)(reader->end - piece.data));
        memcpy(pieces->joined, whole->data, whole->size);
        whole->data = pieces->joined;
    }
    if (!is_message(piece)) {
        *pieces = (struct pieces){.arena = pieces->arena, .whole = piece};
        return;
    }
    if (piece.size)
        memcpy(pieces->joined + whole->size, piece.data, piece.size);
    whole->size += piece.size;
}

/* Reading. Each function below reads one message's fields over what is already there, so that a
 * sub-message which comes in several pieces is merged, as protobuf wants it. */

struct parse {
    struct arena *arena;
    struct from_function reply;
    struct sf_status *status;
};

static bool malformed(struct parse *parse, const char *what)
{
    return sf_fail(parse->status, SF_INVALID, "%s in the reply is not valid protobuf", what);
}

static bool text_only(struct parse *parse, struct bytes text, const char *what)
{
    return bytes_are_utf8(text) ||
           sf_fail(parse->status, SF_INVALID, "%s in the reply is not UTF-8", what);
}

/* An argument is passed on unread, but what we pass on must be a message: a receiver would choke.
 */
static bool check_argument(struct parse *parse, struct bytes argument)
{
    struct typed_value value;
    return typed_value_parse(argument, &value, parse->status);
}

static bool parse_mutation(struct parse *parse, struct bytes message)
{
    struct from_function *reply = &parse->reply;
    reply->mutations = invocation_room(parse->arena, reply->mutations, reply->mutation_count,
                                       sizeof *reply->mutations);
    struct state_mutation *mutation = &reply->mutations[reply->mutation_count++];
    *mutation = (struct state_mutation){0};

    struct pieces value = {.arena = parse->arena};
    struct pb_reader reader = pb_read(message);
    struct pb_field field;
    while (pb_next(&reader, &field)) {
        if (field.number == MUTATION_TYPE && field.type == PB_VARINT)
            mutation->kind = field.value;
        else if (field.number == MUTATION_NAME && field.type == PB_BYTES)
            mutation->name = field.bytes;
        else if (field.number == MUTATION_VALUE && field.type == PB_BYTES)
            pieces_add(&value, &reader, field.bytes);
    }
    if (reader.failed)
        return malformed(parse, "a state mutation");
    return text_only(parse, mutation->name, "the name of a state") &&
           typed_value_parse(value.whole, &mutation->value, parse->status);
}

static bool read_target(struct parse *parse, struct bytes message, struct bytes *ret_target)
{
    struct address address;
    if (!address_read(message, parse->arena, &address, parse->status))
        return false;
    *ret_target = address.wire;
    return true;
}

static bool parse_message(struct parse *parse, struct bytes message)
{
    struct from_function *reply = &parse->reply;
    reply->messages = invocation_room(parse->arena, reply->messages, reply->message_count,
                                      sizeof *reply->messages);
    struct outgoing_message *outgoing = &reply->messages[reply->message_count++];
    *outgoing = (struct outgoing_message){0};

    struct pieces target = {.arena = parse->arena}, argument = {.arena = parse->arena};
    struct pb_reader reader = pb_read(message);
    struct pb_field field;
    while (pb_next(&reader, &field)) {
        if (field.number == OUTGOING_TARGET && field.type == PB_BYTES)
            pieces_add(&target, &reader, field.bytes);
        else if (field.number == OUTGOING_ARGUMENT && field.type == PB_BYTES)
            pieces_add(&argument, &reader, field.bytes);
    }
    if (reader.failed)
        return malformed(parse, "an outgoing message");
    outgoing->argument = argument.whole;
    return read_target(parse, target.whole, &outgoing->target) &&
           check_argument(parse, outgoing->argument);
}

static bool parse_delayed(struct parse *parse, struct bytes message)
{
    struct from_function *reply = &parse->reply;
    reply->delayed =
        invocation_room(parse->arena, reply->delayed, reply->delayed_count, sizeof *reply->delayed);
    struct delayed_message *delayed = &reply->delayed[reply->delayed_count++];
    *delayed = (struct delayed_message){0};

    struct pieces target = {.arena = parse->arena}, argument = {.arena = parse->arena};
    struct pb_reader reader = pb_read(message);
    struct pb_field field;
    while (pb_next(&reader, &field)) {
        if (field.number == DELAYED_DELAY && field.type == PB_VARINT)
            delayed->delay_ms = (int64_t)field.value;
        else if (field.number == DELAYED_TARGET && field.type == PB_BYTES)
            pieces_add(&target, &reader, field.bytes);
        else if (field.number == DELAYED_ARGUMENT && field.type == PB_BYTES)
            pieces_add(&argument, &reader, field.bytes);
        else if (field.number == DELAYED_IS_CANCELLATION && field.type == PB_VARINT)
            delayed->is_cancellation = field.value != 0;
        else if (field.number == DELAYED_TOKEN && field.type == PB_BYTES)
            delayed->token = field.bytes;
    }
    if (reader.failed)
        return malformed(parse, "a delayed message");
    delayed->argument = argument.whole;
    return text_only(parse, delayed->token, "a cancellation token") &&
           read_target(parse, target.whole, &delayed->target) &&
           check_argument(parse, delayed->argument);
}

static bool parse_egress(struct parse *parse, struct bytes message)
{
    struct from_function *reply = &parse->reply;
    reply->egresses = invocation_room(parse->arena, reply->egresses, reply->egress_count,
                                      sizeof *reply->egresses);
    struct egress_message *egress = &reply->egresses[reply->egress_count++];
    *egress = (struct egress_message){0};

    struct pieces argument = {.arena = parse->arena};
    struct pb_reader reader = pb_read(message);
    struct pb_field field;
    while (pb_next(&reader, &field)) {
        if (field.type != PB_BYTES)
            continue;
        if (field.number == EGRESS_NAMESPACE)
            egress->ns = field.bytes;
        else if (field.number == EGRESS_TYPE)
            egress->name = field.bytes;
        else if (field.number == EGRESS_ARGUMENT)
            pieces_add(&argument, &reader, field.bytes);
    }
    if (reader.failed)
        return malformed(parse, "an egress message");
    egress->argument = argument.whole;
    return text_only(parse, egress->ns, "the namespace of an egress") &&
           text_only(parse, egress->name, "the name of an egress") &&
           check_argument(parse, egress->argument);
}

static bool parse_result(struct parse *parse, struct bytes message)
{
    struct pb_reader reader = pb_read(message);
    struct pb_field field;
    while (pb_next(&reader, &field)) {
        if (field.type != PB_BYTES)
            continue;
        bool good = true;
        if (field.number == RESULT_MUTATIONS)
            good = parse_mutation(parse, field.bytes);
        else if (field.number == RESULT_MESSAGES)
            good = parse_message(parse, field.bytes);
        else if (field.number == RESULT_DELAYED)
            good = parse_delayed(parse, field.bytes);
        else if (field.number == RESULT_EGRESSES)
            good = parse_egress(parse, field.bytes);
        if (!good)
            return false;
    }
    return !reader.failed || malformed(parse, "the invocation result");
}

static bool parse_expiration(struct parse *parse, struct bytes message, struct state_spec *spec)
{
    struct pb_reader reader = pb_read(message);
    struct pb_field field;
    while (pb_next(&reader, &field)) {
        if (field.number == EXPIRATION_MODE && field.type == PB_VARINT)
            /* A mode that we do not know is none, protocol.md 11. */
            spec->mode = field.value == EXPIRE_AFTER_WRITE || field.value == EXPIRE_AFTER_INVOKE
                             ? (enum expire_mode)field.value
                             : EXPIRE_NONE;
        else if (field.number == EXPIRATION_AFTER_MS && field.type == PB_VARINT)
            spec->expire_after_ms = (int64_t)field.value;
    }
    return !reader.failed || malformed(parse, "an expiration");
}

static bool parse_spec(struct parse *parse, struct bytes message)
{
    struct from_function *reply = &parse->reply;
    reply->missing =
        invocation_room(parse->arena, reply->missing, reply->missing_count, sizeof *reply->missing);
    struct state_spec *spec = &reply->missing[reply->missing_count++];
    *spec = (struct state_spec){0};

    struct pb_reader reader = pb_read(message);
    struct pb_field field;
    while (pb_next(&reader, &field)) {
        if (field.type != PB_BYTES)
            continue;
        if (field.number == SPEC_NAME)
            spec->name = field.bytes;
        else if (field.number == SPEC_TYPENAME)
            spec->type = field.bytes;
        else if (field.number == SPEC_EXPIRATION && !parse_expiration(parse, field.bytes, spec))
            return false;
    }
    if (reader.failed)
        return malformed(parse, "the specification of a state");
    return text_only(parse, spec->name, "the name of a state") &&
           text_only(parse, spec->type, "the type of a state");
}

static bool parse_incomplete(struct parse *parse, struct bytes message)
{
    struct pb_reader reader = pb_read(message);
    struct pb_field field;
    while (pb_next(&reader, &field))
        if (field.number == INCOMPLETE_MISSING && field.type == PB_BYTES &&
            !parse_spec(parse, field.bytes))
            return false;
    return !reader.failed || malformed(parse, "the incomplete invocation context");
}

bool from_function_parse(struct bytes reply, struct arena *arena, struct from_function *ret_reply,
                         struct sf_status *status)
{
    struct parse parse = {.arena = arena, .status = status};
    struct pb_reader reader = pb_read(reply);
    struct pb_field field;

    while (pb_next(&reader, &field)) {
        if (field.type != PB_BYTES ||
            (field.number != RESPONSE_RESULT && field.number != RESPONSE_INCOMPLETE))
            continue;
        /* A oneof: of two different members the last one counts. */
        bool is_incomplete = field.number == RESPONSE_INCOMPLETE;
        if (is_incomplete != parse.reply.is_incomplete)
            parse.reply = (struct from_function){.is_incomplete = is_incomplete};
        if (is_incomplete ? !parse_incomplete(&parse, field.bytes)
                          : !parse_result(&parse, field.bytes))
            return false;
    }
    if (reader.failed)
        return malformed(&parse, "the outermost message");
    *ret_reply = parse.reply;
    return true;
}
