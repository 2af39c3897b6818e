/* state_line.c - a flat JSON object: which members it has, which it must have. */
#include "wire/state_line.h"

#include "wire/address.h"
#include "wire/base64.h"
#include "wire/builtin.h"
#include "wire/invocation.h"

#include <stdlib.h>

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
        json_add_string(text, texts[i]);
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
    struct json_value values[MEMBERS];
    bool has[MEMBERS];
};

static bool put_member(struct members *members, const struct json_member *member,
                       struct sf_status *status)
{
    int which = 0;
    while (which < MEMBERS && !bytes_is(member->name, names[which]))
        which++;
    if (which == MEMBERS)
        return sf_fail(status, SF_INVALID,
                       "unknown member '%.*s', expected namespace, type, id, state, typename, "
                       "value or base64, expires",
                       member->name.size > 40 ? 40 : (int)member->name.size, member->name.data);
    if (members->has[which])
        return sf_fail(status, SF_INVALID, "'%s' stands there twice", names[which]);
    bool is_text = which != VALUE && which != EXPIRES;
    if (is_text && member->value.kind != JSON_STRING)
        return sf_fail(status, SF_INVALID, "'%s': expected a string", names[which]);
    members->has[which] = true;
    members->values[which] = member->value;
    return true;
}

static bool read_members(struct bytes line, struct arena *arena, struct members *members,
                         struct sf_status *status)
{
    struct json_object object = json_object_read(line);
    struct json_member member;
    enum json_progress progress;
    while ((progress = json_object_next(&object, arena, &member, status)) == JSON_MEMBER)
        if (!put_member(members, &member, status))
            return false;
    if (progress == JSON_BAD)
        return false;
    for (int i = 0; i <= TYPENAME; i++)
        if (!members->has[i] || !members->values[i].text.size)
            return sf_fail(status, SF_INVALID, "'%s' is %s", names[i],
                           members->has[i] ? "empty" : "missing");
    return members->has[VALUE] != members->has[BASE64] ||
           sf_fail(status, SF_INVALID, "expected either 'value' or 'base64', found %s",
                   members->has[VALUE] ? "both" : "neither");
}

static bool read_value(const struct members *members, struct arena *arena,
                       struct typed_value *ret_value, struct sf_status *status)
{
    struct buffer bytes = {0};
    struct bytes type = members->values[TYPENAME].text;
    bool good;
    if (members->has[BASE64])
        good = (base64_decode(members->values[BASE64].text, &bytes) ||
                sf_fail(status, SF_INVALID, "'base64': expected base64 with padding")) &&
               builtin_check(type, buffer_bytes(&bytes), status);
    else
        good = builtin_of_json(&bytes, type, &members->values[VALUE], status) ||
               sf_wrap(status, "'value'");
    if (good)
        *ret_value = (struct typed_value){
            .type = type, .value = arena_add_bytes(arena, buffer_bytes(&bytes)), .has_value = true};
    buffer_destroy(&bytes);
    return good;
}

static bool read_deadline(const struct members *members, uint64_t *ret_deadline,
                          struct sf_status *status)
{
    enum { DIGITS_MAX = 18 };
    *ret_deadline = 0;
    if (!members->has[EXPIRES])
        return true;
    const struct json_value *value = &members->values[EXPIRES];
    uint64_t deadline = 0;
    bool good = value->kind == JSON_NUMBER && value->text.size <= DIGITS_MAX;
    for (size_t i = 0; good && i < value->text.size; i++) {
        uint8_t digit = value->text.data[i];
        good = digit >= '0' && digit <= '9';
        deadline = deadline * 10 + (uint64_t)(digit - '0');
    }
    *ret_deadline = deadline;
    return (good && deadline) ||
           sf_fail(status, SF_INVALID, "'expires': expected milliseconds since 1970");
}

bool state_line_parse(struct bytes line, struct arena *arena, struct state_line *ret_line,
                      struct sf_status *status)
{
    struct members members = {0};
    struct address address;
    if (!read_members(line, arena, &members, status))
        return false;
    *ret_line = (struct state_line){.ns = members.values[NAMESPACE].text,
                                    .name = members.values[TYPE].text,
                                    .id = members.values[ID].text,
                                    .state = members.values[STATE].text};
    if (ret_line->state.size > STATE_NAME_BYTES_MAX)
        return sf_fail(status, SF_INVALID, "'state' has %zu bytes, the most is %d",
                       ret_line->state.size, STATE_NAME_BYTES_MAX);
    return address_make(ret_line->ns, ret_line->name, ret_line->id, arena, &address, status) &&
           read_value(&members, arena, &ret_line->value, status) &&
           read_deadline(&members, &ret_line->deadline, status);
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
