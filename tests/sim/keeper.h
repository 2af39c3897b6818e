/* keeper.h - what the simulated functions keep of their states between calls.
 *
 * A function may answer with a version, under which it keeps what the answer leaves. Whatever the
 * engine then says to be kept must be what is kept: it would not be sent. */
#ifndef SIM_KEEPER_H
#define SIM_KEEPER_H

#include "base/arena.h"
#include "wire/invocation.h"

struct kept_states;

/* All zeros is empty. */
struct keeper {
    struct arena arena;
    struct kept_states *items; /* the nth has version n + 1 */
    size_t count, capacity;
};

void keeper_destroy(struct keeper *keeper);

/* The version of what `reply`, to this request, leaves. */
uint64_t keeper_keep(struct keeper *keeper, const struct to_function *request,
                     const struct from_function *reply);

/* Fails the run if the request calls a value kept that is not. */
void keeper_check(const struct keeper *keeper, const struct to_function *request);

#endif
