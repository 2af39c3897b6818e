/* address_test.c - one address, one run of bytes; and what is no address. */
#include "test.h"

#include "memory.h"
#include "wire/address.h"
#include "wire/protobuf.h"

struct fixture {
    struct arena arena;
    struct sf_status status;
    struct address address;
};

static int set_up(void **state)
{
    *state = mem_new(sizeof(struct fixture));
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    arena_destroy(&f->arena);
    free(f);
    return 0;
}

static void expect(const struct address *address, const char *ns, const char *name, const char *id)
{
    assert_bytes(address->ns, ns);
    assert_bytes(address->name, name);
    assert_bytes(address->id, id);
}

static void make(struct fixture *f, const char *ns, const char *name, const char *id)
{
    assert_good(address_make(bytes_of(ns), bytes_of(name), bytes_of(id), &f->arena, &f->address,
                             &f->status),
                &f->status);
}

static bool parses(const char *text, size_t size)
{
    struct address address;
    struct bytes copy = copy_exactly(bytes_make(text, size));
    bool good = address_parse(copy, &address);
    copy_free(copy);
    return good;
}

#define PARSES(text) parses((text), sizeof(text) - 1)

static void an_address_is_made_of_its_parts_in_order(void **state)
{
    struct fixture *f = *state;
    make(f, "com.example", "greeter", "ann");
    expect(&f->address, "com.example", "greeter", "ann");
    assert_true(bytes_equal(f->address.wire, BYTES_LITERAL("\x0a\x0b"
                                                           "com.example"
                                                           "\x12\x07"
                                                           "greeter"
                                                           "\x1a\x03"
                                                           "ann")));
    assert_int_equal(f->address.type.size, f->address.wire.size - 5);
    assert_ptr_equal(f->address.type.data, f->address.wire.data);
}

/* As proto3 leaves out what is empty. */
static void empty_parts_are_left_out(void **state)
{
    struct fixture *f = *state;
    make(f, "", "greeter", "");
    expect(&f->address, "", "greeter", "");
    assert_true(bytes_equal(f->address.wire, BYTES_LITERAL("\x12\x07"
                                                           "greeter")));
    assert_true(bytes_equal(f->address.type, f->address.wire));

    make(f, "a", "", "b");
    expect(&f->address, "a", "", "b");
    assert_int_equal(f->address.type.size, 3);

    make(f, "", "", "");
    expect(&f->address, "", "", "");
    assert_int_equal(f->address.wire.size, 0);
}

static void two_ids_of_one_function_share_the_bytes_of_their_type(void **state)
{
    struct fixture *f = *state;
    make(f, "a", "b", "1");
    struct address first = f->address;
    make(f, "a", "b", "another one");
    assert_true(bytes_equal(first.type, f->address.type));
    assert_false(bytes_equal(first.wire, f->address.wire));
    make(f, "a", "bb", "1");
    assert_false(bytes_equal(first.type, f->address.type));
}

static void what_was_made_can_be_parsed(void **state)
{
    struct fixture *f = *state;
    make(f, "com.example", "greeter", "j\xc3\xbcrgen / \x01");
    struct bytes copy = copy_exactly(f->address.wire);
    struct address parsed;
    assert_true(address_parse(copy, &parsed));
    expect(&parsed, "com.example", "greeter", "j\xc3\xbcrgen / \x01");
    assert_ptr_equal(parsed.wire.data, copy.data);
    copy_free(copy);
}

