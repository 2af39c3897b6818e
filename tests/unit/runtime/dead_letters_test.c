/* dead_letters_test.c - ids and filters of dead letters. */
#include "test.h"

#include "runtime/dead_letters.h"

static void expect_no_id(const char *text)
{
    struct buffer key = {0};
    struct sf_status status;
    assert_false(dead_id_parse(bytes_of(text), &key, &status));
    assert_mentions(status.message, "such as 12-0-3");
    buffer_destroy(&key);
}

static void an_id_is_the_three_numbers_of_a_key(void **state)
{
    (void)state;
    struct buffer key = {0}, text = {0};
    struct sf_status status;
    const char *id = "18446744073709551615-65535-4294967295";
    assert_good(dead_id_parse(bytes_of(id), &key, &status), &status);
    dead_id_add(&text, buffer_bytes(&key));
    assert_bytes(buffer_bytes(&text), id);
    static const char *const wrong[] = {"",       "1",         "1-2",
                                        "1-2-",   "1-2-3-",    "1-2-3x",
                                        "-1-2-3", "1--3",      "1-2-3-4",
                                        " 1-2-3", "1-65536-3", "1-2-4294967296",
                                        "+1-2-3", "1 -2-3",    "18446744073709551616-0-0"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        expect_no_id(wrong[i]);
    buffer_destroy(&key);
    buffer_destroy(&text);
}

static bool fits(const char *name, const char *value, const struct dead_letter *letter)
{
    struct dead_filter filter = {0};
    struct sf_status status;
    assert_good(dead_filter_set(&filter, bytes_of(name), bytes_of(value), &status), &status);
    bool fit = dead_filter_fits(&filter, letter);
    dead_filter_destroy(&filter);
    return fit;
}

static void a_target_is_an_address_or_its_function_type(void **state)
{
    (void)state;
    struct dead_letter letter = {.kind = DEAD_UNSERVED, .target = bytes_of("a/b/c, d/e")};
    assert_true(fits("target", "a/b/c, d/e", &letter));
    assert_true(fits("target", "a/b", &letter));
    assert_false(fits("target", "a/b/c", &letter)); /* the id is "c, d/e" */
    assert_false(fits("target", "d/e", &letter));
    assert_false(fits("target", "a/bb", &letter));
}

static void an_invalid_record_may_have_several_targets(void **state)
{
    (void)state;
    struct dead_letter letter = {.kind = DEAD_INVALID_RECORD, .target = bytes_of("a/b, a/c")};
    assert_true(fits("target", "a/b", &letter));
    assert_true(fits("target", "a/c", &letter));
    assert_false(fits("target", "a/d", &letter));
}

static void times_are_utc_or_milliseconds(void **state)
{
    (void)state;
    struct dead_letter letter = {.time_ms = 1767268800500}; /* 2026-01-01T12:00:00.5Z */
    assert_true(fits("since", "2026-01-01T12:00:00Z", &letter));
    assert_true(fits("since", "2026-01-01T12:00:00.500Z", &letter));
    assert_false(fits("since", "2026-01-01T12:00:00.501Z", &letter));
    assert_true(fits("until", "1767268800500", &letter));
    assert_false(fits("until", "1767268800499", &letter));
    static const char *const wrong[] = {
        "", "today", "2026-01-01", "2026-01-01T12:00:00", "-5", "2026-01-01T12:00:00.5", "12x"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct dead_filter filter = {0};
        struct sf_status status;
        assert_false(dead_filter_set(&filter, bytes_of("since"), bytes_of(wrong[i]), &status));
        assert_mentions(status.message, "since: expected a time such as");
        dead_filter_destroy(&filter);
    }
}

static void what_is_no_filter_is_said(void **state)
{
    (void)state;
    struct dead_filter filter = {0};
    struct sf_status status;
    assert_false(dead_filter_set(&filter, bytes_of("colour"), bytes_of("red"), &status));
    assert_mentions(status.message, "expected one of kind, target");
    assert_mentions(status.message, "'colour'");
    assert_false(dead_filter_set(&filter, bytes_of("kind"), bytes_of("odd"), &status));
    assert_mentions(status.message, "kind: expected one of unknown, invalid-record");
    assert_false(filter.is_set);
    dead_filter_destroy(&filter);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_id_is_the_three_numbers_of_a_key),
        cmocka_unit_test(a_target_is_an_address_or_its_function_type),
        cmocka_unit_test(an_invalid_record_may_have_several_targets),
        cmocka_unit_test(times_are_utc_or_milliseconds),
        cmocka_unit_test(what_is_no_filter_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
