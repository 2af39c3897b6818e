/* kafka_producer.c - a client that may send, and what its errors mean.
 *
 *     no client ──made──▶ made ──init_transactions──▶ fences its predecessor ──read──▶ ready
 *         ▲                                                                             │
 *         └───────────────────── an error that ends a client ◀──────────────────────────┘
 *
 * Being fenced has two causes that librdkafka tells as one: another process took over the
 * transactional.id, or the coordinator gave up on a transaction that stayed open for longer than
 * transaction.timeout.ms. The second cannot be while the transaction is younger than that; then it
 * is the first, and this process ends. Otherwise a new client takes over again. If it was another
 * process after all, that one finds itself fenced early in a transaction, so one of the two ends.
 */
#include "egress/kafka_egress_inside.h"

enum {
    INIT_MS = KAFKA_TURN_MS,
    REFUSED_MS = 5 * 1000,
    DROP_MS = 2 * 1000,
    SOCKET_MS_MAX = 30 * 1000
};

/* --- configuration --- */

static void set_default(const struct property_list *user, rd_kafka_conf_t *conf, const char *name,
                        const char *value)
{
    if (!kafka_property_is_set(user, name))
        kafka_conf_set(conf, name, value);
}

/* The user's setting as a number, or `otherwise`. */
static long number_of(rd_kafka_conf_t *conf, const char *name, long otherwise)
{
    char text[64];
    size_t size = sizeof text;
    return rd_kafka_conf_get(conf, name, text, &size) ? otherwise : strtol(text, NULL, 10);
}

static bool user_wants_less_than_idempotence(const struct property_list *user,
                                             rd_kafka_conf_t *conf)
{
    long acks = number_of(conf, "acks", -1); /* "all" is told as -1 */
    return acks != -1 || kafka_property_is_set(user, "enable.idempotence") ||
           number_of(conf, "max.in.flight.requests.per.connection", 5) < 1 ||
           number_of(conf, "retries", 1) < 1;
}

static void be_idempotent(const struct property_list *user, rd_kafka_conf_t *conf)
{
    kafka_conf_set(conf, "enable.idempotence", "true");
    if (kafka_property_is_set(user, "max.in.flight.requests.per.connection") ||
        kafka_property_is_set(user, "max.in.flight"))
        if (number_of(conf, "max.in.flight.requests.per.connection", 5) > 5)
            kafka_conf_set(conf, "max.in.flight.requests.per.connection", "5");
}

static void be_transactional(const struct kafka_egress *egress, rd_kafka_conf_t *conf)
{
    const struct property_list *user = &egress->spec->properties;
    uint64_t timeout_ms = egress->spec->transaction_timeout_ms;
    kafka_conf_set(conf, "transactional.id", egress->transactional_id);
    kafka_conf_set_number(conf, "transaction.timeout.ms", (int64_t)timeout_ms);
    kafka_conf_set(conf, "acks", "all");
    if (number_of(conf, "retries", 1) < 1)
        kafka_conf_set(conf, "retries", "2147483647");
    be_idempotent(user, conf);
    /* How soon a transaction goes on that began before the last one's markers were written. */
    set_default(user, conf, "retry.backoff.ms", "10");
    /* Left alone it becomes transaction.timeout.ms: an hour, perhaps, for a broker that hangs. */
    uint64_t socket_ms = (uint64_t)number_of(conf, "socket.timeout.ms", SOCKET_MS_MAX);
    if (!kafka_property_is_set(user, "socket.timeout.ms") || socket_ms > timeout_ms)
        kafka_conf_set_number(conf, "socket.timeout.ms",
                              timeout_ms < SOCKET_MS_MAX ? (int64_t)timeout_ms : SOCKET_MS_MAX);
}

/* rd_kafka_poll, rd_kafka_flush: the thread that calls them. */
static void on_report(rd_kafka_t *client, const rd_kafka_message_t *message, void *opaque)
{
    (void)client;
    if (message->err)
        kafka_batch_report(container_of(opaque, struct kafka_egress, outage), message);
}

bool kafka_producer_conf(const struct kafka_egress *egress, struct kafka_outage *outage,
                         rd_kafka_conf_t **ret_conf, struct sf_status *status)
{
    const struct property_list *user = &egress->spec->properties;
    rd_kafka_conf_t *conf;
    if (!kafka_conf_new(user, outage, &conf, status))
        return false;
    /* All reports, though only failures matter (30 ns for each of the others): it is they that wake
     * up a flush, which otherwise looks every 10 ms. As events they would not need to, but then the
     * library's other callbacks, such as for new tokens, would not be called. */
    rd_kafka_conf_set_dr_msg_cb(conf, on_report);
    set_default(user, conf, "message.max.bytes", "1048576"); /* as Java has it */
    if (!kafka_property_is_set(user, "queue.buffering.max.messages"))
        kafka_conf_set(conf, "queue.buffering.max.messages", "10000000");
    if (egress->spec->delivery != KAFKA_NONE) {
        if (!kafka_property_is_set(user, "queue.buffering.max.ms"))
            set_default(user, conf, "linger.ms", "0");   /* a batch is sent as a whole anyway */
        kafka_conf_set(conf, "message.timeout.ms", "0"); /* an outage fails no record */
    } else {
        set_default(user, conf, "queue.buffering.max.kbytes", "65536"); /* here they are copies */
    }
    if (egress->spec->delivery == KAFKA_EXACTLY_ONCE)
        be_transactional(egress, conf);
    else if (egress->spec->delivery == KAFKA_AT_LEAST_ONCE &&
             !user_wants_less_than_idempotence(user, conf))
        be_idempotent(user, conf);
    *ret_conf = conf;
    return true;
}

