/* runtime.c - builds the rooms and connects them. */
#include "runtime/runtime.h"

#include "base/log.h"
#include "engine/partition.h"
#include "function/modules.h"
#include "net/address.h"
#include "runtime/admin.h"
#include "runtime/bindings.h"
#include "runtime/egresses.h"
#include "runtime/notice.h"

#include <errno.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

enum { LOADER_THREADS = 4, POLL_MS = 2, WAY_OUT_MS = 2000 };

struct listener {
    char *name; /* the id of the ingress or egress, or "admin" */
    char *where;
    int fd; /* -1: there is none */
};

struct runtime {
    const struct application *application;
    const struct settings *settings;
    const char *name;
    const struct registry *registry; /* NULL: there are no embedded modules */
    struct bindings *bindings;
    struct operations *operations;
    struct endpoints endpoints;

    struct listener admin_listener, ingress_listener, egress_listener;
    struct notice *notice;

    struct store *store;
    struct loader *loader;
    struct committer *committer;
    struct egresses *egresses;
    uint32_t worker_count;
    uint32_t started_workers;
    struct worker **workers;

    struct kafka_ingress **kafka_ingresses;
    struct ingress_owner *ingress_owners;
    struct kinesis_ingress **kinesis_ingresses;
    struct ingress_owner *kinesis_owners;
    struct module_ingress **module_ingresses;
    size_t module_ingress_count;

    struct loop *front_loop; /* of admin and playground egress */
    struct inbox *front_inbox;
    pthread_t front_thread;
    bool front_runs;
    struct admin *admin;

    int failure_fd;
    pthread_mutex_t failure_lock;
    bool has_failed;
    struct sf_status failure;
};

/* Who is told about the partitions of a Kafka ingress, or the shards of a Kinesis ingress. */
struct ingress_owner {
    struct runtime *runtime;
    size_t number;
};

static uint64_t number_of(const struct runtime *runtime, enum setting setting)
{
    return settings_number(runtime->settings, setting);
}

/* --- what the parts tell each other --- */

static void on_seal(void *owner, uint64_t epoch)
{
    struct runtime *runtime = owner;
    for (uint32_t i = 0; i < runtime->worker_count; i++)
        worker_seal(runtime->workers[i], epoch);
}

static void on_committed(void *owner, uint64_t epoch, struct delta *const *parts, size_t count)
{
    struct runtime *runtime = owner;
    egresses_put(runtime->egresses, epoch, parts, count);
    for (uint32_t i = 0; i < runtime->worker_count; i++)
        worker_committed(runtime->workers[i], epoch);
}

static void on_view(void *owner, struct view_progress progress)
{
    struct runtime *runtime = owner;
    for (uint32_t i = 0; i < runtime->worker_count; i++)
        worker_viewed(runtime->workers[i], progress);
    egresses_viewed(runtime->egresses);
}

/* On the front's thread, or when that is over: then there is no admin listener any more. */
static void run_state_answer(struct errand *errand, void *owner)
{
    struct state_answer *answer = container_of(errand, struct state_answer, errand);
    if (owner)
        admin_take_answer(owner, answer);
    else
        state_answer_free(answer);
}

static void on_partition(void *owner, uint32_t worker, struct kafka_partition *partition)
{
    struct ingress_owner *ingress = owner;
    worker_add_partition(ingress->runtime->workers[worker], ingress->number, partition);
}

static void on_shard(void *owner, uint32_t worker, struct kinesis_shard *shard)
{
    struct ingress_owner *ingress = owner;
    worker_add_shard(ingress->runtime->workers[worker], ingress->number, shard);
}

static void on_fatal(void *owner, const struct sf_status *status)
{
    struct runtime *runtime = owner;
    pthread_mutex_lock(&runtime->failure_lock);
    if (!runtime->has_failed) {
        runtime->failure = *status;
        runtime->has_failed = true;
        (void)eventfd_write(runtime->failure_fd, 1); /* fails only when it is readable already */
    }
    pthread_mutex_unlock(&runtime->failure_lock);
}

int runtime_failure_fd(const struct runtime *runtime)
{
    return runtime->failure_fd;
}

