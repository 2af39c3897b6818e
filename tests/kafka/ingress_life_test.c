/* ingress_life_test.c - the Kafka ingress against a real broker: going on after crashes and
 * refusals, topics that change, the consumer group, brokers that are away. */
#include "kafka/ingress_fixture.h"

#include "base/histogram.h"
#include "base/log.h"

#include <unistd.h>

/* --- going on --- */

static void stored_positions_win_and_what_was_not_committed_is_read_again(void **state)
{
    struct fixture *f = *state;
    broker_create_topic(f->topic, 2);
    produce_numbers(f->topic, 0, 0, 100);
    produce_numbers(f->topic, 1, 0, 100);
    rig_start(&f->rig);
    rig_expect(&f->rig, 200);
    rig_run(&f->rig, 50);
    assert_int_equal(rig_position(&f->rig, f->topic, 0), 100);

    f->rig.holds_epoch = true;
    produce_numbers(f->topic, 0, 100, 10);
    rig_expect(&f->rig, 210);
    rig_crash(&f->rig);
    f->rig.holds_epoch = false;
    broker_set_group_offset(f->rig.spec.group, f->topic, 0, 0);
    f->rig.spec.start = KAFKA_START_LATEST;
    rig_start(&f->rig);
    rig_expect(&f->rig, 220); /* the ten once more, and nothing else */
    rig_run(&f->rig, 500);
    rig_expect(&f->rig, 220);
    for (size_t i = 0; i < 20; i++)
        assert_string_equal(f->rig.messages[200 + i].text, f->rig.messages[200 + i % 10].text);
    rig_crash(&f->rig);
}

static void count_waiting(void *owner, const struct kafka_lane_figures *figures)
{
    size_t *waiting = owner;
    *waiting += figures->waits_for_room;
    if (figures->waits_for_room)
        assert_int_equal(figures->high_watermark, 5000);
}

static void records_that_are_refused_wait_and_keep_their_order(void **state)
{
    struct fixture *f = *state;
    broker_create_topic(f->topic, 2);
    produce_numbers(f->topic, 0, 0, 5000);
    produce_numbers(f->topic, 1, 0, 5000);
    f->rig.limits.backlog_bytes = 2000;
    f->rig.is_stuck = true;
    rig_start(&f->rig);
    rig_run(&f->rig, 1500);
    assert_true(f->rig.message_count < 4000);
    size_t waiting = 0;
    kafka_lane_each(f->rig.lane, count_waiting, &waiting);
    assert_int_equal(waiting, 2);
    uint64_t turns = f->rig.turns;
    rig_run(&f->rig, 500);
    assert_true(f->rig.turns - turns < 400); /* it waits without spinning */
    f->rig.is_stuck = false;
    rig_expect(&f->rig, 10000);
    expect_numbers(&f->rig, 0, 0, 5000);
    expect_numbers(&f->rig, 1, 0, 5000);
    rig_crash(&f->rig);
}

static void it_can_be_closed_with_records_in_hand(void **state)
{
    struct fixture *f = *state;
    broker_create_topic(f->topic, 1);
    produce_numbers(f->topic, 0, 0, 5000);
    f->rig.limits.backlog_bytes = 2000;
    f->rig.is_stuck = true;
    rig_start(&f->rig);
    size_t waiting = 0;
    for (int i = 0; i < 500 && !waiting; i++) {
        rig_turn(&f->rig, 10);
        kafka_lane_each(f->rig.lane, count_waiting, &waiting);
    }
    assert_int_equal(waiting, 1);
    rig_crash(&f->rig);
    f->rig.is_stuck = false;
    size_t before = f->rig.message_count;
    rig_start(&f->rig);
    rig_run(&f->rig, 1000);
    assert_int_equal(rig_position(&f->rig, f->topic, 0), 5000);
    assert_true(f->rig.message_count - before <= 5000);
    rig_crash(&f->rig);
}

