/* kafka_delivered.c - the last epoch that was delivered, as the group's offset has it; and when the
 * next one may be told.
 *
 * Brokers without the fix of KAFKA-17507 answer that a transaction is over before its offsets are
 * out of the group coordinator's list of pending ones, and what takes them out knows the producer
 * only, not which of its transactions. So an offset of the next transaction that comes too soon is
 * taken for one of the last, and is there as soon as it is sent: if that transaction is then
 * aborted, the offset says for good that its records were delivered. On a busy machine one
 * kill -9 in some hundreds lost a batch that way. Hence no offset is sent before the last one is
 * known not to be pending any more.
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
    AGAIN_MS = 3,
    DENIED_MS = 5 * 1000,
    FREE_MS = 2000
};

/* Makes the client for the questions, if there is none. False if there can be none, which the
 * producer would have said. */
static bool make_reader(struct kafka_egress *egress)
{
    struct sf_status status;
    rd_kafka_conf_t *conf;
    if (egress->reader)
        return true;
    egress->reader_outage = (struct kafka_outage){
        .component = "egress",
        .id = egress->id,
        .address = egress->spec->address,
        .is_out = true, /* the producer says what there is to say */
    };
    if (!kafka_conf_new(&egress->spec->properties, &egress->reader_outage, &conf, &status))
        return false;
    kafka_conf_set(conf, "group.id", egress->group);
    kafka_conf_set(conf, "isolation.level", "read_committed");
    kafka_conf_set(conf, "enable.auto.commit", "false");
    kafka_conf_set_number(conf, "retry.backoff.ms", AGAIN_MS); /* while an offset is pending */
    return kafka_client_new(RD_KAFKA_CONSUMER, conf, &egress->reader, &status);
}

void kafka_delivered_close(struct kafka_egress *egress)
{
    kafka_client_free(egress->reader, FREE_MS);
    egress->reader = NULL;
    free(egress->pending_topic);
    egress->pending_topic = NULL;
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

static rd_kafka_topic_partition_list_t *only(const char *topic)
{
    rd_kafka_topic_partition_list_t *partitions = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(partitions, topic, 0);
    return partitions;
}

/* `topic` is NULL: of all. */
static rd_kafka_resp_err_t ask_once(rd_kafka_t *reader, const char *topic, uint64_t *ret_epoch)
{
    rd_kafka_topic_partition_list_t *partitions = topic ? only(topic) : NULL;
    rd_kafka_resp_err_t error =
        topic ? RD_KAFKA_RESP_ERR_NO_ERROR : list_topics(reader, &partitions);
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

static bool ask(struct kafka_egress *egress, const char *topic, uint64_t *ret_epoch)
{
    while (!kafka_egress_must_end(egress)) {
        rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR__FAIL;
        if (make_reader(egress)) {
            error = ask_once(egress->reader, topic, ret_epoch);
            (void)rd_kafka_poll(egress->reader, 0);
        }
        kafka_producer_serve(egress, 0);
        if (!error)
            return true;
        uint64_t pause_ms = patience_ms(error);
        if (pause_ms == DENIED_MS)
            kafka_egress_complain(egress, error, "offsets of a Kafka group cannot be read",
                                  egress->group);
        kafka_egress_pause(egress, pause_ms);
    }
    return false;
}

bool kafka_delivered_read(struct kafka_egress *egress, uint64_t *ret_epoch)
{
    return ask(egress, NULL, ret_epoch);
}

bool kafka_delivered_settle(struct kafka_egress *egress)
{
    uint64_t epoch;
    if (egress->pending_topic && !ask(egress, egress->pending_topic, &epoch))
        return false;
    free(egress->pending_topic);
    egress->pending_topic = NULL;
    return true;
}
