/* base64.c - three bytes to four characters and back. */
#include "wire/base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_add(struct buffer *text, struct bytes bytes)
{
    uint8_t *to = buffer_reserve(text, (bytes.size + 2) / 3 * 4), *start = to;
    for (size_t i = 0; i < bytes.size; i += 3) {
        size_t left = bytes.size - i;
        uint32_t three = (uint32_t)bytes.data[i] << 16 |
                         (left > 1 ? (uint32_t)bytes.data[i + 1] << 8 : 0) |
                         (left > 2 ? bytes.data[i + 2] : 0u);
        *to++ = (uint8_t)alphabet[three >> 18];
        *to++ = (uint8_t)alphabet[three >> 12 & 63];
        *to++ = left > 1 ? (uint8_t)alphabet[three >> 6 & 63] : '=';
        *to++ = left > 2 ? (uint8_t)alphabet[three & 63] : '=';
    }
    text->size += (size_t)(to - start);
}

/* The number of a character; 64 if it is none of the alphabet. */
static uint32_t value_of(uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        return (uint32_t)(c - 'A');
    if (c >= 'a' && c <= 'z')
        return (uint32_t)(c - 'a' + 26);
    if (c >= '0' && c <= '9')
        return (uint32_t)(c - '0' + 52);
    return c == '+' ? 62 : c == '/' ? 63 : 64;
}

/* Of the last four, `padding` are '='. */
static bool decode_four(const uint8_t *at, size_t padding, struct buffer *bytes)
{
    uint32_t three = 0;
    for (size_t i = 0; i < 4; i++) {
        uint32_t value = i < 4 - padding ? value_of(at[i]) : 0;
        if (value > 63)
            return false;
        three = three << 6 | value;
    }
    if (three & ((UINT32_C(1) << 8 * padding) - 1))
        return false;
    uint8_t out[] = {(uint8_t)(three >> 16), (uint8_t)(three >> 8), (uint8_t)three};
    buffer_add(bytes, out, 3 - padding);
    return true;
}

bool base64_decode(struct bytes text, struct buffer *bytes)
{
    if (text.size % 4)
        return false;
    for (size_t i = 0; i < text.size; i += 4) {
        const uint8_t *at = text.data + i;
        size_t padding = 0;
        if (i + 4 == text.size)
            padding = at[3] != '=' ? 0 : at[2] != '=' ? 1 : 2;
        if (!decode_four(at, padding, bytes))
            return false;
    }
    return true;
}
