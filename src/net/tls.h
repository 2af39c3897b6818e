/* tls.h - TLS as a client: whom to trust, who to be, and the bytes of one connection (RFC 8446).
 *
 * A context holds what is the same for all connections to an endpoint. Once it is set up it is only
 * read, and threads may share it. A tls is one connection's: it sends and receives as the socket
 * itself would, without ever blocking, on the thread of its loop.
 *
 * What goes wrong is said for people: which file, or what about the server, and what was expected.
 */
#ifndef NET_TLS_H
#define NET_TLS_H

#include "base/bytes.h"
#include "statefun/status.h"

#include <sys/types.h>
#include <sys/uio.h>

/* TLS 1.2 and 1.3; trusts the system's CAs, and checks that the certificate is for the host. */
struct tls_context;

struct tls_context *tls_context_new(void);
void tls_context_free(struct tls_context *context); /* NULL is fine */

/* Trusts the CAs of a PEM file, and nobody else. */
SF_CHECK bool tls_context_trust(struct tls_context *context, const char *file,
                                struct sf_status *status);

/* Who to be, when the server asks: first the certificate, with the chain that leads to it, then its
 * key. `password_file` may be NULL; otherwise all that it holds is the password of the key. */
SF_CHECK bool tls_context_certify(struct tls_context *context, const char *certificate_file,
                                  struct sf_status *status);
SF_CHECK bool tls_context_unlock(struct tls_context *context, const char *key_file,
                                 const char *password_file, struct sf_status *status);

/* Whatever host a certificate names will do, as it does for upstream's async transport. */
void tls_context_ignore_host(struct tls_context *context);

/* What shortens the next handshake with the same server (a session, RFC 8446 2.2). All zeros: there
 * is nothing yet. */
struct tls_ticket {
    void *session;
};
void tls_ticket_destroy(struct tls_ticket *ticket);

struct tls;

/* For a connected socket, which stays the caller's. `host` is whom the URL names; `ticket` is used
 * and renewed, and must outlive the connection like the context. */
struct tls *tls_new(const struct tls_context *context, int fd, const char *host,
                    struct tls_ticket *ticket);

/* Before the handshake: says that HTTP/2 would do (ALPN, RFC 7301); after it: will it? */
void tls_offer_http2(struct tls *tls, bool also_http1);
bool tls_speaks_http2(const struct tls *tls);

/* Tells the server that nothing more comes, as far as that is possible now. NULL is fine. */
void tls_free(struct tls *tls);

/* To be called until it is done or fails, whenever the socket is ready. */
enum tls_progress { TLS_MORE, TLS_DONE, TLS_FAILED };
enum tls_progress tls_handshake(struct tls *tls);

/* As sendmsg and recv: how many bytes, or -1 with errno, EPROTO being TLS's own: see tls_cause. The
 * end that recv tells by 0 is one that the server has announced. What was taken for sending and is
 * still here goes out with the next call, or tls_flush. */
ssize_t tls_send(struct tls *tls, const struct iovec *parts, size_t count);
ssize_t tls_receive(struct tls *tls, void *to, size_t room);
bool tls_flush(struct tls *tls); /* false: errno, as above */

bool tls_has_unsent(const struct tls *tls);   /* the socket should be watched for room */
bool tls_has_received(const struct tls *tls); /* there may be more to receive, ready or not */

/* What went wrong, after TLS_FAILED or EPROTO. */
const char *tls_cause(const struct tls *tls);

/* What is wrong with us in the server's eyes, as far as we know, or NULL. With TLS 1.3 a server
 * looks at the client's certificate only when the client's handshake is done, and what it says then
 * may be lost when it closes a connection on which a request has come. */
const char *tls_suspicion(const struct tls *tls);

#endif
