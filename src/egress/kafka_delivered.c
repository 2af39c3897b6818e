/* kafka_delivered.c - the last epoch that was delivered, as the group's offset has it.
 *
 * The offset goes to a partition of whatever topic a batch began with, so in time the group has
 * offsets of many partitions; epochs only grow, so the highest is the one that counts. Stable
 * offsets are asked for: while a transaction with one of them is being ended the brokers answer
 * that it is not, and the question is put again. */
#include "egress/kafka_egress_inside.h"

/* A cluster that has to make its topic of offsets first may leave the question unanswered: asking
 * again soon saved 5 s. */
enum { REQUEST_MS_MIN = 500, REQUEST_MS_MAX = 8000, AGAIN_MS = 20, DENIED_MS = 5 * 1000 };

static rd_kafka_resp_err_t ask(struct kafka_egress *egress, rd_kafka_queue_t *queue, int timeout_ms)
{
    char text[256];
    rd_kafka_AdminOptions_t *options =
        rd_kafka_AdminOptions_new(egress->client, RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS);
    rd_kafka_resp_err_t error =
        rd_kafka_AdminOptions_set_request_timeout(options, timeout_ms, text, sizeof text);
    rd_kafka_error_t *unstable = rd_kafka_AdminOptions_set_require_stable_offsets(options, 1);
    if (!error && unstable)
        error = rd_kafka_error_code(unstable);
    if (unstable)
        rd_kafka_error_destroy(unstable);
    if (!error) {
        rd_kafka_ListConsumerGroupOffsets_t *group =
            rd_kafka_ListConsumerGroupOffsets_new(egress->group, NULL);
        rd_kafka_ListConsumerGroupOffsets(egress->client, &group, 1, options, queue);
        rd_kafka_ListConsumerGroupOffsets_destroy(group);
    }
    rd_kafka_AdminOptions_destroy(options);
    return error;
}

static rd_kafka_resp_err_t read_group(const rd_kafka_group_result_t *group, uint64_t *ret_epoch)
{
    const rd_kafka_error_t *error = rd_kafka_group_result_error(group);
    if (error)
        return rd_kafka_error_code(error);
    const rd_kafka_topic_partition_list_t *partitions = rd_kafka_group_result_partitions(group);
    for (int i = 0; partitions && i < partitions->cnt; i++) {
        const rd_kafka_topic_partition_t *partition = &partitions->elems[i];
        if (partition->err)
            return partition->err;
        if (partition->offset > 0 && (uint64_t)partition->offset > *ret_epoch)
            *ret_epoch = (uint64_t)partition->offset;
    }
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

static rd_kafka_resp_err_t read_answer(rd_kafka_event_t *event, uint64_t *ret_epoch)
{
    const rd_kafka_ListConsumerGroupOffsets_result_t *result =
        rd_kafka_event_ListConsumerGroupOffsets_result(event);
    rd_kafka_resp_err_t error = rd_kafka_event_error(event);
    if (error || !result)
        return error ? error : RD_KAFKA_RESP_ERR__BAD_MSG;
    size_t count;
    const rd_kafka_group_result_t **groups =
        rd_kafka_ListConsumerGroupOffsets_result_groups(result, &count);
    return count == 1 ? read_group(groups[0], ret_epoch) : RD_KAFKA_RESP_ERR__BAD_MSG;
}

/* One question; RD_KAFKA_RESP_ERR__TIMED_OUT also when the egress has to end meanwhile. */
static rd_kafka_resp_err_t ask_and_wait(struct kafka_egress *egress, int timeout_ms,
                                        uint64_t *ret_epoch)
{
    rd_kafka_queue_t *queue = rd_kafka_queue_new(egress->client);
    rd_kafka_resp_err_t error = ask(egress, queue, timeout_ms);
    if (!error) {
        rd_kafka_event_t *event = NULL;
        while (!event && !kafka_egress_must_end(egress)) {
            event = rd_kafka_queue_poll(queue, KAFKA_TURN_MS);
            kafka_producer_serve(egress, 0);
        }
        error = event ? read_answer(event, ret_epoch) : RD_KAFKA_RESP_ERR__TIMED_OUT;
        if (event)
            rd_kafka_event_destroy(event);
    }
    rd_kafka_queue_destroy(queue);
    return error;
}

bool kafka_delivered_read(struct kafka_egress *egress, uint64_t *ret_epoch)
{
    int timeout_ms = REQUEST_MS_MIN;
    while (!kafka_egress_must_end(egress)) {
        uint64_t epoch = 0;
        rd_kafka_resp_err_t error = ask_and_wait(egress, timeout_ms, &epoch);
        switch (error) {
        case RD_KAFKA_RESP_ERR_NO_ERROR:
            *ret_epoch = epoch;
            return true;
        case RD_KAFKA_RESP_ERR_UNSTABLE_OFFSET_COMMIT:
        case RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS:
        case RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE:
        case RD_KAFKA_RESP_ERR_NOT_COORDINATOR:
            kafka_egress_pause(egress, AGAIN_MS);
            break;
        case RD_KAFKA_RESP_ERR__TIMED_OUT:
            timeout_ms = timeout_ms < REQUEST_MS_MAX ? timeout_ms * 2 : REQUEST_MS_MAX;
            break;
        case RD_KAFKA_RESP_ERR__TRANSPORT:
        case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
            kafka_egress_pause(egress, KAFKA_TURN_MS);
            break;
        default:
            kafka_egress_complain(egress, error, "offsets of a Kafka group cannot be read",
                                  egress->group);
            kafka_egress_pause(egress, DENIED_MS);
        }
    }
    return false;
}
