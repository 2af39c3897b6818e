/* http_ingress.h - messages over HTTP: io.statefun.playground.v1/ingress, and POST /in/...
 * (extensions.md).
 *
 *     POST /in/<namespace>/<type>/<id>    the Content-Type is the message's type; answered 202
 *     any  /<namespace>/<type>/<id>       as the playground does: application/vnd.<type>; answered
 * 200
 *
 * A request is answered when its message is committed. With an Idempotency-Key, a repeated request
 * counts once and gets the first one's answer. Every worker serves connections of its own from one
 * listening socket; the message finds its worker by itself.
 *
 * All on the worker's thread. */
#ifndef INGRESS_HTTP_INGRESS_H
#define INGRESS_HTTP_INGRESS_H

#include "engine/engine.h"
#include "loop/loop.h"

struct http_ingress;
struct registry;
struct routers;

struct http_ingress_options {
    struct loop *loop;
    struct engine *engine;
    int listen_fd;                   /* shared with the other workers */
    const struct registry *registry; /* of routers: they get its requests, too; or NULL */
    uint32_t worker; /* part of every receipt's number, so that a settlement finds its way back */
    size_t body_bytes_max;
};

struct http_ingress *http_ingress_new(const struct http_ingress_options *options);

/* The worker whose ingress wrote a receipt. */
uint32_t http_ingress_worker_of(uint64_t receipt);

/* ports.settle, carried to the worker of the receipt. */
void http_ingress_settle(struct http_ingress *ingress, uint64_t receipt, enum settlement settlement,
                         uint64_t epoch);

/* Takes no more requests; what waits for its commit is still answered. */
void http_ingress_stop(struct http_ingress *ingress);
bool http_ingress_is_drained(const struct http_ingress *ingress);
void http_ingress_free(struct http_ingress *ingress); /* NULL is fine */

struct http_ingress_figures {
    uint64_t requests; /* that were complete */
    uint64_t accepted; /* answered as committed */
    uint64_t refused;  /* for want of room */
    uint64_t invalid;  /* 4xx */
    uint64_t waiting;  /* for their commit, now */
};
void http_ingress_figures(const struct http_ingress *ingress,
                          struct http_ingress_figures *ret_figures);
const struct routers *http_ingress_routers(const struct http_ingress *ingress);

#endif
