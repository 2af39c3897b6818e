#include "test.h"

#include "spec/value.h"

enum { BAD = -1 };

struct number_case {
    const char *text;
    int64_t value; /* BAD: refused */
};

static void check(const struct number_case *cases, size_t count,
                  bool (*parse)(const char *, uint64_t *, struct sf_status *))
{
    for (size_t i = 0; i < count; i++) {
        uint64_t value = 0;
        struct sf_status status = {0};
        bool good = parse(cases[i].text, &value, &status);
        if (good != (cases[i].value != BAD))
            fail_msg("'%s' was %s: %s", cases[i].text, good ? "taken" : "refused", status.message);
        if (good && value != (uint64_t)cases[i].value)
            fail_msg("'%s' became %llu", cases[i].text, (unsigned long long)value);
        if (!good)
            assert_mentions(status.message, "a ");
    }
}

static void durations_have_flinks_spellings(void **state)
{
    (void)state;
    static const struct number_case cases[] = {
        {"0", 0},
        {"10", 10},
        {"10ms", 10},
        {"10 ms", 10},
        {" 10\tms ", 10},
        {"10 MS", 10},
        {"3milli", 3},
        {"3millis", 3},
        {"3millisecond", 3},
        {"3milliseconds", 3},
        {"2s", 2000},
        {"2sec", 2000},
        {"2 secs", 2000},
        {"2second", 2000},
        {"2 Seconds", 2000},
        {"2m", 120000},
        {"2min", 120000},
        {"2minute", 120000},
        {"2minutes", 120000},
        {"2h", 7200000},
        {"2hour", 7200000},
        {"2hours", 7200000},
        {"2d", 172800000},
        {"2day", 172800000},
        {"2days", 172800000},
        {"5000\xc2\xb5s", 5},
        {"5000micro", 5},
        {"5000micros", 5},
        {"5000microsecond", 5},
        {"5999microseconds", 5},
        {"5000000ns", 5},
        {"5000000nano", 5},
        {"5000000nanos", 5},
        {"5000000nanosecond", 5},
        {"5000000nanoseconds", 5},
        {"0ns", 0},
        {"9223372036854775807ms", INT64_MAX},
        {"9223372036854775808ms", BAD},
        {"9223372036854776s", BAD},
        {"99999999999999999999", BAD},
        {"999ns", BAD},
        {"5us", BAD},
        {"5msec", BAD},
        {"5w", BAD},
        {"5weeks", BAD},
        {"1.5s", BAD},
        {"-5s", BAD},
        {"+5s", BAD},
        {"", BAD},
        {" ", BAD},
        {"s", BAD},
        {"5s5", BAD},
        {"5 s s", BAD},
    };
    check(cases, sizeof cases / sizeof *cases, duration_parse);
}

static void sizes_have_flinks_spellings(void **state)
{
    (void)state;
    static const struct number_case cases[] = {
        {"4096", 4096},
        {"4096b", 4096},
        {"7 bytes", 7},
        {"1k", 1024},
        {"2KB", 2048},
        {"2kib", 2048},
        {"2 kibibytes", 2048},
        {"64m", 67108864},
        {"64MB", 67108864},
        {"64 MB", 67108864},
        {"64 mebibytes", 67108864},
        {"1g", 1073741824},
        {"1GiB", 1073741824},
        {"1 gibibytes", 1073741824},
        {"1t", 1099511627776},
        {"1tb", 1099511627776},
        {"8388608t", BAD},
        {"1.5g", BAD},
        {"g", BAD},
        {"", BAD},
        {"-1", BAD},
        {"1 x", BAD},
        {"1 mbit", BAD},
    };
    check(cases, sizeof cases / sizeof *cases, size_parse);
}

static void integers_are_whole_and_fit(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool good;
        int64_t value;
    } cases[] = {
        {"0", true, 0},
        {"-7", true, -7},
        {"+7", true, 7},
        {"9223372036854775807", true, INT64_MAX},
        {"-9223372036854775808", true, INT64_MIN},
        {"9223372036854775808", false, 0},
        {"-9223372036854775809", false, 0},
        {"", false, 0},
        {"-", false, 0},
        {"1x", false, 0},
        {" 1", false, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t value = 0;
        assert_int_equal(integer_parse(cases[i].text, &value), cases[i].good);
        if (cases[i].good)
            assert_true(value == cases[i].value);
    }
}

