/* invocation_test.c - requests byte by byte, and what a reply may look like. Random messages are in
 * codec_test.c. */
#include "test.h"

#include "memory.h"
#include "parts.h"
#include "wire/invocation.h"
#include "wire/protobuf.h"

#include <stdio.h>

struct fixture {
    struct arena arena;
    struct sf_status status;
    struct from_function reply;
    struct bytes copy;
};

static int set_up(void **state)
{
    *state = mem_new(sizeof(struct fixture));
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    arena_destroy(&f->arena);
    copy_free(f->copy);
    free(f);
    return 0;
}

static bool parse(struct fixture *f, struct bytes reply)
{
    copy_free(f->copy);
    f->copy = copy_exactly(reply);
    return from_function_parse(f->copy, &f->arena, &f->reply, &f->status);
}

#define TAKE(f, text) assert_good(parse((f), BYTES_LITERAL(text)), &(f)->status)
#define REFUSE(f, text, part)                                                                      \
    do {                                                                                           \
        assert_false(parse((f), BYTES_LITERAL(text)));                                             \
        assert_int_equal((f)->status.code, SF_INVALID);                                            \
        assert_mentions((f)->status.message, (part));                                              \
    } while (0)

/* --- requests --- */

/* protocol.md 17: what is present is written, even when it is empty. */
static void a_request_has_every_byte_in_its_place(void **state)
{
    (void)state;
    const struct request_state states[] = {
        {.name = bytes_of("n"), .present = false},
        {.name = bytes_of("e"), .present = true},
        {.name = bytes_of("v"), .value = BYTES_LITERAL("\x10\x01"), .present = true, .kept = true},
    };
    uint8_t body[64];
    struct bytes none = {0}, argument = BYTES_LITERAL("\x10\x01");
    message_body_put(body, none, argument);
    const struct bytes messages[] = {bytes_make(body, message_body_size(none.size, argument.size))};
    const struct to_function request = {.target = BYTES_LITERAL("\x12\x01"
                                                                "f\x1a\x01"
                                                                "i"),
                                        .states = states,
                                        .state_count = 3,
                                        .messages = messages,
                                        .message_count = 1};
    static const char expected[] = "\xa2\x06\x23"
                                   "\x0a\x06\x12\x01"
                                   "f\x1a\x01"
                                   "i"
                                   "\x12\x03\x0a\x01"
                                   "n"
                                   "\x12\x05\x0a\x01"
                                   "e\x12\x00"
                                   "\x12\x07\x0a\x01"
                                   "v\x12\x02\x10\x01"
                                   "\x1a\x04\x12\x02\x10\x01";
    uint8_t written[128];
    size_t size = to_function_size(&request);
    assert_ptr_equal(to_function_put(written, &request), written + size);
    assert_int_equal(size, sizeof expected - 1);
    assert_memory_equal(written, expected, size);
}

/* docs/bundles.md: only who has given a version knows what that is. */
static void a_state_that_is_kept_travels_without_its_value(void **state)
{
    struct fixture *f = *state;
    const struct request_state states[] = {
        {.name = bytes_of("v"), .value = BYTES_LITERAL("\x10\x01"), .present = true, .kept = true},
        {.name = bytes_of("w"), .value = BYTES_LITERAL("\x10\x01"), .present = true},
    };
    struct to_function request = {.target = BYTES_LITERAL("\x12\x01"
                                                          "f"),
                                  .states = states,
                                  .state_count = 2,
                                  .version = 5};
    static const char expected[] = "\xa2\x06\x16"
                                   "\x0a\x03\x12\x01"
                                   "f"
                                   "\x12\x06\x0a\x01"
                                   "v\xa8\x06\x01"
                                   "\x12\x07\x0a\x01"
                                   "w\x12\x02\x10\x01";
    uint8_t written[128];
    size_t size = to_function_size(&request);
    assert_ptr_equal(to_function_put(written, &request), written + size);
    assert_int_equal(size, sizeof expected - 1);
    assert_memory_equal(written, expected, size);
    assert_good(to_function_parse(bytes_make(written, size), &f->arena, &request, &f->status),
                &f->status);
    assert_true(request.states[0].kept && !request.states[0].present);
    assert_true(!request.states[1].kept && request.states[1].present);
}

