/* store.c - the log in front, the view behind it, and the thread that carries one into the other.
 *
 *     store_commit ─▶ log (written, synced) ─▶ waiting ─▶ tail ─▶ view ─▶ log_trim
 *        committer's thread ────────────────────┘ └──────── view's thread
 *
 * `waiting` is a list of committed deltas; it, the figures and everything both threads ask each
 * other for lie under `mutex`. Only the view's thread (and store_open, before it starts) changes
 * the tail and writes batches of the view.
 *
 * The tail goes into the view when it takes write_buffer_bytes, when a quarter of lag_bytes_max has
 * been logged since the last time, or when somebody is in a hurry. What is young then stays in the
 * tail, and the view is brought to where the tail was the last time; so it lags by one to two
 * writes. Who is in a hurry gets all of it, and so it is when too much would stay behind.
 *
 * What is not queued is read from the tail and the view (overlay.h): that is how far kept_epoch is.
 *
 * A commit waits when the whole of lag_bytes_max, or half of write_buffer_bytes in deltas, is ahead
 * of the view: while the disk and the compaction keep up, that never happens.
 *
 * When the view cannot come forward because the disk is full, the log still takes commits, up to
 * lag_bytes_max; then they are SF_FULL, and the view's thread tries again now and then. Any
 * other failure of the view is final: commits are refused, and the log will tell the next process.
 */
#include "store/store.h"

#include "base/list.h"
#include "base/mem.h"
#include "engine/partition.h"
#include "store/directory.h"
#include "store/log.h"
#include "store/overlay.h"
#include "store/tail.h"
#include "store/view.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <time.h>

enum {
    MERGE_BYTES = 256 * 1024, /* the view's thread wakes for that much, not for each commit */
    DELTA_BYTES = 256,        /* what a delta takes beside its entries */
    CROWDED_WAIT_MS = 5,
    CROWDED_WAIT_MS_MAX = 1000,
    FULL_WAIT_MS = 500
};

/* Together about 16 MB: 8 of changes, 4 of deltas that wait, and what a compaction takes. A larger
 * write buffer means that a change is rewritten less often: of the 3.0 us of CPU that a change to
 * one of a million keys costs, compaction takes 1.8; it takes 2.0 with 6 MB and 1.3 with 12.
 *
 * A crash leaves at most 10 MB of changes to distinct keys to be replayed, which takes 0.15 s, or
 * half of lag_bytes_max of changes to few, which takes 0.06 s. The limit is so much larger than a
 * write buffer for their sake: a key that changes all the time comes into the view once for 32 MB
 * of log. */
const struct store_options store_defaults = {
    .partitions = PARTITIONS_DEFAULT,
    .write_buffer_bytes = 8 << 20,
    .lag_bytes_max = 64 << 20,
    .segment_bytes = 8 << 20,
    .sync = true,
};

/* A committed epoch that has not been merged into the tail. */
struct waiting {
    struct list link;
    uint64_t epoch;
    uint64_t log_bytes;
    size_t memory_bytes;
    size_t part_count;
    struct delta *parts[];
};

struct store {
    struct store_options options;
    struct directory *directory;
    struct log *log;
    struct view *view;

    /* The view's thread's. */
    struct tail *tail;
    uint64_t tail_epoch;
    uint64_t tail_log_bytes;  /* of the records merged into the tail that the view lacks */
    uint64_t young_log_bytes; /* of those after written_epoch */
    uint64_t written_epoch;   /* the tail's when it was last written */
    struct view_progress told;

    pthread_t thread;
    bool has_thread;
    pthread_mutex_t mutex;
    pthread_cond_t work; /* the view's thread may have something to do */
    pthread_cond_t room; /* a commit that waits may go on */
    bool closing;
    uint64_t hurry_epoch;      /* up to here the view should come at once */
    uint64_t hurry_kept_epoch; /* and the tail */
    struct list waiting;
    size_t waiting_bytes;
    uint64_t waiting_log_bytes;
    struct sf_status view_failure; /* SF_OK: none */
    void (*on_view)(void *owner, struct view_progress progress);
    void *on_view_owner;
    atomic_uint_fast64_t epoch;      /* written by the committer */
    atomic_uint_fast64_t view_epoch; /* written by the view's thread */
    uint64_t kept_epoch;             /* the tail's */
    struct store_figures figures;
};

