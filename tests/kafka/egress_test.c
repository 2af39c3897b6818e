/* egress_test.c - committed records reach Kafka: each once, in order, whatever happens meanwhile.
 */
#include "kafka/egress_rig.h"

#include "kafka/broker.h"
#include "test.h"
#include "wire/typed_value.h"

#include <stdio.h>
#include <unistd.h>

struct fixture {
    struct rig *rig, *other;
    char *topic;
    const char *address;
    struct sf_status status;
};

static int setup_with(void **state, enum kafka_delivery delivery)
{
    struct fixture *f = mem_new(sizeof *f);
    f->address = broker_address();
    f->topic = mem_string(broker_new_name("out"));
    f->rig = rig_new(delivery, f->address);
    *state = f;
    return 0;
}

static int setup(void **state)
{
    return setup_with(state, KAFKA_EXACTLY_ONCE);
}

static int setup_at_least_once(void **state)
{
    return setup_with(state, KAFKA_AT_LEAST_ONCE);
}

static int setup_none(void **state)
{
    return setup_with(state, KAFKA_NONE);
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    if (f->rig)
        rig_free(f->rig);
    if (f->other)
        rig_free(f->other);
    own_broker_clean();
    broker_leave();
    free(f->topic);
    free(f);
    return 0;
}

static struct egress_figures figures(struct rig *rig)
{
    struct egress_figures figures;
    kafka_egress_figures(rig->egress, &figures);
    return figures;
}

/* --- the ordinary way --- */

static void records_arrive_once_and_in_order(void **state)
{
    struct fixture *f = *state;
    topic_create(f->address, f->topic, 3, NULL);
    rig_start(f->rig);
    for (int epoch = 0; epoch < 300; epoch++) {
        rig_put_numbers(f->rig, f->topic, 1 + (size_t)epoch % 40, 7);
        if (epoch % 3 == 0)
            usleep(1000);
    }
    rig_wait_all(f->rig);
    expect_numbers(f->address, f->topic, f->rig->records, 7);
    assert_int_equal(figures(f->rig).records, f->rig->records);
    assert_true(figures(f->rig).bytes > f->rig->records);
    assert_int_equal(figures(f->rig).batches, figures(f->rig).latency.count);
    assert_int_equal(figures(f->rig).aborted, 0);
}

static void headers_of_a_record_are_headers_in_kafka(void **state)
{
    struct fixture *f = *state;
    struct topic_view view;
    topic_create(f->address, f->topic, 1, NULL);
    rig_start(f->rig);
    rig_put_with_headers(f->rig, f->topic, "one",
                         (const char *const[]){"trace", "7", "trace", "8", "none", "", NULL});
    rig_put_text(f->rig, f->topic, "", "two");
    rig_wait_all(f->rig);
    topic_read(f->address, f->topic, &view);
    assert_int_equal(view.count, 2);
    assert_string_equal(view.records[0].value, "one");
    assert_string_equal(view.records[0].headers, "trace=7 trace=8 none=");
    assert_string_equal(view.records[1].headers, "");
    topic_view_free(&view);
}

static void a_topic_that_does_not_exist_is_made_if_brokers_do_that(void **state)
{
    struct fixture *f = *state;
    rig_start(f->rig);
    rig_put_text(f->rig, f->topic, "", "a");
    rig_wait_all(f->rig);
    expect_texts(f->address, f->topic, "a");
}

static void keys_and_empty_values_arrive_as_they_were_given(void **state)
{
    struct fixture *f = *state;
    topic_create(f->address, f->topic, 1, NULL);
    rig_start(f->rig);
    rig_put_text(f->rig, f->topic, "", "");
    rig_put_text(f->rig, f->topic, "k", "v");
    rig_wait_all(f->rig);
    expect_texts(f->address, f->topic, " v");
}

static void an_egress_that_has_delivered_all_is_hungry(void **state)
{
    struct fixture *f = *state;
    rig_start(f->rig);
    rig_wait_hungry(f->rig);
    rig_put_text(f->rig, f->topic, "", "a");
    rig_wait_all(f->rig);
    rig_wait_hungry(f->rig);
    assert_int_equal(f->rig->hungry_changes, 3);
}

