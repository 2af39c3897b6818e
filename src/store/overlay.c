/* overlay.c - two sorted or numbered sequences, the tail's and the view's, told as one. */
#include "store/overlay.h"

#include "base/mem.h"
#include "store/key_sort.h"

/* --- keys --- */

/* What the tail knows of one of the keys asked for. */
struct known {
    enum tail_knowledge what;
    size_t at, size; /* of the value, among `values` */
};

struct get {
    const struct known *known;
    struct buffer values;
    size_t count, told; /* keys in all, and those that `visit` was called for */
    void (*visit)(void *owner, size_t nth, const struct bytes *value);
    void *owner;
};

/* Tells of the keys that the tail knows, up to the next that it does not. */
static void tell_known(struct get *get)
{
    for (; get->told < get->count; get->told++) {
        const struct known *known = &get->known[get->told];
        if (known->what == TAIL_UNKNOWN)
            return;
        struct bytes value = bytes_make(get->values.data + known->at, known->size);
        get->visit(get->owner, get->told, known->what == TAIL_PUT ? &value : NULL);
    }
}

/* Visits the other keys, in the same order. */
static void tell_viewed(void *owner, size_t nth, const struct bytes *value)
{
    struct get *get = owner;
    (void)nth;
    tell_known(get);
    get->visit(get->owner, get->told++, value);
}

void overlay_get_all(struct tail *tail, struct view *view, const struct bytes *keys, size_t count,
                     void (*visit)(void *owner, size_t nth, const struct bytes *value), void *owner)
{
    struct known *known = mem_new_raw(count * sizeof *known);
    struct bytes *others = mem_new_raw(count * sizeof *others);
    struct get get = {.known = known, .count = count, .visit = visit, .owner = owner};
    size_t other_count = 0;
    for (size_t i = 0; i < count; i++) {
        known[i].at = get.values.size;
        known[i].what = tail_get(tail, keys[i], &get.values);
        known[i].size = get.values.size - known[i].at;
        if (known[i].what == TAIL_UNKNOWN)
            others[other_count++] = keys[i];
    }
    view_get_all(view, others, other_count, tell_viewed, &get);
    tell_known(&get);
    buffer_destroy(&get.values);
    free(others);
    free(known);
}

enum store_read overlay_try(struct tail *tail, struct view *view, struct bytes key,
                            struct buffer *value)
{
    enum tail_knowledge known;
    if (!tail_try_get(tail, key, value, &known))
        return STORE_WOULD_WAIT;
    if (known == TAIL_UNKNOWN)
        return view_denies(view, key) ? STORE_ABSENT : STORE_WOULD_WAIT;
    return known == TAIL_PUT ? STORE_FOUND : STORE_ABSENT;
}

/* --- ranges --- */

struct scan {
    struct entry_pool copies; /* what the tail has in the range */
    struct sorted_key *keys;  /* of the copies */
    size_t count, capacity, told;
    bool (*visit)(void *owner, struct bytes key, struct bytes value);
    void *owner;
};

/* Visits each copy. */
static void add_key(void *owner, struct tail_entry *entry)
{
    struct scan *scan = owner;
    if (scan->count == scan->capacity) {
        scan->capacity = scan->capacity ? 2 * scan->capacity : 16;
        scan->keys = mem_resize(scan->keys, scan->capacity * sizeof *scan->keys);
    }
    scan->keys[scan->count++].key = entry_key(entry);
}

static bool tell_next(struct scan *scan)
{
    const struct tail_entry *entry = entry_of_key(scan->keys[scan->told++].key);
    return entry->removed || scan->visit(scan->owner, entry_key(entry), entry_value(entry));
}

/* Visits what the view holds: the tail's keys go before it in their order, or in its place. */
static bool tell_over(void *owner, struct bytes key, struct bytes value)
{
    struct scan *scan = owner;
    while (scan->told < scan->count) {
        int order = bytes_compare(scan->keys[scan->told].key, key);
        if (order > 0)
            break;
        if (!tell_next(scan))
            return false;
        if (order == 0)
            return true;
    }
    return scan->visit(scan->owner, key, value);
}

bool overlay_scan(struct tail *tail, struct view *view, struct bytes from, struct bytes to,
                  bool (*visit)(void *owner, struct bytes key, struct bytes value), void *owner)
{
    struct scan scan = {.visit = visit, .owner = owner};
    entry_pool_init(&scan.copies, 0);
    tail_copy(tail, from, to, &scan.copies);
    entry_pool_walk(&scan.copies, add_key, &scan);
    keys_sort(scan.keys, scan.count);
    bool wanted = view_scan(view, from, to, tell_over, &scan);
    while (wanted && scan.told < scan.count)
        wanted = tell_next(&scan);
    entry_pool_destroy(&scan.copies);
    free(scan.keys);
    return wanted;
}
