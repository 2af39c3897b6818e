/* admin_state.h - /state of the admin listener: states seen, changed, exported and imported while
 * the application runs.
 *
 *     /state/<namespace>/<type>/<id>/<state name>   GET, PUT, DELETE
 *     /state/<namespace>/<type>/<id>                GET: which states there are
 *     /state                                        GET: all states, in pages; POST: lines to put
 *
 * Requests become calls to the workers that own the addresses, and wait here for the answers. All
 * on the front's thread. */
#ifndef RUNTIME_ADMIN_STATE_H
#define RUNTIME_ADMIN_STATE_H

#include "net/http_server.h"
#include "runtime/worker.h"

struct admin_state;

struct admin_state_options {
    struct loop *loop;
    struct worker *const *workers;
    uint32_t worker_count;
    struct store *store;
};

struct admin_state *admin_state_new(const struct admin_state_options *options);

/* After the server is gone, which has told of all requests that were not answered. NULL is fine. */
void admin_state_free(struct admin_state *state);

/* A request for /state..., of somebody who may. */
void admin_state_serve(struct admin_state *state, struct http_exchange *exchange);

/* An answer from a worker, which changes hands. */
void admin_state_take(struct admin_state *state, struct state_answer *answer);

#endif
