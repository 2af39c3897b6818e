/* giving_up_test.c - what a policy does with messages that their function fails on. */
#include "engine/script.h"

/* a/f under a policy, with no limit of the batch. */
static void use(struct script *s, struct failure_policy policy)
{
    static struct function_binding functions[4];
    static struct bindings bindings;
    bindings = *script_bindings();
    memcpy(functions, bindings.functions, sizeof functions);
    functions[0].failures = policy;
    bindings.functions = functions;
    s->options.bindings = &bindings;
    s->options.limits.retry_ms_max = 10;
    script_restart_empty(s);
    script_send(s, "f", "first", "x"); /* until it has answered once, there is one call at a time */
    script_answer_nothing(s, script_call(s));
}

/* The call takes these messages, a letter each; it fails if 'x' is among them. */
static void expect_batch(struct script *s, const char *letters)
{
    struct call *call = script_call(s);
    assert_bytes(call->target.id, "ann");
    assert_int_equal(call->message_count, strlen(letters));
    for (size_t i = 0; letters[i]; i++)
        expect_message(call, i, (char[]){letters[i], 0});
    if (strchr(letters, 'x'))
        script_fail(s, call, false, "status 500");
    else
        script_answer_nothing(s, call);
    script_advance(s, 10);
}

/* `letters` wait for ann behind an 'a' that is under way. */
static void queue(struct script *s, const char *letters)
{
    script_send(s, "f", "ann", "a");
    struct call *call = script_call(s);
    for (size_t i = 0; letters[i]; i++)
        script_send(s, "f", "ann", (char[]){letters[i], 0});
    script_answer_nothing(s, call);
}

static struct engine_figures figures(const struct script *s)
{
    struct engine_figures figures;
    engine_figures(s->engine, &figures);
    return figures;
}

static void expect_letter(struct script *s, size_t nth, const char *text, const char *cause)
{
    struct dead_letter letter;
    struct typed_value value;
    assert_true(dead_letter_parse(script_nth(s, KEY_DEAD_LETTER, nth)->value, &letter));
    assert_int_equal(letter.kind, DEAD_FAILED);
    assert_bytes(letter.target, "a/f/ann");
    assert_true(typed_value_parse(letter.value, &value, NULL));
    assert_bytes(value.value, text);
    char *found = bytes_string(letter.cause);
    assert_mentions(found, cause);
    free(found);
}

/* --- dead letters --- */

static void the_message_that_fails_is_found_and_the_others_count_once(void **state)
{
    struct script *s = *state;
    use(s, (struct failure_policy){.end = FAILURE_DEAD_LETTER, .attempts = 2});
    queue(s, "bcdxef");
    expect_batch(s, "bcdxef");
    expect_batch(s, "bcdxef"); /* enough: the search begins */
    expect_batch(s, "bcd");
    expect_batch(s, "xe");
    expect_batch(s, "x"); /* alone, it has all its attempts again */
    expect_batch(s, "x");
    expect_batch(s, "ef");
    script_expect_no_call(s);
    script_commit(s);
    assert_int_equal(script_count(s, KEY_DEAD_LETTER), 1);
    expect_letter(s, 0, "x", "its function has failed on it 2 times, last: status 500");
    assert_int_equal(script_count(s, KEY_MESSAGE), 0);
    assert_int_equal(figures(s).retrying, 0);
}

static void several_that_fail_are_found_one_after_the_other(void **state)
{
    struct script *s = *state;
    use(s, (struct failure_policy){.end = FAILURE_DEAD_LETTER, .attempts = 1});
    queue(s, "xbx");
    expect_batch(s, "xbx");
    expect_batch(s, "xb");
    expect_batch(s, "x");
    expect_batch(s, "b"); /* nothing larger has worked */
    expect_batch(s, "x");
    script_expect_no_call(s);
    script_commit(s);
    assert_int_equal(script_count(s, KEY_DEAD_LETTER), 2);
    assert_int_equal(script_count(s, KEY_MESSAGE), 0);
}

/* Until all of the batch that failed are through; then batches are as large as ever. */
static void the_search_goes_on_behind_what_was_found_and_its_batches_grow(void **state)
{
    struct script *s = *state;
    use(s, (struct failure_policy){.end = FAILURE_DEAD_LETTER, .attempts = 2});
    queue(s, "xbcdefgx");
    expect_batch(s, "xbcdefgx");
    expect_batch(s, "xbcdefgx");
    expect_batch(s, "xbcd");
    expect_batch(s, "xb");
    expect_batch(s, "x");
    expect_batch(s, "x");
    expect_batch(s, "b");
    expect_batch(s, "cd");
    expect_batch(s, "efgx"); /* it does not fail once more before it is searched */
    expect_batch(s, "ef");
    expect_batch(s, "g");
    for (int i = 0; i < 4; i++)
        script_send(s, "f", "ann", "h");
    expect_batch(s, "x");
    expect_batch(s, "x");
    expect_batch(s, "hhhh");
    script_expect_no_call(s);
    script_commit(s);
    assert_int_equal(script_count(s, KEY_DEAD_LETTER), 2);
    assert_int_equal(script_count(s, KEY_MESSAGE), 0);
}

