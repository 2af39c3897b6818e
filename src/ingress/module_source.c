/* module_source.c - a partition's thread: `run`, what it calls, and what becomes of it.
 *
 * The lock is held for as long as a record takes to copy. The lane takes the whole queue at once.
 */
#include "base/histogram.h"
#include "base/list.h"
#include "base/log.h"
#include "ingress/module_inside.h"

#include <errno.h>
#include <time.h>

enum {
    PAUSE_MS_MIN = 100,
    PAUSE_MS_MAX = 10 * 1000,
    CALM_US = 10 * 1000 * 1000 /* without a failure, before one counts as over */
};

#define ID(source)                                                                                 \
    LOG_TEXT("ingress", (source)->ingress->spec->id), LOG_NUMBER("partition", (source)->partition)

static struct module_source *source_of(const struct sf_source *source)
{
    return (struct module_source *)source;
}

/* With the lock held, until something has changed or `until_us`. */
static void wait_until(struct module_source *source, uint64_t until_us)
{
    struct timespec until = {.tv_sec = (time_t)(until_us / 1000000),
                             .tv_nsec = (long)(until_us % 1000000) * 1000};
    (void)pthread_cond_timedwait(&source->changed, &source->lock, &until); /* either way: look */
}

/* --- what run calls --- */

static uint32_t partition(const struct sf_source *source)
{
    return source_of(source)->partition;
}

static void *user(const struct sf_source *source)
{
    return source_of(source)->ingress->spec->user;
}

static struct sf_bytes position(const struct sf_source *source)
{
    const struct module_source *it = source_of(source);
    return (struct sf_bytes){it->position.data, it->position.size};
}

static struct module_run add_run(struct module_batch *batch, const void *data, size_t size)
{
    struct module_run run = {batch->bytes.size, size};
    buffer_add(&batch->bytes, data, size);
    return run;
}

static void add_record(struct module_batch *batch, const struct sf_record *record,
                       struct sf_bytes behind)
{
    if (batch->count == batch->capacity) {
        batch->capacity = batch->capacity ? batch->capacity * 2 : 16;
        batch->entries = mem_resize(batch->entries, batch->capacity * sizeof *batch->entries);
    }
    batch->entries[batch->count++] = (struct module_entry){
        .key = add_run(batch, record->key.data, record->key.size),
        .value = add_run(batch, record->value.data, record->value.size),
        .topic = add_run(batch, record->topic, record->topic ? strlen(record->topic) + 1 : 0),
        .position = add_run(batch, behind.data, behind.size),
        .has_key = record->key.data != NULL,
        .has_topic = record->topic != NULL,
        .timestamp_ms = record->timestamp_ms,
    };
}

/* With the lock held. */
static void post(struct module_source *source)
{
    struct letters letters = {0};
    if (source->is_posted || !source->inbox)
        return;
    source->is_posted = true;
    letters_add(&letters, &source->letter);
    inbox_put(source->inbox, &letters);
}

static void note_success(struct module_source *source)
{
    if (!source->is_struck || clock_now_us() - source->failed_us < CALM_US)
        return;
    source->is_struck = false;
    log_info("an ingress works again", ID(source));
}

static bool emit(struct sf_source *out, const struct sf_record *record, struct sf_bytes behind)
{
    struct module_source *source = source_of(out);
    size_t size = sizeof(struct module_entry) + record->key.size + record->value.size +
                  (record->topic ? strlen(record->topic) + 1 : 0) + behind.size;
    if (behind.size > MODULE_POSITION_BYTES_MAX)
        source->fault = "it has emitted a position of more than 255 bytes";
    if (source->fault)
        return false;

    pthread_mutex_lock(&source->lock);
    while (!source->is_stopped && source->queued_bytes &&
           source->queued_bytes + size > source->ingress->options.queue_bytes)
        pthread_cond_wait(&source->changed, &source->lock);
    bool good = !source->is_stopped;
    if (good) {
        add_record(&source->queue, record, behind);
        source->queued_bytes += size;
        post(source);
    }
    pthread_mutex_unlock(&source->lock);
    if (!good)
        return false;
    buffer_clear(&source->emitted);
    buffer_add(&source->emitted, behind.data, behind.size);
    source->count++;
    note_success(source);
    return true;
}

