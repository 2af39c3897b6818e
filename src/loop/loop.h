/* loop.h - how a thread waits: for descriptors, for time, for another thread.
 *
 * A loop belongs to the thread that runs it; only loop_wake and loop_stop may be called from others.
 * A turn is: wait, call back for what is ready, call back for timers that are due, then the turn's end
 * callback, where work that was collected during the turn is done at once. Callbacks never block.
 *
 * This room may include base. */
#ifndef LOOP_LOOP_H
#define LOOP_LOOP_H

#include "base/heap.h"
#include "statefun/status.h"

#include <stdbool.h>
#include <stdint.h>

struct loop;

struct loop *loop_new(void);
void loop_free(struct loop *loop); /* nothing may be watched any more, save what the loop owns */

/* Runs turns until loop_stop. */
void loop_run(struct loop *loop);
void loop_stop(struct loop *loop); /* any thread */

/* Runs one turn, waiting at most `wait_ms` (0: not at all, -1: as long as it takes). For tests. */
void loop_turn(struct loop *loop, int wait_ms);

/* Makes the loop take a turn and call `on_wake` in it. Any thread; many calls make one turn. */
void loop_wake(struct loop *loop);
void loop_on_wake(struct loop *loop, void (*on_wake)(void *owner), void *owner);

/* Called at the end of every turn. */
void loop_on_turn_end(struct loop *loop, void (*on_turn_end)(void *owner), void *owner);

/* The clocks, read once a turn. Monotonic for timeouts, wall (ms since 1970) for what is stored. */
uint64_t loop_now_ms(const struct loop *loop);
uint64_t loop_wall_ms(const struct loop *loop);

/* Descriptors, level-triggered. `events` is of EPOLLIN, EPOLLOUT (and EPOLLEXCLUSIVE at watching). The
 * watch is memory of the caller's; loop_unwatch is safe in any callback, also for a watch whose event
 * is still to be delivered in this turn: it will not be. */
struct loop_watch {
    int fd; /* -1: not watched */
    uint32_t events;
    void (*on_ready)(struct loop_watch *watch, uint32_t events);
    uint32_t generation; /* the loop's own */
};
void loop_watch(struct loop *loop, struct loop_watch *watch, int fd, uint32_t events);
void loop_rewatch(struct loop *loop, struct loop_watch *watch, uint32_t events);
void loop_unwatch(struct loop *loop, struct loop_watch *watch); /* does not close the descriptor */

/* Timers on the monotonic clock; memory of the caller's, all zeros but for `on_timer`. */
struct loop_timer {
    struct heap_node due;
    void (*on_timer)(struct loop_timer *timer);
};
void loop_timer_set(struct loop *loop, struct loop_timer *timer, uint64_t when_ms); /* or move */
void loop_timer_cancel(struct loop *loop, struct loop_timer *timer);

#endif
