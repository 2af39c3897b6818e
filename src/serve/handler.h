/* handler.h - a module's functions behind the remote invocation protocol, without a transport.
 *
 * The serve room is the remote way to run C functions (include/statefun/serve.h). It is part of the
 * SDK's library, and may include sdk, net, loop, wire and base. Its files form a flow:
 *
 *     counters   what functions count
 *     keep       states that functions have left, for runtimes that need not send them again
 *     handler    the functions, and what is known of them; sf_handle: bytes in, bytes out
 *     run        one invocation: its batch, and the operations that it began
 *     server     the HTTP server: threads, each with a loop; requests, plain and bundles
 *     main       arguments, signals */
#ifndef SERVE_HANDLER_H
#define SERVE_HANDLER_H

#include "sdk/batch.h"
#include "sdk/registry.h"
#include "serve/counters.h"
#include "serve/keep.h"
#include "statefun/serve.h"

#include <stdatomic.h>

/* Lets a line through once in a while. */
struct limiter {
    _Atomic int64_t next_ms;
    _Atomic uint64_t kept_back;
};

/* What is known of a function that is served; any thread. */
struct served_function {
    _Atomic uint64_t invocations, messages, failures;
    struct limiter log;
};

struct sf_handler {
    struct registry registry;
    struct served_function *functions; /* as many as in the registry, in its order */
    struct counters counters;
    struct keep keep;
    struct limiter log; /* of requests that reach no function */
    struct batch_world world;
    char **config; /* copies, ended by NULL */
};

/* The function that serves this address; NULL if none does. */
struct served_function *handler_find(struct sf_handler *handler, const struct address *target,
                                     const struct sf_function **ret_function);

/* Counts and logs a request that failed; `function` is NULL if it has reached none. */
void handler_note_failure(struct sf_handler *handler, struct served_function *function,
                          struct bytes address, const struct sf_status *status);

/* Appends all figures in Prometheus' text format. Any thread. */
void handler_expose(struct sf_handler *handler, struct buffer *text);

#endif
