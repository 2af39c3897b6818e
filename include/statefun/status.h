/* status.h - how a call says that it failed, and why.
 *
 * A function that can fail for a reason outside the program (a disk, a peer, a user's input)
 * returns false and fills a status; on success it does not touch it. The message says what was
 * done, where, what was expected and what was found. Nothing in a status needs freeing; copying the
 * struct is fine. */
#ifndef STATEFUN_STATUS_H
#define STATEFUN_STATUS_H

#include <stdarg.h>
#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

#define SF_CHECK __attribute__((warn_unused_result))

enum sf_code {
    SF_OK = 0,
    SF_INVALID,     /* input that breaks its own rules: a config, a record, a reply */
    SF_NOT_FOUND,   /* what was asked for does not exist */
    SF_CONFLICT,    /* it exists already, or is held by somebody else */
    SF_FULL,        /* a limit is reached; try again when there is room */
    SF_IO,          /* a disk, a socket or a peer failed */
    SF_TIMEOUT,     /* a peer did not answer in time */
    SF_UNSUPPORTED, /* understood, but this build or version cannot do it */
    SF_CORRUPT,     /* stored data is not what was written */
    SF_FENCED,      /* another process has taken over; this one must stop */
    SF_NO_MEMORY,
    SF_FAILED /* a function of yours has said that it fails */
};

struct sf_status {
    enum sf_code code;
    char message[240];
};

/* Fills `status` and returns false, so that a failure is one line: return sf_fail(...). A message
 * longer than the status holds is cut at its end. `status` may be NULL: then nobody wants to know.
 */
bool sf_fail(struct sf_status *status, enum sf_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Puts "<text>: " before the message of a failure that is passed upwards; returns false. */
bool sf_wrap(struct sf_status *status, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The code's name in lower case, e.g. "not_found"; for logs. Never NULL. */
const char *sf_code_name(enum sf_code code);

/* Of a line of the log. */
enum sf_level { SF_DEBUG, SF_INFO, SF_WARNING, SF_ERROR };

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