static void free_waiting(struct waiting *waiting)
{
    for (size_t i = 0; i < waiting->part_count; i++)
        delta_unref(waiting->parts[i]);
    free(waiting);
}

/* Writes the tail into the view. */
static bool bring_forward(struct store *store, enum view_part part, struct sf_status *status)
{
    uint64_t changes, lag_bytes = part == VIEW_KEPT ? store->young_log_bytes : 0;
    uint64_t epoch = part == VIEW_KEPT ? store->written_epoch : store->tail_epoch;
    if (!tail_write(store->tail, store->view, part, epoch, &changes, status))
        return false;

    pthread_mutex_lock(&store->mutex);
    store->view_epoch = epoch;
    store->figures.lag_bytes -= store->tail_log_bytes - lag_bytes;
    store->figures.view_batches++;
    store->figures.view_changes += changes;
    pthread_mutex_unlock(&store->mutex);
    store->tail_log_bytes = lag_bytes;
    store->young_log_bytes = 0;
    store->written_epoch = store->tail_epoch;
    return true;
}

/* What need not be written now, if it is little enough. */
static enum view_part part_to_write(struct store *store)
{
    const struct store_options *options = &store->options;
    bool may_stay = store->young_log_bytes < options->lag_bytes_max / 2 &&
                    tail_young_bytes(store->tail) < options->write_buffer_bytes / 4 * 3;
    return may_stay ? VIEW_KEPT : VIEW_WHOLE;
}

static void note_merged(struct store *store, uint64_t epoch, uint64_t log_bytes)
{
    store->tail_epoch = epoch;
    store->tail_log_bytes += log_bytes;
    store->young_log_bytes += log_bytes;
}

/* True if the tail should go into the view now. A tail that has grown large is swept first: much of
 * it may have been trimmed. */
static bool is_due(struct store *store)
{
    if (store->young_log_bytes >= store->options.lag_bytes_max / 4)
        return true;
    if (tail_bytes(store->tail) < store->options.write_buffer_bytes)
        return false;
    tail_sweep(store->tail, store->view);
    return tail_bytes(store->tail) >= store->options.write_buffer_bytes / 4 * 3;
}

/* A log_sink: while the store opens there is no other thread. */
static bool take_replayed(void *owner, uint64_t epoch, struct bytes entries, uint64_t bytes,
                          struct sf_status *status)
{
    struct store *store = owner;
    if (!tail_add(store->tail, entries))
        return sf_fail(status, SF_CORRUPT,
                       "%s: the record of epoch %llu is whole, but its entries make no sense",
                       store->directory->log_path, (unsigned long long)epoch);
    note_merged(store, epoch, bytes);
    store->figures.lag_bytes += bytes;
    store->figures.replayed_bytes += bytes;
    return !is_due(store) || bring_forward(store, VIEW_WHOLE, status);
}

/* Waits under the mutex, woken by closing alone; returns whether it was. */
static bool pause_ms(struct store *store, int ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += ms * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    while (!store->closing &&
           pthread_cond_timedwait(&store->work, &store->mutex, &until) != ETIMEDOUT)
        continue;
    return store->closing;
}

/* While earlier batches wait to be merged another one would make reading slower still; the limit on
 * the lag holds back whoever writes. Not for ever: merging may be what a full disk does not allow,
 * and then the next batch finds that out. */
static void wait_while_crowded(struct store *store)
{
    bool closing = false;
    for (int waited_ms = 0;
         !closing && waited_ms < CROWDED_WAIT_MS_MAX && view_is_crowded(store->view);
         waited_ms += CROWDED_WAIT_MS) {
        pthread_mutex_lock(&store->mutex);
        closing = pause_ms(store, CROWDED_WAIT_MS);
        pthread_mutex_unlock(&store->mutex);
    }
}

