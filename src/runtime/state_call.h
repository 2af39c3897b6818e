/* state_call.h - a look at states, or a change to one, on its way from the admin listener to the
 * worker that owns the address, and the answer on its way back.
 *
 * Both are errands, made by their sender and freed by whoever runs them. */
#ifndef RUNTIME_STATE_CALL_H
#define RUNTIME_STATE_CALL_H

#include "engine/engine.h"
#include "runtime/errand.h"

enum state_deed { STATE_GET, STATE_LIST, STATE_PUT, STATE_DELETE };

/* What is asked. All parts are owned. */
struct state_call {
    struct errand errand;
    enum state_deed deed;
    uint64_t receipt;
    bool ahead;
    uint64_t deadline; /* of a put; 0: as the function has declared */
    struct buffer ns, name, id, state, type, value;
};

void state_call_free(struct state_call *call);

/* Receipts of state calls have a bit that those of ingresses do not have. */
#define STATE_RECEIPT_BIT (UINT64_C(1) << 63)

/* What is answered: first, to a get, a list, and a put that conflicts, what was found; then, for
 * each call, how it ended. */
enum state_answer_kind { STATE_FOUND, STATE_REFUSED, STATE_SETTLED };

struct state_answer {
    struct errand errand;
    enum state_answer_kind kind;
    uint64_t receipt;
    enum acceptance acceptance; /* of STATE_REFUSED */
    enum settlement settlement; /* of STATE_SETTLED */
    uint64_t epoch;
    struct found_state *states; /* of STATE_FOUND: with `texts` */
    size_t count;
    struct buffer texts; /* what the states refer to */
};

struct state_answer *state_answer_new(uint64_t receipt, enum state_answer_kind kind);
void state_answer_free(struct state_answer *answer);

/* Copies what was found into the answer. */
void state_answer_set(struct state_answer *answer, const struct found_state *states, size_t count);

#endif
