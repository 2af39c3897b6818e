/* kafka_control.c - the thread that talks to the brokers, so that no worker has to wait for them.
 *
 * It looks for partitions every so often (soon again while something is missing), hands them out,
 * answers lanes whose position does not exist, and has the consumer group told how far the durable
 * epochs are. Whatever fails is tried again; what is wrong is said once. */
#include "ingress/kafka_inside.h"

#include "base/hash.h"
#include "base/histogram.h"
#include "base/log.h"
#include "base/mem.h"

#include <time.h>

enum {
    POLL_MS = 100,
    METADATA_MS = 2000,
    OFFSETS_MS = 2000,
    AGAIN_MS = 1000, /* while something is missing */
    LOOK_MS = 30000, /* otherwise, if no property says so */
    LOOK_MS_MIN = 1000,
    OUTAGE_MS = 5000, /* no answer for so long is an outage, whatever the library says */
    ABSENT_AFTER = 3, /* looks in vain: a broker that has just started knows no topics yet */
};

#define ID(ingress) LOG_TEXT("ingress", (ingress)->id)

struct control {
    struct kafka_ingress *ingress;
    uint64_t look_ms, reset_ms; /* when next */
    uint64_t interval_ms;       /* UINT64_MAX: nothing is looked for once all is found */
    uint64_t heard_ms;          /* when a broker last answered */
    struct kafka_candidate *candidates;
    size_t candidate_count, candidate_capacity;
    bool has_failed; /* resolving, and it was said */
};

static uint64_t now_ms(void)
{
    return clock_now_us() / 1000;
}

/* --- partitions --- */

static void add_candidate(struct control *control, struct kafka_topic *topic, int32_t partition)
{
    const struct kafka_ingress *ingress = control->ingress;
    if (control->candidate_count == control->candidate_capacity) {
        control->candidate_capacity = control->candidate_capacity * 2 + 16;
        control->candidates = mem_resize(control->candidates,
                                         control->candidate_capacity * sizeof *control->candidates);
    }
    control->candidates[control->candidate_count++] = (struct kafka_candidate){
        .topic = topic,
        .partition = partition,
        .point = kafka_start_point_of(&ingress->options, topic->spec->topic, partition,
                                      partition >= topic->first_count),
    };
}

static bool is_handed_out(const struct kafka_topic *topic, int32_t partition)
{
    return partition < topic->feed_count && topic->feeds[partition];
}

/* A topic that exists: its partitions that nobody reads yet, the highest first (kafka_start.c).
 * False if one of them has no leader. */
static bool find_partitions(struct control *control, struct kafka_topic *topic,
                            const rd_kafka_metadata_topic_t *found)
{
    bool complete = true;
    int32_t count = 0;
    for (int i = 0; i < found->partition_cnt; i++)
        if (found->partitions[i].id >= count && found->partitions[i].id < KAFKA_PARTITIONS_MAX)
            count = found->partitions[i].id + 1;
    if (topic->first_count < 0)
        topic->first_count = topic->missed >= ABSENT_AFTER ? 0 : count;
    topic->missed = 0;

    if (count > topic->feed_count) {
        topic->feeds = mem_resize(topic->feeds, (size_t)count * sizeof *topic->feeds);
        for (int32_t i = topic->feed_count; i < count; i++)
            topic->feeds[i] = NULL;
        topic->feed_count = count;
    }
    bool *has_leader = mem_new((size_t)count * sizeof *has_leader);
    for (int i = 0; i < found->partition_cnt; i++)
        if (found->partitions[i].id >= 0 && found->partitions[i].id < count)
            has_leader[found->partitions[i].id] = found->partitions[i].leader >= 0;
    for (int32_t i = count; i-- > 0;) {
        if (is_handed_out(topic, i))
            continue;
        if (has_leader[i])
            add_candidate(control, topic, i);
        else
            complete = false;
    }
    free(has_leader);
    return complete;
}

