/* record_test.c - records from ingresses: receipts, idempotency keys, and when there is no room. */
#include "engine/script.h"

static struct record with_receipt(struct script *s, uint64_t receipt, const char *key)
{
    struct record record = script_record(s, "f", "ann", "hello");
    record.receipt = receipt;
    record.idempotency_key = bytes_of(key);
    return record;
}

static enum acceptance offer(struct script *s, struct record record)
{
    return script_offer(s, &record);
}

static void expect_settled(struct script *s, size_t n, uint64_t receipt, uint64_t epoch)
{
    assert_true(n < s->settled_count);
    assert_int_equal(s->settled[n].receipt, receipt);
    assert_int_equal(s->settled[n].settlement, SETTLED);
    assert_int_equal(s->settled[n].epoch, epoch);
}

static void a_receipt_is_settled_when_its_epoch_is_durable(void **state)
{
    struct script *s = *state;
    assert_int_equal(offer(s, with_receipt(s, 7, "")), ACCEPTED);
    assert_int_equal(engine_want(s->engine), WANT_COMMIT_NOW);
    assert_int_equal(s->settled_count, 0);
    engine_seal(s->engine, 1);
    assert_int_equal(s->settled_count, 0);
    engine_committed(s->engine, 1);
    assert_int_equal(s->settled_count, 1);
    expect_settled(s, 0, 7, 1);
    assert_int_equal(s->call_count, 1); /* it need not be processed for that, only kept */
}

static void without_a_receipt_nobody_is_in_a_hurry(void **state)
{
    struct script *s = *state;
    script_send(s, "f", "ann", "hello");
    assert_int_equal(engine_want(s->engine), WANT_COMMIT);
}

static void an_unknown_function_is_told_to_whoever_waits(void **state)
{
    struct script *s = *state;
    struct record record = script_record(s, "nobody", "ann", "hello");
    record.receipt = 7;
    assert_int_equal(offer(s, record), UNKNOWN_TARGET);
    assert_int_equal(engine_want(s->engine), WANT_NOTHING);
    assert_int_equal(s->report_count, 0);
}

static void an_idempotency_key_counts_once(void **state)
{
    struct script *s = *state;
    assert_int_equal(offer(s, with_receipt(s, 1, "key")), ACCEPTED);
    assert_int_equal(offer(s, with_receipt(s, 2, "key")), ACCEPTED);
    script_commit(s);
    expect_settled(s, 0, 1, 1);
    expect_settled(s, 1, 2, 1);
    assert_int_equal(offer(s, with_receipt(s, 3, "key")), ACCEPTED);
    expect_settled(s, 2, 3, 1); /* at once, with the epoch of the first */

    struct call *call = script_call(s);
    assert_int_equal(call->message_count, 1);
    script_answer_nothing(s, call);
    script_expect_no_call(s);
    struct engine_figures figures;
    engine_figures(s->engine, &figures);
    assert_int_equal(figures.duplicates, 2);
    assert_int_equal(figures.idempotency_keys, 1);
}

static void an_idempotency_key_belongs_to_its_address(void **state)
{
    struct script *s = *state;
    assert_int_equal(offer(s, with_receipt(s, 1, "key")), ACCEPTED);
    struct record other = script_record(s, "g", "ann", "hello");
    other.receipt = 2;
    other.idempotency_key = bytes_of("key");
    assert_int_equal(offer(s, other), ACCEPTED);
    assert_int_equal(offer(s, with_receipt(s, 3, "another key")), ACCEPTED);
    struct engine_figures figures;
    engine_figures(s->engine, &figures);
    assert_int_equal(figures.duplicates, 0);
    assert_int_equal(figures.backlog_messages, 3);
}

static void an_idempotency_key_survives_a_crash(void **state)
{
    struct script *s = *state;
    assert_int_equal(offer(s, with_receipt(s, 1, "key")), ACCEPTED);
    script_commit(s);
    script_crash(s);
    script_answer_nothing(s, script_call(s));
    assert_int_equal(offer(s, with_receipt(s, 2, "key")), ACCEPTED);
    expect_settled(s, 1, 2, 1);
    script_expect_no_call(s);
}