static void a_backlog_beyond_memory_arrives_in_order(void **state)
{
    struct fixture *f = *state;
    f->rig->memory_bytes_max = 20000;
    topic_create(f->address, f->topic, 2, NULL);
    for (int epoch = 0; epoch < 50; epoch++)
        rig_put_numbers(f->rig, f->topic, 100, 5);
    rig_start(f->rig);
    for (int epoch = 0; epoch < 50; epoch++)
        rig_put_numbers(f->rig, f->topic, 100, 5);
    rig_wait_all(f->rig);
    expect_numbers(f->address, f->topic, f->rig->records, 5);
}

/* --- once only --- */

/* As after a crash between the commit of the transaction and the trim of the outbox, or when the
 * commit's answer was lost. */
static void what_was_delivered_is_not_sent_again(void **state)
{
    struct fixture *f = *state;
    topic_create(f->address, f->topic, 1, NULL);
    rig_start(f->rig);
    rig_put_text(f->rig, f->topic, "", "a");
    rig_put_text(f->rig, f->topic, "", "b");
    rig_wait_all(f->rig);
    rig_stop(f->rig);

    rig_put_text(f->rig, f->topic, "", "c");
    rig_start(f->rig);
    rig_wait_all(f->rig);
    assert_int_equal(f->rig->first_confirmed, 2);
    rig_put_text(f->rig, f->topic, "", "d");
    rig_wait_all(f->rig);
    expect_texts(f->address, f->topic, "a b c d");
}

static void the_delivered_epoch_is_the_highest_of_all_topics(void **state)
{
    struct fixture *f = *state;
    char *second = mem_format("%s-second", f->topic);
    topic_create(f->address, f->topic, 1, NULL);
    topic_create(f->address, second, 1, NULL);
    rig_start(f->rig);
    rig_put_text(f->rig, second, "", "a");
    rig_wait_all(f->rig);
    rig_put_text(f->rig, f->topic, "", "b");
    rig_wait_all(f->rig);
    rig_put_text(f->rig, second, "", "c");
    rig_wait_all(f->rig);
    rig_stop(f->rig);
    rig_start(f->rig);
    rig_wait_confirmed(f->rig, 3);
    rig_wait_hungry(f->rig);
    assert_int_equal(f->rig->first_confirmed, 3);
    expect_texts(f->address, second, "a c");
    free(second);
}

static void another_data_directory_begins_anew(void **state)
{
    struct fixture *f = *state;
    topic_create(f->address, f->topic, 1, NULL);
    rig_start(f->rig);
    rig_put_text(f->rig, f->topic, "", "a");
    rig_wait_all(f->rig);
    rig_stop(f->rig);
    f->rig->store_id = "another";
    rig_start(f->rig);
    rig_wait_all(f->rig);
    expect_texts(f->address, f->topic, "a a");
}

/* A process that hangs in the middle of a transaction, and wakes up when it is too late. */
static void a_predecessor_that_hangs_is_fenced_and_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    char message[256];
    topic_create(f->address, f->topic, 1, NULL);
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    char *id = mem_format("statefun.%s.test.out", f->rig->application);
    char *group = mem_format("%s.%s", id, f->rig->store_id);
    rd_kafka_conf_set(conf, "bootstrap.servers", f->address, NULL, 0);
    rd_kafka_conf_set(conf, "transactional.id", id, NULL, 0);
    rd_kafka_conf_set(conf, "log_level", "0", NULL, 0);
    rd_kafka_t *zombie = rd_kafka_new(RD_KAFKA_PRODUCER, conf, message, sizeof message);
    assert_null(rd_kafka_init_transactions(zombie, 20000));
    assert_null(rd_kafka_begin_transaction(zombie));
    assert_int_equal(rd_kafka_producev(zombie, RD_KAFKA_V_TOPIC(f->topic),
                                       RD_KAFKA_V_VALUE((void *)"zombie", 6), RD_KAFKA_V_END),
                     0);
    rd_kafka_consumer_group_metadata_t *metadata = rd_kafka_consumer_group_metadata_new(group);
    rd_kafka_topic_partition_list_t *offsets = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(offsets, f->topic, 0)->offset = 1;
    assert_null(rd_kafka_send_offsets_to_transaction(zombie, offsets, metadata, 20000));
    assert_int_equal(rd_kafka_flush(zombie, 20000), 0);

    rig_put_text(f->rig, f->topic, "", "a");
    rig_start(f->rig);
    rig_wait_all(f->rig);
    rd_kafka_error_t *error = rd_kafka_commit_transaction(zombie, 20000);
    assert_non_null(error);
    assert_int_equal(rd_kafka_error_code(error), RD_KAFKA_RESP_ERR__FENCED);
    rd_kafka_error_destroy(error);
    expect_texts(f->address, f->topic, "a");

    rd_kafka_topic_partition_list_destroy(offsets);
    rd_kafka_consumer_group_metadata_destroy(metadata);
    rd_kafka_destroy(zombie);
    free(group);
    free(id);
}

