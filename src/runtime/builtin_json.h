/* builtin_json.h - values of the built-in types as people write them: JSON strings, numbers, true
 * and false. */
#ifndef RUNTIME_BUILTIN_JSON_H
#define RUNTIME_BUILTIN_JSON_H

#include "base/bytes.h"
#include "statefun/status.h"

#include <jansson.h>

/* Appends a JSON string, number or literal. False, with nothing appended, for a type that is not
 * built in, and for a value that JSON cannot stand for exactly: a form that is not canonical, a
 * number that is not finite. */
bool builtin_add_json(struct buffer *json, struct bytes type, struct bytes value);

/* Appends the value that `json` stands for. SF_UNSUPPORTED if the type is not built in, SF_INVALID
 * if the value is none of that type. */
SF_CHECK bool builtin_of_json(struct buffer *value, struct bytes type, const json_t *json,
                              struct sf_status *status);

#endif
