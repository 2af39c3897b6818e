/* kafka_lane.c - one worker's share of a Kafka ingress: from librdkafka's queues into the engine.
 *
 * Every partition has a queue of its own, so that one that must wait is simply not read from:
 * librdkafka fetches up to its limits and then stops, and no pausing is needed (resuming has bugs
 * in 2.0.2). A queue that gets something while it was empty posts a letter to the lane.
 *
 * That makes it ready (ingress/lane.h); it is idle again when its queue was found empty. LOST is
 * one whose position does not exist, until the control has told a new one. Nothing is read while
 * the ingress has halted at a record that it must not go past.
 *
 * Records are taken in bunches. What is left of a bunch when a turn is over stays in hand and goes
 * first the next time: the order within a partition is the topic's. */
#include "ingress/kafka_inside.h"
#include "ingress/lane.h"

#include "base/log.h"
#include "base/mem.h"

#include <assert.h>

enum { BUNCH = 250 };

#define ID(lane) LOG_TEXT("ingress", (lane)->ingress->id)

/* The position at the end of an epoch that may not be durable yet. */
struct mark {
    uint64_t epoch; /* 0: nothing to tell */
    int64_t position;
};

struct reading {
    struct lane_reading is;
    struct kafka_lane *lane;
    struct kafka_feed *feed;
    rd_kafka_queue_t *queue;
    struct source *source;
    int64_t position; /* of the next record */

    rd_kafka_message_t **in_hand; /* NULL: nothing */
    size_t in_hand_first, in_hand_count;
    size_t passed_records, passed_bytes; /* through the queue, since it was empty or nudged */

    struct buffer argument; /* begins with the topic's argument_head */
    struct buffer origin;   /* begins with origin_head bytes that stay */
    size_t origin_head;
    struct mark marks[2];           /* by epoch & 1 */
    struct list marked;             /* in the lane's `marked` while there is something to tell */
    rd_kafka_resp_err_t last_error; /* said already */
    uint64_t fates[KAFKA_FATES], bytes;

    struct letter letter;  /* of whoever turns `is_posted` on, until it is turned off */
    atomic_bool is_posted; /* librdkafka's threads turn it on */
};

struct kafka_lane {
    struct lane is;
    struct kafka_ingress *ingress;
    struct list marked;
    struct buffer id;
    rd_kafka_message_t *bunch[BUNCH];
};

static struct reading *reading_of(struct list *node) /* of a list of all */
{
    return container_of(container_of(node, struct lane_reading, all), struct reading, is);
}

/* A thread of librdkafka's, under the queue's lock: no call of the library is allowed here. */
static void on_records(rd_kafka_t *client, void *opaque)
{
    struct reading *reading = opaque;
    (void)client;
    if (atomic_exchange(&reading->is_posted, true))
        return;
    struct letters letters = {0};
    letters_add(&letters, &reading->letter);
    inbox_put(reading->lane->is.inbox, &letters);
}

/* --- records --- */

/* Marks how far the open epoch is. What its slot held before is of the epoch before the last one,
 * which is durable. */
static void mark(struct reading *reading)
{
    struct kafka_lane *lane = reading->lane;
    uint64_t epoch = engine_epoch(lane->is.engine);
    reading->marks[epoch & 1] = (struct mark){epoch, reading->position};
    if (list_is_empty(&reading->marked))
        list_put_last(&lane->marked, &reading->marked);
}

/* Errors after which librdkafka would go on behind the records that it cannot read. */
static bool is_damage(rd_kafka_resp_err_t error)
{
    return error == RD_KAFKA_RESP_ERR__BAD_MSG || error == RD_KAFKA_RESP_ERR__BAD_COMPRESSION ||
           error == RD_KAFKA_RESP_ERR__UNDERFLOW || error == RD_KAFKA_RESP_ERR__NOT_IMPLEMENTED;
}

/* Not a record but news of the partition; it comes in order with the records. */
static void take_error(struct reading *reading, const rd_kafka_message_t *message)
{
    struct kafka_lane *lane = reading->lane;
    bool is_out_of_range = message->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET ||
                           message->err == RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE;
    if (!is_out_of_range && message->err != reading->last_error)
        log_warn("a partition cannot be read; it is tried again", ID(lane),
                 LOG_TEXT("topic", reading->feed->topic->spec->topic),
                 LOG_NUMBER("partition", reading->feed->partition),
                 LOG_TEXT("reason", rd_kafka_message_errstr(message)));
    reading->last_error = message->err;
    if (is_out_of_range || is_damage(message->err)) {
        lane_set(&reading->is, LOST);
        kafka_control_ask_reset(lane->ingress, reading->feed, reading->position);
    }
}