static bool has_x(const struct call *call)
{
    for (size_t i = 0; i < call->message_count; i++) {
        struct bytes caller, argument;
        struct typed_value value;
        assert_true(message_body_parse(call->messages[i], &caller, &argument));
        assert_true(typed_value_parse(argument, &value, NULL));
        if (bytes_is(value.value, "x"))
            return true;
    }
    return false;
}

/* Of 32 messages 4 fail: how many invocations that takes, and how many messages are in them. It was
 * 56 and 534 when the rest of the batch had to fail 5 times again, as a whole, for each. */
static void what_fails_is_found_without_all_the_others_failing_with_it(void **state)
{
    struct script *s = *state;
    char letters[33] = {0};
    size_t calls = 0, messages = 0;
    for (size_t i = 0; i < 32; i++)
        letters[i] = i % 8 == 5 ? 'x' : 'b';
    use(s, (struct failure_policy){.end = FAILURE_DEAD_LETTER, .attempts = 5});
    queue(s, letters);
    for (; figures(s).backlog_messages; calls++) {
        struct call *call = script_call(s);
        messages += call->message_count;
        if (has_x(call))
            script_fail(s, call, false, "status 500");
        else
            script_answer_nothing(s, call);
        script_advance(s, 10);
    }
    script_commit(s);
    assert_int_equal(script_count(s, KEY_DEAD_LETTER), 4);
    assert_int_equal(script_count(s, KEY_MESSAGE), 0);
    assert_int_equal(calls, 47);
    assert_int_equal(messages, 265);
}

static void a_function_that_recovers_while_it_is_searched_loses_nothing(void **state)
{
    struct script *s = *state;
    use(s, (struct failure_policy){.end = FAILURE_DEAD_LETTER, .attempts = 1});
    queue(s, "bc");
    script_fail(s, script_call(s), false, "status 500");
    script_advance(s, 10);
    expect_batch(s, "b");
    expect_batch(s, "c");
    script_commit(s);
    assert_int_equal(script_count(s, KEY_DEAD_LETTER), 0);
    assert_int_equal(s->reports[s->report_count - 1].kind, REPORT_RECOVERED);
}

static void what_failed_with_others_is_not_counted_against_it(void **state)
{
    struct script *s = *state;
    use(s, (struct failure_policy){.end = FAILURE_DEAD_LETTER, .attempts = 2});
    script_send(s, "f", "ann", "x");
    script_fail(s, script_call(s), false, "alone, once");
    script_send(s, "f", "ann", "b");
    script_advance(s, 10);
    expect_batch(s, "xb");
    expect_batch(s, "x");
    expect_batch(s, "x");
    expect_batch(s, "b");
    script_commit(s);
    assert_int_equal(script_count(s, KEY_DEAD_LETTER), 1);
}

static void time_can_be_what_is_enough(void **state)
{
    struct script *s = *state;
    use(s, (struct failure_policy){.end = FAILURE_DEAD_LETTER, .within_ms = 25});
    script_send(s, "f", "ann", "x");
    for (int i = 0; i < 4; i++) { /* after 0, 10, 20 and 30 ms */
        assert_int_equal(figures(s).dead_letters, 0);
        expect_batch(s, "x");
    }
    assert_int_equal(figures(s).dead_letters, 1);
    script_expect_no_call(s);
}

static void an_endpoint_that_is_away_costs_no_message(void **state)
{
    struct script *s = *state;
    use(s, (struct failure_policy){.end = FAILURE_DEAD_LETTER, .attempts = 1});
    script_send(s, "f", "ann", "b");
    for (int i = 0; i < 5; i++) {
        script_fail(s, script_call(s), true, "refused");
        script_advance(s, 1000);
    }
    expect_batch(s, "b");
    assert_int_equal(figures(s).dead_letters, 0);
}

