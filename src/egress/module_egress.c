/* module_egress.c - see module_egress.h.
 *
 *     open ──▶ take ──▶ deliver ──▶ confirm ──▶ take ... ──▶ close
 *     (either of open and deliver again, after a pause, when it has failed)
 *
 * The place of a record in its epoch: records of an epoch come in the order of their keys (worker,
 * then number), from memory as from the store, and only whole epochs are ever trimmed. */
#include "egress/module_egress.h"

#include "base/log.h"
#include "base/mem.h"
#include "wire/typed_value.h"

#include <assert.h>

enum { BATCH_BYTES = 4 << 20, PAUSE_MS_MIN = 50, PAUSE_MS_MAX = 5000 };

struct module_egress {
    struct module_egress_options options;
    const struct sf_egress *spec;
    struct egress_thread thread;
    bool is_struck; /* it has failed, and that was said */
    uint32_t pause_ms;
    struct sf_egress_record *records; /* of the batch */
    size_t capacity;
    struct egress_figures figures; /* under the thread's lock */
};

/* --- failures --- */

static void note_failure(struct module_egress *egress, const char *what,
                         const struct sf_status *status)
{
    if (!egress->is_struck)
        log_warn("an egress has failed; it is tried again until it works",
                 LOG_TEXT("egress", egress->spec->id), LOG_TEXT("call", what),
                 LOG_TEXT("reason", status->message));
    egress->is_struck = true;
}

static void note_success(struct module_egress *egress)
{
    if (egress->is_struck)
        log_info("an egress works again", LOG_TEXT("egress", egress->spec->id));
    egress->is_struck = false;
    egress->pause_ms = PAUSE_MS_MIN;
}

static void pause_longer(struct module_egress *egress)
{
    egress_thread_pause(&egress->thread, egress->pause_ms);
    egress->pause_ms = egress->pause_ms * 2 < PAUSE_MS_MAX ? egress->pause_ms * 2 : PAUSE_MS_MAX;
}

/* --- the beginning --- */

/* Nothing is delivered before it is committed: a destination that is ahead has got its records from
 * elsewhere, and ours would be taken for those. */
static bool open_once(struct module_egress *egress, uint64_t *ret_delivered,
                      struct sf_status *status)
{
    *status = (struct sf_status){.code = SF_IO, .message = "it does not say why"};
    *ret_delivered = 0;
    if (egress->spec->open && !egress->spec->open(egress->spec->user, ret_delivered, status))
        return false;
    if (*ret_delivered <= egress->options.committed)
        return true;
    if (egress->spec->close)
        egress->spec->close(egress->spec->user);
    return sf_fail(status, SF_CONFLICT,
                   "the destination says that epoch %llu was delivered: expected at most %llu, the "
                   "last one of the data directory. It has records of another one",
                   (unsigned long long)*ret_delivered,
                   (unsigned long long)egress->options.committed);
}

/* For as long as it takes; false if the egress has to end before. */
static bool begin(struct module_egress *egress)
{
    uint64_t delivered;
    struct sf_status status;
    while (!open_once(egress, &delivered, &status)) {
        note_failure(egress, "open", &status);
        pause_longer(egress);
        if (egress_thread_must_end(&egress->thread))
            return false;
    }
    note_success(egress);
    (void)outbox_begin(egress->options.outbox, delivered, egress->options.committed);
    if (delivered)
        egress->options.on_confirmed(egress->options.owner, egress->options.number, delivered);
    return true;
}

/* --- a batch --- */

/* An egress of another kind had this id, and left something behind. */
static void bury(struct module_egress *egress, const struct outbox_record *record,
                 const char *cause)
{
    egress->options.on_dead(egress->options.owner, egress->options.number, record->key,
                            &(struct dead_letter){
                                .cause = bytes_of(cause),
                                .egress = bytes_of(egress->spec->id),
                                .value = record->value,
                            });
    pthread_mutex_lock(&egress->thread.lock);
    egress->figures.dead++;
    pthread_mutex_unlock(&egress->thread.lock);
}

