/* builtin.h - values of the built-in types, io.statefun.types/..., as people write them.
 *
 * In messages and states they are wrapper messages of one field (protocol.md 1.2 and 2), of which
 * SDKs accept the canonical form only. Here they become JSON and are made of it. */
#ifndef WIRE_BUILTIN_H
#define WIRE_BUILTIN_H

#include "wire/json.h"

/* Appends a JSON string, number or literal. False, with nothing appended, for a type that is not
 * built in, and for a value that JSON cannot stand for exactly: a form that is not canonical, a
 * number that is not finite. */
bool builtin_add_json(struct buffer *json, struct bytes type, struct bytes value);

/* Appends the value that `json` stands for. SF_UNSUPPORTED if the type is not built in, SF_INVALID
 * if the value is none of that type. */
bool builtin_of_json(struct buffer *value, struct bytes type, const struct json_value *json,
                     struct sf_status *status);

/* False, with the reason, if the type is built in and the value is not what SDKs accept for it. */
bool builtin_check(struct bytes type, struct bytes value, struct sf_status *status);

/* The text of a canonical string; false if the value is none. */
bool builtin_text(struct bytes value, struct bytes *ret_text);

#endif
