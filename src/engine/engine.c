/* engine.c - making an engine, recovery, records from ingresses, time, figures. */
#include "engine/inside.h"

const struct engine_limits engine_limits_default = {
    .cache_bytes = 16 << 20,
    .backlog_memory_bytes = 16 << 20,
    .backlog_bytes = 4 << 20,
    .delta_bytes = 16 << 20,
    .delayed_memory_bytes = 8 << 20,
    .in_flight_max = 32768,
    .batch_bytes_max = 4 << 20,
    .retry_ms_max = 10 * 1000,
    .idempotency_ms = 10 * 60 * 1000,
    .idempotency_keys_max = 1000 * 1000,
};

struct engine *engine_new(const struct engine_options *options)
{
    struct engine *engine = mem_new(sizeof *engine);
    engine->options = *options;
    engine->now_ms = options->now_ms;
    engine->epoch = options->epoch;
    engine->committed = options->epoch - 1;
    engine->viewed = (struct view_progress){options->epoch - 1, options->epoch - 1};
    engine->horizon_ms = UINT64_MAX;
    engine->pace = SIZE_MAX;

    struct list *lists[] = {
        &engine->fresh,         &engine->fresh_delayed,      &engine->dirty,       &engine->sources,
        &engine->dirty_sources, &engine->functions,          &engine->runnable,    &engine->recent,
        &engine->held,          &engine->gone_order,         &engine->changing,    &engine->reads,
        &engine->dead_requests, &engine->gone_letters_order, &engine->spare_loads,
    };
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        list_init(lists[i]);
    struct map *maps[] = {&engine->types,       &engine->instances,       &engine->keys,
                          &engine->tokens,      &engine->delayed_by_name, &engine->gone,
                          &engine->gone_letters};
    for (size_t i = 0; i < sizeof maps / sizeof *maps; i++)
        map_init(maps[i]);

    engine->neighbours = mem_new(options->workers * sizeof *engine->neighbours);
    for (uint32_t i = 0; i < options->workers; i++)
        engine->neighbours[i] = options->epoch;
    engine->full_elsewhere = mem_new(options->workers * sizeof *engine->full_elsewhere);
    engine->horizons = mem_new(options->partitions * sizeof *engine->horizons);
    for (uint32_t i = 0; i < options->partitions; i++)
        engine->horizons[i].fire_ms = UINT64_MAX;
    epoch_begin(engine);
    return engine;
}

void engine_free(struct engine *engine)
{
    if (!engine)
        return;
    delayed_free_all(engine);
    dead_free_all(engine);
    read_free_all(engine);
    engine->now_ms = UINT64_MAX;
    delivery_forget_keys(engine);
    instance_free_all(engine);
    list_for_each_safe (&engine->functions, node)
        function_free(container_of(node, struct function_type, all));
    list_for_each_safe (&engine->sources, node) {
        struct source *source = container_of(node, struct source, all);
        buffer_destroy(&source->key);
        buffer_destroy(&source->position);
        free(source);
    }
    dispatch_free_spares(engine);
    free(engine->spare_invocation);
    message_free(engine->spare_message);
    delta_unref(engine->open);
    delta_unref(engine->sealing);
    free(engine->settlements[0].items);
    free(engine->settlements[1].items);

    struct map *maps[] = {&engine->types,       &engine->instances,       &engine->keys,
                          &engine->tokens,      &engine->delayed_by_name, &engine->gone,
                          &engine->gone_letters};
    for (size_t i = 0; i < sizeof maps / sizeof *maps; i++)
        map_destroy(maps[i]);
    heap_destroy(&engine->outages);
    heap_destroy(&engine->waiting);
    heap_destroy(&engine->key_expiries);
    heap_destroy(&engine->delayed);
    free(engine->neighbours);
    free(engine->full_elsewhere);
    free(engine->horizons);
    arena_destroy(&engine->arena);
    buffer_destroy(&engine->key);
    buffer_destroy(&engine->value);
    free(engine);
}

/* --- recovery --- */

static struct source *find_source(struct engine *engine, struct bytes key)
{
    list_for_each (&engine->sources, node) {
        struct source *source = container_of(node, struct source, all);
        if (bytes_equal(buffer_bytes(&source->key), key))
            return source;
    }
    return NULL;
}

static struct source *source_at(struct engine *engine, struct bytes key)
{
    struct source *source = find_source(engine, key);
    if (source)
        return source;
    source = mem_new(sizeof *source);
    buffer_add_bytes(&source->key, key);
    list_init(&source->dirty);
    list_put_last(&engine->sources, &source->all);
    return source;
}

