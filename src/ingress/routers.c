/* routers.c - what routers forward, as the engine takes it. */
#include "ingress/routers.h"

#include "base/mem.h"

void routers_init(struct routers *routers, const struct registry *registry, const char *ingress)
{
    *routers = (struct routers){
        .registry = registry && route_exists(registry, ingress) ? registry : NULL,
        .ingress = ingress,
    };
    route_init(&routers->route);
}

void routers_destroy(struct routers *routers)
{
    route_destroy(&routers->route);
    free(routers->messages);
}

bool routers_run(struct routers *routers, const struct sf_record *from, struct record *to,
                 struct sf_status *status)
{
    const struct route *route = &routers->route;
    if (!route_run(&routers->route, routers->registry, routers->ingress, from, status))
        return false;
    if (route->count > routers->capacity) {
        routers->capacity = route->count;
        routers->messages =
            mem_resize(routers->messages, routers->capacity * sizeof *routers->messages);
    }
    for (size_t i = 0; i < route->count; i++)
        routers->messages[i] =
            (struct record_message){route->messages[i].target.wire, route->messages[i].argument};
    to->messages = routers->messages;
    to->message_count = route->count;
    return true;
}
