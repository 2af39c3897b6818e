/* ingress_test.c - the Kafka ingress against a real broker: what records become, and where reading
 * begins. ingress_life_test.c has what comes later. */
#include "kafka/ingress_fixture.h"

/* --- records --- */

static void a_record_becomes_a_message_to_the_address_that_its_key_names(void **state)
{
    struct fixture *f = *state;
    broker_create_topic(f->topic, 1);
    produce(f->topic, 0, "ann", "hello");
    broker_flush();
    rig_start(&f->rig);
    rig_expect(&f->rig, 1);
    assert_string_equal(f->rig.messages[0].text, "test/fn/ann test/type=hello");
    rig_run(&f->rig, 100);
    assert_int_equal(rig_position(&f->rig, f->topic, 0), 1);
    rig_crash(&f->rig);
}

static void records_of_every_partition_come_in_its_order(void **state)
{
    struct fixture *f = *state;
    broker_create_topic(f->topic, 3);
    for (int32_t p = 0; p < 3; p++)
        produce_numbers(f->topic, p, 0, 2000);
    rig_start(&f->rig);
    rig_expect(&f->rig, 6000);
    for (int32_t p = 0; p < 3; p++)
        expect_numbers(&f->rig, p, 0, 2000);
    rig_crash(&f->rig);
}

static void a_record_goes_to_every_target(void **state)
{
    struct fixture *f = *state;
    struct spec_name targets[] = {{"test", "one"}, {"test", "two"}};
    struct kafka_topic_spec *topic = &f->rig.topics[0];
    struct spec_name *before = topic->targets;
    topic->targets = targets;
    topic->target_count = 2;
    broker_create_topic(f->topic, 1);
    produce(f->topic, 0, "ann", "hello");
    broker_flush();
    rig_start(&f->rig);
    rig_expect(&f->rig, 2);
    assert_string_equal(f->rig.messages[0].text, "test/one/ann test/type=hello");
    assert_string_equal(f->rig.messages[1].text, "test/two/ann test/type=hello");
    rig_crash(&f->rig);
    topic->targets = before;
}

static void headers_become_metadata_where_they_are_forwarded(void **state)
{
    struct fixture *f = *state;
    static const struct broker_header headers[] = {
        {"trace", "7"}, {"trace", "8"}, {"null", NULL}, {"", "x"}, {"\xff", "y"}};
    broker_create_topic(f->topic, 1);
    broker_produce_with_headers(f->topic, "ann", "hello", headers, 5);
    broker_flush();
    f->rig.spec.forwards_headers = true;
    rig_start(&f->rig);
    rig_expect(&f->rig, 1);
    assert_string_equal(f->rig.messages[0].text, "test/fn/ann test/type=hello [trace=7] [trace=8] "
                                                 "[null=] [=x] [\xef\xbf\xbd=y]");
    rig_crash(&f->rig);
}

static void headers_are_left_out_unless_they_are_asked_for(void **state)
{
    struct fixture *f = *state;
    broker_create_topic(f->topic, 1);
    broker_produce_with_headers(f->topic, "ann", "hello", &(struct broker_header){"a", "b"}, 1);
    broker_flush();
    rig_start(&f->rig);
    rig_expect(&f->rig, 1);
    assert_string_equal(f->rig.messages[0].text, "test/fn/ann test/type=hello");
    rig_crash(&f->rig);
}

static void an_empty_key_and_an_empty_value_are_a_key_and_a_value(void **state)
{
    struct fixture *f = *state;
    broker_create_topic(f->topic, 1);
    produce(f->topic, 0, "", "");
    broker_flush();
    rig_start(&f->rig);
    rig_expect(&f->rig, 1);
    assert_string_equal(f->rig.messages[0].text, "test/fn/ test/type=");
    rig_crash(&f->rig);
}

