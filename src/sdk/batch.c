/* batch.c - effects are gathered in arrays that grow within the arena; states that were changed
 * become mutations at the end. */
#include "sdk/batch.h"

#include "base/hints.h"
#include "base/list.h"
#include "base/mem.h"
#include "sdk/async.h"
#include "sdk/registry.h"
#include "sdk/value.h"

/* A state that came with the request. */
struct batch_slot {
    const struct sf_state *state;      /* as the function declares it; NULL: it does not */
    const struct sf_state_name *is;    /* the same, as it travels */
    const struct request_state *given; /* NULL: it did not (of a look) */
    struct bytes name;
    struct typed_value now; /* without a value: the state is absent */
    bool is_read;           /* what it is now */
    bool is_changed;
    bool is_checked; /* read, and if it is present, of the type that is declared */
};

/* The states that a function declares, as they travel. */
struct batch_states {
    struct batch_states *next;
    const struct sf_state *const *declared;
    size_t count;
    struct sf_state_name is[];
};

struct batch_cache {
    struct batch_cache *next;
    const struct sf_state *state;
    struct sf_state_cache is;
};

static struct batch *batch_of(struct sf_context *context)
{
    return container_of(context, struct batch, context);
}

HINT_SELDOM bool batch_fail(struct batch *batch, const char *text)
{
    if (!batch->has_failed)
        (void)sf_fail(&batch->failure, SF_INVALID, "%s", text);
    batch->has_failed = true;
    return false;
}

static bool fail(struct sf_context *context, const char *text)
{
    return batch_fail(batch_of(context), text);
}

static void *alloc(struct sf_context *context, size_t size)
{
    return arena_take(&batch_of(context)->arena, size);
}

/* The next item of an array in the arena, not zeroed. */
#define ADD(batch, array, count, capacity)                                                         \
    ((array) = (count) < (capacity)                                                                \
                   ? (array)                                                                       \
                   : grow(&(batch)->arena, (array), (count), &(capacity), sizeof *(array)),        \
     &(array)[(count)++])

static void *grow(struct arena *arena, void *array, size_t count, size_t *capacity, size_t size)
{
    enum { FIRST_CAPACITY = 4 };
    *capacity = *capacity ? *capacity * 2 : FIRST_CAPACITY;
    void *larger = arena_take(arena, *capacity * size);
    if (count)
        memcpy(larger, array, count * size);
    return larger;
}

/* --- who --- */

static char *text_in_arena(struct batch *batch, struct bytes text)
{
    char *copy = arena_take(&batch->arena, text.size + 1);
    if (text.size)
        memcpy(copy, text.data, text.size);
    copy[text.size] = '\0';
    return copy;
}

static const char *type_text(struct batch *batch, const struct address *address)
{
    size_t size = address->ns.size + 1 + address->name.size;
    char *text = arena_take(&batch->arena, size + 1);
    if (address->ns.size)
        memcpy(text, address->ns.data, address->ns.size);
    text[address->ns.size] = '/';
    if (address->name.size)
        memcpy(text + address->ns.size + 1, address->name.data, address->name.size);
    text[size] = '\0';
    return text;
}

static void self(struct sf_context *context, struct sf_address *ret_self)
{
    struct batch *batch = batch_of(context);
    struct address address = address_known(batch->self);
    if (!batch->self_type)
        batch->self_type = type_text(batch, &address);
    *ret_self = (struct sf_address){
        batch->self_type,
        text_in_arena(batch, address.id),
        address.id.size,
    };
}

static bool is_companion(const struct address *address)
{
    return bytes_is(address->ns, ASYNC_FUNCTION_NS) && bytes_is(address->name, ASYNC_FUNCTION_NAME);
}

static bool caller(struct sf_context *context, struct sf_address *ret_caller)
{
    struct batch *batch = batch_of(context);
    if (!batch->caller.size)
        return false;
    struct address address = address_known(batch->caller);
    if (is_companion(&address)) /* the function's own operation has ended */
        address = address_known(batch->self);
    *ret_caller = (struct sf_address){
        type_text(batch, &address),
        text_in_arena(batch, address.id),
        address.id.size,
    };
    return true;
}

