/* worker.c - the turn of a worker: errands, descriptors and timers bring inputs, then the engine
 * runs. */
#include "runtime/worker_inside.h"

enum {
    NAP_US = 1000
}; /* replies that come in this time are taken together, where there is a crowd */
enum { HURRY_MS = 200 };       /* hurrying costs the store some milliseconds each time */
enum { LOADS_TOGETHER = 128 }; /* then they need not wait for the end of the turn */
enum { POSTS_TOGETHER = 8 };   /* nor do these, if they are waited for */

/* Posts to one other worker, gathered during a turn. */
struct parcel {
    struct errand errand;
    uint32_t from;
    size_t count, capacity;
    struct post posts[];
};

/* --- ports: what the engine wants --- */

static void *on_attach(void *owner, const struct function_binding *binding, struct bytes ns,
                       struct bytes name)
{
    struct worker *worker = owner;
    if (binding->answers_at_once)
        return embedded_attach(worker->embedded, ns, name);
    if (worker->desk && bytes_is(ns, ASYNC_FUNCTION_NS) && bytes_is(name, ASYNC_FUNCTION_NAME))
        return worker->desk;
    return remote_attach(worker->remote, ns, name);
}

static void on_invoke(void *owner, void *function, struct invocation *invocation,
                      const struct to_function *request)
{
    struct worker *worker = owner;
    if (function == worker->desk)
        operation_desk_invoke(worker->desk, invocation, request);
    else
        remote_invoke(worker->remote, function, invocation, request);
}

static const struct from_function *on_call(void *owner, void *function,
                                           const struct to_function *request,
                                           struct sf_status *status)
{
    struct worker *worker = owner;
    return embedded_call(worker->embedded, function, request, status);
}

static void send_loads(struct worker *worker)
{
    if (worker->loads)
        loader_put(worker->options.loader, worker->loads);
    worker->loads = NULL;
}

static bool on_load(void *owner, struct load *load)
{
    struct worker *worker = owner;
    if (!worker->loads)
        worker->loads = load_batch_new(worker);
    load_batch_add(worker->loads, load);
    if (worker->loads->count == LOADS_TOGETHER)
        send_loads(worker);
    return false;
}

static void run_parcel(struct errand *errand, void *owner)
{
    struct worker *worker = owner;
    struct parcel *parcel = container_of(errand, struct parcel, errand);
    for (size_t i = 0; i < parcel->count; i++)
        engine_receive(worker->engine, parcel->from, &parcel->posts[i]);
    worker->got_parcel = true;
    free(parcel);
}

static struct parcel *parcel_with_room(struct worker *worker, uint32_t to)
{
    enum { FIRST_CAPACITY = 16 };
    struct parcel *parcel = worker->parcels[to];
    if (!parcel || parcel->count == parcel->capacity) {
        size_t capacity = parcel ? parcel->capacity * 2 : FIRST_CAPACITY;
        size_t count = parcel ? parcel->count : 0;
        parcel = mem_resize(parcel, sizeof *parcel + capacity * sizeof *parcel->posts);
        parcel->errand.run = run_parcel;
        parcel->from = worker->number;
        parcel->count = count;
        parcel->capacity = capacity;
        worker->parcels[to] = parcel;
    }
    return parcel;
}

static void send_parcel(struct worker *worker, uint32_t to)
{
    struct parcel *parcel = worker->parcels[to];
    if (!parcel)
        return;
    worker->parcels[to] = NULL;
    errand_send(worker->options.peers[to]->inbox, &parcel->errand);
}

/* Who sleeps is woken once, for all that this turn has for it, and who is busy has no use for more;
 * but who stands waiting gets what there is, so that both go on working. */
static void on_post(void *owner, uint32_t to, const struct post *post)
{
    struct worker *worker = owner;
    struct parcel *parcel = parcel_with_room(worker, to);
    parcel->posts[parcel->count++] = *post;
    if (parcel->count >= POSTS_TOGETHER && loop_is_lingering(worker->options.peers[to]->loop))
        send_parcel(worker, to);
}

static void on_sealed(void *owner, struct delta *delta)
{
    struct worker *worker = owner;
    committer_part(worker->options.committer, delta);
}

