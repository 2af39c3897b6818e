/* outbox.c - a queue of epochs, with its middle in the store when it is long.
 *
 *     held in memory ──▶ spilled: epochs [spilled_from, spilled_to], in the store only ──▶ later:
 *                                                                                   held in memory
 *
 * So an egress that was slow for a moment reads back what came in that moment, and not all that
 * comes until it has caught up. When the memory is used up nevertheless, what is held for later is
 * spilled too. */
#include "egress/outbox.h"

#include "base/list.h"

#include <assert.h>
#include <pthread.h>

struct held {
    struct list link;
    uint64_t epoch;
    size_t bytes, memory;
    size_t part_count;
    struct delta *parts[];
};

struct outbox {
    uint32_t egress;
    char *id;
    size_t memory_bytes_max;
    struct outbox_reader reader;
    void (*on_put)(void *owner);
    void *owner;

    pthread_mutex_t lock; /* of all below */
    struct list held;
    uint64_t spilled_from, spilled_to; /* 0: nothing is */
    struct list later;                 /* empty when nothing is spilled */
    struct outbox_figures figures;
};

struct outbox *outbox_new(uint32_t egress, const char *id, size_t memory_bytes_max,
                          const struct outbox_reader *reader, void (*on_put)(void *owner),
                          void *owner)
{
    struct outbox *outbox = mem_new(sizeof *outbox);
    outbox->egress = egress;
    outbox->id = mem_string(id);
    outbox->memory_bytes_max = memory_bytes_max;
    outbox->reader = *reader;
    outbox->on_put = on_put;
    outbox->owner = owner;
    pthread_mutex_init(&outbox->lock, NULL);
    list_init(&outbox->held);
    list_init(&outbox->later);
    return outbox;
}

static void held_free(struct held *held)
{
    for (size_t i = 0; i < held->part_count; i++)
        delta_unref(held->parts[i]);
    list_take(&held->link);
    free(held);
}

static void move_all(struct list *from, struct list *to)
{
    for (struct list *node; (node = list_take_first(from));)
        list_put_last(to, node);
}

/* With the lock held: the store has them too. */
static void drop_all(struct outbox *outbox, struct list *all)
{
    list_for_each_safe (all, node) {
        struct held *held = container_of(node, struct held, link);
        outbox->figures.memory_bytes -= held->memory;
        held_free(held);
    }
}

void outbox_free(struct outbox *outbox)
{
    if (!outbox)
        return;
    drop_all(outbox, &outbox->held);
    drop_all(outbox, &outbox->later);
    pthread_mutex_destroy(&outbox->lock);
    free(outbox->id);
    free(outbox);
}

/* --- putting --- */

/* A delta is held as a whole, also what in it is none of our business. */
static struct held *hold(const struct outbox *outbox, uint64_t epoch, struct delta *const *parts,
                         size_t count)
{
    struct held *held = mem_new(sizeof *held + count * sizeof *held->parts);
    held->epoch = epoch;
    for (size_t i = 0; i < count; i++) {
        const struct delta_outbox *records = &parts[i]->outboxes[outbox->egress];
        if (!records->count)
            continue;
        held->bytes += records->bytes;
        held->memory += parts[i]->entries.capacity;
        held->parts[held->part_count++] = delta_ref(parts[i]);
    }
    return held;
}

static size_t count_records(const struct outbox *outbox, struct delta *const *parts, size_t count,
                            size_t *ret_bytes)
{
    size_t records = 0;
    *ret_bytes = 0;
    for (size_t i = 0; i < count; i++) {
        records += parts[i]->outboxes[outbox->egress].count;
        *ret_bytes += parts[i]->outboxes[outbox->egress].bytes;
    }
    return records;
}

/* With the lock held. */
static void spill(struct outbox *outbox, uint64_t epoch)
{
    drop_all(outbox, &outbox->later);
    if (!outbox->spilled_from)
        outbox->spilled_from = epoch;
    outbox->spilled_to = epoch;
}

void outbox_put(struct outbox *outbox, uint64_t epoch, struct delta *const *parts, size_t count)
{
    size_t bytes, records = count_records(outbox, parts, count, &bytes);
    if (!records)
        return;

    pthread_mutex_lock(&outbox->lock);
    outbox->figures.records += records;
    outbox->figures.bytes += bytes;
    struct held *held = hold(outbox, epoch, parts, count);
    if (outbox->figures.memory_bytes + held->memory <= outbox->memory_bytes_max) {
        outbox->figures.memory_bytes += held->memory;
        list_put_last(outbox->spilled_from ? &outbox->later : &outbox->held, &held->link);
    } else {
        list_init(&held->link);
        held_free(held);
        spill(outbox, epoch);
    }
    pthread_mutex_unlock(&outbox->lock);
    outbox->on_put(outbox->owner);
}

