/* log.c - appending to the log, moving on to the next segment, giving up the old ones.
 *
 * The committer owns the segment that is being written (`fd`, `current`, `at`, `room`). The list of
 * segments and the spare one are shared with the thread that trims and prepares, under `mutex`; it
 * is held while files are renamed, so that the name `spare` and the descriptor of the spare are
 * always of one file.
 *
 * Why a rolled segment needs a sync of the directory before its first record: without it a power
 * failure could take the name back, and the record with it. Once in a segment that costs little. */
#include "store/log.h"

#include "base/hash.h"
#include "base/mem.h"
#include "store/files.h"
#include "store/record.h"
#include "store/replay.h"
#include "store/segments.h"

#include <assert.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <unistd.h>

/* Zeros are written into this much of a new log at opening: under a millisecond. By the time it is
 * used up, a spare of full size is ready. */
enum { FIRST_BYTES = 256 * 1024 };

struct log {
    char *path;
    char *id;
    size_t segment_bytes;
    bool sync;

    /* The committer's. */
    uint64_t epoch;
    int fd;
    char *current; /* its path */
    uint64_t at;
    uint64_t room; /* size of the segment */
    bool broken;   /* what reached the disk is unknown */
    struct hash_stream *hash;
    struct iovec *runs;
    size_t runs_capacity;

    pthread_mutex_t mutex;
    struct segments segments; /* the last one is being written */
    int spare;                /* -1: none */

    atomic_uint_fast64_t bytes; /* written since opening */
};

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* Makes a file the segment that is being written, taking over `fd` and `path`. */
static void move_to(struct log *log, uint64_t first, int fd, char *path, uint64_t room)
{
    close_fd(&log->fd);
    free(log->current);
    log->fd = fd;
    log->current = path;
    log->at = 0;
    log->room = room;
    pthread_mutex_lock(&log->mutex);
    segments_add(&log->segments, first, room);
    pthread_mutex_unlock(&log->mutex);
}

static void set_room(struct log *log, uint64_t room)
{
    log->room = room;
    pthread_mutex_lock(&log->mutex);
    log->segments.all[log->segments.count - 1].bytes = room;
    pthread_mutex_unlock(&log->mutex);
}

/* Gives up a segment that could not be made. It holds no record: harmless should it stay. */
static void drop(int fd, char *path)
{
    if (fd >= 0) {
        close(fd);
        (void)files.unlink(path);
    }
    free(path);
}

/* Makes an empty segment for the next epoch and moves to it. */
static bool add_empty(struct log *log, struct sf_status *status)
{
    char *path = segment_path(log->path, log->epoch + 1);
    int fd = -1;
    if (!files_open(path, O_WRONLY | O_CREAT | O_TRUNC, &fd, status) ||
        !files_sync_directory(log->path, status)) {
        drop(fd, path);
        return false;
    }
    move_to(log, log->epoch + 1, fd, path, 0);
    return true;
}

/* Room for the first commits, in a segment that has none. A full disk is no reason not to open what
 * is there: log_append will say so. */
static bool zero_first(struct log *log, struct sf_status *status)
{
    size_t bytes = log->segment_bytes < FIRST_BYTES ? log->segment_bytes : FIRST_BYTES;
    if (log->at || log->room >= bytes)
        return true;
    if (!segment_zero(log->fd, log->current, 0, bytes, status))
        return status->code == SF_FULL;
    if (log->sync && files.fdatasync(log->fd))
        return files_fail_sync(status, log->current);
    set_room(log, bytes);
    return true;
}

/* A spare that an earlier process has left is as good as one of ours. */
static void adopt_spare(struct log *log)
{
    char *path = segment_spare_path(log->path), *unfinished = mem_format("%s.new", path);
    struct stat found;
    int fd = files.open(path, O_WRONLY | O_CLOEXEC, 0);
    if (fd >= 0 && !fstat(fd, &found) && (size_t)found.st_size == log->segment_bytes) {
        log->spare = fd;
    } else {
        close_fd(&fd);
        (void)files.unlink(path); /* of a log with other settings, or not there at all */
    }
    (void)files.unlink(unfinished); /* mostly not there */
    free(unfinished);
    free(path);
}

/* Goes on in the segment where the replay has ended, at log->at. */
static bool open_last(struct log *log, struct sf_status *status)
{
    const struct segment *last = &log->segments.all[log->segments.count - 1];
    log->current = segment_path(log->path, last->first);
    log->room = last->bytes;
    return files_open(log->current, O_WRONLY, &log->fd, status);
}

