/* machine.h - one process of the runtime, in memory: engines, what passes between them, their disk,
 * and its crashes.
 *
 * Nothing happens by itself. Whoever owns the machine has one thing happen after another: a post
 * arrives, a load is carried out, an epoch is sealed, made durable or told of, the view comes
 * forward. With a generator of random numbers each picks one from all that could happen of its
 * kind; without one, the first. What was durable survives a crash, and nothing else.
 *
 * Invocations, records from ingresses and what becomes of egress records are the owner's.
 *
 * The harness room runs C functions in a test's process: outputs, trial (one function alone), host
 * (functions as the engine invokes them), harness, look, simulate; over random, table and machine,
 * which tests/sim uses as well. It may include sdk, engine, wire, base and, for functions behind a
 * URL, net; its objects that do need more libraries, so they are linked only where they are used.
 */
#ifndef HARNESS_MACHINE_H
#define HARNESS_MACHINE_H

#include "base/list.h"
#include "engine/coordinator.h"
#include "harness/random.h"
#include "harness/table.h"

enum { MACHINE_WORKERS_MAX = 4 };

struct machine_worker {
    struct machine *machine;
    uint32_t number;
    struct engine *engine;
    struct list posts[MACHINE_WORKERS_MAX]; /* by sender */
    struct list notices;                    /* what the committer tells it */
    struct list loads;                      /* struct load, not carried out yet */
    struct list loaded; /* carried out, not told of yet: the view may have gone on since */
    struct list calls;  /* the owner's: invocations under way */
};

/* A commit that is on its way to the disk, or waits for the view. */
struct commit {
    struct list link;
    uint64_t epoch;
    uint32_t count;
    struct delta *parts[MACHINE_WORKERS_MAX];
};

struct machine {
    /* The owner's, set once. */
    struct random *random; /* NULL: orderly */
    void *owner;
    void (*trace)(void *owner, const char *format, va_list arguments); /* may be NULL */
    void (*before_durable)(void *owner, const struct commit *commit);  /* may be NULL */

    /* What survives. */
    struct table truth;
    uint64_t truth_epoch;

    /* What does not. */
    uint32_t workers, partitions;
    struct machine_worker worker[MACHINE_WORKERS_MAX];
    struct coordinator *coordinator;
    struct commit *committing; /* handed to the disk */
    struct list unviewed;      /* durable, not in the view yet */
    struct table whole;        /* the truth at viewed.kept */
    struct table view;         /* that, perhaps without what was queued after viewed.whole */
    struct view_progress viewed;
};

/* All zeros, with what is the owner's, is a machine that has never been started. */
void machine_destroy(struct machine *machine);

struct machine_life {
    uint32_t workers; /* at most MACHINE_WORKERS_MAX */
    uint32_t partitions;
    uint64_t hash_seed;
    uint64_t interval_ms;
    uint64_t now_ms;
    bool remember_specs;
    struct engine_limits limits;
    const struct bindings *bindings;

    /* Their owner becomes the worker; load, post and sealed are the machine's own. */
    struct ports ports;
};

/* Recovers from what is durable. False if that makes no sense. */
SF_CHECK bool machine_start(struct machine *machine, const struct machine_life *life,
                            struct sf_status *status);

/* Everything in memory is gone; a commit that was on its way is durable or not. Calls are the
 * owner's to free, before. */
void machine_crash(struct machine *machine);

struct machine_worker *machine_worker_of(struct machine *machine, struct bytes id);

/* --- what can happen; each returns false if it cannot now --- */

bool machine_post_arrives(struct machine *machine);
bool machine_load_ends(struct machine *machine);
bool machine_load_is_told(struct machine *machine);
bool machine_notice_arrives(struct machine *machine);
bool machine_commit_ends(struct machine *machine);
bool machine_view_advances(struct machine *machine);

/* The coordinator, which has a clock of its own, has an epoch sealed or committed. */
bool machine_coordinator_acts(struct machine *machine, uint64_t now_ms);

/* Nothing of that is left to happen, and nothing to commit. Calls may be under way. */
bool machine_is_quiet(const struct machine *machine);

/* --- what an egress says; it arrives as a notice --- */

void machine_confirm(struct machine *machine, uint32_t egress, uint64_t epoch);

/* Of one record; nothing if that was said already. Returns whether it was not. */
bool machine_record_is_done(struct machine *machine, struct bytes key);

/* --- picking --- */

/* A number below n: 0 without chance. */
uint64_t machine_pick(struct machine *machine, uint64_t n);

/* A node of the list; NULL if it is empty. */
struct list *machine_pick_node(struct machine *machine, struct list *list);

/* A worker for which `has` is true; NULL if there is none. */
struct machine_worker *machine_pick_worker(struct machine *machine,
                                           bool (*has)(const struct machine_worker *worker));

bool machine_has_calls(const struct machine_worker *worker);

#endif
