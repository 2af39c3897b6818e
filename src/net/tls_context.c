/* tls_context.c - certificates and keys out of PEM files, by OpenSSL.
 *
 * OpenSSL's own messages name neither the file nor what was expected of it, so every step is done
 * by itself, and says so when it fails. */
#include "net/tls_inside.h"

#include "base/mem.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { PASSWORD_MAX = 1024 };

struct tls_context *tls_context_new(void)
{
    struct tls_context *context = mem_new(sizeof *context);
    SSL_CTX *ssl = SSL_CTX_new(TLS_client_method());
    if (!ssl)
        abort(); /* no memory */
    SSL_CTX_set_min_proto_version(ssl, TLS1_2_VERSION);
    SSL_CTX_set_mode(ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_options(ssl, SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_read_ahead(ssl, 1);
    SSL_CTX_set_default_verify_paths(ssl);
    context->ssl = ssl;
    context->checks_host = true;
    tls_prepare(context);
    return context;
}

void tls_context_free(struct tls_context *context)
{
    if (!context)
        return;
    SSL_CTX_free(context->ssl);
    free(context->trust_file);
    free(context);
}

void tls_context_ignore_host(struct tls_context *context)
{
    context->checks_host = false;
}

static BIO *open_file(const char *file, struct sf_status *status)
{
    ERR_clear_error();
    FILE *stream = fopen(file, "re");
    struct stat found;
    if (!stream || fstat(fileno(stream), &found)) {
        (void)sf_fail(status, SF_NOT_FOUND, "%s: %s", file, strerror(errno));
    } else if (S_ISDIR(found.st_mode)) {
        (void)sf_fail(status, SF_INVALID, "%s: expected a file, found a directory", file);
    } else {
        BIO *bio = BIO_new_fp(stream, BIO_CLOSE);
        if (!bio)
            abort(); /* no memory */
        return bio;
    }
    if (stream)
        fclose(stream);
    return NULL;
}

/* The next certificate of a file; NULL at its end, and at one that is damaged: then `*ret_good` is
 * false. */
static X509 *next_certificate(BIO *bio, bool *ret_good)
{
    X509 *certificate = PEM_read_bio_X509_AUX(bio, NULL, NULL, NULL);
    *ret_good = certificate || ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
    ERR_clear_error();
    return certificate;
}

/* Calls `add` for each certificate of a file, of which there must be at least one. */
static bool read_certificates(const char *file, void (*add)(SSL_CTX *ssl, X509 *one, size_t number),
                              SSL_CTX *ssl, struct sf_status *status)
{
    BIO *bio = open_file(file, status);
    if (!bio)
        return false;
    bool good;
    size_t count = 0;
    for (X509 *one; (one = next_certificate(bio, &good)); count++) {
        add(ssl, one, count);
        X509_free(one);
    }
    BIO_free(bio);
    if (!good)
        return sf_fail(status, SF_INVALID, "%s: certificate %zu is damaged", file, count + 1);
    return count ||
           sf_fail(status, SF_INVALID, "%s: expected certificates in PEM form, found none", file);
}

static void add_trusted(SSL_CTX *ssl, X509 *one, size_t number)
{
    (void)number;
    if (!X509_STORE_add_cert(SSL_CTX_get_cert_store(ssl), one))
        abort(); /* no memory: one that stands there twice is no fault */
}

bool tls_context_trust(struct tls_context *context, const char *file, struct sf_status *status)
{
    X509_STORE *store = X509_STORE_new();
    if (!store)
        abort();                                            /* no memory */
    X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN); /* a server's own one is trusted too */
    SSL_CTX_set_cert_store(context->ssl, store);            /* instead of the system's */
    free(context->trust_file);
    context->trust_file = mem_string(file);
    return read_certificates(file, add_trusted, context->ssl, status);
}

static void add_own(SSL_CTX *ssl, X509 *one, size_t number)
{
    if (number == 0)
        SSL_CTX_use_certificate(ssl, one);
    else
        SSL_CTX_add1_chain_cert(ssl, one);
}

bool tls_context_certify(struct tls_context *context, const char *certificate_file,
                         struct sf_status *status)
{
    if (!read_certificates(certificate_file, add_own, context->ssl, status))
        return false;
    ERR_clear_error();
    return SSL_CTX_get0_certificate(context->ssl) ||
           sf_fail(status, SF_INVALID,
                   "%s: TLS cannot use this certificate: its key is too short or of a kind that is "
                   "not known",
                   certificate_file);
}

/* --- the key --- */

struct password {
    char text[PASSWORD_MAX];
    size_t size;
    bool is_given;
    bool was_asked;
};

static bool read_password(const char *file, struct password *password, struct sf_status *status)
{
    BIO *bio = open_file(file, status);
    if (!bio)
        return false;
    int got = BIO_read(bio, password->text, sizeof password->text);
    BIO_free(bio);
    if (got == (int)sizeof password->text)
        return sf_fail(status, SF_INVALID, "%s: expected a password of less than %d bytes", file,
                       PASSWORD_MAX);
    password->size = got > 0 ? (size_t)got : 0;
    password->is_given = true;
    return true;
}

/* pem_password_cb: OpenSSL wants to decrypt a key. */
static int on_password(char *to, int room, int is_writing, void *argument)
{
    struct password *password = argument;
    (void)is_writing;
    password->was_asked = true;
    if (!password->is_given || password->size > (size_t)room)
        return -1;
    memcpy(to, password->text, password->size);
    return (int)password->size;
}

static bool blame(const char *file, const char *password_file, const struct password *password,
                  struct sf_status *status)
{
    if (!password->was_asked)
        return sf_fail(status, SF_INVALID, "%s: expected a private key in PEM form, found none",
                       file);
    if (!password->is_given)
        return sf_fail(status, SF_INVALID,
                       "%s: the key is encrypted: expected 'client_key_password'", file);
    bool has_newline = password->size && password->text[password->size - 1] == '\n';
    return sf_fail(status, SF_INVALID, "%s: the password in %s does not open it%s", file,
                   password_file,
                   has_newline ? " (the line end in that file is part of the password)" : "");
}

bool tls_context_unlock(struct tls_context *context, const char *key_file,
                        const char *password_file, struct sf_status *status)
{
    struct password password = {.is_given = false};
    if (password_file && !read_password(password_file, &password, status))
        return sf_wrap(status, "its password");
    BIO *bio = open_file(key_file, status);
    if (!bio) {
        OPENSSL_cleanse(&password, sizeof password);
        return false;
    }
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, on_password, &password);
    BIO_free(bio);
    ERR_clear_error();

    bool good;
    if (!key)
        good = blame(key_file, password_file, &password, status);
    else if (!X509_check_private_key(SSL_CTX_get0_certificate(context->ssl), key))
        good = sf_fail(status, SF_INVALID,
                       "%s: the key is another one than that of the certificate", key_file);
    else
        good = SSL_CTX_use_PrivateKey(context->ssl, key) ||
               sf_fail(status, SF_INVALID, "%s: TLS cannot use a key of this kind", key_file);
    context->has_identity = good;
    EVP_PKEY_free(key);
    ERR_clear_error();
    OPENSSL_cleanse(&password, sizeof password);
    return good;
}
