/* dispatch.c - who is invoked next, and how that ends.
 *
 * Function types take turns, and within a type its addresses do, so that none waits for another's
 * backlog. */
#include "engine/inside.h"

/* --- loads --- */

static struct load *load_new(struct engine *engine, struct instance *instance)
{
    struct list *spare = list_take_first(&engine->spare_loads);
    struct load *load = spare ? container_of(spare, struct load, link) : mem_new(sizeof *load);
    engine->spare_load_count -= spare != NULL;
    list_init(&load->link);
    load->is_range = false;
    load->count = 0;
    load->subject = instance;
    buffer_clear(&load->keys);
    buffer_clear(&load->results);
    return load;
}

static void load_free(struct load *load)
{
    buffer_destroy(&load->keys);
    buffer_destroy(&load->results);
    free(load);
}

static void load_put_back(struct engine *engine, struct load *load)
{
    enum { SPARES = 1024, SPARE_BYTES_MAX = 512 };
    if (engine->spare_load_count < SPARES && load->results.capacity <= SPARE_BYTES_MAX) {
        list_put_first(&engine->spare_loads, &load->link);
        engine->spare_load_count++;
        return;
    }
    load_free(load);
}

void dispatch_free_spares(struct engine *engine)
{
    list_for_each_safe (&engine->spare_loads, node)
        load_free(container_of(node, struct load, link));
}

static void add_key(struct load *load, struct bytes key)
{
    buffer_add_u32(&load->keys, (uint32_t)key.size);
    buffer_add_bytes(&load->keys, key);
    load->count++;
}

/* What must be read before `instance` can be invoked; NULL if nothing. */
static struct load *missing(struct engine *engine, struct instance *instance)
{
    enum { UNSPILL_BYTES = 256 * 1024 };
    const struct spilled *spilled = instance->spilled;
    if (list_is_empty(&instance->front) && spilled) {
        struct load *load = load_new(engine, instance);
        struct bytes address = instance_address(instance);
        load->is_range = true;
        load->bytes_max = UNSPILL_BYTES;
        add_key(load, key_of_message(&engine->key, instance->partition, address, spilled->first));
        add_key(load,
                key_of_message(&engine->key, instance->partition, address, spilled->last + 1));
        return load;
    }
    if (instance_is_loaded(instance))
        return NULL;

    struct load *load = load_new(engine, instance);
    for (size_t i = 0; i < instance->type->spec_count; i++)
        if (i >= instance->slot_count || !(instance->slots[i].flags & SLOT_LOADED))
            add_key(load,
                    key_of_state(&engine->key, instance->partition, instance_address(instance),
                                 instance->type->specs[i].is.name));
    return load;
}

static void fill_slots(struct engine *engine, struct instance *instance, struct load *load)
{
    struct bytes results = buffer_bytes(&load->results);
    for (size_t i = 0; results.size; i++) {
        /* States that were declared since are behind these, and not loaded yet. */
        if (i < instance->slot_count && instance->slots[i].flags & SLOT_LOADED)
            continue;
        bool found = results.data[0] != 0;
        struct bytes stored = bytes_make(results.data + 5, u32_get(results.data + 1));
        instance_fill_slot(engine, instance, i, found, stored);
        results = bytes_from(results, 5 + stored.size);
    }
}

static void take_results(struct engine *engine, struct instance *instance, struct load *load)
{
    if (load->is_range)
        instance_unspill(engine, instance, buffer_bytes(&load->results));
    else
        fill_slots(engine, instance, load);
    load_put_back(engine, load);
}

void dispatch_loaded(struct engine *engine, struct load *load)
{
    struct instance *instance = load->subject;
    assert(instance->lifecycle == LOADING);
    take_results(engine, instance, load);
    instance_make_ready(engine, instance, true);
}

static bool is_prepared(const struct instance *instance)
{
    return !instance->spilled && instance_is_loaded(instance);
}

