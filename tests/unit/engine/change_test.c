/* change_test.c - states that are put, deleted and read from outside. */
#include "engine/script.h"

static uint64_t receipts = 100;

static struct change_request request_for(const char *id, const char *state)
{
    return (struct change_request){.receipt = ++receipts,
                                   .ns = bytes_of("a"),
                                   .name = bytes_of("f"),
                                   .id = bytes_of(id),
                                   .change = {.state = bytes_of(state)}};
}

static enum acceptance offer(struct script *s, const struct change_request *request)
{
    enum acceptance acceptance = engine_change(s->engine, request);
    engine_run(s->engine);
    return acceptance;
}

static void put(struct script *s, const char *id, const char *type, const char *text)
{
    struct change_request request = request_for(id, "seen");
    request.change.value = (struct typed_value){bytes_of(type), bytes_of(text), true};
    assert_int_equal(offer(s, &request), ACCEPTED);
}

static void delete_state(struct script *s, const char *id)
{
    struct change_request request = request_for(id, "seen");
    request.change.is_delete = true;
    assert_int_equal(offer(s, &request), ACCEPTED);
}

static void look(struct script *s, const char *id, const char *state)
{
    s->found_count = SCRIPT_MAX + 1;
    assert_int_equal(engine_read(s->engine, &(struct read_request){.receipt = ++receipts,
                                                                   .ns = bytes_of("a"),
                                                                   .name = bytes_of("f"),
                                                                   .id = bytes_of(id),
                                                                   .state = bytes_of(state)}),
                     ACCEPTED);
}

static void expect_settled(const struct script *s, enum settlement settlement)
{
    assert_true(s->settled_count > 0);
    assert_int_equal(s->settled[s->settled_count - 1].receipt, receipts);
    assert_int_equal(s->settled[s->settled_count - 1].settlement, settlement);
}

static void expect_found(struct script *s, const char *id, const char *text)
{
    look(s, id, "seen");
    assert_int_equal(s->found_count, text ? 1 : 0);
    if (text)
        assert_bytes(s->found[0].value, text);
}

/* Ann's function f has declared the state `seen`, and has nothing under way. */
static void declare(struct script *s, enum expire_mode mode, int64_t expire_after_ms)
{
    script_send(s, "f", "ann", "hello");
    script_declare(s, script_call(s), "seen", "a/int", mode, expire_after_ms);
    script_answer_nothing(s, script_call(s));
    script_commit(s);
}

static struct call *next_call(struct script *s, const char *id)
{
    script_send(s, "f", id, "again");
    return script_call(s);
}

static void a_put_is_settled_when_it_is_durable_and_seen_by_the_next_invocation(void **state)
{
    struct script *s = *state;
    declare(s, EXPIRE_NONE, 0);
    put(s, "ann", "a/int", "7");
    assert_int_equal(s->settled_count, 0);
    script_commit(s);
    expect_settled(s, SETTLED);
    assert_string_equal(call_state(s, next_call(s, "ann"), "seen"), "7");
    script_expect_no_call(s);
}

static void a_change_waits_for_the_invocation_under_way_and_for_messages_before_it(void **state)
{
    struct script *s = *state;
    declare(s, EXPIRE_NONE, 0);
    struct call *first = next_call(s, "ann");
    script_send(s, "f", "ann", "before");
    put(s, "ann", "a/int", "7");
    script_send(s, "f", "ann", "behind");
    script_commit(s);
    assert_int_equal(s->settled_count, 0);

    script_write(s, first, "seen", "a/int", "1");
    struct call *before = script_call(s);
    expect_call(before, "f", "ann", "before"); /* and not what is behind the change */
    assert_string_equal(call_state(s, before, "seen"), "1");
    script_write(s, before, "seen", "a/int", "2");
    struct call *behind = script_call(s);
    expect_call(behind, "f", "ann", "behind");
    assert_string_equal(call_state(s, behind, "seen"), "7");
    script_commit(s);
    expect_settled(s, SETTLED);
}

static void a_change_that_waits_is_durable(void **state)
{
    struct script *s = *state;
    declare(s, EXPIRE_NONE, 0);
    (void)next_call(s, "ann");
    put(s, "ann", "a/int", "7");
    script_commit(s);
    assert_int_equal(script_count(s, KEY_MESSAGE), 2);
    script_crash(s);
    script_answer_nothing(s, script_call(s));
    expect_found(s, "ann", "7");
    script_commit(s);
    assert_int_equal(script_count(s, KEY_MESSAGE), 0);
    assert_int_equal(script_count(s, KEY_STATE), 1);
}

