/* typed_value_test.c - typed values and the Kafka records made of them. */
#include "test.h"

#include "memory.h"
#include "wire/protobuf.h"
#include "wire/typed_value.h"

static struct sf_status status;

static bool parse(struct bytes bytes, struct typed_value *ret_value)
{
    status = (struct sf_status){0};
    return typed_value_parse(bytes, ret_value, &status);
}

static void a_typed_value_is_read_as_it_was_written(void **state)
{
    (void)state;
    static const char *const types[] = {"", "io.statefun.types/int"};
    static const char *const values[] = {"", "some bytes"};
    for (int i = 0; i < 8; i++) {
        struct typed_value written = {
            .type = bytes_of(types[i & 1]),
            .value = bytes_of(values[i >> 1 & 1]),
            .has_value = i & 4,
        };
        struct buffer buffer = {0};
        typed_value_add(&buffer, &written);
        struct bytes copy = copy_exactly(buffer_bytes(&buffer));
        struct typed_value read;
        assert_good(parse(copy, &read), &status);
        assert_true(bytes_equal(read.type, written.type));
        assert_true(bytes_equal(read.value, written.value));
        assert_int_equal(read.has_value, written.has_value);
        copy_free(copy);
        buffer_destroy(&buffer);
    }
}

/* SDKs are strict about primitive values: nothing is written that could be left out. */
static void a_written_value_has_no_byte_too_many(void **state)
{
    (void)state;
    struct buffer buffer = {0};
    typed_value_add(&buffer, &(struct typed_value){0});
    assert_int_equal(buffer.size, 0);
    typed_value_add(&buffer, &(struct typed_value){.type = bytes_of("a/b"), .has_value = true});
    assert_true(bytes_equal(buffer_bytes(&buffer), BYTES_LITERAL("\x0a\x03"
                                                                 "a/b\x10\x01")));
    buffer_destroy(&buffer);
}

static void of_a_field_that_comes_twice_the_last_counts(void **state)
{
    (void)state;
    struct typed_value value;
    assert_good(parse(BYTES_LITERAL("\x0a\x01x\x10\x01\x1a\x01y\x10\x00\x1a\x02zz\x0a\x03"
                                    "a/b"),
                      &value),
                &status);
    assert_bytes(value.type, "a/b");
    assert_bytes(value.value, "zz");
    assert_false(value.has_value);
}

static void unknown_fields_and_known_ones_of_another_type_are_passed_over(void **state)
{
    (void)state;
    struct typed_value value;
    assert_good(parse(BYTES_LITERAL("\x0a\x03"
                                    "a/b\x22\x05\x0a\x03"
                                    "abc\x08\x07\x12\x01x\x1d\x01\x02\x03\x04\x10\x05"),
                      &value),
                &status);
    assert_bytes(value.type, "a/b");
    assert_bytes(value.value, "");
    assert_true(value.has_value);
}

static void a_malformed_value_is_refused(void **state)
{
    (void)state;
    struct typed_value value;
    assert_false(parse(BYTES_LITERAL("\x0a\x04"
                                     "a/b"),
                       &value));
    assert_int_equal(status.code, SF_INVALID);
    assert_mentions(status.message, "protobuf");
    assert_false(parse(BYTES_LITERAL("\x0a\x02\xc3("), &value));
    assert_mentions(status.message, "UTF-8");
    /* The value itself may be any bytes. */
    assert_true(parse(BYTES_LITERAL("\x1a\x02\xc3("), &value));
}

static void an_encoded_string_is_a_wrapped_one_and_empty_when_it_is_empty(void **state)
{
    (void)state;
    struct buffer buffer = {0};
    string_value_add(&buffer, bytes_of(""));
    assert_int_equal(buffer.size, 0);
    string_value_add(&buffer, bytes_of("hello"));
    assert_true(bytes_equal(buffer_bytes(&buffer), BYTES_LITERAL("\x0a\x05hello")));
    buffer_destroy(&buffer);
}

/* --- Kafka records --- */

static void an_egress_takes_kafka_records_and_nothing_else(void **state)
{
    (void)state;
    struct buffer argument = {0};
    struct typed_value value = {
        .type = bytes_of(TYPE_KAFKA_RECORD), .value = bytes_of("anything"), .has_value = true};
    typed_value_add(&argument, &value);
    struct bytes record;
    assert_good(kafka_record_of(buffer_bytes(&argument), &record, &status), &status);
    assert_bytes(record, "anything");

    buffer_clear(&argument);
    value.type = bytes_of("io.statefun.types/string");
    typed_value_add(&argument, &value);
    assert_false(kafka_record_of(buffer_bytes(&argument), &record, &status));
    assert_mentions(status.message, "io.statefun.types/string");
    assert_mentions(status.message, TYPE_KAFKA_RECORD);

    assert_false(kafka_record_of(BYTES_LITERAL("\x0a\x7f"), &record, &status));
    buffer_destroy(&argument);
}

