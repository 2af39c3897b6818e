/* tail.c - a hash table of the last change of each key, and a list of trims.
 *
 * Trims are not applied when they come: a table has no ranges. Every change has a number, counted
 * up; a trim covers the entries of its range with lower numbers, and takes effect when the tail is
 * swept, which it is before it is written. Of an outbox the trims mostly begin at the same key and
 * reach ever further: these are kept as one.
 *
 * The order in a batch: its removes and puts stand for what came last, trims only for what was in
 * the view before; so an entry that outlives a trim (put after it) is not touched by it.
 *
 * Whatever changes entries or trims is done under the mutex; the thread that does it may look
 * without. So a batch, which takes long, is written without it. */
#include "store/tail.h"

#include "base/hash.h"
#include "base/map.h"
#include "base/mem.h"
#include "engine/delta.h"
#include "engine/keys.h"
#include "store/key_sort.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/random.h>

enum {
    BUCKET_BYTES = 8,   /* what an entry takes in the table */
    TRIM_BYTES = 4096,  /* more than its memory: each entry is held against it, so many are due */
    SLACK_SHIFT = 3,    /* a value that has grown gets an eighth more, as it may grow again */
    SHRINK_BYTES = 256, /* left over from a longer value: beyond this it is given back */
    AHEAD = 8           /* entries fetched before they are written */
};

struct tail_trim {
    uint64_t number;
    struct buffer from, to;
};

struct tail {
    pthread_mutex_t mutex;
    struct map map;
    struct entry_pool pool;
    uint64_t seed;
    uint64_t number;         /* of the last change */
    uint64_t written_number; /* of the last one when the tail was last written */
    struct tail_trim *trims;
    size_t trim_count, trim_capacity;
};

struct tail *tail_new(size_t keep_bytes)
{
    struct tail *tail = mem_new(sizeof *tail);
    pthread_mutex_init(&tail->mutex, NULL);
    map_init(&tail->map);
    entry_pool_init(&tail->pool, keep_bytes);
    /* Keys hold ids that users choose. Without randomness the seed is 0: slower under attack. */
    (void)!getrandom(&tail->seed, sizeof tail->seed, GRND_NONBLOCK);
    return tail;
}

static void drop_trim(struct tail *tail, size_t i)
{
    buffer_destroy(&tail->trims[i].from);
    buffer_destroy(&tail->trims[i].to);
    tail->trims[i] = tail->trims[--tail->trim_count];
}

/* Of entries, those that `visit` does not take back. */
static void clear(struct tail *tail, void (*visit)(void *owner, struct tail_entry *entry))
{
    map_destroy(&tail->map);
    map_init(&tail->map);
    entry_pool_drain(&tail->pool, visit, tail);
    while (tail->trim_count)
        drop_trim(tail, 0);
}

void tail_free(struct tail *tail)
{
    if (!tail)
        return;
    clear(tail, NULL);
    map_destroy(&tail->map);
    entry_pool_destroy(&tail->pool);
    pthread_mutex_destroy(&tail->mutex);
    free(tail->trims);
    free(tail);
}

static struct tail_entry *find(const struct tail *tail, struct bytes key, uint64_t hash)
{
    for (struct map_node *node = map_find(&tail->map, hash); node; node = map_same(node)) {
        struct tail_entry *entry = container_of(node, struct tail_entry, node);
        if (bytes_equal(entry_key(entry), key))
            return entry;
    }
    return NULL;
}

static void take_out(struct tail *tail, struct tail_entry *entry)
{
    map_take(&tail->map, &entry->node);
    entry_pool_give(&tail->pool, entry);
}

static struct tail_entry *add(struct tail *tail, struct bytes key, uint64_t hash, size_t room)
{
    struct tail_entry *entry = entry_pool_take(&tail->pool, key, room);
    map_put(&tail->map, &entry->node, hash);
    return entry;
}

