/* kafka_batch.c - one batch of whole epochs, tried until all of it that can be is delivered.
 *
 * When a broker refuses a record for what it is, it refuses the whole message set that the record
 * is in, and does not say which it was. So none of the set is blamed: when the batch is tried
 * again each of them travels in a run of its own, with nothing else on its way, and one that is
 * refused alone is dead. A set that is too large for its topic may hold no record that is: the
 * topic's runs are halved until they pass, or are single records. That lasts, since a topic's limit
 * does. */
#include "egress/kafka_egress_inside.h"

#include <assert.h>
#include <stdio.h>

enum {
    RECORD_OVERHEAD = 70,
    SET_BYTES = 1 << 20,   /* about what librdkafka puts into one message set at most */
    COPY_BYTES = 32 << 10, /* librdkafka sends values over 64 KB from where they are; a client that
                            * does not end in time must not reach into freed memory */
    AGAIN_MS_MIN = 20,
    AGAIN_MS_MAX = 2000,
    DROP_MS = 2 * 1000,
    USELESS_TOPICS_MAX = 1000 /* functions make up names: those of nothing are not kept for good */
};

/* --- dead records --- */

static void bury(struct kafka_egress *egress, size_t index, const char *cause)
{
    struct kafka_attempt *attempt = &egress->attempt;
    const struct outbox_record *record = &attempt->batch->records[index];
    attempt->items[index].fate = FATE_DEAD;
    attempt->alive--;
    egress->options.on_dead(egress->options.owner, egress->options.egress, record->key,
                            &(struct dead_letter){
                                .kind = DEAD_UNDELIVERABLE,
                                .cause = bytes_of(cause),
                                .egress = bytes_of(egress->id),
                                .value = record->value,
                            });
    pthread_mutex_lock(&egress->thread.lock);
    egress->figures.dead++;
    pthread_mutex_unlock(&egress->thread.lock);
}

static void bury_for(struct kafka_egress *egress, size_t index, rd_kafka_resp_err_t error)
{
    const struct kafka_item *item = &egress->attempt.items[index];
    char cause[400];
    (void)snprintf(cause, sizeof cause,
                   "Kafka refuses the record of %zu bytes for topic '%.249s': %s",
                   item->size - RECORD_OVERHEAD, item->topic->name, rd_kafka_err2str(error));
    bury(egress, index, cause);
}

bool kafka_error_is_of_record(rd_kafka_resp_err_t error)
{
    switch (error) {
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_INVALID_RECORD:
    case RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE:
    case RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP:
    case RD_KAFKA_RESP_ERR_POLICY_VIOLATION:
        return true;
    default:
        return false;
    }
}

static bool is_of_topic(rd_kafka_resp_err_t error)
{
    return error == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC ||
           error == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION ||
           error == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART ||
           error == RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION;
}

static void fail_item(struct kafka_egress *egress, size_t index, rd_kafka_resp_err_t error)
{
    struct kafka_attempt *attempt = &egress->attempt;
    struct kafka_item *item = &attempt->items[index];
    if (index < attempt->first_failed)
        attempt->first_failed = index;
    if (item->fate == FATE_DEAD)
        return;
    if (kafka_error_is_of_record(error)) {
        attempt->faulted = true;
        if (item->topic->run_count == 1)
            bury_for(egress, index, error);
        else if (error == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE)
            item->topic->run_was_too_large = true; /* see halve_runs */
        else
            item->fate = FATE_ALONE;
        return;
    }
    attempt->failed = true;
    attempt->error = error;
    if (is_of_topic(error) && item->topic->state == TOPIC_READY)
        item->topic->state = TOPIC_NEW;
}

void kafka_batch_report(struct kafka_egress *egress, const rd_kafka_message_t *message)
{
    switch (message->err) {
    case RD_KAFKA_RESP_ERR_NO_ERROR:
    case RD_KAFKA_RESP_ERR__PURGE_QUEUE: /* by an abort */
    case RD_KAFKA_RESP_ERR__PURGE_INFLIGHT:
        return;
    default:
        if (!message->_private)
            return; /* nobody waits for it */
        fail_item(egress, (size_t)(uintptr_t)message->_private - 1, message->err);
    }
}

/* --- sending --- */

static void halve_runs(struct kafka_egress *egress)
{
    for (struct map_node *node = NULL; (node = map_walk(&egress->topics, node));) {
        struct kafka_topic *topic = container_of(node, struct kafka_topic, node);
        if (!topic->run_was_too_large)
            continue;
        size_t bytes = topic->run_bytes_max ? topic->run_bytes_max : SET_BYTES;
        if (topic->run_bytes && topic->run_bytes < bytes)
            bytes = topic->run_bytes;
        topic->run_bytes_max = bytes / 2 + 1;
        topic->run_was_too_large = false;
    }
}