bool runtime_failure(struct runtime *runtime, struct sf_status *ret_failure)
{
    pthread_mutex_lock(&runtime->failure_lock);
    bool has_failed = runtime->has_failed;
    if (has_failed)
        *ret_failure = runtime->failure;
    pthread_mutex_unlock(&runtime->failure_lock);
    return has_failed;
}

/* --- listening --- */

static bool open_listener(struct listener *listener, const char *name, const char *where,
                          struct sf_status *status)
{
    listener->name = mem_string(name);
    if (!net_listen(where, &listener->fd, &listener->where, status))
        return sf_wrap(status, "%s", name);
    return true;
}

static bool open_port(struct runtime *runtime, struct listener *listener, const char *name,
                      uint16_t port, struct sf_status *status)
{
    const char *bind = settings_text(runtime->settings, SETTING_HTTP_BIND);
    bool is_v6 = strchr(bind, ':') && bind[0] != '[';
    char *where = mem_format(is_v6 ? "[%s]:%u" : "%s:%u", bind, port);
    bool good = open_listener(listener, name, where, status);
    free(where);
    return good;
}

static bool listen_all(struct runtime *runtime, struct sf_status *status)
{
    const struct application *application = runtime->application;
    const char *admin = settings_text(runtime->settings, SETTING_ADMIN);
    return open_listener(&runtime->admin_listener, "admin", admin, status) &&
           (!application->http_ingress_count ||
            open_port(runtime, &runtime->ingress_listener, "io.statefun.playground/ingress",
                      application->http_ingresses[0].port, status)) &&
           (!application->http_egress_count ||
            open_port(runtime, &runtime->egress_listener, "io.statefun.playground/egress",
                      application->http_egresses[0].port, status));
}

static void close_listener(struct listener *listener)
{
    if (listener->fd >= 0)
        close(listener->fd);
    if (listener->where && !strncmp(listener->where, "unix:", 5))
        unlink(listener->where + 5);
    free(listener->name);
    free(listener->where);
}

static struct notice *notice_of(const struct runtime *runtime)
{
    const struct listener *listeners[] = {&runtime->admin_listener, &runtime->ingress_listener,
                                          &runtime->egress_listener};
    struct notice *notice = notice_new(runtime->name);
    for (size_t i = 0; i < sizeof listeners / sizeof *listeners; i++)
        if (listeners[i]->where)
            notice_add_listener(notice, listeners[i]->name, listeners[i]->where);
    return notice;
}

/* --- recovery --- */

static bool open_store(struct runtime *runtime, struct sf_status *status)
{
    struct store_options options = store_defaults;
    options.directory = settings_text(runtime->settings, SETTING_DATA);
    options.partitions = (uint32_t)number_of(runtime, SETTING_PARTITIONS);
    if (!store_open(&options, &runtime->store, status))
        return false;
    if (store_partitions(runtime->store) != options.partitions)
        log_warn("the data directory keeps its number of partitions",
                 LOG_NUMBER("partitions", store_partitions(runtime->store)),
                 LOG_NUMBER("setting", options.partitions));
    return true;
}

struct restoring {
    struct runtime *runtime;
    struct sf_status *status;
    bool is_good;
};

static bool restore_entry(void *owner, struct bytes key, struct bytes value)
{
    struct restoring *restoring = owner;
    struct runtime *runtime = restoring->runtime;
    struct key parsed;
    bool is_shared = false;
    uint32_t first = 0;
    if (key_parse(key, &parsed)) {
        is_shared = parsed.kind == KEY_POSITION || parsed.kind == KEY_SPEC;
        if (parsed.partition < store_partitions(runtime->store))
            first = partition_worker(parsed.partition, store_partitions(runtime->store),
                                     runtime->worker_count);
    }
    uint32_t last = is_shared ? runtime->worker_count - 1 : first;
    for (uint32_t i = first; i <= last && restoring->is_good; i++)
        restoring->is_good =
            engine_restore(worker_engine(runtime->workers[i]), key, value, restoring->status);
    return restoring->is_good;
}