static void a_change_needs_no_function_that_answers(void **state)
{
    struct script *s = *state;
    script_send(s, "f", "bob", "hello");
    script_fail(s, script_call(s), true, "nobody there");
    put(s, "ann", "a/int", "7");
    script_commit(s);
    expect_settled(s, SETTLED);
}

static void what_goes_ahead_mends_an_address_that_fails(void **state)
{
    struct script *s = *state;
    declare(s, EXPIRE_NONE, 0);
    script_fail(s, next_call(s, "ann"), false, "cannot read my state");
    struct change_request request = request_for("ann", "seen");
    request.change.value = (struct typed_value){bytes_of("a/int"), bytes_of("7"), true};
    request.ahead = true;
    assert_int_equal(offer(s, &request), ACCEPTED);

    struct call *again = script_call(s); /* at once, and with the new value */
    expect_call(again, "f", "ann", "again");
    assert_string_equal(call_state(s, again, "seen"), "7");
    script_commit(s);
    expect_settled(s, SETTLED);
}

static void what_goes_ahead_waits_for_the_invocation_under_way(void **state)
{
    struct script *s = *state;
    declare(s, EXPIRE_NONE, 0);
    struct call *call = next_call(s, "ann");
    script_send(s, "f", "ann", "next");
    struct change_request request = request_for("ann", "seen");
    request.change.value = (struct typed_value){bytes_of("a/int"), bytes_of("7"), true};
    request.ahead = true;
    assert_int_equal(offer(s, &request), ACCEPTED);
    script_write(s, call, "seen", "a/int", "1");
    call = script_call(s);
    expect_call(call, "f", "ann", "next");
    assert_string_equal(call_state(s, call, "seen"), "7");
}

/* Else it would wait behind what fails for ever. */
static void what_goes_ahead_does_not_wait_for_an_invocation_that_has_failed(void **state)
{
    struct script *s = *state;
    declare(s, EXPIRE_NONE, 0);
    for (int of_endpoint = 0; of_endpoint < 2; of_endpoint++) {
        struct call *call = next_call(s, "ann");
        script_send(s, "f", "ann", "next");
        struct change_request request = request_for("ann", "seen");
        request.change.value =
            (struct typed_value){bytes_of("a/int"), bytes_of(of_endpoint ? "8" : "7"), true};
        request.ahead = true;
        assert_int_equal(offer(s, &request), ACCEPTED);
        script_fail(s, call, of_endpoint, "cannot read my state");
        expect_found(s, "ann", of_endpoint ? "8" : "7");
        script_commit(s);
        script_advance(s, 1000);
        call = script_call(s);
        assert_int_equal(call->message_count, 2);
        assert_string_equal(call_state(s, call, "seen"), of_endpoint ? "8" : "7");
        script_answer_nothing(s, call);
        script_expect_no_call(s);
    }
}

static void a_delete_tells_whether_there_was_a_value(void **state)
{
    struct script *s = *state;
    declare(s, EXPIRE_NONE, 0);
    put(s, "ann", "a/int", "7");
    delete_state(s, "ann");
    script_commit(s);
    expect_settled(s, SETTLED);
    assert_int_equal(script_count(s, KEY_STATE), 0);
    delete_state(s, "ann");
    script_commit(s);
    expect_settled(s, SETTLED_ABSENT);
    assert_null(call_state(s, next_call(s, "ann"), "seen"));
}

static void a_put_of_another_type_is_a_conflict_that_names_the_right_one(void **state)
{
    struct script *s = *state;
    declare(s, EXPIRE_NONE, 0);
    put(s, "ann", "a/text", "seven");
    script_commit(s);
    expect_settled(s, SETTLED_CONFLICT);
    assert_int_equal(s->found_count, 1);
    assert_bytes(s->found[0].type, "a/int");
    expect_found(s, "ann", NULL);
}

static void a_put_without_a_type_takes_that_of_the_state(void **state)
{
    struct script *s = *state;
    put(s, "ann", "", "7");
    script_commit(s);
    expect_settled(s, SETTLED_CONFLICT); /* nobody knows it yet */
    put(s, "ann", "a/int", "6");
    put(s, "ann", "", "7");
    script_commit(s);
    expect_settled(s, SETTLED);
    expect_found(s, "ann", "7");
    assert_bytes(s->found[0].type, "a/int");
}

static void a_state_may_be_put_before_its_function_declares_it(void **state)
{
    struct script *s = *state;
    put(s, "ann", "a/int", "7");
    struct call *call = next_call(s, "ann");
    assert_int_equal(call->state_count, 0);
    script_declare(s, call, "seen", "a/int", EXPIRE_AFTER_WRITE, 100);
    assert_string_equal(call_state(s, script_call(s), "seen"), "7");
    script_answer_nothing(s, &s->calls[s->answered - 1]);

    script_advance(s, 101); /* it began to expire when it was declared */
    assert_null(call_state(s, next_call(s, "ann"), "seen"));
}

