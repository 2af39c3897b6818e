/* worker_errands.c - what other threads want of a worker, done on its own. */
#include "runtime/worker_inside.h"

#include <assert.h>

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
        worker_send_answer(worker, answer);
    }
    state_call_free(call);
}

void worker_call_state(struct worker *worker, struct state_call *call)
{
    call->errand.run = run_state_call;
    errand_send(worker->inbox, &call->errand);
}

static void run_loaded(struct errand *errand, void *owner)
{
    struct worker *worker = owner;
    struct load_batch *batch = container_of(errand, struct load_batch, errand);
    for (struct list *node; (node = list_take_first(&batch->loads));)
        engine_loaded(worker->engine, container_of(node, struct load, link));
    free(batch);
}

void worker_loaded(struct load_batch *batch)
{
    struct worker *worker = batch->worker;
    batch->errand.run = run_loaded;
    errand_send(worker->inbox, &batch->errand);
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
    /* What was passed, now or before, is in the open epoch or an earlier one; one without changes
     * may stay open for ever. */
    resume->epoch =
        engine_epoch(worker->engine) - (engine_want(worker->engine) == WANT_NOTHING ? 1 : 0);
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
