/* dead_test.c - dead letters that an operator has sent again, or thrown away. */
#include "engine/script.h"

/* Also serves a/later, as a module would that was installed meanwhile. */
static const struct bindings *with_later(void)
{
    static struct function_binding functions[5];
    static struct bindings bindings;
    bindings = *script_bindings();
    memcpy(functions, bindings.functions, 4 * sizeof *functions);
    functions[4] = functions[0];
    functions[4].name = bytes_of("later");
    bindings.functions = functions;
    bindings.function_count = 5;
    return &bindings;
}

/* f/ann sends to later/bob, which nobody serves. */
static void lose_a_message(struct script *s)
{
    script_send(s, "f", "ann", "hello");
    struct outgoing_message message = {.target = script_address(s, "a", "later", "bob").wire,
                                       .argument = script_typed(s, "text", "hi")};
    struct from_function reply = {.messages = &message, .message_count = 1};
    script_answer(s, script_call(s), &reply);
    script_commit(s);
    assert_int_equal(script_count(s, KEY_DEAD_LETTER), 1);
}

static void serve_later(struct script *s)
{
    s->options.bindings = with_later();
    script_crash(s);
}

/* What becomes of the nth stored letter; `ret_reason` may be NULL. */
static enum dead_outcome ask(struct script *s, enum dead_action action, struct bytes key,
                             char **ret_reason)
{
    struct dead_request request = {.action = action};
    buffer_add_u32(&request.load.keys, (uint32_t)key.size);
    buffer_add_bytes(&request.load.keys, key);
    request.load.count = 1;
    engine_dead_letters(s->engine, &request);
    engine_run(s->engine);
    assert_true(request.outcomes.size >= 3);
    enum dead_outcome outcome = (enum dead_outcome)request.outcomes.data[0];
    buffer_add_u8(&request.outcomes, 0); /* ends the reason */
    if (ret_reason)
        *ret_reason = (char *)arena_add_bytes(&s->arena, buffer_bytes(&request.outcomes)).data + 3;
    assert_int_equal(request.epoch, outcome == DEAD_DONE ? engine_epoch(s->engine) : 0);
    buffer_destroy(&request.load.keys);
    buffer_destroy(&request.load.results);
    buffer_destroy(&request.outcomes);
    return outcome;
}

static struct bytes letter_key(struct script *s)
{
    return arena_add_bytes(&s->arena, script_nth(s, KEY_DEAD_LETTER, 0)->key);
}

static uint64_t dead_letters(const struct script *s)
{
    struct engine_figures figures;
    engine_figures(s->engine, &figures);
    return figures.dead_letters;
}

static void a_replayed_message_comes_as_it_was_sent(void **state)
{
    struct script *s = *state;
    lose_a_message(s);
    serve_later(s);
    assert_int_equal(ask(s, DEAD_REPLAY, letter_key(s), NULL), DEAD_DONE);
    struct call *call = script_call(s);
    expect_call(call, "later", "bob", "hi");
    struct bytes caller, argument;
    assert_true(message_body_parse(call->messages[0], &caller, &argument));
    assert_true(bytes_equal(caller, script_address(s, "a", "f", "ann").wire));
    assert_int_equal(dead_letters(s), 0);
    script_commit(s);
    assert_int_equal(script_count(s, KEY_DEAD_LETTER), 0);
}

static void a_replay_that_was_not_committed_did_not_happen(void **state)
{
    struct script *s = *state;
    lose_a_message(s);
    serve_later(s);
    assert_int_equal(ask(s, DEAD_REPLAY, letter_key(s), NULL), DEAD_DONE);
    script_crash(s);
    script_expect_no_call(s);
    assert_int_equal(script_count(s, KEY_DEAD_LETTER), 1);
    assert_int_equal(script_count(s, KEY_MESSAGE), 0);
    assert_int_equal(dead_letters(s), 1);
}

