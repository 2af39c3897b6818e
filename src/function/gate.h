/* gate.h - how many requests an endpoint gets: at once, and in a second, from all workers together.
 *
 * A worker that wants to send a request enters, and leaves when the request is over. One that
 * cannot enter now stands in a queue, in which every worker stands once, and is called when it may
 * try again: so that all have their turn, and no place stays empty while somebody wants it.
 *
 * Requests per second are spread evenly. What was not used of the last hundredth of a second may be
 * made up for, as timers are no more precise. */
#ifndef FUNCTION_GATE_H
#define FUNCTION_GATE_H

#include "base/list.h"

#include <stddef.h>
#include <stdint.h>

struct gate;

/* 0 stands for no limit, in both. */
struct gate *gate_new(size_t in_flight_max, size_t per_second_max);
void gate_free(struct gate *gate); /* NULL is fine; nobody may stand in its queue */

/* A worker, as the gate sees it. All zeros but for `call` and `owner`, and list_init(&node). */
struct gate_guest {
    struct list node;
    void (*call)(void *owner); /* on any thread, under the gate's lock: only to wake its loop */
    void *owner;
};

/* True: it is in. False: it stands in the queue, and may try again when it is called or, if that is
 * not 0, after `*ret_wait_us`. Times are of a monotonic clock. */
bool gate_enter(struct gate *gate, struct gate_guest *guest, uint64_t now_us,
                uint64_t *ret_wait_us);

/* One that was in is out. */
void gate_leave(struct gate *gate);

/* It wants nothing any more; it may come again. */
void gate_forget(struct gate *gate, struct gate_guest *guest);

#endif
