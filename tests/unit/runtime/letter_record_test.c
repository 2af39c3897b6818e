/* letter_record_test.c - dead letters as records of a topic: raw, with the rest in headers. */
#include "memory.h"
#include "test.h"

#include "engine/keys.h"
#include "runtime/letter_record.h"
#include "wire/address.h"
#include "wire/typed_value.h"

struct fixture {
    struct kafka_egress_spec kafka[2]; /* the first gets them */
    struct kinesis_egress_spec kinesis;
    struct application application;
    struct buffer key, out, value, headers;
    struct kafka_record record;
};

static int set_up(void **state)
{
    static struct fixture f;
    f = (struct fixture){
        .kafka = {{.id = {"a", "letters"}, .dead_letters = {.to = "dead"}}, {.id = {"a", "other"}}},
        .kinesis = {.id = {"a", "stream"}}};
    f.kafka[0].dead_letters.format = LETTERS_RAW;
    f.application.kafka_egresses = f.kafka;
    f.application.kafka_egress_count = 2;
    f.application.kinesis_egresses = &f.kinesis;
    f.application.kinesis_egress_count = 1;
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    buffer_destroy(&f->key);
    buffer_destroy(&f->out);
    buffer_destroy(&f->value);
    buffer_destroy(&f->headers);
    return 0;
}

static void write(struct fixture *f, const struct dead_letter *letter)
{
    struct sf_status status;
    struct letter_route route = letter_route_of(&f->application);
    struct dead_letter dated = *letter;
    dated.time_ms = 1767268800500;
    dated.cause = bytes_of("why");
    buffer_clear(&f->out);
    route.write(&route, key_of_dead_letter(&f->key, 12, 0, 3), &dated, &f->out);
    assert_good(kafka_record_parse(buffer_bytes(&f->out), &f->record, &status), &status);
    assert_bytes(f->record.topic, "dead");
}

/* All headers, as "name=value;". */
static const char *headers_of(struct fixture *f)
{
    struct bytes rest = f->record.headers;
    struct header header;
    buffer_clear(&f->headers);
    while (kafka_header_next(&rest, &header))
        buffer_add_format(&f->headers, "%.*s=%.*s;", BYTES_ARG(header.key),
                          BYTES_ARG(header.value));
    return buffer_text(&f->headers);
}

#define OURS "statefun-dead-letter-id=12-0-3;statefun-dead-letter-time=2026-01-01T12:00:00.500Z;"

static void a_record_of_an_ingress_stays_what_it_was(void **state)
{
    struct fixture *f = *state;
    header_add(&f->value, &(struct header){bytes_of("trace"), bytes_of("7")});
    header_add(&f->value, &(struct header){bytes_of("trace"), bytes_of("8")});
    struct dead_letter letter = {
        .kind = DEAD_INVALID_RECORD,
        .origin = bytes_of("topic t partition 0 offset 1"),
        .ingress = bytes_of("a/in"),
        .target = bytes_of("a/f, a/g"),
        .type = bytes_of("a/type"),
        .key = BYTES_LITERAL("\xff\x00"),
        .lacks_value = true,
        .headers = buffer_bytes(&f->value),
    };
    write(f, &letter);
    assert_true(bytes_equal(f->record.key, BYTES_LITERAL("\xff\x00")));
    assert_false(f->record.has_value);
    assert_string_equal(headers_of(f),
                        "trace=7;trace=8;" OURS
                        "statefun-dead-letter-kind=invalid-record;statefun-dead-letter-cause=why;"
                        "statefun-dead-letter-origin=topic t partition 0 offset 1;"
                        "statefun-dead-letter-ingress=a/in;statefun-dead-letter-target=a/f, a/g;"
                        "statefun-dead-letter-type=a/type;");
    letter.lacks_value = false; /* an empty value is one */
    letter.lacks_key = true;
    letter.key = (struct bytes){0};
    write(f, &letter);
    assert_false(f->record.has_key);
    assert_true(f->record.has_value);
    assert_int_equal(f->record.value.size, 0);
}

static void a_message_has_its_id_its_value_and_its_metadata(void **state)
{
    struct fixture *f = *state;
    struct arena arena = {0};
    struct address address;
    struct sf_status status;
    assert_good(
        address_make(bytes_of("a"), bytes_of("f"), bytes_of("ann/b"), &arena, &address, &status),
        &status);
    typed_value_add(&f->value, &(struct typed_value){bytes_of("a/t"), bytes_of("hello"), true});
    header_add(&f->value, &(struct header){bytes_of("trace"), bytes_of("7")});
    static const enum dead_kind kinds[] = {DEAD_UNSERVED, DEAD_FAILED};
    for (size_t i = 0; i < 2; i++) {
        write(f, &(struct dead_letter){.kind = kinds[i],
                                       .address = address.wire,
                                       .target = bytes_of("a/f/ann/b"),
                                       .value = buffer_bytes(&f->value)});
        assert_bytes(f->record.key, "ann/b");
        assert_bytes(f->record.value, "hello");
        assert_mentions(headers_of(f), "trace=7;" OURS "statefun-dead-letter-kind=");
        assert_mentions(headers_of(f), dead_kind_name(kinds[i]));
        assert_mentions(headers_of(f), "statefun-dead-letter-target=a/f/ann/b;");
        assert_mentions(headers_of(f), "statefun-dead-letter-type=a/t;");
    }
    arena_destroy(&arena);
}

