/* builtin.c - six wrapper messages, each with one field, left out when it is zero. */
#include "wire/builtin.h"

#include "wire/protobuf.h"
#include "wire/typed_value.h"

#include <endian.h>

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

static size_t number_size(enum builtin builtin)
{
    return builtin == BUILTIN_BOOL ? 1 : builtins[builtin].wire == PB_FIXED32 ? 4 : 8;
}

/* Fixed numbers are little-endian on the wire. */
void builtin_add_bits(struct buffer *value, enum builtin builtin, uint64_t bits)
{
    uint8_t bytes[1 + 8] = {(uint8_t)(1 << 3 | builtins[builtin].wire)};
    size_t size = number_size(builtin);
    for (size_t i = 0; i < size; i++)
        bytes[1 + i] = (uint8_t)(bits >> 8 * i);
    if (bits)
        buffer_add(value, bytes, 1 + size);
}

bool builtin_bits(enum builtin builtin, struct bytes value, uint64_t *ret_bits)
{
    size_t size = number_size(builtin);
    uint32_t four;
    *ret_bits = 0;
    if (!value.size)
        return true;
    if (value.size != 1 + size || value.data[0] != (1 << 3 | builtins[builtin].wire))
        return false;
    if (size == sizeof *ret_bits) {
        memcpy(ret_bits, value.data + 1, sizeof *ret_bits);
        *ret_bits = le64toh(*ret_bits);
    } else if (size == sizeof four) {
        memcpy(&four, value.data + 1, sizeof four);
        *ret_bits = le32toh(four);
    } else {
        *ret_bits = value.data[1];
    }
    return *ret_bits && (builtin != BUILTIN_BOOL || *ret_bits == 1);
}

/* Canonical is what we would have written: no default, no byte more than is needed. */
bool builtin_text(struct bytes value, struct bytes *ret_text)
{
    struct pb_reader reader = pb_read(value);
    struct pb_field field = {0};
    if (value.size &&
        (!pb_next(&reader, &field) || reader.at != reader.end || field.number != 1 ||
         field.type != PB_BYTES || !field.bytes.size ||
         value.size != pb_bytes_size(1, field.bytes.size) || !bytes_are_utf8(field.bytes)))
        return false;
    *ret_text = field.bytes;
    return true;
}

bool builtin_check(struct bytes type, struct bytes value, struct sf_status *status)
{
    enum builtin builtin = builtin_of(type);
    struct bytes text;
    uint64_t bits;
    bool good = builtin == BUILTIN_NONE ||
                (builtin == BUILTIN_STRING ? builtin_text(value, &text)
                                           : builtin_bits(builtin, value, &bits));
    return good || sf_fail(status, SF_INVALID,
                           "the %zu bytes of the value are not a canonical %.*s, which is what "
                           "functions can read",
                           value.size, BYTES_ARG(type));
}
