/* app.h - a random application whose results are known beforehand.
 *
 * A message carries a tree of commands: count, send subtrees (now or later), write, cancel, write
 * to an egress. Whoever makes a tree adds up what its execution must lead to; at the end of a run
 * states and egresses must be exactly that, whatever crashed in between. The functions that execute
 * the trees check on the way what only they can see: order between two addresses, that their state
 * is their own, that a delayed message comes once, not early and not after its cancellation, that
 * state expires when it should. What they know they keep in their state, so it is as exactly-once
 * as the engine makes it.
 *
 * Some messages are poison until they are cured: whatever batch they are in fails.
 *
 * One function is served only from some life on: what is sent to it before becomes dead letters,
 * which an operator has sent again.
 *
 * Addresses are numbered: number = id * types + type. */
#ifndef SIM_APP_H
#define SIM_APP_H

#include "engine/engine.h"
#include "harness/random.h"
#include "harness/table.h"

/* Ends the run with a message unless `condition` holds. */
#define SIM_CHECK(condition, ...)                                                                  \
    do {                                                                                           \
        if (!(condition))                                                                          \
            sim_fail(#condition, __VA_ARGS__);                                                     \
    } while (0)
void sim_fail(const char *condition, const char *format, ...)
    __attribute__((noreturn, format(printf, 2, 3)));

enum { APP_EGRESS_EXACT, APP_EGRESS_TAKEN, APP_EGRESSES };

struct app_ids {
    uint64_t *ids;
    size_t count, capacity;
};
void app_ids_add(struct app_ids *ids, uint64_t id);

struct app {
    struct random random;
    uint32_t types, ids;
    uint64_t *expected_counts; /* by address number */
    struct app_ids expected_records[APP_EGRESSES];
    uint64_t expected_letters;
    uint64_t next_id; /* of records and tokens */
    const struct bindings *bindings;
    bool serves_late;
    bool is_cured;
    uint64_t *bounds; /* by record: this change, and later ones, must come after it; 0: none */
    size_t bound_count;
};

/* A state that functions declare, and operators change: the number of the change, and how often the
 * function has seen it. */
#define APP_REGISTER_TYPE "sim/register"

void app_init(struct app *app, uint64_t seed);
void app_destroy(struct app *app);

/* A dead letter is durable: perhaps an egress must get it. */
void app_expect_letter(struct app *app, struct bytes key);

/* From the next life on, the late function is served too. */
void app_serve_late(struct app *app);

/* A letter that can be sent some day: for the late function, or poison. Its message writes a
 * record that is expected. */
bool app_is_late(const struct dead_letter *letter);
bool app_is_poison(const struct dead_letter *letter);

/* Makes a tree for an address, and counts what must come of it. */
void app_make_tree(struct app *app, uint32_t number, struct buffer *tree);

/* Where a record goes. */
void app_random_target(struct app *app, struct record_target *ret_target, struct buffer *id,
                       uint32_t *ret_number);

/* The argument (a TypedValue's body) of the nth record that a source sends to an address; a source
 * that keeps no order has number UINT32_MAX. */
void app_argument(struct buffer *argument, uint32_t source, uint64_t nth, struct bytes tree);

/* A request as it was sent, kept until it is answered. */
struct app_call {
    struct list link;
    struct arena arena;
    const void *function; /* the handle by which the engine knows its type */
    struct invocation *invocation;
    struct to_function request; /* everything it refers to is in the arena */
    uint64_t sent_ms;           /* by its engine's time */
};

/* Executes a call; `now_ms` is the engine's time. The reply lives in `arena`. */
void app_execute(struct app *app, const struct app_call *call, uint64_t now_ms, struct arena *arena,
                 struct from_function *ret_reply);

/* True if a call must fail: it holds poison. */
bool app_must_fail(const struct app *app, const struct app_call *call);

/* A reply that the engine must not accept. */
void app_misreply(struct app *app, struct arena *arena, struct from_function *ret_reply);

/* The record must be handled before the change; UINT64_MAX: it need not, whatever was said. */
void app_bound(struct app *app, uint64_t record, uint64_t change);

/* What is stored of the register; false if it is absent. */
bool app_find_register(struct app *app, uint32_t number, const struct table *truth,
                       uint32_t partitions, uint64_t *ret_change, uint64_t *ret_seen);

/* Compares the final state with what was expected. */
void app_check_states(struct app *app, const struct table *truth, uint32_t partitions);

#endif
