/* kafka_egress.h - io.statefun.kafka.v1/egress: committed records to topics, exactly once if asked
 * for.
 *
 * Runs on a thread of its own, since Kafka's transactions block. It takes batches of whole epochs
 * from its outbox. With exactly-once one transaction produces a batch's records and commits, in a
 * consumer group of nobody, an offset whose value is the number of the batch's last epoch; so
 * whether a batch was delivered is known even if the answer to the commit was lost. On start the
 * predecessor is fenced (transactional.id), that offset is read, what it covers is not sent again,
 * the rest is. No pending transaction ever needs to be resumed.
 *
 *     STARTING ──fenced the predecessor, read the delivered epoch──▶ RUNNING ◀──▶ RESTARTING (after
 * an │           error that ends a producer) └──stop──▶ STOPPED
 *
 * at-least-once confirms when all records of a batch are acknowledged; none does not wait for that.
 * Brokers that are away are waited for, however long; the outbox bounds the memory. A record that
 * its topic can never take (too large, no such topic, invalid) becomes a dead letter and the others
 * go on. */
#ifndef EGRESS_KAFKA_EGRESS_H
#define EGRESS_KAFKA_EGRESS_H

#include "egress/egress_thread.h"
#include "spec/application.h"
#include "statefun/status.h"

struct kafka_egress;

struct kafka_egress_options {
    const struct kafka_egress_spec *spec; /* must outlive the egress */
    uint32_t egress;                      /* its number among the application's egresses */
    const char *application;              /* part of transactional.id and of the group's name */
    const char *store_id; /* part of the group's name: epochs of another data directory
                           * say nothing about ours */
    uint64_t committed;   /* the last committed epoch at the start */
    struct outbox *outbox;
    void *owner;
    /* All on the egress's thread. */
    void (*on_confirmed)(void *owner, uint32_t egress, uint64_t epoch);
    void (*on_dead)(void *owner, uint32_t egress, struct bytes record_key,
                    const struct dead_letter *letter);
    /* It has delivered all that it was given, or has begun to work again. */
    void (*on_hungry)(void *owner, uint32_t egress, bool hungry);
    /* It cannot go on: fenced by another process, or the store is older than what was delivered. */
    void (*on_fatal)(void *owner, uint32_t egress, const struct sf_status *status);
};

/* Does not wait for brokers. False if the client properties make no sense. */
SF_CHECK bool kafka_egress_open(const struct kafka_egress_options *options,
                                struct kafka_egress **ret_egress, struct sf_status *status);

/* The outbox has something new: any thread (outbox_new's on_put). */
void kafka_egress_wake(struct kafka_egress *egress);

/* Ends the thread: with `drain_ms` > 0 after what is in the outbox has been delivered, at most that
 * long. */
void kafka_egress_stop(struct kafka_egress *egress, uint64_t drain_ms);
void kafka_egress_close(struct kafka_egress *egress); /* NULL is fine */

void kafka_egress_figures(struct kafka_egress *egress, struct egress_figures *ret_figures);

/* egress_binding.accept: keeps the bytes of the KafkaProducerRecord. */
bool kafka_egress_accept(struct bytes argument, struct bytes *ret_record, struct sf_status *status);

/* For `statefun check --connect`. */
bool kafka_egress_check(const struct kafka_egress_spec *spec, uint64_t timeout_ms,
                        struct sf_status *status);

#endif
