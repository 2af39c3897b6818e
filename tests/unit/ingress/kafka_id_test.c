/* kafka_id_test.c - ids out of bytes: what Java's String(bytes, UTF_8) makes of them. The expected
 * values were taken from OpenJDK 17; R stands for U+FFFD. */
#include "ingress/kafka_inside.h"

#include "test.h"

#define R "\xef\xbf\xbd"

static void expect_id(struct bytes bytes, const char *expected)
{
    struct buffer text = {0};
    kafka_id_add(&text, bytes);
    assert_bytes(buffer_bytes(&text), expected);
    assert_true(bytes_are_utf8(buffer_bytes(&text)));
    buffer_destroy(&text);
}

static void text_stays_as_it_is(void **state)
{
    (void)state;
    expect_id(bytes_of(""), "");
    expect_id(bytes_of("ann"), "ann");
    expect_id(bytes_of("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"),
              "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80");
    expect_id(bytes_of("\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"),
              "\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf\xf0\x90\x80\x80\xf4\x8f\xbf\xbf");
}

static void each_malformed_part_becomes_one_replacement(void **state)
{
    (void)state;
    static const struct {
        const char *bytes, *expected;
    } cases[] = {
        {"\x80", R},
        {"\xff\xfe", R R},
        {"\xc0\x80", R R},       /* overlong */
        {"\xc1\xbf", R R},       /* overlong */
        {"a\xc3", "a" R},        /* cut off */
        {"\xc3z", R "z"},        /* not continued */
        {"\xe0\x80\x80", R R R}, /* overlong */
        {"\xe2\x82", R},         /* cut off: one part */
        {"\xe2\x82z", R "z"},    /* not continued: one part */
        {"\xe2z\x82", R "z" R},  /* */
        {"\xed\xa0\x80", R},     /* a surrogate by itself: one part */
        {"\xed\xa0", R},         /* */
        {"\xf0\x80\x80\x80", R R R R},
        {"\xf0\x9f\x98", R},
        {"\xf0\x9f\x98z", R "z"},
        {"\xf0\x9fz", R "z"},
        {"\xf4\x90\x80\x80", R R R R}, /* beyond U+10FFFF */
        {"\xf5\x80\x80\x80", R R R R},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect_id(bytes_of(cases[i].bytes), cases[i].expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_stays_as_it_is),
        cmocka_unit_test(each_malformed_part_becomes_one_replacement),
    };
    return cmocka_run_group_tests_name("kafka id", tests, NULL, NULL);
}
