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
};

/* An empty arena is all zeros. */
void arena_destroy(struct arena *arena);
void arena_clear(struct arena *arena);

/* `size` bytes, aligned for any type, not zeroed. */
void *arena_take(struct arena *arena, size_t size);

struct bytes arena_add_bytes(struct arena *arena, struct bytes bytes);

#endif
