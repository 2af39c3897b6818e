/* engine.h - the heart: a deterministic state machine that turns records and replies into deltas.
 *
 *     record, message ─▶ mailbox ─▶ invocation ─▶ effects ─▶ delta of the open epoch
 *
 * One engine per worker; it owns the addresses of its partitions and everything in them. It is
 * given inputs (the functions below) and answers through ports.h; the same inputs in the same order
 * always give the same outputs. Everything it has not yet handed out in a sealed delta may be lost
 * and done again; that, and nothing else, is why results count exactly once.
 *
 * What the engine promises: messages from one sender to one address are taken up in the order sent;
 * one invocation at a time for an address; effects of an invocation are applied whole or not at
 * all; a delayed message fires once, not before its time, and not after it was cancelled; what was
 * accepted is in some delta, or its effects are.
 *
 * The room may include wire and base. All functions are called on the worker's thread. */
#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H

#include "engine/bindings.h"
#include "engine/change.h"
#include "engine/keys.h"
#include "engine/ports.h"

struct engine;

struct engine_limits {
    size_t cache_bytes;          /* instances kept in memory */
    size_t backlog_memory_bytes; /* waiting messages in memory; beyond it they spill to the store */
    size_t backlog_bytes;        /* waiting messages of one function type, wherever they are; beyond
                                  * it records for that type are refused */
    size_t delta_bytes;          /* of the open epoch while the last one is not committed yet */
    size_t delayed_memory_bytes; /* delayed messages in memory; beyond it the latest are left in the
                                  * store until their time is near */
    size_t in_flight_max;        /* invocations under way; 0: no limit */
    size_t batch_bytes_max;      /* of messages in one invocation (at least one message) */
    uint64_t retry_ms_max;       /* backoff of a failing address grows up to this */
    uint64_t idempotency_ms;     /* how long an idempotency key is remembered */
    size_t idempotency_keys_max;
};

extern const struct engine_limits engine_limits_default;

struct engine_options {
    uint32_t worker, workers, partitions;
    uint64_t hash_seed;
    uint64_t epoch; /* the first open one: the last committed + 1 */
    uint64_t now_ms;
    bool remember_specs;   /* use the state specs of earlier runs */
    size_t kept_bytes_min; /* functions that keep states keep those of so many bytes */
    struct engine_limits limits;
    const struct bindings *bindings; /* must outlive the engine */
    struct ports ports;
};

struct engine *engine_new(const struct engine_options *options);
void engine_free(struct engine *engine); /* NULL is fine */

/* Recovery: every stored entry of this worker's partitions, in key order, and the entries that
 * belong to no partition (positions, specs); then engine_restored, once. False if an entry makes no
 * sense. */
SF_CHECK bool engine_restore(struct engine *engine, struct bytes key, struct bytes value,
                             struct sf_status *status);
void engine_restored(struct engine *engine);

/* A partition of an ingress whose records this worker reads: what was read is part of the epoch. */
struct source;
struct source *engine_source(struct engine *engine, struct bytes ingress, struct bytes partition);

/* The position recovered or last accepted; empty if there is none. */
struct bytes source_position(const struct source *source);

/* Where reading begins when nothing was recovered: kept from now on, so that a crash before the
 * first record does not make it begin elsewhere. */
void engine_begin_source(struct engine *engine, struct source *source, struct bytes position);

struct record_target {
    struct bytes ns;
    struct bytes name;
};

/* A message that a router has made of a record. */
struct record_message {
    struct bytes address;  /* canonical */
    struct bytes argument; /* the body of a TypedValue */
};

struct record {
    struct source *source; /* NULL: the ingress has no positions */
    struct bytes position; /* where to go on when this record is done; at most 255 bytes */
    struct bytes origin;   /* for a dead letter: what and where, as text */
    struct bytes id;       /* of every target */
    const struct record_target *targets;
    size_t target_count;
    struct bytes argument;                 /* the body of a TypedValue: the same for every target */
    const struct record_message *messages; /* besides: each to an address of its own */
    size_t message_count;
    uint64_t receipt; /* 0: nobody waits. With it exactly one target, and settle follows: when its
                       * message counts, the others do */
    struct bytes idempotency_key; /* only with a receipt; the messages are known by it, too */
};