static void a_record_without_key_or_value_is_set_aside_and_the_next_is_read(void **state)
{
    struct fixture *f = *state;
    struct dead_letter letter;
    char origin[160];
    broker_create_topic(f->topic, 1);
    broker_produce(f->topic, 0, (struct bytes){0}, bytes_of("value"), 0);
    broker_produce(f->topic, 0, bytes_of("key"), (struct bytes){0}, 0);
    produce(f->topic, 0, "ann", "hello");
    broker_flush();
    rig_start(&f->rig);
    rig_expect(&f->rig, 1);
    rig_run(&f->rig, 50);

    assert_true(rig_letter(&f->rig, 0, &letter));
    assert_bytes(letter.value, "value");
    assert_bytes(letter.target, "test/fn");
    snprintf(origin, sizeof origin, "topic %s partition 0 offset 0", f->topic);
    assert_bytes(letter.origin, origin);
    assert_true(rig_letter(&f->rig, 1, &letter));
    assert_bytes(letter.key, "key");
    snprintf(origin, sizeof origin, "topic %s partition 0 offset 1", f->topic);
    assert_bytes(letter.origin, origin);
    assert_false(rig_letter(&f->rig, 2, &letter));
    assert_int_equal(rig_position(&f->rig, f->topic, 0), 3);
    rig_crash(&f->rig);
}

static void produce_invalid(struct fixture *f)
{
    broker_create_topic(f->topic, 1);
    produce(f->topic, 0, "ann", "1");
    broker_produce(f->topic, 0, (struct bytes){0}, bytes_of("value"), 0);
    broker_produce(f->topic, 0, bytes_of("key"), (struct bytes){0}, 0);
    produce(f->topic, 0, "ann", "2");
    broker_flush();
}

static void an_invalid_record_can_be_skipped(void **state)
{
    struct fixture *f = *state;
    struct dead_letter letter;
    f->rig.spec.invalid = KAFKA_INVALID_SKIP;
    produce_invalid(f);
    rig_start(&f->rig);
    rig_expect(&f->rig, 2);
    rig_run(&f->rig, 50);
    assert_string_equal(f->rig.messages[1].text, "test/fn/ann test/type=2");
    assert_int_equal(rig_position(&f->rig, f->topic, 0), 4);
    assert_false(rig_letter(&f->rig, 0, &letter));
    rig_crash(&f->rig);
}

/* By its key, or else by its partition: those of a partition keep their order. */
static void an_invalid_record_can_be_forwarded(void **state)
{
    struct fixture *f = *state;
    char text[160];
    f->rig.spec.invalid = KAFKA_INVALID_FORWARD;
    f->rig.spec.invalid_target = (struct spec_name){"test", "invalid"};
    produce_invalid(f);
    rig_start(&f->rig);
    rig_expect(&f->rig, 4);
    size_t seen = 0;
    snprintf(text, sizeof text, "test/invalid/%s/0 test/type=value", f->topic);
    for (size_t i = 0; i < 4; i++)
        seen += !strcmp(f->rig.messages[i].text, text) ||
                !strcmp(f->rig.messages[i].text, "test/invalid/key test/type");
    assert_int_equal(seen, 2);
    rig_run(&f->rig, 50);
    assert_int_equal(rig_position(&f->rig, f->topic, 0), 4);
    rig_crash(&f->rig);
}

static void an_ingress_can_stop_before_an_invalid_record(void **state)
{
    struct fixture *f = *state;
    struct kafka_halt halt;
    f->rig.spec.invalid = KAFKA_INVALID_FAIL;
    produce_invalid(f);
    for (int life = 0; life < 2; life++) {
        rig_start(&f->rig);
        rig_run(&f->rig, 500);
        assert_int_equal(f->rig.message_count, 1);
        assert_int_equal(rig_position(&f->rig, f->topic, 0), 1);
        assert_true(kafka_ingress_has_halted(f->rig.ingress, &halt));
        assert_mentions(halt.origin, f->topic);
        assert_mentions(halt.origin, " partition 0 offset 1");
        assert_mentions(halt.cause, "the record has no key");
        assert_true(halt.time_ms > 1600000000000);
        kafka_halt_destroy(&halt);
        rig_crash(&f->rig);
    }
    f->rig.spec.invalid = KAFKA_INVALID_DEAD_LETTER;
    rig_start(&f->rig);
    rig_expect(&f->rig, 2);
    assert_false(kafka_ingress_has_halted(f->rig.ingress, &halt));
    assert_false(kafka_ingress_resume(f->rig.ingress, true, &halt));
    rig_crash(&f->rig);
}

