/* log.h - the truth: every committed epoch, one record after the other, in segment files.
 *
 * A segment is named after the epoch of its first record, 00000000000000000042.log; the epochs of
 * the log are contiguous, within segments and from one to the next. A segment is made in its full
 * size and overwritten from its start, so that a commit changes no metadata and syncs nothing but
 * its data. What lies behind the last record is whatever was there before; record.h tells it from a
 * record.
 *
 * Opening walks the records that the view may lack. The log ends before the first place that holds
 * no whole record of the next epoch, if nothing later was ever committed: that is the torn tail of
 * a crash, and the next record overwrites it. If something later was, committed data is damaged:
 * SF_CORRUPT. The last record of all is the exception that cannot be told: damage to it looks like
 * a torn tail (unless the view already has its epoch).
 *
 * Threads: log_append on one thread, log_trim and log_prepare on one thread (another or the same);
 * the rest while nobody else uses the log. */
#ifndef STORE_LOG_H
#define STORE_LOG_H

#include "base/bytes.h"
#include "engine/delta.h"
#include "statefun/status.h"

struct log;

struct log_options {
    const char *path; /* of the log's directory, which exists */
    const char *id;   /* of the data directory */
    size_t segment_bytes;
    bool sync;
};

/* Takes a record: its entries are lent for the call, `bytes` is what it takes up in the log.
 * Returning false ends the opening with the status that it has filled. */
struct log_sink {
    bool (*take)(void *owner, uint64_t epoch, struct bytes entries, uint64_t bytes,
                 struct sf_status *status);
    void *owner;
};

/* Opens the log, giving all epochs after `view_epoch` to the sink. They are durable when it gets
 * them. SF_CORRUPT if a record is damaged, or if epochs between the view's end and the log's are
 * missing. */
SF_CHECK bool log_open(const struct log_options *options, uint64_t view_epoch,
                       const struct log_sink *sink, struct log **ret_log, struct sf_status *status);

/* Closes; NULL is fine. */
void log_close(struct log *log);

/* The last epoch in the log; also of one that is empty because the view had everything. */
uint64_t log_epoch(const struct log *log);

/* Writes the entries of `parts` as the record of the next epoch and syncs it. SF_FULL: nothing was
 * committed, the call may be made again. SF_IO: what reached the disk is unknown; every further
 * call fails too. */
SF_CHECK bool log_append(struct log *log, uint64_t epoch, struct delta *const *parts,
                         size_t part_count, uint64_t *ret_bytes, struct sf_status *status);

/* Gives up the segments that hold nothing after `epoch`; one of them is kept for reuse. The segment
 * that is being written stays. */
void log_trim(struct log *log, uint64_t epoch);

/* Makes a segment ready for when the current one is full. One that was used before is best, as
 * overwriting is what it is for; otherwise zeros are written. Failing is not an error: log_append
 * then makes do with a new file. */
void log_prepare(struct log *log);

/* All of the log is in the view: leaves an empty segment, so that opening has nothing to walk. */
void log_finish(struct log *log);

struct log_figures {
    uint64_t bytes; /* written since opening */
    uint64_t segments;
};
/* Any thread. */
void log_figures(struct log *log, struct log_figures *ret_figures);

#endif
