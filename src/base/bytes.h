/* bytes.h - runs of bytes: borrowed (struct bytes) and owned, growing (struct buffer).
 *
 * A struct bytes owns nothing and lives as long as what it points into. A buffer owns its memory;
 * any call that adds to it may move it, so what points into a buffer is valid until the next
 * addition. */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include "base/hints.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct bytes {
    const uint8_t *data; /* may be NULL when size is 0 */
    size_t size;
};

struct buffer {
    uint8_t *data;
    size_t size;
    size_t capacity;
};

/* "%.*s" with BYTES_ARG prints bytes that are known to be text. */
#define BYTES_ARG(b) (int)(b).size, (const char *)(b).data

static inline struct bytes bytes_make(const void *data, size_t size)
{
    return (struct bytes){data, size};
}

static inline struct bytes bytes_of(const char *text)
{
    return (struct bytes){(const uint8_t *)text, strlen(text)};
}

static inline struct bytes bytes_from(struct bytes all, size_t offset)
{
    return (struct bytes){offset ? all.data + offset : all.data, all.size - offset};
}

static inline uint64_t bytes_eight(const uint8_t *at)
{
    uint64_t eight;
    memcpy(&eight, at, sizeof eight);
    return eight;
}

/* How two runs of eight differ. */
static inline uint64_t bytes_eight_apart(const uint8_t *a, const uint8_t *b)
{
    return bytes_eight(a) ^ bytes_eight(b);
}

static inline uint32_t bytes_four(const uint8_t *at)
{
    uint32_t four;
    memcpy(&four, at, sizeof four);
    return four;
}

/* Are they equal, if they have 16 to 32 bytes? The pieces that are looked at may overlap. */
static inline bool bytes_equal_halves(const uint8_t *a, const uint8_t *b, size_t size)
{
    enum { STEP = 8, HALF = 16 };
    const uint8_t *a_end = a + size, *b_end = b + size;
    return !(bytes_eight_apart(a, b) | bytes_eight_apart(a + STEP, b + STEP) |
             bytes_eight_apart(a_end - HALF, b_end - HALF) |
             bytes_eight_apart(a_end - STEP, b_end - STEP));
}

/* What is compared is mostly a name of 4 to 32 bytes, and equal: a call would take longer. The
 * pieces that are looked at may overlap. */
HINT_INLINE static bool bytes_equal(struct bytes a, struct bytes b)
{
    enum { QUARTER = 4, STEP = 8, HALF = 16, LONG = 32 };
    if (a.size != b.size)
        return false;
    if (a.size < QUARTER || a.size > LONG)
        return a.size == 0 || memcmp(a.data, b.data, a.size) == 0;
    if (a.size >= HALF)
        return bytes_equal_halves(a.data, b.data, a.size);
    const uint8_t *a_end = a.data + a.size, *b_end = b.data + b.size;
    if (a.size < STEP)
        return bytes_four(a.data) == bytes_four(b.data) &&
               bytes_four(a_end - QUARTER) == bytes_four(b_end - QUARTER);
    return !(bytes_eight_apart(a.data, b.data) | bytes_eight_apart(a_end - STEP, b_end - STEP));
}

/* Copies to where there is room; returns the place behind. As above: names and ids are short. */
HINT_INLINE static uint8_t *bytes_put(uint8_t *to, struct bytes bytes)
{
    enum { QUARTER = 4, STEP = 8, HALF = 16, LONG = 32 };
    const uint8_t *from = bytes.data;
    size_t size = bytes.size;
    if (size < STEP) {
        if (size >= QUARTER) {
            memcpy(to, from, QUARTER);
            memcpy(to + size - QUARTER, from + size - QUARTER, QUARTER);
        } else if (size) {
            to[0] = from[0];
            to[size / 2] = from[size / 2];
            to[size - 1] = from[size - 1];
        }
    } else if (size <= HALF) {
        memcpy(to, from, STEP);
        memcpy(to + size - STEP, from + size - STEP, STEP);
    } else if (size <= LONG) {
        memcpy(to, from, HALF);
        memcpy(to + size - HALF, from + size - HALF, HALF);
    } else {
        memcpy(to, from, size);
    }
    return to + size;
}

static inline bool bytes_is(struct bytes a, const char *text)
{
    return bytes_equal(a, bytes_of(text));
}

static inline bool bytes_starts_with(struct bytes all, struct bytes start)
{
    return all.size >= start.size && (start.size == 0 || !memcmp(all.data, start.data, start.size));
}

/* As memcmp; a run comes after its own beginning. */
int bytes_compare(struct bytes a, struct bytes b);

