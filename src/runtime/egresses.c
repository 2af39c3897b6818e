/* egresses.c - outboxes, and who empties them. */
#include "runtime/egresses.h"

#include "runtime/admin.h"

#include <pthread.h>

struct egresses {
    struct egresses_options options;
    size_t count;
    struct admin_egress *items;
    struct outbox_putter *putters;

    pthread_mutex_t lock; /* so that workers hear of fullness in the order in which it came about */
    bool is_full;
};

/* Who is told that an outbox has something new. */
struct outbox_putter {
    struct egresses *egresses;
    size_t number;
};

static void on_put(void *owner)
{
    struct outbox_putter *putter = owner;
    struct admin_egress *egress = &putter->egresses->items[putter->number];
    if (egress->kafka)
        kafka_egress_wake(egress->kafka);
    else if (egress->kinesis)
        kinesis_egress_wake(egress->kinesis);
    else if (egress->module)
        module_egress_wake(egress->module);
    else
        loop_wake(putter->egresses->options.loop);
}

static uint64_t view_epoch(void *owner)
{
    return store_view_epoch(owner);
}

static void scan(void *owner, struct bytes from, struct bytes to,
                 bool (*visit)(void *visitor, struct bytes key, struct bytes value), void *visitor)
{
    (void)store_scan(owner, from, to, visit, visitor); /* the visitor knows whether it stopped */
}

static void hurry(void *owner)
{
    store_hurry(owner, VIEW_WHOLE);
}

struct egresses *egresses_new(const struct egresses_options *options)
{
    struct egresses *egresses = mem_new(sizeof *egresses);
    egresses->options = *options;
    egresses->count = options->bindings->egress_count;
    egresses->items = mem_new(egresses->count * sizeof *egresses->items);
    egresses->putters = mem_new(egresses->count * sizeof *egresses->putters);
    pthread_mutex_init(&egresses->lock, NULL);

    struct outbox_reader reader = {
        .owner = options->store, .view_epoch = view_epoch, .scan = scan, .hurry = hurry};
    for (size_t i = 0; i < egresses->count; i++) {
        const char *id = (const char *)options->bindings->egresses[i].id.data;
        egresses->putters[i] = (struct outbox_putter){egresses, i};
        egresses->items[i] = (struct admin_egress){
            .id = id,
            .outbox = outbox_new((uint32_t)i, id, options->memory_bytes, &reader, on_put,
                                 &egresses->putters[i]),
        };
    }
    return egresses;
}

void egresses_free(struct egresses *egresses)
{
    if (!egresses)
        return;
    for (size_t i = 0; i < egresses->count; i++) {
        struct admin_egress *egress = &egresses->items[i];
        kafka_egress_close(egress->kafka);
        kinesis_egress_close(egress->kinesis);
        module_egress_close(egress->module);
        playground_egress_free(egress->playground);
        outbox_free(egress->outbox);
    }
    pthread_mutex_destroy(&egresses->lock);
    free(egresses->items);
    free(egresses->putters);
    free(egresses);
}

/* --- what they say --- */

static void check_room(struct egresses *egresses)
{
    uint64_t most = egresses->options.bytes_max;
    uint64_t fullest = 0;
    pthread_mutex_lock(&egresses->lock);
    for (size_t i = 0; i < egresses->count; i++) {
        struct outbox_figures figures;
        outbox_figures(egresses->items[i].outbox, &figures);
        if (figures.bytes > fullest)
            fullest = figures.bytes;
    }
    bool is_full = fullest > (egresses->is_full ? most / 4 * 3 : most);
    if (is_full != egresses->is_full)
        for (uint32_t i = 0; i < egresses->options.worker_count; i++)
            worker_outbox_full(egresses->options.workers[i], is_full);
    egresses->is_full = is_full;
    pthread_mutex_unlock(&egresses->lock);
}

static void on_confirmed(void *owner, uint32_t egress, uint64_t epoch)
{
    struct egresses *egresses = owner;
    worker_confirmed(egresses->options.workers[0], egress, epoch);
    check_room(egresses);
}

static void on_done(void *owner, uint32_t egress, struct bytes record_key,
                    const struct dead_letter *letter)
{
    struct egresses *egresses = owner;
    (void)egress;
    worker_record_done(egresses->options.workers[0], record_key, letter);
}

static void on_hungry(void *owner, uint32_t egress, bool hungry)
{
    struct egresses *egresses = owner;
    committer_hungry(egresses->options.committer, egress, hungry);
}

static void on_fatal(void *owner, uint32_t egress, const struct sf_status *status)
{
    struct egresses *egresses = owner;
    (void)egress; /* the message names it */
    egresses->options.on_fatal(egresses->options.owner, status);
}

/* --- life --- */