static void end_runs(struct kafka_egress *egress)
{
    for (struct map_node *node = NULL; (node = map_walk(&egress->topics, node));) {
        struct kafka_topic *topic = container_of(node, struct kafka_topic, node);
        topic->run_bytes = topic->run_count = 0;
    }
}

enum kafka_outcome kafka_batch_settle(struct kafka_egress *egress)
{
    while (!kafka_egress_must_end(egress)) {
        rd_kafka_resp_err_t error = rd_kafka_flush(egress->client, KAFKA_TURN_MS);
        kafka_producer_serve(egress, 0);
        if (!error) {
            halve_runs(egress);
            end_runs(egress);
            return OUTCOME_DELIVERED;
        }
        if ((error = rd_kafka_fatal_error(egress->client, NULL, 0))) {
            egress->attempt.error = error;
            return OUTCOME_LOST_CLIENT;
        }
        if (kafka_transaction_is_spoilt(egress))
            return OUTCOME_AGAIN; /* what followed the record that was refused waits for an abort */
    }
    return OUTCOME_ENDED;
}

static bool must_settle_before(const struct kafka_item *item)
{
    const struct kafka_topic *topic = item->topic;
    if (!topic->run_count)
        return false;
    return item->fate == FATE_ALONE ||
           (topic->run_bytes_max && topic->run_bytes + item->size > topic->run_bytes_max);
}

/* What has no bytes is empty, and not null. */
static const void *data_of(struct bytes bytes)
{
    return bytes.size ? (const void *)bytes.data : "";
}

static rd_kafka_headers_t *headers_of(struct bytes headers)
{
    enum { USUAL = 8 };
    rd_kafka_headers_t *list = rd_kafka_headers_new(USUAL);
    struct header header;
    while (kafka_header_next(&headers, &header))
        (void)rd_kafka_header_add(list, data_of(header.key), (ssize_t)header.key.size,
                                  data_of(header.value), (ssize_t)header.value.size);
    return list; /* adding fails only when memory does, and then it aborts */
}

/* A record with headers, which rd_kafka_produce has no way to say. */
static rd_kafka_resp_err_t produce_with_headers(struct kafka_egress *egress,
                                                const struct kafka_item *item, int flags,
                                                void *opaque)
{
    rd_kafka_headers_t *headers = headers_of(item->headers);
    rd_kafka_resp_err_t error = rd_kafka_producev(
        egress->client, RD_KAFKA_V_RKT(item->topic->handle), RD_KAFKA_V_MSGFLAGS(flags),
        RD_KAFKA_V_VALUE(item->has_value ? (void *)data_of(item->value) : NULL, item->value.size),
        RD_KAFKA_V_KEY(item->has_key ? data_of(item->key) : NULL, item->key.size),
        RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_OPAQUE(opaque), RD_KAFKA_V_END);
    if (error)
        rd_kafka_headers_destroy(headers);
    return error;
}

/* The library's own answer: 0 when it took the record. */
static rd_kafka_resp_err_t produce(struct kafka_egress *egress, const struct kafka_item *item,
                                   size_t index)
{
    bool is_copied = egress->spec->delivery == KAFKA_NONE || item->value.size > COPY_BYTES;
    bool is_waited_for = egress->spec->delivery != KAFKA_NONE;
    int flags = is_copied ? RD_KAFKA_MSG_F_COPY : 0;
    void *opaque = is_waited_for ? (void *)(uintptr_t)(index + 1) : NULL;
    if (item->headers.size)
        return produce_with_headers(egress, item, flags, opaque);
    int result =
        rd_kafka_produce(item->topic->handle, RD_KAFKA_PARTITION_UA, flags,
                         item->has_value ? (void *)data_of(item->value) : NULL, item->value.size,
                         item->has_key ? data_of(item->key) : NULL, item->key.size, opaque);
    return result ? rd_kafka_last_error() : RD_KAFKA_RESP_ERR_NO_ERROR;
}

