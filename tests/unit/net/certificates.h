/* certificates.h - keys and certificates made on the spot, in files of a folder that goes away. */
#ifndef CERTIFICATES_H
#define CERTIFICATES_H

#include "test.h"

#include "base/mem.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <unistd.h>

struct certificate {
    EVP_PKEY *key;
    X509 *x509;
};

static inline void add_extension(X509 *to, X509 *issuer, int kind, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, to, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, kind, value);
    assert_non_null(extension);
    X509_add_ext(to, extension, -1);
    X509_EXTENSION_free(extension);
}

/* Good from `from_s` to `to_s`, counted from now. `names` are alternative ones, as in
 * "DNS:a,IP:127.0.0.1"; NULL: a CA, which signs itself when `issuer` is NULL. */
static inline struct certificate certificate_make(const char *common, const char *names,
                                                  const struct certificate *issuer, long from_s,
                                                  long to_s)
{
    static long serial = 1;
    struct certificate made = {EVP_EC_gen("P-256"), X509_new()};
    if (!issuer)
        issuer = &made;
    X509_set_version(made.x509, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(made.x509), serial++);
    X509_gmtime_adj(X509_getm_notBefore(made.x509), from_s);
    X509_gmtime_adj(X509_getm_notAfter(made.x509), to_s);
    X509_set_pubkey(made.x509, made.key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(made.x509), "CN", MBSTRING_UTF8,
                               (const unsigned char *)common, -1, -1, 0);
    X509_set_issuer_name(made.x509, X509_get_subject_name(issuer->x509));
    if (names)
        add_extension(made.x509, issuer->x509, NID_subject_alt_name, names);
    else
        add_extension(made.x509, issuer->x509, NID_basic_constraints, "critical,CA:TRUE");
    assert_true(X509_sign(made.x509, issuer->key, EVP_sha256()) > 0);
    return made;
}

static inline void certificate_free(struct certificate *certificate)
{
    EVP_PKEY_free(certificate->key);
    X509_free(certificate->x509);
}

struct folder {
    char path[40];
    char *files[16];
    size_t count;
};

static inline struct folder folder_make(void)
{
    struct folder folder = {.path = "/tmp/statefun-tls-XXXXXX"};
    assert_non_null(mkdtemp(folder.path));
    return folder;
}

static inline void folder_remove(struct folder *folder)
{
    for (size_t i = 0; i < folder->count; i++) {
        unlink(folder->files[i]);
        free(folder->files[i]);
    }
    rmdir(folder->path);
}

/* A new file of that name, to be written; its path is files[count - 1]. */
static inline FILE *folder_file(struct folder *folder, const char *name)
{
    assert_true(folder->count < sizeof folder->files / sizeof *folder->files);
    folder->files[folder->count] = mem_format("%s/%s", folder->path, name);
    FILE *file = fopen(folder->files[folder->count++], "w");
    assert_non_null(file);
    return file;
}

static inline const char *write_certificate(struct folder *folder, const char *name, X509 *x509)
{
    FILE *file = folder_file(folder, name);
    assert_true(PEM_write_X509(file, x509));
    fclose(file);
    return folder->files[folder->count - 1];
}

/* `password` may be NULL: not encrypted. */
static inline const char *write_key(struct folder *folder, const char *name, EVP_PKEY *key,
                                    const char *password)
{
    FILE *file = folder_file(folder, name);
    assert_true(PEM_write_PKCS8PrivateKey(file, key, password ? EVP_aes_128_cbc() : NULL, password,
                                          password ? (int)strlen(password) : 0, NULL, NULL));
    fclose(file);
    return folder->files[folder->count - 1];
}

static inline const char *write_text(struct folder *folder, const char *name, const char *text)
{
    FILE *file = folder_file(folder, name);
    fputs(text, file);
    fclose(file);
    return folder->files[folder->count - 1];
}

#endif
