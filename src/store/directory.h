/* directory.h - the data directory: whose it is, who may use it, and what lies where in it.
 *
 *     FORMAT     what the directory is: product, version of the format, partitions, id
 *     LOCK       locked by the process that uses the directory; holds its pid
 *     log/       the log (log.h)
 *     view/      the view (view.h)
 *     batch.sst  a batch on its way into the view
 *
 * A directory without a FORMAT file is taken only while it is empty; nothing is ever written into
 * one that belongs to somebody else. One thread opens and closes a directory; its fields do not
 * change. */
#ifndef STORE_DIRECTORY_H
#define STORE_DIRECTORY_H

#include "statefun/status.h"

#include <stdint.h>

struct directory_lock;

struct directory {
    uint32_t partitions;
    char id[33]; /* 32 hexadecimal digits, drawn when the directory was made */
    char *path;
    char *log_path;
    char *view_path;
    char *batch_path;
    struct directory_lock *lock;
};

/* Opens the directory and locks it until it is closed. One that does not exist (its parent must) or
 * is empty is made, for `partitions`; an existing one keeps its own. SF_CONFLICT when it is in use,
 * SF_UNSUPPORTED when it belongs to another program or to a newer format, SF_CORRUPT when its
 * FORMAT file is damaged. */
SF_CHECK bool directory_open(const char *path, uint32_t partitions,
                             struct directory **ret_directory, struct sf_status *status);

/* Gives up the lock. NULL is fine. */
void directory_close(struct directory *directory);

#endif
