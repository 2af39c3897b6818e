/* module_ingress.h - ingresses that embedded modules bind: C functions that read from wherever they
 * want, with their positions in the epochs.
 *
 * Each partition has a thread of its own, on which `run` is called, and belongs to one worker:
 * number modulo workers. What `run` emits is copied into a queue with a limit in bytes; where that
 * is reached, it blocks. The worker's lane takes records from the queue through the routers into
 * the engine, so the messages of a record and the position behind it are in one epoch.
 *
 * A `run` that fails is called again after a pause, when all that it has emitted was accepted: then
 * the position of the last record that it emitted is the one that counts. */
#ifndef INGRESS_MODULE_INGRESS_H
#define INGRESS_MODULE_INGRESS_H

#include "engine/engine.h"
#include "loop/loop.h"
#include "sdk/registry.h"

struct routers;

struct module_ingress;
struct module_lane;

struct module_ingress_options {
    const struct sf_ingress *ingress; /* must outlive it, as must the registry with its routers */
    const struct registry *registry;
    uint32_t workers;
    size_t queue_bytes; /* of each partition; 0: the default */
};

struct module_ingress *module_ingress_new(const struct module_ingress_options *options);

/* Calls `run` of every partition, once all lanes are there. False if there can be no more threads.
 */
SF_CHECK bool module_ingress_start(struct module_ingress *ingress, struct sf_status *status);

/* Any thread: from now on emitting and pausing return false. Does not wait. */
void module_ingress_stop(struct module_ingress *ingress);

/* After its lanes. Waits for its threads, though not for ever: one that has not returned by then is
 * left behind, with what it needs. NULL is fine. */
void module_ingress_close(struct module_ingress *ingress);

/* One worker's share of an ingress; all on the worker's thread. */
struct module_lane *module_lane_new(struct module_ingress *ingress, uint32_t worker,
                                    struct loop *loop, struct engine *engine);
void module_lane_room(struct module_lane *lane); /* ports.room: offer what was refused */
void module_lane_stop(struct module_lane *lane); /* accepts no more records */
void module_lane_free(struct module_lane *lane); /* NULL is fine */

struct module_lane_figures {
    uint32_t partition;
    uint64_t records, bytes; /* that were accepted, and of their values */
    uint64_t rejected;       /* made a router fail */
    uint64_t failures;       /* of `run` */
    bool waits_for_room;
};
void module_lane_each(const struct module_lane *lane,
                      void (*visit)(void *owner, const struct module_lane_figures *figures),
                      void *owner);
const struct routers *module_lane_routers(const struct module_lane *lane);

#endif
