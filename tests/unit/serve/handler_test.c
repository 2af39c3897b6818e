/* handler_test.c - requests as bytes, without a transport. */
#include "serve/served.h"

#include "base/log.h"
#include "serve/handler.h"

#include <fcntl.h>
#include <stdio.h>

struct fixture {
    struct sf_handler *handler;
    struct arena arena;
    struct sf_status status;
    void *bytes;
    size_t size;
};

static int set_up(void **state)
{
    struct fixture *f = mem_new(sizeof *f);
    log_configure(LOG_OFF, LOG_AS_TEXT);
    operations_forget();
    assert_good(sf_handler_new(configure, NULL, &f->handler, &f->status), &f->status);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    log_configure(LOG_INFO, LOG_AS_TEXT);
    log_redirect(-1);
    sf_handler_free(f->handler);
    arena_destroy(&f->arena);
    free(f->bytes);
    free(f);
    return 0;
}

static bool handle(struct fixture *f, struct bytes request)
{
    struct bytes copy = copy_exactly(request);
    free(f->bytes);
    f->bytes = NULL;
    f->status = (struct sf_status){0};
    bool good = sf_handle(f->handler, (struct sf_bytes){copy.data, copy.size}, &f->bytes, &f->size,
                          &f->status);
    copy_free(copy);
    return good;
}

static struct from_function answer(struct fixture *f, struct bytes request)
{
    assert_good(handle(f, request), &f->status);
    return reply_of(&f->arena, bytes_make(f->bytes, f->size));
}

static void a_batch_is_answered_with_its_effects(void **state)
{
    struct fixture *f = *state;
    struct from_function reply = answer(f, REQUEST(&f->arena, "counter", 5, "ann", "bob"));
    assert_int_equal(reply.message_count, 2);
    assert_bytes(parts_of(reply.messages[0].target).id, "ann");
    assert_bytes(parts_of(reply.messages[1].target).id, "bob");
    assert_int_equal(reply.mutation_count, 1);
    assert_int_equal(reply.mutations[0].value.value.data[1], 7);
}

static void missing_states_are_asked_for(void **state)
{
    struct fixture *f = *state;
    struct from_function reply = answer(f, REQUEST(&f->arena, "counter", -1, "ann"));
    assert_true(reply.is_incomplete);
    assert_int_equal(reply.missing_count, 1);
    assert_bytes(reply.missing[0].name, "seen");
}

static void a_batch_without_messages_does_nothing(void **state)
{
    struct fixture *f = *state;
    struct from_function reply =
        answer(f, request_to(&f->arena, "counter", 1, (const char *[1]){0}));
    assert_int_equal(reply.mutation_count + reply.message_count, 0);
    assert_int_equal(f->size, 3);
}

static void what_is_wrong_has_a_code_for_the_http_answer(void **state)
{
    struct fixture *f = *state;
    assert_false(handle(f, bytes_of("hello")));
    assert_int_equal(f->status.code, SF_INVALID);
    assert_false(handle(f, (struct bytes){0}));
    assert_int_equal(f->status.code, SF_INVALID);
    assert_false(handle(f, REQUEST(&f->arena, "nobody", 0, "x")));
    assert_int_equal(f->status.code, SF_NOT_FOUND);
    assert_mentions(f->status.message, "function type test/nobody is not served here");
    assert_false(handle(f, REQUEST(&f->arena, "failing-often", 0, "x")));
    assert_int_equal(f->status.code, SF_FAILED);
    assert_mentions(f->status.message, "for no reason");
}

static bool bind_nothing(struct sf_module *module, struct sf_status *status)
{
    (void)module, (void)status;
    return true;
}

static bool bind_config(struct sf_module *module, struct sf_status *status)
{
    return sf_config(module, "serve") ? configure(module, status)
                                      : sf_fail(status, SF_INVALID, "serve is not set");
}

static void a_handler_needs_a_module_that_binds_something(void **state)
{
    struct fixture *f = *state;
    struct sf_handler *other;
    assert_false(sf_handler_new(bind_nothing, NULL, &other, &f->status));
    assert_mentions(f->status.message, "binds no function");
    assert_false(sf_handler_new(bind_config, NULL, &other, &f->status));
    assert_mentions(f->status.message, "serve is not set");
    assert_false(
        sf_handler_new(bind_config, (const char *const[]){"=x", NULL}, &other, &f->status));
    assert_mentions(f->status.message, "configuration '=x': expected KEY=VALUE");
    assert_good(
        sf_handler_new(bind_config, (const char *const[]){"serve=yes", NULL}, &other, &f->status),
        &f->status);
    sf_handler_free(other);
    sf_handler_free(NULL);
}

/* --- asynchronous operations --- */

static void results_come_back_as_messages_to_self_in_the_order_of_their_ends(void **state)
{
    struct fixture *f = *state;
    struct from_function reply =
        answer(f, REQUEST(&f->arena, "worker", 0, "after unset", "now", "broken", "unset"));
    assert_int_equal(reply.message_count, 4);
    expect_result(&reply.messages[0], SF_ASYNC_SUCCESS, "now", "at once", NULL);
    expect_result(&reply.messages[1], SF_ASYNC_FAILURE, "broken", NULL, "it broke");
    expect_result(&reply.messages[2], SF_ASYNC_FAILURE, "unset", NULL, "the value is not set");
    expect_result(&reply.messages[3], SF_ASYNC_SUCCESS, "after unset", "from a thread", NULL);
}