struct settle_errand {
    struct errand errand;
    uint64_t receipt, epoch;
    enum settlement settlement;
};

static void run_settle(struct errand *errand, void *owner)
{
    struct worker *worker = owner;
    struct settle_errand *settle = container_of(errand, struct settle_errand, errand);
    http_ingress_settle(worker->http, settle->receipt, settle->settlement, settle->epoch);
    free(settle);
}

void worker_send_answer(struct worker *worker, struct state_answer *answer)
{
    answer->errand.run = worker->options.run_state_answer;
    errand_send(worker->options.front, &answer->errand);
}

static void on_found(void *owner, uint64_t receipt, const struct found_state *states, size_t count)
{
    struct state_answer *answer = state_answer_new(receipt, STATE_FOUND);
    state_answer_set(answer, states, count);
    worker_send_answer(owner, answer);
}

static void answer_state_call(struct worker *worker, uint64_t receipt, enum settlement settlement,
                              uint64_t epoch)
{
    struct state_answer *answer = state_answer_new(receipt, STATE_SETTLED);
    answer->settlement = settlement;
    answer->epoch = epoch;
    worker_send_answer(worker, answer);
}

static void on_settle(void *owner, uint64_t receipt, enum settlement settlement, uint64_t epoch)
{
    struct worker *worker = owner;
    if (receipt & STATE_RECEIPT_BIT) {
        answer_state_call(worker, receipt, settlement, epoch);
        return;
    }
    uint32_t to = http_ingress_worker_of(receipt);
    if (to == worker->number) {
        http_ingress_settle(worker->http, receipt, settlement, epoch);
        return;
    }
    struct settle_errand *errand = mem_new(sizeof *errand);
    *errand = (struct settle_errand){
        .errand = {.run = run_settle},
        .receipt = receipt,
        .epoch = epoch,
        .settlement = settlement,
    };
    errand_send(worker->options.peers[to]->inbox, &errand->errand);
}

static void on_dead_done(void *owner, struct dead_request *request)
{
    struct worker_dead_letters *letters =
        container_of(request, struct worker_dead_letters, request);
    (void)owner;
    letters->on_done(letters);
}

static void on_room(void *owner)
{
    struct worker *worker = owner;
    worker->has_room = true;
}

/* The engine asks in every run while it has reason to. */
static void on_hurry(void *owner, enum view_part part)
{
    struct worker *worker = owner;
    if (part == VIEW_WHOLE)
        worker->hurried_part = VIEW_WHOLE;
    worker->hurries = true;
    if (heap_holds(&worker->hurry.due))
        return;
    store_hurry(worker->options.store, worker->hurried_part);
    worker->hurries = false;
    worker->hurried_part = VIEW_KEPT;
    loop_timer_set(worker->loop, &worker->hurry, loop_now_ms(worker->loop) + HURRY_MS);
}

static void on_hurry_again(struct loop_timer *timer)
{
    struct worker *worker = container_of(timer, struct worker, hurry);
    if (worker->hurries)
        on_hurry(worker, worker->hurried_part);
}

static void on_report(void *owner, const struct report *report)
{
    struct worker *worker = owner;
    reporter_tell(&worker->reporter, report, loop_now_ms(worker->loop));
}

/* --- turns --- */

static void on_turn_begin(void *owner)
{
    struct worker *worker = owner;
    atomic_fetch_add_explicit(&worker->turns, 1, memory_order_relaxed);
    engine_time(worker->engine, loop_wall_ms(worker->loop));
}

static void on_wake(void *owner)
{
    struct worker *worker = owner;
    errands_run(worker->inbox, worker);
}

static void send_parcels(struct worker *worker)
{
    for (uint32_t to = 0; to < worker->options.engine.workers; to++)
        send_parcel(worker, to);
}

static void tell_committer(struct worker *worker)
{
    uint64_t epoch = engine_epoch(worker->engine);
    enum want want = engine_want(worker->engine);
    uint64_t egresses = engine_open_egresses(worker->engine);
    if (epoch == worker->wished_epoch && want == worker->wished_want &&
        egresses == worker->wished_egresses)
        return;
    worker->wished_epoch = epoch;
    worker->wished_want = want;
    worker->wished_egresses = egresses;
    committer_wish(worker->options.committer, worker->number, epoch, want, egresses);
}

