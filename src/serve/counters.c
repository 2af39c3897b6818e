/* counters.c - one map under one lock: a count costs a lookup. */
#include "serve/counters.h"

#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "wire/address.h"

struct counter {
    struct map_node node;
    struct bytes type, name; /* in `memory` */
    int64_t value;
    uint8_t memory[];
};

void counters_init(struct counters *counters)
{
    *counters = (struct counters){0};
    pthread_mutex_init(&counters->lock, NULL);
    map_init(&counters->map);
}

void counters_destroy(struct counters *counters)
{
    for (struct map_node *node; (node = map_walk(&counters->map, NULL));) {
        map_take(&counters->map, node);
        free(container_of(node, struct counter, node));
    }
    map_destroy(&counters->map);
    pthread_mutex_destroy(&counters->lock);
}

static struct counter *find(const struct counters *counters, uint64_t hash, struct bytes type,
                            struct bytes name)
{
    for (struct map_node *node = map_find(&counters->map, hash); node; node = map_same(node)) {
        struct counter *counter = container_of(node, struct counter, node);
        if (bytes_equal(counter->type, type) && bytes_equal(counter->name, name))
            return counter;
    }
    return NULL;
}

static struct counter *add(struct counters *counters, uint64_t hash, struct bytes type,
                           struct bytes name)
{
    if (counters->map.count == COUNTERS_MAX) {
        if (!counters->is_full)
            log_warn("there are too many counters: no more are made",
                     LOG_NUMBER("limit", COUNTERS_MAX));
        counters->is_full = true;
        return NULL;
    }
    struct counter *counter = mem_new(sizeof *counter + type.size + name.size);
    uint8_t *names = counter->memory + type.size;
    memcpy(counter->memory, type.data, type.size);
    memcpy(names, name.data, name.size);
    counter->type = bytes_make(counter->memory, type.size);
    counter->name = bytes_make(names, name.size);
    map_put(&counters->map, &counter->node, hash);
    return counter;
}

void counters_add(struct counters *counters, struct bytes type, const char *name, int64_t by)
{
    uint64_t hash = hash_seeded(bytes_of(name), hash_seeded(type, 0));
    pthread_mutex_lock(&counters->lock);
    struct counter *counter = find(counters, hash, type, bytes_of(name));
    if (!counter)
        counter = add(counters, hash, type, bytes_of(name));
    if (counter)
        counter->value = (int64_t)((uint64_t)counter->value + (uint64_t)by);
    pthread_mutex_unlock(&counters->lock);
}

/* --- as text --- */

void metric_label_add(struct buffer *text, const char *name, struct bytes value)
{
    buffer_add_format(text, "%s=\"", name);
    for (size_t i = 0; i < value.size; i++) {
        uint8_t c = value.data[i];
        if (c == '\n')
            buffer_add_text(text, "\\n");
        else if (c == '"' || c == '\\')
            buffer_add_format(text, "\\%c", c);
        else
            buffer_add_u8(text, c);
    }
    buffer_add_u8(text, '"');
}

void counters_expose(struct counters *counters, struct buffer *text)
{
    buffer_add_text(text, "# HELP statefun_functions_counter What functions count (sf_count).\n"
                          "# TYPE statefun_functions_counter gauge\n");
    pthread_mutex_lock(&counters->lock);
    for (struct map_node *node = NULL; (node = map_walk(&counters->map, node));) {
        struct counter *counter = container_of(node, struct counter, node);
        struct address type = {0};
        (void)address_parse(counter->type, &type); /* it comes from one */
        buffer_add_text(text, "statefun_functions_counter{");
        metric_label_add(text, "namespace", type.ns);
        buffer_add_u8(text, ',');
        metric_label_add(text, "name", type.name);
        buffer_add_u8(text, ',');
        metric_label_add(text, "counter", counter->name);
        buffer_add_format(text, "} %lld\n", (long long)counter->value);
    }
    pthread_mutex_unlock(&counters->lock);
}
