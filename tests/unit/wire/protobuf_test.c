/* protobuf_test.c - the wire format: what is read, what is refused, and that no byte beyond the end
 * is ever looked at. */
#include "test.h"

#include "memory.h"
#include "wire/protobuf.h"

/* Reads a copy of `bytes` to its end; the number of fields, or -1 if it is malformed. The last
 * field is left in `last`: its bytes are gone by then, their size is not. */
static struct pb_field last;

static int count_fields(struct bytes bytes)
{
    struct bytes copy = copy_exactly(bytes);
    struct pb_reader reader = pb_read(copy);
    int count = 0;
    while (pb_next(&reader, &last))
        count++;
    bool failed = reader.failed;
    copy_free(copy);
    return failed ? -1 : count;
}

#define COUNT(text) count_fields(BYTES_LITERAL(text))

/* --- varints --- */

static bool take(struct bytes bytes, uint64_t *ret_value, size_t *ret_used)
{
    struct bytes copy = copy_exactly(bytes);
    const uint8_t *at = copy.data;
    bool good = pb_take_varint(&at, copy.data + copy.size, ret_value);
    *ret_used = (size_t)(at - copy.data);
    copy_free(copy);
    return good;
}

static void a_varint_of_any_size_is_read_as_it_was_written(void **state)
{
    (void)state;
    for (unsigned bit = 0; bit < 64; bit++) {
        uint64_t power = UINT64_C(1) << bit;
        const uint64_t values[] = {power - 1, power, power + 1, UINT64_MAX - power + 1};
        for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
            uint8_t written[PB_VARINT_MAX];
            size_t size = (size_t)(pb_put_varint(written, values[i]) - written), used;
            uint64_t read;
            assert_int_equal(pb_varint_size(values[i]), size);
            assert_true(take(bytes_make(written, size), &read, &used));
            assert_int_equal(read, values[i]);
            assert_int_equal(used, size);
            for (size_t part = 0; part < size; part++)
                assert_false(take(bytes_make(written, part), &read, &used));
        }
    }
}

static void varints_have_the_bytes_that_everybody_writes(void **state)
{
    (void)state;
    struct buffer buffer = {0};
    pb_add_varint(&buffer, 0);
    pb_add_varint(&buffer, 127);
    pb_add_varint(&buffer, 300);
    pb_add_varint(&buffer, UINT64_MAX);
    assert_true(
        bytes_equal(buffer_bytes(&buffer),
                    BYTES_LITERAL("\x00\x7f\xac\x02\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01")));
    buffer_destroy(&buffer);
}

