/* admin_ingresses.h - /ingresses of the admin listener: all of them listed, and those resumed that
 * have stopped at a record. On the admin's loop. */
#ifndef RUNTIME_ADMIN_INGRESSES_H
#define RUNTIME_ADMIN_INGRESSES_H

#include "net/http_server.h"
#include "runtime/worker.h"

struct admin_ingresses;

struct admin_ingresses_options {
    struct loop *loop;
    struct inbox *inbox; /* of that loop */
    struct store *store;
    const struct application *application;
    struct worker *const *workers;
    uint32_t worker_count;
    struct kafka_ingress *const *kafka_ingresses; /* one for each of the application's */
};

struct admin_ingresses *admin_ingresses_new(const struct admin_ingresses_options *options);
void admin_ingresses_free(struct admin_ingresses *ingresses); /* after the workers. NULL is fine */

/* The exchange's context becomes a struct admin_request. */
void admin_ingresses_request(struct admin_ingresses *ingresses, struct http_exchange *exchange);

/* Adds a line for each ingress that has stopped at a record. */
void admin_ingresses_add_halts(const struct admin_ingresses *ingresses, struct buffer *text);

#endif