static void an_idempotency_key_that_was_not_committed_is_as_new_after_a_crash(void **state)
{
    struct script *s = *state;
    assert_int_equal(offer(s, with_receipt(s, 1, "key")), ACCEPTED);
    script_crash(s);
    script_expect_no_call(s);
    assert_int_equal(offer(s, with_receipt(s, 2, "key")), ACCEPTED);
    (void)script_call(s);
}

static void an_idempotency_key_is_forgotten_after_its_time(void **state)
{
    struct script *s = *state;
    assert_int_equal(offer(s, with_receipt(s, 1, "key")), ACCEPTED);
    script_answer_nothing(s, script_call(s));
    script_commit(s);
    uint64_t deadline = START_MS + s->options.limits.idempotency_ms;
    assert_int_equal(engine_wake_ms(s->engine), deadline);
    const struct stored *stored = script_nth(s, KEY_IDEMPOTENCY, 0);
    assert_true(stored_is_expired(stored->key, stored->value, deadline));

    script_advance(s, s->options.limits.idempotency_ms - 1);
    assert_int_equal(offer(s, with_receipt(s, 2, "key")), ACCEPTED);
    script_expect_no_call(s);
    script_advance(s, 1);
    assert_int_equal(offer(s, with_receipt(s, 3, "key")), ACCEPTED);
    (void)script_call(s);
}

static void too_many_idempotency_keys_are_refused_one_by_one(void **state)
{
    struct script *s = *state;
    s->options.limits.idempotency_keys_max = 1;
    script_restart_empty(s);
    assert_int_equal(offer(s, with_receipt(s, 1, "key")), ACCEPTED);
    assert_int_equal(offer(s, with_receipt(s, 2, "another")), ACCEPTED);
    assert_int_equal(s->settled_count, 1);
    assert_int_equal(s->settled[0].receipt, 2);
    assert_int_equal(s->settled[0].settlement, SETTLED_NO_ROOM);
    assert_int_equal(offer(s, with_receipt(s, 3, "")), ACCEPTED); /* without a key there is room */
    assert_int_equal(s->settled_count, 1);
}

/* --- no room --- */

static void records_are_refused_while_the_outbox_is_full(void **state)
{
    struct script *s = *state;
    engine_outbox_full(s->engine, true);
    assert_int_equal(offer(s, script_record(s, "f", "ann", "hello")), REFUSED);
    assert_int_equal(engine_reject(s->engine, NULL, bytes_of(""), &(struct dead_letter){0}),
                     REFUSED);
    assert_int_equal(engine_want(s->engine), WANT_NOTHING);
    assert_int_equal(s->rooms, 0);

    engine_outbox_full(s->engine, false);
    engine_run(s->engine);
    assert_int_equal(s->rooms, 1);
    assert_int_equal(offer(s, script_record(s, "f", "ann", "hello")), ACCEPTED);
    engine_run(s->engine);
    assert_int_equal(s->rooms, 1); /* once for each time */
}

static void a_refused_record_does_not_move_its_position(void **state)
{
    struct script *s = *state;
    struct record record = script_record(s, "f", "ann", "hello");
    record.source = engine_source(s->engine, bytes_of("a/in"), bytes_of("0"));
    record.position = bytes_of("1");
    engine_outbox_full(s->engine, true);
    assert_int_equal(script_offer(s, &record), REFUSED);
    assert_int_equal(source_position(record.source).size, 0);
}

/* Only records are refused: a cycle of functions would lock up. */
static void messages_between_functions_are_never_refused(void **state)
{
    struct script *s = *state;
    script_send(s, "f", "ann", "hello");
    engine_outbox_full(s->engine, true);
    struct outgoing_message message = {.target = script_address(s, "a", "g", "bob").wire,
                                       .argument = script_typed(s, "text", "hi")};
    struct from_function reply = {.messages = &message, .message_count = 1};
    script_answer(s, script_call(s), &reply);
    expect_call(script_call(s), "g", "bob", "hi");
}