/* All but key and hash, which the two share. */
static void copy_entry(struct tail_entry *to, const struct tail_entry *from)
{
    to->number = from->number;
    to->removed = from->removed;
    to->fresh = from->fresh;
    to->value_size = from->value_size;
    if (from->value_size)
        memcpy(to->bytes + to->key_size, entry_value(from).data, from->value_size);
}

/* The same entry with other room, at another place; its value is lost. */
static struct tail_entry *resize(struct tail *tail, struct tail_entry *entry, size_t room)
{
    struct tail_entry *resized = add(tail, entry_key(entry), entry->node.hash, room);
    resized->fresh = entry->fresh;
    take_out(tail, entry);
    return resized;
}

static void put(struct tail *tail, struct bytes key, struct bytes value)
{
    uint64_t hash = hash_seeded(key, tail->seed);
    struct tail_entry *entry = find(tail, key, hash);
    if (!entry) {
        entry = add(tail, key, hash, value.size);
        entry->fresh = key_is_queued(key);
    } else if (entry_room(entry) < value.size) {
        entry = resize(tail, entry, value.size + (value.size >> SLACK_SHIFT));
    } else if (entry_room(entry) >= SHRINK_BYTES + 2 * value.size) {
        entry = resize(tail, entry, value.size);
    }
    (void)bytes_put(entry->bytes + entry->key_size, value);
    entry->value_size = (uint32_t)value.size;
    entry->removed = false;
    entry->number = ++tail->number;
}

static void take(struct tail *tail, struct bytes key)
{
    uint64_t hash = hash_seeded(key, tail->seed);
    struct tail_entry *entry = find(tail, key, hash);
    if (entry && entry->fresh) {
        take_out(tail, entry);
        return;
    }
    if (!entry) {
        entry = add(tail, key, hash, 0);
        entry->fresh = false;
    } else if (entry_room(entry) >= SHRINK_BYTES) {
        entry = resize(tail, entry, 0);
    }
    entry->value_size = 0;
    entry->removed = true;
    entry->number = ++tail->number;
}

/* True if there was a trim from the same key that reached no further: it is taken over. A trim that
 * reached further stays, since the new one does not cover the rest of its range. */
static bool extend_trim(struct tail *tail, struct bytes from, struct bytes to)
{
    for (size_t i = 0; i < tail->trim_count; i++) {
        struct tail_trim *trim = &tail->trims[i];
        if (!bytes_equal(buffer_bytes(&trim->from), from) ||
            bytes_compare(buffer_bytes(&trim->to), to) > 0)
            continue;
        buffer_clear(&trim->to);
        buffer_add_bytes(&trim->to, to);
        trim->number = ++tail->number;
        return true;
    }
    return false;
}

static bool is_covered(const struct tail *tail, const struct tail_entry *entry)
{
    struct bytes key = entry_key(entry);
    for (size_t i = 0; i < tail->trim_count; i++) {
        const struct tail_trim *trim = &tail->trims[i];
        if (trim->number > entry->number && bytes_compare(buffer_bytes(&trim->from), key) <= 0 &&
            bytes_compare(key, buffer_bytes(&trim->to)) < 0)
            return true;
    }
    return false;
}

/* Visits each entry. */
static void drop_if_covered(void *owner, struct tail_entry *entry)
{
    struct tail *tail = owner;
    if (is_covered(tail, entry))
        take_out(tail, entry);
}

static void trim(struct tail *tail, struct bytes from, struct bytes to)
{
    if (bytes_compare(from, to) >= 0 || extend_trim(tail, from, to))
        return;
    if (tail->trim_count == tail->trim_capacity) {
        tail->trim_capacity = tail->trim_capacity ? 2 * tail->trim_capacity : 8;
        tail->trims = mem_resize(tail->trims, tail->trim_capacity * sizeof *tail->trims);
    }
    struct tail_trim *added = &tail->trims[tail->trim_count++];
    *added = (struct tail_trim){.number = ++tail->number};
    buffer_add_bytes(&added->from, from);
    buffer_add_bytes(&added->to, to);
}

