/* bundles_test.c - invocations in bundles: an engine on one side, a server that offers bundles on
 * the other, on one loop. */
#include "function/rig.h"

#include "wire/bundle.h"

/* What becomes of a bundle. */
enum manner {
    ANSWERS,
    REFUSES,          /* HTTP status 415 */
    ANSWERS_PLAINLY,  /* a FromFunction */
    ANSWERS_NONSENSE, /* of the right type */
    FORGETS_ONE,
    IS_SILENT,
    FAILS_THE_FIRST
};

static struct fixture {
    struct arena arena;

    bool offers, wants_states, knows_versions;
    enum manner manner;
    uint64_t version; /* of what it keeps */
    size_t plain_count, bundle_count;
    struct to_function last_plain;
    struct bundle_item *items; /* of the last bundle */
    size_t item_count;
} * fixture;

static void respond(struct http_exchange *exchange, int status, const char *type,
                    const struct buffer *body)
{
    http_respond(exchange, &(struct http_answer){
                               .status = status,
                               .content_type = type,
                               .headers = fixture->offers ? BUNDLE_HEADER ": 2, 1\r\n" : NULL,
                               .body = buffer_bytes(body)});
}

static void take_plain(struct fixture *f, struct http_exchange *exchange)
{
    struct buffer body = {0};
    struct sf_status status;
    f->plain_count++;
    assert_good(to_function_parse(arena_add_bytes(&f->arena, http_exchange_body(exchange)),
                                  &f->arena, &f->last_plain, &status),
                &status);
    if (f->wants_states && !f->last_plain.state_count) {
        struct state_spec seen = {.name = bytes_of("seen"), .type = bytes_of("a/text")};
        struct from_function reply = {.is_incomplete = true, .missing = &seen, .missing_count = 1};
        (void)from_function_put(buffer_reserve(&body, 100), &reply);
        body.size = from_function_size(&reply);
    }
    respond(exchange, 200, "application/octet-stream", &body);
    buffer_destroy(&body);
}

static void add_result(struct fixture *f, struct buffer *answer, size_t nth)
{
    struct state_mutation seen = mutation_of("seen", "a/text", "much");
    struct from_function reply = {
        .mutations = &seen, .mutation_count = f->wants_states, .version = f->version};
    if (f->manner == FAILS_THE_FIRST && nth == 0)
        bundle_failure_add(answer, nth, 500, bytes_of("for no reason"));
    else if (f->items[nth].version && !f->knows_versions)
        bundle_failure_add(answer, nth, BUNDLE_STATUS_UNKNOWN, (struct bytes){0});
    else
        bundle_reply_add(answer, nth, &reply);
}

static void take_bundle(struct fixture *f, struct http_exchange *exchange)
{
    struct buffer answer = {0};
    struct sf_status status;
    f->bundle_count++;
    assert_good(bundle_parse(arena_add_bytes(&f->arena, http_exchange_body(exchange)), &f->arena,
                             &f->items, &f->item_count, &status),
                &status);
    size_t left_out = f->manner == FORGETS_ONE;
    for (size_t i = f->item_count; i-- > left_out;)
        add_result(f, &answer, i);
    bundle_time_add(&answer, 1);
    if (f->manner == ANSWERS_NONSENSE)
        answer.data[1] ^= 0x55;
    if (f->manner == REFUSES)
        buffer_clear(&answer);
    if (f->manner != IS_SILENT)
        respond(exchange, f->manner == REFUSES ? 415 : 200,
                f->manner == ANSWERS_PLAINLY ? "application/octet-stream" : BUNDLE_TYPE, &answer);
    buffer_destroy(&answer);
}

static void on_request(void *owner, struct http_exchange *exchange)
{
    const struct http_header *type = http_find(http_exchange_head(exchange), "content-type");
    if (bytes_is(type->value, BUNDLE_TYPE))
        take_bundle(owner, exchange);
    else
        take_plain(owner, exchange);
}

static const char module[] = "kind: io.statefun.endpoints.v2/http\n"
                             "spec:\n"
                             "  functions: a/f\n"
                             "  urlPathTemplate: http://127.0.0.1:%u/\n"
                             "  transport: {type: io.statefun.transports.v1/async, call: 2s}\n"
                             "---\n"
                             "kind: io.statefun.endpoints.v2/http\n"
                             "spec:\n"
                             "  functions: a/g\n"
                             "  urlPathTemplate: http://127.0.0.1:%u/\n"
                             "  maxInFlightRequests: 4\n"
                             "---\n"
                             "kind: io.statefun.playground.v1/ingress\n"
                             "spec: {port: 8090}\n";

