/* call_test.c - what a function does with its context: who, messages out, match, failing. */
#include "sdk/calling.h"

#include <stdio.h>

/* --- who and when --- */

static bool look_around(struct sf_context *context, const struct sf_message *message)
{
    struct sf_address self = sf_self(context), caller;
    assert_string_equal(self.type, "example/tested");
    assert_string_equal(self.id, "me");
    assert_int_equal(self.id_size, 2);
    assert_int_equal(sf_now_ms(context), CALLING_NOW_MS);
    assert_string_equal(sf_user(context), "user");
    assert_string_equal(sf_message_type(context, message), "io.statefun.types/string");
    const char *text;
    assert_true(sf_read(context, message, &sf_string_type, &text));
    bool has_caller = sf_caller(context, &caller);
    assert_int_equal(has_caller, strcmp(text, "from ann") == 0);
    if (has_caller) {
        assert_string_equal(caller.type, "example/caller");
        assert_string_equal(caller.id, "ann");
    }
    return true;
}

static void a_function_knows_itself_its_caller_and_the_time(void **state)
{
    struct calling *c = *state;
    c->function.user = "user";
    say_from(c, "ann", sf_string("from ann"));
    say(c, sf_string("from nobody"));
    assert_runs(c, look_around);
}

static bool answer(struct sf_context *context, const struct sf_message *message)
{
    struct sf_address self = sf_self(context);
    assert_int_equal(self.id_size, 3);
    assert_memory_equal(self.id, "a\0b", 4);
    (void)message;
    return sf_reply(context, sf_int(1)) && sf_send(context, self, sf_int(2));
}

/* They are counted, not ended by their NUL, and stay whole on their way. */
static void an_id_may_hold_a_nul(void **state)
{
    struct calling *c = *state;
    c->self = calling_address(c, "example", "tested", BYTES_LITERAL("a\0b"));
    add_message(c, calling_address(c, "example", "caller", BYTES_LITERAL("\0z")),
                calling_encode(c, sf_int(0)));
    assert_runs(c, answer);
    assert_true(bytes_equal(parts_of(c->reply->messages[0].target).id, BYTES_LITERAL("\0z")));
    assert_true(bytes_equal(parts_of(c->reply->messages[1].target).id, BYTES_LITERAL("a\0b")));
}

static bool answer_empty(struct sf_context *context, const struct sf_message *message)
{
    (void)message;
    assert_string_equal(sf_self(context).id, "");
    assert_int_equal(sf_self(context).id_size, 0);
    return sf_reply(context, sf_int(1)) && sf_send(context, sf_self(context), sf_int(2)) &&
           sf_send(context, sf_address("example/other", NULL), sf_int(3));
}

static void an_id_may_be_empty(void **state)
{
    struct calling *c = *state;
    c->self = calling_address(c, "example", "tested", (struct bytes){0});
    say_from(c, "", sf_int(0));
    assert_runs(c, answer_empty);
    expect_message(c, 0, "caller", "", sf_int(1));
    expect_message(c, 1, "tested", "", sf_int(2));
    expect_message(c, 2, "other", "", sf_int(3));
}

/* --- messages out --- */

static bool send_all(struct sf_context *context, const struct sf_message *message)
{
    struct sf_address other = sf_address("example/other", "x");
    char text[] = "copied";
    assert_true(sf_send(context, other, sf_string(text)));
    text[0] = 'X'; /* what is handed over is copied */
    assert_true(sf_send(context, other, sf_message_value(message)));
    struct sf_value formatted = sf_format(context, "%s-%d", "formatted", 7);
    assert_string_equal(formatted.as_bytes.data, "formatted-7"); /* with its NUL */
    assert_true(sf_send(context, other, formatted));
    assert_true(sf_send_after(context, 500, "token", other, sf_int(4)));
    assert_true(sf_send_after(context, 0, NULL, other, sf_int(5)));
    assert_true(sf_cancel(context, "token"));
    assert_true(sf_send_egress(context, "example/egress", sf_int(6)));
    return true;
}

