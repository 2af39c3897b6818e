/* harness.c - an application is gathered, then runs in a machine, one life after another. */
#include "harness/inside.h"

#include "base/mem.h"
#include "engine/partition.h"
#include "sdk/value.h"

#define START_MS INT64_C(1577836800000)

/* --- options --- */

static bool check_options(const struct sf_harness_options *options, struct sf_status *status)
{
    if (options->workers > MACHINE_WORKERS_MAX)
        return sf_fail(status, SF_INVALID, "%u workers, expected at most %d", options->workers,
                       MACHINE_WORKERS_MAX);
    if (options->start_ms < 0)
        return sf_fail(status, SF_INVALID, "the clock begins at %lld ms, expected 0 or more",
                       (long long)options->start_ms);
    return true;
}

/* --- life --- */

static size_t small_or_large(struct random *random, size_t small, size_t large)
{
    return random_chance(random, 500) ? random_between(random, 1, small) : large;
}

static void choose_chances(struct sf_harness *harness)
{
    struct random *random = &harness->random;
    struct engine_limits *limits = &harness->limits;
    harness->partitions = (uint32_t)random_between(random, MACHINE_WORKERS_MAX, 32);
    limits->cache_bytes = small_or_large(random, 4000, 1 << 20);
    limits->backlog_memory_bytes = small_or_large(random, 4000, 1 << 20);
    limits->delta_bytes = small_or_large(random, 4000, 1 << 20);
    limits->delayed_memory_bytes = small_or_large(random, 2000, 1 << 20);
    limits->batch_bytes_max = small_or_large(random, 300, 1 << 20);
    bool is_hard = random_chance(random, 800);
    harness->chances = (struct chances){
        .crash = is_hard ? random_below(random, 12) : 0,
        .crashes_left = random_below(random, 40),
        .repeat = random_chance(random, 700) ? random_below(random, 300) : 0,
        .misbehave = random_chance(random, 500) ? random_below(random, 200) : 0,
    };
}

bool sf_harness_new(const struct sf_harness_options *options, struct sf_harness **ret_harness,
                    struct sf_status *status)
{
    static const struct sf_harness_options none;
    if (!options)
        options = &none;
    char **config;
    if (!check_options(options, status) || !config_copy(options->config, &config, status))
        return false;

    struct sf_harness *harness = mem_new(sizeof *harness);
    harness->options = *options;
    harness->config = config;
    harness->now_ms = options->start_ms ? options->start_ms : START_MS;
    harness->limits = engine_limits_default;
    harness->limits.in_flight_max = 0;
    harness->partitions = PARTITIONS_DEFAULT;
    harness->is_simulated = options->seed != 0;
    harness->random.state = options->seed;
    if (harness->is_simulated)
        choose_chances(harness);

    registry_init(&harness->registry,
                  &(struct registry_options){.owner = harness->config, .config = config_of_list});
    harness->world = (struct batch_world){
        .owner = harness, .async_begin = calls_begin_async, .log = calls_log, .count = calls_count};
    batch_init(&harness->batch, &harness->world);
    route_init(
        &harness->route,
        (struct route_world){.owner = harness, .log = calls_log_route, .count = calls_count_route});
    list_init(&harness->remotes);
    list_init(&harness->held);
    list_init(&harness->pulled);
    list_init(&harness->egresses);
    list_init(&harness->expected);
    list_init(&harness->looks);
    harness->machine = (struct machine){.random = harness->is_simulated ? &harness->random : NULL,
                                        .owner = harness,
                                        .before_durable = results_before_durable};
    *ret_harness = harness;
    return true;
}

static void remote_free(struct remote_functions *remote)
{
    list_take(&remote->link);
    free(remote->types);
    free(remote->url);
    free(remote);
}

void sf_harness_free(struct sf_harness *harness)
{
    if (!harness)
        return;
    if (harness->is_started)
        calls_free(harness);
    operations_free(harness->operations);
    machine_destroy(&harness->machine);
    input_destroy(harness);
    results_destroy(harness);
    route_destroy(&harness->route);
    batch_destroy(&harness->batch);
    registry_destroy(&harness->registry);
    list_for_each_safe (&harness->remotes, node)
        remote_free(container_of(node, struct remote_functions, link));
    config_free(harness->config);
    free(harness->functions);
    free(harness->weights);
    buffer_destroy(&harness->failing);
    free(harness);
}

bool sf_harness_is_simulated(const struct sf_harness *harness)
{
    return harness->is_simulated;
}

int64_t sf_harness_now_ms(const struct sf_harness *harness)
{
    return harness->now_ms;
}

/* --- the application --- */

bool sf_harness_add(struct sf_harness *harness, sf_configure configure, struct sf_status *status)
{
    if (harness->is_started)
        return sf_fail(status, SF_CONFLICT, "a module is added after the first run");
    return registry_add(&harness->registry, configure, status);
}

