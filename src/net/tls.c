/* tls.c - one connection by OpenSSL, which reads and writes the socket through a BIO of ours.
 *
 * What OpenSSL writes is always taken: what the socket has no room for is kept here and goes first
 * the next time. So OpenSSL is never in the middle of a record that the caller would have to repeat
 * exactly, and a request counts as sent once it is encrypted. The caller is not let in while
 * anything is kept, so that this is a record or two. */
#include "net/tls_inside.h"

#include "base/mem.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

enum { RECORD_MAX = 16 * 1024, CAUSE_MAX = 240, NAMES_MAX = 100 };

struct tls {
    const struct tls_context *context;
    SSL *ssl;
    int fd;
    char *host;
    struct tls_ticket *ticket;
    struct buffer unsent; /* from `unsent_at` on */
    size_t unsent_at;
    bool is_at_end; /* of the socket */
    bool was_asked; /* for a certificate */
    bool is_broken; /* nothing more can be said */
    char cause[CAUSE_MAX];
};

static BIO_METHOD *socket_method;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* --- what goes wrong, for people --- */

static void note(struct tls *tls, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The first cause is the right one: what follows it only says that it is over. */
static void note(struct tls *tls, const char *format, ...)
{
    if (tls->cause[0])
        return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(tls->cause, sizeof tls->cause, format, arguments);
    va_end(arguments);
}

static void add_printable(char names[static NAMES_MAX], const char *text, size_t size)
{
    size_t at = strlen(names);
    if (at && at + 2 < NAMES_MAX)
        at += (size_t)snprintf(names + at, NAMES_MAX - at, ", ");
    for (size_t i = 0; i < size && at + 1 < NAMES_MAX; i++)
        names[at++] = isprint((unsigned char)text[i]) ? text[i] : '?';
    names[at] = 0;
}

/* Whom a certificate is for: its alternative names, else its common name. */
static void describe_names(X509 *certificate, char names[static NAMES_MAX])
{
    names[0] = 0;
    GENERAL_NAMES *all = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    for (int i = 0; i < sk_GENERAL_NAME_num(all); i++) {
        int type;
        ASN1_STRING *value = GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(all, i), &type);
        char text[INET6_ADDRSTRLEN];
        if (type == GEN_DNS)
            add_printable(names, (const char *)ASN1_STRING_get0_data(value),
                          (size_t)ASN1_STRING_length(value));
        else if (type == GEN_IPADD && inet_ntop(ASN1_STRING_length(value) == 4 ? AF_INET : AF_INET6,
                                                ASN1_STRING_get0_data(value), text, sizeof text))
            add_printable(names, text, strlen(text));
    }
    GENERAL_NAMES_free(all);
    char common[NAMES_MAX];
    if (!names[0] && X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName,
                                               common, sizeof common) > 0)
        add_printable(names, common, strlen(common));
}

static void describe_date(const ASN1_TIME *time, char text[static 32])
{
    struct tm tm;
    if (ASN1_TIME_to_tm(time, &tm))
        strftime(text, 32, "%Y-%m-%d %H:%M:%S UTC", &tm);
    else
        snprintf(text, 32, "a date that makes no sense");
}

/* X509_STORE_CTX_verify_cb: a certificate of the server's was looked at. What is wrong with it is
 * noted here, where it can still be seen; `good` stays the verdict. */
static int on_verify(int good, X509_STORE_CTX *store)
{
    if (good)
        return good;
    SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct tls *tls = SSL_get_app_data(ssl);
    X509 *certificate = X509_STORE_CTX_get_current_cert(store);
    int error = X509_STORE_CTX_get_error(store);
    char names[NAMES_MAX] = "", date[32];
    if (certificate)
        describe_names(certificate, names);

    switch (error) {
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        note(tls, "the server's certificate is not for this host: expected %s, found %s", tls->host,
             names);
        break;
    case X509_V_ERR_CERT_HAS_EXPIRED:
        describe_date(X509_get0_notAfter(certificate), date);
        note(tls, "the server's certificate has expired: %s was good until %s", names, date);
        break;
    case X509_V_ERR_CERT_NOT_YET_VALID:
        describe_date(X509_get0_notBefore(certificate), date);
        note(tls, "the server's certificate is not valid yet: %s is good from %s on", names, date);
        break;
    default:
        note(tls, "the server's certificate is not trusted: expected a CA of %s: %s (%s)",
             tls->context->trust_file ? tls->context->trust_file : "the system's trust store",
             X509_verify_cert_error_string(error), names);
    }
    return good;
}

