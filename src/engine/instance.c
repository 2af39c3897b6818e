/* instance.c - one address in memory: its mailbox, its states, and where it is in its life.
 *
 * The mailbox is a list in order of arrival. When memory is short, messages that the view has may
 * be freed; then the mailbox is in three parts, front (memory), middle (store only), back (memory),
 * and the middle is fetched when the front is used up. Order never changes.
 *
 * An instance is in engine->recent or engine->held. Only idle ones can be evicted, and only when
 * the view has their last change: whatever is not in memory can be read. Who is busy for less than
 * an epoch keeps its place among the recent; who has messages in a delta, which may be spilled, is
 * held. */
#include "engine/inside.h"

static bool holds_up_others(const struct instance *instance)
{
    return instance->lifecycle != PARKED; /* those wait for people */
}

/* One more message, or one less, waits for it. It is blocked when that is a batch or more. */
static inline void count_in(struct instance *instance, size_t bytes)
{
    struct function_type *type = instance->type;
    instance->message_count++;
    instance->message_bytes += bytes;
    if (holds_up_others(instance))
        type->backlog_bytes += bytes;
    type->figures.backlog++;
    type->figures.blocked += instance->message_count == type->binding->batch_max;
}

static inline void count_out(struct instance *instance, size_t bytes)
{
    struct function_type *type = instance->type;
    type->figures.blocked -= instance->message_count == type->binding->batch_max;
    type->figures.backlog--;
    if (holds_up_others(instance))
        type->backlog_bytes -= bytes;
    instance->message_bytes -= bytes;
    instance->message_count--;
}

/* --- being found --- */

/* Their types are the same object, so that the rest tells them apart. */
static inline struct instance *find(struct engine *engine, const struct function_type *type,
                                    struct bytes rest, uint64_t hash)
{
    for (struct map_node *node = map_find(&engine->instances, hash); node; node = map_same(node)) {
        struct instance *instance = container_of(node, struct instance, by_address);
        if (instance->type == type &&
            bytes_equal(function_rest(type, instance_address(instance)), rest))
            return instance;
    }
    return NULL;
}

struct instance *instance_find(struct engine *engine, const struct function_type *type,
                               struct bytes address)
{
    struct bytes rest = function_rest(type, address);
    return find(engine, type, rest, hash_seeded(rest, type->seed));
}

static size_t own_bytes(const struct instance *instance)
{
    return sizeof *instance + instance->address_size;
}

HINT_APART static struct instance *instance_new(struct engine *engine, struct function_type *type,
                                                struct bytes address, uint64_t hash)
{
    struct instance *instance = mem_new(sizeof *instance + address.size);
    instance->type = type;
    instance->partition =
        (uint16_t)partition_of(address_known(address).id, engine->options.partitions);
    instance->address_size = (uint16_t)address.size;
    memcpy(instance->address, address.data, address.size);
    list_init(&instance->turn);
    list_init(&instance->dirty);
    list_init(&instance->front);
    list_put_last(&engine->recent, &instance->place);
    map_put(&engine->instances, &instance->by_address, hash);
    engine->cache_bytes += own_bytes(instance);
    engine->figures.instances++;
    return instance;
}

struct instance *instance_get(struct engine *engine, struct function_type *type,
                              struct bytes address)
{
    struct bytes rest = function_rest(type, address);
    uint64_t hash = hash_seeded(rest, type->seed);
    struct instance *instance = find(engine, type, rest, hash);
    return instance ? instance : instance_new(engine, type, address, hash);
}

static void free_messages(struct list *messages)
{
    list_for_each_safe (messages, node)
        message_free(container_of(node, struct message, place));
}

/* Most end before the next one begins: one is kept. */
void instance_begin_invocation(struct engine *engine, struct instance *instance)
{
    struct invocation *invocation =
        engine->spare_invocation ? engine->spare_invocation : mem_new_raw(sizeof *invocation);
    static const struct invocation fresh; /* copied faster than zeros are written */
    engine->spare_invocation = NULL;
    *invocation = fresh;
    invocation->instance = instance;
    instance->invocation = invocation;
}

