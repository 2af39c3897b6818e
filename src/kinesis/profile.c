/* profile.c - see profile.h. An INI file: [section], key = value, # and ; begin comments. */
#include "kinesis/profile.h"

#include "base/mem.h"

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static struct bytes trimmed(struct bytes line)
{
    while (line.size && is_blank(line.data[0]))
        line = bytes_from(line, 1);
    while (line.size && is_blank(line.data[line.size - 1]))
        line.size--;
    return line;
}

static bool is_section(struct bytes line, const char *profile)
{
    static const char prefix[] = "profile ";
    if (line.size < 2 || line.data[line.size - 1] != ']')
        return false;
    struct bytes name = trimmed(bytes_make(line.data + 1, line.size - 2));
    if (bytes_is(name, profile))
        return true;
    return bytes_starts_with(name, bytes_of(prefix)) &&
           bytes_is(trimmed(bytes_from(name, strlen(prefix))), profile);
}

static bool is_key(struct bytes line, const char *key, struct bytes *ret_value)
{
    const uint8_t *equals = line.size ? memchr(line.data, '=', line.size) : NULL;
    if (!equals)
        return false;
    size_t at = (size_t)(equals - line.data);
    *ret_value = trimmed(bytes_from(line, at + 1));
    return bytes_is(trimmed(bytes_make(line.data, at)), key);
}

char *profile_value(struct bytes text, const char *profile, const char *key)
{
    bool is_inside = false;
    while (text.size) {
        const uint8_t *end = memchr(text.data, '\n', text.size);
        size_t size = end ? (size_t)(end - text.data) : text.size;
        struct bytes value, line = trimmed(bytes_make(text.data, size));
        text = bytes_from(text, end ? size + 1 : size);
        if (!line.size || line.data[0] == '#' || line.data[0] == ';')
            continue;
        if (line.data[0] == '[')
            is_inside = is_section(line, profile);
        else if (is_inside && is_key(line, key, &value) && value.size)
            return bytes_string(value);
    }
    return NULL;
}
