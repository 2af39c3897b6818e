/* registry.c - names are bound once; patterns are resolved by the longest prefix. */
#include "sdk/registry.h"

#include "base/list.h"
#include "base/mem.h"
#include "sdk/value.h"
#include "wire/invocation.h"

#include <stdlib.h>

bool typename_split(struct bytes text, struct bytes *ret_ns, struct bytes *ret_name)
{
    const uint8_t *slash = text.size ? memchr(text.data, '/', text.size) : NULL;
    if (!slash || slash == text.data)
        return false;
    size_t at = (size_t)(slash - text.data);
    *ret_ns = bytes_make(text.data, at);
    *ret_name = bytes_from(text, at + 1);
    return ret_name->size && !memchr(ret_name->data, '/', ret_name->size);
}

const char *config_of_list(void *owner, const char *key)
{
    const char *const *list = owner;
    size_t size = strlen(key);
    for (; list && *list; list++)
        if (!strncmp(*list, key, size) && (*list)[size] == '=')
            return *list + size + 1;
    return NULL;
}

bool config_copy(const char *const *list, char ***ret_copy, struct sf_status *status)
{
    size_t count = 0;
    for (; list && list[count]; count++) {
        const char *equals = strchr(list[count], '=');
        if (!equals || equals == list[count])
            return sf_fail(status, SF_INVALID, "configuration '%s': expected KEY=VALUE",
                           list[count]);
    }
    char **copy = mem_new((count + 1) * sizeof *copy);
    for (size_t i = 0; i < count; i++)
        copy[i] = mem_string(list[i]);
    *ret_copy = copy;
    return true;
}

void config_free(char **copy)
{
    for (char **item = copy; item && *item; item++)
        free(*item);
    free(copy);
}

static struct registry *registry_of(struct sf_module *module)
{
    return container_of(module, struct registry, module);
}

static bool split_name(const char *what, const char *text, struct bytes *ret_ns,
                       struct bytes *ret_name, struct sf_status *status)
{
    if (!text)
        return sf_fail(status, SF_INVALID, "%s has no name, expected \"namespace/name\"", what);
    return typename_split(bytes_of(text), ret_ns, ret_name) ||
           sf_fail(status, SF_INVALID, "%s '%s': expected \"namespace/name\"", what, text);
}

/* --- functions --- */

/* A letter or _, then letters, digits and _: what all SDKs take. */
static bool is_identifier(struct bytes text)
{
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i], lower = c | 0x20;
        if (c != '_' && !(lower >= 'a' && lower <= 'z') && !(i > 0 && c >= '0' && c <= '9'))
            return false;
    }
    return text.size > 0;
}

bool state_name_check(const struct sf_state_name *state, struct sf_status *status)
{
    struct bytes name = bytes_from_sf(state->name), ns, type;
    if (!is_identifier(name) || name.size > STATE_NAME_BYTES_MAX)
        return sf_fail(status, SF_INVALID,
                       "state '%.*s': expected a name of letters, digits and _, of at most %d",
                       BYTES_ARG(name), STATE_NAME_BYTES_MAX);
    if (!typename_split(bytes_from_sf(state->type), &ns, &type))
        return sf_fail(status, SF_INVALID, "state '%.*s' has type '%.*s', expected namespace/name",
                       BYTES_ARG(name), (int)state->type.size, (const char *)state->type.data);
    return state->expiry == SF_EXPIRE_NEVER || state->expire_ms > 0 ||
           sf_fail(status, SF_INVALID, "state '%.*s' expires after %lld ms, expected more than 0",
                   BYTES_ARG(name), (long long)state->expire_ms);
}

static bool check_states(const struct sf_function *function, struct sf_status *status)
{
    const struct sf_state *const *states = function->states;
    for (size_t i = 0; states && states[i]; i++) {
        const struct sf_state *state = states[i];
        if (!state->name || !*state->name)
            return sf_fail(status, SF_INVALID, "state %zu has no name", i);
        if (!state->type)
            return sf_fail(status, SF_INVALID, "state '%s' has no type", state->name);
        if (state->kind == SF_STATE_TABLE && !state->key)
            return sf_fail(status, SF_INVALID, "table '%s' has no key type", state->name);
        struct sf_state_name name = state_name_of(state);
        if (!state_name_check(&name, status))
            return false;
        for (size_t k = 0; k < i; k++)
            if (!strcmp(states[k]->name, state->name))
                return sf_fail(status, SF_INVALID, "there are two states named '%s'", state->name);
    }
    return true;
}

static bool bind_function(struct sf_module *module, const struct sf_function *function,
                          struct sf_status *status)
{
    struct registry *registry = registry_of(module);
    struct registered_function added = {.function = function, .module = registry->modules};
    if (!split_name("function type", function->type, &added.ns, &added.name, status))
        return false;
    if (!function->call)
        return sf_fail(status, SF_INVALID, "function %s has no `call`", function->type);
    if (!check_states(function, status))
        return sf_wrap(status, "function %s", function->type);
    added.is_prefix = added.name.data[added.name.size - 1] == '*';
    added.name.size -= added.is_prefix;

    for (size_t i = 0; i < registry->function_count; i++)
        if (!strcmp(registry->functions[i].function->type, function->type))
            return sf_fail(status, SF_CONFLICT, "a binding for function type %s exists already",
                           function->type);
    registry->functions =
        mem_resize(registry->functions, (registry->function_count + 1) * sizeof added);
    registry->functions[registry->function_count++] = added;
    return true;
}

