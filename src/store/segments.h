/* segments.h - the files of the log's directory: their names, their sizes, the room in them.
 *
 *     00000000000000000042.log   a segment whose first record is of epoch 42
 *     spare                      a segment of full size, written over at least once, for the next
 * roll spare.new                  one that is being made
 *
 * Other names are not ours and left alone. */
#ifndef STORE_SEGMENTS_H
#define STORE_SEGMENTS_H

#include "statefun/status.h"

#include <stddef.h>
#include <stdint.h>

struct segment {
    uint64_t first; /* epoch of its first record, also while it has none */
    uint64_t bytes; /* of the file */
};

struct segments {
    struct segment *all; /* in the order of their epochs */
    size_t count;
    size_t capacity;
};

/* An empty list is all zeros. */
void segments_destroy(struct segments *segments);
void segments_add(struct segments *segments, uint64_t first, uint64_t bytes);
struct segment segments_take_first(struct segments *segments);

/* Adds the segments that a directory holds. */
SF_CHECK bool segments_list(struct segments *segments, const char *directory,
                            struct sf_status *status);

/* For free(). */
char *segment_path(const char *directory, uint64_t first);
char *segment_spare_path(const char *directory);

/* Gives a file that has `from` bytes the size of `to`, without writing its contents: cheap to make,
 * but the first write to each part of it costs the file system a journal entry. */
SF_CHECK bool segment_allocate(int fd, const char *path, uint64_t from, uint64_t to,
                               struct sf_status *status);

/* Writes zeros, after which writing again costs nothing but the data. */
SF_CHECK bool segment_zero(int fd, const char *path, uint64_t from, uint64_t to,
                           struct sf_status *status);

#endif