enum acceptance {
    ACCEPTED,
    REFUSED,        /* no room: offer it again after ports.room */
    UNKNOWN_TARGET, /* only with a receipt: no such function. Nothing was done */
    TOO_MANY_STATES /* only of a change: too many states that the function has not declared */
};

/* Takes a record in: its messages and its position belong to the open epoch, together. Without a
 * receipt, a target that no endpoint serves becomes a dead letter. */
enum acceptance engine_accept(struct engine *engine, const struct record *record);

/* Sets a record aside that cannot become messages; its position moves on. `letter` needs cause,
 * origin, target, type, key and value. REFUSED as above. */
enum acceptance engine_reject(struct engine *engine, struct source *source, struct bytes position,
                              const struct dead_letter *letter);

/* Passes a record over that leaves nothing behind. */
void engine_skip(struct engine *engine, struct source *source, struct bytes position);
/* A put or delete from outside. */
struct change_request {
    uint64_t receipt; /* settle follows */
    struct bytes ns, name, id;
    struct state_change change;
    bool ahead; /* before all that waits, behind what is under way: to mend what fails */
};

/* Takes a change in. Like a message it waits in the mailbox of its address, and is durable while it
 * does (unless it goes ahead); when its turn has come, between two invocations, it is carried out,
 * and settled once that is durable. A state that no function has declared may be put as well. */
enum acceptance engine_change(struct engine *engine, const struct change_request *request);

/* A look at the states of one address of this worker's partitions. */
struct read_request {
    uint64_t receipt; /* ports.found and settle follow, in this order */
    struct bytes ns, name, id;
    struct bytes state; /* empty: all, without their values */
};

/* Finds what the last invocation or change that was carried out has left, without waiting for those
 * that are to come; settled once that is durable. UNKNOWN_TARGET if nobody serves the function. */
enum acceptance engine_read(struct engine *engine, const struct read_request *request);

/* From another worker. */
void engine_receive(struct engine *engine, uint32_t from, const struct post *post);

/* At most so many invocations of a function type may be under way here from now on: what makes
 * sense in the eyes of whoever carries them out. `function` is what ports.attach gave. At most its
 * binding's in_flight_max. */
void engine_allow(struct engine *engine, const void *function, size_t in_flight_max);

/* The end of an invocation. A reply that cannot be applied counts as a failure. */
void engine_reply(struct engine *engine, struct invocation *invocation,
                  const struct from_function *reply);

struct failure {
    bool of_endpoint; /* nobody there: what is wrong is not this address */
    struct bytes cause;
    uint64_t retry_after_ms; /* the peer's wish; 0: none */
};
void engine_fail(struct engine *engine, struct invocation *invocation,
                 const struct failure *failure);

/* It is to be sent again, and has not failed: it went with others, or referred to states that its
 * function does not keep any more. */
void engine_repeat(struct engine *engine, struct invocation *invocation);

void engine_loaded(struct engine *engine, struct load *load);

/* Has parked addresses invoked again, in the open epoch: the one that `wanted` is (canonical),
 * those of the function type that it is, or, if it is empty, all. Returns how many. */
size_t engine_resume(struct engine *engine, struct bytes wanted);

/* Wall clock, ms since 1970. Never runs backwards for the engine: an earlier time is ignored. */
void engine_time(struct engine *engine, uint64_t now_ms);

/* When engine_time wants to be called at the latest; UINT64_MAX: no need. */
uint64_t engine_wake_ms(const struct engine *engine);

/* Starts what can be started; call when a batch of inputs is through. True: it has ended because
 * functions that answer at once were given all the messages that they may be given in one run, and
 * wants to be called again. */