static bool serves(const struct registered_function *it, struct bytes ns, struct bytes name)
{
    return bytes_equal(it->ns, ns) &&
           (it->is_prefix ? bytes_starts_with(name, it->name) : bytes_equal(name, it->name));
}

const struct sf_function *registry_find(const struct registry *registry, struct bytes ns,
                                        struct bytes name)
{
    const struct registered_function *best = NULL;
    for (size_t i = 0; i < registry->function_count; i++) {
        const struct registered_function *it = &registry->functions[i];
        if (serves(it, ns, name) &&
            (!best || !it->is_prefix || (best->is_prefix && it->name.size > best->name.size)))
            best = it;
    }
    return best ? best->function : NULL;
}

/* --- what only a runtime has --- */

enum { INGRESS_PARTITIONS_MAX = 1024 }; /* each has a thread */

static bool may_bind(const struct registry *registry, const char *what, struct sf_status *status)
{
    return !registry->options.functions_only ||
           sf_fail(status, SF_UNSUPPORTED, "%s runs functions only: it cannot have %s",
                   registry->options.what_runs, what);
}

static void add_owner(struct registry *registry, const void *what)
{
    registry->owners =
        mem_resize(registry->owners, (registry->owner_count + 1) * sizeof *registry->owners);
    registry->owners[registry->owner_count++] = (struct registered_by){what, registry->modules};
}

uint32_t registry_module_of(const struct registry *registry, const void *what)
{
    size_t i = 0;
    while (i + 1 < registry->owner_count && registry->owners[i].what != what)
        i++;
    return registry->owners[i].module;
}

static bool bind_router(struct sf_module *module, const struct sf_router *router,
                        struct sf_status *status)
{
    struct registry *registry = registry_of(module);
    struct bytes ns, name;
    if (!may_bind(registry, "a router", status) ||
        !split_name("a router's ingress", router->ingress, &ns, &name, status))
        return false;
    if (!router->route)
        return sf_fail(status, SF_INVALID, "the router of %s has no `route`", router->ingress);
    registry->routers =
        mem_resize(registry->routers, (registry->router_count + 1) * sizeof(struct sf_router *));
    registry->routers[registry->router_count++] = router;
    add_owner(registry, router);
    return true;
}

static bool bind_ingress(struct sf_module *module, const struct sf_ingress *ingress,
                         struct sf_status *status)
{
    struct registry *registry = registry_of(module);
    struct bytes ns, name;
    if (!may_bind(registry, "an ingress", status) ||
        !split_name("ingress", ingress->id, &ns, &name, status))
        return false;
    if (!ingress->run)
        return sf_fail(status, SF_INVALID, "ingress %s has no `run`", ingress->id);
    if (ingress->partitions > INGRESS_PARTITIONS_MAX)
        return sf_fail(status, SF_INVALID, "ingress %s has %u partitions, expected at most %d",
                       ingress->id, ingress->partitions, INGRESS_PARTITIONS_MAX);
    for (size_t i = 0; i < registry->ingress_count; i++)
        if (!strcmp(registry->ingresses[i]->id, ingress->id))
            return sf_fail(status, SF_CONFLICT, "a binding for ingress %s exists already",
                           ingress->id);
    registry->ingresses = mem_resize(registry->ingresses,
                                     (registry->ingress_count + 1) * sizeof(struct sf_ingress *));
    registry->ingresses[registry->ingress_count++] = ingress;
    add_owner(registry, ingress);
    return true;
}

static bool bind_egress(struct sf_module *module, const struct sf_egress *egress,
                        struct sf_status *status)
{
    struct registry *registry = registry_of(module);
    struct bytes ns, name;
    if (!may_bind(registry, "an egress", status) ||
        !split_name("egress", egress->id, &ns, &name, status))
        return false;
    if (!egress->deliver)
        return sf_fail(status, SF_INVALID, "egress %s has no `deliver`", egress->id);
    for (size_t i = 0; i < registry->egress_count; i++)
        if (!strcmp(registry->egresses[i]->id, egress->id))
            return sf_fail(status, SF_CONFLICT, "a binding for egress %s exists already",
                           egress->id);
    registry->egresses =
        mem_resize(registry->egresses, (registry->egress_count + 1) * sizeof(struct sf_egress *));
    registry->egresses[registry->egress_count++] = egress;
    add_owner(registry, egress);
    return true;
}

static const char *config(struct sf_module *module, const char *key)
{
    const struct registry_options *options = &registry_of(module)->options;
    return options->config ? options->config(options->owner, key) : NULL;
}

/* --- the registry --- */

static const struct sf_host configuring = {
    .size = sizeof configuring,
    .bind_function = bind_function,
    .bind_router = bind_router,
    .bind_ingress = bind_ingress,
    .bind_egress = bind_egress,
    .config = config,
};

void registry_init(struct registry *registry, const struct registry_options *options)
{
    *registry = (struct registry){.module.host = &configuring, .options = *options};
}

void registry_destroy(struct registry *registry)
{
    free(registry->functions);
    free(registry->routers);
    free(registry->ingresses);
    free(registry->egresses);
    free(registry->owners);
    *registry = (struct registry){0};
}

bool registry_add(struct registry *registry, sf_configure configure, struct sf_status *status)
{
    struct sf_status failure = {.code = SF_INVALID, .message = "it does not say why"};
    bool good = configure(&registry->module, &failure);
    registry->modules++;
    if (!good && status)
        *status = failure;
    return good || sf_wrap(status, "the module's configure function failed");
}
