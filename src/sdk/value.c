/* value.c - the built-in types are StateFun's wrapper messages (protocol.md 2); other types say
 * themselves how they are written. */
#include "sdk/value.h"

#include "base/mem.h"
#include "wire/builtin.h"
#include "wire/protobuf.h"
#include "wire/typed_value.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#ifndef STATEFUN_VERSION
#define STATEFUN_VERSION "unknown"
#endif

const char sf_sdk_version[] = STATEFUN_VERSION;

/* The names of the built-in types: the only ones that need not be measured and checked. */
static const char int_name[] = "io.statefun.types/int", long_name[] = "io.statefun.types/long",
                  bool_name[] = "io.statefun.types/bool", float_name[] = "io.statefun.types/float",
                  double_name[] = "io.statefun.types/double",
                  string_name[] = "io.statefun.types/string";

const struct sf_type sf_int_type = {.name = int_name, .repr = SF_REPR_INT};
const struct sf_type sf_long_type = {.name = long_name, .repr = SF_REPR_LONG};
const struct sf_type sf_bool_type = {.name = bool_name, .repr = SF_REPR_BOOL};
const struct sf_type sf_float_type = {.name = float_name, .repr = SF_REPR_FLOAT};
const struct sf_type sf_double_type = {.name = double_name, .repr = SF_REPR_DOUBLE};
const struct sf_type sf_string_type = {.name = string_name, .repr = SF_REPR_STRING};

const struct sf_bytes value_builtin_names[] = {
    [SF_REPR_INT] = {int_name, sizeof int_name - 1},
    [SF_REPR_LONG] = {long_name, sizeof long_name - 1},
    [SF_REPR_BOOL] = {bool_name, sizeof bool_name - 1},
    [SF_REPR_FLOAT] = {float_name, sizeof float_name - 1},
    [SF_REPR_DOUBLE] = {double_name, sizeof double_name - 1},
    [SF_REPR_STRING] = {string_name, sizeof string_name - 1},
};

/* --- writing --- */

struct sf_writer {
    struct value_memory memory;
    uint8_t *data;
    size_t size, capacity;
};

void *sf_write_space(struct sf_writer *writer, size_t size)
{
    enum { FIRST_CAPACITY = 64 };
    if (writer->capacity - writer->size < size) {
        size_t capacity = writer->capacity ? writer->capacity * 2 : FIRST_CAPACITY;
        while (capacity - writer->size < size)
            capacity *= 2;
        uint8_t *data = writer->memory.alloc(writer->memory.owner, capacity);
        if (writer->size)
            memcpy(data, writer->data, writer->size);
        writer->data = data;
        writer->capacity = capacity;
    }
    uint8_t *space = writer->data + writer->size;
    writer->size += size;
    return space;
}

void sf_write(struct sf_writer *writer, const void *bytes, size_t size)
{
    if (size)
        memcpy(sf_write_space(writer, size), bytes, size);
}

void sf_write_format(struct sf_writer *writer, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int size = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (size > 0) { /* vsnprintf wants room for its NUL */
        char *to = sf_write_space(writer, (size_t)size + 1);
        (void)vsnprintf(to, (size_t)size + 1, format, again);
        writer->size--;
    }
    va_end(again);
}

/* --- encoding --- */

const struct number_form value_number_forms[] = {
    [SF_REPR_INT] = {1 << 3 | PB_FIXED32, 4},    [SF_REPR_LONG] = {1 << 3 | PB_FIXED64, 8},
    [SF_REPR_BOOL] = {1 << 3 | PB_VARINT, 1},    [SF_REPR_FLOAT] = {1 << 3 | PB_FIXED32, 4},
    [SF_REPR_DOUBLE] = {1 << 3 | PB_FIXED64, 8},
};

static bool check_text(struct sf_bytes text, struct sf_status *status)
{
    return bytes_are_utf8(bytes_from_sf(text)) ||
           sf_fail(status, SF_INVALID, "a string value is not UTF-8");
}

static struct sf_bytes encode_text(struct value_memory memory, struct sf_bytes text)
{
    if (!text.size)
        return (struct sf_bytes){0};
    size_t size = pb_bytes_size(1, text.size);
    uint8_t *to = memory.alloc(memory.owner, size);
    (void)pb_put_bytes(to, 1, bytes_from_sf(text));
    return (struct sf_bytes){to, size};
}

static bool encode_object(struct value_memory memory, const struct sf_value *value,
                          struct sf_bytes *ret_bytes, struct sf_status *status)
{
    struct sf_writer writer = {.memory = memory};
    if (!value->type->encode)
        return sf_fail(status, SF_INVALID, "type %s has no encode", value->type->name);
    if (!value->type->encode(value->type, value->as_object, &writer, status))
        return sf_wrap(status, "encoding a value of type %s", value->type->name);
    *ret_bytes = (struct sf_bytes){writer.data, writer.size};
    return true;
}

