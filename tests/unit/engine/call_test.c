/* call_test.c - functions that answer at once: the same effects, no flight. */
#include "engine/script.h"

/* What the function does next. */
struct answering {
    struct script *script;
    struct function_binding functions[4];
    struct bindings bindings;
    struct from_function reply;
    const char *failure; /* NULL: it replies */
    size_t calls, messages;
    struct bytes last; /* the argument of the last message, in the script's arena */
};

static const struct from_function *answer(void *owner, void *function,
                                          const struct to_function *request,
                                          struct sf_status *status)
{
    struct answering *a = owner;
    (void)function;
    a->calls++;
    a->messages += request->message_count;
    struct bytes caller, argument;
    assert_true(
        message_body_parse(request->messages[request->message_count - 1], &caller, &argument));
    a->last = arena_add_bytes(&a->script->arena, argument);
    if (a->failure) {
        (void)sf_fail(status, SF_INVALID, "%s", a->failure);
        return NULL;
    }
    return &a->reply;
}

static struct answering *owner_of_call; /* ports have one owner, which is the script */

static const struct from_function *on_call(void *owner, void *function,
                                           const struct to_function *request,
                                           struct sf_status *status)
{
    (void)owner;
    return answer(owner_of_call, function, request, status);
}

/* a/f answers at once; a/g does not. */
static void begin(struct script *s, struct answering *a)
{
    const struct bindings *given = script_bindings();
    *a = (struct answering){.script = s, .bindings = *given};
    memcpy(a->functions, given->functions, sizeof a->functions);
    a->functions[0].answers_at_once = true;
    a->bindings.functions = a->functions;
    owner_of_call = a;
    s->options.bindings = &a->bindings;
    s->options.ports.call = on_call;
    script_restart_empty(s);
}

static void it_is_called_without_a_flight_and_its_effects_count(void **state)
{
    struct script *s = *state;
    struct answering a;
    begin(s, &a);
    struct outgoing_message message = {.target = script_address(s, "a", "g", "bob").wire,
                                       .argument = script_typed(s, "text", "hi bob")};
    a.reply = (struct from_function){.messages = &message, .message_count = 1};
    script_send(s, "f", "ann", "hello");
    assert_int_equal(a.calls, 1);
    expect_call(script_call(s), "g", "bob", "hi bob");

    struct engine_figures figures;
    engine_figures(s->engine, &figures);
    assert_int_equal(figures.in_flight, 1); /* of a/g */
    script_commit(s);
    assert_int_equal(script_count(s, KEY_MESSAGE), 1);
}

static void it_fails_as_others_do_and_is_called_again_later(void **state)
{
    struct script *s = *state;
    struct answering a;
    begin(s, &a);
    a.failure = "no such account";
    script_send(s, "f", "ann", "hello");
    assert_int_equal(a.calls, 1);
    script_send(s, "f", "bob", "hello"); /* others go on */
    assert_int_equal(a.calls, 2);
    a.failure = NULL;
    script_advance(s, 20 * 1000);
    assert_int_equal(a.calls, 4);
    script_commit(s);
    assert_int_equal(script_count(s, KEY_MESSAGE), 0);
}

static void it_is_given_states_that_it_asks_for(void **state)
{
    struct script *s = *state;
    struct answering a;
    begin(s, &a);
    struct state_spec spec = {.name = bytes_of("seen"), .type = bytes_of("a/int")};
    a.reply = (struct from_function){.is_incomplete = true, .missing = &spec, .missing_count = 1};
    engine_pace(s->engine, 1); /* else it would ask for ever */
    script_send(s, "f", "ann", "hello");
    assert_int_equal(a.calls, 1);

    struct state_mutation mutation = mutation_of("seen", "a/int", "1");
    a.reply = (struct from_function){.mutations = &mutation, .mutation_count = 1};
    engine_run(s->engine);
    assert_int_equal(a.calls, 2);
    script_commit(s);
    assert_int_equal(script_count(s, KEY_STATE), 1);
}

/* Else nothing but that function would ever have its turn again. */
static void a_function_that_always_sends_to_itself_ends_a_run_by_its_pace(void **state)
{
    struct script *s = *state;
    struct answering a;
    begin(s, &a);
    struct outgoing_message message = {.target = script_address(s, "a", "f", "ann").wire,
                                       .argument = script_typed(s, "text", "again")};
    a.reply = (struct from_function){.messages = &message, .message_count = 1};
    engine_pace(s->engine, 100);
    script_send(s, "f", "ann", "hello");
    assert_int_equal(a.messages, 100);
    assert_true(engine_run(s->engine));
    assert_int_equal(a.messages, 200);

    a.reply = (struct from_function){0};
    assert_false(engine_run(s->engine));
    assert_int_equal(a.messages, 201);
    script_commit(s);
    assert_int_equal(script_count(s, KEY_MESSAGE), 0);
}

