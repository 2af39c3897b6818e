/* files.c - system calls that are repeated until they are done, and the words for those that fail.
 */
#include "store/files.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int open_file(const char *path, int flags, mode_t mode)
{
    return open(path, flags, mode);
}

struct files files = {
    .open = open_file,
    .mkdir = mkdir,
    .pread = pread,
    .pwritev = pwritev,
    .fallocate = fallocate,
    .fdatasync = fdatasync,
    .fsync = fsync,
    .rename = rename,
    .unlink = unlink,
};

bool files_fail(struct sf_status *status, const char *path, const char *what)
{
    int error = errno;
    bool full = error == ENOSPC || error == EDQUOT;
    return sf_fail(status, full ? SF_FULL : SF_IO, "%s: cannot %s: %s", path, what,
                   strerror(error));
}

bool files_fail_sync(struct sf_status *status, const char *path)
{
    return sf_fail(status, SF_IO, "%s: cannot sync: %s", path, strerror(errno));
}

bool files_open(const char *path, int flags, int *ret_fd, struct sf_status *status)
{
    int fd = files.open(path, flags | O_CLOEXEC, 0640);
    if (fd < 0)
        return files_fail(status, path, flags & O_CREAT ? "create" : "open");
    *ret_fd = fd;
    return true;
}

bool files_read(int fd, const char *path, void *to, size_t size, uint64_t offset,
                struct sf_status *status)
{
    for (size_t done = 0; done < size;) {
        ssize_t count = files.pread(fd, (uint8_t *)to + done, size - done, (off_t)(offset + done));
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return files_fail(status, path, "read");
        if (!count)
            return sf_fail(status, SF_IO,
                           "%s: it ends at offset %llu: expected %zu bytes from offset %llu", path,
                           (unsigned long long)(offset + done), size, (unsigned long long)offset);
        done += (size_t)count;
    }
    return true;
}

bool files_write(int fd, const char *path, struct iovec *runs, size_t count, uint64_t offset,
                 struct sf_status *status)
{
    while (count) {
        if (!runs->iov_len) {
            runs++;
            count--;
            continue;
        }
        ssize_t written =
            files.pwritev(fd, runs, count < IOV_MAX ? (int)count : IOV_MAX, (off_t)offset);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return files_fail(status, path, "write");
        offset += (uint64_t)written;
        for (size_t left = (size_t)written; left;) {
            size_t step = left < runs->iov_len ? left : runs->iov_len;
            runs->iov_base = (uint8_t *)runs->iov_base + step;
            runs->iov_len -= step;
            left -= step;
            if (!runs->iov_len) {
                runs++;
                count--;
            }
        }
    }
    return true;
}

bool files_sync_directory(const char *path, struct sf_status *status)
{
    int fd = -1;
    if (!files_open(path, O_RDONLY | O_DIRECTORY, &fd, status))
        return false;
    bool good = !files.fsync(fd) || files_fail_sync(status, path);
    close(fd);
    return good;
}
