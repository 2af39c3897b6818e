/* protobuf.h - the protobuf wire format: fields in, fields out; no schema, no tree of objects.
 *
 * The wire room turns bytes into messages and messages into bytes. It may include base; it knows no
 * sockets and no engine.
 *
 * Reading gives views into the bytes read. A reader never reads beyond its end, whatever the bytes
 * say; the first malformed field makes it fail, and it stays failed. */
#ifndef WIRE_PROTOBUF_H
#define WIRE_PROTOBUF_H

#include "base/bytes.h"

enum pb_type { PB_VARINT = 0, PB_FIXED64 = 1, PB_BYTES = 2, PB_FIXED32 = 5 };

struct pb_reader {
    const uint8_t *at;
    const uint8_t *end;
    bool failed;
};

struct pb_field {
    uint32_t number;
    enum pb_type type;
    uint64_t value;     /* of PB_VARINT, PB_FIXED32, PB_FIXED64 */
    struct bytes bytes; /* of PB_BYTES */
};

static inline struct pb_reader pb_read(struct bytes message)
{
    /* An empty message may be at NULL, to which not even 0 can be added. */
    const uint8_t *end = message.size ? message.data + message.size : message.data;
    return (struct pb_reader){message.data, end, false};
}

/* The next field; false at the end of the message and when it is malformed (then `failed` is set).
 * Groups, which proto3 has no use for, are passed over. */
bool pb_next(struct pb_reader *reader, struct pb_field *ret_field);

/* Lengths below this one take one byte. Nearly all that we meet on the way of a message do. */
enum { PB_SHORT = 0x80 };

/* Takes a PB_BYTES field with this number if it comes next with tag and length of one byte each.
 * False, and nothing is taken, if not: then pb_next knows what to make of it. */
static inline bool pb_take_short(struct pb_reader *reader, uint32_t number, struct bytes *ret_bytes)
{
    const uint8_t *at = reader->at;
    if (reader->end - at < 2 || at[0] != (number << 3 | PB_BYTES) || at[1] > reader->end - at - 2 ||
        at[1] >= PB_SHORT)
        return false;
    *ret_bytes = bytes_make(at + 2, at[1]);
    reader->at = at + 2 + at[1];
    return true;
}

enum { PB_VARINT_MAX = 10 };

static inline size_t pb_varint_size(uint64_t value)
{
    return value < PB_SHORT ? 1 : (size_t)(63 - __builtin_clzll(value)) / 7 + 1;
}

/* Writes at `to`, which has room; returns the place behind. */
static inline uint8_t *pb_put_varint(uint8_t *to, uint64_t value)
{
    while (value >= PB_SHORT) {
        *to++ = (uint8_t)(value | PB_SHORT);
        value >>= 7;
    }
    *to++ = (uint8_t)value;
    return to;
}

static inline uint8_t *pb_put_tag(uint8_t *to, uint32_t number, enum pb_type type)
{
    return pb_put_varint(to, (uint64_t)number << 3 | type);
}

/* The size of a PB_BYTES field with its tag and length. */
static inline size_t pb_bytes_size(uint32_t number, size_t size)
{
    return pb_varint_size((uint64_t)number << 3) + pb_varint_size(size) + size;
}

static inline uint8_t *pb_put_head(uint8_t *to, uint32_t number, size_t size)
{
    return pb_put_varint(pb_put_tag(to, number, PB_BYTES), size);
}

static inline uint8_t *pb_put_bytes(uint8_t *to, uint32_t number, struct bytes bytes)
{
    return bytes_put(pb_put_head(to, number, bytes.size), bytes);
}

/* The same of fewer than PB_SHORT bytes: what has been found to be short as a whole is written
 * without asking again. */
enum { PB_SHORT_HEAD = 2 };

static inline uint8_t *pb_put_short_head(uint8_t *to, uint32_t number, size_t size)
{
    to[0] = (uint8_t)(number << 3 | PB_BYTES);
    to[1] = (uint8_t)size;
    return to + PB_SHORT_HEAD;
}

static inline uint8_t *pb_put_short(uint8_t *to, uint32_t number, struct bytes bytes)
{
    return bytes_put(pb_put_short_head(to, number, bytes.size), bytes);
}

static inline uint8_t *pb_put_uint(uint8_t *to, uint32_t number, uint64_t value)
{
    return pb_put_varint(pb_put_tag(to, number, PB_VARINT), value);
}

/* Fields of proto3, where what has its default value is left out. */
static inline size_t pb_set_bytes_size(uint32_t number, size_t size)
{
    return size ? pb_bytes_size(number, size) : 0;
}

static inline uint8_t *pb_put_set_bytes(uint8_t *to, uint32_t number, struct bytes bytes)
{
    return bytes.size ? pb_put_bytes(to, number, bytes) : to;
}

static inline size_t pb_set_uint_size(uint32_t number, uint64_t value)
{
    return value ? pb_varint_size((uint64_t)number << 3) + pb_varint_size(value) : 0;
}

static inline uint8_t *pb_put_set_uint(uint8_t *to, uint32_t number, uint64_t value)
{
    return value ? pb_put_uint(to, number, value) : to;
}

/* The same into a buffer. */
void pb_add_bytes(struct buffer *buffer, uint32_t number, struct bytes bytes);
void pb_add_uint(struct buffer *buffer, uint32_t number, uint64_t value);
void pb_add_varint(struct buffer *buffer, uint64_t value);

/* For pb_take_varint: what takes more than one byte, or none. */
bool pb_take_varint_any(const uint8_t **at, const uint8_t *end, uint64_t *ret_value);

/* Reads one varint at `*at`; false if it runs over the end or over ten bytes. */
static inline bool pb_take_varint(const uint8_t **at, const uint8_t *end, uint64_t *ret_value)
{
    if (*at == end || **at >= PB_SHORT)
        return pb_take_varint_any(at, end, ret_value);
    *ret_value = *(*at)++;
    return true;
}

#endif
