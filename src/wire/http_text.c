/* http_text.c - what stands in targets and header values: paths, queries, media types. */
#include "wire/http.h"

#include <strings.h>

static struct bytes until(struct bytes text, char end)
{
    const uint8_t *found = text.size ? memchr(text.data, end, text.size) : NULL;
    return found ? bytes_make(text.data, (size_t)(found - text.data)) : text;
}

size_t http_split_path(struct bytes target, struct bytes *segments, size_t most)
{
    struct bytes path = until(target, '?');
    size_t count = 0;
    while (path.size && path.data[0] == '/') {
        path = bytes_from(path, 1);
        struct bytes segment = until(path, '/');
        if (count < most)
            segments[count] = segment;
        count++;
        path = bytes_from(path, segment.size);
    }
    return count;
}

bool http_query(struct bytes target, const char *name, struct bytes *ret_value)
{
    struct bytes path = until(target, '?');
    struct bytes rest = bytes_from(target, path.size);
    while (rest.size) {
        rest = bytes_from(rest, 1);
        struct bytes pair = until(rest, '&'), key = until(pair, '=');
        rest = bytes_from(rest, pair.size);
        if (!bytes_is(key, name))
            continue;
        *ret_value = bytes_from(pair, key.size < pair.size ? key.size + 1 : key.size);
        return true;
    }
    return false;
}

struct bytes http_media_type(struct bytes value)
{
    struct bytes type = until(value, ';');
    while (type.size && (type.data[type.size - 1] == ' ' || type.data[type.size - 1] == '\t'))
        type.size--;
    return type;
}

bool http_is_media_type(struct bytes type, const char *text)
{
    return type.size == strlen(text) && strncasecmp((const char *)type.data, text, type.size) == 0;
}

void http_percent_encode(struct bytes text, struct buffer *to)
{
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        bool is_plain = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') ||
                        (c && strchr("-._~", c));
        if (is_plain)
            buffer_add_u8(to, c);
        else
            buffer_add_format(to, "%%%02X", c);
    }
}
