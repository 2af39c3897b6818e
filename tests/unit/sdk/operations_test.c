/* operations_test.c - operations from their beginning to where their results are told. */
#include "test.h"

#include "sdk/batch.h"
#include "sdk/operations.h"

#include <pthread.h>
#include <unistd.h>

struct fixture {
    struct operations *operations;
    struct desk desk;
    struct batch_world world;
    struct batch batch;
    struct async_ticket ticket; /* of the last one */
    struct visit visit;
    struct async_end end;
    int due; /* how often desk_next was said to have something */
};

static void on_due(void *owner)
{
    struct fixture *f = owner;
    f->due++;
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    f->operations = operations_new(5);
    desk_init(&f->desk, f->operations, on_due, f);
    batch_init(&f->batch, &f->world);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    while (desk_drop(&f->desk))
        continue;
    operations_free(f->operations);
    batch_destroy(&f->batch);
    free(f);
    return 0;
}

static struct sf_async *begin(struct fixture *f)
{
    f->ticket.life = 5;
    f->ticket.number++;
    return operations_begin(f->operations, &f->batch, bytes_of("metadata"));
}

static void come(struct fixture *f)
{
    desk_put(&f->desk, &f->visit, &f->ticket);
}

static void expect_told(struct fixture *f, enum sf_async_status status)
{
    assert_ptr_equal(desk_next(&f->desk, &f->end), &f->visit);
    assert_int_equal(f->end.status, status);
}

static void expect_nothing(struct fixture *f)
{
    assert_null(desk_next(&f->desk, &f->end));
}

static void what_has_ended_is_told_to_whoever_waits(void **state)
{
    struct fixture *f = *state;
    struct sf_async *async = begin(f);
    come(f);
    expect_nothing(f);
    assert_int_equal(f->due, 0);
    sf_async_complete(async, sf_int(7));
    assert_int_equal(f->due, 1);
    expect_told(f, SF_ASYNC_SUCCESS);
    assert_true(f->end.value.size > 0 && f->end.cause.size == 0);
    visit_done(&f->visit);
    expect_nothing(f);
    come(f); /* it is forgotten */
    expect_told(f, SF_ASYNC_UNKNOWN);
}

static void an_operation_may_end_before_its_companion_comes(void **state)
{
    struct fixture *f = *state;
    sf_async_fail(begin(f), "it broke");
    expect_nothing(f);
    come(f);
    expect_told(f, SF_ASYNC_FAILURE);
    assert_bytes(f->end.cause, "it broke");
    visit_done(&f->visit);
}

static void a_companion_that_comes_again_meanwhile_is_not_told_the_same_twice(void **state)
{
    struct fixture *f = *state;
    struct visit again;
    struct sf_async *async = begin(f);
    desk_put(&f->desk, &again, &f->ticket);
    come(f);
    expect_told(f, SF_ASYNC_UNKNOWN);
    sf_async_complete(async, sf_int(7));
    assert_ptr_equal(desk_next(&f->desk, &f->end), &again);
    assert_int_equal(f->end.status, SF_ASYNC_SUCCESS);
    visit_done(&again);
}

static void those_of_another_life_are_not_known(void **state)
{
    struct fixture *f = *state;
    struct sf_async *async = begin(f);
    f->ticket.life = 4;
    come(f);
    expect_told(f, SF_ASYNC_UNKNOWN);
    desk_put(&f->desk, &f->visit, NULL);
    expect_told(f, SF_ASYNC_UNKNOWN);
    sf_async_fail(async, NULL);
}

static void operations_may_end_when_nobody_is_left(void **state)
{
    struct fixture *f = *state;
    struct sf_async *early = begin(f), *alone = begin(f), *waited_for = begin(f);
    sf_async_complete(early, sf_int(1));
    come(f);
    assert_ptr_equal(desk_drop(&f->desk), &f->visit);
    sf_async_complete(waited_for, sf_int(2));
    operations_free(f->operations);
    sf_async_complete(alone, sf_int(3));
    f->operations = operations_new(6); /* for the end of the test */
    desk_init(&f->desk, f->operations, NULL, NULL);
}

static void what_is_dropped_is_not_told(void **state)
{
    struct fixture *f = *state;
    sf_async_complete(begin(f), sf_int(1));
    come(f);
    assert_ptr_equal(desk_drop(&f->desk), &f->visit);
    assert_null(desk_drop(&f->desk));
    expect_nothing(f);
    come(f);
    expect_told(f, SF_ASYNC_UNKNOWN);
}

static void *complete_later(void *async)
{
    usleep(1000);
    sf_async_complete(async, sf_string("from another thread"));
    return NULL;
}

static void they_may_be_waited_for_while_threads_end_them(void **state)
{
    enum { THREADS = 8 };
    struct fixture *f = *state;
    struct visit visits[THREADS], *told;
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        pthread_create(&threads[i], NULL, complete_later, begin(f));
        desk_put(&f->desk, &visits[i], &f->ticket);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_true(desk_await(&f->desk, 60 * 1000));
        told = desk_next(&f->desk, &f->end);
        assert_non_null(told);
        visit_done(told);
    }
    assert_false(desk_await(&f->desk, 1));
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_has_ended_is_told_to_whoever_waits),
        TEST(an_operation_may_end_before_its_companion_comes),
        TEST(a_companion_that_comes_again_meanwhile_is_not_told_the_same_twice),
        TEST(those_of_another_life_are_not_known),
        TEST(operations_may_end_when_nobody_is_left),
        TEST(what_is_dropped_is_not_told),
        TEST(they_may_be_waited_for_while_threads_end_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