static size_t read_records(struct module_egress *egress, const struct outbox_batch *batch)
{
    uint64_t epoch = 0;
    uint32_t nth = 0;
    size_t count = 0;
    if (batch->count > egress->capacity) {
        egress->capacity = batch->count;
        egress->records = mem_resize(egress->records, batch->count * sizeof *egress->records);
    }
    for (size_t i = 0; i < batch->count; i++) {
        const struct outbox_record *record = &batch->records[i];
        struct typed_value value;
        struct sf_status status;
        struct key key;
        bool good = key_parse(record->key, &key);
        assert(good && key.kind == KEY_OUTBOX);
        nth = key.epoch == epoch ? nth + 1 : 0;
        epoch = key.epoch;
        if (typed_value_parse(record->value, &value, &status))
            egress->records[count++] =
                (struct sf_egress_record){.epoch = epoch,
                                          .nth = nth,
                                          .type = {value.type.data, value.type.size},
                                          .value = {value.value.data, value.value.size}};
        else
            bury(egress, record, status.message);
    }
    return count;
}

static bool deliver_once(struct module_egress *egress, uint64_t epoch, size_t count,
                         struct sf_status *status)
{
    *status = (struct sf_status){.code = SF_IO, .message = "it does not say why"};
    return egress->spec->deliver(egress->spec->user, epoch, egress->records, count, status);
}

/* For as long as it takes; false if the egress has to end before. */
static bool deliver(struct module_egress *egress, const struct outbox_batch *batch)
{
    uint64_t began_us = clock_now_us();
    size_t count = read_records(egress, batch);
    struct sf_status status;
    while (count && !deliver_once(egress, batch->epoch, count, &status)) {
        note_failure(egress, "deliver", &status);
        pthread_mutex_lock(&egress->thread.lock);
        egress->figures.aborted++;
        pthread_mutex_unlock(&egress->thread.lock);
        pause_longer(egress);
        if (egress_thread_must_end(&egress->thread))
            return false;
    }
    note_success(egress);
    pthread_mutex_lock(&egress->thread.lock);
    egress->figures.records += count;
    egress->figures.bytes += batch->bytes;
    egress->figures.batches++;
    histogram_add(&egress->figures.latency, clock_now_us() - began_us);
    pthread_mutex_unlock(&egress->thread.lock);
    return true;
}

static void *run(void *argument)
{
    struct module_egress *egress = argument;
    struct outbox_batch batch;
    if (!begin(egress))
        return NULL;
    while (egress_thread_take(&egress->thread, BATCH_BYTES, NULL, NULL, NULL, &batch)) {
        if (!deliver(egress, &batch)) {
            outbox_drop(&batch);
            break;
        }
        uint64_t epoch = batch.epoch;
        outbox_confirm(egress->options.outbox, &batch);
        egress->options.on_confirmed(egress->options.owner, egress->options.number, epoch);
    }
    if (egress->spec->close)
        egress->spec->close(egress->spec->user);
    return NULL;
}

/* --- life --- */

bool module_egress_open(const struct module_egress_options *options,
                        struct module_egress **ret_egress, struct sf_status *status)
{
    struct module_egress *egress = mem_new(sizeof *egress);
    egress->options = *options;
    egress->spec = options->egress;
    egress->pause_ms = PAUSE_MS_MIN;
    egress_thread_init(&egress->thread, &(struct egress_thread_options){
                                            .outbox = options->outbox,
                                            .egress = options->number,
                                            .owner = options->owner,
                                            .on_hungry = options->on_hungry,
                                        });
    if (!egress_thread_start(&egress->thread, run, egress, status)) {
        sf_wrap(status, "egress %s", egress->spec->id);
        module_egress_close(egress);
        return false;
    }
    *ret_egress = egress;
    return true;
}

void module_egress_wake(struct module_egress *egress)
{
    egress_thread_wake(&egress->thread);
}

void module_egress_stop(struct module_egress *egress, uint64_t drain_ms)
{
    egress_thread_stop(&egress->thread, drain_ms);
}

void module_egress_close(struct module_egress *egress)
{
    if (!egress)
        return;
    module_egress_stop(egress, 0);
    egress_thread_destroy(&egress->thread);
    free(egress->records);
    free(egress);
}

void module_egress_figures(struct module_egress *egress, struct egress_figures *ret_figures)
{
    pthread_mutex_lock(&egress->thread.lock);
    *ret_figures = egress->figures;
    pthread_mutex_unlock(&egress->thread.lock);
}

bool module_egress_accept(struct bytes argument, struct bytes *ret_record, struct sf_status *status)
{
    struct typed_value value;
    if (!typed_value_parse(argument, &value, status))
        return false;
    *ret_record = argument;
    return true;
}
