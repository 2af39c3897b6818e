/* change.c - changes from outside: into their mailbox, and carried out when their turn has come.
 *
 * A change is ordered with the invocations of its address as a message is, but it needs no
 * function: an instance whose oldest message is a change stands in engine->changing, where neither
 * the limits of its function nor an endpoint that is out hold it up.
 *
 * A state that no function has declared yet gets a spec that is not sent to functions (`forgotten`)
 * until one declares it, so that its value has a slot from the start. */
#include "engine/change.h"

#include "engine/inside.h"

enum { CHANGE_STATE = 1, CHANGE_VALUE = 2, CHANGE_DEADLINE = 3 };

/* --- bodies --- */

void change_add(struct buffer *body, const struct state_change *change)
{
    struct buffer value = {0}, message = {0};
    pb_add_bytes(&message, CHANGE_STATE, change->state);
    if (!change->is_delete) {
        typed_value_add(&value, &change->value);
        pb_add_bytes(&message, CHANGE_VALUE, buffer_bytes(&value));
    }
    if (change->deadline)
        pb_add_uint(&message, CHANGE_DEADLINE, change->deadline);
    pb_add_bytes(body, BODY_CHANGE, buffer_bytes(&message));
    buffer_destroy(&value);
    buffer_destroy(&message);
}

bool change_parse(struct bytes body, struct state_change *ret_change)
{
    struct pb_reader outer = pb_read(body);
    struct pb_field field;
    if (!pb_next(&outer, &field) || field.number != BODY_CHANGE || field.type != PB_BYTES)
        return false;

    struct state_change change = {.is_delete = true};
    struct pb_reader reader = pb_read(field.bytes);
    while (pb_next(&reader, &field)) {
        struct sf_status status;
        if (field.number == CHANGE_STATE && field.type == PB_BYTES) {
            change.state = field.bytes;
        } else if (field.number == CHANGE_VALUE && field.type == PB_BYTES) {
            if (!typed_value_parse(field.bytes, &change.value, &status))
                return false;
            change.is_delete = false;
        } else if (field.number == CHANGE_DEADLINE && field.type == PB_VARINT) {
            change.deadline = field.value;
        }
    }
    *ret_change = change;
    return !reader.failed;
}

/* --- in --- */

enum acceptance engine_change(struct engine *engine, const struct change_request *request)
{
    struct address target;
    struct sf_status status;
    arena_clear(&engine->arena);
    if (!address_make(request->ns, request->name, request->id, &engine->arena, &target, &status))
        return UNKNOWN_TARGET;
    struct function_type *type = function_find(engine, &target);
    if (!type)
        return UNKNOWN_TARGET;
    if (!function_may_name_state(type, request->change.state))
        return TOO_MANY_STATES;
    uint32_t worker = engine_worker_of(engine, target.id);
    if (!request->ahead && !delivery_has_room(engine, worker, type))
        return REFUSED;

    struct buffer body = {0};
    change_add(&body, &request->change);
    struct message *message = message_from_body(target.wire, buffer_bytes(&body));
    buffer_destroy(&body);
    message_add_receipt(message, request->receipt, (struct bytes){0});
    message->receipt->ahead = request->ahead;
    (void)delivery_send(engine, message, type);
    return ACCEPTED;
}

/* --- carrying out --- */

static struct state_change first_change(const struct instance *instance)
{
    struct state_change change;
    bool good =
        change_parse(message_body(list_first(&instance->front, struct message, place)), &change);
    assert(good);
    return change;
}

void change_prepare(struct instance *instance)
{
    (void)function_name_state(instance->type, first_change(instance).state);
}

/* What a put conflicts with, for whoever waits: the type that was expected, if one is known. */
static enum settlement conflict(struct engine *engine, const struct message *message,
                                const struct spec *spec)
{
    const struct ports *ports = &engine->options.ports;
    struct found_state expected = {.name = spec->is.name,
                                   .type = spec->forgotten ? (struct bytes){0} : spec->is.type};
    if (message->receipt)
        ports->found(ports->owner, message->receipt->number, &expected, 1);
    return SETTLED_CONFLICT;
}

/* The type that a put without one means: that of the function, or else of the value in place. */
static struct bytes known_type(struct engine *engine, const struct spec *spec,
                               const struct slot *slot)
{
    struct typed_value value;
    struct sf_status status;
    if (!spec->forgotten)
        return spec->is.type;
    if (slot->flags & SLOT_PRESENT &&
        typed_value_parse(bytes_make(slot->value, slot->size), &value, &status))
        return arena_add_bytes(&engine->arena, value.type); /* the slot's memory will be written */
    return (struct bytes){0};
}

static enum settlement put(struct engine *engine, struct instance *instance, struct spec *spec,
                           const struct message *message, const struct state_change *change)
{
    struct bytes type = change->value.type;
    size_t index = (size_t)(spec - instance->type->specs);
    if (!type.size)
        type = known_type(engine, spec, &instance->slots[index]);
    if (!type.size || (!spec->forgotten && !bytes_equal(type, spec->is.type)))
        return conflict(engine, message, spec);

    instance_set_typed(engine, instance, index, type, change->value.value,
                       change->deadline ? change->deadline : spec_deadline(spec, engine->now_ms));
    return SETTLED;
}

static enum settlement take_away(struct engine *engine, struct instance *instance, size_t index)
{
    const struct slot *slot = &instance->slots[index];
    bool was_there =
        slot->flags & SLOT_PRESENT && !(slot->deadline && slot->deadline <= engine->now_ms);
    instance_clear(engine, instance, index);
    return was_there ? SETTLED : SETTLED_ABSENT;
}

void change_carry_out(struct engine *engine, struct instance *instance)
{
    const struct message *message = list_first(&instance->front, struct message, place);
    struct state_change change = first_change(instance);
    struct spec *spec = function_name_state(instance->type, change.state);
    enum settlement settlement =
        change.is_delete ? take_away(engine, instance, (size_t)(spec - instance->type->specs))
                         : put(engine, instance, spec, message, &change);

    if (message->receipt)
        delivery_settle(engine, message->receipt->number, settlement, engine->epoch, engine->epoch);
    instance_drop(engine, instance, 1);
}
