/* broker.c - see broker.h. */
#include "kafka/broker.h"

#include "test.h"

#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { WAIT_MS = 20000 };

static rd_kafka_t *producer;

const char *broker_address(void)
{
    return getenv("STATEFUN_KAFKA");
}

const char *broker_new_name(const char *stem)
{
    enum { NAMES = 4 };
    static char names[NAMES][128];
    static unsigned count;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    char *name = names[count++ % NAMES];
    snprintf(name, sizeof names[0], "%s-%lld-%d-%u", stem, (long long)now.tv_sec, (int)getpid(),
             count);
    return name;
}

static void set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
    char message[256];
    if (rd_kafka_conf_set(conf, name, value, message, sizeof message) != RD_KAFKA_CONF_OK)
        fail_msg("%s", message);
}

static rd_kafka_t *new_client(rd_kafka_type_t type, const char *group)
{
    char message[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    set(conf, "bootstrap.servers", broker_address());
    set(conf, "log_level", "0");
    if (type == RD_KAFKA_PRODUCER)
        set(conf, "linger.ms", "5");
    if (group)
        set(conf, "group.id", group);
    rd_kafka_t *client = rd_kafka_new(type, conf, message, sizeof message);
    if (!client)
        fail_msg("%s", message);
    return client;
}

static rd_kafka_t *the_producer(void)
{
    if (!producer)
        producer = new_client(RD_KAFKA_PRODUCER, NULL);
    return producer;
}

void broker_leave(void)
{
    if (producer)
        rd_kafka_destroy(producer);
    producer = NULL;
}

/* --- topics --- */

static void expect_done(rd_kafka_queue_t *queue)
{
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, WAIT_MS);
    if (!event)
        fail_msg("the broker does not answer");
    if (rd_kafka_event_error(event))
        fail_msg("%s", rd_kafka_event_error_string(event));
    size_t count = 0;
    const rd_kafka_topic_result_t **topics = NULL;
    if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_CREATETOPICS_RESULT)
        topics =
            rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &count);
    else if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_DELETETOPICS_RESULT)
        topics =
            rd_kafka_DeleteTopics_result_topics(rd_kafka_event_DeleteTopics_result(event), &count);
    else if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_CREATEPARTITIONS_RESULT)
        topics = rd_kafka_CreatePartitions_result_topics(
            rd_kafka_event_CreatePartitions_result(event), &count);
    for (size_t i = 0; i < count; i++)
        if (rd_kafka_topic_result_error(topics[i]))
            fail_msg("%s", rd_kafka_err2str(rd_kafka_topic_result_error(topics[i])));
    rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
}

/* A broker that has answered may still take a moment to lead the new partitions. */
static void wait_for_leaders(const char *topic, int partitions)
{
    for (int tries = 0; tries < 200; tries++) {
        const struct rd_kafka_metadata *metadata;
        rd_kafka_topic_t *handle = rd_kafka_topic_new(the_producer(), topic, NULL);
        int led = 0;
        if (!rd_kafka_metadata(the_producer(), 0, handle, &metadata, WAIT_MS)) {
            for (int i = 0; i < metadata->topics[0].partition_cnt; i++)
                led += metadata->topics[0].partitions[i].leader >= 0;
            rd_kafka_metadata_destroy(metadata);
        }
        rd_kafka_topic_destroy(handle);
        if (led == partitions)
            return;
        usleep(20000);
    }
    fail_msg("topic %s has not %d partitions", topic, partitions);
}

void broker_create_topic(const char *topic, int partitions)
{
    char message[256];
    rd_kafka_queue_t *queue = rd_kafka_queue_new(the_producer());
    rd_kafka_NewTopic_t *new_topic =
        rd_kafka_NewTopic_new(topic, partitions, 1, message, sizeof message);
    rd_kafka_CreateTopics(the_producer(), &new_topic, 1, NULL, queue);
    expect_done(queue);
    rd_kafka_NewTopic_destroy(new_topic);
    wait_for_leaders(topic, partitions);
}

