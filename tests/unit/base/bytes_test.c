/* bytes_test.c - borrowed and owned bytes. */
#include "test.h"

#include "base/bytes.h"
#include "memory.h"

static void runs_of_bytes_are_compared_as_a_dictionary_does(void **state)
{
    (void)state;
    static const char *const sorted[] = {"", "a", "aa", "ab", "b", "\x7f", "\x80", "\xff"};
    for (int i = 0; i < 8; i++)
        for (int j = 0; j < 8; j++) {
            int order = bytes_compare(bytes_of(sorted[i]), bytes_of(sorted[j]));
            assert_int_equal((order > 0) - (order < 0), (i > j) - (i < j));
            assert_int_equal(bytes_equal(bytes_of(sorted[i]), bytes_of(sorted[j])), i == j);
        }
}

static void bytes_are_equal_if_each_of_them_is(void **state)
{
    enum { MOST = 70 };
    uint8_t a[MOST], b[MOST];
    (void)state;
    for (size_t size = 0; size <= MOST; size++) {
        memset(a, 'x', sizeof a);
        memcpy(b, a, size);
        assert_true(bytes_equal(bytes_make(a, size), bytes_make(b, size)));
        for (size_t i = 0; i < size; i++) {
            b[i] = 'y';
            assert_false(bytes_equal(bytes_make(a, size), bytes_make(b, size)));
            b[i] = 'x';
        }
    }
}

static void no_bytes_are_equal_wherever_they_are(void **state)
{
    (void)state;
    struct bytes nothing = {0};
    assert_true(bytes_equal(nothing, bytes_of("")));
    assert_int_equal(bytes_compare(nothing, bytes_of("")), 0);
    assert_true(bytes_compare(nothing, bytes_of("a")) < 0);
    assert_true(bytes_is(nothing, ""));
    assert_true(bytes_starts_with(nothing, nothing));
    assert_int_equal(bytes_from(nothing, 0).size, 0);
    assert_true(bytes_are_utf8(nothing));
}

static void a_beginning_is_recognised(void **state)
{
    (void)state;
    struct bytes all = bytes_of("statefun");
    assert_true(bytes_starts_with(all, bytes_of("state")));
    assert_true(bytes_starts_with(all, bytes_of("")));
    assert_true(bytes_starts_with(all, all));
    assert_false(bytes_starts_with(all, bytes_of("stat ")));
    assert_false(bytes_starts_with(bytes_of("state"), all));
    assert_bytes(bytes_from(all, 5), "fun");
    assert_bytes(bytes_from(all, 8), "");
}

static void bytes_become_a_string(void **state)
{
    (void)state;
    struct bytes copy = copy_exactly(bytes_of("abc"));
    char *text = bytes_string(copy);
    assert_string_equal(text, "abc");
    free(text);
    copy_free(copy);
    text = bytes_string((struct bytes){0});
    assert_string_equal(text, "");
    free(text);
}

static bool is_utf8(const char *text, size_t size)
{
    struct bytes copy = copy_exactly(bytes_make(text, size));
    bool good = bytes_are_utf8(copy);
    copy_free(copy);
    return good;
}

#define UTF8(text) is_utf8((text), sizeof(text) - 1)

static void well_formed_utf8_is_told_from_the_rest(void **state)
{
    (void)state;
    assert_true(UTF8("plain"));
    assert_true(UTF8("a\0b"));
    assert_true(UTF8("\xc2\x80 \xdf\xbf"));                      /* U+0080, U+07FF */
    assert_true(UTF8("\xe0\xa0\x80 \xed\x9f\xbf \xee\x80\x80")); /* U+0800, U+D7FF, U+E000 */
    assert_true(UTF8("\xf0\x90\x80\x80 \xf4\x8f\xbf\xbf"));      /* U+10000, U+10FFFF */

    assert_false(UTF8("\x80"));             /* continues nothing */
    assert_false(UTF8("\xc0\x80"));         /* overlong */
    assert_false(UTF8("\xc1\xbf"));         /* ... */
    assert_false(UTF8("\xe0\x9f\xbf"));     /* ... */
    assert_false(UTF8("\xf0\x8f\xbf\xbf")); /* ... */
    assert_false(UTF8("\xed\xa0\x80"));     /* a surrogate */
    assert_false(UTF8("\xed\xbf\xbf"));     /* ... */
    assert_false(UTF8("\xf4\x90\x80\x80")); /* beyond U+10FFFF */
    assert_false(UTF8("\xf5\x80\x80\x80"));
    assert_false(UTF8("\xff"));
    assert_false(UTF8("\xc3"));         /* cut off */
    assert_false(UTF8("\xe2\x82"));     /* ... */
    assert_false(UTF8("\xf0\x9f\x98")); /* ... */
    assert_false(UTF8("\xe2\x28\xa1"));
    assert_false(UTF8("\xe2\x82("));
    assert_false(UTF8("ok\xc3 ok"));
}

