/* files.h - the file system as this room sees it: calls that can be made to fail, and statuses that
 * say what failed where.
 *
 * What guards stored data (directory.c, log.c) makes its system calls through the table below, so
 * that a test can let the 1st, 2nd, ... of them fail. Nobody else changes the table, and no thread
 * may be using it while it is changed. The helpers may be called on any thread. */
#ifndef STORE_FILES_H
#define STORE_FILES_H

#include "base/bytes.h"
#include "statefun/status.h"

#include <sys/types.h>
#include <sys/uio.h>

struct files {
    int (*open)(const char *path, int flags, mode_t mode);
    int (*mkdir)(const char *path, mode_t mode);
    ssize_t (*pread)(int fd, void *to, size_t size, off_t offset);
    ssize_t (*pwritev)(int fd, const struct iovec *runs, int count, off_t offset);
    int (*fallocate)(int fd, int mode, off_t offset, off_t size);
    int (*fdatasync)(int fd);
    int (*fsync)(int fd);
    int (*rename)(const char *from, const char *to);
    int (*unlink)(const char *path);
};

extern struct files files;

/* Fills `status` from errno: SF_FULL when a device or a quota is full, otherwise SF_IO. The message
 * is
 * "<path>: cannot <what>: <why>". Returns false. */
bool files_fail(struct sf_status *status, const char *path, const char *what);

/* The same for a sync, which is SF_IO whatever the cause: after it nothing is known about any page.
 */
bool files_fail_sync(struct sf_status *status, const char *path);

/* Opens for this process only: what it executes does not inherit the descriptor. */
SF_CHECK bool files_open(const char *path, int flags, int *ret_fd, struct sf_status *status);

/* Reads exactly `size` bytes. */
SF_CHECK bool files_read(int fd, const char *path, void *to, size_t size, uint64_t offset,
                         struct sf_status *status);

/* Writes all of `runs`, which it uses up. */
SF_CHECK bool files_write(int fd, const char *path, struct iovec *runs, size_t count,
                          uint64_t offset, struct sf_status *status);

/* Makes the names in a directory durable. */
SF_CHECK bool files_sync_directory(const char *path, struct sf_status *status);

#endif