/* What is wrong there is the address, whatever the message. */
static void a_stored_state_of_another_type_costs_no_message(void **state)
{
    struct script *s = *state;
    use(s, (struct failure_policy){.end = FAILURE_DEAD_LETTER, .attempts = 1});
    script_send(s, "f", "ann", "b");
    script_declare(s, script_call(s), "seen", "a/int", EXPIRE_NONE, 0);
    script_write(s, script_call(s), "seen", "a/int", "1");
    script_commit(s);
    s->options.remember_specs = false;
    script_crash(s);
    script_send(s, "f", "ann", "c");
    script_declare(s, script_call(s), "seen", "a/long", EXPIRE_NONE, 0);
    for (int i = 0; i < 5; i++) {
        script_expect_no_call(s);
        script_advance(s, 1000);
    }
    assert_int_equal(figures(s).dead_letters, 0);
    assert_int_equal(figures(s).retrying, 1);
}

/* Both were sent before the function had told its states. */
static void asking_for_states_that_another_has_learnt_is_no_failure(void **state)
{
    struct script *s = *state;
    use(s, (struct failure_policy){.end = FAILURE_DEAD_LETTER, .attempts = 1});
    script_send(s, "f", "ann", "b");
    script_send(s, "f", "bob", "c");
    struct call *ann = script_call(s), *bob = script_call(s);
    script_declare(s, ann, "seen", "a/int", EXPIRE_NONE, 0);
    script_declare(s, bob, "seen", "a/int", EXPIRE_NONE, 0);
    assert_int_equal(s->report_count, 0);
    expect_call(script_call(s), "f", "ann", "b");
    expect_call(script_call(s), "f", "bob", "c");
}

/* --- parking --- */

static void park_ann(struct script *s, bool resumes)
{
    use(s, (struct failure_policy){.end = FAILURE_PARK, .attempts = 2, .resumes = resumes});
    script_send(s, "f", "ann", "x");
    expect_batch(s, "x");
    expect_batch(s, "x");
    assert_int_equal(figures(s).parked, 1);
    script_expect_no_call(s);
}

static void a_parked_address_keeps_its_messages_and_is_not_invoked(void **state)
{
    struct script *s = *state;
    park_ann(s, false);
    expect_report(s, s->report_count - 1, REPORT_PARKED, "status 500");
    script_send(s, "f", "ann", "b");
    script_advance(s, 100 * 1000);
    script_expect_no_call(s);
    script_send(s, "f", "bob", "c");
    expect_call(script_call(s), "f", "bob", "c");
    script_commit(s);
    assert_int_equal(script_count(s, KEY_PARKED), 1);
    assert_int_equal(script_count(s, KEY_DEAD_LETTER), 0);

    struct stored_parked parked;
    assert_true(stored_parked_parse(script_nth(s, KEY_PARKED, 0)->value, &parked));
    assert_bytes(parked.cause, "status 500");
}

static void a_parked_address_stays_so_after_a_crash_and_resumes_in_order(void **state)
{
    struct script *s = *state;
    park_ann(s, false);
    script_send(s, "f", "ann", "b");
    script_commit(s);
    script_crash(s);
    assert_int_equal(figures(s).parked, 1);
    script_send(s, "f", "ann", "c");
    script_expect_no_call(s);

    assert_int_equal(engine_resume(s->engine, script_address(s, "a", "f", "bob").wire), 0);
    assert_int_equal(engine_resume(s->engine, script_address(s, "a", "f", "ann").wire), 1);
    engine_run(s->engine);
    assert_int_equal(s->reports[s->report_count - 1].kind, REPORT_RESUMED);
    struct call *call = script_call(s);
    assert_int_equal(call->message_count, 3);
    expect_message(call, 0, "x");
    expect_message(call, 1, "b");
    expect_message(call, 2, "c");
    script_answer_nothing(s, call);
    script_commit(s);
    assert_int_equal(script_count(s, KEY_PARKED), 0);
    assert_int_equal(script_count(s, KEY_MESSAGE), 0);
    assert_int_equal(figures(s).parked, 0);
}

static void a_resumption_that_was_not_committed_did_not_happen(void **state)
{
    struct script *s = *state;
    park_ann(s, false);
    script_commit(s);
    assert_int_equal(engine_resume(s->engine, script_address(s, "a", "f", "").type), 1);
    script_crash(s);
    script_expect_no_call(s);
    assert_int_equal(figures(s).parked, 1);
    assert_int_equal(engine_resume(s->engine, (struct bytes){0}), 1);
}

/* The others of its type must not be refused because of what nobody can work off. */
static void a_parked_address_takes_no_room_from_others(void **state)
{
    struct script *s = *state;
    s->options.limits.backlog_bytes = 1000;
    park_ann(s, false);
    for (int i = 0; i < 30; i++)
        script_send(s, "f", "ann", "more than a thousand bytes altogether");
    script_send(s, "f", "bob", "c");
    expect_call(script_call(s), "f", "bob", "c");

    assert_int_equal(engine_resume(s->engine, (struct bytes){0}), 1);
    engine_run(s->engine);
    struct record record = script_record(s, "f", "bob", "d");
    assert_int_equal(script_offer(s, &record), REFUSED);
}

