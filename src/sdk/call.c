/* call.c - what a function does with its context: checked and encoded here, done by the host. */
#include "sdk/call.h"

#include "base/hints.h"

#include <stdio.h>

/* --- memory, failing --- */

static void *alloc_in_call(void *owner, size_t size)
{
    struct sf_context *context = owner;
    return context->host->alloc(context, size);
}

struct value_memory call_memory(struct sf_context *context)
{
    return (struct value_memory){alloc_in_call, context};
}

void *sf_alloc(struct sf_context *context, size_t size)
{
    void *memory = context->host->alloc(context, size);
    memset(memory, 0, size);
    return memory;
}

bool sf_fail_call(struct sf_context *context, const char *format, ...)
{
    struct sf_status status;
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(status.message, sizeof status.message, format, arguments);
    va_end(arguments);
    return context->host->fail(context, status.message);
}

/* --- who and when --- */

struct sf_address sf_self(struct sf_context *context)
{
    struct sf_address self;
    context->host->self(context, &self);
    return self;
}

bool sf_caller(struct sf_context *context, struct sf_address *ret_caller)
{
    return context->host->caller(context, ret_caller);
}

void *sf_user(struct sf_context *context)
{
    return context->host->user(context);
}

int64_t sf_now_ms(struct sf_context *context)
{
    return context->host->now_ms(context);
}

struct sf_value sf_format(struct sf_context *context, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int size = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    char *text = context->host->alloc(context, size < 0 ? 1 : (size_t)size + 1);
    if (size < 0) {
        text[0] = '\0';
        (void)context->host->fail(context, "sf_format: the format makes no sense");
    } else {
        (void)vsnprintf(text, (size_t)size + 1, format, again);
    }
    va_end(again);
    return sf_string(text);
}

/* --- messages in --- */

HINT_APART static bool is_named(struct sf_bytes name, const char *type)
{
    return bytes_equal(bytes_from_sf(name), bytes_from_sf(text_to_sf(type)));
}

static inline bool is_of_type(struct sf_bytes name, const struct sf_type *type)
{
    const struct sf_bytes *builtin = type_builtin_name(type);
    return builtin ? type_builtin_is(builtin, name) : is_named(name, type->name);
}

const char *sf_message_type(struct sf_context *context, const struct sf_message *message)
{
    char *text = context->host->alloc(context, message->type.size + 1);
    if (message->type.size)
        memcpy(text, message->type.data, message->type.size);
    text[message->type.size] = '\0';
    return text;
}

bool sf_is(const struct sf_message *message, const struct sf_type *type)
{
    return is_of_type(message->type, type);
}

struct sf_value sf_message_value(const struct sf_message *message)
{
    if (!message->has_value)
        return (struct sf_value){0};
    return (struct sf_value){.raw_type = message->type.data,
                             .raw_type_size = message->type.size,
                             .as_bytes = message->value};
}

static bool decode(struct sf_context *context, struct sf_bytes name, struct sf_bytes bytes,
                   const struct sf_type *type, void *ret_value)
{
    struct sf_status status;
    if (!is_of_type(name, type))
        return sf_fail_call(context, "a value of type '%.*s' is read as '%s'", (int)name.size,
                            (const char *)name.data, type->name);
    return value_decode(context, type, bytes, ret_value, &status) ||
           context->host->fail(context, status.message);
}

HINT_APART static bool read_any(struct sf_context *context, const struct sf_message *message,
                                const struct sf_type *type, void *ret_value)
{
    if (!message->has_value)
        return sf_fail_call(context, "a message of type '%.*s' has no value",
                            (int)message->type.size, (const char *)message->type.data);
    return decode(context, message->type, message->value, type, ret_value);
}

bool sf_read(struct sf_context *context, const struct sf_message *message,
             const struct sf_type *type, void *ret_value)
{
    const struct sf_bytes *builtin = type_builtin_name(type);
    return (builtin && message->has_value && type_builtin_is(builtin, message->type) &&
            value_decode_short(type, message->value, ret_value)) ||
           read_any(context, message, type, ret_value);
}

bool sf_try_read(struct sf_context *context, const struct sf_message *message,
                 const struct sf_type *type, void *ret_value)
{
    struct sf_status ignored;
    return message->has_value && is_of_type(message->type, type) &&
           value_decode(context, type, message->value, ret_value, &ignored);
}