/* State is loaded when it is needed, and records of egresses are the outboxes' business. */
static bool restore(struct runtime *runtime, struct sf_status *status)
{
    static const uint8_t kinds[] = {KEY_SPEC,    KEY_POSITION,    KEY_PARKED,     KEY_MESSAGE,
                                    KEY_DELAYED, KEY_IDEMPOTENCY, KEY_DEAD_LETTER};
    struct restoring restoring = {runtime, status, true};
    for (size_t i = 0; i < sizeof kinds && restoring.is_good; i++)
        (void)store_scan(runtime->store, bytes_make(&kinds[i], 1), (struct bytes){0}, restore_entry,
                         &restoring);
    for (uint32_t i = 0; i < runtime->worker_count && restoring.is_good; i++)
        engine_restored(worker_engine(runtime->workers[i]));
    return restoring.is_good ||
           sf_wrap(status, "data directory %s", settings_text(runtime->settings, SETTING_DATA));
}

/* --- building --- */

static uint64_t wall_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static struct engine_limits limits_of(const struct runtime *runtime)
{
    uint32_t workers = runtime->worker_count;
    struct engine_limits limits = engine_limits_default;
    limits.cache_bytes = number_of(runtime, SETTING_CACHE_BYTES) / workers;
    limits.backlog_memory_bytes = number_of(runtime, SETTING_BACKLOG_MEMORY_BYTES) / workers;
    limits.backlog_bytes = number_of(runtime, SETTING_BACKLOG_BYTES) / workers;
    limits.delta_bytes /= workers;
    limits.delayed_memory_bytes /= workers;
    limits.in_flight_max = number_of(runtime, SETTING_ASYNC_MAX_PER_TASK);
    limits.retry_ms_max = number_of(runtime, SETTING_RETRY_BACKOFF_MAX);
    limits.idempotency_ms = number_of(runtime, SETTING_IDEMPOTENCY_WINDOW);
    limits.idempotency_keys_max /= workers;
    return limits;
}

static void make_workers(struct runtime *runtime)
{
    uint64_t seed = 0;
    if (getrandom(&seed, sizeof seed, 0) != (ssize_t)sizeof seed)
        seed = wall_ms(); /* cannot happen for 8 bytes on Linux */

    runtime->workers = mem_new(runtime->worker_count * sizeof(struct worker *));
    runtime->operations = operations_new(hash_seeded(bytes_of("life"), seed));
    runtime->loader = loader_new(runtime->store, LOADER_THREADS, worker_loaded);
    runtime->committer = committer_new(&(struct committer_options){
        .store = runtime->store,
        .workers = runtime->worker_count,
        .interval_ms = number_of(runtime, SETTING_COMMIT_INTERVAL),
        .owner = runtime,
        .on_seal = on_seal,
        .on_committed = on_committed,
    });
    struct worker_options options = {
        .engine =
            {
                .workers = runtime->worker_count,
                .partitions = store_partitions(runtime->store),
                .hash_seed = seed,
                .epoch = store_epoch(runtime->store) + 1,
                .now_ms = wall_ms(),
                .remember_specs = settings_switch(runtime->settings, SETTING_STATE_SPECS_REMEMBER),
                .kept_bytes_min = STATE_KEPT_BYTES_MIN,
                .limits = limits_of(runtime),
                .bindings = runtime->bindings,
            },
        .endpoints = &runtime->endpoints,
        .registry = runtime->registry,
        .operations = runtime->operations,
        .store = runtime->store,
        .loader = runtime->loader,
        .committer = runtime->committer,
        .peers = runtime->workers,
        .http_fd = runtime->ingress_listener.fd,
        .body_bytes_max = number_of(runtime, SETTING_BODY_BYTES_MAX),
        .remote = {.pipeline_max = number_of(runtime, SETTING_REMOTE_PIPELINE),
                   .uses_bundles = settings_switch(runtime->settings, SETTING_REMOTE_BUNDLES)},
        .kafka_ingresses = runtime->kafka_ingresses,
        .kafka_ingress_count = runtime->application->kafka_ingress_count,
        .kinesis_ingresses = runtime->kinesis_ingresses,
        .kinesis_ingress_count = runtime->application->kinesis_ingress_count,
        .module_ingresses = runtime->module_ingresses,
        .module_ingress_count = runtime->module_ingress_count,
        .front = runtime->front_inbox,
        .run_state_answer = run_state_answer,
    };
    for (uint32_t i = 0; i < runtime->worker_count; i++) {
        options.engine.worker = i;
        runtime->workers[i] = worker_new(&options);
    }
}

