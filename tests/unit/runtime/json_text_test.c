/* json_text_test.c - JSON that is read, and what is said of text that is none. */
#include "test.h"

#include "memory.h"
#include "runtime/json_text.h"

static void strings_hold_any_character(void **state)
{
    (void)state;
    struct bytes expected = BYTES_LITERAL("a\0\xc3\xbc\xf0\x9f\x98\x80");
    struct sf_status status;
    json_t *json;
    assert_good(
        json_text_parse(bytes_of(" [\"a\\u0000\\u00fc\\ud83d\\ude00\"] "), 0, &json, &status),
        &status);
    json_t *text = json_array_get(json, 0);
    assert_true(
        bytes_equal(bytes_make(json_string_value(text), json_string_length(text)), expected));
    json_decref(json);
}

static void any_value_is_read_where_one_may_stand(void **state)
{
    (void)state;
    static const struct {
        const char *json, *kind;
    } cases[] = {
        {"{}", "an object"},
        {"[]", "an array"},
        {"\"x\"", "a string"},
        {"1", "an integer"},
        {"1e3", "a number with a fraction or an exponent"},
        {"true", "true"},
        {"false", "false"},
        {"null", "null"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sf_status status;
        json_t *json;
        assert_good(json_text_parse(bytes_of(cases[i].json), JSON_DECODE_ANY, &json, &status),
                    &status);
        assert_string_equal(json_text_kind(json), cases[i].kind);
        json_decref(json);
    }
}

/* Of the text nothing is told: it may be the value of a state. */
static void what_is_no_json_is_told_by_its_column(void **state)
{
    (void)state;
    static const struct {
        const char *json, *message;
    } cases[] = {
        {"", "column 0: '[' or '{' expected near end of file"},
        {"secret", "column 6: '[' or '{' expected"},
        {"{\"a\":1", "column 6: '}' expected near end of file"},
        {"{\"a\":secret}", "column 11: invalid token"},
        {"{\"a\" \"secret\"}", "column 13: ':' expected"},
        {"{\"a\":1,\"a\":2}", "column 10: duplicate object key"},
        {"{\"a\":1} 2", "column 9: end of file expected"},
        {"{\"a\":\"\\ud800\"}", "column 13: invalid Unicode '\\uD800'"},
        {"{\"a\":\"\xff\"}", "column 6: unable to decode byte 0xff"},
        {"{\"a\":9223372036854775808}",
         "column 24: expected an integer of 64 bits or, with a fraction or an exponent, a double, "
         "found a number beyond that"},
        {"{\"a\":1e400}",
         "column 10: expected an integer of 64 bits or, with a fraction or an exponent, a double, "
         "found a number beyond that"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bytes text = copy_exactly(bytes_of(cases[i].json));
        struct sf_status status;
        json_t *json;
        assert_false(json_text_parse(text, 0, &json, &status));
        assert_int_equal(status.code, SF_INVALID);
        assert_string_equal(status.message, cases[i].message);
        copy_free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strings_hold_any_character),
        cmocka_unit_test(any_value_is_read_where_one_may_stand),
        cmocka_unit_test(what_is_no_json_is_told_by_its_column),
    };
    return cmocka_run_group_tests_name("json_text", tests, NULL, NULL);
}
