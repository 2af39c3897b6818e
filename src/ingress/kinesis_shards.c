/* kinesis_shards.c - which shards there are, where each begins, and when.
 *
 * Shards are split and merged: parents are closed, and children go on with their partition keys. A
 * child is read when its parents have been read to their ends, or are not there any more.
 *
 * The start that module.yaml asks for is for shards that were there when the ingress first read
 * their stream. What comes later begins at its beginning, since its first records were written for
 * us too. A run before this one may have ended before every shard had its position stored: ids
 * grow, and shards are handed out from the highest down, so one below a stored one was there from
 * the first. A shard without a position, one of whose descendants has one, was read to its end or
 * not wanted. */
#include "ingress/kinesis_inside.h"

#include "base/histogram.h"
#include "base/log.h"

#include <stdlib.h>
#include <time.h>

static struct kinesis_shard *find(const struct kinesis_stream *stream, const char *id)
{
    for (size_t i = 0; id && i < stream->shard_count; i++)
        if (!strcmp(stream->shards[i]->id, id))
            return stream->shards[i];
    return NULL;
}

void kinesis_shard_free(struct kinesis_shard *shard)
{
    kinesis_call_clear(&shard->call);
    free(shard->id);
    free(shard->parents[0]);
    free(shard->parents[1]);
    free(shard->position);
    free(shard->iterator);
    free(shard->asked_position);
    free(shard);
}

/* One shard that is read does not end the trouble that another one has. */
void kinesis_stream_note(struct kinesis_stream *stream, const struct kinesis_call *call)
{
    bool is_well = call->result != KINESIS_GOOD || stream->failures == 0;
    if (stream->trouble.now == call->result)
        return;
    for (size_t i = 0; call->result == KINESIS_GOOD && i < stream->shard_count; i++)
        is_well &= stream->shards[i]->failures == 0;
    if (is_well)
        kinesis_trouble_note(&stream->trouble, call, stream->spec->stream);
}

/* --- listing --- */

static const char *stored_position(const struct kinesis_stream *stream, const char *id)
{
    const struct kinesis_ingress_options *options = &stream->ingress->options;
    for (size_t i = 0; i < options->position_count; i++)
        if (!strcmp(options->positions[i].stream, stream->spec->stream) &&
            !strcmp(options->positions[i].shard, id))
            return options->positions[i].text;
    return NULL;
}

static char *text_in(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? mem_string(text) : NULL;
}

static void note_shard(struct kinesis_stream *stream, const json_t *told)
{
    const char *id = json_string_value(json_object_get(told, "ShardId"));
    const json_t *range = json_object_get(told, "SequenceNumberRange");
    if (!id)
        return;
    struct kinesis_shard *shard = find(stream, id);
    if (!shard) {
        shard = mem_new(sizeof *shard);
        shard->stream = stream;
        shard->id = mem_string(id);
        shard->stored = stored_position(stream, id);
        shard->parents[0] = text_in(told, "ParentShardId");
        shard->parents[1] = text_in(told, "AdjacentParentShardId");
        list_init(&shard->asked);
        stream->shards =
            mem_resize(stream->shards, (stream->shard_count + 1) * sizeof(struct kinesis_shard *));
        stream->shards[stream->shard_count++] = shard;
    }
    shard->is_closed = json_object_get(range, "EndingSequenceNumber") != NULL;
    shard->listed = stream->listings;
}

/* What is not listed any more is gone, with all that was in it. */
static void finish_missing(struct kinesis_stream *stream)
{
    for (size_t i = 0; i < stream->shard_count; i++) {
        struct kinesis_shard *shard = stream->shards[i];
        if (shard->listed == stream->listings)
            continue;
        if (shard->state == SHARD_WAITS)
            shard->state = SHARD_ENDED;
        else if (shard->state == SHARD_READ && shard->is_wanted && !shard->is_calling)
            kinesis_shard_finish(shard);
    }
}

static int by_id_down(const void *a, const void *b)
{
    return strcmp((*(struct kinesis_shard *const *)b)->id, (*(struct kinesis_shard *const *)a)->id);
}

static void end_listing(struct kinesis_stream *stream)
{
    if (stream->shard_count > 1)
        qsort(stream->shards, stream->shard_count, sizeof *stream->shards, by_id_down);
    finish_missing(stream);
    kinesis_stream_resolve(stream);
    stream->is_found = true;
    stream->due_us = clock_now_us() + stream->ingress->spec->client.discovery_ms * 1000;
}