static void a_message_from_an_ingress_has_no_caller(void **state)
{
    (void)state;
    uint8_t body[64];
    struct bytes caller, argument;
    struct bytes sender = BYTES_LITERAL("\x12\x01"
                                        "f");
    message_body_put(body, (struct bytes){0}, (struct bytes){0});
    size_t size = message_body_size(0, 0);
    assert_int_equal(size, 2);
    assert_memory_equal(body, "\x12\x00", 2);
    assert_true(message_body_parse(bytes_make(body, size), &caller, &argument));
    assert_int_equal(caller.size, 0);
    assert_int_equal(argument.size, 0);

    message_body_put(body, sender, bytes_of("x"));
    size = message_body_size(sender.size, 1);
    assert_true(message_body_parse(bytes_make(body, size), &caller, &argument));
    assert_true(bytes_equal(caller, sender));
    assert_bytes(argument, "x");
}

static void a_stored_message_without_an_argument_is_none(void **state)
{
    (void)state;
    struct bytes caller, argument;
    assert_false(message_body_parse((struct bytes){0}, &caller, &argument));
    assert_false(message_body_parse(BYTES_LITERAL("\x0a\x01"
                                                  "a"),
                                    &caller, &argument));
    assert_false(message_body_parse(BYTES_LITERAL("\x12\x05"
                                                  "a"),
                                    &caller, &argument));
    assert_false(message_body_parse(BYTES_LITERAL("\x12\x00\x08\x01"), &caller, &argument));
}

/* --- replies --- */

static void an_empty_reply_means_that_nothing_happened(void **state)
{
    struct fixture *f = *state;
    static const char *const empty[] = {"", "\xa2\x06\x00"};
    static const size_t sizes[] = {0, 3};
    for (int i = 0; i < 2; i++) {
        assert_good(parse(f, bytes_make(empty[i], sizes[i])), &f->status);
        assert_false(f->reply.is_incomplete);
        assert_int_equal(f->reply.mutation_count + f->reply.message_count + f->reply.delayed_count +
                             f->reply.egress_count,
                         0);
    }
}

/* Builds replies from the inside out: the fields are added to `inner`, wrap puts a head before. */
struct builder {
    struct buffer bytes;
};

static void wrap(struct builder *builder, uint32_t number)
{
    struct buffer outer = {0};
    pb_add_bytes(&outer, number, buffer_bytes(&builder->bytes));
    buffer_destroy(&builder->bytes);
    builder->bytes = outer;
}

static void add_text(struct builder *builder, uint32_t number, const char *text)
{
    pb_add_bytes(&builder->bytes, number, bytes_of(text));
}

static void add_uint(struct builder *builder, uint32_t number, uint64_t value)
{
    pb_add_uint(&builder->bytes, number, value);
}

/* A sub-message of texts, from the first field on. */
static void add_message(struct builder *builder, uint32_t number, const char *first,
                        const char *second, const char *third)
{
    struct builder inner = {{0}};
    const char *texts[] = {first, second, third};
    for (uint32_t i = 0; i < 3; i++)
        if (texts[i])
            add_text(&inner, i + 1, texts[i]);
    pb_add_bytes(&builder->bytes, number, buffer_bytes(&inner.bytes));
    buffer_destroy(&inner.bytes);
}

static void add_typed(struct builder *builder, uint32_t number, const char *type, const char *value)
{
    struct buffer body = {0};
    struct typed_value typed = {
        .type = bytes_of(type), .value = bytes_of(value), .has_value = true};
    typed_value_add(&body, &typed);
    pb_add_bytes(&builder->bytes, number, buffer_bytes(&body));
    buffer_destroy(&body);
}

static bool parse_built(struct fixture *f, struct builder *builder)
{
    bool good = parse(f, buffer_bytes(&builder->bytes));
    buffer_destroy(&builder->bytes);
    return good;
}

static void expect_argument(struct bytes argument, const char *type, const char *value)
{
    struct typed_value typed;
    struct sf_status status;
    assert_good(typed_value_parse(argument, &typed, &status), &status);
    assert_bytes(typed.type, type);
    assert_bytes(typed.value, value);
    assert_true(typed.has_value);
}

