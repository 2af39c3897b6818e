/* remote_inside.h (function, internal) - what remote.c, plain requests, and bundles.c share. */
#ifndef FUNCTION_REMOTE_INSIDE_H
#define FUNCTION_REMOTE_INSIDE_H

#include "function/remote.h"

#include "base/list.h"
#include "function/pacer.h"
#include "net/address.h"
#include "net/http_client.h"
#include "wire/bundle.h"

/* So many invocations in a bundle, at most. */
enum { BUNDLE_MAX = 128 };
_Static_assert((int)BUNDLE_MAX <= (int)BUNDLE_ITEMS_MAX, "a bundle is too large for its protocol");

/* Something that did not work is left alone for a while, longer each time. */
struct restraint {
    unsigned length, left; /* occasions */
};

void restraint_grow(struct restraint *restraint);
void restraint_shrink(struct restraint *restraint); /* it did work */
bool restraint_holds(struct restraint *restraint);  /* an occasion */

struct bundle;

struct remote_function {
    struct list all;
    struct remote *remote;
    const struct endpoint *endpoint;
    struct entrance *entrance; /* NULL: there is no gate */
    unsigned headers_version;  /* of what the pools send */
    struct http_pool *pool;
    char *url;
    struct net_target target;
    const char *path; /* of it */
    uint64_t timeout_ms;
    struct list under_way; /* attempts, oldest first */
    struct pacer pacer;
    size_t allowed;        /* what the engine was told */
    struct loop_timer age; /* set while the pacer's limit is reached */
    struct remote_figures figures;
    struct bytes ns, name; /* owned */

    /* Bundles: bundles.c. */
    struct http_pool *bundle_pool; /* NULL: none was ever sent */
    bool takes_bundles;            /* its server has said so, and none has failed since */
    struct bundle *filling;        /* NULL: none is */
    struct list to_flush;          /* in remote->to_flush, while one is */
    struct list bundles;           /* under way */
    uint64_t invocation_ns;        /* what an invocation takes, by the function's account */
    struct restraint offers, versions;
};

/* An attempt under way. */
struct attempt {
    struct list link; /* in remote->spare, entrance->held, function->under_way, or its own */
    struct http_client_call call;
    struct remote_function *function;
    struct invocation *invocation;
    uint64_t started_us;
    bool is_old;       /* for the pacer */
    bool is_bundled;   /* the call is its bundle's */
    bool has_versions; /* it refers to states that are kept */
};

struct remote {
    struct loop *loop;
    const struct endpoints *endpoints;
    size_t pipeline_max;
    bool uses_bundles;
    struct engine *engine;
    struct entrance *entrances; /* in the order of the endpoints */
    struct loop_waker waker;    /* some gate's call */
    bool has_gates;
    struct list functions;
    struct list to_flush;      /* functions whose bundle is filling */
    struct list spare;         /* attempts */
    struct list spare_bundles; /* struct bundle */
    struct arena arena;        /* of the reply that is being read */
};

struct http_pool *remote_pool_new(struct remote_function *function, const char *content_type);
void remote_refresh_headers(struct remote_function *function);

struct attempt *attempt_take(struct remote_function *function, struct invocation *invocation);
void attempt_note_sent(struct attempt *attempt, uint64_t now_us);
void attempt_end(struct attempt *attempt, uint64_t now_us);
void attempt_fail(struct attempt *attempt, bool of_endpoint, uint64_t retry_after_ms,
                  const char *cause);

/* Judges the answer to one invocation, and tells the engine. */
void attempt_conclude(struct attempt *attempt, uint64_t now_us,
                      const struct http_response *response, uint64_t version);

/* --- bundles --- */

void bundles_init(struct remote_function *function);
void bundles_free(struct remote_function *function); /* its attempts are the caller's */
void bundles_free_spare(struct remote *remote);

/* A plain response has come: does its server take bundles? */
void bundles_note_offer(struct remote_function *function, const struct http_response *response);

/* True if the invocation may go into a bundle. */
bool bundles_take(const struct remote_function *function, const struct invocation *invocation);
void bundles_add(struct remote_function *function, struct invocation *invocation,
                 const struct to_function *request);
void bundles_flush(struct remote_function *function);
size_t bundles_connections(const struct remote_function *function);

#endif
