/* parked.h - parked addresses as an operator sees them: which are meant, in pages, as JSON. */
#ifndef RUNTIME_PARKED_H
#define RUNTIME_PARKED_H

#include "engine/keys.h"
#include "statefun/status.h"
#include "store/store.h"

#include <jansson.h>

/* "namespace/name" (a function type) or "namespace/name/id" (an address) into the canonical form
 * that engine_resume takes, which replaces what is in `wanted`. */
SF_CHECK bool parked_parse(struct bytes text, struct buffer *wanted, struct sf_status *status);

enum { PARKED_PAGE = 500 };

/* Calls `visit` for at most PARKED_PAGE parked addresses that `wanted` (empty: all) means, from key
 * `from` (empty: the first) on, in the order of keys; reads the disk. `ret_next` (replaced) is
 * where the next page begins; empty: there is none. */
void parked_page(struct store *store, struct bytes wanted, struct bytes from,
                 void (*visit)(void *owner, struct bytes key, struct bytes address,
                               const struct stored_parked *parked),
                 void *owner, struct buffer *ret_next);

/* {"address": "namespace/name/id", "since": time, "cause": "..."} */
json_t *parked_json(struct bytes address, const struct stored_parked *parked);

/* A cursor between pages: a key as text. */
void parked_cursor_add(struct buffer *text, struct bytes key);
SF_CHECK bool parked_cursor_parse(struct bytes text, struct buffer *key, struct sf_status *status);

#endif