/* The same bytes stand for a Kafka and a Kinesis record but for their types. */
static void a_record_for_an_egress_is_the_record_that_it_would_have_been(void **state)
{
    struct fixture *f = *state;
    struct buffer inner = {0};
    kafka_record_add(&inner, &(struct kafka_record){.topic = bytes_of("t"),
                                                    .key = bytes_of("k"),
                                                    .value = bytes_of("v")});
    static const char *const types[] = {TYPE_KAFKA_RECORD, TYPE_KINESIS_RECORD};
    static const char *const egresses[] = {"a/other", "a/stream"};
    for (size_t i = 0; i < 2; i++) {
        buffer_clear(&f->value);
        typed_value_add(&f->value,
                        &(struct typed_value){bytes_of(types[i]), buffer_bytes(&inner), true});
        write(f, &(struct dead_letter){.kind = DEAD_UNKNOWN_EGRESS,
                                       .egress = bytes_of("a/none"),
                                       .value = buffer_bytes(&f->value)});
        assert_bytes(f->record.key, "k");
        assert_bytes(f->record.value, "v");
        assert_mentions(headers_of(f), "statefun-dead-letter-egress=a/none;");
        assert_mentions(headers_of(f), types[i]);
        write(f, &(struct dead_letter){.kind = DEAD_UNDELIVERABLE,
                                       .egress = bytes_of(egresses[i]),
                                       .value = buffer_bytes(&inner)});
        assert_bytes(f->record.key, "k");
        assert_bytes(f->record.value, "v");
    }
    buffer_clear(&f->value);
    typed_value_add(&f->value, &(struct typed_value){bytes_of("a/t"), bytes_of("odd"), true});
    write(f, &(struct dead_letter){.kind = DEAD_REFUSED, .value = buffer_bytes(&f->value)});
    assert_false(f->record.has_key);
    assert_bytes(f->record.value, "odd");
    write(f, &(struct dead_letter){.kind = DEAD_UNDELIVERABLE,
                                   .egress = bytes_of("a/elsewhere"),
                                   .value = buffer_bytes(&inner)});
    assert_true(bytes_equal(f->record.value, buffer_bytes(&inner)));
    buffer_destroy(&inner);
}

static void what_cannot_be_read_goes_as_it_is(void **state)
{
    struct fixture *f = *state;
    for (enum dead_kind kind = DEAD_UNKNOWN; kind < DEAD_KINDS; kind++) {
        write(f, &(struct dead_letter){
                     .kind = kind, .egress = bytes_of("a/other"), .value = bytes_of("\x0a\x7f")});
        assert_bytes(f->record.value, "\x0a\x7f");
    }
}

static struct kinesis_record write_to_kinesis(struct fixture *f, const struct dead_letter *letter)
{
    struct kinesis_record record;
    struct sf_status status;
    f->kafka[0].dead_letters.to = NULL;
    f->kinesis.dead_letters.to = "dead";
    struct letter_route route = letter_route_of(&f->application);
    assert_int_equal(route.egress, 2); /* behind those of Kafka */
    buffer_clear(&f->out);
    route.write(&route, key_of_dead_letter(&f->key, 12, 0, 3), letter, &f->out);
    assert_good(kinesis_record_parse(buffer_bytes(&f->out), &record, &status), &status);
    assert_bytes(record.stream, "dead");
    return record;
}

/* Kinesis takes 1 to 256 characters. */
static void in_a_stream_a_letter_has_a_partition_key_that_kinesis_takes(void **state)
{
    struct fixture *f = *state;
    struct dead_letter letter = {.kind = DEAD_INVALID_RECORD, .key = bytes_of("Ada")};
    struct kinesis_record record = write_to_kinesis(f, &letter);
    assert_bytes(record.partition_key, "Ada");
    char *value = bytes_string(record.value);
    assert_mentions(value, "\"kind\":\"invalid-record\"");
    free(value);
    letter.key = BYTES_LITERAL("\xff");
    assert_bytes(write_to_kinesis(f, &letter).partition_key, "12-0-3");
    letter.target = bytes_of("a/f");
    assert_bytes(write_to_kinesis(f, &letter).partition_key, "a/f");
    for (int i = 0; i < 200; i++)
        buffer_add_text(&f->value, "\xe2\x82\xac");
    letter.key = buffer_bytes(&f->value);
    assert_int_equal(write_to_kinesis(f, &letter).partition_key.size, 255);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_record_of_an_ingress_stays_what_it_was),
        TEST(a_message_has_its_id_its_value_and_its_metadata),
        TEST(a_record_for_an_egress_is_the_record_that_it_would_have_been),
        TEST(what_cannot_be_read_goes_as_it_is),
        TEST(in_a_stream_a_letter_has_a_partition_key_that_kinesis_takes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
