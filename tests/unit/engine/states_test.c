/* states_test.c - states: how a function comes to have them, and how they expire. */
#include "engine/script.h"

/* Ann's function f has declared the state `seen`, and is asked again. */
static struct call *declared(struct script *s, enum expire_mode mode, int64_t expire_after_ms)
{
    script_send(s, "f", "ann", "hello");
    script_declare(s, script_call(s), "seen", "a/int", mode, expire_after_ms);
    return script_call(s);
}

static struct call *next_call(struct script *s, const char *id)
{
    script_send(s, "f", id, "again");
    return script_call(s);
}

/* protocol.md 6: the same messages again, at once, now with the states. */
static void missing_states_are_registered_and_the_function_is_asked_again(void **state)
{
    struct script *s = *state;
    script_send(s, "f", "ann", "hello");
    struct call *call = script_call(s);
    assert_int_equal(call->state_count, 0);
    script_send(s, "f", "ann", "meanwhile");
    script_declare(s, call, "seen", "a/int", EXPIRE_NONE, 0);

    call = script_call(s);
    expect_message(call, 0, "hello");
    assert_int_equal(call->state_count, 1);
    assert_null(call_state(s, call, "seen"));
    script_declare(s, call, "mood", "a/text", EXPIRE_NONE, 0);
    call = script_call(s);
    assert_int_equal(call->state_count, 2);
    assert_int_equal(s->report_count, 0);
}

static void a_state_is_declared_for_all_addresses_of_a_function(void **state)
{
    struct script *s = *state;
    script_answer_nothing(s, declared(s, EXPIRE_NONE, 0));
    assert_int_equal(next_call(s, "bob")->state_count, 1);
    script_send(s, "g", "ann", "another function");
    assert_int_equal(script_call(s)->state_count, 0);
}

static void a_state_is_what_was_last_written(void **state)
{
    struct script *s = *state;
    script_write(s, declared(s, EXPIRE_NONE, 0), "seen", "a/int", "1");
    struct call *call = next_call(s, "ann");
    assert_string_equal(call_state(s, call, "seen"), "1");
    script_write(s, call, "seen", "a/int", "2");
    call = next_call(s, "ann");
    assert_string_equal(call_state(s, call, "seen"), "2");

    call = next_call(s, "bob");
    assert_null(call_state(s, call, "seen"));
}

static void a_value_of_no_bytes_is_present(void **state)
{
    struct script *s = *state;
    script_write(s, declared(s, EXPIRE_NONE, 0), "seen", "a/int", "");
    struct call *call = next_call(s, "ann");
    assert_string_equal(call_state(s, call, "seen"), "");
    struct typed_value value;
    assert_true(typed_value_parse(call->states[0].value, &value, NULL));
    assert_true(value.has_value); /* whatever the reply said */
}

static void a_deleted_state_is_absent(void **state)
{
    struct script *s = *state;
    script_write(s, declared(s, EXPIRE_NONE, 0), "seen", "a/int", "1");
    script_commit(s);
    assert_int_equal(script_count(s, KEY_STATE), 1);
    struct call *call = next_call(s, "ann");
    struct state_mutation mutation = {.name = bytes_of("seen"), .kind = MUTATION_DELETE};
    struct from_function reply = {.mutations = &mutation, .mutation_count = 1};
    script_answer(s, call, &reply);
    call = next_call(s, "ann");
    assert_null(call_state(s, call, "seen"));
    script_commit(s);
    assert_int_equal(script_count(s, KEY_STATE), 0);
}

static void of_several_mutations_of_one_state_the_last_counts(void **state)
{
    struct script *s = *state;
    struct state_mutation mutations[] = {
        mutation_of("seen", "a/int", "1"),
        {.name = bytes_of("seen"), .kind = MUTATION_DELETE},
        mutation_of("seen", "a/int", "3"),
    };
    struct from_function reply = {.mutations = mutations, .mutation_count = 3};
    script_answer(s, declared(s, EXPIRE_NONE, 0), &reply);
    struct call *call = next_call(s, "ann");
    assert_string_equal(call_state(s, call, "seen"), "3");
}

