/* admin_auth.h - who may see and change, through the admin listener, what an application keeps.
 *
 * Figures and health are for everybody who reaches the listener. State, dead letters and whatever
 * else is the application's own are for those who have the token (statefun.admin.token). Without a
 * token they are for everybody on this machine but pages in its browsers, provided that only this
 * machine reaches the listener; elsewhere for nobody. */
#ifndef RUNTIME_ADMIN_AUTH_H
#define RUNTIME_ADMIN_AUTH_H

#include "net/http_server.h"

struct admin_auth {
    const char *token; /* empty: none */
    bool is_local;     /* a loopback address or a unix socket */
    bool is_unix;
};

/* `where` is what the listener became ("127.0.0.1:8081", "unix:/path"); `token` must outlive it. */
struct admin_auth admin_auth_make(const char *token, const char *where);

/* True if nobody is let in. */
bool admin_auth_is_closed(const struct admin_auth *auth);

/* True if the request may go on; otherwise it has been answered: 401 or 403, with the reason. */
bool admin_auth_admits(const struct admin_auth *auth, struct http_exchange *exchange);

#endif
