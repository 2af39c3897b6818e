/* map.h - a hash map of nodes that live inside what they index.
 *
 * The map compares hashes only; whoever looks something up walks the few nodes of one hash and
 * compares keys. It owns none of its elements. Iteration order depends on the hashes: nothing that
 * must be deterministic may rely on it. */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include <stddef.h>
#include <stdint.h>

struct map_node {
    struct map_node *next;
    uint64_t hash;
};

struct map {
    struct map_node **buckets;
    size_t mask;
    size_t count;
};

void map_init(struct map *map);

/* Frees the map's own memory, not its elements. */
void map_destroy(struct map *map);

/* Adds `node`; equal hashes may stand beside each other. */
void map_put(struct map *map, struct map_node *node, uint64_t hash);

/* Removes a node that is in the map. */
void map_take(struct map *map, struct map_node *node);

/* The first node with this hash, or NULL; map_same gives the next with the same hash. */
struct map_node *map_find(const struct map *map, uint64_t hash);
struct map_node *map_same(const struct map_node *node);

/* Walks all elements: NULL gives the first, a node the one after it; NULL at the end. The map may
 * not change meanwhile, save that the caller may free a node whose successor it has already asked
 * for. */
struct map_node *map_walk(const struct map *map, const struct map_node *node);

#endif
