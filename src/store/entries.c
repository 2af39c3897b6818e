/* entries.c - chunks filled from their start, with a list of empty slots for each size.
 *
 * Every slot, live or not, begins with a struct tail_entry that knows its size: so a chunk can be
 * walked from slot to slot. */
#include "store/entries.h"

#include "base/mem.h"

#include <stdalign.h>

enum { CHUNK_BYTES = 256 * 1024 };

struct chunk {
    struct list link;
    size_t used;
    size_t capacity;
    alignas(max_align_t) uint8_t memory[];
};

void entry_pool_init(struct entry_pool *pool, size_t keep_bytes)
{
    *pool = (struct entry_pool){.keep_bytes = keep_bytes};
    list_init(&pool->chunks);
    list_init(&pool->unused);
}

static void free_chunks(struct list *chunks)
{
    for (struct list *node; (node = list_take_first(chunks));)
        free(container_of(node, struct chunk, link));
}

void entry_pool_destroy(struct entry_pool *pool)
{
    free_chunks(&pool->chunks);
    free_chunks(&pool->unused);
}

static struct chunk *add_chunk(struct entry_pool *pool, size_t capacity)
{
    struct list *node = capacity == CHUNK_BYTES ? list_take_first(&pool->unused) : NULL;
    struct chunk *chunk = node ? container_of(node, struct chunk, link) : NULL;
    if (chunk) {
        pool->unused_bytes -= CHUNK_BYTES;
    } else {
        chunk = mem_new_raw(sizeof *chunk + capacity);
        chunk->capacity = capacity;
    }
    chunk->used = 0;
    list_init(&chunk->link);
    return chunk;
}

/* A slot of a size that has lists, from the list of its size or from the chunk that is being
 * filled. */
static struct tail_entry *take_slot(struct entry_pool *pool, size_t bytes)
{
    struct tail_entry **slots = &pool->slots[bytes / ENTRY_CLASS_BYTES];
    if (*slots) {
        struct tail_entry *entry = *slots;
        *slots = entry->node.next ? container_of(entry->node.next, struct tail_entry, node) : NULL;
        return entry;
    }
    struct chunk *chunk = NULL;
    if (!list_is_empty(&pool->chunks))
        chunk = list_first(&pool->chunks, struct chunk, link);
    if (!chunk || chunk->capacity - chunk->used < bytes) {
        chunk = add_chunk(pool, CHUNK_BYTES);
        list_put_first(&pool->chunks, &chunk->link);
    }
    struct tail_entry *entry = (struct tail_entry *)(chunk->memory + chunk->used);
    chunk->used += bytes;
    return entry;
}

/* A slot too large for the lists: the only one of its chunk, which stands last, as it is full. */
static struct tail_entry *take_chunk(struct entry_pool *pool, size_t bytes)
{
    struct chunk *chunk = add_chunk(pool, bytes);
    chunk->used = bytes;
    list_put_last(&pool->chunks, &chunk->link);
    return (struct tail_entry *)chunk->memory;
}

static bool has_list(size_t bytes)
{
    return bytes <= (size_t)ENTRY_CLASSES * ENTRY_CLASS_BYTES;
}

struct tail_entry *entry_pool_take(struct entry_pool *pool, struct bytes key, size_t room)
{
    size_t bytes = sizeof(struct tail_entry) + key.size + room;
    bytes = (bytes + ENTRY_CLASS_BYTES - 1) / ENTRY_CLASS_BYTES * ENTRY_CLASS_BYTES;
    struct tail_entry *entry = has_list(bytes) ? take_slot(pool, bytes) : take_chunk(pool, bytes);
    entry->slot_bytes = (uint32_t)bytes;
    entry->live = true;
    entry->key_size = (uint32_t)key.size;
    (void)bytes_put(entry->bytes, key);
    pool->bytes += bytes;
    return entry;
}

void entry_pool_give(struct entry_pool *pool, struct tail_entry *entry)
{
    pool->bytes -= entry->slot_bytes;
    if (!has_list(entry->slot_bytes)) {
        struct chunk *chunk = container_of((uint8_t *)entry, struct chunk, memory);
        list_take(&chunk->link);
        free(chunk);
        return;
    }
    struct tail_entry **slots = &pool->slots[entry->slot_bytes / ENTRY_CLASS_BYTES];
    entry->live = false;
    entry->node.next = *slots ? &(*slots)->node : NULL;
    *slots = entry;
}

static void visit_chunk(struct chunk *chunk, void (*visit)(void *owner, struct tail_entry *entry),
                        void *owner)
{
    for (size_t at = 0, used = chunk->used; at < used;) {
        struct tail_entry *entry = (struct tail_entry *)(chunk->memory + at);
        at += entry->slot_bytes; /* before the visit, which may free the chunk of a large one */
        if (entry->live)
            visit(owner, entry);
    }
}

void entry_pool_walk(struct entry_pool *pool, void (*visit)(void *owner, struct tail_entry *entry),
                     void *owner)
{
    list_for_each_safe (&pool->chunks, node)
        visit_chunk(container_of(node, struct chunk, link), visit, owner);
}

static void recycle(struct entry_pool *pool, struct chunk *chunk)
{
    if (chunk->capacity != CHUNK_BYTES || pool->unused_bytes >= pool->keep_bytes) {
        free(chunk);
        return;
    }
    list_put_first(&pool->unused, &chunk->link);
    pool->unused_bytes += CHUNK_BYTES;
}

void entry_pool_drain(struct entry_pool *pool, void (*visit)(void *owner, struct tail_entry *entry),
                      void *owner)
{
    struct list old;
    list_init(&old);
    for (struct list *node; (node = list_take_first(&pool->chunks));)
        list_put_last(&old, node);
    memset(pool->slots, 0, sizeof pool->slots);
    pool->bytes = 0;
    for (struct list *node; (node = list_take_first(&old));) {
        struct chunk *chunk = container_of(node, struct chunk, link);
        if (visit)
            visit_chunk(chunk, visit, owner);
        recycle(pool, chunk);
    }
}
