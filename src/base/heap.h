/* heap.h - a queue ordered by time: the earliest first, and of equal times the lower order first.
 *
 * Nodes live inside what they queue; the heap owns only its array of pointers. */
#ifndef BASE_HEAP_H
#define BASE_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct heap_node {
    uint64_t when;  /* set before heap_put; unit as the owner likes */
    uint64_t order; /* set before heap_put; breaks ties */
    size_t place;   /* 0: in no heap; otherwise the index + 1 */
};

struct heap {
    struct heap_node **nodes;
    size_t count;
    size_t capacity;
};

/* An empty heap is all zeros. */
void heap_destroy(struct heap *heap);

void heap_put(struct heap *heap, struct heap_node *node);

/* Takes `node` out, wherever it stands. A node that is in no heap is left alone. */
void heap_take(struct heap *heap, struct heap_node *node);

static inline bool heap_holds(const struct heap_node *node)
{
    return node->place != 0;
}

/* The earliest node, or NULL. */
static inline struct heap_node *heap_first(const struct heap *heap)
{
    return heap->count ? heap->nodes[0] : NULL;
}

#endif