static void typenames_split_at_their_one_slash(void **state)
{
    (void)state;
    static const struct {
        const char *text, *ns, *name; /* ns NULL: refused */
    } cases[] = {
        {"shop/cart", "shop", "cart"},
        {"a.b.c/d.e", "a.b.c", "d.e"},
        {"a/b/", "a", "b"},
        {"a/b//", "a", "b"},
        {"/b", "", "b"},
        {"a", NULL, NULL},
        {"", NULL, NULL},
        {"/", NULL, NULL},
        {"a/", NULL, NULL},
        {"a//b", NULL, NULL},
        {"a/b/c", NULL, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bytes ns, name;
        struct sf_status status;
        bool good = typename_parse(cases[i].text, &ns, &name, &status);
        assert_int_equal(good, cases[i].ns != NULL);
        if (good) {
            assert_bytes(ns, cases[i].ns);
            assert_bytes(name, cases[i].name);
        } else {
            assert_mentions(status.message, "<namespace>/<name>");
        }
    }

    char text[2000];
    struct bytes ns, name;
    struct sf_status status;
    memset(text, 'a', sizeof text);
    memcpy(text, "a/", 2);
    text[1024] = '\0';
    assert_true(typename_parse(text, &ns, &name, &status));
    text[1024] = 'a';
    text[1025] = '\0';
    assert_false(typename_parse(text, &ns, &name, &status));
    assert_mentions(status.message, "at most 1024 bytes");
}

static void dates_have_three_digits_and_a_numeric_zone(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ms; /* BAD: refused */
    } cases[] = {
        {"1970-01-01 00:00:00.000 +0000", 0},
        {"2020-02-01 04:15:00.000 +0000", 1580530500000},
        {"2020-02-01 04:15:00.123 +0000", 1580530500123},
        {"2020-02-01 05:15:00.000 +0100", 1580530500000},
        {"2020-02-01 00:45:00.000 -0330", 1580530500000},
        {"2020-02-29 00:00:00.000 +0000", 1582934400000},
        {"2023-05-01 00:00:00.000 +0000", 1682899200000},
        {"2020-02-01 04:15:00.000 +1800", 1580465700000},
        {"2020-02-01 04:15:00.00 Z", BAD}, /* the sample of upstream's documentation */
        {"2020-02-01 04:15:00.000 Z", BAD},
        {"2020-02-01 04:15:00.000", BAD},
        {"2020-02-01 04:15:00 +0000", BAD},
        {"2020-02-01T04:15:00.000 +0000", BAD},
        {"2020-2-1 04:15:00.000 +0000", BAD},
        {"2020-02-01 04:15:00.000 +00:00", BAD},
        {"2020-02-01 04:15:00.000 +0000x", BAD},
        {"2020-02-30 04:15:00.000 +0000", BAD},
        {"2021-02-29 00:00:00.000 +0000", BAD},
        {"2020-13-01 04:15:00.000 +0000", BAD},
        {"2020-00-01 04:15:00.000 +0000", BAD},
        {"2020-01-01 24:00:00.000 +0000", BAD},
        {"2020-01-01 04:60:00.000 +0000", BAD},
        {"2020-01-01 04:15:60.000 +0000", BAD},
        {"2020-02-01 04:15:00.000 +1801", BAD},
        {"2020-02-01 04:15:00.000 +0060", BAD},
        {"0000-01-01 00:00:00.000 +0000", BAD},
        {"", BAD},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t ms = 0;
        struct sf_status status = {0};
        bool good = date_parse(cases[i].text, &ms, &status);
        if (good != (cases[i].ms != BAD))
            fail_msg("'%s' was %s", cases[i].text, good ? "taken" : "refused");
        if (good)
            assert_true(ms == cases[i].ms);
    }
}

static void partitions_follow_the_last_slash(void **state)
{
    (void)state;
    struct bytes topic;
    int32_t partition;
    struct sf_status status;
    assert_true(topic_partition_parse("orders/12", &topic, &partition, &status));
    assert_bytes(topic, "orders");
    assert_int_equal(partition, 12);
    assert_true(topic_partition_parse("a/b/2147483647", &topic, &partition, &status));
    assert_bytes(topic, "a/b");

    static const char *const bad[] = {
        "orders", "/1", "orders/", "orders/x", "orders/-1", "orders/2147483648", ""};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(topic_partition_parse(bad[i], &topic, &partition, &status));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations_have_flinks_spellings),
        cmocka_unit_test(sizes_have_flinks_spellings),
        cmocka_unit_test(integers_are_whole_and_fit),
        cmocka_unit_test(typenames_split_at_their_one_slash),
        cmocka_unit_test(dates_have_three_digits_and_a_numeric_zone),
        cmocka_unit_test(partitions_follow_the_last_slash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
