/* json.c - a scanner that never looks behind the end, and refuses what it does not know. */
#include "wire/json.h"

/* --- writing --- */

void json_add_string(struct buffer *json, struct bytes text)
{
    buffer_add_u8(json, '"');
    size_t plain = 0;
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        buffer_add(json, text.data + plain, i - plain);
        plain = i + 1;
        if (c == '"' || c == '\\')
            buffer_add_format(json, "\\%c", c);
        else if (c == '\n')
            buffer_add_text(json, "\\n");
        else
            buffer_add_format(json, "\\u%04x", c);
    }
    buffer_add(json, text.data + plain, text.size - plain);
    buffer_add_u8(json, '"');
}

/* --- reading --- */

static bool expected(const struct json_object *object, const char *what, struct sf_status *status)
{
    size_t offset = (size_t)(object->at - object->start);
    if (object->at == object->end)
        return sf_fail(status, SF_INVALID, "byte %zu: expected %s, found the end", offset + 1,
                       what);
    if (*object->at >= 0x20 && *object->at < 0x7f)
        return sf_fail(status, SF_INVALID, "byte %zu: expected %s, found '%c'", offset + 1, what,
                       *object->at);
    return sf_fail(status, SF_INVALID, "byte %zu: expected %s, found byte %02x", offset + 1, what,
                   *object->at);
}

static void skip_space(struct json_object *object)
{
    while (object->at < object->end && (*object->at == ' ' || *object->at == '\t' ||
                                        *object->at == '\r' || *object->at == '\n'))
        object->at++;
}

static bool is_at(const struct json_object *object, char c)
{
    return object->at < object->end && *object->at == (uint8_t)c;
}

static bool take(struct json_object *object, char c)
{
    skip_space(object);
    bool found = is_at(object, c);
    object->at += found;
    return found;
}

static bool take_hex4(struct json_object *object, uint32_t *ret_code, struct sf_status *status)
{
    uint32_t code = 0;
    for (int i = 0; i < 4; i++, object->at++) {
        uint8_t c = object->at < object->end ? *object->at : 0;
        if (c >= '0' && c <= '9')
            code = code << 4 | (uint32_t)(c - '0');
        else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
            code = code << 4 | (uint32_t)((c | 0x20) - 'a' + 10);
        else
            return expected(object, "a hexadecimal digit", status);
    }
    *ret_code = code;
    return true;
}

static uint8_t *put_utf8(uint8_t *to, uint32_t code)
{
    if (code < 0x80) {
        *to++ = (uint8_t)code;
        return to;
    }
    if (code < 0x800) {
        *to++ = (uint8_t)(0xc0 | code >> 6);
    } else if (code < 0x10000) {
        *to++ = (uint8_t)(0xe0 | code >> 12);
        *to++ = (uint8_t)(0x80 | (code >> 6 & 63));
    } else {
        *to++ = (uint8_t)(0xf0 | code >> 18);
        *to++ = (uint8_t)(0x80 | (code >> 12 & 63));
        *to++ = (uint8_t)(0x80 | (code >> 6 & 63));
    }
    *to++ = (uint8_t)(0x80 | (code & 63));
    return to;
}

/* Behind "\u": one code, or the two halves of a surrogate pair. */
static bool take_unicode(struct json_object *object, uint8_t **to, struct sf_status *status)
{
    uint32_t code, low;
    if (!take_hex4(object, &code, status))
        return false;
    if (code >= 0xd800 && code < 0xe000) {
        bool is_pair = code < 0xdc00 && object->end - object->at > 2 && object->at[0] == '\\' &&
                       object->at[1] == 'u';
        if (!is_pair)
            return expected(object, "the other half of a surrogate pair", status);
        object->at += 2;
        if (!take_hex4(object, &low, status))
            return false;
        if (low < 0xdc00 || low >= 0xe000)
            return expected(object, "the low half of a surrogate pair before this", status);
        code = 0x10000 + ((code - 0xd800) << 10 | (low - 0xdc00));
    }
    *to = put_utf8(*to, code);
    return true;
}

static bool take_escape(struct json_object *object, uint8_t **to, struct sf_status *status)
{
    static const char from[] = "\"\\/bfnrt", into[] = "\"\\/\b\f\n\r\t";
    object->at++;
    if (is_at(object, 'u')) {
        object->at++;
        return take_unicode(object, to, status);
    }
    const char *found =
        object->at < object->end && *object->at ? strchr(from, (char)*object->at) : NULL;
    if (!found)
        return expected(object, "one of \"\\/bfnrtu behind a backslash", status);
    object->at++;
    *(*to)++ = (uint8_t)into[found - from];
    return true;
}

/* Never longer than what it stands for. */
static bool unescape(struct json_object *object, struct bytes raw, struct arena *arena,
                     struct bytes *ret_text, struct sf_status *status)
{
    uint8_t *text = arena_take(arena, raw.size), *to = text;
    struct json_object inside = {object->start, raw.data, raw.data + raw.size, true};
    while (inside.at < inside.end) {
        if (*inside.at != '\\')
            *to++ = *inside.at++;
        else if (!take_escape(&inside, &to, status))
            return false;
    }
    *ret_text = bytes_make(text, (size_t)(to - text));
    return true;
}

