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
    bool is_local; /* of the listener: as net_is_local says */
};

struct admin_addresses *admin_addresses_new(const struct admin_addresses_options *options);
void admin_addresses_free(struct admin_addresses *addresses); /* after the workers. NULL is fine */

/* True if a request for `target` is for admin_addresses_request. */
bool admin_addresses_serves(struct bytes target);

/* The exchange's context is as admin_wait_init says. */
void admin_addresses_request(struct admin_addresses *addresses, struct http_exchange *exchange);

#endif
