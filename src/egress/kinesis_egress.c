/* kinesis_egress.c - see kinesis_egress.h.
 *
 * A batch is put in rounds. In each, every stream gets requests until none of its records is left
 * or something is in its way; then it is stuck for this round, and after a pause there is another
 * one.
 *
 *     TODO ──put──▶ DONE      (back to TODO when one before it with its key was refused)
 *      │ └──refused in company──▶ ALONE ──put──▶ DONE
 *      └──can never be taken──▶ DEAD ◀──refused alone──┘ */
#include "egress/kinesis_egress.h"

#include "base/mem.h"
#include "kinesis/client.h"
#include "wire/base64.h"
#include "wire/typed_value.h"

#include <stdio.h>

enum {
    BATCH_BYTES = 4 << 20,
    REQUEST_RECORDS_MAX = 500, /* Kinesis's own limits */
    REQUEST_BYTES_MAX = 5 << 20,
    RECORD_BYTES_MAX = 1 << 20, /* of value and partition key */
    STREAM_BYTES_MAX = 128,
    PAUSE_MS_MIN = 50,
    PAUSE_MS_MAX = 5000
};

enum fate { TODO, ALONE, DONE, DEAD };

struct item {
    struct kinesis_record record;
    enum fate fate;
    bool is_stuck; /* its stream, for this round */
};

struct kinesis_egress {
    struct kinesis_egress_options options;
    char *id;
    struct egress_thread thread;
    struct kinesis_client *client;
    struct kinesis_trouble trouble;

    struct outbox_batch *batch; /* being delivered */
    struct item *items;         /* one for each of its records */
    size_t request[REQUEST_RECORDS_MAX];
    size_t request_count; /* numbers of items, in order */

    struct egress_figures figures; /* under the thread's lock */
};

/* --- dead records --- */

static void bury(struct kinesis_egress *egress, size_t number, const char *cause)
{
    const struct outbox_record *record = &egress->batch->records[number];
    egress->items[number].fate = DEAD;
    egress->options.on_dead(egress->options.owner, egress->options.egress, record->key,
                            &(struct dead_letter){
                                .kind = DEAD_UNDELIVERABLE,
                                .cause = bytes_of(cause),
                                .egress = bytes_of(egress->id),
                                .value = record->value,
                            });
    pthread_mutex_lock(&egress->thread.lock);
    egress->figures.dead++;
    pthread_mutex_unlock(&egress->thread.lock);
}

static bool is_stream_name(struct bytes name)
{
    for (size_t i = 0; i < name.size; i++) {
        uint8_t c = name.data[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
            c != '_' && c != '.' && c != '-')
            return false;
    }
    return name.size <= STREAM_BYTES_MAX;
}

/* NULL if Kinesis may take it. */
static const char *fault_of(const struct kinesis_record *record)
{
    if (!is_stream_name(record->stream))
        return "no stream can have the name that the record gives: expected at most 128 letters, "
               "digits, '.', '_' and '-'";
    if (record->value.size + record->partition_key.size > RECORD_BYTES_MAX)
        return "Kinesis takes records of at most 1 MiB, the partition key counted";
    return NULL;
}

static void read_records(struct kinesis_egress *egress)
{
    for (size_t i = 0; i < egress->batch->count; i++) {
        struct item *item = &egress->items[i];
        struct sf_status status;
        *item = (struct item){0};
        if (!kinesis_record_parse(egress->batch->records[i].value, &item->record, &status)) {
            bury(egress, i, status.message);
            continue;
        }
        const char *fault = fault_of(&item->record);
        if (fault)
            bury(egress, i, fault);
    }
}

/* --- one request --- */

static bool is_left(const struct item *item)
{
    return (item->fate == TODO || item->fate == ALONE) && !item->is_stuck;
}

/* Chooses what goes next: the first record that is left, and others of its stream behind it. */
static void gather(struct kinesis_egress *egress)
{
    const struct item *first = NULL;
    size_t bytes = 0, most = egress->options.spec->outstanding_max;
    most = most < REQUEST_RECORDS_MAX ? most : REQUEST_RECORDS_MAX;
    egress->request_count = 0;
    for (size_t i = 0; i < egress->batch->count && egress->request_count < most; i++) {
        const struct item *item = &egress->items[i];
        if (!is_left(item) || (first && !bytes_equal(item->record.stream, first->record.stream)))
            continue;
        size_t size = item->record.value.size + item->record.partition_key.size;
        if (first && (item->fate == ALONE || bytes + size > REQUEST_BYTES_MAX))
            return; /* what follows of this stream follows it */
        first = first ? first : item;
        bytes += size;
        egress->request[egress->request_count++] = i;
        if (item->fate == ALONE)
            return;
    }
}

static json_t *text_of(struct bytes text)
{
    return json_stringn((const char *)text.data, text.size);
}

