/* lookup.h (net, internal) - names to addresses, without stopping a loop.
 *
 * The C library's look-up blocks, so it runs on a thread that all lookups of the process share; it
 * is started when the first one is wanted and ends with the last. What is numeric never gets there.
 */
#ifndef NET_LOOKUP_H
#define NET_LOOKUP_H

#include "loop/loop.h"
#include "net/socket.h"

enum { LOOKUP_ADDRESSES_MAX = 8 };

/* In the order in which they should be tried. */
struct addresses {
    struct socket_address list[LOOKUP_ADDRESSES_MAX];
    size_t count;
};

/* False if `host` is a name. Never blocks. */
bool lookup_numeric(const char *host, uint16_t port, struct addresses *ret_addresses);

struct lookup;

/* Looks up `host` and calls `on_found` once, in a later turn of the loop: with no addresses and
 * what went wrong, or with addresses and NULL. The lookup is gone when that returns. */
struct lookup *lookup_new(struct loop *loop, const char *host, uint16_t port,
                          void (*on_found)(void *owner, const struct addresses *addresses,
                                           const char *error),
                          void *owner);

/* Gives it up; no callback follows. NULL is fine. Never blocks for long: where the C library is
 * still busy with it, the thread is left to end by itself. */
void lookup_free(struct lookup *lookup);

#endif