static int set_up(void **state)
{
    struct fixture *f = fixture = mem_new(sizeof *f);
    rig_open(module, f, on_request);
    f->offers = f->knows_versions = true;
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    rig_close();
    arena_destroy(&f->arena);
    free(f);
    return 0;
}

static void send_to(const char *name, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char id[20];
        snprintf(id, sizeof id, "%zu", i);
        script_send(rig.script, name, id, "hello");
    }
}

static void await_end(void)
{
    until(rig.loop, rig_figures().backlog_messages == 0);
}

static void forget_counts(struct fixture *f)
{
    f->plain_count = f->bundle_count = 0;
}

/* Until bundles are offered, and so quick that many go together. */
static void warm_up(struct fixture *f)
{
    for (int i = 0; i < 30; i++) {
        send_to("f", 1);
        await_end();
    }
    forget_counts(f);
}

static struct remote_figures sums;

static void add_figures(void *owner, const struct remote_figures *figures)
{
    (void)owner;
    sums = *figures;
}

/* --- when --- */

static void what_a_turn_invokes_leaves_in_one_request(void **state)
{
    struct fixture *f = *state;
    warm_up(f);
    send_to("f", 10);
    await_end();
    assert_int_equal(f->bundle_count, 1);
    assert_int_equal(f->item_count, 10);
    assert_int_equal(f->plain_count, 0);
    remote_each(rig.remote, add_figures, NULL);
    assert_int_equal(sums.bundles, sums.requests - 1); /* the first could not know */
    assert_true(sums.bundled > sums.bundles);
    assert_int_equal(sums.latency.count, sums.bundled + 1);
    assert_int_equal(rig.script->report_count, 0);
}

static void a_server_that_offers_none_gets_none(void **state)
{
    struct fixture *f = *state;
    f->offers = false;
    for (int i = 0; i < 3; i++) {
        send_to("f", 10);
        await_end();
    }
    assert_int_equal(f->bundle_count, 0);
    assert_int_equal(f->plain_count, 30);
}

static void whoever_wants_none_sends_none(void **state)
{
    struct fixture *f = *state;
    rig_make_remote(false);
    for (int i = 0; i < 3; i++) {
        send_to("f", 10);
        await_end();
    }
    assert_int_equal(f->bundle_count, 0);
}

static void an_endpoint_with_limits_of_requests_gets_requests(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 3; i++) {
        send_to("g", 10);
        await_end();
    }
    assert_int_equal(f->bundle_count, 0);
    assert_int_equal(f->plain_count, 30);
}

/* --- failures --- */

static void an_invocation_that_fails_fails_alone_and_is_tried_alone(void **state)
{
    struct fixture *f = *state;
    warm_up(f);
    f->manner = FAILS_THE_FIRST;
    send_to("f", 10);
    until(rig.loop, rig_figures().backlog_messages == 1);
    assert_int_equal(f->bundle_count, 1);
    assert_int_equal(rig.script->report_count, 1);
    expect_report(rig.script, 0, REPORT_FAILING,
                  "the function answers HTTP status 500 (Internal Server Error), expected 2xx");
    script_advance(rig.script, 1000);
    await_end();
    assert_int_equal(f->bundle_count, 1);
    assert_int_equal(f->plain_count, 1);
}

static void expect_plain_after(struct fixture *f, enum manner manner)
{
    warm_up(f);
    f->manner = manner;
    send_to("f", 10);
    await_end();
    assert_int_equal(f->bundle_count, 1);
    assert_int_equal(f->plain_count, 10);
    assert_int_equal(rig.script->report_count, 0);
    remote_each(rig.remote, add_figures, NULL);
    assert_int_equal(sums.failures, 0);

    f->manner = ANSWERS;
    for (int i = 0; i < 3; i++) {
        send_to("f", 10);
        await_end();
    }
    assert_true(f->bundle_count > 1); /* it was offered again */
}

static void a_bundle_that_is_refused_is_sent_one_by_one(void **state)
{
    expect_plain_after(*state, REFUSES);
}

static void so_is_one_that_is_answered_as_if_it_were_none(void **state)
{
    expect_plain_after(*state, ANSWERS_PLAINLY);
}

static void so_is_one_whose_answer_makes_no_sense(void **state)
{
    expect_plain_after(*state, ANSWERS_NONSENSE);
}

