/* state_line_test.c - lines of state, written and read. */
#include "test.h"

#include "runtime/state_line.h"

#define TYPES "io.statefun.types/"

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
        {"{\"namespace\":1}", "'namespace': expected a string, found an integer"},
        {"{\"name\":1}", "unknown member 'name', expected namespace, type,"},
        {"{\"id\":\"1\",\"id\":\"1\"}", "column 14: duplicate object key"},
        {START "\"a/b\"}", "expected either 'value' or 'base64', found neither"},
        {START "\"a/b\",\"value\":1,\"base64\":\"\"}", "found both"},
        {START "\"a/b\",\"value\":1}", "'value': type a/b is not built in"},
        {START "\"a/b\",\"base64\":\"x\"}", "'base64': expected base64"},
        {START "\"a/b\",\"base64\":\"\",\"expires\":-1}", "more than 0, found less"},
        {START "\"a/b\",\"base64\":\"\",\"expires\":0}", "'expires': expected milliseconds"},
        {START "\"a/b\",\"base64\":\"\",\"expires\":\"soon\"}", "found a string"},
        {START "\"a/b\",\"base64\":\"\",\"expires\":12345678901234567890}", "beyond"},
        {START "\"" TYPES "int\",\"value\":1.5}", "expected an integer of 32 bits"},
        {START "\"" TYPES "int\",\"value\":2147483648}", "expected an integer of 32 bits"},
        {START "\"" TYPES "long\",\"value\":9223372036854775808}", "an integer of 64 bits"},
        {START "\"" TYPES "bool\",\"value\":1}", "expected true or false"},
        {START "\"" TYPES "string\",\"value\":1}", "expected a string"},
        {START "\"" TYPES "float\",\"value\":1e39}", "expected a number in its range"},
        {START "\"" TYPES "int\",\"base64\":\"AA==\"}", "not a canonical"},
        {"[1]", "expected an object, found an array"},
        {"not json", "column 3: '[' or '{' expected"},
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
        cmocka_unit_test(a_line_is_read_as_it_was_written),
        cmocka_unit_test(members_may_come_in_any_order),
        cmocka_unit_test(what_is_wrong_with_a_line_is_told),
    };
    return cmocka_run_group_tests_name("state_line", tests, NULL, NULL);
}
