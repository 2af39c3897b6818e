/* kafka_lane.c - one worker's share of a Kafka ingress: from librdkafka's queues into the engine.
 *
 * Every partition has a queue of its own, so that one that must wait is simply not read from:
 * librdkafka fetches up to its limits and then stops, and no pausing is needed (resuming has bugs
 * in 2.0.2). A queue that gets something while it was empty posts a letter to the lane.
 *
 *                 ┌──────────── all read, or in hand again ────────────┐
 *     IDLE ──letter──▶ READY ──bunch──┬──▶ IDLE (the queue was empty)  │
 *                        ▲            ├──▶ READY, at the end ──────────┘
 *                        └── room ─── └──▶ WAITING (a record was refused and stays in hand)
 *     (not while the ingress has halted at a record that it must not go past)
 *
 *     any ──its position does not exist──▶ LOST ──a new one from the control──▶ IDLE
 *
 * Records are taken in bunches and a turn takes a bounded number of them. What is left of a bunch
 * stays in hand and goes first the next time: the order within a partition is the topic's. */
#include "ingress/kafka_inside.h"
#include "ingress/patience.h"

#include "base/log.h"
#include "base/mem.h"
#include "loop/inbox.h"

#include <assert.h>

enum {
    BUNCH = 250,
    TURN_RECORDS_MAX = 1000,
    TURN_BYTES_MAX = 4 << 20,
};

#define ID(lane) LOG_TEXT("ingress", (lane)->ingress->id)

enum reading_state { IDLE, READY, WAITING, LOST };

/* The position at the end of an epoch that may not be durable yet. */
struct mark {
    uint64_t epoch; /* 0: nothing to tell */
    int64_t position;
};

struct reading {
    struct kafka_lane *lane;
    struct kafka_feed *feed;
    rd_kafka_queue_t *queue;
    struct list node; /* in the lane's `ready` or `waiting` */
    struct list all;
    enum reading_state state;
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
    struct kafka_ingress *ingress;
    struct loop *loop;
    struct engine *engine;
    struct inbox *inbox;
    struct loop_waker waker;
    struct loop_task more; /* another turn: something is ready, or the engine has to run */
    struct list all, ready, waiting, marked;
    struct patience patience;
    struct routers routers;
    struct buffer id;
    bool is_stopped;
    rd_kafka_message_t *bunch[BUNCH];
};

/* --- states --- */

static void set_state(struct reading *reading, enum reading_state state)
{
    list_take(&reading->node);
    reading->state = state;
    if (state == READY)
        list_put_last(&reading->lane->ready, &reading->node);
    else if (state == WAITING)
        list_put_last(&reading->lane->waiting, &reading->node);
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
    inbox_put(reading->lane->inbox, &letters);
}

/* --- records --- */

/* Marks how far the open epoch is. What its slot held before is of the epoch before the last one,
 * which is durable. */
static void mark(struct reading *reading)
{
    struct kafka_lane *lane = reading->lane;
    uint64_t epoch = engine_epoch(lane->engine);
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
        set_state(reading, LOST);
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
        .routers = &lane->routers,
        .forwards_headers = lane->ingress->spec->forwards_headers,
        .argument = &reading->argument,
        .id = &lane->id,
        .origin = &reading->origin,
        .origin_head = reading->origin_head,
    };
    enum kafka_fate fate;
    if (message->offset < reading->position)
        return true; /* counted already */
    if (kafka_record_offer(lane->engine, &offer, message, &fate) == REFUSED) {
        set_state(reading, WAITING);
        return false;
    }
    patience_rewarded(&lane->patience);
    reading->position = message->offset + 1;
    reading->last_error = RD_KAFKA_RESP_ERR_NO_ERROR;
    reading->fates[fate]++;
    reading->bytes += fate == KAFKA_BECAME_MESSAGE ? message->len : 0;
    return true;
}

/* What a turn may still take. */
struct allowance {
    size_t records, bytes;
};

/* Takes messages, and destroys them, until the allowance is used up or the reading is not READY any
 * more. Returns how many: one that was refused is not among them. */
