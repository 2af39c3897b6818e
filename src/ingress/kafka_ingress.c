/* kafka_ingress.c - the life of a Kafka ingress, and the client that it reads with. */
#include "ingress/kafka_inside.h"

#include "base/log.h"
#include "base/mem.h"
#include "spec/value.h"
#include "wire/protobuf.h"
#include "wire/typed_value.h"

#include <assert.h>
#include <stdio.h>

#define QUEUE_BACKOFF "fetch.queue.backoff.ms" /* since librdkafka 2.2: kafka_control_nudge */

enum { CLOSE_MS = 3000 };
enum { PARTITIONS_GUESS = 4 }; /* of a topic, until the brokers tell */

bool kafka_position_parse(struct bytes name, struct bytes value,
                          struct kafka_position *ret_position, struct sf_status *status)
{
    char *text = bytes_string(name);
    struct bytes topic;
    struct kafka_position position;
    struct sf_status cause;
    bool good = strlen(text) == name.size &&
                topic_partition_parse(text, &topic, &position.partition, &cause) &&
                value.size == sizeof(uint64_t) && u64_get(value.data) <= INT64_MAX;
    if (!good) {
        free(text);
        return sf_fail(
            status, SF_CORRUPT,
            "a stored position of %zu bytes for '%.*s' is no Kafka ingress's: expected 8 "
            "bytes for <topic>/<partition>",
            value.size, BYTES_ARG(name));
    }
    position.offset = (int64_t)u64_get(value.data);
    position.topic = bytes_string(topic);
    free(text);
    *ret_position = position;
    return true;
}

/* --- the client --- */

static int64_t clamp(uint64_t value, int64_t min, int64_t max)
{
    return value < (uint64_t)min ? min : value > (uint64_t)max ? max : (int64_t)value;
}

/* A fetch is sent while less than the queue's share is there, and brings up to its own. Each
 * message costs librdkafka some hundred bytes besides its own, which it does not count. */
struct kafka_budget kafka_budget_for(size_t memory_bytes, size_t partitions)
{
    enum { MESSAGE_COST = 512, FETCH_MIN = 64 << 10, FETCH_MAX = 1 << 20 };
    size_t half = memory_bytes / 2;
    size_t share = half / (partitions ? partitions : 1);
    return (struct kafka_budget){
        .queued_kbytes = clamp(share >> 10, 16, 65536),
        .queued_messages = clamp(share / MESSAGE_COST, 64, 100000),
        .partition_fetch_bytes = clamp(share, FETCH_MIN, FETCH_MAX),
        .fetch_bytes = clamp(half, FETCH_MAX, 52428800),
    };
}

static void set_budget(rd_kafka_conf_t *conf, const struct property_list *properties,
                       const struct kafka_budget *budget)
{
    const struct {
        const char *name, *alias;
        int64_t value;
    } settings[] = {
        {"queued.max.messages.kbytes", NULL, budget->queued_kbytes},
        {"queued.min.messages", NULL, budget->queued_messages},
        {"fetch.message.max.bytes", "max.partition.fetch.bytes", budget->partition_fetch_bytes},
        {"fetch.max.bytes", NULL, budget->fetch_bytes},
    };
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
        if (!kafka_property_is_set(properties, settings[i].name) &&
            !(settings[i].alias && kafka_property_is_set(properties, settings[i].alias)))
            kafka_conf_set_number(conf, settings[i].name, settings[i].value);
}

static long long number_in(const rd_kafka_conf_t *conf, const char *name)
{
    char text[32];
    size_t size = sizeof text;
    return rd_kafka_conf_get(conf, name, text, &size) == RD_KAFKA_CONF_OK ? atoll(text) : 0;
}