static void fail_bob(struct script *s)
{
    script_send(s, "f", "bob", "b");
    script_fail(s, script_call(s), true, "refused");
    script_advance(s, 100);
}

static void a_parked_address_resumes_with_its_endpoint_if_told_so(void **state)
{
    struct script *s = *state;
    park_ann(s, true);
    script_send(s, "f", "bob", "an answer alone is no recovery");
    script_answer_nothing(s, script_call(s));
    script_expect_no_call(s);
    fail_bob(s);
    script_answer_nothing(s, script_call(s));
    expect_call(script_call(s), "f", "ann", "x");
    assert_int_equal(figures(s).parked, 0);
}

static void else_it_waits_for_a_command(void **state)
{
    struct script *s = *state;
    park_ann(s, false);
    fail_bob(s);
    script_answer_nothing(s, script_call(s));
    script_expect_no_call(s);
    assert_int_equal(figures(s).parked, 1);
}

/* --- changes from outside --- */

static void put_ahead(struct script *s, const char *text)
{
    struct change_request request = {
        .receipt = 1,
        .ns = bytes_of("a"),
        .name = bytes_of("f"),
        .id = bytes_of("ann"),
        .change = {.state = bytes_of("seen"), .value = {bytes_of("a/int"), bytes_of(text), true}},
        .ahead = true,
    };
    assert_int_equal(engine_change(s->engine, &request), ACCEPTED);
    engine_run(s->engine);
}

static void what_goes_ahead_resumes_a_parked_address(void **state)
{
    struct script *s = *state;
    park_ann(s, false);
    put_ahead(s, "7");
    expect_call(script_call(s), "f", "ann", "x");
    script_commit(s);
    assert_int_equal(s->settled[s->settled_count - 1].settlement, SETTLED);
    assert_int_equal(script_count(s, KEY_STATE), 1);
    assert_int_equal(script_count(s, KEY_PARKED), 0);
    assert_int_equal(figures(s).parked, 0);
}

/* It may be what mends the address. */
static void what_goes_ahead_is_tried_before_it_is_enough(void **state)
{
    static const enum failure_end ends[] = {FAILURE_PARK, FAILURE_DEAD_LETTER};
    struct script *s = *state;
    for (size_t i = 0; i < 2; i++) {
        use(s, (struct failure_policy){.end = ends[i], .attempts = 1});
        script_send(s, "f", "ann", "x");
        struct call *call = script_call(s);
        put_ahead(s, "7");
        script_fail(s, call, false, "cannot read my state");
        script_answer_nothing(s, script_call(s)); /* at once */
        script_expect_no_call(s);
        script_commit(s);
        assert_int_equal(script_count(s, KEY_STATE), 1);
        assert_int_equal(script_count(s, KEY_DEAD_LETTER), 0);
        assert_int_equal(script_count(s, KEY_MESSAGE), 0);
        assert_int_equal(figures(s).parked, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRIPT(the_message_that_fails_is_found_and_the_others_count_once),
        SCRIPT(several_that_fail_are_found_one_after_the_other),
        SCRIPT(the_search_goes_on_behind_what_was_found_and_its_batches_grow),
        SCRIPT(what_fails_is_found_without_all_the_others_failing_with_it),
        SCRIPT(a_function_that_recovers_while_it_is_searched_loses_nothing),
        SCRIPT(what_failed_with_others_is_not_counted_against_it),
        SCRIPT(time_can_be_what_is_enough),
        SCRIPT(an_endpoint_that_is_away_costs_no_message),
        SCRIPT(a_stored_state_of_another_type_costs_no_message),
        SCRIPT(asking_for_states_that_another_has_learnt_is_no_failure),
        SCRIPT(a_parked_address_keeps_its_messages_and_is_not_invoked),
        SCRIPT(a_parked_address_stays_so_after_a_crash_and_resumes_in_order),
        SCRIPT(a_resumption_that_was_not_committed_did_not_happen),
        SCRIPT(a_parked_address_takes_no_room_from_others),
        SCRIPT(a_parked_address_resumes_with_its_endpoint_if_told_so),
        SCRIPT(else_it_waits_for_a_command),
        SCRIPT(what_goes_ahead_resumes_a_parked_address),
        SCRIPT(what_goes_ahead_is_tried_before_it_is_enough),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