static bool start_kafka(struct egresses *egresses, size_t number, struct sf_status *status)
{
    struct admin_egress *egress = &egresses->items[number];
    const struct egresses_options *options = &egresses->options;
    return kafka_egress_open(
        &(struct kafka_egress_options){
            .spec = &options->application->kafka_egresses[number],
            .egress = (uint32_t)number,
            .application = options->name,
            .store_id = store_id(options->store),
            .committed = store_epoch(options->store),
            .outbox = egress->outbox,
            .owner = egresses,
            .on_confirmed = on_confirmed,
            .on_dead = on_done,
            .on_hungry = on_hungry,
            .on_fatal = on_fatal,
        },
        &egress->kafka, status);
}

static bool start_kinesis(struct egresses *egresses, size_t number,
                          const struct kinesis_egress_spec *spec, struct sf_status *status)
{
    struct admin_egress *egress = &egresses->items[number];
    return kinesis_egress_open(
        &(struct kinesis_egress_options){
            .spec = spec,
            .egress = (uint32_t)number,
            .committed = store_epoch(egresses->options.store),
            .outbox = egress->outbox,
            .owner = egresses,
            .on_confirmed = on_confirmed,
            .on_dead = on_done,
            .on_hungry = on_hungry,
        },
        &egress->kinesis, status);
}

static void start_playground(struct egresses *egresses, size_t number)
{
    struct admin_egress *egress = &egresses->items[number];
    const struct egresses_options *options = &egresses->options;
    (void)outbox_begin(egress->outbox, 0, store_epoch(options->store));
    egress->playground = playground_egress_new(&(struct playground_egress_options){
        .spec = &options->application->http_egresses[0],
        .egress = (uint32_t)number,
        .loop = options->loop,
        .listen_fd = options->playground_fd,
        .outbox = egress->outbox,
        .owner = egresses,
        .on_done = on_done,
    });
    playground_egress_take(egress->playground);
    /* It takes whatever comes, at once: nothing is gained by keeping a record from it. */
    committer_hungry(options->committer, (uint32_t)number, true);
}

static bool start_module(struct egresses *egresses, size_t number, const struct sf_egress *spec,
                         struct sf_status *status)
{
    struct admin_egress *egress = &egresses->items[number];
    return module_egress_open(
        &(struct module_egress_options){
            .egress = spec,
            .number = (uint32_t)number,
            .committed = store_epoch(egresses->options.store),
            .outbox = egress->outbox,
            .owner = egresses,
            .on_confirmed = on_confirmed,
            .on_dead = on_done,
            .on_hungry = on_hungry,
        },
        &egress->module, status);
}

bool egresses_start(struct egresses *egresses, struct sf_status *status)
{
    const struct application *application = egresses->options.application;
    size_t number = 0; /* as bindings.c numbers them */
    for (size_t i = 0; i < application->kafka_egress_count; i++)
        if (!start_kafka(egresses, number++, status))
            return false;
    for (size_t i = 0; i < application->kinesis_egress_count; i++)
        if (!start_kinesis(egresses, number++, &application->kinesis_egresses[i], status))
            return false;
    for (size_t i = 0; i < application->http_egress_count; i++)
        start_playground(egresses, number++);
    const struct registry *registry = egresses->options.registry;
    for (size_t i = 0; registry && i < registry->egress_count; i++)
        if (!start_module(egresses, number++, registry->egresses[i], status))
            return false;
    return true;
}

void egresses_put(struct egresses *egresses, uint64_t epoch, struct delta *const *parts,
                  size_t count)
{
    for (size_t i = 0; i < egresses->count; i++)
        outbox_put(egresses->items[i].outbox, epoch, parts, count);
    check_room(egresses);
}

void egresses_viewed(struct egresses *egresses)
{
    for (size_t i = 0; i < egresses->count; i++)
        outbox_viewed(egresses->items[i].outbox);
}

void egresses_take(struct egresses *egresses)
{
    for (size_t i = 0; i < egresses->count; i++)
        if (egresses->items[i].playground)
            playground_egress_take(egresses->items[i].playground);
}

void egresses_stop(struct egresses *egresses, uint64_t drain_ms)
{
    for (size_t i = 0; i < egresses->count; i++) {
        if (egresses->items[i].kafka)
            kafka_egress_stop(egresses->items[i].kafka, drain_ms);
        if (egresses->items[i].kinesis)
            kinesis_egress_stop(egresses->items[i].kinesis, drain_ms);
        if (egresses->items[i].module)
            module_egress_stop(egresses->items[i].module, drain_ms);
    }
}

const struct admin_egress *egresses_list(const struct egresses *egresses, size_t *ret_count)
{
    *ret_count = egresses->count;
    return egresses->items;
}
