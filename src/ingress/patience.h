/* patience.h - when a lane offers again what the engine has refused for want of room.
 *
 * The engine says "room" in every turn in which only some function types are full, and cannot know
 * that these are the lane's. So an offer that leads to nothing is followed by a pause, which
 * doubles until something is accepted. On the lane's loop. */
#ifndef INGRESS_PATIENCE_H
#define INGRESS_PATIENCE_H

#include "loop/loop.h"

struct patience {
    struct loop *loop;
    struct loop_timer timer; /* set: it is time then */
    void (*offer)(struct patience *patience);
    uint64_t not_before_ms;
    uint64_t pause_ms; /* the next one */
};

void patience_init(struct patience *patience, struct loop *loop,
                   void (*offer)(struct patience *patience));

/* There may be room: `offer` is called, now or after the pause. */
void patience_room(struct patience *patience);

/* Something was accepted: the next pause is short. */
void patience_rewarded(struct patience *patience);

/* No more offers. */
void patience_end(struct patience *patience);

#endif