static bool find_topic(struct control *control, struct kafka_topic *topic,
                       const rd_kafka_metadata_topic_t *found)
{
    rd_kafka_resp_err_t error = found->err;
    bool is_missing = error == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    if (is_missing)
        topic->missed++;
    /* That it is missing is believed after a while; that it was just made (no leaders) passes. */
    bool is_news = error && error != topic->last_error &&
                   error != RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE &&
                   (!is_missing || topic->missed == ABSENT_AFTER);
    if (is_news)
        log_warn("a topic cannot be read; it is waited for", ID(control->ingress),
                 LOG_TEXT("topic", topic->spec->topic),
                 LOG_TEXT("reason", is_missing ? "it does not exist" : rd_kafka_err2str(error)));
    if (is_news || !error)
        topic->last_error = error;
    return !error && find_partitions(control, topic, found);
}

static struct kafka_topic *topic_named(struct kafka_ingress *ingress, const char *name)
{
    for (size_t i = 0; i < ingress->spec->topic_count; i++)
        if (!strcmp(ingress->topics[i].spec->topic, name))
            return &ingress->topics[i];
    return NULL;
}

/* Balanced for the partitions of one topic, and topics do not all begin with the same worker. */
static uint32_t worker_of(const struct kafka_ingress *ingress, const struct kafka_topic *topic,
                          int32_t partition)
{
    uint64_t first = hash_stable(bytes_of(topic->spec->topic)) % ingress->options.workers;
    return (uint32_t)((first + (uint64_t)partition) % ingress->options.workers);
}

static struct kafka_feed *add_feed(struct kafka_ingress *ingress,
                                   const struct kafka_candidate *candidate)
{
    struct kafka_feed *feed = mem_new(sizeof *feed);
    feed->topic = candidate->topic;
    feed->partition = candidate->partition;
    feed->worker = worker_of(ingress, feed->topic, feed->partition);
    atomic_init(&feed->durable, -1);
    feed->told = -1;
    list_init(&feed->reset);
    list_init(&feed->nudge);
    feed->topic->feeds[feed->partition] = feed;
    ingress->all = mem_resize(ingress->all, (ingress->all_count + 1) * sizeof *ingress->all);
    ingress->all[ingress->all_count++] = feed;
    return feed;
}

static void hand_out(struct kafka_ingress *ingress, struct kafka_feed *feed, int64_t offset,
                     bool is_reset)
{
    struct kafka_partition *partition = mem_new(sizeof *partition);
    *partition = (struct kafka_partition){.feed = feed, .offset = offset, .is_reset = is_reset};
    ingress->options.on_partition(ingress->options.owner, feed->worker, partition);
}

/* Hands out what is resolved. False if something is left. */
static bool hand_out_candidates(struct control *control)
{
    struct kafka_ingress *ingress = control->ingress;
    size_t count = 0;
    pthread_mutex_lock(&ingress->lock);
    for (size_t i = 0; i < control->candidate_count && !ingress->is_stopped; i++) {
        const struct kafka_candidate *candidate = &control->candidates[i];
        if (candidate->point.begin != KAFKA_BEGIN_AT)
            continue;
        hand_out(ingress, add_feed(ingress, candidate), candidate->point.offset, false);
        count++;
    }
    pthread_mutex_unlock(&ingress->lock);
    if (count)
        log_info("ingress reads more partitions", ID(ingress), LOG_NUMBER("partitions", count),
                 LOG_NUMBER("all", ingress->all_count));
    return count == control->candidate_count;
}

static bool start_candidates(struct control *control)
{
    struct kafka_ingress *ingress = control->ingress;
    if (!control->candidate_count)
        return true;
    rd_kafka_resp_err_t error =
        kafka_start_resolve(ingress, control->candidates, control->candidate_count);
    if (error && !control->has_failed)
        log_warn("where partitions begin cannot be found out; it is tried again", ID(ingress),
                 LOG_TEXT("reason", rd_kafka_err2str(error)));
    control->has_failed = error != 0;
    return hand_out_candidates(control);
}

/* --- looking --- */

/* The first look shows how many partitions share the memory: when they are many more than was
 * guessed, the client is made anew, while that is still possible. */
static void resize(struct control *control)
{
    struct kafka_ingress *ingress = control->ingress;
    size_t count = control->candidate_count;
    struct sf_status status;
    if (ingress->all_count || count <= ingress->client_partitions * 2 ||
        kafka_ingress_connect(ingress, count, &status))
        return;
    log_error("the Kafka client cannot be made anew", ID(ingress),
              LOG_TEXT("reason", status.message));
    ingress->client_partitions = count; /* it goes on with the one that there is */
}

