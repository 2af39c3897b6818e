/* kinesis_lane.c - one worker's share of a Kinesis ingress: from batches into the engine.
 *
 *     IDLE ──a batch──▶ READY ──▶ IDLE (all of it accepted: the next one is asked for)
 *                       ▲   └──▶ WAITING (a record was refused, and stays in hand)
 *                       └─room────┘
 *
 * When the last batch of a shard is through, its position becomes "ended"; the control hears of it
 * when that is durable, and then the shard's children begin. A turn takes a bounded number of
 * records. */
#include "ingress/kinesis_inside.h"
#include "ingress/patience.h"
#include "ingress/routers.h"

#include "wire/protobuf.h"

enum {
    TURN_RECORDS_MAX = 1000,
    TURN_BYTES_MAX = 4 << 20,
};

enum { TYPED_VALUE = 3 }; /* the field of TypedValue that argument_head leaves out */

struct reading {
    struct kinesis_lane *lane;
    struct kinesis_shard *shard;
    struct source *source;
    struct list all;
    struct list node; /* in the lane's `ready` or `waiting` */
    bool is_waiting;
    struct kinesis_batch *in_hand; /* NULL: nothing */
    size_t taken;                  /* of it */
    struct buffer position;        /* as stored */
    struct buffer argument;        /* begins with the stream's argument_head */
    struct buffer origin;          /* begins with origin_head bytes that stay */
    size_t origin_head;
    uint64_t ended_epoch; /* that holds its end; 0: it has not ended */
    uint64_t records, bytes;
};

struct kinesis_lane {
    struct kinesis_ingress *ingress;
    struct loop *loop;
    struct engine *engine;
    struct inbox *inbox;
    struct loop_waker waker;
    struct loop_task more; /* another turn: something is ready, or the engine has to run */
    struct list all, ready, waiting;
    struct patience patience;
    struct routers routers;
    size_t ending; /* readings with an ended_epoch */
    bool is_stopped;
};

static void set_list(struct reading *reading, struct list *list)
{
    list_take(&reading->node);
    reading->is_waiting = list == &reading->lane->waiting;
    if (list)
        list_put_last(list, &reading->node);
}

/* --- records --- */

static void set_position(struct reading *reading, char letter, struct bytes rest)
{
    buffer_clear(&reading->position);
    buffer_add_u8(&reading->position, (uint8_t)letter);
    buffer_add_bytes(&reading->position, rest);
}

/* A record that a router fails on is set aside as a whole. */
static enum acceptance route(struct reading *reading, const struct kinesis_entry *entry,
                             struct record *record)
{
    struct kinesis_lane *lane = reading->lane;
    const struct kinesis_stream_spec *stream = reading->shard->stream->spec;
    struct bytes value = kinesis_bytes(reading->in_hand, entry->data);
    const struct sf_record from = {
        .key = {record->id.data, record->id.size},
        .value = {value.data, value.size},
        .topic = stream->stream,
        .timestamp_ms = entry->arrival_ms,
    };
    struct sf_status status;
    if (routers_run(&lane->routers, &from, record, &status))
        return engine_accept(lane->engine, record);
    return engine_reject(lane->engine, record->source, record->position,
                         &(struct dead_letter){
                             .cause = bytes_of(status.message),
                             .origin = record->origin,
                             .type = bytes_of(stream->value_type),
                             .key = record->id,
                             .value = value,
                         });
}

static enum acceptance offer(struct reading *reading, const struct kinesis_entry *entry)
{
    const struct kinesis_stream *stream = reading->shard->stream;
    struct bytes sequence = kinesis_bytes(reading->in_hand, entry->sequence);
    reading->argument.size = stream->argument_head.size;
    if (entry->data.size)
        pb_add_bytes(&reading->argument, TYPED_VALUE, kinesis_bytes(reading->in_hand, entry->data));
    reading->origin.size = reading->origin_head;
    buffer_add_bytes(&reading->origin, sequence);
    set_position(reading, 'A', sequence);
    struct record record = {
        .source = reading->source,
        .position = buffer_bytes(&reading->position),
        .origin = buffer_bytes(&reading->origin),
        .id = kinesis_bytes(reading->in_hand, entry->key),
        .targets = stream->targets,
        .target_count = stream->spec->target_count,
        .argument = buffer_bytes(&reading->argument),
    };
    return routers_exist(&reading->lane->routers) ? route(reading, entry, &record)
                                                  : engine_accept(reading->lane->engine, &record);
}

