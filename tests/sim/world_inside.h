/* world_inside.h - what the files of the world share. Each calls those above it, in this order:
 *
 *     trace.c       which run this is, and what it says of itself
 *     ports.c       what engines ask of the world
 *     commits.c     what becomes durable
 *     lives.c       the process starts, and crashes
 *     inputs.c      records and requests
 *     happenings.c  what can happen next
 *     verdict.c     when it is over, and whether all is as it must be
 *     world.c       one run */
#ifndef SIM_WORLD_INSIDE_H
#define SIM_WORLD_INSIDE_H

#include "sim/world.h"

#include "base/list.h"
#include "harness/machine.h"
#include "sim/app.h"
#include "sim/keeper.h"
#include "sim/operators.h"

enum { SOURCES_MAX = 4, HAPPENINGS = 18 };

/* An ingress with positions: a list of records, made beforehand. */
struct sim_record {
    bool is_bad;
    struct record_target target;
    struct buffer id;
    struct buffer argument;
};

struct sim_source {
    struct source *source;
    struct sim_record *records;
    size_t count;
    size_t next; /* read so far in this life */
};

/* A client of an HTTP ingress. */
enum request_status { REQUEST_NEW, REQUEST_WAITING, REQUEST_SETTLED };

struct sim_request {
    enum request_status status;
    bool has_key;
    struct record_target target;
    struct buffer id;
    struct buffer argument;
    uint32_t number;  /* of its address */
    uint64_t record;  /* written to the exact egress when it is executed */
    uint64_t sends;   /* how often it was accepted */
    uint64_t waiting; /* answers that are due; impatient clients repeat a request that has a key */
};

/* An operator wants something done with dead letters. */
struct operation {
    struct list link;
    struct dead_request request;
};

struct world {
    struct random random;
    bool trace;
    uint64_t step;
    uint64_t now_ms;
    uint64_t life;
    struct world_result result;

    struct app app;
    struct arena called_arena; /* of the last call that was answered at once */
    struct from_function called_reply;
    struct keeper keeper;
    uint32_t partitions;
    uint64_t interval_ms;
    struct engine_limits limits;
    uint64_t crash_chance, failure_chance, misbehave_chance, keep_chance; /* in a thousand */
    uint64_t crashes_left;
    uint64_t cured_step;
    uint64_t weights[HAPPENINGS], weight; /* how often things happen, and the sum of that */

    struct machine machine; /* the process, and what survives it */

    /* what survives besides */
    uint64_t expected_letters; /* by the world; the app has its own */
    uint64_t removed_letters;  /* of them */
    struct app_ids delivered[APP_EGRESSES];
    uint64_t delivered_epoch; /* of the exact egress: with the records, atomically */

    /* what does not */
    bool has_unconfirmed;   /* records that were delivered are still in the outbox */
    struct list outbox;     /* struct commit: durable, not delivered to the exact egress */
    struct list operations; /* struct operation: what was asked for dead letters */

    struct sim_source sources[SOURCES_MAX];
    uint32_t source_count;
    struct sim_request *requests;
    size_t request_count;
    struct operators *operators;
};

/* --- trace.c --- */

/* The run that is under way; NULL: none. */
extern struct world *world_current;

void world_trace(struct world *world, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void world_trace_list(void *owner, const char *format, va_list arguments);

/* --- ports.c --- */

/* Their owner is the machine's worker. */
extern const struct ports world_ports;

/* How a call ends: what it is given is random, but for a message that always fails. */
enum call_end { CALL_FAILS, CALL_FAILS_WITH_ITS_ENDPOINT, CALL_ANSWERS };
enum call_end world_end_call(struct world *world, struct machine_worker *worker,
                             const struct app_call *call, struct arena *arena,
                             struct from_function *ret_reply);

/* Those of a reply that was not applied. */
void world_free_ready(struct world *world);

/* Takes it off its list, too. */
void world_free_call(struct app_call *call);
void world_free_operation(struct operation *operation);

/* --- commits.c --- */

/* The machine's callback; `owner` is the world. */
void world_before_durable(void *owner, const struct commit *commit);

void world_free_commit(struct commit *commit);
void world_free_commits(struct list *commits);

/* --- lives.c --- */

void world_start(struct world *world);

/* Everything in memory is gone; a commit that was on its way is durable or not. */
void world_crash(struct world *world);

/* One of those that live now. */
struct machine_worker *world_random_worker(struct world *world);

/* --- inputs.c --- */

void world_make_inputs(struct world *world);
void world_free_inputs(struct world *world);

/* One of them is offered; false if none was taken. */
bool world_record_comes(struct world *world);
bool world_request_comes(struct world *world);

/* All were taken and answered, and the operators have done all that they want. */
bool world_inputs_are_done(const struct world *world);

/* --- happenings.c --- */

/* Some things happen often and some seldom, differently in each run. */
void world_weigh(struct world *world);

/* One thing happens, or cannot. */
void world_go_on(struct world *world);

/* What was sent to the late function before it was served, and poison. */
bool world_has_letters_to_send(const struct world *world);

/* --- verdict.c --- */

/* All that came in is done, and nothing is left to do. */
bool world_is_over(const struct world *world);

/* Of a run that is over: records and states are as the model says. */
void world_check(struct world *world);

#endif
