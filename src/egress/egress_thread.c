/* egress_thread.c - see egress_thread.h. */
#include "egress/egress_thread.h"

#include <time.h>

enum { IDLE_MS = 500 }; /* how often `serve` is called when nothing happens */

/* --- life --- */

void egress_thread_init(struct egress_thread *thread, const struct egress_thread_options *options)
{
    pthread_condattr_t attributes;
    *thread = (struct egress_thread){.options = *options};
    atomic_init(&thread->end_us, UINT64_MAX);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&thread->woken, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&thread->lock, NULL);
}

void egress_thread_destroy(struct egress_thread *thread)
{
    pthread_cond_destroy(&thread->woken);
    pthread_mutex_destroy(&thread->lock);
}

bool egress_thread_start(struct egress_thread *thread, void *(*run)(void *argument), void *argument,
                         struct sf_status *status)
{
    int error = pthread_create(&thread->thread, NULL, run, argument);
    if (error)
        return sf_fail(status, SF_IO, "a thread: %s", strerror(error));
    thread->is_running = true;
    return true;
}

void egress_thread_stop(struct egress_thread *thread, uint64_t drain_ms)
{
    uint64_t end_us = atomic_load(&thread->end_us), wanted_us = clock_now_us() + drain_ms * 1000;
    if (wanted_us < end_us) /* 0 when it has given up: it ends by itself */
        (void)atomic_compare_exchange_strong(&thread->end_us, &end_us, wanted_us);
    egress_thread_wake(thread);
    if (thread->is_running)
        pthread_join(thread->thread, NULL);
    thread->is_running = false;
}

/* --- waiting --- */

static bool is_asked_to_end(struct egress_thread *thread)
{
    return atomic_load(&thread->end_us) != UINT64_MAX;
}

bool egress_thread_must_end(struct egress_thread *thread)
{
    uint64_t end_us = atomic_load_explicit(&thread->end_us, memory_order_relaxed);
    return end_us != UINT64_MAX && clock_now_us() >= end_us;
}

bool egress_thread_give_up(struct egress_thread *thread)
{
    return atomic_exchange(&thread->end_us, 0) != 0;
}

/* With the lock held, until `until_us` or woken. */
static void wait_until(struct egress_thread *thread, uint64_t until_us)
{
    struct timespec until = {.tv_sec = (time_t)(until_us / 1000000),
                             .tv_nsec = (long)(until_us % 1000000) * 1000};
    (void)pthread_cond_timedwait(&thread->woken, &thread->lock, &until); /* either way: look */
}

void egress_thread_pause(struct egress_thread *thread, uint64_t ms)
{
    uint64_t until_us = clock_now_us() + ms * 1000, now_us;
    pthread_mutex_lock(&thread->lock);
    while (!egress_thread_must_end(thread) && (now_us = clock_now_us()) < until_us) {
        uint64_t end_us = atomic_load(&thread->end_us);
        wait_until(thread, end_us < until_us ? end_us : until_us);
    }
    pthread_mutex_unlock(&thread->lock);
}

/* Until there is work, or for `us`. */
static void wait_for_work(struct egress_thread *thread, uint64_t us)
{
    uint64_t until_us = clock_now_us() + us;
    uint64_t end_us = atomic_load(&thread->end_us);
    pthread_mutex_lock(&thread->lock);
    if (!thread->has_work)
        wait_until(thread, end_us < until_us ? end_us : until_us);
    thread->has_work = false;
    pthread_mutex_unlock(&thread->lock);
}

void egress_thread_wake(struct egress_thread *thread)
{
    pthread_mutex_lock(&thread->lock);
    thread->has_work = true;
    pthread_cond_signal(&thread->woken);
    pthread_mutex_unlock(&thread->lock);
}

/* --- batches --- */

static void be_hungry(struct egress_thread *thread, bool hungry)
{
    if (thread->is_hungry == hungry)
        return;
    thread->is_hungry = hungry;
    thread->options.on_hungry(thread->options.owner, thread->options.egress, hungry);
}

static bool has_records(struct egress_thread *thread)
{
    struct outbox_figures figures;
    outbox_figures(thread->options.outbox, &figures);
    return figures.records > 0;
}

/* How long to wait, in us, before the next batch is taken. */
static uint64_t left_us(uint64_t due_us)
{
    uint64_t now_us = clock_now_us();
    return due_us > now_us ? due_us - now_us : 0;
}

bool egress_thread_take(struct egress_thread *thread, size_t bytes_max,
                        uint64_t (*due_us)(void *owner), void (*serve)(void *owner), void *owner,
                        struct outbox_batch *ret_batch)
{
    while (!egress_thread_must_end(thread)) {
        bool some = has_records(thread);
        uint64_t us = some ? left_us(due_us ? due_us(owner) : 0) : IDLE_MS * 1000;
        be_hungry(thread, !some);
        if (!some && is_asked_to_end(thread))
            return false;
        if (some && !us && outbox_take(thread->options.outbox, bytes_max, ret_batch))
            return true;
        if (!us)
            us = IDLE_MS * 1000; /* the view of the store lags: outbox_viewed will tell */
        wait_for_work(thread, us);
        if (serve)
            serve(owner);
    }
    return false;
}
