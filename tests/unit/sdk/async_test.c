/* async_test.c - what begins an operation, and what ends it, as messages. */
#include "test.h"

#include "parts.h"
#include "sdk/async.h"
#include "sdk/batch.h"
#include "sdk/value.h"

static struct async_ticket begun;

static struct sf_async *begin(void *owner, struct batch *batch, struct bytes metadata)
{
    begun.metadata = metadata;
    async_add_message(batch, &begun);
    return owner;
}

static bool call(struct sf_context *context, const struct sf_message *message)
{
    struct sf_async_result result;
    struct sf_address caller;
    const char *text;
    switch (sf_async_result(context, message, &result)) {
    case SF_ASYNC_NONE:
        assert_non_null(sf_async_begin(context, sf_string("metadata")));
        return true;
    case SF_ASYNC_SUCCESS:
        assert_true(sf_caller(context, &caller));
        assert_string_equal(caller.type, "example/f");
        assert_string_equal(caller.id, "ann");
        assert_true(sf_decode(context, result.metadata, &sf_string_type, &text));
        assert_string_equal(text, "metadata");
        assert_true(sf_decode(context, result.value, &sf_string_type, &text));
        assert_string_equal(text, "value");
        return true;
    case SF_ASYNC_FAILURE:
        assert_string_equal(result.cause, "cause");
        return true;
    case SF_ASYNC_UNKNOWN:
        return sf_fail_call(context, "unknown");
    }
    return false;
}

static const struct sf_function FUNCTION = {.type = "example/f", .call = call};

struct fixture {
    struct batch_world world;
    struct batch batch;
    struct arena arena;
    struct address self, companion;
    struct bytes message;
    const struct from_function *reply;
    struct sf_status status;
};

static struct bytes body_of(struct fixture *f, struct bytes caller, struct bytes argument)
{
    size_t size = message_body_size(caller.size, argument.size);
    uint8_t *body = arena_take(&f->arena, size);
    message_body_put(body, caller, argument);
    return bytes_make(body, size);
}

static struct bytes typed(struct fixture *f, const char *type, const char *text)
{
    struct buffer value = {0}, typed_value = {0};
    string_value_add(&value, bytes_of(text));
    typed_value_add(&typed_value, &(struct typed_value){bytes_of(type), buffer_bytes(&value), 1});
    struct bytes bytes = arena_add_bytes(&f->arena, buffer_bytes(&typed_value));
    buffer_destroy(&value);
    buffer_destroy(&typed_value);
    return bytes;
}

static bool run(struct fixture *f, struct bytes caller, struct bytes argument)
{
    f->message = body_of(f, caller, argument);
    return batch_run(
        &f->batch, &FUNCTION,
        &(struct to_function){.target = f->self.wire, .messages = &f->message, .message_count = 1},
        0, &f->reply, &f->status);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    f->world = (struct batch_world){.owner = f, .async_begin = begin};
    batch_init(&f->batch, &f->world);
    begun = (struct async_ticket){.life = UINT64_MAX, .number = 7};
    assert_true(address_make(bytes_of("example"), bytes_of("f"), bytes_of("ann"), &f->arena,
                             &f->self, NULL));
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    batch_destroy(&f->batch);
    arena_destroy(&f->arena);
    free(f);
    return 0;
}

/* Runs the function, and the companion that it has sent a message to, until its answer. */
static struct bytes answer(struct fixture *f, const struct async_end *end)
{
    assert_good(run(f, (struct bytes){0}, typed(f, TYPE_STRING, "go")), &f->status);
    assert_int_equal(f->reply->message_count, 1);
    const struct outgoing_message *sent = &f->reply->messages[0];
    assert_bytes(parts_of(sent->target).ns, "io.statefun.c");
    assert_bytes(parts_of(sent->target).name, "async");
    assert_bytes(parts_of(sent->target).id, "ffffffffffffffff-7");
    f->companion.wire = arena_add_bytes(&f->arena, sent->target);

    struct async_ticket ticket;
    struct bytes caller, body = body_of(f, f->self.wire, sent->argument);
    struct to_function request = {
        .target = f->companion.wire, .messages = &body, .message_count = 1};
    assert_good(async_ticket_read(&request, &ticket, &caller, &f->status), &f->status);
    assert_true(ticket.life == UINT64_MAX && ticket.number == 7);

    struct from_function reply;
    assert_good(async_reply_make(&f->arena, caller, ticket.metadata, end, &reply, &f->status),
                &f->status);
    assert_int_equal(reply.message_count, 1);
    assert_true(bytes_equal(reply.messages[0].target, f->self.wire));
    return reply.messages[0].argument;
}

static void a_success_comes_back_with_metadata_and_value(void **state)
{
    struct fixture *f = *state;
    struct bytes result = answer(f, &(struct async_end){.status = SF_ASYNC_SUCCESS,
                                                        .value = typed(f, TYPE_STRING, "value")});
    assert_good(run(f, f->companion.wire, result), &f->status);
}

static void a_failure_comes_back_with_its_cause(void **state)
{
    struct fixture *f = *state;
    struct bytes result =
        answer(f, &(struct async_end){.status = SF_ASYNC_FAILURE, .cause = bytes_of("cause")});
    assert_good(run(f, f->companion.wire, result), &f->status);
}

static void what_nobody_knows_comes_back_as_unknown(void **state)
{
    struct fixture *f = *state;
    struct bytes result = answer(f, &(struct async_end){.status = SF_ASYNC_UNKNOWN});
    assert_false(run(f, f->companion.wire, result));
    assert_string_equal(f->status.message, "unknown");
}

static void other_messages_are_no_tickets(void **state)
{
    struct fixture *f = *state;
    struct async_ticket ticket;
    struct bytes caller, body = body_of(f, f->self.wire, typed(f, TYPE_STRING, "go"));
    struct to_function request = {.messages = &body, .message_count = 1};
    assert_false(async_ticket_read(&request, &ticket, &caller, &f->status));
    body = body_of(f, f->self.wire, typed(f, SF_TYPE_ASYNC, "go"));
    assert_false(async_ticket_read(&request, &ticket, &caller, &f->status));
    assert_int_equal(f->status.code, SF_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_success_comes_back_with_metadata_and_value, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_failure_comes_back_with_its_cause, setup, teardown),
        cmocka_unit_test_setup_teardown(what_nobody_knows_comes_back_as_unknown, setup, teardown),
        cmocka_unit_test_setup_teardown(other_messages_are_no_tickets, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