static size_t take(struct reading *reading, rd_kafka_message_t *const *messages, size_t count,
                   struct allowance *allowance)
{
    int64_t before = reading->position;
    size_t taken = 0;
    while (taken < count && allowance->records && allowance->bytes && reading->state == READY) {
        rd_kafka_message_t *message = messages[taken];
        if (message->err)
            take_error(reading, message);
        else if (!take_record(reading, message))
            break;
        allowance->records--;
        allowance->bytes -= message->len < allowance->bytes ? message->len : allowance->bytes;
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
    set_state(reading, LOST);
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

static bool has_halted(const struct kafka_lane *lane)
{
    return atomic_load_explicit(&lane->ingress->is_halted, memory_order_acquire);
}

static void read_some(struct kafka_lane *lane)
{
    struct allowance allowance = {TURN_RECORDS_MAX, TURN_BYTES_MAX};
    if (has_halted(lane))
        return;
    while (!has_halted(lane) && allowance.records && allowance.bytes &&
           !list_is_empty(&lane->ready)) {
        struct reading *reading = list_first(&lane->ready, struct reading, node);
        bool has_more =
            reading->in_hand ? read_hand(reading, &allowance) : read_queue(reading, &allowance);
        if (reading->state == LOST)
            drop_in_hand(reading);
        else if (reading->state == READY)
            set_state(reading, has_more ? READY : IDLE);
    }
    /* One turn more than there are records, in which the engine runs what was taken last. */
    if (allowance.records < TURN_RECORDS_MAX || !list_is_empty(&lane->ready))
        loop_task_set(lane->loop, &lane->more);
}

static void on_more(struct loop_task *task)
{
    read_some(container_of(task, struct kafka_lane, more));
}

static void on_wake(struct loop_waker *waker)
{
    struct kafka_lane *lane = container_of(waker, struct kafka_lane, waker);
    struct letters letters = inbox_take(lane->inbox);
    for (struct letter *letter; (letter = letters_take(&letters));) {
        struct reading *reading = container_of(letter, struct reading, letter);
        /* Before the queue is read: what comes meanwhile must not go unnoticed. */
        atomic_store(&reading->is_posted, false);
        if (reading->state == IDLE && !lane->is_stopped)
            set_state(reading, READY);
    }
    if (!list_is_empty(&lane->ready))
        read_some(lane);
}

/* --- room --- */

static void on_offer(struct patience *patience)
{
    struct kafka_lane *lane = container_of(patience, struct kafka_lane, patience);
    while (!list_is_empty(&lane->waiting))
        set_state(list_first(&lane->waiting, struct reading, node), READY);
    read_some(lane);
}

void kafka_lane_room(struct kafka_lane *lane)
{
    if (!has_halted(lane) && !list_is_empty(&lane->waiting))
        patience_room(&lane->patience);
}

/* --- going on after a halt --- */

/* The record that was halted at, if it is this one's and is to be passed over: also if another has
 * halted the ingress since. */
static bool pass(struct reading *reading)
{
    struct allowance one = {1, SIZE_MAX};
    bool may_read = reading->state == READY && !reading->lane->is_stopped;
    if (reading->in_hand && atomic_load(&reading->feed->pass) && may_read)
        (void)read_hand(reading, &one);
    return !atomic_load(&reading->feed->pass);
}

bool kafka_lane_resume(struct kafka_lane *lane)
{
    bool has_passed = true;
    while (!list_is_empty(&lane->waiting))
        set_state(list_first(&lane->waiting, struct reading, node), READY);
    list_for_each (&lane->all, node)
        has_passed &= pass(container_of(node, struct reading, all));
    if (!lane->is_stopped)
        loop_task_set(lane->loop, &lane->more);
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
    set_state(reading, READY);
    loop_task_set(lane->loop, &lane->more);
    if (reading->position < 0) { /* of module.yaml: there is no such offset */
        set_state(reading, LOST);
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
    engine_begin_source(reading->lane->engine, reading->source,
                        bytes_make(position, sizeof position));
    mark(reading);
}

static struct reading *reading_new(struct kafka_lane *lane, const struct kafka_partition *partition)
{
    struct kafka_feed *feed = partition->feed;
    struct reading *reading = mem_new(sizeof *reading);
    reading->lane = lane;
    reading->feed = feed;
    list_init(&reading->node);
    list_init(&reading->marked);
    list_put_last(&lane->all, &reading->all);
    buffer_add_bytes(&reading->argument, buffer_bytes(&feed->topic->argument_head));

    const char *topic = feed->topic->spec->topic;
    buffer_add_format(&reading->origin, "%s/%d", topic, (int)feed->partition);
    reading->source =
        engine_source(lane->engine, bytes_of(lane->ingress->id), buffer_bytes(&reading->origin));
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
    list_for_each (&lane->all, node) {
        struct reading *reading = container_of(node, struct reading, all);
        if (reading->feed == feed)
            return reading;
    }
    return NULL;
}

void kafka_lane_add(struct kafka_lane *lane, struct kafka_partition *partition)
{
    if (!lane->is_stopped) {
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
    lane->loop = loop;
    lane->engine = engine;
    lane->inbox = inbox_new(loop);
    lane->waker.on_wake = on_wake;
    lane->more.on_task = on_more;
    patience_init(&lane->patience, loop, on_offer);
    routers_init(&lane->routers, ingress->options.registry, ingress->id);
    list_init(&lane->all);
    list_init(&lane->ready);
    list_init(&lane->waiting);
    list_init(&lane->marked);
    loop_waker_add(loop, &lane->waker);
    return lane;
}

void kafka_lane_stop(struct kafka_lane *lane)
{
    lane->is_stopped = true;
    list_for_each (&lane->all, node) {
        struct reading *reading = container_of(node, struct reading, all);
        rd_kafka_queue_cb_event_enable(reading->queue, NULL, NULL);
        set_state(reading, IDLE);
        drop_in_hand(reading);
    }
    patience_end(&lane->patience);
    loop_task_cancel(lane->loop, &lane->more);
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
    loop_waker_remove(lane->loop, &lane->waker);
    (void)inbox_take(lane->inbox); /* the letters are part of the readings */
    inbox_free(lane->inbox);
    list_for_each_safe (&lane->all, node)
        reading_free(container_of(node, struct reading, all));
    routers_destroy(&lane->routers);
    buffer_destroy(&lane->id);
    free(lane);
}

void kafka_lane_each(const struct kafka_lane *lane,
                     void (*visit)(void *owner, const struct kafka_lane_figures *figures),
                     void *owner)
{
    list_for_each (&((struct kafka_lane *)lane)->all, node) {
        const struct reading *reading = container_of(node, struct reading, all);
        struct kafka_lane_figures figures = {
            .topic = reading->feed->topic->spec->topic,
            .partition = reading->feed->partition,
            .records = reading->fates[KAFKA_BECAME_MESSAGE],
            .bytes = reading->bytes,
            .invalid = reading->fates[KAFKA_BECAME_DEAD_LETTER] + reading->fates[KAFKA_SKIPPED] +
                       reading->fates[KAFKA_FORWARDED],
            .skipped = reading->fates[KAFKA_SKIPPED],
            .forwarded = reading->fates[KAFKA_FORWARDED],
            .has_halted = has_halted(lane),
            .position = reading->position < 0 ? -1 : reading->position,
            .waits_for_room = reading->state == WAITING && !has_halted(lane),
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
    return &lane->routers;
}
