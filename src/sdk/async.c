/* async.c - asynchronous operations, as functions see them, and their results as messages. */
#include "sdk/async.h"

#include "base/mem.h"
#include "sdk/batch.h"
#include "sdk/call.h"
#include "wire/protobuf.h"
#include "wire/typed_value.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { TICKET_LIFE = 1, TICKET_NUMBER = 2, TICKET_METADATA = 3 };
enum { RESULT_STATUS = 1, RESULT_METADATA = 2, RESULT_VALUE = 3, RESULT_CAUSE = 4 };

void async_result_add(struct buffer *buffer, struct bytes metadata, const struct async_end *end)
{
    pb_add_uint(buffer, RESULT_STATUS, end->status);
    pb_add_bytes(buffer, RESULT_METADATA, metadata);
    if (end->status == SF_ASYNC_SUCCESS)
        pb_add_bytes(buffer, RESULT_VALUE, end->value);
    if (end->status == SF_ASYNC_FAILURE)
        pb_add_bytes(buffer, RESULT_CAUSE, end->cause);
}

/* --- an operation --- */

static void complete(struct sf_async *handle, const struct sf_encoded *value)
{
    struct async *async = container_of(handle, struct async, handle);
    typed_value_add(&async->bytes, &(struct typed_value){.type = bytes_from_sf(value->type),
                                                         .value = bytes_from_sf(value->value),
                                                         .has_value = true});
    async->end.status = SF_ASYNC_SUCCESS;
    async->end.value = buffer_bytes(&async->bytes);
    async->on_end(async);
}

static void fail(struct sf_async *handle, const char *cause)
{
    struct async *async = container_of(handle, struct async, handle);
    buffer_add_text(&async->bytes, cause);
    async->end.status = SF_ASYNC_FAILURE;
    async->end.cause = buffer_bytes(&async->bytes);
    async->on_end(async);
}

static const struct sf_host ending = {
    .size = sizeof ending,
    .async_complete = complete,
    .async_fail = fail,
};

void async_init(struct async *async, void (*on_end)(struct async *async))
{
    *async = (struct async){.handle.host = &ending, .on_end = on_end};
}

void async_destroy(struct async *async)
{
    buffer_destroy(&async->bytes);
}

/* --- companions --- */

static void add_typed(struct buffer *buffer, const char *type, struct bytes value)
{
    typed_value_add(buffer, &(struct typed_value){bytes_of(type), value, true});
}

void async_add_message(struct batch *batch, const struct async_ticket *ticket)
{
    char id[40];
    struct address companion;
    struct buffer value = {0}, argument = {0};
    (void)snprintf(id, sizeof id, "%016" PRIx64 "-%" PRIu64, ticket->life, ticket->number);
    bool good = address_make(bytes_of(ASYNC_FUNCTION_NS), bytes_of(ASYNC_FUNCTION_NAME),
                             bytes_of(id), &batch->arena, &companion, NULL);
    assert(good);

    pb_add_uint(&value, TICKET_LIFE, ticket->life);
    pb_add_uint(&value, TICKET_NUMBER, ticket->number);
    pb_add_bytes(&value, TICKET_METADATA, ticket->metadata);
    add_typed(&argument, SF_TYPE_ASYNC, buffer_bytes(&value));
    batch_add_message(batch, companion.wire, buffer_bytes(&argument));
    buffer_destroy(&value);
    buffer_destroy(&argument);
}

static bool read_ticket(struct bytes bytes, struct async_ticket *ticket)
{
    struct pb_reader reader = pb_read(bytes);
    struct pb_field field;
    while (pb_next(&reader, &field)) {
        if (field.number == TICKET_LIFE && field.type == PB_VARINT)
            ticket->life = field.value;
        else if (field.number == TICKET_NUMBER && field.type == PB_VARINT)
            ticket->number = field.value;
        else if (field.number == TICKET_METADATA && field.type == PB_BYTES)
            ticket->metadata = field.bytes;
    }
    return !reader.failed && ticket->metadata.size;
}

bool async_ticket_read(const struct to_function *request, struct async_ticket *ret_ticket,
                       struct bytes *ret_caller, struct sf_status *status)
{
    struct bytes argument;
    struct typed_value value;
    struct async_ticket ticket = {0};
    bool good = request->message_count == 1 &&
                message_body_parse(request->messages[0], ret_caller, &argument) &&
                typed_value_parse(argument, &value, NULL) && bytes_is(value.type, SF_TYPE_ASYNC) &&
                read_ticket(value.value, &ticket) && ret_caller->size;
    if (!good)
        return sf_fail(status, SF_INVALID, "what was sent to %s is no asynchronous operation",
                       SF_TYPE_ASYNC);
    *ret_ticket = ticket;
    return true;
}