static void a_function_with_too_much_waiting_fills_its_own_share(void **state)
{
    struct script *s = *state;
    s->options.limits.backlog_bytes = 1000;
    script_restart_empty(s);
    int accepted = 0;
    while (offer(s, script_record(s, "f", "ann", "hello")) == ACCEPTED)
        accepted++;
    assert_in_range(accepted, 2, 20);
    assert_int_equal(offer(s, script_record(s, "g", "ann", "hello")), ACCEPTED);

    script_answer_nothing(s, script_call(s)); /* the first alone */
    (void)script_call(s);                     /* g */
    assert_int_equal(offer(s, script_record(s, "f", "ann", "hello")), REFUSED);
    script_answer_nothing(s, script_call(s)); /* all the others */
    assert_true(s->rooms > 0);
    assert_int_equal(offer(s, script_record(s, "f", "ann", "hello")), ACCEPTED);
}

static void an_epoch_that_has_grown_too_large_waits_for_the_last_commit(void **state)
{
    struct script *s = *state;
    s->options.limits.delta_bytes = 300;
    script_restart_empty(s);
    script_send(s, "f", "ann", "1");
    engine_seal(s->engine, 1);
    int accepted = 0;
    while (offer(s, script_record(s, "g", "bob", "hello")) == ACCEPTED)
        accepted++;
    assert_in_range(accepted, 1, 10);
    engine_committed(s->engine, 1);
    engine_run(s->engine);
    assert_int_equal(s->rooms, 1);
    assert_int_equal(offer(s, script_record(s, "g", "bob", "hello")), ACCEPTED);
}

static void waiting_messages_spill_to_the_store_and_come_back_in_order(void **state)
{
    struct script *s = *state;
    enum { MANY = 30 };
    s->options.limits.backlog_memory_bytes = 1000;
    s->options.limits.batch_bytes_max = 1;
    script_restart_empty(s);
    int sent = 0;
    for (char text[8]; sent < MANY; sent++) {
        snprintf(text, sizeof text, "%d", sent);
        struct record record = script_record(s, "f", "ann", text);
        if (script_offer(s, &record) == REFUSED)
            break;
    }
    assert_true(sent > 3 && sent < MANY);
    assert_true(s->hurries > 0);
    script_commit(s);
    struct engine_figures figures;
    engine_figures(s->engine, &figures);
    assert_true(figures.spilled_messages > 0);
    assert_int_equal(figures.backlog_messages, sent);
    assert_true(figures.backlog_memory_bytes < 1000);

    for (int i = 0; i < sent; i++) {
        char text[8];
        snprintf(text, sizeof text, "%d", i);
        struct call *call = script_call(s);
        expect_call(call, "f", "ann", text);
        script_answer_nothing(s, call);
    }
    script_expect_no_call(s);
    script_commit(s);
    assert_int_equal(script_count(s, KEY_MESSAGE), 0);
    engine_figures(s->engine, &figures);
    assert_int_equal(figures.backlog_memory_bytes, 0);
}

/* --- set aside --- */

static void a_record_that_cannot_become_a_message_is_set_aside_with_its_position(void **state)
{
    struct script *s = *state;
    struct source *source = engine_source(s->engine, bytes_of("a/in"), bytes_of("0"));
    struct dead_letter letter = {.cause = bytes_of("no key"),
                                 .origin = bytes_of("topic 0 at 6"),
                                 .value = bytes_of("the record")};
    assert_int_equal(engine_reject(s->engine, source, bytes_of("7"), &letter), ACCEPTED);
    script_commit(s);
    assert_bytes(source_position(source), "7");
    assert_int_equal(script_count(s, KEY_POSITION), 1);
    struct dead_letter found;
    assert_true(dead_letter_parse(script_nth(s, KEY_DEAD_LETTER, 0)->value, &found));
    assert_bytes(found.cause, "no key");
    assert_bytes(found.origin, "topic 0 at 6");
    assert_bytes(found.value, "the record");
}

