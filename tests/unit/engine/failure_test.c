/* failure_test.c - replies that cannot be applied, functions that fail, endpoints that are gone. */
#include "engine/script.h"

static struct call *call_with_state(struct script *s)
{
    script_send(s, "f", "ann", "hello");
    script_declare(s, script_call(s), "seen", "a/int", EXPIRE_NONE, 0);
    return script_call(s);
}

/* The reply counts as a failure: nothing of it is applied, and the same messages come again. */
static void expect_refusal(struct script *s, struct call *call, struct from_function *reply,
                           const char *part)
{
    struct egress_message egress = {bytes_of("a"), bytes_of("out"), script_typed(s, "record", "x")};
    struct outgoing_message message = {.target = script_address(s, "a", "g", "bob").wire,
                                       .argument = script_typed(s, "text", "hi")};
    reply->egresses = &egress;
    reply->egress_count = 1;
    reply->messages = &message;
    reply->message_count = 1;
    script_answer(s, call, reply);

    expect_report(s, s->report_count - 1, REPORT_FAILING, part);
    assert_int_equal(engine_open_egresses(s->engine), 0);
    script_expect_no_call(s);
    struct engine_figures figures;
    engine_figures(s->engine, &figures);
    assert_int_equal(figures.retrying, 1);
    assert_int_equal(figures.dead_letters, 0);
    script_advance(s, 10);
    expect_call(script_call(s), "f", "ann", "hello");
    script_expect_no_call(s);
}

static void a_mutation_of_a_state_that_nobody_declared_fails(void **state)
{
    struct script *s = *state;
    struct state_mutation mutations[] = {mutation_of("seen", "a/int", "1"),
                                         mutation_of("unheard of", "a/int", "1")};
    struct from_function reply = {.mutations = mutations, .mutation_count = 2};
    expect_refusal(s, call_with_state(s), &reply, "'unheard of', which was never declared");
}

static void a_mutation_to_another_type_fails(void **state)
{
    struct script *s = *state;
    struct state_mutation mutation = mutation_of("seen", "a/long", "1");
    struct from_function reply = {.mutations = &mutation, .mutation_count = 1};
    expect_refusal(s, call_with_state(s), &reply,
                   "has type 'a/int', the reply writes type 'a/long'");
}

static void a_mutation_of_an_unknown_kind_fails(void **state)
{
    struct script *s = *state;
    struct state_mutation mutation = mutation_of("seen", "a/int", "1");
    mutation.kind = 2;
    struct from_function reply = {.mutations = &mutation, .mutation_count = 1};
    expect_refusal(s, call_with_state(s), &reply, "mutation type 2");
}

static void a_negative_delay_fails(void **state)
{
    struct script *s = *state;
    struct delayed_message delayed = {.delay_ms = -1,
                                      .target = script_address(s, "a", "g", "b").wire};
    struct from_function reply = {.delayed = &delayed, .delayed_count = 1};
    expect_refusal(s, call_with_state(s), &reply, "by -1 ms");
}

static void a_cancellation_of_an_empty_token_fails(void **state)
{
    struct script *s = *state;
    struct delayed_message delayed = {.is_cancellation = true};
    struct from_function reply = {.delayed = &delayed, .delayed_count = 1};
    expect_refusal(s, call_with_state(s), &reply, "empty token");
}

static void one_token_for_two_messages_of_a_reply_fails(void **state)
{
    struct script *s = *state;
    struct delayed_message delayed[2];
    for (int i = 0; i < 2; i++)
        delayed[i] = (struct delayed_message){.delay_ms = 5,
                                              .token = bytes_of("token"),
                                              .target = script_address(s, "a", "g", "bob").wire};
    struct from_function reply = {.delayed = delayed, .delayed_count = 2};
    expect_refusal(s, call_with_state(s), &reply, "'token' is in use");
}