static void *user(struct sf_context *context)
{
    return batch_of(context)->function->user;
}

static int64_t now_ms(struct sf_context *context)
{
    return batch_of(context)->now_ms;
}

/* --- states --- */

static struct batch_slot *find_slot(struct batch *batch, struct bytes name)
{
    for (size_t i = 0; i < batch->slot_count; i++)
        if (bytes_equal(batch->slots[i].name, name))
            return &batch->slots[i];
    return NULL;
}

/* Of what it is now, only what must be known before it is read: to clear all would take longer. */
static inline void slot_init(struct batch_slot *slot, struct bytes name,
                             const struct request_state *given)
{
    slot->state = NULL;
    slot->is = NULL;
    slot->given = given;
    slot->name = name;
    slot->now.has_value = false;
    slot->is_read = slot->is_changed = slot->is_checked = false;
}

static struct batch_slot *add_slot(struct batch *batch, struct bytes name)
{
    struct batch_slot *slot = ADD(batch, batch->slots, batch->slot_count, batch->slot_capacity);
    slot_init(slot, arena_add_bytes(&batch->arena, name), NULL);
    return slot;
}

/* The call will be done again when the state is at hand. */
static void ask_for(struct batch *batch, const struct sf_state_name *state)
{
    struct from_function *reply = &batch->reply;
    struct bytes name = bytes_from_sf(state->name);
    struct sf_status status;
    if (!state_name_check(state, &status)) {
        (void)batch_fail(batch, status.message);
        return;
    }
    reply->is_incomplete = true;
    for (size_t i = 0; i < reply->missing_count; i++)
        if (bytes_equal(reply->missing[i].name, name))
            return;
    struct state_spec *spec =
        ADD(batch, reply->missing, reply->missing_count, batch->missing_capacity);
    *spec = (struct state_spec){
        .name = arena_add_bytes(&batch->arena, name),
        .type = arena_add_bytes(&batch->arena, bytes_from_sf(state->type)),
        .mode = state->expiry == SF_EXPIRE_NEVER         ? EXPIRE_NONE
                : state->expiry == SF_EXPIRE_AFTER_WRITE ? EXPIRE_AFTER_WRITE
                                                         : EXPIRE_AFTER_INVOKE,
        .expire_after_ms = state->expiry == SF_EXPIRE_NEVER ? 0 : state->expire_ms,
    };
}

HINT_SELDOM static bool fail_untyped(struct batch *batch, const struct batch_slot *slot)
{
    struct sf_status status;
    (void)sf_fail(&status, SF_INVALID, "state '%.*s' is no typed value", BYTES_ARG(slot->name));
    return batch_fail(batch, status.message);
}

static inline bool read_slot(struct batch *batch, struct batch_slot *slot)
{
    bool is_given = slot->given && slot->given->present;
    if (is_given && !typed_value_view(slot->given->value, &slot->now))
        return fail_untyped(batch, slot);
    slot->is_read = true;
    return true;
}

HINT_SELDOM static bool fail_type(struct batch *batch, const struct batch_slot *slot,
                                  struct bytes type)
{
    struct sf_status status;
    (void)sf_fail(&status, SF_INVALID, "state '%.*s' holds a value of type '%.*s', not of '%.*s'",
                  BYTES_ARG(slot->name), BYTES_ARG(slot->now.type), BYTES_ARG(type));
    return batch_fail(batch, status.message);
}

/* What is there can be taken for a value of that type. */
static inline bool check_slot(struct batch *batch, struct batch_slot *slot, struct bytes type)
{
    if (!slot->is_read && !read_slot(batch, slot))
        return false;
    return !slot->now.has_value || bytes_equal(slot->now.type, type) ||
           fail_type(batch, slot, type);
}

/* The slot of a state, checked; NULL if it did not come with the request, or makes no sense. */
static struct batch_slot *slot_of(struct batch *batch, const struct sf_state_name *state)
{
    struct batch_slot *slot = find_slot(batch, bytes_from_sf(state->name));
    if (!slot && batch->is_look)
        slot = add_slot(batch, bytes_from_sf(state->name));
    if (!slot) {
        ask_for(batch, state);
        return NULL;
    }
    return check_slot(batch, slot, bytes_from_sf(state->type)) ? slot : NULL;
}