static void make_egresses(struct runtime *runtime)
{
    runtime->egresses = egresses_new(&(struct egresses_options){
        .application = runtime->application,
        .registry = runtime->registry,
        .bindings = runtime->bindings,
        .name = runtime->name,
        .store = runtime->store,
        .memory_bytes = number_of(runtime, SETTING_OUTBOX_MEMORY_BYTES),
        .bytes_max = number_of(runtime, SETTING_OUTBOX_BYTES),
        .workers = runtime->workers,
        .worker_count = runtime->worker_count,
        .committer = runtime->committer,
        .loop = runtime->front_loop,
        .playground_fd = runtime->egress_listener.fd,
        .owner = runtime,
        .on_fatal = on_fatal,
    });
}

/* --- the front: what is on nobody's hot path --- */

static void on_front_wake(void *owner)
{
    struct runtime *runtime = owner;
    errands_run(runtime->front_inbox, runtime->admin);
    egresses_take(runtime->egresses);
}

static void *run_front(void *argument)
{
    struct runtime *runtime = argument;
    loop_run(runtime->front_loop);
    return NULL;
}

static void start_front(struct runtime *runtime)
{
    size_t egress_count;
    const struct admin_egress *egresses = egresses_list(runtime->egresses, &egress_count);
    runtime->admin = admin_new(&(struct admin_options){
        .loop = runtime->front_loop,
        .inbox = runtime->front_inbox,
        .listen_fd = runtime->admin_listener.fd,
        .where = runtime->admin_listener.where,
        .token = settings_text(runtime->settings, SETTING_ADMIN_TOKEN),
        .body_bytes_max = number_of(runtime, SETTING_BODY_BYTES_MAX),
        .application = runtime->application,
        .registry = runtime->registry,
        .notice = runtime->notice,
        .workers = runtime->workers,
        .worker_count = runtime->worker_count,
        .committer = runtime->committer,
        .store = runtime->store,
        .egresses = egresses,
        .egress_count = egress_count,
        .kafka_ingresses = runtime->kafka_ingresses,
    });
    loop_on_wake(runtime->front_loop, on_front_wake, runtime);
    if (pthread_create(&runtime->front_thread, NULL, run_front, runtime))
        abort();
    runtime->front_runs = true;
}

/* --- ingresses --- */

/* What is stored of one ingress's positions, one after the other. */
struct stored_positions {
    struct bytes ingress;
    bool (*add)(struct stored_positions *positions, struct bytes name, struct bytes value);
    struct kafka_position *kafka; /* of both one */
    struct kinesis_position *kinesis;
    size_t count;
    bool is_good;
    struct sf_status *status;
};

static bool visit_position(void *owner, struct bytes bytes, struct bytes value)
{
    struct stored_positions *positions = owner;
    struct key key;
    if (!key_parse(bytes, &key) || !bytes_equal(key.subject, positions->ingress))
        return true; /* restoring judges the keys */
    positions->is_good = positions->add(positions, key.name, value);
    return positions->is_good;
}

static struct stored_positions read_positions(struct runtime *runtime, const char *ingress,
                                              bool (*add)(struct stored_positions *positions,
                                                          struct bytes name, struct bytes value),
                                              struct sf_status *status)
{
    static const uint8_t kind = KEY_POSITION;
    struct stored_positions positions = {
        .ingress = bytes_of(ingress), .add = add, .is_good = true, .status = status};
    (void)store_scan(runtime->store, bytes_make(&kind, 1), (struct bytes){0}, visit_position,
                     &positions);
    return positions;
}

static bool add_kafka_position(struct stored_positions *positions, struct bytes name,
                               struct bytes value)
{
    struct kafka_position position;
    if (!kafka_position_parse(name, value, &position, positions->status))
        return false;
    positions->kafka =
        mem_resize(positions->kafka, (positions->count + 1) * sizeof *positions->kafka);
    positions->kafka[positions->count++] = position;
    return true;
}