static void a_declaration_that_makes_no_sense_fails(void **state)
{
    struct script *s = *state;
    static const struct {
        const char *name, *type;
        enum expire_mode mode;
        int64_t after_ms;
        const char *complaint;
    } cases[] = {
        {"other", "no slash", EXPIRE_NONE, 0, "expected <namespace>/<name>"},
        {"other", "a/b/c", EXPIRE_NONE, 0, "expected <namespace>/<name>"},
        {"other", "a/", EXPIRE_NONE, 0, "expected <namespace>/<name>"},
        {"other", "a/b", EXPIRE_AFTER_WRITE, 0, "expires after 0 ms"},
        {"other", "a/b", EXPIRE_AFTER_INVOKE, -5, "expires after -5 ms"},
        {"seen", "a/long", EXPIRE_NONE, 0, "declared with type 'a/int'"},
        {"seen", "a/int", EXPIRE_NONE, 0, "states that it was given"},
    };
    struct call *call = call_with_state(s);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t reports = s->report_count;
        script_declare(s, call, cases[i].name, cases[i].type, cases[i].mode, cases[i].after_ms);
        script_expect_no_call(s); /* not at once, or it would go round for ever */
        expect_report(s, reports, REPORT_FAILING, cases[i].complaint);
        script_advance(s, 10 * 1000);
        call = script_call(s);
        script_answer_nothing(s, call);
        script_send(s, "f", "ann", "again");
        call = script_call(s);
        assert_int_equal(call->state_count, 1);
    }
}

/* protocol.md 6: names of types, as upstream takes them. */
static void trailing_slashes_and_empty_types_are_taken_as_upstream_takes_them(void **state)
{
    struct script *s = *state;
    script_send(s, "f", "ann", "hello");
    script_declare(s, script_call(s), "slash", "a/b/", EXPIRE_NONE, 0);
    script_declare(s, script_call(s), "no namespace", "/b", EXPIRE_NONE, 0);
    script_declare(s, script_call(s), "unset", "", EXPIRE_NONE, 0);
    struct state_mutation mutations[] = {mutation_of("slash", "a/b", "1"),
                                         mutation_of("no namespace", "/b", "2"),
                                         mutation_of("unset", "io.statefun.types/unset", "3")};
    struct from_function reply = {.mutations = mutations, .mutation_count = 3};
    script_answer(s, script_call(s), &reply);
    assert_int_equal(s->report_count, 0);
}

/* --- backoff of an address --- */

static void a_failing_address_is_tried_again_and_told_of_once(void **state)
{
    struct script *s = *state;
    script_send(s, "f", "ann", "hello");
    uint64_t last_ms = 0;
    for (int i = 0; i < 12; i++) {
        script_fail(s, script_call(s), false, "status 500");
        script_expect_no_call(s);
        uint64_t wait_ms = engine_wake_ms(s->engine) - s->now_ms;
        uint64_t full_ms = UINT64_C(10) << i;
        if (full_ms > s->options.limits.retry_ms_max)
            full_ms = s->options.limits.retry_ms_max;
        assert_in_range(wait_ms, full_ms * 3 / 4, full_ms); /* less up to a quarter */
        assert_true(wait_ms > last_ms || full_ms == s->options.limits.retry_ms_max);
        last_ms = wait_ms;
        script_advance(s, wait_ms - 1);
        script_expect_no_call(s);
        script_advance(s, 1);
        assert_int_equal(s->report_count, 1);
    }
    expect_report(s, 0, REPORT_FAILING, "status 500");
    assert_true(bytes_equal(s->reports[0].address, script_address(s, "a", "f", "ann").wire));

    script_answer_nothing(s, script_call(s));
    assert_int_equal(s->report_count, 2);
    assert_int_equal(s->reports[1].kind, REPORT_RECOVERED);
    assert_int_equal(s->reports[1].attempts, 12);
}

static void other_addresses_go_on_while_one_fails(void **state)
{
    struct script *s = *state;
    script_send(s, "f", "ann", "hello");
    script_fail(s, script_call(s), false, "status 500");
    script_send(s, "f", "bob", "hi");
    expect_call(script_call(s), "f", "bob", "hi");
}

static void what_comes_meanwhile_is_part_of_the_next_try(void **state)
{
    struct script *s = *state;
    script_send(s, "f", "ann", "1");
    script_fail(s, script_call(s), false, "status 500");
    script_send(s, "f", "ann", "2");
    script_expect_no_call(s);
    script_advance(s, 10);
    struct call *call = script_call(s);
    expect_message(call, 0, "1");
    assert_int_equal(call->message_count, 2);
}