static void an_egress_whose_name_was_taken_over_ends(void **state)
{
    struct fixture *f = *state;
    topic_create(f->address, f->topic, 1, NULL);
    rig_start(f->rig);
    rig_put_text(f->rig, f->topic, "", "a");
    rig_wait_all(f->rig);

    f->other = rig_new(KAFKA_EXACTLY_ONCE, f->address);
    free((char *)f->other->application);
    f->other->application = mem_string(f->rig->application);
    f->other->store_id = "of another directory";
    rig_start(f->other);
    rig_wait_hungry(f->other);

    rig_put_text(f->rig, f->topic, "", "b");
    rig_wait_fatal(f->rig);
    assert_int_equal(f->rig->fatal.code, SF_FENCED);
    assert_mentions(f->rig->fatal.message, f->rig->application);
    assert_int_equal(f->rig->confirmed, 1);
    rig_put_text(f->other, f->topic, "", "c");
    rig_wait_all(f->other);
    expect_texts(f->address, f->topic, "a c");
}

static void a_store_that_is_older_than_what_was_delivered_is_refused(void **state)
{
    struct fixture *f = *state;
    topic_create(f->address, f->topic, 1, NULL);
    rig_start(f->rig);
    for (int i = 0; i < 5; i++)
        rig_put_text(f->rig, f->topic, "", "x");
    rig_wait_all(f->rig);
    rig_stop(f->rig);

    f->rig->committed = 3; /* a backup */
    rig_start(f->rig);
    rig_wait_fatal(f->rig);
    assert_int_equal(f->rig->fatal.code, SF_CONFLICT);
    assert_mentions(f->rig->fatal.message, "ends with epoch 3, but epoch 5");
}

/* --- records that can never be delivered --- */

static void expect_dead(struct rig *rig, size_t index, const char *part)
{
    rig_wait_dead(rig, index + 1);
    assert_mentions(rig->causes[index], part);
}

static void put_large(struct rig *rig, const char *topic, size_t size)
{
    char *value = mem_new(size);
    memset(value, 'x', size);
    rig_put(rig, topic, "", bytes_make(value, size));
    free(value);
}

static void a_record_that_no_client_may_send_dies_alone(void **state)
{
    struct fixture *f = *state;
    topic_create(f->address, f->topic, 1, NULL);
    rig_put_text(f->rig, f->topic, "", "a");
    put_large(f->rig, f->topic, 2 << 20);
    rig_put_text(f->rig, f->topic, "", "b");
    rig_start(f->rig);
    rig_wait_all(f->rig);
    expect_dead(f->rig, 0, "too large");
    assert_int_equal(f->rig->dead, 1);
    assert_int_equal(figures(f->rig).dead, 1);
    assert_int_equal(figures(f->rig).records, 2);
    expect_texts(f->address, f->topic, "a b");
}

