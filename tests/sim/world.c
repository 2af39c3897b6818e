/* world.c - the scheduler and the parts it moves. */
#include "sim/world.h"

#include "base/list.h"
#include "base/mem.h"
#include "harness/machine.h"
#include "sim/keeper.h"
#include "sim/operators.h"

#include <stdio.h>

enum {
    SOURCES_MAX = 4,
    STEPS_MAX = 10 * 1000 * 1000,
    LEAP_MS_MAX = 60 * 1000,
    QUIET_STEPS = 20 /* turns without anything to do, before a run counts as over */
};

/* --- the parts --- */

/* An ingress with positions: a list of records, made beforehand. */
struct sim_record {
    bool is_bad;
    struct record_target target;
    struct buffer id;
    struct buffer argument;
};

struct sim_source {
    struct source *source;
    struct sim_record *records;
    size_t count;
    size_t next; /* read so far in this life */
};

/* A client of an HTTP ingress. */
enum request_status { REQUEST_NEW, REQUEST_WAITING, REQUEST_SETTLED };

struct sim_request {
    enum request_status status;
    bool has_key;
    struct record_target target;
    struct buffer id;
    struct buffer argument;
    uint32_t number;  /* of its address */
    uint64_t record;  /* written to the exact egress when it is executed */
    uint64_t sends;   /* how often it was accepted */
    uint64_t waiting; /* answers that are due; impatient clients repeat a request that has a key */
};

/* An operator wants something done with dead letters. */
struct operation {
    struct list link;
    struct dead_request request;
};

struct world {
    struct random random;
    bool trace;
    uint64_t step;
    uint64_t now_ms;
    uint64_t life;
    struct world_result result;

    struct app app;
    struct arena called_arena; /* of the last call that was answered at once */
    struct from_function called_reply;
    struct keeper keeper;
    uint32_t partitions;
    uint64_t interval_ms;
    struct engine_limits limits;
    uint64_t crash_chance, failure_chance, misbehave_chance, keep_chance; /* in a thousand */
    uint64_t crashes_left;
    uint64_t cured_step;

    struct machine machine; /* the process, and what survives it */

    /* what survives besides */
    uint64_t expected_letters; /* by the world; the app has its own */
    uint64_t removed_letters;  /* of them */
    struct app_ids delivered[APP_EGRESSES];
    uint64_t delivered_epoch; /* of the exact egress: with the records, atomically */

    /* what does not */
    bool has_unconfirmed;   /* records that were delivered are still in the outbox */
    struct list outbox;     /* struct commit: durable, not delivered to the exact egress */
    struct list operations; /* struct operation: what was asked for dead letters */

    struct sim_source sources[SOURCES_MAX];
    uint32_t source_count;
    struct sim_request *requests;
    size_t request_count;
    struct operators *operators;
};

static struct world *current;

uint64_t world_step(void)
{
    return current ? current->step : 0;
}

