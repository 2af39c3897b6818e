/* bindings.h - which functions and egresses an application has, as far as the engine must know. */
#ifndef ENGINE_BINDINGS_H
#define ENGINE_BINDINGS_H

#include "base/bytes.h"
#include "statefun/status.h"

/* What becomes of messages that their function fails on. */
enum failure_end {
    FAILURE_RETRY,      /* they are tried for ever */
    FAILURE_PARK,       /* the address is not invoked any more, and keeps them */
    FAILURE_DEAD_LETTER /* the one that fails, alone, is set aside */
};

struct failure_policy {
    enum failure_end end;
    uint64_t attempts;  /* when so many have failed; 0: no limit */
    uint64_t within_ms; /* or when it has failed for so long; 0: no limit */
    bool resumes;       /* of PARK: when the endpoint was away and is back */
};

/* A function type, or all types of a namespace whose names begin alike. An exact type wins over
 * those, a longer beginning over a shorter one. */
struct function_binding {
    struct bytes ns;
    struct bytes name;
    bool is_prefix;       /* `name` is how names begin; empty: any name */
    bool answers_at_once; /* invoked by ports.call */
    bool needs_no_proof;  /* it has no states to be learnt and no endpoint to be away: it is invoked
                           * many times at once before it has answered for the first time */
    size_t batch_max;     /* messages in one invocation; 0: no limit */
    size_t in_flight_max; /* invocations under way at once, for each type and worker; at least 1 */
    struct failure_policy failures;
};

struct egress_binding {
    struct bytes ns;
    struct bytes name;
    struct bytes id; /* "namespace/name", as it stands in stored keys */

    /* Judges the argument of an egress message (the body of a TypedValue) and returns the bytes to
     * keep in the outbox, a view into it. Must be pure. False: the message can never be delivered.
     */
    bool (*accept)(struct bytes argument, struct bytes *ret_record, struct sf_status *status);
};

struct dead_letter;

/* Where dead letters go besides the store, or instead of it. Those that concern this egress itself
 * do not: they are stored. */
struct letter_route {
    uint32_t egress;
    bool keeps;        /* they are stored, too */
    const char *to;    /* a topic or stream, for `write` */
    const void *owner; /* for `write` */

    /* Appends what is to stand in the egress's outbox for the letter with this key. Must be pure.
     * NULL: letters are only stored. */
    void (*write)(const struct letter_route *route, struct bytes key,
                  const struct dead_letter *letter, struct buffer *record);
};

struct bindings {
    const struct function_binding *functions;
    size_t function_count;
    const struct egress_binding *egresses;
    size_t egress_count;
    struct letter_route letters;
};

#endif