/* What is passed on keeps its type name, whatever its sender has made of it. */
static bool check_typename(struct sf_bytes name, bool is_raw, struct sf_status *status)
{
    const char *slash = name.size ? memchr(name.data, '/', name.size) : NULL;
    bool is_good =
        is_raw ? name.size > 0
               : slash && slash != name.data && slash + 1 != (const char *)name.data + name.size;
    if (is_good && bytes_are_utf8(bytes_from_sf(name)))
        return true;
    return sf_fail(status, SF_INVALID, "type name '%.*s': expected namespace/name", (int)name.size,
                   name.size ? (const char *)name.data : "");
}

static bool encode_name(const struct sf_value *value, struct sf_bytes *ret_name,
                        struct sf_status *status)
{
    const struct sf_type *type = value->type;
    const struct sf_bytes *builtin = type ? type_builtin_name(type) : NULL;
    if (builtin) {
        *ret_name = *builtin;
        return true;
    }
    if (!type && !value->raw_type)
        return sf_fail(status, SF_INVALID, "the value is not set");
    *ret_name =
        type ? text_to_sf(type->name) : (struct sf_bytes){value->raw_type, value->raw_type_size};
    return check_typename(*ret_name, !type, status);
}

bool value_encode(struct value_memory memory, const struct sf_value *value,
                  struct sf_encoded *ret_encoded, struct sf_status *status)
{
    const struct sf_type *type = value->type;
    if (!encode_name(value, &ret_encoded->type, status))
        return false;
    switch (type ? type->repr : SF_REPR_BYTES) {
    case SF_REPR_BYTES:
        ret_encoded->value = value->as_bytes;
        return true;
    case SF_REPR_TEXT:
        ret_encoded->value = value->as_bytes;
        return check_text(value->as_bytes, status);
    case SF_REPR_OBJECT:
        return encode_object(memory, value, &ret_encoded->value, status);
    case SF_REPR_STRING:
        if (!check_text(value->as_bytes, status))
            return false;
        ret_encoded->value = encode_text(memory, value->as_bytes);
        return true;
    default:
        assert(value_is_number(type->repr));
        ret_encoded->value =
            value_encode_number(value, memory.alloc(memory.owner, VALUE_NUMBER_BYTES));
        return true;
    }
}

bool value_encode_plain(struct value_memory memory, struct sf_value value,
                        struct sf_bytes *ret_bytes, struct sf_status *status)
{
    enum sf_repr repr = value.type ? value.type->repr : SF_REPR_BYTES;
    if (!value.type && !value.raw_type)
        return sf_fail(status, SF_INVALID, "the value is not set");
    if (repr == SF_REPR_OBJECT)
        return encode_object(memory, &value, ret_bytes, status);
    *ret_bytes = value.as_bytes;
    if (repr == SF_REPR_BYTES)
        return true;
    if (repr == SF_REPR_STRING || repr == SF_REPR_TEXT)
        return check_text(value.as_bytes, status);

    uint64_t bits = value_number_bits(&value);
    size_t size = value_number_forms[repr].size;
    uint8_t *to = memory.alloc(memory.owner, size);
    for (size_t i = 0; i < size; i++)
        to[i] = (uint8_t)(bits >> 8 * (size - 1 - i));
    *ret_bytes = (struct sf_bytes){to, size};
    return true;
}

struct bytes value_in_arena(struct arena *arena, const struct sf_encoded *value)
{
    struct bytes type = bytes_from_sf(value->type), bytes = bytes_from_sf(value->value);
    size_t size = typed_value_size(type.size, bytes.size);
    uint8_t *data = arena_take(arena, size);
    (void)typed_value_put(data, type, bytes);
    return bytes_make(data, size);
}

/* --- decoding --- */

static bool decode_text(struct sf_context *context, enum sf_repr repr, struct sf_bytes bytes,
                        const char **ret_text)
{
    struct bytes text = bytes_from_sf(bytes);
    if (repr == SF_REPR_STRING ? !builtin_text(text, &text) : !bytes_are_utf8(text))
        return false;
    char *copy = context->host->alloc(context, text.size + 1);
    if (text.size)
        memcpy(copy, text.data, text.size);
    copy[text.size] = '\0';
    *ret_text = copy;
    return true;
}

bool value_decode(struct sf_context *context, const struct sf_type *type, struct sf_bytes bytes,
                  void *ret_value, struct sf_status *status)
{
    bool good = true;
    switch (type->repr) {
    case SF_REPR_BYTES:
        *(struct sf_bytes *)ret_value = bytes;
        break;
    case SF_REPR_OBJECT:
        if (!type->decode)
            return sf_fail(status, SF_INVALID, "type %s has no decode", type->name);
        return type->decode(type, bytes, context, ret_value, status) ||
               sf_wrap(status, "decoding %zu bytes of type %s", bytes.size, type->name);
    case SF_REPR_STRING:
    case SF_REPR_TEXT:
        good = decode_text(context, type->repr, bytes, ret_value);
        break;
    default:
        good = value_decode_number(type->repr, bytes, ret_value);
    }
    return good ||
           sf_fail(status, SF_INVALID, "%zu bytes are no value of type %s", bytes.size, type->name);
}
