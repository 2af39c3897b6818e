/* counts.h - what one function, or the routers of one ingress, count: a handful of numbers by name.
 * One thread. */
#ifndef SDK_COUNTS_H
#define SDK_COUNTS_H

#include <stddef.h>
#include <stdint.h>

struct count {
    char *name;
    int64_t value;
};

/* In the order in which they were first counted. All zeros: empty. */
struct counts {
    struct count *items;
    size_t count;
};

void counts_add(struct counts *counts, const char *name, int64_t by);
int64_t counts_get(const struct counts *counts, const char *name); /* 0 if there is none */
void counts_destroy(struct counts *counts);

#endif