static json_t *request_of(const struct kinesis_egress *egress)
{
    json_t *records = json_array();
    struct buffer data = {0};
    for (size_t i = 0; i < egress->request_count; i++) {
        const struct kinesis_record *record = &egress->items[egress->request[i]].record;
        json_t *entry = json_object();
        buffer_clear(&data);
        base64_add(&data, record->value);
        json_object_set_new(entry, "Data",
                            text_of(bytes_make(data.data ? data.data : (uint8_t *)"", data.size)));
        json_object_set_new(entry, "PartitionKey", text_of(record->partition_key));
        if (record->explicit_hash_key.size)
            json_object_set_new(entry, "ExplicitHashKey", text_of(record->explicit_hash_key));
        json_array_append_new(records, entry);
    }
    buffer_destroy(&data);
    return json_pack("{s:o,s:o}", "StreamName",
                     text_of(egress->items[egress->request[0]].record.stream), "Records", records);
}

/* --- what became of it --- */

/* Records behind one that was refused, with its key, are put once more: they would stand before it
 * otherwise. */
static void take_back(struct kinesis_egress *egress, size_t refused)
{
    const struct item *first = &egress->items[egress->request[refused]];
    for (size_t i = refused + 1; i < egress->request_count; i++) {
        struct item *item = &egress->items[egress->request[i]];
        if (bytes_equal(item->record.partition_key, first->record.partition_key))
            item->fate = TODO;
    }
}

/* True if all were put. */
static bool note_put(struct kinesis_egress *egress, struct kinesis_call *call)
{
    const json_t *results = json_object_get(call->reply, "Records");
    bool all = json_array_size(results) == egress->request_count;
    if (!all) {
        call->result = KINESIS_UNREACHABLE;
        (void)snprintf(call->message, sizeof call->message,
                       "expected an answer for each of %zu records, found %zu",
                       egress->request_count, json_array_size(results));
        return false;
    }
    for (size_t i = 0; i < egress->request_count; i++)
        egress->items[egress->request[i]].fate = DONE;
    for (size_t i = 0; i < egress->request_count; i++) {
        const json_t *result = json_array_get(results, i);
        if (!json_is_string(json_object_get(result, "ErrorCode")))
            continue;
        all = false;
        egress->items[egress->request[i]].fate = TODO;
        take_back(egress, i);
    }
    return all;
}

/* The whole request was refused for what is in it: perhaps for one record of it. */
static void note_invalid(struct kinesis_egress *egress, const struct kinesis_call *call)
{
    if (egress->request_count > 1) {
        for (size_t i = 0; i < egress->request_count; i++)
            egress->items[egress->request[i]].fate = ALONE;
        return;
    }
    char cause[sizeof call->message + 40];
    (void)snprintf(cause, sizeof cause, "Kinesis refuses the record: %s", call->message);
    bury(egress, egress->request[0], cause);
}

static void mark_stuck(struct kinesis_egress *egress)
{
    struct bytes stream = egress->items[egress->request[0]].record.stream;
    for (size_t i = 0; i < egress->batch->count; i++)
        if (bytes_equal(egress->items[i].record.stream, stream))
            egress->items[i].is_stuck = true;
}

static bool must_end(void *egress)
{
    return egress_thread_must_end(&((struct kinesis_egress *)egress)->thread);
}

/* One request for what is left; false if the egress has to end. */
static bool put_some(struct kinesis_egress *egress)
{
    struct kinesis_call call = {0};
    if (!kinesis_call_run(egress->client, &call, "PutRecords", request_of(egress), must_end,
                          egress))
        return false;
    bool good = call.result == KINESIS_GOOD && note_put(egress, &call);
    if (call.result == KINESIS_INVALID)
        note_invalid(egress, &call);
    else if (!good)
        mark_stuck(egress);
    if (call.result != KINESIS_INVALID) {
        char *stream = bytes_string(egress->items[egress->request[0]].record.stream);
        kinesis_trouble_note(&egress->trouble, &call, stream);
        free(stream);
    }
    kinesis_call_clear(&call);
    return true;
}

/* --- a batch --- */

/* How many are left for another round. */
static size_t begin_round(struct kinesis_egress *egress)
{
    size_t left = 0;
    for (size_t i = 0; i < egress->batch->count; i++) {
        struct item *item = &egress->items[i];
        left += item->fate == TODO || item->fate == ALONE;
        item->is_stuck = false;
    }
    return left;
}

/* Puts every stream's records until all are put or stuck; false if the egress has to end. */
static bool put_round(struct kinesis_egress *egress)
{
    for (;;) {
        gather(egress);
        if (!egress->request_count)
            return true;
        if (!put_some(egress))
            return false;
    }
}