static bool add_kinesis_position(struct stored_positions *positions, struct bytes name,
                                 struct bytes value)
{
    struct kinesis_position position;
    if (!kinesis_position_parse(name, value, &position, positions->status))
        return false;
    positions->kinesis =
        mem_resize(positions->kinesis, (positions->count + 1) * sizeof *positions->kinesis);
    positions->kinesis[positions->count++] = position;
    return true;
}

static bool open_kafka_ingress(struct runtime *runtime, size_t number, struct sf_status *status)
{
    const struct kafka_ingress_spec *spec = &runtime->application->kafka_ingresses[number];
    char *id = mem_format("%s/%s", spec->id.ns, spec->id.name);
    struct stored_positions positions = read_positions(runtime, id, add_kafka_position, status);

    runtime->ingress_owners[number] = (struct ingress_owner){runtime, number};
    bool good = positions.is_good &&
                kafka_ingress_open(
                    &(struct kafka_ingress_options){
                        .spec = spec,
                        .registry = runtime->registry,
                        .workers = runtime->worker_count,
                        .memory_bytes = number_of(runtime, SETTING_KAFKA_FETCH_MEMORY_BYTES),
                        .positions = positions.kafka,
                        .position_count = positions.count,
                        .owner = &runtime->ingress_owners[number],
                        .on_partition = on_partition,
                    },
                    &runtime->kafka_ingresses[number], status);
    if (!good)
        sf_wrap(status, "ingress %s", id);
    for (size_t i = 0; i < positions.count; i++)
        free(positions.kafka[i].topic);
    free(positions.kafka);
    free(id);
    return good;
}

static bool open_kafka_ingresses(struct runtime *runtime, struct sf_status *status)
{
    for (size_t i = 0; i < runtime->application->kafka_ingress_count; i++)
        if (!open_kafka_ingress(runtime, i, status))
            return false;
    return true;
}

static bool open_kinesis_ingress(struct runtime *runtime, size_t number, struct sf_status *status)
{
    const struct kinesis_ingress_spec *spec = &runtime->application->kinesis_ingresses[number];
    char *id = mem_format("%s/%s", spec->id.ns, spec->id.name);
    struct stored_positions positions = read_positions(runtime, id, add_kinesis_position, status);

    runtime->kinesis_owners[number] = (struct ingress_owner){runtime, number};
    bool good = positions.is_good && kinesis_ingress_open(
                                         &(struct kinesis_ingress_options){
                                             .spec = spec,
                                             .registry = runtime->registry,
                                             .workers = runtime->worker_count,
                                             .positions = positions.kinesis,
                                             .position_count = positions.count,
                                             .owner = &runtime->kinesis_owners[number],
                                             .on_shard = on_shard,
                                         },
                                         &runtime->kinesis_ingresses[number], status);
    if (!good)
        sf_wrap(status, "ingress %s", id);
    for (size_t i = 0; i < positions.count; i++) {
        free(positions.kinesis[i].stream);
        free(positions.kinesis[i].text);
    }
    free(positions.kinesis);
    free(id);
    return good;
}

static bool open_kinesis_ingresses(struct runtime *runtime, struct sf_status *status)
{
    for (size_t i = 0; i < runtime->application->kinesis_ingress_count; i++)
        if (!open_kinesis_ingress(runtime, i, status))
            return false;
    return true;
}

static void make_module_ingresses(struct runtime *runtime)
{
    for (size_t i = 0; i < runtime->module_ingress_count; i++)
        runtime->module_ingresses[i] = module_ingress_new(&(struct module_ingress_options){
            .ingress = runtime->registry->ingresses[i],
            .registry = runtime->registry,
            .workers = runtime->worker_count,
        });
}

static bool start_module_ingresses(struct runtime *runtime, struct sf_status *status)
{
    for (size_t i = 0; i < runtime->module_ingress_count; i++)
        if (!module_ingress_start(runtime->module_ingresses[i], status))
            return false;
    return true;
}