void instance_end_invocation(struct engine *engine, struct instance *instance)
{
    if (engine->spare_invocation)
        free(instance->invocation);
    else
        engine->spare_invocation = instance->invocation;
    instance->invocation = NULL;
}

static void instance_free(struct engine *engine, struct instance *instance)
{
    for (size_t i = 0; i < instance->slot_count; i++) {
        engine->cache_bytes -= instance->slots[i].capacity;
        free(instance->slots[i].value);
    }
    engine->cache_bytes -= own_bytes(instance) + instance->slot_count * sizeof *instance->slots;
    engine->figures.instances--;

    map_take(&engine->instances, &instance->by_address);
    list_take(&instance->place);
    list_take(&instance->turn);
    list_take(&instance->dirty);
    free_messages(&instance->front);
    if (instance->spilled)
        free_messages(&instance->spilled->back);
    free(instance->spilled);
    free(instance->invocation);
    free(instance->slots);
    free(instance);
}

void instance_free_all(struct engine *engine)
{
    struct list *places[] = {&engine->recent, &engine->held};
    for (size_t i = 0; i < 2; i++)
        list_for_each_safe (places[i], node)
            instance_free(engine, container_of(node, struct instance, place));
}

/* --- lifecycle --- */

bool instance_faces_change(const struct instance *instance)
{
    return !list_is_empty(&instance->front) &&
           body_is_change(message_body(list_first(&instance->front, struct message, place)));
}

void instance_make_ready(struct engine *engine, struct instance *instance, bool first)
{
    instance->lifecycle = READY;
    if (instance_faces_change(instance))
        list_put_last(&engine->changing, &instance->turn);
    else if (first)
        list_put_first(&instance->type->ready, &instance->turn);
    else
        list_put_last(&instance->type->ready, &instance->turn);
    function_update_ready(engine, instance->type);
}

void instance_make_idle(struct engine *engine, struct instance *instance)
{
    assert(instance->message_count == 0);
    instance->lifecycle = IDLE;
    instance->is_held = false;
    list_take(&instance->place);
    list_put_last(&engine->recent, &instance->place);
}

void instance_go_on(struct engine *engine, struct instance *instance)
{
    if (instance->message_count)
        instance_make_ready(engine, instance, false);
    else
        instance_make_idle(engine, instance);
}

void instance_park(struct engine *engine, struct instance *instance)
{
    instance->lifecycle = PARKED;
    instance->type->backlog_bytes -= instance->message_bytes;
    list_put_last(&instance->type->parked, &instance->turn);
    engine->figures.parked++;
}

void instance_resume(struct engine *engine, struct instance *instance)
{
    struct bytes address = instance_address(instance);
    struct report report = {.kind = REPORT_RESUMED, .address = address};
    delta_remove(engine->open, key_of_parked(&engine->key, instance->partition, address));
    engine->options.ports.report(engine->options.ports.owner, &report);
    list_take(&instance->turn);
    instance->type->backlog_bytes += instance->message_bytes;
    engine->figures.parked--;
    instance_go_on(engine, instance);
}

static void hold(struct engine *engine, struct instance *instance)
{
    if (instance->is_held)
        return;
    instance->is_held = true;
    list_take(&instance->place);
    list_put_last(&engine->held, &instance->place);
}

void instance_note_persisted(struct engine *engine, struct instance *instance,
                             struct message *message, uint64_t epoch)
{
    message->persisted = epoch;
    hold(engine, instance);
}