struct source *engine_source(struct engine *engine, struct bytes ingress, struct bytes partition)
{
    return source_at(engine, key_of_position(&engine->key, ingress, partition));
}

struct bytes source_position(const struct source *source)
{
    return buffer_bytes(&source->position);
}

static bool restore_message(struct engine *engine, const struct key *key, struct bytes body)
{
    struct address target;
    struct bytes caller, argument;
    struct state_change change;
    bool good = body_is_change(body) ? change_parse(body, &change)
                                     : message_body_parse(body, &caller, &argument);
    if (!good || !address_parse(key->subject, &target))
        return false;
    struct function_type *type = function_find(engine, &target);
    if (!type) {
        /* It waits in the store for a start with a module that serves it. */
        engine->figures.stranded_messages++;
        return true;
    }

    struct instance *instance = instance_get(engine, type, target.wire);
    size_t bytes = sizeof(struct message) + target.wire.size + body.size;
    if (instance->spilled ||
        engine->backlog_memory + bytes > engine->options.limits.backlog_memory_bytes) {
        instance_put_spilled(engine, instance, key->sequence, bytes);
    } else {
        struct message *message = message_from_body(target.wire, body);
        message->sequence = key->sequence;
        instance_note_persisted(engine, instance, message, engine->viewed.whole);
        instance_put(engine, instance, message);
    }
    return true;
}

static bool restore_parked(struct engine *engine, const struct key *key, struct bytes value)
{
    struct address address;
    struct stored_parked parked;
    if (!address_parse(key->subject, &address) || !stored_parked_parse(value, &parked))
        return false;
    struct function_type *type = function_find(engine, &address);
    if (type) /* else it stays in the store, with its messages */
        failure_restore_parked(engine, address.wire, type);
    return true;
}

static bool restore_spec(struct engine *engine, const struct key *key, struct bytes value)
{
    struct state_spec spec;
    if (!stored_spec_parse(value, &spec))
        return false;
    spec.name = key->name;
    function_restore_spec(engine, key->subject, &spec);
    return true;
}

static bool restore(struct engine *engine, const struct key *key, struct bytes whole,
                    struct bytes value)
{
    if (key->sequence > engine->sequence)
        engine->sequence = key->sequence;

    switch (key->kind) {
    case KEY_MESSAGE:
        return restore_message(engine, key, value);
    case KEY_PARKED:
        return restore_parked(engine, key, value);
    case KEY_DELAYED:
        return delayed_restore(engine, key, value);
    case KEY_IDEMPOTENCY:
        if (value.size != 16)
            return false;
        delivery_restore_key(engine, key->hash, u64_get(value.data), u64_get(value.data + 8));
        return true;
    case KEY_POSITION: {
        struct source *source = source_at(engine, whole);
        buffer_clear(&source->position);
        buffer_add_bytes(&source->position, value);
        return true;
    }
    case KEY_SPEC:
        return restore_spec(engine, key, value);
    case KEY_DEAD_LETTER:
        engine->figures.dead_letters++;
        return true;
    case KEY_STATE:
    case KEY_OUTBOX:
        return true; /* states are read when they are wanted; the outbox is the egresses' */
    }
    return false;
}

bool engine_restore(struct engine *engine, struct bytes bytes, struct bytes value,
                    struct sf_status *status)
{
    struct key key;
    if (!key_parse(bytes, &key) || key.partition >= engine->options.partitions ||
        !restore(engine, &key, bytes, value))
        return sf_fail(status, SF_CORRUPT,
                       "a stored entry of kind '%c' with %zu bytes of key and %zu of value makes "
                       "no sense",
                       bytes.size ? bytes.data[0] : '?', bytes.size, value.size);
    return true;
}

void engine_restored(struct engine *engine)
{
    delivery_update_room(engine);
}

/* --- records --- */

static void set_position(struct engine *engine, struct source *source, struct bytes position)
{
    if (!source)
        return;
    buffer_clear(&source->position);
    buffer_add_bytes(&source->position, position);
    if (list_is_empty(&source->dirty))
        list_put_last(&engine->dirty_sources, &source->dirty);
}

void engine_begin_source(struct engine *engine, struct source *source, struct bytes position)
{
    set_position(engine, source, position);
}

static enum acceptance refuse(struct engine *engine)
{
    engine->refused = true;
    return REFUSED;
}

