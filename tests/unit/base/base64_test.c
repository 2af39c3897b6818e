/* base64_test.c - the examples of RFC 4648. */
#include "test.h"

#include "base/base64.h"

static void expect(struct bytes bytes, const char *text)
{
    struct buffer found = {0};
    base64_add(&found, bytes);
    assert_bytes(buffer_bytes(&found), text);
    buffer_destroy(&found);
}

static void bytes_become_letters_and_padding(void **state)
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

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(bytes_become_letters_and_padding)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