bool log_open(const struct log_options *options, uint64_t view_epoch, const struct log_sink *sink,
              struct log **ret_log, struct sf_status *status)
{
    assert(options->segment_bytes && options->segment_bytes <= SEGMENT_BYTES_MAX);
    struct log *log = mem_new(sizeof *log);
    log->path = mem_string(options->path);
    log->id = mem_string(options->id);
    log->segment_bytes = options->segment_bytes;
    log->sync = options->sync;
    log->fd = log->spare = -1;
    log->hash = hash_stream_new();
    pthread_mutex_init(&log->mutex, NULL);

    bool good = segments_list(&log->segments, log->path, status);
    if (good && log->segments.count)
        good =
            replay_log(options, &log->segments, view_epoch, sink, &log->epoch, &log->at, status) &&
            open_last(log, status);
    else if (good && view_epoch)
        good =
            sf_fail(status, SF_CORRUPT, "%s: the log has no segment, but the view has epoch %llu",
                    log->path, (unsigned long long)view_epoch);
    else if (good)
        good = add_empty(log, status);
    if (!good || !zero_first(log, status)) {
        log_close(log);
        return false;
    }
    adopt_spare(log);
    *ret_log = log;
    return true;
}

void log_close(struct log *log)
{
    if (!log)
        return;
    close_fd(&log->fd);
    close_fd(&log->spare);
    segments_destroy(&log->segments);
    pthread_mutex_destroy(&log->mutex);
    hash_stream_free(log->hash);
    free(log->runs);
    free(log->current);
    free(log->path);
    free(log->id);
    free(log);
}

uint64_t log_epoch(const struct log *log)
{
    return log->epoch;
}

/* The spare, renamed to what it becomes; -1 if there is none, or it cannot be renamed. */
static int take_spare(struct log *log, const char *path)
{
    char *spare_path = segment_spare_path(log->path);
    pthread_mutex_lock(&log->mutex);
    int fd = log->spare;
    log->spare = -1;
    if (fd >= 0 && files.rename(spare_path, path))
        close_fd(&fd);
    pthread_mutex_unlock(&log->mutex);
    free(spare_path);
    return fd;
}

/* Moves on to a new segment, which `epoch` begins and which has room for `bytes`. */
static bool roll(struct log *log, uint64_t epoch, uint64_t bytes, struct sf_status *status)
{
    char *path = segment_path(log->path, epoch);
    uint64_t room = bytes < log->segment_bytes ? log->segment_bytes : bytes;
    int fd = room == log->segment_bytes ? take_spare(log, path) : -1;
    bool good = fd >= 0 || (files_open(path, O_WRONLY | O_CREAT | O_TRUNC, &fd, status) &&
                            segment_allocate(fd, path, 0, room, status));
    if (!good || (log->sync && !files_sync_directory(log->path, status))) {
        drop(fd, path);
        return false;
    }
    move_to(log, epoch, fd, path, room);
    return true;
}

/* A segment without records already has the name that the next one would get: it grows instead. */
static bool make_room(struct log *log, uint64_t epoch, uint64_t bytes, struct sf_status *status)
{
    if (log->room - log->at >= bytes)
        return true;
    if (log->at)
        return roll(log, epoch, bytes, status);
    if (!segment_allocate(log->fd, log->current, log->room, bytes, status))
        return false;
    set_room(log, bytes);
    return true;
}

/* Gathers header and entries in log->runs; returns their number. */
static size_t gather(struct log *log, struct record *record, uint8_t *header,
                     struct delta *const *parts, size_t part_count)
{
    if (log->runs_capacity < part_count + 1) {
        log->runs_capacity = part_count + 1;
        log->runs = mem_resize(log->runs, log->runs_capacity * sizeof *log->runs);
    }
    size_t count = 0;
    log->runs[count++] = (struct iovec){header, RECORD_HEADER_BYTES};
    record_begin_checksum(log->hash, log->id);
    for (size_t i = 0; i < part_count; i++) {
        const struct buffer *entries = &parts[i]->entries;
        if (!entries->size)
            continue;
        log->runs[count++] = (struct iovec){entries->data, entries->size};
        hash_stream_add(log->hash, buffer_bytes(entries));
        record->size += entries->size;
    }
    record->checksum = hash_stream_value(log->hash);
    record_put_header(header, log->id, record);
    return count;
}

