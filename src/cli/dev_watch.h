/* dev_watch.h - tells when a file of a project has changed.
 *
 * Files are named by patterns, relative to the working directory: a file, a directory (then all
 * below it), or with the wildcards of the shell ("src/?*.c"), which do not stand for a slash or a
 * leading dot. Files whose names begin with a dot or end with ~ belong to editors, and do not
 * count. What is made later counts as well. On the loop's thread. */
#ifndef CLI_DEV_WATCH_H
#define CLI_DEV_WATCH_H

#include "loop/loop.h"

struct watch_patterns {
    const char *const *items;
    size_t count;
};

/* `path` has changed, come or gone; NULL: so much has happened that any may have. */
typedef void watch_on_change(void *owner, const char *path);

struct watch;

/* The patterns must outlive it. Works with the directory that is the working directory now. */
SF_CHECK bool watch_new(struct loop *loop, const struct watch_patterns *patterns,
                        watch_on_change *on_change, void *owner, struct watch **ret_watch,
                        struct sf_status *status);
void watch_free(struct watch *watch); /* NULL is fine */

/* Does a pattern name this file? */
bool watch_pattern_matches(const char *pattern, const char *path);

#endif