static void what_is_sent_comes_out_in_order(void **state)
{
    struct calling *c = *state;
    say(c, sf_raw("not a typename", "raw\0bytes", 9));
    assert_runs(c, send_all);
    assert_int_equal(c->reply->message_count, 3);
    expect_message(c, 0, "other", "x", sf_string("copied"));
    expect_message(c, 1, "other", "x", sf_raw("not a typename", "raw\0bytes", 9));
    expect_message(c, 2, "other", "x", sf_string("formatted-7"));
    assert_int_equal(c->reply->delayed_count, 3);
    assert_int_equal(c->reply->delayed[0].delay_ms, 500);
    assert_bytes(c->reply->delayed[0].token, "token");
    expect_typed(c, c->reply->delayed[0].argument, sf_int(4));
    assert_int_equal(c->reply->delayed[1].token.size, 0);
    assert_false(c->reply->delayed[1].is_cancellation);
    assert_true(c->reply->delayed[2].is_cancellation);
    assert_bytes(c->reply->delayed[2].token, "token");
    assert_int_equal(c->reply->egress_count, 1);
    assert_bytes(c->reply->egresses[0].ns, "example");
    assert_bytes(c->reply->egresses[0].name, "egress");
    expect_typed(c, c->reply->egresses[0].argument, sf_int(6));
}

/* Of ids, names of types and values: where a length takes a byte more, and the first and last of
 * what a copy treats alike. */
static const size_t lengths[] = {1,   2,   3,   4,   7,   8,   15,  16,  17,  31,  32,
                                 33,  62,  63,  64,  90,  99,  100, 101, 108, 109, 110,
                                 111, 112, 123, 124, 126, 127, 128, 129, 300};
static char letters[512];

enum { LENGTHS = sizeof lengths / sizeof lengths[0] };

static const char *letters_and_end(struct sf_context *context, size_t count)
{
    char *text = sf_alloc(context, count + 1);
    memcpy(text, letters, count);
    return text;
}

static bool send_of_each_length(struct sf_context *context, const struct sf_message *message)
{
    (void)message;
    for (size_t i = 0; i < LENGTHS; i++)
        for (size_t k = 0; k < LENGTHS; k++) {
            const char *id = letters_and_end(context, lengths[i]);
            struct sf_value value = sf_raw("example/raw", letters + 1, lengths[k]);
            assert_true(sf_send(context, sf_address("example/other", id), value));
        }
    for (size_t i = 0; i < LENGTHS; i++) {
        struct sf_value value = sf_raw(letters_and_end(context, lengths[i]), "", 0);
        assert_true(sf_send(context, sf_address("example/other", "x"), value));
    }
    return true;
}

/* Where a message will wait: its target, and behind that its body. */
static uint8_t *new_message(void *owner, size_t target_size, size_t body_size,
                            struct message **ret_message)
{
    struct calling *c = owner;
    uint8_t *memory = arena_take(&c->arena, target_size + body_size);
    *ret_message = (struct message *)memory;
    return memory;
}

static void leave_message(struct message *message)
{
    (void)message;
}

static void expect_sent(struct calling *c, size_t at, struct bytes id, struct typed_value value)
{
    assert_true(at < c->reply->message_count);
    const struct outgoing_message *message = &c->reply->messages[at];
    struct bytes target = calling_address(c, "example", "other", id), caller, argument;
    value.has_value = true;
    assert_true(bytes_equal(message->target, target));
    assert_true(bytes_equal(message->argument, calling_typed(c, &value)));

    const uint8_t *memory = (const uint8_t *)message->ready, *body = memory + target.size;
    const uint8_t *end = message->argument.data + message->argument.size;
    assert_ptr_equal(message->target.data, memory);
    assert_true(message_body_parse(bytes_make(body, (size_t)(end - body)), &caller, &argument));
    assert_true(bytes_equal(caller, c->self));
    assert_ptr_equal(argument.data, message->argument.data);
}

static void what_is_sent_is_whole_however_long_its_parts_are(void **state)
{
    struct calling *c = *state;
    c->world =
        (struct batch_world){.owner = c, .message_new = new_message, .message_free = leave_message};
    for (size_t i = 0; i < sizeof letters; i++)
        letters[i] = (char)('a' + i % 26);
    for (size_t self = 0; self < LENGTHS; self++) {
        struct typed_value value = {.type = bytes_of("example/raw")}, empty = {.value = {0}};
        c->self = calling_address(c, "example", "tested", bytes_make(letters, lengths[self]));
        c->message_count = 0;
        say(c, sf_int(0));
        assert_runs(c, send_of_each_length);
        for (size_t i = 0; i < LENGTHS; i++)
            for (size_t k = 0; k < LENGTHS; k++) {
                value.value = bytes_make(letters + 1, lengths[k]);
                expect_sent(c, i * LENGTHS + k, bytes_make(letters, lengths[i]), value);
            }
        for (size_t i = 0; i < LENGTHS; i++) {
            empty.type = bytes_make(letters, lengths[i]);
            expect_sent(c, LENGTHS * LENGTHS + i, bytes_of("x"), empty);
        }
    }
}

