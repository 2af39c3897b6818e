/* embedded_test.c - functions of embedded modules and their asynchronous operations: an engine, a
 * loop, and threads that end operations. */
#include "engine/script.h"

#include "function/embedded.h"
#include "sdk/value.h"

#include <pthread.h>

static struct fixture {
    struct script *script;
    struct loop *loop;
    struct registry registry;
    struct operations *operations;
    struct operation_desk *desk;
    struct embedded *embedded;
    struct function_binding functions[2];
    struct bindings bindings;
    uint64_t life;
    bool is_done;
} * fixture;

/* --- the function: begins an operation for each string, counts the ends --- */

static struct sf_async *begun; /* the last */
static enum { END_LATER, END_AT_ONCE, FAIL_THE_CALL } manner;
static enum sf_async_status seen;
static char seen_metadata[32], seen_value[32];

static const struct sf_state ENDS = SF_VALUE("ends", &sf_int_type);

static bool work(struct sf_context *context, const struct sf_message *message)
{
    struct sf_async_result result;
    const char *text;
    seen = sf_async_result(context, message, &result);
    if (seen != SF_ASYNC_NONE) {
        struct sf_address caller;
        int32_t ends = 0;
        assert_true(sf_decode(context, result.metadata, &sf_string_type, &text));
        snprintf(seen_metadata, sizeof seen_metadata, "%s", text);
        text = result.cause;
        if (seen == SF_ASYNC_SUCCESS)
            assert_true(sf_decode(context, result.value, &sf_string_type, &text));
        snprintf(seen_value, sizeof seen_value, "%s", text);
        assert_true(sf_caller(context, &caller));
        assert_string_equal(caller.id, "ann");
        sf_get(context, &ENDS, &ends);
        return sf_set(context, &ENDS, sf_int(ends + 1));
    }
    if (!sf_read(context, message, &sf_string_type, &text))
        return false;
    begun = sf_async_begin(context, sf_string(text));
    assert_non_null(begun);
    sf_count(context, "begun", 1);
    if (manner == END_AT_ONCE)
        sf_async_complete(begun, sf_string("at once"));
    if (manner == FAIL_THE_CALL)
        return sf_fail_call(context, "after it has begun one");
    return true;
}

static const struct sf_function WORKER = {
    .type = "a/worker", .call = work, .states = SF_STATES(&ENDS)};

static bool configure(struct sf_module *module, struct sf_status *status)
{
    return sf_bind(module, &WORKER, status);
}

/* --- ports --- */

static void *on_attach(void *owner, const struct function_binding *binding, struct bytes ns,
                       struct bytes name)
{
    (void)owner;
    return binding->answers_at_once ? (void *)embedded_attach(fixture->embedded, ns, name)
                                    : (void *)fixture->desk;
}

static void on_invoke(void *owner, void *function, struct invocation *invocation,
                      const struct to_function *request)
{
    (void)owner;
    operation_desk_invoke(function, invocation, request);
}

static const struct from_function *on_call(void *owner, void *function,
                                           const struct to_function *request,
                                           struct sf_status *status)
{
    (void)owner;
    embedded_set_engine(fixture->embedded, fixture->script->engine);
    return embedded_call(fixture->embedded, function, request, status);
}

static void on_turn_end(void *owner)
{
    struct fixture *f = owner;
    engine_run(f->script->engine);
    if (seen != SF_ASYNC_NONE)
        loop_stop(f->loop);
}

static void start_life(struct fixture *f)
{
    f->operations = operations_new(++f->life);
    f->embedded = embedded_new(f->loop, &f->registry, f->operations);
    f->desk = operation_desk_new(f->operations, f->loop);
}

static void end_life(struct fixture *f)
{
    operation_desk_free(f->desk);
    embedded_free(f->embedded);
    operations_free(f->operations);
}

static int set_up(void **state)
{
    struct fixture *f = fixture = mem_new(sizeof *f);
    struct sf_status status;
    void *script;
    script_set_up(&script);
    f->script = script;
    f->loop = loop_new();
    registry_init(&f->registry, &(struct registry_options){0});
    assert_good(registry_add(&f->registry, configure, &status), &status);
    start_life(f);

    f->bindings = *script_bindings();
    f->functions[0] = (struct function_binding){.ns = bytes_of("a"),
                                                .name = bytes_of("worker"),
                                                .answers_at_once = true,
                                                .in_flight_max = 1};
    f->functions[1] = (struct function_binding){.ns = bytes_of(ASYNC_FUNCTION_NS),
                                                .name = bytes_of(ASYNC_FUNCTION_NAME),
                                                .batch_max = 1,
                                                .in_flight_max = 1000};
    f->bindings.functions = f->functions;
    f->bindings.function_count = 2;
    f->script->options.bindings = &f->bindings;
    f->script->options.ports.attach = on_attach;
    f->script->options.ports.invoke = on_invoke;
    f->script->options.ports.call = on_call;
    script_restart_empty(f->script);
    operation_desk_set_engine(f->desk, f->script->engine);
    loop_on_turn_end(f->loop, on_turn_end, f);
    manner = END_LATER;
    seen = SF_ASYNC_NONE;
    begun = NULL;
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    void *script = f->script;
    end_life(f);
    script_tear_down(&script);
    registry_destroy(&f->registry);
    loop_free(f->loop);
    free(f);
    return 0;
}