/* Every sequence of two bytes, against the rule written out. */
static void two_bytes_are_judged_by_the_book(void **state)
{
    (void)state;
    for (unsigned first = 0; first < 256; first++)
        for (unsigned second = 0; second < 256; second++) {
            uint8_t both[] = {(uint8_t)first, (uint8_t)second};
            bool expected = (first < 0x80 && second < 0x80) ||
                            (first >= 0xc2 && first <= 0xdf && second >= 0x80 && second <= 0xbf);
            assert_int_equal(bytes_are_utf8(bytes_make(both, 2)), expected);
        }
}

/* --- buffers --- */

static void one_bad_byte_is_found_wherever_it_is(void **state)
{
    (void)state;
    uint8_t text[40];
    for (size_t size = 1; size <= sizeof text; size++) {
        memset(text, 'x', sizeof text);
        assert_true(bytes_are_utf8(bytes_make(text, size)));
        for (size_t i = 0; i < size; i++) {
            text[i] = 0x80;
            assert_false(bytes_are_utf8(bytes_make(text, size)));
            if (i > 0) { /* but with what it belongs to */
                text[i - 1] = 0xc3;
                assert_true(bytes_are_utf8(bytes_make(text, size)));
                text[i - 1] = 'x';
            }
            text[i] = 'x';
        }
    }
}

static void so_many_bytes_are_put_as_there_are(void **state)
{
    (void)state;
    uint8_t from[40], to[42];
    for (size_t i = 0; i < sizeof from; i++)
        from[i] = (uint8_t)(i + 1);
    for (size_t size = 0; size <= sizeof from; size++) {
        memset(to, 0, sizeof to);
        assert_ptr_equal(bytes_put(to + 1, bytes_make(from, size)), to + 1 + size);
        assert_memory_equal(to + 1, from, size);
        assert_int_equal(to[0], 0);
        assert_int_equal(to[1 + size], 0);
    }
    assert_ptr_equal(bytes_put(to, (struct bytes){0}), to);
}

static void a_buffer_grows_with_what_is_added(void **state)
{
    (void)state;
    struct buffer buffer = {0};
    buffer_add_text(&buffer, "text ");
    buffer_add_u8(&buffer, '8');
    buffer_add(&buffer, NULL, 0);
    buffer_add_bytes(&buffer, (struct bytes){0});
    buffer_add_format(&buffer, " %s=%d", "key", 42);
    assert_bytes(buffer_bytes(&buffer), "text 8 key=42");
    for (int i = 0; i < 100000; i++)
        buffer_add_u8(&buffer, (uint8_t)i);
    assert_int_equal(buffer.size, 13 + 100000);
    for (int i = 0; i < 100000; i++)
        assert_int_equal(buffer.data[13 + i], (uint8_t)i);
    buffer_destroy(&buffer);
    assert_null(buffer.data);
    buffer_destroy(&buffer);
}

static void a_long_format_fits(void **state)
{
    (void)state;
    struct buffer buffer = {0};
    for (int width = 1; width < 2000; width += 61) {
        buffer_clear(&buffer);
        buffer_add_format(&buffer, "%*d", width, 7);
        assert_int_equal(buffer.size, width);
        assert_int_equal(buffer.data[width - 1], '7');
    }
    buffer_destroy(&buffer);
}