bool engine_run(struct engine *engine);

/* At most about so many such messages in one run from now on: other inputs wait meanwhile. */
void engine_pace(struct engine *engine, size_t messages);

/* A message of which whoever wants it writes the bytes, to be part of a reply (outgoing_message).
 * Mostly in the memory of one that is gone. For message_free, if it does not become part of one. */
struct message *engine_message_new(struct engine *engine, size_t target_size, size_t body_size);

/* True while functions have as much under way as they can use and more is waiting: then nothing is
 * lost if replies are taken in a little later and together. */
bool engine_is_crowded(const struct engine *engine);

/* Ends the open epoch, if it is still `epoch`. Its delta follows through ports.sealed, as soon as
 * the markers of all other workers are in. */
void engine_seal(struct engine *engine, uint64_t epoch);

/* The epoch is durable. The next seal may follow. */
void engine_committed(struct engine *engine, uint64_t epoch);

/* The view has come forward. */
void engine_viewed(struct engine *engine, struct view_progress progress);

/* An egress has confirmed its records up to and including `epoch`; they leave the outbox. */
void engine_confirmed(struct engine *engine, uint32_t egress, uint64_t epoch);

/* One record of an outbox was taken or can never be delivered (then `letter` says why). */
void engine_record_done(struct engine *engine, struct bytes key, const struct dead_letter *letter);

/* Sends dead letters again, or removes them: what is DEAD_DONE is in one epoch, sent and removed
 * together. All such requests go to the same worker. One that is not answered when the engine is
 * freed is its maker's again. */
void engine_dead_letters(struct engine *engine, struct dead_request *request);

/* The outboxes hold too much: refuse records until that is over. */
void engine_outbox_full(struct engine *engine, bool full);

/* No invocation and no work on dead letters is started any more; what is under way may end. For a
 * clean stop. */
void engine_stop(struct engine *engine);

/* Is there something to commit, and does somebody wait for it? (SOON is not an engine's own: it is
 * for an egress that waits for records.) */
enum want { WANT_NOTHING, WANT_COMMIT, WANT_COMMIT_SOON, WANT_COMMIT_NOW };
enum want engine_want(const struct engine *engine);

/* Bit i: the open epoch holds records for egress i (beyond 63, bit 63). */
uint64_t engine_open_egresses(const struct engine *engine);

uint64_t engine_epoch(const struct engine *engine); /* the open one */

struct engine_figures {
    uint64_t instances;
    uint64_t cache_bytes;
    uint64_t evicted;
    uint64_t in_flight;
    uint64_t backlog_messages;
    uint64_t backlog_memory_bytes;
    uint64_t spilled_messages;
    uint64_t stranded_messages; /* in the store, for functions that no endpoint serves now */
    uint64_t delayed_messages;
    uint64_t retrying;
    uint64_t parked;
    uint64_t dead_letters;
    uint64_t idempotency_keys;
    uint64_t duplicates; /* records dropped because of their idempotency key */
};
void engine_figures(const struct engine *engine, struct engine_figures *ret_figures);

/* Per function type, names as in runtime.md 8. */
struct function_figures {
    struct bytes ns, name;
    uint64_t in, out_local, out_remote, out_egress;
    uint64_t invocations, invoked_messages, failures;
    uint64_t in_flight, backlog, blocked;
};

/* Calls `visit` for every function type seen so far. */
void engine_each_function(const struct engine *engine,
                          void (*visit)(void *owner, const struct function_figures *figures),
                          void *owner);

/* The address of an invocation, canonical; for logs of transports. */
struct bytes invocation_address(const struct invocation *invocation);
size_t invocation_messages(const struct invocation *invocation);

/* True if it was sent before, however that ended: from now on it should have no company that it
 * may harm, or be harmed by, and refer to nothing. */
bool invocation_goes_alone(const struct invocation *invocation);

#endif
