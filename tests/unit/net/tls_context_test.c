/* tls_context_test.c - certificates, keys and passwords out of files, and all that can be wrong
 * with them. */
#include "certificates.h"

#include "net/tls.h"

static struct fixture {
    struct folder folder;
    struct certificate ca, own, other;
    const char *ca_file, *own_file;
    struct tls_context *context;
    struct sf_status status;
} * f;

static int set_up(void **state)
{
    (void)state;
    f = mem_new(sizeof *f);
    f->folder = folder_make();
    f->ca = certificate_make("our CA", NULL, NULL, -60, 3600);
    f->own = certificate_make("client", "DNS:client", &f->ca, -60, 3600);
    f->other = certificate_make("other", "DNS:other", &f->ca, -60, 3600);
    f->ca_file = write_certificate(&f->folder, "ca.pem", f->ca.x509);
    f->own_file = write_certificate(&f->folder, "own.pem", f->own.x509);
    f->context = tls_context_new();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    tls_context_free(f->context);
    certificate_free(&f->ca);
    certificate_free(&f->own);
    certificate_free(&f->other);
    folder_remove(&f->folder);
    free(f);
    return 0;
}

static void refused_key(const char *key_file, const char *password_file, const char *message)
{
    assert_false(tls_context_unlock(f->context, key_file, password_file, &f->status));
    assert_mentions(f->status.message, message);
}

static void files_that_fit_are_taken(void **state)
{
    (void)state;
    assert_good(tls_context_trust(f->context, f->ca_file, &f->status), &f->status);
    assert_good(tls_context_certify(f->context, f->own_file, &f->status), &f->status);
    const char *plain = write_key(&f->folder, "plain.p8", f->own.key, NULL);
    const char *locked = write_key(&f->folder, "locked.p8", f->own.key, "open sesame");
    const char *password = write_text(&f->folder, "pass", "open sesame");
    assert_good(tls_context_unlock(f->context, plain, NULL, &f->status), &f->status);
    assert_good(tls_context_unlock(f->context, plain, password, &f->status), &f->status);
    assert_good(tls_context_unlock(f->context, locked, password, &f->status), &f->status);
}

/* As upstream: the password is all that is in the file. */
static void a_line_end_is_part_of_the_password(void **state)
{
    (void)state;
    assert_good(tls_context_certify(f->context, f->own_file, &f->status), &f->status);
    const char *password = write_text(&f->folder, "pass", "open sesame\n");
    const char *locked = write_key(&f->folder, "locked.p8", f->own.key, "open sesame");
    refused_key(locked, password, "does not open it (the line end in that file");
    const char *with_end = write_key(&f->folder, "line.p8", f->own.key, "open sesame\n");
    assert_good(tls_context_unlock(f->context, with_end, password, &f->status), &f->status);
}

static void each_fault_of_a_key_has_its_message(void **state)
{
    (void)state;
    assert_good(tls_context_certify(f->context, f->own_file, &f->status), &f->status);
    const char *locked = write_key(&f->folder, "locked.p8", f->own.key, "open sesame");
    const char *wrong = write_text(&f->folder, "wrong", "s3cr3t-but-wrong");
    refused_key(locked, wrong, "the password in ");
    assert_mentions(f->status.message, locked);
    assert_null(strstr(f->status.message, "s3cr3t"));
    refused_key(locked, NULL, "the key is encrypted: expected 'client_key_password'");
    refused_key(locked, "/nonexistent/pass",
                "its password: /nonexistent/pass: No such file or directory");
    refused_key("/nonexistent/key", NULL, "/nonexistent/key: No such file or directory");
    refused_key(f->folder.path, NULL, "expected a file, found a directory");
    refused_key(f->own_file, NULL, "expected a private key in PEM form, found none");
    const char *other = write_key(&f->folder, "other.p8", f->other.key, NULL);
    refused_key(other, NULL, "the key is another one than that of the certificate");
}

static void each_fault_of_a_certificate_has_its_message(void **state)
{
    (void)state;
    static const char damaged[] = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    const char *empty = write_text(&f->folder, "empty.pem", "");
    const char *broken = write_text(&f->folder, "broken.pem", damaged);
    static bool (*const takers[])(struct tls_context *, const char *,
                                  struct sf_status *) = {tls_context_trust, tls_context_certify};
    for (size_t i = 0; i < sizeof takers / sizeof *takers; i++) {
        assert_false(takers[i](f->context, "/nonexistent/a.pem", &f->status));
        assert_mentions(f->status.message, "/nonexistent/a.pem: No such file or directory");
        assert_false(takers[i](f->context, empty, &f->status));
        assert_mentions(f->status.message, "expected certificates in PEM form, found none");
        assert_mentions(f->status.message, empty);
        assert_false(takers[i](f->context, broken, &f->status));
        assert_mentions(f->status.message, "certificate 1 is damaged");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(files_that_fit_are_taken, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_line_end_is_part_of_the_password, set_up, tear_down),
        cmocka_unit_test_setup_teardown(each_fault_of_a_key_has_its_message, set_up, tear_down),
        cmocka_unit_test_setup_teardown(each_fault_of_a_certificate_has_its_message, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