static bool send_badly(struct sf_context *context, const struct sf_message *message)
{
    static const struct sf_type nameless = SF_BYTES_TYPE("bad");
    struct sf_address good = sf_address("example/other", "x");
    int32_t which;
    assert_true(sf_read(context, message, &sf_int_type, &which));
    switch (which) {
    case 0:
        return sf_send(context, sf_address("noslash", "x"), sf_int(1));
    case 1:
        return sf_send(context, sf_address(NULL, "x"), sf_int(1));
    case 2:
        return sf_send(context, good, sf_int(1)) &&
               sf_send(context, sf_address("example/other", "\xff"), sf_int(1));
    case 3:
        return sf_send(context, good, (struct sf_value){0});
    case 4:
        return sf_send(context, good, sf_bytes(&nameless, "", 0));
    case 5:
        return sf_send_after(context, -1, NULL, good, sf_int(1));
    case 6:
        return sf_send_after(context, 1, "\xff", good, sf_int(1));
    case 7:
        return sf_cancel(context, "");
    case 8:
        return sf_cancel(context, NULL);
    case 9:
        return sf_send_egress(context, "noslash", sf_int(1));
    case 10:
        return sf_send_egress(context, NULL, sf_int(1));
    case 11:
        return sf_reply(context, sf_int(1));
    default:
        return sf_async_begin(context, sf_int(1));
    }
}

static void what_cannot_be_sent_fails_the_function_with_the_reason(void **state)
{
    struct calling *c = *state;
    static const char *const reasons[] = {
        "target 'noslash': expected a function type namespace/name",
        "target '': expected a function type namespace/name",
        "an address must be UTF-8",
        "sf_send: the value is not set",
        "sf_send: type name 'bad': expected namespace/name",
        "sf_send_after: a delay of -1 ms, expected 0 or more",
        "a cancellation token is not UTF-8",
        "sf_cancel: an empty token",
        "sf_cancel: an empty token",
        "egress 'noslash': expected namespace/name",
        "egress '': expected namespace/name",
        "sf_reply: the message has no caller",
        "there are no asynchronous operations here",
    };
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++) {
        c->message_count = 0;
        say(c, sf_int((int32_t)i));
        assert_fails(c, send_badly, reasons[i]);
    }
}

/* --- failing --- */

static bool fail_and_go_on(struct sf_context *context, const struct sf_message *message)
{
    (void)message;
    (void)sf_fail_call(context, "first %d", 1);
    (void)sf_fail_call(context, "second");
    (void)sf_reply(context, sf_int(1));
    return true;
}

static void the_first_reason_counts_and_cannot_be_taken_back(void **state)
{
    struct calling *c = *state;
    say(c, sf_int(1));
    assert_fails(c, fail_and_go_on, "first 1");
    assert_null(strstr(c->status.message, "second"));
}

static bool say_nothing(struct sf_context *context, const struct sf_message *message)
{
    (void)context, (void)message;
    return false;
}

static void a_function_that_gives_no_reason_has_failed_too(void **state)
{
    struct calling *c = *state;
    say(c, sf_int(1));
    assert_fails(c, say_nothing, "the function returned false");
}

static bool fail_on_two(struct sf_context *context, const struct sf_message *message)
{
    int32_t number;
    if (!sf_read(context, message, &sf_int_type, &number))
        return false;
    if (number == 3)
        fail_msg("called after a failure");
    (void)sf_send(context, sf_address("example/other", "x"), sf_int(number));
    return number == 2 ? sf_fail_call(context, "two") : true;
}

static void a_failed_call_ends_its_batch(void **state)
{
    struct calling *c = *state;
    for (int i = 1; i <= 3; i++)
        say(c, sf_int(i));
    assert_fails(c, fail_on_two, "two");
    c->message_count = 1; /* and the same batch object runs again as if nothing had been */
    assert_runs(c, fail_on_two);
    assert_int_equal(c->reply->message_count, 1);
}

/* --- memory --- */

static bool allocate(struct sf_context *context, const struct sf_message *message)
{
    (void)message;
    for (size_t size = 0; size < 10000; size += 777) {
        unsigned char *memory = sf_alloc(context, size);
        assert_non_null(memory);
        assert_int_equal((uintptr_t)memory % _Alignof(max_align_t), 0);
        for (size_t i = 0; i < size; i++)
            assert_int_equal(memory[i], 0);
        memset(memory, 0xff, size);
    }
    return true;
}

static void memory_is_zeroed_and_aligned(void **state)
{
    struct calling *c = *state;
    say(c, sf_int(1));
    assert_runs(c, allocate);
    assert_runs(c, allocate);
}