static void a_state_mutation_is_read(void **state)
{
    struct fixture *f = *state;
    struct builder b = {{0}};
    add_uint(&b, 1, MUTATION_MODIFY);
    add_text(&b, 2, "seen");
    add_typed(&b, 3, "io.statefun.types/int", "1234");
    wrap(&b, 1);
    wrap(&b, 100);
    assert_good(parse_built(f, &b), &f->status);
    assert_int_equal(f->reply.mutation_count, 1);
    const struct state_mutation *mutation = &f->reply.mutations[0];
    assert_int_equal(mutation->kind, MUTATION_MODIFY);
    assert_bytes(mutation->name, "seen");
    assert_bytes(mutation->value.type, "io.statefun.types/int");
    assert_bytes(mutation->value.value, "1234");
}

/* DELETE is 0, which proto3 does not write. */
static void a_mutation_without_a_type_deletes(void **state)
{
    struct fixture *f = *state;
    struct builder b = {{0}};
    add_text(&b, 2, "seen");
    wrap(&b, 1);
    wrap(&b, 100);
    assert_good(parse_built(f, &b), &f->status);
    assert_int_equal(f->reply.mutations[0].kind, MUTATION_DELETE);
    assert_false(f->reply.mutations[0].value.has_value);
}

static void an_unknown_mutation_type_is_kept_as_it_came(void **state)
{
    struct fixture *f = *state;
    struct builder b = {{0}};
    add_uint(&b, 1, 17);
    wrap(&b, 1);
    wrap(&b, 100);
    assert_good(parse_built(f, &b), &f->status);
    assert_int_equal(f->reply.mutations[0].kind, 17);
}

static void an_outgoing_message_is_read(void **state)
{
    struct fixture *f = *state;
    struct builder b = {{0}};
    add_message(&b, 1, "com.example", "greeter", "ann");
    add_typed(&b, 2, "a/b", "hello");
    wrap(&b, 2);
    wrap(&b, 100);
    assert_good(parse_built(f, &b), &f->status);
    assert_int_equal(f->reply.message_count, 1);
    assert_bytes(parts_of(f->reply.messages[0].target).ns, "com.example");
    assert_bytes(parts_of(f->reply.messages[0].target).name, "greeter");
    assert_bytes(parts_of(f->reply.messages[0].target).id, "ann");
    expect_argument(f->reply.messages[0].argument, "a/b", "hello");
}

static void a_message_to_nobody_with_nothing_is_read(void **state)
{
    struct fixture *f = *state;
    TAKE(f, "\xa2\x06\x02\x12\x00");
    assert_int_equal(f->reply.message_count, 1);
    assert_int_equal(f->reply.messages[0].target.size, 0);
    assert_int_equal(f->reply.messages[0].argument.size, 0);
}

static void a_delayed_message_is_read(void **state)
{
    struct fixture *f = *state;
    struct builder b = {{0}};
    add_uint(&b, 1, 5000);
    add_message(&b, 2, NULL, "greeter", "ann");
    add_typed(&b, 3, "a/b", "hello");
    add_text(&b, 11, "token");
    wrap(&b, 3);
    wrap(&b, 100);
    assert_good(parse_built(f, &b), &f->status);
    const struct delayed_message *delayed = &f->reply.delayed[0];
    assert_int_equal(delayed->delay_ms, 5000);
    assert_false(delayed->is_cancellation);
    assert_bytes(delayed->token, "token");
    assert_bytes(parts_of(delayed->target).name, "greeter");
    expect_argument(delayed->argument, "a/b", "hello");
}

static void a_cancellation_is_read(void **state)
{
    struct fixture *f = *state;
    struct builder b = {{0}};
    add_uint(&b, 10, 1);
    add_text(&b, 11, "token");
    wrap(&b, 3);
    wrap(&b, 100);
    assert_good(parse_built(f, &b), &f->status);
    assert_true(f->reply.delayed[0].is_cancellation);
    assert_bytes(f->reply.delayed[0].token, "token");
}

static void a_negative_delay_is_read_as_one(void **state)
{
    struct fixture *f = *state;
    struct builder b = {{0}};
    add_uint(&b, 1, (uint64_t)INT64_C(-5));
    wrap(&b, 3);
    wrap(&b, 100);
    assert_good(parse_built(f, &b), &f->status);
    assert_int_equal(f->reply.delayed[0].delay_ms, -5);
}

