/* builtin.c - six wrapper messages, each with one field, left out when it is zero. */
#include "wire/builtin.h"

#include "wire/protobuf.h"
#include "wire/typed_value.h"

static const struct {
    const char *type;
    enum pb_type wire;
} builtins[] = {
    [BUILTIN_BOOL] = {"io.statefun.types/bool", PB_VARINT},
    [BUILTIN_INT] = {"io.statefun.types/int", PB_FIXED32},
    [BUILTIN_FLOAT] = {"io.statefun.types/float", PB_FIXED32},
    [BUILTIN_LONG] = {"io.statefun.types/long", PB_FIXED64},
    [BUILTIN_DOUBLE] = {"io.statefun.types/double", PB_FIXED64},
    [BUILTIN_STRING] = {TYPE_STRING, PB_BYTES},
};

enum builtin builtin_of(struct bytes type)
{
    enum builtin builtin = BUILTIN_BOOL;
    while (builtin < BUILTIN_NONE && !bytes_is(type, builtins[builtin].type))
        builtin++;
    return builtin;
}

/* Fixed numbers are little-endian on the wire. */
void builtin_add_bits(struct buffer *value, enum builtin builtin, uint64_t bits)
{
    uint8_t bytes[1 + 8] = {(uint8_t)(1 << 3 | builtins[builtin].wire)};
    size_t size = builtin == BUILTIN_BOOL ? 1 : builtins[builtin].wire == PB_FIXED32 ? 4 : 8;
    for (size_t i = 0; i < size; i++)
        bytes[1 + i] = (uint8_t)(bits >> 8 * i);
    if (bits)
        buffer_add(value, bytes, 1 + size);
}

/* The one field of a canonical wrapper; all zeros if it is left out. */
static bool unwrap(enum builtin builtin, struct bytes value, struct pb_field *ret_field)
{
    enum pb_type wire = builtins[builtin].wire;
    struct pb_reader reader = pb_read(value);
    *ret_field = (struct pb_field){0};
    if (!value.size)
        return true;
    if (!pb_next(&reader, ret_field) || reader.at != reader.end || ret_field->number != 1 ||
        ret_field->type != wire)
        return false;

    /* Canonical is what we would have written: no default, no byte more than is needed. */
    if (wire == PB_BYTES)
        return ret_field->bytes.size && value.size == pb_bytes_size(1, ret_field->bytes.size);
    size_t size = wire == PB_VARINT ? 1 : wire == PB_FIXED32 ? 4 : 8;
    return ret_field->value && value.size == 1 + size &&
           (builtin != BUILTIN_BOOL || ret_field->value == 1);
}

bool builtin_bits(enum builtin builtin, struct bytes value, uint64_t *ret_bits)
{
    struct pb_field field;
    if (!unwrap(builtin, value, &field))
        return false;
    *ret_bits = field.value;
    return true;
}

bool builtin_text(struct bytes value, struct bytes *ret_text)
{
    struct pb_field field;
    if (!unwrap(BUILTIN_STRING, value, &field) || !bytes_are_utf8(field.bytes))
        return false;
    *ret_text = field.bytes;
    return true;
}

bool builtin_check(struct bytes type, struct bytes value, struct sf_status *status)
{
    enum builtin builtin = builtin_of(type);
    struct pb_field field;
    struct bytes text;
    bool good =
        builtin == BUILTIN_NONE ||
        (builtin == BUILTIN_STRING ? builtin_text(value, &text) : unwrap(builtin, value, &field));
    return good || sf_fail(status, SF_INVALID,
                           "the %zu bytes of the value are not a canonical %.*s, which is what "
                           "functions can read",
                           value.size, BYTES_ARG(type));
}
