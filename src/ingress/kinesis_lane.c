/* kinesis_lane.c - one worker's share of a Kinesis ingress: from batches into the engine.
 *
 * A reading is ready while it has a batch in hand, unless that waits for room (ingress/lane.h).
 * When all of it was accepted the next one is asked for.
 *
 * When the last batch of a shard is through, its position becomes "ended"; the control hears of it
 * when that is durable, and then the shard's children begin. */
#include "ingress/kinesis_inside.h"
#include "ingress/lane.h"

#include "wire/protobuf.h"

struct reading {
    struct lane_reading is;
    struct kinesis_shard *shard;
    struct source *source;
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
    struct lane is;
    struct kinesis_ingress *ingress;
    size_t ending; /* readings with an ended_epoch */
};

static struct reading *reading_of(struct list *node) /* of a list of all */
{
    return container_of(container_of(node, struct lane_reading, all), struct reading, is);
}

static struct kinesis_lane *lane_of(struct lane *lane)
{
    return container_of(lane, struct kinesis_lane, is);
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
    struct lane *lane = reading->is.lane;
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
    return routers_exist(&reading->is.lane->routers)
               ? route(reading, entry, &record)
               : engine_accept(reading->is.lane->engine, &record);
}

/* All of the batch is through. */
static void finish_batch(struct reading *reading)
{
    struct kinesis_lane *lane = lane_of(reading->is.lane);
    bool is_last = reading->in_hand->is_last;
    kinesis_batch_free(reading->in_hand);
    reading->in_hand = NULL;
    lane_set(&reading->is, IDLE);
    if (!is_last) {
        kinesis_control_ask(lane->ingress, reading->shard, source_position(reading->source));
        return;
    }
    engine_begin_source(lane->is.engine, reading->source, bytes_of("E"));
    reading->ended_epoch = engine_epoch(lane->is.engine);
    lane->ending++;
}

static void take(struct reading *reading, struct allowance *allowance)
{
    const struct kinesis_batch *batch = reading->in_hand;
    for (; reading->taken < batch->count; reading->taken++) {
        const struct kinesis_entry *entry = &batch->entries[reading->taken];
        if (!allowance_is_left(allowance))
            return;
        if (offer(reading, entry) == REFUSED) {
            lane_set(&reading->is, WAITING);
            return;
        }
        patience_rewarded(&reading->is.lane->patience);
        reading->records++;
        reading->bytes += entry->data.size;
        allowance_take(allowance, entry->data.size);
    }
    finish_batch(reading);
}

static void read_on(struct lane_reading *is, struct allowance *allowance)
{
    lane_set(is, READY); /* the others' turn, if something is left */
    take(container_of(is, struct reading, is), allowance);
}

static void take_letter(struct lane *lane, struct letter *letter)
{
    struct kinesis_batch *batch = container_of(letter, struct kinesis_batch, letter);
    struct reading *reading = batch->shard->reading;
    if (lane->is_stopped) {
        kinesis_batch_free(batch);
        return;
    }
    reading->in_hand = batch;
    reading->taken = 0;
    lane_set(&reading->is, READY);
}

static const struct lane_kind kinesis = {.take_letter = take_letter, .read = read_on};

void kinesis_lane_room(struct kinesis_lane *lane)
{
    lane_room(&lane->is);
}

void kinesis_lane_committed(struct kinesis_lane *lane, uint64_t epoch)
{
    if (!lane->ending)
        return;
    list_for_each (&lane->is.all, node) {
        struct reading *reading = reading_of(node);
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
    reading->shard = shard;
    lane_add(&lane->is, &reading->is);
    buffer_add_bytes(&reading->argument, buffer_bytes(&stream->argument_head));

    buffer_add_format(&reading->origin, "%s/%s", stream->spec->stream, shard->id);
    reading->source =
        engine_source(lane->is.engine, bytes_of(lane->ingress->id), buffer_bytes(&reading->origin));
    buffer_clear(&reading->origin);
    buffer_add_format(&reading->origin, "stream %s shard %s sequence number ", stream->spec->stream,
                      shard->id);
    reading->origin_head = reading->origin.size;
    return reading;
}

void kinesis_lane_add(struct kinesis_lane *lane, struct kinesis_shard *shard)
{
    if (lane->is.is_stopped)
        return;
    struct reading *reading = reading_new(lane, shard);
    if (!source_position(reading->source).size)
        engine_begin_source(lane->is.engine, reading->source, bytes_of(shard->position));
    shard->reading = reading;
    shard->inbox = lane->is.inbox;
    kinesis_control_ask(lane->ingress, shard, source_position(reading->source));
}

/* --- life --- */

struct kinesis_lane *kinesis_lane_new(struct kinesis_ingress *ingress, struct loop *loop,
                                      struct engine *engine)
{
    struct kinesis_lane *lane = mem_new(sizeof *lane);
    lane->ingress = ingress;
    lane_open(&lane->is, &kinesis, loop, engine, ingress->options.registry, ingress->id);
    return lane;
}

void kinesis_lane_stop(struct kinesis_lane *lane)
{
    lane_stop(&lane->is);
    list_for_each (&lane->is.all, node) {
        struct reading *reading = reading_of(node);
        lane_set(&reading->is, IDLE);
        kinesis_batch_free(reading->in_hand);
        reading->in_hand = NULL;
    }
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
    lane_close(&lane->is);
    list_for_each_safe (&lane->is.all, node)
        reading_free(reading_of(node));
    free(lane);
}

void kinesis_lane_each(const struct kinesis_lane *lane,
                       void (*visit)(void *owner, const struct kinesis_lane_figures *figures),
                       void *owner)
{
    list_for_each (&((struct kinesis_lane *)lane)->is.all, node) {
        const struct reading *reading = reading_of(node);
        visit(owner, &(struct kinesis_lane_figures){
                         .stream = reading->shard->stream->spec->stream,
                         .shard = reading->shard->id,
                         .records = reading->records,
                         .bytes = reading->bytes,
                         .behind_ms = atomic_load(&reading->shard->behind_ms),
                         .waits_for_room = reading->is.state == WAITING,
                     });
    }
}

const struct routers *kinesis_lane_routers(const struct kinesis_lane *lane)
{
    return &lane->is.routers;
}