static void on_silence(struct control *control, rd_kafka_resp_err_t error)
{
    struct kafka_ingress *ingress = control->ingress;
    (void)rd_kafka_poll(ingress->client, 0); /* for the reason */
    if (now_ms() - control->heard_ms >= OUTAGE_MS)
        kafka_outage_begin(&ingress->outage, kafka_outage_reason(&ingress->outage, error));
}

static const struct rd_kafka_metadata *ask_metadata(struct control *control)
{
    const struct rd_kafka_metadata *metadata;
    rd_kafka_resp_err_t error =
        rd_kafka_metadata(control->ingress->client, 0, NULL, &metadata, METADATA_MS);
    if (error) {
        on_silence(control, error);
        return NULL;
    }
    control->heard_ms = now_ms();
    kafka_outage_end(&control->ingress->outage);
    return metadata;
}

/* True if all that there can be is found and handed out. */
static bool look(struct control *control)
{
    struct kafka_ingress *ingress = control->ingress;
    const struct rd_kafka_metadata *metadata = ask_metadata(control);
    if (!metadata)
        return false;
    size_t found = 0;
    control->candidate_count = 0;
    for (int i = 0; i < metadata->topic_cnt; i++) {
        struct kafka_topic *topic = topic_named(ingress, metadata->topics[i].topic);
        found += topic && find_topic(control, topic, &metadata->topics[i]);
    }
    rd_kafka_metadata_destroy(metadata);
    resize(control);
    return start_candidates(control) && found == ingress->spec->topic_count;
}

/* --- positions that do not exist --- */

void kafka_control_ask_reset(struct kafka_ingress *ingress, struct kafka_feed *feed, int64_t wanted)
{
    pthread_mutex_lock(&ingress->lock);
    feed->wanted = wanted;
    list_take(&feed->reset);
    list_put_last(&ingress->resets, &feed->reset);
    pthread_cond_signal(&ingress->wake);
    pthread_mutex_unlock(&ingress->lock);
}

static struct kafka_feed *take_reset(struct kafka_ingress *ingress)
{
    pthread_mutex_lock(&ingress->lock);
    struct list *node = ingress->is_stopped ? NULL : list_take_first(&ingress->resets);
    pthread_mutex_unlock(&ingress->lock);
    return node ? container_of(node, struct kafka_feed, reset) : NULL;
}

/* False if the brokers do not say what there is, or if there is what was wanted: then it is not to
 * be asked for again at once. */
static bool reset(struct kafka_ingress *ingress, struct kafka_feed *feed)
{
    int64_t earliest, latest, offset = feed->wanted;
    if (rd_kafka_query_watermark_offsets(ingress->client, feed->topic->spec->topic, feed->partition,
                                         &earliest, &latest, OFFSETS_MS)) {
        kafka_control_ask_reset(ingress, feed, offset);
        return false;
    }
    bool to_earliest = ingress->spec->reset_to_earliest || feed->is_operators;
    feed->is_operators = false;
    if (offset < earliest || offset > latest) {
        offset = to_earliest ? earliest : latest;
        log_warn("a position is not in its partition any more, or not yet: it is reset",
                 ID(ingress), LOG_TEXT("topic", feed->topic->spec->topic),
                 LOG_NUMBER("partition", feed->partition), LOG_NUMBER("wanted", feed->wanted),
                 LOG_NUMBER("earliest", earliest), LOG_NUMBER("latest", latest),
                 LOG_NUMBER("reset_to", offset));
    }
    /* Or librdkafka would not start it again. It does not wait for brokers. */
    (void)rd_kafka_consume_stop(feed->topic->handle, feed->partition);
    pthread_mutex_lock(&ingress->lock);
    if (!ingress->is_stopped)
        hand_out(ingress, feed, offset, true);
    pthread_mutex_unlock(&ingress->lock);
    return offset != feed->wanted;
}

static void answer_resets(struct control *control)
{
    struct kafka_ingress *ingress = control->ingress;
    struct kafka_feed *feed;
    if (now_ms() < control->reset_ms)
        return;
    while ((feed = take_reset(ingress))) {
        if (reset(ingress, feed))
            continue;
        control->reset_ms = now_ms() + AGAIN_MS;
        return;
    }
}