/* librdkafka refuses settings that contradict each other, where Java has one of them only. */
static void reconcile(rd_kafka_conf_t *conf, const struct property_list *properties)
{
    enum { OVERHEAD = 512 };
    long long fetch = number_in(conf, "fetch.max.bytes");
    if (!kafka_property_is_set(properties, "receive.message.max.bytes") &&
        number_in(conf, "receive.message.max.bytes") < fetch + OVERHEAD)
        kafka_conf_set_number(conf, "receive.message.max.bytes", fetch + OVERHEAD);
}

/* Ours where the user has not said otherwise. */
static const struct {
    const char *name, *value;
} wishes[] = {
    {"fetch.min.bytes", "1"},
    {"fetch.wait.max.ms", "100"},
    {"fetch.error.backoff.ms", "50"},
};

/* Ours whatever the user says: positions are a matter of the epochs. */
static const struct {
    const char *name, *value;
} rules[] = {
    {"enable.auto.commit", "false"},
    {"enable.auto.offset.store", "false"},
    {"auto.commit.enable", "false"}, /* the same for a topic, where its default is true */
    {"offset.store.method", "none"},
    {"auto.offset.reset", "error"}, /* kafka_control.c resets, and says so */
    {"enable.partition.eof", "false"},
};

static bool make_conf(const struct kafka_ingress_spec *spec, struct kafka_outage *outage,
                      const struct kafka_budget *budget, rd_kafka_conf_t **ret_conf,
                      struct sf_status *status)
{
    if (!kafka_conf_new(&spec->properties, outage, ret_conf, status))
        return false;
    for (size_t i = 0; i < sizeof wishes / sizeof *wishes; i++)
        if (!kafka_property_is_set(&spec->properties, wishes[i].name))
            kafka_conf_set(*ret_conf, wishes[i].name, wishes[i].value);
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        kafka_conf_set(*ret_conf, rules[i].name, rules[i].value);
    if (spec->group && *spec->group) {
        kafka_conf_set(*ret_conf, "group.id", spec->group);
        kafka_conf_set(*ret_conf, "session.timeout.ms", KAFKA_GROUP_PATIENCE_MS);
    }
    if (kafka_knows_property(QUEUE_BACKOFF) &&
        !kafka_property_is_set(&spec->properties, QUEUE_BACKOFF))
        kafka_conf_set(*ret_conf, QUEUE_BACKOFF, "10");
    set_budget(*ret_conf, &spec->properties, budget);
    reconcile(*ret_conf, &spec->properties);
    return true;
}

/* What must be given back before a client can be destroyed. */
struct belongings {
    rd_kafka_topic_t **handles;
    size_t handle_count;
    struct belonging {
        rd_kafka_topic_t *handle;
        int32_t partition;
    } * partitions;
    size_t partition_count;
};

static struct belongings *take_belongings(struct kafka_ingress *ingress)
{
    struct belongings *belongings = mem_new(sizeof *belongings);
    belongings->partitions = mem_new(ingress->all_count * sizeof *belongings->partitions);
    for (size_t i = 0; i < ingress->all_count; i++)
        belongings->partitions[belongings->partition_count++] =
            (struct belonging){ingress->all[i]->topic->handle, ingress->all[i]->partition};
    belongings->handles = mem_new(ingress->spec->topic_count * sizeof(rd_kafka_topic_t *));
    for (size_t i = 0; i < ingress->spec->topic_count; i++) {
        if (ingress->topics[i].handle)
            belongings->handles[belongings->handle_count++] = ingress->topics[i].handle;
        ingress->topics[i].handle = NULL;
    }
    return belongings;
}

/* A client whose partitions are not stopped never ends, and spins while it does not (2.0.2). */
static void give_back(void *argument)
{
    struct belongings *belongings = argument;
    for (size_t i = 0; i < belongings->partition_count; i++)
        (void)rd_kafka_consume_stop(belongings->partitions[i].handle,
                                    belongings->partitions[i].partition); /* or was not started */
    for (size_t i = 0; i < belongings->handle_count; i++)
        rd_kafka_topic_destroy(belongings->handles[i]);
    free(belongings->partitions);
    free(belongings->handles);
    free(belongings);
}

