/* builtin.c - six wrapper messages, each with one field, left out when it is zero. */
#include "wire/builtin.h"

#include "wire/protobuf.h"
#include "wire/typed_value.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum builtin { BOOL, INT, FLOAT, LONG, DOUBLE, STRING, NOT_BUILTIN };

static const struct {
    const char *type;
    enum pb_type wire;
} builtins[] = {
    [BOOL] = {"io.statefun.types/bool", PB_VARINT},
    [INT] = {"io.statefun.types/int", PB_FIXED32},
    [FLOAT] = {"io.statefun.types/float", PB_FIXED32},
    [LONG] = {"io.statefun.types/long", PB_FIXED64},
    [DOUBLE] = {"io.statefun.types/double", PB_FIXED64},
    [STRING] = {TYPE_STRING, PB_BYTES},
};

static enum builtin find(struct bytes type)
{
    enum builtin builtin = BOOL;
    while (builtin < NOT_BUILTIN && !bytes_is(type, builtins[builtin].type))
        builtin++;
    return builtin;
}

/* --- wrapper messages --- */

/* Fixed numbers are little-endian on the wire. */
static void add_number(struct buffer *value, enum builtin builtin, uint64_t bits)
{
    uint8_t bytes[1 + 8] = {(uint8_t)(1 << 3 | builtins[builtin].wire)};
    size_t size = builtin == BOOL ? 1 : builtins[builtin].wire == PB_FIXED32 ? 4 : 8;
    for (size_t i = 0; i < size; i++)
        bytes[1 + i] = (uint8_t)(bits >> 8 * i);
    if (bits)
        buffer_add(value, bytes, 1 + size);
}

/* The one field of a canonical wrapper; all zeros if it is left out. */
static bool unwrap(enum builtin builtin, struct bytes value, struct pb_field *ret_field)
{
    struct pb_reader reader = pb_read(value);
    *ret_field = (struct pb_field){0};
    if (!value.size)
        return true;
    if (!pb_next(&reader, ret_field) || reader.at != reader.end || ret_field->number != 1 ||
        ret_field->type != builtins[builtin].wire)
        return false;

    /* Canonical is what we would have written. */
    struct buffer again = {0};
    if (builtin == STRING)
        string_value_add(&again, ret_field->bytes);
    else
        add_number(&again, builtin, ret_field->value);
    bool is_canonical =
        bytes_equal(buffer_bytes(&again), value) && (builtin != BOOL || ret_field->value == 1);
    buffer_destroy(&again);
    return is_canonical;
}

bool builtin_text(struct bytes value, struct bytes *ret_text)
{
    struct pb_field field;
    if (!unwrap(STRING, value, &field) || !bytes_are_utf8(field.bytes))
        return false;
    *ret_text = field.bytes;
    return true;
}

bool builtin_check(struct bytes type, struct bytes value, struct sf_status *status)
{
    enum builtin builtin = find(type);
    struct pb_field field;
    struct bytes text;
    bool good = builtin == NOT_BUILTIN ||
                (builtin == STRING ? builtin_text(value, &text) : unwrap(builtin, value, &field));
    return good || sf_fail(status, SF_INVALID,
                           "the %zu bytes of the value are not a canonical %.*s, which is what "
                           "functions can read",
                           value.size, BYTES_ARG(type));
}

/* --- to JSON --- */

/* The fewest digits that give the same number back. */
static bool add_real(struct buffer *json, double number, bool is_float)
{
    char text[40];
    if (!isfinite(number))
        return false;
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, number);
        if (is_float ? strtof(text, NULL) == (float)number : strtod(text, NULL) == number)
            break;
    }
    buffer_add_text(json, text);
    return true;
}

