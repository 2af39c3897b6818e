/* gate.c - see gate.h.
 *
 * Invariant: while there is a place, whoever is first in the queue has been called, or has been
 * told how long to wait. */
#include "function/gate.h"

#include <assert.h>
#include <pthread.h>

enum { SECOND_US = 1000000, SLACK_US = 10000 };

struct gate {
    pthread_mutex_t lock;
    size_t in_flight, in_flight_max;
    uint64_t interval_us; /* between requests; 0: no limit */
    uint64_t next_us;     /* when the next one may be sent */
    struct list queue;
};

struct gate *gate_new(size_t in_flight_max, size_t per_second_max)
{
    struct gate *gate = mem_new(sizeof *gate);
    pthread_mutex_init(&gate->lock, NULL);
    gate->in_flight_max = in_flight_max ? in_flight_max : SIZE_MAX;
    gate->interval_us = per_second_max ? (SECOND_US + per_second_max - 1) / per_second_max : 0;
    list_init(&gate->queue);
    return gate;
}

void gate_free(struct gate *gate)
{
    if (!gate)
        return;
    assert(list_is_empty(&gate->queue));
    pthread_mutex_destroy(&gate->lock);
    free(gate);
}

static void call_first(struct gate *gate)
{
    if (gate->in_flight == gate->in_flight_max || list_is_empty(&gate->queue))
        return;
    struct gate_guest *first = list_first(&gate->queue, struct gate_guest, node);
    first->call(first->owner);
}

static bool is_queued(const struct gate_guest *guest)
{
    return !list_is_empty(&guest->node);
}

/* True if it is this guest's turn, and there is a place for it. */
static bool may_enter(const struct gate *gate, const struct gate_guest *guest, uint64_t now_us,
                      uint64_t *ret_wait_us)
{
    *ret_wait_us = 0;
    bool is_first = list_is_empty(&gate->queue) || gate->queue.next == &guest->node;
    if (!is_first || gate->in_flight == gate->in_flight_max)
        return false;
    if (now_us >= gate->next_us)
        return true;
    *ret_wait_us = gate->next_us - now_us;
    return false;
}

bool gate_enter(struct gate *gate, struct gate_guest *guest, uint64_t now_us, uint64_t *ret_wait_us)
{
    pthread_mutex_lock(&gate->lock);
    bool enters = may_enter(gate, guest, now_us, ret_wait_us);
    if (enters) {
        gate->in_flight++;
        if (gate->next_us + SLACK_US < now_us)
            gate->next_us = now_us - SLACK_US;
        gate->next_us += gate->interval_us;
        list_take(&guest->node);
        call_first(gate);
    } else if (!is_queued(guest)) {
        list_put_last(&gate->queue, &guest->node);
    }
    pthread_mutex_unlock(&gate->lock);
    return enters;
}

void gate_leave(struct gate *gate)
{
    pthread_mutex_lock(&gate->lock);
    assert(gate->in_flight > 0);
    gate->in_flight--;
    call_first(gate);
    pthread_mutex_unlock(&gate->lock);
}

void gate_forget(struct gate *gate, struct gate_guest *guest)
{
    pthread_mutex_lock(&gate->lock);
    list_take(&guest->node);
    call_first(gate);
    pthread_mutex_unlock(&gate->lock);
}
