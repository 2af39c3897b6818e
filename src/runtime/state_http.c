/* state_http.c - see state_http.h. */
#include "runtime/state_http.h"

#include "runtime/builtin_json.h"
#include "wire/builtin.h"
#include "wire/typed_value.h"

#include <assert.h>
#include <strings.h>

#define TYPE_PREFIX "statefun/"

/* --- paths --- */

static bool read_part(struct bytes segment, const char *name, struct buffer *part,
                      struct sf_status *status)
{
    return (http_percent_decode(segment, part) && part->size &&
            bytes_are_utf8(buffer_bytes(part))) ||
           sf_fail(status, SF_INVALID,
                   "the %s in the path must be percent-encoded UTF-8 and not empty", name);
}

bool state_http_path(struct bytes target, struct state_call *call, struct sf_status *status)
{
    enum { PARTS = 4 };
    static const char *const names[PARTS] = {"namespace", "type", "id", "state name"};
    struct buffer *parts[PARTS] = {&call->ns, &call->name, &call->id, &call->state};
    struct bytes segments[1 + PARTS];
    size_t count = http_split_path(target, segments, 1 + PARTS);
    assert(count == PARTS || count == 1 + PARTS);
    for (size_t i = 0; i + 1 < count; i++)
        if (!read_part(segments[1 + i], names[i], parts[i], status))
            return false;

    struct arena arena = {0};
    struct address address;
    bool good = address_make(buffer_bytes(&call->ns), buffer_bytes(&call->name),
                             buffer_bytes(&call->id), &arena, &address, status);
    arena_destroy(&arena);
    return good && (call->state.size <= STATE_NAME_BYTES_MAX ||
                    sf_fail(status, SF_INVALID, "the state name has %zu bytes, the most is %d",
                            call->state.size, STATE_NAME_BYTES_MAX));
}

/* --- values in --- */

static bool is_typename(struct bytes text)
{
    const uint8_t *slash = text.size ? memchr(text.data, '/', text.size) : NULL;
    const uint8_t *end = text.data + text.size;
    return slash && slash != text.data && slash + 1 != end &&
           !memchr(slash + 1, '/', (size_t)(end - slash - 1)) && bytes_are_utf8(text);
}

static bool read_text(struct bytes body, struct state_call *call, struct sf_status *status)
{
    if (!bytes_are_utf8(body))
        return sf_fail(status, SF_INVALID, "a text/plain value must be UTF-8");
    buffer_add_text(&call->type, TYPE_STRING);
    string_value_add(&call->value, body);
    return true;
}

bool state_http_value(const struct http_head *head, struct bytes body, struct state_call *call,
                      struct sf_status *status)
{
    static const char expected[] =
        "expected " TYPE_PREFIX "<namespace>/<name>, which is the type of the value, "
        "text/plain, or application/octet-stream for the type that the "
        "state has";
    const struct http_header *header = http_find(head, "Content-Type");
    if (!header)
        return sf_fail(status, SF_INVALID, "a Content-Type is needed: %s", expected);
    struct bytes type = http_media_type(header->value);
    if (http_is_media_type(type, "text/plain"))
        return read_text(body, call, status);

    struct bytes start = bytes_make(
        type.data, type.size < sizeof TYPE_PREFIX - 1 ? type.size : sizeof TYPE_PREFIX - 1);
    if (http_is_media_type(start, TYPE_PREFIX)) {
        struct bytes name = bytes_from(type, start.size);
        if (!is_typename(name))
            return sf_fail(status, SF_INVALID, "Content-Type: %s", expected);
        buffer_add_bytes(&call->type, name);
    } else if (!http_is_media_type(type, "application/octet-stream")) {
        return sf_fail(status, SF_UNSUPPORTED, "Content-Type: %s", expected);
    }
    buffer_add_bytes(&call->value, body);
    return builtin_check(buffer_bytes(&call->type), body, status);
}

/* --- values out --- */