/* The slot of a state that the function declares; NULL: it does not. */
static struct batch_slot *declared_slot(struct batch *batch, const struct sf_state *state)
{
    for (size_t i = 0; i < batch->slot_count; i++)
        if (batch->slots[i].state == state)
            return &batch->slots[i];
    return NULL;
}

static bool check_declared(struct batch *batch, struct batch_slot *slot)
{
    slot->is_checked = slot->is_checked || check_slot(batch, slot, bytes_from_sf(slot->is->type));
    return slot->is_checked;
}

static bool get(const struct batch_slot *slot, struct sf_bytes *ret_value)
{
    if (!slot->now.has_value)
        return false;
    *ret_value = bytes_to_sf(slot->now.value);
    return true;
}

static bool state_get(struct sf_context *context, const struct sf_state_name *state,
                      struct sf_bytes *ret_value)
{
    struct batch_slot *slot = slot_of(batch_of(context), state);
    return slot && get(slot, ret_value);
}

static bool state_read(struct sf_context *context, const struct sf_state *state,
                       struct sf_bytes *ret_value)
{
    struct batch *batch = batch_of(context);
    struct batch_slot *slot = declared_slot(batch, state);
    if (slot)
        return check_declared(batch, slot) && get(slot, ret_value);
    struct sf_state_name name = state_name_of(state);
    return state_get(context, &name, ret_value);
}

static bool state_may_change(struct sf_context *context)
{
    struct batch *batch = batch_of(context);
    return !batch->is_frozen || batch_fail(batch, "states can only be looked at here");
}

static bool set(struct batch *batch, struct batch_slot *slot, struct sf_bytes type,
                struct sf_bytes value)
{
    if (!slot->now.has_value) /* else it is that type already */
        slot->now.type = arena_add_bytes(&batch->arena, bytes_from_sf(type));
    uint8_t *copy = arena_take(&batch->arena, value.size);
    (void)bytes_put(copy, bytes_from_sf(value));
    slot->now.value = bytes_make(copy, value.size);
    slot->now.has_value = true;
    slot->is_changed = true;
    return true;
}

static bool state_set(struct sf_context *context, const struct sf_state_name *state,
                      struct sf_bytes value)
{
    struct batch *batch = batch_of(context);
    struct batch_slot *slot = state_may_change(context) ? slot_of(batch, state) : NULL;
    if (!slot)
        return false;
    slot->is_checked = false; /* the type may be another than the one declared */
    return set(batch, slot, state->type, value);
}

static bool state_write(struct sf_context *context, const struct sf_state *state,
                        struct sf_bytes value)
{
    struct batch *batch = batch_of(context);
    struct batch_slot *slot = declared_slot(batch, state);
    if (slot)
        return state_may_change(context) && check_declared(batch, slot) &&
               set(batch, slot, slot->is->type, value);
    struct sf_state_name name = state_name_of(state);
    return state_set(context, &name, value);
}

static bool state_clear(struct sf_context *context, const struct sf_state_name *state)
{
    struct batch_slot *slot = state_may_change(context) ? slot_of(batch_of(context), state) : NULL;
    if (!slot)
        return false;
    slot->now.has_value = false;
    slot->is_changed = true;
    return true;
}

static struct sf_state_cache *state_cache(struct sf_context *context, const struct sf_state *state)
{
    struct batch *batch = batch_of(context);
    struct batch_cache *cache = batch->caches;
    while (cache && strcmp(cache->state->name, state->name) != 0)
        cache = cache->next;
    if (!cache) {
        cache = arena_take(&batch->arena, sizeof *cache);
        *cache = (struct batch_cache){.next = batch->caches, .state = state};
        batch->caches = cache;
    }
    return &cache->is;
}

static bool save_caches(struct batch *batch)
{
    for (struct batch_cache *cache = batch->caches; cache; cache = cache->next)
        if (cache->is.save && !cache->is.save(&batch->context, cache->state, cache->is.object))
            return false;
    return true;
}

