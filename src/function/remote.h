/* remote.h - remote functions: invocations as HTTP requests, on one worker's loop (protocol.md 3).
 *
 * The function room turns what the engine wants invoked into calls and their ends into replies. It
 * may include net, loop, spec, engine, wire and base.
 *
 * An attempt that fails, for whatever reason, is reported to the engine as a failure: when to try
 * again is the engine's business. One function's slowness does not hold up another: each function
 * type has connections of its own. */
#ifndef FUNCTION_REMOTE_H
#define FUNCTION_REMOTE_H

#include "base/histogram.h"
#include "engine/engine.h"
#include "function/endpoint.h"
#include "loop/loop.h"

struct remote;
struct remote_function;

struct remote_options {
    size_t pipeline_max; /* requests under way on one connection */
    bool uses_bundles;   /* where a server offers it */
};

/* Takes its engine later, as the engine's ports lead here. `endpoints` must outlive it. */
struct remote *remote_new(struct loop *loop, const struct endpoints *endpoints,
                          const struct remote_options *options);
void remote_set_engine(struct remote *remote, struct engine *engine);

/* Gives up what is under way: the engine hears nothing of it. Before engine_free. NULL is fine. */
void remote_free(struct remote *remote);

/* ports.attach (NULL: there is no URL for such a name) and ports.invoke. */
struct remote_function *remote_attach(struct remote *remote, struct bytes ns, struct bytes name);
void remote_invoke(struct remote *remote, struct remote_function *function,
                   struct invocation *invocation, const struct to_function *request);

/* Sends what has been gathered: to be called in every turn, after engine_run. */
void remote_flush(struct remote *remote);

struct remote_figures {
    struct bytes ns, name;
    const char *url;
    uint64_t requests, failures;
    uint64_t request_bytes, response_bytes;
    uint64_t connections;
    uint64_t bundles, bundled;         /* of the requests; invocations in them */
    uint64_t bundles_failed;           /* their invocations were sent again, plainly */
    uint64_t kept_known, kept_unknown; /* invocations that referred to states that were kept */
    struct histogram latency;          /* of every attempt */
};
void remote_each(const struct remote *remote,
                 void (*visit)(void *owner, const struct remote_figures *figures), void *owner);

/* The URL of a function: `{function.name}` replaced by its name, in which only what no URL may hold
 * is escaped. For free(). */
char *remote_url(const char *url_template, struct bytes name);

/* Judges a response; false says what is wrong with it. `ret_reply` and what it refers to live as
 * long as `arena` and the response. */
struct http_response;
bool remote_read_response(const struct transport_spec *transport,
                          const struct http_response *response, struct arena *arena,
                          struct from_function *ret_reply, struct sf_status *status);

#endif
