/* module_inside.h - what the parts of a C ingress know of each other, and nobody else.
 *
 *     module_ingress.c   opens, stops, closes
 *     module_source.c    a partition's thread: what `run` calls, and what becomes of it
 *     module_lane.c      a worker's share: records into its engine */
#ifndef INGRESS_MODULE_INSIDE_H
#define INGRESS_MODULE_INSIDE_H

#include "base/mem.h"
#include "ingress/module_ingress.h"
#include "loop/inbox.h"
#include "sdk/host.h"

#include <pthread.h>

enum { MODULE_POSITION_BYTES_MAX = 255 };

/* A run of bytes in a batch. */
struct module_run {
    size_t at, size;
};

struct module_entry {
    struct module_run key, value, topic, position; /* the topic with its NUL */
    bool has_key, has_topic;
    int64_t timestamp_ms;
};

/* Records on their way, with what they refer to. */
struct module_batch {
    struct buffer bytes;
    struct module_entry *entries;
    size_t count, capacity;
};

static inline struct bytes module_bytes(const struct module_batch *batch, struct module_run run)
{
    return bytes_make(batch->bytes.data + run.at, run.size);
}

/* A partition: what `run` gets.
 *
 *     CALLED ──false──▶ PAUSED ──all accepted, and the pause is over──▶ CALLED
 *       └──true──▶ ENDED                (any ──the runtime stops──▶ ENDED, as soon as `run`
 * returns) */
struct module_source {
    struct sf_source source; /* stays first: its host finds the rest */
    struct module_ingress *ingress;
    uint32_t partition;
    pthread_t thread;
    bool has_thread;

    /* Of the partition's thread. */
    struct buffer position; /* where this call of `run` began */
    struct buffer emitted;  /* the last position emitted */
    const char *fault;      /* of what it has emitted; NULL: none */
    bool is_struck;         /* it has failed, and that was said */
    uint64_t failed_us;     /* when it did last */
    uint64_t count;         /* emitted by this call */

    /* Where thread and lane meet. */
    pthread_mutex_t lock;
    pthread_cond_t changed; /* there is room, nothing is left, or the runtime stops */
    struct module_batch queue;
    size_t queued_bytes; /* of the queue and of what the lane has in hand */
    bool is_stopped;
    bool is_posted; /* the lane knows that the queue is not empty */
    struct letter letter;
    struct inbox *inbox; /* of its lane; NULL: there is none any more */
    uint64_t failures;
};

struct module_ingress {
    struct module_ingress_options options;
    const struct sf_ingress *spec;
    struct module_source *sources;
    uint32_t partitions;
};

extern const struct sf_host module_source_host;

void *module_source_run(void *source); /* pthread's start routine */

/* What a record counts in its queue. */
static inline size_t module_entry_bytes(const struct module_entry *entry)
{
    return sizeof *entry + entry->key.size + entry->value.size + entry->topic.size +
           entry->position.size;
}

void module_batch_destroy(struct module_batch *batch);

/* Tells a source that the lane has got rid of so many bytes. */
void module_source_relieve(struct module_source *source, size_t bytes);
void module_source_stop(struct module_source *source);

#endif
