/* client.h (kinesis) - calls to Amazon Kinesis: signed, sent, answered or not, and what an answer
 * means.
 *
 * A client belongs to the thread that runs it; only kinesis_client_wake may come from another. Many
 * calls may be under way at once. Keys are looked for when the first call needs them, again before
 * they expire, and after any answer that does not accept them. */
#ifndef KINESIS_CLIENT_H
#define KINESIS_CLIENT_H

#include "base/list.h"
#include "kinesis/credentials.h"

#include <jansson.h>

enum kinesis_result {
    KINESIS_GOOD,
    KINESIS_UNREACHABLE, /* no answer, or one that only speaks of the service itself */
    KINESIS_DENIED,      /* no keys, or they are not accepted, or not for this */
    KINESIS_THROTTLED,
    KINESIS_NO_STREAM, /* there is no such stream, or it is not ready */
    KINESIS_EXPIRED,   /* a shard iterator, or a token of a list */
    KINESIS_INVALID,   /* something in the request makes no sense */
    KINESIS_REFUSED    /* for a reason that we do not know */
};

struct kinesis_client;

struct kinesis_call {
    /* Called by kinesis_client_run, once, unless the call is cancelled before; may be NULL. */
    void (*on_done)(struct kinesis_call *call);

    /* When it is done. */
    bool is_done;
    enum kinesis_result result;
    json_t *reply;                 /* of a good one: for json_decref */
    char message[CURL_ERROR_SIZE]; /* of another: the service's own words, or what was expected */

    /* The client's own, from here on. */
    struct list place;
    CURL *easy;
    struct curl_slist *headers;
    char *body;
    struct buffer answer;
    char error[CURL_ERROR_SIZE];
};

struct kinesis_client_options {
    const struct aws_region_spec *region; /* all must outlive the client */
    const struct aws_credentials_spec *credentials;
    const struct kinesis_client_spec *settings;
};

/* Asks nobody yet. False if libcurl is not there. */
SF_CHECK bool kinesis_client_new(const struct kinesis_client_options *options,
                                 struct kinesis_client **ret_client, struct sf_status *status);
void kinesis_client_free(
    struct kinesis_client *client); /* no call may be under way. NULL is fine */

/* `call` is memory of the caller's, with on_done set. `request` is taken over. */
void kinesis_call_start(struct kinesis_client *client, struct kinesis_call *call,
                        const char *action, json_t *request);
void kinesis_call_cancel(struct kinesis_client *client, struct kinesis_call *call);
void kinesis_call_clear(struct kinesis_call *call); /* after it is done: forgets the reply */

/* Carries calls on until one is done, somebody wakes it, or `timeout_ms` have passed. */
void kinesis_client_run(struct kinesis_client *client, int timeout_ms);
void kinesis_client_wake(struct kinesis_client *client); /* any thread */

/* Runs one call to its end; false, and cancelled, if `is_over` says so before. */
SF_CHECK bool kinesis_call_run(struct kinesis_client *client, struct kinesis_call *call,
                               const char *action, json_t *request, bool (*is_over)(void *owner),
                               void *owner);

/* For `statefun check --connect`: whether Kinesis answers and takes the keys, and `stream` is there
 * (NULL: any). */
SF_CHECK bool kinesis_check(const struct kinesis_client_options *options, const char *stream,
                            uint64_t timeout_ms, struct sf_status *status);

/* --- what goes on for a while, said once --- */

struct kinesis_trouble {
    const char *component; /* "ingress" or "egress": the key of the log field */
    const char *id;        /* "namespace/name" */
    enum kinesis_result now;
};

/* What is not good begins an episode, and what is good ends it. Being throttled is none. */
void kinesis_trouble_note(struct kinesis_trouble *trouble, const struct kinesis_call *call,
                          const char *stream);

#endif