/* SSL_CTX_set_cert_cb: the server wants to know who we are. */
static int on_asked(SSL *ssl, void *argument)
{
    (void)argument;
    ((struct tls *)SSL_get_app_data(ssl))->was_asked = true;
    return 1;
}

static const char asked_in_vain[] =
    "the server asks for a client certificate: expected 'client_cert' and 'client_key'";

static const char *phrase_of(int reason)
{
    switch (reason) {
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_HTTP_REQUEST:
    case SSL_R_PACKET_LENGTH_TOO_LONG:
        return "the server does not speak TLS on this port";
    case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_VERSION_TOO_LOW:
        return "the server does not speak TLS 1.2 or 1.3";
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
        return "the server refuses the client certificate ('client_cert')";
    case SSL_R_TLSV1_ALERT_NO_APPLICATION_PROTOCOL: /* only HTTP/2 is ever offered alone */
        return "the server does not speak HTTP/2 here";
    case SSL_R_UNEXPECTED_EOF_WHILE_READING:
        return "the server closed the connection without TLS's farewell";
    default:
        return NULL;
    }
}

/* After a call of OpenSSL's failed for good. `saved` is errno as it was then. */
static void note_failure(struct tls *tls, int kind, int saved)
{
    unsigned long error = ERR_peek_error();
    int reason = ERR_GET_REASON(error);
    bool is_alert = ERR_GET_LIB(error) == ERR_LIB_SSL && reason > SSL_AD_REASON_OFFSET;
    const char *phrase = ERR_GET_LIB(error) == ERR_LIB_SSL ? phrase_of(reason) : NULL;
    const char *plain = error ? ERR_reason_error_string(error) : NULL;
    tls->is_broken = true;

    if (kind == SSL_ERROR_SYSCALL && !error)
        note(tls, "%s", strerrordesc_np(saved));
    else if (is_alert && tls->was_asked && !tls->context->has_identity)
        note(tls, "%s (%s)", asked_in_vain, plain ? plain : "alert");
    else if (phrase)
        note(tls, "%s%s%s%s", phrase, is_alert && plain ? " (" : "", is_alert && plain ? plain : "",
             is_alert && plain ? ")" : "");
    else
        note(tls, "TLS: %s", plain ? plain : "it failed");
    ERR_clear_error();
}

const char *tls_cause(const struct tls *tls)
{
    return tls->cause;
}

const char *tls_suspicion(const struct tls *tls)
{
    return tls->was_asked && !tls->context->has_identity ? asked_in_vain : NULL;
}

/* --- the socket, as OpenSSL sees it --- */

static int socket_write(BIO *bio, const char *data, size_t size, size_t *ret_size)
{
    struct tls *tls = BIO_get_data(bio);
    ssize_t sent = 0;
    if (!tls_has_unsent(tls)) {
        do
            sent = send(tls->fd, data, size, MSG_NOSIGNAL);
        while (sent < 0 && errno == EINTR);
        if (sent < 0 && errno != EAGAIN)
            return 0;
        if (sent < 0)
            sent = 0;
    }
    buffer_add(&tls->unsent, data + sent, size - (size_t)sent);
    *ret_size = size;
    return 1;
}

static int socket_read(BIO *bio, char *to, size_t room, size_t *ret_size)
{
    struct tls *tls = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    ssize_t got = recv(tls->fd, to, room, 0);
    tls->is_at_end = got == 0;
    if (got > 0)
        *ret_size = (size_t)got;
    else if (got < 0 && (errno == EAGAIN || errno == EINTR))
        BIO_set_retry_read(bio);
    return got > 0;
}

