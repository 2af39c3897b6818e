/* delta.c - entries one behind the other in one buffer, written once. */
#include "engine/delta.h"

#include "base/mem.h"
#include "wire/protobuf.h"

#include <assert.h>

struct delta *delta_new(uint32_t worker, uint64_t epoch, uint32_t egress_count)
{
    struct delta *delta = mem_new(sizeof *delta);
    atomic_init(&delta->references, 1);
    delta->worker = worker;
    delta->epoch = epoch;
    delta->egress_count = egress_count;
    delta->outboxes = mem_new(egress_count * sizeof *delta->outboxes);
    return delta;
}

struct delta *delta_ref(struct delta *delta)
{
    atomic_fetch_add_explicit(&delta->references, 1, memory_order_relaxed);
    return delta;
}

void delta_unref(struct delta *delta)
{
    if (!delta || atomic_fetch_sub_explicit(&delta->references, 1, memory_order_acq_rel) > 1)
        return;
    for (uint32_t i = 0; i < delta->egress_count; i++)
        free(delta->outboxes[i].records);
    free(delta->outboxes);
    buffer_destroy(&delta->entries);
    free(delta);
}

/* Adds an entry without its key and its value; returns where they go. */
static uint8_t *add_head(struct delta *delta, enum delta_change change, size_t key_size,
                         size_t value_size)
{
    size_t most = 1 + 2 * PB_VARINT_MAX + key_size + value_size;
    uint8_t *start = buffer_reserve(&delta->entries, most), *to = start;
    *to++ = (uint8_t)change;
    to = pb_put_varint(to, key_size);
    to = pb_put_varint(to, value_size);
    delta->entries.size += (size_t)(to - start) + key_size + value_size;
    return to;
}

static void add_entry(struct delta *delta, enum delta_change change, struct bytes key,
                      struct bytes value)
{
    (void)bytes_put(bytes_put(add_head(delta, change, key.size, value.size), key), value);
}

uint8_t *delta_put_blank(struct delta *delta, size_t key_size, size_t value_size)
{
    return add_head(delta, DELTA_PUT, key_size, value_size);
}

void delta_put(struct delta *delta, struct bytes key, struct bytes value)
{
    add_entry(delta, DELTA_PUT, key, value);
}

void delta_remove(struct delta *delta, struct bytes key)
{
    add_entry(delta, DELTA_REMOVE, key, (struct bytes){0});
}

void delta_trim(struct delta *delta, struct bytes from, struct bytes to)
{
    add_entry(delta, DELTA_TRIM, from, to);
}

void delta_put_record(struct delta *delta, uint32_t egress, struct bytes key, struct bytes value)
{
    assert(egress < delta->egress_count);
    add_entry(delta, DELTA_PUT, key, value);

    struct delta_outbox *outbox = &delta->outboxes[egress];
    if (outbox->count == outbox->capacity) {
        outbox->capacity = outbox->capacity ? outbox->capacity * 2 : 8;
        outbox->records = mem_resize(outbox->records, outbox->capacity * sizeof *outbox->records);
    }
    size_t end = delta->entries.size;
    outbox->records[outbox->count++] = (struct delta_record){
        .key_at = end - value.size - key.size,
        .key_size = key.size,
        .value_at = end - value.size,
        .value_size = value.size,
    };
    outbox->bytes += value.size;
}

bool delta_next(struct bytes *rest, struct delta_entry *ret_entry)
{
    if (!rest->size)
        return false;

    const uint8_t *at = rest->data, *end = rest->data + rest->size;
    uint8_t change = *at++;
    uint64_t key_size, value_size;
    if ((change != DELTA_PUT && change != DELTA_REMOVE && change != DELTA_TRIM) ||
        !pb_take_varint(&at, end, &key_size) || !pb_take_varint(&at, end, &value_size))
        return false;
    uint64_t left = (uint64_t)(end - at);
    if (key_size > left || value_size > left - key_size)
        return false;

    ret_entry->change = (enum delta_change)change;
    ret_entry->key = bytes_make(at, (size_t)key_size);
    ret_entry->value = bytes_make(at + key_size, (size_t)value_size);
    *rest = bytes_from(*rest, (size_t)(at - rest->data) + (size_t)(key_size + value_size));
    return true;
}