/* True if all is in memory; otherwise the instance is LOADING. */
static bool prepare(struct engine *engine, struct instance *instance)
{
    struct load *load;
    while ((load = missing(engine, instance))) {
        if (!engine->options.ports.load(engine->options.ports.owner, load)) {
            instance->lifecycle = LOADING;
            return false;
        }
        take_results(engine, instance, load);
    }
    return true;
}

/* --- ends --- */

static void end_flight(struct engine *engine, struct instance *instance)
{
    assert(instance->lifecycle == IN_FLIGHT);
    instance->type->in_flight--;
    engine->in_flight--;
}

/* Learns the states that the function wants; false if it asks for what it was given. What another
 * invocation has learnt since this one was sent it was not given. */
static bool learn(struct engine *engine, const struct invocation *invocation,
                  const struct from_function *reply, struct sf_status *status)
{
    struct function_type *type = invocation->instance->type;
    bool any_new = false;
    for (size_t i = 0; i < reply->missing_count; i++) {
        bool is_new;
        if (!function_declare(engine, type, &reply->missing[i], &is_new, status))
            return false;
        any_new |= is_new;
    }
    type->learnt += any_new;
    return type->learnt > invocation->learnt ||
           sf_fail(status, SF_INVALID,
                   "the function asks for states that it was given, or for none");
}

static void succeed(struct engine *engine, struct instance *instance, uint64_t version)
{
    instance_drop(engine, instance, instance->invocation->batch);
    instance_keep(engine, instance, version);
    failure_end(engine, instance);
    instance_go_on(engine, instance);
}

HINT_APART static void take_reply(struct engine *engine, struct invocation *invocation,
                                  const struct from_function *reply)
{
    struct instance *instance = invocation->instance;
    struct sf_status status;
    bool good;

    arena_clear(&engine->arena);
    end_flight(engine, instance);
    failure_end_outage(engine, instance);
    if (reply->is_incomplete) {
        good = learn(engine, invocation, reply, &status);
        if (good)
            instance_make_ready(engine, instance, true);
    } else {
        good = effects_apply(engine, instance, reply, &status);
        if (good)
            succeed(engine, instance, reply->version);
    }
    if (!good) {
        instance->type->figures.failures++;
        failure_of_address(engine, instance, bytes_of(status.message), 0, true);
    }
}

HINT_APART static void take_failure(struct engine *engine, struct invocation *invocation,
                                    const struct failure *failure)
{
    struct instance *instance = invocation->instance;
    end_flight(engine, instance);
    instance->type->figures.failures++;
    if (failure->of_endpoint) {
        failure_of_endpoint(engine, instance, failure->cause);
    } else {
        failure_end_outage(engine, instance);
        failure_of_address(engine, instance, failure->cause, failure->retry_after_ms, true);
    }
}

void engine_reply(struct engine *engine, struct invocation *invocation,
                  const struct from_function *reply)
{
    struct function_type *type = invocation->instance->type;
    take_reply(engine, invocation, reply);
    function_update_turn(engine, type);
}

void engine_fail(struct engine *engine, struct invocation *invocation,
                 const struct failure *failure)
{
    struct function_type *type = invocation->instance->type;
    take_failure(engine, invocation, failure);
    function_update_turn(engine, type);
}

void engine_repeat(struct engine *engine, struct invocation *invocation)
{
    struct instance *instance = invocation->instance;
    end_flight(engine, instance);
    invocation->is_repeated = true;
    instance_make_ready(engine, instance, true);
    function_update_turn(engine, instance->type);
}

/* --- starts --- */

/* Of several that wait. */
HINT_APART static size_t batch_limit(struct engine *engine, const struct instance *instance)
{
    size_t searched = instance->invocation ? instance->invocation->batch_max : 0;
    size_t most = instance->type->binding->batch_max;
    if (searched && (!most || searched < most))
        most = searched;
    if (engine_misbehaves(engine, MISBEHAVE_SHORT_BATCH))
        most = 1;
    return most && most < instance->message_count ? most : instance->message_count;
}

