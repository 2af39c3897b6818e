/* http_ask.h - one HTTP request and its answer, waited for: for commands, never on a loop. */
#ifndef NET_HTTP_ASK_H
#define NET_HTTP_ASK_H

#include "base/bytes.h"
#include "statefun/status.h"

struct http_question {
    const char *where; /* "host:port", "[v6]:port" or "unix:/path", as net_listen says it */
    const char *method;
    const char *target;  /* path with query */
    const char *headers; /* further header lines, each ending in CR LF; NULL: none */
    struct bytes body;
    const char *wanted;        /* a header of the answer; NULL: none */
    struct buffer *ret_wanted; /* its value (replaced), empty if it is not there */
    size_t answer_bytes_max;
    uint64_t timeout_ms; /* for all of it, name look-up aside */
};

/* Connects, asks, and reads the whole answer into `ret_body` (replaced). False if there is none:
 * SF_IO, SF_TIMEOUT, SF_NOT_FOUND (no such host), SF_INVALID (an answer that is no HTTP). */
SF_CHECK bool http_ask(const struct http_question *question, int *ret_status,
                       struct buffer *ret_body, struct sf_status *status);

#endif
