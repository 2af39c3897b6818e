#include "test.h"

#include "kinesis/profile.h"

static const char text[] = "outside = 1\n"
                           "[default]\r\n"
                           "key = of default\r\n"
                           "# key = of a comment\n"
                           "empty =\n"
                           "\n"
                           "  [ work ]  \n"
                           "; key = of another\n"
                           "  key=a=b  \n"
                           "[profile play]\n"
                           "key = of play\n"
                           "[work]\n"
                           "key = too late\n"
                           "last = without an end";

static void assert_value(const char *profile, const char *key, const char *expected)
{
    char *value = profile_value(bytes_of(text), profile, key);
    if (expected)
        assert_string_equal(value, expected);
    else
        assert_null(value);
    free(value);
}

static void a_value_is_found_in_its_section(void **state)
{
    (void)state;
    assert_value("default", "key", "of default");
    assert_value("work", "key", "a=b");
    assert_value("play", "key", "of play");
    assert_value("work", "last", "without an end");
}

static void what_is_not_there_is_not_found(void **state)
{
    (void)state;
    assert_value("default", "outside", NULL);
    assert_value("default", "empty", NULL);
    assert_value("default", "last", NULL);
    assert_value("other", "key", NULL);
    assert_value("", "key", NULL);
    assert_null(profile_value((struct bytes){0}, "default", "key"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_is_found_in_its_section),
        cmocka_unit_test(what_is_not_there_is_not_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