/* --- match --- */

static bool is_big(struct sf_context *context, const struct sf_message *message)
{
    int32_t number;
    return sf_read(context, message, &sf_int_type, &number) && number > 10;
}

#define SAYS(name, text)                                                                           \
    static bool name(struct sf_context *context, const struct sf_message *message)                 \
    {                                                                                              \
        (void)message;                                                                             \
        return sf_reply(context, sf_string(text));                                                 \
    }
SAYS(on_big, "big")
SAYS(on_int, "int")
SAYS(on_string, "string")
SAYS(on_other, "other")

static const struct sf_case CASES[] = {
    {NULL, NULL, on_other}, /* the order does not matter to those without `when` */
    {&sf_int_type, NULL, on_int},
    {&sf_int_type, is_big, on_big},
    {&sf_string_type, NULL, on_string},
    {0},
};

static bool match(struct sf_context *context, const struct sf_message *message)
{
    return sf_match(context, message, CASES);
}

static bool match_few(struct sf_context *context, const struct sf_message *message)
{
    return sf_match(context, message, CASES + 3);
}

static void a_message_goes_to_the_case_that_fits_best(void **state)
{
    struct calling *c = *state;
    say_from(c, "a", sf_int(5));
    say_from(c, "a", sf_int(50));
    say_from(c, "a", sf_string("x"));
    say_from(c, "a", sf_long(1));
    assert_runs(c, match);
    expect_message(c, 0, "caller", "a", sf_string("int"));
    expect_message(c, 1, "caller", "a", sf_string("big"));
    expect_message(c, 2, "caller", "a", sf_string("string"));
    expect_message(c, 3, "caller", "a", sf_string("other"));
}

static void a_message_that_fits_nowhere_fails_the_function(void **state)
{
    struct calling *c = *state;
    say(c, sf_int(5));
    assert_fails(c, match_few,
                 "Don't know how to handle a message of type 'io.statefun.types/int'");
}

/* --- logging and counting --- */

struct heard {
    char text[256];
    enum sf_level level;
    int64_t count;
};

static void hear_log(void *owner, struct bytes address, enum sf_level level, const char *text)
{
    struct heard *heard = owner;
    struct address parsed;
    assert_true(address_parse(address, &parsed));
    assert_bytes(parsed.id, "me");
    heard->level = level;
    snprintf(heard->text, sizeof heard->text, "%s", text);
}

static void hear_count(void *owner, struct bytes type, const char *counter, int64_t by)
{
    struct heard *heard = owner;
    struct address parsed;
    assert_true(address_parse(type, &parsed));
    assert_bytes(parsed.name, "tested");
    assert_string_equal(counter, "things");
    heard->count += by;
}

static bool log_and_count(struct sf_context *context, const struct sf_message *message)
{
    (void)message;
    sf_log(context, SF_WARNING, "line\n2026 ERROR %s\x1b[2J", "forged");
    sf_count(context, "things", 5);
    sf_count(context, "things", -2);
    return false;
}

static void what_is_logged_is_one_line_and_counts_add_up_even_if_the_call_fails(void **state)
{
    struct calling *c = *state;
    struct heard heard = {0};
    c->world = (struct batch_world){.owner = &heard, .log = hear_log, .count = hear_count};
    say(c, sf_int(1));
    assert_false(run(c, log_and_count));
    assert_int_equal(heard.level, SF_WARNING);
    assert_string_equal(heard.text, "line 2026 ERROR forged [2J");
    assert_int_equal(heard.count, 3);

    c->world = (struct batch_world){0}; /* a world need not listen */
    assert_false(run(c, log_and_count));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_function_knows_itself_its_caller_and_the_time),
        TEST(an_id_may_hold_a_nul),
        TEST(an_id_may_be_empty),
        TEST(what_is_sent_comes_out_in_order),
        TEST(what_is_sent_is_whole_however_long_its_parts_are),
        TEST(what_cannot_be_sent_fails_the_function_with_the_reason),
        TEST(the_first_reason_counts_and_cannot_be_taken_back),
        TEST(a_function_that_gives_no_reason_has_failed_too),
        TEST(a_failed_call_ends_its_batch),
        TEST(memory_is_zeroed_and_aligned),
        TEST(a_message_goes_to_the_case_that_fits_best),
        TEST(a_message_that_fits_nowhere_fails_the_function),
        TEST(what_is_logged_is_one_line_and_counts_add_up_even_if_the_call_fails),
    };
    return cmocka_run_group_tests_name("call", tests, NULL, NULL);
}
