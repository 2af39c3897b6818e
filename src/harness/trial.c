/* trial.c - a batch of one message, and what an engine would do with its effects, without one. */
#include "harness/outputs.h"
#include "sdk/batch.h"
#include "sdk/counts.h"
#include "sdk/operations.h"
#include "sdk/registry.h"
#include "sdk/value.h"

#include <inttypes.h>

#define START_MS INT64_C(1577836800000)

struct trial_state {
    struct bytes name; /* owned */
    enum expire_mode mode;
    int64_t expire_ms;
    bool is_present;
    struct buffer value; /* the body of a TypedValue */
    int64_t deadline_ms; /* 0: none */
};

/* An operation that has been begun and has not ended. */
struct pending {
    struct list link;
    struct visit visit;
    struct bytes companion; /* owned, canonical */
    struct bytes metadata;  /* owned */
};

struct sf_trial {
    struct registry registry; /* of the one function, or of the module that binds it */
    char **config;
    const struct sf_function *function;
    struct batch_world world;
    struct batch batch;
    struct arena memory; /* that lives as long as the trial */
    struct arena call;   /* as long as one call */
    struct address self;
    int64_t now_ms;
    struct trial_state *states;
    size_t state_count;
    struct operations *operations;
    struct desk desk;
    struct list pending; /* struct pending */
    struct outputs sent, delayed, egress;
    struct counts counts;
    bool is_looking; /* there may be changes by sf_trial_states */
};

/* --- life --- */

static struct sf_async *async_begin(void *owner, struct batch *batch, struct bytes metadata)
{
    struct sf_trial *trial = owner;
    return operations_begin(trial->operations, batch, metadata);
}

static void count(void *owner, struct bytes type, const char *counter, int64_t by)
{
    struct sf_trial *trial = owner;
    (void)type;
    counts_add(&trial->counts, counter, by);
}

static bool make_self(struct sf_trial *trial, const char *type, const char *id,
                      struct sf_status *status)
{
    struct bytes ns, name;
    if (!type)
        return sf_fail(status, SF_INVALID, "a trial needs the type of an address");
    if (!typename_split(bytes_of(type), &ns, &name))
        return sf_fail(status, SF_INVALID, "type '%s': expected \"namespace/name\"", type);
    trial->function = registry_find(&trial->registry, ns, name);
    if (!trial->function)
        return sf_fail(status, SF_NOT_FOUND, "no function that is bound serves type %s", type);
    return address_make(ns, name, bytes_of(id), &trial->memory, &trial->self, status);
}

static struct sf_trial *trial_new(void)
{
    struct sf_trial *trial = mem_new(sizeof *trial);
    trial->now_ms = START_MS;
    trial->world = (struct batch_world){.owner = trial, .async_begin = async_begin, .count = count};
    batch_init(&trial->batch, &trial->world);
    trial->operations = operations_new(1);
    desk_init(&trial->desk, trial->operations, NULL, NULL);
    list_init(&trial->pending);
    return trial;
}

static bool begin(struct sf_trial *trial, bool good, struct sf_trial **ret_trial)
{
    if (good)
        *ret_trial = trial;
    else
        sf_trial_free(trial);
    return good;
}

bool sf_trial_new(const struct sf_function *function, const char *type, const char *id,
                  struct sf_trial **ret_trial, struct sf_status *status)
{
    struct sf_trial *trial = trial_new();
    registry_init(&trial->registry, &(struct registry_options){0});
    bool good = sf_bind(&trial->registry.module, function, status);
    if (good && !type && strchr(function->type, '*'))
        good =
            sf_fail(status, SF_INVALID, "function %s needs the type of an address", function->type);
    return begin(trial, good && make_self(trial, type ? type : function->type, id, status),
                 ret_trial);
}

bool sf_trial_of(sf_configure configure, const char *const *config, const char *type,
                 const char *id, struct sf_trial **ret_trial, struct sf_status *status)
{
    struct sf_trial *trial = trial_new();
    bool good = config_copy(config, &trial->config, status);
    registry_init(&trial->registry,
                  &(struct registry_options){.owner = trial->config, .config = config_of_list});
    return begin(trial,
                 good && registry_add(&trial->registry, configure, status) &&
                     make_self(trial, type, id, status),
                 ret_trial);
}

