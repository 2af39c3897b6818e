/* ports.h - all that the engine asks of the world.
 *
 * The engine does no I/O, reads no clock, starts no thread and draws no random number. What it
 * wants done it says through these functions; how that ended it is told by the inputs in engine.h.
 * In production they lead to sockets and the store, in the simulator to a seeded scheduler.
 *
 * All are called on the worker's thread, from inside an input. None may call back into the engine,
 * except that `load` may fill its load in and say so by returning true. */
#ifndef ENGINE_PORTS_H
#define ENGINE_PORTS_H

#include "base/list.h"
#include "engine/bindings.h"
#include "engine/delta.h"
#include "engine/keys.h"
#include "engine/message.h"
#include "wire/invocation.h"

struct invocation; /* one request for one address, until it has succeeded; see engine.h */

/* Reads from the view of the store. The engine makes it, whoever carries it out fills in `results`.
 */
struct load {
    struct list link; /* for whoever carries it out */
    bool is_range;
    size_t count;       /* POINTS: how many keys */
    size_t bytes_max;   /* RANGE: stop after the entry that passes this */
    struct buffer keys; /* POINTS: (size 4, key) for each; RANGE: (size 4, key) of from and of to */
    struct buffer results; /* POINTS: (found 1, size 4, value) for each, in order;
                            * RANGE: (size 4, key, size 4, value) for each entry found */
    void *subject;         /* the engine's own; NULL: the engine keeps the load among its own */
};

/* Dead letters that an operator wants sent again or removed. Memory of the caller's, who gets it
 * back through `dead_done`. */
enum dead_action { DEAD_REPLAY, DEAD_DISCARD };

enum dead_outcome {
    DEAD_DONE,
    DEAD_GONE,   /* there is no such letter (any more) */
    DEAD_STUCK,  /* it cannot be sent: the reason says why. It stays */
    DEAD_NO_ROOM /* nor can it just now. It stays */
};

struct dead_request {
    struct list link; /* the engine's */
    enum dead_action action;
    struct load load;       /* POINTS: the keys of the letters */
    struct buffer outcomes; /* (outcome 1, size 2, reason) for each key, in order */
    uint64_t epoch;         /* what is DEAD_DONE is when that is durable; 0: nothing is */
};

/* What one worker tells another. Posts of one worker to another arrive in the order sent. */
enum post_kind {
    POST_MESSAGE, /* `message` changes hands */
    POST_MARKER,  /* all that follows belongs to epochs after `epoch` */
    POST_FULL, /* `type` (or, if empty, the worker) has no room for more records from ingresses */
    POST_ROOM, /* it has room again */
    POST_RECOVERED /* the endpoint of `type` was away and is back */
};

struct post {
    enum post_kind kind;
    struct message *message;
    uint64_t epoch;
    struct bytes type; /* lives as long as the sending engine */
};

/* How a record, a change or a read ended for which somebody waits. */
enum settlement {
    SETTLED,          /* committed; `epoch` is the one that holds it (or the first of its kind) */
    SETTLED_NO_ROOM,  /* refused: too many idempotency keys are remembered */
    SETTLED_ABSENT,   /* a delete found no value */
    SETTLED_CONFLICT, /* a put is not of the state's type, which `found` has told */
    SETTLED_IN_LINE   /* a change is durable, and will be carried out some time */
};

/* A state of an address, as a read has found it. */
struct found_state {
    struct bytes name;
    struct bytes type;
    struct bytes value; /* what the TypedValue holds; not given in a list */
    size_t size;        /* of the value */
    uint64_t deadline;  /* ms since 1970; 0: does not expire */
};

/* Things worth telling people. */
enum report_kind {
    REPORT_FAILING,    /* an address cannot be invoked; it is tried again */
    REPORT_RECOVERED,  /* ... and now it could, after `attempts` failures */
    REPORT_PARKED,     /* it is not tried any more */
    REPORT_RESUMED,    /* ... and now it is */
    REPORT_DEAD_LETTER /* something undeliverable was set aside */
};

struct report {
    enum report_kind kind;
    struct bytes address; /* canonical; empty if none is concerned */
    struct bytes cause;
    uint64_t attempts;
    const struct dead_letter *letter; /* of a dead letter, which has no address */
};

/* Sections where the simulator makes rare things common. */
enum misbehaviour { MISBEHAVE_SHORT_BATCH, MISBEHAVE_SPILL, MISBEHAVE_EVICT, MISBEHAVE_PAUSE };

struct ports {
    void *owner;

    /* A function type is about to be used for the first time: returns what `invoke` or `call` gets
     * for it, or NULL if it cannot be served after all. */
    void *(*attach)(void *owner, const struct function_binding *binding, struct bytes ns,
                    struct bytes name);

    /* Sends a request. `request` and all that it refers to is valid only during the call; exactly
     * one engine_reply or engine_fail with `invocation` follows, later. */
    void (*invoke)(void *owner, void *function, struct invocation *invocation,
                   const struct to_function *request);

    /* Runs a function whose binding says that it answers at once. NULL: it has failed, and `status`
     * says why. The reply may refer to what the request refers to, and lives until the next call.
     * NULL if there are no such functions. */
    const struct from_function *(*call)(void *owner, void *function,
                                        const struct to_function *request,
                                        struct sf_status *status);

    /* True: done. False: engine_loaded will follow. */
    bool (*load)(void *owner, struct load *load);

    void (*post)(void *owner, uint32_t worker, const struct post *post);

    /* This worker's share of an epoch is complete; the reference changes hands. */
    void (*sealed)(void *owner, struct delta *delta);

    void (*settle)(void *owner, uint64_t receipt, enum settlement settlement, uint64_t epoch);

    /* The request is answered and changes hands. */
    void (*dead_done)(void *owner, struct dead_request *request);
    /* What a read has found. It must not be shown before `settle` comes for the same receipt: it
     * may not be durable yet. Lent for the call. */
    void (*found)(void *owner, uint64_t receipt, const struct found_state *states, size_t count);

    /* Records that were refused may be offered again. */
    void (*room)(void *owner);

    /* Memory waits for the view: bring it forward. */
    void (*hurry)(void *owner, enum view_part part);

    void (*report)(void *owner, const struct report *report);

    /* NULL in production. */
    bool (*misbehave)(void *owner, enum misbehaviour misbehaviour);
};

#endif
