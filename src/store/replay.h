/* replay.h - walking the records of the log at opening: what they say, and where they end.
 *
 * Used by log.c alone, while nobody else touches the files. */
#ifndef STORE_REPLAY_H
#define STORE_REPLAY_H

#include "store/log.h"
#include "store/segments.h"

/* No segment and no record is larger; what claims to be is not believed. */
#define SEGMENT_BYTES_MAX ((uint64_t)1 << 31)

/* Gives all epochs after `view_epoch` to the sink; there is at least one segment. On success the
 * log ends with `ret_epoch`, at `ret_end` in the last segment. */
SF_CHECK bool replay_log(const struct log_options *options, const struct segments *segments,
                         uint64_t view_epoch, const struct log_sink *sink, uint64_t *ret_epoch,
                         uint64_t *ret_end, struct sf_status *status);

#endif
