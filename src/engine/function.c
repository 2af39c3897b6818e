/* function.c - function types: found by name, and the states that they have declared.
 *
 * A type is made when its first message comes, since a binding may stand for a whole namespace.
 * State specs are learnt from functions (protocol.md 6) and kept in the store, so that a restart
 * need not ask again. A remembered spec is only a hint, though: the function may have been changed
 * meanwhile. When a reply contradicts it, it is forgotten, and the next request leaves that state
 * out, so that the function declares it anew. */
#include "engine/inside.h"

static const struct function_binding *find_binding(const struct bindings *bindings, struct bytes ns,
                                                   struct bytes name)
{
    const struct function_binding *best = NULL;
    for (size_t i = 0; i < bindings->function_count; i++) {
        const struct function_binding *binding = &bindings->functions[i];
        if (!bytes_equal(binding->ns, ns))
            continue;
        if (!binding->is_prefix && bytes_equal(binding->name, name))
            return binding;
        if (binding->is_prefix && bytes_starts_with(name, binding->name) &&
            (!best || binding->name.size > best->name.size))
            best = binding;
    }
    return best;
}

static struct function_type *find_known(struct engine *engine, struct bytes wire, uint64_t hash)
{
    for (struct map_node *node = map_find(&engine->types, hash); node; node = map_same(node)) {
        struct function_type *type = container_of(node, struct function_type, by_name);
        if (bytes_equal(type->wire, wire))
            return type;
    }
    return NULL;
}

static struct function_type *function_new(struct engine *engine,
                                          const struct function_binding *binding,
                                          const struct address *named, uint64_t hash)
{
    /* Whoever may send to a namespace that is bound as a whole must not be able to fill memory. */
    enum { TYPES_MAX = 10 * 1000 };
    const struct ports *ports = &engine->options.ports;
    void *handle = engine->types.count < TYPES_MAX
                       ? ports->attach(ports->owner, binding, named->ns, named->name)
                       : NULL;
    if (!handle)
        return NULL;

    struct bytes wire = named->type;
    struct function_type *type = mem_new(sizeof *type);
    struct address address = {0};
    uint8_t *copy = mem_new_raw(wire.size);

    if (wire.size)
        memcpy(copy, wire.data, wire.size);
    (void)address_parse(bytes_make(copy, wire.size), &address);
    type->wire = address.wire;
    type->ns = address.ns;
    type->name = address.name;
    type->seed = hash;
    type->figures.ns = address.ns;
    type->figures.name = address.name;
    type->binding = binding;
    type->handle = handle;
    type->allowed = binding->in_flight_max;
    type->proven = binding->needs_no_proof;
    list_init(&type->turn);
    list_init(&type->ready);
    list_init(&type->parked);
    list_put_last(&engine->functions, &type->all);
    map_put(&engine->types, &type->by_name, hash);
    return type;
}

struct function_type *function_find(struct engine *engine, const struct address *address)
{
    struct function_type *type = engine->last_type;
    if (type && bytes_equal(type->wire, address->type))
        return type;
    uint64_t hash = hash_seeded(address->type, engine->options.hash_seed);
    type = find_known(engine, address->type, hash);
    if (type) {
        engine->last_type = type;
        return type;
    }

    const struct function_binding *binding =
        find_binding(engine->options.bindings, address->ns, address->name);
    return binding ? function_new(engine, binding, address, hash) : NULL;
}

HINT_APART struct function_type *function_find_any(struct engine *engine, struct bytes wire)
{
    struct address address = address_known(wire);
    return function_find(engine, &address);
}

struct function_type *function_find_named(struct engine *engine, struct bytes type_wire)
{
    struct address address;
    return address_parse(type_wire, &address) ? function_find(engine, &address) : NULL;
}

void function_free(struct function_type *type)
{
    for (size_t i = 0; i < type->spec_count; i++) {
        free((void *)type->specs[i].is.name.data);
        free((void *)type->specs[i].is.type.data);
    }
    free(type->specs);
    free((void *)type->wire.data);
    free(type);
}

static struct bytes owned(struct bytes bytes)
{
    return bytes_make(bytes_string(bytes), bytes.size);
}

static struct spec *add_spec(struct function_type *type, const struct state_spec *is)
{
    type->specs = mem_resize(type->specs, (type->spec_count + 1) * sizeof *type->specs);
    struct spec *spec = &type->specs[type->spec_count++];
    *spec = (struct spec){.is = *is, .generation = 1};
    spec->is.name = owned(is->name);
    spec->is.type = owned(is->type);
    return spec;
}

/* Whoever names states from outside must not be able to fill memory: each takes a slot in every
 * instance. */
enum { UNDECLARED_STATES_MAX = 100 };

bool function_may_name_state(struct function_type *type, struct bytes name)
{
    return function_find_spec(type, name) || type->undeclared < UNDECLARED_STATES_MAX;
}

struct spec *function_name_state(struct function_type *type, struct bytes name)
{
    struct spec *spec = function_find_spec(type, name);
    if (spec)
        return spec;
    spec = add_spec(type, &(struct state_spec){.name = name});
    spec->forgotten = true;
    type->undeclared++;
    return spec;
}