static void refused_dead_letters_wait_too(void **state)
{
    struct fixture *f = *state;
    struct dead_letter letter;
    broker_create_topic(f->topic, 1);
    produce_numbers(f->topic, 0, 0, 1);
    rig_start(&f->rig);
    rig_expect(&f->rig, 1);
    engine_outbox_full(f->rig.engine, true);
    broker_produce(f->topic, 0, bytes_of("key"), (struct bytes){0}, 0);
    produce_numbers(f->topic, 0, 1, 1);
    rig_run(&f->rig, 500);
    assert_false(rig_letter(&f->rig, 0, &letter));
    assert_int_equal(rig_position(&f->rig, f->topic, 0), 1);
    engine_outbox_full(f->rig.engine, false);
    loop_wake(f->rig.loop);
    rig_expect(&f->rig, 2);
    rig_run(&f->rig, 50);
    assert_true(rig_letter(&f->rig, 0, &letter));
    rig_crash(&f->rig);
}

static void a_position_that_is_trimmed_away_is_reset(void **state)
{
    struct fixture *f = *state;
    broker_create_topic(f->topic, 1);
    produce_numbers(f->topic, 0, 0, 10);
    rig_start(&f->rig);
    rig_expect(&f->rig, 10);
    rig_run(&f->rig, 50);
    rig_crash(&f->rig);
    produce_numbers(f->topic, 0, 10, 20);
    broker_trim_topic(f->topic, 0, 25);
    f->rig.spec.reset_to_earliest = true;
    rig_start(&f->rig);
    rig_expect(&f->rig, 15);
    assert_string_equal(f->rig.messages[10].text, "test/fn/p0 test/type=25");
    rig_run(&f->rig, 50);
    assert_int_equal(rig_position(&f->rig, f->topic, 0), 30);
    rig_crash(&f->rig);
}

/* --- topics that change --- */

static void a_partition_that_is_added_begins_with_its_earliest_record(void **state)
{
    struct fixture *f = *state;
    struct client_property often = {"topic.metadata.refresh.interval.ms", "1000", {0}};
    f->rig.spec.properties = (struct property_list){&often, 1};
    f->rig.spec.start = KAFKA_START_LATEST;
    broker_create_topic(f->topic, 1);
    rig_start(&f->rig);
    for (int i = 0; i < 500 && rig_position(&f->rig, f->topic, 0) < 0; i++)
        rig_turn(&f->rig, 10);
    broker_add_partitions(f->topic, 2);
    produce_numbers(f->topic, 1, 0, 10);
    rig_expect(&f->rig, 10);
    expect_numbers(&f->rig, 1, 0, 10);
    rig_crash(&f->rig);
}

static void a_partition_that_was_added_meanwhile_begins_with_its_earliest_record(void **state)
{
    struct fixture *f = *state;
    f->rig.spec.start = KAFKA_START_LATEST;
    broker_create_topic(f->topic, 1);
    rig_start(&f->rig);
    for (int i = 0; i < 500 && rig_position(&f->rig, f->topic, 0) < 0; i++)
        rig_turn(&f->rig, 10);
    rig_crash(&f->rig);
    broker_add_partitions(f->topic, 2);
    produce_numbers(f->topic, 1, 0, 10);
    rig_start(&f->rig);
    rig_expect(&f->rig, 10);
    rig_crash(&f->rig);
}

static void a_topic_that_does_not_exist_is_waited_for(void **state)
{
    struct fixture *f = *state;
    const char *other = broker_new_name("in-other");
    rig_add_topic(&f->rig, other);
    f->rig.spec.start = KAFKA_START_LATEST;
    broker_create_topic(other, 1);
    rig_start(&f->rig);
    rig_run(&f->rig, 4500);
    assert_int_equal(f->rig.partition_count, 1); /* the other is read meanwhile */
    broker_create_topic(f->topic, 1);
    produce_numbers(f->topic, 0, 0, 10);
    rig_expect(&f->rig, 10);
    rig_crash(&f->rig);
}

