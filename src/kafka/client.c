/* client.c (kafka) - configurations, callbacks and a bounded end for librdkafka's clients.
 *
 * What librdkafka tells about itself comes on two roads. Its log lines come on its own threads, as
 * they happen, many per episode: they are for debugging only. Its errors come through the error
 * callback, on the thread that polls the client: the reason of the last connection that failed is
 * kept there, and said when librdkafka declares that all brokers are down. */
#include "kafka/client.h"

#include "base/log.h"
#include "base/mem.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <time.h>

/* Syslog's numbers, as librdkafka uses them. */
enum { SYSLOG_WARNING = 4 };

bool kafka_knows_property(const char *name)
{
    size_t size = 0;
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_res_t result = rd_kafka_conf_get(conf, name, NULL, &size);
    rd_kafka_conf_destroy(conf);
    if (result != RD_KAFKA_CONF_UNKNOWN)
        return true;
    /* One that is for topics, such as acks: it can be set in the same place, but not asked for. */
    rd_kafka_topic_conf_t *topic = rd_kafka_topic_conf_new();
    result = rd_kafka_topic_conf_get(topic, name, NULL, &size);
    rd_kafka_topic_conf_destroy(topic);
    return result != RD_KAFKA_CONF_UNKNOWN;
}

/* --- outages --- */

void kafka_outage_begin(struct kafka_outage *outage, const char *reason)
{
    if (atomic_exchange(&outage->is_out, true))
        return;
    log_warn("Kafka cannot be reached; it is waited for", LOG_TEXT(outage->component, outage->id),
             LOG_TEXT("address", outage->address), LOG_TEXT("reason", reason));
}

void kafka_outage_end(struct kafka_outage *outage)
{
    if (!atomic_load_explicit(&outage->is_out, memory_order_relaxed) ||
        !atomic_exchange(&outage->is_out, false))
        return;
    log_info("Kafka can be reached again", LOG_TEXT(outage->component, outage->id),
             LOG_TEXT("address", outage->address));
}

/* --- callbacks --- */

/* Any thread of librdkafka. */
static void on_log(const rd_kafka_t *client, int level, const char *facility, const char *text)
{
    const struct kafka_outage *outage = rd_kafka_opaque(client);
    /* What it says about properties holds their values, passwords included. */
    if (!strcmp(facility, "CONFWARN") || !log_wants(LOG_DEBUG))
        return;
    log_debug("librdkafka says", LOG_TEXT(outage->component, outage->id),
              LOG_TEXT("facility", facility), LOG_TEXT("text", text),
              LOG_TEXT("severity", level <= SYSLOG_WARNING ? "warning" : "info"));
}

/* True if the error is about one connection: nothing is lost while another broker is there. */
static bool is_of_connection(rd_kafka_resp_err_t error)
{
    return error == RD_KAFKA_RESP_ERR__TRANSPORT || error == RD_KAFKA_RESP_ERR__RESOLVE ||
           error == RD_KAFKA_RESP_ERR__SSL || error == RD_KAFKA_RESP_ERR__TIMED_OUT ||
           error == RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE;
}

/* The thread that polls the client. */
static void on_error(rd_kafka_t *client, int code, const char *reason, void *opaque)
{
    struct kafka_outage *outage = opaque;
    rd_kafka_resp_err_t error = (rd_kafka_resp_err_t)code;
    (void)client;
    if (is_of_connection(error)) {
        snprintf(outage->reason, sizeof outage->reason, "%s", reason);
        return;
    }
    switch (error) {
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
        kafka_outage_begin(outage, kafka_outage_reason(outage, error));
        return;
    case RD_KAFKA_RESP_ERR__AUTHENTICATION: /* will not pass by itself: no use in waiting for more
                                             */
        snprintf(outage->reason, sizeof outage->reason, "%s", reason);
        kafka_outage_begin(outage, reason);
        return;
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC: /* whoever uses the topic notices, and says it better */
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__FATAL:
        return;
    default:
        break;
    }
    /* Many of these come again and again while something is wrong. */
    if (outage->last_error != error)
        log_warn("Kafka client has an error", LOG_TEXT(outage->component, outage->id),
                 LOG_TEXT("error", rd_kafka_err2name(error)), LOG_TEXT("reason", reason));
    outage->last_error = error;
}

