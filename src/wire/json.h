/* json.h - just enough JSON (RFC 8259) for lines that are one flat object of strings, numbers and
 * literals.
 *
 * Members come one after the other, without building anything; the bytes are a stranger's. */
#ifndef WIRE_JSON_H
#define WIRE_JSON_H

#include "base/arena.h"
#include "base/bytes.h"
#include "statefun/status.h"

/* Appends a string with its quotes; `text` is UTF-8. */
void json_add_string(struct buffer *json, struct bytes text);

enum json_kind { JSON_STRING, JSON_NUMBER, JSON_TRUE, JSON_FALSE, JSON_NULL };

struct json_value {
    enum json_kind kind;
    struct bytes text; /* of a string what it means, else as it stands */
};

struct json_member {
    struct bytes name;
    struct json_value value;
};

struct json_object {
    const uint8_t *start, *at, *end;
    bool is_open; /* its '{' has been read */
};

static inline struct json_object json_object_read(struct bytes json)
{
    const uint8_t *end = json.size ? json.data + json.size : json.data;
    return (struct json_object){json.data, json.data, end, false};
}

enum json_progress { JSON_MEMBER, JSON_END, JSON_BAD };

/* The next member; strings with escapes are written into `arena`, others are views. JSON_BAD: the
 * status says what was expected and at which byte. After JSON_END nothing but white space was left.
 */
enum json_progress json_object_next(struct json_object *object, struct arena *arena,
                                    struct json_member *ret_member, struct sf_status *status);

/* Reads a text that is one string, number or literal. */
bool json_value_parse(struct bytes json, struct arena *arena, struct json_value *ret_value,
                      struct sf_status *status);

#endif