static long socket_control(BIO *bio, int command, long number, void *pointer)
{
    (void)number, (void)pointer;
    if (command == BIO_CTRL_EOF)
        return ((struct tls *)BIO_get_data(bio))->is_at_end;
    return command == BIO_CTRL_FLUSH;
}

static void make_method(void)
{
    socket_method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "statefun");
    if (!socket_method || !BIO_meth_set_write_ex(socket_method, socket_write) ||
        !BIO_meth_set_read_ex(socket_method, socket_read) ||
        !BIO_meth_set_ctrl(socket_method, socket_control))
        abort(); /* no memory */
}

/* --- sessions --- */

void tls_ticket_destroy(struct tls_ticket *ticket)
{
    SSL_SESSION_free(ticket->session);
    ticket->session = NULL;
}

/* SSL_CTX_sess_set_new_cb: the reference is ours now. With TLS 1.3 this comes after the handshake,
 * and may come again. */
static int on_session(SSL *ssl, SSL_SESSION *session)
{
    struct tls *tls = SSL_get_app_data(ssl);
    tls_ticket_destroy(tls->ticket);
    tls->ticket->session = session;
    return 1;
}

void tls_prepare(struct tls_context *context)
{
    pthread_once(&once, make_method);
    SSL_CTX_set_verify(context->ssl, SSL_VERIFY_PEER, on_verify);
    SSL_CTX_set_cert_cb(context->ssl, on_asked, NULL);
    SSL_CTX_set_session_cache_mode(context->ssl,
                                   SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(context->ssl, on_session);
}

/* --- a connection --- */

static bool is_address(const char *host)
{
    struct in6_addr address;
    return inet_pton(AF_INET, host, &address) == 1 || inet_pton(AF_INET6, host, &address) == 1;
}

/* False: no name of a host is that long. */
static bool set_host(struct tls *tls)
{
    X509_VERIFY_PARAM *checks = SSL_get0_param(tls->ssl);
    bool by_address = is_address(tls->host);
    if (!by_address && !SSL_set_tlsext_host_name(tls->ssl, tls->host))
        return false;
    if (!tls->context->checks_host)
        return true;
    X509_VERIFY_PARAM_set_hostflags(checks, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return by_address ? X509_VERIFY_PARAM_set1_ip_asc(checks, tls->host)
                      : X509_VERIFY_PARAM_set1_host(checks, tls->host, 0);
}

struct tls *tls_new(const struct tls_context *context, int fd, const char *host,
                    struct tls_ticket *ticket)
{
    struct tls *tls = mem_new(sizeof *tls);
    tls->context = context;
    tls->fd = fd;
    tls->host = mem_string(host);
    tls->ticket = ticket;
    tls->ssl = SSL_new(context->ssl);
    BIO *bio = BIO_new(socket_method);
    if (!tls->ssl || !bio)
        abort(); /* no memory */
    BIO_set_data(bio, tls);
    BIO_set_init(bio, 1);
    SSL_set_bio(tls->ssl, bio, bio);
    SSL_set_app_data(tls->ssl, tls);
    SSL_set_connect_state(tls->ssl);
    if (!set_host(tls))
        note(tls, "%.100s is no name that a certificate could be for", host);
    if (ticket->session)
        SSL_set_session(tls->ssl, ticket->session);
    ERR_clear_error();
    return tls;
}

void tls_offer_http2(struct tls *tls, bool also_http1)
{
    static const unsigned char names[] = "\x02h2\x08http/1.1";
    if (SSL_set_alpn_protos(tls->ssl, names, also_http1 ? sizeof names - 1 : 3))
        abort(); /* no memory */
}

bool tls_speaks_http2(const struct tls *tls)
{
    const unsigned char *name;
    unsigned size;
    SSL_get0_alpn_selected(tls->ssl, &name, &size);
    return size == 2 && memcmp(name, "h2", 2) == 0;
}

void tls_free(struct tls *tls)
{
    if (!tls)
        return;
    if (SSL_is_init_finished(tls->ssl) && !tls->is_broken && !tls_has_unsent(tls)) {
        ERR_clear_error();
        (void)SSL_shutdown(tls->ssl); /* whoever does not hear it sees the socket's end */
        ERR_clear_error();
    }
    SSL_free(tls->ssl);
    buffer_destroy(&tls->unsent);
    free(tls->host);
    free(tls);
}

enum tls_progress tls_handshake(struct tls *tls)
{
    if (tls->cause[0])
        return TLS_FAILED;
    if (!tls_flush(tls)) {
        if (errno == EAGAIN)
            return TLS_MORE;
        note(tls, "%s", strerrordesc_np(errno));
        return TLS_FAILED;
    }
    ERR_clear_error();
    int result = SSL_do_handshake(tls->ssl), saved = errno;
    if (result == 1)
        return TLS_DONE;
    int kind = SSL_get_error(tls->ssl, result);
    if (kind == SSL_ERROR_WANT_READ)
        return TLS_MORE;
    note_failure(tls, kind, saved);
    return TLS_FAILED;
}

bool tls_has_unsent(const struct tls *tls)
{
    return tls->unsent.size > tls->unsent_at;
}

bool tls_has_received(const struct tls *tls)
{
    return SSL_has_pending(tls->ssl);
}

bool tls_flush(struct tls *tls)
{
    while (tls_has_unsent(tls)) {
        ssize_t sent = send(tls->fd, tls->unsent.data + tls->unsent_at,
                            tls->unsent.size - tls->unsent_at, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0)
            return false;
        tls->unsent_at += (size_t)sent;
    }
    buffer_destroy(&tls->unsent);
    tls->unsent_at = 0;
    return true;
}

/* What a call of OpenSSL's that did not do its work leaves for the caller: errno, or 0 at the end.
 */
static ssize_t fail(struct tls *tls, int result, int saved)
{
    int kind = SSL_get_error(tls->ssl, result);
    if (kind == SSL_ERROR_ZERO_RETURN)
        return 0;
    if (kind == SSL_ERROR_WANT_READ || kind == SSL_ERROR_WANT_WRITE) {
        errno = EAGAIN;
        return -1;
    }
    bool is_socket = kind == SSL_ERROR_SYSCALL && !ERR_peek_error() && saved;
    note_failure(tls, kind, saved);
    errno = is_socket ? saved : EPROTO;
    return -1;
}

/* The first bytes of `parts`, as many as a record holds, in one piece. */
static struct bytes gather(const struct iovec *parts, size_t count, uint8_t room[static RECORD_MAX])
{
    if (count == 1 || parts[0].iov_len >= RECORD_MAX)
        return bytes_make(parts[0].iov_base, parts[0].iov_len);
    size_t size = 0;
    for (size_t i = 0; i < count && size < RECORD_MAX; i++) {
        size_t part = parts[i].iov_len < RECORD_MAX - size ? parts[i].iov_len : RECORD_MAX - size;
        memcpy(room + size, parts[i].iov_base, part);
        size += part;
    }
    return bytes_make(room, size);
}

ssize_t tls_send(struct tls *tls, const struct iovec *parts, size_t count)
{
    uint8_t room[RECORD_MAX];
    if (!tls_flush(tls))
        return -1;
    struct bytes piece = gather(parts, count, room);
    size_t written;
    ERR_clear_error();
    int result = SSL_write_ex(tls->ssl, piece.data, piece.size, &written), saved = errno;
    if (result == 1)
        return (ssize_t)written;
    if (fail(tls, result, saved) == 0)
        errno = EPIPE; /* the server has said that nothing more will come */
    return -1;
}

ssize_t tls_receive(struct tls *tls, void *to, size_t room)
{
    size_t got;
    ERR_clear_error();
    int result = SSL_read_ex(tls->ssl, to, room, &got), saved = errno;
    return result == 1 ? (ssize_t)got : fail(tls, result, saved);
}
