/* kinesis_fetch.c - one shard, read: an iterator, then records with it, again and again.
 *
 * An iterator lives for five minutes; with one that has expired the shard goes on where its lane
 * is. A reply without records is not worth a letter to the lane. */
#include "ingress/kinesis_inside.h"

#include "base/histogram.h"
#include "base/log.h"
#include "wire/base64.h"

#include <stdio.h>
#include <stdlib.h>

/* Kinesis's own limits are 256 characters and 128 digits. */
enum { KEY_BYTES_MAX = 1024, SEQUENCE_BYTES_MAX = 250 };

static void on_iterator(struct kinesis_call *call);
static void on_records(struct kinesis_call *call);

static void post(struct kinesis_shard *shard, struct kinesis_batch *batch)
{
    struct letters letters = {0};
    shard->is_wanted = false; /* until the lane asks again */
    letters_add(&letters, &batch->letter);
    inbox_put(shard->inbox, &letters);
}

static struct kinesis_batch *batch_new(struct kinesis_shard *shard, size_t count)
{
    struct kinesis_batch *batch = mem_new(sizeof *batch);
    batch->shard = shard;
    batch->entries = mem_new(count * sizeof *batch->entries);
    return batch;
}

void kinesis_shard_finish(struct kinesis_shard *shard)
{
    struct kinesis_batch *batch = batch_new(shard, 0);
    batch->is_last = true;
    log_warn("a shard is gone, and with it what was not read of it",
             LOG_TEXT("ingress", shard->stream->ingress->id),
             LOG_TEXT("stream", shard->stream->spec->stream), LOG_TEXT("shard", shard->id));
    post(shard, batch);
}

static void drop_iterator(struct kinesis_shard *shard)
{
    free(shard->iterator);
    shard->iterator = NULL;
}

/* --- requests --- */

static json_t *iterator_request(const struct kinesis_shard *shard)
{
    const char *position = shard->position, *rest = position + 1;
    const char *type = *position == 'A'                       ? "AFTER_SEQUENCE_NUMBER"
                       : *position == 'H'                     ? "TRIM_HORIZON"
                       : *position == 'L' && !shard->is_begun ? "LATEST"
                                                              : "AT_TIMESTAMP";
    json_t *request = json_pack("{s:s,s:s,s:s}", "StreamName", shard->stream->spec->stream,
                                "ShardId", shard->id, "ShardIteratorType", type);
    if (*position == 'A')
        json_object_set_new(request, "StartingSequenceNumber", json_string(rest));
    else if (!strcmp(type, "AT_TIMESTAMP"))
        json_object_set_new(request, "Timestamp", json_real(strtod(rest, NULL) / 1000));
    return request;
}

void kinesis_shard_fetch(struct kinesis_shard *shard)
{
    const struct kinesis_ingress *ingress = shard->stream->ingress;
    json_t *request = shard->iterator
                          ? json_pack("{s:s,s:I}", "ShardIterator", shard->iterator, "Limit",
                                      (json_int_t)ingress->spec->client.records_max)
                          : iterator_request(shard);
    shard->call.on_done = shard->iterator ? on_records : on_iterator;
    shard->is_calling = true;
    shard->due_us = clock_now_us() + ingress->spec->client.interval_ms * 1000;
    kinesis_call_start(ingress->client, &shard->call,
                       shard->iterator ? "GetRecords" : "GetShardIterator", request);
}

/* --- failures --- */

/* A position that is not in its shard: the stream was made anew, or the records are too old. */
static bool is_lost(const struct kinesis_shard *shard, const struct kinesis_call *call)
{
    return call->result == KINESIS_INVALID && !shard->iterator && *shard->position == 'A';
}

static void note_failure(struct kinesis_shard *shard, const struct kinesis_call *call)
{
    struct kinesis_stream *stream = shard->stream;
    if (is_lost(shard, call)) {
        log_warn("a position is not in its shard any more: it is reset to the beginning",
                 LOG_TEXT("ingress", stream->ingress->id), LOG_TEXT("stream", stream->spec->stream),
                 LOG_TEXT("shard", shard->id), LOG_TEXT("reason", call->message));
        free(shard->position);
        shard->position = mem_string("H");
    } else {
        kinesis_stream_note(stream, call);
    }
    if (call->result == KINESIS_EXPIRED || call->result == KINESIS_INVALID)
        drop_iterator(shard);
    shard->due_us = kinesis_again_us(++shard->failures);
}

