/* remote_test.c - remote functions: an engine on one side, an HTTP server on the other, on one
 * loop.
 */
#include "function/rig.h"

#include "net/http_client.h"
#include "wire/protobuf.h"

struct fixture {
    /* what the server answers */
    int status;
    const char *type;
    struct bytes body;
    const char *headers;
    bool is_silent;
    /* what it was asked */
    size_t request_count;
    char *method, *target, *content_type;
    struct buffer request;
};

static void on_request(void *owner, struct http_exchange *exchange)
{
    struct fixture *f = owner;
    const struct http_head *head = http_exchange_head(exchange);
    free(f->method);
    free(f->target);
    free(f->content_type);
    f->request_count++;
    f->method = bytes_string(head->method);
    f->target = bytes_string(head->target);
    f->content_type = bytes_string(http_find(head, "content-type")->value);
    buffer_clear(&f->request);
    buffer_add_bytes(&f->request, http_exchange_body(exchange));
    if (!f->is_silent)
        http_respond(exchange, &(struct http_answer){.status = f->status,
                                                     .content_type = f->type,
                                                     .headers = f->headers,
                                                     .body = f->body});
}

static const char module[] =
    "kind: io.statefun.endpoints.v2/http\n"
    "spec:\n"
    "  functions: a/*\n"
    "  urlPathTemplate: http://127.0.0.1:%u/fn/{function.name}?x\n"
    "  transport: {type: io.statefun.transports.v1/async, call: 200ms, connect: 100ms,\n"
    "              payload_max_bytes: 100}\n"
    "---\n"
    "kind: io.statefun.endpoints.v2/http\n"
    "spec: {functions: b/*, urlPathTemplate: 'http://127.0.0.1:%u/{function.name}'}\n"
    "---\n"
    "kind: io.statefun.playground.v1/ingress\n"
    "spec: {port: 8090}\n";

static int set_up(void **state)
{
    struct fixture *f = mem_new(sizeof *f);
    rig_open(module, f, on_request);
    f->status = 200;
    f->type = "application/octet-stream";
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    rig_close();
    free(f->method);
    free(f->target);
    free(f->content_type);
    buffer_destroy(&f->request);
    free(f);
    return 0;
}

static void invoke(void)
{
    script_send(rig.script, "f", "ann", "hello");
    assert_int_equal(rig_figures().in_flight, 1);
}

static void await_end(void)
{
    until(rig.loop, rig_figures().in_flight == 0);
}

/* --- URLs --- */

static void expect_url(const char *url_template, const char *name, const char *expected)
{
    char *url = remote_url(url_template, bytes_of(name));
    assert_string_equal(url, expected);
    free(url);
}

static void the_name_of_a_function_goes_into_its_url(void **state)
{
    (void)state;
    expect_url("http://h/fn", "f", "http://h/fn");
    expect_url("http://h/{function.name}", "f", "http://h/f");
    expect_url("http://{function.name}.h/{function.name}?{function.name}", "f", "http://f.h/f?f");
    expect_url("http://h/{function.name", "f", "http://h/{function.name");
    expect_url("http://h/{function.name}", "{function.name}", "http://h/%7Bfunction.name%7D");
}

/* A slash stays what it is, as upstream has it; what would end or break a request line does not. */
static void a_name_is_escaped_where_no_url_may_hold_it(void **state)
{
    (void)state;
    expect_url("http://h/{function.name}", "a/b.c-d~e%20?x=1&y#z", "http://h/a/b.c-d~e%20?x=1&y#z");
    expect_url("http://h/{function.name}", "a b\r\nHost: x", "http://h/a%20b%0D%0AHost:%20x");
    expect_url("http://h/{function.name}", "\xc3\xa4\x7f\"", "http://h/%C3%A4%7F%22");
}

/* --- requests --- */

static void a_request_goes_to_the_url_of_its_function(void **state)
{
    struct fixture *f = *state;
    invoke();
    await_end();
    assert_string_equal(f->method, "POST");
    assert_string_equal(f->target, "/fn/f?x");
    assert_string_equal(f->content_type, "application/octet-stream");

    /* ToFunction.invocation.target: the rest is compared in tests/unit/wire. */
    struct pb_reader reader = pb_read(buffer_bytes(&f->request));
    struct pb_field field;
    assert_true(pb_next(&reader, &field));
    assert_int_equal(field.number, 100);
    reader = pb_read(field.bytes);
    assert_true(pb_next(&reader, &field));
    assert_int_equal(field.number, 1);
    assert_true(bytes_equal(field.bytes, script_address(rig.script, "a", "f", "ann").wire));

    script_send(rig.script, "g", "ann", "hello");
    await_end();
    assert_string_equal(f->target, "/fn/g?x");
    assert_int_equal(f->request_count, 2);
}

