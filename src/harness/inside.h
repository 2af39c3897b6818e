/* inside.h - what the files of a harness share.
 *
 *     harness.c   life: options, modules, starting and crashing
 *     input.c     messages and records that wait to be read, each at its position
 *     calls.c     what engines ask for: invocations, carried out here
 *     steps.c     what can happen, in order or by chance; time
 *     results.c   records that were committed, dead letters, states
 *     remote.c    functions behind a URL: linked only where it is used */
#ifndef HARNESS_INSIDE_H
#define HARNESS_INSIDE_H

#include "harness/counters.h"
#include "harness/machine.h"
#include "harness/outputs.h"
#include "sdk/batch.h"
#include "sdk/operations.h"
#include "sdk/registry.h"
#include "sdk/route.h"

/* --- input --- */

/* What was given as input: it stays, as a log would, and is read again after a crash. */
struct input {
    char *ingress; /* of a record; NULL: a message */
    struct bytes target, argument;
    struct bytes key, value;
    char *topic;
    int64_t timestamp_ms;
    bool has_key;
    struct arena arena;
};

/* A partition of the input. In order there is one; else equal keys go to the same. */
enum { LANES = 8 };

struct lane {
    struct source *source;
    struct input **items;
    size_t count, capacity;
    size_t next; /* read so far in this life */
};

/* How far an ingress in C has been read. */
struct pulled {
    struct list link;
    const struct sf_ingress *ingress;
    uint32_t partition;
    struct buffer position;
};

/* --- calls --- */

struct call {
    struct list link; /* in its worker's calls, or held */
    struct machine_worker *worker;
    const struct sf_function *function;
    struct invocation *invocation;
    struct arena arena;
    struct to_function request;
    struct bytes caller, metadata; /* of a companion's */
    struct visit visit;
};

/* Functions behind a URL. The call is this struct's, so that only who makes one needs it. */
struct remote_functions {
    struct list link;
    struct sf_function function; /* what the registry knows */
    char *types;
    char *url;
    bool (*call)(struct remote_functions *remote, const struct to_function *request,
                 struct arena *arena, struct from_function *ret_reply, struct sf_status *status);
};

/* --- results --- */

struct egress {
    struct list link;
    char *id;
    struct outputs outputs;
    void (*consume)(void *user, const struct sf_output *output);
    void *user;
};

struct expected_failure {
    struct list link;
    char *part;
    bool has_come;
};

struct look {
    struct list link;
    struct arena arena;
    struct batch batch;
};

/* --- the harness --- */

/* What chance may do in this run; all zeros: nothing. */
struct chances {
    uint64_t crash, repeat, misbehave; /* in a thousand */
    uint64_t crashes_left;
};

struct sf_harness {
    struct sf_harness_options options;
    char **config;
    bool is_simulated;
    struct random random;
    struct chances chances;
    uint64_t *weights; /* of each step */
    bool is_calm;      /* nothing misbehaves: is it really over? */

    /* The application. */
    struct registry registry;
    struct list remotes;
    bool is_started;
    struct function_binding *functions;
    struct egress_binding egress_binding;
    struct bindings bindings;
    struct engine_limits limits;
    uint32_t partitions;

    /* The process. */
    struct machine machine;
    uint64_t life;
    int64_t now_ms;
    uint64_t disk_ms; /* the coordinator's clock, which costs nothing */
    struct batch_world world;
    struct batch batch;
    struct operations *operations;
    struct desk desk;
    struct list held;        /* companions' calls, whose operations are under way */
    uint64_t calls;          /* carried out in this run */
    struct sf_status broken; /* no call can be carried out */
    struct buffer failing;   /* who keeps failing, and why */

    struct lane lanes[LANES];
    struct list pulled;
    struct route route;

    struct list egresses;
    bool has_unconfirmed;
    struct sf_letter *letters; /* their texts are owned */
    size_t letter_count, judged_count;
    struct buffer last_letter; /* its key */
    struct list expected;
    struct list looks;
    struct counters counters, route_counters;
};

/* harness.c */
SF_CHECK bool harness_start(struct sf_harness *harness, struct sf_status *status);
void harness_crash(struct sf_harness *harness);
SF_CHECK bool harness_begin_life(struct sf_harness *harness, struct sf_status *status);

/* input.c */
void input_begin_life(struct sf_harness *harness);
bool input_comes(struct sf_harness *harness); /* a step */
bool input_is_read(const struct sf_harness *harness);
void input_destroy(struct sf_harness *harness);

/* calls.c */
void *calls_attach(void *owner, const struct function_binding *binding, struct bytes ns,
                   struct bytes name);
void calls_invoke(void *owner, void *function, struct invocation *invocation,
                  const struct to_function *request);
bool calls_end(struct sf_harness *harness);            /* a step */
bool calls_operation_ends(struct sf_harness *harness); /* a step */
void calls_free(struct sf_harness *harness);
struct sf_async *calls_begin_async(void *owner, struct batch *batch, struct bytes metadata);
void calls_log(void *owner, struct bytes address, enum sf_level level, const char *text);
void calls_count(void *owner, struct bytes type, const char *counter, int64_t by);
void calls_log_route(void *owner, const char *ingress, enum sf_level level, const char *text);
void calls_count_route(void *owner, const char *ingress, const char *counter, int64_t by);

/* results.c */
bool results_accept(struct bytes argument, struct bytes *ret_record, struct sf_status *status);
void results_wrap(struct arena *arena, const struct address *sender, struct from_function *reply);
void results_before_durable(void *owner, const struct commit *commit);
void results_read_letters(struct sf_harness *harness);
SF_CHECK bool results_judge(struct sf_harness *harness, struct sf_status *status);
void results_forget_looks(struct sf_harness *harness);
void results_destroy(struct sf_harness *harness);

/* Reads an address as people write it. Lives in the arena. */
SF_CHECK bool address_of(struct arena *arena, struct sf_address written,
                         struct address *ret_address, struct sf_status *status);

#endif
