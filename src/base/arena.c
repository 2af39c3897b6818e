/* arena.c - a list of blocks, each filled from its start. */
#include "base/arena.h"

#include "base/mem.h"

#include <stdalign.h>

enum { ARENA_BLOCK_BYTES = 4096, ARENA_KEEP_BYTES = 64 * 1024 };

struct arena_block {
    struct arena_block *next;
    size_t capacity;
    size_t used;
    alignas(max_align_t) uint8_t memory[];
};

static size_t rounded(size_t size)
{
    return (size + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
}

void arena_destroy(struct arena *arena)
{
    for (struct arena_block *block = arena->blocks, *next; block; block = next) {
        next = block->next;
        free(block);
    }
    arena->blocks = NULL;
}

void arena_clear(struct arena *arena)
{
    struct arena_block *first = arena->blocks;
    if (!first)
        return;
    if (!first->next && first->capacity <= ARENA_KEEP_BYTES) {
        first->used = 0;
        return;
    }

    /* Several blocks, or a huge one: keep one block of what was needed this time, within reason. */
    size_t total = 0;
    for (struct arena_block *block = first; block; block = block->next)
        total += block->used;
    arena_destroy(arena);
    if (total <= ARENA_KEEP_BYTES) {
        (void)arena_take(arena, total);
        arena->blocks->used = 0;
    }
}

void *arena_take(struct arena *arena, size_t size)
{
    size = rounded(size);
    struct arena_block *block = arena->blocks;
    if (!block || block->capacity - block->used < size) {
        size_t capacity = size > ARENA_BLOCK_BYTES ? size : ARENA_BLOCK_BYTES;
        block = mem_new_raw(sizeof *block + capacity);
        block->capacity = capacity;
        block->used = 0;
        block->next = arena->blocks;
        arena->blocks = block;
    }
    void *memory = block->memory + block->used;
    block->used += size;
    return memory;
}

struct bytes arena_add_bytes(struct arena *arena, struct bytes bytes)
{
    uint8_t *copy = arena_take(arena, bytes.size);
    if (bytes.size)
        memcpy(copy, bytes.data, bytes.size);
    return bytes_make(copy, bytes.size);
}
