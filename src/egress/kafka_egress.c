/* kafka_egress.c - its life: a thread that takes batches and has them delivered, until it ends. */
#include "egress/kafka_egress_inside.h"

#include "base/log.h"
#include "wire/typed_value.h"

#include <time.h>

enum {
    BATCH_BYTES = 2 << 20, /* 4 MB is a fifth faster and takes 20 MB more of memory */
    IDLE_MS = 500,         /* how often the library's callbacks are served when nothing happens */
    CLOSE_MS = 3 * 1000,   /* for a client to end */
};

/* --- waiting --- */

static bool is_asked_to_end(struct kafka_egress *egress)
{
    return atomic_load(&egress->end_us) != UINT64_MAX;
}

bool kafka_egress_must_end(struct kafka_egress *egress)
{
    uint64_t end_us = atomic_load_explicit(&egress->end_us, memory_order_relaxed);
    return end_us != UINT64_MAX && clock_now_us() >= end_us;
}

/* With the lock held, until `until_us` or woken. */
static void wait_until(struct kafka_egress *egress, uint64_t until_us)
{
    struct timespec until = {.tv_sec = (time_t)(until_us / 1000000),
                             .tv_nsec = (long)(until_us % 1000000) * 1000};
    (void)pthread_cond_timedwait(&egress->woken, &egress->lock, &until); /* either way: look */
}

void kafka_egress_pause(struct kafka_egress *egress, uint64_t ms)
{
    uint64_t until_us = clock_now_us() + ms * 1000, now_us;
    pthread_mutex_lock(&egress->lock);
    while (!kafka_egress_must_end(egress) && (now_us = clock_now_us()) < until_us) {
        uint64_t end_us = atomic_load(&egress->end_us);
        wait_until(egress, end_us < until_us ? end_us : until_us);
    }
    pthread_mutex_unlock(&egress->lock);
}

/* Until there is work, or for `us`. */
static void wait_for_work(struct kafka_egress *egress, uint64_t us)
{
    uint64_t until_us = clock_now_us() + us;
    uint64_t end_us = atomic_load(&egress->end_us);
    pthread_mutex_lock(&egress->lock);
    if (!egress->has_work)
        wait_until(egress, end_us < until_us ? end_us : until_us);
    egress->has_work = false;
    pthread_mutex_unlock(&egress->lock);
}

void kafka_egress_wake(struct kafka_egress *egress)
{
    pthread_mutex_lock(&egress->lock);
    egress->has_work = true;
    pthread_cond_signal(&egress->woken);
    pthread_mutex_unlock(&egress->lock);
}

/* --- telling --- */

void kafka_egress_complain(struct kafka_egress *egress, rd_kafka_resp_err_t error, const char *what,
                           const char *subject)
{
    if (error == egress->complaint)
        return;
    egress->complaint = error;
    log_warn(what, LOG_TEXT("egress", egress->id), LOG_TEXT("subject", subject),
             LOG_TEXT("error", rd_kafka_err2str(error)));
}

void kafka_egress_content(struct kafka_egress *egress)
{
    if (atomic_load_explicit(&egress->outage.is_out, memory_order_relaxed))
        kafka_outage_end(&egress->outage);
    if (egress->complaint)
        log_info("Kafka egress goes on", LOG_TEXT("egress", egress->id));
    egress->complaint = RD_KAFKA_RESP_ERR_NO_ERROR;
}

void kafka_egress_fatal(struct kafka_egress *egress, const struct sf_status *status)
{
    if (atomic_exchange(&egress->end_us, 0) == 0)
        return; /* said already */
    egress->options.on_fatal(egress->options.owner, egress->options.egress, status);
}

static void be_hungry(struct kafka_egress *egress, bool hungry)
{
    if (egress->is_hungry == hungry)
        return;
    egress->is_hungry = hungry;
    egress->options.on_hungry(egress->options.owner, egress->options.egress, hungry);
}

/* --- the thread --- */

static bool has_records(struct kafka_egress *egress)
{
    struct outbox_figures figures;
    outbox_figures(egress->options.outbox, &figures);
    return figures.records > 0;
}

/* How long to wait, in us, before the next batch is taken; records that come meanwhile go with it.
 */
static uint64_t wait_us(const struct kafka_egress *egress)
{
    uint64_t due_us = kafka_transaction_due_us(egress), now_us = clock_now_us();
    return due_us > now_us ? due_us - now_us : 0;
}

/* False: there is nothing left to do for this thread. */
static bool next_batch(struct kafka_egress *egress, struct outbox_batch *batch)
{
    while (!kafka_egress_must_end(egress)) {
        bool some = has_records(egress);
        uint64_t us = some ? wait_us(egress) : IDLE_MS * 1000;
        be_hungry(egress, !some);
        if (!some && is_asked_to_end(egress))
            return false;
        if (some && !us && outbox_take(egress->options.outbox, BATCH_BYTES, batch))
            return true;
        if (!us)
            us = IDLE_MS * 1000; /* the view of the store lags: outbox_viewed will tell */
        wait_for_work(egress, us);
        kafka_producer_serve(egress, 0);
    }
    return false;
}

