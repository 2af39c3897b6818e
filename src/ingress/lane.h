/* lane.h - what a worker's shares of ingresses have in common, whatever they read: partitions that
 * are ready or wait for room, and turns that take a bounded number of records.
 *
 *     IDLE ──a letter──▶ READY ──its kind reads──┬──▶ READY, at the end (the others' turn)
 *                          ▲                     ├──▶ IDLE (nothing is left)
 *                          └──────── room ───────┴──▶ WAITING (a record was refused, and stays)
 *
 *     any ──▶ LOST: its kind sees to it, until it sets another state
 *
 * All on the worker's thread; only the inbox is for others. */
#ifndef INGRESS_LANE_H
#define INGRESS_LANE_H

#include "base/list.h"
#include "ingress/patience.h"
#include "ingress/routers.h"
#include "loop/inbox.h"

enum reading_state { IDLE, READY, WAITING, LOST };

struct lane;

/* A partition, or what its kind calls one; part of what it knows of it. */
struct lane_reading {
    struct lane *lane;
    struct list all;   /* in the lane's `all` */
    struct list place; /* in the lane's `ready` or `waiting` */
    enum reading_state state;
};

/* What a turn may still take. */
struct allowance {
    size_t records, bytes;
};

struct lane_kind {
    /* Takes a letter out of the inbox: makes its reading ready, if the lane is not stopped. */
    void (*take_letter)(struct lane *lane, struct letter *letter);

    /* Reads on, as far as the allowance goes; leaves the reading in the state that it is in then.
     */
    void (*read)(struct lane_reading *reading, struct allowance *allowance);

    /* Is nothing to be read now, whatever is ready? NULL: no. */
    bool (*has_halted)(const struct lane *lane);
};

struct lane {
    const struct lane_kind *kind;
    struct loop *loop;
    struct engine *engine;
    struct inbox *inbox;
    struct loop_waker waker;
    struct loop_task more; /* another turn: something is ready, or the engine has to run */
    struct list all, ready, waiting;
    struct patience patience;
    struct routers routers;
    bool is_stopped;
};

/* Memory of the kind's, which stays where it is; `registry` and `ingress` as for routers_init. */
void lane_open(struct lane *lane, const struct lane_kind *kind, struct loop *loop,
               struct engine *engine, const struct registry *registry, const char *ingress);

/* Accepts no more records; the readings' states are their kind's to set. */
void lane_stop(struct lane *lane);

/* After lane_stop, and before the readings are freed: what has come since is taken out. */
void lane_close(struct lane *lane);

void lane_add(struct lane *lane, struct lane_reading *reading);
void lane_set(struct lane_reading *reading, enum reading_state state);

/* ports.room: what waits will be offered again. */
void lane_room(struct lane *lane);
void lane_offer_again(struct lane *lane); /* makes all that wait ready, without reading */

static inline bool allowance_is_left(const struct allowance *allowance)
{
    return allowance->records && allowance->bytes;
}

/* A record, or whatever costs as much, was taken. */
static inline void allowance_take(struct allowance *allowance, size_t bytes)
{
    allowance->records--;
    allowance->bytes -= bytes < allowance->bytes ? bytes : allowance->bytes;
}

#endif