/* --- waking librdkafka --- */

void kafka_control_nudge(struct kafka_ingress *ingress, struct kafka_feed *feed)
{
    if (!ingress->wants_nudges)
        return;
    pthread_mutex_lock(&ingress->lock);
    if (list_is_empty(&feed->nudge)) {
        list_put_last(&ingress->nudges, &feed->nudge);
        pthread_cond_signal(&ingress->wake);
    }
    pthread_mutex_unlock(&ingress->lock);
}

/* A thread of librdkafka's that serves a broker sleeps for up to a second when all its partitions
 * have enough; that they are read does not wake it, and nothing else can but a request to that
 * broker: the cheapest is to ask where a partition ends. (Measured with 8 MB of memory: 1 M records
 * of 100 bytes took 30 s, and with it 2 s.) */
static void nudge(struct kafka_ingress *ingress)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    pthread_mutex_lock(&ingress->lock);
    for (struct list *node; (node = list_take_first(&ingress->nudges));) {
        const struct kafka_feed *feed = container_of(node, struct kafka_feed, nudge);
        rd_kafka_topic_partition_list_add(list, feed->topic->spec->topic, feed->partition)->offset =
            RD_KAFKA_OFFSET_END;
    }
    pthread_mutex_unlock(&ingress->lock);
    if (list->cnt)
        (void)rd_kafka_offsets_for_times(ingress->client, list, OFFSETS_MS); /* asking is all */
    rd_kafka_topic_partition_list_destroy(list);
}

/* --- the thread --- */

/* How often to look for new partitions: the property that librdkafka itself goes by. */
static uint64_t interval_ms(const struct kafka_ingress_spec *spec)
{
    for (size_t i = 0; i < spec->properties.count; i++) {
        const struct client_property *property = &spec->properties.items[i];
        if (strcmp(property->name, "topic.metadata.refresh.interval.ms"))
            continue;
        long long value = atoll(property->value);
        return value <= 0 ? UINT64_MAX : value < LOOK_MS_MIN ? LOOK_MS_MIN : (uint64_t)value;
    }
    return LOOK_MS;
}

static void look_if_due(struct control *control)
{
    if (now_ms() < control->look_ms)
        return;
    bool complete = look(control);
    uint64_t wait_ms = complete ? control->interval_ms : AGAIN_MS;
    control->look_ms = wait_ms == UINT64_MAX ? UINT64_MAX : now_ms() + wait_ms;
}

static void wait_for_news(const struct control *control)
{
    struct kafka_ingress *ingress = control->ingress;
    struct timespec deadline;
    clock_gettime(CLOCK_MONOTONIC, &deadline);
    deadline.tv_nsec += POLL_MS * 1000000L;
    if (deadline.tv_nsec >= 1000000000L) {
        deadline.tv_sec++;
        deadline.tv_nsec -= 1000000000L;
    }
    pthread_mutex_lock(&ingress->lock);
    bool has_news = ingress->is_stopped || !list_is_empty(&ingress->nudges) ||
                    (!list_is_empty(&ingress->resets) && now_ms() >= control->reset_ms);
    if (!has_news)
        (void)pthread_cond_clockwait(&ingress->wake, &ingress->lock, CLOCK_MONOTONIC, &deadline);
    pthread_mutex_unlock(&ingress->lock);
}

void *kafka_control_run(void *argument)
{
    struct kafka_ingress *ingress = argument;
    struct control control = {
        .ingress = ingress, .interval_ms = interval_ms(ingress->spec), .heard_ms = now_ms()};
    while (!kafka_ingress_is_stopped(ingress)) {
        /* An outage ends when a broker answers: ask. */
        if (atomic_load(&ingress->outage.is_out) && control.look_ms > now_ms() + AGAIN_MS)
            control.look_ms = now_ms() + AGAIN_MS;
        look_if_due(&control);
        answer_resets(&control);
        nudge(ingress);
        kafka_group_tell(ingress);
        (void)rd_kafka_poll(ingress->client, 0);
        wait_for_news(&control);
    }
    kafka_group_leave(ingress);
    free(control.candidates);
    return NULL;
}