/* The oldest message is none of the changes, or it would not be its turn. */
static const struct bytes *choose_batch(struct engine *engine, const struct instance *instance,
                                        size_t *ret_count)
{
    size_t waiting = instance->message_count, count = 0, bytes = 0;
    size_t most = waiting > 1 ? batch_limit(engine, instance) : waiting;
    struct bytes *bodies = arena_take(&engine->arena, most * sizeof *bodies);
    list_for_each (&instance->front, node) {
        struct bytes body = message_body(container_of(node, struct message, place));
        bytes += body.size;
        if (count == most ||
            (count && (body_is_change(body) || bytes > engine->options.limits.batch_bytes_max)))
            break;
        bodies[count++] = body;
    }
    assert(count > 0);
    *ret_count = count;
    return bodies;
}

/* An invocation lets a state live on that expires after one (protocol.md 11). And what was put from
 * outside before the function declared that it expires begins to. */
static bool begins_to_expire(const struct slot *slot, const struct spec *spec)
{
    return spec->is.mode == EXPIRE_AFTER_INVOKE ||
           (spec->is.mode == EXPIRE_AFTER_WRITE && !slot->deadline);
}

/* Lists the states that go with a request; what has expired is cleared. */
HINT_APART static bool choose_states(struct engine *engine, struct instance *instance,
                                     struct to_function *request, struct sf_status *status)
{
    struct function_type *type = instance->type;
    struct request_state *states = arena_take(&engine->arena, type->spec_count * sizeof *states);
    size_t count = 0;

    for (size_t i = 0; i < type->spec_count; i++) {
        const struct spec *spec = &type->specs[i];
        struct slot *slot = &instance->slots[i];
        slot->flags &= (uint8_t)~SLOT_SENT;
        if (spec->forgotten)
            continue;
        slot->flags |= SLOT_SENT;
        if (slot->flags & SLOT_PRESENT && slot->deadline && slot->deadline <= engine->now_ms)
            instance_clear(engine, instance, i);
        bool present = slot->flags & SLOT_PRESENT;
        if (!instance_check_type(instance, i, status))
            return false;
        if (present && begins_to_expire(slot, spec))
            instance_touch(engine, instance, i, spec_deadline(spec, engine->now_ms));
        states[count++] = (struct request_state){
            .name = spec->is.name,
            .value = present ? bytes_make(slot->value, slot->size) : (struct bytes){0},
            .present = present,
            .kept = present && slot->flags & SLOT_KEPT,
        };
    }
    request->states = states;
    request->state_count = count;
    return true;
}

/* On its way, until a reply or a failure ends it. */
HINT_APART static void begin_flight(struct engine *engine, struct instance *instance,
                                    size_t messages)
{
    struct function_type *type = instance->type;
    if (!instance->invocation)
        instance_begin_invocation(engine, instance);
    instance->invocation->batch = messages;
    instance->invocation->learnt = type->learnt;
    type->in_flight++;
    engine->in_flight++;
}

/* What a function that answers at once has replied, in full. Nothing has failed, so that there is
 * nothing to remember. */
static bool take_answer(struct engine *engine, struct instance *instance,
                        const struct from_function *reply, size_t messages,
                        struct sf_status *status)
{
    arena_clear(&engine->arena);
    if (!effects_apply(engine, instance, reply, status))
        return false;
    instance_drop(engine, instance, messages);
    instance->invocation = NULL;
    instance_go_on(engine, instance);
    return true;
}

/* A function that answers at once: whoever started it sees to its type's turn. An invocation of its
 * own it has only once it has failed; until then the engine's stands for it. */