static void an_operation_of_a_failed_call_may_end_whenever_it_likes(void **state)
{
    struct fixture *f = *state;
    assert_false(handle(f, REQUEST(&f->arena, "worker", 0, "keep", "then fail")));
    assert_mentions(f->status.message, "after having begun");
    assert_int_equal(operations_begun(), 2);
    sf_async_complete(operation(1), sf_string("for nobody"));
    sf_async_fail(operation(0), "for nobody");
}

/* The function will be called again, and begin it again. */
static void an_operation_of_a_call_that_lacks_a_state_is_for_nobody(void **state)
{
    struct fixture *f = *state;
    struct from_function reply = answer(f, REQUEST(&f->arena, "worker", 0, "then ask"));
    assert_true(reply.is_incomplete);
    assert_int_equal(reply.missing_count, 1);
    sf_async_complete(operation(0), sf_string("for nobody"));
}

enum { THREADS = 4, ROUNDS = 50 };

static void *handle_often(void *argument)
{
    struct fixture *f = argument;
    struct arena arena = {0};
    for (int i = 0; i < ROUNDS; i++) {
        void *bytes;
        size_t size;
        struct sf_status status;
        struct bytes request = REQUEST(&arena, "worker", 0, "thread", "thread", "now");
        if (!sf_handle(f->handler, (struct sf_bytes){request.data, request.size}, &bytes, &size,
                       &status) ||
            reply_of(&arena, bytes_make(bytes, size)).message_count != 3)
            abort();
        free(bytes);
        arena_clear(&arena);
    }
    arena_destroy(&arena);
    return NULL;
}

static void one_handler_serves_many_threads(void **state)
{
    struct fixture *f = *state;
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, handle_often, f), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

/* --- figures and lines --- */

static void figures_are_shown_with_their_functions(void **state)
{
    struct fixture *f = *state;
    struct buffer text = {0};
    (void)answer(f, REQUEST(&f->arena, "counter", 1, "ann", "bob"));
    assert_false(handle(f, REQUEST(&f->arena, "failing-often", 0, "x")));
    handler_expose(f->handler, &text);
    const char *shown = buffer_text(&text);
    assert_mentions(
        shown, "\nstatefun_functions_invocations_total{namespace=\"test\",name=\"counter\"} 1\n");
    assert_mentions(
        shown,
        "\nstatefun_functions_invoked_messages_total{namespace=\"test\",name=\"counter\"} 2\n");
    assert_mentions(
        shown, "\nstatefun_functions_failures_total{namespace=\"test\",name=\"failing*\"} 1\n");
    assert_mentions(shown, "\nstatefun_functions_counter{namespace=\"test\",name=\"counter\","
                           "counter=\"greetings \\\"quoted\\\"\"} 2\n");
    buffer_destroy(&text);
}

static void a_failing_function_is_logged_once_in_a_while_without_what_it_was_sent(void **state)
{
    struct fixture *f = *state;
    int pipe_of[2];
    char lines[1000];
    assert_int_equal(pipe2(pipe_of, O_NONBLOCK | O_CLOEXEC), 0);
    log_configure(LOG_INFO, LOG_AS_TEXT);
    log_redirect(pipe_of[1]);
    for (int i = 0; i < 100; i++)
        assert_false(handle(f, REQUEST(&f->arena, "failing", 0, "payload")));
    ssize_t size = read(pipe_of[0], lines, sizeof lines - 1);
    assert_true(size > 0);
    lines[size] = '\0';
    assert_mentions(lines, "ERROR a function fails function=test/failing id=me "
                           "reason=\"for no reason\" failures=1\n");
    assert_ptr_equal(strchr(lines, '\n'), lines + size - 1);
    assert_null(strstr(lines, "payload"));
    close(pipe_of[0]);
    close(pipe_of[1]);
}

static void there_are_not_more_counters_than_the_limit(void **state)
{
    struct counters counters;
    struct arena arena = {0};
    struct address address;
    (void)state;
    log_configure(LOG_OFF, LOG_AS_TEXT);
    counters_init(&counters);
    for (int i = 0; i < COUNTERS_MAX + 10; i++) {
        char name[16];
        snprintf(name, sizeof name, "%d", i);
        assert_true(address_make(bytes_of("ns"), bytes_of(name), (struct bytes){0}, &arena,
                                 &address, NULL));
        counters_add(&counters, address.type, "x", 1);
    }
    counters_add(&counters, address.type, "x", 1);
    assert_int_equal(counters.map.count, COUNTERS_MAX);
    counters_destroy(&counters);
    arena_destroy(&arena);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_batch_is_answered_with_its_effects),
        TEST(missing_states_are_asked_for),
        TEST(a_batch_without_messages_does_nothing),
        TEST(what_is_wrong_has_a_code_for_the_http_answer),
        TEST(a_handler_needs_a_module_that_binds_something),
        TEST(results_come_back_as_messages_to_self_in_the_order_of_their_ends),
        TEST(an_operation_of_a_failed_call_may_end_whenever_it_likes),
        TEST(an_operation_of_a_call_that_lacks_a_state_is_for_nobody),
        TEST(one_handler_serves_many_threads),
        TEST(figures_are_shown_with_their_functions),
        TEST(a_failing_function_is_logged_once_in_a_while_without_what_it_was_sent),
        TEST(there_are_not_more_counters_than_the_limit),
    };
    return cmocka_run_group_tests_name("handler", tests, NULL, NULL);
}
