/* admin.h - the admin listener: /metrics, /healthz, /readyz, /status, /deadletters, /addresses,
 * /ingresses, /state.
 *
 * It lives on a loop that is on nobody's hot path. Figures are asked of the workers and shown when
 * all have answered; a worker that does not answer makes /metrics fail and, after ten seconds,
 * /healthz too. */
#ifndef RUNTIME_ADMIN_H
#define RUNTIME_ADMIN_H

#include "runtime/exposition.h"
#include "runtime/notice.h"
#include "runtime/state_call.h"

struct admin;

struct admin_egress {
    const char *id;
    struct outbox *outbox;
    struct kafka_egress *kafka;           /* or NULL */
    struct kinesis_egress *kinesis;       /* or NULL */
    struct module_egress *module;         /* or NULL */
    struct playground_egress *playground; /* or NULL; on the admin's loop */
};

struct admin_options {
    struct loop *loop;
    struct inbox *inbox; /* of that loop; its owner runs what comes */
    int listen_fd;
    const char *where; /* it listens */
    const char *token; /* empty: none */
    size_t body_bytes_max;
    const struct application *application;
    const struct registry *registry; /* of embedded modules; NULL: there are none */
    const struct notice *notice;
    struct worker *const *workers;
    uint32_t worker_count;
    struct committer *committer;
    struct store *store;
    const struct admin_egress *egresses;
    size_t egress_count;
    struct kafka_ingress *const *kafka_ingresses; /* one for each of the application's */
};

struct admin *admin_new(const struct admin_options *options);
/* Closes its connections: from now on nothing is answered, and nobody is asked. NULL is fine. */
void admin_stop(struct admin *admin);
void admin_free(struct admin *admin); /* after the workers are gone. NULL is fine */

/* An answer from a worker, which changes hands. */
void admin_take_answer(struct admin *admin, struct state_answer *answer);

/* Any thread: whether /readyz says yes. */
void admin_set_ready(struct admin *admin, bool ready);

#endif
