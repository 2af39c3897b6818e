/* operations_test.c - operations from their beginning to where their results are told. */
#include "test.h"

#include "harness/asyncs.h"
#include "sdk/batch.h"

#include <pthread.h>
#include <unistd.h>

struct fixture {
    struct asyncs *asyncs;
    struct batch_world world;
    struct batch batch;
    struct list begun;
    struct arena arena;
    struct async_ticket ticket; /* of the last one */
    int waiter;
    void *told;
    struct async_end end;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    f->asyncs = asyncs_new(5, NULL, NULL);
    batch_init(&f->batch, &f->world);
    list_init(&f->begun);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    asyncs_free(f->asyncs);
    batch_destroy(&f->batch);
    arena_destroy(&f->arena);
    free(f);
    return 0;
}

static struct sf_async *begin(struct fixture *f)
{
    f->ticket.life = 5;
    f->ticket.number++;
    return asyncs_begin(f->asyncs, &f->begun, &f->batch, bytes_of("metadata"));
}

static bool wait_for(struct fixture *f)
{
    return asyncs_wait(f->asyncs, &f->ticket, &f->waiter);
}

static bool next(struct fixture *f)
{
    return asyncs_next(f->asyncs, &f->arena, &f->told, &f->end);
}

static void what_has_ended_is_told_to_whoever_waits(void **state)
{
    struct fixture *f = *state;
    struct sf_async *async = begin(f);
    asyncs_settle(f->asyncs, &f->begun, true);
    assert_true(wait_for(f));
    assert_false(next(f));
    sf_async_complete(async, sf_int(7));
    assert_true(next(f));
    assert_ptr_equal(f->told, &f->waiter);
    assert_int_equal(f->end.status, SF_ASYNC_SUCCESS);
    assert_true(f->end.value.size > 0 && f->end.cause.size == 0);
    assert_false(next(f));
    assert_false(wait_for(f)); /* it is forgotten */
}

static void an_operation_may_end_before_its_call(void **state)
{
    struct fixture *f = *state;
    sf_async_fail(begin(f), "it broke");
    assert_false(next(f));
    asyncs_settle(f->asyncs, &f->begun, true);
    assert_false(next(f));
    assert_true(wait_for(f));
    assert_true(next(f));
    assert_int_equal(f->end.status, SF_ASYNC_FAILURE);
    assert_bytes(f->end.cause, "it broke");
}

static void nothing_is_known_of_one_whose_call_does_not_count(void **state)
{
    struct fixture *f = *state;
    struct sf_async *early = begin(f), *late = begin(f);
    sf_async_complete(early, sf_int(7));
    asyncs_settle(f->asyncs, &f->begun, false);
    assert_true(list_is_empty(&f->begun));
    assert_false(wait_for(f));
    sf_async_complete(late, sf_int(7));
    assert_false(next(f));
}

static void those_of_another_life_are_not_known(void **state)
{
    struct fixture *f = *state;
    struct sf_async *async = begin(f);
    asyncs_settle(f->asyncs, &f->begun, true);
    f->ticket.life = 4;
    assert_false(wait_for(f));
    sf_async_fail(async, NULL);
}

static void operations_may_end_when_nobody_is_left(void **state)
{
    struct fixture *f = *state;
    struct sf_async *known = begin(f), *told = begin(f);
    asyncs_settle(f->asyncs, &f->begun, true);
    assert_true(wait_for(f));
    sf_async_complete(told, sf_int(1));
    asyncs_free(f->asyncs);
    f->asyncs = NULL;
    sf_async_complete(known, sf_int(2));
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
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        pthread_create(&threads[i], NULL, complete_later, begin(f));
        asyncs_settle(f->asyncs, &f->begun, true);
        assert_true(wait_for(f));
    }
    for (int i = 0; i < THREADS; i++) {
        assert_true(asyncs_await(f->asyncs, 60 * 1000));
        assert_true(next(f));
    }
    assert_false(asyncs_await(f->asyncs, 1));
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_has_ended_is_told_to_whoever_waits),
        TEST(an_operation_may_end_before_its_call),
        TEST(nothing_is_known_of_one_whose_call_does_not_count),
        TEST(those_of_another_life_are_not_known),
        TEST(operations_may_end_when_nobody_is_left),
        TEST(they_may_be_waited_for_while_threads_end_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