static void a_peer_may_ask_for_more_time(void **state)
{
    struct script *s = *state;
    script_send(s, "f", "ann", "hello");
    struct failure failure = {.cause = bytes_of("status 503"), .retry_after_ms = 30 * 1000};
    engine_fail(s->engine, script_call(s)->invocation, &failure);
    assert_int_equal(engine_wake_ms(s->engine), START_MS + 30 * 1000);
    script_advance(s, 30 * 1000);
    failure.retry_after_ms = UINT64_MAX; /* but not for ever */
    engine_fail(s->engine, script_call(s)->invocation, &failure);
    assert_int_equal(engine_wake_ms(s->engine), s->now_ms + 300 * 1000);
}

/* --- outage of an endpoint --- */

static void an_endpoint_that_is_gone_is_probed_by_one_invocation_at_a_time(void **state)
{
    struct script *s = *state;
    script_send(s, "f", "first", "1");
    script_answer_nothing(s, script_call(s));
    script_send(s, "f", "ann", "2");
    script_send(s, "f", "bob", "3");
    struct call *ann = script_call(s), *bob = script_call(s);
    script_fail(s, ann, true, "connection refused");
    script_fail(s, bob, true, "connection refused");
    assert_int_equal(s->report_count, 1);
    expect_report(s, 0, REPORT_FAILING, "connection refused");
    script_send(s, "f", "cid", "4");
    script_expect_no_call(s);

    for (int i = 0; i < 10; i++) {
        uint64_t wait_ms = engine_wake_ms(s->engine) - s->now_ms;
        assert_in_range(wait_ms, 1, 1000);
        script_advance(s, wait_ms);
        struct call *probe = script_call(s);
        script_expect_no_call(s);
        script_fail(s, probe, true, "connection refused");
    }
    assert_int_equal(s->report_count, 1);

    script_advance(s, 1000);
    script_answer_nothing(s, script_call(s));
    assert_int_equal(s->reports[1].kind, REPORT_RECOVERED);
    assert_int_equal(s->call_count - s->answered, 2); /* all the others, at once */
}

static void another_function_goes_on_while_an_endpoint_is_gone(void **state)
{
    struct script *s = *state;
    script_send(s, "f", "ann", "1");
    script_fail(s, script_call(s), true, "connection refused");
    script_send(s, "g", "ann", "2");
    expect_call(script_call(s), "g", "ann", "2");
}

/* A refusal by the function shows that somebody is there. */
static void any_answer_ends_an_outage(void **state)
{
    struct script *s = *state;
    script_send(s, "f", "ann", "1");
    script_fail(s, script_call(s), true, "connection refused");
    script_send(s, "f", "bob", "2");
    script_advance(s, 1000);
    script_fail(s, script_call(s), false, "status 500");
    assert_int_equal(s->reports[1].kind, REPORT_RECOVERED);
    expect_call(script_call(s), "f", "bob", "2");
}

/* --- what can never be delivered --- */

static void a_message_to_an_unknown_function_becomes_a_dead_letter(void **state)
{
    struct script *s = *state;
    script_send(s, "f", "ann", "hello");
    struct outgoing_message messages[] = {
        {.target = script_address(s, "a", "nobody", "x").wire,
         .argument = script_typed(s, "text", "lost")},
        {.target = script_address(s, "a", "g", "bob").wire,
         .argument = script_typed(s, "text", "fine")},
    };
    struct from_function reply = {.messages = messages, .message_count = 2};
    script_answer(s, script_call(s), &reply);
    expect_call(script_call(s), "g", "bob", "fine");
    expect_report(s, 0, REPORT_DEAD_LETTER, "Cannot find a provider");
    script_commit(s);

    struct dead_letter letter;
    assert_int_equal(script_count(s, KEY_DEAD_LETTER), 1);
    assert_true(dead_letter_parse(script_nth(s, KEY_DEAD_LETTER, 0)->value, &letter));
    assert_bytes(letter.target, "a/nobody/x");
    assert_bytes(letter.origin, "a/f/ann");
    assert_true(bytes_equal(letter.value, messages[0].argument));
    assert_int_equal(letter.time_ms, START_MS);
}

static void a_record_for_an_unknown_function_becomes_a_dead_letter(void **state)
{
    struct script *s = *state;
    struct record record = script_record(s, "nobody", "ann", "lost");
    record.source = engine_source(s->engine, bytes_of("a/in"), bytes_of("0"));
    record.position = bytes_of("7");
    assert_int_equal(script_offer(s, &record), ACCEPTED);
    script_commit(s);
    struct dead_letter letter;
    assert_true(dead_letter_parse(script_nth(s, KEY_DEAD_LETTER, 0)->value, &letter));
    assert_bytes(letter.origin, "the script");
    assert_bytes(letter.target, "a/nobody/ann");
    assert_bytes(letter.ingress, "a/in");
    assert_bytes(letter.key, "ann");
    assert_int_equal(script_count(s, KEY_POSITION), 1);
}