static void disconnect(struct kafka_ingress *ingress)
{
    if (ingress->client)
        kafka_client_free_after(ingress->client, CLOSE_MS, give_back, take_belongings(ingress));
    ingress->client = NULL;
}

bool kafka_ingress_connect(struct kafka_ingress *ingress, size_t partitions,
                           struct sf_status *status)
{
    struct kafka_budget budget = kafka_budget_for(ingress->options.memory_bytes, partitions);
    rd_kafka_conf_t *conf;
    rd_kafka_t *client;
    assert(!ingress->all_count);
    if (!make_conf(ingress->spec, &ingress->outage, &budget, &conf, status))
        return false;
    rd_kafka_conf_set_offset_commit_cb(conf, kafka_group_on_told);
    ingress->queue_bytes = (size_t)number_in(conf, "queued.max.messages.kbytes") << 10;
    ingress->queue_records = (size_t)number_in(conf, "queued.min.messages");
    if (!kafka_client_new(RD_KAFKA_CONSUMER, conf, &client, status))
        return false;

    disconnect(ingress);
    ingress->client = client;
    ingress->client_partitions = partitions;
    for (size_t i = 0; i < ingress->spec->topic_count; i++) {
        struct kafka_topic *topic = &ingress->topics[i];
        topic->handle = rd_kafka_topic_new(client, topic->spec->topic, NULL);
        if (!topic->handle)
            return sf_fail(status, SF_INVALID, "topic '%.100s': %s", topic->spec->topic,
                           rd_kafka_err2str(rd_kafka_last_error()));
    }
    return true;
}

/* --- life --- */

/* How long an id may be so that every target's address is within its limit: the address is three
 * fields of one digit. */
static size_t id_bytes_max(const struct kafka_topic_spec *spec)
{
    size_t most = ADDRESS_BYTES_MAX;
    for (size_t i = 0; i < spec->target_count; i++) {
        size_t type = pb_bytes_size(1, strlen(spec->targets[i].ns)) +
                      pb_bytes_size(2, strlen(spec->targets[i].name));
        size_t left = type < ADDRESS_BYTES_MAX ? ADDRESS_BYTES_MAX - type : 0;
        size_t framing = pb_bytes_size(3, left) - left;
        left -= framing < left ? framing : left;
        most = left < most ? left : most;
    }
    return most;
}

static void topic_init(struct kafka_topic *topic, const struct kafka_topic_spec *spec)
{
    *topic = (struct kafka_topic){.spec = spec, .first_count = -1};
    topic->targets = mem_new(spec->target_count * sizeof *topic->targets);
    for (size_t i = 0; i < spec->target_count; i++) {
        const struct spec_name *target = &spec->targets[i];
        topic->targets[i] =
            (struct record_target){.ns = bytes_of(target->ns), .name = bytes_of(target->name)};
        buffer_add_format(&topic->targets_text, "%s%s/%s", i ? ", " : "", target->ns, target->name);
    }
    topic->id_bytes_max = id_bytes_max(spec);
    typed_value_add(&topic->argument_head,
                    &(struct typed_value){.type = bytes_of(spec->value_type), .has_value = true});
}

static void topic_destroy(struct kafka_topic *topic)
{
    free(topic->targets);
    free(topic->feeds);
    buffer_destroy(&topic->targets_text);
    buffer_destroy(&topic->argument_head);
}

static struct kafka_position *copy_positions(const struct kafka_ingress_options *options)
{
    struct kafka_position *positions = mem_new(options->position_count * sizeof *positions);
    for (size_t i = 0; i < options->position_count; i++) {
        positions[i] = options->positions[i];
        positions[i].topic = mem_string(options->positions[i].topic);
    }
    return positions;
}