static void a_state_put_with_a_type_that_its_function_does_not_declare_fails_the_address(
    void **state)
{
    struct script *s = *state;
    put(s, "ann", "a/text", "seven");
    script_declare(s, next_call(s, "ann"), "seen", "a/int", EXPIRE_NONE, 0);
    script_expect_no_call(s);
    expect_report(s, 0, REPORT_FAILING, "stored with type 'a/text', the function declares 'a/int'");
}

static void a_put_lets_a_state_begin_to_expire_anew(void **state)
{
    struct script *s = *state;
    declare(s, EXPIRE_AFTER_WRITE, 100);
    put(s, "ann", "a/int", "1");
    script_advance(s, 60);
    put(s, "ann", "a/int", "2");
    script_advance(s, 60);
    expect_found(s, "ann", "2");
    assert_int_equal(s->found[0].deadline, START_MS + 160);
    script_advance(s, 40);
    expect_found(s, "ann", NULL);
    delete_state(s, "ann");
    script_commit(s);
    expect_settled(s, SETTLED_ABSENT);
}

static void a_read_sees_what_was_carried_out_and_is_settled_when_that_is_durable(void **state)
{
    struct script *s = *state;
    declare(s, EXPIRE_NONE, 0);
    put(s, "ann", "a/int", "7");
    expect_found(s, "ann", "7");
    assert_int_equal(s->settled_count, 0);
    script_commit(s);
    expect_settled(s, SETTLED);
    expect_found(s, "ann", "7");
    expect_settled(s, SETTLED); /* nothing to wait for */
    script_crash(s);
    expect_found(s, "ann", "7"); /* from the store */
}

static void a_read_does_not_wait_for_what_is_to_come(void **state)
{
    struct script *s = *state;
    declare(s, EXPIRE_NONE, 0);
    put(s, "ann", "a/int", "1");
    script_commit(s);
    (void)next_call(s, "ann");
    put(s, "ann", "a/int", "2");
    expect_found(s, "ann", "1");
}

static void a_list_has_all_states_whether_in_memory_or_stored(void **state)
{
    struct script *s = *state;
    declare(s, EXPIRE_NONE, 0);
    put(s, "ann", "a/int", "17");
    struct change_request request = request_for("ann", "mood");
    request.change.value = (struct typed_value){bytes_of("a/text"), bytes_of("fine"), true};
    assert_int_equal(offer(s, &request), ACCEPTED);
    script_commit(s);
    script_crash(s); /* `seen` is remembered as declared, `mood` is in the store alone */
    put(s, "ann", "a/int", "7");

    look(s, "ann", "");
    assert_int_equal(s->found_count, 2);
    assert_bytes(s->found[0].name, "seen");
    assert_bytes(s->found[0].type, "a/int");
    assert_int_equal(s->found[0].size, 1);
    assert_bytes(s->found[1].name, "mood");
    assert_int_equal(s->found[1].size, 4);
    look(s, "bob", "");
    assert_int_equal(s->found_count, 0);
}

/* More than one load brings. */
static void a_long_list_is_read_in_parts(void **state)
{
    struct script *s = *state;
    enum { COUNT = 5, BYTES = 400 * 1000 };
    char *text = mem_new(BYTES + 1), name[16];
    memset(text, 'x', BYTES);
    for (int i = 0; i < COUNT; i++) {
        snprintf(name, sizeof name, "state %d", i);
        struct change_request request = request_for("ann", name);
        request.change.value = (struct typed_value){bytes_of("a/text"), bytes_of(text), true};
        assert_int_equal(offer(s, &request), ACCEPTED);
    }
    free(text);
    script_commit(s);
    script_crash(s);
    look(s, "ann", "");
    assert_int_equal(s->found_count, COUNT);
    for (int i = 0; i < COUNT; i++) {
        snprintf(name, sizeof name, "state %d", i);
        assert_bytes(s->found[i].name, name);
        assert_int_equal(s->found[i].size, BYTES);
    }
}

static void nobody_can_name_states_without_end(void **state)
{
    struct script *s = *state;
    enum acceptance acceptance = ACCEPTED;
    size_t count = 0;
    for (; acceptance == ACCEPTED; count++) {
        char name[16];
        snprintf(name, sizeof name, "state %zu", count);
        struct change_request request = request_for("ann", name);
        request.change.is_delete = true;
        acceptance = offer(s, &request);
        script_commit(s);
        s->settled_count = 0;
        assert_true(count < 1000);
    }
    assert_int_equal(acceptance, TOO_MANY_STATES);
}

