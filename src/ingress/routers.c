/* routers.c - what routers forward, as the engine takes it. */
#include "ingress/routers.h"

#include "base/mem.h"
#include "sdk/log_level.h"

static void log_text(void *owner, const char *ingress, enum sf_level level, const char *text)
{
    (void)owner;
    LOG_AT(log_level_of(level), text, LOG_TEXT("ingress", ingress));
}

static void count(void *owner, const char *ingress, const char *counter, int64_t by)
{
    struct routers *routers = owner;
    (void)ingress; /* they have one */
    counts_add(&routers->counts, counter, by);
}

void routers_init(struct routers *routers, const struct registry *registry, const char *ingress)
{
    *routers = (struct routers){
        .registry = registry && route_exists(registry, ingress) ? registry : NULL,
        .ingress = ingress,
    };
    route_init(&routers->route,
               (struct route_world){.owner = routers, .log = log_text, .count = count});
}

void routers_destroy(struct routers *routers)
{
    route_destroy(&routers->route);
    counts_destroy(&routers->counts);
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
            (struct record_message){route->messages[i].target, route->messages[i].argument};
    to->messages = routers->messages;
    to->message_count = route->count;
    return true;
}
