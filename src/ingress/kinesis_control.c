/* kinesis_control.c - the thread that makes an ingress's calls: in each turn it hears what lanes
 * ask, starts the calls that are due, and waits for one of them to end. */
#include "ingress/kinesis_inside.h"

#include "base/histogram.h"

enum { TURN_MS_MAX = 1000, AGAIN_MS_MIN = 100, AGAIN_MS_MAX = 5000 };

uint64_t kinesis_again_us(unsigned failures)
{
    uint64_t ms = AGAIN_MS_MIN;
    for (unsigned i = 1; i < failures && ms < AGAIN_MS_MAX; i++)
        ms *= 2;
    return clock_now_us() + (ms < AGAIN_MS_MAX ? ms : AGAIN_MS_MAX) * 1000;
}

/* --- what lanes ask --- */

static void ask(struct kinesis_ingress *ingress, struct kinesis_shard *shard)
{
    if (list_is_empty(&shard->asked))
        list_put_last(&ingress->asked, &shard->asked);
    kinesis_client_wake(ingress->client);
}

void kinesis_control_ask(struct kinesis_ingress *ingress, struct kinesis_shard *shard,
                         struct bytes position)
{
    pthread_mutex_lock(&ingress->lock);
    free(shard->asked_position);
    shard->asked_position = bytes_string(position);
    ask(ingress, shard);
    pthread_mutex_unlock(&ingress->lock);
}

void kinesis_control_end(struct kinesis_ingress *ingress, struct kinesis_shard *shard)
{
    pthread_mutex_lock(&ingress->lock);
    shard->has_ended = true;
    ask(ingress, shard);
    pthread_mutex_unlock(&ingress->lock);
}

/* Under the lock. */
static void hear(struct kinesis_shard *shard)
{
    if (shard->has_ended) {
        shard->state = SHARD_ENDED;
        shard->stream->due_us = 0; /* its children may not be known yet */
    }
    if (shard->asked_position) {
        free(shard->position);
        shard->position = shard->asked_position;
        shard->asked_position = NULL;
        shard->is_wanted = true;
    }
}

/* False if the ingress was stopped. */
static bool hear_all(struct kinesis_ingress *ingress)
{
    pthread_mutex_lock(&ingress->lock);
    bool is_stopped = ingress->is_stopped;
    for (struct list *node; (node = list_take_first(&ingress->asked));)
        hear(container_of(node, struct kinesis_shard, asked));
    pthread_mutex_unlock(&ingress->lock);
    return !is_stopped;
}

/* --- turns --- */

static void earlier(uint64_t *us, uint64_t due_us)
{
    if (due_us < *us)
        *us = due_us;
}

/* Starts what is due; returns when the next call will be. */
static uint64_t start_calls(struct kinesis_ingress *ingress)
{
    uint64_t now_us = clock_now_us(), next_us = now_us + TURN_MS_MAX * 1000;
    for (size_t i = 0; i < ingress->spec->stream_count; i++) {
        struct kinesis_stream *stream = &ingress->streams[i];
        if (!stream->is_calling && stream->due_us <= now_us)
            kinesis_stream_list(stream);
        else if (!stream->is_calling)
            earlier(&next_us, stream->due_us);
        for (size_t j = 0; j < stream->shard_count; j++) {
            struct kinesis_shard *shard = stream->shards[j];
            if (!shard->is_wanted || shard->is_calling)
                continue;
            if (shard->due_us <= now_us)
                kinesis_shard_fetch(shard);
            else
                earlier(&next_us, shard->due_us);
        }
    }
    return next_us;
}

static void cancel_calls(struct kinesis_ingress *ingress)
{
    for (size_t i = 0; i < ingress->spec->stream_count; i++) {
        struct kinesis_stream *stream = &ingress->streams[i];
        if (stream->is_calling)
            kinesis_call_cancel(ingress->client, &stream->call);
        for (size_t j = 0; j < stream->shard_count; j++)
            if (stream->shards[j]->is_calling)
                kinesis_call_cancel(ingress->client, &stream->shards[j]->call);
    }
}

void *kinesis_control_run(void *argument)
{
    struct kinesis_ingress *ingress = argument;
    while (hear_all(ingress)) {
        uint64_t next_us = start_calls(ingress), now_us = clock_now_us();
        int wait_ms = next_us > now_us ? (int)((next_us - now_us) / 1000) + 1 : 0;
        kinesis_client_run(ingress->client, wait_ms);
    }
    cancel_calls(ingress);
    return NULL;
}
