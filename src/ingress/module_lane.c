/* module_lane.c - one worker's share of a C ingress: from the queues of its partitions, through the
 * routers, into the engine.
 *
 * When the queue was empty, the next record posts a letter (ingress/lane.h has the states). */
#include "base/log.h"
#include "ingress/lane.h"
#include "ingress/module_inside.h"

enum { BATCH_BYTES_KEPT = 2 << 20 /* a batch that once was larger lets its memory go */ };

struct reading {
    struct lane_reading is;
    struct module_source *from;
    struct source *source;
    struct module_batch in_hand;
    size_t taken;           /* of it */
    struct buffer origin;   /* of its records */
    struct buffer position; /* of one that is rejected, for people */
    uint64_t records, bytes, rejected;
};

struct module_lane {
    struct lane is;
    struct module_ingress *ingress;
};

static struct reading *reading_of(struct list *node) /* of a list of all */
{
    return container_of(container_of(node, struct lane_reading, all), struct reading, is);
}

/* --- records --- */

/* Positions are the ingress's own: text is shown as it is, anything else in hexadecimal. */
static void add_position(struct buffer *text, struct bytes position)
{
    bool is_text = position.size > 0;
    for (size_t i = 0; i < position.size; i++)
        is_text &= position.data[i] >= ' ' && position.data[i] <= '~';
    if (is_text)
        buffer_add_bytes(text, position);
    for (size_t i = 0; !is_text && i < position.size; i++)
        buffer_add_format(text, "%02x", position.data[i]);
}

static enum acceptance reject(struct reading *reading, const struct sf_record *record,
                              struct bytes position, const char *cause)
{
    buffer_clear(&reading->position);
    buffer_add_format(&reading->position, "partition %u, before position ",
                      reading->from->partition);
    add_position(&reading->position, position);
    return engine_reject(reading->is.lane->engine, reading->source, position,
                         &(struct dead_letter){
                             .cause = bytes_of(cause),
                             .origin = buffer_bytes(&reading->position),
                             .key = bytes_make(record->key.data, record->key.size),
                             .value = bytes_make(record->value.data, record->value.size),
                         });
}

static enum acceptance offer(struct reading *reading, const struct module_entry *entry)
{
    struct lane *lane = reading->is.lane;
    const struct module_batch *batch = &reading->in_hand;
    struct bytes key = module_bytes(batch, entry->key), value = module_bytes(batch, entry->value);
    struct record record = {.source = reading->source,
                            .origin = buffer_bytes(&reading->origin),
                            .position = module_bytes(batch, entry->position)};
    const struct sf_record from = {
        .key = {entry->has_key ? key.data : NULL, key.size},
        .value = {value.data, value.size},
        .topic = entry->has_topic ? (const char *)module_bytes(batch, entry->topic).data : NULL,
        .timestamp_ms = entry->timestamp_ms,
    };
    struct sf_status status;
    if (!routers_exist(&lane->routers)) {
        engine_skip(lane->engine, reading->source, record.position);
        return ACCEPTED;
    }
    if (routers_run(&lane->routers, &from, &record, &status))
        return engine_accept(lane->engine, &record);

    enum acceptance acceptance = reject(reading, &from, record.position, status.message);
    reading->rejected += acceptance == ACCEPTED;
    return acceptance;
}

/* Takes all that is in the queue; false if it was empty: then what comes posts a letter. */
static bool refill(struct reading *reading)
{
    struct module_source *from = reading->from;
    struct module_batch empty = reading->in_hand;
    buffer_clear(&empty.bytes);
    if (empty.bytes.capacity > BATCH_BYTES_KEPT)
        buffer_destroy(&empty.bytes);
    empty.count = 0;
    reading->taken = 0;
    pthread_mutex_lock(&from->lock);
    reading->in_hand = from->queue;
    from->queue = empty;
    if (!reading->in_hand.count)
        from->is_posted = false;
    pthread_mutex_unlock(&from->lock);
    return reading->in_hand.count > 0;
}