static enum kafka_outcome send_item(struct kafka_egress *egress, size_t index)
{
    struct kafka_item *item = &egress->attempt.items[index];
    while (!kafka_egress_must_end(egress)) {
        rd_kafka_resp_err_t error = produce(egress, item, index);
        if (!error) {
            item->topic->run_count++;
            item->topic->run_bytes += item->size;
            return OUTCOME_DELIVERED;
        }
        if (error == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE) {
            bury_for(egress, index, error);
            return OUTCOME_DELIVERED;
        }
        rd_kafka_resp_err_t fatal = rd_kafka_fatal_error(egress->client, NULL, 0);
        if (fatal) {
            egress->attempt.error = fatal;
            return OUTCOME_LOST_CLIENT;
        }
        if (error == RD_KAFKA_RESP_ERR__STATE)
            return OUTCOME_AGAIN; /* the transaction failed: commit or abort will say why */
        if (error != RD_KAFKA_RESP_ERR__QUEUE_FULL) {
            fail_item(egress, index, error);
            return OUTCOME_AGAIN;
        }
        kafka_producer_serve(egress, 10);
    }
    return OUTCOME_ENDED;
}

/* A record that must travel alone: what comes after it waits until it has arrived. */
static enum kafka_outcome send_alone(struct kafka_egress *egress, size_t index)
{
    struct kafka_item *item = &egress->attempt.items[index];
    enum kafka_outcome outcome = send_item(egress, index);
    if (outcome == OUTCOME_DELIVERED)
        outcome = kafka_batch_settle(egress);
    if (outcome == OUTCOME_DELIVERED && index < egress->attempt.first_failed)
        item->fate = FATE_SEND; /* it was not the one */
    return outcome;
}

enum kafka_outcome kafka_batch_send(struct kafka_egress *egress, size_t from)
{
    struct kafka_attempt *attempt = &egress->attempt;
    enum kafka_outcome outcome = OUTCOME_DELIVERED;
    end_runs(egress);
    for (size_t i = from; i < attempt->batch->count && outcome == OUTCOME_DELIVERED; i++) {
        struct kafka_item *item = &attempt->items[i];
        if (item->fate == FATE_DEAD)
            continue;
        if (must_settle_before(item))
            outcome = kafka_batch_settle(egress);
        if (outcome == OUTCOME_DELIVERED)
            outcome = item->fate == FATE_ALONE ? send_alone(egress, i) : send_item(egress, i);
    }
    return outcome;
}

/* --- trying --- */

/* at-least-once: all are waited for. What follows a record that failed is sent once more, so that a
 * partition ends in the order in which its records were given. */
static enum kafka_outcome try_plain(struct kafka_egress *egress)
{
    struct kafka_attempt *attempt = &egress->attempt;
    size_t from = 0;
    for (;;) {
        attempt->faulted = attempt->failed = false;
        attempt->first_failed = attempt->batch->count;
        enum kafka_outcome outcome = kafka_batch_send(egress, from);
        if (outcome == OUTCOME_DELIVERED || outcome == OUTCOME_AGAIN) {
            enum kafka_outcome settled = kafka_batch_settle(egress);
            if (settled != OUTCOME_DELIVERED)
                outcome = settled;
        }
        if (outcome != OUTCOME_DELIVERED || attempt->failed)
            return outcome == OUTCOME_DELIVERED ? OUTCOME_AGAIN : outcome;
        if (attempt->first_failed == attempt->batch->count)
            return OUTCOME_DELIVERED;
        from = attempt->first_failed;
    }
}

/* none: the library's queue has them. */
static enum kafka_outcome try_none(struct kafka_egress *egress)
{
    struct kafka_attempt *attempt = &egress->attempt;
    size_t from = 0;
    enum kafka_outcome outcome;
    while ((outcome = kafka_batch_send(egress, from)) == OUTCOME_AGAIN) {
        from = attempt->first_failed + 1; /* that one is lost */
        attempt->first_failed = attempt->batch->count;
    }
    kafka_producer_serve(egress, 0);
    return outcome;
}

static enum kafka_outcome try_once(struct kafka_egress *egress)
{
    struct kafka_attempt *attempt = &egress->attempt;
    attempt->faulted = attempt->failed = false;
    attempt->first_failed = attempt->batch->count;
    attempt->error = RD_KAFKA_RESP_ERR_NO_ERROR;
    switch (egress->spec->delivery) {
    case KAFKA_EXACTLY_ONCE: {
        enum kafka_outcome outcome = kafka_transaction_try(egress);
        halve_runs(egress);
        return outcome;
    }
    case KAFKA_AT_LEAST_ONCE:
        return try_plain(egress);
    case KAFKA_NONE:
        return try_none(egress);
    }
    return OUTCOME_ENDED;
}

/* --- before the first try --- */

static void reserve_items(struct kafka_attempt *attempt, size_t count)
{
    if (count <= attempt->capacity)
        return;
    free(attempt->items);
    attempt->capacity = count * 2;
    attempt->items = mem_new_raw(attempt->capacity * sizeof *attempt->items);
}