static void a_function_that_nobody_serves_is_unknown(void **state)
{
    struct script *s = *state;
    struct change_request request = request_for("ann", "seen");
    request.name = bytes_of("nobody");
    assert_int_equal(offer(s, &request), UNKNOWN_TARGET);
    struct read_request read = {.ns = bytes_of("a"), .name = bytes_of("nobody")};
    assert_int_equal(engine_read(s->engine, &read), UNKNOWN_TARGET);
}

static void a_change_that_is_spilled_is_said_to_be_in_line(void **state)
{
    struct script *s = *state;
    s->options.limits.backlog_memory_bytes = 150;
    script_restart_empty(s);
    (void)next_call(s, "ann");
    put(s, "ann", "a/int", "7");
    script_commit(s);
    expect_settled(s, SETTLED_IN_LINE);
}

static void a_body_is_a_change_or_a_message_and_damage_is_noticed(void **state)
{
    struct script *s = *state;
    struct buffer body = {0};
    struct state_change change;
    change_add(&body, &(struct state_change){
                          .state = bytes_of("seen"),
                          .value = {bytes_of("a/int"), bytes_of("7"), true},
                      });
    assert_true(body_is_change(buffer_bytes(&body)));
    assert_true(change_parse(buffer_bytes(&body), &change));
    assert_bytes(change.state, "seen");
    assert_false(change.is_delete);
    assert_bytes(change.value.type, "a/int");
    assert_bytes(change.value.value, "7");
    for (size_t size = 1; size < body.size; size++)
        assert_false(change_parse(bytes_make(body.data, size), &change));

    buffer_clear(&body);
    change_add(&body, &(struct state_change){.state = bytes_of("seen"), .is_delete = true});
    assert_true(change_parse(buffer_bytes(&body), &change));
    assert_true(change.is_delete);
    buffer_destroy(&body);

    struct message *message = message_new(bytes_of("t"), (struct bytes){0}, bytes_of("x"));
    assert_false(body_is_change(message_body(message)));
    message_free(message);
    (void)s;
}

static void a_state_that_was_put_is_sent_to_a_function_that_keeps_it(void **state)
{
    struct script *s = *state;
    declare(s, EXPIRE_NONE, 0);
    struct state_mutation mutation = mutation_of("seen", "a/int", "1");
    struct from_function reply = {.mutations = &mutation, .mutation_count = 1, .version = 7};
    script_answer(s, next_call(s, "ann"), &reply);
    put(s, "ann", "a/int", "2");
    engine_run(s->engine);
    struct call *call = next_call(s, "ann");
    assert_int_equal(call->version, 7);
    assert_false(call->states[0].kept);
    assert_string_equal(call_state(s, call, "seen"), "2");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRIPT(a_state_that_was_put_is_sent_to_a_function_that_keeps_it),
        SCRIPT(a_put_is_settled_when_it_is_durable_and_seen_by_the_next_invocation),
        SCRIPT(a_change_waits_for_the_invocation_under_way_and_for_messages_before_it),
        SCRIPT(a_change_that_waits_is_durable),
        SCRIPT(a_change_needs_no_function_that_answers),
        SCRIPT(what_goes_ahead_mends_an_address_that_fails),
        SCRIPT(what_goes_ahead_waits_for_the_invocation_under_way),
        SCRIPT(what_goes_ahead_does_not_wait_for_an_invocation_that_has_failed),
        SCRIPT(a_delete_tells_whether_there_was_a_value),
        SCRIPT(a_put_of_another_type_is_a_conflict_that_names_the_right_one),
        SCRIPT(a_put_without_a_type_takes_that_of_the_state),
        SCRIPT(a_state_may_be_put_before_its_function_declares_it),
        SCRIPT(a_state_put_with_a_type_that_its_function_does_not_declare_fails_the_address),
        SCRIPT(a_put_lets_a_state_begin_to_expire_anew),
        SCRIPT(a_read_sees_what_was_carried_out_and_is_settled_when_that_is_durable),
        SCRIPT(a_read_does_not_wait_for_what_is_to_come),
        SCRIPT(a_list_has_all_states_whether_in_memory_or_stored),
        SCRIPT(a_long_list_is_read_in_parts),
        SCRIPT(nobody_can_name_states_without_end),
        SCRIPT(a_function_that_nobody_serves_is_unknown),
        SCRIPT(a_change_that_is_spilled_is_said_to_be_in_line),
        SCRIPT(a_body_is_a_change_or_a_message_and_damage_is_noticed),
    };
    return cmocka_run_group_tests_name("change", tests, NULL, NULL);
}