/* --- messages --- */

static bool make_target(struct batch *batch, const struct sf_target *target,
                        struct bytes *ret_address)
{
    struct sf_status status;
    return target_make(&batch->types, target, &batch->arena, ret_address, &status) ||
           batch_fail(batch, status.message);
}

void batch_add_message(struct batch *batch, struct bytes target, struct bytes argument)
{
    struct from_function *reply = &batch->reply;
    struct outgoing_message *message =
        ADD(batch, reply->messages, reply->message_count, batch->message_capacity);
    *message = (struct outgoing_message){
        .target = target,
        .argument = arena_add_bytes(&batch->arena, argument),
    };
}

static uint8_t *message_space(struct batch *batch, size_t target_size, size_t body_size,
                              struct message **ret_message)
{
    const struct batch_world *world = batch->world;
    *ret_message = NULL;
    return world->message_new
               ? world->message_new(world->owner, target_size, body_size, ret_message)
               : arena_take(&batch->arena, target_size + body_size);
}

static void free_messages(struct batch *batch)
{
    const struct outgoing_message *messages = batch->reply.messages;
    for (size_t i = 0; i < batch->reply.message_count; i++)
        if (messages[i].ready)
            batch->world->message_free(messages[i].ready);
}

/* Target and body are written as they will wait and travel. */
HINT_APART static bool send_any(struct batch *batch, const struct sf_target *target,
                                const struct sf_encoded *value)
{
    struct from_function *reply = &batch->reply;
    struct bytes id = bytes_from_sf(target->id), type = bytes_from_sf(value->type),
                 bytes = bytes_from_sf(value->value), type_sent_to;
    struct sf_status status;
    if (!target_type(&batch->types, target, &type_sent_to, &status))
        return batch_fail(batch, status.message);

    size_t target_size = address_size(type_sent_to, id);
    size_t argument_size = typed_value_size(type.size, bytes.size);
    size_t body_size = message_body_size(batch->self.size, argument_size);
    struct outgoing_message *message =
        ADD(batch, reply->messages, reply->message_count, batch->message_capacity);
    uint8_t *to = message_space(batch, target_size, body_size, &message->ready);
    message->target = bytes_make(to, target_size);
    to = message_body_begin(address_put(to, type_sent_to, id), batch->self, argument_size);
    message->argument = bytes_make(to, argument_size);
    (void)typed_value_put(to, type, bytes);
    return true;
}

/* Nearly always the type is the one that was sent to last, and nothing is long: then it needs no
 * more than to be written. What is read again of `target` and `value` need not be kept meanwhile.
 */
static bool send(struct sf_context *context, const struct sf_target *target,
                 const struct sf_encoded *value)
{
    struct batch *batch = batch_of(context);
    struct from_function *reply = &batch->reply;
    struct bytes id = bytes_from_sf(target->id);
    size_t argument_size = typed_value_short_size(value->type.size, value->value.size);
    size_t target_size = batch->types.type.size + PB_SHORT_HEAD + id.size;
    if (!value->type.size || !id.size || id.size >= PB_SHORT || batch->self.size >= PB_SHORT ||
        argument_size >= PB_SHORT || target_size > ADDRESS_BYTES_MAX ||
        !target_type_is_last(&batch->types, target) || !bytes_are_utf8(id))
        return send_any(batch, target, value);

    size_t body_size = PB_SHORT_HEAD + batch->self.size + PB_SHORT_HEAD + argument_size;
    struct outgoing_message *message =
        ADD(batch, reply->messages, reply->message_count, batch->message_capacity);
    uint8_t *to = message_space(batch, target_size, body_size, &message->ready);
    message->target = bytes_make(to, target_size);
    to = pb_put_short(bytes_put(to, batch->types.type), ADDRESS_ID, bytes_from_sf(target->id));
    to = pb_put_short(to, INVOCATION_CALLER, batch->self);
    to = pb_put_short_head(to, INVOCATION_ARGUMENT, argument_size);
    message->argument = bytes_make(to, argument_size);
    (void)typed_value_put_short(to, bytes_from_sf(value->type), bytes_from_sf(value->value));
    return true;
}

