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
    struct bytes target;   /* canonical address */
    struct bytes argument; /* the body of a TypedValue */
};

/* What stands around it. */
struct route_world {
    void *owner;
    void (*log)(void *owner, const char *ingress, enum sf_level level, const char *text);
    void (*count)(void *owner, const char *ingress, const char *counter, int64_t by);
};

struct route {
    struct sf_routing routing; /* what routers get */
    struct route_world world;
    const char *ingress; /* of the present record */
    struct arena arena;
    struct target_types types;
    struct routed *messages; /* in the order of forwarding */
    size_t count, capacity;
    bool has_failed;
    struct sf_status failure;
};

void route_init(struct route *route, struct route_world world);
void route_destroy(struct route *route);

/* Is there a router for this ingress ("namespace/name")? Without one its records go nowhere. */
bool route_exists(const struct registry *registry, const char *ingress);

/* Routes a record. The messages live until the next record. False: it becomes a dead letter, with
 * this cause. */
SF_CHECK bool route_run(struct route *route, const struct registry *registry, const char *ingress,
                        const struct sf_record *record, struct sf_status *status);

#endif
