/* bytes.c - growth by doubling, so that n additions cost O(n). */
#include "base/bytes.h"

#include "base/mem.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

enum { BUFFER_FIRST_CAPACITY = 64 };

int bytes_compare(struct bytes a, struct bytes b)
{
    size_t common = a.size < b.size ? a.size : b.size;
    int order = common ? memcmp(a.data, b.data, common) : 0;
    return order ? order : (a.size > b.size) - (a.size < b.size);
}

char *bytes_string(struct bytes b)
{
    char *text = mem_new_raw(b.size + 1);
    if (b.size)
        memcpy(text, b.data, b.size);
    text[b.size] = '\0';
    return text;
}

/* The length of the well-formed sequence at `p`, or 0. The second byte's range depends on the
 * first: that is what rules out overlong forms, surrogates and code points above U+10FFFF. */
static size_t utf8_sequence(const uint8_t *p, size_t left)
{
    uint8_t first = p[0], low = 0x80, high = 0xbf;
    size_t length;

    if (first < 0x80)
        return 1;
    if (first >= 0xc2 && first <= 0xdf)
        length = 2;
    else if (first >= 0xe0 && first <= 0xef)
        length = 3;
    else if (first >= 0xf0 && first <= 0xf4)
        length = 4;
    else
        return 0;

    if (first == 0xe0)
        low = 0xa0;
    else if (first == 0xed)
        high = 0x9f;
    else if (first == 0xf0)
        low = 0x90;
    else if (first == 0xf4)
        high = 0x8f;

    if (left < length || p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < length; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    return length;
}

static bool is_ascii(struct bytes b)
{
    uint64_t all = 0, eight;
    if (b.size < sizeof eight) {
        for (size_t i = 0; i < b.size; i++)
            all |= b.data[i];
    } else {
        for (size_t i = 0; i + sizeof eight <= b.size; i += sizeof eight) {
            memcpy(&eight, b.data + i, sizeof eight);
            all |= eight;
        }
        memcpy(&eight, b.data + b.size - sizeof eight, sizeof eight);
        all |= eight;
    }
    return !(all & UINT64_C(0x8080808080808080));
}

bool bytes_are_utf8_any(struct bytes b)
{
    if (is_ascii(b)) /* nearly always */
        return true;
    for (size_t i = 0; i < b.size;) {
        size_t length = utf8_sequence(b.data + i, b.size - i);
        if (!length)
            return false;
        i += length;
    }
    return true;
}

void buffer_destroy(struct buffer *buffer)
{
    free(buffer->data);
    *buffer = (struct buffer){0};
}

uint8_t *buffer_grow(struct buffer *buffer, size_t more)
{
    size_t needed = buffer->size + more;
    assert(needed >= more);
    if (needed > buffer->capacity) {
        size_t capacity = buffer->capacity ? buffer->capacity : BUFFER_FIRST_CAPACITY;
        while (capacity < needed)
            capacity *= 2;
        buffer->data = mem_resize(buffer->data, capacity);
        buffer->capacity = capacity;
    }
    /* For no bytes an empty buffer has no memory, and not even 0 can be added to NULL. */
    return buffer->size ? buffer->data + buffer->size : buffer->data;
}

void buffer_add_format(struct buffer *buffer, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    va_list again;
    va_copy(again, arguments);
    int size = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    assert(size >= 0);

    vsnprintf((char *)buffer_reserve(buffer, (size_t)size + 1), (size_t)size + 1, format, again);
    buffer->size += (size_t)size;
    va_end(again);
}

void buffer_add_quoted(struct buffer *buffer, struct bytes text)
{
    bool is_utf8 = bytes_are_utf8(text);
    size_t plain = 0; /* what was not added yet begins here */
    buffer_add_u8(buffer, '"');
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        bool is_plain = c >= 0x20 && c != 0x7f && (c < 0x80 || is_utf8);
        if (is_plain && c != '"' && c != '\\')
            continue;
        buffer_add(buffer, text.data + plain, i - plain);
        plain = i + 1;
        if (is_plain)
            buffer_add_format(buffer, "\\%c", c);
        else if (c == '\n')
            buffer_add_text(buffer, "\\n");
        else
            buffer_add_format(buffer, "\\u%04x", c);
    }
    buffer_add_bytes(buffer, bytes_from(text, plain));
    buffer_add_u8(buffer, '"');
}

char *buffer_text(struct buffer *buffer)
{
    *buffer_reserve(buffer, 1) = '\0';
    return (char *)buffer->data;
}

void buffer_drop(struct buffer *buffer, size_t size)
{
    assert(size <= buffer->size);
    buffer->size -= size;
    if (buffer->size)
        memmove(buffer->data, buffer->data + size, buffer->size);
}