static void set_timer(struct worker *worker)
{
    uint64_t wake_ms = engine_wake_ms(worker->engine);
    if (wake_ms == UINT64_MAX) {
        loop_timer_cancel(worker->loop, &worker->timer);
        return;
    }
    uint64_t wall_ms = loop_wall_ms(worker->loop);
    uint64_t left_ms = wake_ms > wall_ms ? wake_ms - wall_ms : 0;
    loop_timer_set(worker->loop, &worker->timer, loop_now_ms(worker->loop) + left_ms);
}

/* Embedded functions run here, so that everything else waits for them: as many as take about a
 * millisecond, then the loop has its turn. */
static void run_engine(struct worker *worker)
{
    enum { PACE_MIN = 16, PACE_MAX = 1 << 16, RUN_US = 1000 };
    if (!worker->embedded) {
        (void)engine_run(worker->engine);
        return;
    }
    engine_pace(worker->engine, worker->pace);
    uint64_t started_us = clock_now_us();
    if (!engine_run(worker->engine))
        return;
    uint64_t us = clock_now_us() - started_us;
    if (us < RUN_US / 2 && worker->pace < PACE_MAX)
        worker->pace *= 2;
    else if (us > RUN_US && worker->pace > PACE_MIN)
        worker->pace /= 2;
    loop_wake(worker->loop);
}

static void on_turn_end(void *owner)
{
    struct worker *worker = owner;
    run_engine(worker);
    remote_flush(worker->remote);
    if (worker->has_room && !worker->stopped_input) {
        worker->has_room = false;
        for (size_t i = 0; i < worker->options.kafka_ingress_count; i++)
            kafka_lane_room(worker->lanes[i]);
        for (size_t i = 0; i < worker->options.kinesis_ingress_count; i++)
            kinesis_lane_room(worker->shard_lanes[i]);
        for (size_t i = 0; i < worker->options.module_ingress_count; i++)
            module_lane_room(worker->module_lanes[i]);
        loop_wake(worker->loop); /* what came in wants a run */
    }
    if (engine_is_crowded(worker->engine))
        loop_nap(worker->loop, NAP_US);
    send_loads(worker);
    send_parcels(worker);
    tell_committer(worker);
    set_timer(worker);

    struct engine_figures figures;
    engine_figures(worker->engine, &figures);
    uint64_t unanswered = 0;
    if (worker->http) {
        struct http_ingress_figures http;
        http_ingress_figures(worker->http, &http);
        unanswered = http.waiting;
    }
    /* Where requests are under way their answers come next, which who lingers does not see. */
    if (worker->got_parcel && figures.in_flight == 0)
        loop_linger(worker->loop);
    worker->got_parcel = false;
    atomic_store_explicit(&worker->busy, figures.in_flight + unanswered, memory_order_release);
    if (worker->turn_waiter) {
        sem_post(worker->turn_waiter);
        worker->turn_waiter = NULL;
    }
}

static void on_timer(struct loop_timer *timer)
{
    (void)timer; /* the turn's beginning told the engine the time */
}

static void *run(void *argument)
{
    struct worker *worker = argument;
    loop_run(worker->loop);
    return NULL;
}

/* --- life --- */

struct worker *worker_new(const struct worker_options *options)
{
    struct worker *worker = mem_new(sizeof *worker);
    worker->options = *options;
    worker->number = options->engine.worker;
    worker->loop = loop_new();
    worker->inbox = inbox_new(worker->loop);
    worker->timer.on_timer = on_timer;
    worker->hurry.on_timer = on_hurry_again;
    worker->pace = 64;
    worker->parcels = mem_new(options->engine.workers * sizeof(struct parcel *));
    worker->lanes = mem_new(options->kafka_ingress_count * sizeof(struct kafka_lane *));
    worker->shard_lanes = mem_new(options->kinesis_ingress_count * sizeof(struct kinesis_lane *));
    worker->module_lanes = mem_new(options->module_ingress_count * sizeof(struct module_lane *));
    worker->remote = remote_new(worker->loop, options->endpoints, &options->remote);
    if (options->registry) {
        worker->embedded = embedded_new(worker->loop, options->registry, options->operations);
        worker->desk = operation_desk_new(options->operations, worker->loop);
    }
    worker->wished_epoch = options->engine.epoch;