/* --- errors --- */

bool kafka_producer_is_fenced(struct kafka_egress *egress, rd_kafka_resp_err_t error,
                              const char *reason)
{
    if (error != RD_KAFKA_RESP_ERR__FENCED && error != RD_KAFKA_RESP_ERR_PRODUCER_FENCED &&
        error != RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH)
        return false;
    if (egress->transaction_us &&
        clock_now_us() - egress->transaction_us >= egress->spec->transaction_timeout_ms * 1000) {
        kafka_egress_complain(egress, RD_KAFKA_RESP_ERR__FENCED,
                              "Kafka gave up a transaction that stayed open for too long; it is "
                              "done again",
                              egress->transactional_id);
        return false;
    }
    struct sf_status status;
    (void)sf_fail(&status, SF_FENCED,
                  "egress %s: another process with the application name '%s' has taken over (%s)",
                  egress->id, egress->options.application, reason);
    kafka_egress_fatal(egress, &status);
    return true;
}

void kafka_producer_serve(struct kafka_egress *egress, int timeout_ms)
{
    (void)rd_kafka_poll(egress->client, timeout_ms); /* the number of things served */
}

/* --- life --- */

void kafka_producer_drop(struct kafka_egress *egress, uint64_t timeout_ms)
{
    if (!egress->client)
        return;
    /* What it has not sent refers to a batch's memory. */
    (void)rd_kafka_purge(egress->client, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT |
                                             RD_KAFKA_PURGE_F_NON_BLOCKING);
    kafka_producer_serve(egress, 0);
    kafka_topics_close(egress);
    kafka_client_free(egress->client, timeout_ms);
    egress->client = NULL;
    egress->is_ready = false;
    egress->transaction_us = 0;
}

bool kafka_producer_make(struct kafka_egress *egress, struct sf_status *status)
{
    rd_kafka_conf_t *conf;
    if (!kafka_producer_conf(egress, &egress->outage, &conf, status) ||
        !kafka_client_new(RD_KAFKA_PRODUCER, conf, &egress->client, status))
        return sf_wrap(status, "egress %s", egress->id);
    return true;
}

static bool make_again(struct kafka_egress *egress)
{
    struct sf_status status;
    if (egress->client || kafka_producer_make(egress, &status))
        return true;
    kafka_egress_fatal(egress, &status); /* kafka_egress_open made one just the same */
    return false;
}

/* init_transactions goes on in the background when its time is over, and is then called again. */
static enum kafka_outcome fence_predecessor(struct kafka_egress *egress)
{
    while (!kafka_egress_must_end(egress)) {
        rd_kafka_error_t *error = rd_kafka_init_transactions(egress->client, INIT_MS);
        kafka_producer_serve(egress, 0);
        if (!error)
            return OUTCOME_DELIVERED;
        rd_kafka_resp_err_t code = rd_kafka_error_code(error);
        bool is_retriable = rd_kafka_error_is_retriable(error);
        if (!is_retriable)
            kafka_egress_complain(egress, code, "Kafka transactions cannot be used",
                                  egress->transactional_id);
        rd_kafka_error_destroy(error);
        if (!is_retriable) {
            kafka_egress_pause(egress, REFUSED_MS);
            return OUTCOME_LOST_CLIENT;
        }
        if (code != RD_KAFKA_RESP_ERR__TIMED_OUT)
            kafka_egress_pause(egress, KAFKA_TURN_MS);
    }
    return OUTCOME_ENDED;
}

/* Epochs that others delivered would be lost here. */
static bool check_delivered(struct kafka_egress *egress, uint64_t delivered, uint64_t newest)
{
    if (delivered <= newest)
        return true;
    struct sf_status status;
    (void)sf_fail(
        &status, SF_CONFLICT,
        "egress %s: the data directory ends with epoch %llu, but epoch %llu was delivered "
        "to %s already: it is older than what was sent from it (a restored backup?)",
        egress->id, (unsigned long long)newest, (unsigned long long)delivered,
        egress->spec->address);
    kafka_egress_fatal(egress, &status);
    return false;
}

static bool learn_delivered(struct kafka_egress *egress)
{
    uint64_t delivered;
    if (!kafka_delivered_read(egress, &delivered))
        return false;
    uint64_t newest = egress->has_begun ? egress->attempt.batch->epoch : egress->options.committed;
    if (!check_delivered(egress, delivered, newest))
        return false;
    if (delivered > egress->delivered)
        egress->delivered = delivered;
    egress->commit_unclear = false;
    return true;
}

bool kafka_producer_ready(struct kafka_egress *egress)
{
    while (!egress->is_ready) {
        if (kafka_egress_must_end(egress) || !make_again(egress))
            return false;
        enum kafka_outcome outcome = OUTCOME_DELIVERED;
        if (egress->spec->delivery == KAFKA_EXACTLY_ONCE) {
            outcome = fence_predecessor(egress);
            egress->commit_unclear = true; /* whatever came before is final now */
        }
        if (outcome == OUTCOME_ENDED)
            return false;
        if (outcome == OUTCOME_DELIVERED)
            egress->is_ready = true;
        else
            kafka_producer_drop(egress, DROP_MS);
    }
    return !egress->commit_unclear || learn_delivered(egress);
}