/* Copies into a new NUL-terminated string, for free(). */
char *bytes_string(struct bytes b);

/* For bytes_are_utf8: what is not plain and short. */
bool bytes_are_utf8_any(struct bytes b);

/* True if the bytes are well-formed UTF-8 (no surrogates, nothing overlong). Ids are mostly a few
 * letters and digits; the pieces that are looked at may overlap. */
HINT_INLINE static bool bytes_are_utf8(struct bytes b)
{
    enum { QUARTER = 4, STEP = 8, HALF = 16 };
    uint64_t bits = 0;
    if (b.size > HALF)
        return bytes_are_utf8_any(b);
    if (b.size >= STEP)
        bits = bytes_eight(b.data) | bytes_eight(b.data + b.size - STEP);
    else if (b.size >= QUARTER)
        bits = bytes_four(b.data) | bytes_four(b.data + b.size - QUARTER);
    else if (b.size)
        bits = b.data[0] | b.data[b.size / 2] | b.data[b.size - 1];
    return !(bits & UINT64_C(0x8080808080808080)) || bytes_are_utf8_any(b);
}

/* An empty buffer is all zeros: struct buffer b = {0}. */
void buffer_destroy(struct buffer *buffer);

/* For buffer_reserve: when there is no room. */
uint8_t *buffer_grow(struct buffer *buffer, size_t more);

/* Makes sure that `more` bytes fit behind what is there; returns where they go. */
static inline uint8_t *buffer_reserve(struct buffer *buffer, size_t more)
{
    if (!buffer->data || buffer->capacity - buffer->size < more)
        return buffer_grow(buffer, more);
    return buffer->data + buffer->size;
}

static inline void buffer_clear(struct buffer *buffer)
{
    buffer->size = 0;
}

static inline struct bytes buffer_bytes(const struct buffer *buffer)
{
    return (struct bytes){buffer->data, buffer->size};
}

static inline void buffer_add(struct buffer *buffer, const void *data, size_t size)
{
    if (size) {
        memcpy(buffer_reserve(buffer, size), data, size);
        buffer->size += size;
    }
}

static inline void buffer_add_bytes(struct buffer *buffer, struct bytes bytes)
{
    buffer_add(buffer, bytes.data, bytes.size);
}

static inline void buffer_add_text(struct buffer *buffer, const char *text)
{
    buffer_add(buffer, text, strlen(text));
}

static inline void buffer_add_u8(struct buffer *buffer, uint8_t value)
{
    *buffer_reserve(buffer, 1) = value;
    buffer->size++;
}

void buffer_add_format(struct buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Appends a JSON string, with its quotes; its control characters are escaped, so that it stays on
 * its line. Bytes that are not UTF-8 are escaped one by one. */
void buffer_add_quoted(struct buffer *buffer, struct bytes text);

/* Makes the text in the buffer NUL-terminated, without counting the NUL; returns it. */
char *buffer_text(struct buffer *buffer);

/* Removes the first `size` bytes, moving the rest down. */
void buffer_drop(struct buffer *buffer, size_t size);

/* Big-endian numbers, so that bytes sort as the numbers do. */
static inline void u16_put(uint8_t *to, uint16_t v)
{
    to[0] = (uint8_t)(v >> 8);
    to[1] = (uint8_t)v;
}

static inline uint16_t u16_get(const uint8_t *from)
{
    return (uint16_t)(from[0] << 8 | from[1]);
}

static inline void u32_put(uint8_t *to, uint32_t v)
{
    v = __builtin_bswap32(v);
    memcpy(to, &v, sizeof v);
}

static inline uint32_t u32_get(const uint8_t *from)
{
    uint32_t v;
    memcpy(&v, from, sizeof v);
    return __builtin_bswap32(v);
}

static inline void u64_put(uint8_t *to, uint64_t v)
{
    v = __builtin_bswap64(v);
    memcpy(to, &v, sizeof v);
}

static inline uint64_t u64_get(const uint8_t *from)
{
    uint64_t v;
    memcpy(&v, from, sizeof v);
    return __builtin_bswap64(v);
}

static inline void buffer_add_u16(struct buffer *buffer, uint16_t value)
{
    u16_put(buffer_reserve(buffer, 2), value);
    buffer->size += 2;
}

static inline void buffer_add_u32(struct buffer *buffer, uint32_t value)
{
    u32_put(buffer_reserve(buffer, 4), value);
    buffer->size += 4;
}

static inline void buffer_add_u64(struct buffer *buffer, uint64_t value)
{
    u64_put(buffer_reserve(buffer, 8), value);
    buffer->size += 8;
}

#endif
