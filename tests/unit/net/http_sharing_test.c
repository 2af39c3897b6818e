/* http_sharing_test.c - calls that go out behind each other on one connection.
 *
 * Whether they may is a matter of milliseconds, which a busy machine takes for anything. So the
 * clock by which the pool tells quick from slow stands still here, but for pass_ms
 * (tests/CMakeLists.txt has the linker put it in the real one's place); the loop's, by which it
 * looks for those that are stuck, goes on. */
#include "client_fixture.h"

static uint64_t now_us = 1000 * 1000;

uint64_t __wrap_clock_now_us(void);

uint64_t __wrap_clock_now_us(void)
{
    return now_us;
}

static void pass_ms(uint64_t ms)
{
    now_us += ms * 1000;
}

static int setup(void **state)
{
    struct fixture *f = fixture_new(false);
    f->options.connections_first = 1;
    f->options.pipeline_max = 3;
    restart_pool(f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture_free(*state);
    return 0;
}

static size_t posts_in(const struct buffer *in)
{
    return buffer_count(in, "POST ");
}

/* Until both have come, one right behind the other. */
static void await_two(struct fixture *f, int peer, const char *first, const char *second)
{
    buffer_clear(&f->in);
    until(f->loop, (raw_receive(peer, &f->in), posts_in(&f->in) == 2));
    char *text = buffer_text(&f->in);
    assert_non_null(strstr(text, first));
    assert_true(strstr(text, first) < strstr(text, second));
}

static void calls_share_a_connection_that_answers_quickly(void **state)
{
    struct fixture *f = *state;
    int peer = warm_up(f);
    struct call *first = post(f, "one"), *second = post(f, "two");
    await_two(f, peer, "\r\n\r\none", "\r\n\r\ntwo");
    raw_send(peer, OK(1, "1") OK(1, "2"));
    await_answer(first, 200, "1");
    await_answer(second, 200, "2");
    assert_int_equal(figures(f).opened, 1);
}

static void more_calls_than_may_share_get_another_connection(void **state)
{
    struct fixture *f = *state;
    (void)warm_up(f);
    for (int i = 0; i < 4; i++)
        post(f, "x");
    int other = accept_peer(f);
    await_request(f, other, "x");
    assert_int_equal(figures(f).opened, 2);
}

/* Its answer may be that it closes, or that it takes long. */
static void a_connection_that_has_not_answered_is_not_shared(void **state)
{
    struct fixture *f = *state;
    struct call *first = post(f, "one"), *second = post(f, "two");
    int peer = accept_peer(f);
    await_request(f, peer, "one");
    int other = accept_peer(f);
    await_request(f, other, "two");
    raw_send(peer, OK(1, "1"));
    raw_send(other, OK(1, "2"));
    await_answer(first, 200, "1");
    await_answer(second, 200, "2");
}

static void the_first_connections_are_all_used_before_any_is_shared(void **state)
{
    struct fixture *f = *state;
    f->options.connections_first = 2;
    restart_pool(f);
    struct call *first = post(f, "one"), *second = post(f, "two");
    int peer = accept_peer(f);
    await_request(f, peer, "one");
    int other = accept_peer(f);
    await_request(f, other, "two");
    raw_send(peer, OK(1, "1"));
    raw_send(other, OK(1, "2"));
    await_answer(first, 200, "1");
    await_answer(second, 200, "2");

    buffer_clear(&f->in);
    struct buffer others = {0};
    for (int i = 0; i < 3; i++)
        post(f, "x");
    until(f->loop, (raw_receive(peer, &f->in), raw_receive(other, &others),
                    posts_in(&f->in) + posts_in(&others) == 3));
    assert_true(posts_in(&f->in) > 0 && posts_in(&others) > 0);
    assert_int_equal(figures(f).opened, 2);
    buffer_destroy(&others);
}

static void a_call_for_which_a_connection_is_opened_waits_for_it(void **state)
{
    struct fixture *f = *state;
    f->options.connections_first = 2;
    restart_pool(f);
    int peer = warm_up(f);
    post(f, "one");
    post(f, "two");
    int other = accept_peer(f);
    await_request(f, other, "two");
    buffer_clear(&f->in);
    await_request(f, peer, "one");
    assert_int_equal(posts_in(&f->in), 1);
}

static void a_server_that_answers_slowly_gets_a_connection_for_each_call(void **state)
{
    struct fixture *f = *state;
    struct call *call = post(f, "warm");
    int peer = accept_peer(f);
    await_request(f, peer, "warm");
    pass_ms(4);
    raw_send(peer, OK(2, "up"));
    await_answer(call, 200, "up");

    post(f, "one");
    post(f, "two");
    await_request(f, peer, "one");
    int other = accept_peer(f);
    await_request(f, other, "two");
}

static void calls_behind_one_that_takes_long_are_made_elsewhere(void **state)
{
    struct fixture *f = *state;
    int peer = warm_up(f);
    struct call *slow = post(f, "slow"), *quick = post(f, "quick");
    await_two(f, peer, "\r\n\r\nslow", "\r\n\r\nquick");
    pass_ms(99);
    turn_for(f->loop, 60); /* it looks every 50 */
    assert_true(nobody_connects(f));
    pass_ms(2);
    int other = accept_peer(f);
    await_request(f, other, "quick");
    raw_send(other, OK(1, "q"));
    await_answer(quick, 200, "q");

    /* The late answers: the first is still wanted, the second is nobody's. */
    raw_send(peer, OK(1, "s") OK(5, "stale"));
    await_answer(slow, 200, "s");
    await_closed(f, peer);
    assert_int_equal(figures(f).calls, 0);
}

static void a_call_that_was_given_up_is_not_made_elsewhere(void **state)
{
    struct fixture *f = *state;
    int peer = warm_up(f);
    struct call *slow = post(f, "slow"), *unwanted = post(f, "unwanted");
    await_two(f, peer, "\r\n\r\nslow", "\r\n\r\nunwanted");
    call_cancel(unwanted);
    pass_ms(200);
    turn_for(f->loop, 100); /* it looks every 50 */
    assert_true(nobody_connects(f));
    raw_send(peer, OK(1, "s"));
    await_answer(slow, 200, "s");
}

static void calls_behind_one_that_breaks_the_server_are_made_once_more(void **state)
{
    struct fixture *f = *state;
    int peer = warm_up(f);
    struct call *first = post(f, "one"), *second = post(f, "two");
    await_two(f, peer, "\r\n\r\none", "\r\n\r\ntwo");
    raw_send(peer, "HTTP/1.1 20");
    hang_up(f, peer);
    await_failure(first, HTTP_BROKEN, "in the middle of a response");
    int other = accept_peer(f);
    await_request(f, other, "two");
    hang_up(f, other);
    await_failure(second, HTTP_BROKEN, "without a response");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(calls_share_a_connection_that_answers_quickly),
        TEST(more_calls_than_may_share_get_another_connection),
        TEST(a_connection_that_has_not_answered_is_not_shared),
        TEST(the_first_connections_are_all_used_before_any_is_shared),
        TEST(a_call_for_which_a_connection_is_opened_waits_for_it),
        TEST(a_server_that_answers_slowly_gets_a_connection_for_each_call),
        TEST(calls_behind_one_that_takes_long_are_made_elsewhere),
        TEST(a_call_that_was_given_up_is_not_made_elsewhere),
        TEST(calls_behind_one_that_breaks_the_server_are_made_once_more),
    };
    return cmocka_run_group_tests_name("http_sharing", tests, NULL, NULL);
}
