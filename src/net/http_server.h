/* http_server.h - an HTTP/1.1 server on a loop.
 *
 * A server reads requests from the connections that it accepts and hands each to its handler,
 * whole. The handler answers at once or later; requests that a client pipelined are handed over one
 * at a time. Several servers, on loops of several threads, may share one listening descriptor.
 *
 * Limits: connections, head, body, and the time a client may take to send a request or take its
 * answer. A client that breaks a rule gets the status that says so (400, 413, 431, 408, 503) where
 * it can still be told, and loses its connection. While a request waits for its answer nothing more
 * is read from its client, and while answers wait for a client to take them no more requests are
 * handed over. */
#ifndef NET_HTTP_SERVER_H
#define NET_HTTP_SERVER_H

#include "loop/loop.h"
#include "wire/http.h"

struct http_server;
struct http_exchange;

struct http_server_options {
    int listen_fd; /* from net_listen; the caller closes it, after all servers that share it */
    size_t connections_max;
    size_t body_bytes_max;
    uint64_t
        request_ms_max;   /* from a request's first byte to its last; also for taking the answer */
    uint64_t idle_ms_max; /* of a kept-alive connection */
    void *owner;
    /* A request is complete. Must lead to exactly one http_respond, now or later. */
    void (*on_request)(void *owner, struct http_exchange *exchange);
    /* The client went away before it was answered; the exchange is gone when this returns. May be
     * NULL if every request is answered at once. A TCP client that merely closes looks like one
     * that has said all it wants to say and waits for its answer: it is answered, which does no
     * harm. */
    void (*on_gone)(void *owner, struct http_exchange *exchange);
};

struct http_server *http_server_new(struct loop *loop, const struct http_server_options *options);

/* Stops accepting, closes idle connections, and the others once their answers have gone out. */
void http_server_stop(struct http_server *server);
bool http_server_is_drained(const struct http_server *server);

/* Closes everything at once; on_gone is called for what was not answered. Not from a callback of
 * the server. NULL is fine. */
void http_server_free(struct http_server *server);

/* The request: views valid until it is answered. */
const struct http_head *http_exchange_head(const struct http_exchange *exchange);
struct bytes http_exchange_body(const struct http_exchange *exchange);

/* Whatever the handler wants to remember with a request. */
void http_exchange_set_context(struct http_exchange *exchange, void *context);
void *http_exchange_context(const struct http_exchange *exchange);

struct http_answer {
    int status;               /* 200 to 599 */
    const char *content_type; /* NULL: none */
    const char *headers;      /* further header lines, each ending in CR LF; NULL: none */
    struct bytes body;        /* copied; left out, but counted, in the answer to a HEAD */
};

/* Date, Content-Length and Connection are added. May be called within on_request; the exchange is
 * gone when it returns. */
void http_respond(struct http_exchange *exchange, const struct http_answer *answer);

#endif
