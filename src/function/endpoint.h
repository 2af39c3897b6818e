/* endpoint.h - what an endpoint needs beside its spec: made once, shared by all workers.
 *
 * Here the files are read that a module names: certificates and keys, once; values of headers,
 * again when they change, by a thread of its own. Any thread may use what is handed out. */
#ifndef FUNCTION_ENDPOINT_H
#define FUNCTION_ENDPOINT_H

#include "function/gate.h"
#include "function/headers.h"
#include "net/http_client.h"
#include "spec/application.h"
#include "statefun/status.h"

#include <pthread.h>

struct endpoint {
    const struct endpoint_spec *spec;
    struct tls_context *tls; /* NULL: the URL is not https */
    struct headers *headers;
    struct gate *gate; /* NULL: it takes whatever comes */
};

struct endpoints {
    const struct application *application;
    struct endpoint *items; /* in the order of the application's */
    size_t count;

    /* The thread that looks after headers, if any of them may change. */
    bool has_thread;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t ended;
    bool is_ending;
};

/* What is spoken with it. */
enum http_protocol endpoint_protocol(const struct endpoint_spec *spec);

/* One endpoint; on failure `ret_place` (may be NULL) says what of its spec is at fault. */
SF_CHECK bool endpoint_open(const struct endpoint_spec *spec, struct endpoint *ret_endpoint,
                            struct spec_place *ret_place, struct sf_status *status);
void endpoint_close(struct endpoint *endpoint);

/* All endpoints of an application, which must outlive them; they stay where they are. */
SF_CHECK bool endpoints_open(const struct application *application, struct endpoints *ret_endpoints,
                             struct sf_status *status);
void endpoints_close(struct endpoints *endpoints); /* all zeros is fine */

/* The endpoint that serves a function type, or NULL. */
const struct endpoint *endpoints_find(const struct endpoints *endpoints, struct bytes ns,
                                      struct bytes name);

/* Opens and closes them, and reports all that is wrong. */
void endpoints_check(const struct application *application, struct diagnostics *diagnostics);

#endif