static void pending_free(struct pending *pending)
{
    list_take(&pending->link);
    free((void *)pending->companion.data);
    free((void *)pending->metadata.data);
    free(pending);
}

void sf_trial_free(struct sf_trial *trial)
{
    if (!trial)
        return;
    while (desk_drop(&trial->desk))
        continue;
    list_for_each_safe (&trial->pending, node)
        pending_free(container_of(node, struct pending, link));
    operations_free(trial->operations);
    for (size_t i = 0; i < trial->state_count; i++) {
        free((void *)trial->states[i].name.data);
        buffer_destroy(&trial->states[i].value);
    }
    free(trial->states);
    outputs_clear(&trial->sent);
    outputs_clear(&trial->delayed);
    outputs_clear(&trial->egress);
    counts_destroy(&trial->counts);
    batch_destroy(&trial->batch);
    registry_destroy(&trial->registry);
    config_free(trial->config);
    arena_destroy(&trial->memory);
    arena_destroy(&trial->call);
    free(trial);
}

/* --- states --- */

static struct trial_state *find_state(struct sf_trial *trial, struct bytes name)
{
    for (size_t i = 0; i < trial->state_count; i++)
        if (bytes_equal(trial->states[i].name, name))
            return &trial->states[i];
    return NULL;
}

static struct trial_state *add_state(struct sf_trial *trial, struct bytes name)
{
    struct trial_state *state = find_state(trial, name);
    if (state)
        return state;
    trial->states = mem_resize(trial->states, (trial->state_count + 1) * sizeof *trial->states);
    state = &trial->states[trial->state_count++];
    *state = (struct trial_state){.name = bytes_make(bytes_string(name), name.size)};
    return state;
}

static void touch(const struct sf_trial *trial, struct trial_state *state)
{
    state->deadline_ms = state->mode == EXPIRE_NONE ? 0 : trial->now_ms + state->expire_ms;
}

static void change_states(struct sf_trial *trial, const struct from_function *reply)
{
    for (size_t i = 0; i < reply->mutation_count; i++) {
        const struct state_mutation *mutation = &reply->mutations[i];
        struct trial_state *state = add_state(trial, mutation->name);
        state->is_present = mutation->kind == MUTATION_MODIFY;
        buffer_clear(&state->value);
        if (state->is_present)
            typed_value_add(&state->value, &mutation->value);
        touch(trial, state);
    }
}

/* Makes a request with all states that are known. */
static void fill_request(struct sf_trial *trial, struct to_function *request)
{
    struct request_state *states = arena_take(&trial->call, trial->state_count * sizeof *states);
    for (size_t i = 0; i < trial->state_count; i++) {
        struct trial_state *state = &trial->states[i];
        if (state->deadline_ms && state->deadline_ms <= trial->now_ms)
            state->is_present = false;
        states[i] = (struct request_state){.name = state->name,
                                           .value = buffer_bytes(&state->value),
                                           .present = state->is_present};
    }
    request->target = trial->self.wire;
    request->states = states;
    request->state_count = trial->state_count;
}

struct sf_context *sf_trial_states(struct sf_trial *trial)
{
    struct to_function request = {0};
    if (trial->is_looking)
        return &trial->batch.context;
    trial->is_looking = true;
    arena_clear(&trial->call);
    fill_request(trial, &request);
    return batch_look(&trial->batch, trial->function, &request, trial->now_ms, false);
}

static bool end_look(struct sf_trial *trial, struct sf_status *status)
{
    const struct from_function *reply;
    if (!trial->is_looking)
        return true;
    trial->is_looking = false;
    if (!batch_look_end(&trial->batch, &reply, status))
        return sf_wrap(status, "sf_trial_states");
    change_states(trial, reply);
    return true;
}

/* --- effects --- */

static bool token_is_live(const struct sf_trial *trial, const struct from_function *reply,
                          size_t upto, struct bytes token)
{
    for (size_t i = upto; i-- > 0;)
        if (bytes_equal(reply->delayed[i].token, token))
            return !reply->delayed[i].is_cancellation;
    for (size_t i = 0; i < trial->delayed.count; i++) {
        const char *text = outputs_get(&trial->delayed, i)->token;
        if (text && bytes_is(token, text))
            return true;
    }
    return false;
}