/* Runs until the ingress has stopped, at a record whose origin ends like that. */
static void expect_halt(struct fixture *f, const char *where)
{
    struct kafka_halt halt;
    for (int i = 0; !kafka_ingress_has_halted(f->rig.ingress, &halt); i++) {
        assert_true(i < 2000);
        rig_turn(&f->rig, 10);
    }
    assert_mentions(halt.origin, where);
    kafka_halt_destroy(&halt);
}

static bool resume(struct fixture *f, bool skips)
{
    struct kafka_halt halt;
    assert_true(kafka_ingress_resume(f->rig.ingress, skips, &halt));
    kafka_halt_destroy(&halt);
    bool has_passed = kafka_lane_resume(f->rig.lane);
    rig_turn(&f->rig, 0);
    return has_passed;
}

static void an_ingress_that_has_stopped_goes_on_behind_the_record_that_is_skipped(void **state)
{
    struct fixture *f = *state;
    struct dead_letter letter;
    f->rig.spec.invalid = KAFKA_INVALID_FAIL;
    produce_invalid(f);
    rig_start(&f->rig);
    expect_halt(f, "partition 0 offset 1");
    assert_true(resume(f, true));
    assert_true(rig_letter(&f->rig, 0, &letter)); /* committed already */
    assert_bytes(letter.value, "value");
    expect_halt(f, "partition 0 offset 2"); /* that one was not meant */
    assert_false(rig_letter(&f->rig, 1, &letter));
    rig_crash(&f->rig);
    rig_start(&f->rig);
    expect_halt(f, "partition 0 offset 2");
    assert_true(resume(f, true));
    rig_expect(&f->rig, 2);
    rig_run(&f->rig, 50);
    assert_true(rig_letter(&f->rig, 1, &letter));
    assert_false(rig_letter(&f->rig, 2, &letter));
    assert_int_equal(rig_position(&f->rig, f->topic, 0), 4);
    rig_crash(&f->rig);
}

/* A record that its topic still has stops it again; nothing behind it is read, or lost. */
static void an_ingress_that_is_resumed_reads_the_record_again(void **state)
{
    struct fixture *f = *state;
    struct dead_letter letter;
    f->rig.spec.invalid = KAFKA_INVALID_FAIL;
    produce_invalid(f);
    rig_start(&f->rig);
    for (int i = 0; i < 3; i++) {
        expect_halt(f, "partition 0 offset 1");
        size_t handed_out = f->rig.partition_count;
        assert_true(resume(f, false));
        for (int n = 0; f->rig.partition_count == handed_out; n++) {
            assert_true(n < 2000); /* it is asked of the brokers */
            rig_turn(&f->rig, 10);
        }
    }
    expect_halt(f, "partition 0 offset 1");
    assert_int_equal(f->rig.message_count, 1);
    assert_false(rig_letter(&f->rig, 0, &letter));
    assert_true(resume(f, true));
    expect_halt(f, "partition 0 offset 2");
    assert_true(resume(f, true));
    rig_expect(&f->rig, 2);
    rig_crash(&f->rig);
}

/* Of each partition the record at which it stands is handled by itself. */
static void partitions_that_stop_together_are_resumed_one_after_the_other(void **state)
{
    struct fixture *f = *state;
    f->rig.spec.invalid = KAFKA_INVALID_FAIL;
    broker_create_topic(f->topic, 3);
    for (int partition = 0; partition < 3; partition++) {
        broker_produce(f->topic, partition, (struct bytes){0}, bytes_of("invalid"), 0);
        produce(f->topic, partition, "ann", "behind it");
    }
    broker_flush();
    rig_start(&f->rig);
    for (int i = 0; i < 3; i++) {
        expect_halt(f, "offset 0");
        assert_true(resume(f, true));
    }
    rig_expect(&f->rig, 3);
    rig_crash(&f->rig);
}