static void a_varint_ends_after_ten_bytes_or_is_refused(void **state)
{
    (void)state;
    uint64_t value;
    size_t used;
    assert_true(take(BYTES_LITERAL("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), &value, &used));
    assert_int_equal(value, UINT64_MAX);
    assert_false(
        take(BYTES_LITERAL("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), &value, &used));
    assert_false(
        take(BYTES_LITERAL("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00"), &value, &used));
}

/* Other writers pad lengths that they fill in later. */
static void a_varint_may_be_longer_than_it_need_be(void **state)
{
    (void)state;
    uint64_t value;
    size_t used;
    assert_true(take(BYTES_LITERAL("\x81\x80\x00"), &value, &used));
    assert_int_equal(value, 1);
    assert_int_equal(used, 3);
    assert_true(take(BYTES_LITERAL("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00"), &value, &used));
    assert_int_equal(value, 0);
}

static void a_varint_stops_at_its_own_end(void **state)
{
    (void)state;
    uint64_t value;
    size_t used;
    assert_true(take(BYTES_LITERAL("\x05\x06"), &value, &used));
    assert_int_equal(value, 5);
    assert_int_equal(used, 1);
}

/* --- fields --- */

static void each_type_of_field_is_read(void **state)
{
    (void)state;
    static const char message[] = "\x08\x96\x01"
                                  "\x11\x01\x02\x03\x04\x05\x06\x07\x08"
                                  "\x1a\x03"
                                  "abc"
                                  "\x25\x01\x02\x03\x04";
    struct pb_reader reader = pb_read(BYTES_LITERAL(message));
    struct pb_field field;

    assert_true(pb_next(&reader, &field));
    assert_int_equal(field.number, 1);
    assert_int_equal(field.type, PB_VARINT);
    assert_int_equal(field.value, 150);
    assert_true(pb_next(&reader, &field));
    assert_int_equal(field.number, 2);
    assert_int_equal(field.type, PB_FIXED64);
    assert_int_equal(field.value, 0x0807060504030201);
    assert_true(pb_next(&reader, &field));
    assert_int_equal(field.number, 3);
    assert_int_equal(field.type, PB_BYTES);
    assert_bytes(field.bytes, "abc");
    assert_true(pb_next(&reader, &field));
    assert_int_equal(field.number, 4);
    assert_int_equal(field.type, PB_FIXED32);
    assert_int_equal(field.value, 0x04030201);
    assert_false(pb_next(&reader, &field));
    assert_false(reader.failed);
}

static void an_empty_message_has_no_fields(void **state)
{
    (void)state;
    assert_int_equal(COUNT(""), 0);
    struct pb_reader reader = pb_read((struct bytes){0});
    assert_false(pb_next(&reader, &last));
    assert_false(reader.failed);
}

static void a_field_number_is_within_its_29_bits(void **state)
{
    (void)state;
    assert_int_equal(COUNT("\xf8\xff\xff\xff\x0f\x07"), 1);
    assert_int_equal(last.number, (1 << 29) - 1);
    assert_int_equal(last.value, 7);
    assert_int_equal(COUNT("\x80\x80\x80\x80\x10\x07"), -1); /* 2^29 */
    assert_int_equal(COUNT("\x00\x07"), -1);                 /* 0 */
    assert_int_equal(COUNT("\x02\x00"), -1);
    assert_int_equal(COUNT("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x00"), -1);
}

static void types_that_do_not_exist_are_refused(void **state)
{
    (void)state;
    assert_int_equal(COUNT("\x0e\x00\x00\x00\x00\x00\x00\x00\x00"), -1); /* 6 */
    assert_int_equal(COUNT("\x0f\x00\x00\x00\x00\x00\x00\x00\x00"), -1); /* 7 */
}

static void a_length_beyond_the_end_is_refused(void **state)
{
    (void)state;
    assert_int_equal(COUNT("\x0a\x03"
                           "abc"),
                     1);
    assert_int_equal(COUNT("\x0a\x04"
                           "abc"),
                     -1);
    assert_int_equal(COUNT("\x0a\x01"), -1);
    assert_int_equal(COUNT("\x0a\xff\xff\xff\xff\x0f"
                           "abc"),
                     -1);
    assert_int_equal(COUNT("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"
                           "abc"),
                     -1);
    assert_int_equal(COUNT("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\x7f"
                           "abc"),
                     -1);
}

static void a_message_cut_short_is_refused_unless_it_is_cut_between_fields(void **state)
{
    (void)state;
    static const char whole[] = "\x08\x96\x01"
                                "\x11\x01\x02\x03\x04\x05\x06\x07\x08"
                                "\x1a\x03"
                                "abc"
                                "\xa2\x06\x00"
                                "\x25\x01\x02\x03\x04";
    static const int fields[] = {0, 3, 12, 17, 20, 25}; /* where the first 0, 1, ... fields end */
    for (size_t part = 0; part < sizeof whole; part++) {
        int expected = -1;
        for (int i = 0; i < 6; i++)
            if ((size_t)fields[i] == part)
                expected = i;
        assert_int_equal(count_fields(bytes_make(whole, part)), expected);
    }
}

static void a_reader_that_failed_stays_failed(void **state)
{
    (void)state;
    struct pb_reader reader = pb_read(BYTES_LITERAL("\x07\x08\x01\x08\x01"));
    assert_false(pb_next(&reader, &last));
    assert_true(reader.failed);
    assert_false(pb_next(&reader, &last));
    assert_true(reader.failed);
}

/* --- groups, which proto3 does not write but may have to pass over --- */

static void groups_are_passed_over_with_all_that_is_in_them(void **state)
{
    (void)state;
    assert_int_equal(COUNT("\x0b\x0c\x08\x05"), 1);
    assert_int_equal(last.value, 5);
    assert_int_equal(COUNT("\x08\x05\x0b\x08\x01\x12\x02hi\x1d\x01\x02\x03\x04\x0c"), 1);
    assert_int_equal(COUNT("\x0b\x13\x1b\x1c\x14\x13\x14\x0c"), 0);
    /* What looks like an end inside of bytes is none. */
    assert_int_equal(COUNT("\x0b\x12\x02\x0c\x0c\x0c\x08\x01"), 1);
}

static void a_group_ends_with_its_own_number(void **state)
{
    (void)state;
    assert_int_equal(COUNT("\x0b"), -1);
    assert_int_equal(COUNT("\x0b\x08\x01"), -1);
    assert_int_equal(COUNT("\x0b\x14"), -1);
    assert_int_equal(COUNT("\x0b\x13\x0c\x14"), -1);
    assert_int_equal(COUNT("\x0c"), -1);
    assert_int_equal(COUNT("\x08\x01\x0c"), -1);
    assert_int_equal(COUNT("\x0b\x0c\x0c"), -1);
    assert_int_equal(COUNT("\x0b\x0a\x05"
                           "ab\x0c"),
                     -1);
}

static int count_nested(size_t depth)
{
    struct buffer buffer = {0};
    for (size_t i = 0; i < depth; i++)
        buffer_add_u8(&buffer, 0x0b);
    for (size_t i = 0; i < depth; i++)
        buffer_add_u8(&buffer, 0x0c);
    pb_add_uint(&buffer, 1, 1);
    int count = count_fields(buffer_bytes(&buffer));
    buffer_destroy(&buffer);
    return count;
}

static void groups_nest_to_a_limit(void **state)
{
    (void)state;
    assert_int_equal(count_nested(1), 1);
    assert_int_equal(count_nested(32), 1);
    assert_int_equal(count_nested(33), -1);
    assert_int_equal(count_nested(100 * 1000), -1);
}

/* --- writing --- */

static void what_is_written_takes_the_size_that_was_said(void **state)
{
    (void)state;
    static const uint32_t numbers[] = {1, 15, 16, 100, 2047, 2048, (1 << 29) - 1};
    static const size_t sizes[] = {0, 1, 127, 128, 16383, 16384};
    uint8_t *payload = mem_new(16384);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        for (size_t j = 0; j < sizeof sizes / sizeof *sizes; j++) {
            struct buffer buffer = {0};
            pb_add_bytes(&buffer, numbers[i], bytes_make(payload, sizes[j]));
            assert_int_equal(buffer.size, pb_bytes_size(numbers[i], sizes[j]));
            assert_int_equal(count_fields(buffer_bytes(&buffer)), 1);
            assert_int_equal(last.number, numbers[i]);
            assert_int_equal(last.type, PB_BYTES);
            assert_int_equal(last.bytes.size, sizes[j]);
            pb_add_uint(&buffer, numbers[i], UINT64_MAX);
            assert_int_equal(count_fields(buffer_bytes(&buffer)), 2);
            assert_int_equal(last.number, numbers[i]);
            assert_int_equal(last.value, UINT64_MAX);
            buffer_destroy(&buffer);
        }
    free(payload);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_varint_of_any_size_is_read_as_it_was_written),
        cmocka_unit_test(varints_have_the_bytes_that_everybody_writes),
        cmocka_unit_test(a_varint_ends_after_ten_bytes_or_is_refused),
        cmocka_unit_test(a_varint_may_be_longer_than_it_need_be),
        cmocka_unit_test(a_varint_stops_at_its_own_end),
        cmocka_unit_test(each_type_of_field_is_read),
        cmocka_unit_test(an_empty_message_has_no_fields),
        cmocka_unit_test(a_field_number_is_within_its_29_bits),
        cmocka_unit_test(types_that_do_not_exist_are_refused),
        cmocka_unit_test(a_length_beyond_the_end_is_refused),
        cmocka_unit_test(a_message_cut_short_is_refused_unless_it_is_cut_between_fields),
        cmocka_unit_test(a_reader_that_failed_stays_failed),
        cmocka_unit_test(groups_are_passed_over_with_all_that_is_in_them),
        cmocka_unit_test(a_group_ends_with_its_own_number),
        cmocka_unit_test(groups_nest_to_a_limit),
        cmocka_unit_test(what_is_written_takes_the_size_that_was_said),
    };
    return cmocka_run_group_tests_name("protobuf", tests, NULL, NULL);
}
