#include "test.h"

#include "spec/diagnostics.h"

#include <stdio.h>

static void assert_line(const struct diagnostics *diagnostics, size_t index, const char *expected)
{
    assert_true(index < diagnostics->count);
    char *line = diagnostic_line(&diagnostics->items[index]);
    assert_string_equal(line, expected);
    free(line);
}

/* Readers come to places in any order: to documents before what they bind is compared. */
static void they_are_sorted_by_place_and_then_by_time(void **state)
{
    (void)state;
    struct diagnostics d = {0};
    diagnostics_add(&d, SEVERITY_ERROR, NULL, 0, 0, "nowhere");
    diagnostics_add(&d, SEVERITY_WARNING, "b", 1, 1, "first");
    diagnostics_add(&d, SEVERITY_ERROR, "a", 10, 2, "late");
    diagnostics_add(&d, SEVERITY_ERROR, "a", 9, 7, "early");
    diagnostics_add(&d, SEVERITY_ERROR, "b", 1, 1, "second");
    diagnostics_add(&d, SEVERITY_ERROR, "a", 9, 3, "earlier");
    diagnostics_add(&d, SEVERITY_ERROR, "a", 0, 0, "whole file");

    assert_int_equal(d.count, 7);
    assert_int_equal(d.error_count, 6);
    assert_line(&d, 0, "a: error: whole file");
    assert_line(&d, 1, "a:9:3: error: earlier");
    assert_line(&d, 2, "a:9:7: error: early");
    assert_line(&d, 3, "a:10:2: error: late");
    assert_line(&d, 4, "b:1:1: warning: first");
    assert_line(&d, 5, "b:1:1: error: second");
    assert_line(&d, 6, "error: nowhere");
    diagnostics_destroy(&d);
}

/* A value behind an alias is read as often as it is used. */
static void the_same_text_for_one_place_is_kept_once(void **state)
{
    (void)state;
    struct diagnostics d = {0};
    diagnostics_add(&d, SEVERITY_ERROR, "a", 1, 1, "broken");
    diagnostics_add(&d, SEVERITY_ERROR, "a", 1, 1, "other");
    diagnostics_add(&d, SEVERITY_ERROR, "a", 1, 1, "other");
    assert_int_equal(d.count, 2);
    diagnostics_destroy(&d);
}

static void a_text_stays_one_line(void **state)
{
    (void)state;
    struct diagnostics d = {0};
    diagnostics_add(&d, SEVERITY_ERROR, "a\nb", 1, 2, "x %s", text_quoted("1\n2\x1b[31m").text);
    assert_line(&d, 0, "a\\x0ab:1:2: error: x '1\\x0a2\\x1b[31m'");
    diagnostics_destroy(&d);
}

static void so_many_are_kept_and_all_errors_are_counted(void **state)
{
    (void)state;
    struct diagnostics d = {0};
    for (unsigned i = 0; i < DIAGNOSTICS_MAX + 50; i++)
        diagnostics_add(&d, SEVERITY_ERROR, "a", i + 1, 1, "x");
    assert_int_equal(d.count, DIAGNOSTICS_MAX + 1);
    assert_int_equal(d.error_count, DIAGNOSTICS_MAX + 50);
    assert_line(&d, DIAGNOSTICS_MAX, "error: there is more than these 1000");
    diagnostics_destroy(&d);
}

static void a_long_text_is_quoted_up_to_a_whole_character(void **state)
{
    (void)state;
    assert_string_equal(text_quoted("").text, "''");
    assert_string_equal(text_quoted("abc").text, "'abc'");

    char text[201];
    memset(text, 'x', 200);
    text[200] = '\0';
    struct quoted_text cut = text_quoted(text);
    assert_int_equal(strlen(cut.text), sizeof cut.text - 1);
    assert_string_equal(cut.text + strlen(cut.text) - 5, "x...'");

    /* Two bytes a character: wherever the cut comes, at an even place or an odd one. */
    for (size_t start = 0; start < 2; start++) {
        text[0] = 'x';
        for (size_t i = start; i + 2 <= 200; i += 2)
            memcpy(text + i, "\xc3\xa9", 2);
        cut = text_quoted(text);
        assert_true(bytes_are_utf8(bytes_of(cut.text)));
        assert_string_equal(cut.text + strlen(cut.text) - 4, "...'");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(they_are_sorted_by_place_and_then_by_time),
        cmocka_unit_test(the_same_text_for_one_place_is_kept_once),
        cmocka_unit_test(a_text_stays_one_line),
        cmocka_unit_test(so_many_are_kept_and_all_errors_are_counted),
        cmocka_unit_test(a_long_text_is_quoted_up_to_a_whole_character),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