static bool take_string(struct json_object *object, struct arena *arena, struct bytes *ret_text,
                        struct sf_status *status)
{
    const uint8_t *start = ++object->at;
    bool has_escapes = false;
    while (object->at < object->end && *object->at != '"') {
        if (*object->at < 0x20)
            return expected(object, "no control character in a string", status);
        has_escapes |= *object->at == '\\';
        object->at += *object->at == '\\' && object->end - object->at > 1 ? 2 : 1;
    }
    if (object->at == object->end)
        return expected(object, "a closing quote", status);
    struct bytes raw = bytes_make(start, (size_t)(object->at - start));
    object->at++;
    if (!bytes_are_utf8(raw))
        return sf_fail(status, SF_INVALID, "byte %zu: expected a string in UTF-8",
                       (size_t)(start - object->start));
    *ret_text = raw;
    return !has_escapes || unescape(object, raw, arena, ret_text, status);
}

static size_t take_digits(struct json_object *object)
{
    const uint8_t *start = object->at;
    while (object->at < object->end && *object->at >= '0' && *object->at <= '9')
        object->at++;
    return (size_t)(object->at - start);
}

static bool take_number(struct json_object *object, struct bytes *ret_text,
                        struct sf_status *status)
{
    const uint8_t *start = object->at;
    object->at += is_at(object, '-');
    bool has_zero = is_at(object, '0');
    size_t digits = take_digits(object);
    if (!digits || (has_zero && digits > 1))
        return expected(object, digits ? "a number without leading zeros" : "a digit", status);
    if (is_at(object, '.')) {
        object->at++;
        if (!take_digits(object))
            return expected(object, "a digit", status);
    }
    if (is_at(object, 'e') || is_at(object, 'E')) {
        object->at++;
        object->at += is_at(object, '+') || is_at(object, '-');
        if (!take_digits(object))
            return expected(object, "a digit", status);
    }
    *ret_text = bytes_make(start, (size_t)(object->at - start));
    return true;
}

static bool take_literal(struct json_object *object, struct json_value *value,
                         struct sf_status *status)
{
    static const struct {
        const char *text;
        enum json_kind kind;
    } literals[] = {{"true", JSON_TRUE}, {"false", JSON_FALSE}, {"null", JSON_NULL}};
    struct bytes rest = bytes_make(object->at, (size_t)(object->end - object->at));
    for (size_t i = 0; i < sizeof literals / sizeof *literals; i++) {
        struct bytes text = bytes_of(literals[i].text);
        if (!bytes_starts_with(rest, text))
            continue;
        value->kind = literals[i].kind;
        value->text = bytes_make(object->at, text.size);
        object->at += text.size;
        return true;
    }
    return expected(object, "a string, a number, true, false or null", status);
}

static bool take_value(struct json_object *object, struct arena *arena, struct json_value *value,
                       struct sf_status *status)
{
    skip_space(object);
    if (is_at(object, '"')) {
        value->kind = JSON_STRING;
        return take_string(object, arena, &value->text, status);
    }
    bool is_number = is_at(object, '-') ||
                     (object->at < object->end && *object->at >= '0' && *object->at <= '9');
    if (!is_number)
        return take_literal(object, value, status);
    value->kind = JSON_NUMBER;
    return take_number(object, &value->text, status);
}

static bool take_end(struct json_object *object, struct sf_status *status)
{
    skip_space(object);
    return object->at == object->end || expected(object, "nothing more", status);
}

enum json_progress json_object_next(struct json_object *object, struct arena *arena,
                                    struct json_member *ret_member, struct sf_status *status)
{
    bool is_first = !object->is_open;
    if (is_first && !take(object, '{')) {
        (void)expected(object, "'{'", status);
        return JSON_BAD;
    }
    object->is_open = true;
    if (take(object, '}'))
        return take_end(object, status) ? JSON_END : JSON_BAD;
    if (!is_first && !take(object, ',')) {
        (void)expected(object, "',' or '}'", status);
        return JSON_BAD;
    }
    skip_space(object);
    if (!is_at(object, '"')) {
        (void)expected(object, "a name in quotes", status);
        return JSON_BAD;
    }
    if (!take_string(object, arena, &ret_member->name, status))
        return JSON_BAD;
    if (!take(object, ':')) {
        (void)expected(object, "':'", status);
        return JSON_BAD;
    }
    return take_value(object, arena, &ret_member->value, status) ? JSON_MEMBER : JSON_BAD;
}

bool json_value_parse(struct bytes json, struct arena *arena, struct json_value *ret_value,
                      struct sf_status *status)
{
    struct json_object text = json_object_read(json);
    return take_value(&text, arena, ret_value, status) && take_end(&text, status);
}
