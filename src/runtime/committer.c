/* committer.c - the coordinator's driver. */
#include "runtime/committer.h"

#include "base/log.h"
#include "engine/coordinator.h"
#include "runtime/errand.h"

#include <pthread.h>
#include <time.h>

enum { FULL_DISK_RETRY_MS = 500 };

/* What one worker has said last; written by it, read here. */
struct wish {
    _Atomic uint64_t word; /* epoch * 4 + want */
    _Atomic uint64_t egresses;
};

struct committer {
    struct committer_options options;
    struct loop *loop;
    struct inbox *inbox;
    pthread_t thread;
    bool started;

    struct coordinator *coordinator;
    struct loop_timer timer;
    struct wish *wishes;
    _Atomic uint64_t hungry; /* bit for each egress */
    uint64_t sealed_us;
    bool committing; /* a commit failed for want of space and is tried again */
    bool disk_was_full;

    pthread_mutex_t lock; /* of all below */
    pthread_cond_t changed;
    bool flushing, idle;
    struct committer_figures figures;
};

static uint64_t egress_bit(uint32_t egress)
{
    return UINT64_C(1) << (egress < 63 ? egress : 63);
}

/* --- what others say --- */

void committer_wish(struct committer *committer, uint32_t worker, uint64_t epoch, enum want want,
                    uint64_t egresses)
{
    struct wish *wish = &committer->wishes[worker];
    atomic_store_explicit(&wish->egresses, egresses, memory_order_relaxed);
    atomic_store_explicit(&wish->word, epoch * 4 + want, memory_order_release);
    loop_wake(committer->loop);
}

void committer_hungry(struct committer *committer, uint32_t egress, bool hungry)
{
    if (!hungry) {
        atomic_fetch_and(&committer->hungry, ~egress_bit(egress));
        return;
    }
    atomic_fetch_or(&committer->hungry, egress_bit(egress));
    loop_wake(committer->loop);
}

struct part_errand {
    struct errand errand;
    struct delta *part;
};

static void run_part(struct errand *errand, void *owner)
{
    struct committer *committer = owner;
    struct part_errand *part = container_of(errand, struct part_errand, errand);
    coordinator_part(committer->coordinator, part->part);
    free(part);
}

void committer_part(struct committer *committer, struct delta *part)
{
    struct part_errand *errand = mem_new(sizeof *errand);
    errand->errand.run = run_part;
    errand->part = part;
    errand_send(committer->inbox, &errand->errand);
}

/* --- commits --- */

static uint64_t now_ms(const struct committer *committer)
{
    return loop_now_ms(committer->loop);
}

static void count_commit(struct committer *committer, struct delta *const *parts,
                         uint64_t started_us)
{
    uint64_t end_us = clock_now_us(), bytes = 0;
    for (uint32_t i = 0; i < committer->options.workers; i++)
        bytes += parts[i]->entries.size;
    pthread_mutex_lock(&committer->lock);
    committer->figures.epochs++;
    committer->figures.bytes += bytes;
    committer->figures.last_bytes = bytes;
    histogram_add(&committer->figures.latency, end_us - committer->sealed_us);
    histogram_add(&committer->figures.sync, end_us - started_us);
    pthread_mutex_unlock(&committer->lock);
}

/* False: the disk is full; the same commit is tried again later. */
static bool commit(struct committer *committer, uint64_t epoch)
{
    struct delta *const *parts = coordinator_parts(committer->coordinator);
    uint64_t started_us = clock_now_us();
    struct sf_status status;
    if (!store_commit(committer->options.store, epoch, parts, committer->options.workers,
                      &status)) {
        if (status.code != SF_FULL) {
            log_error("the store has failed; what is durable is safe, restart to go on from there",
                      LOG_TEXT("cause", status.message));
            abort();
        }
        if (!committer->disk_was_full)
            log_error("the disk is full: nothing can be committed until there is room",
                      LOG_TEXT("cause", status.message));
        committer->disk_was_full = true;
        return false;
    }
    if (committer->disk_was_full)
        log_info("the disk has room again: commits go on", LOG_NUMBER("epoch", epoch));
    committer->disk_was_full = false;
    count_commit(committer, parts, started_us);
    committer->options.on_committed(committer->options.owner, epoch, parts,
                                    committer->options.workers);
    coordinator_committed(committer->coordinator);
    return true;
}

/* Tells the coordinator what the workers want; true if any of them wants anything, or has not said.
 */
static bool pass_wishes_on(struct committer *committer, bool flushing, uint64_t epoch)
{
    uint64_t hungry = atomic_load(&committer->hungry);
    bool any = false;
    for (uint32_t i = 0; i < committer->options.workers; i++) {
        struct wish *wish = &committer->wishes[i];
        uint64_t word = atomic_load_explicit(&wish->word, memory_order_acquire);
        uint64_t egresses = atomic_load_explicit(&wish->egresses, memory_order_relaxed);
        enum want want = (enum want)(word & 3);
        if (want == WANT_COMMIT && flushing)
            want = WANT_COMMIT_NOW;
        else if (want == WANT_COMMIT && egresses & hungry)
            want = WANT_COMMIT_SOON;
        coordinator_wish(committer->coordinator, word / 4, want, now_ms(committer));
        any |= want != WANT_NOTHING || word / 4 != epoch;
    }
    return any;
}

