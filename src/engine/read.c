/* read.c - a look at the states of one address.
 *
 * What is in memory is what the last invocation or change has left; it may not be durable yet, so
 * it is shown when the instance's last change is. What is not in memory when the read begins the
 * view has (instance.c), and what a load then finds was there at that moment, or came later. Either
 * way a read takes effect between its begin and its end. */
#include "engine/inside.h"

enum { LIST_BYTES = 1 << 20 }; /* of values that one load of a list brings */

/* One state of a list; its name and type stand in `texts`. */
struct listed {
    size_t name_at, name_size, type_size, size;
    uint64_t deadline;
    bool is_absent; /* in memory it is: what the view has is older */
};

struct read {
    struct list all; /* in engine->reads */
    struct load load;
    uint64_t receipt;
    uint64_t epoch; /* of what was in memory */
    struct buffer address;
    struct buffer state; /* empty: all */
    struct buffer texts; /* of what was listed: name, type, name, type, ... */
    struct listed *items;
    size_t count, capacity;
    size_t in_memory; /* of the items: the first ones */
};

static struct read *read_new(const struct read_request *request, struct bytes address)
{
    struct read *read = mem_new(sizeof *read);
    read->receipt = request->receipt;
    buffer_add_bytes(&read->address, address);
    buffer_add_bytes(&read->state, request->state);
    list_init(&read->load.link);
    read->load.is_range = !request->state.size;
    read->load.count = 1;
    read->load.bytes_max = LIST_BYTES;
    return read;
}

static void read_free(struct read *read)
{
    list_take(&read->all);
    buffer_destroy(&read->load.keys);
    buffer_destroy(&read->load.results);
    buffer_destroy(&read->address);
    buffer_destroy(&read->state);
    buffer_destroy(&read->texts);
    free(read->items);
    free(read);
}

void read_free_all(struct engine *engine)
{
    list_for_each_safe (&engine->reads, node)
        read_free(container_of(node, struct read, all));
}

/* The slot of a state that is in memory; NULL if it is not. */
static const struct slot *slot_of(const struct instance *instance, size_t index)
{
    if (!instance || index >= instance->slot_count || !(instance->slots[index].flags & SLOT_LOADED))
        return NULL;
    return &instance->slots[index];
}

static const struct slot *find_slot(const struct instance *instance, struct bytes state)
{
    const struct spec *spec = instance ? function_find_spec(instance->type, state) : NULL;
    return spec ? slot_of(instance, (size_t)(spec - instance->type->specs)) : NULL;
}

/* False if there is no value, or one that has expired. */
static bool found_make(const struct engine *engine, struct bytes name, struct bytes body,
                       uint64_t deadline, struct found_state *ret_found)
{
    struct typed_value value;
    struct sf_status status;
    if (deadline && deadline <= engine->now_ms)
        return false;
    bool good = typed_value_parse(body, &value, &status);
    assert(good && "a stored state is no typed value");
    *ret_found = (struct found_state){.name = name,
                                      .type = value.type,
                                      .value = value.value,
                                      .size = value.value.size,
                                      .deadline = deadline};
    return true;
}

static bool found_in_slot(const struct engine *engine, struct bytes name, const struct slot *slot,
                          struct found_state *ret_found)
{
    return slot->flags & SLOT_PRESENT &&
           found_make(engine, name, bytes_make(slot->value, slot->size), slot->deadline, ret_found);
}

static bool found_stored(const struct engine *engine, struct bytes name, struct bytes stored,
                         struct found_state *ret_found)
{
    assert(stored.size >= 8 && "a stored state is too short");
    return found_make(engine, name, bytes_from(stored, 8), u64_get(stored.data), ret_found);
}

static void tell(struct engine *engine, uint64_t receipt, uint64_t epoch,
                 const struct found_state *states, size_t count)
{
    engine->options.ports.found(engine->options.ports.owner, receipt, states, count);
    delivery_settle(engine, receipt, SETTLED, epoch, epoch);
}

/* --- one state --- */

static void tell_one(struct engine *engine, const struct read *read)
{
    const uint8_t *results = read->load.results.data;
    struct bytes stored = bytes_make(results + 5, u32_get(results + 1));
    struct found_state found;
    bool is_there = results[0] && found_stored(engine, buffer_bytes(&read->state), stored, &found);
    tell(engine, read->receipt, read->epoch, &found, is_there);
}

/* --- all states --- */

static void add_item(struct read *read, const struct found_state *found, bool is_absent)
{
    if (read->count == read->capacity) {
        read->capacity = read->capacity ? read->capacity * 2 : 8;
        read->items = mem_resize(read->items, read->capacity * sizeof *read->items);
    }
    read->items[read->count++] = (struct listed){.name_at = read->texts.size,
                                                 .name_size = found->name.size,
                                                 .type_size = found->type.size,
                                                 .size = found->size,
                                                 .deadline = found->deadline,
                                                 .is_absent = is_absent};
    buffer_add_bytes(&read->texts, found->name);
    buffer_add_bytes(&read->texts, found->type);
}

static struct bytes item_name(const struct read *read, const struct listed *item)
{
    return bytes_make(read->texts.data + item->name_at, item->name_size);
}