/* The store of the script is behind: it has the letter until the commit. */
static void a_letter_that_the_view_still_shows_is_not_taken_up_twice(void **state)
{
    struct script *s = *state;
    lose_a_message(s);
    serve_later(s);
    assert_int_equal(ask(s, DEAD_REPLAY, letter_key(s), NULL), DEAD_DONE);
    assert_int_equal(ask(s, DEAD_REPLAY, letter_key(s), NULL), DEAD_GONE);
    assert_int_equal(ask(s, DEAD_DISCARD, letter_key(s), NULL), DEAD_GONE);
    (void)script_call(s);
    script_expect_no_call(s);
    assert_int_equal(dead_letters(s), 0);
}

static void a_letter_that_still_cannot_be_delivered_stays(void **state)
{
    struct script *s = *state;
    char *reason;
    lose_a_message(s);
    assert_int_equal(ask(s, DEAD_REPLAY, letter_key(s), &reason), DEAD_STUCK);
    assert_non_null(strstr(reason, "still no endpoint serves a/later"));
    assert_int_equal(dead_letters(s), 1);
    script_commit(s);
    assert_int_equal(script_count(s, KEY_DEAD_LETTER), 1);
}

static void a_record_that_became_no_message_cannot_be_sent_again(void **state)
{
    struct script *s = *state;
    char *reason;
    struct dead_letter letter = {.cause = bytes_of("no key")};
    assert_int_equal(engine_reject(s->engine, NULL, bytes_of(""), &letter), ACCEPTED);
    script_commit(s);
    assert_int_equal(ask(s, DEAD_REPLAY, letter_key(s), &reason), DEAD_STUCK);
    assert_non_null(strstr(reason, "it is no message"));
    assert_int_equal(ask(s, DEAD_DISCARD, letter_key(s), NULL), DEAD_DONE);
    script_commit(s);
    assert_int_equal(script_count(s, KEY_DEAD_LETTER), 0);
}

static void a_replayed_record_goes_to_its_egress(void **state)
{
    struct script *s = *state;
    struct dead_letter letter = {.kind = DEAD_UNDELIVERABLE,
                                 .cause = bytes_of("too large"),
                                 .egress = bytes_of("a/other"),
                                 .value = bytes_of("the record")};
    engine_record_done(s->engine, bytes_of("o"), &letter);
    script_commit(s);
    assert_int_equal(ask(s, DEAD_REPLAY, letter_key(s), NULL), DEAD_DONE);
    assert_int_equal(engine_open_egresses(s->engine), 2);
    script_commit(s);
    struct key key;
    assert_true(key_parse(script_nth(s, KEY_OUTBOX, 0)->key, &key));
    assert_bytes(key.subject, "a/other");
    assert_bytes(script_nth(s, KEY_OUTBOX, 0)->value, "the record");
    assert_int_equal(script_count(s, KEY_DEAD_LETTER), 0);
}

static void what_an_egress_refuses_it_refuses_again(void **state)
{
    struct script *s = *state;
    char *reason;
    struct dead_letter letter = {.kind = DEAD_REFUSED,
                                 .egress = bytes_of("a/out"),
                                 .value = script_typed(s, "no record", "x")};
    engine_record_done(s->engine, bytes_of("o"), &letter);
    letter.egress = bytes_of("a/nowhere");
    engine_record_done(s->engine, bytes_of("o"), &letter);
    script_commit(s);
    assert_int_equal(ask(s, DEAD_REPLAY, script_nth(s, KEY_DEAD_LETTER, 0)->key, &reason),
                     DEAD_STUCK);
    assert_non_null(strstr(reason, "expected a record"));
    assert_int_equal(ask(s, DEAD_REPLAY, script_nth(s, KEY_DEAD_LETTER, 1)->key, &reason),
                     DEAD_STUCK);
    assert_non_null(strstr(reason, "still no module defines egress a/nowhere"));
}

static void a_replay_waits_for_room(void **state)
{
    struct script *s = *state;
    lose_a_message(s);
    serve_later(s);
    engine_outbox_full(s->engine, true);
    assert_int_equal(ask(s, DEAD_REPLAY, letter_key(s), NULL), DEAD_NO_ROOM);
    script_expect_no_call(s);
    engine_outbox_full(s->engine, false);
    assert_int_equal(ask(s, DEAD_REPLAY, letter_key(s), NULL), DEAD_DONE);
    expect_call(script_call(s), "later", "bob", "hi");
}

