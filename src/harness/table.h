/* table.h - a store: an ordered map in memory, to which deltas are applied. */
#ifndef HARNESS_TABLE_H
#define HARNESS_TABLE_H

#include "engine/delta.h"

struct table_row {
    struct bytes key;   /* owned */
    struct bytes value; /* owned */
};

struct table {
    struct table_row *rows; /* sorted by key */
    size_t count, capacity;
};

void table_destroy(struct table *table);
void table_copy(struct table *to, const struct table *from);
void table_apply(struct table *table, const struct delta *delta);
void table_remove(struct table *table, struct bytes key);
const struct table_row *table_find(const struct table *table, struct bytes key);

/* The index of the first row at or after `key`. */
size_t table_seek(const struct table *table, struct bytes key);

#endif
