/* delta.h - what one worker changed in one epoch: the unit that is committed whole or not at all.
 *
 * A delta is a list of changes to keys, in the order in which they happened: put a value, remove a
 * key, trim a range. What the keys mean is the business of keys.h; the store needs not know. Egress
 * records are entries like any other; the delta also remembers where each egress's records stand,
 * so that they can be delivered from here without another copy.
 *
 * The engine fills a delta on its worker's thread. Once sealed it does not change any more and is
 * shared, by reference count, between committer, view and egresses, on whatever thread they run.
 *
 * An entry, as it stands in memory and in the log:
 *
 *     1 byte    what: 'P' put, 'R' remove, 'T' trim
 *     varint    size of the key
 *     varint    size of the value (0 for remove)
 *     bytes     key (for trim: the first key that goes)
 *     bytes     value (for trim: the first key that stays) */
#ifndef ENGINE_DELTA_H
#define ENGINE_DELTA_H

#include "base/bytes.h"

#include <stdatomic.h>

enum delta_change { DELTA_PUT = 'P', DELTA_REMOVE = 'R', DELTA_TRIM = 'T' };

struct delta_entry {
    enum delta_change change;
    struct bytes key;
    struct bytes value;
};

/* Egress records: where key and value stand in `entries`. */
struct delta_record {
    size_t key_at, key_size;
    size_t value_at, value_size;
};

struct delta_outbox {
    struct delta_record *records;
    size_t count, capacity;
    size_t bytes; /* of the records' values */
};

struct delta {
    atomic_uint references;
    uint32_t worker;
    uint64_t epoch;
    struct buffer entries;
    uint32_t egress_count;
    struct delta_outbox *outboxes; /* one for each egress */
};

struct delta *delta_new(uint32_t worker, uint64_t epoch, uint32_t egress_count);
struct delta *delta_ref(struct delta *delta);
void delta_unref(struct delta *delta); /* NULL is fine */

void delta_put(struct delta *delta, struct bytes key, struct bytes value);
void delta_remove(struct delta *delta, struct bytes key);
void delta_trim(struct delta *delta, struct bytes from, struct bytes to);

/* The same as delta_put for who writes the key, and the value behind it, where this returns, before
 * the next entry. */
uint8_t *delta_put_blank(struct delta *delta, size_t key_size, size_t value_size);

/* Puts an egress record and remembers it for `egress`. */
void delta_put_record(struct delta *delta, uint32_t egress, struct bytes key, struct bytes value);

static inline struct bytes delta_record_value(const struct delta *delta,
                                              const struct delta_record *record)
{
    return bytes_make(delta->entries.data + record->value_at, record->value_size);
}

static inline struct bytes delta_record_key(const struct delta *delta,
                                            const struct delta_record *record)
{
    return bytes_make(delta->entries.data + record->key_at, record->key_size);
}

/* Reads the first entry of `*rest` and moves on. False at the end, and when what follows is not an
 * entry: then `*rest` is not empty. */
bool delta_next(struct bytes *rest, struct delta_entry *ret_entry);

#endif