void instance_evict(struct engine *engine)
{
    while (!list_is_empty(&engine->recent)) {
        struct instance *oldest = list_first(&engine->recent, struct instance, place);
        bool over = engine->cache_bytes > engine->options.limits.cache_bytes;
        if (!over && !engine_misbehaves(engine, MISBEHAVE_EVICT))
            return;
        if (oldest->lifecycle != IDLE) {
            hold(engine, oldest);
            continue;
        }
        if (oldest->changed > engine->viewed.kept) {
            if (over)
                engine->options.ports.hurry(engine->options.ports.owner, VIEW_KEPT);
            return;
        }
        instance_free(engine, oldest);
        engine->figures.evicted++;
    }
}

/* --- mailbox --- */

void instance_put(struct engine *engine, struct instance *instance, struct message *message)
{
    size_t bytes = message_bytes(message);
    struct list *end = instance->spilled ? &instance->spilled->back : &instance->front;
    message->instance = instance;
    list_put_last(end, &message->place);
    count_in(instance, bytes);
    engine->backlog_memory += bytes;
    if (instance->lifecycle == IDLE)
        instance_make_ready(engine, instance, false);
}

/* Takes part in the turns again, by what is now its oldest message. */
static void look_again(struct engine *engine, struct instance *instance)
{
    switch ((enum lifecycle)instance->lifecycle) {
    case WAITING:
        heap_take(&engine->waiting, &instance->invocation->retry);
        engine->figures.retrying--;
        break;
    case READY:
        list_take(&instance->turn);
        break;
    case IDLE:
        break;
    case LOADING:
    case IN_FLIGHT:
        return; /* they will when they end */
    case PARKED:
        instance_resume(engine, instance);
        return;
    }
    instance_make_ready(engine, instance, false);
}

HINT_APART void instance_put_ahead(struct engine *engine, struct instance *instance,
                                   struct message *message)
{
    size_t bytes = message_bytes(message);
    struct list *node = instance->front.next;
    for (size_t i = 0; instance->lifecycle == IN_FLIGHT && i < instance->invocation->batch; i++)
        node = node->next;
    while (node != &instance->front &&
           body_is_change(message_body(container_of(node, struct message, place))))
        node = node->next;
    list_put_before(node, &message->place);
    count_in(instance, bytes);
    engine->backlog_memory += bytes;
    look_again(engine, instance);
}

bool instance_let_ahead(struct instance *instance)
{
    struct list *front = &instance->front, *first = front->next, *node = first;
    for (size_t i = 0; node != front && i < instance->invocation->batch; i++)
        node = node->next;
    while (node != front && message_goes_ahead(container_of(node, struct message, place))) {
        struct list *next = node->next;
        list_take(node);
        list_put_before(first, node);
        node = next;
    }
    return instance_faces_change(instance);
}

static struct spilled *spilled_new(void)
{
    struct spilled *spilled = mem_new(sizeof *spilled);
    list_init(&spilled->back);
    return spilled;
}

static void add_to_spilled(struct engine *engine, struct spilled *spilled, uint64_t sequence,
                           size_t bytes)
{
    if (spilled->count == 0)
        spilled->first = sequence;
    spilled->last = sequence;
    spilled->count++;
    spilled->bytes += bytes;
    engine->figures.spilled_messages++;
}

void instance_put_spilled(struct engine *engine, struct instance *instance, uint64_t sequence,
                          size_t bytes)
{
    if (!instance->spilled)
        instance->spilled = spilled_new();
    add_to_spilled(engine, instance->spilled, sequence, bytes);
    count_in(instance, bytes);
    if (instance->lifecycle == IDLE)
        instance_make_ready(engine, instance, false);
}

/* Most are dropped after the next one was asked for, and before the one after that is: one is kept.
 */
static void free_message(struct engine *engine, struct message *message, size_t bytes)
{
    enum { SPARE_BYTES_MAX = 512 };
    if (engine->spare_message || bytes > SPARE_BYTES_MAX || message->receipt) {
        message_free(message);
        return;
    }
    list_take(&message->fresh);
    engine->spare_message = message;
    engine->spare_message_bytes = bytes;
}