static void states_and_their_specs_survive_a_crash(void **state)
{
    struct script *s = *state;
    script_write(s, declared(s, EXPIRE_NONE, 0), "seen", "a/int", "1");
    script_commit(s);
    script_crash(s);
    struct call *call = next_call(s, "ann");
    assert_int_equal(call->state_count, 1);
    assert_string_equal(call_state(s, call, "seen"), "1");
}

static void without_remembered_specs_a_function_is_asked_anew(void **state)
{
    struct script *s = *state;
    script_write(s, declared(s, EXPIRE_NONE, 0), "seen", "a/int", "1");
    script_commit(s);
    s->options.remember_specs = false;
    script_crash(s);
    struct call *call = next_call(s, "ann");
    assert_int_equal(call->state_count, 0);
    script_declare(s, call, "seen", "a/int", EXPIRE_NONE, 0);
    call = script_call(s);
    assert_string_equal(call_state(s, call, "seen"), "1");
}

/* The function was changed between two runs: it is asked which type it wants now. */
static void a_remembered_spec_that_a_reply_contradicts_is_forgotten(void **state)
{
    struct script *s = *state;
    script_answer_nothing(s, declared(s, EXPIRE_NONE, 0));
    script_commit(s);
    script_crash(s);
    script_write(s, next_call(s, "ann"), "seen", "a/long", "1");
    expect_report(s, 0, REPORT_FAILING, "earlier run");
    script_advance(s, 1000);
    struct call *call = script_call(s);
    assert_int_equal(call->state_count, 0);
    script_declare(s, call, "seen", "a/long", EXPIRE_NONE, 0);
    script_write(s, script_call(s), "seen", "a/long", "1");
    call = next_call(s, "ann");
    assert_string_equal(call_state(s, call, "seen"), "1");
}

/* --- expiry --- */

static void a_state_without_expiry_stays(void **state)
{
    struct script *s = *state;
    script_write(s, declared(s, EXPIRE_NONE, 5), "seen", "a/int", "1");
    script_advance(s, 1000 * 1000 * 1000);
    struct call *call = next_call(s, "ann");
    assert_string_equal(call_state(s, call, "seen"), "1");
}

static void a_state_expires_some_time_after_it_was_written(void **state)
{
    struct script *s = *state;
    script_write(s, declared(s, EXPIRE_AFTER_WRITE, 1000), "seen", "a/int", "1");
    script_advance(s, 999);
    struct call *call = next_call(s, "ann");
    assert_string_equal(call_state(s, call, "seen"), "1"); /* being read does not help it */
    script_answer_nothing(s, call);
    script_advance(s, 1);
    call = next_call(s, "ann");
    assert_null(call_state(s, call, "seen"));
}

static void a_write_begins_the_time_anew(void **state)
{
    struct script *s = *state;
    script_write(s, declared(s, EXPIRE_AFTER_WRITE, 1000), "seen", "a/int", "1");
    script_advance(s, 999);
    script_write(s, next_call(s, "ann"), "seen", "a/int", "2");
    script_advance(s, 999);
    struct call *call = next_call(s, "ann");
    assert_string_equal(call_state(s, call, "seen"), "2");
}

static void a_state_may_live_as_long_as_it_is_used(void **state)
{
    struct script *s = *state;
    script_write(s, declared(s, EXPIRE_AFTER_INVOKE, 1000), "seen", "a/int", "1");
    for (int i = 0; i < 3; i++) {
        script_advance(s, 999);
        struct call *call = next_call(s, "ann");
        assert_string_equal(call_state(s, call, "seen"), "1");
        script_answer_nothing(s, call);
    }
    script_advance(s, 1000);
    struct call *call = next_call(s, "ann");
    assert_null(call_state(s, call, "seen"));
}

static void expiry_survives_a_crash(void **state)
{
    struct script *s = *state;
    script_write(s, declared(s, EXPIRE_AFTER_WRITE, 1000), "seen", "a/int", "1");
    script_commit(s);
    const struct stored *stored = script_nth(s, KEY_STATE, 0);
    assert_false(stored_is_expired(stored->key, stored->value, START_MS + 999));
    assert_true(stored_is_expired(stored->key, stored->value, START_MS + 1000));
    s->now_ms += 1000;
    script_crash(s);
    struct call *call = next_call(s, "ann");
    assert_null(call_state(s, call, "seen"));
    script_answer_nothing(s, call);
    script_commit(s);
    assert_int_equal(script_count(s, KEY_STATE), 0);
}