static void an_egress_message_is_read(void **state)
{
    struct fixture *f = *state;
    struct builder b = {{0}};
    add_text(&b, 1, "com.example");
    add_text(&b, 2, "out");
    add_typed(&b, 3, TYPE_KAFKA_RECORD, "record");
    wrap(&b, 4);
    wrap(&b, 100);
    assert_good(parse_built(f, &b), &f->status);
    assert_bytes(f->reply.egresses[0].ns, "com.example");
    assert_bytes(f->reply.egresses[0].name, "out");
    expect_argument(f->reply.egresses[0].argument, TYPE_KAFKA_RECORD, "record");
}

static void effects_keep_their_order_however_many_there_are(void **state)
{
    struct fixture *f = *state;
    struct builder b = {{0}};
    enum { MANY = 1000 };
    for (int i = 0; i < MANY; i++) {
        struct builder message = {{0}};
        char id[16];
        snprintf(id, sizeof id, "%d", i);
        add_message(&message, 1, NULL, "f", id);
        wrap(&message, 2);
        buffer_add_bytes(&b.bytes, buffer_bytes(&message.bytes));
        buffer_destroy(&message.bytes);
    }
    wrap(&b, 100);
    assert_good(parse_built(f, &b), &f->status);
    assert_int_equal(f->reply.message_count, MANY);
    for (int i = 0; i < MANY; i++) {
        char id[16];
        snprintf(id, sizeof id, "%d", i);
        assert_bytes(parts_of(f->reply.messages[i].target).id, id);
    }
}

static void missing_states_are_read(void **state)
{
    struct fixture *f = *state;
    struct builder b = {{0}}, spec = {{0}};
    add_uint(&spec, 1, EXPIRE_AFTER_INVOKE);
    add_uint(&spec, 2, 60000);
    wrap(&spec, 2);
    add_text(&b, 1, "seen");
    buffer_add_bytes(&b.bytes, buffer_bytes(&spec.bytes));
    add_text(&b, 3, "io.statefun.types/int");
    wrap(&b, 1);
    wrap(&b, 101);
    buffer_destroy(&spec.bytes);
    assert_good(parse_built(f, &b), &f->status);
    assert_true(f->reply.is_incomplete);
    assert_int_equal(f->reply.missing_count, 1);
    assert_bytes(f->reply.missing[0].name, "seen");
    assert_bytes(f->reply.missing[0].type, "io.statefun.types/int");
    assert_int_equal(f->reply.missing[0].mode, EXPIRE_AFTER_INVOKE);
    assert_int_equal(f->reply.missing[0].expire_after_ms, 60000);
}

static void an_expiration_that_is_unknown_or_absent_is_none(void **state)
{
    struct fixture *f = *state;
    TAKE(f, "\xaa\x06\x0d\x0a\x03\x0a\x01s\x0a\x06\x12\x04\x08\x07\x10\x05");
    assert_int_equal(f->reply.missing_count, 2);
    assert_int_equal(f->reply.missing[0].mode, EXPIRE_NONE);
    assert_int_equal(f->reply.missing[1].mode, EXPIRE_NONE);
    assert_int_equal(f->reply.missing[1].expire_after_ms, 5);
}

/* --- what protobuf wants of a reader --- */

static void of_two_kinds_of_reply_the_last_counts(void **state)
{
    struct fixture *f = *state;
    TAKE(f, "\xa2\x06\x02\x12\x00\xaa\x06\x02\x0a\x00");
    assert_true(f->reply.is_incomplete);
    assert_int_equal(f->reply.missing_count, 1);
    assert_int_equal(f->reply.message_count, 0);

    TAKE(f, "\xaa\x06\x02\x0a\x00\xa2\x06\x02\x12\x00");
    assert_false(f->reply.is_incomplete);
    assert_int_equal(f->reply.missing_count, 0);
    assert_int_equal(f->reply.message_count, 1);
}

static void a_result_in_two_pieces_is_one_result(void **state)
{
    struct fixture *f = *state;
    TAKE(f, "\xa2\x06\x02\x12\x00\xa2\x06\x04\x12\x00\x0a\x00");
    assert_int_equal(f->reply.message_count, 2);
    assert_int_equal(f->reply.mutation_count, 1);
}

