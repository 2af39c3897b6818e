/* durable.h - which epoch is the last durable one, as far as a lane can know. */
#ifndef INGRESS_DURABLE_H
#define INGRESS_DURABLE_H

#include "engine/engine.h"

/* For every epoch there is one call that says it is durable, which may come when the next one is
 * sealed already; but an epoch that is sealed shows that the one before it is durable. `known` is
 * what this gave the last time, engine_epoch - 1 at the beginning. */
static inline uint64_t durable_epoch_next(uint64_t known, const struct engine *engine)
{
    uint64_t open = engine_epoch(engine);
    known++;
    if (known + 2 < open)
        known = open - 2;
    return known >= open ? open - 1 : known;
}

#endif
