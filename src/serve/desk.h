/* desk.h - the requests of one thread: each is a plain invocation or a bundle of them, and is
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

struct desk {
    struct sf_handler *handler;
    struct inbox *inbox; /* of its loop, for its letters alone */
    struct run *spare;
    struct buffer out;  /* a spare one, for answers */
    struct arena arena; /* of the bundle that is being begun */
};

void desk_init(struct desk *desk, struct sf_handler *handler, struct inbox *inbox);
void desk_destroy(struct desk *desk); /* nothing may wait any more */

/* The request's body is a ToFunction, or a bundle. Answers it, now or later. */
void desk_invoke(struct desk *desk, struct http_exchange *exchange);
void desk_invoke_bundle(struct desk *desk, struct http_exchange *exchange);

/* Takes up what has ended; call when the inbox has woken the loop, and once after its end. */
void desk_take_letters(struct desk *desk);

/* The client of a request that waits has gone; one that is not the desk's is fine. */
void desk_forget(struct http_exchange *exchange);

/* Answers with a line of text. `headers`: further lines, each ending in CR LF; may be NULL. */
void answer_text(struct http_exchange *exchange, int status, const char *headers, const char *text);

#endif