/* One message that a record becomes, looked up once. */
struct route {
    struct address address;
    bool has_address;
    struct bytes argument;
    struct function_type *type; /* NULL: `cause` says why there is none */
    const char *cause;
};

static size_t count_routes(const struct record *record)
{
    return record->target_count + record->message_count;
}

static struct route *find_routes(struct engine *engine, const struct record *record,
                                 struct sf_status *status)
{
    struct route *routes = arena_take(&engine->arena, count_routes(record) * sizeof *routes);
    struct route *route = routes;
    for (size_t i = 0; i < record->target_count; i++, route++) {
        const struct record_target *target = &record->targets[i];
        /* A key that is no text, or too long to be part of an address, fails for every target. */
        route->has_address = address_make(target->ns, target->name, record->id, &engine->arena,
                                          &route->address, status);
        route->type = route->has_address ? function_find(engine, &route->address) : NULL;
        route->cause = route->has_address ? CAUSE_UNSERVED : status->message;
        route->argument = record->argument;
    }
    for (size_t i = 0; i < record->message_count; i++, route++) {
        route->has_address = true;
        route->address = address_known(record->messages[i].address);
        route->type = function_find(engine, &route->address);
        route->cause = CAUSE_UNSERVED;
        route->argument = record->messages[i].argument;
    }
    return routes;
}

/* All of them or none. What has no address goes nowhere. */
static bool has_room(struct engine *engine, const struct record *record, const struct route *routes)
{
    for (size_t i = 0; i < count_routes(record); i++) {
        struct bytes id = routes[i].has_address ? routes[i].address.id : record->id;
        if (!delivery_has_room(engine, engine_worker_of(engine, id), routes[i].type))
            return false;
    }
    return true;
}

static struct bytes ingress_of(const struct source *source)
{
    struct key key = {0};
    bool good = !source || key_parse(buffer_bytes(&source->key), &key);
    assert(good);
    return key.subject;
}

/* `target` is NULL for a message, which has an address. */
static void put_record_letter(struct engine *engine, const struct record *record,
                              const struct record_target *target, const struct route *route)
{
    struct dead_letter letter = {
        .kind = DEAD_UNSERVED,
        .cause = bytes_of(route->cause),
        .origin = record->origin,
        .ingress = ingress_of(record->source),
        .key = target ? record->id : route->address.id,
        .value = route->argument,
    };
    struct buffer text = {0};
    struct typed_value value;
    struct sf_status status;
    if (route->has_address) {
        letter.address = route->address.wire;
        address_add_text(&text, route->address.wire);
    } else {
        buffer_add_format(&text, "%.*s/%.*s", BYTES_ARG(target->ns), BYTES_ARG(target->name));
        if (typed_value_parse(record->argument, &value, &status)) {
            letter.kind = DEAD_INVALID_RECORD;
            letter.type = value.type;
            letter.value = value.value;
        }
    }
    letter.target = buffer_bytes(&text);
    letter_put(engine, &letter);
    buffer_destroy(&text);
}

/* A repeated record makes the same messages: each is known by its place among them. */
static void add_companion_key(struct message *message, struct bytes idempotency_key, size_t place)
{
    struct buffer key = {0};
    buffer_add_bytes(&key, idempotency_key);
    buffer_add_u64(&key, place);
    message_add_receipt(message, 0, buffer_bytes(&key));
    buffer_destroy(&key);
}

enum acceptance engine_accept(struct engine *engine, const struct record *record)
{
    assert(!record->receipt || record->target_count == 1);
    arena_clear(&engine->arena);
    struct sf_status status;
    struct route *routes = find_routes(engine, record, &status);
    if (record->receipt && !routes[0].type)
        return UNKNOWN_TARGET;
    if (!has_room(engine, record, routes))
        return refuse(engine);

    for (size_t i = 0; i < count_routes(record); i++) {
        if (!routes[i].type) {
            const struct record_target *target =
                i < record->target_count ? &record->targets[i] : NULL;
            put_record_letter(engine, record, target, &routes[i]);
            continue;
        }
        struct message *message =
            message_new(routes[i].address.wire, (struct bytes){0}, routes[i].argument);
        if (record->receipt && i == 0)
            message_add_receipt(message, record->receipt, record->idempotency_key);
        else if (record->idempotency_key.size)
            add_companion_key(message, record->idempotency_key, i);
        (void)delivery_send(engine, message, routes[i].type);
    }
    set_position(engine, record->source, record->position);
    return ACCEPTED;
}

