/* map.c - chains in a power-of-two array that doubles when there are as many nodes as chains.
 *
 * Chains rather than open addressing because the nodes live in their elements: a lookup that hits
 * touches the element anyway, and removal needs no tombstones. */
#include "base/map.h"

#include "base/mem.h"

#include <assert.h>

enum { MAP_FIRST_BUCKETS = 16 };

void map_init(struct map *map)
{
    map->buckets = mem_new(MAP_FIRST_BUCKETS * sizeof *map->buckets);
    map->mask = MAP_FIRST_BUCKETS - 1;
    map->count = 0;
}

void map_destroy(struct map *map)
{
    free(map->buckets);
    *map = (struct map){0};
}

static void map_grow(struct map *map)
{
    size_t size = (map->mask + 1) * 2;
    struct map_node **buckets = mem_new(size * sizeof *buckets);

    for (size_t i = 0; i <= map->mask; i++) {
        for (struct map_node *node = map->buckets[i], *next; node; node = next) {
            next = node->next;
            struct map_node **bucket = &buckets[node->hash & (size - 1)];
            node->next = *bucket;
            *bucket = node;
        }
    }
    free(map->buckets);
    map->buckets = buckets;
    map->mask = size - 1;
}

void map_put(struct map *map, struct map_node *node, uint64_t hash)
{
    if (map->count > map->mask)
        map_grow(map);
    struct map_node **bucket = &map->buckets[hash & map->mask];
    node->hash = hash;
    node->next = *bucket;
    *bucket = node;
    map->count++;
}

void map_take(struct map *map, struct map_node *node)
{
    struct map_node **link = &map->buckets[node->hash & map->mask];
    while (*link != node) {
        assert(*link);
        link = &(*link)->next;
    }
    *link = node->next;
    node->next = NULL;
    map->count--;
}

struct map_node *map_find(const struct map *map, uint64_t hash)
{
    struct map_node *node = map->buckets[hash & map->mask];
    while (node && node->hash != hash)
        node = node->next;
    return node;
}

struct map_node *map_same(const struct map_node *node)
{
    uint64_t hash = node->hash;
    struct map_node *next = node->next;
    while (next && next->hash != hash)
        next = next->next;
    return next;
}

struct map_node *map_walk(const struct map *map, const struct map_node *node)
{
    if (node && node->next)
        return node->next;
    for (size_t i = node ? (node->hash & map->mask) + 1 : 0; i <= map->mask; i++)
        if (map->buckets[i])
            return map->buckets[i];
    return NULL;
}