    struct engine_options engine = options->engine;
    engine.ports = (struct ports){
        .owner = worker,
        .attach = on_attach,
        .invoke = on_invoke,
        .call = on_call,
        .load = on_load,
        .post = on_post,
        .sealed = on_sealed,
        .settle = on_settle,
        .dead_done = on_dead_done,
        .found = on_found,
        .room = on_room,
        .hurry = on_hurry,
        .report = on_report,
    };
    worker->engine = engine_new(&engine);
    remote_set_engine(worker->remote, worker->engine);
    if (options->registry) {
        embedded_set_engine(worker->embedded, worker->engine);
        operation_desk_set_engine(worker->desk, worker->engine);
    }
    return worker;
}

struct engine *worker_engine(struct worker *worker)
{
    return worker->engine;
}

void worker_start(struct worker *worker)
{
    const struct worker_options *options = &worker->options;
    if (options->http_fd >= 0)
        worker->http = http_ingress_new(&(struct http_ingress_options){
            .loop = worker->loop,
            .engine = worker->engine,
            .listen_fd = options->http_fd,
            .registry = options->registry,
            .worker = worker->number,
            .body_bytes_max = options->body_bytes_max,
        });
    for (size_t i = 0; i < options->kafka_ingress_count; i++)
        worker->lanes[i] =
            kafka_lane_new(options->kafka_ingresses[i], worker->loop, worker->engine);
    for (size_t i = 0; i < options->kinesis_ingress_count; i++)
        worker->shard_lanes[i] =
            kinesis_lane_new(options->kinesis_ingresses[i], worker->loop, worker->engine);
    for (size_t i = 0; i < options->module_ingress_count; i++)
        worker->module_lanes[i] = module_lane_new(options->module_ingresses[i], worker->number,
                                                  worker->loop, worker->engine);

    loop_on_turn_begin(worker->loop, on_turn_begin, worker);
    loop_on_wake(worker->loop, on_wake, worker);
    loop_on_turn_end(worker->loop, on_turn_end, worker);
    loop_wake(worker->loop); /* recovery left work to start */
    if (pthread_create(&worker->thread, NULL, run, worker))
        abort();
}

void worker_join(struct worker *worker)
{
    pthread_join(worker->thread, NULL);
}

static void free_posts(struct parcel *parcel)
{
    for (size_t i = 0; i < parcel->count; i++)
        if (parcel->posts[i].kind == POST_MESSAGE)
            message_free(parcel->posts[i].message);
    free(parcel);
}

void worker_free(struct worker *worker)
{
    if (!worker)
        return;
    engine_stop(worker->engine); /* nothing may be read any more */
    /* What others sent after the thread's end; nothing of it was committed. */
    struct letters letters = inbox_take(worker->inbox);
    for (struct letter *letter; (letter = letters_take(&letters));) {
        struct errand *errand = container_of(letter, struct errand, letter);
        if (errand->run == run_parcel)
            free_posts(container_of(errand, struct parcel, errand));
        else
            errand->run(errand, worker);
    }
    for (uint32_t to = 0; to < worker->options.engine.workers; to++)
        if (worker->parcels[to])
            free_posts(worker->parcels[to]);
    free(worker->parcels);
    free(worker->loads); /* what was asked for at last; the engine has it */
    http_ingress_free(worker->http);
    remote_free(worker->remote);
    operation_desk_free(worker->desk);
    engine_free(worker->engine);
    embedded_free(worker->embedded);
    loop_timer_cancel(worker->loop, &worker->timer);
    loop_timer_cancel(worker->loop, &worker->hurry);
    inbox_free(worker->inbox);
    loop_free(worker->loop);
    free(worker->lanes);
    free(worker->shard_lanes);
    free(worker->module_lanes);
    free(worker);
}