static void a_sub_message_in_two_pieces_is_one_message(void **state)
{
    struct fixture *f = *state;
    struct builder b = {{0}};
    add_message(&b, 1, "com.example", "greeter", "ann");
    add_message(&b, 1, NULL, "other", NULL);
    pb_add_bytes(&b.bytes, 2,
                 BYTES_LITERAL("\x0a\x03"
                               "a/b"));
    pb_add_bytes(&b.bytes, 2, BYTES_LITERAL("\x10\x01\x1a\x01v"));
    wrap(&b, 2);
    wrap(&b, 100);
    assert_good(parse_built(f, &b), &f->status);
    assert_bytes(parts_of(f->reply.messages[0].target).ns, "com.example");
    assert_bytes(parts_of(f->reply.messages[0].target).name, "other");
    assert_bytes(parts_of(f->reply.messages[0].target).id, "ann");
    expect_argument(f->reply.messages[0].argument, "a/b", "v");
}

/* Two pieces may not make up for each other's faults: each is a message. */
static void a_piece_that_is_malformed_is_refused_even_if_the_next_would_complete_it(void **state)
{
    struct fixture *f = *state;
    struct builder b = {{0}};
    pb_add_bytes(&b.bytes, 2, BYTES_LITERAL("\x0a\x03"));
    pb_add_bytes(&b.bytes, 2, BYTES_LITERAL("a/b"));
    wrap(&b, 2);
    wrap(&b, 100);
    assert_false(parse_built(f, &b));

    pb_add_bytes(&b.bytes, 2, BYTES_LITERAL("\x10\x01"));
    pb_add_bytes(&b.bytes, 2, BYTES_LITERAL("\x0a\x03"));
    pb_add_bytes(&b.bytes, 2, BYTES_LITERAL("a/b"));
    wrap(&b, 2);
    wrap(&b, 100);
    assert_false(parse_built(f, &b));
}

/* A reply may be large, but what is made of it must not be its square. */
static void a_sub_message_in_very_many_pieces_takes_no_more_than_its_size(void **state)
{
    struct fixture *f = *state;
    struct builder b = {{0}};
    for (int i = 0; i < 300 * 1000; i++)
        pb_add_bytes(&b.bytes, 2, BYTES_LITERAL("\x1a\x01v"));
    wrap(&b, 2);
    wrap(&b, 100);
    assert_good(parse_built(f, &b), &f->status);
    assert_int_equal(f->reply.messages[0].argument.size, 900 * 1000);
}

static void unknown_fields_are_passed_over_everywhere(void **state)
{
    struct fixture *f = *state;
    struct builder b = {{0}};
    add_message(&b, 1, NULL, "f", "i");
    add_text(&b, 1000, "new");
    add_uint(&b, 1001, 1);
    wrap(&b, 2);
    add_text(&b, 1000, "new");
    wrap(&b, 100);
    add_text(&b, 1000, "new");
    assert_good(parse_built(f, &b), &f->status);
    assert_int_equal(f->reply.message_count, 1);
}

/* The receiver gets the argument with what its sender put there, whether we know it or not. */
static void an_argument_is_kept_with_its_unknown_fields(void **state)
{
    struct fixture *f = *state;
    struct builder b = {{0}};
    add_message(&b, 1, NULL, "f", "i");
    add_message(&b, 2, "a/b", NULL, "v");
    wrap(&b, 2);
    wrap(&b, 100);
    assert_good(parse_built(f, &b), &f->status);
    TAKE(f, "\xa2\x06\x07\x12\x05\x12\x03\x22\x01x");
    assert_true(bytes_equal(f->reply.messages[0].argument, BYTES_LITERAL("\x22\x01x")));
}

static void a_malformed_reply_is_refused_with_its_place(void **state)
{
    struct fixture *f = *state;
    REFUSE(f, "\xa2\x06\x05", "outermost");
    REFUSE(f, "hello", "outermost");
    REFUSE(f, "\xa2\x06\x01\x12", "invocation result");
    REFUSE(f, "\xaa\x06\x01\x0a", "incomplete invocation context");
    REFUSE(f, "\xaa\x06\x03\x0a\x01\x0a", "specification of a state");
    REFUSE(f, "\xaa\x06\x05\x0a\x03\x12\x01\x08", "expiration");
    REFUSE(f, "\xa2\x06\x03\x0a\x01\x0a", "state mutation");
    REFUSE(f, "\xa2\x06\x03\x12\x01\x0a", "outgoing message");
    REFUSE(f, "\xa2\x06\x03\x1a\x01\x0a", "delayed message");
    REFUSE(f, "\xa2\x06\x03\x22\x01\x0a", "egress message");
    REFUSE(f, "\xa2\x06\x05\x12\x03\x0a\x01\x0a", "address");
    REFUSE(f, "\xa2\x06\x05\x12\x03\x12\x01\x0a", "typed value");
    REFUSE(f, "\xa2\x06\x05\x0a\x03\x1a\x01\x0a", "typed value");
    REFUSE(f, "\xa2\x06\x05\x22\x03\x1a\x01\x0a", "typed value");
}