struct message *engine_message_new(struct engine *engine, size_t target_size, size_t body_size)
{
    struct message *message = engine->spare_message;
    engine->spare_message = NULL;
    if (message && engine->spare_message_bytes >= sizeof *message + target_size + body_size) {
        message_begin(message, target_size, body_size);
        return message;
    }
    message_free(message); /* it would be in the way of larger ones */
    return message_new_blank(target_size, body_size);
}

void instance_drop(struct engine *engine, struct instance *instance, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct list *node = list_take_first(&instance->front);
        assert(node);
        struct message *message = container_of(node, struct message, place);
        size_t bytes = message_bytes(message);
        if (message->persisted)
            delta_remove(engine->open,
                         key_of_message(&engine->key, instance->partition,
                                        instance_address(instance), message->sequence));
        else if (!message_goes_ahead(message))
            engine->open_bytes -= bytes;
        engine->backlog_memory -= bytes;
        count_out(instance, bytes);
        free_message(engine, message, bytes);
    }
}

/* Whoever waits for a change that is spilled waits for the store: better tell that it is in line.
 */
static void tell_in_line(struct engine *engine, const struct message *message)
{
    if (message->receipt)
        delivery_settle(engine, message->receipt->number, SETTLED_IN_LINE, message->persisted,
                        message->persisted);
}

/* The first message that may be spilled: behind the batch under way, and behind what is spilled.
 * What goes ahead is not in the store. */
static struct list *first_to_spill(struct instance *instance)
{
    if (instance->spilled)
        return instance->spilled->back.next;
    struct list *node = instance->front.next;
    for (size_t i = 0; instance->invocation && i < instance->invocation->batch; i++)
        node = node->next;
    while (node != &instance->front &&
           message_goes_ahead(container_of(node, struct message, place)))
        node = node->next;
    return node;
}

HINT_APART size_t instance_spill(struct engine *engine, struct instance *instance)
{
    struct list *end = instance->spilled ? &instance->spilled->back : &instance->front;
    struct list *node = first_to_spill(instance);
    size_t freed = 0;

    while (node != end) {
        struct message *message = container_of(node, struct message, place);
        if (!message->persisted || message->persisted > engine->viewed.whole)
            break;
        if (!instance->spilled)
            instance->spilled = spilled_new();
        node = node->next;
        size_t bytes = message_bytes(message);
        add_to_spilled(engine, instance->spilled, message->sequence, bytes);
        engine->backlog_memory -= bytes;
        freed += bytes;
        tell_in_line(engine, message);
        message_free(message);
    }

    if (freed && end == &instance->front) {
        /* What is left behind the gap is the back. */
        while (node != end) {
            struct list *next = node->next;
            list_take(node);
            list_put_last(&instance->spilled->back, node);
            node = next;
        }
    }
    return freed;
}

void instance_unspill(struct engine *engine, struct instance *instance, struct bytes results)
{
    struct spilled *spilled = instance->spilled;
    assert(spilled && results.size && "the view has lost waiting messages");

    while (results.size) {
        struct bytes stored_key = bytes_make(results.data + 4, u32_get(results.data));
        results = bytes_from(results, 4 + stored_key.size);
        struct bytes body = bytes_make(results.data + 4, u32_get(results.data));
        results = bytes_from(results, 4 + body.size);

        struct key key;
        bool good = key_parse(stored_key, &key);
        assert(good && key.kind == KEY_MESSAGE);
        struct message *message = message_from_body(instance_address(instance), body);
        message->sequence = key.sequence;
        instance_note_persisted(engine, instance, message, 1); /* some epoch that the view has */
        list_put_last(&instance->front, &message->place);

        size_t bytes = message_bytes(message);
        assert(spilled->count > 0 && spilled->bytes >= bytes);
        spilled->count--;
        spilled->bytes -= bytes;
        spilled->first = key.sequence + 1;
        engine->backlog_memory += bytes;
        engine->figures.spilled_messages--;
    }
    if (spilled->count)
        return;

    for (struct list *node; (node = list_take_first(&spilled->back));)
        list_put_last(&instance->front, node);
    free(spilled);
    instance->spilled = NULL;
}

