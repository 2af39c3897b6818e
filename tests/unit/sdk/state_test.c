/* state_test.c - values, tables and buffers, and what they are when they come back. */
#include "sdk/calling.h"

static const struct sf_state COUNT = SF_VALUE("count", &sf_int_type);
static const struct sf_state NAME = SF_VALUE("name", &sf_string_type);
static const struct sf_state AGES = SF_TABLE("ages", &sf_string_type, &sf_int_type);
static const struct sf_state LOG = SF_BUFFER("log", &sf_string_type);

/* --- values --- */

static bool count_up(struct sf_context *context, const struct sf_message *message)
{
    int32_t count = 100;
    (void)message;
    (void)sf_get(context, &COUNT, &count);
    return sf_set(context, &COUNT, sf_int(count + 1));
}

static void a_value_that_is_not_there_leaves_the_default(void **state)
{
    struct calling *c = *state;
    give_none(c, "count");
    say(c, sf_string("go"));
    assert_runs(c, count_up);
    assert_int_equal(c->reply->mutation_count, 1);
    assert_int_equal(c->reply->mutations[0].kind, MUTATION_MODIFY);
    assert_bytes(c->reply->mutations[0].value.type, "io.statefun.types/int");
    assert_memory_equal(c->reply->mutations[0].value.value.data, "\x0d\x65\0\0\0", 5);
}

static void all_messages_of_a_batch_see_one_state(void **state)
{
    struct calling *c = *state;
    give(c, "count", sf_int(1));
    for (int i = 0; i < 5; i++)
        say(c, sf_string("go"));
    assert_runs(c, count_up);
    assert_int_equal(c->reply->mutation_count, 1);
    assert_memory_equal(c->reply->mutations[0].value.value.data, "\x0d\x06\0\0\0", 5);
}

static bool set_and_clear(struct sf_context *context, const struct sf_message *message)
{
    int32_t count = 3;
    (void)message;
    assert_true(sf_set(context, &COUNT, sf_int(7)));
    assert_true(sf_get(context, &COUNT, &count));
    assert_int_equal(count, 7);
    assert_true(sf_clear(context, &COUNT));
    assert_false(sf_get(context, &COUNT, &count));
    assert_int_equal(count, 7);
    return true;
}

static void a_cleared_value_is_deleted(void **state)
{
    struct calling *c = *state;
    give(c, "count", sf_int(1));
    say(c, sf_string("go"));
    assert_runs(c, set_and_clear);
    assert_int_equal(c->reply->mutation_count, 1);
    assert_int_equal(c->reply->mutations[0].kind, MUTATION_DELETE);
}

static bool read_only(struct sf_context *context, const struct sf_message *message)
{
    int32_t count = 0;
    const char *name;
    (void)message;
    assert_true(sf_get(context, &COUNT, &count));
    assert_true(sf_get(context, &NAME, &name));
    assert_string_equal(name, "");
    assert_int_equal(count, 0);
    return true;
}

/* An empty value is one: has_value is what counts. */
static void a_value_that_was_only_read_is_not_written(void **state)
{
    struct calling *c = *state;
    give(c, "count", sf_int(0));
    give(c, "name", sf_string(""));
    say(c, sf_string("go"));
    assert_runs(c, read_only);
    assert_int_equal(c->reply->mutation_count, 0);
}

static void a_typed_value_without_a_value_is_none(void **state)
{
    struct calling *c = *state;
    give_state(c, "count",
               calling_typed(c, &(struct typed_value){.type = bytes_of(sf_int_type.name)}), true);
    say(c, sf_string("go"));
    assert_runs(c, count_up);
    assert_memory_equal(c->reply->mutations[0].value.value.data, "\x0d\x65\0\0\0", 5);
}

static bool set_text(struct sf_context *context, const struct sf_message *message)
{
    (void)message;
    return sf_set(context, &COUNT, sf_string("seven"));
}

static void a_value_of_another_type_is_refused(void **state)
{
    struct calling *c = *state;
    give_none(c, "count");
    say(c, sf_string("go"));
    assert_fails(c, set_text, "state 'count' has type 'io.statefun.types/int', the value is of");
}

