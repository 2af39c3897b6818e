/* trial_test.c - one function, called without anything around it. */
#include "harness/functions.h"

#include <pthread.h>

struct fixture {
    struct sf_trial *trial;
    struct sf_status status;
};

static int setup(void **state)
{
    *state = calloc(1, sizeof(struct fixture));
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    sf_trial_free(f->trial);
    free(f);
    return 0;
}

static void try(struct fixture *f, const struct sf_function *function)
{
    assert_good(sf_trial_new(function, NULL, "Ann", &f->trial, &f->status), &f->status);
}

static void call(struct fixture *f, const char *text)
{
    assert_good(sf_trial_call(f->trial, sf_string(text), &f->status), &f->status);
}

static void states_and_egress_records_of_a_call_can_be_looked_at(void **state)
{
    struct fixture *f = *state;
    int32_t seen = 0;
    try(f, &GREETER);
    call(f, "");
    call(f, "");
    assert_int_equal(sf_trial_egress_count(f->trial), 2);
    assert_good(sf_expect_kafka(sf_trial_egress(f->trial, 1), "greetings", "Ann",
                                "Hello Ann, 2 times", &f->status),
                &f->status);
    assert_string_equal(sf_trial_egress(f->trial, 1)->sender.id, "Ann");
    assert_true(sf_get(sf_trial_states(f->trial), &SEEN, &seen));
    assert_int_equal(seen, 2);
    assert_int_equal(sf_trial_counter(f->trial, "greeted"), 2);
    assert_int_equal(sf_trial_counter(f->trial, "others"), 0);
    sf_trial_clear(f->trial);
    assert_int_equal(sf_trial_egress_count(f->trial), 0);
    assert_null(sf_trial_egress(f->trial, 0));
}

static void states_can_be_put_there_beforehand(void **state)
{
    struct fixture *f = *state;
    try(f, &GREETER);
    assert_true(sf_set(sf_trial_states(f->trial), &SEEN, sf_int(41)));
    call(f, "");
    assert_good(sf_expect_kafka(sf_trial_egress(f->trial, 0), "greetings", "Ann",
                                "Hello Ann, 42 times", &f->status),
                &f->status);
}

static void a_state_of_another_type_fails_when_it_is_put_there(void **state)
{
    struct fixture *f = *state;
    try(f, &GREETER);
    assert_null(sf_look_failure(sf_trial_states(f->trial)));
    assert_false(sf_set(sf_trial_states(f->trial), &SEEN, sf_string("many")));
    assert_mentions(sf_look_failure(sf_trial_states(f->trial)), "seen");
    assert_false(sf_trial_call(f->trial, sf_string(""), &f->status));
    assert_mentions(f->status.message, "sf_trial_states");
    call(f, ""); /* it is forgotten */
}

static void a_failed_call_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    try(f, &ACCOUNT);
    assert_false(sf_trial_call(f->trial, sf_string("bob 1001"), &f->status));
    assert_string_equal(f->status.message, "1001 of 1000");
    assert_int_equal(sf_trial_sent_count(f->trial), 0);
    int64_t balance;
    assert_false(sf_get(sf_trial_states(f->trial), &BALANCE, &balance));
    assert_false(sf_trial_call(f->trial, sf_int(7), &f->status));
    assert_mentions(f->status.message, "io.statefun.types/int");
}

static void messages_sent_are_kept_in_order(void **state)
{
    struct fixture *f = *state;
    const char *text;
    try(f, &ACCOUNT);
    call(f, "bob 10");
    call(f, "carl 20");
    assert_int_equal(sf_trial_sent_count(f->trial), 2);
    struct sf_address bob = sf_address("example/account", "bob");
    assert_good(sf_expect_message(sf_trial_sent(f->trial, 0), bob, sf_string("10"), &f->status),
                &f->status);
    call(f, "bob 30");
    assert_true(sf_output_is(sf_trial_sent_to(f->trial, bob, 1), sf_string("30")));
    assert_null(sf_trial_sent_to(f->trial, bob, 2));
    assert_true(sf_output_read(sf_trial_sent(f->trial, 1), &sf_string_type, &text));
    assert_string_equal(text, "20");
    assert_true(sf_output_is(sf_trial_sent(f->trial, 1), sf_string("20")));
    assert_false(sf_output_is(sf_trial_sent(f->trial, 1), sf_string("21")));
    assert_false(sf_output_is(sf_trial_sent(f->trial, 3), sf_string("20")));
    assert_string_equal(sf_output_text(sf_trial_sent(f->trial, 1)),
                        "example/account/carl: io.statefun.types/string '20'");
}

static void what_is_not_as_expected_is_shown(void **state)
{
    struct fixture *f = *state;
    struct sf_address bob = sf_address("example/account", "bob");
    try(f, &ACCOUNT);
    call(f, "bob 10");
    assert_false(sf_expect_message(sf_trial_sent(f->trial, 0), bob, sf_int(10), &f->status));
    assert_string_equal(f->status.message,
                        "expected example/account/bob: io.statefun.types/int 10, found "
                        "example/account/bob: io.statefun.types/string '10'");
    assert_false(
        sf_expect_egress(sf_trial_egress(f->trial, 0), "example/out", sf_bool(true), &f->status));
    assert_string_equal(f->status.message,
                        "expected example/out: io.statefun.types/bool true, found nothing");
    assert_false(sf_expect_kafka(sf_trial_sent(f->trial, 0), "topic", NULL, "value", &f->status));
    assert_mentions(f->status.message, "expected topic 'topic', key none, value 'value', found");
}

