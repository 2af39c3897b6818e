/* delayed_test.c - messages that wait for their time, and cancellation. */
#include "engine/script.h"

/* Ann's f sends g/bob a message that waits. */
static void delay(struct script *s, const char *token, int64_t delay_ms, const char *text)
{
    script_send(s, "f", "ann", "go");
    struct delayed_message delayed = {.delay_ms = delay_ms,
                                      .token = bytes_of(token),
                                      .target = script_address(s, "a", "g", "bob").wire,
                                      .argument = script_typed(s, "text", text)};
    struct from_function reply = {.delayed = &delayed, .delayed_count = 1};
    script_answer(s, script_call(s), &reply);
}

static void cancel(struct script *s, const char *name, const char *id, const char *token)
{
    script_send(s, name, id, "stop");
    struct delayed_message delayed = {.is_cancellation = true, .token = bytes_of(token)};
    struct from_function reply = {.delayed = &delayed, .delayed_count = 1};
    script_answer(s, script_call(s), &reply);
}

static uint64_t waiting(struct script *s)
{
    struct engine_figures figures;
    engine_figures(s->engine, &figures);
    return figures.delayed_messages;
}

static void a_delayed_message_comes_at_its_time_and_not_before(void **state)
{
    struct script *s = *state;
    delay(s, "", 500, "later");
    assert_int_equal(engine_wake_ms(s->engine), START_MS + 500);
    script_advance(s, 499);
    script_expect_no_call(s);
    script_advance(s, 1);
    struct call *call = script_call(s);
    expect_call(call, "g", "bob", "later");

    struct bytes caller, argument;
    assert_true(message_body_parse(call->messages[0], &caller, &argument));
    assert_true(bytes_equal(caller, script_address(s, "a", "f", "ann").wire));
    script_answer_nothing(s, call);
    script_advance(s, 10 * 1000);
    script_expect_no_call(s);
    assert_int_equal(waiting(s), 0);
}

static void delayed_messages_come_in_order_of_time_and_then_of_sending(void **state)
{
    struct script *s = *state;
    delay(s, "", 500, "3");
    delay(s, "", 100, "1");
    delay(s, "", 500, "4");
    delay(s, "", 200, "2");
    script_advance(s, 1000);
    struct call *call = script_call(s);
    assert_int_equal(call->message_count, 4);
    expect_message(call, 0, "1");
    expect_message(call, 1, "2");
    expect_message(call, 2, "3");
    expect_message(call, 3, "4");
}

/* protocol.md 5: a delay of 0 passes through a timer. */
static void no_delay_is_still_a_timer(void **state)
{
    struct script *s = *state;
    delay(s, "", 0, "now");
    script_expect_no_call(s);
    assert_int_equal(engine_wake_ms(s->engine), START_MS);
    script_advance(s, 0);
    expect_call(script_call(s), "g", "bob", "now");
}

static void a_very_long_delay_does_not_wrap(void **state)
{
    struct script *s = *state;
    delay(s, "", INT64_MAX, "never");
    script_advance(s, UINT64_C(1) << 50);
    script_expect_no_call(s);
    assert_int_equal(waiting(s), 1);
}

static void a_cancelled_message_never_comes(void **state)
{
    struct script *s = *state;
    delay(s, "token", 500, "later");
    assert_int_equal(waiting(s), 1);
    cancel(s, "f", "ann", "token");
    assert_int_equal(waiting(s), 0);
    script_advance(s, 1000);
    script_expect_no_call(s);
    script_commit(s);
    assert_int_equal(script_count(s, KEY_DELAYED), 0);
}

static void a_message_that_was_committed_can_be_cancelled_too(void **state)
{
    struct script *s = *state;
    delay(s, "token", 500, "later");
    script_commit(s);
    assert_int_equal(script_count(s, KEY_DELAYED), 1);
    cancel(s, "f", "ann", "token");
    script_commit(s);
    assert_int_equal(script_count(s, KEY_DELAYED), 0);
    script_advance(s, 1000);
    script_expect_no_call(s);
}

static void a_token_belongs_to_the_senders_id(void **state)
{
    struct script *s = *state;
    delay(s, "token", 500, "later");
    cancel(s, "f", "someone else", "token");
    assert_int_equal(waiting(s), 1);
    cancel(s, "g", "ann", "token"); /* another function with that id may */
    assert_int_equal(waiting(s), 0);
}

static void cancelling_what_is_unknown_or_has_fired_does_nothing(void **state)
{
    struct script *s = *state;
    cancel(s, "f", "ann", "never heard of");
    delay(s, "token", 500, "later");
    script_advance(s, 500);
    script_answer_nothing(s, script_call(s));
    cancel(s, "f", "ann", "token");
    assert_int_equal(s->report_count, 0);
    assert_int_equal(waiting(s), 0);
}

static void a_token_is_free_again_when_its_message_has_fired_or_was_cancelled(void **state)
{
    struct script *s = *state;
    delay(s, "token", 500, "1");
    script_advance(s, 500);
    script_answer_nothing(s, script_call(s));
    delay(s, "token", 500, "2");
    cancel(s, "f", "ann", "token");
    delay(s, "token", 500, "3");
    assert_int_equal(s->report_count, 0);
    script_advance(s, 500);
    expect_call(script_call(s), "g", "bob", "3");
}