static bool judge(const struct sf_trial *trial, const struct from_function *reply,
                  struct sf_status *status)
{
    for (size_t i = 0; i < reply->delayed_count; i++) {
        const struct delayed_message *delayed = &reply->delayed[i];
        if (!delayed->is_cancellation && delayed->token.size &&
            token_is_live(trial, reply, i, delayed->token))
            return sf_fail(status, SF_INVALID,
                           "the cancellation token '%.*s' is in use by another delayed message",
                           BYTES_ARG(delayed->token));
    }
    return true;
}

static bool is_companion(const struct address *address)
{
    return bytes_is(address->ns, ASYNC_FUNCTION_NS) && bytes_is(address->name, ASYNC_FUNCTION_NAME);
}

static struct bytes owned(struct bytes bytes)
{
    return bytes_make(bytes_string(bytes), bytes.size);
}

static struct bytes body_of(struct sf_trial *trial, struct bytes caller, struct bytes argument)
{
    size_t size = message_body_size(caller.size, argument.size);
    uint8_t *body = arena_take(&trial->call, size);
    message_body_put(body, caller, argument);
    return bytes_make(body, size);
}

/* The message begins an operation. */
static void expect_end(struct sf_trial *trial, const struct outgoing_message *message)
{
    struct bytes caller, body = body_of(trial, trial->self.wire, message->argument);
    struct async_ticket ticket;
    if (!async_ticket_read(&(struct to_function){.messages = &body, .message_count = 1}, &ticket,
                           &caller, NULL))
        return; /* somebody has made up such an address */
    struct pending *pending = mem_new(sizeof *pending);
    pending->companion = owned(message->target);
    pending->metadata = owned(ticket.metadata);
    list_put_last(&trial->pending, &pending->link);
    desk_put(&trial->desk, &pending->visit, &ticket);
}

static void cancel(struct sf_trial *trial, struct bytes token)
{
    for (size_t i = 0; i < trial->delayed.count; i++) {
        const char *text = outputs_get(&trial->delayed, i)->token;
        if (text && bytes_is(token, text)) {
            outputs_move(&trial->delayed, i, NULL);
            return;
        }
    }
}

static void apply(struct sf_trial *trial, const struct from_function *reply)
{
    for (size_t i = 0; i < reply->message_count; i++) {
        const struct outgoing_message *message = &reply->messages[i];
        struct address target = address_known(message->target);
        if (is_companion(&target))
            expect_end(trial, message);
        else
            (void)outputs_add(&trial->sent, &(struct made_output){.target = &target,
                                                                  .argument = message->argument});
    }
    for (size_t i = 0; i < reply->delayed_count; i++) {
        const struct delayed_message *delayed = &reply->delayed[i];
        if (delayed->is_cancellation) {
            cancel(trial, delayed->token);
            continue;
        }
        struct address target = address_known(delayed->target);
        (void)outputs_add(&trial->delayed,
                          &(struct made_output){.target = &target,
                                                .argument = delayed->argument,
                                                .token = delayed->token,
                                                .due_ms = trial->now_ms + delayed->delay_ms});
    }
    for (size_t i = 0; i < reply->egress_count; i++) {
        const struct egress_message *egress = &reply->egresses[i];
        struct buffer id = {0};
        buffer_add_format(&id, "%.*s/%.*s", BYTES_ARG(egress->ns), BYTES_ARG(egress->name));
        (void)outputs_add(&trial->egress, &(struct made_output){.egress = buffer_bytes(&id),
                                                                .sender = &trial->self,
                                                                .argument = egress->argument});
        buffer_destroy(&id);
    }
    change_states(trial, reply);
}

/* --- calling --- */

/* What lives on because it was used: as an engine does before a call. */
static void touch_called(struct sf_trial *trial)
{
    for (size_t i = 0; i < trial->state_count; i++)
        if (trial->states[i].is_present && trial->states[i].mode == EXPIRE_AFTER_INVOKE)
            touch(trial, &trial->states[i]);
}

