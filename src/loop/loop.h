/* loop.h - how a thread waits: for descriptors, for time, for another thread.
 *
 * A loop belongs to the thread that runs it; only loop_wake and loop_stop may be called from
 * others. A turn is: wait, the turn's begin callback, call back whoever was woken, for what is
 * ready and for timers that are due, then the turn's end callback, where work that was collected
 * during the turn is done at once, then the tasks that were put off to the end of the turn.
 * Callbacks never block.
 *
 * This room may include base. */
#ifndef LOOP_LOOP_H
#define LOOP_LOOP_H

#include "base/heap.h"
#include "base/list.h"
#include "statefun/status.h"

#include <stdbool.h>
#include <stdint.h>

struct loop;

struct loop *loop_new(void);
void loop_free(struct loop *loop); /* nothing may be watched any more, save what the loop owns */

/* Runs turns until loop_stop; not at all if loop_stop came before. */
void loop_run(struct loop *loop);
void loop_stop(struct loop *loop); /* any thread, also a signal handler */

/* Runs one turn, waiting at most `wait_ms` (0: not at all, -1: as long as it takes). For tests. */
void loop_turn(struct loop *loop, int wait_ms);

/* Makes the loop take a turn and call `on_wake` in it. Any thread; many calls make one turn. */
void loop_wake(struct loop *loop);
void loop_on_wake(struct loop *loop, void (*on_wake)(void *owner), void *owner);

/* As loop_on_wake, for a room that lives on a loop of somebody else's: every waker is called for
 * every wake. Memory of the caller's; a waker may remove itself or others while it is called. */
struct loop_waker {
    struct list node;
    void (*on_wake)(struct loop_waker *waker);
};
void loop_waker_add(struct loop *loop, struct loop_waker *waker);
void loop_waker_remove(struct loop *loop, struct loop_waker *waker);

/* Called at the beginning of every turn, after the clocks were read and before anything else, and
 * at its end, before the tasks. */
void loop_on_turn_begin(struct loop *loop, void (*on_turn_begin)(void *owner), void *owner);
void loop_on_turn_end(struct loop *loop, void (*on_turn_end)(void *owner), void *owner);

/* The next turn begins so many microseconds from now at the earliest, also if something is ready:
 * what comes meanwhile is handled in one turn. For a thread that has enough to do; holds for one
 * turn. */
void loop_nap(struct loop *loop, unsigned us);

/* Before the next turn's wait the loop may linger: look out for loop_wake, awake, for about as long
 * as being put to sleep and woken would take the processor. For a thread that has just heard from
 * another that runs, and expects to hear more; holds for one turn. It costs next to nothing where
 * that proves wrong, as the loop then does it more and more seldom. */
void loop_linger(struct loop *loop);

/* True while it lingers: then it has nothing to do, and what it is woken for is begun at once. Any
 * thread; a hint, as it may be over by now. */
bool loop_is_lingering(const struct loop *loop);

/* The clocks, read once a turn. Monotonic for timeouts, wall (ms since 1970) for what is stored. */
uint64_t loop_now_ms(const struct loop *loop);
uint64_t loop_wall_ms(const struct loop *loop);

/* Descriptors, level-triggered. `events` is of EPOLLIN, EPOLLOUT (and EPOLLEXCLUSIVE at watching).
 * The watch is memory of the caller's; loop_unwatch is safe in any callback, also for a watch whose
 * event is still to be delivered in this turn: it will not be. */
struct loop_watch {
    int fd; /* -1: not watched */
    uint32_t events;
    void (*on_ready)(struct loop_watch *watch, uint32_t events);
    uint32_t generation; /* the loop's own */
};

/* Aborts when the kernel has no memory for it, as any small allocation would. */
void loop_watch(struct loop *loop, struct loop_watch *watch, int fd, uint32_t events);
void loop_rewatch(struct loop *loop, struct loop_watch *watch, uint32_t events);
void loop_unwatch(struct loop *loop, struct loop_watch *watch); /* does not close the descriptor */

/* Timers on the monotonic clock; memory of the caller's, all zeros but for `on_timer`. A timer that
 * is set while timers are called back fires in a later turn, however early it is due. */
struct loop_timer {
    struct heap_node due;
    void (*on_timer)(struct loop_timer *timer);
};
void loop_timer_set(struct loop *loop, struct loop_timer *timer, uint64_t when_ms); /* or move */
void loop_timer_cancel(struct loop *loop, struct loop_timer *timer);

/* Work put off to the end of the turn, so that what a turn gathers is done once. Called once for
 * each time it is set, in the order of setting; a task that is set while tasks are called runs in
 * the next turn, which then does not wait. Memory of the caller's, all zeros but for `on_task`. */
struct loop_task {
    struct list node;
    void (*on_task)(struct loop_task *task);
};
void loop_task_set(struct loop *loop, struct loop_task *task); /* set already: nothing changes */
void loop_task_cancel(struct loop *loop, struct loop_task *task);

#endif