static void a_stored_value_of_another_type_is_refused(void **state)
{
    struct calling *c = *state;
    give(c, "count", sf_long(7));
    say(c, sf_string("go"));
    assert_fails(c, count_up, "state 'count' holds a value of type 'io.statefun.types/long'");
}

static void a_stored_value_that_is_malformed_is_refused(void **state)
{
    struct calling *c = *state;
    give(c, "count", sf_raw("io.statefun.types/int", "xyz", 3));
    say(c, sf_string("go"));
    assert_fails(c, count_up, "state 'count': 3 bytes are no value");
}

/* --- kinds --- */

static bool use_table_as_value(struct sf_context *context, const struct sf_message *message)
{
    int32_t number;
    (void)message;
    assert_false(sf_get(context, &AGES, &number));
    assert_false(sf_set(context, &AGES, sf_int(1)));
    return true;
}

static bool use_value_as_table(struct sf_context *context, const struct sf_message *message)
{
    int32_t number;
    size_t position = 0;
    (void)message;
    assert_false(sf_table_get(context, &COUNT, sf_string("ann"), &number));
    assert_false(sf_table_set(context, &COUNT, sf_string("ann"), sf_int(1)));
    assert_false(sf_table_remove(context, &COUNT, sf_string("ann")));
    assert_false(sf_table_next(context, &COUNT, &position, NULL, NULL));
    assert_int_equal(sf_table_size(context, &COUNT), 0);
    return true;
}

static bool use_table_as_buffer(struct sf_context *context, const struct sf_message *message)
{
    size_t position = 0;
    int32_t number;
    (void)message;
    assert_false(sf_buffer_append(context, &AGES, sf_int(1)));
    assert_false(sf_buffer_next(context, &AGES, &position, &number));
    assert_int_equal(sf_buffer_size(context, &AGES), 0);
    return true;
}

static void a_state_is_used_as_what_it_is(void **state)
{
    struct calling *c = *state;
    give_none(c, "count");
    give_none(c, "ages");
    say(c, sf_string("go"));
    assert_fails(c, use_table_as_value, "state 'ages' is a table and is used as a value");
    assert_fails(c, use_value_as_table, "state 'count' is a value and is used as a table");
    assert_fails(c, use_table_as_buffer, "state 'ages' is a table and is used as a buffer");
}

static bool use_bad_states(struct sf_context *context, const struct sf_message *message)
{
    const char *which;
    int32_t number;
    static const struct sf_state typeless = {.name = "typeless"}, nameless = {.type = &sf_int_type},
                                 keyless = {.name = "keyless",
                                            .kind = SF_STATE_TABLE,
                                            .type = &sf_int_type},
                                 odd = SF_VALUE("request-state", &sf_int_type),
                                 hasty = SF_VALUE("hasty", &sf_int_type,
                                                  SF_EXPIRES(SF_EXPIRE_AFTER_WRITE, 0));
    assert_true(sf_read(context, message, &sf_string_type, &which));
    switch (which[0]) {
    case 't':
        return sf_get(context, &typeless, &number);
    case 'n':
        return sf_clear(context, &nameless);
    case 'k':
        return sf_table_set(context, &keyless, sf_int(1), sf_int(1));
    case 'o':
        return sf_get(context, &odd, &number);
    default:
        return sf_set(context, &hasty, sf_int(1));
    }
}

