/* tls_inside.h (net, internal) - what the two halves of TLS share.
 *
 * tls_context.c reads files; tls.c is the connection. */
#ifndef NET_TLS_INSIDE_H
#define NET_TLS_INSIDE_H

#include "net/tls.h"

#include <openssl/ssl.h>

struct tls_context {
    SSL_CTX *ssl;
    char *trust_file; /* NULL: the system's */
    bool checks_host;
    bool has_identity;
};

/* Sets what is called back with a connection. */
void tls_prepare(struct tls_context *context);

#endif
