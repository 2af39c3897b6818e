/* route.c - what routers forward is gathered in an array that grows within the arena. */
#include "sdk/route.h"

#include "base/list.h"
#include "sdk/value.h"

static struct route *route_of(struct sf_routing *routing)
{
    return container_of(routing, struct route, routing);
}

static void *alloc(struct sf_routing *routing, size_t size)
{
    return arena_take(&route_of(routing)->arena, size);
}

static bool fail(struct sf_routing *routing, const char *text)
{
    struct route *route = route_of(routing);
    if (!route->has_failed)
        (void)sf_fail(&route->failure, SF_INVALID, "%s", text);
    route->has_failed = true;
    return false;
}

static struct routed *add(struct route *route)
{
    enum { FIRST_CAPACITY = 4 };
    if (route->count == route->capacity) {
        route->capacity = route->capacity ? route->capacity * 2 : FIRST_CAPACITY;
        struct routed *larger = arena_take(&route->arena, route->capacity * sizeof *larger);
        if (route->count)
            memcpy(larger, route->messages, route->count * sizeof *larger);
        route->messages = larger;
    }
    return &route->messages[route->count++];
}

static bool forward(struct sf_routing *routing, const struct sf_target *target,
                    const struct sf_encoded *value)
{
    struct route *route = route_of(routing);
    struct routed routed;
    struct sf_status status;
    if (!target_make(&route->types, target, &route->arena, &routed.target, &status))
        return fail(routing, status.message);

    routed.argument = value_in_arena(&route->arena, value);
    *add(route) = routed;
    return true;
}

static void log_text(struct sf_routing *routing, enum sf_level level, const char *text)
{
    struct route *route = route_of(routing);
    route->world.log(route->world.owner, route->ingress, level, text);
}

static void count(struct sf_routing *routing, const char *counter, int64_t by)
{
    struct route *route = route_of(routing);
    route->world.count(route->world.owner, route->ingress, counter, by);
}

static const struct sf_host routing_host = {
    .size = sizeof routing_host,
    .route_alloc = alloc,
    .forward = forward,
    .fail_route = fail,
    .log_route = log_text,
    .count_route = count,
};

void route_init(struct route *route, struct route_world world)
{
    *route = (struct route){.routing.host = &routing_host, .world = world};
}

void route_destroy(struct route *route)
{
    target_types_destroy(&route->types);
    arena_destroy(&route->arena);
}

bool route_exists(const struct registry *registry, const char *ingress)
{
    for (size_t i = 0; i < registry->router_count; i++)
        if (!strcmp(registry->routers[i]->ingress, ingress))
            return true;
    return false;
}

static bool run_one(struct route *route, const struct sf_router *router,
                    const struct sf_record *record)
{
    bool good = router->route(&route->routing, record, router->user);
    return !route->has_failed && (good || fail(&route->routing, "the router returned false"));
}

bool route_run(struct route *route, const struct registry *registry, const char *ingress,
               const struct sf_record *record, struct sf_status *status)
{
    arena_clear(&route->arena);
    route->messages = NULL;
    route->count = route->capacity = 0;
    route->has_failed = false;
    route->ingress = ingress;
    for (size_t i = 0; i < registry->router_count; i++)
        if (!strcmp(registry->routers[i]->ingress, ingress) &&
            !run_one(route, registry->routers[i], record)) {
            if (status)
                *status = route->failure;
            return false;
        }
    return true;
}