static void a_token_in_use_cannot_be_used_again(void **state)
{
    struct script *s = *state;
    delay(s, "token", 500, "1");
    delay(s, "token", 500, "2");
    assert_int_equal(s->report_count, 1);
    assert_int_equal(s->reports[0].kind, REPORT_FAILING);
    assert_int_equal(waiting(s), 1);
}

/* The order within one reply counts: cancel, then send with the same token. */
static void one_reply_may_cancel_and_send_with_one_token(void **state)
{
    struct script *s = *state;
    delay(s, "token", 500, "old");
    script_send(s, "f", "ann", "go");
    struct delayed_message both[] = {{.is_cancellation = true, .token = bytes_of("token")},
                                     {.delay_ms = 700,
                                      .token = bytes_of("token"),
                                      .target = script_address(s, "a", "g", "bob").wire,
                                      .argument = script_typed(s, "text", "new")}};
    struct from_function reply = {.delayed = both, .delayed_count = 2};
    script_answer(s, script_call(s), &reply);
    assert_int_equal(s->report_count, 0);
    script_advance(s, 1000);
    expect_call(script_call(s), "g", "bob", "new");
    script_expect_no_call(s);
}

static void a_delayed_message_keeps_its_time_over_a_crash(void **state)
{
    struct script *s = *state;
    delay(s, "token", 500, "later");
    script_commit(s);
    s->now_ms += 200;
    script_crash(s);
    assert_int_equal(engine_wake_ms(s->engine), START_MS + 500);
    script_advance(s, 300);
    expect_call(script_call(s), "g", "bob", "later");
}

static void what_is_overdue_after_a_crash_fires_at_once(void **state)
{
    struct script *s = *state;
    delay(s, "", 500, "later");
    script_commit(s);
    s->now_ms += 1000 * 1000;
    script_crash(s);
    expect_call(script_call(s), "g", "bob", "later");
}

static void a_token_works_after_a_crash(void **state)
{
    struct script *s = *state;
    delay(s, "token", 500, "later");
    script_commit(s);
    script_crash(s);
    cancel(s, "f", "ann", "token");
    assert_int_equal(waiting(s), 0);
    script_advance(s, 1000);
    script_expect_no_call(s);
}

/* Fired, but not committed: the message must come again, and once in the end. */
static void firing_is_undone_by_a_crash_and_done_by_a_commit(void **state)
{
    struct script *s = *state;
    delay(s, "", 500, "later");
    script_commit(s);
    script_advance(s, 500);
    expect_call(script_call(s), "g", "bob", "later");
    script_crash(s);
    expect_call(script_call(s), "g", "bob", "later");
    script_commit(s);
    assert_int_equal(script_count(s, KEY_DELAYED), 0);
    assert_int_equal(script_count(s, KEY_MESSAGE), 1);
}

static void many_delayed_messages_wait_in_the_store(void **state)
{
    struct script *s = *state;
    s->options.limits.delayed_memory_bytes = 600;
    script_restart_empty(s);
    for (int i = 0; i < 20; i++) {
        char text[8];
        snprintf(text, sizeof text, "%d", i);
        script_send(s, "f", "ann", "go");
        struct delayed_message delayed = {.delay_ms = 10000 + i * 5000,
                                          .target = script_address(s, "a", "g", text).wire,
                                          .argument = script_typed(s, "text", text)};
        struct from_function reply = {.delayed = &delayed, .delayed_count = 1};
        script_answer(s, script_call(s), &reply);
    }
    script_commit(s);
    assert_int_equal(waiting(s), 20);
    for (int i = 0; i < 20; i++) {
        char text[8];
        snprintf(text, sizeof text, "%d", i);
        /* Only as a driver would: at the times that the engine asks for. */
        while (s->answered == s->call_count) {
            uint64_t wake_ms = engine_wake_ms(s->engine);
            assert_true(wake_ms != UINT64_MAX && wake_ms <= START_MS + 10000 + (uint64_t)i * 5000);
            script_advance(s, wake_ms - s->now_ms);
        }
        assert_int_equal(s->now_ms, START_MS + 10000 + i * 5000);
        struct call *call = script_call(s);
        expect_call(call, "g", text, text);
        script_answer_nothing(s, call);
        script_commit(s);
    }
    assert_int_equal(waiting(s), 0);
    assert_int_equal(script_count(s, KEY_DELAYED), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRIPT(a_delayed_message_comes_at_its_time_and_not_before),
        SCRIPT(delayed_messages_come_in_order_of_time_and_then_of_sending),
        SCRIPT(no_delay_is_still_a_timer),
        SCRIPT(a_very_long_delay_does_not_wrap),
        SCRIPT(a_cancelled_message_never_comes),
        SCRIPT(a_message_that_was_committed_can_be_cancelled_too),
        SCRIPT(a_token_belongs_to_the_senders_id),
        SCRIPT(cancelling_what_is_unknown_or_has_fired_does_nothing),
        SCRIPT(a_token_is_free_again_when_its_message_has_fired_or_was_cancelled),
        SCRIPT(a_token_in_use_cannot_be_used_again),
        SCRIPT(one_reply_may_cancel_and_send_with_one_token),
        SCRIPT(a_delayed_message_keeps_its_time_over_a_crash),
        SCRIPT(what_is_overdue_after_a_crash_fires_at_once),
        SCRIPT(a_token_works_after_a_crash),
        SCRIPT(firing_is_undone_by_a_crash_and_done_by_a_commit),
        SCRIPT(many_delayed_messages_wait_in_the_store),
    };
    return cmocka_run_group_tests_name("delayed", tests, NULL, NULL);
}
