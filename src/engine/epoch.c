/* epoch.c - the cut: what belongs to an epoch, and what its commit allows.
 *
 * A cut crosses all workers without stopping any. A worker seals when it is told to, or when a
 * marker shows that a neighbour has: before it takes anything that the neighbour sent in the next
 * epoch. From then on what a neighbour sent before its own marker is late: it was sent in the
 * sealed epoch and is taken up in the next, so it is written into the sealed delta as a waiting
 * message. With the last marker the sealed delta is complete. Posts keep their order, so every
 * message falls on one side of the marker.
 *
 * The next epoch is sealed only after the last one is durable, so at most two are alive here. */
#include "engine/inside.h"

static void open_delta(struct engine *engine)
{
    engine->open = delta_new(engine->options.worker, engine->epoch,
                             (uint32_t)engine->options.bindings->egress_count);
    engine->record_nth = 0;
    engine->letter_nth = 0;
    engine->open_egresses = 0;
    engine->open_bytes = 0;
}

static void save_messages(struct engine *engine)
{
    for (struct list *node; (node = list_take_first(&engine->fresh));) {
        struct message *message = container_of(node, struct message, fresh);
        struct instance *instance = message->instance;
        delta_put(engine->open,
                  key_of_message(&engine->key, instance->partition, instance_address(instance),
                                 message->sequence),
                  message_body(message));
        instance_note_persisted(engine, instance, message, engine->epoch);
    }
}

static void save_positions(struct engine *engine)
{
    for (struct list *node; (node = list_take_first(&engine->dirty_sources));) {
        struct source *source = container_of(node, struct source, dirty);
        delta_put(engine->open, buffer_bytes(&source->key), buffer_bytes(&source->position));
    }
}

static void hand_over(struct engine *engine)
{
    struct delta *delta = engine->sealing;
    engine->sealing = NULL;
    engine->options.ports.sealed(engine->options.ports.owner, delta);
}

void engine_committed(struct engine *engine, uint64_t epoch)
{
    if (epoch <= engine->committed)
        return; /* a marker has said so before */
    assert(epoch == engine->committed + 1 && epoch < engine->epoch);
    engine->committed = epoch;

    struct settlements *settlements = &engine->settlements[epoch & 1];
    for (size_t i = 0; i < settlements->count; i++)
        engine->options.ports.settle(engine->options.ports.owner, settlements->items[i].receipt,
                                     settlements->items[i].settlement, settlements->items[i].epoch);
    settlements->count = 0;
}

static void seal(struct engine *engine)
{
    /* That this epoch is sealed shows that the last one is durable, whoever brings that news first.
     */
    assert(!engine->sealing);
    engine_committed(engine, engine->epoch - 1);
    save_messages(engine);
    delayed_save(engine);
    list_for_each_safe (&engine->dirty, node)
        instance_save(engine, container_of(node, struct instance, dirty));
    save_positions(engine);

    engine->sealing = engine->open;
    engine->epoch++;
    open_delta(engine);

    struct post marker = {.kind = POST_MARKER, .epoch = engine->sealing->epoch};
    engine->markers_missing = 0;
    for (uint32_t worker = 0; worker < engine->options.workers; worker++) {
        if (worker == engine->options.worker)
            continue;
        engine->options.ports.post(engine->options.ports.owner, worker, &marker);
        engine->markers_missing += engine->neighbours[worker] < engine->epoch;
    }
    if (engine->markers_missing == 0)
        hand_over(engine);
}

void epoch_begin(struct engine *engine)
{
    open_delta(engine);
}

void engine_seal(struct engine *engine, uint64_t epoch)
{
    if (epoch == engine->epoch)
        seal(engine);
    assert(epoch < engine->epoch && "epochs are sealed in order");
}

static void take_marker(struct engine *engine, uint32_t from, uint64_t epoch)
{
    assert(engine->neighbours[from] == epoch);
    if (engine->epoch == epoch)
        seal(engine);
    engine->neighbours[from] = epoch + 1;
    if (--engine->markers_missing == 0)
        hand_over(engine);
}

/* Another worker could serve this type, and we cannot: we know of too many types already. */
static void refuse_message(struct engine *engine, struct message *message, bool late)
{
    const struct ports *ports = &engine->options.ports;
    if (message->receipt && message->receipt->number) {
        /* Nobody counts on it yet: whoever sent it is told. */
        ports->settle(ports->owner, message->receipt->number, SETTLED_NO_ROOM, 0);
        message_free(message);
        return;
    }
    if (late) {
        /* The sealed epoch must not lose it; the open one takes it away again. */
        struct address target = address_known(message_target(message));
        struct bytes key =
            key_of_message(&engine->key, partition_of(target.id, engine->options.partitions),
                           target.wire, ++engine->sequence);
        delta_put(engine->sealing, key, message_body(message));
        delta_remove(engine->open, key);
    }
    letter_put_unserved(engine, message);
}

static void take_message(struct engine *engine, uint32_t from, struct message *message)
{
    bool late = engine->neighbours[from] < engine->epoch;
    struct function_type *type = function_find_of(engine, message_target(message));
    if (type)
        delivery_take(engine, message, type, late);
    else
        refuse_message(engine, message, late);
}

void engine_receive(struct engine *engine, uint32_t from, const struct post *post)
{
    switch (post->kind) {
    case POST_MESSAGE:
        take_message(engine, from, post->message);
        break;
    case POST_MARKER:
        take_marker(engine, from, post->epoch);
        break;
    case POST_FULL:
    case POST_ROOM:
        delivery_set_room(engine, from, post->type, post->kind == POST_FULL);
        break;
    case POST_RECOVERED: {
        struct function_type *type = function_find_named(engine, post->type);
        if (type)
            (void)failure_resume_type(engine, type, (struct bytes){0});
        break;
    }
    }
}

void engine_viewed(struct engine *engine, struct view_progress progress)
{
    engine->viewed = progress;
}

void engine_confirmed(struct engine *engine, uint32_t egress, uint64_t epoch)
{
    struct bytes id = engine->options.bindings->egresses[egress].id;
    struct buffer from = {0};
    (void)key_of_outbox(&from, id, 0);
    delta_trim(engine->open, buffer_bytes(&from), key_of_outbox(&engine->key, id, epoch + 1));
    buffer_destroy(&from);
}

void engine_record_done(struct engine *engine, struct bytes key, const struct dead_letter *letter)
{
    delta_remove(engine->open, key);
    if (letter)
        letter_put(engine, letter);
}

static bool has_changes(const struct engine *engine)
{
    return engine->open->entries.size > 0 || !list_is_empty(&engine->fresh) ||
           !list_is_empty(&engine->fresh_delayed) || !list_is_empty(&engine->dirty) ||
           !list_is_empty(&engine->dirty_sources);
}

enum want engine_want(const struct engine *engine)
{
    if (engine->settlements[engine->epoch & 1].count)
        return WANT_COMMIT_NOW;
    return has_changes(engine) ? WANT_COMMIT : WANT_NOTHING;
}

uint64_t engine_open_egresses(const struct engine *engine)
{
    return engine->open_egresses;
}

uint64_t engine_epoch(const struct engine *engine)
{
    return engine->epoch;
}