/* False: it was refused, and is to be offered again. */
static bool take_record(struct reading *reading, const rd_kafka_message_t *message)
{
    struct kafka_lane *lane = reading->lane;
    const struct kafka_offer offer = {
        .ingress = lane->ingress,
        .source = reading->source,
        .feed = reading->feed,
        .topic = reading->feed->topic,
        .routers = &lane->is.routers,
        .forwards_headers = lane->ingress->spec->forwards_headers,
        .argument = &reading->argument,
        .id = &lane->id,
        .origin = &reading->origin,
        .origin_head = reading->origin_head,
    };
    enum kafka_fate fate;
    if (message->offset < reading->position)
        return true; /* counted already */
    if (kafka_record_offer(lane->is.engine, &offer, message, &fate) == REFUSED) {
        lane_set(&reading->is, WAITING);
        return false;
    }
    patience_rewarded(&lane->is.patience);
    reading->position = message->offset + 1;
    reading->last_error = RD_KAFKA_RESP_ERR_NO_ERROR;
    reading->fates[fate]++;
    reading->bytes += fate == KAFKA_BECAME_MESSAGE ? message->len : 0;
    return true;
}

/* Takes messages, and destroys them, until the allowance is used up or the reading is not READY any
 * more. Returns how many: one that was refused is not among them. */
static size_t take(struct reading *reading, rd_kafka_message_t *const *messages, size_t count,
                   struct allowance *allowance)
{
    int64_t before = reading->position;
    size_t taken = 0;
    while (taken < count && allowance_is_left(allowance) && reading->is.state == READY) {
        rd_kafka_message_t *message = messages[taken];
        if (message->err)
            take_error(reading, message);
        else if (!take_record(reading, message))
            break;
        allowance_take(allowance, message->len);
        rd_kafka_message_destroy(message);
        taken++;
    }
    if (reading->position != before) {
        mark(reading);
        kafka_outage_end(&reading->lane->ingress->outage);
    }
    return taken;
}

static void drop_in_hand(struct reading *reading)
{
    for (size_t i = reading->in_hand_first; i < reading->in_hand_count; i++)
        rd_kafka_message_destroy(reading->in_hand[i]);
    free(reading->in_hand);
    reading->in_hand = NULL;
    reading->in_hand_first = reading->in_hand_count = 0;
}

static void keep_in_hand(struct reading *reading, rd_kafka_message_t *const *messages, size_t count)
{
    assert(!reading->in_hand);
    reading->in_hand = mem_new_raw(count * sizeof *messages);
    memcpy(reading->in_hand, messages, count * sizeof *messages);
    reading->in_hand_first = 0;
    reading->in_hand_count = count;
}

/* What is in hand is not what the topic has any more, perhaps. */
static void read_again(struct reading *reading)
{
    atomic_store(&reading->feed->is_reread, false);
    lane_set(&reading->is, LOST);
    drop_in_hand(reading);
    reading->feed->is_operators = true;
    kafka_control_ask_reset(reading->lane->ingress, reading->feed, reading->position);
}

/* True if there may be more. */
static bool read_hand(struct reading *reading, struct allowance *allowance)
{
    if (atomic_load_explicit(&reading->feed->is_reread, memory_order_relaxed)) {
        read_again(reading);
        return false;
    }
    reading->in_hand_first += take(reading, reading->in_hand + reading->in_hand_first,
                                   reading->in_hand_count - reading->in_hand_first, allowance);
    if (reading->in_hand_first == reading->in_hand_count)
        drop_in_hand(reading);
    return true;
}

/* The queue may have been full, if at all, no longer ago than what it holds then: so librdkafka is
 * told of room each time that half of it has passed. */
static void count_passed(struct reading *reading, size_t count)
{
    struct kafka_ingress *ingress = reading->lane->ingress;
    rd_kafka_message_t *const *bunch = reading->lane->bunch;
    reading->passed_records += count;
    for (size_t i = 0; i < count; i++)
        reading->passed_bytes += bunch[i]->len + bunch[i]->key_len;
    if (reading->passed_records >= ingress->queue_records / 2 ||
        reading->passed_bytes >= ingress->queue_bytes / 2)
        kafka_control_nudge(ingress, reading->feed);
    else if (count == BUNCH)
        return;
    reading->passed_records = reading->passed_bytes = 0;
}

