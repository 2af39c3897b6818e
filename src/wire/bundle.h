/* bundle.h - many invocations in one HTTP request, and what became of them: docs/bundles.md.
 *
 * A bundle holds items; each is a ToFunction, with the version under which states of it are kept.
 * The answer holds a result for each, in any order: what the plain protocol would have answered, as
 * a status and a body, with the version under which the function keeps what the reply leaves. */
#ifndef WIRE_BUNDLE_H
#define WIRE_BUNDLE_H

#include "wire/invocation.h"

#define BUNDLE_TYPE "application/vnd.statefun.bundle"

/* By this header a plain response says that its server takes bundles: a list of their versions. */
#define BUNDLE_HEADER  "statefun-bundles"
#define BUNDLE_VERSION "1"

enum {
    BUNDLE_ITEMS_MAX = 1024,
    BUNDLE_STATUS_UNKNOWN = 409 /* of a result: the states are not kept, at least not those */
};

/* --- the runtime's side --- */

/* An item: exactly bundle_item_size bytes; returns the place behind them. */
size_t bundle_item_size(const struct to_function *request);
uint8_t *bundle_item_put(uint8_t *to, const struct to_function *request);

struct bundle_result {
    int status; /* of HTTP, 200 to 599 */
    struct bytes body;
    uint64_t version; /* 0: nothing is kept */
};

/* Reads the answer to a bundle of `count` items; `results` has room for as many, in the order of
 * the items. `ret_took_us`: how long the functions took by their own account; 0: it is not told.
 * False if there is not exactly one result for each. */
bool bundle_answer_parse(struct bytes answer, size_t count, struct bundle_result *results,
                         uint64_t *ret_took_us, struct sf_status *status);

/* --- the function's side --- */

struct bundle_item {
    struct bytes request; /* a ToFunction, not read yet */
    uint64_t version;
};

/* Reads a bundle, which may come from anybody: 1 to BUNDLE_ITEMS_MAX items, in `arena`. */
bool bundle_parse(struct bytes bundle, struct arena *arena, struct bundle_item **ret_items,
                  size_t *ret_count, struct sf_status *status);

/* Appends the result of the nth item: a reply, whose version goes with it, or a failure. */
void bundle_reply_add(struct buffer *answer, size_t nth, const struct from_function *reply);
void bundle_failure_add(struct buffer *answer, size_t nth, int http_status, struct bytes text);

/* Appends how long it took, once. */
void bundle_time_add(struct buffer *answer, uint64_t took_us);

#endif