static void delayed_messages_have_their_time_and_token(void **state)
{
    struct fixture *f = *state;
    try(f, &REMINDER);
    sf_trial_set_time(f->trial, 1000);
    call(f, "go");
    assert_int_equal(sf_trial_delayed_count(f->trial), 1);
    assert_int_equal(sf_trial_token(f->trial, "soon")->due_ms, 1100);
    assert_null(sf_trial_token(f->trial, "late"));
    assert_false(sf_trial_call(f->trial, sf_string("go"), &f->status));
    assert_mentions(f->status.message, "in use");
    call(f, "stop");
    assert_int_equal(sf_trial_delayed_count(f->trial), 0);
    call(f, "go");
    assert_int_equal(sf_trial_delayed_count(f->trial), 1);
}

static void time_delivers_to_the_function_itself_and_sends_to_others(void **state)
{
    struct fixture *f = *state;
    try(f, &REMINDER);
    call(f, "go");
    call(f, "elsewhere");
    assert_good(sf_trial_advance(f->trial, 49, &f->status), &f->status);
    assert_int_equal(sf_trial_sent_count(f->trial), 0);
    assert_good(sf_trial_advance(f->trial, 1, &f->status), &f->status);
    assert_int_equal(sf_trial_sent_count(f->trial), 1);
    assert_int_equal(sf_trial_sent(f->trial, 0)->due_ms, 0);
    assert_int_equal(sf_trial_egress_count(f->trial), 0);
    assert_good(sf_trial_advance(f->trial, 50, &f->status), &f->status);
    assert_good(sf_expect_egress(sf_trial_egress(f->trial, 0), "example/rings", sf_string("Ann"),
                                 &f->status),
                &f->status);
    assert_int_equal(sf_trial_delayed_count(f->trial), 0);
}

static void states_that_were_not_declared_are_kept_too_and_expire(void **state)
{
    struct fixture *f = *state;
    const char *text;
    int32_t count;
    size_t position = 0;
    try(f, &NOTEBOOK);
    call(f, "one");
    call(f, "two");
    call(f, "one");
    struct sf_context *states = sf_trial_states(f->trial);
    assert_true(sf_table_get(states, &WORDS, sf_string("one"), &count));
    assert_int_equal(count, 2);
    assert_int_equal(sf_buffer_size(states, &LINES), 3);
    assert_true(sf_buffer_next(states, &LINES, &position, &text));
    assert_string_equal(text, "one");
    assert_true(sf_get(states, &RECENT, &text));
    assert_good(sf_trial_advance(f->trial, 999, &f->status), &f->status);
    assert_true(sf_get(sf_trial_states(f->trial), &RECENT, &text));
    assert_good(sf_trial_advance(f->trial, 1, &f->status), &f->status);
    assert_false(sf_get(sf_trial_states(f->trial), &RECENT, &text));
    assert_null(sf_look_failure(sf_trial_states(f->trial)));
}

static void nothing_else_can_be_done_where_states_are_looked_at(void **state)
{
    struct fixture *f = *state;
    try(f, &GREETER);
    assert_false(sf_send(sf_trial_states(f->trial), sf_address("a/b", "c"), sf_int(1)));
    assert_mentions(sf_look_failure(sf_trial_states(f->trial)), "outside a call");
}

static bool answer(struct sf_context *context, const struct sf_message *message)
{
    struct sf_address caller;
    (void)message;
    if (!sf_caller(context, &caller))
        return sf_reply(context, sf_int(1));
    return sf_reply(context, sf_string(caller.id));
}

static const struct sf_function ANSWERER = {.type = "example/answer-*", .call = answer};

static void a_caller_can_be_given(void **state)
{
    struct fixture *f = *state;
    struct sf_address caller = sf_address("example/asker", "bob");
    assert_good(sf_trial_new(&ANSWERER, "example/answer-all", "Ann", &f->trial, &f->status),
                &f->status);
    assert_good(sf_trial_call_from(f->trial, &caller, sf_int(1), &f->status), &f->status);
    assert_good(sf_expect_message(sf_trial_sent(f->trial, 0), caller, sf_string("bob"), &f->status),
                &f->status);
    assert_false(sf_trial_call(f->trial, sf_int(1), &f->status));
    assert_mentions(f->status.message, "no caller");
    caller.type = "nonsense";
    assert_false(sf_trial_call_from(f->trial, &caller, sf_int(1), &f->status));
    assert_mentions(f->status.message, "nonsense");
}

