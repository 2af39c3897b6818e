/* replay.c - where a log ends, and telling a torn tail from damage.
 *
 * One record at most is being written at any time, and nothing follows it until it has been synced.
 * So if no whole record of the next epoch stands where it should, then either a crash has torn it,
 * and nothing later exists anywhere; or something later does exist, and a committed record is
 * damaged. Something later is a record with a higher epoch further on in the segment (those of its
 * former life have lower ones), or a segment named after a higher epoch. */
#include "store/replay.h"

#include "base/hash.h"
#include "base/mem.h"
#include "store/files.h"
#include "store/record.h"

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

struct replay {
    const struct log_options *options;
    const struct log_sink *sink;
    uint64_t view_epoch;
    uint64_t epoch; /* of the last whole record */
    uint64_t end;   /* of it, in its segment */
    struct hash_stream *hash;
    struct buffer bytes; /* of a segment: all of it, as segments are small next to memory */
};

/* Reads a segment, having synced it: a record may have come from a process that was killed between
 * writing and syncing. What we build upon it must not be more durable than it is. */
static bool load(struct replay *replay, const char *path, struct sf_status *status)
{
    int fd = -1;
    if (!files_open(path, O_RDONLY, &fd, status))
        return false;

    struct stat found;
    bool good = !fstat(fd, &found) || files_fail(status, path, "look at it");
    if (good && (uint64_t)found.st_size > SEGMENT_BYTES_MAX)
        good = sf_fail(status, SF_CORRUPT, "%s: expected at most %llu bytes, found %llu", path,
                       (unsigned long long)SEGMENT_BYTES_MAX, (unsigned long long)found.st_size);
    if (good && replay->options->sync)
        good = !files.fdatasync(fd) || files_fail_sync(status, path);
    if (good) {
        size_t size = (size_t)found.st_size;
        buffer_clear(&replay->bytes);
        good = files_read(fd, path, buffer_reserve(&replay->bytes, size), size, 0, status);
        replay->bytes.size = size;
    }
    close(fd);
    return good;
}

/* Fails over the record after replay->epoch, which should stand at replay->end of a segment;
 * `follows` says how we know. */
static bool fail_as_damaged(struct replay *replay, const char *path, const char *follows,
                            struct sf_status *status)
{
    struct record record;
    struct bytes entries;
    struct bytes rest = bytes_from(buffer_bytes(&replay->bytes), (size_t)replay->end);
    char found[80] = "none";

    switch (record_read(rest, replay->options->id, replay->epoch + 1, replay->hash, &record,
                        &entries)) {
    case RECORD_STALE:
    case RECORD_AHEAD:
        snprintf(found, sizeof found, "one of epoch %llu", (unsigned long long)record.epoch);
        break;
    case RECORD_TORN:
        if (record.size > rest.size - RECORD_HEADER_BYTES)
            snprintf(found, sizeof found, "%llu of its %llu bytes",
                     (unsigned long long)(rest.size - RECORD_HEADER_BYTES),
                     (unsigned long long)record.size);
        else
            snprintf(found, sizeof found, "checksum %016llx instead of %016llx",
                     (unsigned long long)hash_stream_value(replay->hash),
                     (unsigned long long)record.checksum);
        break;
    case RECORD_NONE:
    case RECORD_WHOLE:
        break;
    }
    return sf_fail(status, SF_CORRUPT,
                   "%s: offset %llu: expected the record of epoch %llu, found %s; %s", path,
                   (unsigned long long)replay->end, (unsigned long long)(replay->epoch + 1), found,
                   follows);
}

/* Takes all whole records of a segment; `next` is the segment behind it, or NULL. */
static bool walk(struct replay *replay, const char *path, const struct segment *next,
                 struct sf_status *status)
{
    struct bytes all = buffer_bytes(&replay->bytes), entries;
    struct record record;

    replay->end = 0;
    while (record_read(bytes_from(all, (size_t)replay->end), replay->options->id, replay->epoch + 1,
                       replay->hash, &record, &entries) == RECORD_WHOLE) {
        uint64_t bytes = RECORD_HEADER_BYTES + record.size;
        if (record.epoch > replay->view_epoch &&
            !replay->sink->take(replay->sink->owner, record.epoch, entries, bytes, status))
            return false;
        replay->epoch = record.epoch;
        replay->end += bytes;
    }

    char follows[80];
    size_t offset;
    if (record_find_later(bytes_from(all, (size_t)replay->end), replay->options->id,
                          replay->epoch + 1, &offset, &record)) {
        snprintf(follows, sizeof follows, "one of epoch %llu follows at offset %llu",
                 (unsigned long long)record.epoch, (unsigned long long)(replay->end + offset));
        return fail_as_damaged(replay, path, follows, status);
    }
    if (next && next->first != replay->epoch + 1) {
        snprintf(follows, sizeof follows, "the next segment begins with epoch %llu",
                 (unsigned long long)next->first);
        return fail_as_damaged(replay, path, follows, status);
    }
    return true;
}

static bool replay_from(struct replay *replay, const struct segments *segments, size_t start,
                        struct sf_status *status)
{
    replay->epoch = segments->all[start].first - 1;
    for (size_t i = start; i < segments->count; i++) {
        char *path = segment_path(replay->options->path, segments->all[i].first);
        bool good =
            load(replay, path, status) &&
            walk(replay, path, i + 1 < segments->count ? &segments->all[i + 1] : NULL, status);
        if (good && i + 1 == segments->count && replay->epoch < replay->view_epoch)
            good = sf_fail(status, SF_CORRUPT,
                           "%s: offset %llu: the log ends with epoch %llu, but the view has epoch "
                           "%llu: committed epochs are missing",
                           path, (unsigned long long)replay->end, (unsigned long long)replay->epoch,
                           (unsigned long long)replay->view_epoch);
        free(path);
        if (!good)
            return false;
    }
    return true;
}

bool replay_log(const struct log_options *options, const struct segments *segments,
                uint64_t view_epoch, const struct log_sink *sink, uint64_t *ret_epoch,
                uint64_t *ret_end, struct sf_status *status)
{
    assert(segments->count);
    uint64_t first = segments->all[0].first;
    if (first > view_epoch + 1)
        return sf_fail(status, SF_CORRUPT,
                       "%s: the log begins with epoch %llu, but the view ends with epoch %llu: "
                       "the epochs between them are missing",
                       options->path, (unsigned long long)first, (unsigned long long)view_epoch);

    /* What is wholly in the view needs no walk; trimming will find it. */
    size_t start = 0;
    while (start + 1 < segments->count && segments->all[start + 1].first <= view_epoch + 1)
        start++;

    struct replay replay = {
        .options = options,
        .sink = sink,
        .view_epoch = view_epoch,
        .hash = hash_stream_new(),
    };
    bool good = replay_from(&replay, segments, start, status);
    if (good) {
        *ret_epoch = replay.epoch;
        *ret_end = replay.end;
    }
    buffer_destroy(&replay.bytes);
    hash_stream_free(replay.hash);
    return good;
}