static void so_is_one_whose_answer_lacks_a_result(void **state)
{
    expect_plain_after(*state, FORGETS_ONE);
}

static void so_is_one_that_is_not_answered_soon(void **state)
{
    expect_plain_after(*state, IS_SILENT);
}

/* A server that always fails bundles, and always offers them, is offered fewer and fewer. */
static void who_always_fails_is_tried_seldom(void **state)
{
    struct fixture *f = *state;
    f->manner = REFUSES;
    for (int i = 0; i < 200; i++) {
        send_to("f", 1);
        await_end();
    }
    assert_int_equal(f->plain_count, 200);
    assert_true(f->bundle_count < 10);
}

static void an_endpoint_that_is_away_is_not_its_addresses_fault(void **state)
{
    struct fixture *f = *state;
    warm_up(f);
    http_server_free(rig.server);
    rig.server = NULL;
    close(rig.place.fd);
    rig.place.fd = -1;
    send_to("f", 10);
    until(rig.loop, rig.script->report_count > 0);
    assert_int_equal(rig.script->reports[0].kind, REPORT_FAILING);
    until(rig.loop, rig_figures().in_flight == 0);
    assert_int_equal(rig_figures().retrying, 0);
    assert_int_equal(rig_figures().backlog_messages, 10);
}

/* --- states --- */

static void a_state_that_is_kept_is_not_sent(void **state)
{
    struct fixture *f = *state;
    struct to_function request;
    f->wants_states = true;
    f->version = 7;
    for (int i = 0; i < 3; i++) {
        send_to("f", 1);
        await_end();
    }
    assert_int_equal(f->items[0].version, 7);
    assert_true(to_function_parse(f->items[0].request, &f->arena, &request, NULL));
    assert_true(request.states[0].kept && !request.states[0].present);

    f->knows_versions = false;
    forget_counts(f);
    send_to("f", 1);
    await_end();
    assert_int_equal(f->bundle_count, 1);
    assert_int_equal(f->plain_count, 1);
    assert_true(f->last_plain.states[0].present && !f->last_plain.states[0].kept);
    assert_int_equal(rig.script->report_count, 0);
    remote_each(rig.remote, add_figures, NULL);
    assert_int_equal(sums.kept_unknown, 1);
    assert_true(sums.kept_known > 0);
}

/* Several servers behind one URL: hardly any of them has what another one has kept. */
static void who_knows_no_version_is_asked_seldom(void **state)
{
    struct fixture *f = *state;
    size_t asked = 0;
    f->knows_versions = false;
    f->wants_states = true;
    f->version = 7;
    for (int i = 0; i < 200; i++) {
        f->item_count = 0;
        send_to("f", 1);
        await_end();
        asked += f->item_count && f->items[0].version;
    }
    assert_true(asked > 0 && asked < 10);
    assert_int_equal(rig.script->report_count, 0);
}

/* --- the end --- */

static void nothing_is_heard_of_what_was_under_way_at_the_end(void **state)
{
    struct fixture *f = *state;
    warm_up(f);
    f->manner = IS_SILENT;
    send_to("f", 10);
    until(rig.loop, f->bundle_count == 1);
    script_send(rig.script, "f", "another", "hello"); /* gathered, and not sent yet */
    remote_free(rig.remote);
    rig.remote = NULL;
    turn_for(rig.loop, 20);
    assert_int_equal(rig_figures().in_flight, 11);
    assert_int_equal(rig.script->report_count, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(what_a_turn_invokes_leaves_in_one_request),
        TEST(a_server_that_offers_none_gets_none),
        TEST(whoever_wants_none_sends_none),
        TEST(an_endpoint_with_limits_of_requests_gets_requests),
        TEST(an_invocation_that_fails_fails_alone_and_is_tried_alone),
        TEST(a_bundle_that_is_refused_is_sent_one_by_one),
        TEST(so_is_one_that_is_answered_as_if_it_were_none),
        TEST(so_is_one_whose_answer_makes_no_sense),
        TEST(so_is_one_whose_answer_lacks_a_result),
        TEST(so_is_one_that_is_not_answered_soon),
        TEST(who_always_fails_is_tried_seldom),
        TEST(an_endpoint_that_is_away_is_not_its_addresses_fault),
        TEST(a_state_that_is_kept_is_not_sent),
        TEST(who_knows_no_version_is_asked_seldom),
        TEST(nothing_is_heard_of_what_was_under_way_at_the_end),
    };
    return cmocka_run_group_tests_name("bundles", tests, NULL, NULL);
}