static void stop_ingresses(struct runtime *runtime)
{
    for (size_t i = 0; i < runtime->application->kafka_ingress_count; i++)
        if (runtime->kafka_ingresses[i])
            kafka_ingress_stop(runtime->kafka_ingresses[i]);
    for (size_t i = 0; i < runtime->application->kinesis_ingress_count; i++)
        if (runtime->kinesis_ingresses[i])
            kinesis_ingress_stop(runtime->kinesis_ingresses[i]);
    for (size_t i = 0; i < runtime->module_ingress_count; i++)
        if (runtime->module_ingresses[i])
            module_ingress_stop(runtime->module_ingresses[i]);
}

/* --- life --- */

static bool open_all(struct runtime *runtime, struct sf_status *status)
{
    if (!endpoints_open(runtime->application, &runtime->endpoints, status) ||
        !open_store(runtime, status) || !listen_all(runtime, status))
        return false;
    runtime->notice = notice_of(runtime);
    make_workers(runtime);
    make_egresses(runtime);
    store_watch_view(runtime->store, on_view, runtime);
    if (!restore(runtime, status) || !egresses_start(runtime->egresses, status) ||
        !open_kafka_ingresses(runtime, status) || !open_kinesis_ingresses(runtime, status) ||
        !notice_write(runtime->notice, settings_text(runtime->settings, SETTING_DATA), status))
        return false;

    make_module_ingresses(runtime);
    committer_start(runtime->committer);
    for (; runtime->started_workers < runtime->worker_count; runtime->started_workers++)
        worker_start(runtime->workers[runtime->started_workers]);
    start_front(runtime);
    if (!start_module_ingresses(runtime, status))
        return false;
    admin_set_ready(runtime->admin, true);
    return true;
}

bool runtime_open(const struct application *application, const struct settings *settings,
                  const struct modules *modules, struct runtime **ret_runtime,
                  struct sf_status *status)
{
    struct runtime *runtime = mem_new(sizeof *runtime);
    runtime->application = application;
    runtime->settings = settings;
    runtime->name = settings_text(settings, SETTING_APPLICATION);
    runtime->worker_count = (uint32_t)number_of(runtime, SETTING_WORKERS);
    runtime->registry = modules ? modules_registry(modules) : NULL;
    runtime->bindings = bindings_new(application, runtime->registry);
    runtime->admin_listener.fd = runtime->ingress_listener.fd = runtime->egress_listener.fd = -1;
    runtime->kafka_ingresses =
        mem_new(application->kafka_ingress_count * sizeof(struct kafka_ingress *));
    runtime->ingress_owners =
        mem_new(application->kafka_ingress_count * sizeof *runtime->ingress_owners);
    runtime->kinesis_ingresses =
        mem_new(application->kinesis_ingress_count * sizeof(struct kinesis_ingress *));
    runtime->kinesis_owners =
        mem_new(application->kinesis_ingress_count * sizeof *runtime->kinesis_owners);
    runtime->module_ingress_count = runtime->registry ? runtime->registry->ingress_count : 0;
    runtime->module_ingresses =
        mem_new(runtime->module_ingress_count * sizeof(struct module_ingress *));
    runtime->front_loop = loop_new();
    runtime->front_inbox = inbox_new(runtime->front_loop);
    pthread_mutex_init(&runtime->failure_lock, NULL);
    runtime->failure_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (runtime->failure_fd < 0) {
        sf_fail(status, SF_IO, "no descriptor for an event: %s", strerror(errno));
        runtime_close(runtime);
        return false;
    }
    if (!open_all(runtime, status)) {
        runtime_close(runtime);
        return false;
    }
    log_info("running", LOG_TEXT("application", runtime->name),
             LOG_TEXT("admin", runtime->admin_listener.where),
             LOG_NUMBER("workers", runtime->worker_count),
             LOG_NUMBER("epoch", store_epoch(runtime->store)));
    *ret_runtime = runtime;
    return true;
}

static uint64_t clock_ms(void)
{
    return clock_now_us() / 1000;
}

/* What is left until `deadline_ms`. */
static uint64_t left_ms(uint64_t deadline_ms)
{
    uint64_t now_ms = clock_ms();
    return deadline_ms > now_ms ? deadline_ms - now_ms : 0;
}

