/* delivery.c - how a message finds its mailbox, and how ingresses learn that there is no room.
 *
 * Messages between functions are never refused: a cycle of functions would lock up. Only records
 * from ingresses are, when the worker that would get them, or the function type, has too much
 * waiting. Every worker tells the others when it is full and when it has room again; until they
 * hear of it a few more records come, so the limits are soft by what a turn takes in.
 *
 * A record with an idempotency key counts once: the owner of its address remembers the key's hash,
 * as part of the same epoch as the message itself. */
#include "engine/inside.h"

/* --- settlements --- */

void delivery_settle(struct engine *engine, uint64_t receipt, enum settlement settlement,
                     uint64_t when_epoch, uint64_t tell_epoch)
{
    struct ports *ports = &engine->options.ports;
    if (when_epoch <= engine->committed) {
        ports->settle(ports->owner, receipt, settlement, tell_epoch);
        return;
    }
    struct settlements *settlements = &engine->settlements[when_epoch & 1];
    if (settlements->count == settlements->capacity) {
        settlements->capacity = settlements->capacity ? settlements->capacity * 2 : 16;
        settlements->items =
            mem_resize(settlements->items, settlements->capacity * sizeof *settlements->items);
    }
    settlements->items[settlements->count++] =
        (struct settle_later){receipt, settlement, tell_epoch};
}

/* --- idempotency --- */

static struct idempotency *find_key(struct engine *engine, struct hash128 key)
{
    for (struct map_node *node = map_find(&engine->keys, key.low); node; node = map_same(node)) {
        struct idempotency *known = container_of(node, struct idempotency, by_key);
        if (known->key.high == key.high)
            return known;
    }
    return NULL;
}

static struct idempotency *add_key(struct engine *engine, struct hash128 key, uint64_t deadline,
                                   uint64_t epoch)
{
    struct idempotency *known = mem_new(sizeof *known);
    known->key = key;
    known->epoch = epoch;
    known->expiry.when = deadline;
    map_put(&engine->keys, &known->by_key, key.low);
    heap_put(&engine->key_expiries, &known->expiry);
    engine->figures.idempotency_keys++;
    return known;
}

static void save_key(struct engine *engine, struct delta *delta, uint32_t partition,
                     const struct idempotency *known)
{
    uint8_t hash[16], value[16];
    u64_put(hash, known->key.high);
    u64_put(hash + 8, known->key.low);
    u64_put(value, known->expiry.when);
    u64_put(value + 8, known->epoch);
    delta_put(delta, key_of_idempotency(&engine->key, partition, hash),
              bytes_make(value, sizeof value));
}

void delivery_restore_key(struct engine *engine, const uint8_t hash[16], uint64_t deadline,
                          uint64_t epoch)
{
    struct hash128 key = {.high = u64_get(hash), .low = u64_get(hash + 8)};
    if (deadline > engine->now_ms)
        (void)add_key(engine, key, deadline, epoch);
}

void delivery_forget_keys(struct engine *engine)
{
    struct heap_node *node;
    while ((node = heap_first(&engine->key_expiries)) && node->when <= engine->now_ms) {
        struct idempotency *known = container_of(node, struct idempotency, expiry);
        heap_take(&engine->key_expiries, node);
        map_take(&engine->keys, &known->by_key);
        free(known);
        engine->figures.idempotency_keys--;
    }
}

/* True if the message counts. `epoch` and `delta` are those that will hold it. */
static bool admit(struct engine *engine, const struct message *message, uint32_t partition,
                  struct delta *delta)
{
    const struct receipt *receipt = message->receipt;
    const struct ports *ports = &engine->options.ports;
    if (receipt->has_key) {
        struct idempotency *known = find_key(engine, receipt->key);
        if (known) {
            engine->figures.duplicates += receipt->number != 0;
            if (receipt->number)
                delivery_settle(engine, receipt->number, SETTLED, known->epoch, known->epoch);
            return false;
        }
        /* Where nobody waits, another message of the record was admitted and this one must be. */
        if (receipt->number &&
            engine->figures.idempotency_keys >= engine->options.limits.idempotency_keys_max) {
            ports->settle(ports->owner, receipt->number, SETTLED_NO_ROOM, 0);
            return false;
        }
        uint64_t deadline = engine->now_ms + engine->options.limits.idempotency_ms;
        save_key(engine, delta, partition, add_key(engine, receipt->key, deadline, delta->epoch));
    }
    if (receipt->number)
        delivery_settle(engine, receipt->number, SETTLED, delta->epoch, delta->epoch);
    return true;
}

