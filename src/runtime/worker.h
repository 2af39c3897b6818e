/* worker.h - a thread that owns a share of all addresses: an engine on a loop, with the drivers
 * around it.
 *
 * Within the thread everything is direct calls. From outside a worker is reached by errands only;
 * all the functions below that say "any thread" send one. Workers share nothing with each other but
 * errands. */
#ifndef RUNTIME_WORKER_H
#define RUNTIME_WORKER_H

#include "function/embedded.h"
#include "function/remote.h"
#include "ingress/http_ingress.h"
#include "ingress/kafka_ingress.h"
#include "ingress/kinesis_ingress.h"
#include "ingress/module_ingress.h"
#include "runtime/committer.h"
#include "runtime/errand.h"
#include "runtime/loader.h"
#include "runtime/state_call.h"

struct worker;

/* Dead letters to be sent again or removed: memory of the sender's until `on_done`, which is called
 * on the worker's thread. */
struct worker_dead_letters {
    struct errand errand;
    struct dead_request request;
    void (*on_done)(struct worker_dead_letters *letters);
};

/* Parked addresses to be resumed: memory of the sender's until `on_done`, which is called on the
 * worker's thread. */
struct worker_resume {
    struct errand errand;
    struct bytes wanted; /* as engine_resume takes it */
    size_t count;        /* that were */
    uint64_t epoch;      /* in which */
    void (*on_done)(struct worker_resume *resume);
};

/* A Kafka ingress that was resumed goes on: memory of the sender's until `on_done`, which is called
 * on the worker's thread. */
struct worker_ingress_resume {
    struct errand errand;
    size_t ingress;
    bool has_passed; /* as kafka_lane_resume says */
    uint64_t epoch;  /* in which */
    void (*on_done)(struct worker_ingress_resume *resume);
};

struct worker_options {
    struct engine_options engine; /* its ports are filled in here */
    const struct endpoints *endpoints;
    const struct registry *registry; /* of embedded functions; NULL: there are none */
    struct operations *operations;
    struct store *store;
    struct loader *loader;
    struct committer *committer;
    struct worker *const *peers; /* all workers by number, this one included */
    int http_fd;                 /* of the HTTP ingress; -1: there is none */
    size_t body_bytes_max;
    struct remote_options remote;
    struct kafka_ingress *const *kafka_ingresses; /* one lane is made for each */
    size_t kafka_ingress_count;
    struct kinesis_ingress *const *kinesis_ingresses; /* the same */
    size_t kinesis_ingress_count;
    struct module_ingress *const *module_ingresses; /* the same */
    size_t module_ingress_count;
    struct inbox *front; /* where answers to state calls go, as errands */
    void (*run_state_answer)(struct errand *errand, void *owner);
};

/* Makes the engine, for recovery on the calling thread; drivers follow with worker_start. */
struct worker *worker_new(const struct worker_options *options);
struct engine *worker_engine(struct worker *worker);

void worker_start(struct worker *worker);
void worker_join(struct worker *worker); /* after worker_end */
void worker_free(struct worker *worker); /* NULL is fine */

/* --- any thread --- */

void worker_seal(struct worker *worker, uint64_t epoch);
void worker_committed(struct worker *worker, uint64_t epoch);
void worker_viewed(struct worker *worker, struct view_progress progress);
void worker_loaded(struct load_batch *batch);
void worker_confirmed(struct worker *worker, uint32_t egress, uint64_t epoch);
void worker_record_done(struct worker *worker, struct bytes key, const struct dead_letter *letter);
void worker_outbox_full(struct worker *worker, bool full);
void worker_resume(struct worker *worker, struct worker_resume *resume);
void worker_resume_ingress(struct worker *worker, struct worker_ingress_resume *resume);
void worker_take_dead_letters(struct worker *worker, struct worker_dead_letters *letters);
void worker_add_partition(struct worker *worker, size_t ingress, struct kafka_partition *partition);
void worker_add_shard(struct worker *worker, size_t ingress, struct kinesis_shard *shard);

/* The address must be of a partition of this worker's; the call changes hands. */
void worker_call_state(struct worker *worker, struct state_call *call);

/* Takes no more input from outside, and starts no more invocations. */
void worker_stop_input(struct worker *worker);

/* Gives the lanes of the ingresses back, so that those can be closed. */
void worker_close_input(struct worker *worker);

/* Ends the thread. */
void worker_end(struct worker *worker);

/* Returns when the worker has taken a whole turn after this call. Not on a worker's thread. */
void worker_wait_turn(struct worker *worker);

/* Invocations under way and requests not answered, as of the last turn. */
uint64_t worker_busy(const struct worker *worker);

/* How many turns it has begun, and a way to make it begin one; for health. */
uint64_t worker_turns(const struct worker *worker);
void worker_poke(struct worker *worker);

/* --- figures --- */

struct worker_function {
    struct function_figures engine;
    struct bytes ns, name; /* owned */
};

struct worker_endpoint {
    struct remote_figures remote;
    struct bytes ns, name; /* owned */
};

struct worker_lane {
    size_t ingress;
    struct kafka_lane_figures kafka;
    char *topic;
};

struct worker_shard {
    size_t ingress;
    struct kinesis_lane_figures kinesis;
    char *name; /* "stream", NUL, and behind it the shard: what the figures refer to */
};

struct worker_source {
    size_t ingress;
    struct module_lane_figures module;
};

/* Of a function type (sf_count), or of an ingress, whose id is then the name (sf_count_route). */
struct worker_counter {
    struct bytes ns, name; /* owned */
    char *counter;
    int64_t value;
};

struct worker_counters {
    struct worker_counter *items;
    size_t count;
};

/* A copy that outlives the turn in which it was taken. */
struct worker_figures {
    struct engine_figures engine;
    struct worker_function *functions;
    size_t function_count;
    struct worker_endpoint *endpoints;
    size_t endpoint_count;
    struct worker_lane *lanes;
    size_t lane_count;
    struct worker_shard *shards;
    size_t shard_count;
    struct worker_source *sources;
    size_t source_count;
    struct worker_counters function_counters, route_counters;
    struct http_ingress_figures http;
};

/* Any thread: has the worker fill in a copy and call `on_figures(owner, figures)` on its own
 * thread. */
void worker_ask_figures(struct worker *worker,
                        void (*on_figures)(void *owner, struct worker_figures *figures),
                        void *owner);
void worker_figures_free(struct worker_figures *figures); /* NULL is fine */

#endif