static bool add_bits(struct buffer *json, enum builtin builtin, uint64_t bits)
{
    if (builtin == FLOAT) {
        uint32_t low = (uint32_t)bits;
        float number;
        memcpy(&number, &low, sizeof number);
        return add_real(json, (double)number, true);
    }
    if (builtin == DOUBLE) {
        double number;
        memcpy(&number, &bits, sizeof number);
        return add_real(json, number, false);
    }
    if (builtin == BOOL)
        buffer_add_text(json, bits ? "true" : "false");
    else if (builtin == INT)
        buffer_add_format(json, "%d", (int)(int32_t)(uint32_t)bits);
    else
        buffer_add_format(json, "%lld", (long long)bits);
    return true;
}

bool builtin_add_json(struct buffer *json, struct bytes type, struct bytes value)
{
    enum builtin builtin = find(type);
    struct pb_field field;
    struct bytes text;
    if (builtin == NOT_BUILTIN)
        return false;
    if (builtin != STRING)
        return unwrap(builtin, value, &field) && add_bits(json, builtin, field.value);
    if (!builtin_text(value, &text))
        return false;
    json_add_string(json, text);
    return true;
}

/* --- of JSON --- */

static bool mismatch(const char *expected, struct bytes type, struct sf_status *status)
{
    return sf_fail(status, SF_INVALID, "expected %s for a value of type %.*s", expected,
                   BYTES_ARG(type));
}

static bool integer_of(struct bytes text, int64_t min, int64_t max, int64_t *ret_number)
{
    char digits[24];
    if (text.size >= sizeof digits || memchr(text.data, '.', text.size) ||
        memchr(text.data, 'e', text.size) || memchr(text.data, 'E', text.size))
        return false;
    memcpy(digits, text.data, text.size);
    digits[text.size] = '\0';
    errno = 0;
    *ret_number = strtoll(digits, NULL, 10);
    return errno == 0 && *ret_number >= min && *ret_number <= max;
}

static bool add_integer(struct buffer *value, enum builtin builtin, struct bytes text)
{
    int64_t number, max = builtin == INT ? INT32_MAX : INT64_MAX;
    if (!integer_of(text, -max - 1, max, &number))
        return false;
    add_number(value, builtin, builtin == INT ? (uint32_t)number : (uint64_t)number);
    return true;
}

static bool add_real_of(struct buffer *value, enum builtin builtin, struct bytes text)
{
    char *digits = bytes_string(text);
    float single = strtof(digits, NULL);
    double number = strtod(digits, NULL);
    bool is_float = builtin == FLOAT;
    bool good = is_float ? isfinite(single) : isfinite(number);
    free(digits);
    uint32_t low;
    uint64_t bits;
    memcpy(&low, &single, sizeof low);
    memcpy(&bits, &number, sizeof bits);
    if (good)
        add_number(value, builtin, is_float ? low : bits);
    return good;
}

bool builtin_of_json(struct buffer *value, struct bytes type, const struct json_value *json,
                     struct sf_status *status)
{
    enum builtin builtin = find(type);
    bool is_number = json->kind == JSON_NUMBER;
    switch (builtin) {
    case BOOL:
        if (json->kind != JSON_TRUE && json->kind != JSON_FALSE)
            return mismatch("true or false", type, status);
        add_number(value, builtin, json->kind == JSON_TRUE);
        return true;
    case INT:
        return (is_number && add_integer(value, builtin, json->text)) ||
               mismatch("an integer of 32 bits", type, status);
    case LONG:
        return (is_number && add_integer(value, builtin, json->text)) ||
               mismatch("an integer of 64 bits", type, status);
    case FLOAT:
    case DOUBLE:
        return (is_number && add_real_of(value, builtin, json->text)) ||
               mismatch("a number in its range", type, status);
    case STRING:
        if (json->kind != JSON_STRING)
            return mismatch("a string", type, status);
        string_value_add(value, json->text);
        return true;
    case NOT_BUILTIN:
        break;
    }
    return sf_fail(status, SF_UNSUPPORTED, "type %.*s is not built in: its values are bytes",
                   BYTES_ARG(type));
}