static void add_from_memory(struct engine *engine, struct read *read,
                            const struct instance *instance)
{
    for (size_t i = 0; i < instance->slot_count; i++) {
        const struct slot *slot = slot_of(instance, i);
        struct found_state found = {.name = instance->type->specs[i].is.name};
        if (!slot)
            continue;
        bool is_there = found_in_slot(engine, found.name, slot, &found);
        add_item(read, &found, !is_there);
    }
    read->in_memory = read->count;
    read->epoch = instance->changed;
}

static bool was_in_memory(const struct read *read, struct bytes name)
{
    for (size_t i = 0; i < read->in_memory; i++)
        if (bytes_equal(item_name(read, &read->items[i]), name))
            return true;
    return false;
}

/* Returns the last key. */
static struct bytes add_loaded(struct engine *engine, struct read *read)
{
    struct bytes results = buffer_bytes(&read->load.results), last = {0};
    while (results.size) {
        struct key key;
        struct found_state found;
        last = bytes_make(results.data + 4, u32_get(results.data));
        results = bytes_from(results, 4 + last.size);
        struct bytes stored = bytes_make(results.data + 4, u32_get(results.data));
        results = bytes_from(results, 4 + stored.size);
        bool good = key_parse(last, &key);
        assert(good && key.kind == KEY_STATE);
        if (!was_in_memory(read, key.name) && found_stored(engine, key.name, stored, &found))
            add_item(read, &found, false);
    }
    return last;
}

static void tell_all(struct engine *engine, const struct read *read)
{
    struct found_state *states = mem_new((read->count + 1) * sizeof *states);
    size_t count = 0;
    for (size_t i = 0; i < read->count; i++) {
        const struct listed *item = &read->items[i];
        struct bytes name = item_name(read, item);
        if (!item->is_absent)
            states[count++] = (struct found_state){
                .name = name,
                .type = bytes_make(name.data + name.size, item->type_size),
                .size = item->size,
                .deadline = item->deadline,
            };
    }
    tell(engine, read->receipt, read->epoch, states, count);
    free(states);
}

/* --- loads --- */

static void add_bound(struct buffer *keys, struct bytes key, const char *end, size_t end_size)
{
    buffer_add_u32(keys, (uint32_t)(key.size + end_size));
    buffer_add_bytes(keys, key);
    buffer_add(keys, end, end_size);
}

/* The key of its state or, of all, the range behind `after`; names are UTF-8, which has no ff. */
static void ask_for(struct engine *engine, struct read *read, struct bytes after)
{
    struct bytes wire = buffer_bytes(&read->address);
    uint32_t partition = partition_of(address_known(wire).id, engine->options.partitions);
    struct bytes name = read->load.is_range ? after : buffer_bytes(&read->state);
    struct buffer *keys = &read->load.keys;
    buffer_clear(keys);
    buffer_clear(&read->load.results);
    add_bound(keys, key_of_state(&engine->key, partition, wire, name), "", after.size ? 1 : 0);
    if (read->load.is_range)
        add_bound(keys, key_of_state(&engine->key, partition, wire, (struct bytes){0}), "\xff", 1);
}

/* True if all is there; false if the next part must be loaded. */
static bool take_part(struct engine *engine, struct read *read)
{
    struct bytes last = add_loaded(engine, read);
    if (read->load.results.size < read->load.bytes_max) {
        tell_all(engine, read);
        return true;
    }
    struct key key;
    bool good = key_parse(last, &key);
    assert(good);
    struct bytes after = bytes_make(bytes_string(key.name), key.name.size);
    ask_for(engine, read, after);
    free((void *)after.data);
    return false;
}

/* The loads of a read one after the other, as long as they are answered at once. */
static void go_on(struct engine *engine, struct read *read, bool is_loaded)
{
    const struct ports *ports = &engine->options.ports;
    for (;; is_loaded = false) {
        if (!is_loaded && !ports->load(ports->owner, &read->load))
            return;
        if (!read->load.is_range)
            tell_one(engine, read);
        else if (!take_part(engine, read))
            continue;
        read_free(read);
        return;
    }
}

void read_loaded(struct engine *engine, struct load *load)
{
    go_on(engine, container_of(load, struct read, load), true);
}

enum acceptance engine_read(struct engine *engine, const struct read_request *request)
{
    struct address target;
    struct sf_status status;
    arena_clear(&engine->arena);
    if (!address_make(request->ns, request->name, request->id, &engine->arena, &target, &status))
        return UNKNOWN_TARGET;
    const struct function_type *type = function_find(engine, &target);
    if (!type)
        return UNKNOWN_TARGET;

    const struct instance *instance = instance_find(engine, type, target.wire);
    const struct slot *slot = request->state.size ? find_slot(instance, request->state) : NULL;
    if (slot) {
        struct found_state found;
        bool is_there = found_in_slot(engine, request->state, slot, &found);
        tell(engine, request->receipt, instance->changed, &found, is_there);
        return ACCEPTED;
    }

    struct read *read = read_new(request, target.wire);
    list_put_last(&engine->reads, &read->all);
    if (read->load.is_range && instance)
        add_from_memory(engine, read, instance);
    ask_for(engine, read, (struct bytes){0});
    go_on(engine, read, false);
    return ACCEPTED;
}
