/* counters.c - a list: a test has few of them. */
#include "harness/counters.h"

#include "base/mem.h"

struct counter {
    struct bytes type; /* owned */
    char *name;
    int64_t value;
};

void counters_destroy(struct counters *counters)
{
    for (size_t i = 0; i < counters->count; i++) {
        free((void *)counters->items[i].type.data);
        free(counters->items[i].name);
    }
    free(counters->items);
    *counters = (struct counters){0};
}

static struct counter *find(const struct counters *counters, struct bytes type, const char *name)
{
    for (size_t i = 0; i < counters->count; i++)
        if (bytes_equal(counters->items[i].type, type) && !strcmp(counters->items[i].name, name))
            return &counters->items[i];
    return NULL;
}

void counters_add(struct counters *counters, struct bytes type, const char *name, int64_t by)
{
    struct counter *counter = find(counters, type, name);
    if (!counter) {
        size_t size = (counters->count + 1) * sizeof *counter;
        counters->items = mem_resize(counters->items, size);
        counter = &counters->items[counters->count++];
        *counter = (struct counter){bytes_make(bytes_string(type), type.size), mem_string(name), 0};
    }
    counter->value += by;
}

int64_t counters_get(const struct counters *counters, struct bytes type, const char *name)
{
    const struct counter *counter = find(counters, type, name);
    return counter ? counter->value : 0;
}