static void call(struct engine *engine, struct instance *instance,
                 const struct to_function *request)
{
    const struct ports *ports = &engine->options.ports;
    struct sf_status status;
    size_t messages = request->message_count;
    bool has_failed_before = instance->invocation != NULL;
    engine->calls_left -= messages < engine->calls_left ? messages : engine->calls_left;
    if (has_failed_before) {
        begin_flight(engine, instance, messages);
    } else {
        engine->calling.batch = messages;
        instance->invocation = &engine->calling;
    }
    const struct from_function *reply =
        ports->call(ports->owner, instance->type->handle, request, &status);
    if (!has_failed_before) {
        if (reply && !reply->is_incomplete) {
            if (take_answer(engine, instance, reply, messages, &status))
                return;
            reply = NULL;
        }
        instance->invocation = NULL;
        begin_flight(engine, instance, messages);
    }
    if (reply)
        take_reply(engine, instance->invocation, reply);
    else
        take_failure(engine, instance->invocation,
                     &(struct failure){.cause = bytes_of(status.message)});
}

/* Its states can not be sent. */
HINT_SELDOM static void refuse_to_start(struct engine *engine, struct instance *instance,
                                        const struct sf_status *status)
{
    if (!instance->invocation)
        instance_begin_invocation(engine, instance);
    failure_of_address(engine, instance, bytes_of(status->message), 0, false);
}

HINT_WHOLE static void start(struct engine *engine, struct instance *instance)
{
    struct function_type *type = instance->type;
    struct to_function request = {.target = instance_address(instance),
                                  .version = instance->version};
    struct sf_status status;
    arena_clear(&engine->arena);
    if (type->spec_count && !choose_states(engine, instance, &request, &status)) {
        refuse_to_start(engine, instance, &status);
        return;
    }
    request.messages = choose_batch(engine, instance, &request.message_count);

    instance->lifecycle = IN_FLIGHT;
    type->figures.invocations++;
    type->figures.invoked_messages += request.message_count;
    if (type->binding->answers_at_once) {
        call(engine, instance, &request);
    } else {
        begin_flight(engine, instance, request.message_count);
        engine->options.ports.invoke(engine->options.ports.owner, type->handle,
                                     instance->invocation, &request);
    }
}

static bool may_start(const struct engine *engine)
{
    size_t most = engine->options.limits.in_flight_max;
    return !engine->stopping && engine->calls_left && !epoch_is_stalled(engine) &&
           (!most || engine->in_flight < most) && !engine_misbehaves(engine, MISBEHAVE_PAUSE);
}

static void run_changes(struct engine *engine)
{
    while (!list_is_empty(&engine->changing) && !epoch_is_stalled(engine)) {
        struct instance *instance = list_first(&engine->changing, struct instance, turn);
        list_take(&instance->turn);
        if (!instance_faces_change(instance)) { /* it was spilled meanwhile */
            instance_make_ready(engine, instance, true);
            continue;
        }
        change_prepare(instance);
        if (!prepare(engine, instance))
            continue;
        change_carry_out(engine, instance);
        instance_go_on(engine, instance);
    }
}

static void prepare_and_start(struct engine *engine, struct instance *instance)
{
    if (!prepare(engine, instance))
        return;
    if (instance_faces_change(instance)) /* it was in the store */
        instance_make_ready(engine, instance, true);
    else
        start(engine, instance);
}

static void start_invocations(struct engine *engine)
{
    while (!list_is_empty(&engine->runnable) && may_start(engine)) {
        struct function_type *type = list_first(&engine->runnable, struct function_type, turn);
        struct instance *instance = list_first(&type->ready, struct instance, turn);
        list_take(&instance->turn);
        list_move_last(&engine->runnable, &type->turn); /* if it may still run */
        if (is_prepared(instance))                      /* mostly */
            start(engine, instance);
        else
            prepare_and_start(engine, instance);
        if (type->binding->answers_at_once)
            function_update_ready(engine, type);
        else
            function_update_turn(engine, type);
    }
}

void dispatch_run(struct engine *engine)
{
    do {
        run_changes(engine);
        start_invocations(engine);
    } while (!list_is_empty(&engine->changing) && !epoch_is_stalled(engine));
}

struct bytes invocation_address(const struct invocation *invocation)
{
    return instance_address(invocation->instance);
}

size_t invocation_messages(const struct invocation *invocation)
{
    return invocation->batch;
}

bool invocation_goes_alone(const struct invocation *invocation)
{
    return invocation->is_repeated || invocation->failures;
}