static void bytes_that_are_not_canonical_are_not_parsed(void **state)
{
    (void)state;
    assert_true(PARSES("\x0a\x01"
                       "a\x12\x01"
                       "b\x1a\x01"
                       "c"));
    assert_false(PARSES("\x12\x01"
                        "b\x0a\x01"
                        "a")); /* out of order */
    assert_false(PARSES("\x0a\x01"
                        "a\x0a\x01"
                        "a"));        /* twice */
    assert_false(PARSES("\x0a\x00")); /* empty, but there */
    assert_false(PARSES("\x0a\x81\x00"
                        "a")); /* a length longer than it need be */
    assert_false(PARSES("\x8a\x00\x01"
                        "a")); /* a tag likewise */
    assert_false(PARSES("\x0a\x01"
                        "a\x22\x01"
                        "x"));        /* an unknown field */
    assert_false(PARSES("\x08\x01")); /* a number */
    assert_false(PARSES("\x0a\x02"
                        "a"));        /* cut off */
    assert_false(PARSES("\x0b\x0c")); /* a group */
    assert_false(PARSES("\x0a\x01"
                        "a\x0b\x0c"));
}

/* A sender may write what it likes, as long as it is protobuf; the instance is the same. */
static void any_way_of_writing_an_address_is_read_into_the_one_form(void **state)
{
    struct fixture *f = *state;
    make(f, "a", "b", "c");
    struct bytes canonical = f->address.wire;
    static const struct {
        const char *text;
        size_t size;
    } ways[] = {
#define WAY(text) {(text), sizeof(text) - 1}
        WAY("\x0a\x01"
            "a\x12\x01"
            "b\x1a\x01"
            "c"),
        WAY("\x1a\x01"
            "c\x12\x01"
            "b\x0a\x01"
            "a"),
        WAY("\x0a\x01"
            "x\x0a\x01"
            "a\x12\x01"
            "b\x1a\x01"
            "c"),
        WAY("\x0a\x81\x00"
            "a\x12\x01"
            "b\x1a\x01"
            "c"),
        WAY("\x0a\x01"
            "a\x12\x01"
            "b\x1a\x01"
            "c\x22\x03"
            "new"),
        WAY("\x0a\x01"
            "a\x12\x01"
            "b\x1a\x01"
            "c\x2b\x2c"),
        WAY("\x08\x05\x0a\x01"
            "a\x12\x01"
            "b\x1a\x01"
            "c"),
#undef WAY
    };
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        struct bytes copy = copy_exactly(bytes_make(ways[i].text, ways[i].size));
        struct address address;
        assert_good(address_read(copy, &f->arena, &address, &f->status), &f->status);
        assert_true(bytes_equal(address.wire, canonical));
        expect(&address, "a", "b", "c");
        copy_free(copy);
    }
}

static void a_canonical_address_is_read_without_a_copy(void **state)
{
    struct fixture *f = *state;
    struct bytes wire = BYTES_LITERAL("\x12\x01"
                                      "b\x1a\x01"
                                      "c");
    assert_good(address_read(wire, &f->arena, &f->address, &f->status), &f->status);
    assert_ptr_equal(f->address.wire.data, wire.data);
    assert_null(f->arena.blocks);
}

static void an_explicitly_empty_part_is_read_as_a_missing_one(void **state)
{
    struct fixture *f = *state;
    assert_good(address_read(BYTES_LITERAL("\x0a\x00\x12\x01"
                                           "b\x1a\x00"),
                             &f->arena, &f->address, &f->status),
                &f->status);
    expect(&f->address, "", "b", "");
    assert_int_equal(f->address.wire.size, 3);
}

static void malformed_bytes_are_no_address(void **state)
{
    struct fixture *f = *state;
    assert_false(address_read(BYTES_LITERAL("\x0a\x05"
                                            "a"),
                              &f->arena, &f->address, &f->status));
    assert_int_equal(f->status.code, SF_INVALID);
    assert_mentions(f->status.message, "protobuf");
    assert_false(address_read(BYTES_LITERAL("\x0a\x01"
                                            "a\x07"),
                              &f->arena, &f->address, &f->status));
}