/* --- states --- */

/* As many as its type has states. */
HINT_APART static void add_slots(struct engine *engine, struct instance *instance)
{
    size_t wanted = instance->type->spec_count, added = wanted - instance->slot_count;
    instance->slots = mem_resize(instance->slots, wanted * sizeof *instance->slots);
    memset(&instance->slots[instance->slot_count], 0, added * sizeof *instance->slots);
    engine->cache_bytes += added * sizeof *instance->slots;
    instance->slot_count = (uint16_t)wanted;
}

static inline struct slot *slot_at(struct engine *engine, struct instance *instance, size_t index)
{
    if (index >= instance->slot_count)
        add_slots(engine, instance);
    assert(index < instance->slot_count);
    return &instance->slots[index];
}

static void mark_dirty(struct engine *engine, struct instance *instance, struct slot *slot)
{
    slot->flags |= SLOT_DIRTY;
    instance->changed = engine->epoch;
    if (list_is_empty(&instance->dirty)) {
        list_put_last(&engine->dirty, &instance->dirty);
        engine->open_bytes += own_bytes(instance);
    }
}

/* Makes it present, with a value of that size, which is still to be written. */
static uint8_t *slot_resize(struct engine *engine, struct slot *slot, size_t size)
{
    if (size > slot->capacity || size < slot->capacity / 4) {
        engine->cache_bytes -= slot->capacity;
        slot->value = mem_resize(slot->value, size);
        slot->capacity = (uint32_t)size;
        engine->cache_bytes += slot->capacity;
    }
    slot->size = (uint32_t)size;
    slot->flags |= SLOT_LOADED | SLOT_PRESENT;
    slot->flags &= (uint8_t)~SLOT_KEPT;
    return slot->value;
}

void instance_fill_slot(struct engine *engine, struct instance *instance, size_t index, bool found,
                        struct bytes stored)
{
    struct slot *slot = slot_at(engine, instance, index);
    slot->flags |= SLOT_LOADED;
    if (!found)
        return;
    assert(stored.size >= 8 && "a stored state is too short");
    slot->deadline = u64_get(stored.data);
    struct bytes value = bytes_from(stored, 8);
    uint8_t *to = slot_resize(engine, slot, value.size);
    if (value.size)
        memcpy(to, value.data, value.size);
    slot->generation = 0; /* its type is compared when it is used */
}

static bool stands_last(const struct typed_value *value, const struct slot *slot)
{
    return !value->value.size || value->value.data + value->value.size == slot->value + slot->size;
}

/* A stored value may be of a type that its function no longer declares. */
static bool compare_type(struct slot *slot, const struct spec *spec, struct sf_status *status)
{
    struct typed_value value;
    if (!typed_value_parse(bytes_make(slot->value, slot->size), &value, status))
        return sf_wrap(status, "stored state '%.*s'", BYTES_ARG(spec->is.name));
    if (!bytes_equal(value.type, spec->is.type))
        return sf_fail(status, SF_INVALID,
                       "state '%.*s' is stored with type '%.*s', the function declares '%.*s'",
                       BYTES_ARG(spec->is.name), BYTES_ARG(value.type), BYTES_ARG(spec->is.type));
    if (value.has_value && stands_last(&value, slot)) { /* as in all that we write */
        slot->generation = spec->generation;
        slot->inner_size = (uint32_t)value.value.size;
    }
    return true;
}

bool instance_check_type(struct instance *instance, size_t index, struct sf_status *status)
{
    struct slot *slot = &instance->slots[index];
    const struct spec *spec = &instance->type->specs[index];
    return !(slot->flags & SLOT_PRESENT) || slot->generation == spec->generation ||
           compare_type(slot, spec, status);
}