bool kafka_ingress_open(const struct kafka_ingress_options *options,
                        struct kafka_ingress **ret_ingress, struct sf_status *status)
{
    const struct kafka_ingress_spec *spec = options->spec;
    struct kafka_ingress *ingress = mem_new(sizeof *ingress);
    ingress->spec = spec;
    ingress->options = *options;
    ingress->options.positions = copy_positions(options);
    ingress->id = mem_format("%s/%s", spec->id.ns, spec->id.name);
    ingress->wants_nudges = !kafka_knows_property(QUEUE_BACKOFF);
    ingress->outage.component = "ingress";
    ingress->outage.id = ingress->id;
    ingress->outage.address = spec->address;
    pthread_mutex_init(&ingress->lock, NULL);
    pthread_cond_init(&ingress->wake, NULL);
    list_init(&ingress->resets);
    list_init(&ingress->nudges);
    ingress->topics = mem_new(spec->topic_count * sizeof *ingress->topics);
    for (size_t i = 0; i < spec->topic_count; i++)
        topic_init(&ingress->topics[i], &spec->topics[i]);

    if (!kafka_ingress_connect(ingress, spec->topic_count * PARTITIONS_GUESS, status)) {
        kafka_ingress_close(ingress);
        return false;
    }
    if (pthread_create(&ingress->thread, NULL, kafka_control_run, ingress))
        abort();
    ingress->has_thread = true;
    *ret_ingress = ingress;
    return true;
}

void kafka_ingress_stop(struct kafka_ingress *ingress)
{
    /* Partitions are handed out and offsets told under the lock: once we have it, no more are. */
    pthread_mutex_lock(&ingress->lock);
    ingress->is_stopped = true;
    pthread_cond_signal(&ingress->wake);
    pthread_mutex_unlock(&ingress->lock);
}

/* --- stopped by a record --- */

static uint64_t wall_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* The first record counts; the lanes of others come to theirs again when it is resumed. */
void kafka_ingress_halt(struct kafka_ingress *ingress, struct kafka_feed *feed, int64_t offset,
                        struct bytes origin, const char *cause)
{
    pthread_mutex_lock(&ingress->lock);
    bool is_first = !ingress->halt.cause;
    if (is_first) {
        ingress->halt = (struct kafka_halt){bytes_string(origin), mem_string(cause), wall_ms()};
        ingress->halted = feed;
        ingress->halted_offset = offset;
    }
    atomic_store(&ingress->is_halted, true);
    pthread_mutex_unlock(&ingress->lock);
    if (is_first)
        log_error("an ingress stops at an invalid record; everything else goes on",
                  LOG_TEXT("ingress", ingress->id), LOG_BYTES("origin", origin),
                  LOG_TEXT("cause", cause));
}

void kafka_halt_destroy(struct kafka_halt *halt)
{
    free(halt->origin);
    free(halt->cause);
    *halt = (struct kafka_halt){0};
}

bool kafka_ingress_has_halted(struct kafka_ingress *ingress, struct kafka_halt *ret_halt)
{
    pthread_mutex_lock(&ingress->lock);
    const struct kafka_halt *halt = &ingress->halt;
    bool has_halted = halt->cause != NULL;
    if (has_halted)
        *ret_halt =
            (struct kafka_halt){mem_string(halt->origin), mem_string(halt->cause), halt->time_ms};
    pthread_mutex_unlock(&ingress->lock);
    return has_halted;
}

bool kafka_ingress_resume(struct kafka_ingress *ingress, bool skips, struct kafka_halt *ret_halt)
{
    pthread_mutex_lock(&ingress->lock);
    bool has_halted = ingress->halt.cause != NULL;
    if (has_halted) {
        if (skips)
            atomic_store(&ingress->halted->pass, ingress->halted_offset + 1);
        else
            atomic_store(&ingress->halted->is_reread, true);
        *ret_halt = ingress->halt;
        ingress->halt = (struct kafka_halt){0};
        atomic_store(&ingress->is_halted, false);
    }
    pthread_mutex_unlock(&ingress->lock);
    if (has_halted)
        log_info("an ingress that has stopped at an invalid record is resumed",
                 LOG_TEXT("ingress", ingress->id), LOG_TEXT("origin", ret_halt->origin),
                 LOG_TEXT("record", skips ? "set aside" : "read again"));
    return has_halted;
}

