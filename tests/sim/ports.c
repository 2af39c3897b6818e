/* ports.c - what engines ask of the world: functions that are called, and how that ends; people who
 * are answered. */
#include "sim/world_inside.h"

#include "base/mem.h"

static struct world *world_of(void *owner, struct machine_worker **ret_worker)
{
    *ret_worker = owner;
    return world_current;
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

void world_free_call(struct app_call *call)
{
    list_take(&call->link);
    arena_destroy(&call->arena);
    free(call);
}

/* Sometimes the function runs and its answer is lost; then it runs again. */
enum call_end world_end_call(struct world *world, struct machine_worker *worker,
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
        world_trace(world, "a call of worker %u ends in nonsense", worker->number);
        app_misreply(&world->app, arena, ret_reply);
        return CALL_ANSWERS;
    }
    app_execute(&world->app, call, world->now_ms, arena, ret_reply);
    if (!ret_reply->is_incomplete && random_chance(&world->random, world->keep_chance))
        ret_reply->version = keeper_keep(&world->keeper, &call->request, ret_reply);
    world_trace(world, "a call of worker %u with %zu messages ends: %s", worker->number,
                call->request.message_count,
                ret_reply->is_incomplete ? "it asks for states" : "done");
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

void world_free_ready(struct world *world)
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
    world_free_ready(world);
    arena_clear(&world->called_arena);
    world->result.invocations++;
    enum call_end end =
        world_end_call(world, worker, &call, &world->called_arena, &world->called_reply);
    if (end == CALL_ANSWERS)
        return make_ready(world, request->target);
    if (end == CALL_FAILS_WITH_ITS_ENDPOINT && !app_must_fail(&world->app, &call)) {
        app_execute(&world->app, &call, world->now_ms, &world->called_arena, &world->called_reply);
        return make_ready(world, request->target);
    }
    world_trace(world, "a call of worker %u fails at once", worker->number);
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
    world_trace(world, "request %llu is settled", (unsigned long long)receipt);
}

void world_free_operation(struct operation *operation)
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
    world_trace(world, "the operator is answered, first outcome %d",
                (int)request->outcomes.data[0]);
    world_free_operation(container_of(request, struct operation, request));
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
    world_trace(world, "worker %u reports %d: %.*s", worker->number, (int)report->kind,
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

const struct ports world_ports = {
    .attach = on_attach,
    .invoke = on_invoke,
    .call = on_call,
    .settle = on_settle,
    .dead_done = on_dead_done,
    .found = on_found,
    .room = on_nothing,
    .hurry = on_hurry,
    .report = on_report,
    .misbehave = on_misbehave,
};
