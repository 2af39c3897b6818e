/* json.c - spans are found by counting brackets: what stands between them is looked at when it is
 * asked for. */
#include "json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *skip_blanks(const char *at)
{
    return at + strspn(at, " \t\r\n");
}

/* Behind the string that begins here; NULL: it has no end. */
static const char *skip_string(const char *at)
{
    for (at++; *at != '"'; at++) {
        if (*at == '\\')
            at++;
        if (!*at)
            return NULL;
    }
    return at + 1;
}

/* The value that begins here, or behind blanks. */
static struct json value_at(const char *at)
{
    struct json value = {skip_blanks(at), 0};
    size_t depth = 0;
    at = value.at;
    do {
        if (*at == '"') {
            at = skip_string(at);
            if (!at)
                return (struct json){0};
        } else if (strchr("[{", *at) && *at) {
            depth++;
            at++;
        } else if (strchr("]}", *at) && *at) {
            if (!depth)
                return (struct json){0};
            depth--;
            at++;
        } else if (depth && *at) {
            at++;
        } else {
            at += strcspn(at, ",:]} \t\r\n");
        }
    } while (depth && *at);
    value.size = (size_t)(at - value.at);
    return depth || !value.size ? (struct json){0} : value;
}

struct json json_of(const char *text)
{
    return value_at(text);
}

/* What comes behind a bracket, or behind a value and its comma. */
static struct json first_of(struct json whole, char bracket)
{
    return whole.at && *whole.at == bracket ? value_at(whole.at + 1) : (struct json){0};
}

static struct json behind(struct json whole, struct json value, char separator)
{
    if (!value.at)
        return value;
    const char *at = skip_blanks(value.at + value.size);
    return at < whole.at + whole.size && *at == separator ? value_at(at + 1) : (struct json){0};
}

struct json json_member(struct json object, const char *name)
{
    struct json key = first_of(object, '{');
    while (key.at) {
        struct json value = behind(object, key, ':');
        if (key.size == strlen(name) + 2 && memcmp(key.at + 1, name, strlen(name)) == 0)
            return value;
        key = behind(object, value, ',');
    }
    return key;
}

struct json json_first(struct json array)
{
    return first_of(array, '[');
}

struct json json_next(struct json array, struct json value)
{
    return behind(array, value, ',');
}

int64_t json_number(struct json value)
{
    return value.at ? strtoll(value.at, NULL, 10) : 0;
}

static const char *copy(struct sf_context *context, const char *text, size_t size)
{
    char *copied = sf_alloc(context, size + 1);
    memcpy(copied, text, size);
    return copied;
}

const char *json_string(struct sf_context *context, struct json value)
{
    if (value.at && *value.at == '"' && !memchr(value.at, '\\', value.size))
        return copy(context, value.at + 1, value.size - 2);
    sf_fail_call(context, "it is no string, or one with escapes");
    return "";
}

const char *json_text(struct sf_context *context, struct json value)
{
    return value.at ? copy(context, value.at, value.size) : "null";
}

const char *json_quoted(struct sf_context *context, const char *text)
{
    char *quoted = sf_alloc(context, 6 * strlen(text) + 3), *at = quoted;
    *at++ = '"';
    for (; *text; text++) {
        if ((unsigned char)*text < ' ') {
            at += snprintf(at, 7, "\\u%04x", (unsigned)*text);
            continue;
        }
        if (*text == '"' || *text == '\\')
            *at++ = '\\';
        *at++ = *text;
    }
    *at = '"';
    return quoted;
}