uint64_t spec_deadline(const struct spec *spec, uint64_t now_ms)
{
    return spec->is.mode == EXPIRE_NONE ? 0 : now_ms + (uint64_t)spec->is.expire_after_ms;
}

/* Typenames of states are parsed, unlike those of messages: protocol.md 6. Trailing slashes are
 * dropped. */
static bool parse_typename(struct bytes text, struct bytes *ret_typename)
{
    while (text.size && text.data[text.size - 1] == '/')
        text.size--;
    const uint8_t *slash = text.size ? memchr(text.data, '/', text.size) : NULL;
    if (!slash || memchr(slash + 1, '/', text.size - (size_t)(slash + 1 - text.data)))
        return false;
    *ret_typename = text;
    return true;
}

static bool judge_spec(const struct state_spec *given, struct state_spec *ret_spec,
                       struct sf_status *status)
{
    *ret_spec = *given;
    if (given->name.size > STATE_NAME_BYTES_MAX)
        return sf_fail(status, SF_INVALID, "the name of a state has %zu bytes, the most is %d",
                       given->name.size, STATE_NAME_BYTES_MAX);
    if (!given->type.size)
        ret_spec->type = bytes_of(TYPE_UNSET);
    else if (!parse_typename(given->type, &ret_spec->type))
        return sf_fail(status, SF_INVALID,
                       "state '%.*s' has type '%.*s', expected <namespace>/<name>",
                       BYTES_ARG(given->name), BYTES_ARG(given->type));
    if (given->mode != EXPIRE_NONE && given->expire_after_ms <= 0)
        return sf_fail(status, SF_INVALID,
                       "state '%.*s' expires after %lld ms, expected more than 0",
                       BYTES_ARG(given->name), (long long)given->expire_after_ms);
    if (given->mode == EXPIRE_NONE)
        ret_spec->expire_after_ms = 0;
    return true;
}

static void save_spec(struct engine *engine, const struct function_type *type,
                      const struct spec *spec)
{
    struct bytes key = key_of_spec(&engine->key, type->wire, spec->is.name);
    buffer_clear(&engine->value);
    stored_spec_add(&engine->value, &spec->is);
    delta_put(engine->open, key, buffer_bytes(&engine->value));
}

bool function_declare(struct engine *engine, struct function_type *type,
                      const struct state_spec *given, bool *ret_new, struct sf_status *status)
{
    struct state_spec wanted;
    if (!judge_spec(given, &wanted, status))
        return false;

    *ret_new = true;
    struct spec *spec = function_find_spec(type, wanted.name);
    if (!spec) {
        save_spec(engine, type, add_spec(type, &wanted));
        return true;
    }

    bool same_type = bytes_equal(spec->is.type, wanted.type);
    if (!spec->remembered && !spec->forgotten) {
        /* Known from this run: the first registration wins, a different expiration is ignored. */
        *ret_new = false;
        return same_type ||
               sf_fail(status, SF_INVALID,
                       "state '%.*s' was declared with type '%.*s', now with type '%.*s'",
                       BYTES_ARG(wanted.name), BYTES_ARG(spec->is.type), BYTES_ARG(wanted.type));
    }

    if (!same_type) {
        free((void *)spec->is.type.data);
        spec->is.type = owned(wanted.type);
        spec->generation++;
    }
    spec->is.mode = wanted.mode;
    spec->is.expire_after_ms = wanted.expire_after_ms;
    *ret_new = spec->forgotten;
    spec->remembered = false;
    spec->forgotten = false;
    save_spec(engine, type, spec);
    return true;
}

void function_restore_spec(struct engine *engine, struct bytes type_wire,
                           const struct state_spec *is)
{
    struct function_type *type = function_find_named(engine, type_wire);
    if (!type || !engine->options.remember_specs)
        return; /* not bound in this run; the spec stays in the store for a later one */
    struct spec *spec = add_spec(type, is);
    spec->remembered = true;
    type->proven = true;
}

void function_forget(struct spec *spec)
{
    spec->forgotten = true;
    spec->remembered = false;
}

/* Until a function has answered once, and while its endpoint is out, one invocation at a time: the
 * first to learn its states without asking hundreds of times (protocol.md 15), the second to probe.
 */
static size_t in_flight_limit(const struct function_type *type)
{
    return type->proven && type->outage_failures == 0 ? type->allowed : 1;
}

HINT_APART void function_update_turn(struct engine *engine, struct function_type *type)
{
    bool wants_to = !list_is_empty(&type->ready) && !heap_holds(&type->retry);
    bool has_leave = type->in_flight < in_flight_limit(type);
    bool may_run = wants_to && has_leave;
    engine->crowded -= type->crowded;
    type->crowded = wants_to && !has_leave;
    engine->crowded += type->crowded;
    if (may_run == !list_is_empty(&type->turn))
        return;
    if (may_run)
        list_put_last(&engine->runnable, &type->turn);
    else
        list_take(&type->turn);
}

void engine_allow(struct engine *engine, const void *function, size_t in_flight_max)
{
    assert(in_flight_max > 0);
    list_for_each (&engine->functions, node) {
        struct function_type *type = container_of(node, struct function_type, all);
        if (type->handle != function)
            continue;
        size_t most = type->binding->in_flight_max;
        type->allowed = in_flight_max < most ? in_flight_max : most;
        function_update_turn(engine, type);
    }
}