static void text_that_is_not_utf8_is_refused(void **state)
{
    struct fixture *f = *state;
    REFUSE(f, "\xa2\x06\x05\x0a\x03\x12\x01\xff", "name of a state");
    REFUSE(f, "\xa2\x06\x05\x1a\x03\x5a\x01\xff", "cancellation token");
    REFUSE(f, "\xa2\x06\x05\x22\x03\x0a\x01\xff", "namespace of an egress");
    REFUSE(f, "\xa2\x06\x05\x22\x03\x12\x01\xff", "name of an egress");
    REFUSE(f, "\xaa\x06\x05\x0a\x03\x0a\x01\xff", "name of a state");
    REFUSE(f, "\xaa\x06\x05\x0a\x03\x1a\x01\xff", "type of a state");
    REFUSE(f, "\xa2\x06\x07\x12\x05\x0a\x03\x0a\x01\xff", "an address");
    REFUSE(f, "\xa2\x06\x07\x12\x05\x12\x03\x0a\x01\xff", "type name");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

/* --- the function's side --- */

static bool parse_request(struct fixture *f, struct bytes request, struct to_function *ret_request)
{
    copy_free(f->copy);
    f->copy = copy_exactly(request);
    return to_function_parse(f->copy, &f->arena, ret_request, &f->status);
}

static void a_request_that_is_not_canonical_is_made_so(void **state)
{
    struct fixture *f = *state;
    struct to_function request;
    struct bytes caller, argument;
    /* Target with its id before its type; a message with its argument before its caller, whose
     * parts are in disorder as well, and something unknown behind. */
    assert_good(parse_request(f,
                              BYTES_LITERAL("\xa2\x06\x1b"
                                            "\x0a\x06\x1a\x01i\x12\x01"
                                            "f"
                                            "\x1a\x11\x12\x05\x0a\x03"
                                            "a/b"
                                            "\x0a\x06\x1a\x01j\x12\x01"
                                            "g\x18\x01"),
                              &request),
                &f->status);
    assert_true(bytes_equal(request.target, BYTES_LITERAL("\x12\x01"
                                                          "f\x1a\x01i")));
    assert_int_equal(request.message_count, 1);
    assert_true(message_body_parse(request.messages[0], &caller, &argument));
    assert_true(bytes_equal(caller, BYTES_LITERAL("\x12\x01"
                                                  "g\x1a\x01j")));
    assert_true(bytes_equal(argument, BYTES_LITERAL("\x0a\x03"
                                                    "a/b")));
}

static void a_message_that_is_canonical_stays_where_it_is(void **state)
{
    struct fixture *f = *state;
    struct to_function request;
    assert_good(parse_request(f,
                              BYTES_LITERAL("\xa2\x06\x0e\x1a\x0c\x0a\x06\x12\x01g\x1a\x01j"
                                            "\x12\x02\x10\x01"),
                              &request),
                &f->status);
    assert_ptr_equal(request.messages[0].data, f->copy.data + 5);
    assert_int_equal(request.messages[0].size, 12);
}

static void a_message_without_a_caller_or_an_argument_has_empty_ones(void **state)
{
    struct fixture *f = *state;
    struct to_function request;
    struct bytes caller, argument;
    assert_good(parse_request(f, BYTES_LITERAL("\xa2\x06\x06\x1a\x00\x1a\x02\x0a\x00"), &request),
                &f->status);
    assert_int_equal(request.message_count, 2);
    for (int i = 0; i < 2; i++) {
        assert_true(message_body_parse(request.messages[i], &caller, &argument));
        assert_int_equal(caller.size + argument.size, 0);
    }
}

static void what_is_no_request_is_refused(void **state)
{
    struct fixture *f = *state;
    struct to_function request;
    static const struct {
        struct bytes bytes;
        const char *says;
    } cases[] = {
        {{(const uint8_t *)"", 0}, "invokes nothing"},
        {{(const uint8_t *)"hello", 5}, "outermost"},
        {{(const uint8_t *)"\xa2\x06\x05", 3}, "outermost"},
        {{(const uint8_t *)"\xa2\x06\x01\x0a", 4}, "the batch"},
        {{(const uint8_t *)"\xa2\x06\x03\x12\x01\x0a", 6}, "a state"},
        {{(const uint8_t *)"\xa2\x06\x05\x12\x03\x0a\x01\xff", 8}, "name of a state"},
        {{(const uint8_t *)"\xa2\x06\x03\x1a\x01\x0a", 6}, "a message"},
        {{(const uint8_t *)"\xa2\x06\x05\x0a\x03\x1a\x01\xff", 8}, "UTF-8"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_false(parse_request(f, cases[i].bytes, &request));
        assert_int_equal(f->status.code, SF_INVALID);
        assert_mentions(f->status.message, cases[i].says);
    }
}

/* proto3: what has its default value is not there; a oneof's member is, even if it is empty. */
static void a_reply_has_every_byte_in_its_place(void **state)
{
    (void)state;
    struct state_mutation mutations[] = {
        {.name = bytes_of("d"), .kind = MUTATION_DELETE},
        {.name = bytes_of("m"),
         .kind = MUTATION_MODIFY,
         .value = {.type = bytes_of("t"), .has_value = true}},
    };
    struct delayed_message delayed[] = {{.is_cancellation = true, .token = bytes_of("k")}};
    const struct from_function reply = {
        .mutations = mutations, .mutation_count = 2, .delayed = delayed, .delayed_count = 1};
    static const char expected[] = "\xa2\x06\x1a"
                                   "\x0a\x03\x12\x01"
                                   "d"
                                   "\x0a\x0c\x08\x01\x12\x01"
                                   "m\x1a\x05\x0a\x01t\x10\x01"
                                   "\x1a\x05\x50\x01\x5a\x01k";
    uint8_t written[64];
    size_t size = from_function_size(&reply);
    assert_ptr_equal(from_function_put(written, &reply), written + size);
    assert_memory_equal(written, expected, sizeof expected - 1);
    assert_int_equal(size, sizeof expected - 1);

    const struct from_function nothing = {0}, incomplete = {.is_incomplete = true};
    assert_int_equal(from_function_size(&nothing), 3);
    (void)from_function_put(written, &nothing);
    assert_memory_equal(written, "\xa2\x06\x00", 3);
    (void)from_function_put(written, &incomplete);
    assert_memory_equal(written, "\xaa\x06\x00", 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_has_every_byte_in_its_place),
        TEST(a_state_that_is_kept_travels_without_its_value),
        cmocka_unit_test(a_message_from_an_ingress_has_no_caller),
        cmocka_unit_test(a_stored_message_without_an_argument_is_none),
        TEST(an_empty_reply_means_that_nothing_happened),
        TEST(a_state_mutation_is_read),
        TEST(a_mutation_without_a_type_deletes),
        TEST(an_unknown_mutation_type_is_kept_as_it_came),
        TEST(an_outgoing_message_is_read),
        TEST(a_message_to_nobody_with_nothing_is_read),
        TEST(a_delayed_message_is_read),
        TEST(a_cancellation_is_read),
        TEST(a_negative_delay_is_read_as_one),
        TEST(an_egress_message_is_read),
        TEST(effects_keep_their_order_however_many_there_are),
        TEST(missing_states_are_read),
        TEST(an_expiration_that_is_unknown_or_absent_is_none),
        TEST(of_two_kinds_of_reply_the_last_counts),
        TEST(a_result_in_two_pieces_is_one_result),
        TEST(a_sub_message_in_two_pieces_is_one_message),
        TEST(a_piece_that_is_malformed_is_refused_even_if_the_next_would_complete_it),
        TEST(a_sub_message_in_very_many_pieces_takes_no_more_than_its_size),
        TEST(unknown_fields_are_passed_over_everywhere),
        TEST(an_argument_is_kept_with_its_unknown_fields),
        TEST(a_malformed_reply_is_refused_with_its_place),
        TEST(text_that_is_not_utf8_is_refused),
        TEST(a_request_that_is_not_canonical_is_made_so),
        TEST(a_message_that_is_canonical_stays_where_it_is),
        TEST(a_message_without_a_caller_or_an_argument_has_empty_ones),
        TEST(what_is_no_request_is_refused),
        TEST(a_reply_has_every_byte_in_its_place),
    };
    return cmocka_run_group_tests_name("invocation", tests, NULL, NULL);
}