void broker_add_partitions(const char *topic, int partitions)
{
    char message[256];
    rd_kafka_queue_t *queue = rd_kafka_queue_new(the_producer());
    rd_kafka_NewPartitions_t *more =
        rd_kafka_NewPartitions_new(topic, (size_t)partitions, message, sizeof message);
    rd_kafka_CreatePartitions(the_producer(), &more, 1, NULL, queue);
    expect_done(queue);
    rd_kafka_NewPartitions_destroy(more);
    wait_for_leaders(topic, partitions);
}

void broker_delete_topic(const char *topic)
{
    rd_kafka_queue_t *queue = rd_kafka_queue_new(the_producer());
    rd_kafka_DeleteTopic_t *old = rd_kafka_DeleteTopic_new(topic);
    rd_kafka_DeleteTopics(the_producer(), &old, 1, NULL, queue);
    expect_done(queue);
    rd_kafka_DeleteTopic_destroy(old);
}

void broker_trim_topic(const char *topic, int32_t partition, int64_t offset)
{
    rd_kafka_queue_t *queue = rd_kafka_queue_new(the_producer());
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, topic, partition)->offset = offset;
    rd_kafka_DeleteRecords_t *records = rd_kafka_DeleteRecords_new(list);
    rd_kafka_DeleteRecords(the_producer(), &records, 1, NULL, queue);
    expect_done(queue);
    rd_kafka_DeleteRecords_destroy(records);
    rd_kafka_topic_partition_list_destroy(list);
}

/* --- records --- */

void broker_produce(const char *topic, int32_t partition, struct bytes key, struct bytes value,
                    int64_t time_ms)
{
    for (;;) {
        rd_kafka_resp_err_t error = rd_kafka_producev(
            the_producer(), RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(partition),
            RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_KEY(key.data, key.size),
            RD_KAFKA_V_VALUE((void *)value.data, value.size), RD_KAFKA_V_TIMESTAMP(time_ms),
            RD_KAFKA_V_END);
        if (error && error != RD_KAFKA_RESP_ERR__QUEUE_FULL)
            fail_msg("%s", rd_kafka_err2str(error));
        if (!error)
            return;
        rd_kafka_poll(the_producer(), 100);
    }
}

void broker_produce_with_headers(const char *topic, const char *key, const char *value,
                                 const struct broker_header *headers, size_t count)
{
    rd_kafka_headers_t *list = rd_kafka_headers_new(count);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(
            rd_kafka_header_add(list, headers[i].name, -1, headers[i].value,
                                headers[i].value ? (ssize_t)strlen(headers[i].value) : 0),
            0);
    rd_kafka_resp_err_t error = rd_kafka_producev(
        the_producer(), RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
        RD_KAFKA_V_KEY(key, strlen(key)), RD_KAFKA_V_VALUE((void *)value, strlen(value)),
        RD_KAFKA_V_HEADERS(list), RD_KAFKA_V_END);
    if (error)
        fail_msg("%s", rd_kafka_err2str(error));
}

void broker_flush(void)
{
    if (rd_kafka_flush(the_producer(), WAIT_MS))
        fail_msg("the broker does not take the records");
}

/* --- groups --- */

int64_t broker_group_offset(const char *group, const char *topic, int32_t partition)
{
    rd_kafka_t *client = new_client(RD_KAFKA_CONSUMER, group);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, topic, partition);
    rd_kafka_resp_err_t error = rd_kafka_committed(client, list, WAIT_MS);
    if (error)
        fail_msg("%s", rd_kafka_err2str(error));
    int64_t offset = list->elems[0].offset;
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_destroy(client);
    return offset;
}

void broker_set_group_offset(const char *group, const char *topic, int32_t partition,
                             int64_t offset)
{
    rd_kafka_t *client = new_client(RD_KAFKA_CONSUMER, group);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, topic, partition)->offset = offset;
    rd_kafka_resp_err_t error = rd_kafka_commit(client, list, false);
    if (error)
        fail_msg("%s", rd_kafka_err2str(error));
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_destroy(client);
}