bool async_reply_make(struct arena *arena, struct bytes caller, struct bytes metadata,
                      const struct async_end *end, struct from_function *ret_reply,
                      struct sf_status *status)
{
    struct buffer value = {0}, argument = {0};
    struct outgoing_message *message = arena_take(arena, sizeof *message);
    struct address target;
    if (!address_read(caller, arena, &target, status))
        return sf_wrap(status, "the caller of an asynchronous operation");
    *message = (struct outgoing_message){.target = target.wire};
    async_result_add(&value, metadata, end);
    add_typed(&argument, SF_TYPE_ASYNC_RESULT, buffer_bytes(&value));
    message->argument = arena_add_bytes(arena, buffer_bytes(&argument));
    buffer_destroy(&value);
    buffer_destroy(&argument);
    *ret_reply = (struct from_function){.messages = message, .message_count = 1};
    return true;
}

/* --- for functions --- */

struct sf_async *sf_async_begin(struct sf_context *context, struct sf_value metadata)
{
    struct sf_encoded encoded;
    if (!call_encode(context, "sf_async_begin", &metadata, &encoded))
        return NULL;
    return context->host->async_begin(context, &encoded);
}

static void *alloc_on_heap(void *owner, size_t size)
{
    struct buffer *pieces = owner; /* of pointers */
    void *memory = malloc(size ? size : 1);
    if (!memory)
        abort();
    buffer_add(pieces, &memory, sizeof memory);
    return memory;
}

void sf_async_complete(struct sf_async *async, struct sf_value value)
{
    struct buffer pieces = {0};
    struct sf_encoded encoded;
    struct sf_status status;
    if (value_encode((struct value_memory){alloc_on_heap, &pieces}, &value, &encoded, &status))
        async->host->async_complete(async, &encoded);
    else
        async->host->async_fail(async, status.message);
    for (size_t at = 0; at < pieces.size; at += sizeof(void *)) {
        void *memory;
        memcpy(&memory, pieces.data + at, sizeof memory);
        free(memory);
    }
    buffer_destroy(&pieces);
}

void sf_async_fail(struct sf_async *async, const char *cause)
{
    async->host->async_fail(async, cause ? cause : "");
}

static bool read_value(struct bytes body, struct sf_value *ret_value)
{
    struct typed_value typed;
    if (!typed_value_parse(body, &typed, NULL))
        return false;
    *ret_value = (struct sf_value){.raw_type = (const char *)typed.type.data,
                                   .raw_type_size = typed.type.size,
                                   .as_bytes = bytes_to_sf(typed.value)};
    return true;
}

static bool read_cause(struct sf_context *context, struct bytes text, const char **ret_cause)
{
    char *cause = context->host->alloc(context, text.size + 1);
    if (text.size)
        memcpy(cause, text.data, text.size);
    cause[text.size] = '\0';
    *ret_cause = cause;
    return true;
}

static bool read_result(struct sf_context *context, struct bytes bytes,
                        struct sf_async_result *result)
{
    struct pb_reader reader = pb_read(bytes);
    struct pb_field field;
    bool good = true;
    while (good && pb_next(&reader, &field)) {
        if (field.number == RESULT_STATUS && field.type == PB_VARINT)
            result->status = (enum sf_async_status)field.value;
        else if (field.number == RESULT_METADATA && field.type == PB_BYTES)
            good = read_value(field.bytes, &result->metadata);
        else if (field.number == RESULT_VALUE && field.type == PB_BYTES)
            good = read_value(field.bytes, &result->value);
        else if (field.number == RESULT_CAUSE && field.type == PB_BYTES)
            good = read_cause(context, field.bytes, &result->cause);
    }
    return good && !reader.failed && result->status > SF_ASYNC_NONE &&
           result->status <= SF_ASYNC_UNKNOWN && result->metadata.raw_type;
}

enum sf_async_status sf_async_result(struct sf_context *context, const struct sf_message *message,
                                     struct sf_async_result *ret_result)
{
    if (!bytes_is(bytes_from_sf(message->type), SF_TYPE_ASYNC_RESULT))
        return SF_ASYNC_NONE;
    struct sf_async_result result = {.cause = ""};
    if (!read_result(context, bytes_from_sf(message->value), &result)) {
        (void)context->host->fail(context, "the message is no result of an asynchronous operation, "
                                           "though its type says so");
        return SF_ASYNC_NONE;
    }
    *ret_result = result;
    return result.status;
}
