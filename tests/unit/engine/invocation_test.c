/* invocation_test.c - the way of a record: mailbox, invocation, effects, one delta. */
#include "engine/script.h"

static void a_record_becomes_an_invocation(void **state)
{
    struct script *s = *state;
    script_send(s, "f", "ann", "hello");
    struct call *call = script_call(s);
    expect_call(call, "f", "ann", "hello");
    assert_bytes(call->target.ns, "a");
    assert_int_equal(call->state_count, 0);

    struct bytes caller, argument;
    assert_true(message_body_parse(call->messages[0], &caller, &argument));
    assert_int_equal(caller.size, 0); /* from an ingress */
    script_answer_nothing(s, call);
    script_expect_no_call(s);
}

static void all_effects_of_an_invocation_are_in_one_delta(void **state)
{
    struct script *s = *state;
    script_send(s, "f", "ann", "hello");
    script_declare(s, script_call(s), "seen", "a/int", EXPIRE_NONE, 0);

    struct state_mutation mutation = mutation_of("seen", "a/int", "1");
    struct outgoing_message message = {.target = script_address(s, "a", "g", "bob").wire,
                                       .argument = script_typed(s, "text", "hi bob")};
    struct delayed_message delayed = {
        .delay_ms = 500, .target = message.target, .argument = message.argument};
    struct egress_message egress = {bytes_of("a"), bytes_of("out"),
                                    script_typed(s, "record", "to the world")};
    struct from_function reply = {.mutations = &mutation,
                                  .mutation_count = 1,
                                  .messages = &message,
                                  .message_count = 1,
                                  .delayed = &delayed,
                                  .delayed_count = 1,
                                  .egresses = &egress,
                                  .egress_count = 1};
    script_answer(s, script_call(s), &reply);
    assert_int_equal(s->stored_count, 0);
    assert_int_equal(engine_want(s->engine), WANT_COMMIT);
    assert_int_equal(engine_open_egresses(s->engine), 1);

    script_commit(s);
    assert_int_equal(script_count(s, KEY_STATE), 1);
    assert_int_equal(script_count(s, KEY_MESSAGE), 1); /* to bob: under way */
    assert_int_equal(script_count(s, KEY_DELAYED), 1);
    assert_int_equal(script_count(s, KEY_OUTBOX), 1);
    assert_int_equal(script_count(s, KEY_SPEC), 1);
    assert_int_equal(engine_want(s->engine), WANT_NOTHING);
    assert_int_equal(engine_open_egresses(s->engine), 0);
}

/* A message that is taken in and finished within one epoch leaves only its effects. */
static void a_message_that_is_done_is_in_no_delta(void **state)
{
    struct script *s = *state;
    script_send(s, "f", "ann", "hello");
    script_answer_nothing(s, script_call(s));
    script_commit(s);
    assert_int_equal(script_count(s, KEY_MESSAGE), 0);
}

static void a_message_that_waits_is_stored_until_it_is_done(void **state)
{
    struct script *s = *state;
    script_send(s, "f", "ann", "hello");
    script_commit(s);
    assert_int_equal(script_count(s, KEY_MESSAGE), 1);
    script_answer_nothing(s, script_call(s));
    script_commit(s);
    assert_int_equal(script_count(s, KEY_MESSAGE), 0);
}

static void a_message_to_a_function_names_its_sender(void **state)
{
    struct script *s = *state;
    script_send(s, "f", "ann", "hello");
    struct outgoing_message message = {.target = script_address(s, "a", "g", "bob").wire,
                                       .argument = script_typed(s, "text", "hi")};
    struct from_function reply = {.messages = &message, .message_count = 1};
    script_answer(s, script_call(s), &reply);

    struct call *call = script_call(s);
    expect_call(call, "g", "bob", "hi");
    struct bytes caller, argument;
    assert_true(message_body_parse(call->messages[0], &caller, &argument));
    assert_true(bytes_equal(caller, script_address(s, "a", "f", "ann").wire));
}

static void a_record_may_go_to_several_functions(void **state)
{
    struct script *s = *state;
    struct record record = script_record(s, "f", "ann", "hello");
    const struct record_target targets[] = {{bytes_of("a"), bytes_of("f")},
                                            {bytes_of("b"), bytes_of("any name")}};
    record.targets = targets;
    record.target_count = 2;
    assert_int_equal(script_offer(s, &record), ACCEPTED);
    expect_call(script_call(s), "f", "ann", "hello");
    struct call *call = script_call(s);
    expect_call(call, "any name", "ann", "hello");
    assert_bytes(call->target.ns, "b");
}