/* What may stand in a header, behind "statefun/". */
static bool is_header_text(struct bytes type)
{
    for (size_t i = 0; i < type.size; i++)
        if (type.data[i] <= ' ' || type.data[i] >= 0x7f || strchr(",;\"", type.data[i]))
            return false;
    return is_typename(type);
}

static char *show_bytes(const struct found_state *found, struct buffer *body)
{
    buffer_clear(body);
    buffer_add_bytes(body, found->value);
    if (!is_header_text(found->type) || bytes_is(found->type, TYPE_UNSET))
        return mem_string("application/octet-stream");
    return mem_format(TYPE_PREFIX "%.*s", BYTES_ARG(found->type));
}

static char *show_text(const struct found_state *found, struct buffer *body)
{
    struct bytes text;
    buffer_clear(body);
    if (bytes_is(found->type, TYPE_STRING) && builtin_text(found->value, &text))
        buffer_add_bytes(body, text);
    else if (!builtin_add_json(body, found->type, found->value))
        return NULL;
    return mem_string("text/plain; charset=UTF-8");
}

static char *show_json(const struct found_state *found, struct buffer *body)
{
    buffer_clear(body);
    return builtin_add_json(body, found->type, found->value) ? mem_string("application/json")
                                                             : NULL;
}

static char *show_usual(const struct found_state *found, struct buffer *body)
{
    char *type = bytes_is(found->type, TYPE_STRING) ? show_text(found, body) : NULL;
    return type ? type : show_bytes(found, body);
}

/* As one element of an Accept header wants it; NULL if it cannot be had. */
static char *show_as(struct bytes wanted, const struct found_state *found, struct buffer *body)
{
    if (http_is_media_type(wanted, "application/json"))
        return show_json(found, body);
    if (http_is_media_type(wanted, "text/plain") || http_is_media_type(wanted, "text/*"))
        return show_text(found, body);
    if (http_is_media_type(wanted, "*/*"))
        return show_usual(found, body);
    if (http_is_media_type(wanted, "application/octet-stream") ||
        bytes_starts_with(wanted, bytes_of(TYPE_PREFIX)))
        return show_bytes(found, body);
    return NULL;
}

char *state_http_show(const struct http_head *head, const struct found_state *found,
                      struct buffer *body)
{
    const struct http_header *header = http_find(head, "Accept");
    struct bytes rest = header ? header->value : (struct bytes){0};
    while (rest.size) {
        const uint8_t *comma = memchr(rest.data, ',', rest.size);
        size_t size = comma ? (size_t)(comma - rest.data) : rest.size;
        struct bytes wanted = http_media_type(bytes_make(rest.data, size));
        rest = bytes_from(rest, comma ? size + 1 : size);
        while (wanted.size && wanted.data[0] == ' ')
            wanted = bytes_from(wanted, 1);
        char *type = show_as(wanted, found, body);
        if (type)
            return type;
    }
    return show_usual(found, body);
}

static void add_text(struct buffer *json, const char *before, struct bytes text)
{
    buffer_add_text(json, before);
    buffer_add_quoted(json, text);
}

void state_http_list(const struct address *address, const struct found_state *states, size_t count,
                     struct buffer *json)
{
    add_text(json, "{\"namespace\":", address->ns);
    add_text(json, ",\"type\":", address->name);
    add_text(json, ",\"id\":", address->id);
    buffer_add_text(json, ",\"states\":[");
    for (size_t i = 0; i < count; i++) {
        add_text(json, i ? ",{\"state\":" : "{\"state\":", states[i].name);
        add_text(json, ",\"typename\":", states[i].type);
        buffer_add_format(json, ",\"size\":%zu", states[i].size);
        if (states[i].deadline)
            buffer_add_format(json, ",\"expires\":%llu", (unsigned long long)states[i].deadline);
        buffer_add_u8(json, '}');
    }
    buffer_add_text(json, "]}\n");
}
