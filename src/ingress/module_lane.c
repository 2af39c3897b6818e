/* module_lane.c - one worker's share of a C ingress: from the queues of its partitions, through the
 * routers, into the engine.
 *
 *     IDLE ──a letter──▶ READY ──▶ IDLE (the queue was empty: the next record posts a letter)
 *                        ▲   └──▶ WAITING (a record was refused, and stays in hand)
 *                        └─room────┘
 *
 * A turn takes a bounded number of records. */
#include "base/list.h"
#include "base/log.h"
#include "ingress/module_inside.h"
#include "ingress/patience.h"
#include "ingress/routers.h"

enum {
    TURN_RECORDS_MAX = 1000,
    TURN_BYTES_MAX = 4 << 20,
    BATCH_BYTES_KEPT = 2 << 20, /* a batch that once was larger lets its memory go */
};

struct reading {
    struct module_lane *lane;
    struct module_source *from;
    struct source *source;
    struct list all;
    struct list node; /* in the lane's `ready` or `waiting` */
    bool is_waiting;
    struct module_batch in_hand;
    size_t taken;                  /* of it */
    struct buffer origin;          /* of its records, for people */
    struct buffer rejected_origin; /* that of a record that is set aside */
    uint64_t records, bytes, rejected;
};

struct module_lane {
    struct module_ingress *ingress;
    struct loop *loop;
    struct engine *engine;
    struct inbox *inbox;
    struct loop_waker waker;
    struct loop_task more; /* another turn: something is ready, or the engine has to run */
    struct list all, ready, waiting;
    struct patience patience;
    struct routers routers;
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
    buffer_clear(&reading->rejected_origin);
    buffer_add_bytes(&reading->rejected_origin, buffer_bytes(&reading->origin));
    buffer_add_text(&reading->rejected_origin, ", before position ");
    add_position(&reading->rejected_origin, position);
    return engine_reject(reading->lane->engine, reading->source, position,
                         &(struct dead_letter){
                             .cause = bytes_of(cause),
                             .origin = buffer_bytes(&reading->rejected_origin),
                             .key = bytes_make(record->key.data, record->key.size),
                             .value = bytes_make(record->value.data, record->value.size),
                         });
}

static enum acceptance offer(struct reading *reading, const struct module_entry *entry)
{
    struct module_lane *lane = reading->lane;
    const struct module_batch *batch = &reading->in_hand;
    struct bytes key = module_bytes(batch, entry->key), value = module_bytes(batch, entry->value);
    struct record record = {.source = reading->source,
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
    record.origin = buffer_bytes(&reading->origin);
    if (routers_run(&lane->routers, &from, &record, &status))
        return engine_accept(lane->engine, &record);

    enum acceptance acceptance = reject(reading, &from, record.position, status.message);
    reading->rejected += acceptance == ACCEPTED;
    return acceptance;
}

/* What a turn may still take. */
struct allowance {
    size_t records, bytes;
};

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
    struct module_lane *lane = reading->lane;
    size_t relieved = 0;
    while (reading->taken < reading->in_hand.count && allowance->records && allowance->bytes) {
        const struct module_entry *entry = &reading->in_hand.entries[reading->taken];
        if (offer(reading, entry) == REFUSED) {
            set_list(reading, &lane->waiting);
            break;
        }
        patience_rewarded(&lane->patience);
        size_t bytes = module_entry_bytes(entry);
        reading->taken++;
        reading->records++;
        reading->bytes += entry->value.size;
        relieved += bytes;
        allowance->records--;
        allowance->bytes -= bytes < allowance->bytes ? bytes : allowance->bytes;
    }
    if (relieved)
        module_source_relieve(reading->from, relieved);
}

static void read_some(struct module_lane *lane)
{
    struct allowance allowance = {TURN_RECORDS_MAX, TURN_BYTES_MAX};
    while (allowance.records && allowance.bytes && !list_is_empty(&lane->ready)) {
        struct reading *reading = list_first(&lane->ready, struct reading, node);
        if (reading->taken == reading->in_hand.count && !refill(reading)) {
            set_list(reading, NULL);
            continue;
        }
        set_list(reading, &lane->ready); /* the others' turn, if something is left */
        take(reading, &allowance);
    }
    /* One turn more than there are records, in which the engine runs what was taken last. */
    if (allowance.records < TURN_RECORDS_MAX || !list_is_empty(&lane->ready))
        loop_task_set(lane->loop, &lane->more);
}

static void on_more(struct loop_task *task)
{
    read_some(container_of(task, struct module_lane, more));
}

static struct reading *find(struct module_lane *lane, const struct module_source *source)
{
    list_for_each (&lane->all, node) {
        struct reading *reading = container_of(node, struct reading, all);
        if (reading->from == source)
            return reading;
    }
    return NULL;
}