/* What a turn may still take. */
struct allowance {
    size_t records, bytes;
};

/* All of the batch is through. */
static void finish_batch(struct reading *reading)
{
    struct kinesis_lane *lane = reading->lane;
    bool is_last = reading->in_hand->is_last;
    kinesis_batch_free(reading->in_hand);
    reading->in_hand = NULL;
    set_list(reading, NULL);
    if (!is_last) {
        kinesis_control_ask(lane->ingress, reading->shard, source_position(reading->source));
        return;
    }
    engine_begin_source(lane->engine, reading->source, bytes_of("E"));
    reading->ended_epoch = engine_epoch(lane->engine);
    lane->ending++;
}

static void take(struct reading *reading, struct allowance *allowance)
{
    struct kinesis_lane *lane = reading->lane;
    const struct kinesis_batch *batch = reading->in_hand;
    for (; reading->taken < batch->count; reading->taken++) {
        const struct kinesis_entry *entry = &batch->entries[reading->taken];
        if (!allowance->records || !allowance->bytes)
            return;
        if (offer(reading, entry) == REFUSED) {
            set_list(reading, &lane->waiting);
            return;
        }
        patience_rewarded(&lane->patience);
        reading->records++;
        reading->bytes += entry->data.size;
        allowance->records--;
        allowance->bytes -=
            entry->data.size < allowance->bytes ? entry->data.size : allowance->bytes;
    }
    finish_batch(reading);
}

static void read_some(struct kinesis_lane *lane)
{
    struct allowance allowance = {TURN_RECORDS_MAX, TURN_BYTES_MAX};
    while (allowance.records && allowance.bytes && !list_is_empty(&lane->ready)) {
        struct reading *reading = list_first(&lane->ready, struct reading, node);
        list_take(&reading->node);
        list_put_last(&lane->ready, &reading->node); /* the others' turn, if something is left */
        take(reading, &allowance);
    }
    /* One turn more than there are records, in which the engine runs what was taken last. */
    if (allowance.records < TURN_RECORDS_MAX || !list_is_empty(&lane->ready))
        loop_task_set(lane->loop, &lane->more);
}

static void on_more(struct loop_task *task)
{
    read_some(container_of(task, struct kinesis_lane, more));
}

static void on_wake(struct loop_waker *waker)
{
    struct kinesis_lane *lane = container_of(waker, struct kinesis_lane, waker);
    struct letters letters = inbox_take(lane->inbox);
    for (struct letter *letter; (letter = letters_take(&letters));) {
        struct kinesis_batch *batch = container_of(letter, struct kinesis_batch, letter);
        struct reading *reading = batch->shard->reading;
        if (lane->is_stopped) {
            kinesis_batch_free(batch);
            continue;
        }
        reading->in_hand = batch;
        reading->taken = 0;
        set_list(reading, &lane->ready);
    }
    if (!list_is_empty(&lane->ready))
        read_some(lane);
}

/* --- room --- */

static void on_offer(struct patience *patience)
{
    struct kinesis_lane *lane = container_of(patience, struct kinesis_lane, patience);
    while (!list_is_empty(&lane->waiting))
        set_list(list_first(&lane->waiting, struct reading, node), &lane->ready);
    read_some(lane);
}

void kinesis_lane_room(struct kinesis_lane *lane)
{
    if (!list_is_empty(&lane->waiting))
        patience_room(&lane->patience);
}

