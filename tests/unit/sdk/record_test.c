/* record_test.c - records for Kafka and Kinesis. */
#include "sdk/calling.h"

static bool send_kafka(struct sf_context *context, const struct sf_message *message)
{
    static const struct sf_kafka_header headers[] = {{"trace", {"\0\xff", 2}}, {NULL, {NULL, 0}}};
    (void)message;
    assert_true(sf_send_kafka(context, "example/out",
                              &(struct sf_kafka_record){.topic = "greetings",
                                                        .key = sf_string("ann"),
                                                        .value = sf_string("hello"),
                                                        .headers = headers,
                                                        .header_count = 2}));
    assert_true(sf_send_kafka(
        context, "example/out",
        &(struct sf_kafka_record){.topic = "numbers", .key = sf_int(7), .value = sf_long(258)}));
    return true;
}

static struct kafka_record kafka_of(struct calling *c, size_t at)
{
    struct kafka_record record;
    struct bytes bytes;
    const struct egress_message *egress = &c->reply->egresses[at];
    assert_bytes(egress->ns, "example");
    assert_bytes(egress->name, "out");
    assert_good(kafka_record_of(egress->argument, &bytes, &c->status), &c->status);
    assert_good(kafka_record_parse(bytes, &record, &c->status), &c->status);
    return record;
}

static void a_kafka_record_holds_plain_bytes(void **state)
{
    struct calling *c = *state;
    struct header header;
    say(c, sf_int(1));
    assert_runs(c, send_kafka);
    struct kafka_record record = kafka_of(c, 0);
    assert_bytes(record.topic, "greetings");
    assert_bytes(record.key, "ann");
    assert_bytes(record.value, "hello");
    assert_true(kafka_header_next(&record.headers, &header));
    assert_bytes(header.key, "trace");
    assert_true(bytes_equal(header.value, BYTES_LITERAL("\0\xff")));
    assert_true(kafka_header_next(&record.headers, &header));
    assert_int_equal(header.key.size + header.value.size, 0);
    assert_false(kafka_header_next(&record.headers, &header));

    record = kafka_of(c, 1);
    assert_true(bytes_equal(record.key, BYTES_LITERAL("\0\0\0\x07")));
    assert_true(bytes_equal(record.value, BYTES_LITERAL("\0\0\0\0\0\0\x01\x02")));
}

static struct sf_kafka_record kafka_record;
static struct sf_kinesis_record kinesis_record;

static bool send_that_kafka(struct sf_context *context, const struct sf_message *message)
{
    (void)message;
    (void)sf_send_kafka(context, "example/out", &kafka_record);
    return true;
}

static bool send_that_kinesis(struct sf_context *context, const struct sf_message *message)
{
    (void)message;
    (void)sf_send_kinesis(context, "example/out", &kinesis_record);
    return true;
}

static void a_kafka_record_that_could_not_be_produced_is_refused_here(void **state)
{
    struct calling *c = *state;
    static const struct sf_kafka_header bad_header[] = {{"\xff", {NULL, 0}}};
    say(c, sf_int(1));
    const struct {
        struct sf_kafka_record record;
        const char *reason;
    } cases[] = {
        {{.value = sf_int(1)}, "sf_send_kafka: the record has no topic"},
        {{.topic = "", .value = sf_int(1)}, "sf_send_kafka: the record has no topic"},
        {{.topic = "t"}, "sf_send_kafka: value: the value is not set"},
        {{.topic = "\xff", .value = sf_int(1)}, "sf_send_kafka: the topic is not UTF-8"},
        {{.topic = "t", .value = sf_int(1), .key = sf_int(-1)}, "the key is not UTF-8"},
        {{.topic = "t", .value = sf_int(1), .headers = bad_header, .header_count = 1},
         "sf_send_kafka: the key of a header is not UTF-8"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        kafka_record = cases[i].record;
        assert_fails(c, send_that_kafka, cases[i].reason);
    }
    kafka_record = (struct sf_kafka_record){.topic = "t", .value = sf_string("")};
    assert_runs(c, send_that_kafka);
    assert_int_equal(kafka_of(c, 0).key.size, 0);
}

static void a_kinesis_record_holds_plain_bytes(void **state)
{
    struct calling *c = *state;
    struct kinesis_record record;
    struct bytes bytes;
    say(c, sf_int(1));
    kinesis_record = (struct sf_kinesis_record){
        .stream = "s", .partition_key = "p", .explicit_hash_key = "17", .value = sf_int(1)};
    assert_runs(c, send_that_kinesis);
    assert_good(kinesis_record_of(c->reply->egresses[0].argument, &bytes, &c->status), &c->status);
    assert_good(kinesis_record_parse(bytes, &record, &c->status), &c->status);
    assert_bytes(record.stream, "s");
    assert_bytes(record.partition_key, "p");
    assert_bytes(record.explicit_hash_key, "17");
    assert_true(bytes_equal(record.value, BYTES_LITERAL("\0\0\0\x01")));
}

static void a_kinesis_record_that_could_not_be_put_is_refused_here(void **state)
{
    struct calling *c = *state;
    say(c, sf_int(1));
    const struct {
        struct sf_kinesis_record record;
        const char *reason;
    } cases[] = {
        {{.partition_key = "p", .value = sf_int(1)}, "the record has no stream"},
        {{.stream = "s", .value = sf_int(1)}, "the record has no partition key"},
        {{.stream = "s", .partition_key = "p"}, "sf_send_kinesis: value"},
        {{.stream = "\xff", .partition_key = "p", .value = sf_int(1)}, "the stream is not UTF-8"},
        {{.stream = "s", .partition_key = "\xff", .value = sf_int(1)}, "partition key is not UTF"},
        {{.stream = "s", .partition_key = "p", .explicit_hash_key = "\xff", .value = sf_int(1)},
         "the explicit hash key is not UTF-8"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        kinesis_record = cases[i].record;
        assert_fails(c, send_that_kinesis, cases[i].reason);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_kafka_record_holds_plain_bytes),
        TEST(a_kafka_record_that_could_not_be_produced_is_refused_here),
        TEST(a_kinesis_record_holds_plain_bytes),
        TEST(a_kinesis_record_that_could_not_be_put_is_refused_here),
    };
    return cmocka_run_group_tests_name("record", tests, NULL, NULL);
}