bool tail_add(struct tail *tail, struct bytes entries)
{
    struct delta_entry entry;
    pthread_mutex_lock(&tail->mutex);
    while (delta_next(&entries, &entry)) {
        switch (entry.change) {
        case DELTA_PUT:
            put(tail, entry.key, entry.value);
            break;
        case DELTA_REMOVE:
            take(tail, entry.key);
            break;
        case DELTA_TRIM:
            trim(tail, entry.key, entry.value);
            break;
        }
    }
    pthread_mutex_unlock(&tail->mutex);
    return !entries.size;
}

static bool is_in_trim(const struct tail *tail, struct bytes key)
{
    for (size_t i = 0; i < tail->trim_count; i++)
        if (bytes_compare(buffer_bytes(&tail->trims[i].from), key) <= 0 &&
            bytes_compare(key, buffer_bytes(&tail->trims[i].to)) < 0)
            return true;
    return false;
}

static enum tail_knowledge look_up(const struct tail *tail, struct bytes key, uint64_t hash,
                                   struct buffer *value)
{
    const struct tail_entry *entry = find(tail, key, hash);
    if (!entry)
        return is_in_trim(tail, key) ? TAIL_REMOVED : TAIL_UNKNOWN;
    if (entry->removed || is_covered(tail, entry))
        return TAIL_REMOVED;
    buffer_add_bytes(value, entry_value(entry));
    return TAIL_PUT;
}

enum tail_knowledge tail_get(struct tail *tail, struct bytes key, struct buffer *value)
{
    uint64_t hash = hash_seeded(key, tail->seed);
    pthread_mutex_lock(&tail->mutex);
    enum tail_knowledge known = look_up(tail, key, hash, value);
    pthread_mutex_unlock(&tail->mutex);
    return known;
}

bool tail_try_get(struct tail *tail, struct bytes key, struct buffer *value,
                  enum tail_knowledge *ret_known)
{
    uint64_t hash = hash_seeded(key, tail->seed);
    if (pthread_mutex_trylock(&tail->mutex))
        return false;
    *ret_known = look_up(tail, key, hash, value);
    pthread_mutex_unlock(&tail->mutex);
    return true;
}

struct copying {
    const struct tail *tail;
    struct bytes from, to;
    struct entry_pool *copies;
};

/* Visits each entry. */
static void copy_if_in_range(void *owner, struct tail_entry *entry)
{
    const struct copying *copying = owner;
    struct bytes key = entry_key(entry);
    if (bytes_compare(copying->from, key) > 0 || bytes_compare(key, copying->to) >= 0 ||
        is_covered(copying->tail, entry))
        return;
    copy_entry(entry_pool_take(copying->copies, key, entry->value_size), entry);
}

void tail_copy(struct tail *tail, struct bytes from, struct bytes to, struct entry_pool *copies)
{
    struct copying copying = {tail, from, to, copies};
    pthread_mutex_lock(&tail->mutex);
    entry_pool_walk(&tail->pool, copy_if_in_range, &copying);
    pthread_mutex_unlock(&tail->mutex);
}

void tail_sweep(struct tail *tail, struct view *view)
{
    struct buffer key = {0};
    pthread_mutex_lock(&tail->mutex);
    if (tail->trim_count)
        entry_pool_walk(&tail->pool, drop_if_covered, tail);
    for (size_t i = tail->trim_count; i-- > 0;)
        if (!view_first(view, buffer_bytes(&tail->trims[i].from), buffer_bytes(&tail->trims[i].to),
                        &key))
            drop_trim(tail, i);
    pthread_mutex_unlock(&tail->mutex);
    buffer_destroy(&key);
}

size_t tail_bytes(const struct tail *tail)
{
    return tail->pool.bytes + tail->map.count * BUCKET_BYTES + tail->trim_count * TRIM_BYTES;
}