const char *kafka_outage_reason(const struct kafka_outage *outage, rd_kafka_resp_err_t error)
{
    return *outage->reason ? outage->reason : rd_kafka_err2str(error);
}

/* --- configurations --- */

static const struct {
    const char *name, *value;
} defaults[] = {
    {"client.id", "statefun"},
    {"log.connection.close", "false"}, /* brokers close idle connections; that is no news */
    {"socket.keepalive.enable", "true"},
    {"reconnect.backoff.ms", "50"},
    {"reconnect.backoff.max.ms", "1000"},            /* librdkafka: 10 s, added to every outage */
    {"socket.connection.setup.timeout.ms", "10000"}, /* as Java's; librdkafka: 30 s */
    {"topic.metadata.refresh.interval.ms", "30000"},
};

void kafka_conf_set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
    char message[256];
    if (rd_kafka_conf_set(conf, name, value, message, sizeof message) == RD_KAFKA_CONF_OK)
        return;
    log_error("librdkafka does not take a setting of the runtime", LOG_TEXT("name", name));
    abort();
}

void kafka_conf_set_number(rd_kafka_conf_t *conf, const char *name, int64_t value)
{
    char text[24];
    snprintf(text, sizeof text, "%lld", (long long)value);
    kafka_conf_set(conf, name, text);
}

bool kafka_property_is_set(const struct property_list *properties, const char *name)
{
    for (size_t i = 0; i < properties->count; i++)
        if (!strcmp(properties->items[i].name, name))
            return true;
    return false;
}

static bool set_property(rd_kafka_conf_t *conf, const struct client_property *property,
                         struct sf_status *status)
{
    char message[256]; /* holds the value: not for others' eyes */
    switch (rd_kafka_conf_set(conf, property->name, property->value, message, sizeof message)) {
    case RD_KAFKA_CONF_OK:
        return true;
    case RD_KAFKA_CONF_UNKNOWN:
        (void)sf_fail(status, SF_INVALID, "librdkafka %s has no property '%s'",
                      rd_kafka_version_str(), property->name);
        break;
    default:
        (void)sf_fail(status, SF_INVALID,
                      "librdkafka %s cannot do with Kafka property '%s' what its value asks for",
                      rd_kafka_version_str(), property->name);
        break;
    }
    const struct spec_place *place = &property->place;
    return place->file ? sf_wrap(status, "%s:%u:%u", place->file, place->line, place->column)
                       : false;
}

bool kafka_conf_new(const struct property_list *properties, struct kafka_outage *outage,
                    rd_kafka_conf_t **ret_conf, struct sf_status *status)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set_opaque(conf, outage);
    rd_kafka_conf_set_log_cb(conf, on_log);
    rd_kafka_conf_set_error_cb(conf, on_error);
    for (size_t i = 0; i < sizeof defaults / sizeof *defaults; i++)
        kafka_conf_set(conf, defaults[i].name, defaults[i].value);

    for (size_t i = 0; i < properties->count; i++) {
        if (set_property(conf, &properties->items[i], status))
            continue;
        rd_kafka_conf_destroy(conf);
        return false;
    }
    kafka_conf_set(conf, "bootstrap.servers", outage->address);
    *ret_conf = conf;
    return true;
}

/* --- life --- */

/* True if `message` quotes a secret of the configuration. */
static bool tells_secret(const rd_kafka_conf_t *conf, const char *message)
{
    static const char *const secrets[] = {"sasl.password", "ssl.key.password", "ssl.key.pem",
                                          "ssl.keystore.password",
                                          "sasl.oauthbearer.client.secret"};
    /* It quotes this one from the place where it stops making sense. */
    if (strstr(message, "oauthbearer.config"))
        return true;
    for (size_t i = 0; i < sizeof secrets / sizeof *secrets; i++) {
        size_t size = 0;
        if (rd_kafka_conf_get(conf, secrets[i], NULL, &size) != RD_KAFKA_CONF_OK || size < 2)
            continue;
        char *secret = mem_new(size);
        bool found = rd_kafka_conf_get(conf, secrets[i], secret, &size) == RD_KAFKA_CONF_OK &&
                     strstr(message, secret);
        free(secret);
        if (found)
            return true;
    }
    return false;
}

