/* counts.c - a list, as there are few of them. */
#include "sdk/counts.h"

#include "base/mem.h"

#include <string.h>

static struct count *find(const struct counts *counts, const char *name)
{
    for (size_t i = 0; i < counts->count; i++)
        if (!strcmp(counts->items[i].name, name))
            return &counts->items[i];
    return NULL;
}

void counts_add(struct counts *counts, const char *name, int64_t by)
{
    struct count *count = find(counts, name);
    if (!count) {
        counts->items = mem_resize(counts->items, (counts->count + 1) * sizeof *count);
        count = &counts->items[counts->count++];
        *count = (struct count){.name = mem_string(name)};
    }
    count->value = (int64_t)((uint64_t)count->value + (uint64_t)by);
}

int64_t counts_get(const struct counts *counts, const char *name)
{
    const struct count *count = find(counts, name);
    return count ? count->value : 0;
}

void counts_destroy(struct counts *counts)
{
    for (size_t i = 0; i < counts->count; i++)
        free(counts->items[i].name);
    free(counts->items);
    *counts = (struct counts){0};
}
