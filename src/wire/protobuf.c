/* protobuf.c - every length is checked against what is left before it is believed. */
#include "wire/protobuf.h"

enum { GROUP_START = 3, GROUP_END = 4, GROUP_DEPTH_MAX = 32 };

bool pb_take_varint_any(const uint8_t **at, const uint8_t *end, uint64_t *ret_value)
{
    const uint8_t *p = *at;
    uint64_t value = 0;

    for (unsigned shift = 0; shift < 64; shift += 7) {
        if (p == end)
            return false;
        uint8_t byte = *p++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80)) {
            *at = p;
            *ret_value = value;
            return true;
        }
    }
    return false;
}

static bool fail(struct pb_reader *reader)
{
    reader->failed = true;
    return false;
}

static bool take_fixed(struct pb_reader *reader, size_t size, uint64_t *ret_value)
{
    if ((size_t)(reader->end - reader->at) < size)
        return false;
    uint64_t value = 0;
    for (size_t i = size; i-- > 0;)
        value = value << 8 | reader->at[i];
    reader->at += size;
    *ret_value = value;
    return true;
}

static bool take_bytes(struct pb_reader *reader, struct bytes *ret_bytes)
{
    uint64_t size;
    if (!pb_take_varint(&reader->at, reader->end, &size) ||
        size > (uint64_t)(reader->end - reader->at))
        return false;
    *ret_bytes = bytes_make(reader->at, (size_t)size);
    reader->at += size;
    return true;
}

/* Reads a tag and its payload; a group's start or end has none. */
static bool take_any(struct pb_reader *reader, uint32_t *ret_number, unsigned *ret_type,
                     struct pb_field *field)
{
    uint64_t tag;
    if (!pb_take_varint(&reader->at, reader->end, &tag) || tag > UINT32_MAX || tag >> 3 == 0)
        return false;
    *ret_number = (uint32_t)(tag >> 3);
    *ret_type = (unsigned)(tag & 7);

    switch (*ret_type) {
    case PB_VARINT:
        return pb_take_varint(&reader->at, reader->end, &field->value);
    case PB_FIXED64:
        return take_fixed(reader, 8, &field->value);
    case PB_FIXED32:
        return take_fixed(reader, 4, &field->value);
    case PB_BYTES:
        return take_bytes(reader, &field->bytes);
    case GROUP_START:
    case GROUP_END:
        return true;
    default:
        return false;
    }
}

static bool skip_group(struct pb_reader *reader, uint32_t outermost)
{
    uint32_t open[GROUP_DEPTH_MAX];
    size_t depth = 0;
    open[depth++] = outermost;

    while (depth > 0) {
        struct pb_field ignored;
        uint32_t number;
        unsigned type;
        if (reader->at == reader->end || !take_any(reader, &number, &type, &ignored))
            return false;
        if (type == GROUP_START) {
            if (depth == GROUP_DEPTH_MAX)
                return false;
            open[depth++] = number;
        } else if (type == GROUP_END && open[--depth] != number) {
            return false;
        }
    }
    return true;
}

bool pb_next(struct pb_reader *reader, struct pb_field *ret_field)
{
    while (!reader->failed && reader->at != reader->end) {
        uint32_t number;
        unsigned type;
        if (!take_any(reader, &number, &type, ret_field))
            return fail(reader);
        if (type == GROUP_START) {
            if (!skip_group(reader, number))
                return fail(reader);
            continue;
        }
        if (type == GROUP_END)
            return fail(reader);
        ret_field->number = number;
        ret_field->type = (enum pb_type)type;
        return true;
    }
    return false;
}

void pb_add_varint(struct buffer *buffer, uint64_t value)
{
    uint8_t *to = buffer_reserve(buffer, PB_VARINT_MAX);
    buffer->size += (size_t)(pb_put_varint(to, value) - to);
}

void pb_add_bytes(struct buffer *buffer, uint32_t number, struct bytes bytes)
{
    uint8_t *to = buffer_reserve(buffer, pb_bytes_size(number, bytes.size));
    buffer->size += (size_t)(pb_put_bytes(to, number, bytes) - to);
}

void pb_add_uint(struct buffer *buffer, uint32_t number, uint64_t value)
{
    uint8_t *to = buffer_reserve(buffer, 2 * PB_VARINT_MAX);
    buffer->size += (size_t)(pb_put_uint(to, number, value) - to);
}
