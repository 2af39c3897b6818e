/* http_text_test.c - paths, queries and media types. */
#include "test.h"

#include "wire/http.h"

static void a_path_is_split_at_its_slashes(void **state)
{
    (void)state;
    struct bytes segments[3];
    assert_int_equal(http_split_path(bytes_of("/a/b%2Fc/"), segments, 3), 3);
    assert_bytes(segments[0], "a");
    assert_bytes(segments[1], "b%2Fc");
    assert_bytes(segments[2], "");
    assert_int_equal(http_split_path(bytes_of("/a?b/c/d"), segments, 3), 1);
    assert_bytes(segments[0], "a");
    assert_int_equal(http_split_path(bytes_of("/a/b/c/d/e"), segments, 2), 5);
    assert_int_equal(http_split_path(bytes_of("/a/b"), NULL, 0), 2);
    assert_int_equal(http_split_path(bytes_of("/"), segments, 3), 1);
    assert_int_equal(http_split_path(bytes_of("*"), segments, 3), 0);
    assert_int_equal(http_split_path(bytes_of(""), segments, 3), 0);
}

static void a_query_is_found_by_its_name(void **state)
{
    (void)state;
    struct bytes value = bytes_of("untouched");
    assert_true(http_query(bytes_of("/p?ahead"), "ahead", &value));
    assert_bytes(value, "");
    assert_true(http_query(bytes_of("/p?x=1&after=ff&y=2"), "after", &value));
    assert_bytes(value, "ff");
    assert_true(http_query(bytes_of("/p?after=a=b"), "after", &value));
    assert_bytes(value, "a=b");
    assert_true(http_query(bytes_of("/p?after="), "after", &value));
    assert_bytes(value, "");
    static const char *const without[] = {"/p", "/p?", "/after?x", "/p?xafter=1", "/p?x=after", ""};
    for (size_t i = 0; i < sizeof without / sizeof *without; i++)
        assert_false(http_query(bytes_of(without[i]), "after", &value));
}

static void a_media_type_is_told_without_its_parameters_and_in_any_case(void **state)
{
    (void)state;
    assert_bytes(http_media_type(bytes_of("text/plain; charset=UTF-8")), "text/plain");
    assert_bytes(http_media_type(bytes_of("text/plain \t;q=1")), "text/plain");
    assert_bytes(http_media_type(bytes_of("a/b")), "a/b");
    assert_bytes(http_media_type(bytes_of("")), "");
    assert_true(http_is_media_type(bytes_of("Text/PLAIN"), "text/plain"));
    assert_false(http_is_media_type(bytes_of("text/plain2"), "text/plain"));
    assert_false(http_is_media_type(bytes_of("text/plai"), "text/plain"));
}

static void what_is_encoded_is_decoded_to_what_it_was(void **state)
{
    (void)state;
    struct buffer encoded = {0}, decoded = {0};
    http_percent_encode(bytes_of("Az09-._~/?&=% \xc3\xbc"), &encoded);
    assert_bytes(buffer_bytes(&encoded), "Az09-._~%2F%3F%26%3D%25%20%C3%BC");
    buffer_clear(&encoded);
    uint8_t all[256];
    for (size_t i = 0; i < sizeof all; i++)
        all[i] = (uint8_t)i;
    http_percent_encode(bytes_make(all, sizeof all), &encoded);
    assert_true(http_percent_decode(buffer_bytes(&encoded), &decoded));
    assert_true(bytes_equal(buffer_bytes(&decoded), bytes_make(all, sizeof all)));
    buffer_destroy(&encoded);
    buffer_destroy(&decoded);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_path_is_split_at_its_slashes),
        cmocka_unit_test(a_query_is_found_by_its_name),
        cmocka_unit_test(a_media_type_is_told_without_its_parameters_and_in_any_case),
        cmocka_unit_test(what_is_encoded_is_decoded_to_what_it_was),
    };
    return cmocka_run_group_tests_name("http_text", tests, NULL, NULL);
}
