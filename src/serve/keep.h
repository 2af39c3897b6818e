/* keep.h - states that functions have left, kept so that a runtime need not send them again
 * (docs/bundles.md).
 *
 * What a reply leaves is kept under a version of its own, which no other reply has, of this process
 * or another, and for its address alone. So who names a version means exactly what that reply said.
 * What was not used for the longest time goes first when there is too much. Any thread. */
#ifndef SERVE_KEEP_H
#define SERVE_KEEP_H

#include "base/list.h"
#include "base/map.h"
#include "wire/invocation.h"

#include <pthread.h>

struct keep {
    pthread_mutex_t lock;
    struct map map;
    struct list order; /* oldest first */
    size_t bytes, bytes_max;
    uint64_t last; /* version that was given */
};

void keep_init(struct keep *keep, size_t bytes_max);
void keep_destroy(struct keep *keep);

/* Keeps what `reply` leaves of the states that `request` has shown: those of STATE_KEPT_BYTES_MIN
 * or more. Returns their version; 0: none is. Copies. */
uint64_t keep_add(struct keep *keep, const struct to_function *request,
                  const struct from_function *reply);

/* What is kept of one address, taken out; NULL if it is not known. The caller's, until it is put
 * back or freed. */
struct kept;
struct kept *keep_take(struct keep *keep, uint64_t version, struct bytes address);
void keep_put(struct keep *keep, struct kept *kept);
void kept_free(struct kept *kept); /* NULL is fine */

/* True if what is kept of the request's states is also what the reply leaves: then its version may
 * be told again. */
bool kept_is_left(const struct to_function *request, const struct from_function *reply);
uint64_t kept_version(const struct kept *kept);

/* The value of a state, lent; false if it is not kept. */
bool kept_find(const struct kept *kept, struct bytes name, struct bytes *ret_value);

size_t keep_bytes(struct keep *keep);

#endif
