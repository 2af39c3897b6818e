/* worker.c - the turn of a worker: errands, descriptors and timers bring inputs, then the engine
 * runs. */
#include "runtime/worker.h"

#include "runtime/reporter.h"

#include <assert.h>
#include <pthread.h>
#include <semaphore.h>

enum {
    NAP_US = 1000
}; /* replies that come in this time are taken together, where there is a crowd */
enum { HURRY_MS = 200 }; /* hurrying costs the store some milliseconds each time */

/* Posts to one other worker, gathered during a turn. */
struct parcel {
    struct errand errand;
    uint32_t from;
    size_t count, capacity;
    struct post posts[];
};

struct worker {
    struct worker_options options;
    uint32_t number;
    struct loop *loop;
    struct inbox *inbox;
    pthread_t thread;

    struct engine *engine;
    struct remote *remote;
    struct embedded *embedded;   /* NULL: there are no embedded modules, */
    struct operation_desk *desk; /* nor asynchronous operations */
    struct http_ingress *http;
    struct kafka_lane **lanes;
    struct kinesis_lane **shard_lanes;
    struct module_lane **module_lanes;
    struct loop_timer timer; /* when the engine wants to know the time */
    size_t pace;             /* messages to embedded functions in a turn */
    struct loop_timer hurry; /* set while the store was asked not long ago */
    bool hurries;            /* ... and is to be asked again then */
    enum view_part hurried_part;
    struct parcel **parcels; /* by destination */
    struct reporter reporter;
    bool has_room; /* refused records may be offered again */
    bool stopped_input;

    uint64_t wished_epoch; /* what the committer was told last */
    enum want wished_want;
    uint64_t wished_egresses;

