/* requests.h - the requests of one thread: each is a plain invocation or a bundle of them, and is
 * answered when all of it is done.
 *
 * An invocation is over when run_begin returns, unless its function has begun operations: then it
 * is put aside, its connection waits, and the loop goes on with the others. The thread that ends
 * the last operation puts a letter into the loop's inbox. */
#ifndef SERVE_DESK_H
#define SERVE_DESK_H

#include "serve/run.h"

#include "loop/inbox.h"
#include "net/http_server.h"

struct requests {
    struct sf_handler *handler;
    struct inbox *inbox; /* of its loop, for its letters alone */
    struct run *spare;
    struct buffer out;  /* a spare one, for answers */
    struct arena arena; /* of the bundle that is being begun */
};

void requests_init(struct requests *requests, struct sf_handler *handler, struct inbox *inbox);
void requests_destroy(struct requests *requests); /* nothing may wait any more */

/* The request's body is a ToFunction, or a bundle. Answers it, now or later. */
void requests_invoke(struct requests *requests, struct http_exchange *exchange);
void requests_invoke_bundle(struct requests *requests, struct http_exchange *exchange);

/* Takes up what has ended; call when the inbox has woken the loop, and once after its end. */
void requests_take_letters(struct requests *requests);

/* The client of a request that waits has gone; one that does not wait is fine. */
void requests_forget(struct http_exchange *exchange);

/* Answers with a line of text. `headers`: further lines, each ending in CR LF; may be NULL. */
void answer_text(struct http_exchange *exchange, int status, const char *headers, const char *text);

#endif
