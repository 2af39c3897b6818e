/* calls.c - invocations are kept until it is their turn, then the function is called, here and now.
 *
 * A companion's call is held while its operation is under way. */
#include "harness/inside.h"

#include "sdk/value.h"

#include <stdio.h>

/* What the engine attaches for companions. */
static const struct sf_function COMPANION = {.type = SF_TYPE_ASYNC};

static struct sf_harness *harness_of(const struct machine_worker *worker)
{
    return worker->machine->owner;
}

void *calls_attach(void *owner, const struct function_binding *binding, struct bytes ns,
                   struct bytes name)
{
    const struct sf_harness *harness = harness_of(owner);
    size_t index = (size_t)(binding - harness->functions);
    (void)ns, (void)name;
    return (void *)(index < harness->registry.function_count
                        ? harness->registry.functions[index].function
                        : &COMPANION);
}

void calls_invoke(void *owner, void *function, struct invocation *invocation,
                  const struct to_function *request)
{
    struct machine_worker *worker = owner;
    struct call *call = mem_new(sizeof *call);
    struct arena *arena = &call->arena;
    call->worker = worker;
    call->function = function;
    call->invocation = invocation;
    call->request = *request;
    call->request.target = arena_add_bytes(arena, request->target);

    struct request_state *states = arena_take(arena, request->state_count * sizeof *states);
    for (size_t i = 0; i < request->state_count; i++) {
        states[i] = request->states[i];
        states[i].name = arena_add_bytes(arena, states[i].name);
        states[i].value = arena_add_bytes(arena, states[i].value);
    }
    call->request.states = states;
    struct bytes *messages = arena_take(arena, request->message_count * sizeof *messages);
    for (size_t i = 0; i < request->message_count; i++)
        messages[i] = arena_add_bytes(arena, request->messages[i]);
    call->request.messages = messages;
    list_put_last(&worker->calls, &call->link);
}

static void call_free(struct call *call)
{
    list_take(&call->link);
    arena_destroy(&call->arena);
    free(call);
}

void calls_free(struct sf_harness *harness)
{
    while (desk_drop(&harness->desk))
        continue; /* visits are parts of the calls */
    for (uint32_t i = 0; i < harness->machine.workers; i++)
        list_for_each_safe (&harness->machine.worker[i].calls, node)
            call_free(container_of(node, struct call, link));
    list_for_each_safe (&harness->held, node)
        call_free(container_of(node, struct call, link));
}

/* --- what functions ask for besides --- */

struct sf_async *calls_begin_async(void *owner, struct batch *batch, struct bytes metadata)
{
    struct sf_harness *harness = owner;
    return operations_begin(harness->operations, batch, metadata);
}

static void print_log(const struct sf_harness *harness, enum sf_level level, const char *who,
                      const char *text)
{
    static const char *const levels[] = {"debug", "info", "warning", "error"};
    if (harness->options.prints_log)
        (void)fprintf(stderr, "%s %s: %s\n", levels[level], who, text);
}

void calls_log(void *owner, struct bytes address, enum sf_level level, const char *text)
{
    struct buffer who = {0};
    address_add_text(&who, address);
    print_log(owner, level, buffer_text(&who), text);
    buffer_destroy(&who);
}

void calls_log_route(void *owner, const char *ingress, enum sf_level level, const char *text)
{
    print_log(owner, level, ingress, text);
}

void calls_count_route(void *owner, const char *ingress, const char *counter, int64_t by)
{
    struct sf_harness *harness = owner;
    counters_add(&harness->route_counters, bytes_of(ingress), counter, by);
}

void calls_count(void *owner, struct bytes type, const char *counter, int64_t by)
{
    struct sf_harness *harness = owner;
    counters_add(&harness->counters, type, counter, by);
}

/* --- ends --- */

static void reply(struct call *call, struct from_function *answer)
{
    engine_reply(call->worker->engine, call->invocation, answer);
    call_free(call);
}

static void fail(struct call *call, const struct sf_status *status)
{
    engine_fail(call->worker->engine, call->invocation,
                &(struct failure){.cause = bytes_of(status->message)});
    call_free(call);
}

static void end_operation(struct call *call, const struct async_end *end)
{
    struct from_function answer;
    struct sf_status status;
    bool good = async_reply_make(&call->arena, call->caller, call->metadata, end, &answer, &status);
    visit_done(&call->visit);
    if (good)
        reply(call, &answer);
    else
        fail(call, &status);
}

static void call_companion(struct sf_harness *harness, struct call *call)
{
    struct async_ticket ticket;
    struct sf_status status;
    if (!async_ticket_read(&call->request, &ticket, &call->caller, &status)) {
        fail(call, &status);
        return;
    }
    call->metadata = ticket.metadata;
    desk_put(&harness->desk, &call->visit, &ticket);
    list_take(&call->link);
    list_put_last(&harness->held, &call->link);
}

bool calls_operation_ends(struct sf_harness *harness)
{
    struct async_end end;
    struct visit *visit = desk_next(&harness->desk, &end);
    if (visit)
        end_operation(container_of(visit, struct call, visit), &end);
    return visit != NULL;
}

static struct remote_functions *remote_of(const struct sf_harness *harness,
                                          const struct sf_function *function)
{
    list_for_each (&harness->remotes, node) {
        struct remote_functions *remote = container_of(node, struct remote_functions, link);
        if (&remote->function == function)
            return remote;
    }
    return NULL;
}

static bool run(struct sf_harness *harness, struct call *call, struct from_function *ret_answer,
                struct sf_status *status)
{
    struct remote_functions *remote = remote_of(harness, call->function);
    if (remote)
        return remote->call(remote, &call->request, &call->arena, ret_answer, status);
    const struct from_function *answer;
    bool good = batch_run(&harness->batch, call->function, &call->request, harness->now_ms, &answer,
                          status);
    if (good)
        *ret_answer = *answer;
    return good;
}

/* Nobody is there: that is no failure of a function. */
static bool is_broken(struct sf_harness *harness, const struct call *call,
                      const struct sf_status *status)
{
    bool is_gone =
        remote_of(harness, call->function) &&
        (status->code == SF_IO || status->code == SF_TIMEOUT || status->code == SF_NOT_FOUND);
    if (is_gone)
        harness->broken = *status;
    return is_gone;
}

static void call_function(struct sf_harness *harness, struct call *call)
{
    struct from_function answer;
    struct sf_status status = {0};
    struct address self;
    bool is_lost = !harness->is_calm && random_chance(&harness->random, harness->chances.repeat);
    bool good = run(harness, call, &answer, &status);
    if (is_lost || (!good && is_broken(harness, call, &status)))
        return; /* it stays, and will be repeated */
    if (!good) {
        fail(call, &status);
        return;
    }
    if (address_parse(call->request.target, &self))
        results_wrap(&call->arena, &self, &answer);
    reply(call, &answer);
}

bool calls_end(struct sf_harness *harness)
{
    struct machine_worker *worker = machine_pick_worker(&harness->machine, machine_has_calls);
    if (!worker)
        return false;
    struct list *node = machine_pick_node(&harness->machine, &worker->calls);
    struct call *call = container_of(node, struct call, link);
    harness->calls++;
    if (call->function == &COMPANION)
        call_companion(harness, call);
    else
        call_function(harness, call);
    return true;
}
