/* kafka_egress.c - its life: a thread that takes batches and has them delivered, until it ends. */
#include "egress/kafka_egress_inside.h"

#include "base/log.h"
#include "wire/typed_value.h"

enum {
    BATCH_BYTES = 2 << 20, /* 4 MB is a fifth faster and takes 20 MB more of memory */
    CLOSE_MS = 3 * 1000,   /* for a client to end */
};

bool kafka_egress_must_end(struct kafka_egress *egress)
{
    return egress_thread_must_end(&egress->thread);
}

void kafka_egress_pause(struct kafka_egress *egress, uint64_t ms)
{
    egress_thread_pause(&egress->thread, ms);
}

void kafka_egress_wake(struct kafka_egress *egress)
{
    egress_thread_wake(&egress->thread);
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
    if (egress_thread_give_up(&egress->thread))
        egress->options.on_fatal(egress->options.owner, egress->options.egress, status);
}

/* --- the thread --- */

static uint64_t due_us(void *owner)
{
    return kafka_transaction_due_us(owner);
}

static void serve(void *owner)
{
    kafka_producer_serve(owner, 0);
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
        while (egress_thread_take(&egress->thread, BATCH_BYTES, due_us, serve, egress, &batch)) {
            if (!kafka_batch_deliver(egress, &batch)) {
                kafka_producer_drop(egress, CLOSE_MS);
                outbox_drop(&batch);
                break;
            }
            uint64_t epoch = batch.epoch;
            outbox_confirm(egress->options.outbox, &batch);
            egress->options.on_confirmed(egress->options.owner, egress->options.egress, epoch);
            if (!kafka_delivered_settle(egress)) /* now, while nobody waits for it */
                break;
        }
    }
    if (egress->is_ready && !kafka_egress_must_end(egress))
        (void)kafka_batch_settle(egress); /* `none` has confirmed what may still be on its way */
    kafka_producer_drop(egress, CLOSE_MS);
    return NULL;
}

/* --- life --- */

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
    egress_thread_init(&egress->thread, &(struct egress_thread_options){
                                            .outbox = options->outbox,
                                            .egress = options->egress,
                                            .owner = options->owner,
                                            .on_hungry = options->on_hungry,
                                        });
    if (!kafka_producer_make(egress, status)) {
        kafka_egress_close(egress);
        return false;
    }
    if (!egress_thread_start(&egress->thread, run, egress, status)) {
        sf_wrap(status, "egress %s", egress->id);
        kafka_egress_close(egress);
        return false;
    }
    *ret_egress = egress;
    return true;
}

void kafka_egress_stop(struct kafka_egress *egress, uint64_t drain_ms)
{
    egress_thread_stop(&egress->thread, drain_ms);
}

void kafka_egress_close(struct kafka_egress *egress)
{
    if (!egress)
        return;
    kafka_egress_stop(egress, 0);
    kafka_producer_drop(egress, CLOSE_MS);
    kafka_delivered_close(egress);
    kafka_topics_forget(egress);
    map_destroy(&egress->topics);
    if (egress->group_metadata)
        rd_kafka_consumer_group_metadata_destroy(egress->group_metadata);
    free(egress->attempt.items);
    egress_thread_destroy(&egress->thread);
    free(egress->group);
    free(egress->transactional_id);
    free(egress->id);
    free(egress);
}

void kafka_egress_figures(struct kafka_egress *egress, struct egress_figures *ret_figures)
{
    pthread_mutex_lock(&egress->thread.lock);
    *ret_figures = egress->figures;
    pthread_mutex_unlock(&egress->thread.lock);
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
