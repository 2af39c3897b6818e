/* state_line_test.c - lines of state, and values of the built-in types as people write them. */
#include "test.h"

#include "wire/builtin.h"
#include "wire/state_line.h"

#define TYPES "io.statefun.types/"

static const struct {
    const char *type, *json;
    const char *bytes;
    size_t size;
} values[] = {
    {TYPES "bool", "true", "\x08\x01", 2},
    {TYPES "bool", "false", "", 0},
    {TYPES "int", "0", "", 0},
    {TYPES "int", "5", "\x0d\x05\0\0\0", 5},
    {TYPES "int", "-1", "\x0d\xff\xff\xff\xff", 5},
    {TYPES "int", "-2147483648", "\x0d\0\0\0\x80", 5},
    {TYPES "long", "9223372036854775807", "\x09\xff\xff\xff\xff\xff\xff\xff\x7f", 9},
    {TYPES "long", "-9223372036854775808", "\x09\0\0\0\0\0\0\0\x80", 9},
    {TYPES "float", "1.5", "\x0d\0\0\xc0\x3f", 5},
    {TYPES "float", "0.1", "\x0d\xcd\xcc\xcc\x3d", 5},
    {TYPES "double", "0.1", "\x09\x9a\x99\x99\x99\x99\x99\xb9\x3f", 9},
    {TYPES "double", "-0", "\x09\0\0\0\0\0\0\0\x80", 9},
    {TYPES "double", "1e+300", "\x09\x9c\x75\0\x88\x3c\xe4\x37\x7e", 9},
    {TYPES "string", "\"\"", "", 0},
    {TYPES "string", "\"h\xc3\xa9\"", "\x0a\x03h\xc3\xa9", 5},
};

static void built_in_values_become_json_and_come_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        struct bytes type = bytes_of(values[i].type);
        struct bytes bytes = bytes_make(values[i].bytes, values[i].size);
        struct buffer json = {0}, again = {0};
        struct arena arena = {0};
        struct json_value value;
        struct sf_status status;
        assert_true(builtin_add_json(&json, type, bytes));
        assert_bytes(buffer_bytes(&json), values[i].json);
        assert_good(builtin_check(type, bytes, &status), &status);
        assert_good(json_value_parse(buffer_bytes(&json), &arena, &value, &status), &status);
        assert_good(builtin_of_json(&again, type, &value, &status), &status);
        assert_true(bytes_equal(buffer_bytes(&again), bytes));
        buffer_destroy(&json);
        buffer_destroy(&again);
        arena_destroy(&arena);
    }
}

/* Java's SDK refuses them: protocol.md 2. */
static void forms_that_are_not_canonical_are_told_from_values(void **state)
{
    (void)state;
    static const struct {
        const char *type;
        const char *bytes;
        size_t size;
    } wrong[] = {
        {TYPES "bool", "\x08\x00", 2},
        {TYPES "bool", "\x08\x02", 2},
        {TYPES "bool", "\x08\x81\0", 3},
        {TYPES "int", "\x0d\0\0\0\0", 5},
        {TYPES "int", "\x0d\x05\0\0", 4},
        {TYPES "int", "\x08\x05", 2},
        {TYPES "int", "\x0d\x05\0\0\0\x18\x01", 7},
        {TYPES "string", "\x0a\x00", 2},
        {TYPES "string", "\x0a\x01\xff", 3},
        {TYPES "string", "\x0a\x81\0x", 4},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct buffer json = {0};
        struct sf_status status;
        struct bytes bytes = bytes_make(wrong[i].bytes, wrong[i].size);
        assert_false(builtin_add_json(&json, bytes_of(wrong[i].type), bytes));
        assert_int_equal(json.size, 0);
        assert_false(builtin_check(bytes_of(wrong[i].type), bytes, &status));
        assert_mentions(status.message, "not a canonical io.statefun.types/");
        buffer_destroy(&json);
    }
    struct buffer json = {0}; /* infinity is canonical, but JSON has none */
    struct sf_status status;
    struct bytes infinity = bytes_make("\x0d\0\0\x80\x7f", 5);
    assert_false(builtin_add_json(&json, bytes_of(TYPES "float"), infinity));
    assert_good(builtin_check(bytes_of(TYPES "float"), infinity, &status), &status);
    assert_good(builtin_check(bytes_of("any/thing"), infinity, &status), &status);
    buffer_destroy(&json);
}

static struct state_line parse(const char *text, struct arena *arena)
{
    struct state_line line;
    struct sf_status status;
    assert_good(state_line_parse(bytes_of(text), arena, &line, &status), &status);
    return line;
}