static bool wait_ms(struct module_source *source, uint32_t ms)
{
    uint64_t until_us = clock_now_us() + (uint64_t)ms * 1000;
    pthread_mutex_lock(&source->lock);
    while (!source->is_stopped && clock_now_us() < until_us)
        wait_until(source, until_us);
    bool good = !source->is_stopped;
    pthread_mutex_unlock(&source->lock);
    return good;
}

static bool source_pause(struct sf_source *out, uint32_t ms)
{
    struct module_source *source = source_of(out);
    if (source->fault || !wait_ms(source, ms))
        return false;
    note_success(source);
    return true;
}

const struct sf_host module_source_host = {
    .size = sizeof module_source_host,
    .source_partition = partition,
    .source_user = user,
    .source_position = position,
    .emit = emit,
    .source_pause = source_pause,
};

/* --- the thread --- */

static bool is_stopped(struct module_source *source)
{
    pthread_mutex_lock(&source->lock);
    bool stopped = source->is_stopped;
    pthread_mutex_unlock(&source->lock);
    return stopped;
}

/* All that was emitted counts from now on, or the runtime stops. */
static void wait_accepted(struct module_source *source)
{
    pthread_mutex_lock(&source->lock);
    while (!source->is_stopped && source->queued_bytes)
        pthread_cond_wait(&source->changed, &source->lock);
    pthread_mutex_unlock(&source->lock);
}

static void note_failure(struct module_source *source, const struct sf_status *status)
{
    if (!source->is_struck)
        log_warn("an ingress has failed; it goes on from its last position after a while",
                 ID(source), LOG_TEXT("reason", status->message));
    source->is_struck = true;
    source->failed_us = clock_now_us();
    pthread_mutex_lock(&source->lock);
    source->failures++;
    pthread_mutex_unlock(&source->lock);
}

/* False if it has failed. */
static bool call(struct module_source *source)
{
    struct sf_status status = {.code = SF_IO, .message = "it does not say why"};
    source->count = 0;
    source->fault = NULL;
    buffer_clear(&source->position);
    buffer_add_bytes(&source->position, buffer_bytes(&source->emitted));
    bool good = source->ingress->spec->run(&source->source, &status);
    if (is_stopped(source))
        return true;
    if (source->fault)
        (void)sf_fail(&status, SF_INVALID, "%s", source->fault);
    if (good && !source->fault)
        return true;
    note_failure(source, &status);
    return false;
}

void *module_source_run(void *argument)
{
    struct module_source *source = argument;
    uint32_t pause_ms = PAUSE_MS_MIN;
    while (!call(source)) {
        if (source->count)
            pause_ms = PAUSE_MS_MIN;
        wait_accepted(source);
        if (!wait_ms(source, pause_ms))
            return NULL;
        pause_ms = pause_ms * 2 < PAUSE_MS_MAX ? pause_ms * 2 : PAUSE_MS_MAX;
    }
    if (!is_stopped(source))
        log_info("a partition of an ingress has ended: it is read again after the next start",
                 ID(source));
    return NULL;
}

/* --- what others call --- */

void module_source_relieve(struct module_source *source, size_t bytes)
{
    pthread_mutex_lock(&source->lock);
    source->queued_bytes -= bytes;
    pthread_cond_broadcast(&source->changed);
    pthread_mutex_unlock(&source->lock);
}

void module_source_stop(struct module_source *source)
{
    pthread_mutex_lock(&source->lock);
    source->is_stopped = true;
    pthread_cond_broadcast(&source->changed);
    pthread_mutex_unlock(&source->lock);
}

void module_batch_destroy(struct module_batch *batch)
{
    buffer_destroy(&batch->bytes);
    free(batch->entries);
}
