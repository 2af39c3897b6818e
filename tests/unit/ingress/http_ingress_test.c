/* http_ingress_test.c - messages over HTTP: what is taken, what is answered, and when. */
#include "net/raw_socket.h"

#include "engine/script.h"
#include "ingress/http_ingress.h"

enum { WORKER = 3, BODY_BYTES_MAX = 1000 };

static struct fixture {
    struct script *script;
    struct loop *loop;
    struct place place;
    struct http_ingress *ingress;
    int client;
    struct buffer in;
} * fixture;

static void on_settle(void *owner, uint64_t receipt, enum settlement settlement, uint64_t epoch)
{
    (void)owner;
    assert_int_equal(http_ingress_worker_of(receipt), WORKER);
    http_ingress_settle(fixture->ingress, receipt, settlement, epoch);
}

static void on_turn_end(void *owner)
{
    engine_run(((struct fixture *)owner)->script->engine);
}

static void start(struct fixture *f)
{
    f->ingress = http_ingress_new(&(struct http_ingress_options){.loop = f->loop,
                                                                 .engine = f->script->engine,
                                                                 .listen_fd = f->place.fd,
                                                                 .worker = WORKER,
                                                                 .body_bytes_max = BODY_BYTES_MAX});
}

static int set_up(void **state)
{
    struct fixture *f = fixture = mem_new(sizeof *f);
    void *script;
    script_set_up(&script);
    f->script = script;
    f->script->options.ports.settle = on_settle;
    script_restart_empty(f->script);
    f->loop = loop_new();
    loop_on_turn_end(f->loop, on_turn_end, f);
    f->place = place_open(false);
    start(f);
    f->client = raw_connect(&f->place);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    http_ingress_free(f->ingress);
    loop_turn(f->loop, 0);
    void *script = f->script;
    script_tear_down(&script);
    if (f->client >= 0)
        close(f->client);
    place_close(&f->place);
    loop_free(f->loop);
    buffer_destroy(&f->in);
    free(f);
    return 0;
}

static struct http_ingress_figures figures(struct fixture *f)
{
    struct http_ingress_figures figures;
    http_ingress_figures(f->ingress, &figures);
    return figures;
}

static void request(struct fixture *f, const char *line, const char *headers, const char *body)
{
    char text[8192];
    snprintf(text, sizeof text, "%s HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n%s\r\n%s", line,
             strlen(body), headers, body);
    raw_send(f->client, text);
}

/* Until an answer has come, whole. */
static void await_answer(struct fixture *f, int status, const char *part)
{
    char start_of_answer[32];
    snprintf(start_of_answer, sizeof start_of_answer, "HTTP/1.1 %d ", status);
    until(f->loop, (raw_receive(f->client, &f->in), buffer_mentions(&f->in, "\r\n\r\n")));
    if (!bytes_starts_with(buffer_bytes(&f->in), bytes_of(start_of_answer)) ||
        !buffer_mentions(&f->in, part))
        fail_msg("expected %d and '%s' in: %s", status, part, buffer_text(&f->in));
    buffer_clear(&f->in);
}

static void expect_no_answer(struct fixture *f)
{
    turn_for(f->loop, 10);
    (void)raw_receive(f->client, &f->in);
    assert_int_equal(f->in.size, 0);
}

static void expect_argument(const struct call *call, const char *type, const char *value)
{
    struct bytes caller, argument;
    struct typed_value typed;
    assert_true(message_body_parse(call->messages[0], &caller, &argument));
    assert_true(typed_value_parse(argument, &typed, NULL));
    assert_bytes(typed.type, type);
    assert_bytes(typed.value, value);
    assert_true(typed.has_value);
}

#define PLAIN "Content-Type: text/plain\r\n"

/* --- what is taken --- */

static void a_message_is_answered_when_its_epoch_is_durable(void **state)
{
    struct fixture *f = *state;
    request(f, "POST /in/a/f/ann", "Content-Type: a/type\r\n", "hello");
    until(f->loop, figures(f).waiting == 1);
    struct call *call = script_call(f->script);
    expect_argument(call, "a/type", "hello");
    assert_bytes(call->target.id, "ann");
    expect_no_answer(f);
    assert_int_equal(engine_want(f->script->engine), WANT_COMMIT_NOW);

    script_commit(f->script);
    await_answer(f, 202, "{\"epoch\":1}");
    assert_int_equal(figures(f).waiting, 0);
    assert_int_equal(figures(f).accepted, 1);
    request(f, "POST /in/a/f/ann", PLAIN, "again"); /* on the same connection */
    until(f->loop, figures(f).waiting == 1);
    script_commit(f->script);
    await_answer(f, 202, "{\"epoch\":2}");
}

