/* kinesis_egress.h - io.statefun.kinesis.v1/egress: committed records to streams, at least once.
 *
 * Runs on a thread of its own, as calls block. It takes batches of whole epochs from its outbox and
 * confirms each when all of it was put. Kinesis may refuse single records of a call: those are put
 * again, and with them what came behind them with the same partition key, so that the records of a
 * key end in the order in which they were given (some of them twice).
 *
 * Kinesis that is away, throttles, does not take our keys, or lacks a stream is waited for, however
 * long; the outbox bounds the memory. A record that it can never take (too large, a name that no
 * stream can have) becomes a dead letter and the others go on. */
#ifndef EGRESS_KINESIS_EGRESS_H
#define EGRESS_KINESIS_EGRESS_H

#include "egress/egress_thread.h"
#include "spec/application.h"

struct kinesis_egress;

struct kinesis_egress_options {
    const struct kinesis_egress_spec *spec; /* must outlive the egress */
    uint32_t egress;                        /* its number among the application's egresses */
    uint64_t committed;                     /* the last committed epoch at the start */
    struct outbox *outbox;
    void *owner;
    /* All on the egress's thread. */
    void (*on_confirmed)(void *owner, uint32_t egress, uint64_t epoch);
    void (*on_dead)(void *owner, uint32_t egress, struct bytes record_key,
                    const struct dead_letter *letter);
    void (*on_hungry)(void *owner, uint32_t egress, bool hungry);
};

/* Calls nobody yet. False if libcurl is not there. */
SF_CHECK bool kinesis_egress_open(const struct kinesis_egress_options *options,
                                  struct kinesis_egress **ret_egress, struct sf_status *status);
void kinesis_egress_wake(struct kinesis_egress *egress); /* any thread (outbox_new's on_put) */
void kinesis_egress_stop(struct kinesis_egress *egress, uint64_t drain_ms);
void kinesis_egress_close(struct kinesis_egress *egress); /* NULL is fine */

void kinesis_egress_figures(struct kinesis_egress *egress, struct egress_figures *ret_figures);

/* egress_binding.accept: keeps the bytes of the KinesisEgressRecord. */
bool kinesis_egress_accept(struct bytes argument, struct bytes *ret_record,
                           struct sf_status *status);

/* For `statefun check --connect`. */
SF_CHECK bool kinesis_egress_check(const struct kinesis_egress_spec *spec, uint64_t timeout_ms,
                                   struct sf_status *status);

#endif