    sem_t *turn_waiter; /* somebody waits for the end of this turn */
    _Atomic uint64_t busy, turns;
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

static bool on_load(void *owner, struct load *load)
{
    struct worker *worker = owner;
    if (loader_read(worker->options.store, load, false))
        return true;
    loader_put(worker->options.loader, worker, load);
    return false;
}

static void run_parcel(struct errand *errand, void *owner)
{
    struct worker *worker = owner;
    struct parcel *parcel = container_of(errand, struct parcel, errand);
    for (size_t i = 0; i < parcel->count; i++)
        engine_receive(worker->engine, parcel->from, &parcel->posts[i]);
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

static void on_post(void *owner, uint32_t to, const struct post *post)
{
    struct worker *worker = owner;
    struct parcel *parcel = parcel_with_room(worker, to);
    parcel->posts[parcel->count++] = *post;
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

static void send_answer(struct worker *worker, struct state_answer *answer)
{
    answer->errand.run = worker->options.run_state_answer;
    errand_send(worker->options.front, &answer->errand);
}

static void on_found(void *owner, uint64_t receipt, const struct found_state *states, size_t count)
{
    struct state_answer *answer = state_answer_new(receipt, STATE_FOUND);
    state_answer_set(answer, states, count);
    send_answer(owner, answer);
}

static void answer_state_call(struct worker *worker, uint64_t receipt, enum settlement settlement,
                              uint64_t epoch)
{
    struct state_answer *answer = state_answer_new(receipt, STATE_SETTLED);
    answer->settlement = settlement;
    answer->epoch = epoch;
    send_answer(worker, answer);
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
    for (uint32_t to = 0; to < worker->options.engine.workers; to++) {
        struct parcel *parcel = worker->parcels[to];
        if (!parcel)
            continue;
        worker->parcels[to] = NULL;
        errand_send(worker->options.peers[to]->inbox, &parcel->errand);
    }
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
    worker->remote = remote_new(worker->loop, options->endpoints, options->pipeline_max);
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
    if (worker->desk)
        operation_desk_set_engine(worker->desk, worker->engine);
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

/* --- errands --- */

struct number_errand {
    struct errand errand;
    uint64_t number;
    uint32_t egress;
};

static void send_number(struct worker *worker, void (*run_it)(struct errand *errand, void *owner),
                        uint64_t number, uint32_t egress)
{
    struct number_errand *errand = mem_new(sizeof *errand);
    errand->errand.run = run_it;
    errand->number = number;
    errand->egress = egress;
    errand_send(worker->inbox, &errand->errand);
}

/* Takes the number out of an errand that has nothing else to say. */
static uint64_t number_of(struct errand *errand)
{
    struct number_errand *number = container_of(errand, struct number_errand, errand);
    uint64_t value = number->number;
    free(number);
    return value;
}

static void run_seal(struct errand *errand, void *owner)
{
    struct worker *worker = owner;
    engine_seal(worker->engine, number_of(errand));
}

void worker_seal(struct worker *worker, uint64_t epoch)
{
    send_number(worker, run_seal, epoch, 0);
}

static void run_committed(struct errand *errand, void *owner)
{
    struct worker *worker = owner;
    uint64_t epoch = number_of(errand);
    engine_committed(worker->engine, epoch);
    for (size_t i = 0; i < worker->options.kafka_ingress_count; i++)
        if (worker->lanes[i])
            kafka_lane_committed(worker->lanes[i], epoch);
    for (size_t i = 0; i < worker->options.kinesis_ingress_count; i++)
        if (worker->shard_lanes[i])
            kinesis_lane_committed(worker->shard_lanes[i], epoch);
}

void worker_committed(struct worker *worker, uint64_t epoch)
{
    send_number(worker, run_committed, epoch, 0);
}

struct viewed_errand {
    struct errand errand;
    struct view_progress progress;
};

static void run_viewed(struct errand *errand, void *owner)
{
    struct worker *worker = owner;
    struct viewed_errand *viewed = container_of(errand, struct viewed_errand, errand);
    engine_viewed(worker->engine, viewed->progress);
    free(viewed);
}

void worker_viewed(struct worker *worker, struct view_progress progress)
{
    struct viewed_errand *errand = mem_new(sizeof *errand);
    errand->errand.run = run_viewed;
    errand->progress = progress;
    errand_send(worker->inbox, &errand->errand);
}

static void run_outbox_full(struct errand *errand, void *owner)
{
    struct worker *worker = owner;
    engine_outbox_full(worker->engine, number_of(errand) != 0);
}

void worker_outbox_full(struct worker *worker, bool full)
{
    send_number(worker, run_outbox_full, full, 0);
}

static void run_confirmed(struct errand *errand, void *owner)
{
    struct worker *worker = owner;
    struct number_errand *number = container_of(errand, struct number_errand, errand);
    engine_confirmed(worker->engine, number->egress, number->number);
    free(number);
}

void worker_confirmed(struct worker *worker, uint32_t egress, uint64_t epoch)
{
    send_number(worker, run_confirmed, epoch, egress);
}

static void run_stop_input(struct errand *errand, void *owner)
{
    struct worker *worker = owner;
    (void)number_of(errand);
    worker->stopped_input = true;
    if (worker->http)
        http_ingress_stop(worker->http);
    for (size_t i = 0; i < worker->options.kafka_ingress_count; i++)
        kafka_lane_stop(worker->lanes[i]);
    for (size_t i = 0; i < worker->options.kinesis_ingress_count; i++)
        kinesis_lane_stop(worker->shard_lanes[i]);
    for (size_t i = 0; i < worker->options.module_ingress_count; i++)
        module_lane_stop(worker->module_lanes[i]);
    engine_stop(worker->engine);
}

void worker_stop_input(struct worker *worker)
{
    send_number(worker, run_stop_input, 0, 0);
}

static void run_close_input(struct errand *errand, void *owner)
{
    struct worker *worker = owner;
    (void)number_of(errand);
    worker->stopped_input = true; /* also without worker_stop_input */
    for (size_t i = 0; i < worker->options.kafka_ingress_count; i++) {
        kafka_lane_free(worker->lanes[i]);
        worker->lanes[i] = NULL;
    }
    for (size_t i = 0; i < worker->options.kinesis_ingress_count; i++) {
        kinesis_lane_free(worker->shard_lanes[i]);
        worker->shard_lanes[i] = NULL;
    }
    for (size_t i = 0; i < worker->options.module_ingress_count; i++) {
        module_lane_free(worker->module_lanes[i]);
        worker->module_lanes[i] = NULL;
    }
}

void worker_close_input(struct worker *worker)
{
    send_number(worker, run_close_input, 0, 0);
}

static void run_end(struct errand *errand, void *owner)
{
    struct worker *worker = owner;
    (void)number_of(errand);
    loop_stop(worker->loop);
}

void worker_end(struct worker *worker)
{
    send_number(worker, run_end, 0, 0);
}

static enum acceptance take_state_call(struct worker *worker, const struct state_call *call)
{
    struct bytes ns = buffer_bytes(&call->ns), name = buffer_bytes(&call->name);
    struct bytes id = buffer_bytes(&call->id), state = buffer_bytes(&call->state);
    if (call->deed == STATE_GET || call->deed == STATE_LIST)
        return engine_read(worker->engine,
                           &(struct read_request){call->receipt, ns, name, id, state});
    return engine_change(worker->engine,
                         &(struct change_request){
                             .receipt = call->receipt,
                             .ns = ns,
                             .name = name,
                             .id = id,
                             .change = {.state = state,
                                        .is_delete = call->deed == STATE_DELETE,
                                        .value = {.type = buffer_bytes(&call->type),
                                                  .value = buffer_bytes(&call->value),
                                                  .has_value = true},
                                        .deadline = call->deadline},
                             .ahead = call->ahead,
                         });
}

static void run_state_call(struct errand *errand, void *owner)
{
    struct worker *worker = owner;
    struct state_call *call = container_of(errand, struct state_call, errand);
    enum acceptance acceptance = take_state_call(worker, call);
    if (acceptance != ACCEPTED) {
        struct state_answer *answer = state_answer_new(call->receipt, STATE_REFUSED);
        answer->acceptance = acceptance;
        send_answer(worker, answer);
    }
    state_call_free(call);
}

void worker_call_state(struct worker *worker, struct state_call *call)
{
    call->errand.run = run_state_call;
    errand_send(worker->inbox, &call->errand);
}

struct load_errand {
    struct errand errand;
    struct load *load;
};

static void run_loaded(struct errand *errand, void *owner)
{
    struct worker *worker = owner;
    struct load_errand *loaded = container_of(errand, struct load_errand, errand);
    engine_loaded(worker->engine, loaded->load);
    free(loaded);
}

void worker_loaded(struct worker *worker, struct load *load)
{
    struct load_errand *errand = mem_new(sizeof *errand);
    errand->errand.run = run_loaded;
    errand->load = load;
    errand_send(worker->inbox, &errand->errand);
}

struct record_errand {
    struct errand errand;
    struct buffer key;
    struct buffer letter; /* stored form; empty: none */
};

static void run_record_done(struct errand *errand, void *owner)
{
    struct worker *worker = owner;
    struct record_errand *record = container_of(errand, struct record_errand, errand);
    struct dead_letter letter;
    bool has_letter =
        record->letter.size && dead_letter_parse(buffer_bytes(&record->letter), &letter);
    engine_record_done(worker->engine, buffer_bytes(&record->key), has_letter ? &letter : NULL);
    buffer_destroy(&record->key);
    buffer_destroy(&record->letter);
    free(record);
}

void worker_record_done(struct worker *worker, struct bytes key, const struct dead_letter *letter)
{
    struct record_errand *errand = mem_new(sizeof *errand);
    errand->errand.run = run_record_done;
    buffer_add_bytes(&errand->key, key);
    if (letter)
        dead_letter_add(&errand->letter, letter);
    errand_send(worker->inbox, &errand->errand);
}

static void run_dead_letters(struct errand *errand, void *owner)
{
    struct worker *worker = owner;
    struct worker_dead_letters *letters = container_of(errand, struct worker_dead_letters, errand);
    engine_dead_letters(worker->engine, &letters->request);
}

void worker_take_dead_letters(struct worker *worker, struct worker_dead_letters *letters)
{
    letters->errand.run = run_dead_letters;
    errand_send(worker->inbox, &letters->errand);
}

static void run_resume(struct errand *errand, void *owner)
{
    struct worker *worker = owner;
    struct worker_resume *resume = container_of(errand, struct worker_resume, errand);
    resume->count = engine_resume(worker->engine, resume->wanted);
    resume->epoch = engine_epoch(worker->engine);
    resume->on_done(resume);
}

void worker_resume(struct worker *worker, struct worker_resume *resume)
{
    resume->errand.run = run_resume;
    errand_send(worker->inbox, &resume->errand);
}

static void run_resume_ingress(struct errand *errand, void *owner)
{
    struct worker *worker = owner;
    struct worker_ingress_resume *resume =
        container_of(errand, struct worker_ingress_resume, errand);
    struct kafka_lane *lane = worker->lanes[resume->ingress];
    resume->has_passed = lane && kafka_lane_resume(lane);
    resume->epoch = engine_epoch(worker->engine);
    resume->on_done(resume);
}

void worker_resume_ingress(struct worker *worker, struct worker_ingress_resume *resume)
{
    resume->errand.run = run_resume_ingress;
    errand_send(worker->inbox, &resume->errand);
}

struct partition_errand {
    struct errand errand;
    size_t ingress;
    struct kafka_partition *partition;
};

static void run_add_partition(struct errand *errand, void *owner)
{
    struct worker *worker = owner;
    struct partition_errand *add = container_of(errand, struct partition_errand, errand);
    if (worker->stopped_input || !worker->lanes[add->ingress])
        kafka_partition_free(add->partition);
    else
        kafka_lane_add(worker->lanes[add->ingress], add->partition);
    free(add);
}

void worker_add_partition(struct worker *worker, size_t ingress, struct kafka_partition *partition)
{
    struct partition_errand *errand = mem_new(sizeof *errand);
    errand->errand.run = run_add_partition;
    errand->ingress = ingress;
    errand->partition = partition;
    errand_send(worker->inbox, &errand->errand);
}

struct shard_errand {
    struct errand errand;
    size_t ingress;
    struct kinesis_shard *shard;
};

static void run_add_shard(struct errand *errand, void *owner)
{
    struct worker *worker = owner;
    struct shard_errand *add = container_of(errand, struct shard_errand, errand);
    if (!worker->stopped_input && worker->shard_lanes[add->ingress])
        kinesis_lane_add(worker->shard_lanes[add->ingress], add->shard);
    free(add);
}

void worker_add_shard(struct worker *worker, size_t ingress, struct kinesis_shard *shard)
{
    struct shard_errand *errand = mem_new(sizeof *errand);
    errand->errand.run = run_add_shard;
    errand->ingress = ingress;
    errand->shard = shard;
    errand_send(worker->inbox, &errand->errand);
}

struct wait_errand {
    struct errand errand;
    sem_t done;
};

static void run_wait(struct errand *errand, void *owner)
{
    struct worker *worker = owner;
    assert(!worker->turn_waiter);
    worker->turn_waiter = &container_of(errand, struct wait_errand, errand)->done;
}

void worker_wait_turn(struct worker *worker)
{
    struct wait_errand wait = {.errand = {.run = run_wait}};
    sem_init(&wait.done, 0, 0);
    errand_send(worker->inbox, &wait.errand);
    while (sem_wait(&wait.done))
        ; /* a signal */
    sem_destroy(&wait.done);
}

uint64_t worker_busy(const struct worker *worker)
{
    return atomic_load_explicit(&worker->busy, memory_order_acquire);
}

uint64_t worker_turns(const struct worker *worker)
{
    return atomic_load_explicit(&worker->turns, memory_order_relaxed);
}

void worker_poke(struct worker *worker)
{
    loop_wake(worker->loop);
}

/* --- figures --- */

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
        if (worker->lanes[i])
            kafka_lane_each(worker->lanes[i], add_lane, figures);
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
        if (worker->shard_lanes[i])
            kinesis_lane_each(worker->shard_lanes[i], add_shard, figures);
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
        if (worker->module_lanes[i])
            module_lane_each(worker->module_lanes[i], add_source, figures);
        for (size_t n = first; n < figures->source_count; n++)
            figures->sources[n].ingress = i;
    }
}

static void add_counter(void *owner, const struct embedded_counter *counter)
{
    struct worker_figures *figures = owner;
    figures->counters =
        mem_resize(figures->counters, (figures->counter_count + 1) * sizeof *figures->counters);
    figures->counters[figures->counter_count++] =
        (struct worker_counter){.ns = owned(counter->ns),
                                .name = owned(counter->name),
                                .counter = mem_string(counter->counter),
                                .value = counter->value};
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
        embedded_each_counter(worker->embedded, add_counter, figures);
    if (worker->http)
        http_ingress_figures(worker->http, &figures->http);
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
    for (size_t i = 0; i < figures->counter_count; i++) {
        free((void *)figures->counters[i].ns.data);
        free((void *)figures->counters[i].name.data);
        free(figures->counters[i].counter);
    }
    free(figures->functions);
    free(figures->endpoints);
    free(figures->lanes);
    free(figures->shards);
    free(figures->sources);
    free(figures->counters);
    free(figures);
}
