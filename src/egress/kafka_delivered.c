/* kafka_delivered.c - the last epoch that was delivered, as the group's offset has it.
 *
 * The offset goes to partition 0 of the topic that a batch begins with, so in time the group has
 * offsets of many topics; epochs only grow, so the highest is the one that counts. The topics are
 * not known any more, so all that the cluster shows us are asked for (a topic that we may write to
 * is shown).
 *
 * A consumer asks, which joins nothing and reads nothing. Its isolation level makes it wait for
 * offsets to be stable: while the predecessor's transaction is being ended there is no answer.
 * (librdkafka 2.0.2 could list a group's offsets by itself, without their topics' names. It does
 * not survive it when the answer is an error, nor when it comes too late: an assertion, or a null
 * pointer, in its admin.c.) */
#include "egress/kafka_egress_inside.h"

enum {
    ASK_MS = 1000,
    METADATA_MS = 2000, /* of all topics */
    AGAIN_MS = 20,
    DENIED_MS = 5 * 1000,
    FREE_MS = 2000
};

/* A client for the questions; NULL if there can be none, which the producer would have said. */
static rd_kafka_t *reader_new(struct kafka_egress *egress, struct kafka_outage *outage)
{
    struct sf_status status;
    rd_kafka_conf_t *conf;
    rd_kafka_t *reader;
    *outage = (struct kafka_outage){.component = "egress",
                                    .id = egress->id,
                                    .address = egress->spec->address,
                                    .is_out = true}; /* the producer says what there is to say */
    if (!kafka_conf_new(&egress->spec->properties, outage, &conf, &status))
        return NULL;
    kafka_conf_set(conf, "group.id", egress->group);
    kafka_conf_set(conf, "isolation.level", "read_committed");
    kafka_conf_set(conf, "enable.auto.commit", "false");
    return kafka_client_new(RD_KAFKA_CONSUMER, conf, &reader, &status) ? reader : NULL;
}

static rd_kafka_resp_err_t list_topics(rd_kafka_t *reader,
                                       rd_kafka_topic_partition_list_t **ret_partitions)
{
    const struct rd_kafka_metadata *metadata;
    rd_kafka_resp_err_t error = rd_kafka_metadata(reader, 1, NULL, &metadata, METADATA_MS);
    if (error)
        return error;
    *ret_partitions = rd_kafka_topic_partition_list_new(metadata->topic_cnt);
    for (int i = 0; i < metadata->topic_cnt; i++)
        if (metadata->topics[i].partition_cnt)
            rd_kafka_topic_partition_list_add(*ret_partitions, metadata->topics[i].topic, 0);
    rd_kafka_metadata_destroy(metadata);
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

static rd_kafka_resp_err_t highest(const rd_kafka_topic_partition_list_t *partitions,
                                   uint64_t *ret_epoch)
{
    *ret_epoch = 0;
    for (int i = 0; i < partitions->cnt; i++) {
        const rd_kafka_topic_partition_t *partition = &partitions->elems[i];
        /* It has gone in between, and its offset with it. */
        if (partition->err && partition->err != RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)
            return partition->err;
        if (!partition->err && partition->offset > 0 && (uint64_t)partition->offset > *ret_epoch)
            *ret_epoch = (uint64_t)partition->offset;
    }
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

static rd_kafka_resp_err_t ask(rd_kafka_t *reader, uint64_t *ret_epoch)
{
    rd_kafka_topic_partition_list_t *partitions;
    rd_kafka_resp_err_t error = list_topics(reader, &partitions);
    if (error)
        return error;
    *ret_epoch = 0;
    if (partitions->cnt)
        error = rd_kafka_committed(reader, partitions, ASK_MS);
    if (!error)
        error = highest(partitions, ret_epoch);
    rd_kafka_topic_partition_list_destroy(partitions);
    return error;
}

/* How long to wait before asking again. */
static uint64_t patience_ms(rd_kafka_resp_err_t error)
{
    switch (error) {
    case RD_KAFKA_RESP_ERR_UNSTABLE_OFFSET_COMMIT:
    case RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS:
    case RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_NOT_COORDINATOR:
    case RD_KAFKA_RESP_ERR__WAIT_COORD:
        return AGAIN_MS;
    case RD_KAFKA_RESP_ERR__TIMED_OUT:
    case RD_KAFKA_RESP_ERR__TRANSPORT:
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
        return KAFKA_TURN_MS;
    default:
        return DENIED_MS;
    }
}

bool kafka_delivered_read(struct kafka_egress *egress, uint64_t *ret_epoch)
{
    struct kafka_outage outage;
    rd_kafka_t *reader = reader_new(egress, &outage);
    bool done = false;
    while (!done && !kafka_egress_must_end(egress)) {
        rd_kafka_resp_err_t error = reader ? ask(reader, ret_epoch) : RD_KAFKA_RESP_ERR__FAIL;
        kafka_producer_serve(egress, 0);
        if (!error) {
            done = true;
            break;
        }
        uint64_t pause_ms = patience_ms(error);
        if (pause_ms == DENIED_MS)
            kafka_egress_complain(egress, error, "offsets of a Kafka group cannot be read",
                                  egress->group);
        kafka_egress_pause(egress, pause_ms);
    }
    kafka_client_free(reader, FREE_MS);
    return done;
}