static void set_idle(struct committer *committer, bool idle)
{
    pthread_mutex_lock(&committer->lock);
    committer->idle = idle;
    pthread_cond_broadcast(&committer->changed);
    pthread_mutex_unlock(&committer->lock);
}

static bool is_flushing(struct committer *committer)
{
    pthread_mutex_lock(&committer->lock);
    bool flushing = committer->flushing;
    pthread_mutex_unlock(&committer->lock);
    return flushing;
}

static void wait_until(struct committer *committer, uint64_t when_ms)
{
    if (when_ms == UINT64_MAX)
        loop_timer_cancel(committer->loop, &committer->timer);
    else
        loop_timer_set(committer->loop, &committer->timer, when_ms);
}

/* Steps until there is nothing to do now. */
static void advance(struct committer *committer)
{
    uint64_t epoch = store_epoch(committer->options.store) + 1;
    if (committer->committing) {
        if (!commit(committer, epoch)) {
            wait_until(committer, now_ms(committer) + FULL_DISK_RETRY_MS);
            return;
        }
        committer->committing = false;
    }
    for (;;) {
        epoch = store_epoch(committer->options.store) + 1;
        bool flushing = is_flushing(committer);
        bool any = pass_wishes_on(committer, flushing, epoch);
        struct coordinator_step step = coordinator_next(committer->coordinator, now_ms(committer));
        if (step.action == COORDINATOR_SEAL) {
            committer->sealed_us = clock_now_us();
            committer->options.on_seal(committer->options.owner, step.epoch);
        } else if (step.action == COORDINATOR_COMMIT) {
            if (!commit(committer, step.epoch)) {
                committer->committing = true;
                wait_until(committer, now_ms(committer) + FULL_DISK_RETRY_MS);
                return;
            }
        } else {
            set_idle(committer, !any);
            wait_until(committer, step.wake_ms);
            return;
        }
    }
}

/* --- the thread --- */

static void on_wake(void *owner)
{
    struct committer *committer = owner;
    errands_run(committer->inbox, committer);
}

static void on_turn_end(void *owner)
{
    advance(owner);
}

static void on_timer(struct loop_timer *timer)
{
    (void)timer; /* the turn's end does what is due */
}

static void *run(void *argument)
{
    struct committer *committer = argument;
    loop_run(committer->loop);
    return NULL;
}

struct committer *committer_new(const struct committer_options *options)
{
    struct committer *committer = mem_new(sizeof *committer);
    committer->options = *options;
    committer->loop = loop_new();
    committer->inbox = inbox_new(committer->loop);
    committer->timer.on_timer = on_timer;
    committer->coordinator =
        coordinator_new(options->workers, store_epoch(options->store) + 1, options->interval_ms);
    committer->wishes = mem_new(options->workers * sizeof *committer->wishes);
    for (uint32_t i = 0; i < options->workers; i++)
        atomic_init(&committer->wishes[i].word, (store_epoch(options->store) + 1) * 4);
    pthread_mutex_init(&committer->lock, NULL);
    pthread_cond_init(&committer->changed, NULL);
    loop_on_wake(committer->loop, on_wake, committer);
    loop_on_turn_end(committer->loop, on_turn_end, committer);
    return committer;
}

void committer_start(struct committer *committer)
{
    if (pthread_create(&committer->thread, NULL, run, committer))
        abort();
    committer->started = true;
}

bool committer_flush(struct committer *committer, uint64_t timeout_ms)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += (time_t)(timeout_ms / 1000);
    until.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }

    pthread_mutex_lock(&committer->lock);
    committer->flushing = true;
    committer->idle = false;
    loop_wake(committer->loop);
    int timed_out = 0;
    while (!committer->idle && !timed_out)
        timed_out = pthread_cond_timedwait(&committer->changed, &committer->lock, &until);
    bool idle = committer->idle;
    pthread_mutex_unlock(&committer->lock);
    return idle;
}

void committer_stop(struct committer *committer)
{
    if (!committer->started)
        return;
    loop_stop(committer->loop);
    pthread_join(committer->thread, NULL);
    committer->started = false;
}

void committer_free(struct committer *committer)
{
    if (!committer)
        return;
    committer_stop(committer);
    errands_run(committer->inbox, committer);
    loop_timer_cancel(committer->loop, &committer->timer);
    inbox_free(committer->inbox);
    loop_free(committer->loop);
    coordinator_free(committer->coordinator);
    pthread_cond_destroy(&committer->changed);
    pthread_mutex_destroy(&committer->lock);
    free(committer->wishes);
    free(committer);
}

void committer_figures(struct committer *committer, struct committer_figures *ret_figures)
{
    pthread_mutex_lock(&committer->lock);
    *ret_figures = committer->figures;
    pthread_mutex_unlock(&committer->lock);
}
