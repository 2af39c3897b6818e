/* table.c - a sorted array: slow in theory, quick at a simulation's sizes, and plain to see
 * through. */
#include "harness/table.h"

#include "base/mem.h"

#include <assert.h>

static struct bytes copy(struct bytes bytes)
{
    return bytes_make(bytes_string(bytes), bytes.size);
}

static void free_row(struct table_row *row)
{
    free((void *)row->key.data);
    free((void *)row->value.data);
}

void table_destroy(struct table *table)
{
    for (size_t i = 0; i < table->count; i++)
        free_row(&table->rows[i]);
    free(table->rows);
    *table = (struct table){0};
}

void table_copy(struct table *to, const struct table *from)
{
    table_destroy(to);
    to->rows = mem_new(from->count * sizeof *to->rows);
    to->count = to->capacity = from->count;
    for (size_t i = 0; i < from->count; i++)
        to->rows[i] = (struct table_row){copy(from->rows[i].key), copy(from->rows[i].value)};
}

size_t table_seek(const struct table *table, struct bytes key)
{
    size_t low = 0, high = table->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (bytes_compare(table->rows[middle].key, key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const struct table_row *table_find(const struct table *table, struct bytes key)
{
    size_t index = table_seek(table, key);
    return index < table->count && bytes_equal(table->rows[index].key, key) ? &table->rows[index]
                                                                            : NULL;
}

static void put(struct table *table, struct bytes key, struct bytes value)
{
    size_t index = table_seek(table, key);
    if (index < table->count && bytes_equal(table->rows[index].key, key)) {
        free((void *)table->rows[index].value.data);
        table->rows[index].value = copy(value);
        return;
    }
    if (table->count == table->capacity) {
        table->capacity = table->capacity ? table->capacity * 2 : 64;
        table->rows = mem_resize(table->rows, table->capacity * sizeof *table->rows);
    }
    memmove(&table->rows[index + 1], &table->rows[index],
            (table->count - index) * sizeof *table->rows);
    table->rows[index] = (struct table_row){copy(key), copy(value)};
    table->count++;
}

static void cut(struct table *table, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        free_row(&table->rows[i]);
    memmove(&table->rows[from], &table->rows[to], (table->count - to) * sizeof *table->rows);
    table->count -= to - from;
}

void table_remove(struct table *table, struct bytes key)
{
    size_t index = table_seek(table, key);
    if (index < table->count && bytes_equal(table->rows[index].key, key))
        cut(table, index, index + 1);
}

void table_apply(struct table *table, const struct delta *delta)
{
    struct bytes rest = buffer_bytes(&delta->entries);
    struct delta_entry entry;
    while (delta_next(&rest, &entry)) {
        size_t from = table_seek(table, entry.key);
        if (entry.change == DELTA_PUT) {
            put(table, entry.key, entry.value);
        } else if (entry.change == DELTA_TRIM) {
            size_t to = table_seek(table, entry.value);
            if (to > from)
                cut(table, from, to);
        } else {
            table_remove(table, entry.key);
        }
    }
    assert(!rest.size && "a delta must hold nothing but entries");
}