static void plain_text_becomes_an_encoded_string(void **state)
{
    struct fixture *f = *state;
    request(f, "POST /in/a/f/ann", "Content-Type: Text/Plain; charset=utf-8\r\n", "hello");
    until(f->loop, figures(f).waiting == 1);
    expect_argument(script_call(f->script), TYPE_STRING, "\x0a\x05hello");
}

static void a_path_is_decoded_and_its_query_left_out(void **state)
{
    struct fixture *f = *state;
    request(f, "POST /in/b/any%20name/j%C3%BCrgen%2Fx?y=/z", PLAIN, "");
    until(f->loop, figures(f).waiting == 1);
    struct call *call = script_call(f->script);
    assert_bytes(call->target.name, "any name");
    assert_bytes(call->target.id, "j\xc3\xbcrgen/x");
}

/* module-yaml.md 8 */
static void the_playgrounds_path_takes_what_the_playground_took(void **state)
{
    struct fixture *f = *state;
    request(f, "PUT /a/f/ann", "Content-Type: application/vnd.a/type\r\n", "hello");
    until(f->loop, figures(f).waiting == 1);
    expect_argument(script_call(f->script), "a/type", "hello");
    expect_no_answer(f);
    script_commit(f->script);
    await_answer(f, 200, "Content-Length: 0");

    request(f, "POST /a/g/ann", "", "raw");
    until(f->loop, figures(f).waiting == 1);
    expect_argument(script_call(f->script), TYPE_STRING, "raw");
}

/* --- idempotency --- */

#define KEY "Idempotency-Key: key\r\n"

static void a_repeated_request_gets_the_answer_of_the_first(void **state)
{
    struct fixture *f = *state;
    request(f, "POST /in/a/f/ann", PLAIN KEY, "hello");
    until(f->loop, figures(f).waiting == 1);
    script_commit(f->script);
    await_answer(f, 202, "{\"epoch\":1}");
    script_answer_nothing(f->script, script_call(f->script));
    script_commit(f->script);

    request(f, "POST /in/a/f/ann", PLAIN KEY, "hello");
    await_answer(f, 202, "{\"epoch\":1}"); /* without another commit */
    script_expect_no_call(f->script);
}

static void too_many_keys_are_answered_with_429(void **state)
{
    struct fixture *f = *state;
    http_ingress_free(f->ingress);
    f->script->options.limits.idempotency_keys_max = 0;
    script_restart_empty(f->script);
    start(f);
    close(f->client);
    f->client = raw_connect(&f->place);
    request(f, "POST /in/a/f/ann", PLAIN KEY, "hello");
    await_answer(f, 429, "Retry-After: 10");
    assert_int_equal(figures(f).refused, 1);
}

/* --- what is refused --- */

static void a_request_that_makes_no_sense_is_refused(void **state)
{
    struct fixture *f = *state;
    char long_key[400], long_id[5000];
    snprintf(long_key, sizeof long_key, PLAIN "Idempotency-Key: %0256d\r\n", 0);
    snprintf(long_id, sizeof long_id, "POST /in/a/f/%04096d", 0);
    const struct {
        const char *line, *headers, *body;
        int status;
        const char *part;
    } cases[] = {
        {"POST /", PLAIN, "", 404, "expected POST /in/<namespace>/<type>/<id>"},
        {"POST /in/a", PLAIN, "", 404, "expected"},
        {"POST /in/a/f/ann/more", PLAIN, "", 404, "expected"},
        {"POST /other/a/f/ann", PLAIN, "", 404, "expected"},
        {"POST /in/a/nobody/ann", PLAIN, "", 404, "no endpoint serves function type a/nobody"},
        {"GET /in/a/f/ann", PLAIN, "", 405, "Allow: POST"},
        {"PUT /in/a/f/ann", PLAIN, "", 405, "Allow: POST"},
        {"POST /in/a/f/ann", "", "x", 400, "Content-Type is needed"},
        {"POST /in/a/f/ann", "Content-Type: ;x=y\r\n", "x", 400, "Content-Type is needed"},
        {"POST /in/a/f/ann", "Content-Type: \xff\r\n", "x", 400, "must be UTF-8"},
        {"POST /in/a/f/ann", PLAIN, "\xff", 400, "must be UTF-8"},
        {"POST /in/a/f/", PLAIN, "", 400, "the id in the path"},
        {"POST /in//f/ann", PLAIN, "", 400, "the namespace in the path"},
        {"POST /in/a/%zz/ann", PLAIN, "", 400, "the type in the path"},
        {"POST /in/a/f/%ff", PLAIN, "", 400, "the id in the path"},
        {"POST /in/a/f/ann", long_key, "", 400, "Idempotency-Key may have 255 bytes"},
        {long_id, PLAIN, "", 400, "namespace, type and id have 4098 bytes"},
    };
    enum { COUNT = sizeof cases / sizeof *cases };
    for (size_t i = 0; i < COUNT; i++) {
        request(f, cases[i].line, cases[i].headers, cases[i].body);
        await_answer(f, cases[i].status, cases[i].part);
    }
    assert_int_equal(figures(f).invalid, COUNT);
    assert_int_equal(figures(f).requests, COUNT);
    assert_int_equal(engine_want(f->script->engine), WANT_NOTHING);
    script_expect_no_call(f->script);
}