void outbox_viewed(struct outbox *outbox)
{
    pthread_mutex_lock(&outbox->lock);
    bool waits = outbox->spilled_from != 0;
    pthread_mutex_unlock(&outbox->lock);
    if (waits)
        outbox->on_put(outbox->owner);
}

/* --- beginning --- */

struct count {
    struct outbox *outbox;
    uint64_t delivered;
    size_t stale, records, bytes;
};

static bool count_one(void *visitor, struct bytes stored_key, struct bytes value)
{
    struct count *count = visitor;
    struct key key;
    bool good = key_parse(stored_key, &key);
    assert(good && key.kind == KEY_OUTBOX);
    if (key.epoch <= count->delivered) {
        count->stale++;
    } else {
        count->records++;
        count->bytes += value.size;
    }
    return true;
}

static void scan(struct outbox *outbox, uint64_t from, uint64_t upto,
                 bool (*visit)(void *visitor, struct bytes key, struct bytes value), void *visitor)
{
    struct buffer first = {0}, end = {0};
    (void)key_of_outbox(&first, bytes_of(outbox->id), from);
    (void)key_of_outbox(&end, bytes_of(outbox->id), upto + 1);
    outbox->reader.scan(outbox->reader.owner, buffer_bytes(&first), buffer_bytes(&end), visit,
                        visitor);
    buffer_destroy(&first);
    buffer_destroy(&end);
}

size_t outbox_begin(struct outbox *outbox, uint64_t delivered, uint64_t committed)
{
    struct count count = {.outbox = outbox, .delivered = delivered};
    scan(outbox, 0, committed, count_one, &count);

    pthread_mutex_lock(&outbox->lock);
    outbox->figures.epoch = delivered;
    outbox->figures.records += count.records;
    outbox->figures.bytes += count.bytes;
    if (count.records) {
        if (outbox->spilled_from) /* what is held came meanwhile, and before that */
            drop_all(outbox, &outbox->held);
        else
            outbox->spilled_to = committed;
        outbox->spilled_from = delivered + 1;
        move_all(&outbox->held, &outbox->later);
    }
    pthread_mutex_unlock(&outbox->lock);
    return count.stale;
}

/* --- taking --- */

static void add_record(struct outbox_batch *batch, size_t *capacity, struct outbox_record record)
{
    if (batch->count == *capacity) {
        *capacity = *capacity ? *capacity * 2 : 64;
        batch->records = mem_resize(batch->records, *capacity * sizeof *batch->records);
    }
    batch->records[batch->count++] = record;
    batch->bytes += record.value.size;
}

/* A backlog may be a hundred thousand epochs of one record each. */
static void reserve_deltas(struct outbox_batch *batch, size_t more, size_t *capacity)
{
    if (batch->delta_count + more <= *capacity)
        return;
    *capacity = (batch->delta_count + more) * 2;
    batch->deltas = mem_resize(batch->deltas, *capacity * sizeof *batch->deltas);
}

struct capacities {
    size_t records, deltas;
};

/* With the lock held: moves the references of one held epoch into the batch. */
static void take_held(struct outbox *outbox, struct held *held, struct outbox_batch *batch,
                      struct capacities *capacities)
{
    reserve_deltas(batch, held->part_count, &capacities->deltas);
    for (size_t i = 0; i < held->part_count; i++) {
        struct delta *delta = held->parts[i];
        const struct delta_outbox *records = &delta->outboxes[outbox->egress];
        for (size_t n = 0; n < records->count; n++)
            add_record(batch, &capacities->records,
                       (struct outbox_record){
                           .key = delta_record_key(delta, &records->records[n]),
                           .value = delta_record_value(delta, &records->records[n]),
                       });
        batch->deltas[batch->delta_count++] = delta;
    }
    batch->epoch = held->epoch;
    batch->memory += held->memory; /* it stays in the figures until the batch is confirmed */
    held->part_count = 0;
    held_free(held);
}

static bool take_from_memory(struct outbox *outbox, size_t bytes_max, struct outbox_batch *batch)
{
    struct capacities capacities = {0};
    while (!list_is_empty(&outbox->held)) {
        struct held *held = list_first(&outbox->held, struct held, link);
        if (batch->count && batch->bytes + held->bytes > bytes_max)
            break;
        take_held(outbox, held, batch, &capacities);
    }
    return batch->count > 0;
}

/* Records read back: positions in the copy first, as the copy may move while it grows. Of the epoch
 * being read, where it began: if it does not fit, it is taken off again. */
struct reading {
    struct outbox_batch *batch;
    size_t capacity, bytes_max;
    uint64_t epoch, previous; /* epochs; 0: none */
    size_t count, bytes, copied;
    bool cut;
};