static void note_batch(struct kinesis_egress *egress, uint64_t began_us)
{
    size_t put = 0;
    for (size_t i = 0; i < egress->batch->count; i++)
        put += egress->items[i].fate == DONE;
    pthread_mutex_lock(&egress->thread.lock);
    egress->figures.records += put;
    egress->figures.bytes += egress->batch->bytes;
    egress->figures.batches++;
    histogram_add(&egress->figures.latency, clock_now_us() - began_us);
    pthread_mutex_unlock(&egress->thread.lock);
}

/* For as long as it takes; false if the egress has to end before. */
static bool deliver(struct kinesis_egress *egress, struct outbox_batch *batch)
{
    uint64_t began_us = clock_now_us(), pause_ms = PAUSE_MS_MIN;
    size_t left, before = batch->count;
    bool good;
    egress->batch = batch;
    egress->items = mem_new_raw(batch->count * sizeof *egress->items);
    read_records(egress);
    while ((good = put_round(egress)) && (left = begin_round(egress))) {
        if (left < before)
            pause_ms = PAUSE_MS_MIN; /* it only wants less at a time */
        before = left;
        pthread_mutex_lock(&egress->thread.lock);
        egress->figures.aborted++;
        pthread_mutex_unlock(&egress->thread.lock);
        egress_thread_pause(&egress->thread, pause_ms);
        pause_ms = pause_ms * 2 < PAUSE_MS_MAX ? pause_ms * 2 : PAUSE_MS_MAX;
    }
    if (good)
        note_batch(egress, began_us);
    free(egress->items);
    egress->items = NULL;
    egress->batch = NULL;
    return good;
}

static void *run(void *argument)
{
    struct kinesis_egress *egress = argument;
    struct outbox_batch batch;
    (void)outbox_begin(egress->options.outbox, 0, egress->options.committed);
    while (egress_thread_take(&egress->thread, BATCH_BYTES, NULL, NULL, NULL, &batch)) {
        if (!deliver(egress, &batch)) {
            outbox_drop(&batch);
            break;
        }
        uint64_t epoch = batch.epoch;
        outbox_confirm(egress->options.outbox, &batch);
        egress->options.on_confirmed(egress->options.owner, egress->options.egress, epoch);
    }
    return NULL;
}

/* --- life --- */

static struct kinesis_client_options client_options_of(const struct kinesis_egress_spec *spec)
{
    return (struct kinesis_client_options){&spec->region, &spec->credentials, &spec->client};
}

bool kinesis_egress_open(const struct kinesis_egress_options *options,
                         struct kinesis_egress **ret_egress, struct sf_status *status)
{
    const struct kinesis_egress_spec *spec = options->spec;
    struct kinesis_client_options client = client_options_of(spec);
    struct kinesis_egress *egress = mem_new(sizeof *egress);
    egress->options = *options;
    egress->id = mem_format("%s/%s", spec->id.ns, spec->id.name);
    egress->trouble = (struct kinesis_trouble){.component = "egress", .id = egress->id};
    egress_thread_init(&egress->thread, &(struct egress_thread_options){
                                            .outbox = options->outbox,
                                            .egress = options->egress,
                                            .owner = options->owner,
                                            .on_hungry = options->on_hungry,
                                        });
    if (!kinesis_client_new(&client, &egress->client, status) ||
        !egress_thread_start(&egress->thread, run, egress, status)) {
        sf_wrap(status, "egress %s", egress->id);
        kinesis_egress_close(egress);
        return false;
    }
    *ret_egress = egress;
    return true;
}

void kinesis_egress_wake(struct kinesis_egress *egress)
{
    egress_thread_wake(&egress->thread);
}

void kinesis_egress_stop(struct kinesis_egress *egress, uint64_t drain_ms)
{
    egress_thread_stop(&egress->thread, drain_ms);
}

void kinesis_egress_close(struct kinesis_egress *egress)
{
    if (!egress)
        return;
    kinesis_egress_stop(egress, 0);
    kinesis_client_free(egress->client);
    egress_thread_destroy(&egress->thread);
    free(egress->id);
    free(egress);
}

void kinesis_egress_figures(struct kinesis_egress *egress, struct egress_figures *ret_figures)
{
    pthread_mutex_lock(&egress->thread.lock);
    *ret_figures = egress->figures;
    pthread_mutex_unlock(&egress->thread.lock);
}

bool kinesis_egress_accept(struct bytes argument, struct bytes *ret_record,
                           struct sf_status *status)
{
    struct kinesis_record record;
    struct bytes bytes;
    if (!kinesis_record_of(argument, &bytes, status) ||
        !kinesis_record_parse(bytes, &record, status))
        return false;
    *ret_record = bytes;
    return true;
}

bool kinesis_egress_check(const struct kinesis_egress_spec *spec, uint64_t timeout_ms,
                          struct sf_status *status)
{
    struct kinesis_client_options client = client_options_of(spec);
    return kinesis_check(&client, NULL, timeout_ms, status);
}
