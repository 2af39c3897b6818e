/* arena.h - memory for things that die together.
 *
 * Allocations stay where they are until arena_clear, which keeps the first block for the next use:
 * an arena that is cleared after each piece of work stops calling malloc after a while. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/bytes.h"

struct arena_block;

struct arena {
    struct arena_block *blocks; /* the one being filled first */
    uint8_t *at, *end;          /* what is free of it */
    uint8_t *start;             /* of the only block, if it may be kept; else NULL */
};

enum { ARENA_ALIGNMENT = 16 };

/* An empty arena is all zeros. */
void arena_destroy(struct arena *arena);

/* For arena_clear: when there is not just one block of ordinary size. */
void arena_clear_blocks(struct arena *arena);

static inline void arena_clear(struct arena *arena)
{
    if (arena->start)
        arena->at = arena->start;
    else
        arena_clear_blocks(arena);
}

/* For arena_take: when the first block has no room. `size` is rounded up. */
void *arena_take_block(struct arena *arena, size_t size);

/* `size` bytes, aligned for any type, not zeroed. */
static inline void *arena_take(struct arena *arena, size_t size)
{
    size = (size + ARENA_ALIGNMENT - 1) & ~(size_t)(ARENA_ALIGNMENT - 1);
    if ((size_t)(arena->end - arena->at) < size || !arena->blocks)
        return arena_take_block(arena, size);
    void *memory = arena->at;
    arena->at += size;
    return memory;
}

struct bytes arena_add_bytes(struct arena *arena, struct bytes bytes);

#endif