static void note_good(struct kinesis_shard *shard, const struct kinesis_call *call)
{
    shard->failures = 0;
    kinesis_stream_note(shard->stream, call);
}

static void make_bad(struct kinesis_call *call, const char *expected)
{
    call->result = KINESIS_UNREACHABLE;
    (void)snprintf(call->message, sizeof call->message, "the answer makes no sense: expected %s",
                   expected);
}

/* --- replies --- */

static void on_iterator(struct kinesis_call *call)
{
    struct kinesis_shard *shard = container_of(call, struct kinesis_shard, call);
    const char *iterator = json_string_value(json_object_get(call->reply, "ShardIterator"));
    shard->is_calling = false;
    if (call->result == KINESIS_GOOD && !iterator)
        make_bad(call, "a ShardIterator");
    if (call->result == KINESIS_GOOD) {
        note_good(shard, call);
        shard->iterator = mem_string(iterator);
        shard->is_begun = true;
        shard->due_us = 0;
    } else {
        note_failure(shard, call);
    }
    kinesis_call_clear(call);
}

/* False if it is no text of at most `max` bytes. */
static bool add_text(struct kinesis_batch *batch, const json_t *text, size_t max,
                     struct kinesis_run *ret_run)
{
    *ret_run = (struct kinesis_run){batch->bytes.size, json_string_length(text)};
    if (!json_is_string(text) || ret_run->size > max)
        return false;
    buffer_add(&batch->bytes, json_string_value(text), ret_run->size);
    return true;
}

static bool add_record(struct kinesis_batch *batch, const json_t *record)
{
    struct kinesis_entry *entry = &batch->entries[batch->count++];
    const json_t *data = json_object_get(record, "Data");
    if (!json_is_string(data) ||
        !add_text(batch, json_object_get(record, "PartitionKey"), KEY_BYTES_MAX, &entry->key) ||
        !add_text(batch, json_object_get(record, "SequenceNumber"), SEQUENCE_BYTES_MAX,
                  &entry->sequence))
        return false;
    entry->arrival_ms =
        (int64_t)(json_number_value(json_object_get(record, "ApproximateArrivalTimestamp")) * 1000);
    entry->data.at = batch->bytes.size;
    bool good =
        base64_decode(bytes_make(json_string_value(data), json_string_length(data)), &batch->bytes);
    entry->data.size = batch->bytes.size - entry->data.at;
    return good;
}

/* NULL if the reply makes no sense. */
static struct kinesis_batch *batch_of(struct kinesis_shard *shard, const json_t *records)
{
    size_t count = json_array_size(records);
    struct kinesis_batch *batch = batch_new(shard, count);
    for (size_t i = 0; i < count; i++) {
        if (!add_record(batch, json_array_get(records, i))) {
            kinesis_batch_free(batch);
            return NULL;
        }
    }
    return batch;
}

static void take_records(struct kinesis_shard *shard, const struct kinesis_call *call,
                         struct kinesis_batch *batch)
{
    const char *next = json_string_value(json_object_get(call->reply, "NextShardIterator"));
    const json_t *behind = json_object_get(call->reply, "MillisBehindLatest");
    note_good(shard, call);
    atomic_store(&shard->behind_ms, (uint64_t)json_integer_value(behind));
    drop_iterator(shard);
    shard->iterator = next ? mem_string(next) : NULL;
    batch->is_last = !next;
    if (batch->count || batch->is_last)
        post(shard, batch);
    else
        kinesis_batch_free(batch);
}

static void on_records(struct kinesis_call *call)
{
    struct kinesis_shard *shard = container_of(call, struct kinesis_shard, call);
    const json_t *records = json_object_get(call->reply, "Records");
    struct kinesis_batch *batch = NULL;
    shard->is_calling = false;
    if (call->result == KINESIS_GOOD && json_is_array(records))
        batch = batch_of(shard, records);
    if (call->result == KINESIS_GOOD && !batch)
        make_bad(call, "Records with key, number and data");
    if (batch)
        take_records(shard, call, batch);
    else
        note_failure(shard, call);
    kinesis_call_clear(call);
}
