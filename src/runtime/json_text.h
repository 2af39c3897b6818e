/* json_text.h - JSON of a stranger's, read by jansson.
 *
 * Integers have 64 bits, other numbers are doubles. */
#ifndef RUNTIME_JSON_TEXT_H
#define RUNTIME_JSON_TEXT_H

#include "base/bytes.h"
#include "statefun/status.h"

#include <jansson.h>

/* Reads one text, in which no object has a member twice; for json_decref. `flags` are more of
 * jansson's: without JSON_DECODE_ANY it must be an object or an array. SF_INVALID: the message
 * begins with the column, and quotes nothing, as the text may be the value of a state. */
SF_CHECK bool json_text_parse(struct bytes text, size_t flags, json_t **ret_json,
                              struct sf_status *status);

/* What was found instead of something else: "a string". */
const char *json_text_kind(const json_t *json);

#endif