static void on_wake(struct loop_waker *waker)
{
    struct module_lane *lane = container_of(waker, struct module_lane, waker);
    struct letters letters = inbox_take(lane->inbox);
    for (struct letter *letter; (letter = letters_take(&letters));)
        if (!lane->is_stopped)
            set_list(find(lane, container_of(letter, struct module_source, letter)), &lane->ready);
    if (!list_is_empty(&lane->ready))
        read_some(lane);
}

/* --- room --- */

static void on_offer(struct patience *patience)
{
    struct module_lane *lane = container_of(patience, struct module_lane, patience);
    while (!list_is_empty(&lane->waiting))
        set_list(list_first(&lane->waiting, struct reading, node), &lane->ready);
    read_some(lane);
}

void module_lane_room(struct module_lane *lane)
{
    if (!list_is_empty(&lane->waiting))
        patience_room(&lane->patience);
}

/* --- life --- */

static void add_reading(struct module_lane *lane, struct module_source *from)
{
    struct reading *reading = mem_new(sizeof *reading);
    reading->lane = lane;
    reading->from = from;
    list_init(&reading->node);
    list_put_last(&lane->all, &reading->all);
    buffer_add_format(&reading->origin, "partition %u", from->partition);
    struct bytes partition = bytes_from(buffer_bytes(&reading->origin), strlen("partition "));
    reading->source = engine_source(lane->engine, bytes_of(lane->ingress->spec->id), partition);
    pthread_mutex_lock(&from->lock);
    buffer_clear(&from->emitted);
    buffer_add_bytes(&from->emitted, source_position(reading->source));
    from->inbox = lane->inbox;
    pthread_mutex_unlock(&from->lock);
}

struct module_lane *module_lane_new(struct module_ingress *ingress, uint32_t worker,
                                    struct loop *loop, struct engine *engine)
{
    struct module_lane *lane = mem_new(sizeof *lane);
    lane->ingress = ingress;
    lane->loop = loop;
    lane->engine = engine;
    lane->inbox = inbox_new(loop);
    lane->waker.on_wake = on_wake;
    lane->more.on_task = on_more;
    patience_init(&lane->patience, loop, on_offer);
    routers_init(&lane->routers, ingress->options.registry, ingress->spec->id);
    list_init(&lane->all);
    list_init(&lane->ready);
    list_init(&lane->waiting);
    loop_waker_add(loop, &lane->waker);
    for (uint32_t i = worker; i < ingress->partitions; i += ingress->options.workers)
        add_reading(lane, &ingress->sources[i]);
    return lane;
}

void module_lane_stop(struct module_lane *lane)
{
    lane->is_stopped = true;
    list_for_each (&lane->all, node) {
        struct reading *reading = container_of(node, struct reading, all);
        set_list(reading, NULL);
        module_source_stop(reading->from);
    }
    patience_end(&lane->patience);
    loop_task_cancel(lane->loop, &lane->more);
}

static void reading_free(struct reading *reading)
{
    module_batch_destroy(&reading->in_hand);
    buffer_destroy(&reading->origin);
    buffer_destroy(&reading->rejected_origin);
    free(reading);
}

void module_lane_free(struct module_lane *lane)
{
    if (!lane)
        return;
    module_lane_stop(lane);
    list_for_each (&lane->all, node) {
        struct reading *reading = container_of(node, struct reading, all);
        pthread_mutex_lock(&reading->from->lock);
        reading->from->inbox = NULL;
        pthread_mutex_unlock(&reading->from->lock);
    }
    loop_waker_remove(lane->loop, &lane->waker);
    (void)inbox_take(lane->inbox); /* the letters are part of the sources */
    inbox_free(lane->inbox);
    list_for_each_safe (&lane->all, node)
        reading_free(container_of(node, struct reading, all));
    routers_destroy(&lane->routers);
    free(lane);
}

void module_lane_each(const struct module_lane *lane,
                      void (*visit)(void *owner, const struct module_lane_figures *figures),
                      void *owner)
{
    list_for_each (&((struct module_lane *)lane)->all, node) {
        const struct reading *reading = container_of(node, struct reading, all);
        pthread_mutex_lock(&reading->from->lock);
        uint64_t failures = reading->from->failures;
        pthread_mutex_unlock(&reading->from->lock);
        visit(owner, &(struct module_lane_figures){
                         .partition = reading->from->partition,
                         .records = reading->records - reading->rejected,
                         .bytes = reading->bytes,
                         .rejected = reading->rejected,
                         .failures = failures,
                         .waits_for_room = reading->is_waiting,
                     });
    }
}