static void begin_epoch(struct reading *back, uint64_t epoch)
{
    back->previous = back->epoch;
    back->epoch = epoch;
    back->count = back->batch->count;
    back->bytes = back->batch->bytes;
    back->copied = back->batch->copy.size;
}

static bool cut_off(struct reading *back)
{
    back->epoch = back->previous;
    back->batch->count = back->count;
    back->batch->bytes = back->bytes;
    back->batch->copy.size = back->copied;
    back->cut = true;
    return false;
}

static bool read_one(void *visitor, struct bytes stored_key, struct bytes value)
{
    struct reading *back = visitor;
    struct outbox_batch *batch = back->batch;
    struct key key;
    bool good = key_parse(stored_key, &key);
    assert(good && key.kind == KEY_OUTBOX);
    if (key.epoch != back->epoch)
        begin_epoch(back, key.epoch);
    if (back->count && batch->bytes + value.size > back->bytes_max)
        return cut_off(back);
    buffer_add_bytes(&batch->copy, stored_key);
    buffer_add_bytes(&batch->copy, value);
    add_record(
        batch, &back->capacity,
        (struct outbox_record){.key = {.size = stored_key.size}, .value = {.size = value.size}});
    return true;
}

static void find_in_copy(struct outbox_batch *batch)
{
    const uint8_t *at = batch->copy.data;
    for (size_t i = 0; i < batch->count; i++) {
        batch->records[i].key.data = at;
        at += batch->records[i].key.size;
        batch->records[i].value.data = at;
        at += batch->records[i].value.size;
    }
}

enum read_outcome { READ_RECORDS, READ_NONE, VIEW_LAGS };

/* Reads the next stretch of what is spilled; READ_NONE: its epochs held no records, and have been
 * passed over. */
static enum read_outcome read_back(struct outbox *outbox, uint64_t from, uint64_t to,
                                   size_t bytes_max, struct outbox_batch *batch)
{
    uint64_t viewed = outbox->reader.view_epoch(outbox->reader.owner);
    uint64_t upto = viewed < to ? viewed : to;
    if (upto < from) {
        outbox->reader.hurry(outbox->reader.owner);
        return VIEW_LAGS;
    }
    struct reading back = {.batch = batch, .bytes_max = bytes_max};
    scan(outbox, from, upto, read_one, &back);
    find_in_copy(batch);
    batch->epoch = back.cut ? back.epoch : upto;

    pthread_mutex_lock(&outbox->lock);
    outbox->spilled_from = batch->epoch < outbox->spilled_to ? batch->epoch + 1 : 0;
    if (!outbox->spilled_from)
        move_all(&outbox->later, &outbox->held);
    batch->memory = batch->copy.capacity;
    outbox->figures.memory_bytes += batch->memory;
    pthread_mutex_unlock(&outbox->lock);
    return batch->count ? READ_RECORDS : READ_NONE;
}

bool outbox_take(struct outbox *outbox, size_t bytes_max, struct outbox_batch *ret_batch)
{
    enum read_outcome outcome;
    do {
        *ret_batch = (struct outbox_batch){0};
        pthread_mutex_lock(&outbox->lock);
        bool found = take_from_memory(outbox, bytes_max, ret_batch);
        uint64_t from = outbox->spilled_from, to = outbox->spilled_to;
        pthread_mutex_unlock(&outbox->lock);
        if (found || !from)
            return found;
        outcome = read_back(outbox, from, to, bytes_max, ret_batch);
    } while (outcome == READ_NONE);
    return outcome == READ_RECORDS;
}

void outbox_drop(struct outbox_batch *batch)
{
    for (size_t i = 0; i < batch->delta_count; i++)
        delta_unref(batch->deltas[i]);
    free(batch->deltas);
    free(batch->records);
    buffer_destroy(&batch->copy);
    batch->deltas = NULL;
    batch->records = NULL;
    batch->delta_count = batch->count = 0;
}

void outbox_confirm(struct outbox *outbox, struct outbox_batch *batch)
{
    pthread_mutex_lock(&outbox->lock);
    assert(outbox->figures.records >= batch->count && outbox->figures.bytes >= batch->bytes);
    outbox->figures.records -= batch->count;
    outbox->figures.bytes -= batch->bytes;
    outbox->figures.epoch = batch->epoch;
    outbox->figures.memory_bytes -= batch->memory;
    pthread_mutex_unlock(&outbox->lock);
    outbox_drop(batch);
}

void outbox_figures(struct outbox *outbox, struct outbox_figures *ret_figures)
{
    pthread_mutex_lock(&outbox->lock);
    *ret_figures = outbox->figures;
    ret_figures->is_spilled = outbox->spilled_from != 0;
    pthread_mutex_unlock(&outbox->lock);
}
