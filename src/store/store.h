/* store.h - what survives: a log of deltas, which is the truth, and a view of it that can be read.
 *
 * A commit appends the deltas of one epoch to the log as one record and syncs it: one write, one
 * sync, whatever the epoch touched. The view (RocksDB) follows in the background, in large batches
 * in which each key stands once with its last value; it carries the number of the epoch up to which
 * it is complete. What was put and removed again in between never reaches it. Opening replays what
 * the view lacks, so that afterwards view and log say the same.
 *
 * The store knows keys and values, not what they mean (engine/keys.h does), with one exception:
 * values past their deadline are dropped when the view is compacted.
 *
 * Threads: one thread commits. Any thread may read. The view is brought forward on a thread of the
 * store's own. This room may include engine (delta.h, keys.h), wire and base. */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "base/bytes.h"
#include "engine/delta.h"
#include "engine/keys.h"
#include "statefun/status.h"

struct store;

struct store_options {
    const char *directory;     /* made if it does not exist */
    uint32_t partitions;       /* of a new directory; an existing one keeps its own */
    size_t write_buffer_bytes; /* for changes on their way into the view, and half of it again */
    size_t lag_bytes_max;      /* how much of the log the view may lack; commits wait beyond it */
    size_t segment_bytes;      /* of a file of the log */
    bool sync;                 /* false only in tests and benchmarks: a commit is not synced */
};

/* The sizes for production: small memory, recovery in well under a second. */
extern const struct store_options store_defaults;

/* Opens the directory, taking its lock: SF_CONFLICT if another process holds it (the message names
 * its pid), SF_UNSUPPORTED if it was made by another program or a newer format, SF_CORRUPT if
 * committed data is damaged. A torn tail of the log, the trace of a crash, is cut off silently. */
SF_CHECK bool store_open(const struct store_options *options, struct store **ret_store,
                         struct sf_status *status);

/* Brings the view up to the last commit, so that the next opening has nothing to replay, and
 * closes. NULL is fine. */
void store_close(struct store *store);

uint32_t store_partitions(const struct store *store);

/* 32 hexadecimal digits, drawn when the directory was made: two directories never share them. */
const char *store_id(const struct store *store);

/* The last committed epoch; 0 when nothing has been committed. */
uint64_t store_epoch(const struct store *store);

/* Makes `epoch` (the last one + 1) durable. The store takes a reference of each part; parts without
 * entries cost nothing. SF_FULL when the disk is full: nothing was committed, and the same call may
 * be made again when there is room. SF_IO when the disk failed: what reached it is unknown, and
 * only opening the store again will tell; the caller must stop. (An epoch of more than 2 GB is
 * SF_INVALID.) */
SF_CHECK bool store_commit(struct store *store, uint64_t epoch, struct delta *const *parts,
                           size_t part_count, struct sf_status *status);

/* The epoch up to which the view is complete; of what is not queued more can be read. */
uint64_t store_view_epoch(const struct store *store);

/* Calls `on_view(owner, progress)` on the view's thread whenever more can be read: of what is
 * queued up to `whole`, where the view stands; of the rest up to `kept`. Set before the first
 * commit. */
void store_watch_view(struct store *store,
                      void (*on_view)(void *owner, struct view_progress progress), void *owner);

/* Asks for what was committed to be readable now instead of when it is due: VIEW_KEPT what is not
 * queued, which costs little; VIEW_WHOLE all of it, which then is in the view (and is due when
 * write_buffer_bytes have changed, or a quarter of lag_bytes_max been logged). That costs some
 * milliseconds and a file, however little there is to write: a thing to ask a few times a second,
 * not for each epoch. */
void store_hurry(struct store *store, enum view_part part);

/* Reads a key into `value` (replacing what is in it); false if it is not there. The disk may have
 * to be waited for. A view that cannot be read has lost data: that aborts, with a message. */
bool store_get(struct store *store, struct bytes key, struct buffer *value);

/* The same for many keys, which together cost less than one by one. Calls `visit` for each, in
 * their order: `value` is lent for the call, and NULL if the key is not there. */
void store_get_all(struct store *store, const struct bytes *keys, size_t count,
                   void (*visit)(void *owner, size_t nth, const struct bytes *value), void *owner);

enum store_read { STORE_FOUND, STORE_ABSENT, STORE_WOULD_WAIT };

/* The same as store_get, for who may not wait: what the tail has and what nothing has is told at
 * once, mostly; of what the view has it is STORE_WOULD_WAIT. */
enum store_read store_try(struct store *store, struct bytes key, struct buffer *value);

/* Calls `visit` for each key of the view in [from, to) in order until it returns false; an empty
 * `to` means up to the end of the keys that begin with `from`'s first byte. Returns false if the
 * visitor stopped it. */
bool store_scan(struct store *store, struct bytes from, struct bytes to,
                bool (*visit)(void *owner, struct bytes key, struct bytes value), void *owner);

/* The same for a range of what is not queued, up to where that can be read. It looks at everything
 * that the view lacks, some milliseconds: for what is asked now and then. */
bool store_scan_kept(struct store *store, struct bytes from, struct bytes to,
                     bool (*visit)(void *owner, struct bytes key, struct bytes value), void *owner);

struct store_figures {
    uint64_t commits;
    uint64_t log_bytes;      /* written since opening */
    uint64_t lag_bytes;      /* that the view lacks now */
    uint64_t view_batches;   /* written since opening */
    uint64_t view_changes;   /* keys in them */
    uint64_t replayed_bytes; /* by opening */
    uint64_t segments;       /* files of the log now */
};
void store_figures(const struct store *store, struct store_figures *ret_figures);

#endif
