/* kafka_topics.c - topics by name, each looked up before the first record goes there.
 *
 * librdkafka would look them up by itself, but within the transaction: the first one to a topic
 * that must be created took 1-2 s, and one to a topic that does not exist failed only after half a
 * minute, with everything else in it. Brokers may take a while to know of a new topic; so that it
 * is missing counts only after GRACE_MS. */
#include "egress/kafka_egress_inside.h"

#include "base/hash.h"

enum {
    GRACE_MS = 10 * 1000,
    LOOK_MS = 500,
    AGAIN_MS = 50,
    DENIED_MS = 5 * 1000,
    NAME_SIZE_MAX = 249
};

static bool is_legal(struct bytes name)
{
    if (!name.size || name.size > NAME_SIZE_MAX || bytes_is(name, ".") || bytes_is(name, ".."))
        return false;
    for (size_t i = 0; i < name.size; i++) {
        uint8_t c = name.data[i];
        bool is_fine = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '.' || c == '_' || c == '-';
        if (!is_fine)
            return false;
    }
    return true;
}

struct kafka_topic *kafka_topic_of(struct kafka_egress *egress, struct bytes name)
{
    uint64_t hash = hash_seeded(name, (uintptr_t)egress);
    for (struct map_node *node = map_find(&egress->topics, hash); node; node = map_same(node)) {
        struct kafka_topic *topic = container_of(node, struct kafka_topic, node);
        if (bytes_is(name, topic->name))
            return topic;
    }
    struct kafka_topic *topic = mem_new(sizeof *topic);
    topic->name = bytes_string(name);
    topic->state = is_legal(name) ? TOPIC_NEW : TOPIC_REFUSED;
    egress->useless_topics += topic->state == TOPIC_REFUSED;
    map_put(&egress->topics, &topic->node, hash);
    return topic;
}

static rd_kafka_resp_err_t look(struct kafka_egress *egress, struct kafka_topic *topic)
{
    const struct rd_kafka_metadata *metadata;
    rd_kafka_resp_err_t error =
        rd_kafka_metadata(egress->client, 0, topic->handle, &metadata, LOOK_MS);
    if (error)
        return error;
    error = RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    if (metadata->topic_cnt == 1)
        error = metadata->topics[0].err;
    if (!error && !metadata->topics[0].partition_cnt)
        error = RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE;
    rd_kafka_metadata_destroy(metadata);
    return error;
}

/* What one look says; TOPIC_NEW: look again. */
static enum kafka_topic_state judge(struct kafka_egress *egress, const struct kafka_topic *topic,
                                    rd_kafka_resp_err_t error, uint64_t grace_end_us)
{
    switch (error) {
    case RD_KAFKA_RESP_ERR_NO_ERROR:
        return TOPIC_READY;
    case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
        return TOPIC_REFUSED;
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
        if (topic->state == TOPIC_MISSING || clock_now_us() >= grace_end_us)
            return TOPIC_MISSING;
        kafka_egress_pause(egress, AGAIN_MS);
        return TOPIC_NEW;
    case RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE: /* it is being made */
        kafka_egress_pause(egress, AGAIN_MS);
        return TOPIC_NEW;
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
        kafka_egress_complain(egress, error, "Kafka topic cannot be used", topic->name);
        kafka_egress_pause(egress, DENIED_MS);
        return TOPIC_NEW;
    default: /* brokers are away, mostly */
        kafka_egress_pause(egress, KAFKA_TURN_MS);
        return TOPIC_NEW;
    }
}

bool kafka_topic_look_up(struct kafka_egress *egress, struct kafka_topic *topic)
{
    if (topic->state == TOPIC_READY || topic->state == TOPIC_REFUSED)
        return true;
    if (!topic->handle)
        topic->handle = rd_kafka_topic_new(egress->client, topic->name, NULL);
    if (!topic->handle) { /* out of memory, or not a name after all */
        topic->state = TOPIC_REFUSED;
        return true;
    }
    uint64_t grace_end_us = clock_now_us() + GRACE_MS * 1000ull;
    while (!kafka_egress_must_end(egress)) {
        rd_kafka_resp_err_t error = look(egress, topic);
        enum kafka_topic_state state = judge(egress, topic, error, grace_end_us);
        kafka_producer_serve(egress, 0);
        if (state == TOPIC_NEW)
            continue;
        egress->useless_topics += state != TOPIC_READY && topic->state == TOPIC_NEW;
        topic->state = state;
        return true;
    }
    return false;
}

static void drop_handle(struct kafka_topic *topic)
{
    if (topic->handle)
        rd_kafka_topic_destroy(topic->handle);
    topic->handle = NULL;
}

void kafka_topics_close(struct kafka_egress *egress)
{
    for (struct map_node *node = NULL; (node = map_walk(&egress->topics, node));) {
        struct kafka_topic *topic = container_of(node, struct kafka_topic, node);
        drop_handle(topic);
        if (topic->state == TOPIC_READY)
            topic->state = TOPIC_NEW;
    }
}

void kafka_topics_forget(struct kafka_egress *egress)
{
    struct map_node *node = map_walk(&egress->topics, NULL);
    while (node) {
        struct kafka_topic *topic = container_of(node, struct kafka_topic, node);
        node = map_walk(&egress->topics, node);
        drop_handle(topic);
        free(topic->name);
        free(topic);
    }
    map_destroy(&egress->topics);
    map_init(&egress->topics);
    egress->useless_topics = 0;
}
