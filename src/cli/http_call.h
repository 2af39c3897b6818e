/* http_call.h - HTTP requests of the command line to a running runtime: one connection, one request
 * at a time, each blocking until it is answered or has failed. */
#ifndef CLI_HTTP_CALL_H
#define CLI_HTTP_CALL_H

#include "base/bytes.h"
#include "statefun/status.h"
#include "wire/http.h"

struct http_caller;

/* `where` is host:port, [v6]:port or unix:/path, as in runtime.json, or http://host:port; `token`
 * (empty: none) goes with every request and must outlive the caller. Connects with the first call,
 * and again when the peer has closed in between. */
SF_CHECK bool http_caller_new(const char *where, const char *token, struct http_caller **ret_caller,
                              struct sf_status *status);
void http_caller_free(struct http_caller *caller); /* NULL is fine */

struct http_call {
    const char *method;
    const char *target;  /* percent-encoded */
    const char *headers; /* further lines, each ending in CR LF; NULL: none */
    struct bytes body;
};

struct http_reply {
    struct http_head head;
    struct bytes body;
};

/* Any status is a reply; its views are valid until the next call. SF_IO, SF_TIMEOUT: there was none
 * (and what was asked may have been done); SF_INVALID: it is not HTTP. */
SF_CHECK bool http_call(struct http_caller *caller, const struct http_call *call,
                        struct http_reply *ret_reply, struct sf_status *status);

/* Appends a path segment, percent-encoded. */
void http_add_segment(struct buffer *target, struct bytes segment);

#endif
