/* entries.h - the memory of a tail: the last change of each key, packed into chunks.
 *
 * Entries are taken one at a time and mostly given up all at once. Chunks make both cheap, and let
 * all entries be visited in the order of memory; a slot that is given up alone is used again by the
 * next entry of its size. One thread at a time uses a pool. */
#ifndef STORE_ENTRIES_H
#define STORE_ENTRIES_H

#include "base/bytes.h"
#include "base/list.h"
#include "base/map.h"

struct tail_entry {
    struct map_node node;
    uint64_t number; /* of its last change */
    uint32_t slot_bytes;
    uint32_t key_size;
    uint32_t value_size;
    bool live;       /* false: a slot to be used again */
    bool removed;    /* the last change took the key away */
    bool fresh;      /* the view does not hold the key */
    uint8_t bytes[]; /* the key, then the value */
};

enum { ENTRY_CLASS_BYTES = 32, ENTRY_CLASSES = 64 }; /* what is larger has a chunk of its own */

struct entry_pool {
    struct list chunks; /* the one being filled first */
    struct list unused; /* chunks without entries, kept up to keep_bytes */
    size_t keep_bytes, unused_bytes;
    struct tail_entry *slots[ENTRY_CLASSES + 1];
    size_t bytes; /* of live entries */
};

void entry_pool_init(struct entry_pool *pool, size_t keep_bytes);
void entry_pool_destroy(struct entry_pool *pool);

/* Gives up all entries. `visit`, unless NULL, is called for each live one before its memory goes,
 * and may take new ones: a few megabytes are packed anew with one chunk to spare. */
void entry_pool_drain(struct entry_pool *pool, void (*visit)(void *owner, struct tail_entry *entry),
                      void *owner);

/* An entry with this key, and room for at least `room` bytes of value; nothing else in it is set.
 */
struct tail_entry *entry_pool_take(struct entry_pool *pool, struct bytes key, size_t room);
void entry_pool_give(struct entry_pool *pool, struct tail_entry *entry);

/* Calls `visit` for each live entry, in no order that means anything; it may give up that entry. */
void entry_pool_walk(struct entry_pool *pool, void (*visit)(void *owner, struct tail_entry *entry),
                     void *owner);

static inline struct bytes entry_key(const struct tail_entry *entry)
{
    return bytes_make(entry->bytes, entry->key_size);
}

static inline struct bytes entry_value(const struct tail_entry *entry)
{
    return bytes_make(entry->bytes + entry->key_size, entry->value_size);
}

/* How long a value may become without another slot. */
static inline size_t entry_room(const struct tail_entry *entry)
{
    return entry->slot_bytes - sizeof *entry - entry->key_size;
}

/* The entry whose key this is, as entry_key has lent it. */
static inline struct tail_entry *entry_of_key(struct bytes key)
{
    return (struct tail_entry *)(key.data - offsetof(struct tail_entry, bytes));
}

#endif
