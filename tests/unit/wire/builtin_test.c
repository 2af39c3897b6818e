/* builtin_test.c - values of the built-in types: canonical, or not what SDKs read. */
#include "test.h"

#include "memory.h"
#include "wire/builtin.h"

#define TYPES "io.statefun.types/"

static void a_type_is_built_in_or_it_is_not(void **state)
{
    (void)state;
    assert_int_equal(builtin_of(bytes_of(TYPES "bool")), BUILTIN_BOOL);
    assert_int_equal(builtin_of(bytes_of(TYPES "string")), BUILTIN_STRING);
    assert_int_equal(builtin_of(bytes_of(TYPES "strings")), BUILTIN_NONE);
    assert_int_equal(builtin_of(bytes_of(TYPES)), BUILTIN_NONE);
    assert_int_equal(builtin_of((struct bytes){0}), BUILTIN_NONE);
}

static void numbers_are_wrapped_and_unwrapped(void **state)
{
    (void)state;
    const struct {
        enum builtin builtin;
        uint64_t bits;
        struct bytes value;
    } cases[] = {
        {BUILTIN_BOOL, 1, BYTES_LITERAL("\x08\x01")},
        {BUILTIN_BOOL, 0, {0}},
        {BUILTIN_INT, 0, {0}},
        {BUILTIN_INT, 5, BYTES_LITERAL("\x0d\x05\0\0\0")},
        {BUILTIN_INT, UINT32_MAX, BYTES_LITERAL("\x0d\xff\xff\xff\xff")},
        {BUILTIN_FLOAT, 0x3fc00000, BYTES_LITERAL("\x0d\0\0\xc0\x3f")},
        {BUILTIN_LONG, UINT64_MAX >> 1, BYTES_LITERAL("\x09\xff\xff\xff\xff\xff\xff\xff\x7f")},
        {BUILTIN_DOUBLE, 1ull << 63, BYTES_LITERAL("\x09\0\0\0\0\0\0\0\x80")},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buffer value = {0};
        uint64_t bits;
        builtin_add_bits(&value, cases[i].builtin, cases[i].bits);
        assert_true(bytes_equal(buffer_bytes(&value), cases[i].value));
        assert_true(builtin_bits(cases[i].builtin, cases[i].value, &bits));
        assert_true(bits == cases[i].bits);
        buffer_destroy(&value);
    }
}

static void what_is_canonical_or_of_another_type_passes(void **state)
{
    (void)state;
    struct sf_status status;
    struct bytes infinity = BYTES_LITERAL("\x0d\0\0\x80\x7f"), text;
    assert_good(builtin_check(bytes_of(TYPES "float"), infinity, &status), &status);
    assert_good(builtin_check(bytes_of("any/thing"), infinity, &status), &status);
    assert_good(builtin_check(bytes_of(TYPES "string"), (struct bytes){0}, &status), &status);
    assert_true(builtin_text(BYTES_LITERAL("\x0a\x03h\xc3\xa9"), &text));
    assert_bytes(text, "h\xc3\xa9");
}

/* Java's SDK refuses them: protocol.md 2. */
static void a_form_that_is_not_canonical_is_refused(void **state)
{
    (void)state;
    const struct {
        const char *type;
        struct bytes value;
    } wrong[] = {
        {TYPES "bool", BYTES_LITERAL("\x08\x00")},
        {TYPES "bool", BYTES_LITERAL("\x08\x02")},
        {TYPES "bool", BYTES_LITERAL("\x08\x81\0")},
        {TYPES "int", BYTES_LITERAL("\x0d\0\0\0\0")},
        {TYPES "int", BYTES_LITERAL("\x0d\x05\0\0")},
        {TYPES "int", BYTES_LITERAL("\x08\x05")},
        {TYPES "int", BYTES_LITERAL("\x0d\x05\0\0\0\x18\x01")},
        {TYPES "string", BYTES_LITERAL("\x0a\x00")},
        {TYPES "string", BYTES_LITERAL("\x0a\x01\xff")},
        {TYPES "string", BYTES_LITERAL("\x0a\x81\0x")},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct sf_status status;
        assert_false(builtin_check(bytes_of(wrong[i].type), wrong[i].value, &status));
        assert_mentions(status.message, "not a canonical io.statefun.types/");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_type_is_built_in_or_it_is_not),
        cmocka_unit_test(numbers_are_wrapped_and_unwrapped),
        cmocka_unit_test(what_is_canonical_or_of_another_type_passes),
        cmocka_unit_test(a_form_that_is_not_canonical_is_refused),
    };
    return cmocka_run_group_tests_name("builtin", tests, NULL, NULL);
}
