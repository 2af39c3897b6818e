/* admin_request.h - a request to the admin listener that is answered later.
 *
 * Whoever answers later puts this into what it remembers, and sets that as the context of the
 * exchange, so that it hears of a client that has gone. */
#ifndef RUNTIME_ADMIN_REQUEST_H
#define RUNTIME_ADMIN_REQUEST_H

struct admin_request {
    void (*on_gone)(struct admin_request *request);
};

#endif
