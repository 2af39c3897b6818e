/* client_test.c - configurations, errors without secrets, outages said once, an end in time. */
#include "kafka/client.h"

#include "base/histogram.h"
#include "base/log.h"
#include "test.h"

#include <stdio.h>
#include <unistd.h>

struct fixture {
    struct kafka_outage outage;
    struct sf_status status;
    int log_fd;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    f->outage.component = "ingress";
    f->outage.id = "a/b";
    f->outage.address = "127.0.0.1:1";
    char path[] = "/tmp/client_test.XXXXXX";
    f->log_fd = mkstemp(path);
    unlink(path);
    log_redirect(f->log_fd);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    log_redirect(-1);
    close(f->log_fd);
    free(f);
    return 0;
}

/* How often `part` was logged. */
static int logged(const struct fixture *f, const char *part)
{
    static char text[65536];
    ssize_t size = pread(f->log_fd, text, sizeof text - 1, 0);
    int count = 0;
    text[size < 0 ? 0 : size] = '\0';
    for (const char *at = text; (at = strstr(at, part)); at++)
        count++;
    return count;
}

static bool make(struct fixture *f, const char *name, const char *value, rd_kafka_conf_t **ret_conf)
{
    struct client_property property = {
        .name = (char *)name, .value = (char *)value, .place = {"module.yaml", 7, 3}};
    return kafka_conf_new(&(struct property_list){&property, 1}, &f->outage, ret_conf, &f->status);
}

static void expect_setting(const rd_kafka_conf_t *conf, const char *name, const char *expected)
{
    char value[128];
    size_t size = sizeof value;
    assert_int_equal(rd_kafka_conf_get(conf, name, value, &size), RD_KAFKA_CONF_OK);
    assert_string_equal(value, expected);
}

static void properties_of_librdkafka_are_known_and_others_are_not(void **state)
{
    (void)state;
    assert_true(kafka_knows_property("fetch.min.bytes"));
    assert_true(kafka_knows_property("linger.ms"));
    assert_true(kafka_knows_property("acks")); /* of a topic */
    assert_false(kafka_knows_property("fetch.min.byte"));
    assert_false(kafka_knows_property("key.deserializer"));
}

static void what_the_user_sets_wins_over_our_defaults_but_not_over_the_address(void **state)
{
    struct fixture *f = *state;
    rd_kafka_conf_t *conf;
    assert_good(make(f, "reconnect.backoff.max.ms", "7777", &conf), &f->status);
    expect_setting(conf, "reconnect.backoff.max.ms", "7777");
    rd_kafka_conf_destroy(conf);
    assert_good(make(f, "bootstrap.servers", "elsewhere:9", &conf), &f->status);
    expect_setting(conf, "bootstrap.servers", "127.0.0.1:1");
    expect_setting(conf, "reconnect.backoff.max.ms", "1000");
    rd_kafka_conf_destroy(conf);
}

static void a_property_that_makes_no_sense_is_named_without_its_value(void **state)
{
    struct fixture *f = *state;
    rd_kafka_conf_t *conf;
    assert_false(make(f, "security.protocol", "hunter2", &conf));
    assert_int_equal(f->status.code, SF_INVALID);
    assert_mentions(f->status.message, "module.yaml:7:3");
    assert_mentions(f->status.message, "'security.protocol'");
    assert_null(strstr(f->status.message, "hunter2"));
    assert_false(make(f, "no.such", "hunter2", &conf));
    assert_mentions(f->status.message, "'no.such'");
    assert_null(strstr(f->status.message, "hunter2"));
}