static void a_body_beyond_the_limit_is_answered_with_413(void **state)
{
    struct fixture *f = *state;
    char body[BODY_BYTES_MAX + 2];
    memset(body, 'x', sizeof body - 1);
    body[sizeof body - 1] = '\0';
    request(f, "POST /in/a/f/ann", PLAIN, body);
    await_answer(f, 413, "");

    close(f->client); /* that connection is of no more use */
    f->client = raw_connect(&f->place);
    body[BODY_BYTES_MAX] = '\0';
    request(f, "POST /in/a/f/ann", PLAIN, body);
    until(f->loop, figures(f).waiting == 1);
}

static void while_there_is_no_room_the_answer_is_503(void **state)
{
    struct fixture *f = *state;
    engine_outbox_full(f->script->engine, true);
    request(f, "POST /in/a/f/ann", PLAIN, "hello");
    await_answer(f, 503, "Retry-After: 1");
    assert_int_equal(figures(f).refused, 1);
    engine_outbox_full(f->script->engine, false);
    request(f, "POST /in/a/f/ann", PLAIN, "hello");
    until(f->loop, figures(f).waiting == 1);
}

/* --- the end --- */

/* What was accepted stays accepted. */
static void a_client_that_has_gone_is_not_answered(void **state)
{
    struct fixture *f = *state;
    request(f, "POST /in/a/f/ann", PLAIN, "hello");
    until(f->loop, figures(f).waiting == 1);
    raw_reset(f->client);
    f->client = -1;
    turn_for(f->loop, 20);
    script_commit(f->script);
    assert_int_equal(figures(f).waiting, 0);
    assert_int_equal(figures(f).accepted, 1);
    (void)script_call(f->script);
}

static void after_a_stop_what_waits_is_still_answered(void **state)
{
    struct fixture *f = *state;
    request(f, "POST /in/a/f/ann", PLAIN, "hello");
    until(f->loop, figures(f).waiting == 1);
    http_ingress_stop(f->ingress);
    assert_false(http_ingress_is_drained(f->ingress));
    script_commit(f->script);
    await_answer(f, 202, "Connection: close");
    close(f->client);
    f->client = -1;
    until(f->loop, http_ingress_is_drained(f->ingress));
}

static void a_settlement_that_nobody_waits_for_is_ignored(void **state)
{
    struct fixture *f = *state;
    http_ingress_settle(f->ingress, 12345, SETTLED, 1);
    assert_int_equal(figures(f).accepted, 0);
    http_ingress_free(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_message_is_answered_when_its_epoch_is_durable),
        TEST(plain_text_becomes_an_encoded_string),
        TEST(a_path_is_decoded_and_its_query_left_out),
        TEST(the_playgrounds_path_takes_what_the_playground_took),
        TEST(a_repeated_request_gets_the_answer_of_the_first),
        TEST(too_many_keys_are_answered_with_429),
        TEST(a_request_that_makes_no_sense_is_refused),
        TEST(a_body_beyond_the_limit_is_answered_with_413),
        TEST(while_there_is_no_room_the_answer_is_503),
        TEST(a_client_that_has_gone_is_not_answered),
        TEST(after_a_stop_what_waits_is_still_answered),
        TEST(a_settlement_that_nobody_waits_for_is_ignored),
    };
    return cmocka_run_group_tests_name("http_ingress", tests, NULL, NULL);
}