/* Tells whoever watches if there is more to read. */
static void tell_progress(struct store *store)
{
    struct view_progress progress = {store->view_epoch, store->tail_epoch};
    if (progress.whole == store->told.whole && progress.kept == store->told.kept)
        return;
    store->told = progress;
    pthread_mutex_lock(&store->mutex);
    store->kept_epoch = progress.kept;
    void (*on_view)(void *owner, struct view_progress progress) = store->on_view;
    void *owner = store->on_view_owner;
    pthread_mutex_unlock(&store->mutex);
    if (on_view)
        on_view(owner, progress);
}

/* Brings the view forward, or notes why that cannot be done. */
static void advance(struct store *store, enum view_part part)
{
    struct sf_status failure = {0};
    wait_while_crowded(store);
    bool good = bring_forward(store, part, &failure);

    pthread_mutex_lock(&store->mutex);
    store->view_failure = failure; /* SF_OK when there was none */
    pthread_cond_broadcast(&store->room);
    pthread_mutex_unlock(&store->mutex);
    if (!good)
        return;
    tell_progress(store);
    log_trim(store->log, store->view_epoch);
}

/* Under the mutex. */
static bool is_hurried(const struct store *store)
{
    return store->view_epoch < store->hurry_epoch || store->kept_epoch < store->hurry_kept_epoch;
}

/* Under the mutex: whether the view's thread has something to do. */
static bool has_work(const struct store *store)
{
    if (store->closing)
        return true;
    if (store->view_failure.code != SF_OK)
        return false;
    return is_hurried(store) || store->waiting_bytes >= MERGE_BYTES ||
           store->waiting_bytes >= store->options.write_buffer_bytes / 4 ||
           store->waiting_log_bytes >= store->options.lag_bytes_max / 8;
}

/* One round of the view's thread. */
struct round {
    struct list taken; /* from the waiting list */
    bool whole;        /* the view must come forward, even if it is not due, and in all */
    bool last;
};

/* Waits until there is something to do, and takes what waits. */
static void begin_round(struct store *store, struct round *round)
{
    list_init(&round->taken);
    pthread_mutex_lock(&store->mutex);
    bool again = store->view_failure.code == SF_FULL;
    if (again)
        pause_ms(store, FULL_WAIT_MS); /* taking more would only fill the memory too */
    else
        while (!has_work(store))
            pthread_cond_wait(&store->work, &store->mutex);
    round->last = store->closing;
    round->whole = again || store->closing || store->view_epoch < store->hurry_epoch;
    if (!again || round->last) {
        while (!list_is_empty(&store->waiting))
            list_put_last(&round->taken, list_take_first(&store->waiting));
        store->waiting_bytes = store->waiting_log_bytes = 0;
        pthread_cond_broadcast(&store->room);
    }
    pthread_mutex_unlock(&store->mutex);
}

/* What was committed was written by delta.c: if it cannot be read, our memory is damaged. */
static void merge_all(struct store *store, struct list *taken)
{
    for (struct list *node; (node = list_take_first(taken));) {
        struct waiting *waiting = container_of(node, struct waiting, link);
        for (size_t i = 0; i < waiting->part_count; i++) {
            bool good = tail_add(store->tail, buffer_bytes(&waiting->parts[i]->entries));
            assert(good);
        }
        note_merged(store, waiting->epoch, waiting->log_bytes);
        free_waiting(waiting);
    }
}

/* The view's thread. The last round brings all that was committed into the view. */
static void *run(void *argument)
{
    struct store *store = argument;
    for (struct round round = {0}; !round.last;) {
        log_prepare(store->log);
        begin_round(store, &round);
        merge_all(store, &round.taken);
        tell_progress(store);
        if (store->tail_epoch > store->view_epoch && (round.whole || is_due(store)))
            advance(store, round.whole ? VIEW_WHOLE : part_to_write(store));
    }
    return NULL;
}

static void init_shared(struct store *store)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&store->work, &attributes);
    pthread_cond_init(&store->room, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&store->mutex, NULL);
    list_init(&store->waiting);
    store->tail = tail_new(store->options.write_buffer_bytes);
}

