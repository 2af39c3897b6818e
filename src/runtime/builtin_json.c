/* builtin_json.c - see builtin_json.h.
 *
 * jansson reads every number with a fraction or an exponent as a double, also for a float: digits
 * are written so that this way back gives the same number. */
#include "runtime/builtin_json.h"

#include "runtime/json_text.h"
#include "wire/builtin.h"
#include "wire/typed_value.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* --- numbers as their bits --- */

static double float_of_bits(uint64_t bits)
{
    uint32_t low = (uint32_t)bits;
    float number;
    memcpy(&number, &low, sizeof number);
    return (double)number;
}

static uint64_t bits_of_float(double number)
{
    float single = (float)number;
    uint32_t bits;
    memcpy(&bits, &single, sizeof bits);
    return bits;
}

static double double_of_bits(uint64_t bits)
{
    double number;
    memcpy(&number, &bits, sizeof number);
    return number;
}

static uint64_t bits_of_double(double number)
{
    uint64_t bits;
    memcpy(&bits, &number, sizeof bits);
    return bits;
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
        double again = strtod(text, NULL);
        if ((is_float ? (double)(float)again : again) == number)
            break;
    }
    buffer_add_text(json, text);
    if (number == 0 && signbit(number))
        buffer_add_text(json, ".0"); /* "-0" would be read as an integer, which has no sign */
    return true;
}

static bool add_number(struct buffer *json, enum builtin builtin, uint64_t bits)
{
    switch (builtin) {
    case BUILTIN_BOOL:
        buffer_add_text(json, bits ? "true" : "false");
        return true;
    case BUILTIN_INT:
        buffer_add_format(json, "%d", (int)(int32_t)(uint32_t)bits);
        return true;
    case BUILTIN_LONG:
        buffer_add_format(json, "%lld", (long long)bits);
        return true;
    case BUILTIN_FLOAT:
        return add_real(json, float_of_bits(bits), true);
    case BUILTIN_DOUBLE:
        return add_real(json, double_of_bits(bits), false);
    case BUILTIN_STRING:
    case BUILTIN_NONE:
        break;
    }
    return false;
}

bool builtin_add_json(struct buffer *json, struct bytes type, struct bytes value)
{
    enum builtin builtin = builtin_of(type);
    uint64_t bits;
    struct bytes text;
    if (builtin == BUILTIN_NONE)
        return false;
    if (builtin != BUILTIN_STRING)
        return builtin_bits(builtin, value, &bits) && add_number(json, builtin, bits);
    if (!builtin_text(value, &text))
        return false;
    buffer_add_quoted(json, text);
    return true;
}

/* --- of JSON --- */

static bool bits_of_json(enum builtin builtin, const json_t *json, uint64_t *ret_bits)
{
    json_int_t integer = json_integer_value(json);
    double number = json_number_value(json);
    switch (builtin) {
    case BUILTIN_BOOL:
        *ret_bits = json_is_true(json);
        return json_is_boolean(json);
    case BUILTIN_INT:
        *ret_bits = (uint32_t)integer;
        return json_is_integer(json) && integer >= INT32_MIN && integer <= INT32_MAX;
    case BUILTIN_LONG:
        *ret_bits = (uint64_t)integer;
        return json_is_integer(json);
    case BUILTIN_FLOAT:
        *ret_bits = bits_of_float(number);
        return json_is_number(json) && isfinite(float_of_bits(*ret_bits));
    case BUILTIN_DOUBLE:
        *ret_bits = bits_of_double(number);
        return json_is_number(json);
    case BUILTIN_STRING:
    case BUILTIN_NONE:
        break;
    }
    return false;
}

static bool fail_value(enum builtin builtin, struct bytes type, const json_t *json,
                       struct sf_status *status)
{
    static const char *const expected[] = {
        [BUILTIN_BOOL] = "true or false",
        [BUILTIN_INT] = "an integer of 32 bits",
        [BUILTIN_LONG] = "an integer of 64 bits",
        [BUILTIN_FLOAT] = "a number in its range",
        [BUILTIN_DOUBLE] = "a number",
        [BUILTIN_STRING] = "a string",
    };
    bool is_beyond = (builtin == BUILTIN_INT && json_is_integer(json)) ||
                     (builtin == BUILTIN_FLOAT && json_is_number(json));
    if (builtin == BUILTIN_NONE)
        return sf_fail(status, SF_UNSUPPORTED, "type %.*s is not built in: its values are bytes",
                       BYTES_ARG(type));
    return sf_fail(status, SF_INVALID, "expected %s for a value of type %.*s, found %s",
                   expected[builtin], BYTES_ARG(type),
                   is_beyond ? "a number beyond that" : json_text_kind(json));
}

bool builtin_of_json(struct buffer *value, struct bytes type, const json_t *json,
                     struct sf_status *status)
{
    enum builtin builtin = builtin_of(type);
    uint64_t bits;
    if (builtin == BUILTIN_STRING && json_is_string(json))
        string_value_add(value, bytes_make(json_string_value(json), json_string_length(json)));
    else if (bits_of_json(builtin, json, &bits))
        builtin_add_bits(value, builtin, bits);
    else
        return fail_value(builtin, type, json, status);
    return true;
}