static void wait_turns(struct runtime *runtime)
{
    for (uint32_t i = 0; i < runtime->worker_count; i++)
        worker_wait_turn(runtime->workers[i]);
}

static bool wait_idle(struct runtime *runtime, uint64_t deadline_ms)
{
    for (;;) {
        uint64_t busy = 0;
        wait_turns(runtime);
        for (uint32_t i = 0; i < runtime->worker_count; i++)
            busy += worker_busy(runtime->workers[i]);
        if (!busy)
            return true;
        if (!left_ms(deadline_ms))
            return false;
        nanosleep(&(struct timespec){.tv_nsec = POLL_MS * 1000000}, NULL);
    }
}

bool runtime_stop(struct runtime *runtime, uint64_t timeout_ms)
{
    uint64_t deadline_ms = clock_ms() + timeout_ms;
    admin_set_ready(runtime->admin, false);
    for (uint32_t i = 0; i < runtime->worker_count; i++)
        worker_stop_input(runtime->workers[i]);
    stop_ingresses(runtime);

    bool ended = wait_idle(runtime, deadline_ms);
    bool committed = committer_flush(runtime->committer, left_ms(deadline_ms) + WAY_OUT_MS);
    egresses_stop(runtime->egresses, left_ms(deadline_ms));
    wait_turns(runtime); /* what the egresses confirmed is in the open epoch now */
    committed &= committer_flush(runtime->committer, WAY_OUT_MS);
    return ended && committed;
}

static void end_threads(struct runtime *runtime)
{
    for (uint32_t i = 0; i < runtime->started_workers; i++)
        worker_close_input(runtime->workers[i]);
    for (uint32_t i = 0; i < runtime->started_workers; i++)
        worker_end(runtime->workers[i]);
    for (uint32_t i = 0; i < runtime->started_workers; i++)
        worker_join(runtime->workers[i]);
    if (runtime->committer)
        committer_stop(runtime->committer);
    if (runtime->front_runs) {
        loop_stop(runtime->front_loop);
        pthread_join(runtime->front_thread, NULL);
    }
}

void runtime_close(struct runtime *runtime)
{
    if (!runtime)
        return;
    stop_ingresses(runtime);
    if (runtime->egresses)
        egresses_stop(runtime->egresses, 0);
    end_threads(runtime);
    for (size_t i = 0; i < runtime->application->kafka_ingress_count; i++)
        kafka_ingress_close(runtime->kafka_ingresses[i]);
    for (size_t i = 0; i < runtime->application->kinesis_ingress_count; i++)
        kinesis_ingress_close(runtime->kinesis_ingresses[i]);
    for (size_t i = 0; i < runtime->module_ingress_count; i++)
        module_ingress_close(runtime->module_ingresses[i]);

    loader_free(runtime->loader); /* what it still reads goes to workers */
    admin_stop(runtime->admin);
    if (runtime->notice)
        notice_remove(settings_text(runtime->settings, SETTING_DATA));
    store_close(runtime->store); /* before those whom its view tells how far it is */
    egresses_free(runtime->egresses);
    for (uint32_t i = 0; runtime->workers && i < runtime->worker_count; i++)
        worker_free(runtime->workers[i]);
    errands_run(runtime->front_inbox, runtime->admin); /* what workers said at last */
    admin_free(runtime->admin);
    committer_free(runtime->committer);
    errands_run(runtime->front_inbox, NULL); /* answers that workers have sent since */
    inbox_free(runtime->front_inbox);
    loop_free(runtime->front_loop);
    close_listener(&runtime->admin_listener);
    close_listener(&runtime->ingress_listener);
    close_listener(&runtime->egress_listener);
    notice_free(runtime->notice);
    operations_free(runtime->operations);
    bindings_free(runtime->bindings);
    endpoints_close(&runtime->endpoints);
    pthread_mutex_destroy(&runtime->failure_lock);
    if (runtime->failure_fd >= 0)
        close(runtime->failure_fd);
    free(runtime->workers);
    free(runtime->kafka_ingresses);
    free(runtime->ingress_owners);
    free(runtime->kinesis_ingresses);
    free(runtime->kinesis_owners);
    free(runtime->module_ingresses);
    free(runtime);
}