static void a_topic_that_is_deleted_and_made_again_is_read_again(void **state)
{
    struct fixture *f = *state;
    struct client_property often = {"topic.metadata.refresh.interval.ms", "1000", {0}};
    f->rig.spec.properties = (struct property_list){&often, 1};
    f->rig.spec.reset_to_earliest = true;
    broker_create_topic(f->topic, 1);
    produce_numbers(f->topic, 0, 0, 10);
    rig_start(&f->rig);
    rig_expect(&f->rig, 10);
    broker_delete_topic(f->topic);
    uint64_t turns = f->rig.turns;
    rig_run(&f->rig, 3000);
    assert_true(f->rig.turns - turns < 1000);
    broker_create_topic(f->topic, 1);
    produce_numbers(f->topic, 0, 0, 5);
    rig_expect(&f->rig, 15);
    rig_crash(&f->rig);
}

static void many_partitions_share_the_memory(void **state)
{
    struct fixture *f = *state;
    broker_create_topic(f->topic, 40);
    for (int32_t p = 0; p < 40; p++)
        produce_numbers(f->topic, p, 0, 100);
    rig_start(&f->rig);
    rig_expect(&f->rig, 4000);
    for (int32_t p = 0; p < 40; p++)
        expect_numbers(&f->rig, p, 0, 100);
    rig_crash(&f->rig);
}

/* With room for little, librdkafka often has enough; it must notice at once when that is read. */
static void little_memory_does_not_make_it_slow(void **state)
{
    struct fixture *f = *state;
    char value[129] = {0};
    memset(value, 'x', sizeof value - 1);
    broker_create_topic(f->topic, 1);
    for (int i = 0; i < 120000; i++)
        produce(f->topic, 0, "p0", value);
    broker_flush();
    f->rig.memory_bytes = 256 << 10;
    f->rig.is_silent = true;
    uint64_t begin_us = clock_now_us();
    rig_start(&f->rig);
    rig_expect(&f->rig, 120000);
    assert_true(clock_now_us() - begin_us < 6000000); /* it was 15 s */
    rig_crash(&f->rig);
}

/* --- the group --- */

static void the_group_is_told_what_is_durable_and_nothing_else(void **state)
{
    struct fixture *f = *state;
    broker_create_topic(f->topic, 1);
    produce_numbers(f->topic, 0, 0, 10);
    rig_start(&f->rig);
    rig_expect(&f->rig, 10);
    rig_run(&f->rig, 2500);
    assert_int_equal(broker_group_offset(f->rig.spec.group, f->topic, 0), 10);
    f->rig.holds_epoch = true;
    produce_numbers(f->topic, 0, 10, 10);
    rig_expect(&f->rig, 20);
    rig_run(&f->rig, 2500);
    assert_int_equal(broker_group_offset(f->rig.spec.group, f->topic, 0), 10);
    f->rig.holds_epoch = false;
    rig_run(&f->rig, 2500);
    assert_int_equal(broker_group_offset(f->rig.spec.group, f->topic, 0), 20);
    rig_crash(&f->rig);
}

/* The commit of an epoch says nothing about what came after it. */
static void the_group_is_not_told_of_the_epoch_after_the_durable_one(void **state)
{
    struct fixture *f = *state;
    broker_create_topic(f->topic, 1);
    rig_start(&f->rig);
    rig_run(&f->rig, 500);
    f->rig.holds_commit = true;
    produce_numbers(f->topic, 0, 0, 10);
    rig_expect(&f->rig, 10);
    f->rig.holds_epoch = true; /* the ten are sealed, the next are not */
    produce_numbers(f->topic, 0, 10, 10);
    rig_expect(&f->rig, 20);
    f->rig.holds_commit = false;
    rig_run(&f->rig, 2500);
    assert_int_equal(rig_position(&f->rig, f->topic, 0), 10);
    assert_int_equal(broker_group_offset(f->rig.spec.group, f->topic, 0), 10);
    rig_crash(&f->rig);
}

/* --- brokers that are away --- */

