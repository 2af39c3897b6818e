/* egresses.h - all egresses of the application, each behind its outbox.
 *
 * Committed epochs are put in; what the egresses say of them (delivered, set aside, nothing left to
 * do) goes to the workers and the committer as errands. When one of them holds more than its limit,
 * the workers are told to take no more records until it has fallen to three quarters. */
#ifndef RUNTIME_EGRESSES_H
#define RUNTIME_EGRESSES_H

#include "runtime/committer.h"
#include "runtime/worker.h"

struct egresses;
struct admin_egress;

struct egresses_options {
    const struct application *application;
    const struct registry *registry; /* of embedded modules; NULL: there are none */
    const struct bindings *bindings; /* their numbers and ids */
    const char *name;                /* of the application */
    struct store *store;
    size_t memory_bytes; /* of undelivered records, for each */
    uint64_t bytes_max;  /* of undelivered records, for each: beyond it there is no room */
    struct worker *const *workers;
    uint32_t worker_count;
    struct committer *committer;
    struct loop *loop; /* the playground's, which is the admin's */
    int playground_fd; /* -1: there is none */
    void *owner;
    /* Any thread: one of them cannot go on. */
    void (*on_fatal)(void *owner, const struct sf_status *status);
};

/* With empty outboxes; nothing is opened yet. */
struct egresses *egresses_new(const struct egresses_options *options);
void egresses_free(struct egresses *egresses); /* NULL is fine */

/* Opens them, with what the store holds: before anything is committed. False if a Kafka egress's
 * client properties make no sense. */
SF_CHECK bool egresses_start(struct egresses *egresses, struct sf_status *status);

/* The committer's thread: an epoch is durable. */
void egresses_put(struct egresses *egresses, uint64_t epoch, struct delta *const *parts,
                  size_t count);

/* Any thread: the view of the store has come forward. */
void egresses_viewed(struct egresses *egresses);

/* The loop's thread, in every turn in which it was woken: what lives on it takes what is new. */
void egresses_take(struct egresses *egresses);

/* Delivers what is left, for at most `drain_ms`, and ends the egresses' threads. */
void egresses_stop(struct egresses *egresses, uint64_t drain_ms);

const struct admin_egress *egresses_list(const struct egresses *egresses, size_t *ret_count);

#endif
