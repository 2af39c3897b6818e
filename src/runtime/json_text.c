/* json_text.c - see json_text.h. */
#include "runtime/json_text.h"

static bool fail_text(json_error_t *error, struct sf_status *status)
{
    if (json_error_code(error) == json_error_numeric_overflow)
        return sf_fail(status, SF_INVALID,
                       "column %d: expected an integer of 64 bits or, with a fraction or an "
                       "exponent, a double, found a number beyond that",
                       error->column);
    char *quote = strstr(error->text, " near '"); /* what stands at the column */
    if (quote)
        *quote = '\0';
    return sf_fail(status, SF_INVALID, "column %d: %s", error->column, error->text);
}

bool json_text_parse(struct bytes text, size_t flags, json_t **ret_json, struct sf_status *status)
{
    json_error_t error;
    json_t *json = json_loadb(text.size ? (const char *)text.data : "", text.size,
                              flags | JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
    if (!json)
        return fail_text(&error, status);
    *ret_json = json;
    return true;
}

const char *json_text_kind(const json_t *json)
{
    static const char *const kinds[] = {
        [JSON_OBJECT] = "an object", [JSON_ARRAY] = "an array",
        [JSON_STRING] = "a string",  [JSON_INTEGER] = "an integer",
        [JSON_TRUE] = "true",        [JSON_REAL] = "a number with a fraction or an exponent",
        [JSON_FALSE] = "false",      [JSON_NULL] = "null",
    };
    return kinds[json_typeof(json)];
}
