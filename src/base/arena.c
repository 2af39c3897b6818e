/* arena.c - a list of blocks, each filled from its start. */
#include "base/arena.h"

#include "base/mem.h"

#include <assert.h>
#include <stdalign.h>

enum { ARENA_BLOCK_BYTES = 4096, ARENA_KEEP_BYTES = 64 * 1024 };

struct arena_block {
    struct arena_block *next;
    size_t capacity;
    alignas(max_align_t) uint8_t memory[];
};

static_assert(alignof(max_align_t) <= ARENA_ALIGNMENT, "arena_take aligns for any type");

void arena_destroy(struct arena *arena)
{
    for (struct arena_block *block = arena->blocks, *next; block; block = next) {
        next = block->next;
        free(block);
    }
    *arena = (struct arena){0};
}

static void begin_block(struct arena *arena, struct arena_block *block)
{
    bool is_kept = !block->next && block->capacity <= ARENA_KEEP_BYTES;
    arena->blocks = block;
    arena->at = block->memory;
    arena->end = block->memory + block->capacity;
    arena->start = is_kept ? block->memory : NULL;
}

void arena_clear_blocks(struct arena *arena)
{
    struct arena_block *first = arena->blocks;
    if (!first)
        return;

    /* Several blocks, or a huge one: keep one block of what was needed this time, within reason. */
    size_t total = 0;
    for (struct arena_block *block = first; block; block = block->next)
        total += block->capacity;
    arena_destroy(arena);
    if (total <= ARENA_KEEP_BYTES) {
        (void)arena_take(arena, total);
        begin_block(arena, arena->blocks);
    }
}

void *arena_take_block(struct arena *arena, size_t size)
{
    size_t capacity = size > ARENA_BLOCK_BYTES ? size : ARENA_BLOCK_BYTES;
    struct arena_block *block = mem_new_raw(sizeof *block + capacity);
    block->capacity = capacity;
    block->next = arena->blocks;
    begin_block(arena, block);
    arena->at += size;
    return block->memory;
}

struct bytes arena_add_bytes(struct arena *arena, struct bytes bytes)
{
    uint8_t *copy = arena_take(arena, bytes.size);
    if (bytes.size)
        memcpy(copy, bytes.data, bytes.size);
    return bytes_make(copy, bytes.size);
}