/* The letter waits for room, and the record with it. */
static void a_record_to_be_skipped_waits_for_room(void **state)
{
    struct fixture *f = *state;
    struct dead_letter letter;
    f->rig.spec.invalid = KAFKA_INVALID_FAIL;
    produce_invalid(f);
    rig_start(&f->rig);
    expect_halt(f, "offset 1");
    engine_outbox_full(f->rig.engine, true);
    assert_false(resume(f, true));
    assert_false(rig_letter(&f->rig, 0, &letter));
    engine_outbox_full(f->rig.engine, false);
    expect_halt(f, "offset 2");
    assert_true(rig_letter(&f->rig, 0, &letter));
    rig_crash(&f->rig);
}

/* The longest key that fits goes through, whatever the type; one byte more does not. */
static void the_longest_id_is_as_long_as_an_address_allows(void **state)
{
    struct fixture *f = *state;
    struct dead_letter letter;
    /* 4096 less "test" and "fn" with two bytes of framing each, and three of the id's own. */
    enum { LONGEST = ADDRESS_BYTES_MAX - 6 - 4 - 3 };
    char *key = mem_new(LONGEST + 2);
    broker_create_topic(f->topic, 1);
    memset(key, 'k', LONGEST);
    produce(f->topic, 0, key, "fits");
    key[LONGEST] = 'k';
    produce(f->topic, 0, key, "does not");
    produce(f->topic, 0, "ann", "hello");
    broker_flush();
    rig_start(&f->rig);
    rig_expect(&f->rig, 2);
    rig_run(&f->rig, 50);
    assert_true(rig_letter(&f->rig, 0, &letter));
    assert_int_equal(letter.kind, DEAD_INVALID_RECORD);
    assert_bytes(letter.value, "does not");
    assert_false(rig_letter(&f->rig, 1, &letter));
    rig_crash(&f->rig);
    free(key);
}

static void a_key_that_is_too_long_for_an_address_is_set_aside(void **state)
{
    struct fixture *f = *state;
    struct dead_letter letter;
    char *key = mem_new(ADDRESS_BYTES_MAX + 1);
    memset(key, 'k', ADDRESS_BYTES_MAX);
    broker_create_topic(f->topic, 1);
    produce(f->topic, 0, key, "x");
    produce(f->topic, 0, "ann", "hello");
    broker_flush();
    rig_start(&f->rig);
    rig_expect(&f->rig, 1);
    rig_run(&f->rig, 50);
    assert_true(rig_letter(&f->rig, 0, &letter));
    assert_bytes(letter.key, key);
    rig_crash(&f->rig);
    free(key);
}

static void a_key_that_is_no_text_is_decoded_as_java_does(void **state)
{
    struct fixture *f = *state;
    broker_create_topic(f->topic, 1);
    broker_produce(f->topic, 0, bytes_of("a\xff\xed\xa0\x80z"), bytes_of("x"), 0);
    broker_produce(f->topic, 0, bytes_of("b\xc3"), bytes_of("y"), 0);
    broker_flush();
    rig_start(&f->rig);
    rig_expect(&f->rig, 2);
    assert_string_equal(f->rig.messages[0].text, "test/fn/a\xef\xbf\xbd\xef\xbf\xbdz test/type=x");
    assert_string_equal(f->rig.messages[1].text, "test/fn/b\xef\xbf\xbd test/type=y");
    rig_crash(&f->rig);
}

/* --- where reading begins --- */

static void produce_and_start(struct fixture *f, enum kafka_start start)
{
    broker_create_topic(f->topic, 1);
    produce_numbers(f->topic, 0, 0, 10);
    f->rig.spec.start = start;
}

/* Starts, and once the partition's begin is stored produces one record more: the 10th. */
static void begin(struct fixture *f)
{
    rig_start(&f->rig);
    for (int i = 0; i < 500 && rig_position(&f->rig, f->topic, 0) < 0; i++)
        rig_turn(&f->rig, 10);
    produce_numbers(f->topic, 0, 10, 1);
}