/* --- batching --- */

static void what_comes_during_an_invocation_waits_for_the_next(void **state)
{
    struct script *s = *state;
    script_send(s, "f", "ann", "1");
    script_send(s, "f", "ann", "2");
    script_send(s, "f", "ann", "3");
    struct call *first = script_call(s);
    expect_call(first, "f", "ann", "1");
    script_expect_no_call(s);

    script_answer_nothing(s, first);
    struct call *second = script_call(s);
    assert_int_equal(second->message_count, 2);
    expect_message(second, 0, "2");
    expect_message(second, 1, "3");
}

static void a_batch_has_a_limit_in_messages(void **state)
{
    struct script *s = *state;
    static const char *const texts[] = {"1", "2", "3", "4", "5", "6"};
    for (int i = 0; i < 6; i++)
        script_send(s, "pairs", "ann", texts[i]);
    script_answer_nothing(s, script_call(s)); /* the first alone: nothing else was there */
    static const size_t counts[] = {2, 2, 1};
    size_t next = 1;
    for (int i = 0; i < 3; i++) {
        struct call *call = script_call(s);
        assert_int_equal(call->message_count, counts[i]);
        for (size_t j = 0; j < counts[i]; j++)
            expect_message(call, j, texts[next++]);
        script_answer_nothing(s, call);
    }
    script_expect_no_call(s);
}

static void a_batch_has_a_limit_in_bytes_but_at_least_one_message(void **state)
{
    struct script *s = *state;
    s->options.limits.batch_bytes_max = 40;
    script_restart_empty(s);
    script_send(s, "f", "ann", "first");
    script_send(s, "f", "ann", "much longer than any batch may be, and yet it must go");
    script_send(s, "f", "ann", "third");
    script_send(s, "f", "ann", "4th");
    script_answer_nothing(s, script_call(s));
    struct call *longest = script_call(s);
    assert_int_equal(longest->message_count, 1);
    script_answer_nothing(s, longest);
    assert_int_equal(script_call(s)->message_count, 2);
}

/* protocol.md 15: the first tells which states there are; the rest need not all ask. */
static void a_function_is_invoked_once_at_a_time_until_it_has_answered(void **state)
{
    struct script *s = *state;
    script_send(s, "f", "ann", "1");
    script_send(s, "f", "bob", "2");
    script_send(s, "f", "cid", "3");
    script_send(s, "g", "ann", "4"); /* another function is not concerned */
    struct call *first = script_call(s);
    expect_call(first, "f", "ann", "1");
    expect_call(script_call(s), "g", "ann", "4");
    script_expect_no_call(s);

    script_answer_nothing(s, first);
    expect_call(script_call(s), "f", "bob", "2");
    expect_call(script_call(s), "f", "cid", "3");
}

static void invocations_under_way_have_a_limit(void **state)
{
    struct script *s = *state;
    s->options.limits.in_flight_max = 1;
    script_restart_empty(s);
    script_send(s, "f", "ann", "1");
    script_send(s, "g", "ann", "2");
    struct call *call = script_call(s);
    script_expect_no_call(s);
    script_answer_nothing(s, call);
    expect_call(script_call(s), "g", "ann", "2");
}

static void nothing_is_started_after_a_stop_but_what_runs_may_end(void **state)
{
    struct script *s = *state;
    script_send(s, "f", "ann", "1");
    engine_stop(s->engine);
    script_send(s, "f", "ann", "2");
    struct call *call = script_call(s);
    struct egress_message egress = {bytes_of("a"), bytes_of("out"), script_typed(s, "record", "x")};
    struct from_function reply = {.egresses = &egress, .egress_count = 1};
    script_answer(s, call, &reply);
    script_expect_no_call(s);
    script_commit(s);
    assert_int_equal(script_count(s, KEY_OUTBOX), 1);
    assert_int_equal(script_count(s, KEY_MESSAGE), 1);
}

/* --- egress records --- */