static void an_address_is_utf8(void **state)
{
    struct fixture *f = *state;
    static const char *const bad[] = {"\xff", "\xc3", "\xc0\x80", "\xed\xa0\x80", "a\x80"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        for (int part = 0; part < 3; part++) {
            struct bytes parts[3] = {bytes_of("a"), bytes_of("b"), bytes_of("c")};
            parts[part] = bytes_of(bad[i]);
            assert_false(
                address_make(parts[0], parts[1], parts[2], &f->arena, &f->address, &f->status));
            assert_mentions(f->status.message, "UTF-8");

            struct buffer wire = {0};
            for (uint32_t j = 0; j < 3; j++)
                pb_add_bytes(&wire, j + 1, parts[j]);
            assert_false(address_read(buffer_bytes(&wire), &f->arena, &f->address, &f->status));
            assert_mentions(f->status.message, "UTF-8");
            pb_add_uint(&wire, 9, 1); /* not canonical any more */
            assert_false(address_read(buffer_bytes(&wire), &f->arena, &f->address, &f->status));
            assert_mentions(f->status.message, "UTF-8");
            buffer_destroy(&wire);
        }
}

static void an_address_has_a_limit_in_bytes(void **state)
{
    struct fixture *f = *state;
    char *id = mem_new(ADDRESS_BYTES_MAX);
    memset(id, 'x', ADDRESS_BYTES_MAX);
    struct bytes a = bytes_of("a"), b = bytes_of("b");
    enum {
        MOST = ADDRESS_BYTES_MAX - 3 - 3 - 3
    }; /* two parts of one byte, a tag, a length of two */

    assert_good(address_make(a, b, bytes_make(id, MOST), &f->arena, &f->address, &f->status),
                &f->status);
    assert_int_equal(f->address.wire.size, ADDRESS_BYTES_MAX);
    struct address read;
    assert_good(address_read(f->address.wire, &f->arena, &read, &f->status), &f->status);

    assert_false(address_make(a, b, bytes_make(id, MOST + 1), &f->arena, &f->address, &f->status));
    assert_int_equal(f->status.code, SF_INVALID);
    assert_mentions(f->status.message, "4096");

    struct buffer wire = {0};
    pb_add_bytes(&wire, 1, a);
    pb_add_bytes(&wire, 2, b);
    pb_add_bytes(&wire, 3, bytes_make(id, MOST + 1));
    assert_false(address_read(buffer_bytes(&wire), &f->arena, &read, &f->status));
    assert_mentions(f->status.message, "4096");
    buffer_destroy(&wire);
    free(id);
}

static void padding_does_not_count_towards_the_limit(void **state)
{
    struct fixture *f = *state;
    struct buffer wire = {0};
    pb_add_bytes(&wire, 2, bytes_of("b"));
    for (int i = 0; i < ADDRESS_BYTES_MAX; i++)
        pb_add_uint(&wire, 9, 1);
    assert_good(address_read(buffer_bytes(&wire), &f->arena, &f->address, &f->status), &f->status);
    expect(&f->address, "", "b", "");
    buffer_destroy(&wire);
}

static void an_address_has_a_text_for_people(void **state)
{
    struct fixture *f = *state;
    struct buffer text = {0};
    make(f, "com.example", "greeter", "ann");
    address_add_text(&text, f->address.wire);
    assert_string_equal(buffer_text(&text), "com.example/greeter/ann");

    buffer_clear(&text);
    address_add_text(&text, BYTES_LITERAL("\xff"));
    assert_string_equal(buffer_text(&text), "(not an address)");
    buffer_destroy(&text);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_address_is_made_of_its_parts_in_order),
        TEST(empty_parts_are_left_out),
        TEST(two_ids_of_one_function_share_the_bytes_of_their_type),
        TEST(what_was_made_can_be_parsed),
        TEST(bytes_that_are_not_canonical_are_not_parsed),
        TEST(any_way_of_writing_an_address_is_read_into_the_one_form),
        TEST(a_canonical_address_is_read_without_a_copy),
        TEST(an_explicitly_empty_part_is_read_as_a_missing_one),
        TEST(malformed_bytes_are_no_address),
        TEST(an_address_is_utf8),
        TEST(an_address_has_a_limit_in_bytes),
        TEST(padding_does_not_count_towards_the_limit),
        TEST(an_address_has_a_text_for_people),
    };
    return cmocka_run_group_tests_name("address", tests, NULL, NULL);
}
