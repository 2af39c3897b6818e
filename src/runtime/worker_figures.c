/* worker_figures.c - a copy of all that a worker counts, for whoever shows it. */
#include "runtime/worker_inside.h"

#include "ingress/routers.h"

struct figures_errand {
    struct errand errand;
    void (*on_figures)(void *owner, struct worker_figures *figures);
    void *owner;
};

static struct bytes owned(struct bytes bytes)
{
    return bytes_make(bytes_string(bytes), bytes.size);
}

static void add_function(void *owner, const struct function_figures *function)
{
    struct worker_figures *figures = owner;
    figures->functions =
        mem_resize(figures->functions, (figures->function_count + 1) * sizeof *figures->functions);
    figures->functions[figures->function_count++] = (struct worker_function){
        .engine = *function, .ns = owned(function->ns), .name = owned(function->name)};
}

static void add_endpoint(void *owner, const struct remote_figures *remote)
{
    struct worker_figures *figures = owner;
    figures->endpoints =
        mem_resize(figures->endpoints, (figures->endpoint_count + 1) * sizeof *figures->endpoints);
    figures->endpoints[figures->endpoint_count++] = (struct worker_endpoint){
        .remote = *remote, .ns = owned(remote->ns), .name = owned(remote->name)};
}

static void add_counter(struct worker_counters *counters, struct bytes ns, struct bytes name,
                        const char *counter, int64_t value)
{
    counters->items = mem_resize(counters->items, (counters->count + 1) * sizeof *counters->items);
    counters->items[counters->count++] = (struct worker_counter){
        .ns = owned(ns), .name = owned(name), .counter = mem_string(counter), .value = value};
}

static void add_function_counter(void *owner, const struct embedded_counter *counter)
{
    struct worker_figures *figures = owner;
    add_counter(&figures->function_counters, counter->ns, counter->name, counter->counter,
                counter->value);
}

static void add_route_counters(struct worker_figures *figures, const struct routers *routers)
{
    for (size_t i = 0; i < routers->counts.count; i++)
        add_counter(&figures->route_counters, (struct bytes){0}, bytes_of(routers->ingress),
                    routers->counts.items[i].name, routers->counts.items[i].value);
}

static void free_counters(struct worker_counters *counters)
{
    for (size_t i = 0; i < counters->count; i++) {
        free((void *)counters->items[i].ns.data);
        free((void *)counters->items[i].name.data);
        free(counters->items[i].counter);
    }
    free(counters->items);
}

static void add_lane(void *owner, const struct kafka_lane_figures *lane)
{
    struct worker_figures *figures = owner;
    figures->lanes = mem_resize(figures->lanes, (figures->lane_count + 1) * sizeof *figures->lanes);
    figures->lanes[figures->lane_count++] =
        (struct worker_lane){.kafka = *lane, .topic = mem_string(lane->topic)};
}

static void add_lanes(struct worker *worker, struct worker_figures *figures)
{
    for (size_t i = 0; i < worker->options.kafka_ingress_count; i++) {
        size_t first = figures->lane_count;
        if (worker->lanes[i]) {
            kafka_lane_each(worker->lanes[i], add_lane, figures);
            add_route_counters(figures, kafka_lane_routers(worker->lanes[i]));
        }
        for (size_t n = first; n < figures->lane_count; n++)
            figures->lanes[n].ingress = i;
    }
}

static void add_shard(void *owner, const struct kinesis_lane_figures *lane)
{
    struct worker_figures *figures = owner;
    size_t stream_size = strlen(lane->stream) + 1, shard_size = strlen(lane->shard) + 1;
    char *name = mem_new_raw(stream_size + shard_size);
    memcpy(name, lane->stream, stream_size);
    memcpy(name + stream_size, lane->shard, shard_size);
    figures->shards =
        mem_resize(figures->shards, (figures->shard_count + 1) * sizeof *figures->shards);
    struct worker_shard *shard = &figures->shards[figures->shard_count++];
    *shard = (struct worker_shard){.kinesis = *lane, .name = name};
    shard->kinesis.stream = name;
    shard->kinesis.shard = name + stream_size;
}

static void add_shards(struct worker *worker, struct worker_figures *figures)
{
    for (size_t i = 0; i < worker->options.kinesis_ingress_count; i++) {
        size_t first = figures->shard_count;
        if (worker->shard_lanes[i]) {
            kinesis_lane_each(worker->shard_lanes[i], add_shard, figures);
            add_route_counters(figures, kinesis_lane_routers(worker->shard_lanes[i]));
        }
        for (size_t n = first; n < figures->shard_count; n++)
            figures->shards[n].ingress = i;
    }
}

static void add_source(void *owner, const struct module_lane_figures *lane)
{
    struct worker_figures *figures = owner;
    figures->sources =
        mem_resize(figures->sources, (figures->source_count + 1) * sizeof *figures->sources);
    figures->sources[figures->source_count++] = (struct worker_source){.module = *lane};
}

static void add_sources(struct worker *worker, struct worker_figures *figures)
{
    for (size_t i = 0; i < worker->options.module_ingress_count; i++) {
        size_t first = figures->source_count;
        if (worker->module_lanes[i]) {
            module_lane_each(worker->module_lanes[i], add_source, figures);
            add_route_counters(figures, module_lane_routers(worker->module_lanes[i]));
        }
        for (size_t n = first; n < figures->source_count; n++)
            figures->sources[n].ingress = i;
    }
}

static void run_figures(struct errand *errand, void *owner)
{
    struct worker *worker = owner;
    struct figures_errand *ask = container_of(errand, struct figures_errand, errand);
    struct worker_figures *figures = mem_new(sizeof *figures);
    engine_figures(worker->engine, &figures->engine);
    engine_each_function(worker->engine, add_function, figures);
    remote_each(worker->remote, add_endpoint, figures);
    add_lanes(worker, figures);
    add_shards(worker, figures);
    add_sources(worker, figures);
    if (worker->embedded)
        embedded_each_counter(worker->embedded, add_function_counter, figures);
    if (worker->http) {
        http_ingress_figures(worker->http, &figures->http);
        add_route_counters(figures, http_ingress_routers(worker->http));
    }
    ask->on_figures(ask->owner, figures);
    free(ask);
}

void worker_ask_figures(struct worker *worker,
                        void (*on_figures)(void *owner, struct worker_figures *figures),
                        void *owner)
{
    struct figures_errand *errand = mem_new(sizeof *errand);
    errand->errand.run = run_figures;
    errand->on_figures = on_figures;
    errand->owner = owner;
    errand_send(worker->inbox, &errand->errand);
}

void worker_figures_free(struct worker_figures *figures)
{
    if (!figures)
        return;
    for (size_t i = 0; i < figures->function_count; i++) {
        free((void *)figures->functions[i].ns.data);
        free((void *)figures->functions[i].name.data);
    }
    for (size_t i = 0; i < figures->endpoint_count; i++) {
        free((void *)figures->endpoints[i].ns.data);
        free((void *)figures->endpoints[i].name.data);
    }
    for (size_t i = 0; i < figures->lane_count; i++)
        free(figures->lanes[i].topic);
    for (size_t i = 0; i < figures->shard_count; i++)
        free(figures->shards[i].name);
    free(figures->functions);
    free(figures->endpoints);
    free(figures->lanes);
    free(figures->shards);
    free(figures->sources);
    free_counters(&figures->function_counters);
    free_counters(&figures->route_counters);
    free(figures);
}