/* In the order of the registry: calls_attach counts on it. */
static void bind_all(struct sf_harness *harness)
{
    const struct registry *registry = &harness->registry;
    struct bindings *bindings = &harness->bindings;
    harness->functions = mem_new((registry->function_count + 1) * sizeof *harness->functions);
    bindings->functions = harness->functions;
    for (size_t i = 0; i < registry->function_count; i++)
        harness->functions[bindings->function_count++] = (struct function_binding){
            .ns = registry->functions[i].ns,
            .name = registry->functions[i].name,
            .is_prefix = registry->functions[i].is_prefix,
            .batch_max = harness->is_simulated ? 0 : 1,
            .in_flight_max = 1000,
            .failures = {.end = FAILURE_DEAD_LETTER, .attempts = 1},
        };
    harness->functions[bindings->function_count++] = (struct function_binding){
        .ns = bytes_of(ASYNC_FUNCTION_NS),
        .name = bytes_of(ASYNC_FUNCTION_NAME),
        .needs_no_proof = true,
        .batch_max = 1,
        .in_flight_max = SIZE_MAX,
        .failures = {.end = FAILURE_RETRY},
    };
    harness->egress_binding = (struct egress_binding){
        .ns = bytes_of("statefun"),
        .name = bytes_of("harness"),
        .id = bytes_of("statefun/harness"),
        .accept = results_accept,
    };
    bindings->egresses = &harness->egress_binding;
    bindings->egress_count = 1;
}

static void on_settle(void *owner, uint64_t receipt, enum settlement settlement, uint64_t epoch)
{
    (void)owner, (void)receipt, (void)settlement, (void)epoch; /* nobody asks for one */
}

static void on_dead_done(void *owner, struct dead_request *request)
{
    (void)owner, (void)request;
}

static void on_found(void *owner, uint64_t receipt, const struct found_state *states, size_t count)
{
    (void)owner, (void)receipt, (void)states, (void)count;
}

static void on_room(void *owner)
{
    (void)owner; /* the next step sees it */
}

static void on_hurry(void *owner, enum view_part part)
{
    (void)owner, (void)part; /* it comes forward when it comes */
}

static void on_report(void *owner, const struct report *report)
{
    struct machine_worker *worker = owner;
    struct sf_harness *harness = worker->machine->owner;
    if (report->kind != REPORT_FAILING)
        return;
    buffer_clear(&harness->failing);
    address_add_text(&harness->failing, report->address);
    buffer_add_format(&harness->failing, ": %.*s", BYTES_ARG(report->cause));
}

static bool on_misbehave(void *owner, enum misbehaviour misbehaviour)
{
    struct machine_worker *worker = owner;
    struct sf_harness *harness = worker->machine->owner;
    (void)misbehaviour;
    return !harness->is_calm && random_chance(&harness->random, harness->chances.misbehave);
}

bool harness_begin_life(struct sf_harness *harness, struct sf_status *status)
{
    bool by_chance = harness->is_simulated && !harness->options.workers;
    unsigned workers = harness->options.workers ? harness->options.workers : 1;
    struct machine_life life = {
        .workers = by_chance ? (uint32_t)random_between(&harness->random, 1, MACHINE_WORKERS_MAX)
                             : workers,
        .partitions = harness->partitions,
        .hash_seed = harness->is_simulated ? random_next(&harness->random) : 0,
        .now_ms = (uint64_t)harness->now_ms,
        .remember_specs = !harness->is_simulated || random_chance(&harness->random, 700),
        .limits = harness->limits,
        .bindings = &harness->bindings,
        .ports = {.attach = calls_attach,
                  .invoke = calls_invoke,
                  .settle = on_settle,
                  .dead_done = on_dead_done,
                  .found = on_found,
                  .room = on_room,
                  .hurry = on_hurry,
                  .report = on_report,
                  .misbehave = harness->is_simulated ? on_misbehave : NULL},
    };
    harness->operations = operations_new(++harness->life);
    desk_init(&harness->desk, harness->operations, NULL, NULL);
    harness->has_unconfirmed = true; /* what a crash left was delivered when it became durable */
    if (!machine_start(&harness->machine, &life, status))
        return false;
    input_begin_life(harness);
    return true;
}

void harness_crash(struct sf_harness *harness)
{
    calls_free(harness);
    operations_free(harness->operations);
    harness->operations = NULL;
    machine_crash(&harness->machine);
}

bool harness_start(struct sf_harness *harness, struct sf_status *status)
{
    if (harness->is_started)
        return true;
    harness->is_started = true;
    bind_all(harness);
    return harness_begin_life(harness, status);
}

bool sf_harness_restart(struct sf_harness *harness, struct sf_status *status)
{
    results_forget_looks(harness);
    if (!harness->is_started)
        return harness_start(harness, status);
    harness_crash(harness);
    return harness_begin_life(harness, status);
}

/* --- addresses --- */

bool address_of(struct arena *arena, struct sf_address written, struct address *ret_address,
                struct sf_status *status)
{
    struct bytes ns, name;
    struct sf_target target = target_of(written);
    return (typename_split(bytes_from_sf(target.type), &ns, &name) ||
            sf_fail(status, SF_INVALID, "target '%.*s': expected a function type namespace/name",
                    (int)target.type.size, (const char *)target.type.data)) &&
           address_make(ns, name, bytes_from_sf(target.id), arena, ret_address, status);
}
