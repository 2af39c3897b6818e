/* https_test.c - calls over TLS: a server of OpenSSL's on the same thread, step by step. */
#include "certificates.h"
#include "client_fixture.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

enum { BIG = 3 * 1024 * 1024, URL_MAX = 64 };

static struct fixture_tls {
    struct fixture *http;
    struct folder folder;
    struct certificate ca, server, client;
    const char *ca_file, *client_file, *client_key_file;
    struct tls_context *context;
    SSL_CTX *server_context;
    SSL *ssl; /* the server's end of the connection accepted last */
} * f;

static void serve_as(const struct certificate *certificate)
{
    assert_int_equal(SSL_CTX_use_certificate(f->server_context, certificate->x509), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(f->server_context, certificate->key), 1);
}

static void restart_secure_pool(const char *host)
{
    char url[URL_MAX];
    snprintf(url, sizeof url, "https://%s:%u/fn", host, place_port(&f->http->place));
    f->http->options.tls = f->context;
    start_pool(f->http, url);
}

static int set_up(void **state)
{
    f = mem_new(sizeof *f);
    f->http = fixture_new(false);
    f->folder = folder_make();
    f->ca = certificate_make("our CA", NULL, NULL, -60, 3600);
    f->server = certificate_make("server", "DNS:localhost,IP:127.0.0.1", &f->ca, -60, 3600);
    f->client = certificate_make("client", "DNS:client", &f->ca, -60, 3600);
    f->ca_file = write_certificate(&f->folder, "ca.pem", f->ca.x509);
    f->client_file = write_certificate(&f->folder, "client.pem", f->client.x509);
    f->client_key_file = write_key(&f->folder, "client.p8", f->client.key, NULL);
    f->server_context = SSL_CTX_new(TLS_server_method());
    SSL_CTX_set_mode(f->server_context,
                     SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_session_id_context(f->server_context, (const unsigned char *)"t", 1);
    serve_as(&f->server);
    f->context = tls_context_new();
    struct sf_status status;
    assert_good(tls_context_trust(f->context, f->ca_file, &status), &status);
    f->http->options.response_bytes_max = 2 * BIG;
    restart_secure_pool("127.0.0.1");
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    SSL_free(f->ssl);
    fixture_free(f->http);
    tls_context_free(f->context);
    SSL_CTX_free(f->server_context);
    certificate_free(&f->ca);
    certificate_free(&f->server);
    certificate_free(&f->client);
    folder_remove(&f->folder);
    free(f);
    return 0;
}

/* --- the server's steps --- */

static void begin_accepting(void)
{
    int fd = accept_peer(f->http);
    SSL_free(f->ssl);
    f->ssl = SSL_new(f->server_context);
    SSL_set_fd(f->ssl, fd);
}

static bool try_handshake(void)
{
    ERR_clear_error();
    int result = SSL_accept(f->ssl);
    if (result == 1)
        return true;
    if (SSL_get_error(f->ssl, result) != SSL_ERROR_WANT_READ)
        fail_msg("the server: %s", ERR_reason_error_string(ERR_peek_error()));
    return false;
}

static void accept_secure(void)
{
    begin_accepting();
    until(f->http->loop, try_handshake());
}

/* The same where the handshake is to fail: until the client is told, or has told us. */
static bool try_failing_handshake(const struct call *call)
{
    ERR_clear_error();
    SSL_accept(f->ssl);
    return call->outcome != PENDING;
}

static bool try_read(void)
{
    struct buffer *in = &f->http->in;
    size_t before = in->size;
    for (int got; (got = SSL_read(f->ssl, buffer_reserve(in, 65536), 65536)) > 0;)
        in->size += (size_t)got;
    return in->size > before;
}

static void await_secure_request(const char *body)
{
    char end[200];
    snprintf(end, sizeof end, "\r\n\r\n%s", body);
    buffer_clear(&f->http->in);
    until(f->http->loop, (try_read(), buffer_mentions(&f->http->in, end)));
}

static bool try_write(const uint8_t *data, size_t size, size_t *at)
{
    size_t written = 0;
    if (SSL_write_ex(f->ssl, data + *at, size - *at, &written))
        *at += written;
    return *at == size;
}

static void send_secure(const void *data, size_t size)
{
    size_t at = 0;
    until(f->http->loop, try_write(data, size, &at));
}

static void answer_secure(const char *answer)
{
    send_secure(answer, strlen(answer));
}

static struct call *call_once(const char *body)
{
    struct call *call = post(f->http, body);
    accept_secure();
    await_secure_request(body);
    answer_secure(OK(2, "up"));
    await_answer(call, 200, "up");
    return call;
}

static struct call *refused_call(void)
{
    struct call *call = post(f->http, "x");
    begin_accepting();
    until(f->http->loop, try_failing_handshake(call));
    return call;
}

/* --- the tests --- */

static void calls_go_over_one_connection_that_is_kept(void **state)
{
    (void)state;
    call_once("one");
    struct call *call = post(f->http, "two");
    await_secure_request("two");
    answer_secure(OK(3, "yes"));
    await_answer(call, 200, "yes");
    assert_int_equal(figures(f->http).opened, 1);
}

static void each_version_of_tls_does(void **state)
{
    (void)state;
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    for (size_t i = 0; i < 2; i++) {
        SSL_CTX_set_min_proto_version(f->server_context, versions[i]);
        SSL_CTX_set_max_proto_version(f->server_context, versions[i]);
        restart_secure_pool("127.0.0.1");
        call_once("x");
        assert_int_equal(SSL_version(f->ssl), versions[i]);
    }
}

static void a_later_connection_resumes_the_session(void **state)
{
    (void)state;
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    for (size_t i = 0; i < 2; i++) {
        SSL_CTX_set_min_proto_version(f->server_context, versions[i]);
        SSL_CTX_set_max_proto_version(f->server_context, versions[i]);
        restart_secure_pool("127.0.0.1");
        call_once("first");
        assert_false(SSL_session_reused(f->ssl));
        SSL_shutdown(f->ssl);
        hang_up(f->http, f->http->peer);
        until(f->http->loop, figures(f->http).connections == 0);
        call_once("second");
        assert_true(SSL_session_reused(f->ssl));
    }
}

/* The kernel has nothing more to tell once TLS has taken many records out of the socket. */
static void an_answer_in_many_small_records_is_read_to_its_end(void **state)
{
    (void)state;
    static const char answer[] = OK(2, "up");
    struct call *call = post(f->http, "x");
    accept_secure();
    await_secure_request("x");
    for (size_t i = 0; i < sizeof answer - 1; i++)
        send_secure(answer + i, 1);
    await_answer(call, 200, "up");
}

/* More than sockets hold. */
static void large_bodies_pass_both_ways(void **state)
{
    (void)state;
    char *big = mem_new_raw(BIG + 1);
    for (size_t i = 0; i < BIG; i++)
        big[i] = (char)('a' + i % 26);
    big[BIG] = 0;
    struct call *call = post(f->http, big);
    accept_secure();
    struct buffer *in = &f->http->in;
    until(f->http->loop, (try_read(), in->size > BIG && buffer_mentions(in, big)));

    char *head = mem_format("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", BIG);
    answer_secure(head);
    send_secure(big, BIG);
    await_answer(call, 200, big);
    free(head);
    free(big);
}

/* What is sent in one go may lie in many places, smaller and larger than a record of TLS. */
static void parts_of_any_size_arrive_in_order(void **state)
{
    (void)state;
    enum { SIZE = 100000 };
    static const size_t sizes[] = {1, 10, 16384, 16380, 5, 40000, 3, 27217};
    uint8_t *data = mem_new_raw(SIZE);
    for (size_t i = 0; i < SIZE; i++)
        data[i] = (uint8_t)(i * 7 + i / 251);

    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    struct tls_ticket ticket = {0};
    struct tls *tls = tls_new(f->context, ends[0], "localhost", &ticket);
    f->ssl = SSL_new(f->server_context);
    SSL_set_fd(f->ssl, ends[1]);
    until(f->http->loop, (try_handshake(), tls_handshake(tls) == TLS_DONE));

    struct buffer *in = &f->http->in;
    buffer_clear(in);
    for (size_t at = 0; at < SIZE;) {
        struct iovec parts[8];
        size_t count = 0;
        for (size_t from = 0, i = 0; i < 8; from += sizes[i++]) { /* what is left of each */
            size_t skip = at <= from ? 0 : at - from;
            if (skip < sizes[i])
                parts[count++] = (struct iovec){data + from + skip, sizes[i] - skip};
        }
        ssize_t sent = tls_send(tls, parts, count);
        assert_true(sent > 0 || errno == EAGAIN);
        at += sent > 0 ? (size_t)sent : 0;
        try_read();
    }
    until(f->http->loop, (try_read(), tls_flush(tls) && in->size == SIZE));
    assert_memory_equal(in->data, data, SIZE);
    tls_free(tls);
    tls_ticket_destroy(&ticket);
    close(ends[0]);
    close(ends[1]);
    free(data);
}

static void the_name_of_the_host_is_sent_and_checked(void **state)
{
    (void)state;
    restart_secure_pool("localhost");
    call_once("x");
    assert_string_equal(SSL_get_servername(f->ssl, TLSEXT_NAMETYPE_host_name), "localhost");
    restart_secure_pool("127.0.0.1");
    call_once("x");
    assert_null(SSL_get_servername(f->ssl, TLSEXT_NAMETYPE_host_name)); /* not for addresses */
}

static void a_certificate_for_another_host_is_refused(void **state)
{
    (void)state;
    struct certificate other =
        certificate_make("x", "DNS:a.example,DNS:b.example,IP:10.0.0.1", &f->ca, -60, 3600);
    serve_as(&other);
    await_failure(refused_call(), HTTP_UNREACHABLE,
                  "the server's certificate is not for this host: expected 127.0.0.1, found "
                  "a.example, b.example, 10.0.0.1");
    restart_secure_pool("localhost");
    await_failure(refused_call(), HTTP_UNREACHABLE, "expected localhost, found a.example");

    tls_context_ignore_host(f->context);
    restart_secure_pool("localhost");
    call_once("x");
    certificate_free(&other);
}

static void a_certificate_is_good_for_its_time_only(void **state)
{
    (void)state;
    struct certificate old = certificate_make("x", "IP:127.0.0.1", &f->ca, -7200, -3600);
    struct certificate early = certificate_make("x", "IP:127.0.0.1", &f->ca, 3600, 7200);
    serve_as(&old);
    await_failure(refused_call(), HTTP_UNREACHABLE,
                  "the server's certificate has expired: 127.0.0.1 was good until 20");
    serve_as(&early);
    await_failure(refused_call(), HTTP_UNREACHABLE,
                  "the server's certificate is not valid yet: 127.0.0.1 is good from 20");
    certificate_free(&old);
    certificate_free(&early);
}

static void a_certificate_of_an_unknown_ca_is_refused(void **state)
{
    (void)state;
    struct certificate stranger = certificate_make("a stranger", NULL, NULL, -60, 3600);
    struct certificate server = certificate_make("s", "IP:127.0.0.1", &stranger, -60, 3600);
    serve_as(&server);
    struct call *call = refused_call();
    await_failure(call, HTTP_UNREACHABLE,
                  "the server's certificate is not trusted: expected a CA of ");
    assert_mentions(call->message, f->ca_file);

    tls_context_free(f->context); /* the system's CAs do not know it either */
    f->context = tls_context_new();
    serve_as(&f->server);
    restart_secure_pool("127.0.0.1");
    await_failure(refused_call(), HTTP_UNREACHABLE, "expected a CA of the system's trust store");
    certificate_free(&stranger);
    certificate_free(&server);
}

/* As with Java's trust stores: a server's own certificate is trusted where it is the one given. */
static void a_servers_own_certificate_may_be_the_trusted_one(void **state)
{
    (void)state;
    struct sf_status status;
    const char *file = write_certificate(&f->folder, "server.pem", f->server.x509);
    assert_good(tls_context_trust(f->context, file, &status), &status);
    restart_secure_pool("127.0.0.1");
    call_once("x");
}

static void ask_for_a_certificate(void)
{
    SSL_CTX_set_verify(f->server_context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    assert_int_equal(SSL_CTX_load_verify_locations(f->server_context, f->ca_file, NULL), 1);
}

static void a_server_that_asks_is_told_who_we_are(void **state)
{
    (void)state;
    struct sf_status status;
    ask_for_a_certificate();
    assert_good(tls_context_certify(f->context, f->client_file, &status) &&
                    tls_context_unlock(f->context, f->client_key_file, NULL, &status),
                &status);
    restart_secure_pool("127.0.0.1");
    call_once("x");
    X509 *shown = SSL_get0_peer_certificate(f->ssl);
    assert_non_null(shown);
    assert_int_equal(X509_cmp(shown, f->client.x509), 0);
}

/* With TLS 1.3 the client's handshake is over before the server has looked. */
static void a_server_that_asks_in_vain_is_named_as_such(void **state)
{
    (void)state;
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    ask_for_a_certificate();
    for (size_t i = 0; i < 2; i++) {
        SSL_CTX_set_min_proto_version(f->server_context, versions[i]);
        SSL_CTX_set_max_proto_version(f->server_context, versions[i]);
        restart_secure_pool("127.0.0.1");
        await_failure(refused_call(), HTTP_UNREACHABLE,
                      "the server asks for a client certificate: expected 'client_cert'");
    }
}

static void a_client_certificate_of_no_use_is_named_as_such(void **state)
{
    (void)state;
    struct sf_status status;
    struct certificate own = certificate_make("self-made", "DNS:client", NULL, -60, 3600);
    const char *file = write_certificate(&f->folder, "own.pem", own.x509);
    const char *key = write_key(&f->folder, "own.p8", own.key, NULL);
    ask_for_a_certificate();
    assert_good(tls_context_certify(f->context, file, &status) &&
                    tls_context_unlock(f->context, key, NULL, &status),
                &status);
    restart_secure_pool("127.0.0.1");
    await_failure(refused_call(), HTTP_UNREACHABLE,
                  "the server refuses the client certificate ('client_cert')");
    certificate_free(&own);
}

static void a_server_without_tls_is_named_as_such(void **state)
{
    (void)state;
    struct call *call = post(f->http, "x");
    int peer = accept_peer(f->http);
    raw_send(peer, "HTTP/1.1 400 Bad Request\r\n\r\n");
    await_failure(call, HTTP_UNREACHABLE, "the server does not speak TLS on this port");

    f->http->options.connect_ms_max = 50; /* one that waits for a request's first line */
    restart_secure_pool("127.0.0.1");
    await_failure(post(f->http, "x"), HTTP_UNREACHABLE, "the TLS handshake did not end in time");
}

static void a_server_that_leaves_during_the_handshake_is_unreachable(void **state)
{
    (void)state;
    struct call *call = post(f->http, "x");
    int peer = accept_peer(f->http);
    hang_up(f->http, peer);
    await_failure(call, HTTP_UNREACHABLE, "connect to 127.0.0.1");
}

/* Without a length, only TLS's farewell tells that a response is whole. */
static void a_response_cut_off_is_not_taken_for_a_whole_one(void **state)
{
    (void)state;
    static const char head[] = "HTTP/1.1 200 OK\r\n\r\npart";
    struct call *call = post(f->http, "x");
    accept_secure();
    await_secure_request("x");
    answer_secure(head);
    hang_up(f->http, f->http->peer);
    await_failure(call, HTTP_BROKEN, "in the middle of a response");

    call = post(f->http, "y");
    accept_secure();
    await_secure_request("y");
    answer_secure(head);
    SSL_shutdown(f->ssl);
    hang_up(f->http, f->http->peer);
    await_answer(call, 200, "part");
}

static void a_connection_closed_while_idle_is_made_anew(void **state)
{
    (void)state;
    call_once("one");
    hang_up(f->http, f->http->peer);
    call_once("two");
    assert_int_equal(figures(f->http).opened, 2);
}

int main(void)
{
#define SECURE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        SECURE(calls_go_over_one_connection_that_is_kept),
        SECURE(each_version_of_tls_does),
        SECURE(a_later_connection_resumes_the_session),
        SECURE(an_answer_in_many_small_records_is_read_to_its_end),
        SECURE(large_bodies_pass_both_ways),
        SECURE(parts_of_any_size_arrive_in_order),
        SECURE(the_name_of_the_host_is_sent_and_checked),
        SECURE(a_certificate_for_another_host_is_refused),
        SECURE(a_certificate_is_good_for_its_time_only),
        SECURE(a_certificate_of_an_unknown_ca_is_refused),
        SECURE(a_servers_own_certificate_may_be_the_trusted_one),
        SECURE(a_server_that_asks_is_told_who_we_are),
        SECURE(a_server_that_asks_in_vain_is_named_as_such),
        SECURE(a_client_certificate_of_no_use_is_named_as_such),
        SECURE(a_server_without_tls_is_named_as_such),
        SECURE(a_server_that_leaves_during_the_handshake_is_unreachable),
        SECURE(a_response_cut_off_is_not_taken_for_a_whole_one),
        SECURE(a_connection_closed_while_idle_is_made_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