static bool learn(struct sf_trial *trial, const struct from_function *reply,
                  struct sf_status *status)
{
    size_t known = trial->state_count;
    for (size_t i = 0; i < reply->missing_count; i++) {
        struct trial_state *state = add_state(trial, reply->missing[i].name);
        state->mode = reply->missing[i].mode;
        state->expire_ms = reply->missing[i].expire_after_ms;
    }
    return trial->state_count > known ||
           sf_fail(status, SF_INVALID, "the function asks for states that it was given");
}

/* States that were put there before the first call are not known to expire yet. */
static void learn_declared(struct sf_trial *trial)
{
    const struct sf_state *const *states = trial->function->states;
    for (size_t i = 0; states && states[i]; i++) {
        struct trial_state *state = add_state(trial, bytes_of(states[i]->name));
        state->mode = states[i]->expiry == SF_EXPIRE_NEVER         ? EXPIRE_NONE
                      : states[i]->expiry == SF_EXPIRE_AFTER_WRITE ? EXPIRE_AFTER_WRITE
                                                                   : EXPIRE_AFTER_INVOKE;
        state->expire_ms = states[i]->expire_ms;
        if (state->is_present && !state->deadline_ms)
            touch(trial, state);
    }
}

static bool run(struct sf_trial *trial, struct bytes body, struct sf_status *status)
{
    const struct from_function *reply;
    learn_declared(trial);
    for (bool is_over = false; !is_over;) {
        struct to_function request = {.messages = &body, .message_count = 1};
        touch_called(trial);
        fill_request(trial, &request);
        bool good =
            batch_run(&trial->batch, trial->function, &request, trial->now_ms, &reply, status);
        is_over = good && !reply->is_incomplete;
        good = good && (is_over ? judge(trial, reply, status) : learn(trial, reply, status));
        if (!good)
            return false;
    }
    apply(trial, reply);
    return true;
}

static bool call(struct sf_trial *trial, struct bytes caller, struct bytes argument,
                 struct sf_status *status)
{
    if (!end_look(trial, status))
        return false;
    struct bytes kept = arena_add_bytes(&trial->call, argument); /* it may be an output's */
    return run(trial, body_of(trial, caller, kept), status);
}

static void *alloc_in_call(void *owner, size_t size)
{
    struct sf_trial *trial = owner;
    return arena_take(&trial->call, size);
}

static bool make_caller(struct sf_trial *trial, const struct sf_address *caller,
                        struct bytes *ret_wire, struct sf_status *status)
{
    struct bytes ns, name;
    struct address address;
    struct sf_target target = target_of(*caller);
    if (!typename_split(bytes_from_sf(target.type), &ns, &name))
        return sf_fail(status, SF_INVALID, "caller '%s': expected a function type namespace/name",
                       caller->type ? caller->type : "");
    if (!address_make(ns, name, bytes_from_sf(target.id), &trial->call, &address, status))
        return false;
    *ret_wire = address.wire;
    return true;
}

bool sf_trial_call_from(struct sf_trial *trial, const struct sf_address *caller,
                        struct sf_value value, struct sf_status *status)
{
    struct sf_encoded encoded;
    struct bytes wire = {0};
    if (!end_look(trial, status))
        return false;
    arena_clear(&trial->call);
    if (!value_encode((struct value_memory){alloc_in_call, trial}, &value, &encoded, status) ||
        (caller && !make_caller(trial, caller, &wire, status)))
        return false;
    struct buffer argument = {0};
    typed_value_add(&argument, &(struct typed_value){bytes_from_sf(encoded.type),
                                                     bytes_from_sf(encoded.value), true});
    bool good = call(trial, wire, buffer_bytes(&argument), status);
    buffer_destroy(&argument);
    return good;
}

bool sf_trial_call(struct sf_trial *trial, struct sf_value value, struct sf_status *status)
{
    return sf_trial_call_from(trial, NULL, value, status);
}

/* --- time --- */

void sf_trial_set_time(struct sf_trial *trial, int64_t now_ms)
{
    trial->now_ms = now_ms;
}