static bool parse_record(struct bytes bytes, struct kafka_record *ret_record)
{
    struct bytes copy = copy_exactly(bytes);
    status = (struct sf_status){0};
    bool good = kafka_record_parse(copy, ret_record, &status);
    copy_free(copy);
    return good;
}

static void a_kafka_record_has_topic_key_and_value(void **state)
{
    (void)state;
    struct kafka_record record;
    assert_good(kafka_record_parse(BYTES_LITERAL("\x0a\x01k\x12\x02\xff\x00\x1a\x05topic\x20\x01"),
                                   &record, &status),
                &status);
    assert_bytes(record.topic, "topic");
    assert_bytes(record.key, "k");
    assert_true(bytes_equal(record.value, BYTES_LITERAL("\xff\x00")));

    assert_good(kafka_record_parse(BYTES_LITERAL("\x1a\x01t"), &record, &status), &status);
    assert_bytes(record.key, "");
    assert_bytes(record.value, "");
}

/* What only the runtime makes: each of key and value may be null, empty, or any bytes. */
static void an_exact_kafka_record_keeps_what_is_null_and_what_is_empty(void **state)
{
    (void)state;
    static const struct {
        bool is_there;
        struct bytes bytes;
    } cases[] = {{false, {0}}, {true, {0}}, {true, {(const uint8_t *)"\xff\x00", 2}}};
    for (size_t i = 0; i < 9; i++) {
        struct buffer buffer = {0};
        struct kafka_record record = {.topic = bytes_of("t"),
                                      .is_exact = true,
                                      .key = cases[i / 3].bytes,
                                      .has_key = cases[i / 3].is_there,
                                      .value = cases[i % 3].bytes,
                                      .has_value = cases[i % 3].is_there};
        kafka_record_add(&buffer, &record);
        assert_good(kafka_record_parse(buffer_bytes(&buffer), &record, &status), &status);
        assert_true(record.is_exact);
        assert_int_equal(record.has_key, cases[i / 3].is_there);
        assert_true(bytes_equal(record.key, cases[i / 3].bytes));
        assert_int_equal(record.has_value, cases[i % 3].is_there);
        assert_true(bytes_equal(record.value, cases[i % 3].bytes));
        buffer_destroy(&buffer);
    }
    struct kafka_record plain;
    assert_true(parse_record(BYTES_LITERAL("\x0a\x00\x1a\x01t"), &plain));
    assert_false(plain.is_exact);
    assert_false(plain.has_key); /* an empty one is none, and no value an empty one */
    assert_true(plain.has_value);
}

static void a_record_for_no_topic_is_refused(void **state)
{
    (void)state;
    struct kafka_record record;
    assert_false(parse_record(BYTES_LITERAL(""), &record));
    assert_mentions(status.message, "no topic");
    assert_false(parse_record(BYTES_LITERAL("\x0a\x01k\x12\x01v"), &record));
    assert_mentions(status.message, "no topic");
    assert_false(parse_record(BYTES_LITERAL("\x1a\x01t\x1a\x00"), &record));
    assert_mentions(status.message, "no topic");
}

static void a_malformed_record_is_refused(void **state)
{
    (void)state;
    struct kafka_record record;
    assert_false(parse_record(BYTES_LITERAL("\x1a\x02t"), &record));
    assert_mentions(status.message, "protobuf");
    assert_false(parse_record(BYTES_LITERAL("\x1a\x01\x80"), &record));
    assert_mentions(status.message, "UTF-8");
    assert_false(parse_record(BYTES_LITERAL("\x1a\x01t\x0a\x01\x80"), &record));
    assert_mentions(status.message, "UTF-8");
}

/* --- headers --- */

static void headers_are_read_as_they_were_written(void **state)
{
    (void)state;
    struct buffer buffer = {0};
    buffer_add_text(&buffer, "\x1a\x01t");
    header_add(&buffer, &(struct header){bytes_of("trace"), BYTES_LITERAL("\xff\x00")});
    header_add(&buffer, &(struct header){bytes_of("trace"), {0}});
    header_add(&buffer, &(struct header){{0}, bytes_of("x")});
    assert_true(bytes_equal(bytes_make(buffer.data + 3, 13),
                            BYTES_LITERAL("\x22\x0b\x0a\x05trace\x12\x02\xff\x00")));

    struct kafka_record record;
    struct header header;
    assert_good(kafka_record_parse(buffer_bytes(&buffer), &record, &status), &status);
    assert_true(record.headers_size > 0);
    assert_true(kafka_header_next(&record.headers, &header));
    assert_bytes(header.key, "trace");
    assert_true(bytes_equal(header.value, BYTES_LITERAL("\xff\x00")));
    assert_true(kafka_header_next(&record.headers, &header));
    assert_bytes(header.key, "trace");
    assert_int_equal(header.value.size, 0);
    assert_true(kafka_header_next(&record.headers, &header));
    assert_bytes(header.key, "");
    assert_bytes(header.value, "x");
    assert_false(kafka_header_next(&record.headers, &header));
    buffer_destroy(&buffer);
}