static void records_that_are_too_large_for_their_topic_die_and_the_others_arrive(void **state)
{
    struct fixture *f = *state;
    topic_create(f->address, f->topic, 1, (const char *[]){"max.message.bytes=3000", NULL});
    for (int i = 0; i < 20; i++)
        rig_put_numbers(f->rig, f->topic, 20, 3);
    put_large(f->rig, f->topic, 4000);
    f->rig->records--; /* the numbers go on */
    for (int i = 0; i < 20; i++)
        rig_put_numbers(f->rig, f->topic, 20, 3);
    rig_start(f->rig);
    rig_wait_all(f->rig);
    expect_dead(f->rig, 0, "too large");
    assert_int_equal(f->rig->dead, 1);
    expect_numbers(f->address, f->topic, 800, 3);
}

/* A compacted topic takes no record without a key; brokers refuse all that came with it. */
static void an_invalid_record_dies_and_the_others_arrive(void **state)
{
    struct fixture *f = *state;
    topic_create(f->address, f->topic, 1, (const char *[]){"cleanup.policy=compact", NULL});
    for (int i = 0; i < 10; i++)
        rig_put_numbers(f->rig, f->topic, 10, 3);
    rig_put_text(f->rig, f->topic, "", "no key");
    f->rig->records--;
    for (int i = 0; i < 10; i++)
        rig_put_numbers(f->rig, f->topic, 10, 3);
    rig_start(f->rig);
    rig_wait_all(f->rig);
    expect_dead(f->rig, 0, f->topic);
    assert_int_equal(f->rig->dead, 1);
    expect_numbers(f->address, f->topic, 200, 3);
}

static void a_topic_name_that_is_none_makes_dead_letters(void **state)
{
    struct fixture *f = *state;
    topic_create(f->address, f->topic, 1, NULL);
    rig_start(f->rig);
    rig_put_text(f->rig, "no topic/at all", "", "x");
    rig_put_text(f->rig, f->topic, "", "a");
    rig_wait_all(f->rig);
    expect_dead(f->rig, 0, "no topic/at all");
    expect_texts(f->address, f->topic, "a");
}

static void a_batch_of_nothing_but_dead_letters_is_confirmed(void **state)
{
    struct fixture *f = *state;
    rig_put_text(f->rig, "..", "", "x");
    rig_start(f->rig);
    rig_wait_all(f->rig);
    assert_int_equal(f->rig->dead, 1);
    rig_stop(f->rig);
}

/* --- brokers that come and go --- */

static void a_topic_that_brokers_do_not_make_is_waited_for_and_then_given_up(void **state)
{
    struct own_broker broker;
    (void)state;
    own_broker_start(&broker, "--set auto.create.topics.enable=false");
    struct rig *rig = rig_new(KAFKA_EXACTLY_ONCE, broker.address);
    topic_create(broker.address, "there", 1, NULL);
    rig_start(rig);
    rig_put_text(rig, "there", "", "a");
    rig_wait_all(rig);

    rig_put_text(rig, "late", "", "late");
    usleep(1000000);
    assert_int_equal(rig->dead, 0);
    topic_create(broker.address, "late", 1, NULL);
    rig_wait_all(rig);
    expect_texts(broker.address, "late", "late");

    uint64_t began = now_ms();
    rig_put_text(rig, "never", "", "x");
    rig_put_text(rig, "there", "", "b");
    rig_wait_all(rig);
    assert_true(now_ms() - began > 5000);
    expect_dead(rig, 0, "never");
    began = now_ms();
    rig_put_text(rig, "never", "", "x");
    rig_wait_all(rig);
    assert_true(now_ms() - began < 5000); /* it was waited for already */
    assert_int_equal(rig->dead, 2);
    expect_texts(broker.address, "there", "a b");
    rig_free(rig);
    own_broker_end(&broker);
}

struct load {
    struct rig *rig;
    atomic_bool is_over;
};

static void *put_on(void *argument)
{
    struct load *load = argument;
    while (!atomic_load(&load->is_over)) {
        rig_put_numbers(load->rig, "load", 3, 5);
        usleep(3000);
    }
    return NULL;
}

