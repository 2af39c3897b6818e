/* admin_request.h - what requests of the admin listener share: many are answered later, some when
 * an epoch is in the view or durable, and most in JSON. On the admin's loop. */
#ifndef RUNTIME_ADMIN_REQUEST_H
#define RUNTIME_ADMIN_REQUEST_H

#include "net/http_server.h"
#include "store/store.h"

#include <jansson.h>

/* Whoever answers later puts this into what it remembers, and sets that as the context of the
 * exchange, so that it hears of a client that has gone. */
struct admin_request {
    void (*on_gone)(struct admin_request *request);
};

/* Answers; `headers` as in struct http_answer. Takes `json`. */
void admin_respond(struct http_exchange *exchange, int status, const char *headers, json_t *json);

/* {"error": "..."} with the status that fits its code: 404, 405, else 400. */
void admin_complain(struct http_exchange *exchange, const struct sf_status *status);

/* Splits "/path?query". */
struct bytes admin_path(struct bytes target, struct bytes *ret_query);

/* Calls `set` for each "name=value" of a query, decoded, until it returns false. */
SF_CHECK bool admin_query_read(struct bytes query,
                               bool (*set)(void *owner, struct bytes name, struct bytes value,
                                           struct sf_status *status),
                               void *owner, struct sf_status *status);

/* Waits for an epoch. View and commits tell nobody here, so it looks every few milliseconds. */
enum admin_outcome {
    ADMIN_THERE,
    ADMIN_LATE, /* it takes too long: the exchange has been answered with 503 */
    ADMIN_GONE  /* the exchange has gone */
};

struct admin_wait {
    struct http_exchange *exchange; /* NULL: gone, or answered */
    struct loop *loop;
    struct store *store;
    void (*on_end)(struct admin_wait *wait, enum admin_outcome outcome);
    /* Its own from here on. */
    struct admin_request request;
    struct loop_timer timer;
    bool for_view;
    uint64_t epoch, deadline_ms;
};

/* The exchange's context becomes the struct admin_request. */
void admin_wait_init(struct admin_wait *wait, struct loop *loop, struct store *store,
                     struct http_exchange *exchange,
                     void (*on_end)(struct admin_wait *wait, enum admin_outcome outcome));
void admin_wait_cancel(struct admin_wait *wait);

/* Calls on_end, at once or later: when the view has what is durable now, or when `epoch` is
 * durable. */
void admin_wait_view(struct admin_wait *wait);
void admin_wait_commit(struct admin_wait *wait, uint64_t epoch);

/* --- jobs: requests that are answered later, and do what they do in steps --- */

struct admin_job;

struct admin_job_kind {
    void (*on_there)(struct admin_job *job); /* what it has waited for is there */
    void (*free)(struct admin_job *job);     /* what its kind remembers of it */
};

/* Part of what its kind remembers of it. */
struct admin_job {
    const struct admin_job_kind *kind;
    struct list link; /* among those of its kind */
    struct admin_wait wait;
};

/* Adds a job that waits by its `wait` from now on. It ends by itself when its client has gone, or
 * was told that it takes too long. */
void admin_job_begin(struct admin_job *job, const struct admin_job_kind *kind, struct list *jobs,
                     struct loop *loop, struct store *store, struct http_exchange *exchange);

/* Answers, if there is still somebody to be answered, and ends the job. Takes `json`. */
void admin_job_answer(struct admin_job *job, int status, json_t *json);

void admin_jobs_free(struct list *jobs); /* unanswered */

#endif