static struct delayed_message *add_delayed(struct batch *batch)
{
    struct from_function *reply = &batch->reply;
    struct delayed_message *delayed =
        ADD(batch, reply->delayed, reply->delayed_count, batch->delayed_capacity);
    *delayed = (struct delayed_message){0};
    return delayed;
}

static bool check_token(struct batch *batch, struct sf_bytes token)
{
    return bytes_are_utf8(bytes_from_sf(token)) ||
           batch_fail(batch, "a cancellation token is not UTF-8");
}

static bool send_after(struct sf_context *context, int64_t delay_ms, struct sf_bytes token,
                       const struct sf_target *target, const struct sf_encoded *value)
{
    struct batch *batch = batch_of(context);
    struct bytes address;
    if (!check_token(batch, token) || !make_target(batch, target, &address))
        return false;
    struct delayed_message *delayed = add_delayed(batch);
    delayed->delay_ms = delay_ms;
    delayed->token = arena_add_bytes(&batch->arena, bytes_from_sf(token));
    delayed->target = address;
    delayed->argument = value_in_arena(&batch->arena, value);
    return true;
}

static bool cancel(struct sf_context *context, struct sf_bytes token)
{
    struct batch *batch = batch_of(context);
    if (!check_token(batch, token))
        return false;
    struct delayed_message *delayed = add_delayed(batch);
    delayed->is_cancellation = true;
    delayed->token = arena_add_bytes(&batch->arena, bytes_from_sf(token));
    return true;
}

static bool send_egress(struct sf_context *context, struct sf_bytes egress,
                        const struct sf_encoded *value)
{
    struct batch *batch = batch_of(context);
    struct from_function *reply = &batch->reply;
    struct bytes ns, name, id = arena_add_bytes(&batch->arena, bytes_from_sf(egress));
    if (!bytes_are_utf8(id) || !typename_split(id, &ns, &name)) {
        struct sf_status status;
        (void)sf_fail(&status, SF_INVALID, "egress '%.*s': expected namespace/name", BYTES_ARG(id));
        return batch_fail(batch, status.message);
    }
    struct egress_message *message =
        ADD(batch, reply->egresses, reply->egress_count, batch->egress_capacity);
    *message = (struct egress_message){ns, name, value_in_arena(&batch->arena, value)};
    return true;
}

/* --- the world --- */

static struct sf_async *async_begin(struct sf_context *context, const struct sf_encoded *metadata)
{
    struct batch *batch = batch_of(context);
    if (!batch->world->async_begin) {
        (void)batch_fail(batch, "there are no asynchronous operations here");
        return NULL;
    }
    return batch->world->async_begin(batch->world->owner, batch,
                                     value_in_arena(&batch->arena, metadata));
}

static void log_text(struct sf_context *context, enum sf_level level, const char *text)
{
    struct batch *batch = batch_of(context);
    if (batch->world->log)
        batch->world->log(batch->world->owner, batch->self, level, text);
}

static void count(struct sf_context *context, const char *counter, int64_t by)
{
    struct batch *batch = batch_of(context);
    if (batch->world->count)
        batch->world->count(batch->world->owner, address_known(batch->self).type, counter, by);
}

static const struct sf_host calling = {
    .size = sizeof calling,
    .alloc = alloc,
    .fail = fail,
    .self = self,
    .caller = caller,
    .user = user,
    .now_ms = now_ms,
    .state_get = state_get,
    .state_set = state_set,
    .state_clear = state_clear,
    .state_cache = state_cache,
    .send = send,
    .send_after = send_after,
    .cancel = cancel,
    .send_egress = send_egress,
    .async_begin = async_begin,
    .log = log_text,
    .count = count,
    .state_read = state_read,
    .state_write = state_write,
};

/* --- the batch --- */

void batch_init(struct batch *batch, const struct batch_world *world)
{
    *batch = (struct batch){.context.host = &calling, .world = world};
}

void batch_destroy(struct batch *batch)
{
    free_messages(batch);
    for (struct batch_states *next; batch->states; batch->states = next) {
        next = batch->states->next;
        free(batch->states);
    }
    target_types_destroy(&batch->types);
    arena_destroy(&batch->arena);
}