bool kafka_client_new(rd_kafka_type_t type, rd_kafka_conf_t *conf, rd_kafka_t **ret_client,
                      struct sf_status *status)
{
    char message[512];
    rd_kafka_t *client = rd_kafka_new(type, conf, message, sizeof message);
    if (!client) {
        (void)sf_fail(status, SF_INVALID, "the properties make no Kafka client: %s",
                      tells_secret(conf, message) ? "one that holds a secret is wrong" : message);
        rd_kafka_conf_destroy(conf);
        return false;
    }
    *ret_client = client;
    return true;
}

/* Shared by whoever waits and the thread that destroys; the last of them frees it. */
struct farewell {
    rd_kafka_t *client;
    void (*first)(void *argument);
    void *argument;
    pthread_mutex_t lock;
    pthread_cond_t done;
    bool is_done, is_left;
};

static void farewell_free(struct farewell *farewell)
{
    pthread_mutex_destroy(&farewell->lock);
    pthread_cond_destroy(&farewell->done);
    free(farewell);
}

static void *destroy(void *argument)
{
    struct farewell *farewell = argument;
    if (farewell->first)
        farewell->first(farewell->argument);
    /* There is no consumer group to leave. */
    rd_kafka_destroy_flags(farewell->client, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    pthread_mutex_lock(&farewell->lock);
    farewell->is_done = true;
    bool is_left = farewell->is_left;
    pthread_cond_signal(&farewell->done);
    pthread_mutex_unlock(&farewell->lock);
    if (is_left)
        farewell_free(farewell);
    return NULL;
}

static bool wait_until(struct farewell *farewell, const struct timespec *deadline)
{
    pthread_mutex_lock(&farewell->lock);
    while (!farewell->is_done && pthread_cond_clockwait(&farewell->done, &farewell->lock,
                                                        CLOCK_MONOTONIC, deadline) != ETIMEDOUT)
        ;
    bool is_done = farewell->is_done;
    farewell->is_left = !is_done;
    pthread_mutex_unlock(&farewell->lock);
    return is_done;
}

static struct timespec deadline_after(uint64_t ms)
{
    struct timespec deadline;
    clock_gettime(CLOCK_MONOTONIC, &deadline);
    deadline.tv_sec += (time_t)(ms / 1000);
    deadline.tv_nsec += (long)(ms % 1000) * 1000000;
    if (deadline.tv_nsec >= 1000000000) {
        deadline.tv_sec++;
        deadline.tv_nsec -= 1000000000;
    }
    return deadline;
}

static void on_log_unheard(const rd_kafka_t *client, int level, const char *facility,
                           const char *text)
{
    (void)client, (void)level, (void)facility, (void)text;
}

/* A client that is left behind must not log through what its owner is about to free. The call is
 * deprecated in favour of the configuration, which cannot be changed any more. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
static void silence(rd_kafka_t *client)
{
    rd_kafka_set_logger(client, on_log_unheard);
}
#pragma GCC diagnostic pop

void kafka_client_free(rd_kafka_t *client, uint64_t timeout_ms)
{
    if (client)
        kafka_client_free_after(client, timeout_ms, NULL, NULL);
}

void kafka_client_free_after(rd_kafka_t *client, uint64_t timeout_ms, void (*first)(void *argument),
                             void *argument)
{
    silence(client);
    struct farewell *farewell = mem_new(sizeof *farewell);
    farewell->client = client;
    farewell->first = first;
    farewell->argument = argument;
    struct timespec deadline = deadline_after(timeout_ms);
    pthread_mutex_init(&farewell->lock, NULL);
    pthread_cond_init(&farewell->done, NULL);
    pthread_t thread;
    if (pthread_create(&thread, NULL, destroy, farewell))
        abort();
    bool is_done = wait_until(farewell, &deadline);
    if (!is_done) {
        pthread_detach(thread);
        log_warn("a Kafka client does not end; it is left behind",
                 LOG_NUMBER("waited_ms", timeout_ms));
        return;
    }
    pthread_join(thread, NULL);
    farewell_free(farewell);
}