bool log_append(struct log *log, uint64_t epoch, struct delta *const *parts, size_t part_count,
                uint64_t *ret_bytes, struct sf_status *status)
{
    assert(epoch == log->epoch + 1);
    if (log->broken)
        return sf_fail(status, SF_IO, "%s: an earlier write failed, and what it left is unknown",
                       log->path);

    uint8_t header[RECORD_HEADER_BYTES];
    struct record record = {.epoch = epoch};
    size_t count = gather(log, &record, header, parts, part_count);
    uint64_t bytes = RECORD_HEADER_BYTES + record.size;
    if (bytes > SEGMENT_BYTES_MAX)
        return sf_fail(status, SF_INVALID, "%s: epoch %llu has %llu bytes: expected at most %llu",
                       log->path, (unsigned long long)epoch, (unsigned long long)bytes,
                       (unsigned long long)SEGMENT_BYTES_MAX);

    struct sf_status failure = {0};
    bool good = make_room(log, epoch, bytes, &failure) &&
                files_write(log->fd, log->current, log->runs, count, log->at, &failure);
    if (good && log->sync && files.fdatasync(log->fd))
        good = files_fail_sync(&failure, log->current);
    if (!good) {
        log->broken = failure.code != SF_FULL;
        return sf_fail(status, failure.code, "%s", failure.message);
    }

    log->at += bytes;
    log->epoch = epoch;
    log->bytes += bytes;
    *ret_bytes = bytes;
    return true;
}

/* Makes a file of full size the spare one. Only this thread adds spares, so there still is none. */
static void keep_as_spare(struct log *log, const char *path, int fd)
{
    char *spare_path = segment_spare_path(log->path);
    pthread_mutex_lock(&log->mutex);
    assert(log->spare < 0);
    bool kept = !files.rename(path, spare_path);
    if (kept)
        log->spare = fd;
    pthread_mutex_unlock(&log->mutex);
    if (!kept) {
        close(fd);
        (void)files.unlink(path); /* holds nothing that is needed */
    }
    free(spare_path);
}

/* Takes the first segment out of the list if it holds nothing after `epoch`. */
static bool take_old(struct log *log, uint64_t epoch, struct segment *ret_old, bool *ret_fits)
{
    pthread_mutex_lock(&log->mutex);
    bool old = log->segments.count > 1 && log->segments.all[1].first <= epoch + 1;
    if (old) {
        *ret_old = segments_take_first(&log->segments);
        *ret_fits = log->spare < 0 && ret_old->bytes == log->segment_bytes;
    }
    pthread_mutex_unlock(&log->mutex);
    return old;
}

void log_trim(struct log *log, uint64_t epoch)
{
    struct segment old;
    bool fits;
    while (take_old(log, epoch, &old, &fits)) {
        char *path = segment_path(log->path, old.first);
        int fd = fits ? files.open(path, O_WRONLY | O_CLOEXEC, 0) : -1;
        if (fd >= 0)
            keep_as_spare(log, path, fd);
        else
            (void)files.unlink(path); /* trimmed again by the next process, should it stay */
        free(path);
    }
}

void log_prepare(struct log *log)
{
    pthread_mutex_lock(&log->mutex);
    bool has_spare = log->spare >= 0;
    pthread_mutex_unlock(&log->mutex);
    if (has_spare)
        return;

    char *path = mem_format("%s/spare.new", log->path);
    int fd = files.open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    if (fd >= 0 && segment_allocate(fd, path, 0, log->segment_bytes, NULL) &&
        segment_zero(fd, path, 0, log->segment_bytes, NULL) &&
        (!log->sync || !files.fdatasync(fd))) {
        keep_as_spare(log, path, fd);
    } else if (fd >= 0) {
        close(fd);
        (void)files.unlink(path); /* overwritten by the next attempt, should it stay */
    }
    free(path);
}

void log_finish(struct log *log)
{
    if (log->broken || (log->at && !add_empty(log, NULL)))
        return;
    log_trim(log, log->epoch);
}

void log_figures(struct log *log, struct log_figures *ret_figures)
{
    ret_figures->bytes = log->bytes;
    pthread_mutex_lock(&log->mutex);
    ret_figures->segments = log->segments.count;
    pthread_mutex_unlock(&log->mutex);
}