static void a_record_whose_id_is_no_text_becomes_a_dead_letter(void **state)
{
    struct script *s = *state;
    struct record record = script_record(s, "f", "\xff", "lost");
    assert_int_equal(script_offer(s, &record), ACCEPTED);
    script_expect_no_call(s);
    expect_report(s, 0, REPORT_DEAD_LETTER, "UTF-8");
}

static void an_egress_message_that_cannot_be_taken_becomes_a_dead_letter(void **state)
{
    struct script *s = *state;
    script_send(s, "f", "ann", "hello");
    struct egress_message egresses[] = {
        {bytes_of("a"), bytes_of("nowhere"), script_typed(s, "record", "lost")},
        {bytes_of("a"), bytes_of("out"), script_typed(s, "no record", "lost too")},
        {bytes_of("a"), bytes_of("out"), script_typed(s, "record", "fine")}};
    struct from_function reply = {.egresses = egresses, .egress_count = 3};
    script_answer(s, script_call(s), &reply);
    expect_report(s, 0, REPORT_DEAD_LETTER, "Unknown egress");
    expect_report(s, 1, REPORT_DEAD_LETTER, "expected a record");
    script_commit(s);
    assert_int_equal(script_count(s, KEY_OUTBOX), 1);
    assert_int_equal(script_count(s, KEY_DEAD_LETTER), 2);
    struct dead_letter letter;
    assert_true(dead_letter_parse(script_nth(s, KEY_DEAD_LETTER, 0)->value, &letter));
    assert_bytes(letter.egress, "a/nowhere");
    assert_bytes(letter.origin, "a/f/ann");
}

static void a_delayed_message_whose_function_is_unknown_becomes_a_dead_letter_when_it_fires(
    void **state)
{
    struct script *s = *state;
    script_send(s, "f", "ann", "hello");
    struct delayed_message delayed = {.delay_ms = 5,
                                      .target = script_address(s, "a", "nobody", "x").wire,
                                      .argument = script_typed(s, "text", "lost")};
    struct from_function reply = {.delayed = &delayed, .delayed_count = 1};
    script_answer(s, script_call(s), &reply);
    assert_int_equal(s->report_count, 0);
    script_advance(s, 5);
    expect_report(s, 0, REPORT_DEAD_LETTER, "Cannot find a provider");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRIPT(a_mutation_of_a_state_that_nobody_declared_fails),
        SCRIPT(a_mutation_to_another_type_fails),
        SCRIPT(a_mutation_of_an_unknown_kind_fails),
        SCRIPT(a_negative_delay_fails),
        SCRIPT(a_cancellation_of_an_empty_token_fails),
        SCRIPT(one_token_for_two_messages_of_a_reply_fails),
        SCRIPT(a_declaration_that_makes_no_sense_fails),
        SCRIPT(trailing_slashes_and_empty_types_are_taken_as_upstream_takes_them),
        SCRIPT(a_failing_address_is_tried_again_and_told_of_once),
        SCRIPT(other_addresses_go_on_while_one_fails),
        SCRIPT(what_comes_meanwhile_is_part_of_the_next_try),
        SCRIPT(a_peer_may_ask_for_more_time),
        SCRIPT(an_endpoint_that_is_gone_is_probed_by_one_invocation_at_a_time),
        SCRIPT(another_function_goes_on_while_an_endpoint_is_gone),
        SCRIPT(any_answer_ends_an_outage),
        SCRIPT(a_message_to_an_unknown_function_becomes_a_dead_letter),
        SCRIPT(a_record_for_an_unknown_function_becomes_a_dead_letter),
        SCRIPT(a_record_whose_id_is_no_text_becomes_a_dead_letter),
        SCRIPT(an_egress_message_that_cannot_be_taken_becomes_a_dead_letter),
        SCRIPT(a_delayed_message_whose_function_is_unknown_becomes_a_dead_letter_when_it_fires),
    };
    return cmocka_run_group_tests_name("failure", tests, NULL, NULL);
}
