/* admin_addresses.h - /addresses of the admin listener: parked ones listed, and resumed. On the
 * admin's loop. */
#ifndef RUNTIME_ADMIN_ADDRESSES_H
#define RUNTIME_ADMIN_ADDRESSES_H

#include "net/http_server.h"
#include "runtime/worker.h"

struct admin_addresses;

struct admin_addresses_options {
    struct loop *loop;
    struct inbox *inbox; /* of that loop */
    struct store *store;
    struct worker *const *workers;
    uint32_t worker_count;
};

struct admin_addresses *admin_addresses_new(const struct admin_addresses_options *options);
void admin_addresses_free(struct admin_addresses *addresses); /* after the workers. NULL is fine */

/* The exchange's context becomes a struct admin_request. */
void admin_addresses_request(struct admin_addresses *addresses, struct http_exchange *exchange);

#endif
