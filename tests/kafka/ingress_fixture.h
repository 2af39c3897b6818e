/* ingress_fixture.h - a topic of its own for each test of the Kafka ingress, and numbers in it. */
#ifndef TESTS_KAFKA_INGRESS_FIXTURE_H
#define TESTS_KAFKA_INGRESS_FIXTURE_H

#include "kafka/broker.h"
#include "kafka/ingress_rig.h"

#include "base/mem.h"
#include "test.h"

#include <stdio.h>

struct fixture {
    struct rig rig;
    char *topic;
};

static inline int set_up(void **state)
{
    struct fixture *f = mem_new(sizeof *f);
    f->topic = mem_string(broker_new_name("in"));
    rig_init(&f->rig, f->topic);
    *state = f;
    return 0;
}

static inline int tear_down(void **state)
{
    struct fixture *f = *state;
    rig_destroy(&f->rig);
    free(f->topic);
    free(f);
    return 0;
}

static inline void produce(const char *topic, int32_t partition, const char *key, const char *value)
{
    broker_produce(topic, partition, bytes_of(key), bytes_of(value), 0);
}

/* Records "first", "first + 1", ... with the partition as key. */
static inline void produce_numbers(const char *topic, int32_t partition, int first, int count)
{
    char key[16], value[16];
    snprintf(key, sizeof key, "p%d", (int)partition);
    for (int i = 0; i < count; i++) {
        snprintf(value, sizeof value, "%d", first + i);
        produce(topic, partition, key, value);
    }
    broker_flush();
}

/* Fails unless the messages of a partition's key are the numbers from `first`, in order. */
static inline void expect_numbers(const struct rig *rig, int32_t partition, int first, int count)
{
    char expected[64];
    int found = 0;
    for (size_t i = 0; i < rig->message_count; i++) {
        snprintf(expected, sizeof expected, "test/fn/p%d ", (int)partition);
        if (strncmp(rig->messages[i].text, expected, strlen(expected)))
            continue;
        snprintf(expected, sizeof expected, "test/fn/p%d test/type=%d", (int)partition,
                 first + found++);
        assert_string_equal(rig->messages[i].text, expected);
    }
    assert_int_equal(found, count);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