static void a_client_that_cannot_be_made_keeps_its_secrets(void **state)
{
    struct fixture *f = *state;
    rd_kafka_conf_t *conf;
    rd_kafka_t *client;
    assert_good(make(f, "sasl.oauthbearer.config", "principal=x hunter2", &conf), &f->status);
    kafka_conf_set(conf, "security.protocol", "SASL_PLAINTEXT");
    kafka_conf_set(conf, "sasl.mechanism", "OAUTHBEARER");
    kafka_conf_set(conf, "enable.sasl.oauthbearer.unsecure.jwt", "true");
    if (kafka_client_new(RD_KAFKA_CONSUMER, conf, &client, &f->status))
        kafka_client_free(client, 5000); /* it finds out later */
    else
        assert_null(strstr(f->status.message, "hunter2"));

    assert_good(make(f, "ssl.ca.location", "/does/not/exist", &conf), &f->status);
    kafka_conf_set(conf, "security.protocol", "SSL");
    assert_false(kafka_client_new(RD_KAFKA_CONSUMER, conf, &client, &f->status));
    assert_int_equal(f->status.code, SF_INVALID);
    assert_mentions(f->status.message, "ssl.ca.location");
    assert_int_equal(logged(f, "hunter2"), 0);
}

static void an_outage_is_said_once_and_its_end_once(void **state)
{
    struct fixture *f = *state;
    kafka_outage_end(&f->outage);
    assert_int_equal(logged(f, "again"), 0);
    for (int episode = 1; episode <= 2; episode++) {
        kafka_outage_begin(&f->outage, "one");
        kafka_outage_begin(&f->outage, "two");
        assert_int_equal(logged(f, "cannot be reached"), episode);
        kafka_outage_end(&f->outage);
        kafka_outage_end(&f->outage);
        assert_int_equal(logged(f, "reached again"), episode);
    }
    assert_int_equal(logged(f, "two"), 0);
    assert_int_equal(logged(f, "address=127.0.0.1:1"), 4);
}

static void brokers_that_refuse_are_an_outage_with_its_reason(void **state)
{
    struct fixture *f = *state;
    rd_kafka_conf_t *conf;
    rd_kafka_t *client;
    assert_good(make(f, "client.id", "x", &conf), &f->status);
    assert_good(kafka_client_new(RD_KAFKA_CONSUMER, conf, &client, &f->status), &f->status);
    for (int i = 0; i < 100 && !logged(f, "cannot be reached"); i++)
        rd_kafka_poll(client, 100);
    for (int i = 0; i < 10; i++)
        rd_kafka_poll(client, 100);
    assert_int_equal(logged(f, "cannot be reached"), 1);
    assert_int_equal(logged(f, "Connection refused"), 1);
    kafka_client_free(client, 5000);
}

static void hang(void *argument)
{
    usleep(1000 * *(unsigned *)argument);
    free(argument);
}

static void a_client_that_does_not_end_in_time_is_left_behind(void **state)
{
    struct fixture *f = *state;
    rd_kafka_conf_t *conf;
    rd_kafka_t *client;
    assert_good(make(f, "client.id", "x", &conf), &f->status);
    assert_good(kafka_client_new(RD_KAFKA_PRODUCER, conf, &client, &f->status), &f->status);
    unsigned *hang_ms = malloc(sizeof *hang_ms);
    *hang_ms = 500;
    uint64_t begin_us = clock_now_us();
    kafka_client_free_after(client, 50, hang, hang_ms);
    assert_true(clock_now_us() - begin_us < 400000);
    assert_int_equal(logged(f, "left behind"), 1);
    memset(&f->outage, 0xa5, sizeof f->outage); /* its owner is gone */
    usleep(1500000);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(properties_of_librdkafka_are_known_and_others_are_not),
        TEST(what_the_user_sets_wins_over_our_defaults_but_not_over_the_address),
        TEST(a_property_that_makes_no_sense_is_named_without_its_value),
        TEST(a_client_that_cannot_be_made_keeps_its_secrets),
        TEST(an_outage_is_said_once_and_its_end_once),
        TEST(brokers_that_refuse_are_an_outage_with_its_reason),
        TEST(a_client_that_does_not_end_in_time_is_left_behind),
    };
    return cmocka_run_group_tests_name("kafka client", tests, NULL, NULL);
}