static void write_typed(struct engine *engine, struct slot *slot, struct bytes type,
                        struct bytes value)
{
    (void)typed_value_put(slot_resize(engine, slot, typed_value_size(type.size, value.size)), type,
                          value);
    slot->inner_size = (uint32_t)value.size;
}

void instance_set(struct engine *engine, struct instance *instance, size_t index,
                  struct bytes value, uint64_t deadline)
{
    struct slot *slot = slot_at(engine, instance, index);
    const struct spec *spec = &instance->type->specs[index];
    if (slot->flags & SLOT_PRESENT && slot->generation == spec->generation &&
        slot->inner_size == value.size) {
        (void)bytes_put(slot->value + slot->size - value.size, value);
        slot->flags &= (uint8_t)~SLOT_KEPT;
    } else {
        write_typed(engine, slot, spec->is.type, value);
        slot->generation = spec->generation;
    }
    slot->deadline = deadline;
    mark_dirty(engine, instance, slot);
}

void instance_set_typed(struct engine *engine, struct instance *instance, size_t index,
                        struct bytes type, struct bytes value, uint64_t deadline)
{
    struct slot *slot = slot_at(engine, instance, index);
    write_typed(engine, slot, type, value);
    slot->generation = 0; /* it is compared when it is used */
    slot->deadline = deadline;
    mark_dirty(engine, instance, slot);
}

void instance_clear(struct engine *engine, struct instance *instance, size_t index)
{
    struct slot *slot = slot_at(engine, instance, index);
    if (!(slot->flags & SLOT_PRESENT))
        return;
    engine->cache_bytes -= slot->capacity;
    free(slot->value);
    slot->value = NULL;
    slot->size = slot->capacity = 0;
    slot->deadline = 0;
    slot->flags &= (uint8_t)~SLOT_PRESENT;
    mark_dirty(engine, instance, slot);
}

void instance_touch(struct engine *engine, struct instance *instance, size_t index,
                    uint64_t deadline)
{
    struct slot *slot = slot_at(engine, instance, index);
    if (slot->deadline == deadline)
        return;
    slot->deadline = deadline;
    mark_dirty(engine, instance, slot);
}

void instance_keep(struct engine *engine, struct instance *instance, uint64_t version)
{
    instance->version = version;
    for (size_t i = 0; version && i < instance->slot_count; i++) {
        struct slot *slot = &instance->slots[i];
        bool is_kept = slot->flags & SLOT_PRESENT && slot->flags & SLOT_SENT &&
                       slot->size >= engine->options.kept_bytes_min;
        slot->flags = (uint8_t)(is_kept ? slot->flags | SLOT_KEPT : slot->flags & ~SLOT_KEPT);
    }
}

static void save_slot(struct engine *engine, const struct instance *instance,
                      const struct slot *slot, struct bytes name)
{
    struct bytes address = instance_address(instance);
    if (!(slot->flags & SLOT_PRESENT)) {
        delta_remove(engine->open, key_of_state(&engine->key, instance->partition, address, name));
        return;
    }
    uint8_t *to = delta_put_blank(engine->open, state_key_size(address, name),
                                  sizeof slot->deadline + slot->size);
    to = state_key_put(to, instance->partition, address, name);
    u64_put(to, slot->deadline);
    (void)bytes_put(to + sizeof slot->deadline, bytes_make(slot->value, slot->size));
}

void instance_save(struct engine *engine, struct instance *instance)
{
    for (size_t i = 0; i < instance->slot_count; i++) {
        struct slot *slot = &instance->slots[i];
        if (slot->flags & SLOT_DIRTY)
            save_slot(engine, instance, slot, instance->type->specs[i].is.name);
        slot->flags &= (uint8_t)~SLOT_DIRTY;
    }
    list_take(&instance->dirty);
}