static bool find_due(const struct sf_trial *trial, int64_t until_ms, size_t *ret_index)
{
    bool found = false;
    int64_t first = 0;
    for (size_t i = 0; i < trial->delayed.count; i++) {
        int64_t due = outputs_get(&trial->delayed, i)->due_ms;
        if (due <= until_ms && (!found || due < first)) {
            found = true;
            first = due;
            *ret_index = i;
        }
    }
    return found;
}

bool sf_trial_advance(struct sf_trial *trial, int64_t ms, struct sf_status *status)
{
    int64_t until_ms = trial->now_ms + ms;
    size_t index;
    if (!end_look(trial, status))
        return false;
    while (find_due(trial, until_ms, &index)) {
        const struct sf_output *due = outputs_get(&trial->delayed, index);
        if (due->due_ms > trial->now_ms)
            trial->now_ms = due->due_ms;
        if (!bytes_equal(output_target(due), trial->self.wire)) {
            output_is_sent(due);
            outputs_move(&trial->delayed, index, &trial->sent);
            continue;
        }
        arena_clear(&trial->call);
        struct bytes argument = arena_add_bytes(&trial->call, output_argument(due));
        outputs_move(&trial->delayed, index, NULL);
        if (!call(trial, trial->self.wire, argument, status))
            return false;
    }
    trial->now_ms = until_ms;
    return true;
}

bool sf_trial_finish(struct sf_trial *trial, uint64_t ms_max, struct sf_status *status)
{
    while (!list_is_empty(&trial->pending)) {
        struct async_end end;
        struct from_function reply;
        arena_clear(&trial->call);
        if (!desk_await(&trial->desk, ms_max))
            return sf_fail(status, SF_TIMEOUT,
                           "an asynchronous operation has not ended within %" PRIu64 " ms", ms_max);
        struct visit *visit = desk_next(&trial->desk, &end);
        struct pending *pending = container_of(visit, struct pending, visit);
        struct bytes companion = arena_add_bytes(&trial->call, pending->companion);
        bool good = async_reply_make(&trial->call, trial->self.wire, pending->metadata, &end,
                                     &reply, status);
        visit_done(visit);
        pending_free(pending);
        if (!good || !call(trial, companion, reply.messages[0].argument, status))
            return false;
    }
    return true;
}

/* --- looking --- */

size_t sf_trial_sent_count(const struct sf_trial *trial)
{
    return trial->sent.count;
}

const struct sf_output *sf_trial_sent(const struct sf_trial *trial, size_t index)
{
    return outputs_get(&trial->sent, index);
}

const struct sf_output *sf_trial_sent_to(const struct sf_trial *trial, struct sf_address target,
                                         size_t index)
{
    for (size_t i = 0; i < trial->sent.count; i++) {
        const struct sf_output *sent = outputs_get(&trial->sent, i);
        if (output_is_to(sent, target) && index-- == 0)
            return sent;
    }
    return NULL;
}

size_t sf_trial_delayed_count(const struct sf_trial *trial)
{
    return trial->delayed.count;
}

const struct sf_output *sf_trial_delayed(const struct sf_trial *trial, size_t index)
{
    return outputs_get(&trial->delayed, index);
}

size_t sf_trial_egress_count(const struct sf_trial *trial)
{
    return trial->egress.count;
}

const struct sf_output *sf_trial_egress(const struct sf_trial *trial, size_t index)
{
    return outputs_get(&trial->egress, index);
}

const struct sf_output *sf_trial_token(const struct sf_trial *trial, const char *token)
{
    for (size_t i = 0; i < trial->delayed.count; i++) {
        const struct sf_output *delayed = outputs_get(&trial->delayed, i);
        if (delayed->token && !strcmp(delayed->token, token))
            return delayed;
    }
    return NULL;
}

void sf_trial_clear(struct sf_trial *trial)
{
    outputs_clear(&trial->sent);
    outputs_clear(&trial->egress);
}

int64_t sf_trial_counter(const struct sf_trial *trial, const char *counter)
{
    return counts_get(&trial->counts, counter);
}

const char *sf_look_failure(struct sf_context *context)
{
    const struct batch *batch = container_of(context, struct batch, context);
    return batch->has_failed ? batch->failure.message : NULL;
}
