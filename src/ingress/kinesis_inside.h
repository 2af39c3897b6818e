/* kinesis_inside.h - what the parts of a Kinesis ingress know of each other, and nobody else.
 *
 *     kinesis_ingress.c   opens, stops, closes; positions
 *     kinesis_control.c   the control's thread: its turns, and what lanes ask of it
 *     kinesis_shards.c    finds shards and decides where each begins and when
 *     kinesis_fetch.c     reads one shard: iterators, records
 *     kinesis_lane.c      a worker's share: records into its engine */
#ifndef INGRESS_KINESIS_INSIDE_H
#define INGRESS_KINESIS_INSIDE_H

#include "base/mem.h"
#include "ingress/kinesis_ingress.h"
#include "kinesis/client.h"
#include "loop/inbox.h"

#include <pthread.h>
#include <stdatomic.h>

/* A run of bytes in a batch. */
struct kinesis_run {
    size_t at, size;
};

struct kinesis_entry {
    struct kinesis_run key, data, sequence;
    int64_t arrival_ms; /* since 1970; about */
};

/* Records of one shard on their way to its lane, which frees them. */
struct kinesis_batch {
    struct letter letter;
    struct kinesis_shard *shard;
    struct buffer bytes;
    struct kinesis_entry *entries;
    size_t count;
    bool is_last; /* nothing follows in this shard */
};
void kinesis_batch_free(struct kinesis_batch *batch); /* NULL is fine */

static inline struct bytes kinesis_bytes(const struct kinesis_batch *batch, struct kinesis_run run)
{
    return bytes_make(batch->bytes.data + run.at, run.size);
}

/*     WAITS ──its parents have ended──▶ READ ──its end is durable──▶ ENDED
 *       └──nothing of it is wanted───────────────────────────────────▲     */
enum kinesis_shard_state { SHARD_WAITS, SHARD_READ, SHARD_ENDED };

struct kinesis_shard {
    struct kinesis_stream *stream;
    char *id;

    /* Of the control's thread. */
    char *parents[2];                  /* ids; NULL: none */
    const char *stored;                /* its position when the ingress was opened; NULL: none */
    bool has_ancestor, has_descendant; /* with such a position */
    bool is_closed;                    /* nothing is added to it any more */
    bool is_known;                     /* where it begins was decided */
    uint64_t listed;                   /* the listing that it was in last */
    enum kinesis_shard_state state;
    char *position; /* as stored: where the next iterator begins */
    char *iterator; /* NULL: one is to be asked for */
    bool is_begun;  /* there was one before */
    bool is_wanted; /* its lane has room for a batch */
    struct kinesis_call call;
    bool is_calling;
    uint64_t due_us; /* no call before */
    unsigned failures;

    /* Where lane and control meet, under the ingress's lock. */
    struct list asked; /* in kinesis_ingress.asked: its lane wants a batch, or it has ended */
    char *asked_position;
    bool has_ended;
    struct inbox *inbox; /* of its lane */
    void *reading;       /* the lane's */

    atomic_uint_least64_t behind_ms;
};

struct kinesis_stream {
    struct kinesis_ingress *ingress;
    const struct kinesis_stream_spec *spec;

    /* For the lanes, made once. */
    struct record_target *targets; /* spec->target_count of them */
    struct buffer argument_head;   /* of a TypedValue: all but its value */

    /* Of the control's thread. */
    struct kinesis_shard **shards;
    size_t shard_count;
    struct kinesis_call call; /* that lists them */
    bool is_calling;
    char *next_token;  /* the listing goes on; else NULL */
    uint64_t listings; /* that were begun */
    bool is_found;     /* there was a whole one */
    uint64_t due_us;
    unsigned failures;
    struct kinesis_trouble trouble;
};

struct kinesis_ingress {
    struct kinesis_ingress_options options; /* its positions are ours */
    const struct kinesis_ingress_spec *spec;
    char *id;
    struct kinesis_client *client;
    struct kinesis_stream *streams; /* one for each of the spec */
    uint32_t next_worker;

    pthread_t thread;
    bool has_thread;
    pthread_mutex_t lock;
    bool is_stopped;   /* under lock */
    struct list asked; /* of kinesis_shard.asked, under lock */
};

/* --- control --- */

void *kinesis_control_run(void *ingress); /* pthread's start routine */

/* A lane: it has room for a batch from `position` on; or has read all, and that is durable. */
void kinesis_control_ask(struct kinesis_ingress *ingress, struct kinesis_shard *shard,
                         struct bytes position);
void kinesis_control_end(struct kinesis_ingress *ingress, struct kinesis_shard *shard);

/* When to try again what failed so many times in a row, from now. */
uint64_t kinesis_again_us(unsigned failures);

/* --- shards --- */

void kinesis_stream_list(struct kinesis_stream *stream); /* begins a listing, or goes on with it */
void kinesis_stream_resolve(struct kinesis_stream *stream); /* hands out what can be read */
void kinesis_stream_note(struct kinesis_stream *stream, const struct kinesis_call *call);
void kinesis_shard_free(struct kinesis_shard *shard);

/* --- fetching --- */

void kinesis_shard_fetch(struct kinesis_shard *shard);  /* makes the next call */
void kinesis_shard_finish(struct kinesis_shard *shard); /* nothing of it can be read any more */

#endif
