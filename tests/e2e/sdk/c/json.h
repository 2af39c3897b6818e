/* json.h - as much JSON as the commands of ../README.md need: values stay the text that they are.
 *
 * Texts are NUL-terminated; what is found in them is a span of the text. */
#ifndef E2E_SDK_JSON_H
#define E2E_SDK_JSON_H

#include <statefun/statefun.h>

struct json {
    const char *at; /* NULL: it is not there, or the text is no JSON */
    size_t size;
};

/* The whole text as a value. */
struct json json_of(const char *text);

/* The value of an object's member. */
struct json json_member(struct json object, const char *name);

/* The first value of an array, and the one behind `value` in it. */
struct json json_first(struct json array);
struct json json_next(struct json array, struct json value);

/* The number, 0 if it is none. */
int64_t json_number(struct json value);

/* The string, NUL-terminated; the function fails if it is none, or has escapes in it. */
const char *json_string(struct sf_context *context, struct json value);

/* The value as text. */
const char *json_text(struct sf_context *context, struct json value);

/* The text as a JSON string. */
const char *json_quoted(struct sf_context *context, const char *text);

#endif