/* Until the hand is empty, the allowance is used up, or a record is refused. */
static void take(struct reading *reading, struct allowance *allowance)
{
    size_t relieved = 0;
    while (reading->taken < reading->in_hand.count && allowance_is_left(allowance)) {
        const struct module_entry *entry = &reading->in_hand.entries[reading->taken];
        if (offer(reading, entry) == REFUSED) {
            lane_set(&reading->is, WAITING);
            break;
        }
        patience_rewarded(&reading->is.lane->patience);
        size_t bytes = module_entry_bytes(entry);
        reading->taken++;
        reading->records++;
        reading->bytes += entry->value.size;
        relieved += bytes;
        allowance_take(allowance, bytes);
    }
    if (relieved)
        module_source_relieve(reading->from, relieved);
}

static void read_on(struct lane_reading *is, struct allowance *allowance)
{
    struct reading *reading = container_of(is, struct reading, is);
    if (reading->taken == reading->in_hand.count && !refill(reading)) {
        lane_set(is, IDLE);
        return;
    }
    lane_set(is, READY); /* the others' turn, if something is left */
    take(reading, allowance);
}

static struct reading *find(struct lane *lane, const struct module_source *source)
{
    list_for_each (&lane->all, node)
        if (reading_of(node)->from == source)
            return reading_of(node);
    return NULL;
}

static void take_letter(struct lane *lane, struct letter *letter)
{
    if (!lane->is_stopped)
        lane_set(&find(lane, container_of(letter, struct module_source, letter))->is, READY);
}

static const struct lane_kind module = {.take_letter = take_letter, .read = read_on};

void module_lane_room(struct module_lane *lane)
{
    lane_room(&lane->is);
}

/* --- life --- */

static void add_reading(struct module_lane *lane, struct module_source *from)
{
    struct reading *reading = mem_new(sizeof *reading);
    reading->from = from;
    lane_add(&lane->is, &reading->is);
    buffer_add_format(&reading->origin, "partition %u", from->partition);
    buffer_add_format(&reading->position, "%u", from->partition);
    reading->source = engine_source(lane->is.engine, bytes_of(lane->ingress->spec->id),
                                    buffer_bytes(&reading->position));
    pthread_mutex_lock(&from->lock);
    buffer_clear(&from->emitted);
    buffer_add_bytes(&from->emitted, source_position(reading->source));
    from->inbox = lane->is.inbox;
    pthread_mutex_unlock(&from->lock);
}

struct module_lane *module_lane_new(struct module_ingress *ingress, uint32_t worker,
                                    struct loop *loop, struct engine *engine)
{
    struct module_lane *lane = mem_new(sizeof *lane);
    lane->ingress = ingress;
    lane_open(&lane->is, &module, loop, engine, ingress->options.registry, ingress->spec->id);
    for (uint32_t i = worker; i < ingress->partitions; i += ingress->options.workers)
        add_reading(lane, &ingress->sources[i]);
    return lane;
}

void module_lane_stop(struct module_lane *lane)
{
    lane_stop(&lane->is);
    list_for_each (&lane->is.all, node) {
        lane_set(&reading_of(node)->is, IDLE);
        module_source_stop(reading_of(node)->from);
    }
}

static void reading_free(struct reading *reading)
{
    module_batch_destroy(&reading->in_hand);
    buffer_destroy(&reading->origin);
    buffer_destroy(&reading->position);
    free(reading);
}

void module_lane_free(struct module_lane *lane)
{
    if (!lane)
        return;
    module_lane_stop(lane);
    list_for_each (&lane->is.all, node) {
        struct reading *reading = reading_of(node);
        pthread_mutex_lock(&reading->from->lock);
        reading->from->inbox = NULL;
        pthread_mutex_unlock(&reading->from->lock);
    }
    lane_close(&lane->is);
    list_for_each_safe (&lane->is.all, node)
        reading_free(reading_of(node));
    free(lane);
}

void module_lane_each(const struct module_lane *lane,
                      void (*visit)(void *owner, const struct module_lane_figures *figures),
                      void *owner)
{
    list_for_each (&((struct module_lane *)lane)->is.all, node) {
        const struct reading *reading = reading_of(node);
        pthread_mutex_lock(&reading->from->lock);
        uint64_t failures = reading->from->failures;
        pthread_mutex_unlock(&reading->from->lock);
        visit(owner, &(struct module_lane_figures){
                         .partition = reading->from->partition,
                         .records = reading->records - reading->rejected,
                         .bytes = reading->bytes,
                         .rejected = reading->rejected,
                         .failures = failures,
                         .waits_for_room = reading->is.state == WAITING,
                     });
    }
}

const struct routers *module_lane_routers(const struct module_lane *lane)
{
    return &lane->is.routers;
}