static void an_egress_record_is_put_in_the_outbox(void **state)
{
    struct script *s = *state;
    script_send(s, "f", "ann", "1");
    struct egress_message egresses[] = {
        {bytes_of("a"), bytes_of("out"), script_typed(s, "record", "one")},
        {bytes_of("a"), bytes_of("other"), script_typed(s, "record", "elsewhere")},
        {bytes_of("a"), bytes_of("out"), script_typed(s, "record", "two")}};
    struct from_function reply = {.egresses = egresses, .egress_count = 3};
    script_answer(s, script_call(s), &reply);
    assert_int_equal(engine_open_egresses(s->engine), 3);
    script_commit(s);

    const struct delta_outbox *outbox = &s->sealed->outboxes[0];
    assert_int_equal(outbox->count, 2);
    assert_int_equal(outbox->bytes, 6);
    assert_bytes(delta_record_value(s->sealed, &outbox->records[0]), "one");
    assert_bytes(delta_record_value(s->sealed, &outbox->records[1]), "two");
    assert_int_equal(s->sealed->outboxes[1].count, 1);

    struct key key;
    assert_true(key_parse(delta_record_key(s->sealed, &outbox->records[1]), &key));
    assert_int_equal(key.kind, KEY_OUTBOX);
    assert_bytes(key.subject, "a/out");
    assert_int_equal(key.epoch, s->sealed->epoch);
    assert_int_equal(script_count(s, KEY_OUTBOX), 3);
}

static void what_an_egress_confirms_leaves_its_outbox(void **state)
{
    struct script *s = *state;
    for (int i = 0; i < 3; i++) {
        script_send(s, "f", "ann", "1");
        struct egress_message egresses[] = {
            {bytes_of("a"), bytes_of("out"), script_typed(s, "record", "here")},
            {bytes_of("a"), bytes_of("other"), script_typed(s, "record", "elsewhere")}};
        struct from_function reply = {.egresses = egresses, .egress_count = 2};
        script_answer(s, script_call(s), &reply);
        script_commit(s); /* epochs 1, 2, 3 */
    }
    engine_confirmed(s->engine, 0, 2);
    assert_int_equal(script_count(s, KEY_OUTBOX), 6);
    script_commit(s);
    assert_int_equal(script_count(s, KEY_OUTBOX), 4); /* epoch 3, and the other egress's */
    struct key key;
    assert_true(key_parse(script_nth(s, KEY_OUTBOX, 0)->key, &key));
    assert_bytes(key.subject, "a/out");
    assert_int_equal(key.epoch, 3);

    engine_confirmed(s->engine, 0, 3);
    engine_confirmed(s->engine, 1, 3);
    script_commit(s);
    assert_int_equal(script_count(s, KEY_OUTBOX), 0);
}

static void a_record_that_cannot_be_delivered_becomes_a_dead_letter(void **state)
{
    struct script *s = *state;
    script_send(s, "f", "ann", "1");
    struct egress_message egress = {bytes_of("a"), bytes_of("out"), script_typed(s, "record", "x")};
    struct from_function reply = {.egresses = &egress, .egress_count = 1};
    script_answer(s, script_call(s), &reply);
    script_commit(s);

    struct dead_letter letter = {.cause = bytes_of("too large"), .egress = bytes_of("a/out")};
    engine_record_done(s->engine, script_nth(s, KEY_OUTBOX, 0)->key, &letter);
    script_commit(s);
    assert_int_equal(script_count(s, KEY_OUTBOX), 0);
    assert_true(dead_letter_parse(script_nth(s, KEY_DEAD_LETTER, 0)->value, &letter));
    assert_bytes(letter.cause, "too large");
    assert_int_equal(letter.time_ms, START_MS);
}

/* --- recovery --- */

static void after_a_crash_what_was_under_way_is_invoked_again(void **state)
{
    struct script *s = *state;
    script_send(s, "f", "ann", "1");
    script_send(s, "f", "ann", "2");
    script_commit(s);
    script_send(s, "f", "ann", "lost: no delta has it, so its ingress brings it again");
    script_crash(s);

    struct call *call = script_call(s);
    assert_int_equal(call->message_count, 2);
    expect_message(call, 0, "1");
    expect_message(call, 1, "2");
}

static void effects_that_were_not_committed_are_as_if_they_had_never_been(void **state)
{
    struct script *s = *state;
    script_send(s, "f", "ann", "1");
    script_declare(s, script_call(s), "seen", "a/int", EXPIRE_NONE, 0);
    script_commit(s);
    script_write(s, script_call(s), "seen", "a/int", "1");
    script_crash(s);
    struct call *call = script_call(s);
    expect_call(call, "f", "ann", "1");
    assert_null(call_state(s, call, "seen"));
}

