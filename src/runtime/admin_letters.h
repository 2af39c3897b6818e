/* admin_letters.h - /deadletters of the admin listener: dead letters listed, sent again, removed.
 *
 * Letters are read from the view once that has come up to what was durable when the request came.
 * What is to be sent again or removed is handed to a worker, one page at a time, and answered when
 * that is durable. On the admin's loop. */
#ifndef RUNTIME_ADMIN_LETTERS_H
#define RUNTIME_ADMIN_LETTERS_H

#include "net/http_server.h"
#include "runtime/worker.h"

struct admin_letters;

struct admin_letters_options {
    struct loop *loop;
    struct inbox *inbox; /* of that loop */
    struct store *store;
    struct worker *worker; /* the one for all dead letters */
};

struct admin_letters *admin_letters_new(const struct admin_letters_options *options);
void admin_letters_free(struct admin_letters *letters); /* after the workers. NULL is fine */

/* The exchange's context becomes a struct admin_request. */
void admin_letters_request(struct admin_letters *letters, struct http_exchange *exchange);

#endif
