/* counters.c - a list: a test has few of them. */
#include "harness/counters.h"

#include "base/mem.h"
#include "sdk/counts.h"

struct counter {
    struct bytes whose; /* owned */
    struct counts counts;
};

void counters_destroy(struct counters *counters)
{
    for (size_t i = 0; i < counters->count; i++) {
        free((void *)counters->items[i].whose.data);
        counts_destroy(&counters->items[i].counts);
    }
    free(counters->items);
    *counters = (struct counters){0};
}

static struct counter *find(const struct counters *counters, struct bytes whose)
{
    for (size_t i = 0; i < counters->count; i++)
        if (bytes_equal(counters->items[i].whose, whose))
            return &counters->items[i];
    return NULL;
}

void counters_add(struct counters *counters, struct bytes whose, const char *name, int64_t by)
{
    struct counter *counter = find(counters, whose);
    if (!counter) {
        size_t size = (counters->count + 1) * sizeof *counter;
        counters->items = mem_resize(counters->items, size);
        counter = &counters->items[counters->count++];
        *counter = (struct counter){.whose = bytes_make(bytes_string(whose), whose.size)};
    }
    counts_add(&counter->counts, name, by);
}

int64_t counters_get(const struct counters *counters, struct bytes whose, const char *name)
{
    const struct counter *counter = find(counters, whose);
    return counter ? counts_get(&counter->counts, name) : 0;
}