static struct message *ready_message(const struct outgoing_message *outgoing, struct bytes sender)
{
    return message_new(outgoing->target, sender, outgoing->argument);
}

static void a_message_that_is_ready_is_taken_as_it_is(void **state)
{
    struct script *s = *state;
    struct answering a;
    begin(s, &a);
    struct outgoing_message message = {.target = script_address(s, "a", "g", "bob").wire,
                                       .argument = script_typed(s, "text", "hi bob")};
    message.ready = ready_message(&message, script_address(s, "a", "f", "ann").wire);
    a.reply = (struct from_function){.messages = &message, .message_count = 1};
    script_send(s, "f", "ann", "hello");
    assert_null(message.ready);
    expect_call(script_call(s), "g", "bob", "hi bob");
}

/* It is made in the memory of the last one that was dropped, if that is enough. */
static void a_message_has_room_whatever_the_last_one_had(void **state)
{
    enum { MOST = 300 };
    static const size_t sizes[] = {1, MOST, 20, 21, 19, MOST};
    struct script *s = *state;
    struct answering a;
    begin(s, &a);
    for (size_t i = 0; i < 6; i++) {
        char text[MOST + 1] = {0};
        memset(text, 'x', sizes[i]);
        script_send(s, "f", "ann", text);
        for (size_t j = 0; j < 6; j++) {
            struct message *message = engine_message_new(s->engine, 10, sizes[j]);
            memset(message->bytes, 'y', 10 + sizes[j]);
            assert_int_equal(message_target(message).size, 10);
            assert_int_equal(message_body(message).size, sizes[j]);
            message_free(message);
        }
    }
    assert_int_equal(a.messages, 6);
}

static void a_reply_that_is_refused_keeps_what_is_ready(void **state)
{
    struct script *s = *state;
    struct answering a;
    begin(s, &a);
    struct outgoing_message message = {.target = script_address(s, "a", "g", "bob").wire,
                                       .argument = script_typed(s, "text", "hi bob")};
    struct state_mutation mutation = mutation_of("never-declared", "a/int", "1");
    message.ready = ready_message(&message, script_address(s, "a", "f", "ann").wire);
    a.reply = (struct from_function){
        .messages = &message, .message_count = 1, .mutations = &mutation, .mutation_count = 1};
    script_send(s, "f", "ann", "hello");
    script_expect_no_call(s);
    assert_non_null(message.ready);
    message_free(message.ready);
}

static void the_longest_prefix_serves_a_name(void **state)
{
    struct script *s = *state;
    struct answering a;
    begin(s, &a);
    static const char *const names[] = {"user-", "user-vip-", "", "user-ann"};
    for (size_t i = 0; i < 4; i++)
        a.functions[i] = (struct function_binding){
            .ns = bytes_of("a"),
            .name = bytes_of(names[i]),
            .is_prefix = i != 3,
            .answers_at_once = i == 1,
            .in_flight_max = 1,
        };
    script_restart_empty(s);
    script_send(s, "user-bob", "1", "x");
    script_send(s, "other", "1", "x");
    script_send(s, "user-ann", "1", "x");
    assert_int_equal(a.calls, 0);
    script_send(s, "user-vip-1", "1", "x");
    assert_int_equal(a.calls, 1);
    assert_int_equal(s->call_count, 3);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        SCRIPT(it_is_called_without_a_flight_and_its_effects_count),
        SCRIPT(it_fails_as_others_do_and_is_called_again_later),
        SCRIPT(it_is_given_states_that_it_asks_for),
        SCRIPT(a_function_that_always_sends_to_itself_ends_a_run_by_its_pace),
        SCRIPT(a_message_that_is_ready_is_taken_as_it_is),
        SCRIPT(a_message_has_room_whatever_the_last_one_had),
        SCRIPT(a_reply_that_is_refused_keeps_what_is_ready),
        SCRIPT(the_longest_prefix_serves_a_name),
    };
    return cmocka_run_group_tests_name("call", tests, NULL, NULL);
}
