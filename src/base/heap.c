/* heap.c - a binary heap in an array. Every node knows its place, so that it can be taken out. */
#include "base/heap.h"

#include "base/mem.h"

#include <assert.h>

static bool before(const struct heap_node *a, const struct heap_node *b)
{
    return a->when != b->when ? a->when < b->when : a->order < b->order;
}

static void set(struct heap *heap, size_t index, struct heap_node *node)
{
    heap->nodes[index] = node;
    node->place = index + 1;
}

static void sift_up(struct heap *heap, size_t index, struct heap_node *node)
{
    while (index > 0) {
        size_t parent = (index - 1) / 2;
        if (!before(node, heap->nodes[parent]))
            break;
        set(heap, index, heap->nodes[parent]);
        index = parent;
    }
    set(heap, index, node);
}

static void sift_down(struct heap *heap, size_t index, struct heap_node *node)
{
    for (;;) {
        size_t child = index * 2 + 1;
        if (child >= heap->count)
            break;
        if (child + 1 < heap->count && before(heap->nodes[child + 1], heap->nodes[child]))
            child++;
        if (!before(heap->nodes[child], node))
            break;
        set(heap, index, heap->nodes[child]);
        index = child;
    }
    set(heap, index, node);
}

void heap_destroy(struct heap *heap)
{
    free(heap->nodes);
    *heap = (struct heap){0};
}

void heap_put(struct heap *heap, struct heap_node *node)
{
    assert(!heap_holds(node));
    if (heap->count == heap->capacity) {
        heap->capacity = heap->capacity ? heap->capacity * 2 : 16;
        heap->nodes = mem_resize(heap->nodes, heap->capacity * sizeof *heap->nodes);
    }
    heap->count++;
    sift_up(heap, heap->count - 1, node);
}

void heap_take(struct heap *heap, struct heap_node *node)
{
    if (!heap_holds(node))
        return;

    size_t index = node->place - 1;
    assert(heap->nodes[index] == node);
    node->place = 0;
    heap->count--;

    struct heap_node *last = heap->nodes[heap->count];
    if (last == node)
        return;
    if (index > 0 && before(last, heap->nodes[(index - 1) / 2]))
        sift_up(heap, index, last);
    else
        sift_down(heap, index, last);
}
