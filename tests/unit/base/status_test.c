/* status_test.c - failures with a message, and memory that does not fail. */
#include "test.h"

#include "base/mem.h"

static void a_failure_has_a_code_and_a_message(void **state)
{
    (void)state;
    struct sf_status status = {0};
    assert_false(sf_fail(&status, SF_NOT_FOUND, "no %s in %d places", "key", 3));
    assert_int_equal(status.code, SF_NOT_FOUND);
    assert_string_equal(status.message, "no key in 3 places");
}

static void a_failure_that_is_passed_up_tells_its_way(void **state)
{
    (void)state;
    struct sf_status status = {0};
    assert_false(sf_fail(&status, SF_IO, "disk is full"));
    assert_false(sf_wrap(&status, "write %s", "log"));
    assert_false(sf_wrap(&status, "commit"));
    assert_string_equal(status.message, "commit: write log: disk is full");
    assert_int_equal(status.code, SF_IO);
}

/* A message can be part of the text that is put before it. */
static void a_status_may_be_filled_from_itself(void **state)
{
    (void)state;
    struct sf_status status = {0};
    assert_false(sf_fail(&status, SF_IO, "inner"));
    struct sf_status copy = status;
    assert_false(sf_wrap(&status, "%s", copy.message));
    assert_string_equal(status.message, "inner: inner");
}

static void a_long_message_is_cut_at_its_end(void **state)
{
    (void)state;
    struct sf_status status = {0};
    assert_false(sf_fail(&status, SF_INVALID, "%0500d", 7));
    assert_int_equal(strlen(status.message), sizeof status.message - 1);
    assert_false(sf_wrap(&status, "outer"));
    assert_int_equal(strlen(status.message), sizeof status.message - 1);
    assert_memory_equal(status.message, "outer: 000", 10);
    assert_false(sf_wrap(&status, "%0500d", 8));
    assert_int_equal(strlen(status.message), sizeof status.message - 1);
}

static void nobody_need_want_to_know(void **state)
{
    (void)state;
    assert_false(sf_fail(NULL, SF_IO, "%s", "text"));
    assert_false(sf_wrap(NULL, "%s", "text"));
}

static void each_code_has_a_name_of_its_own(void **state)
{
    (void)state;
    for (int i = SF_OK; i <= SF_NO_MEMORY; i++) {
        const char *name = sf_code_name((enum sf_code)i);
        assert_string_not_equal(name, "unknown");
        for (int j = SF_OK; j < i; j++)
            assert_string_not_equal(name, sf_code_name((enum sf_code)j));
    }
    assert_string_equal(sf_code_name((enum sf_code)99), "unknown");
    assert_string_equal(sf_code_name(SF_NOT_FOUND), "not_found");
}

/* --- mem --- */

static void new_memory_is_zeroed_and_never_null(void **state)
{
    (void)state;
    uint8_t *memory = mem_new(1000);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(memory[i], 0);
    memory[0] = 7;
    memory = mem_resize(memory, 100 * 1000);
    assert_int_equal(memory[0], 7);
    free(memory);
    free(mem_new(0));
    free(mem_new_raw(0));
    free(mem_resize(NULL, 0));
}

static void strings_are_copied_and_formatted(void **state)
{
    (void)state;
    char *copy = mem_string("text"), *text = mem_format("%s=%d", "key", 42);
    assert_string_equal(copy, "text");
    assert_string_equal(text, "key=42");
    free(copy);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failure_has_a_code_and_a_message),
        cmocka_unit_test(a_failure_that_is_passed_up_tells_its_way),
        cmocka_unit_test(a_status_may_be_filled_from_itself),
        cmocka_unit_test(a_long_message_is_cut_at_its_end),
        cmocka_unit_test(nobody_need_want_to_know),
        cmocka_unit_test(each_code_has_a_name_of_its_own),
        cmocka_unit_test(new_memory_is_zeroed_and_never_null),
        cmocka_unit_test(strings_are_copied_and_formatted),
    };
    return cmocka_run_group_tests_name("status", tests, NULL, NULL);
}