/* False if the queue was empty: from then on, what comes posts a letter. */
static bool read_queue(struct reading *reading, struct allowance *allowance)
{
    rd_kafka_message_t **bunch = reading->lane->bunch;
    ssize_t count = rd_kafka_consume_batch_queue(reading->queue, 0, bunch, BUNCH);
    if (count <= 0)
        return false;
    count_passed(reading, (size_t)count);
    size_t taken = take(reading, bunch, (size_t)count, allowance);
    if (taken < (size_t)count)
        keep_in_hand(reading, bunch + taken, (size_t)count - taken);
    return count == BUNCH || reading->in_hand;
}

static void read_on(struct lane_reading *is, struct allowance *allowance)
{
    struct reading *reading = container_of(is, struct reading, is);
    bool has_more =
        reading->in_hand ? read_hand(reading, allowance) : read_queue(reading, allowance);
    if (is->state == LOST)
        drop_in_hand(reading);
    else if (is->state == READY)
        lane_set(is, has_more ? READY : IDLE);
}

static void take_letter(struct lane *lane, struct letter *letter)
{
    struct reading *reading = container_of(letter, struct reading, letter);
    /* Before the queue is read: what comes meanwhile must not go unnoticed. */
    atomic_store(&reading->is_posted, false);
    if (reading->is.state == IDLE && !lane->is_stopped)
        lane_set(&reading->is, READY);
}

static bool has_halted(const struct lane *lane)
{
    const struct kafka_ingress *ingress = container_of(lane, struct kafka_lane, is)->ingress;
    return atomic_load_explicit(&ingress->is_halted, memory_order_acquire);
}

static const struct lane_kind kafka = {
    .take_letter = take_letter, .read = read_on, .has_halted = has_halted};

void kafka_lane_room(struct kafka_lane *lane)
{
    lane_room(&lane->is);
}

/* --- going on after a halt --- */

/* The record that was halted at, if it is this one's and is to be passed over: also if another has
 * halted the ingress since. */
static bool pass(struct reading *reading)
{
    struct allowance one = {1, SIZE_MAX};
    bool may_read = reading->is.state == READY && !reading->lane->is.is_stopped;
    if (reading->in_hand && atomic_load(&reading->feed->pass) && may_read)
        (void)read_hand(reading, &one);
    return !atomic_load(&reading->feed->pass);
}

bool kafka_lane_resume(struct kafka_lane *lane)
{
    bool has_passed = true;
    lane_offer_again(&lane->is);
    list_for_each (&lane->is.all, node)
        has_passed &= pass(reading_of(node));
    if (!lane->is.is_stopped)
        loop_task_set(lane->is.loop, &lane->is.more);
    return has_passed;
}

/* --- offsets for the group --- */

void kafka_lane_committed(struct kafka_lane *lane, uint64_t epoch)
{
    list_for_each_safe (&lane->marked, node) {
        struct reading *reading = container_of(node, struct reading, marked);
        int64_t durable = -1;
        bool is_left = false;
        for (int i = 0; i < 2; i++) {
            struct mark *it = &reading->marks[i];
            is_left |= it->epoch > epoch;
            if (!it->epoch || it->epoch > epoch)
                continue;
            durable = it->position > durable ? it->position : durable;
            it->epoch = 0;
        }
        if (durable >= 0)
            atomic_store_explicit(&reading->feed->durable, durable, memory_order_release);
        if (!is_left)
            list_take(&reading->marked);
    }
}

/* --- partitions --- */

static void start(struct reading *reading)
{
    struct kafka_lane *lane = reading->lane;
    /* What is left in the queue is out of date, and hides that it is not empty: read it away. */
    lane_set(&reading->is, READY);
    loop_task_set(lane->is.loop, &lane->is.more);
    if (reading->position < 0) { /* of module.yaml: there is no such offset */
        lane_set(&reading->is, LOST);
        kafka_control_ask_reset(lane->ingress, reading->feed, reading->position);
    } else if (rd_kafka_consume_start_queue(reading->feed->topic->handle, reading->feed->partition,
                                            reading->position, reading->queue)) {
        log_error("a partition cannot be read", ID(lane),
                  LOG_TEXT("topic", reading->feed->topic->spec->topic),
                  LOG_NUMBER("partition", reading->feed->partition),
                  LOG_TEXT("reason", rd_kafka_err2str(rd_kafka_last_error())));
    }
}

static void begin_at(struct reading *reading, int64_t offset)
{
    uint8_t position[sizeof(uint64_t)];
    reading->position = offset;
    atomic_store(&reading->feed->pass, 0); /* other records may be there now */
    if (offset < 0)
        return;
    u64_put(position, (uint64_t)offset);
    engine_begin_source(reading->lane->is.engine, reading->source,
                        bytes_make(position, sizeof position));
    mark(reading);
}