static void outages(enum kafka_delivery delivery)
{
    struct own_broker broker;
    own_broker_start(&broker, "");
    struct load load = {.rig = rig_new(delivery, broker.address)};
    pthread_t thread;
    topic_create(broker.address, "load", 2, NULL);
    rig_start(load.rig);
    assert_int_equal(pthread_create(&thread, NULL, put_on, &load), 0);
    const char *const ends[] = {"kill", "stop", "kill"};
    for (size_t i = 0; i < 3; i++) {
        usleep(700000);
        own_broker_do(&broker, ends[i]);
        usleep(300000);
        own_broker_do(&broker, "start");
    }
    usleep(500000);
    atomic_store(&load.is_over, true);
    pthread_join(thread, NULL);
    rig_wait_all(load.rig);
    expect_numbers(broker.address, "load", load.rig->records, 5);
    rig_free(load.rig);
    own_broker_end(&broker);
}

static void brokers_that_die_under_load_neither_lose_nor_double_records(void **state)
{
    (void)state;
    outages(KAFKA_EXACTLY_ONCE);
}

/* The idempotent producer keeps them apart too, as long as the process lives. */
static void brokers_that_die_lose_nothing_at_least_once(void **state)
{
    (void)state;
    outages(KAFKA_AT_LEAST_ONCE);
}

/* The coordinator says the same as to a fenced producer: this one may go on. */
static void a_transaction_that_brokers_gave_up_is_done_again(void **state)
{
    struct own_broker broker;
    (void)state;
    own_broker_start(&broker,
                     "--set transaction.abort.timed.out.transaction.cleanup.interval.ms=100");
    struct rig *rig = rig_new(KAFKA_EXACTLY_ONCE, broker.address);
    rig->spec.transaction_timeout_ms = 1000;
    topic_create(broker.address, "slow", 1, NULL);
    rig->dead_takes_ms = 3000; /* in the middle of the transaction */
    rig_put_text(rig, "slow", "", "a");
    put_large(rig, "slow", 2 << 20);
    rig_put_text(rig, "slow", "", "b");
    rig_start(rig);
    rig_wait_all(rig);
    assert_int_equal(rig->dead, 1);
    assert_true(figures(rig).aborted > 0);
    expect_texts(broker.address, "slow", "a b");
    rig_free(rig);
    own_broker_end(&broker);
}

static void brokers_that_are_away_at_the_start_are_waited_for(void **state)
{
    struct own_broker broker;
    (void)state;
    own_broker_start(&broker, "");
    own_broker_do(&broker, "stop");
    struct rig *rig = rig_new(KAFKA_EXACTLY_ONCE, broker.address);
    rig_start(rig);
    rig_put_text(rig, "topic", "", "a");
    usleep(2000000);
    assert_int_equal(rig->confirmed, 0);
    own_broker_do(&broker, "start");
    rig_wait_all(rig);
    expect_texts(broker.address, "topic", "a");
    rig_free(rig);
    own_broker_end(&broker);
}

/* --- the end --- */

static void stopping_delivers_what_is_there_first(void **state)
{
    struct fixture *f = *state;
    topic_create(f->address, f->topic, 2, NULL);
    rig_start(f->rig);
    for (int epoch = 0; epoch < 200; epoch++)
        rig_put_numbers(f->rig, f->topic, 50, 5);
    kafka_egress_stop(f->rig->egress, 20000);
    assert_int_equal(f->rig->confirmed, 200);
    expect_numbers(f->address, f->topic, f->rig->records, 5);
}

static void stopping_at_once_does_not_wait_for_brokers(void **state)
{
    struct fixture *f = *state;
    for (int delivery = KAFKA_AT_LEAST_ONCE; delivery <= KAFKA_NONE; delivery++) {
        f->other = rig_new((enum kafka_delivery)delivery, "127.0.0.1:1");
        rig_start(f->other);
        rig_put_text(f->other, "topic", "", "a");
        usleep(300000);
        uint64_t began = now_ms();
        kafka_egress_stop(f->other->egress, 500);
        assert_true(now_ms() - began >= 400);
        rig_free(f->other);
        f->other = NULL;
        assert_true(now_ms() - began < 6000);
    }
}