enum acceptance engine_reject(struct engine *engine, struct source *source, struct bytes position,
                              const struct dead_letter *letter)
{
    if (!delivery_has_room(engine, engine->options.worker, NULL))
        return refuse(engine);
    struct dead_letter sourced = *letter;
    sourced.kind = DEAD_INVALID_RECORD;
    sourced.ingress = ingress_of(source);
    letter_put(engine, &sourced);
    set_position(engine, source, position);
    return ACCEPTED;
}

void engine_skip(struct engine *engine, struct source *source, struct bytes position)
{
    set_position(engine, source, position);
}

/* --- time and turns --- */

void engine_time(struct engine *engine, uint64_t now_ms)
{
    if (now_ms > engine->now_ms)
        engine->now_ms = now_ms;
    delayed_fire(engine);
    failure_time(engine);
    delivery_forget_keys(engine);
}

uint64_t engine_wake_ms(const struct engine *engine)
{
    uint64_t wake_ms = delayed_next_ms(engine);
    const struct heap *heaps[] = {&engine->waiting, &engine->outages, &engine->key_expiries};
    for (size_t i = 0; i < sizeof heaps / sizeof *heaps; i++) {
        const struct heap_node *node = heap_first(heaps[i]);
        if (node && node->when < wake_ms)
            wake_ms = node->when;
    }
    return wake_ms;
}

/* Waiting messages beyond the limit go back to the store, of those that have waited least first. */
static void spill(struct engine *engine)
{
    size_t limit = engine->options.limits.backlog_memory_bytes;
    if (engine->backlog_memory <= limit)
        return;
    if (engine->viewed.whole > engine->spill_tried) {
        for (struct list *node = engine->held.previous, *previous;
             node != &engine->held && engine->backlog_memory > limit / 2; node = previous) {
            previous = node->previous;
            (void)instance_spill(engine, container_of(node, struct instance, place));
        }
        engine->spill_tried = engine->viewed.whole;
    }
    if (engine->backlog_memory > limit)
        engine->options.ports.hurry(engine->options.ports.owner, VIEW_WHOLE);
}

bool engine_is_crowded(const struct engine *engine)
{
    return engine->crowded > 0;
}

void engine_pace(struct engine *engine, size_t messages)
{
    engine->pace = messages;
}

bool engine_run(struct engine *engine)
{
    engine->calls_left = engine->pace;
    dispatch_run(engine);
    delayed_trim_memory(engine);
    dead_forget_gone(engine);
    spill(engine);
    instance_evict(engine);
    delivery_update_room(engine);
    return !engine->calls_left && !list_is_empty(&engine->runnable);
}

void engine_loaded(struct engine *engine, struct load *load)
{
    if (load == engine->delayed_load)
        delayed_loaded(engine, load);
    else if (dead_is_load(engine, load))
        dead_loaded(engine);
    else if (load->subject)
        dispatch_loaded(engine, load);
    else
        read_loaded(engine, load);
}

size_t engine_resume(struct engine *engine, struct bytes wanted)
{
    size_t count = 0;
    list_for_each (&engine->functions, node) {
        struct function_type *type = container_of(node, struct function_type, all);
        bool is_type = !wanted.size || bytes_equal(type->wire, wanted);
        count += failure_resume_type(engine, type, is_type ? (struct bytes){0} : wanted);
    }
    return count;
}

void engine_outbox_full(struct engine *engine, bool full)
{
    engine->outbox_full = full;
}

void engine_stop(struct engine *engine)
{
    engine->stopping = true;
}

/* --- figures --- */

void engine_figures(const struct engine *engine, struct engine_figures *ret_figures)
{
    *ret_figures = engine->figures;
    ret_figures->cache_bytes = engine->cache_bytes;
    ret_figures->in_flight = engine->in_flight;
    ret_figures->backlog_memory_bytes = engine->backlog_memory;
    ret_figures->backlog_messages = 0;
    list_for_each (&engine->functions, node)
        ret_figures->backlog_messages +=
            container_of(node, struct function_type, all)->figures.backlog;
}

void engine_each_function(const struct engine *engine,
                          void (*visit)(void *owner, const struct function_figures *figures),
                          void *owner)
{
    list_for_each (&engine->functions, node) {
        struct function_type *type = container_of(node, struct function_type, all);
        type->figures.in_flight = type->in_flight;
        visit(owner, &type->figures);
    }
}
