/* playground_egress.h - io.statefun.playground.v1/egress: records fetched over HTTP, each once.
 *
 *     GET /<topic>    takes the oldest record of the topic: 200 with its payload, 404 if there is
 * none
 *
 * Records are `io.statefun.playground/EgressRecord`: JSON {"topic": "...", "payload": "..."}; or
 * those that functions send to Kafka, of which topic and value count: so that an application for
 * Kafka can be tried without a broker. They are kept in the store until they have been fetched, so
 * they survive a restart. A record leaves the store in the epoch after it was given away: a crash
 * just then gives it away once more (nobody can know whether a client got its answer). The status
 * is also in a header named `Status`, where upstream's clients look for it.
 *
 * Lives on one loop; the outbox is filled from another thread. */
#ifndef EGRESS_PLAYGROUND_EGRESS_H
#define EGRESS_PLAYGROUND_EGRESS_H

#include "egress/outbox.h"
#include "loop/loop.h"
#include "spec/application.h"

struct playground_egress;

struct playground_egress_options {
    const struct http_egress_spec *spec; /* must outlive the egress */
    uint32_t egress;
    struct loop *loop;
    int listen_fd;
    struct outbox *outbox;
    void *owner;
    /* A record was given away or (with a letter) can never be: it may leave the store. */
    void (*on_done)(void *owner, uint32_t egress, struct bytes record_key,
                    const struct dead_letter *letter);
};

struct playground_egress *playground_egress_new(const struct playground_egress_options *options);
void playground_egress_free(struct playground_egress *egress); /* NULL is fine */

/* Takes what is new in the outbox. */
void playground_egress_take(struct playground_egress *egress);

/* egress_binding.accept: keeps the JSON, or the bytes of the KafkaProducerRecord. */
bool playground_egress_accept(struct bytes argument, struct bytes *ret_record,
                              struct sf_status *status);

struct playground_egress_figures {
    uint64_t waiting; /* records that nobody has fetched */
    uint64_t fetched;
};
void playground_egress_figures(const struct playground_egress *egress,
                               struct playground_egress_figures *ret_figures);

#endif