static void stopping_in_an_outage_is_bounded(void **state)
{
    struct own_broker broker;
    (void)state;
    own_broker_start(&broker, "");
    struct rig *rig = rig_new(KAFKA_EXACTLY_ONCE, broker.address);
    rig_start(rig);
    rig_put_text(rig, "topic", "", "a");
    rig_wait_all(rig);
    own_broker_do(&broker, "kill");
    rig_put_text(rig, "topic", "", "b");
    usleep(500000);
    uint64_t began = now_ms();
    rig_stop(rig);
    assert_true(now_ms() - began < 5000);
    own_broker_do(&broker, "start");
    rig_start(rig);
    rig_wait_all(rig);
    expect_texts(broker.address, "topic", "a b");
    rig_free(rig);
    own_broker_end(&broker);
}

/* --- the other guarantees --- */

static void plain_deliveries_arrive_in_order(void **state)
{
    struct fixture *f = *state;
    topic_create(f->address, f->topic, 3, NULL);
    rig_start(f->rig);
    for (int epoch = 0; epoch < 200; epoch++)
        rig_put_numbers(f->rig, f->topic, 20, 7);
    rig_wait_all(f->rig);
    kafka_egress_stop(f->rig->egress, 5000);
    usleep(200000); /* `none` confirms before */
    expect_numbers(f->address, f->topic, f->rig->records, 7);
}

static void at_least_once_sets_poison_aside_as_well(void **state)
{
    struct fixture *f = *state;
    topic_create(f->address, f->topic, 1,
                 (const char *[]){"max.message.bytes=3000", "cleanup.policy=compact", NULL});
    rig_put_text(f->rig, f->topic, "k", "a");
    put_large(f->rig, f->topic, 2 << 20);
    rig_put_text(f->rig, f->topic, "", "no key");
    rig_put_text(f->rig, f->topic, "k", "b");
    rig_put_text(f->rig, "..", "", "x");
    rig_start(f->rig);
    rig_wait_all(f->rig);
    assert_int_equal(f->rig->dead, 3);
    struct topic_view view;
    topic_read(f->address, f->topic, &view);
    assert_true(view.count >= 2);
    assert_string_equal(view.records[view.count - 1].value, "b");
    topic_view_free(&view);
}

/* --- what is asked before --- */

static void properties_that_make_no_sense_are_refused(void **state)
{
    struct fixture *f = *state;
    struct stored *stored = stored_new();
    struct outbox_reader reader = stored_reader(stored);
    struct outbox *outbox = outbox_new(STORED_EGRESS, STORED_EGRESS_ID, 1000, &reader, NULL, NULL);
    struct kafka_egress *egress;
    f->rig->properties[1] = (struct client_property){.name = "compression.type", .value = "zip"};
    f->rig->spec.properties.count = 2;
    struct kafka_egress_options options = {
        .spec = &f->rig->spec, .application = "app", .store_id = "store", .outbox = outbox};
    assert_false(kafka_egress_open(&options, &egress, &f->status));
    assert_mentions(f->status.message, "compression.type");
    assert_null(strstr(f->status.message, "zip"));
    outbox_free(outbox);
    stored_free(stored);
}

static void settings_that_suit_no_transaction_are_overruled(void **state)
{
    struct fixture *f = *state;
    f->rig->properties[1] = (struct client_property){.name = "acks", .value = "1"};
    f->rig->properties[2] = (struct client_property){.name = "retries", .value = "0"};
    f->rig->properties[3] =
        (struct client_property){.name = "max.in.flight.requests.per.connection", .value = "100"};
    f->rig->spec.properties.count = 4;
    rig_start(f->rig);
    rig_put_text(f->rig, f->topic, "", "a");
    rig_wait_all(f->rig);
    expect_texts(f->address, f->topic, "a");
}