/* protocol.md 6.2 */
static void the_first_expiration_that_is_declared_wins(void **state)
{
    struct script *s = *state;
    script_write(s, declared(s, EXPIRE_AFTER_WRITE, 1000), "seen", "a/int", "1");
    struct state_spec specs[] = {
        {.name = bytes_of("seen"), .type = bytes_of("a/int"), .mode = EXPIRE_NONE},
        {.name = bytes_of("mood"), .type = bytes_of("a/text"), .mode = EXPIRE_NONE}};
    struct from_function reply = {.is_incomplete = true, .missing = specs, .missing_count = 2};
    script_answer(s, next_call(s, "ann"), &reply);
    assert_int_equal(s->report_count, 0);
    script_answer_nothing(s, script_call(s));
    script_advance(s, 1000);
    struct call *call = next_call(s, "ann");
    assert_null(call_state(s, call, "seen"));
}

/* --- evicted and read again --- */

static void a_state_that_left_memory_is_read_again(void **state)
{
    struct script *s = *state;
    s->options.limits.cache_bytes = 1;
    script_restart_empty(s);
    script_write(s, declared(s, EXPIRE_NONE, 0), "seen", "a/int", "1");
    struct engine_figures figures;
    engine_figures(s->engine, &figures);
    assert_int_equal(figures.instances, 1); /* what the view lacks must stay */
    assert_true(s->hurries > 0);

    script_commit(s);
    engine_figures(s->engine, &figures);
    assert_int_equal(figures.instances, 0);
    assert_int_equal(figures.evicted, 1);
    struct call *call = next_call(s, "ann");
    assert_string_equal(call_state(s, call, "seen"), "1");
}

/* Values of one size go one over the other: where one stands, and that it is there, must be known.
 */
static void a_stored_state_in_any_form_is_overwritten(void **state)
{
    static const char *const forms[] = {
        "\x0a\x05"
        "a/int"
        "\x10\x01"
        "\x1a\x02"
        "ol", /* ours */
        "\x1a\x02"
        "ol"
        "\x10\x01"
        "\x0a\x05"
        "a/int",
        "\x0a\x05"
        "a/int"
        "\x1a\x02"
        "ol"
        "\x10\x01",
        "\x0a\x05"
        "a/int"
        "\x10\x00"
        "\x1a\x02"
        "ol",
    };
    enum { FORM_BYTES = 13, DEADLINE_BYTES = 8 };
    struct script *s = *state;
    script_write(s, declared(s, EXPIRE_NONE, 0), "seen", "a/int", "ol");
    script_commit(s);
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        struct bytes stored = script_nth(s, KEY_STATE, 0)->value;
        assert_int_equal(stored.size, DEADLINE_BYTES + FORM_BYTES);
        memcpy((uint8_t *)stored.data + DEADLINE_BYTES, forms[i], FORM_BYTES);
        script_crash(s);
        for (const char *const *text = (const char *const[]){"xy", "zz", NULL}; *text; text++) {
            script_write(s, next_call(s, "ann"), "seen", "a/int", *text);
            struct call *call = next_call(s, "ann");
            struct typed_value value;
            assert_string_equal(call_state(s, call, "seen"), *text);
            assert_true(typed_value_parse(call->states[0].value, &value, NULL));
            assert_true(value.has_value);
            assert_bytes(value.type, "a/int");
            script_answer_nothing(s, call);
        }
        script_commit(s);
    }
}

/* --- what a function keeps between calls --- */

/* The function answers that it keeps what it leaves under `version`. */
static void write_and_keep(struct script *s, struct call *call, const char *text, uint64_t version)
{
    struct state_mutation mutation = mutation_of("seen", "a/int", text);
    struct from_function reply = {.mutations = &mutation, .mutation_count = 1, .version = version};
    script_answer(s, call, &reply);
}

static void what_a_function_keeps_is_known_by_its_version(void **state)
{
    struct script *s = *state;
    struct call *call = declared(s, EXPIRE_NONE, 0);
    assert_int_equal(call->version, 0);
    write_and_keep(s, call, "1", 7);
    call = next_call(s, "ann");
    assert_int_equal(call->version, 7);
    assert_true(call->states[0].kept);
    assert_string_equal(call_state(s, call, "seen"), "1"); /* if it has to be sent after all */

    script_answer(s, call, &(struct from_function){.version = 8}); /* nothing has changed */
    call = next_call(s, "ann");
    assert_int_equal(call->version, 8);
    assert_true(call->states[0].kept);
    assert_int_equal(next_call(s, "bob")->version, 0);
}