static void on_listed(struct kinesis_call *call)
{
    struct kinesis_stream *stream = container_of(call, struct kinesis_stream, call);
    stream->is_calling = false;
    stream->failures = call->result == KINESIS_GOOD ? 0 : stream->failures + 1;
    kinesis_stream_note(stream, call);
    free(stream->next_token);
    stream->next_token = NULL;
    if (call->result != KINESIS_GOOD) {
        stream->due_us = kinesis_again_us(stream->failures);
    } else {
        const json_t *shards = json_object_get(call->reply, "Shards");
        for (size_t i = 0; i < json_array_size(shards); i++)
            note_shard(stream, json_array_get(shards, i));
        stream->due_us = 0;
        stream->next_token = text_in(call->reply, "NextToken");
        if (!stream->next_token)
            end_listing(stream);
    }
    kinesis_call_clear(call);
}

void kinesis_stream_list(struct kinesis_stream *stream)
{
    json_t *request = stream->next_token ? json_pack("{s:s}", "NextToken", stream->next_token)
                                         : json_pack("{s:s}", "StreamName", stream->spec->stream);
    if (!stream->next_token)
        stream->listings++;
    stream->call.on_done = on_listed;
    stream->is_calling = true;
    kinesis_call_start(stream->ingress->client, &stream->call, "ListShards", request);
}

/* --- where a shard begins --- */

/* Ids grow from parents to children, and shards are in order, the highest first: one pass in each
 * direction finds all relatives. */
static void find_relatives(struct kinesis_stream *stream)
{
    for (size_t i = stream->shard_count; i-- > 0;) {
        struct kinesis_shard *shard = stream->shards[i];
        for (size_t p = 0; p < 2; p++) {
            const struct kinesis_shard *parent = find(stream, shard->parents[p]);
            shard->has_ancestor |= parent && (parent->stored || parent->has_ancestor);
        }
    }
    for (size_t i = 0; i < stream->shard_count; i++) {
        const struct kinesis_shard *shard = stream->shards[i];
        for (size_t p = 0; p < 2; p++) {
            struct kinesis_shard *parent = find(stream, shard->parents[p]);
            if (parent)
                parent->has_descendant |= shard->stored || shard->has_descendant;
        }
    }
}

/* There when the ingress first read the stream. */
static bool was_first(const struct kinesis_shard *shard)
{
    const struct kinesis_ingress_options *options = &shard->stream->ingress->options;
    bool any = false;
    for (size_t i = 0; i < options->position_count; i++) {
        if (strcmp(options->positions[i].stream, shard->stream->spec->stream))
            continue;
        any = true;
        if (strcmp(options->positions[i].shard, shard->id) > 0)
            return true;
    }
    return !any;
}

static uint64_t wall_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* As module.yaml says; NULL: nothing of it is wanted. */
static char *asked_for(const struct kinesis_shard *shard)
{
    const struct kinesis_ingress_spec *spec = shard->stream->ingress->spec;
    switch (spec->start) {
    case KINESIS_START_EARLIEST:
        break;
    case KINESIS_START_LATEST:
        return shard->is_closed ? NULL : mem_format("L%llu", (unsigned long long)wall_ms());
    case KINESIS_START_DATE:
        if (spec->start_date_ms >= 0)
            return mem_format("T%lld", (long long)spec->start_date_ms);
        break;
    }
    return mem_string("H");
}

static void decide(struct kinesis_shard *shard)
{
    shard->is_known = true;
    if (shard->stored)
        shard->position = mem_string(shard->stored);
    else if (shard->stream->is_found || shard->has_ancestor)
        shard->position = mem_string("H");
    else if (!shard->has_descendant)
        shard->position = was_first(shard) ? asked_for(shard) : mem_string("H");
    if (!shard->position || *shard->position == 'E')
        shard->state = SHARD_ENDED;
    shard->is_begun = shard->stored; /* LATEST was then */
}

static bool can_begin(const struct kinesis_shard *shard)
{
    for (size_t i = 0; i < 2; i++) {
        const struct kinesis_shard *parent = find(shard->stream, shard->parents[i]);
        if (parent && parent->state != SHARD_ENDED)
            return false;
    }
    return true;
}

void kinesis_stream_resolve(struct kinesis_stream *stream)
{
    struct kinesis_ingress *ingress = stream->ingress;
    find_relatives(stream);
    for (size_t i = 0; i < stream->shard_count; i++)
        if (!stream->shards[i]->is_known)
            decide(stream->shards[i]);
    for (size_t i = 0; i < stream->shard_count; i++) {
        struct kinesis_shard *shard = stream->shards[i];
        if (shard->state != SHARD_WAITS || !can_begin(shard))
            continue;
        shard->state = SHARD_READ;
        log_info("ingress reads a shard", LOG_TEXT("ingress", ingress->id),
                 LOG_TEXT("stream", stream->spec->stream), LOG_TEXT("shard", shard->id));
        ingress->options.on_shard(ingress->options.owner,
                                  ingress->next_worker++ % ingress->options.workers, shard);
    }
}
