/* segments.c - files for a log, and why zeros are written into them first.
 *
 * A commit's write and fdatasync, medians of 1000 in microseconds (ext4, virtual disk; a machine
 * with other work, so that differences below a quarter mean little):
 *
 *     bytes a record      200    12000   120000
 *     appended            250      450      450
 *     fallocate only      200      330      510    each page once unwritten: a journal commit
 *     zeros written       195      190      270
 *     recycled            205      230      225
 *
 * Zeros for 8 MB take 10 ms, a recycled file takes a rename: hence zeros when there is nothing to
 * recycle, and in the background. */
#include "store/segments.h"

#include "base/mem.h"
#include "store/files.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { EPOCH_DIGITS = 20, ZERO_BYTES = 64 * 1024, ZERO_RUNS = 16 };

void segments_destroy(struct segments *segments)
{
    free(segments->all);
    *segments = (struct segments){0};
}

void segments_add(struct segments *segments, uint64_t first, uint64_t bytes)
{
    if (segments->count == segments->capacity) {
        segments->capacity = segments->capacity ? 2 * segments->capacity : 8;
        segments->all = mem_resize(segments->all, segments->capacity * sizeof *segments->all);
    }
    segments->all[segments->count++] = (struct segment){first, bytes};
}

struct segment segments_take_first(struct segments *segments)
{
    struct segment first = segments->all[0];
    segments->count--;
    memmove(segments->all, segments->all + 1, segments->count * sizeof *segments->all);
    return first;
}

/* False if the name is not that of a segment. */
static bool parse_name(const char *name, uint64_t *ret_first)
{
    if (strspn(name, "0123456789") != EPOCH_DIGITS || strcmp(name + EPOCH_DIGITS, ".log"))
        return false;
    errno = 0;
    *ret_first = strtoull(name, NULL, 10);
    return !errno && *ret_first;
}

static int by_first(const void *left, const void *right)
{
    const struct segment *a = left, *b = right;
    return (a->first > b->first) - (a->first < b->first);
}

bool segments_list(struct segments *segments, const char *directory, struct sf_status *status)
{
    DIR *stream = opendir(directory);
    if (!stream)
        return sf_fail(status, errno == ENOENT ? SF_CORRUPT : SF_IO,
                       "%s: cannot read the log's directory: %s", directory, strerror(errno));

    bool good = true;
    for (struct dirent *entry; good && (entry = readdir(stream));) {
        uint64_t first;
        struct stat found;
        if (!parse_name(entry->d_name, &first))
            continue;
        char *path = segment_path(directory, first);
        good = !stat(path, &found) || files_fail(status, path, "look at it");
        if (good)
            segments_add(segments, first, (uint64_t)found.st_size);
        free(path);
    }
    closedir(stream);
    if (segments->count)
        qsort(segments->all, segments->count, sizeof *segments->all, by_first);
    return good;
}

char *segment_path(const char *directory, uint64_t first)
{
    return mem_format("%s/%0*llu.log", directory, EPOCH_DIGITS, (unsigned long long)first);
}

char *segment_spare_path(const char *directory)
{
    return mem_format("%s/spare", directory);
}

bool segment_zero(int fd, const char *path, uint64_t from, uint64_t to, struct sf_status *status)
{
    static uint8_t zeros[ZERO_BYTES]; /* in no file and, until it is read, in no memory */

    while (from < to) {
        struct iovec runs[ZERO_RUNS];
        size_t count = 0;
        uint64_t step = 0;
        while (count < ZERO_RUNS && from + step < to) {
            uint64_t left = to - from - step;
            runs[count] = (struct iovec){zeros, left < ZERO_BYTES ? (size_t)left : ZERO_BYTES};
            step += runs[count++].iov_len;
        }
        if (!files_write(fd, path, runs, count, from, status))
            return false;
        from += step;
    }
    return true;
}

bool segment_allocate(int fd, const char *path, uint64_t from, uint64_t to,
                      struct sf_status *status)
{
    while (files.fallocate(fd, 0, 0, (off_t)to)) {
        if (errno == EOPNOTSUPP || errno == ENOSYS) /* some file systems cannot */
            return segment_zero(fd, path, from, to, status);
        if (errno != EINTR)
            return files_fail(status, path, "allocate");
    }
    return true;
}
