/* view.h - the view of the log: a RocksDB database, complete up to some epoch.
 *
 * The view changes in batches. A batch is written as one sorted file, which then becomes part of
 * the database in one atomic, durable step; it carries the number of the epoch up to which it
 * completes the view. So the view always stands exactly at an epoch, what it holds is on disk, and
 * the log up to there may go. RocksDB's own log and its tables in memory are not used: our log and
 * our tail (tail.h) take their place, at half the cost.
 *
 * Threads: batches are written on one thread; any thread may read. */
#ifndef STORE_VIEW_H
#define STORE_VIEW_H

#include "base/bytes.h"
#include "statefun/status.h"
#include "store/store.h"

struct view;

struct view_options {
    const char *path;       /* of the database; made if it does not exist */
    const char *batch_path; /* of the file for a batch, on the same file system */
    const char *id;         /* of the data directory: another directory's view is SF_CORRUPT */
};

SF_CHECK bool view_open(const struct view_options *options, struct view **ret_view,
                        struct sf_status *status);

/* NULL is fine. */
void view_close(struct view *view);

/* The epoch up to which the view was complete when it was opened; 0 if it was made. */
uint64_t view_opened_epoch(const struct view *view);

/* A batch: begin, then each key at most once, in the order of bytes_compare, trims anywhere
 * between, then commit. A trim [from, to) takes what the view held before and leaves the batch's
 * own keys. An error on the way is told by the commit; after it the view is as it was, and the
 * batch may be written again. */
void view_begin(struct view *view, uint64_t epoch);
void view_put(struct view *view, struct bytes key, struct bytes value);
void view_remove(struct view *view, struct bytes key);
void view_trim(struct view *view, struct bytes from, struct bytes to);
SF_CHECK bool view_commit(struct view *view, struct sf_status *status);

/* True while so many batches wait to be merged that reading suffers: better wait a while. */
bool view_is_crowded(struct view *view);

/* As store_get_all: reading what is damaged aborts. */
void view_get_all(struct view *view, const struct bytes *keys, size_t count,
                  void (*visit)(void *owner, size_t nth, const struct bytes *value), void *owner);

/* True if the view has no such key for certain, which the filters of its tables tell without being
 * read. */
bool view_denies(struct view *view, struct bytes key);

/* Calls `visit` for each key in [from, to) in order until it returns false; then it returns false.
 */
bool view_scan(struct view *view, struct bytes from, struct bytes to,
               bool (*visit)(void *owner, struct bytes key, struct bytes value), void *owner);

/* The first key in [from, to), copied; false if there is none. */
bool view_first(struct view *view, struct bytes from, struct bytes to, struct buffer *ret_key);

#endif
