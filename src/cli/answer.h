/* answer.h - what the admin listener of a running runtime answers in JSON: asked for, and shown. */
#ifndef CLI_ANSWER_H
#define CLI_ANSWER_H

#include "base/bytes.h"
#include "statefun/status.h"

#include <jansson.h>

/* Appends "?name=value" or "&name=value" to a target. */
void answer_add_parameter(struct buffer *target, const char *name, const char *value);

/* Asks the listener `where`; `token` may be empty. What it refuses for its reasons is SF_INVALID or
 * SF_IO, in its words. */
SF_CHECK bool answer_ask(const char *where, const char *token, const char *method,
                         const char *target, json_t **ret_answer, struct sf_status *status);

/* The text of a member; "" if there is none. */
const char *answer_text(const json_t *answer, const char *name);

/* In one line, on standard output. */
void answer_print_json(const json_t *answer);

/* Ids, causes and values come from strangers: nothing of them must reach the terminal as more than
 * text. */
void answer_print_text(const char *text);

#endif
