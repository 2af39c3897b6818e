/* state_line.c - a flat JSON object: which members it has, which it must have. */
#include "runtime/state_line.h"

#include "runtime/builtin_json.h"
#include "runtime/json_text.h"
#include "wire/address.h"
#include "wire/base64.h"
#include "wire/builtin.h"
#include "wire/invocation.h"

enum member { NAMESPACE, TYPE, ID, STATE, TYPENAME, VALUE, BASE64, EXPIRES, MEMBERS };

static const char *const names[MEMBERS] = {"namespace", "type",  "id",     "state",
                                           "typename",  "value", "base64", "expires"};

/* --- writing --- */

static void add_member(struct buffer *text, enum member member)
{
    buffer_add_text(text, member == NAMESPACE ? "{\"" : ",\"");
    buffer_add_text(text, names[member]);
    buffer_add_text(text, "\":");
}

static void add_value(struct buffer *text, const struct typed_value *value)
{
    size_t size = text->size;
    add_member(text, VALUE);
    if (builtin_add_json(text, value->type, value->value))
        return;
    text->size = size;
    add_member(text, BASE64);
    buffer_add_u8(text, '"');
    base64_add(text, value->value);
    buffer_add_u8(text, '"');
}

void state_line_add(struct buffer *text, const struct state_line *line)
{
    struct bytes texts[] = {line->ns, line->name, line->id, line->state, line->value.type};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        add_member(text, (enum member)i);
        buffer_add_quoted(text, texts[i]);
    }
    add_value(text, &line->value);
    if (line->deadline) {
        add_member(text, EXPIRES);
        buffer_add_format(text, "%llu", (unsigned long long)line->deadline);
    }
    buffer_add_text(text, "}\n");
}

/* --- reading --- */

struct members {
    const json_t *values[MEMBERS]; /* NULL: not there */
};

static struct bytes text_of(const struct members *members, enum member member)
{
    const json_t *value = members->values[member];
    return bytes_make(json_string_value(value), json_string_length(value));
}

static bool put_member(struct members *members, const char *name, const json_t *value,
                       struct sf_status *status)
{
    int which = 0;
    while (which < MEMBERS && strcmp(name, names[which]))
        which++;
    if (which == MEMBERS)
        return sf_fail(status, SF_INVALID,
                       "unknown member '%.40s', expected namespace, type, id, state, typename, "
                       "value or base64, expires",
                       name);
    bool is_text = which != VALUE && which != EXPIRES;
    if (is_text && !json_is_string(value))
        return sf_fail(status, SF_INVALID, "'%s': expected a string, found %s", names[which],
                       json_text_kind(value));
    members->values[which] = value;
    return true;
}

static bool read_members(json_t *json, struct members *members, struct sf_status *status)
{
    const char *name;
    json_t *value;
    if (!json_is_object(json))
        return sf_fail(status, SF_INVALID, "expected an object, found %s", json_text_kind(json));
    json_object_foreach(json, name,
                        value) if (!put_member(members, name, value, status)) return false;
    for (int i = 0; i <= TYPENAME; i++)
        if (!json_string_length(members->values[i]))
            return sf_fail(status, SF_INVALID, "'%s' is %s", names[i],
                           members->values[i] ? "empty" : "missing");
    return !members->values[VALUE] != !members->values[BASE64] ||
           sf_fail(status, SF_INVALID, "expected either 'value' or 'base64', found %s",
                   members->values[VALUE] ? "both" : "neither");
}

static bool read_value(const struct members *members, struct arena *arena,
                       struct typed_value *ret_value, struct sf_status *status)
{
    struct buffer bytes = {0};
    struct bytes type = text_of(members, TYPENAME);
    bool good;
    if (members->values[BASE64])
        good = (base64_decode(text_of(members, BASE64), &bytes) ||
                sf_fail(status, SF_INVALID, "'base64': expected base64 with padding")) &&
               builtin_check(type, buffer_bytes(&bytes), status);
    else
        good = builtin_of_json(&bytes, type, members->values[VALUE], status) ||
               sf_wrap(status, "'value'");
    if (good)
        *ret_value = (struct typed_value){.type = arena_add_bytes(arena, type),
                                          .value = arena_add_bytes(arena, buffer_bytes(&bytes)),
                                          .has_value = true};
    buffer_destroy(&bytes);
    return good;
}

static bool read_deadline(const struct members *members, uint64_t *ret_deadline,
                          struct sf_status *status)
{
    const json_t *value = members->values[EXPIRES];
    json_int_t deadline = json_integer_value(value);
    *ret_deadline = (uint64_t)deadline;
    return !value || deadline > 0 ||
           sf_fail(status, SF_INVALID,
                   "'expires': expected milliseconds since 1970, more than 0, found %s",
                   json_is_integer(value) ? "less" : json_text_kind(value));
}

static bool read_line(json_t *json, struct arena *arena, struct state_line *ret_line,
                      struct sf_status *status)
{
    struct members members = {0};
    struct address address;
    if (!read_members(json, &members, status))
        return false;
    *ret_line = (struct state_line){.ns = arena_add_bytes(arena, text_of(&members, NAMESPACE)),
                                    .name = arena_add_bytes(arena, text_of(&members, TYPE)),
                                    .id = arena_add_bytes(arena, text_of(&members, ID)),
                                    .state = arena_add_bytes(arena, text_of(&members, STATE))};
    if (ret_line->state.size > STATE_NAME_BYTES_MAX)
        return sf_fail(status, SF_INVALID, "'state' has %zu bytes, the most is %d",
                       ret_line->state.size, STATE_NAME_BYTES_MAX);
    return address_make(ret_line->ns, ret_line->name, ret_line->id, arena, &address, status) &&
           read_value(&members, arena, &ret_line->value, status) &&
           read_deadline(&members, &ret_line->deadline, status);
}

bool state_line_parse(struct bytes line, struct arena *arena, struct state_line *ret_line,
                      struct sf_status *status)
{
    json_t *json;
    if (!json_text_parse(line, 0, &json, status))
        return false;
    bool good = read_line(json, arena, ret_line, status);
    json_decref(json);
    return good;
}

bool state_lines_next(struct state_lines *lines, struct bytes *ret_line)
{
    while (lines->rest.size) {
        const uint8_t *end = memchr(lines->rest.data, '\n', lines->rest.size);
        struct bytes line =
            bytes_make(lines->rest.data, end ? (size_t)(end - lines->rest.data) : lines->rest.size);
        lines->rest = bytes_from(lines->rest, end ? line.size + 1 : line.size);
        lines->number++;
        if (line.size && !(line.size == 1 && line.data[0] == '\r')) {
            *ret_line = line;
            return true;
        }
    }
    return false;
}