static void a_check_tells_whether_brokers_would_do(void **state)
{
    struct fixture *f = *state;
    assert_good(kafka_egress_check(&f->rig->spec, 10000, &f->status), &f->status);

    f->rig->spec.transaction_timeout_ms = 3600 * 1000;
    assert_false(kafka_egress_check(&f->rig->spec, 10000, &f->status));
    assert_mentions(f->status.message, "transaction.max.timeout.ms");

    f->rig->spec.address = "127.0.0.1:1";
    uint64_t began = now_ms();
    assert_false(kafka_egress_check(&f->rig->spec, 500, &f->status));
    assert_true(now_ms() - began < 4000);
    assert_mentions(f->status.message, "127.0.0.1:1");
}

static void only_producer_records_are_accepted(void **state)
{
    struct fixture *f = *state;
    struct buffer record = {0}, argument = {0};
    struct bytes kept;
    buffer_add(&record, "\x12\x01v\x1a\x01t", 6); /* value_bytes: v, topic: t */
    typed_value_add(&argument, &(struct typed_value){.type = bytes_of(TYPE_KAFKA_RECORD),
                                                     .value = buffer_bytes(&record),
                                                     .has_value = true});
    assert_good(kafka_egress_accept(buffer_bytes(&argument), &kept, &f->status), &f->status);
    assert_true(bytes_equal(kept, buffer_bytes(&record)));

    buffer_clear(&argument);
    typed_value_add(&argument, &(struct typed_value){.type = bytes_of(TYPE_KAFKA_RECORD),
                                                     .value = bytes_of("\x12\x01v"),
                                                     .has_value = true});
    assert_false(kafka_egress_accept(buffer_bytes(&argument), &kept, &f->status));
    assert_mentions(f->status.message, "topic");
    buffer_destroy(&argument);
    buffer_destroy(&record);
}

#define TEST(name)           cmocka_unit_test_setup_teardown(name, setup, teardown)
#define TEST_OF(name, setup) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(records_arrive_once_and_in_order),
        TEST(headers_of_a_record_are_headers_in_kafka),
        TEST(a_topic_that_does_not_exist_is_made_if_brokers_do_that),
        TEST(keys_and_empty_values_arrive_as_they_were_given),
        TEST(an_egress_that_has_delivered_all_is_hungry),
        TEST(a_backlog_beyond_memory_arrives_in_order),
        TEST(what_was_delivered_is_not_sent_again),
        TEST(the_delivered_epoch_is_the_highest_of_all_topics),
        TEST(another_data_directory_begins_anew),
        TEST(a_predecessor_that_hangs_is_fenced_and_leaves_nothing),
        TEST(an_egress_whose_name_was_taken_over_ends),
        TEST(a_store_that_is_older_than_what_was_delivered_is_refused),
        TEST(a_record_that_no_client_may_send_dies_alone),
        TEST(records_that_are_too_large_for_their_topic_die_and_the_others_arrive),
        TEST(an_invalid_record_dies_and_the_others_arrive),
        TEST(a_topic_name_that_is_none_makes_dead_letters),
        TEST(a_batch_of_nothing_but_dead_letters_is_confirmed),
        TEST(a_topic_that_brokers_do_not_make_is_waited_for_and_then_given_up),
        TEST(brokers_that_die_under_load_neither_lose_nor_double_records),
        TEST(brokers_that_die_lose_nothing_at_least_once),
        TEST(a_transaction_that_brokers_gave_up_is_done_again),
        TEST(brokers_that_are_away_at_the_start_are_waited_for),
        TEST(stopping_delivers_what_is_there_first),
        TEST(stopping_at_once_does_not_wait_for_brokers),
        TEST(stopping_in_an_outage_is_bounded),
        TEST_OF(plain_deliveries_arrive_in_order, setup_at_least_once),
        TEST_OF(plain_deliveries_arrive_in_order, setup_none),
        TEST_OF(headers_of_a_record_are_headers_in_kafka, setup_none),
        TEST_OF(at_least_once_sets_poison_aside_as_well, setup_at_least_once),
        TEST(properties_that_make_no_sense_are_refused),
        TEST(settings_that_suit_no_transaction_are_overruled),
        TEST(a_check_tells_whether_brokers_would_do),
        TEST(only_producer_records_are_accepted),
    };
    if (!broker_address())
        return BROKER_SKIPPED;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
