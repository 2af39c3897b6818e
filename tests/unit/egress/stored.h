/* stored.h - a store in memory as an outbox sees it: what was committed, and a view that may lag.
 *
 * Records are kept in the order in which they were committed, which is that of their keys. Shared
 * by the tests of the outbox and of what takes from it; any thread. */
#ifndef EGRESS_STORED_H
#define EGRESS_STORED_H

#include "base/mem.h"
#include "egress/outbox.h"

#include <pthread.h>

#define STORED_EGRESS_ID "test/out"

enum { STORED_EGRESS = 1, STORED_EGRESSES = 3 };

struct stored_record {
    struct bytes key, value; /* owned */
    uint64_t epoch;
};

struct stored {
    pthread_mutex_t lock;
    struct stored_record *records;
    size_t count, capacity;
    uint64_t epoch, view_epoch;
    unsigned hurried, scans;
    struct buffer key;
};

static inline struct stored *stored_new(void)
{
    struct stored *stored = mem_new(sizeof *stored);
    pthread_mutex_init(&stored->lock, NULL);
    return stored;
}

static inline void stored_free(struct stored *stored)
{
    for (size_t i = 0; i < stored->count; i++) {
        free((void *)stored->records[i].key.data);
        free((void *)stored->records[i].value.data);
    }
    free(stored->records);
    buffer_destroy(&stored->key);
    pthread_mutex_destroy(&stored->lock);
    free(stored);
}

/* A worker's part of an epoch with one record for each value. */
static inline struct delta *stored_part(struct stored *stored, uint32_t worker, uint64_t epoch,
                                        const struct bytes *values, size_t count)
{
    struct delta *part = delta_new(worker, epoch, STORED_EGRESSES);
    for (size_t i = 0; i < count; i++)
        delta_put_record(
            part, STORED_EGRESS,
            key_of_record(&stored->key, bytes_of(STORED_EGRESS_ID), epoch, worker, (uint32_t)i),
            values[i]);
    return part;
}

/* Commits what the part has for the egress. With `in_view` the view has it at once. */
static inline void stored_commit(struct stored *stored, const struct delta *part, bool in_view)
{
    const struct delta_outbox *outbox = &part->outboxes[STORED_EGRESS];
    pthread_mutex_lock(&stored->lock);
    for (size_t i = 0; i < outbox->count; i++) {
        struct bytes key = delta_record_key(part, &outbox->records[i]);
        struct bytes value = delta_record_value(part, &outbox->records[i]);
        if (stored->count == stored->capacity) {
            stored->capacity = stored->capacity ? stored->capacity * 2 : 64;
            stored->records =
                mem_resize(stored->records, stored->capacity * sizeof *stored->records);
        }
        stored->records[stored->count++] = (struct stored_record){
            .key = bytes_make(bytes_string(key), key.size),
            .value = bytes_make(bytes_string(value), value.size),
            .epoch = part->epoch,
        };
    }
    if (part->epoch > stored->epoch)
        stored->epoch = part->epoch;
    if (in_view)
        stored->view_epoch = stored->epoch;
    pthread_mutex_unlock(&stored->lock);
}

static inline void stored_view(struct stored *stored, uint64_t epoch)
{
    pthread_mutex_lock(&stored->lock);
    stored->view_epoch = epoch;
    pthread_mutex_unlock(&stored->lock);
}

static inline uint64_t stored_view_epoch(void *owner)
{
    struct stored *stored = owner;
    pthread_mutex_lock(&stored->lock);
    uint64_t epoch = stored->view_epoch;
    pthread_mutex_unlock(&stored->lock);
    return epoch;
}

/* Only what the view has can be seen. */
static inline void stored_scan(void *owner, struct bytes from, struct bytes to,
                               bool (*visit)(void *visitor, struct bytes key, struct bytes value),
                               void *visitor)
{
    struct stored *stored = owner;
    pthread_mutex_lock(&stored->lock);
    stored->scans++;
    for (size_t i = 0; i < stored->count; i++) {
        const struct stored_record *record = &stored->records[i];
        if (record->epoch > stored->view_epoch || bytes_compare(record->key, from) < 0)
            continue;
        if (bytes_compare(record->key, to) >= 0 || !visit(visitor, record->key, record->value))
            break;
    }
    pthread_mutex_unlock(&stored->lock);
}

static inline void stored_hurry(void *owner)
{
    struct stored *stored = owner;
    pthread_mutex_lock(&stored->lock);
    stored->hurried++;
    pthread_mutex_unlock(&stored->lock);
}

static inline struct outbox_reader stored_reader(struct stored *stored)
{
    return (struct outbox_reader){stored, stored_view_epoch, stored_scan, stored_hurry};
}

#endif