static void a_state_that_is_half_defined_fails_its_function(void **state)
{
    struct calling *c = *state;
    static const char *const cases[][2] = {
        {"t", "state 'typeless' has no type"},
        {"n", "state '' has no name"},
        {"k", "state 'keyless' has no key type"},
        {"o", "state 'request-state': expected a name of letters, digits and _"},
        {"h", "state 'hasty' expires after 0 ms, expected more than 0"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        c->message_count = 0;
        say(c, sf_string(cases[i][0]));
        assert_fails(c, use_bad_states, cases[i][1]);
    }
}

/* --- states that did not come with the request --- */

static const struct sf_state EXPIRING =
    SF_VALUE("expiring", &sf_int_type, SF_EXPIRES(SF_EXPIRE_AFTER_CALL, 5000));

static bool use_undeclared(struct sf_context *context, const struct sf_message *message)
{
    int32_t count = 0;
    (void)message;
    if (!sf_get(context, &COUNT, &count))
        (void)sf_send(context, sf_address("example/other", "x"), sf_string("lost"));
    (void)sf_table_set(context, &AGES, sf_string("ann"), sf_int(30));
    (void)sf_set(context, &EXPIRING, sf_int(1));
    if (count == 0)
        return sf_fail_call(context, "there must be a count");
    return true;
}

static void a_state_that_did_not_come_is_asked_for(void **state)
{
    struct calling *c = *state;
    say(c, sf_string("go"));
    assert_runs(c, use_undeclared);
    assert_true(c->reply->is_incomplete);
    assert_int_equal(c->reply->missing_count, 3);
    assert_bytes(c->reply->missing[0].name, "count");
    assert_bytes(c->reply->missing[0].type, "io.statefun.types/int");
    assert_int_equal(c->reply->missing[0].mode, EXPIRE_NONE);
    assert_bytes(c->reply->missing[1].name, "ages");
    assert_bytes(c->reply->missing[1].type, "io.statefun.c/table");
    assert_bytes(c->reply->missing[2].name, "expiring");
    assert_int_equal(c->reply->missing[2].mode, EXPIRE_AFTER_INVOKE);
    assert_int_equal(c->reply->missing[2].expire_after_ms, 5000);

    /* Called again, it finds them; and only now is its failure one. */
    give(c, "count", sf_int(5));
    give_none(c, "ages");
    give_none(c, "expiring");
    assert_runs(c, use_undeclared);
    assert_false(c->reply->is_incomplete);
    assert_int_equal(c->reply->mutation_count, 2);
    assert_int_equal(c->reply->message_count, 0);
    c->states[0].present = false;
    assert_fails(c, use_undeclared, "there must be a count");
}

static bool must_not_be_called(struct sf_context *context, const struct sf_message *message)
{
    (void)context, (void)message;
    fail_msg("called without its states");
    return false;
}

static void a_function_is_not_called_before_its_declared_states_are_there(void **state)
{
    struct calling *c = *state;
    c->function.states = SF_STATES(&COUNT, &AGES);
    give(c, "count", sf_int(1));
    say(c, sf_string("go"));
    assert_runs(c, must_not_be_called);
    assert_true(c->reply->is_incomplete);
    assert_int_equal(c->reply->missing_count, 1);
    assert_bytes(c->reply->missing[0].name, "ages");
}

/* --- states that are declared: known by their address --- */

static void a_declared_state_is_any_other_to_its_function(void **state)
{
    struct calling *c = *state;
    c->function.states = SF_STATES(&NAME, &COUNT);
    give(c, "count", sf_int(1)); /* in another order */
    give_none(c, "name");
    say(c, sf_string("go"));
    say(c, sf_string("go"));
    assert_runs(c, count_up);
    assert_int_equal(c->reply->mutation_count, 1);
    assert_bytes(c->reply->mutations[0].name, "count");
    assert_memory_equal(c->reply->mutations[0].value.value.data, "\x0d\x03\0\0\0", 5);
    assert_runs(c, set_and_clear);
    assert_int_equal(c->reply->mutations[0].kind, MUTATION_DELETE);
    c->states[0].value = calling_encode(c, sf_string("many"));
    assert_fails(c, count_up, "state 'count' holds a value of type 'io.statefun.types/string'");
}

static const struct sf_state COUNT_TOO = SF_VALUE("count", &sf_int_type);
static const struct sf_state COUNT_AS_TEXT = SF_VALUE("count", &sf_string_type);

static bool use_by_two_names(struct sf_context *context, const struct sf_message *message)
{
    int32_t count = 0;
    (void)message;
    assert_true(sf_get(context, &COUNT, &count));
    assert_true(sf_set(context, &COUNT_TOO, sf_int(count + 1)));
    assert_true(sf_get(context, &COUNT, &count));
    assert_int_equal(count, 2);
    assert_true(sf_clear(context, &COUNT));
    return sf_set(context, &COUNT_AS_TEXT, sf_string("two"));
}

static bool use_by_two_types(struct sf_context *context, const struct sf_message *message)
{
    int32_t count = 0;
    return use_by_two_names(context, message) && sf_get(context, &COUNT, &count);
}

/* What is declared, and what has the same name, are one state. */
static void a_declared_state_has_one_value_by_all_its_names(void **state)
{
    struct calling *c = *state;
    c->function.states = SF_STATES(&COUNT);
    give(c, "count", sf_int(1));
    say(c, sf_string("go"));
    assert_runs(c, use_by_two_names);
    assert_bytes(c->reply->mutations[0].value.type, "io.statefun.types/string"); /* to be refused */
    assert_fails(c, use_by_two_types, "holds a value of type 'io.statefun.types/string'");
}

static bool use_one_after_the_other(struct sf_context *context, const struct sf_message *message)
{
    char name[] = "a";
    struct sf_state one = SF_VALUE(name, &sf_int_type);
    (void)message;
    for (; name[0] <= 'c'; name[0]++)
        assert_true(sf_set(context, &one, sf_int(name[0])));
    return true;
}

static void a_state_that_is_not_declared_is_known_by_its_name_alone(void **state)
{
    struct calling *c = *state;
    give_none(c, "c");
    give_none(c, "b");
    give_none(c, "a");
    say(c, sf_string("go"));
    assert_runs(c, use_one_after_the_other);
    assert_int_equal(c->reply->mutation_count, 3);
    assert_memory_equal(c->reply->mutations[0].value.value.data,
                        "\x0d"
                        "c\0\0\0",
                        5);
    assert_memory_equal(c->reply->mutations[2].value.value.data,
                        "\x0d"
                        "a\0\0\0",
                        5);
}

static bool count_up_as_before(struct sf_context *context, const struct sf_message *message)
{
    const struct sf_host *host = context->host;
    struct sf_host older = *host;
    older.size = offsetof(struct sf_host, state_read);
    older.state_read = NULL;
    older.state_write = NULL;
    context->host = &older;
    bool good = count_up(context, message);
    context->host = host;
    return good;
}

static void an_older_host_knows_states_by_their_names(void **state)
{
    struct calling *c = *state;
    c->function.states = SF_STATES(&COUNT);
    give(c, "count", sf_int(1));
    say(c, sf_string("go"));
    assert_runs(c, count_up_as_before);
    assert_memory_equal(c->reply->mutations[0].value.value.data, "\x0d\x02\0\0\0", 5);
}

/* --- tables --- */

static bool fill_table(struct sf_context *context, const struct sf_message *message)
{
    (void)message;
    return sf_table_set(context, &AGES, sf_string("cleo"), sf_int(3)) &&
           sf_table_set(context, &AGES, sf_string("ann"), sf_int(1)) &&
           sf_table_set(context, &AGES, sf_string("bob"), sf_int(2)) &&
           sf_table_set(context, &AGES, sf_string("cleo"), sf_int(4)) &&
           sf_table_set(context, &AGES, sf_string(""), sf_int(0));
}

static bool look_at_table(struct sf_context *context, const struct sf_message *message)
{
    static const char *const names[] = {"cleo", "ann", "bob", ""};
    static const int32_t ages[] = {4, 1, 2, 0};
    const char *name;
    int32_t age;
    size_t position = 0, at = 0;
    (void)message;
    assert_int_equal(sf_table_size(context, &AGES), 4);
    for (; sf_table_next(context, &AGES, &position, &name, &age); at++) {
        assert_string_equal(name, names[at]);
        assert_int_equal(age, ages[at]);
    }
    assert_int_equal(at, 4);
    assert_true(sf_table_get(context, &AGES, sf_string("bob"), &age));
    assert_int_equal(age, 2);
    age = 77;
    assert_false(sf_table_get(context, &AGES, sf_string("dora"), &age));
    assert_int_equal(age, 77);
    return true;
}

static void a_table_keeps_the_order_of_first_insertion(void **state)
{
    struct calling *c = *state;
    give_none(c, "ages");
    say(c, sf_string("go"));
    assert_runs(c, fill_table);
    assert_bytes(c->reply->mutations[0].value.type, "io.statefun.c/table");
    go_on(c);
    say(c, sf_string("go"));
    assert_runs(c, look_at_table);
    assert_int_equal(c->reply->mutation_count, 0);
}

/* Entries of all lengths, some of which are changed in a call and others are not. */
enum { MODEL_KEYS = 12, MODEL_CALLS = 400, MODEL_TEXT_MAX = 300 };
static const struct sf_state TEXTS = SF_TABLE("texts", &sf_int_type, &sf_string_type);

static struct model {
    uint32_t random;
    int order[MODEL_KEYS]; /* of the keys that are there */
    size_t count;
    char texts[MODEL_KEYS][MODEL_TEXT_MAX + 1];
} model;

static uint32_t draw(uint32_t below)
{
    model.random = model.random * 1664525u + 1013904223u;
    return (model.random >> 8) % below;
}

static size_t place_of(int key)
{
    size_t at = 0;
    while (at < model.count && model.order[at] != key)
        at++;
    return at;
}

static void change_model(int key, bool removes)
{
    size_t at = place_of(key), size = draw(2) ? draw(20) : draw(MODEL_TEXT_MAX);
    if (removes && at < model.count) {
        model.count--;
        memmove(&model.order[at], &model.order[at + 1], (model.count - at) * sizeof(int));
    } else if (!removes) {
        memset(model.texts[key], 'a' + (int)draw(26), size);
        model.texts[key][size] = '\0';
        if (at == model.count)
            model.order[model.count++] = key;
    }
}

static void expect_model(struct sf_context *context)
{
    size_t position = 0;
    int32_t key;
    const char *text;
    assert_int_equal(sf_table_size(context, &TEXTS), model.count);
    for (size_t i = 0; i < model.count; i++) {
        assert_true(sf_table_next(context, &TEXTS, &position, &key, &text));
        assert_int_equal(key, model.order[i]);
        assert_string_equal(text, model.texts[key]);
    }
}

static bool change_some(struct sf_context *context, const struct sf_message *message)
{
    (void)message;
    expect_model(context);
    for (uint32_t changes = draw(3); changes; changes--) {
        int key = (int)draw(MODEL_KEYS);
        bool removes = draw(3) == 0;
        change_model(key, removes);
        assert_true(removes
                        ? sf_table_remove(context, &TEXTS, sf_int(key))
                        : sf_table_set(context, &TEXTS, sf_int(key), sf_string(model.texts[key])));
    }
    return true;
}

static void a_table_is_what_was_made_of_it_in_many_calls(void **state)
{
    struct calling *c = *state;
    model = (struct model){.random = 1};
    give_none(c, "texts");
    for (int i = 0; i < MODEL_CALLS; i++) {
        say(c, sf_string("go"));
        say(c, sf_string("and again, with what the first has left"));
        assert_runs(c, change_some);
        go_on(c);
    }
}

static bool remove_while_iterating(struct sf_context *context, const struct sf_message *message)
{
    const char *name;
    size_t position = 0;
    (void)message;
    while (sf_table_next(context, &AGES, &position, &name, NULL))
        if (strcmp(name, "bob") != 0) {
            assert_true(sf_table_remove(context, &AGES, sf_string(name)));
            position--; /* those behind come one earlier */
        }
    assert_int_equal(sf_table_size(context, &AGES), 1);
    assert_true(sf_table_remove(context, &AGES, sf_string("nobody")));
    return true;
}

static bool only_bob(struct sf_context *context, const struct sf_message *message)
{
    int32_t age;
    (void)message;
    assert_int_equal(sf_table_size(context, &AGES), 1);
    assert_true(sf_table_get(context, &AGES, sf_string("bob"), &age));
    assert_true(sf_clear(context, &AGES));
    assert_false(sf_table_get(context, &AGES, sf_string("bob"), &age));
    return true;
}

static void a_table_is_changed_while_it_is_gone_through(void **state)
{
    struct calling *c = *state;
    give_none(c, "ages");
    say(c, sf_string("go"));
    assert_runs(c, fill_table);
    go_on(c);
    say(c, sf_string("go"));
    assert_runs(c, remove_while_iterating);
    go_on(c);
    say(c, sf_string("go"));
    assert_runs(c, only_bob);
    assert_int_equal(c->reply->mutations[0].kind, MUTATION_DELETE); /* an empty table is none */
}

static bool wrong_key(struct sf_context *context, const struct sf_message *message)
{
    (void)message;
    return sf_table_set(context, &AGES, sf_int(1), sf_int(1));
}

static bool wrong_value(struct sf_context *context, const struct sf_message *message)
{
    (void)message;
    return sf_table_set(context, &AGES, sf_string("ann"), sf_long(1));
}

static void keys_and_values_of_a_table_have_its_types(void **state)
{
    struct calling *c = *state;
    give_none(c, "ages");
    say(c, sf_string("go"));
    assert_fails(c, wrong_key, "state 'ages' has type 'io.statefun.types/string', the value is of");
    assert_fails(c, wrong_value, "state 'ages' has type 'io.statefun.types/int', the value is of");
}

static bool as_other_table(struct sf_context *context, const struct sf_message *message)
{
    static const struct sf_state other_value = SF_TABLE("ages", &sf_string_type, &sf_long_type),
                                 other_key = SF_TABLE("ages", &sf_int_type, &sf_int_type);
    int64_t number;
    const char *which;
    assert_true(sf_read(context, message, &sf_string_type, &which));
    return *which == 'k' ? sf_table_get(context, &other_key, sf_int(1), &number)
                         : sf_table_get(context, &other_value, sf_string("bob"), &number);
}

static void a_stored_table_of_other_types_is_refused(void **state)
{
    struct calling *c = *state;
    give_none(c, "ages");
    say(c, sf_string("go"));
    assert_runs(c, fill_table);
    go_on(c);
    say(c, sf_string("v"));
    assert_fails(c, as_other_table, "holds values of type 'io.statefun.types/int', not of");
    c->message_count = 0;
    say(c, sf_string("k"));
    assert_fails(c, as_other_table, "holds keys of type 'io.statefun.types/string', not of");
}

static bool measure_table(struct sf_context *context, const struct sf_message *message)
{
    (void)message;
    assert_int_equal(sf_table_size(context, &AGES), 0);
    return true;
}

static void a_stored_table_that_is_malformed_is_refused(void **state)
{
    struct calling *c = *state;
    give(c, "ages", sf_raw("io.statefun.c/table", "\x1a\x05xx", 4));
    say(c, sf_string("go"));
    assert_fails(c, measure_table, "state 'ages' is malformed");
}

/* --- entries that expire --- */

static const struct sf_state VISITS =
    SF_TABLE("visits", &sf_int_type, &sf_int_type, SF_EXPIRES(SF_EXPIRE_AFTER_WRITE, 100));
static const struct sf_state USES =
    SF_TABLE("uses", &sf_int_type, &sf_int_type, SF_EXPIRES(SF_EXPIRE_AFTER_CALL, 100));

/* The message's number n: writes entry n; and reads entry 1 of both. */
static bool write_and_read(struct sf_context *context, const struct sf_message *message)
{
    int32_t number, value;
    assert_true(sf_read(context, message, &sf_int_type, &number));
    (void)sf_table_get(context, &VISITS, sf_int(1), &value);
    (void)sf_table_get(context, &USES, sf_int(1), &value);
    return sf_table_set(context, &VISITS, sf_int(number), sf_int(number)) &&
           sf_table_set(context, &USES, sf_int(number), sf_int(number));
}

static void step(struct calling *c, int64_t ms, int32_t number)
{
    c->now_ms = CALLING_NOW_MS + ms;
    say(c, sf_int(number));
    assert_runs(c, write_and_read);
    go_on(c);
}

static bool what_is_left(struct sf_context *context, const struct sf_message *message)
{
    int32_t number;
    assert_true(sf_read(context, message, &sf_int_type, &number));
    assert_int_equal(sf_table_size(context, &VISITS), number / 10);
    assert_int_equal(sf_table_size(context, &USES), number % 10);
    return true;
}

static void each_entry_of_a_table_expires_by_itself(void **state)
{
    struct calling *c = *state;
    give_none(c, "visits");
    give_none(c, "uses");
    step(c, 0, 1);
    step(c, 60, 2); /* entry 1 is used once more */
    c->now_ms = CALLING_NOW_MS + 99;
    say(c, sf_int(22));
    assert_runs(c, what_is_left);
    c->message_count = 0;
    c->now_ms = CALLING_NOW_MS + 100;
    say(c, sf_int(12)); /* entry 1 was written 100 ms ago, and used 40 ms ago */
    assert_runs(c, what_is_left);
    c->message_count = 0;
    c->now_ms = CALLING_NOW_MS + 160;
    say(c, sf_int(0));
    assert_runs(c, what_is_left);
}

/* --- buffers --- */

static bool append(struct sf_context *context, const struct sf_message *message)
{
    const char *text;
    assert_true(sf_read(context, message, &sf_string_type, &text));
    return sf_buffer_append(context, &LOG, sf_string(text));
}

static bool look_at_buffer(struct sf_context *context, const struct sf_message *message)
{
    const char *text, *expected;
    char all[64] = "";
    size_t position = 0, used = 0;
    assert_true(sf_read(context, message, &sf_string_type, &expected));
    while (sf_buffer_next(context, &LOG, &position, &text)) {
        memcpy(all + used, text, strlen(text) + 1);
        used += strlen(text);
    }
    assert_string_equal(all, expected);
    assert_int_equal(sf_buffer_size(context, &LOG), position);
    return true;
}

static bool clear_buffer(struct sf_context *context, const struct sf_message *message)
{
    (void)message;
    return sf_clear(context, &LOG) && sf_buffer_append(context, &LOG, sf_string("new"));
}

static void a_buffer_holds_what_was_appended_in_order(void **state)
{
    struct calling *c = *state;
    give_none(c, "log");
    say(c, sf_string("a"));
    say(c, sf_string("b"));
    say(c, sf_string("b"));
    assert_runs(c, append);
    assert_int_equal(c->reply->mutation_count, 1);
    go_on(c);
    say(c, sf_string("abb"));
    assert_runs(c, look_at_buffer);
    c->message_count = 0;
    say(c, sf_string("go"));
    assert_runs(c, clear_buffer);
    go_on(c);
    say(c, sf_string("new"));
    assert_runs(c, look_at_buffer);
}

static bool fail_after_append(struct sf_context *context, const struct sf_message *message)
{
    (void)message;
    (void)sf_buffer_append(context, &LOG, sf_string("x"));
    return sf_buffer_append(context, &LOG, sf_int(5));
}

static void a_value_of_another_type_is_not_appended(void **state)
{
    struct calling *c = *state;
    give_none(c, "log");
    say(c, sf_string("go"));
    assert_fails(c, fail_after_append, "state 'log' has type 'io.statefun.types/string'");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_value_that_is_not_there_leaves_the_default),
        TEST(all_messages_of_a_batch_see_one_state),
        TEST(a_cleared_value_is_deleted),
        TEST(a_value_that_was_only_read_is_not_written),
        TEST(a_typed_value_without_a_value_is_none),
        TEST(a_value_of_another_type_is_refused),
        TEST(a_stored_value_of_another_type_is_refused),
        TEST(a_stored_value_that_is_malformed_is_refused),
        TEST(a_state_is_used_as_what_it_is),
        TEST(a_state_that_is_half_defined_fails_its_function),
        TEST(a_state_that_did_not_come_is_asked_for),
        TEST(a_function_is_not_called_before_its_declared_states_are_there),
        TEST(a_declared_state_is_any_other_to_its_function),
        TEST(a_declared_state_has_one_value_by_all_its_names),
        TEST(a_state_that_is_not_declared_is_known_by_its_name_alone),
        TEST(an_older_host_knows_states_by_their_names),
        TEST(a_table_keeps_the_order_of_first_insertion),
        TEST(a_table_is_what_was_made_of_it_in_many_calls),
        TEST(a_table_is_changed_while_it_is_gone_through),
        TEST(keys_and_values_of_a_table_have_its_types),
        TEST(a_stored_table_of_other_types_is_refused),
        TEST(a_stored_table_that_is_malformed_is_refused),
        TEST(each_entry_of_a_table_expires_by_itself),
        TEST(a_buffer_holds_what_was_appended_in_order),
        TEST(a_value_of_another_type_is_not_appended),
    };
    return cmocka_run_group_tests_name("state", tests, NULL, NULL);
}