static void brokers_that_are_away_are_waited_for_and_closing_takes_a_few_seconds(void **state)
{
    struct fixture *f = *state;
    free(f->rig.spec.address);
    f->rig.spec.address = mem_string("127.0.0.1:1");
    rig_start(&f->rig);
    rig_run(&f->rig, 1000);
    uint64_t begin_us = clock_now_us();
    rig_crash(&f->rig);
    assert_true(clock_now_us() - begin_us < 6000000);
}

static void run_broker_tool(const char *command)
{
    char *line = mem_format("%s %s --dir %s >/dev/null", KAFKA_BROKER_TOOL, command,
                            getenv("STATEFUN_KAFKA_DIR"));
    assert_int_equal(system(line), 0);
    free(line);
}

/* Needs the broker's directory: it kills it. */
static void after_an_outage_reading_goes_on_where_it_was(void **state)
{
    struct fixture *f = *state;
    if (!getenv("STATEFUN_KAFKA_DIR"))
        skip();
    broker_create_topic(f->topic, 2);
    produce_numbers(f->topic, 0, 0, 100);
    rig_start(&f->rig);
    rig_expect(&f->rig, 100);
    rig_run(&f->rig, 100);
    run_broker_tool("kill");
    uint64_t turns = f->rig.turns;
    rig_run(&f->rig, 8000);
    assert_true(f->rig.turns - turns < 2000);
    run_broker_tool("start --mortal");
    produce_numbers(f->topic, 0, 100, 100);
    produce_numbers(f->topic, 1, 0, 100);
    rig_expect(&f->rig, 300);
    expect_numbers(&f->rig, 0, 0, 200);
    expect_numbers(&f->rig, 1, 0, 100);
    rig_run(&f->rig, 3000);
    assert_int_equal(broker_group_offset(f->rig.spec.group, f->topic, 0), 200);
    rig_crash(&f->rig);
}

static void an_ingress_can_be_closed_during_an_outage(void **state)
{
    struct fixture *f = *state;
    if (!getenv("STATEFUN_KAFKA_DIR"))
        skip();
    broker_create_topic(f->topic, 2);
    produce_numbers(f->topic, 0, 0, 100);
    rig_start(&f->rig);
    rig_expect(&f->rig, 100);
    rig_run(&f->rig, 850); /* the group is told every second */
    produce_numbers(f->topic, 0, 100, 10);
    rig_expect(&f->rig, 110);
    run_broker_tool("kill");
    rig_run(&f->rig, 300);
    uint64_t begin_us = clock_now_us();
    rig_crash(&f->rig);
    bool soon = clock_now_us() - begin_us < 7000000;
    run_broker_tool("start --mortal");
    assert_true(soon);
}

int main(int count, char **arguments)
{
    const struct CMUnitTest tests[] = {
        TEST(stored_positions_win_and_what_was_not_committed_is_read_again),
        TEST(records_that_are_refused_wait_and_keep_their_order),
        TEST(it_can_be_closed_with_records_in_hand),
        TEST(refused_dead_letters_wait_too),
        TEST(a_position_that_is_trimmed_away_is_reset),
        TEST(a_partition_that_is_added_begins_with_its_earliest_record),
        TEST(a_partition_that_was_added_meanwhile_begins_with_its_earliest_record),
        TEST(a_topic_that_does_not_exist_is_waited_for),
        TEST(a_topic_that_is_deleted_and_made_again_is_read_again),
        TEST(many_partitions_share_the_memory),
        TEST(little_memory_does_not_make_it_slow),
        TEST(the_group_is_told_what_is_durable_and_nothing_else),
        TEST(the_group_is_not_told_of_the_epoch_after_the_durable_one),
        TEST(brokers_that_are_away_are_waited_for_and_closing_takes_a_few_seconds),
        TEST(after_an_outage_reading_goes_on_where_it_was),
        TEST(an_ingress_can_be_closed_during_an_outage),
    };
    if (!broker_address())
        return BROKER_SKIPPED;
    if (count > 1)
        cmocka_set_test_filter(arguments[1]);
    int failed = cmocka_run_group_tests_name("kafka ingress going on", tests, NULL, NULL);
    broker_leave();
    return failed;
}