/* --- mailboxes --- */

HINT_APART static void persist_late(struct engine *engine, struct instance *instance,
                                    struct message *message)
{
    assert(engine->sealing);
    delta_put(engine->sealing,
              key_of_message(&engine->key, instance->partition, instance_address(instance),
                             message->sequence),
              message_body(message));
    instance_note_persisted(engine, instance, message, engine->sealing->epoch);
}

/* Does what its receipt asks for. A change keeps it, until it is carried out. False: the message
 * does not count, or is where it belongs. */
HINT_APART static bool take_receipt(struct engine *engine, struct message *message,
                                    struct function_type *type, bool late)
{
    if (body_is_change(message_body(message))) {
        if (!message_goes_ahead(message))
            return true;
        type->figures.in++;
        instance_put_ahead(engine, instance_get(engine, type, message_target(message)), message);
        return false;
    }
    struct bytes id = address_known(message_target(message)).id;
    uint32_t partition = partition_of(id, engine->options.partitions);
    if (!admit(engine, message, partition, late ? engine->sealing : engine->open)) {
        message_free(message);
        return false;
    }
    free(message->receipt);
    message->receipt = NULL;
    return true;
}

HINT_WHOLE void delivery_take(struct engine *engine, struct message *message,
                              struct function_type *type, bool late)
{
    if (message->receipt && !take_receipt(engine, message, type, late))
        return;
    struct instance *instance = instance_get(engine, type, message_target(message));
    type->figures.in++;
    message->sequence = ++engine->sequence;
    if (late) {
        persist_late(engine, instance, message);
    } else {
        list_put_last(&engine->fresh, &message->fresh);
        engine->open_bytes += message_bytes(message);
    }
    instance_put(engine, instance, message);
    if (engine_misbehaves(engine, MISBEHAVE_SPILL))
        (void)instance_spill(engine, instance);
}

bool delivery_send(struct engine *engine, struct message *message, struct function_type *type)
{
    uint32_t worker = engine_worker_of_target(engine, message_target(message), type);
    if (worker == engine->options.worker) {
        delivery_take(engine, message, type, false);
        return true;
    }
    struct post post = {.kind = POST_MESSAGE, .message = message};
    engine->options.ports.post(engine->options.ports.owner, worker, &post);
    return false;
}

/* --- room --- */

void delivery_tell_others(struct engine *engine, enum post_kind kind, struct bytes type)
{
    struct post post = {.kind = kind, .type = type};
    for (uint32_t worker = 0; worker < engine->options.workers; worker++)
        if (worker != engine->options.worker)
            engine->options.ports.post(engine->options.ports.owner, worker, &post);
}

/* Full at the limit, and until a quarter of it is free again, so that nobody is told every turn. */
static bool is_full(bool was_full, size_t used, size_t limit)
{
    return used > (was_full ? limit - limit / 4 : limit);
}

static void update(struct engine *engine, bool *full, size_t used, size_t limit, struct bytes type)
{
    bool is = is_full(*full, used, limit);
    if (is == *full)
        return;
    *full = is;
    delivery_tell_others(engine, is ? POST_FULL : POST_ROOM, type);
}

bool delivery_has_room(const struct engine *engine, uint32_t worker,
                       const struct function_type *type)
{
    bool worker_full =
        worker == engine->options.worker ? engine->full : engine->full_elsewhere[worker];
    return !worker_full && !engine->outbox_full && !epoch_is_stalled(engine) &&
           !(type && (type->full || type->full_elsewhere));
}

void delivery_update_room(struct engine *engine)
{
    const struct engine_limits *limits = &engine->options.limits;
    update(engine, &engine->full, engine->backlog_memory, limits->backlog_memory_bytes,
           (struct bytes){0});
    list_for_each (&engine->functions, node) {
        struct function_type *type = container_of(node, struct function_type, all);
        update(engine, &type->full, type->backlog_bytes, limits->backlog_bytes, type->wire);
    }

    /* Whoever was refused tries again as soon as anything has eased; being refused again is cheap.
     */
    if (engine->refused && !engine->full && !engine->outbox_full && !epoch_is_stalled(engine)) {
        engine->refused = false;
        engine->options.ports.room(engine->options.ports.owner);
    }
}

void delivery_set_room(struct engine *engine, uint32_t from, struct bytes type_wire, bool full)
{
    if (!type_wire.size) {
        engine->full_elsewhere[from] = full;
        return;
    }
    struct function_type *type = function_find_named(engine, type_wire);
    if (type)
        type->full_elsewhere += full ? 1 : (uint32_t)-1;
}
