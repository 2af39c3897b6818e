/* egress_thread.h - the thread of an egress that blocks while it delivers: how it waits, is woken,
 * says that it is hungry, and ends.
 *
 * It takes batches of whole epochs from its outbox for as long as it is not asked to end, and then
 * until the outbox is empty or its time is over. */
#ifndef EGRESS_EGRESS_THREAD_H
#define EGRESS_EGRESS_THREAD_H

#include "base/histogram.h"
#include "egress/outbox.h"
#include "statefun/status.h"

#include <pthread.h>
#include <stdatomic.h>

struct egress_thread_options {
    struct outbox *outbox;
    uint32_t egress; /* its number among the application's egresses */
    void *owner;
    /* It has delivered all that it was given, or has begun to work again. */
    void (*on_hungry)(void *owner, uint32_t egress, bool hungry);
};

/* What such an egress counts. */
struct egress_figures {
    uint64_t records, bytes, dead;
    uint64_t batches, aborted; /* aborted: had to be sent again */
    struct histogram latency;  /* of a batch, from its first try to its delivery */
};

struct egress_thread {
    struct egress_thread_options options;
    pthread_t thread;
    bool is_running; /* the thread is to be joined */
    bool is_hungry;
    atomic_uint_fast64_t end_us; /* when to end at the latest; UINT64_MAX: not asked to */
    pthread_mutex_t lock;        /* of what follows; the egress may keep its figures under it */
    pthread_cond_t woken;
    bool has_work;
};

void egress_thread_init(struct egress_thread *thread, const struct egress_thread_options *options);
void egress_thread_destroy(struct egress_thread *thread); /* after it was stopped */

SF_CHECK bool egress_thread_start(struct egress_thread *thread, void *(*run)(void *argument),
                                  void *argument, struct sf_status *status);

/* Any thread: there is something new. */
void egress_thread_wake(struct egress_thread *thread);

/* Ends it: with `drain_ms` > 0 after what is in the outbox has been delivered, at most that long.
 */
void egress_thread_stop(struct egress_thread *thread, uint64_t drain_ms);

/* --- on the thread --- */

/* Its time is over: nothing more may be waited for. */
bool egress_thread_must_end(struct egress_thread *thread);

/* False if that was said before. */
bool egress_thread_give_up(struct egress_thread *thread);

void egress_thread_pause(struct egress_thread *thread, uint64_t ms); /* shorter if it must end */

/* Takes the next batch. `due_us(owner)` says when it may be taken at the earliest (0: at once), so
 * that records that come meanwhile go with it; `serve(owner)` is called whenever it has waited.
 * Both may be NULL. False: there is nothing left to do for this thread. */
bool egress_thread_take(struct egress_thread *thread, size_t bytes_max,
                        uint64_t (*due_us)(void *owner), void (*serve)(void *owner), void *owner,
                        struct outbox_batch *ret_batch);

#endif
