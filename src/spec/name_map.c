/* name_map.c - a hash map whose nodes and texts live in one arena. */
#include "spec/name_map.h"

#include "base/hash.h"
#include "base/mem.h"

struct name_node {
    struct map_node node;
    struct bytes name;
    const void *value;
};

void name_map_init(struct name_map *names)
{
    map_init(&names->map);
    names->arena = (struct arena){0};
}

void name_map_destroy(struct name_map *names)
{
    map_destroy(&names->map);
    arena_destroy(&names->arena);
}

static struct name_node *find(const struct name_map *names, struct bytes name, uint64_t hash)
{
    for (struct map_node *node = map_find(&names->map, hash); node; node = map_same(node)) {
        struct name_node *found = container_of(node, struct name_node, node);
        if (bytes_equal(found->name, name))
            return found;
    }
    return NULL;
}

const void *name_map_get(const struct name_map *names, const char *name)
{
    struct bytes bytes = bytes_of(name);
    const struct name_node *found = find(names, bytes, hash_seeded(bytes, 0));
    return found ? found->value : NULL;
}

const void **name_map_slot(struct name_map *names, const char *name)
{
    struct bytes bytes = bytes_of(name);
    uint64_t hash = hash_seeded(bytes, 0);
    struct name_node *found = find(names, bytes, hash);
    if (found)
        return &found->value;

    struct name_node *added = arena_take(&names->arena, sizeof *added);
    added->name = arena_add_bytes(&names->arena, bytes);
    added->value = NULL;
    map_put(&names->map, &added->node, hash);
    return &added->value;
}