#define EMBEDDED(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

static void send(struct fixture *f, const char *text)
{
    struct record record = script_record(f->script, "worker", "ann", "");
    struct buffer value = {0}, body = {0};
    string_value_add(&value, bytes_of(text));
    typed_value_add(&body,
                    &(struct typed_value){bytes_of(TYPE_STRING), buffer_bytes(&value), true});
    record.argument = arena_add_bytes(&f->script->arena, buffer_bytes(&body));
    buffer_destroy(&value);
    buffer_destroy(&body);
    assert_int_equal(script_offer(f->script, &record), ACCEPTED);
}

/* The whole process is gone, and comes again. */
static void crash(struct fixture *f)
{
    f->script->options.epoch = engine_epoch(f->script->engine);
    operation_desk_free(f->desk);
    script_stop(f->script);
    embedded_free(f->embedded);
    operations_free(f->operations);
    start_life(f);
    script_start(f->script);
    operation_desk_set_engine(f->desk, f->script->engine);
}

static void *complete(void *async)
{
    sf_async_complete(async, sf_string("from a thread"));
    return NULL;
}

static void an_operation_that_a_thread_ends_comes_back_as_a_message(void **state)
{
    struct fixture *f = *state;
    pthread_t thread;
    send(f, "question");
    assert_int_equal(seen, SF_ASYNC_NONE);
    pthread_create(&thread, NULL, complete, begun);
    loop_run(f->loop);
    pthread_join(thread, NULL);
    assert_int_equal(seen, SF_ASYNC_SUCCESS);
    assert_string_equal(seen_metadata, "question");
    assert_string_equal(seen_value, "from a thread");
    script_commit(f->script);
    assert_int_equal(script_count(f->script, KEY_MESSAGE), 0);
    assert_int_equal(script_count(f->script, KEY_STATE), 1);
}

static void an_operation_may_fail(void **state)
{
    struct fixture *f = *state;
    send(f, "question");
    sf_async_fail(begun, "nobody knows");
    loop_run(f->loop);
    assert_int_equal(seen, SF_ASYNC_FAILURE);
    assert_string_equal(seen_value, "nobody knows");
}

static void an_operation_may_end_before_its_function_has_returned(void **state)
{
    struct fixture *f = *state;
    manner = END_AT_ONCE;
    send(f, "question");
    loop_run(f->loop);
    assert_int_equal(seen, SF_ASYNC_SUCCESS);
    assert_string_equal(seen_value, "at once");
}

static void after_a_crash_how_it_ended_is_unknown(void **state)
{
    struct fixture *f = *state;
    send(f, "question");
    script_commit(f->script);
    struct sf_async *orphan = begun;
    crash(f);
    loop_run(f->loop);
    assert_int_equal(seen, SF_ASYNC_UNKNOWN);
    assert_string_equal(seen_metadata, "question");
    sf_async_complete(orphan, sf_string("too late")); /* its maker need not know */
}

static void nothing_is_known_of_one_whose_call_has_failed(void **state)
{
    struct fixture *f = *state;
    manner = FAIL_THE_CALL;
    send(f, "question");
    sf_async_complete(begun, sf_string("for nobody"));
    manner = END_AT_ONCE;
    script_advance(f->script, 20 * 1000);
    loop_run(f->loop);
    assert_int_equal(seen, SF_ASYNC_SUCCESS);
    script_commit(f->script);
    assert_int_equal(script_count(f->script, KEY_MESSAGE), 0);
}

static void count_begun(void *owner, const struct embedded_counter *counter)
{
    assert_bytes(counter->name, "worker");
    assert_string_equal(counter->counter, "begun");
    *(int64_t *)owner += counter->value;
}

static void what_a_function_counts_is_counted(void **state)
{
    struct fixture *f = *state;
    int64_t total = 0;
    manner = END_AT_ONCE;
    send(f, "one");
    send(f, "two");
    embedded_each_counter(f->embedded, count_begun, &total);
    assert_int_equal(total, 2);
    loop_run(f->loop);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        EMBEDDED(an_operation_that_a_thread_ends_comes_back_as_a_message),
        EMBEDDED(an_operation_may_fail),
        EMBEDDED(an_operation_may_end_before_its_function_has_returned),
        EMBEDDED(after_a_crash_how_it_ended_is_unknown),
        EMBEDDED(nothing_is_known_of_one_whose_call_has_failed),
        EMBEDDED(what_a_function_counts_is_counted),
    };
    return cmocka_run_group_tests_name("embedded", tests, NULL, NULL);
}
