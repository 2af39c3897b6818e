/* dead.c - dead letters taken up again, as an operator asks.
 *
 * Replaying one is a send and a removal in the same epoch: both are durable or neither is. A letter
 * is read from the view, which lags; so one that was removed is remembered as gone until the view
 * knows, and none is ever taken up twice. One worker does this for all letters, or it would not
 * know. */
#include "engine/inside.h"

/* A letter that is gone, while the view may still have it. */
struct gone_letter {
    struct map_node by_key;
    struct list all; /* oldest epoch first */
    uint64_t epoch;
    size_t key_size;
    uint8_t key[];
};

/* --- what is gone --- */

static bool is_gone(const struct engine *engine, struct bytes key)
{
    uint64_t hash = hash_seeded(key, engine->options.hash_seed);
    for (struct map_node *node = map_find(&engine->gone_letters, hash); node;
         node = map_same(node)) {
        const struct gone_letter *gone = container_of(node, struct gone_letter, by_key);
        if (bytes_equal(bytes_make(gone->key, gone->key_size), key))
            return true;
    }
    return false;
}

static void remove_letter(struct engine *engine, struct bytes key)
{
    delta_remove(engine->open, key);
    engine->figures.dead_letters--;
    struct gone_letter *gone = mem_new(sizeof *gone + key.size);
    gone->epoch = engine->epoch;
    gone->key_size = key.size;
    memcpy(gone->key, key.data, key.size);
    map_put(&engine->gone_letters, &gone->by_key, hash_seeded(key, engine->options.hash_seed));
    list_put_last(&engine->gone_letters_order, &gone->all);
}

static void free_gone(struct engine *engine, struct gone_letter *gone)
{
    map_take(&engine->gone_letters, &gone->by_key);
    list_take(&gone->all);
    free(gone);
}

void dead_free_all(struct engine *engine)
{
    list_for_each_safe (&engine->gone_letters_order, node)
        free_gone(engine, container_of(node, struct gone_letter, all));
}

/* A load under way may have read an older view, so nothing is forgotten until it is back. */
void dead_forget_gone(struct engine *engine)
{
    while (list_is_empty(&engine->dead_requests) && !list_is_empty(&engine->gone_letters_order)) {
        struct gone_letter *gone = list_first(&engine->gone_letters_order, struct gone_letter, all);
        if (gone->epoch > engine->viewed.whole)
            return;
        free_gone(engine, gone);
    }
}

/* --- sending again --- */

static bool send_message(struct engine *engine, const struct dead_letter *letter,
                         bool *ret_has_room, struct sf_status *status)
{
    struct address target;
    if (!address_parse(letter->address, &target))
        return sf_fail(status, SF_CORRUPT, "its target is no address");
    struct function_type *type = function_find(engine, &target);
    if (!type)
        return sf_fail(status, SF_NOT_FOUND, "still no endpoint serves %.*s/%.*s",
                       BYTES_ARG(target.ns), BYTES_ARG(target.name));
    *ret_has_room = delivery_has_room(engine, engine_worker_of(engine, target.id), type);
    if (*ret_has_room)
        (void)delivery_send(engine, message_new(target.wire, letter->caller, letter->value), type);
    return true;
}

static bool send_record(struct engine *engine, const struct dead_letter *letter, bool *ret_has_room,
                        struct sf_status *status)
{
    const struct bindings *bindings = engine->options.bindings;
    uint32_t i = 0;
    while (i < bindings->egress_count && !bytes_equal(bindings->egresses[i].id, letter->egress))
        i++;
    if (i == bindings->egress_count)
        return sf_fail(status, SF_NOT_FOUND, "still no module defines egress %.*s",
                       BYTES_ARG(letter->egress));
    struct bytes record = letter->value;
    if (letter->kind != DEAD_UNDELIVERABLE &&
        !bindings->egresses[i].accept(letter->value, &record, status))
        return false;
    *ret_has_room = delivery_has_room(engine, engine->options.worker, NULL);
    if (*ret_has_room)
        record_put(engine, i, record);
    return true;
}

static bool send_again(struct engine *engine, const struct dead_letter *letter, bool *ret_has_room,
                       struct sf_status *status)
{
    if (letter->kind == DEAD_UNSERVED || letter->kind == DEAD_FAILED)
        return send_message(engine, letter, ret_has_room, status);
    if (letter->egress.size && letter->kind != DEAD_UNKNOWN)
        return send_record(engine, letter, ret_has_room, status);
    return sf_fail(status, SF_UNSUPPORTED,
                   "it is no message: a record that could not become one has to be written to its "
                   "topic anew");
}

static enum dead_outcome carry_out_one(struct engine *engine, enum dead_action action,
                                       struct bytes key, struct bytes stored,
                                       struct sf_status *status)
{
    struct dead_letter letter;
    bool has_room = true;
    if (is_gone(engine, key))
        return DEAD_GONE;
    if (action == DEAD_REPLAY) {
        if (!dead_letter_parse(stored, &letter)) {
            sf_fail(status, SF_CORRUPT, "it cannot be read");
            return DEAD_STUCK;
        }
        if (!send_again(engine, &letter, &has_room, status))
            return DEAD_STUCK;
    }
    if (!has_room)
        return DEAD_NO_ROOM;
    remove_letter(engine, key);
    return DEAD_DONE;
}

/* --- requests --- */

static void carry_out(struct engine *engine, struct dead_request *request)
{
    struct bytes keys = buffer_bytes(&request->load.keys);
    struct bytes results = buffer_bytes(&request->load.results);
    while (keys.size) {
        struct bytes key = bytes_make(keys.data + 4, u32_get(keys.data));
        keys = bytes_from(keys, 4 + key.size);
        bool is_found = results.data[0] != 0;
        struct bytes stored = bytes_make(results.data + 5, u32_get(results.data + 1));
        results = bytes_from(results, 5 + stored.size);

        struct sf_status status = {0};
        enum dead_outcome outcome =
            is_found ? carry_out_one(engine, request->action, key, stored, &status) : DEAD_GONE;
        struct bytes reason = bytes_of(status.message);
        if (outcome == DEAD_DONE)
            request->epoch = engine->epoch;
        buffer_add_u8(&request->outcomes, (uint8_t)outcome);
        buffer_add_u16(&request->outcomes, (uint16_t)reason.size);
        buffer_add_bytes(&request->outcomes, reason);
    }
}

/* Goes on with the requests; `is_loaded`: the first one's letters have been read. */
static void go_on(struct engine *engine, bool is_loaded)
{
    const struct ports *ports = &engine->options.ports;
    while (!list_is_empty(&engine->dead_requests)) {
        struct dead_request *request =
            list_first(&engine->dead_requests, struct dead_request, link);
        if (!is_loaded && (engine->stopping || !ports->load(ports->owner, &request->load)))
            return; /* when all ends, what was not begun is left to whoever asked */
        is_loaded = false;
        carry_out(engine, request);
        list_take(&request->link);
        ports->dead_done(ports->owner, request);
    }
}

void engine_dead_letters(struct engine *engine, struct dead_request *request)
{
    bool is_first = list_is_empty(&engine->dead_requests);
    list_init(&request->load.link);
    list_put_last(&engine->dead_requests, &request->link);
    if (is_first)
        go_on(engine, false);
}

bool dead_is_load(const struct engine *engine, const struct load *load)
{
    return !list_is_empty(&engine->dead_requests) &&
           load == &list_first(&engine->dead_requests, struct dead_request, link)->load;
}

void dead_loaded(struct engine *engine)
{
    go_on(engine, true);
}
