/* base64_test.c - the examples of RFC 4648. */
#include "test.h"

#include "wire/base64.h"

static void expect(struct bytes bytes, const char *text)
{
    struct buffer found = {0};
    base64_add(&found, bytes);
    assert_bytes(buffer_bytes(&found), text);
    buffer_clear(&found);
    assert_true(base64_decode(bytes_of(text), &found));
    assert_true(bytes_equal(buffer_bytes(&found), bytes));
    buffer_destroy(&found);
}

static void bytes_become_letters_and_padding_and_come_back(void **state)
{
    (void)state;
    expect(bytes_of(""), "");
    expect(bytes_of("f"), "Zg==");
    expect(bytes_of("fo"), "Zm8=");
    expect(bytes_of("foo"), "Zm9v");
    expect(bytes_of("foob"), "Zm9vYg==");
    expect(bytes_of("fooba"), "Zm9vYmE=");
    expect(bytes_of("foobar"), "Zm9vYmFy");
    expect(bytes_make("\xff\xfe\0\xfb", 4), "//4A+w==");
}

static void what_is_no_base64_is_refused(void **state)
{
    static const char *const texts[] = {
        "Z",    "Zg",    "Zg=",  "Zg===", "Z===", "====",    "Zm9v=",
        "Zm-_", "Zm9 v", "Zh==", "Zm9=",  "=Zm9", "Zg==Zg=="};
    struct buffer bytes = {0};
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (base64_decode(bytes_of(texts[i]), &bytes))
            fail_msg("'%s' was read", texts[i]);
    buffer_destroy(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_become_letters_and_padding_and_come_back),
        cmocka_unit_test(what_is_no_base64_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