/* The directory, the view as it was left, and the log, which brings it forward. */
static bool open_parts(struct store *store, struct sf_status *status)
{
    const struct store_options *options = &store->options;
    if (!directory_open(options->directory, options->partitions, &store->directory, status))
        return false;

    struct view_options view_options = {
        .path = store->directory->view_path,
        .batch_path = store->directory->batch_path,
        .id = store->directory->id,
    };
    if (!view_open(&view_options, &store->view, status))
        return false;
    store->tail_epoch = view_opened_epoch(store->view);
    store->view_epoch = store->tail_epoch;
    store->written_epoch = store->tail_epoch;

    struct log_options log_options = {
        .path = store->directory->log_path,
        .id = store->directory->id,
        .segment_bytes = options->segment_bytes,
        .sync = options->sync,
    };
    struct log_sink sink = {take_replayed, store};
    if (!log_open(&log_options, store->view_epoch, &sink, &store->log, status))
        return false;
    store->epoch = log_epoch(store->log);
    store->kept_epoch = store->tail_epoch;
    if (store->tail_epoch > store->view_epoch && !bring_forward(store, VIEW_WHOLE, status))
        return false;
    store->told = (struct view_progress){store->view_epoch, store->tail_epoch};
    return true;
}

bool store_open(const struct store_options *options, struct store **ret_store,
                struct sf_status *status)
{
    assert(options->write_buffer_bytes && options->lag_bytes_max);
    struct store *store = mem_new(sizeof *store);
    store->options = *options;
    init_shared(store);
    if (!open_parts(store, status)) {
        store_close(store);
        return false;
    }
    log_trim(store->log, store->view_epoch);
    int error = pthread_create(&store->thread, NULL, run, store);
    if (error) {
        store_close(store);
        return sf_fail(status, SF_NO_MEMORY, "%s: cannot start the view's thread: %s",
                       options->directory, strerror(error));
    }
    (void)pthread_setname_np(store->thread, "view"); /* for who looks at the threads */
    store->has_thread = true;
    *ret_store = store;
    return true;
}

static void stop_thread(struct store *store)
{
    pthread_mutex_lock(&store->mutex);
    store->closing = true;
    pthread_cond_signal(&store->work);
    pthread_mutex_unlock(&store->mutex);
    pthread_join(store->thread, NULL);
    if (store->view_epoch == store->epoch)
        log_finish(store->log);
}

void store_close(struct store *store)
{
    if (!store)
        return;
    if (store->has_thread)
        stop_thread(store);
    for (struct list *node; (node = list_take_first(&store->waiting));)
        free_waiting(container_of(node, struct waiting, link));
    tail_free(store->tail);
    log_close(store->log);
    view_close(store->view);
    directory_close(store->directory);
    pthread_mutex_destroy(&store->mutex);
    pthread_cond_destroy(&store->room);
    pthread_cond_destroy(&store->work);
    free(store);
}

uint32_t store_partitions(const struct store *store)
{
    return store->directory->partitions;
}

const char *store_id(const struct store *store)
{
    return store->directory->id;
}

uint64_t store_epoch(const struct store *store)
{
    return store->epoch;
}

/* Holds the committer back while the view is too far behind. */
static bool wait_for_room(struct store *store, struct sf_status *status)
{
    pthread_mutex_lock(&store->mutex);
    bool full = false;
    const struct sf_status *failure = &store->view_failure;
    while ((full = store->figures.lag_bytes >= store->options.lag_bytes_max ||
                   store->waiting_bytes >= store->options.write_buffer_bytes / 2) &&
           failure->code == SF_OK)
        pthread_cond_wait(&store->room, &store->mutex);
    bool good = failure->code == SF_OK || (failure->code == SF_FULL && !full) ||
                sf_fail(status, failure->code == SF_FULL ? SF_FULL : SF_IO, "%s", failure->message);
    pthread_mutex_unlock(&store->mutex);
    return good;
}