static bool is_young(const struct tail *tail, const struct tail_entry *entry)
{
    return entry->number > tail->written_number && !entry->removed &&
           key_is_queued(entry_key(entry));
}

struct young {
    const struct tail *tail;
    size_t bytes;
};

/* Visits each entry. */
static void count_young(void *owner, struct tail_entry *entry)
{
    struct young *young = owner;
    if (is_young(young->tail, entry))
        young->bytes += entry->slot_bytes + BUCKET_BYTES;
}

size_t tail_young_bytes(struct tail *tail)
{
    struct young young = {.tail = tail};
    entry_pool_walk(&tail->pool, count_young, &young);
    return young.bytes;
}

/* Visits each entry that is given up. */
static void take_back_young(void *owner, struct tail_entry *entry)
{
    struct tail *tail = owner;
    if (is_young(tail, entry))
        copy_entry(add(tail, entry_key(entry), entry->node.hash, entry->value_size), entry);
}

struct key_list {
    const struct tail *tail;
    enum view_part part;
    struct sorted_key *keys;
    size_t count;
};

/* Visits each entry. */
static void add_key(void *owner, struct tail_entry *entry)
{
    struct key_list *list = owner;
    if (list->part == VIEW_WHOLE || !is_young(list->tail, entry))
        list->keys[list->count++].key = entry_key(entry);
}

/* Entries in the order of their keys lie anywhere in memory; waiting for each would take as long as
 * writing it. */
static void prefetch(const struct tail_entry *entry)
{
    for (size_t line = 0; line < 4; line++)
        __builtin_prefetch((const char *)entry + 64 * line);
}

/* Returns how many. */
static size_t write_entries(struct tail *tail, struct view *view, enum view_part part)
{
    struct key_list list = {.tail = tail, .part = part};
    list.keys = mem_new_raw(tail->map.count * sizeof *list.keys);
    entry_pool_walk(&tail->pool, add_key, &list);
    keys_sort(list.keys, list.count);

    for (size_t i = 0; i < list.count; i++) {
        if (i + AHEAD < list.count)
            prefetch(entry_of_key(list.keys[i + AHEAD].key));
        const struct tail_entry *entry = entry_of_key(list.keys[i].key);
        if (entry->removed)
            view_remove(view, list.keys[i].key);
        else
            view_put(view, list.keys[i].key, entry_value(entry));
    }
    free(list.keys);
    return list.count;
}

/* Trims what the view holds and no more: a range that begins with its first key there. */
static void write_trims(const struct tail *tail, struct view *view)
{
    struct buffer first = {0};
    for (size_t i = 0; i < tail->trim_count; i++) {
        const struct tail_trim *trim = &tail->trims[i];
        if (view_first(view, buffer_bytes(&trim->from), buffer_bytes(&trim->to), &first))
            view_trim(view, buffer_bytes(&first), buffer_bytes(&trim->to));
    }
    buffer_destroy(&first);
}

/* Visits each entry. */
static void doubt(void *owner, struct tail_entry *entry)
{
    (void)owner;
    entry->fresh = false;
}

bool tail_write(struct tail *tail, struct view *view, enum view_part part, uint64_t epoch,
                uint64_t *ret_changes, struct sf_status *status)
{
    tail_sweep(tail, view);
    view_begin(view, epoch);
    uint64_t changes = write_entries(tail, view, part) + tail->trim_count;
    write_trims(tail, view);
    if (!view_commit(view, status)) {
        /* Should it have left something in the view after all, then no remove may be lost. */
        entry_pool_walk(&tail->pool, doubt, NULL);
        return false;
    }
    pthread_mutex_lock(&tail->mutex);
    clear(tail, part == VIEW_KEPT ? take_back_young : NULL);
    pthread_mutex_unlock(&tail->mutex);
    tail->written_number = tail->number;
    *ret_changes = changes;
    return true;
}