static void a_record_without_headers_has_none(void **state)
{
    (void)state;
    struct kafka_record record;
    struct header header;
    assert_good(kafka_record_parse(BYTES_LITERAL("\x1a\x01t\x20\x01"), &record, &status), &status);
    assert_int_equal(record.headers.size, 0);
    assert_false(kafka_header_next(&record.headers, &header));
}

static void a_malformed_header_is_refused(void **state)
{
    (void)state;
    struct kafka_record record;
    assert_false(parse_record(BYTES_LITERAL("\x1a\x01t\x22\x02\x0a\x05"), &record));
    assert_mentions(status.message, "a header of a KafkaProducerRecord");
    assert_false(parse_record(BYTES_LITERAL("\x1a\x01t\x22\x03\x0a\x01\x80"), &record));
    assert_mentions(status.message, "UTF-8");
}

/* --- Kinesis records --- */

static void a_kinesis_record_has_stream_keys_and_value(void **state)
{
    (void)state;
    struct kinesis_record record;
    assert_good(kinesis_record_parse(BYTES_LITERAL("\x0a\x01k\x12\x02\xff\x00\x1a\x01s\x22\x01"
                                                   "7\x28\x01"),
                                     &record, &status),
                &status);
    assert_bytes(record.partition_key, "k");
    assert_true(bytes_equal(record.value, BYTES_LITERAL("\xff\x00")));
    assert_bytes(record.stream, "s");
    assert_bytes(record.explicit_hash_key, "7");
}

static void a_kinesis_record_that_can_go_nowhere_is_refused(void **state)
{
    (void)state;
    struct kinesis_record record;
    assert_false(kinesis_record_parse(BYTES_LITERAL("\x0a\x01k"), &record, &status));
    assert_mentions(status.message, "no stream");
    assert_false(kinesis_record_parse(BYTES_LITERAL("\x1a\x01s"), &record, &status));
    assert_mentions(status.message, "no partition key");
    assert_false(kinesis_record_parse(BYTES_LITERAL("\x0a\x01k\x1a\x01\x80"), &record, &status));
    assert_mentions(status.message, "UTF-8");
    assert_false(kinesis_record_parse(BYTES_LITERAL("\x0a\x05k"), &record, &status));
    assert_mentions(status.message, "protobuf");
}

static void a_kinesis_egress_takes_kinesis_records_and_nothing_else(void **state)
{
    (void)state;
    struct buffer argument = {0};
    struct bytes record;
    typed_value_add(&argument, &(struct typed_value){.type = bytes_of(TYPE_KINESIS_RECORD),
                                                     .value = bytes_of("anything"),
                                                     .has_value = true});
    assert_good(kinesis_record_of(buffer_bytes(&argument), &record, &status), &status);
    assert_bytes(record, "anything");
    assert_false(kafka_record_of(buffer_bytes(&argument), &record, &status));
    assert_mentions(status.message, "a Kafka egress takes");
    buffer_destroy(&argument);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_typed_value_is_read_as_it_was_written),
        cmocka_unit_test(a_written_value_has_no_byte_too_many),
        cmocka_unit_test(of_a_field_that_comes_twice_the_last_counts),
        cmocka_unit_test(unknown_fields_and_known_ones_of_another_type_are_passed_over),
        cmocka_unit_test(a_malformed_value_is_refused),
        cmocka_unit_test(an_encoded_string_is_a_wrapped_one_and_empty_when_it_is_empty),
        cmocka_unit_test(an_egress_takes_kafka_records_and_nothing_else),
        cmocka_unit_test(a_kafka_record_has_topic_key_and_value),
        cmocka_unit_test(an_exact_kafka_record_keeps_what_is_null_and_what_is_empty),
        cmocka_unit_test(a_record_for_no_topic_is_refused),
        cmocka_unit_test(a_malformed_record_is_refused),
        cmocka_unit_test(a_kinesis_record_has_stream_keys_and_value),
        cmocka_unit_test(a_kinesis_record_that_can_go_nowhere_is_refused),
        cmocka_unit_test(a_kinesis_egress_takes_kinesis_records_and_nothing_else),
        cmocka_unit_test(headers_are_read_as_they_were_written),
        cmocka_unit_test(a_record_without_headers_has_none),
        cmocka_unit_test(a_malformed_header_is_refused),
    };
    return cmocka_run_group_tests_name("typed_value", tests, NULL, NULL);
}