static struct reading *reading_new(struct kafka_lane *lane, const struct kafka_partition *partition)
{
    struct kafka_feed *feed = partition->feed;
    struct reading *reading = mem_new(sizeof *reading);
    reading->lane = lane;
    reading->feed = feed;
    list_init(&reading->marked);
    lane_add(&lane->is, &reading->is);
    buffer_add_bytes(&reading->argument, buffer_bytes(&feed->topic->argument_head));

    const char *topic = feed->topic->spec->topic;
    buffer_add_format(&reading->origin, "%s/%d", topic, (int)feed->partition);
    reading->source =
        engine_source(lane->is.engine, bytes_of(lane->ingress->id), buffer_bytes(&reading->origin));
    buffer_clear(&reading->origin);
    buffer_add_format(&reading->origin, "topic %s partition %d offset ", topic,
                      (int)feed->partition);
    reading->origin_head = reading->origin.size;

    reading->queue = rd_kafka_queue_new(lane->ingress->client);
    rd_kafka_queue_cb_event_enable(reading->queue, on_records, reading);
    return reading;
}

static struct reading *find(struct kafka_lane *lane, const struct kafka_feed *feed)
{
    list_for_each (&lane->is.all, node)
        if (reading_of(node)->feed == feed)
            return reading_of(node);
    return NULL;
}

void kafka_lane_add(struct kafka_lane *lane, struct kafka_partition *partition)
{
    if (!lane->is.is_stopped) {
        struct reading *reading = find(lane, partition->feed);
        assert(partition->is_reset == (reading != NULL));
        if (!reading)
            reading = reading_new(lane, partition);
        struct bytes stored = source_position(reading->source);
        if (partition->is_reset || stored.size != sizeof(uint64_t))
            begin_at(reading, partition->offset);
        else
            reading->position = (int64_t)u64_get(stored.data);
        start(reading);
    }
    kafka_partition_free(partition);
}

/* --- life --- */

struct kafka_lane *kafka_lane_new(struct kafka_ingress *ingress, struct loop *loop,
                                  struct engine *engine)
{
    struct kafka_lane *lane = mem_new(sizeof *lane);
    lane->ingress = ingress;
    list_init(&lane->marked);
    lane_open(&lane->is, &kafka, loop, engine, ingress->options.registry, ingress->id);
    return lane;
}

void kafka_lane_stop(struct kafka_lane *lane)
{
    lane_stop(&lane->is);
    list_for_each (&lane->is.all, node) {
        struct reading *reading = reading_of(node);
        rd_kafka_queue_cb_event_enable(reading->queue, NULL, NULL);
        lane_set(&reading->is, IDLE);
        drop_in_hand(reading);
    }
}

static void reading_free(struct reading *reading)
{
    rd_kafka_queue_destroy(reading->queue);
    buffer_destroy(&reading->argument);
    buffer_destroy(&reading->origin);
    free(reading);
}

void kafka_lane_free(struct kafka_lane *lane)
{
    if (!lane)
        return;
    kafka_lane_stop(lane);
    lane_close(&lane->is);
    list_for_each_safe (&lane->is.all, node)
        reading_free(reading_of(node));
    buffer_destroy(&lane->id);
    free(lane);
}

void kafka_lane_each(const struct kafka_lane *lane,
                     void (*visit)(void *owner, const struct kafka_lane_figures *figures),
                     void *owner)
{
    list_for_each (&((struct kafka_lane *)lane)->is.all, node) {
        const struct reading *reading = reading_of(node);
        struct kafka_lane_figures figures = {
            .topic = reading->feed->topic->spec->topic,
            .partition = reading->feed->partition,
            .records = reading->fates[KAFKA_BECAME_MESSAGE],
            .bytes = reading->bytes,
            .invalid = reading->fates[KAFKA_BECAME_DEAD_LETTER] + reading->fates[KAFKA_SKIPPED] +
                       reading->fates[KAFKA_FORWARDED],
            .skipped = reading->fates[KAFKA_SKIPPED],
            .forwarded = reading->fates[KAFKA_FORWARDED],
            .has_halted = has_halted(&lane->is),
            .position = reading->position < 0 ? -1 : reading->position,
            .waits_for_room = reading->is.state == WAITING && !has_halted(&lane->is),
        };
        int64_t low;
        if (rd_kafka_get_watermark_offsets(lane->ingress->client, figures.topic, figures.partition,
                                           &low, &figures.high_watermark) ||
            figures.high_watermark < 0)
            figures.high_watermark = -1;
        visit(owner, &figures);
    }
}

const struct routers *kafka_lane_routers(const struct kafka_lane *lane)
{
    return &lane->is.routers;
}