static struct waiting *new_waiting(uint64_t epoch, uint64_t log_bytes, struct delta *const *parts,
                                   size_t part_count)
{
    struct waiting *waiting = mem_new(sizeof *waiting + part_count * sizeof *waiting->parts);
    waiting->epoch = epoch;
    waiting->log_bytes = log_bytes;
    waiting->memory_bytes = DELTA_BYTES;
    for (size_t i = 0; i < part_count; i++) {
        if (!parts[i]->entries.size)
            continue;
        waiting->parts[waiting->part_count++] = delta_ref(parts[i]);
        waiting->memory_bytes += DELTA_BYTES + parts[i]->entries.capacity;
    }
    return waiting;
}

bool store_commit(struct store *store, uint64_t epoch, struct delta *const *parts,
                  size_t part_count, struct sf_status *status)
{
    assert(epoch == store->epoch + 1);
    uint64_t bytes;
    if (!wait_for_room(store, status) ||
        !log_append(store->log, epoch, parts, part_count, &bytes, status))
        return false;

    struct waiting *waiting = new_waiting(epoch, bytes, parts, part_count);
    pthread_mutex_lock(&store->mutex);
    store->epoch = epoch;
    list_put_last(&store->waiting, &waiting->link);
    store->waiting_bytes += waiting->memory_bytes;
    store->waiting_log_bytes += bytes;
    store->figures.commits++;
    store->figures.lag_bytes += bytes;
    if (has_work(store))
        pthread_cond_signal(&store->work);
    pthread_mutex_unlock(&store->mutex);
    return true;
}

uint64_t store_view_epoch(const struct store *store)
{
    return store->view_epoch;
}

void store_watch_view(struct store *store,
                      void (*on_view)(void *owner, struct view_progress progress), void *owner)
{
    pthread_mutex_lock(&store->mutex);
    store->on_view = on_view;
    store->on_view_owner = owner;
    pthread_mutex_unlock(&store->mutex);
}

void store_hurry(struct store *store, enum view_part part)
{
    pthread_mutex_lock(&store->mutex);
    store->hurry_kept_epoch = store->epoch;
    if (part == VIEW_WHOLE)
        store->hurry_epoch = store->epoch;
    pthread_cond_signal(&store->work);
    pthread_mutex_unlock(&store->mutex);
}

static void copy_value(void *owner, size_t nth, const struct bytes *value)
{
    struct buffer **ret_value = owner;
    (void)nth;
    if (!value) {
        *ret_value = NULL;
        return;
    }
    buffer_clear(*ret_value);
    buffer_add_bytes(*ret_value, *value);
}

bool store_get(struct store *store, struct bytes key, struct buffer *value)
{
    overlay_get_all(store->tail, store->view, &key, 1, copy_value, &value);
    return value != NULL;
}

void store_get_all(struct store *store, const struct bytes *keys, size_t count,
                   void (*visit)(void *owner, size_t nth, const struct bytes *value), void *owner)
{
    overlay_get_all(store->tail, store->view, keys, count, visit, owner);
}

enum store_read store_try(struct store *store, struct bytes key, struct buffer *value)
{
    buffer_clear(value);
    return overlay_try(store->tail, store->view, key, value);
}

bool store_scan_kept(struct store *store, struct bytes from, struct bytes to,
                     bool (*visit)(void *owner, struct bytes key, struct bytes value), void *owner)
{
    return overlay_scan(store->tail, store->view, from, to, visit, owner);
}

bool store_scan(struct store *store, struct bytes from, struct bytes to,
                bool (*visit)(void *owner, struct bytes key, struct bytes value), void *owner)
{
    assert(from.size);
    uint8_t end = (uint8_t)(from.data[0] + 1);
    if (!to.size && end)
        to = bytes_make(&end, 1);
    return view_scan(store->view, from, to, visit, owner);
}

void store_figures(const struct store *store, struct store_figures *ret_figures)
{
    struct store *shared = (struct store *)store; /* for its mutex */
    struct log_figures log;
    log_figures(store->log, &log);
    pthread_mutex_lock(&shared->mutex);
    *ret_figures = store->figures;
    pthread_mutex_unlock(&shared->mutex);
    ret_figures->log_bytes = log.bytes;
    ret_figures->segments = log.segments;
}