bool sf_decode(struct sf_context *context, struct sf_value value, const struct sf_type *type,
               void *ret_value)
{
    struct sf_encoded encoded;
    struct sf_status status;
    if (!value_encode(call_memory(context), &value, &encoded, &status))
        return context->host->fail(context, status.message);
    return decode(context, encoded.type, encoded.value, type, ret_value);
}

bool sf_match(struct sf_context *context, const struct sf_message *message,
              const struct sf_case *cases)
{
    const struct sf_case *of_type = NULL, *otherwise = NULL;
    for (const struct sf_case *it = cases; it->call; it++) {
        if (!it->type)
            otherwise = it;
        else if (!sf_is(message, it->type))
            continue;
        else if (!it->when)
            of_type = it;
        else if (it->when(context, message))
            return it->call(context, message);
    }
    const struct sf_case *chosen = of_type ? of_type : otherwise;
    return chosen ? chosen->call(context, message)
                  : sf_fail_call(context, "Don't know how to handle a message of type '%.*s'",
                                 (int)message->type.size, (const char *)message->type.data);
}

/* --- messages out --- */

bool call_encode(struct sf_context *context, const char *what, const struct sf_value *value,
                 struct sf_encoded *ret_encoded)
{
    struct sf_status status;
    if (value_encode(call_memory(context), value, ret_encoded, &status))
        return true;
    (void)sf_wrap(&status, "%s", what);
    return context->host->fail(context, status.message);
}

static inline bool send(struct sf_context *context, const struct sf_address *address,
                        const struct sf_encoded *value)
{
    struct sf_target target = target_of(*address);
    return context->host->send(context, &target, value);
}

HINT_APART static bool send_any(struct sf_context *context, const struct sf_address *address,
                                const struct sf_value *value)
{
    struct sf_encoded encoded;
    return call_encode(context, "sf_send", value, &encoded) && send(context, address, &encoded);
}

bool sf_send_to(struct sf_context *context, const struct sf_address *address,
                const struct sf_value *value)
{
    struct sf_encoded encoded;
    uint8_t number[VALUE_NUMBER_BYTES];
    return value_encode_short(value, number, &encoded) ? send(context, address, &encoded)
                                                       : send_any(context, address, value);
}

bool sf_reply(struct sf_context *context, struct sf_value value)
{
    struct sf_address caller;
    if (!sf_caller(context, &caller))
        return sf_fail_call(context, "sf_reply: the message has no caller");
    return sf_send(context, caller, value);
}

bool sf_send_after(struct sf_context *context, int64_t delay_ms, const char *token,
                   struct sf_address address, struct sf_value value)
{
    struct sf_encoded encoded;
    struct sf_target target = target_of(address);
    if (delay_ms < 0)
        return sf_fail_call(context, "sf_send_after: a delay of %lld ms, expected 0 or more",
                            (long long)delay_ms);
    return call_encode(context, "sf_send_after", &value, &encoded) &&
           context->host->send_after(context, delay_ms, text_to_sf(token ? token : ""), &target,
                                     &encoded);
}

bool sf_cancel(struct sf_context *context, const char *token)
{
    if (!token || !*token)
        return sf_fail_call(context, "sf_cancel: an empty token");
    return context->host->cancel(context, text_to_sf(token));
}

bool sf_send_egress(struct sf_context *context, const char *egress, struct sf_value value)
{
    struct sf_encoded encoded;
    return call_encode(context, "sf_send_egress", &value, &encoded) &&
           context->host->send_egress(context, text_to_sf(egress), &encoded);
}

/* --- logging and metrics --- */

void log_line_make(char line[LOG_LINE_SIZE], const char *format, va_list arguments)
{
    (void)vsnprintf(line, LOG_LINE_SIZE, format, arguments);
    for (; *line; line++)
        if ((unsigned char)*line < ' ' || *line == 0x7f)
            *line = ' ';
}

void sf_log(struct sf_context *context, enum sf_level level, const char *format, ...)
{
    char line[LOG_LINE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    log_line_make(line, format, arguments);
    va_end(arguments);
    context->host->log(context, level, line);
}

void sf_count(struct sf_context *context, const char *counter, int64_t by)
{
    context->host->count(context, counter, by);
}