/* Of the last reply only what has been counted is there. */
static void begin_reply(struct batch *batch)
{
    struct from_function *reply = &batch->reply;
    reply->is_incomplete = false;
    reply->version = 0;
    reply->missing_count = reply->mutation_count = reply->message_count = 0;
    reply->delayed_count = reply->egress_count = 0;
    reply->messages = batch->few_messages;
    batch->message_capacity = BATCH_FEW_MESSAGES;
    batch->missing_capacity = batch->delayed_capacity = batch->egress_capacity = 0;
}

static inline void begin(struct batch *batch, const struct sf_function *function,
                         const struct to_function *request, int64_t time_ms)
{
    free_messages(batch);
    arena_clear(&batch->arena);
    begin_reply(batch);
    batch->context.host = &calling;
    batch->function = function;
    batch->now_ms = time_ms;
    batch->self = request->target;
    batch->caches = NULL;
    batch->self_type = NULL;
    batch->has_failed = batch->is_look = batch->is_frozen = false;
    batch->slot_count = request->state_count;
}

/* What the function has returned is not all that there is to its end. */
HINT_APART static bool end_call(struct batch *batch, bool good)
{
    if (batch->reply.is_incomplete) { /* if it has failed, then perhaps for want of that state */
        batch->has_failed = false;
        return true;
    }
    if (batch->has_failed)
        return false;
    if (!good)
        return batch_fail(batch, "the function returned false");
    good = save_caches(batch) && !batch->has_failed;
    batch->caches = NULL;
    return good;
}

static inline bool call_with(struct batch *batch, const struct typed_value *value)
{
    struct sf_message message = {bytes_to_sf(value->type), bytes_to_sf(value->value),
                                 value->has_value};
    bool good = batch->function->call(&batch->context, &message);
    bool is_over = !batch->caches && !batch->has_failed && !batch->reply.is_incomplete;
    return (good && is_over) || end_call(batch, good);
}

static inline bool call(struct batch *batch, struct bytes body)
{
    struct bytes argument;
    struct typed_value value;
    if (!message_body_parse(body, &batch->caller, &argument) || !typed_value_view(argument, &value))
        return batch_fail(batch, "the message is malformed");
    return call_with(batch, &value);
}

HINT_APART static void add_mutations(struct batch *batch)
{
    struct from_function *reply = &batch->reply;
    for (size_t i = 0; i < batch->slot_count; i++) {
        const struct batch_slot *slot = &batch->slots[i];
        if (!slot->is_changed)
            continue;
        if (!reply->mutation_count)
            reply->mutations =
                arena_take(&batch->arena, batch->slot_count * sizeof *reply->mutations);
        reply->mutations[reply->mutation_count++] = (struct state_mutation){
            .name = slot->name,
            .kind = slot->now.has_value ? MUTATION_MODIFY : MUTATION_DELETE,
            .value = slot->now.has_value ? slot->now : (struct typed_value){.has_value = false},
        };
    }
}

static struct batch_states *states_new(const struct sf_state *const *declared)
{
    size_t count = 0;
    while (declared[count])
        count++;
    struct batch_states *states = mem_new(sizeof *states + count * sizeof *states->is);
    states->declared = declared;
    states->count = count;
    for (size_t i = 0; i < count; i++)
        states->is[i] = state_name_of(declared[i]);
    return states;
}

/* They outlive their function, and it the batch: names are measured once. */
static const struct batch_states *states_of(struct batch *batch,
                                            const struct sf_state *const *declared)
{
    struct batch_states *states = batch->states;
    while (states && states->declared != declared)
        states = states->next;
    if (!states) {
        states = states_new(declared);
        states->next = batch->states;
        batch->states = states;
    }
    return states;
}

static void begin_slots(struct batch *batch, const struct to_function *request)
{
    batch->slots = arena_take(&batch->arena, request->state_count * sizeof *batch->slots);
    for (size_t i = 0; i < request->state_count; i++)
        slot_init(&batch->slots[i], request->states[i].name, &request->states[i]);
}

/* The states that the function declares must all be at hand before it is called. As a rule they
 * came in that order. */