static void a_trial_is_for_an_address_of_its_function(void **state)
{
    struct fixture *f = *state;
    static const struct sf_function broken = {.type = "example/broken"};
    assert_false(sf_trial_new(&ANSWERER, NULL, "Ann", &f->trial, &f->status));
    assert_mentions(f->status.message, "example/answer-*");
    assert_false(sf_trial_new(&ANSWERER, "example/other", "Ann", &f->trial, &f->status));
    assert_mentions(f->status.message, "example/other");
    assert_false(sf_trial_new(&ANSWERER, "other", "Ann", &f->trial, &f->status));
    assert_false(sf_trial_new(&broken, NULL, "Ann", &f->trial, &f->status));
    assert_mentions(f->status.message, "example/broken");
    assert_null(f->trial);
}

static bool configure_by_config(struct sf_module *module, struct sf_status *status)
{
    return sf_config(module, "answers") ? sf_bind(module, &ANSWERER, status)
                                        : configure_greeter(module, status);
}

static void a_trial_can_be_of_what_a_module_binds(void **state)
{
    struct fixture *f = *state;
    struct sf_address caller = sf_address("example/asker", "bob");
    char answers[] = "answers=yes";
    const char *const config[] = {answers, NULL};
    assert_good(sf_trial_of(configure_by_config, config, "example/answer-all", "Ann", &f->trial,
                            &f->status),
                &f->status);
    answers[0] = '?'; /* it has a copy */
    assert_good(sf_trial_call_from(f->trial, &caller, sf_int(1), &f->status), &f->status);
    assert_good(sf_expect_message(sf_trial_sent(f->trial, 0), caller, sf_string("bob"), &f->status),
                &f->status);
    sf_trial_free(f->trial);
    f->trial = NULL;
    assert_good(
        sf_trial_of(configure_by_config, NULL, "example/greeter", "Ann", &f->trial, &f->status),
        &f->status);
    call(f, "");
    assert_int_equal(sf_trial_egress_count(f->trial), 1);
}

static bool configure_in_vain(struct sf_module *module, struct sf_status *status)
{
    (void)module;
    return sf_fail(status, SF_INVALID, "not today");
}

static void a_trial_of_a_module_says_what_it_lacks(void **state)
{
    struct fixture *f = *state;
    static const char *const nonsense[] = {"nonsense", NULL};
    assert_false(
        sf_trial_of(configure_greeter, NULL, "example/other", "Ann", &f->trial, &f->status));
    assert_int_equal(f->status.code, SF_NOT_FOUND);
    assert_mentions(f->status.message, "example/other");
    assert_false(sf_trial_of(configure_greeter, NULL, NULL, "Ann", &f->trial, &f->status));
    assert_mentions(f->status.message, "type of an address");
    assert_false(
        sf_trial_of(configure_in_vain, NULL, "example/greeter", "Ann", &f->trial, &f->status));
    assert_mentions(f->status.message, "not today");
    assert_false(
        sf_trial_of(configure_greeter, nonsense, "example/greeter", "Ann", &f->trial, &f->status));
    assert_mentions(f->status.message, "configuration 'nonsense': expected KEY=VALUE");
    assert_null(f->trial);
}

static void expect_ends(struct fixture *f, const char *expected)
{
    const char *ends = "";
    sf_get(sf_trial_states(f->trial), &ENDS, &ends);
    assert_string_equal(ends, expected);
}

static void *complete_operation(void *operation)
{
    sf_async_complete(operation, sf_string("later"));
    return NULL;
}

static void operations_are_waited_for(void **state)
{
    struct fixture *f = *state;
    pthread_t thread;
    try(f, &OPERATOR);
    call(f, "at once");
    call(f, "in vain");
    assert_int_equal(sf_trial_sent_count(f->trial), 0);
    expect_ends(f, "");
    assert_good(sf_trial_finish(f->trial, 1000, &f->status), &f->status);
    expect_ends(f, "at once: done;in vain: no luck;");
    call(f, "somebody");
    assert_false(sf_trial_finish(f->trial, 1, &f->status));
    assert_int_equal(f->status.code, SF_TIMEOUT);
    pthread_create(&thread, NULL, complete_operation, pending_operation);
    assert_good(sf_trial_finish(f->trial, 60000, &f->status), &f->status);
    pthread_join(thread, NULL);
    expect_ends(f, "at once: done;in vain: no luck;somebody: later;");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(states_and_egress_records_of_a_call_can_be_looked_at),
        TEST(states_can_be_put_there_beforehand),
        TEST(a_state_of_another_type_fails_when_it_is_put_there),
        TEST(a_failed_call_leaves_nothing),
        TEST(messages_sent_are_kept_in_order),
        TEST(what_is_not_as_expected_is_shown),
        TEST(delayed_messages_have_their_time_and_token),
        TEST(time_delivers_to_the_function_itself_and_sends_to_others),
        TEST(states_that_were_not_declared_are_kept_too_and_expire),
        TEST(nothing_else_can_be_done_where_states_are_looked_at),
        TEST(a_caller_can_be_given),
        TEST(a_trial_is_for_an_address_of_its_function),
        TEST(a_trial_can_be_of_what_a_module_binds),
        TEST(a_trial_of_a_module_says_what_it_lacks),
        TEST(operations_are_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