static void a_line_is_read_as_it_was_written(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "{\"namespace\":\"example\",\"type\":\"person\",\"id\":\"Ada\",\"state\":\"seen\","
        "\"typename\":\"io.statefun.types/int\",\"value\":3}\n",
        "{\"namespace\":\"example\",\"type\":\"person\",\"id\":\"A\\\"\\n\",\"state\":\"seen\","
        "\"typename\":\"a/b\",\"base64\":\"AAEC\",\"expires\":1700000000000}\n",
        "{\"namespace\":\"example\",\"type\":\"person\",\"id\":\"Ada\",\"state\":\"x\","
        "\"typename\":\"io.statefun.types/double\",\"base64\":\"CQAAAAAAAPB/\"}\n",
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        struct arena arena = {0};
        struct buffer text = {0};
        struct state_line line = parse(lines[i], &arena);
        state_line_add(&text, &line);
        assert_bytes(buffer_bytes(&text), lines[i]);
        buffer_destroy(&text);
        arena_destroy(&arena);
    }
}

static void members_may_come_in_any_order(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct state_line line = parse("{\"value\":\"x\",\"expires\":12,\"typename\":"
                                   "\"io.statefun.types/string\",\"state\":\"s\",\"id\":\"i\","
                                   "\"type\":\"t\",\"namespace\":\"n\"}",
                                   &arena);
    assert_bytes(line.ns, "n");
    assert_bytes(line.name, "t");
    assert_bytes(line.id, "i");
    assert_bytes(line.state, "s");
    assert_bytes(line.value.value, "\x0a\x01x");
    assert_true(line.value.has_value);
    assert_int_equal(line.deadline, 12);
    arena_destroy(&arena);
}

#define START "{\"namespace\":\"n\",\"type\":\"t\",\"id\":\"i\",\"state\":\"s\",\"typename\":"

static void what_is_wrong_with_a_line_is_told(void **state)
{
    (void)state;
    static const struct {
        const char *line, *message;
    } cases[] = {
        {"{}", "'namespace' is missing"},
        {"{\"namespace\":\"\"}", "'namespace' is empty"},
        {"{\"namespace\":1}", "'namespace': expected a string"},
        {"{\"name\":1}", "unknown member 'name', expected namespace, type,"},
        {"{\"id\":\"1\",\"id\":\"1\"}", "'id' stands there twice"},
        {START "\"a/b\"}", "expected either 'value' or 'base64', found neither"},
        {START "\"a/b\",\"value\":1,\"base64\":\"\"}", "found both"},
        {START "\"a/b\",\"value\":1}", "'value': type a/b is not built in"},
        {START "\"a/b\",\"base64\":\"x\"}", "'base64': expected base64"},
        {START "\"a/b\",\"base64\":\"\",\"expires\":-1}", "'expires': expected milliseconds"},
        {START "\"a/b\",\"base64\":\"\",\"expires\":0}", "'expires': expected milliseconds"},
        {START "\"a/b\",\"base64\":\"\",\"expires\":12345678901234567890}", "'expires'"},
        {START "\"" TYPES "int\",\"value\":1.5}", "expected an integer of 32 bits"},
        {START "\"" TYPES "int\",\"value\":2147483648}", "expected an integer of 32 bits"},
        {START "\"" TYPES "long\",\"value\":9223372036854775808}", "an integer of 64 bits"},
        {START "\"" TYPES "bool\",\"value\":1}", "expected true or false"},
        {START "\"" TYPES "string\",\"value\":1}", "expected a string"},
        {START "\"" TYPES "float\",\"value\":1e39}", "expected a number in its range"},
        {START "\"" TYPES "int\",\"base64\":\"AA==\"}", "not a canonical"},
        {"not json", "byte 1: expected '{', found 'n'"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct arena arena = {0};
        struct state_line line;
        struct sf_status status;
        assert_false(state_line_parse(bytes_of(cases[i].line), &arena, &line, &status));
        assert_mentions(status.message, cases[i].message);
        arena_destroy(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(built_in_values_become_json_and_come_back),
        cmocka_unit_test(forms_that_are_not_canonical_are_told_from_values),
        cmocka_unit_test(a_line_is_read_as_it_was_written),
        cmocka_unit_test(members_may_come_in_any_order),
        cmocka_unit_test(what_is_wrong_with_a_line_is_told),
    };
    return cmocka_run_group_tests_name("state_line", tests, NULL, NULL);
}