static void find_declared(struct batch *batch)
{
    const struct batch_states *states = states_of(batch, batch->function->states);
    for (size_t i = 0; i < states->count; i++) {
        const struct sf_state_name *is = &states->is[i];
        struct bytes name = bytes_from_sf(is->name);
        bool is_there = i < batch->slot_count && bytes_equal(batch->slots[i].name, name);
        struct batch_slot *slot = is_there ? &batch->slots[i] : find_slot(batch, name);
        if (slot) {
            slot->state = states->declared[i];
            slot->is = is;
        } else {
            ask_for(batch, is);
        }
    }
}

HINT_APART static void begin_states(struct batch *batch, const struct to_function *request)
{
    begin_slots(batch, request);
    if (batch->function->states)
        find_declared(batch);
}

HINT_SELDOM static bool give_failure(const struct batch *batch, struct sf_status *status)
{
    if (status)
        *status = batch->failure;
    return false;
}

bool batch_run(struct batch *batch, const struct sf_function *function,
               const struct to_function *request, int64_t time_ms,
               const struct from_function **ret_reply, struct sf_status *status)
{
    begin(batch, function, request, time_ms);
    if (request->state_count || function->states)
        begin_states(batch, request);
    for (size_t i = 0; i < request->message_count && !batch->reply.is_incomplete; i++)
        if (!call(batch, request->messages[i]))
            return give_failure(batch, status);
    if (batch->slot_count && !batch->reply.is_incomplete)
        add_mutations(batch);
    *ret_reply = &batch->reply;
    return true;
}

/* --- looking --- */

static bool refuse_effect(struct sf_context *context)
{
    return fail(context, "outside a call there are states only");
}

static bool refuse_send(struct sf_context *context, const struct sf_target *target,
                        const struct sf_encoded *value)
{
    (void)target, (void)value;
    return refuse_effect(context);
}

static bool refuse_send_after(struct sf_context *context, int64_t delay_ms, struct sf_bytes token,
                              const struct sf_target *target, const struct sf_encoded *value)
{
    (void)delay_ms, (void)token, (void)target, (void)value;
    return refuse_effect(context);
}

static bool refuse_cancel(struct sf_context *context, struct sf_bytes token)
{
    (void)token;
    return refuse_effect(context);
}

static bool refuse_egress(struct sf_context *context, struct sf_bytes egress,
                          const struct sf_encoded *value)
{
    (void)egress, (void)value;
    return refuse_effect(context);
}

static struct sf_async *refuse_async(struct sf_context *context, const struct sf_encoded *metadata)
{
    (void)metadata;
    (void)refuse_effect(context);
    return NULL;
}

static const struct sf_host looking = {
    .size = sizeof looking,
    .alloc = alloc,
    .fail = fail,
    .self = self,
    .caller = caller,
    .user = user,
    .now_ms = now_ms,
    .state_get = state_get,
    .state_set = state_set,
    .state_clear = state_clear,
    .state_cache = state_cache,
    .send = refuse_send,
    .send_after = refuse_send_after,
    .cancel = refuse_cancel,
    .send_egress = refuse_egress,
    .async_begin = refuse_async,
    .log = log_text,
    .count = count,
    .state_may_change = state_may_change,
    .state_read = state_read,
    .state_write = state_write,
};

struct sf_context *batch_look(struct batch *batch, const struct sf_function *function,
                              const struct to_function *request, int64_t time_ms, bool is_frozen)
{
    static const struct sf_function nothing = {.type = ""};
    begin(batch, function ? function : &nothing, request, time_ms);
    begin_slots(batch, request);
    batch->slot_capacity = batch->slot_count;
    batch->caller = (struct bytes){0};
    batch->is_look = true;
    batch->is_frozen = is_frozen;
    batch->context.host = &looking;
    return &batch->context;
}

bool batch_look_end(struct batch *batch, const struct from_function **ret_reply,
                    struct sf_status *status)
{
    if (batch->has_failed || !save_caches(batch) || batch->has_failed)
        return give_failure(batch, status);
    add_mutations(batch);
    *ret_reply = &batch->reply;
    return true;
}