static void trace(struct world *world, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void trace_list(void *owner, const char *format, va_list arguments)
{
    struct world *world = owner;
    if (!world->trace)
        return;
    printf("%7llu %6llu ms  ", (unsigned long long)world->step,
           (unsigned long long)(world->now_ms - 1000000));
    vprintf(format, arguments);
    putchar('\n');
}

static void trace(struct world *world, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    trace_list(world, format, arguments);
    va_end(arguments);
}

/* --- ports: what engines ask of the world --- */

static struct world *world_of(void *owner, struct machine_worker **ret_worker)
{
    *ret_worker = owner;
    return current;
}

static void *on_attach(void *owner, const struct function_binding *binding, struct bytes ns,
                       struct bytes name)
{
    (void)owner, (void)ns, (void)name;
    return (void *)binding;
}

static struct request_state *copy_states(struct arena *arena, const struct to_function *request)
{
    struct request_state *states = arena_take(arena, (request->state_count + 1) * sizeof *states);
    for (size_t i = 0; i < request->state_count; i++) {
        states[i] = request->states[i];
        states[i].name = arena_add_bytes(arena, states[i].name);
        states[i].value = arena_add_bytes(arena, states[i].value);
    }
    return states;
}

static void on_invoke(void *owner, void *function, struct invocation *invocation,
                      const struct to_function *request)
{
    struct machine_worker *worker;
    struct world *world = world_of(owner, &worker);
    list_for_each (&worker->calls, node)
        SIM_CHECK(!bytes_equal(container_of(node, struct app_call, link)->request.target,
                               request->target),
                  "an address is invoked twice at once");
    keeper_check(&world->keeper, request);

    struct app_call *call = mem_new(sizeof *call);
    call->function = function;
    call->invocation = invocation;
    call->sent_ms = world->now_ms;
    call->request = *request;
    call->request.target = arena_add_bytes(&call->arena, request->target);
    call->request.states = copy_states(&call->arena, request);
    struct bytes *messages = arena_take(&call->arena, request->message_count * sizeof *messages);
    for (size_t i = 0; i < request->message_count; i++)
        messages[i] = arena_add_bytes(&call->arena, request->messages[i]);
    call->request.messages = messages;
    list_put_last(&worker->calls, &call->link);
    world->result.invocations++;
}

/* How a call ends: what it is given is random, but for a message that always fails. */
enum call_end { CALL_FAILS, CALL_FAILS_WITH_ITS_ENDPOINT, CALL_ANSWERS };

/* Sometimes the function runs and its answer is lost; then it runs again. */
static enum call_end end_call(struct world *world, struct machine_worker *worker,
                              const struct app_call *call, struct arena *arena,
                              struct from_function *ret_reply)
{
    bool must_fail = app_must_fail(&world->app, call);
    /* Alone, only poison may fail there, or what cannot be sent again would be set aside. */
    const struct function_binding *binding = call->function;
    bool may_fail = binding->failures.end != FAILURE_DEAD_LETTER || call->request.message_count > 1;
    if (random_chance(&world->random, world->failure_chance) ||
        (must_fail && random_chance(&world->random, 500)))
        return random_chance(&world->random, 300) || !(may_fail || must_fail)
                   ? CALL_FAILS_WITH_ITS_ENDPOINT
                   : CALL_FAILS;
    if ((may_fail && random_chance(&world->random, world->failure_chance)) || must_fail) {
        trace(world, "a call of worker %u ends in nonsense", worker->number);
        app_misreply(&world->app, arena, ret_reply);
        return CALL_ANSWERS;
    }
    app_execute(&world->app, call, world->now_ms, arena, ret_reply);
    if (!ret_reply->is_incomplete && random_chance(&world->random, world->keep_chance))
        ret_reply->version = keeper_keep(&world->keeper, &call->request, ret_reply);
    trace(world, "a call of worker %u with %zu messages ends: %s", worker->number,
          call->request.message_count, ret_reply->is_incomplete ? "it asks for states" : "done");
    return CALL_ANSWERS;
}

/* Some of the messages are already in the memory in which they will wait. */
static const struct from_function *make_ready(struct world *world, struct bytes sender)
{
    struct from_function *reply = &world->called_reply;
    for (size_t i = 0; i < reply->message_count; i++)
        if (random_chance(&world->random, 500))
            reply->messages[i].ready =
                message_new(reply->messages[i].target, sender, reply->messages[i].argument);
    return reply;
}

/* Those of a reply that was not applied. */
static void free_ready(struct world *world)
{
    for (size_t i = 0; i < world->called_reply.message_count; i++)
        message_free(world->called_reply.messages[i].ready);
    world->called_reply.message_count = 0;
}

/* A function that answers at once has no endpoint that could be away: it is alone with its failure.
 */
static const struct from_function *on_call(void *owner, void *function,
                                           const struct to_function *request,
                                           struct sf_status *status)
{
    struct machine_worker *worker;
    struct world *world = world_of(owner, &worker);
    struct app_call call = {.function = function, .request = *request, .sent_ms = world->now_ms};
    free_ready(world);
    arena_clear(&world->called_arena);
    world->result.invocations++;
    enum call_end end = end_call(world, worker, &call, &world->called_arena, &world->called_reply);
    if (end == CALL_ANSWERS)
        return make_ready(world, request->target);
    if (end == CALL_FAILS_WITH_ITS_ENDPOINT && !app_must_fail(&world->app, &call)) {
        app_execute(&world->app, &call, world->now_ms, &world->called_arena, &world->called_reply);
        return make_ready(world, request->target);
    }
    trace(world, "a call of worker %u fails at once", worker->number);
    (void)sf_fail(status, SF_INVALID, "simulated failure");
    return NULL;
}

static void on_settle(void *owner, uint64_t receipt, enum settlement settlement, uint64_t epoch)
{
    struct machine_worker *worker;
    struct world *world = world_of(owner, &worker);
    if (operators_own(receipt)) {
        SIM_CHECK(epoch <= world->machine.truth_epoch,
                  "an operator is answered before it is durable");
        operators_settle(world->operators, receipt, settlement);
        return;
    }
    struct sim_request *request = &world->requests[receipt - 1];
    SIM_CHECK(request->waiting > 0, "request %llu is settled more often than it came",
              (unsigned long long)receipt);
    request->waiting--;
    if (settlement == SETTLED_NO_ROOM) {
        request->sends--;
        if (!request->waiting && request->status == REQUEST_WAITING)
            request->status = REQUEST_NEW;
        return;
    }
    SIM_CHECK(epoch <= world->machine.truth_epoch,
              "request %llu is settled before its epoch is durable", (unsigned long long)receipt);
    if (request->status != REQUEST_SETTLED)
        operators_sent(world->operators, request->number, request->record);
    request->status = REQUEST_SETTLED;
    trace(world, "request %llu is settled", (unsigned long long)receipt);
}

static void free_operation(struct operation *operation)
{
    list_take(&operation->link);
    buffer_destroy(&operation->request.load.keys);
    buffer_destroy(&operation->request.load.results);
    buffer_destroy(&operation->request.outcomes);
    free(operation);
}

static void on_dead_done(void *owner, struct dead_request *request)
{
    struct machine_worker *worker;
    struct world *world = world_of(owner, &worker);
    trace(world, "the operator is answered, first outcome %d", (int)request->outcomes.data[0]);
    free_operation(container_of(request, struct operation, request));
}

static void on_found(void *owner, uint64_t receipt, const struct found_state *states, size_t count)
{
    struct machine_worker *worker;
    operators_found(world_of(owner, &worker)->operators, receipt, states, count);
}

static void on_nothing(void *owner)
{
    (void)owner;
}

static void on_report(void *owner, const struct report *report)
{
    struct machine_worker *worker;
    struct world *world = world_of(owner, &worker);
    trace(world, "worker %u reports %d: %.*s", worker->number, (int)report->kind,
          BYTES_ARG(report->cause));
}

static void on_hurry(void *owner, enum view_part part)
{
    (void)owner, (void)part; /* it comes forward when it comes */
}

static bool on_misbehave(void *owner, enum misbehaviour misbehaviour)
{
    struct machine_worker *worker;
    struct world *world = world_of(owner, &worker);
    (void)misbehaviour;
    return random_chance(&world->random, world->misbehave_chance);
}

/* --- lives: start and crash --- */

static void start(struct world *world)
{
    struct machine_life life = {
        .workers = (uint32_t)random_between(&world->random, 1, MACHINE_WORKERS_MAX),
        .partitions = world->partitions,
        .hash_seed = random_next(&world->random),
        .interval_ms = world->interval_ms,
        .now_ms = world->now_ms,
        .remember_specs = random_chance(&world->random, 700),
        .limits = world->limits,
        .bindings = world->app.bindings,
        .ports = {.attach = on_attach,
                  .invoke = on_invoke,
                  .call = on_call,
                  .settle = on_settle,
                  .dead_done = on_dead_done,
                  .found = on_found,
                  .room = on_nothing,
                  .hurry = on_hurry,
                  .report = on_report,
                  .misbehave = on_misbehave},
    };
    struct machine *machine = &world->machine;
    struct sf_status status;
    bool good = machine_start(machine, &life, &status);
    SIM_CHECK(good, "%s", status.message);
    for (uint32_t i = 0; i < machine->workers; i++)
        engine_pace(machine->worker[i].engine, random_between(&world->random, 1, 30));
    world->has_unconfirmed = true; /* what a crash left may have been delivered */
    list_init(&world->outbox);
    list_init(&world->operations);

    for (uint32_t i = 0; i < world->source_count; i++) {
        struct sim_source *source = &world->sources[i];
        char name[16];
        snprintf(name, sizeof name, "%u", i);
        source->source = engine_source(machine->worker[i % machine->workers].engine,
                                       bytes_of("sim/source"), bytes_of(name));
        struct bytes position = source_position(source->source);
        source->next = position.size ? u64_get(position.data) : 0;
    }
    trace(world, "a life begins at epoch %llu with %u workers",
          (unsigned long long)machine->truth_epoch + 1, machine->workers);
}

static void free_call(struct app_call *call)
{
    list_take(&call->link);
    arena_destroy(&call->arena);
    free(call);
}

static void free_commit(struct commit *commit)
{
    for (uint32_t i = 0; i < commit->count; i++)
        delta_unref(commit->parts[i]);
    free(commit);
}

static struct commit *copy_commit(const struct commit *commit)
{
    struct commit *copy = mem_new(sizeof *copy);
    *copy = *commit;
    list_init(&copy->link);
    for (uint32_t i = 0; i < copy->count; i++)
        delta_ref(copy->parts[i]);
    return copy;
}

static void free_commits(struct list *commits)
{
    for (struct list *node; (node = list_take_first(commits));)
        free_commit(container_of(node, struct commit, link));
}

static void trace_delta(struct world *world, const struct delta *delta)
{
    struct bytes rest = buffer_bytes(&delta->entries);
    struct delta_entry entry;
    while (world->trace && delta_next(&rest, &entry)) {
        struct key key;
        struct buffer subject = {0};
        if (!key_parse(entry.key, &key))
            continue;
        if (key.kind == KEY_STATE || key.kind == KEY_MESSAGE)
            address_add_text(&subject, key.subject);
        trace(world, "  worker %u: %c '%c' %s %.*s sequence %llu epoch %llu", delta->worker,
              entry.change, key.kind, buffer_text(&subject), BYTES_ARG(key.name),
              (unsigned long long)key.sequence, (unsigned long long)key.epoch);
        buffer_destroy(&subject);
    }
}

/* A dead letter is removed once, while it is there. */
static void count_letters(struct world *world, const struct delta *delta)
{
    struct bytes rest = buffer_bytes(&delta->entries);
    struct delta_entry entry;
    while (delta_next(&rest, &entry)) {
        if (entry.key.data[0] != KEY_DEAD_LETTER)
            continue;
        if (entry.change == DELTA_PUT) {
            app_expect_letter(&world->app, entry.key);
            continue;
        }
        struct dead_letter letter;
        const struct table_row *row = table_find(&world->machine.truth, entry.key);
        SIM_CHECK(row && dead_letter_parse(row->value, &letter), "a dead letter is removed twice");
        world->removed_letters += !app_is_late(&letter) && !app_is_poison(&letter);
    }
}

static void before_durable(void *owner, const struct commit *commit)
{
    struct world *world = owner;
    for (uint32_t i = 0; i < commit->count; i++) {
        trace_delta(world, commit->parts[i]);
        count_letters(world, commit->parts[i]);
    }
    list_put_last(&world->outbox, &copy_commit(commit)->link);
    world->result.epochs++;
}

/* Everything in memory is gone; a commit that was on its way is durable or not. */
static void crash(struct world *world)
{
    for (uint32_t i = 0; i < world->machine.workers; i++)
        list_for_each_safe (&world->machine.worker[i].calls, node)
            free_call(container_of(node, struct app_call, link));
    machine_crash(&world->machine);
    list_for_each_safe (&world->operations, node)
        free_operation(container_of(node, struct operation, link));
    operators_crash(world->operators);
    free_commits(&world->outbox);
    for (size_t i = 0; i < world->request_count; i++) {
        world->requests[i].waiting = 0;
        if (world->requests[i].status == REQUEST_WAITING)
            world->requests[i].status = REQUEST_NEW;
    }
    world->result.crashes++;
    world->life++;
}

/* --- things that happen: each returns false if it cannot happen now --- */

static struct machine_worker *random_worker(struct world *world)
{
    return &world->machine.worker[random_below(&world->random, world->machine.workers)];
}

static bool post_arrives(struct world *world)
{
    return machine_post_arrives(&world->machine);
}

static void fail_call(struct world *world, struct machine_worker *worker, struct app_call *call,
                      bool of_endpoint)
{
    struct failure failure = {
        .of_endpoint = of_endpoint,
        .cause = bytes_of("simulated failure"),
        .retry_after_ms = random_chance(&world->random, 100) ? 50 : 0,
    };
    trace(world, "a call of worker %u fails%s", worker->number,
          failure.of_endpoint ? ", as does its endpoint" : "");
    engine_fail(worker->engine, call->invocation, &failure);
}

static bool call_ends(struct world *world)
{
    struct machine_worker *worker = machine_pick_worker(&world->machine, machine_has_calls);
    if (!worker)
        return false;
    struct list *node = machine_pick_node(&world->machine, &worker->calls);
    struct app_call *call = container_of(node, struct app_call, link);
    list_take(node);

    struct from_function reply;
    struct arena arena = {0};
    enum call_end end = end_call(world, worker, call, &arena, &reply);
    if (end == CALL_ANSWERS && random_chance(&world->random, 20))
        engine_repeat(worker->engine, call->invocation); /* its answer is not taken */
    else if (end == CALL_ANSWERS)
        engine_reply(worker->engine, call->invocation, &reply);
    else
        fail_call(world, worker, call, end == CALL_FAILS_WITH_ITS_ENDPOINT);
    if (random_chance(&world->random, 20)) /* it makes up its mind how many it can take */
        engine_allow(worker->engine, call->function, random_between(&world->random, 1, 10));
    arena_destroy(&arena);
    free_call(call);
    return true;
}

static bool load_ends(struct world *world)
{
    return machine_load_ends(&world->machine);
}

static bool load_is_told(struct world *world)
{
    return machine_load_is_told(&world->machine);
}

static bool notice_arrives(struct world *world)
{
    return machine_notice_arrives(&world->machine);
}

static bool coordinator_acts(struct world *world)
{
    return machine_coordinator_acts(&world->machine, world->now_ms);
}

static bool commit_ends(struct world *world)
{
    return machine_commit_ends(&world->machine);
}

static bool view_advances(struct world *world)
{
    return machine_view_advances(&world->machine);
}

static void deliver(struct world *world, size_t egress, struct bytes record)
{
    SIM_CHECK(record.size == 8, "an egress record is not what was written");
    uint64_t id = u64_get(record.data);
    app_ids_add(&world->delivered[egress], id);
}

/* The exact egress: records and the number of their last epoch, in one transaction. What a crash
 * left is read from the store, what comes now from the deltas; here both are rows of the truth. */
static bool exact_egress_delivers(struct world *world)
{
    if (world->delivered_epoch == world->machine.truth_epoch)
        return false;
    uint64_t upto =
        random_between(&world->random, world->delivered_epoch + 1, world->machine.truth_epoch);
    struct buffer from = {0}, to = {0};
    (void)key_of_outbox(&from, bytes_of("sim/exact"), world->delivered_epoch + 1);
    (void)key_of_outbox(&to, bytes_of("sim/exact"), upto + 1);
    size_t end = table_seek(&world->machine.truth, buffer_bytes(&to));
    for (size_t i = table_seek(&world->machine.truth, buffer_bytes(&from)); i < end; i++) {
        deliver(world, APP_EGRESS_EXACT, world->machine.truth.rows[i].value);
        world->has_unconfirmed = true;
    }
    buffer_destroy(&from);
    buffer_destroy(&to);
    world->delivered_epoch = upto;
    trace(world, "the exact egress has delivered epoch %llu", (unsigned long long)upto);

    /* Deltas and truth must name the same records. */
    while (!list_is_empty(&world->outbox)) {
        struct commit *commit = list_first(&world->outbox, struct commit, link);
        if (commit->epoch > upto)
            break;
        for (uint32_t i = 0; i < commit->count; i++) {
            const struct delta_outbox *outbox = &commit->parts[i]->outboxes[APP_EGRESS_EXACT];
            for (size_t n = 0; n < outbox->count; n++)
                SIM_CHECK(delta_record_value(commit->parts[i], &outbox->records[n]).size == 8,
                          "a delta misplaces its records");
        }
        list_take(&commit->link);
        free_commit(commit);
    }
    return true;
}

static bool exact_egress_confirms(struct world *world)
{
    if (!world->has_unconfirmed)
        return false;
    world->has_unconfirmed = false;
    machine_confirm(&world->machine, APP_EGRESS_EXACT, world->delivered_epoch);
    return true;
}

/* The other egress gives its records away one by one, and forgets each when that is durable: a
 * crash in between gives one away again. */
static bool taken_egress_gives(struct world *world)
{
    struct buffer from = {0};
    (void)key_of_outbox(&from, bytes_of("sim/taken"), 0);
    size_t i = table_seek(&world->machine.truth, buffer_bytes(&from));
    buffer_destroy(&from);

    struct key key;
    if (i == world->machine.truth.count || !key_parse(world->machine.truth.rows[i].key, &key) ||
        key.kind != KEY_OUTBOX || !bytes_is(key.subject, "sim/taken"))
        return false;
    struct bytes record = world->machine.truth.rows[i].value;
    if (!machine_record_is_done(&world->machine, world->machine.truth.rows[i].key))
        return false; /* given away already */
    deliver(world, APP_EGRESS_TAKEN, record);
    return true;
}

static bool record_comes(struct world *world)
{
    uint32_t number = (uint32_t)random_below(&world->random, world->source_count);
    struct sim_source *source = &world->sources[number];
    if (source->next == source->count)
        return false;
    struct engine *engine = world->machine.worker[number % world->machine.workers].engine;
    struct sim_record *given = &source->records[source->next];
    uint8_t position[8];
    u64_put(position, source->next + 1);

    enum acceptance acceptance;
    if (given->is_bad) {
        acceptance = engine_reject(
            engine, source->source, bytes_make(position, 8),
            &(struct dead_letter){.cause = bytes_of("bad record"), .origin = bytes_of("sim")});
    } else {
        acceptance = engine_accept(engine, &(struct record){
                                               .source = source->source,
                                               .position = bytes_make(position, 8),
                                               .origin = bytes_of("sim"),
                                               .id = buffer_bytes(&given->id),
                                               .targets = &given->target,
                                               .target_count = 1,
                                               .argument = buffer_bytes(&given->argument),
                                           });
    }
    if (acceptance == ACCEPTED)
        source->next++;
    trace(world, "record %zu of source %u: %s", source->next, number,
          acceptance == ACCEPTED ? "accepted" : "refused");
    return acceptance == ACCEPTED;
}

static bool request_comes(struct world *world)
{
    if (!world->request_count)
        return false;
    size_t number = random_below(&world->random, world->request_count);
    struct sim_request *request = &world->requests[number];
    /* Without a key nobody may repeat a request that was accepted and not answered. */
    bool again = request->status != REQUEST_NEW && request->has_key && request->sends < 5 &&
                 random_chance(&world->random, 50);
    if (!again && (request->status != REQUEST_NEW || (!request->has_key && request->sends)))
        return false;

    char key[32];
    snprintf(key, sizeof key, "key %zu", number);
    if (!again)
        request->status = REQUEST_WAITING; /* it may be settled at once */
    request->sends++;
    request->waiting++;
    enum acceptance acceptance =
        engine_accept(random_worker(world)->engine,
                      &(struct record){.id = buffer_bytes(&request->id),
                                       .targets = &request->target,
                                       .target_count = 1,
                                       .argument = buffer_bytes(&request->argument),
                                       .receipt = number + 1,
                                       .idempotency_key = bytes_of(request->has_key ? key : "")});
    if (acceptance != ACCEPTED) {
        if (!again)
            request->status = REQUEST_NEW;
        request->sends--;
        request->waiting--;
        return false;
    }
    trace(world, "request %zu comes", number + 1);
    return true;
}

static bool inputs_are_done(const struct world *world)
{
    for (uint32_t i = 0; i < world->source_count; i++)
        if (world->sources[i].next < world->sources[i].count)
            return false;
    for (size_t i = 0; i < world->request_count; i++) {
        const struct sim_request *request = &world->requests[i];
        bool lost = !request->has_key && request->sends && request->status == REQUEST_NEW;
        if ((request->status != REQUEST_SETTLED && !lost) || request->waiting)
            return false;
    }
    return operators_are_done(world->operators);
}

static size_t first_letter(const struct table *table)
{
    static const uint8_t kind = KEY_DEAD_LETTER;
    return table_seek(table, bytes_make(&kind, 1));
}

static bool is_letter(const struct table *table, size_t row)
{
    return row < table->count && table->rows[row].key.data[0] == KEY_DEAD_LETTER;
}

/* What was sent to the late function before it was served, and poison. */
static bool letters_to_send_are_left(const struct world *world)
{
    for (size_t i = first_letter(&world->machine.truth); is_letter(&world->machine.truth, i); i++) {
        struct dead_letter letter;
        if (dead_letter_parse(world->machine.truth.rows[i].value, &letter) &&
            (app_is_late(&letter) || app_is_poison(&letter)))
            return true;
    }
    return false;
}

/* Whoever looks after them sees the view, and what he sees may be gone. What can be sent he never
 * throws away. */
static bool letters_are_handled(struct world *world)
{
    size_t first = first_letter(&world->machine.view), end = first;
    while (is_letter(&world->machine.view, end))
        end++;
    bool has_work = world->app.serves_late && letters_to_send_are_left(world);
    bool is_waiting = random_chance(&world->random, 900) && !list_is_empty(&world->operations);
    if (first == end || is_waiting || (inputs_are_done(world) && !has_work))
        return false;
    struct operation *operation = mem_new(sizeof *operation);
    struct dead_request *request = &operation->request;
    request->action = random_chance(&world->random, 100) ? DEAD_DISCARD : DEAD_REPLAY;
    for (size_t i = random_between(&world->random, first, end - 1), n = 0; i < end && n < 3; i++) {
        const struct table_row *row = &world->machine.view.rows[i];
        struct dead_letter letter;
        bool good = dead_letter_parse(row->value, &letter);
        SIM_CHECK(good, "a stored dead letter cannot be read");
        SIM_CHECK(letter.kind != DEAD_FAILED || app_is_poison(&letter),
                  "a message that does not fail was set aside");
        if (request->action == DEAD_DISCARD && (app_is_late(&letter) || app_is_poison(&letter)))
            continue;
        buffer_add_u32(&request->load.keys, (uint32_t)row->key.size);
        buffer_add_bytes(&request->load.keys, row->key);
        request->load.count = ++n;
    }
    list_put_last(&world->operations, &operation->link);
    if (!request->load.keys.size) {
        free_operation(operation);
        return false;
    }
    trace(world, "somebody %s letters", request->action == DEAD_REPLAY ? "replays" : "discards");
    engine_dead_letters(world->machine.worker[0].engine, request);
    return true;
}

static bool operator_resumes(struct world *world)
{
    struct machine_worker *worker = random_worker(world);
    if (!random_chance(&world->random, 50))
        return false;
    size_t count = engine_resume(worker->engine, (struct bytes){0});
    if (count)
        trace(world, "the operator resumes %zu addresses of worker %u", count, worker->number);
    return count > 0;
}

static struct engine *engine_of(void *owner, struct bytes id)
{
    struct world *world = owner;
    return machine_worker_of(&world->machine, id)->engine;
}

static bool operator_acts(struct world *world)
{
    return operators_act(world->operators, engine_of, world);
}

static bool time_passes(struct world *world)
{
    /* Mostly a little, sometimes up to when the next thing is due. */
    world->now_ms += random_below(&world->random, 20);
    struct machine_worker *worker = random_worker(world);
    uint64_t wake_ms = engine_wake_ms(worker->engine);
    bool is_near = wake_ms > world->now_ms && wake_ms - world->now_ms < LEAP_MS_MAX;
    if (is_near && random_chance(&world->random, 300))
        world->now_ms = wake_ms;
    for (uint32_t i = 0; i < world->machine.workers; i++)
        engine_time(world->machine.worker[i].engine, world->now_ms);
    return true;
}

static bool turn_ends(struct world *world)
{
    engine_run(random_worker(world)->engine);
    return true;
}

typedef bool happening(struct world *world);

static happening *const happenings[] = {
    post_arrives,          call_ends,           load_ends,
    load_is_told,          notice_arrives,      coordinator_acts,
    commit_ends,           view_advances,       exact_egress_delivers,
    exact_egress_confirms, taken_egress_gives,  record_comes,
    request_comes,         time_passes,         turn_ends,
    operator_acts,         letters_are_handled, operator_resumes,
};
enum { HAPPENINGS = sizeof happenings / sizeof *happenings };

/* --- the end --- */

static bool engines_are_idle(const struct world *world)
{
    for (uint32_t i = 0; i < world->machine.workers; i++) {
        struct engine_figures figures;
        engine_figures(world->machine.worker[i].engine, &figures);
        if (figures.backlog_messages || figures.delayed_messages || figures.in_flight)
            return false;
    }
    struct buffer outbox = {0};
    (void)key_of_outbox(&outbox, bytes_of("sim/taken"), 0);
    size_t taken = table_seek(&world->machine.truth, buffer_bytes(&outbox));
    buffer_destroy(&outbox);
    if (taken < world->machine.truth.count &&
        world->machine.truth.rows[taken].key.data[0] == KEY_OUTBOX)
        return false;
    return machine_is_quiet(&world->machine) && list_is_empty(&world->operations) &&
           world->delivered_epoch == world->machine.truth_epoch && !world->has_unconfirmed;
}

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static size_t count_id(const struct app_ids *sorted, uint64_t id)
{
    size_t count = 0;
    for (size_t i = 0; i < sorted->count; i++)
        count += sorted->ids[i] == id;
    return count;
}

static void check_records(struct world *world)
{
    for (size_t e = 0; e < APP_EGRESSES; e++) {
        struct app_ids *found = &world->delivered[e], *expected = &world->app.expected_records[e];
        if (found->count)
            qsort(found->ids, found->count, sizeof *found->ids, by_number);
        for (size_t i = 0; i < expected->count; i++) {
            size_t count = count_id(found, expected->ids[i]);
            SIM_CHECK(count == 1 || (count > 1 && e == APP_EGRESS_TAKEN),
                      "egress %zu has record %llu %zu times", e,
                      (unsigned long long)expected->ids[i], count);
        }
        SIM_CHECK(e == APP_EGRESS_TAKEN || count_id(found, 0) == 0,
                  "an effect of a reply that was refused came out");
    }
    for (size_t i = 0; i < world->request_count; i++) {
        const struct sim_request *request = &world->requests[i];
        size_t count = count_id(&world->delivered[APP_EGRESS_EXACT], request->record);
        bool settled = request->status == REQUEST_SETTLED;
        SIM_CHECK(settled ? count == 1 : count <= 1, "request %zu had its effect %zu times", i + 1,
                  count);
    }
}

static void check_store(struct world *world)
{
    uint64_t letters = world->removed_letters;
    for (size_t i = 0; i < world->machine.truth.count; i++) {
        struct key key;
        bool good = key_parse(world->machine.truth.rows[i].key, &key);
        SIM_CHECK(good, "a stored key is not one of ours");
        SIM_CHECK(key.kind != KEY_MESSAGE && key.kind != KEY_DELAYED && key.kind != KEY_OUTBOX &&
                      key.kind != KEY_PARKED,
                  "an entry of kind '%c' (%.*s, sequence %llu) is left in the store", key.kind,
                  BYTES_ARG(key.subject), (unsigned long long)key.sequence);
        letters += key.kind == KEY_DEAD_LETTER;
    }
    uint64_t expected = world->expected_letters + world->app.expected_letters;
    SIM_CHECK(letters == expected, "%llu dead letters, expected %llu", (unsigned long long)letters,
              (unsigned long long)expected);
    app_check_states(&world->app, &world->machine.truth, world->partitions);
    operators_check(world->operators, &world->machine.truth, world->partitions);
}

/* --- one run --- */

static size_t small_or_large(struct world *world, size_t small, size_t large)
{
    return random_chance(&world->random, 500) ? random_between(&world->random, 1, small) : large;
}

static void make_inputs(struct world *world)
{
    world->source_count = (uint32_t)random_between(&world->random, 1, SOURCES_MAX);
    for (uint32_t i = 0; i < world->source_count; i++) {
        struct sim_source *source = &world->sources[i];
        source->count = random_below(&world->random, 60);
        source->records = mem_new(source->count * sizeof *source->records);
        uint64_t *sent = mem_new(world->app.types * world->app.ids * sizeof *sent);
        for (size_t n = 0; n < source->count; n++) {
            struct sim_record *record = &source->records[n];
            record->is_bad = random_chance(&world->random, 30);
            world->expected_letters += record->is_bad;
            if (record->is_bad)
                continue;
            uint32_t number;
            struct buffer tree = {0};
            app_random_target(&world->app, &record->target, &record->id, &number);
            app_make_tree(&world->app, number, &tree);
            app_argument(&record->argument, i, ++sent[number], buffer_bytes(&tree));
            buffer_destroy(&tree);
        }
        free(sent);
    }

    world->request_count = random_below(&world->random, 30);
    world->requests = mem_new(world->request_count * sizeof *world->requests);
    for (size_t i = 0; i < world->request_count; i++) {
        struct sim_request *request = &world->requests[i];
        uint32_t number;
        request->has_key = random_chance(&world->random, 600);
        app_random_target(&world->app, &request->target, &request->id, &number);
        request->number = number;
        request->record = world->app.next_id++;
        struct buffer tree = {0};
        buffer_add_text(&tree, "e");
        buffer_add_u8(&tree, APP_EGRESS_EXACT);
        buffer_add_u64(&tree, request->record);
        app_argument(&request->argument, UINT32_MAX, 0, buffer_bytes(&tree));
        buffer_destroy(&tree);
    }
}

static void begin(struct world *world, uint64_t seed, bool traced)
{
    *world = (struct world){.random = {seed}, .trace = traced, .now_ms = 1000 * 1000};
    world->machine = (struct machine){.random = &world->random,
                                      .owner = world,
                                      .trace = trace_list,
                                      .before_durable = before_durable};
    app_init(&world->app, random_next(&world->random));
    world->partitions = (uint32_t)random_between(&world->random, 1, 16);
    world->interval_ms = random_below(&world->random, 20);
    world->limits = engine_limits_default;
    world->limits.cache_bytes = small_or_large(world, 4000, 1 << 20);
    world->limits.backlog_memory_bytes = small_or_large(world, 4000, 1 << 20);
    world->limits.backlog_bytes = small_or_large(world, 20000, 1 << 20);
    world->limits.delta_bytes = small_or_large(world, 4000, 1 << 20);
    world->limits.delayed_memory_bytes = small_or_large(world, 2000, 1 << 20);
    world->limits.in_flight_max = small_or_large(world, 8, 0);
    world->limits.batch_bytes_max = small_or_large(world, 300, 1 << 20);
    world->limits.retry_ms_max = random_between(&world->random, 10, 2000);
    world->limits.idempotency_ms = UINT32_MAX;
    world->limits.idempotency_keys_max = 1000;
    world->crash_chance = random_chance(&world->random, 300) ? 0 : random_below(&world->random, 8);
    world->cured_step = random_below(&world->random, 20000);
    world->crashes_left = random_below(&world->random, 40);
    world->failure_chance =
        random_chance(&world->random, 300) ? 0 : random_below(&world->random, 300);
    world->misbehave_chance =
        random_chance(&world->random, 500) ? 0 : random_below(&world->random, 200);
    world->keep_chance = random_chance(&world->random, 300) ? 0 : random_below(&world->random, 999);
    make_inputs(world);
    world->operators = operators_new(&world->app, random_next(&world->random));
}

static void end(struct world *world)
{
    crash(world);
    world->result.crashes--;
    machine_destroy(&world->machine);
    for (uint32_t i = 0; i < world->source_count; i++) {
        for (size_t n = 0; n < world->sources[i].count; n++) {
            buffer_destroy(&world->sources[i].records[n].id);
            buffer_destroy(&world->sources[i].records[n].argument);
        }
        free(world->sources[i].records);
    }
    for (size_t i = 0; i < world->request_count; i++) {
        buffer_destroy(&world->requests[i].id);
        buffer_destroy(&world->requests[i].argument);
    }
    free(world->requests);
    for (size_t i = 0; i < APP_EGRESSES; i++)
        free(world->delivered[i].ids);
    operators_free(world->operators);
    free_ready(world);
    arena_destroy(&world->called_arena);
    keeper_destroy(&world->keeper);
    app_destroy(&world->app);
}

void world_run(uint64_t seed, bool traced, struct world_result *ret_result)
{
    struct world world;
    current = &world;
    begin(&world, seed, traced);
    start(&world);

    /* Some things happen often and some seldom, differently in each run. */
    uint64_t weights[HAPPENINGS], total = 0;
    for (size_t i = 0; i < HAPPENINGS; i++)
        total += weights[i] = random_between(&world.random, 1, 30);

    bool is_over = false;
    for (unsigned quiet = 0; quiet < QUIET_STEPS; world.step++) {
        SIM_CHECK(world.step < STEPS_MAX, "the run does not come to its end");
        bool crashes = world.crashes_left && random_chance(&world.random, world.crash_chance);
        if (crashes || (is_over && !world.app.serves_late)) {
            world.crashes_left -= crashes;
            crash(&world);
            if (is_over || random_chance(&world.random, 300))
                app_serve_late(&world.app);
            start(&world);
        }
        world.app.is_cured |= world.step == world.cured_step;
        uint64_t draw = random_below(&world.random, total);
        size_t i = 0;
        while (draw >= weights[i])
            draw -= weights[i++];
        (void)happenings[i](&world);
        is_over = inputs_are_done(&world) && engines_are_idle(&world);
        quiet = is_over && !letters_to_send_are_left(&world) ? quiet + 1 : 0;
    }
    check_records(&world);
    check_store(&world);
    world.result.steps = world.step;
    *ret_result = world.result;
    end(&world);
    current = NULL;
}