static void read_records(struct kafka_egress *egress)
{
    struct kafka_attempt *attempt = &egress->attempt;
    struct kafka_topic *topic = NULL;
    for (size_t i = 0; i < attempt->batch->count; i++) {
        struct kafka_item *item = &attempt->items[i];
        struct kafka_record record;
        struct sf_status status;
        *item = (struct kafka_item){0};
        if (!kafka_record_parse(attempt->batch->records[i].value, &record, &status)) {
            bury(egress, i, status.message);
            continue;
        }
        if (!topic || !bytes_is(record.topic, topic->name))
            topic = kafka_topic_of(egress, record.topic);
        *item = (struct kafka_item){
            .topic = topic,
            .key = record.key,
            .value = record.value,
            .has_key = record.has_key,
            .has_value = record.has_value,
            .headers = record.headers,
            .size = record.key.size + record.value.size + record.headers_size + RECORD_OVERHEAD,
        };
    }
}

/* Asks for the topics that are not ready and buries what has none. */
static bool look_up_topics(struct kafka_egress *egress)
{
    struct kafka_attempt *attempt = &egress->attempt;
    struct kafka_topic *looked_up = NULL;
    for (size_t i = 0; i < attempt->batch->count; i++) {
        struct kafka_item *item = &attempt->items[i];
        if (item->fate == FATE_DEAD || (item->topic->state == TOPIC_READY && item->topic->handle))
            continue;
        if (item->topic != looked_up && !kafka_topic_look_up(egress, item->topic))
            return false;
        looked_up = item->topic;
        if (item->topic->state == TOPIC_REFUSED)
            bury_for(egress, i, RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION);
        else if (item->topic->state == TOPIC_MISSING)
            bury_for(egress, i, RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
    }
    return true;
}

static void begin_attempts(struct kafka_egress *egress, struct outbox_batch *batch)
{
    struct kafka_attempt *attempt = &egress->attempt;
    reserve_items(attempt, batch->count);
    attempt->batch = batch;
    attempt->alive = batch->count;
    attempt->began_us = clock_now_us();
    if (egress->useless_topics > USELESS_TOPICS_MAX)
        kafka_topics_forget(egress);
    read_records(egress);
}

/* One round; false if the egress has to end. */
static bool try_batch(struct kafka_egress *egress, enum kafka_outcome *ret_outcome)
{
    struct kafka_attempt *attempt = &egress->attempt;
    if (!kafka_producer_ready(egress))
        return false;
    *ret_outcome = OUTCOME_DELIVERED;
    if (attempt->batch->epoch <= egress->delivered)
        return true; /* by a commit whose answer was lost */
    if (!look_up_topics(egress))
        return false;
    if (attempt->alive)
        *ret_outcome = try_once(egress);
    if (*ret_outcome == OUTCOME_LOST_CLIENT)
        kafka_producer_drop(egress, DROP_MS);
    return *ret_outcome != OUTCOME_ENDED;
}

static void note_failure(struct kafka_egress *egress, uint64_t *pause_ms)
{
    const struct kafka_attempt *attempt = &egress->attempt;
    pthread_mutex_lock(&egress->thread.lock);
    egress->figures.aborted++;
    pthread_mutex_unlock(&egress->thread.lock);
    if (attempt->faulted && !attempt->failed)
        return; /* what was refused is known: at once */
    if (attempt->error)
        kafka_egress_complain(egress, attempt->error, "records cannot be sent to Kafka",
                              egress->spec->address);
    kafka_egress_pause(egress, *pause_ms);
    *pause_ms = *pause_ms * 2 < AGAIN_MS_MAX ? *pause_ms * 2 : AGAIN_MS_MAX;
}

bool kafka_batch_deliver(struct kafka_egress *egress, struct outbox_batch *batch)
{
    uint64_t pause_ms = AGAIN_MS_MIN;
    enum kafka_outcome outcome;
    bool good;
    begin_attempts(egress, batch);
    while ((good = try_batch(egress, &outcome)) && outcome != OUTCOME_DELIVERED)
        note_failure(egress, &pause_ms);
    egress->attempt.batch = NULL;
    if (!good)
        return false;

    egress->delivered = batch->epoch;
    kafka_egress_content(egress);
    pthread_mutex_lock(&egress->thread.lock);
    egress->figures.records += egress->attempt.alive;
    egress->figures.bytes += batch->bytes;
    egress->figures.batches++;
    histogram_add(&egress->figures.latency, clock_now_us() - egress->attempt.began_us);
    pthread_mutex_unlock(&egress->thread.lock);
    return true;
}