static bool begin(struct kafka_egress *egress)
{
    if (!kafka_producer_ready(egress))
        return false;
    size_t stale =
        outbox_begin(egress->options.outbox, egress->delivered, egress->options.committed);
    egress->has_begun = true;
    if (egress->spec->delivery == KAFKA_EXACTLY_ONCE)
        log_info("Kafka egress begins", LOG_TEXT("egress", egress->id),
                 LOG_NUMBER("delivered_epoch", egress->delivered),
                 LOG_NUMBER("records_delivered_before", stale));
    if (egress->delivered)
        egress->options.on_confirmed(egress->options.owner, egress->options.egress,
                                     egress->delivered);
    return true;
}

static void *run(void *argument)
{
    struct kafka_egress *egress = argument;
    struct outbox_batch batch;
    if (begin(egress)) {
        while (next_batch(egress, &batch)) {
            if (!kafka_batch_deliver(egress, &batch)) {
                kafka_producer_drop(egress, CLOSE_MS);
                outbox_drop(&batch);
                break;
            }
            uint64_t epoch = batch.epoch;
            outbox_confirm(egress->options.outbox, &batch);
            egress->options.on_confirmed(egress->options.owner, egress->options.egress, epoch);
        }
    }
    if (egress->is_ready && !kafka_egress_must_end(egress))
        (void)kafka_batch_settle(egress); /* `none` has confirmed what may still be on its way */
    kafka_producer_drop(egress, CLOSE_MS);
    return NULL;
}

/* --- life --- */

static void set_up_lock(struct kafka_egress *egress)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&egress->woken, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&egress->lock, NULL);
}

bool kafka_egress_open(const struct kafka_egress_options *options, struct kafka_egress **ret_egress,
                       struct sf_status *status)
{
    struct kafka_egress *egress = mem_new(sizeof *egress);
    const struct kafka_egress_spec *spec = options->spec;
    egress->options = *options;
    egress->spec = spec;
    egress->id = mem_format("%s/%s", spec->id.ns, spec->id.name);
    egress->transactional_id =
        mem_format("statefun.%s.%s.%s", options->application, spec->id.ns, spec->id.name);
    egress->group = mem_format("%s.%s", egress->transactional_id, options->store_id);
    egress->outage.component = "egress";
    egress->outage.id = egress->id;
    egress->outage.address = spec->address;
    egress->group_metadata = rd_kafka_consumer_group_metadata_new(egress->group);
    map_init(&egress->topics);
    atomic_init(&egress->end_us, UINT64_MAX);
    set_up_lock(egress);
    if (!kafka_producer_make(egress, status)) {
        kafka_egress_close(egress);
        return false;
    }
    int error = pthread_create(&egress->thread, NULL, run, egress);
    if (error) {
        (void)sf_fail(status, SF_IO, "egress %s: a thread: %s", egress->id, strerror(error));
        kafka_egress_close(egress);
        return false;
    }
    egress->is_running = true;
    *ret_egress = egress;
    return true;
}

void kafka_egress_stop(struct kafka_egress *egress, uint64_t drain_ms)
{
    uint64_t end_us = atomic_load(&egress->end_us), wanted_us = clock_now_us() + drain_ms * 1000;
    if (wanted_us < end_us) /* 0 after a fatal error: it ends by itself */
        (void)atomic_compare_exchange_strong(&egress->end_us, &end_us, wanted_us);
    kafka_egress_wake(egress);
    if (egress->is_running)
        pthread_join(egress->thread, NULL);
    egress->is_running = false;
}

void kafka_egress_close(struct kafka_egress *egress)
{
    if (!egress)
        return;
    kafka_egress_stop(egress, 0);
    kafka_producer_drop(egress, CLOSE_MS);
    kafka_topics_forget(egress);
    map_destroy(&egress->topics);
    if (egress->group_metadata)
        rd_kafka_consumer_group_metadata_destroy(egress->group_metadata);
    free(egress->attempt.items);
    pthread_cond_destroy(&egress->woken);
    pthread_mutex_destroy(&egress->lock);
    free(egress->group);
    free(egress->transactional_id);
    free(egress->id);
    free(egress);
}

void kafka_egress_figures(struct kafka_egress *egress, struct kafka_egress_figures *ret_figures)
{
    pthread_mutex_lock(&egress->lock);
    *ret_figures = egress->figures;
    pthread_mutex_unlock(&egress->lock);
}

bool kafka_egress_accept(struct bytes argument, struct bytes *ret_record, struct sf_status *status)
{
    struct kafka_record record;
    struct bytes bytes;
    if (!kafka_record_of(argument, &bytes, status) || !kafka_record_parse(bytes, &record, status))
        return false;
    *ret_record = bytes;
    return true;
}