static void expect_from(struct fixture *f, int first)
{
    rig_expect(&f->rig, (size_t)(11 - first));
    expect_numbers(&f->rig, 0, first, 11 - first);
    rig_crash(&f->rig);
}

static void it_begins_with_the_earliest_record(void **state)
{
    struct fixture *f = *state;
    produce_and_start(f, KAFKA_START_EARLIEST);
    broker_trim_topic(f->topic, 0, 4);
    begin(f);
    expect_from(f, 4);
}

static void it_begins_after_the_latest_record(void **state)
{
    struct fixture *f = *state;
    produce_and_start(f, KAFKA_START_LATEST);
    begin(f);
    expect_from(f, 10);
}

static void it_begins_with_what_the_group_has_committed(void **state)
{
    struct fixture *f = *state;
    produce_and_start(f, KAFKA_START_GROUP_OFFSETS);
    broker_set_group_offset(f->rig.spec.group, f->topic, 0, 7);
    begin(f);
    expect_from(f, 7);
}

static void a_group_without_offsets_begins_as_its_reset_position_says(void **state)
{
    struct fixture *f = *state;
    produce_and_start(f, KAFKA_START_GROUP_OFFSETS);
    begin(f); /* latest */
    expect_from(f, 10);
}

static void a_group_without_offsets_may_begin_with_the_earliest(void **state)
{
    struct fixture *f = *state;
    produce_and_start(f, KAFKA_START_GROUP_OFFSETS);
    f->rig.spec.reset_to_earliest = true;
    begin(f);
    expect_from(f, 0);
}

static void it_begins_at_the_offset_that_is_asked_for(void **state)
{
    struct fixture *f = *state;
    struct kafka_offset_spec offset = {.topic = f->topic, .partition = 0, .offset = 6};
    produce_and_start(f, KAFKA_START_SPECIFIC_OFFSETS);
    f->rig.spec.offsets = &offset;
    f->rig.spec.offset_count = 1;
    begin(f);
    expect_from(f, 6);
}

static void an_offset_that_does_not_exist_is_reset(void **state)
{
    struct fixture *f = *state;
    struct kafka_offset_spec offset = {.topic = f->topic, .partition = 0, .offset = 600};
    produce_and_start(f, KAFKA_START_SPECIFIC_OFFSETS);
    f->rig.spec.offsets = &offset;
    f->rig.spec.offset_count = 1;
    f->rig.spec.reset_to_earliest = true;
    rig_start(&f->rig);
    rig_expect(&f->rig, 10);
    assert_int_equal(rig_position(&f->rig, f->topic, 0), 10);
    produce_numbers(f->topic, 0, 10, 1);
    expect_from(f, 0);
}

static void a_negative_offset_is_reset(void **state)
{
    struct fixture *f = *state;
    struct kafka_offset_spec offset = {.topic = f->topic, .partition = 0, .offset = -2};
    produce_and_start(f, KAFKA_START_SPECIFIC_OFFSETS);
    f->rig.spec.offsets = &offset;
    f->rig.spec.offset_count = 1;
    begin(f); /* latest */
    expect_from(f, 10);
}

static void produce_at(struct fixture *f, int number, int64_t time_ms)
{
    char value[16];
    snprintf(value, sizeof value, "%d", number);
    broker_produce(f->topic, 0, bytes_of("p0"), bytes_of(value), time_ms);
}

static void it_begins_with_the_first_record_from_a_date_on(void **state)
{
    struct fixture *f = *state;
    broker_create_topic(f->topic, 1);
    for (int i = 0; i < 10; i++)
        produce_at(f, i, 1600000000000 + i * 1000);
    broker_flush();
    f->rig.spec.start = KAFKA_START_DATE;
    f->rig.spec.start_date_ms = 1600000004500;
    begin(f);
    expect_from(f, 5);
}

static void a_date_after_all_records_begins_at_the_end(void **state)
{
    struct fixture *f = *state;
    broker_create_topic(f->topic, 1);
    for (int i = 0; i < 10; i++)
        produce_at(f, i, 1600000000000 + i * 1000);
    broker_flush();
    f->rig.spec.start = KAFKA_START_DATE;
    f->rig.spec.start_date_ms = 1600000010000;
    begin(f);
    expect_from(f, 10);
}