static void a_buffers_text_ends_without_counting_the_end(void **state)
{
    (void)state;
    struct buffer buffer = {0};
    assert_string_equal(buffer_text(&buffer), "");
    buffer_add_text(&buffer, "abc");
    assert_string_equal(buffer_text(&buffer), "abc");
    assert_int_equal(buffer.size, 3);
    buffer_add_text(&buffer, "def");
    assert_string_equal(buffer_text(&buffer), "abcdef");
    buffer_destroy(&buffer);
}

static void a_text_is_quoted_as_json_wants_it(void **state)
{
    (void)state;
    const struct {
        struct bytes text;
        const char *quoted;
    } cases[] = {
        {{0}, "\"\""},
        {BYTES_LITERAL("plain"), "\"plain\""},
        {BYTES_LITERAL("\"\\/"), "\"\\\"\\\\/\""},
        {BYTES_LITERAL("a\nb\tc\0\x7f"), "\"a\\nb\\u0009c\\u0000\\u007f\""},
        {BYTES_LITERAL("\xc3\xbc\xe2\x98\x83"), "\"\xc3\xbc\xe2\x98\x83\""},
        {BYTES_LITERAL("\xc3\xbc\xff"), "\"\\u00c3\\u00bc\\u00ff\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buffer json = {0};
        buffer_add_quoted(&json, cases[i].text);
        assert_bytes(buffer_bytes(&json), cases[i].quoted);
        buffer_destroy(&json);
    }
}

static void what_is_dropped_is_the_beginning(void **state)
{
    (void)state;
    struct buffer buffer = {0};
    buffer_add_text(&buffer, "abcdef");
    buffer_drop(&buffer, 0);
    buffer_drop(&buffer, 2);
    assert_bytes(buffer_bytes(&buffer), "cdef");
    buffer_drop(&buffer, 4);
    assert_int_equal(buffer.size, 0);
    buffer_drop(&buffer, 0);
    buffer_destroy(&buffer);
}

static void room_is_made_once(void **state)
{
    (void)state;
    struct buffer buffer = {0};
    uint8_t *room = buffer_reserve(&buffer, 1000);
    assert_true(buffer.capacity >= 1000);
    assert_int_equal(buffer.size, 0);
    assert_ptr_equal(buffer_reserve(&buffer, 1000), room);
    buffer_destroy(&buffer);
}

static void numbers_are_big_endian(void **state)
{
    (void)state;
    struct buffer buffer = {0};
    buffer_add_u16(&buffer, 0x0102);
    buffer_add_u32(&buffer, 0x03040506);
    buffer_add_u64(&buffer, 0x0708090a0b0c0d0e);
    for (uint8_t i = 0; i < 14; i++)
        assert_int_equal(buffer.data[i], i + 1);
    assert_int_equal(u16_get(buffer.data), 0x0102);
    assert_int_equal(u32_get(buffer.data + 2), 0x03040506);
    assert_int_equal(u64_get(buffer.data + 6), 0x0708090a0b0c0d0e);
    uint8_t most[8];
    u64_put(most, UINT64_MAX);
    assert_int_equal(u64_get(most), UINT64_MAX);
    u16_put(most, 0xfffe);
    assert_int_equal(u16_get(most), 0xfffe);
    buffer_destroy(&buffer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(runs_of_bytes_are_compared_as_a_dictionary_does),
        cmocka_unit_test(bytes_are_equal_if_each_of_them_is),
        cmocka_unit_test(no_bytes_are_equal_wherever_they_are),
        cmocka_unit_test(a_beginning_is_recognised),
        cmocka_unit_test(bytes_become_a_string),
        cmocka_unit_test(well_formed_utf8_is_told_from_the_rest),
        cmocka_unit_test(two_bytes_are_judged_by_the_book),
        cmocka_unit_test(one_bad_byte_is_found_wherever_it_is),
        cmocka_unit_test(so_many_bytes_are_put_as_there_are),
        cmocka_unit_test(a_buffer_grows_with_what_is_added),
        cmocka_unit_test(a_long_format_fits),
        cmocka_unit_test(a_buffers_text_ends_without_counting_the_end),
        cmocka_unit_test(a_text_is_quoted_as_json_wants_it),
        cmocka_unit_test(what_is_dropped_is_the_beginning),
        cmocka_unit_test(room_is_made_once),
        cmocka_unit_test(numbers_are_big_endian),
    };
    return cmocka_run_group_tests_name("bytes", tests, NULL, NULL);
}