static void a_letter_that_was_never_there_is_gone(void **state)
{
    struct script *s = *state;
    struct buffer key = {0};
    assert_int_equal(ask(s, DEAD_REPLAY, key_of_dead_letter(&key, 7, 7, 7), NULL), DEAD_GONE);
    assert_int_equal(ask(s, DEAD_DISCARD, buffer_bytes(&key), NULL), DEAD_GONE);
    assert_int_equal(engine_want(s->engine), WANT_NOTHING);
    buffer_destroy(&key);
}

/* --- letters that go to an egress --- */

static void write_cause(const struct letter_route *route, struct bytes key,
                        const struct dead_letter *letter, struct buffer *record)
{
    struct key parsed;
    assert_true(key_parse(key, &parsed));
    assert_string_equal(route->to, "the topic");
    assert_int_equal(letter->time_ms, START_MS);
    buffer_add_bytes(record, letter->cause);
}

/* Letters go to a/other. */
static void route_letters(struct script *s, bool keeps)
{
    static struct bindings bindings;
    bindings = *script_bindings();
    bindings.letters =
        (struct letter_route){.egress = 1, .keeps = keeps, .to = "the topic", .write = write_cause};
    s->options.bindings = &bindings;
    script_restart_empty(s);
}

static void set_aside(struct script *s, const char *cause, const char *egress)
{
    struct dead_letter letter = {
        .kind = DEAD_UNDELIVERABLE, .cause = bytes_of(cause), .egress = bytes_of(egress)};
    engine_record_done(s->engine, bytes_of("o"), &letter);
}

static void a_letter_can_go_to_an_egress_as_well(void **state)
{
    struct script *s = *state;
    route_letters(s, true);
    set_aside(s, "too large", "a/out");
    assert_int_equal(engine_open_egresses(s->engine), 2);
    expect_report(s, 0, REPORT_DEAD_LETTER, "too large");
    script_commit(s);
    assert_int_equal(script_count(s, KEY_DEAD_LETTER), 1);
    assert_int_equal(script_count(s, KEY_OUTBOX), 1);
    assert_bytes(script_nth(s, KEY_OUTBOX, 0)->value, "too large");
    assert_int_equal(dead_letters(s), 1);
}

static void or_instead_of_the_store(void **state)
{
    struct script *s = *state;
    route_letters(s, false);
    set_aside(s, "too large", "a/out");
    expect_report(s, 0, REPORT_DEAD_LETTER, "too large");
    script_commit(s);
    assert_int_equal(script_count(s, KEY_DEAD_LETTER), 0);
    assert_int_equal(script_count(s, KEY_OUTBOX), 1);
    assert_int_equal(dead_letters(s), 0);
}

/* Or one that it cannot take would come back for ever. */
static void what_that_egress_cannot_take_is_stored(void **state)
{
    struct script *s = *state;
    route_letters(s, false);
    set_aside(s, "too large", "a/other");
    script_commit(s);
    assert_int_equal(script_count(s, KEY_DEAD_LETTER), 1);
    assert_int_equal(script_count(s, KEY_OUTBOX), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRIPT(a_replayed_message_comes_as_it_was_sent),
        SCRIPT(a_replay_that_was_not_committed_did_not_happen),
        SCRIPT(a_letter_that_the_view_still_shows_is_not_taken_up_twice),
        SCRIPT(a_letter_that_still_cannot_be_delivered_stays),
        SCRIPT(a_record_that_became_no_message_cannot_be_sent_again),
        SCRIPT(a_replayed_record_goes_to_its_egress),
        SCRIPT(what_an_egress_refuses_it_refuses_again),
        SCRIPT(a_replay_waits_for_room),
        SCRIPT(a_letter_that_was_never_there_is_gone),
        SCRIPT(a_letter_can_go_to_an_egress_as_well),
        SCRIPT(or_instead_of_the_store),
        SCRIPT(what_that_egress_cannot_take_is_stored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
