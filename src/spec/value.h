/* value.h - texts that stand for something else: durations, sizes, typenames, dates (module-yaml.md
 * 3).
 *
 * On failure the status says what was expected, e.g. "a duration such as ..."; what was found is
 * for the caller to add, who knows whether it may be shown. */
#ifndef SPEC_VALUE_H
#define SPEC_VALUE_H

#include "base/bytes.h"
#include "statefun/status.h"

/* Flink's durations: an integer and a unit, milliseconds without one. Parts of a millisecond are
 * dropped; a duration that is not zero but below one millisecond is refused. */
SF_CHECK bool duration_parse(const char *text, uint64_t *ret_ms, struct sf_status *status);

/* Flink's memory sizes: an integer and a unit of 1024s, bytes without one. */
SF_CHECK bool size_parse(const char *text, uint64_t *ret_bytes, struct sf_status *status);

/* A decimal integer with an optional sign, and nothing else. */
SF_CHECK bool integer_parse(const char *text, int64_t *ret_value);

/* A typename: one '/' between namespace and name; slashes at its end do not count. The namespace
 * may be empty. Returns views into `text`. */
SF_CHECK bool typename_parse(const char *text, struct bytes *ret_ns, struct bytes *ret_name,
                             struct sf_status *status);

/* yyyy-MM-dd HH:mm:ss.SSS Z, as in 2020-02-01 04:15:00.000 +0000: ms since 1970. */
SF_CHECK bool date_parse(const char *text, int64_t *ret_ms, struct sf_status *status);

/* <topic>/<partition_id>. Returns a view into `text`. */
SF_CHECK bool topic_partition_parse(const char *text, struct bytes *ret_topic,
                                    int32_t *ret_partition, struct sf_status *status);

#endif
