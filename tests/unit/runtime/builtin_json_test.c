/* builtin_json_test.c - values of the built-in types as people write them. */
#include "test.h"

#include "memory.h"
#include "runtime/builtin_json.h"
#include "runtime/json_text.h"
#include "wire/builtin.h"

#define TYPES "io.statefun.types/"

/* Fails unless `text` is read as `value`. */
static void expect_read(struct bytes type, struct bytes text, struct bytes value)
{
    struct buffer read = {0};
    struct sf_status status;
    json_t *json;
    assert_good(json_text_parse(text, JSON_DECODE_ANY, &json, &status), &status);
    assert_good(builtin_of_json(&read, type, json, &status), &status);
    if (!bytes_equal(buffer_bytes(&read), value))
        fail_msg("%.*s did not come back", BYTES_ARG(text));
    json_decref(json);
    buffer_destroy(&read);
}

static void values_become_json_and_come_back(void **state)
{
    (void)state;
    const struct {
        const char *type, *json;
        struct bytes value;
    } cases[] = {
        {TYPES "bool", "true", BYTES_LITERAL("\x08\x01")},
        {TYPES "bool", "false", {0}},
        {TYPES "int", "0", {0}},
        {TYPES "int", "5", BYTES_LITERAL("\x0d\x05\0\0\0")},
        {TYPES "int", "-1", BYTES_LITERAL("\x0d\xff\xff\xff\xff")},
        {TYPES "int", "-2147483648", BYTES_LITERAL("\x0d\0\0\0\x80")},
        {TYPES "long", "9223372036854775807",
         BYTES_LITERAL("\x09\xff\xff\xff\xff\xff\xff\xff\x7f")},
        {TYPES "long", "-9223372036854775808", BYTES_LITERAL("\x09\0\0\0\0\0\0\0\x80")},
        {TYPES "float", "1.5", BYTES_LITERAL("\x0d\0\0\xc0\x3f")},
        {TYPES "float", "0.1", BYTES_LITERAL("\x0d\xcd\xcc\xcc\x3d")},
        {TYPES "float", "-0.0", BYTES_LITERAL("\x0d\0\0\0\x80")},
        {TYPES "double", "0.1", BYTES_LITERAL("\x09\x9a\x99\x99\x99\x99\x99\xb9\x3f")},
        {TYPES "double", "3", BYTES_LITERAL("\x09\0\0\0\0\0\0\x08\x40")},
        {TYPES "double", "-0.0", BYTES_LITERAL("\x09\0\0\0\0\0\0\0\x80")},
        {TYPES "double", "1e+300", BYTES_LITERAL("\x09\x9c\x75\0\x88\x3c\xe4\x37\x7e")},
        {TYPES "string", "\"\"", {0}},
        {TYPES "string", "\"h\xc3\xa9\"", BYTES_LITERAL("\x0a\x03h\xc3\xa9")},
        {TYPES "string", "\"a\\u0000\\\"\\\\\\n\"",
         BYTES_LITERAL("\x0a\x05"
                       "a\0\"\\\n")},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buffer json = {0};
        assert_true(builtin_add_json(&json, bytes_of(cases[i].type), cases[i].value));
        assert_bytes(buffer_bytes(&json), cases[i].json);
        expect_read(bytes_of(cases[i].type), buffer_bytes(&json), cases[i].value);
        buffer_destroy(&json);
    }
}

/* Patterns of bits from all over, the smallest and the largest numbers among them. */
static void every_finite_number_comes_back_as_it_was(void **state)
{
    enum { NUMBERS = 20000 };
    static const struct {
        const char *type;
        enum builtin builtin;
        unsigned bits, fraction_bits;
    } reals[] = {{TYPES "float", BUILTIN_FLOAT, 32, 23}, {TYPES "double", BUILTIN_DOUBLE, 64, 52}};
    uint64_t random = 1;
    (void)state;
    for (size_t i = 0; i < 2 * NUMBERS; i++) {
        size_t which = i % 2;
        random = random * 6364136223846793005 + 1442695040888963407;
        uint64_t bits = i < 100 ? i / 2 : random >> (64 - reals[which].bits);
        if (i >= 100 && i < 200) /* downwards from the largest */
            bits =
                ((1ull << (reals[which].bits - 1)) - (1ull << reals[which].fraction_bits)) - i / 2;
        struct buffer value = {0}, json = {0};
        builtin_add_bits(&value, reals[which].builtin, bits);
        if (builtin_add_json(&json, bytes_of(reals[which].type), buffer_bytes(&value)))
            expect_read(bytes_of(reals[which].type), buffer_bytes(&json), buffer_bytes(&value));
        buffer_destroy(&value);
        buffer_destroy(&json);
    }
}

static void what_json_cannot_stand_for_adds_nothing(void **state)
{
    (void)state;
    const struct {
        const char *type;
        struct bytes value;
    } cases[] = {
        {TYPES "bool", BYTES_LITERAL("\x08\x02")},
        {TYPES "int", BYTES_LITERAL("\x0d\0\0\0\0")},
        {TYPES "string", BYTES_LITERAL("\x0a\x01\xff")},
        {TYPES "float", BYTES_LITERAL("\x0d\0\0\x80\x7f")},          /* infinity */
        {TYPES "double", BYTES_LITERAL("\x09\0\0\0\0\0\0\xf8\x7f")}, /* not a number */
        {"any/thing", BYTES_LITERAL("\x0a\x01x")},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buffer json = {0};
        assert_false(builtin_add_json(&json, bytes_of(cases[i].type), cases[i].value));
        assert_int_equal(json.size, 0);
        buffer_destroy(&json);
    }
}

static void a_value_of_another_kind_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *type, *json, *message;
    } cases[] = {
        {TYPES "bool", "1",
         "expected true or false for a value of type io.statefun.types/bool, "
         "found an integer"},
        {TYPES "int", "1.5",
         "expected an integer of 32 bits for a value of type " TYPES
         "int, found a number with a fraction or an exponent"},
        {TYPES "int", "2147483648", "found a number beyond that"},
        {TYPES "int", "-2147483649", "found a number beyond that"},
        {TYPES "long", "1e3", "expected an integer of 64 bits"},
        {TYPES "long", "\"3\"", "found a string"},
        {TYPES "float", "1e39", "expected a number in its range"},
        {TYPES "float", "null", "found null"},
        {TYPES "double", "[1]",
         "expected a number for a value of type " TYPES "double, found an array"},
        {TYPES "string", "{}",
         "expected a string for a value of type " TYPES "string, found an object"},
        {TYPES "string", "true", "found true"},
        {"a/b", "1", "type a/b is not built in"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buffer value = {0};
        struct sf_status status;
        json_t *json;
        assert_good(json_text_parse(bytes_of(cases[i].json), JSON_DECODE_ANY, &json, &status),
                    &status);
        assert_false(builtin_of_json(&value, bytes_of(cases[i].type), json, &status));
        assert_mentions(status.message, cases[i].message);
        assert_int_equal(value.size, 0);
        json_decref(json);
        buffer_destroy(&value);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_become_json_and_come_back),
        cmocka_unit_test(every_finite_number_comes_back_as_it_was),
        cmocka_unit_test(what_json_cannot_stand_for_adds_nothing),
        cmocka_unit_test(a_value_of_another_kind_is_refused),
    };
    return cmocka_run_group_tests_name("builtin_json", tests, NULL, NULL);
}
