/* json_test.c - flat objects of JSON. */
#include "test.h"

#include "wire/json.h"

static void strings_are_written_so_that_they_are_read_the_same(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "plain", "\"\\/", "a\nb\tc\x01",
                                        "\xc3\xbc\xe2\x98\x83"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct buffer json = {0};
        struct arena arena = {0};
        struct json_value value;
        struct sf_status status;
        json_add_string(&json, bytes_of(texts[i]));
        assert_good(json_value_parse(buffer_bytes(&json), &arena, &value, &status), &status);
        assert_int_equal(value.kind, JSON_STRING);
        assert_bytes(value.text, texts[i]);
        arena_destroy(&arena);
        buffer_destroy(&json);
    }
}

static void members_come_one_after_the_other(void **state)
{
    (void)state;
    static const char json[] = " {\"a\" : \"x\\u00fc\\ud83d\\ude00\", \"b\":-1.5e+3,\n\"c\":true,"
                               "\"d\":false,\"e\":null} ";
    static const struct {
        const char *name, *text;
        enum json_kind kind;
    } expected[] = {{"a", "x\xc3\xbc\xf0\x9f\x98\x80", JSON_STRING},
                    {"b", "-1.5e+3", JSON_NUMBER},
                    {"c", "true", JSON_TRUE},
                    {"d", "false", JSON_FALSE},
                    {"e", "null", JSON_NULL}};
    struct json_object object = json_object_read(bytes_of(json));
    struct arena arena = {0};
    struct json_member member;
    struct sf_status status;
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        assert_int_equal(json_object_next(&object, &arena, &member, &status), JSON_MEMBER);
        assert_bytes(member.name, expected[i].name);
        assert_int_equal(member.value.kind, expected[i].kind);
        assert_bytes(member.value.text, expected[i].text);
    }
    assert_int_equal(json_object_next(&object, &arena, &member, &status), JSON_END);
    object = json_object_read(bytes_of("{}"));
    assert_int_equal(json_object_next(&object, &arena, &member, &status), JSON_END);
    arena_destroy(&arena);
}

static void what_is_wrong_is_told_with_its_place(void **state)
{
    (void)state;
    static const struct {
        const char *json, *message;
    } cases[] = {
        {"", "byte 1: expected '{', found the end"},
        {"[1]", "byte 1: expected '{', found '['"},
        {"{\"a\":1", "byte 7: expected ',' or '}', found the end"},
        {"{\"a\":1,}", "byte 8: expected a name in quotes, found '}'"},
        {"{a:1}", "byte 2: expected a name in quotes, found 'a'"},
        {"{\"a\" 1}", "byte 6: expected ':', found '1'"},
        {"{\"a\":1} x", "byte 9: expected nothing more, found 'x'"},
        {"{\"a\":\"x", "byte 8: expected a closing quote, found the end"},
        {"{\"a\":\"x\\", "byte 9: expected a closing quote"},
        {"{\"a\":\"\\x\"}", "behind a backslash"},
        {"{\"a\":\"\\u12g4\"}", "byte 11: expected a hexadecimal digit, found 'g'"},
        {"{\"a\":\"\\ud800\"}", "the other half of a surrogate pair"},
        {"{\"a\":\"\\ud800\\u0041\"}", "the low half of a surrogate pair"},
        {"{\"a\":\"\n\"}", "no control character"},
        {"{\"a\":\"\xff\"}", "a string in UTF-8"},
        {"{\"a\":01}", "without leading zeros"},
        {"{\"a\":-}", "expected a digit"},
        {"{\"a\":1.}", "expected a digit"},
        {"{\"a\":1e}", "expected a digit"},
        {"{\"a\":{}}", "expected a string, a number, true, false or null, found '{'"},
        {"{\"a\":nul}", "found 'n'"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct json_object object = json_object_read(bytes_of(cases[i].json));
        struct arena arena = {0};
        struct json_member member;
        struct sf_status status;
        enum json_progress progress;
        while ((progress = json_object_next(&object, &arena, &member, &status)) == JSON_MEMBER)
            continue;
        assert_int_equal(progress, JSON_BAD);
        assert_mentions(status.message, cases[i].message);
        arena_destroy(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strings_are_written_so_that_they_are_read_the_same),
        cmocka_unit_test(members_come_one_after_the_other),
        cmocka_unit_test(what_is_wrong_is_told_with_its_place),
    };
    return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
