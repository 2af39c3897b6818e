/* address.h (net) - where to listen and where to connect: TCP and unix sockets.
 *
 * The net room carries bytes over sockets on a loop: listeners, an HTTP server, an HTTP client. It
 * may include loop, wire and base, and knows nothing of functions. */
#ifndef NET_ADDRESS_H
#define NET_ADDRESS_H

#include "base/bytes.h"
#include "statefun/status.h"

/* Opens a listening socket (non-blocking, close-on-exec, SO_REUSEADDR, TCP_NODELAY for what it
 * accepts). `where` is "host:port", "[v6]:port", ":port" (all interfaces) or "unix:/path". Port 0
 * lets the kernel pick; `ret_where` is what it became, numeric, for free(). A unix socket that
 * nobody listens on any more is replaced. A host name is looked up here and now: this may block.
 * SF_CONFLICT: somebody else listens there. */
SF_CHECK bool net_listen(const char *where, int *ret_fd, char **ret_where,
                         struct sf_status *status);

/* An endpoint's URL (protocol.md 3.1 and 14), taken apart once. */
struct net_target {
    bool is_unix;
    bool is_tls;     /* https */
    char *host;      /* name or address without brackets, or the socket's path */
    uint16_t port;   /* of TCP */
    char *authority; /* what the Host header says: port left out for 80 and 443 */
    char *path;      /* with query and fragment, as in the URL; "/" when there is none */
};

/* Schemes http, https, http+unix, https+unix in any case; the last two both speak plain HTTP. False
 * says what is wrong with the URL. */
SF_CHECK bool net_target_parse(const char *url, struct net_target *ret_target,
                               struct sf_status *status);
void net_target_destroy(struct net_target *target);

#endif