static void a_function_of_a_strange_name_cannot_break_a_request(void **state)
{
    struct fixture *f = *state;
    struct record record = script_record(rig.script, "f", "ann", "hello");
    const struct record_target target = {bytes_of("b"), bytes_of("x HTTP/1.1\r\nHost: y\r\n\r\n")};
    record.targets = &target;
    assert_int_equal(script_offer(rig.script, &record), ACCEPTED);
    await_end();
    assert_string_equal(f->target, "/x%20HTTP/1.1%0D%0AHost:%20y%0D%0A%0D%0A");
}

/* --- replies --- */

static void a_reply_is_applied(void **state)
{
    struct fixture *f = *state;
    struct buffer egress = {0}, result = {0}, reply = {0};
    pb_add_bytes(&egress, 1, bytes_of("a"));
    pb_add_bytes(&egress, 2, bytes_of("out"));
    pb_add_bytes(&egress, 3, script_typed(rig.script, "record", "to the world"));
    pb_add_bytes(&result, 4, buffer_bytes(&egress));
    pb_add_bytes(&reply, 100, buffer_bytes(&result));
    f->body = buffer_bytes(&reply);
    invoke();
    await_end();
    script_commit(rig.script);
    assert_int_equal(script_count(rig.script, KEY_OUTBOX), 1);
    assert_bytes(script_nth(rig.script, KEY_OUTBOX, 0)->value, "to the world");
    assert_int_equal(rig.script->report_count, 0);
    buffer_destroy(&egress);
    buffer_destroy(&result);
    buffer_destroy(&reply);
}

static void an_empty_reply_is_a_success(void **state)
{
    struct fixture *f = *state;
    f->type = NULL;
    invoke();
    await_end();
    assert_int_equal(rig.script->report_count, 0);
    assert_int_equal(rig_figures().retrying, 0);
}

static bool reads(enum transport_kind kind, int http_status, const char *type, struct bytes body,
                  struct sf_status *status)
{
    struct transport_spec transport = {.kind = kind};
    struct http_response response = {
        .status = http_status, .content_type = bytes_of(type), .body = body};
    struct arena arena = {0};
    struct from_function reply;
    bool good = remote_read_response(&transport, &response, &arena, &reply, status);
    arena_destroy(&arena);
    return good;
}

/* protocol.md 3.2 and 16. */
static void each_transport_judges_responses_its_own_way(void **state)
{
    (void)state;
    struct sf_status status = {0};
    struct bytes body = bytes_make("\xa2\x06\x00", 3), garbage = bytes_of("<html>"), none = {0};
    const char *type = "application/octet-stream";
    for (int kind = TRANSPORT_OKHTTP; kind <= TRANSPORT_ASYNC; kind++) {
        enum transport_kind transport = (enum transport_kind)kind;
        assert_true(reads(transport, 200, type, body, &status));
        assert_true(reads(transport, 299, type, body, &status));
        assert_true(reads(transport, 204, "", none, &status));
        assert_int_equal(reads(transport, 200, "Application/Octet-Stream", body, &status),
                         transport == TRANSPORT_ASYNC);
        assert_false(reads(transport, 200, "application/octet-stream; x=y", body, &status));
        assert_mentions(status.message, "content type 'application/octet-stream; x=y'");
        assert_false(reads(transport, 200, "", body, &status));
        assert_false(reads(transport, 302, type, body, &status));
        assert_mentions(status.message, "HTTP status 302");
        assert_false(reads(transport, 199, type, body, &status));
        assert_false(reads(transport, 404, type, body, &status));
        assert_false(reads(transport, 500, type, none, &status));
        assert_false(reads(transport, 200, type, garbage, &status));
        assert_mentions(status.message, "6 bytes that are not a FromFunction");
    }
}

/* --- failures of an address: the endpoint is there, and others may go on --- */

static void expect_address_failure(struct fixture *f, const char *part)
{
    invoke();
    await_end();
    expect_report(rig.script, 0, REPORT_FAILING, part);
    assert_int_equal(rig_figures().retrying, 1);
    f->is_silent = false;
    f->status = 200;
    f->type = "application/octet-stream";
    f->body = (struct bytes){0};
    f->headers = NULL;

    /* Another address is served meanwhile; this one when its time has come. */
    size_t requests = f->request_count;
    script_send(rig.script, "f", "bob", "hello");
    await_end();
    assert_int_equal(f->request_count, requests + 1);
    script_advance(rig.script, 5 * 60 * 1000);
    await_end();
    assert_int_equal(f->request_count, requests + 2);
    assert_int_equal(rig_figures().retrying, 0);
    assert_int_equal(rig_figures().backlog_messages, 0);
}