bool kafka_ingress_is_stopped(struct kafka_ingress *ingress)
{
    pthread_mutex_lock(&ingress->lock);
    bool is_stopped = ingress->is_stopped;
    pthread_mutex_unlock(&ingress->lock);
    return is_stopped;
}

void kafka_ingress_close(struct kafka_ingress *ingress)
{
    if (!ingress)
        return;
    kafka_ingress_stop(ingress);
    if (ingress->has_thread)
        pthread_join(ingress->thread, NULL);
    disconnect(ingress);

    for (size_t i = 0; i < ingress->spec->topic_count; i++)
        topic_destroy(&ingress->topics[i]);
    free(ingress->topics);
    for (size_t i = 0; i < ingress->all_count; i++)
        free(ingress->all[i]);
    free(ingress->all);
    for (size_t i = 0; i < ingress->options.position_count; i++)
        free(ingress->options.positions[i].topic);
    free((struct kafka_position *)ingress->options.positions);
    pthread_cond_destroy(&ingress->wake);
    pthread_mutex_destroy(&ingress->lock);
    kafka_halt_destroy(&ingress->halt);
    free(ingress->id);
    free(ingress);
}

void kafka_partition_free(struct kafka_partition *partition)
{
    free(partition);
}

/* --- check --- */

static bool check_topics(const struct kafka_ingress_spec *spec,
                         const struct rd_kafka_metadata *metadata, struct sf_status *status)
{
    for (int i = 0; i < metadata->topic_cnt; i++) {
        const rd_kafka_metadata_topic_t *topic = &metadata->topics[i];
        if (topic->err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)
            return sf_fail(status, SF_NOT_FOUND,
                           "Kafka at %s has no topic '%s' (a running ingress would wait for it)",
                           spec->address, topic->topic);
        if (topic->err)
            return sf_fail(status, SF_IO, "Kafka at %s: topic '%s': %s", spec->address,
                           topic->topic, rd_kafka_err2str(topic->err));
    }
    return true;
}

bool kafka_ingress_check(const struct kafka_ingress_spec *spec, uint64_t timeout_ms,
                         struct sf_status *status)
{
    struct kafka_outage outage = {
        .component = "ingress", .id = "check", .address = spec->address, .is_out = true};
    struct kafka_budget budget = kafka_budget_for(0, 1);
    rd_kafka_conf_t *conf;
    rd_kafka_t *client;
    if (!make_conf(spec, &outage, &budget, &conf, status) ||
        !kafka_client_new(RD_KAFKA_CONSUMER, conf, &client, status))
        return false;

    rd_kafka_topic_t **handles = mem_new(spec->topic_count * sizeof(rd_kafka_topic_t *));
    for (size_t i = 0; i < spec->topic_count; i++)
        handles[i] = rd_kafka_topic_new(client, spec->topics[i].topic, NULL);
    const struct rd_kafka_metadata *metadata;
    rd_kafka_resp_err_t error = rd_kafka_metadata(client, 0, NULL, &metadata, (int)timeout_ms);
    bool good = false;
    if (error) {
        rd_kafka_poll(client, 0); /* for the reason */
        (void)sf_fail(status, SF_IO, "Kafka at %s cannot be reached: %s", spec->address,
                      kafka_outage_reason(&outage, error));
    } else {
        good = check_topics(spec, metadata, status);
        rd_kafka_metadata_destroy(metadata);
    }
    for (size_t i = 0; i < spec->topic_count; i++)
        if (handles[i])
            rd_kafka_topic_destroy(handles[i]);
    free(handles);
    kafka_client_free(client, CLOSE_MS);
    return good;
}