/* What a router makes of a record. */
static void messages_of_a_record_go_to_addresses_of_their_own(void **state)
{
    struct script *s = *state;
    struct source *source = engine_source(s->engine, bytes_of("a/in"), bytes_of("0"));
    struct record_message messages[] = {
        {script_address(s, "a", "f", "ann").wire, script_typed(s, "a/text", "one")},
        {script_address(s, "a", "nobody", "bob").wire, script_typed(s, "a/text", "two")},
        {script_address(s, "a", "g", "bob").wire, script_typed(s, "a/text", "three")},
    };
    struct record record = {
        .source = source, .position = bytes_of("7"), .messages = messages, .message_count = 3};
    assert_int_equal(offer(s, record), ACCEPTED);
    expect_call(script_call(s), "f", "ann", "one");
    expect_call(script_call(s), "g", "bob", "three");
    script_commit(s);
    assert_bytes(source_position(source), "7");
    struct dead_letter found;
    assert_true(dead_letter_parse(script_nth(s, KEY_DEAD_LETTER, 0)->value, &found));
    assert_int_equal(found.kind, DEAD_UNSERVED);
    assert_bytes(found.target, "a/nobody/bob");
    assert_true(bytes_equal(found.value, messages[1].argument));
}

/* A router's messages to one address are two, and when the record comes again they are none. */
static void messages_beside_a_receipt_count_once_with_it(void **state)
{
    struct script *s = *state;
    struct record_message messages[] = {
        {script_address(s, "a", "g", "bob").wire, script_typed(s, "a/text", "one")},
        {script_address(s, "a", "g", "bob").wire, script_typed(s, "a/text", "two")},
    };
    struct record record = with_receipt(s, 1, "key");
    record.messages = messages;
    record.message_count = 2;
    assert_int_equal(offer(s, record), ACCEPTED);
    record.receipt = 2;
    assert_int_equal(offer(s, record), ACCEPTED);
    script_commit(s);
    assert_int_equal(s->settled_count, 2);
    expect_settled(s, 0, 1, 1);
    expect_settled(s, 1, 2, 1);
    assert_int_equal(script_call(s)->message_count, 1);
    struct call *call = script_call(s);
    assert_int_equal(call->message_count, 2);
    expect_message(call, 0, "one");
    expect_message(call, 1, "two");
    script_answer_nothing(s, call);
    script_expect_no_call(s);
    struct engine_figures figures;
    engine_figures(s->engine, &figures);
    assert_int_equal(figures.duplicates, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRIPT(a_receipt_is_settled_when_its_epoch_is_durable),
        SCRIPT(messages_beside_a_receipt_count_once_with_it),
        SCRIPT(without_a_receipt_nobody_is_in_a_hurry),
        SCRIPT(an_unknown_function_is_told_to_whoever_waits),
        SCRIPT(an_idempotency_key_counts_once),
        SCRIPT(an_idempotency_key_belongs_to_its_address),
        SCRIPT(an_idempotency_key_survives_a_crash),
        SCRIPT(an_idempotency_key_that_was_not_committed_is_as_new_after_a_crash),
        SCRIPT(an_idempotency_key_is_forgotten_after_its_time),
        SCRIPT(too_many_idempotency_keys_are_refused_one_by_one),
        SCRIPT(records_are_refused_while_the_outbox_is_full),
        SCRIPT(a_refused_record_does_not_move_its_position),
        SCRIPT(messages_between_functions_are_never_refused),
        SCRIPT(a_function_with_too_much_waiting_fills_its_own_share),
        SCRIPT(an_epoch_that_has_grown_too_large_waits_for_the_last_commit),
        SCRIPT(waiting_messages_spill_to_the_store_and_come_back_in_order),
        SCRIPT(a_record_that_cannot_become_a_message_is_set_aside_with_its_position),
        SCRIPT(messages_of_a_record_go_to_addresses_of_their_own),
    };
    return cmocka_run_group_tests_name("record", tests, NULL, NULL);
}