static void a_position_is_committed_with_its_record(void **state)
{
    struct script *s = *state;
    struct source *source = engine_source(s->engine, bytes_of("a/in"), bytes_of("topic-0"));
    assert_int_equal(source_position(source).size, 0);
    struct record record = script_record(s, "f", "ann", "1");
    record.source = source;
    record.position = bytes_of("7");
    assert_int_equal(script_offer(s, &record), ACCEPTED);
    assert_bytes(source_position(source), "7");
    script_commit(s);
    record.position = bytes_of("8");
    assert_int_equal(script_offer(s, &record), ACCEPTED);

    script_crash(s);
    source = engine_source(s->engine, bytes_of("a/in"), bytes_of("topic-0"));
    assert_bytes(source_position(source), "7");
    assert_int_equal(script_call(s)->message_count, 1);
}

/* Where reading begins must not change because nothing came before the crash. */
static void the_beginning_of_a_source_is_kept(void **state)
{
    struct script *s = *state;
    struct source *source = engine_source(s->engine, bytes_of("a/in"), bytes_of("topic-0"));
    engine_begin_source(s->engine, source, bytes_of("100"));
    assert_int_equal(engine_want(s->engine), WANT_COMMIT);
    script_commit(s);
    script_crash(s);
    source = engine_source(s->engine, bytes_of("a/in"), bytes_of("topic-0"));
    assert_bytes(source_position(source), "100");
}

static void a_stored_entry_that_makes_no_sense_is_corruption(void **state)
{
    struct script *s = *state;
    struct buffer key = {0};
    assert_false(engine_restore(s->engine, bytes_of("?"), bytes_of(""), &s->status));
    assert_int_equal(s->status.code, SF_CORRUPT);
    assert_false(engine_restore(s->engine, (struct bytes){0}, (struct bytes){0}, &s->status));
    struct bytes address = script_address(s, "a", "f", "ann").wire;
    assert_false(engine_restore(s->engine, key_of_message(&key, 0, address, 1), bytes_of("\xff"),
                                &s->status));
    struct bytes body = bytes_make("\x12\x00", 2);
    assert_good(engine_restore(s->engine, key_of_message(&key, 0, address, 1), body, &s->status),
                &s->status);
    assert_false(engine_restore(s->engine, key_of_message(&key, 8, address, 2), body,
                                &s->status)); /* there are partitions 0 to 7 */
    assert_false(
        engine_restore(s->engine, key_of_delayed(&key, 0, 1, 1), bytes_of("x"), &s->status));
    assert_int_equal(s->status.code, SF_CORRUPT);
    buffer_destroy(&key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRIPT(a_record_becomes_an_invocation),
        SCRIPT(all_effects_of_an_invocation_are_in_one_delta),
        SCRIPT(a_message_that_is_done_is_in_no_delta),
        SCRIPT(a_message_that_waits_is_stored_until_it_is_done),
        SCRIPT(a_message_to_a_function_names_its_sender),
        SCRIPT(a_record_may_go_to_several_functions),
        SCRIPT(what_comes_during_an_invocation_waits_for_the_next),
        SCRIPT(a_batch_has_a_limit_in_messages),
        SCRIPT(a_batch_has_a_limit_in_bytes_but_at_least_one_message),
        SCRIPT(a_function_is_invoked_once_at_a_time_until_it_has_answered),
        SCRIPT(invocations_under_way_have_a_limit),
        SCRIPT(nothing_is_started_after_a_stop_but_what_runs_may_end),
        SCRIPT(an_egress_record_is_put_in_the_outbox),
        SCRIPT(what_an_egress_confirms_leaves_its_outbox),
        SCRIPT(a_record_that_cannot_be_delivered_becomes_a_dead_letter),
        SCRIPT(after_a_crash_what_was_under_way_is_invoked_again),
        SCRIPT(effects_that_were_not_committed_are_as_if_they_had_never_been),
        SCRIPT(a_position_is_committed_with_its_record),
        SCRIPT(the_beginning_of_a_source_is_kept),
        SCRIPT(a_stored_entry_that_makes_no_sense_is_corruption),
    };
    return cmocka_run_group_tests_name("invocation", tests, NULL, NULL);
}
