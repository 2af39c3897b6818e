/* state_export.h - the states of a store as lines, a page at a time, each in bounded memory.
 *
 * A page begins behind a mark that the last one gave, and no mark means that it was the last. Lines
 * come in the order of their stored keys: the states of an address one after the other. What is
 * read is the store's view. */
#ifndef RUNTIME_STATE_EXPORT_H
#define RUNTIME_STATE_EXPORT_H

#include "store/store.h"

#define STATE_EXPORT_NEXT "Statefun-Next" /* the header that has the mark */

/* Appends lines to `lines`, and to `next` the mark for the page that follows, if one does. `after`
 * is empty for the first. What has expired at `now_ms` is left out. */
void state_export_page(struct store *store, struct bytes after, uint64_t now_ms,
                       struct buffer *lines, struct buffer *next);

bool state_export_is_mark(struct bytes text);

#endif
