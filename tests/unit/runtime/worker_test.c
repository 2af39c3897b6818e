/* worker_test.c - when a worker gives another one messages. Neither has a thread: the engine is
 * driven by hand, in the middle of a turn that does not end. Whether the other lingers the test
 * says: tests/CMakeLists.txt has the linker put its answer in the loop's place. */
#include "test.h"

#include "base/mem.h"
#include "engine/partition.h"
#include "runtime/worker_inside.h"

#include <stdio.h>

enum { WORKERS = 2, PARTITIONS = 16 };

static bool lingers;
static const struct loop *asked_of;

bool __wrap_loop_is_lingering(const struct loop *loop);

bool __wrap_loop_is_lingering(const struct loop *loop)
{
    asked_of = loop;
    return lingers;
}

struct fixture {
    struct application *application;
    struct endpoints endpoints;
    struct function_binding function;
    struct bindings bindings;
    struct worker *workers[WORKERS];
    unsigned next_id;
};

static const char module[] = "kind: io.statefun.endpoints.v2/http\n"
                             "spec:\n"
                             "  functions: test/*\n"
                             "  urlPathTemplate: http://127.0.0.1:1/\n"
                             "---\n"
                             "kind: io.statefun.playground.v1/ingress\n"
                             "spec: {port: 0}\n";

static int setup(void **state)
{
    struct fixture *f = mem_new(sizeof *f);
    struct application_options options = {0};
    struct diagnostics diagnostics = {0};
    struct sf_status status;
    f->application = application_load_text("module.yaml", bytes_of(module), &options, &diagnostics);
    assert_non_null(f->application);
    diagnostics_destroy(&diagnostics);
    assert_good(endpoints_open(f->application, &f->endpoints, &status), &status);
    f->function = (struct function_binding){.ns = bytes_of("test"), .is_prefix = true};
    f->function.in_flight_max = 1;
    f->bindings = (struct bindings){.functions = &f->function, .function_count = 1};
    for (uint32_t i = 0; i < WORKERS; i++) {
        f->workers[i] = worker_new(&(struct worker_options){
            .engine = {.worker = i,
                       .workers = WORKERS,
                       .partitions = PARTITIONS,
                       .epoch = 1,
                       .limits = engine_limits_default,
                       .bindings = &f->bindings},
            .endpoints = &f->endpoints,
            .peers = f->workers,
            .http_fd = -1,
            .remote = {.pipeline_max = 1},
        });
        engine_restored(worker_engine(f->workers[i]));
    }
    lingers = true;
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    for (uint32_t i = 0; i < WORKERS; i++)
        worker_free(f->workers[i]);
    endpoints_close(&f->endpoints);
    application_free(f->application);
    free(f);
    return 0;
}

/* The next id of an address that the second worker has. */
static void next_id(struct fixture *f, char id[static 16])
{
    uint32_t partition;
    do {
        snprintf(id, 16, "id-%u", f->next_id++);
        partition = partition_of(bytes_of(id), PARTITIONS);
    } while (partition_worker(partition, PARTITIONS, WORKERS) != 1);
}

/* The first worker takes in so many records, each a message for the second one. */
static void post(struct fixture *f, size_t count)
{
    struct record_target target = {bytes_of("test"), bytes_of("function")};
    for (size_t i = 0; i < count; i++) {
        char id[16];
        next_id(f, id);
        struct record record = {.id = bytes_of(id), .targets = &target, .target_count = 1};
        assert_int_equal(engine_accept(worker_engine(f->workers[0]), &record), ACCEPTED);
    }
}

/* How many messages have come to the second worker, which takes them. */
static uint64_t received(struct fixture *f)
{
    struct engine_figures figures;
    errands_run(f->workers[1]->inbox, f->workers[1]);
    engine_figures(worker_engine(f->workers[1]), &figures);
    return figures.backlog_messages;
}

static void who_lingers_is_given_messages_by_the_eight_at_once(void **state)
{
    struct fixture *f = *state;
    post(f, 7);
    assert_int_equal(received(f), 0);
    post(f, 1);
    assert_int_equal(received(f), 8);
    assert_ptr_equal(asked_of, f->workers[1]->loop);
    post(f, 7);
    assert_int_equal(received(f), 8);
    post(f, 2);
    assert_int_equal(received(f), 16);
}

static void who_does_not_linger_is_given_none_before_the_end_of_the_turn(void **state)
{
    struct fixture *f = *state;
    lingers = false;
    post(f, 100);
    assert_int_equal(received(f), 0);
}

static void who_begins_to_linger_is_given_all_that_has_been_kept_for_it(void **state)
{
    struct fixture *f = *state;
    lingers = false;
    post(f, 20);
    lingers = true;
    post(f, 1);
    assert_int_equal(received(f), 21);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(who_lingers_is_given_messages_by_the_eight_at_once),
        TEST(who_does_not_linger_is_given_none_before_the_end_of_the_turn),
        TEST(who_begins_to_linger_is_given_all_that_has_been_kept_for_it),
    };
    return cmocka_run_group_tests_name("worker", tests, NULL, NULL);
}
