/* routers.h - the routers of one ingress, on one worker's thread: from a record to the messages
 * that go into the engine with its position. */
#ifndef INGRESS_ROUTERS_H
#define INGRESS_ROUTERS_H

#include "engine/engine.h"
#include "sdk/counts.h"
#include "sdk/route.h"

struct routers {
    const struct registry *registry; /* NULL: no module binds one to this ingress */
    const char *ingress;
    struct route route;
    struct counts counts; /* of sf_count_route */
    struct record_message *messages;
    size_t capacity;
};

/* `registry` may be NULL; it and `ingress` ("namespace/name") must outlive the routers, which stay
 * where they are. */
void routers_init(struct routers *routers, const struct registry *registry, const char *ingress);
void routers_destroy(struct routers *routers);

static inline bool routers_exist(const struct routers *routers)
{
    return routers->registry != NULL;
}

/* Adds the messages that the routers make of `from`; they live until the next call. False: a router
 * has failed, and `to` is as it was. */
SF_CHECK bool routers_run(struct routers *routers, const struct sf_record *from, struct record *to,
                          struct sf_status *status);

#endif