static void a_status_of_failure_is_a_failure_of_the_address(void **state)
{
    struct fixture *f = *state;
    f->status = 500;
    expect_address_failure(f, "HTTP status 500 (Internal Server Error), expected 2xx");
}

static void a_refusal_is_a_failure_of_the_address(void **state)
{
    struct fixture *f = *state;
    f->status = 404;
    expect_address_failure(f, "HTTP status 404");
}

static void a_reply_that_makes_no_sense_is_a_failure_of_the_address(void **state)
{
    struct fixture *f = *state;
    f->body = bytes_of("hello");
    expect_address_failure(f, "not a FromFunction");
}

static void a_reply_of_another_type_is_a_failure_of_the_address(void **state)
{
    struct fixture *f = *state;
    f->type = "text/html";
    f->body = bytes_of("<html>");
    expect_address_failure(f, "content type 'text/html'");
}

static void a_reply_that_is_too_large_is_a_failure_of_the_address(void **state)
{
    struct fixture *f = *state;
    static const char large[101];
    f->body = bytes_make(large, sizeof large);
    expect_address_failure(f, "limit is 100");
}

static void no_reply_in_time_is_a_failure_of_the_address(void **state)
{
    struct fixture *f = *state;
    f->is_silent = true;
    expect_address_failure(f, "200 ms");
}

static void a_server_may_ask_for_more_time(void **state)
{
    struct fixture *f = *state;
    f->status = 503;
    f->headers = "Retry-After: 7\r\n";
    invoke();
    await_end();
    assert_int_equal(engine_wake_ms(rig.script->engine), START_MS + 7000);
}

/* --- failures of the endpoint --- */

static void an_endpoint_that_cannot_be_reached_is_not_its_addresses_fault(void **state)
{
    (void)state;
    http_server_free(rig.server);
    rig.server = NULL;
    close(rig.place.fd);
    rig.place.fd = -1;
    invoke();
    await_end();
    assert_int_equal(rig.script->report_count, 1);
    assert_int_equal(rig.script->reports[0].kind, REPORT_FAILING);
    assert_int_equal(rig_figures().retrying, 0); /* the function waits as a whole */
    script_send(rig.script, "f", "bob", "hello");
    assert_int_equal(rig_figures().in_flight, 0);
}

/* --- figures, and the end --- */

static void add_figures(void *owner, const struct remote_figures *figures)
{
    *(struct remote_figures *)owner = *figures;
}

static void attempts_are_counted(void **state)
{
    struct fixture *f = *state;
    invoke();
    await_end();
    f->status = 500;
    script_send(rig.script, "f", "ann", "again");
    await_end();
    struct remote_figures counted;
    remote_each(rig.remote, add_figures, &counted);
    assert_bytes(counted.ns, "a");
    assert_bytes(counted.name, "f");
    assert_int_equal(counted.requests, 2);
    assert_int_equal(counted.failures, 1);
    assert_int_equal(counted.latency.count, 2);
    assert_int_equal(counted.connections, 1);
    assert_true(counted.request_bytes > 0);
    assert_mentions(counted.url, "/fn/f?x");
}

static void nothing_is_heard_of_what_was_under_way_at_the_end(void **state)
{
    struct fixture *f = *state;
    f->is_silent = true;
    invoke();
    until(rig.loop, f->request_count == 1);
    remote_free(rig.remote);
    rig.remote = NULL;
    turn_for(rig.loop, 20);
    assert_int_equal(rig_figures().in_flight, 1);
    assert_int_equal(rig.script->report_count, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_name_of_a_function_goes_into_its_url),
        cmocka_unit_test(a_name_is_escaped_where_no_url_may_hold_it),
        TEST(a_request_goes_to_the_url_of_its_function),
        TEST(a_function_of_a_strange_name_cannot_break_a_request),
        TEST(a_reply_is_applied),
        TEST(an_empty_reply_is_a_success),
        cmocka_unit_test(each_transport_judges_responses_its_own_way),
        TEST(a_status_of_failure_is_a_failure_of_the_address),
        TEST(a_refusal_is_a_failure_of_the_address),
        TEST(a_reply_that_makes_no_sense_is_a_failure_of_the_address),
        TEST(a_reply_of_another_type_is_a_failure_of_the_address),
        TEST(a_reply_that_is_too_large_is_a_failure_of_the_address),
        TEST(no_reply_in_time_is_a_failure_of_the_address),
        TEST(a_server_may_ask_for_more_time),
        TEST(an_endpoint_that_cannot_be_reached_is_not_its_addresses_fault),
        TEST(attempts_are_counted),
        TEST(nothing_is_heard_of_what_was_under_way_at_the_end),
    };
    return cmocka_run_group_tests_name("remote", tests, NULL, NULL);
}