void kinesis_lane_committed(struct kinesis_lane *lane, uint64_t epoch)
{
    if (!lane->ending)
        return;
    list_for_each (&lane->all, node) {
        struct reading *reading = container_of(node, struct reading, all);
        if (!reading->ended_epoch || reading->ended_epoch > epoch)
            continue;
        reading->ended_epoch = 0;
        lane->ending--;
        kinesis_control_end(lane->ingress, reading->shard);
    }
}

/* --- shards --- */

static struct reading *reading_new(struct kinesis_lane *lane, struct kinesis_shard *shard)
{
    const struct kinesis_stream *stream = shard->stream;
    struct reading *reading = mem_new(sizeof *reading);
    reading->lane = lane;
    reading->shard = shard;
    list_init(&reading->node);
    list_put_last(&lane->all, &reading->all);
    buffer_add_bytes(&reading->argument, buffer_bytes(&stream->argument_head));

    buffer_add_format(&reading->origin, "%s/%s", stream->spec->stream, shard->id);
    reading->source =
        engine_source(lane->engine, bytes_of(lane->ingress->id), buffer_bytes(&reading->origin));
    buffer_clear(&reading->origin);
    buffer_add_format(&reading->origin, "stream %s shard %s sequence number ", stream->spec->stream,
                      shard->id);
    reading->origin_head = reading->origin.size;
    return reading;
}

void kinesis_lane_add(struct kinesis_lane *lane, struct kinesis_shard *shard)
{
    if (lane->is_stopped)
        return;
    struct reading *reading = reading_new(lane, shard);
    if (!source_position(reading->source).size)
        engine_begin_source(lane->engine, reading->source, bytes_of(shard->position));
    shard->reading = reading;
    shard->inbox = lane->inbox;
    kinesis_control_ask(lane->ingress, shard, source_position(reading->source));
}

/* --- life --- */

struct kinesis_lane *kinesis_lane_new(struct kinesis_ingress *ingress, struct loop *loop,
                                      struct engine *engine)
{
    struct kinesis_lane *lane = mem_new(sizeof *lane);
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
    loop_waker_add(loop, &lane->waker);
    return lane;
}

void kinesis_lane_stop(struct kinesis_lane *lane)
{
    lane->is_stopped = true;
    list_for_each (&lane->all, node) {
        struct reading *reading = container_of(node, struct reading, all);
        set_list(reading, NULL);
        kinesis_batch_free(reading->in_hand);
        reading->in_hand = NULL;
    }
    patience_end(&lane->patience);
    loop_task_cancel(lane->loop, &lane->more);
}

static void reading_free(struct reading *reading)
{
    buffer_destroy(&reading->position);
    buffer_destroy(&reading->argument);
    buffer_destroy(&reading->origin);
    free(reading);
}

void kinesis_lane_free(struct kinesis_lane *lane)
{
    if (!lane)
        return;
    kinesis_lane_stop(lane);
    loop_waker_remove(lane->loop, &lane->waker);
    on_wake(&lane->waker); /* what has come since is dropped */
    inbox_free(lane->inbox);
    list_for_each_safe (&lane->all, node)
        reading_free(container_of(node, struct reading, all));
    routers_destroy(&lane->routers);
    free(lane);
}

void kinesis_lane_each(const struct kinesis_lane *lane,
                       void (*visit)(void *owner, const struct kinesis_lane_figures *figures),
                       void *owner)
{
    list_for_each (&((struct kinesis_lane *)lane)->all, node) {
        const struct reading *reading = container_of(node, struct reading, all);
        visit(owner, &(struct kinesis_lane_figures){
                         .stream = reading->shard->stream->spec->stream,
                         .shard = reading->shard->id,
                         .records = reading->records,
                         .bytes = reading->bytes,
                         .behind_ms = atomic_load(&reading->shard->behind_ms),
                         .waits_for_room = reading->is_waiting,
                     });
    }
}

const struct routers *kinesis_lane_routers(const struct kinesis_lane *lane)
{
    return &lane->routers;
}