static void a_function_that_keeps_nothing_more_is_sent_all(void **state)
{
    struct script *s = *state;
    write_and_keep(s, declared(s, EXPIRE_NONE, 0), "1", 7);
    script_answer_nothing(s, next_call(s, "ann"));
    assert_int_equal(next_call(s, "ann")->version, 0);
}

static void a_state_that_expired_is_not_kept(void **state)
{
    struct script *s = *state;
    write_and_keep(s, declared(s, EXPIRE_AFTER_WRITE, 1000), "1", 7);
    script_advance(s, 1000);
    struct call *call = next_call(s, "ann");
    assert_null(call_state(s, call, "seen"));
    assert_false(call->states[0].kept);
}

static void a_state_that_left_memory_is_not_kept(void **state)
{
    struct script *s = *state;
    s->options.limits.cache_bytes = 1;
    script_restart_empty(s);
    write_and_keep(s, declared(s, EXPIRE_NONE, 0), "1", 7);
    script_commit(s);
    struct call *call = next_call(s, "ann");
    assert_int_equal(call->version, 0);
    assert_false(call->states[0].kept);
}

static void a_small_state_is_not_kept(void **state)
{
    struct script *s = *state;
    s->options.kept_bytes_min = 20;
    script_restart_empty(s);
    write_and_keep(s, declared(s, EXPIRE_NONE, 0), "1", 7);
    struct call *call = next_call(s, "ann");
    assert_false(call->states[0].kept);
    write_and_keep(s, call, "a state of some size", 8);
    assert_true(next_call(s, "ann")->states[0].kept);
}

/* Its function knows the version no more, say. */
static void an_invocation_may_have_to_be_repeated(void **state)
{
    struct script *s = *state;
    struct call *call = declared(s, EXPIRE_NONE, 0);
    assert_false(invocation_goes_alone(call->invocation));
    script_send(s, "f", "ann", "meanwhile");
    struct invocation *invocation = call->invocation;
    call->invocation = NULL;
    engine_repeat(s->engine, invocation);
    engine_run(s->engine);
    call = script_call(s);
    expect_message(call, 0, "hello");
    assert_true(invocation_goes_alone(call->invocation));
    assert_int_equal(s->report_count, 0);
    script_answer_nothing(s, call);
    assert_false(invocation_goes_alone(next_call(s, "ann")->invocation));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRIPT(missing_states_are_registered_and_the_function_is_asked_again),
        SCRIPT(a_state_is_declared_for_all_addresses_of_a_function),
        SCRIPT(a_state_is_what_was_last_written),
        SCRIPT(a_value_of_no_bytes_is_present),
        SCRIPT(a_deleted_state_is_absent),
        SCRIPT(of_several_mutations_of_one_state_the_last_counts),
        SCRIPT(states_and_their_specs_survive_a_crash),
        SCRIPT(without_remembered_specs_a_function_is_asked_anew),
        SCRIPT(a_remembered_spec_that_a_reply_contradicts_is_forgotten),
        SCRIPT(a_state_without_expiry_stays),
        SCRIPT(a_state_expires_some_time_after_it_was_written),
        SCRIPT(a_write_begins_the_time_anew),
        SCRIPT(a_state_may_live_as_long_as_it_is_used),
        SCRIPT(expiry_survives_a_crash),
        SCRIPT(the_first_expiration_that_is_declared_wins),
        SCRIPT(a_state_that_left_memory_is_read_again),
        SCRIPT(a_stored_state_in_any_form_is_overwritten),
        SCRIPT(what_a_function_keeps_is_known_by_its_version),
        SCRIPT(a_function_that_keeps_nothing_more_is_sent_all),
        SCRIPT(a_state_that_expired_is_not_kept),
        SCRIPT(a_state_that_left_memory_is_not_kept),
        SCRIPT(a_small_state_is_not_kept),
        SCRIPT(an_invocation_may_have_to_be_repeated),
    };
    return cmocka_run_group_tests_name("states", tests, NULL, NULL);
}
