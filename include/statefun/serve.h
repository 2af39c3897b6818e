/* serve.h - the functions of a module as a remote function: an HTTP endpoint that speaks StateFun's
 * remote invocation protocol 3.x, for this runtime and for Apache StateFun on Flink. With this
 * runtime it speaks in bundles, which costs less: docs/bundles.md.
 *
 * The same configure function as for an embedded module; what it binds besides functions (routers,
 * ingresses, egresses) is refused, since only a runtime has it. */
#ifndef STATEFUN_SERVE_H
#define STATEFUN_SERVE_H

#include "statefun/module.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* The whole of a remote function's main. Arguments: --listen HOST:PORT (default 127.0.0.1:8000;
 * port 0: the kernel picks) or --listen unix:PATH, --threads N (default: one for each processor),
 * --config KEY=VALUE, --keep MB, --log-level LEVEL, --stop-within SECONDS (default 10), --help.
 * Prints "listening on ..." when it does; ends, with what is under way done, as sf_server_stop
 * does, on SIGTERM and SIGINT, and at once on the second of them. Returns the exit code.
 *
 * It serves, besides the functions (POST, at any path): GET /health, and GET /metrics in
 * Prometheus' text format. */
int sf_serve_main(int argc, char **argv, sf_configure configure);

struct sf_serve_options {
    const char *listen;        /* as above */
    unsigned threads;          /* 0: one for each processor */
    size_t body_bytes_max;     /* of a request; 0: 64 MB */
    const char *const *config; /* "KEY=VALUE", ended by NULL; may be NULL */
    unsigned stop_ms_max;      /* how long what is under way may take at the end; 0: 10 s */
    size_t kept_bytes_max;     /* of states, between invocations; 0: 64 MB; 1: none are kept */
};

/* The same in a program of yours. Functions are called on the server's threads; a signal is never
 * handled on one of them. */
struct sf_server;
SF_CHECK bool sf_server_start(const struct sf_serve_options *options, sf_configure configure,
                              struct sf_server **ret_server, struct sf_status *status);

/* Where it listens: "127.0.0.1:41234" or "unix:/path". Lives as long as the server. */
const char *sf_server_address(const struct sf_server *server);

/* Takes no more requests, and waits for those under way, but never longer than `stop_ms_max` and a
 * second. Those that still wait for an asynchronous operation then lose their connections, so that
 * the runtime sends them again elsewhere; the operations may still be ended, to no effect. A
 * function that has not even returned goes on on its thread, which is left behind. NULL is fine. */
void sf_server_stop(struct sf_server *server);

/* The protocol alone, under an HTTP server of yours: one handler, any number of threads. */
struct sf_handler;
SF_CHECK bool sf_handler_new(sf_configure configure, const char *const *config,
                             struct sf_handler **ret_handler, struct sf_status *status);
void sf_handler_free(struct sf_handler *handler); /* NULL is fine */

/* Answers the body of one request (a ToFunction): with true the body of the reply (a FromFunction),
 * for free(), with content type application/octet-stream. False: `status` says why, and the HTTP
 * answer should be 400 for SF_INVALID (it is no request), 404 for SF_NOT_FOUND (no such function
 * is bound), else 500 (SF_FAILED: the function has failed). Waits for asynchronous operations.
 * Bundles are the server's alone. */
SF_CHECK bool sf_handle(struct sf_handler *handler, struct sf_bytes request, void **ret_reply,
                        size_t *ret_size, struct sf_status *status);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
