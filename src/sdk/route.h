/* route.h - a host for routers: one record in, messages out.
 *
 * The routers of an ingress all see the record, in the order in which they were bound. If one of
 * them fails, the record makes no sense, and nothing of it is sent. One thread at a time. */
#ifndef SDK_ROUTE_H
#define SDK_ROUTE_H

#include "base/arena.h"
#include "sdk/registry.h"
#include "sdk/target.h"

struct routed {
    struct address target;
    struct bytes argument; /* the body of a TypedValue */
};

struct route {
    struct sf_routing routing; /* what routers get */
    struct arena arena;
    struct target_types types;
    struct routed *messages; /* in the order of forwarding */
    size_t count, capacity;
    bool has_failed;
    struct sf_status failure;
};

void route_init(struct route *route);
void route_destroy(struct route *route);

/* Is there a router for this ingress ("namespace/name")? Without one its records go nowhere. */
bool route_exists(const struct registry *registry, const char *ingress);

/* Routes a record. The messages live until the next record. False: it becomes a dead letter, with
 * this cause. */
SF_CHECK bool route_run(struct route *route, const struct registry *registry, const char *ingress,
                        const struct sf_record *record, struct sf_status *status);

#endif
