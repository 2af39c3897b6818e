/* module_ingress.c - the partitions of a C ingress, and their threads. */
#include "base/log.h"
#include "ingress/module_inside.h"

#include <time.h>

enum { QUEUE_BYTES = 1 << 20, CLOSE_SECONDS = 5 };

static void source_init(struct module_source *source, struct module_ingress *ingress,
                        uint32_t number)
{
    pthread_condattr_t attributes;
    source->source.host = &module_source_host;
    source->ingress = ingress;
    source->partition = number;
    pthread_mutex_init(&source->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&source->changed, &attributes);
    pthread_condattr_destroy(&attributes);
}

struct module_ingress *module_ingress_new(const struct module_ingress_options *options)
{
    struct module_ingress *ingress = mem_new(sizeof *ingress);
    ingress->options = *options;
    ingress->spec = options->ingress;
    ingress->partitions = options->ingress->partitions ? options->ingress->partitions : 1;
    if (!ingress->options.queue_bytes)
        ingress->options.queue_bytes = QUEUE_BYTES;
    ingress->sources = mem_new(ingress->partitions * sizeof *ingress->sources);
    for (uint32_t i = 0; i < ingress->partitions; i++)
        source_init(&ingress->sources[i], ingress, i);
    return ingress;
}

bool module_ingress_start(struct module_ingress *ingress, struct sf_status *status)
{
    for (uint32_t i = 0; i < ingress->partitions; i++) {
        struct module_source *source = &ingress->sources[i];
        int error = pthread_create(&source->thread, NULL, module_source_run, source);
        if (error)
            return sf_fail(status, SF_IO, "ingress %s: a thread for partition %u: %s",
                           ingress->spec->id, i, strerror(error));
        source->has_thread = true;
    }
    return true;
}

void module_ingress_stop(struct module_ingress *ingress)
{
    for (uint32_t i = 0; i < ingress->partitions; i++)
        module_source_stop(&ingress->sources[i]);
}

/* False if one of them is still in `run`. */
static bool join(struct module_ingress *ingress)
{
    struct timespec until;
    bool good = true;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += CLOSE_SECONDS;
    for (uint32_t i = 0; i < ingress->partitions; i++) {
        struct module_source *source = &ingress->sources[i];
        if (!source->has_thread || !pthread_timedjoin_np(source->thread, NULL, &until))
            continue;
        log_warn("an ingress does not return though the runtime stops; it is left behind",
                 LOG_TEXT("ingress", ingress->spec->id), LOG_NUMBER("partition", i));
        pthread_detach(source->thread);
        good = false;
    }
    return good;
}

void module_ingress_close(struct module_ingress *ingress)
{
    if (!ingress)
        return;
    module_ingress_stop(ingress);
    if (!join(ingress))
        return; /* its thread needs it */
    for (uint32_t i = 0; i < ingress->partitions; i++) {
        struct module_source *source = &ingress->sources[i];
        pthread_cond_destroy(&source->changed);
        pthread_mutex_destroy(&source->lock);
        module_batch_destroy(&source->queue);
        buffer_destroy(&source->position);
        buffer_destroy(&source->emitted);
    }
    free(ingress->sources);
    free(ingress);
}