/* A crash before the first record must not make it begin elsewhere. */
static void where_it_begins_is_stored_before_there_is_a_record(void **state)
{
    struct fixture *f = *state;
    produce_and_start(f, KAFKA_START_LATEST);
    rig_start(&f->rig);
    for (int i = 0; i < 500 && rig_position(&f->rig, f->topic, 0) < 0; i++)
        rig_turn(&f->rig, 10);
    rig_crash(&f->rig);
    assert_int_equal(rig_position(&f->rig, f->topic, 0), 10);
    produce_numbers(f->topic, 0, 10, 1); /* while nobody reads */
    rig_start(&f->rig);
    expect_from(f, 10);
}

static void a_check_says_what_cannot_be_reached_or_found(void **state)
{
    struct fixture *f = *state;
    struct sf_status status;
    assert_false(kafka_ingress_check(&f->rig.spec, 5000, &status));
    assert_int_equal(status.code, SF_NOT_FOUND);
    assert_mentions(status.message, f->topic);
    assert_mentions(status.message, f->rig.spec.address);
    broker_create_topic(f->topic, 1);
    assert_good(kafka_ingress_check(&f->rig.spec, 5000, &status), &status);

    free(f->rig.spec.address);
    f->rig.spec.address = mem_string("127.0.0.1:1");
    assert_false(kafka_ingress_check(&f->rig.spec, 2000, &status));
    assert_int_equal(status.code, SF_IO);
    assert_mentions(status.message, "127.0.0.1:1");
    assert_mentions(status.message, "refused");
}

int main(int count, char **arguments)
{
    const struct CMUnitTest tests[] = {
        TEST(a_record_becomes_a_message_to_the_address_that_its_key_names),
        TEST(records_of_every_partition_come_in_its_order),
        TEST(a_record_goes_to_every_target),
        TEST(headers_become_metadata_where_they_are_forwarded),
        TEST(headers_are_left_out_unless_they_are_asked_for),
        TEST(an_empty_key_and_an_empty_value_are_a_key_and_a_value),
        TEST(a_record_without_key_or_value_is_set_aside_and_the_next_is_read),
        TEST(an_invalid_record_can_be_skipped),
        TEST(an_invalid_record_can_be_forwarded),
        TEST(an_ingress_can_stop_before_an_invalid_record),
        TEST(an_ingress_that_has_stopped_goes_on_behind_the_record_that_is_skipped),
        TEST(an_ingress_that_is_resumed_reads_the_record_again),
        TEST(partitions_that_stop_together_are_resumed_one_after_the_other),
        TEST(a_record_to_be_skipped_waits_for_room),
        TEST(the_longest_id_is_as_long_as_an_address_allows),
        TEST(a_key_that_is_too_long_for_an_address_is_set_aside),
        TEST(a_key_that_is_no_text_is_decoded_as_java_does),
        TEST(it_begins_with_the_earliest_record),
        TEST(it_begins_after_the_latest_record),
        TEST(it_begins_with_what_the_group_has_committed),
        TEST(a_group_without_offsets_begins_as_its_reset_position_says),
        TEST(a_group_without_offsets_may_begin_with_the_earliest),
        TEST(it_begins_at_the_offset_that_is_asked_for),
        TEST(an_offset_that_does_not_exist_is_reset),
        TEST(a_negative_offset_is_reset),
        TEST(it_begins_with_the_first_record_from_a_date_on),
        TEST(a_date_after_all_records_begins_at_the_end),
        TEST(where_it_begins_is_stored_before_there_is_a_record),
        TEST(a_check_says_what_cannot_be_reached_or_found),
    };
    if (!broker_address())
        return BROKER_SKIPPED;
    if (count > 1)
        cmocka_set_test_filter(arguments[1]);
    int failed = cmocka_run_group_tests_name("kafka ingress", tests, NULL, NULL);
    broker_leave();
    return failed;
}
