/* base64.c - three bytes become four letters. */
#include "base/base64.h"

void base64_add(struct buffer *text, struct bytes bytes)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    while (bytes.size) {
        size_t taken = bytes.size < 3 ? bytes.size : 3;
        uint32_t bits = (uint32_t)bytes.data[0] << 16;
        bits |= taken > 1 ? (uint32_t)bytes.data[1] << 8 : 0;
        bits |= taken > 2 ? bytes.data[2] : 0;
        for (size_t i = 0; i < 4; i++)
            buffer_add_u8(text, (uint8_t)(i <= taken ? letters[bits >> (18 - 6 * i) & 63] : '='));
        bytes = bytes_from(bytes, taken);
    }
}
