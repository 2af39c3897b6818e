/* tail.h - what the log has and the view lacks, with each key once.
 *
 * Committed entries are merged into a table of keys, in their order: a later value replaces an
 * earlier one, and what was put and removed again vanishes where that is known to be safe. When it
 * is time, the table goes into the view as one batch. The tail copies what it keeps, so that it
 * takes the memory of what has changed and not of how often; the deltas are free as soon as they
 * have been merged.
 *
 * What may vanish. A remove must reach the view unless the view is known not to hold the key. It
 * is, if the first thing that the tail heard of the key (since the view's epoch) was a put, and the
 * key is queued (key_is_queued). (That a number is used again after its key was removed does no
 * harm.) Then the put and the remove vanish together. Of a
 * state, a position, a spec or an idempotency key the view may hold an earlier value, so their
 * removes go through.
 *
 * A trim covers what the tail has heard before it of keys in its range, whatever their kind: that
 * vanishes. It goes to the view only if the view holds a key of the range.
 *
 * What may stay. Most messages and records are gone within moments of being queued; those that are
 * in the tail at the very time at which it is written are not, and would be written only to be
 * removed. So a write may leave out what is young: queued keys that were put since the write
 * before. The view is then complete up to the epoch of that earlier write, and ahead of it in other
 * keys. That does no harm: the log is replayed from there, and every change in it is absolute.
 *
 * One thread changes a tail; any other may look into it meanwhile (tail_get, tail_copy). */
#ifndef STORE_TAIL_H
#define STORE_TAIL_H

#include "store/entries.h"
#include "store/view.h"

struct tail;

/* Memory once used is kept, up to `keep_bytes`: what a tail is meant to grow to. */
struct tail *tail_new(size_t keep_bytes);

/* NULL is fine. */
void tail_free(struct tail *tail);

/* Merges entries as they stand in a delta. False if they are none: what could be read is merged. */
SF_CHECK bool tail_add(struct tail *tail, struct bytes entries);

enum tail_knowledge { TAIL_UNKNOWN, TAIL_PUT, TAIL_REMOVED };

/* Any thread: what the tail knows of a key. A value that was put is appended to `value`. Of what it
 * does not know the view says what is so. */
enum tail_knowledge tail_get(struct tail *tail, struct bytes key, struct buffer *value);

/* The same; false if the tail is being changed, for which it would have to wait. */
SF_CHECK bool tail_try_get(struct tail *tail, struct bytes key, struct buffer *value,
                           enum tail_knowledge *ret_known);

/* Any thread: copies the last changes of keys in [from, to) that no trim covers. (Ranges of what is
 * queued are not read so: what trims cover in the view is not told.) Looks at every change that the
 * tail has: not to be asked often. */
void tail_copy(struct tail *tail, struct bytes from, struct bytes to, struct entry_pool *copies);

/* Drops what trims have covered, and the trims that concern nothing in the view. */
void tail_sweep(struct tail *tail, struct view *view);

/* The memory that it takes; sweeping may make that less. */
size_t tail_bytes(const struct tail *tail);

/* The memory of what is young. */
size_t tail_young_bytes(struct tail *tail);

/* Brings the view to `epoch`: for VIEW_WHOLE that of the last entries merged; for VIEW_KEPT, with
 * which what is young stays, what that was at the last write. What has been written leaves the
 * tail. `ret_changes` is how many keys and ranges that took. On failure the tail still has
 * everything. */
SF_CHECK bool tail_write(struct tail *tail, struct view *view, enum view_part part, uint64_t epoch,
                         uint64_t *ret_changes, struct sf_status *status);

#endif
