/* loop_test.c - waiting for descriptors, for time, for another thread. */
#include "test.h"

#include "loop/loop.h"

#include "base/mem.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

enum { FOREVER_MS = 10000 }; /* so long only when a test fails */

static uint64_t clock_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static int set_up(void **state)
{
    *state = loop_new();
    return 0;
}

static int tear_down(void **state)
{
    loop_free(*state);
    return 0;
}

/* --- timers --- */

struct alarm {
    struct loop_timer timer;
    struct loop *loop;
    struct alarm *other;
    int rung;
    int place; /* in the order of ringing */
};

static int rung_so_far;

static void on_alarm(struct loop_timer *timer)
{
    struct alarm *alarm = container_of(timer, struct alarm, timer);
    alarm->rung++;
    alarm->place = ++rung_so_far;
}

static void on_alarm_set_again(struct loop_timer *timer)
{
    struct alarm *alarm = container_of(timer, struct alarm, timer);
    on_alarm(timer);
    loop_timer_set(alarm->loop, timer, 0);
}

static void on_alarm_cancel_other(struct loop_timer *timer)
{
    struct alarm *alarm = container_of(timer, struct alarm, timer);
    on_alarm(timer);
    loop_timer_cancel(alarm->loop, &alarm->other->timer);
}

static void a_timer_ends_the_wait_and_never_fires_early(void **state)
{
    struct loop *loop = *state;
    struct alarm alarm = {.timer.on_timer = on_alarm};
    uint64_t due_ms = loop_now_ms(loop) + 30;
    loop_timer_set(loop, &alarm.timer, due_ms);

    while (!alarm.rung) {
        assert_true(clock_ms() < due_ms + FOREVER_MS);
        loop_turn(loop, -1);
    }
    assert_true(clock_ms() >= due_ms);
    assert_true(loop_now_ms(loop) >= due_ms);

    loop_turn(loop, 0);
    assert_int_equal(alarm.rung, 1);
}

static void timers_fire_in_the_order_in_which_they_are_due(void **state)
{
    struct loop *loop = *state;
    struct alarm alarms[4] = {0};
    uint64_t now_ms = loop_now_ms(loop);
    uint64_t dues[4] = {now_ms + 3, now_ms + 1, now_ms + 2, now_ms + 1};
    rung_so_far = 0;
    for (size_t i = 0; i < 4; i++) {
        alarms[i].timer.on_timer = on_alarm;
        loop_timer_set(loop, &alarms[i].timer, dues[i]);
    }
    while (rung_so_far < 4)
        loop_turn(loop, FOREVER_MS);
    assert_int_equal(alarms[1].place, 1);
    assert_int_equal(alarms[3].place, 2);
    assert_int_equal(alarms[2].place, 3);
    assert_int_equal(alarms[0].place, 4);
}

static void a_timer_can_be_moved_and_cancelled(void **state)
{
    struct loop *loop = *state;
    struct alarm moved = {.timer.on_timer = on_alarm}, cancelled = {.timer.on_timer = on_alarm};
    loop_timer_set(loop, &moved.timer, loop_now_ms(loop) + FOREVER_MS);
    loop_timer_set(loop, &moved.timer, 0);
    loop_timer_set(loop, &cancelled.timer, 0);
    loop_timer_cancel(loop, &cancelled.timer);
    loop_timer_cancel(loop, &cancelled.timer);

    loop_turn(loop, -1);
    assert_int_equal(moved.rung, 1);
    assert_int_equal(cancelled.rung, 0);
}

static void a_timer_may_cancel_another_that_is_due_in_the_same_turn(void **state)
{
    struct loop *loop = *state;
    struct alarm second = {.timer.on_timer = on_alarm};
    struct alarm first = {.timer.on_timer = on_alarm_cancel_other, .loop = loop, .other = &second};
    loop_timer_set(loop, &first.timer, 0);
    loop_timer_set(loop, &second.timer, 0);
    loop_turn(loop, 0);
    assert_int_equal(first.rung, 1);
    assert_int_equal(second.rung, 0);
}

/* Else it would keep the loop, and the timers behind it, from ever having their turn. */
static void a_timer_that_sets_itself_again_waits_for_the_next_turn(void **state)
{
    struct loop *loop = *state;
    struct alarm eager = {.timer.on_timer = on_alarm_set_again, .loop = loop};
    struct alarm patient = {.timer.on_timer = on_alarm};
    loop_timer_set(loop, &eager.timer, 0);
    loop_timer_set(loop, &patient.timer, 0);

    loop_turn(loop, -1);
    assert_int_equal(eager.rung, 1);
    assert_int_equal(patient.rung, 1);
    loop_turn(loop, -1);
    assert_int_equal(eager.rung, 2);
    loop_timer_cancel(loop, &eager.timer);
}

static void the_clocks_stand_still_within_a_turn(void **state)
{
    struct loop *loop = *state;
    loop_turn(loop, 0);
    uint64_t now_ms = loop_now_ms(loop), wall_ms = loop_wall_ms(loop);
    usleep(5000);
    assert_int_equal(loop_now_ms(loop), now_ms);
    assert_int_equal(loop_wall_ms(loop), wall_ms);
    loop_turn(loop, 0);
    assert_true(loop_now_ms(loop) >= now_ms + 5);
    assert_true(loop_wall_ms(loop) / 1000 + 2 >= (uint64_t)time(NULL));
}

/* --- descriptors --- */

struct spy {
    struct loop_watch watch;
    struct loop *loop;
    struct spy **victim; /* taken away and freed when this one is called */
    struct spy *heir;    /* watches the victim's descriptor from then on */
    int calls;
    uint32_t events;
};

static void on_spied(struct loop_watch *watch, uint32_t events)
{
    struct spy *spy = container_of(watch, struct spy, watch);
    spy->calls++;
    spy->events = events;
}

static void on_spied_kill(struct loop_watch *watch, uint32_t events)
{
    struct spy *spy = container_of(watch, struct spy, watch);
    on_spied(watch, events);
    if (!*spy->victim)
        return;
    int fd = (*spy->victim)->watch.fd;
    loop_unwatch(spy->loop, &(*spy->victim)->watch);
    free(*spy->victim);
    *spy->victim = NULL;
    if (spy->heir)
        loop_watch(spy->loop, &spy->heir->watch, fd, EPOLLIN);
}

struct two_pipes {
    int first[2], second[2];
};

static void two_pipes_open(struct two_pipes *pipes)
{
    assert_int_equal(pipe(pipes->first), 0);
    assert_int_equal(pipe(pipes->second), 0);
    assert_int_equal(write(pipes->first[1], "x", 1), 1);
    assert_int_equal(write(pipes->second[1], "x", 1), 1);
}

static void two_pipes_close(struct two_pipes *pipes)
{
    for (int i = 0; i < 2; i++) {
        close(pipes->first[i]);
        close(pipes->second[i]);
    }
}

static void a_descriptor_is_reported_for_as_long_as_it_is_ready(void **state)
{
    struct loop *loop = *state;
    struct spy spy = {.watch.on_ready = on_spied};
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    loop_watch(loop, &spy.watch, ends[0], EPOLLIN);
    loop_turn(loop, 0);
    assert_int_equal(spy.calls, 0);

    assert_int_equal(write(ends[1], "x", 1), 1);
    loop_turn(loop, FOREVER_MS);
    loop_turn(loop, FOREVER_MS);
    assert_int_equal(spy.calls, 2);
    assert_int_equal(spy.events, EPOLLIN);

    loop_rewatch(loop, &spy.watch, 0);
    loop_turn(loop, 0);
    assert_int_equal(spy.calls, 2);
    loop_rewatch(loop, &spy.watch, EPOLLIN);
    loop_turn(loop, 0);
    assert_int_equal(spy.calls, 3);

    loop_unwatch(loop, &spy.watch);
    assert_int_equal(spy.watch.fd, -1);
    loop_turn(loop, 0);
    assert_int_equal(spy.calls, 3);
    close(ends[0]);
    close(ends[1]);
}

/* Two descriptors are ready in one turn; whichever watch is called first takes the other away. Its
 * memory is gone then, too: the address sanitizer looks on. */
static struct spy *let_one_kill_the_other(struct loop *loop, struct two_pipes *pipes,
                                          struct spy *heir)
{
    static struct spy *spies[2];
    two_pipes_open(pipes);
    for (int i = 0; i < 2; i++) {
        spies[i] = mem_new(sizeof *spies[i]);
        *spies[i] = (struct spy){
            .watch.on_ready = on_spied_kill, .loop = loop, .victim = &spies[1 - i], .heir = heir};
        loop_watch(loop, &spies[i]->watch, i ? pipes->second[0] : pipes->first[0], EPOLLIN);
    }
    loop_turn(loop, 0);
    assert_true(!spies[0] != !spies[1]);
    struct spy *survivor = spies[0] ? spies[0] : spies[1];
    assert_int_equal(survivor->calls, 1);
    return survivor;
}

static void a_watch_that_is_taken_away_gets_no_event_of_the_same_turn(void **state)
{
    struct loop *loop = *state;
    struct two_pipes pipes;
    struct spy *survivor = let_one_kill_the_other(loop, &pipes, NULL);
    loop_unwatch(loop, &survivor->watch);
    free(survivor);
    two_pipes_close(&pipes);
}

static void a_watch_does_not_inherit_the_event_of_one_that_had_its_descriptor(void **state)
{
    struct loop *loop = *state;
    struct two_pipes pipes;
    struct spy heir = {.watch.on_ready = on_spied};
    struct spy *survivor = let_one_kill_the_other(loop, &pipes, &heir);
    assert_int_equal(heir.calls, 0);
    loop_turn(loop, 0);
    assert_int_equal(heir.calls, 1);

    loop_unwatch(loop, &heir.watch);
    loop_unwatch(loop, &survivor->watch);
    free(survivor);
    two_pipes_close(&pipes);
}

/* --- the turn's end --- */

struct chore {
    struct loop_task task;
    struct loop *loop;
    int done;
    int place;
    int again; /* how often it sets itself */
};

static int done_so_far;

static void on_chore(struct loop_task *task)
{
    struct chore *chore = container_of(task, struct chore, task);
    chore->done++;
    chore->place = ++done_so_far;
    if (chore->again > 0) {
        chore->again--;
        loop_task_set(chore->loop, task);
    }
}

static void on_turn_end(void *owner)
{
    *(int *)owner = ++done_so_far;
}

static void tasks_run_once_in_order_behind_the_end_of_the_turn(void **state)
{
    struct loop *loop = *state;
    struct chore first = {.task.on_task = on_chore}, second = {.task.on_task = on_chore};
    int turn_end_place = 0;
    done_so_far = 0;
    loop_on_turn_end(loop, on_turn_end, &turn_end_place);
    loop_task_set(loop, &first.task);
    loop_task_set(loop, &second.task);
    loop_task_set(loop, &first.task);

    loop_turn(loop, FOREVER_MS); /* which must not wait */
    assert_int_equal(turn_end_place, 1);
    assert_int_equal(first.place, 2);
    assert_int_equal(second.place, 3);
    loop_turn(loop, 0);
    assert_int_equal(first.done, 1);
    loop_on_turn_end(loop, NULL, NULL);
}

static void a_task_that_is_set_by_a_task_runs_in_the_next_turn_at_once(void **state)
{
    struct loop *loop = *state;
    struct chore chore = {.task.on_task = on_chore, .loop = loop, .again = 1};
    loop_task_set(loop, &chore.task);
    loop_turn(loop, FOREVER_MS);
    assert_int_equal(chore.done, 1);
    uint64_t before_ms = clock_ms();
    loop_turn(loop, FOREVER_MS);
    assert_int_equal(chore.done, 2);
    assert_true(clock_ms() - before_ms < FOREVER_MS / 2);
}

static void a_cancelled_task_does_not_run(void **state)
{
    struct loop *loop = *state;
    struct chore chore = {.task.on_task = on_chore};
    loop_task_cancel(loop, &chore.task);
    loop_task_set(loop, &chore.task);
    loop_task_cancel(loop, &chore.task);
    loop_turn(loop, 0);
    assert_int_equal(chore.done, 0);
    loop_task_set(loop, &chore.task);
    loop_turn(loop, 0);
    assert_int_equal(chore.done, 1);
}

/* --- other threads --- */

struct sleeper {
    struct loop *loop;
    int woken;
};

static void on_wake(void *owner)
{
    ((struct sleeper *)owner)->woken++;
}

static void many_wakes_make_one_turn(void **state)
{
    struct loop *loop = *state;
    struct sleeper sleeper = {.loop = loop};
    loop_on_wake(loop, on_wake, &sleeper);
    for (int i = 0; i < 100; i++)
        loop_wake(loop);
    loop_turn(loop, FOREVER_MS);
    assert_int_equal(sleeper.woken, 1);
    loop_turn(loop, 0);
    assert_int_equal(sleeper.woken, 1);
}

static void *wake_soon(void *argument)
{
    usleep(20000);
    loop_wake(argument);
    return NULL;
}

static void another_thread_ends_the_wait(void **state)
{
    struct loop *loop = *state;
    struct sleeper sleeper = {.loop = loop};
    loop_on_wake(loop, on_wake, &sleeper);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, wake_soon, loop), 0);
    while (!sleeper.woken)
        loop_turn(loop, -1);
    pthread_join(thread, NULL);
    assert_int_equal(sleeper.woken, 1);
}

struct rooster {
    struct loop_waker waker;
    struct loop *loop;
    struct rooster *removes;
    int crows;
};

static void on_crow(struct loop_waker *waker)
{
    struct rooster *rooster = container_of(waker, struct rooster, waker);
    rooster->crows++;
    if (rooster->removes) {
        loop_waker_remove(rooster->loop, &rooster->removes->waker);
        rooster->removes = NULL;
    }
}

static void every_waker_is_called_unless_another_removes_it(void **state)
{
    struct loop *loop = *state;
    struct rooster roosters[4] = {0};
    for (int i = 0; i < 4; i++) {
        roosters[i].waker.on_wake = on_crow;
        roosters[i].loop = loop;
        loop_waker_add(loop, &roosters[i].waker);
    }
    roosters[0].removes = &roosters[0];
    roosters[1].removes = &roosters[2];
    loop_wake(loop);
    loop_turn(loop, 0);
    loop_wake(loop);
    loop_turn(loop, 0);
    assert_int_equal(roosters[0].crows, 1);
    assert_int_equal(roosters[1].crows, 2);
    assert_int_equal(roosters[2].crows, 0);
    assert_int_equal(roosters[3].crows, 2);
}

static void a_stop_that_comes_first_is_not_lost(void **state)
{
    struct loop *loop = *state;
    loop_stop(loop);
    loop_run(loop);
}

static void *stop_soon(void *argument)
{
    usleep(20000);
    loop_stop(argument);
    return NULL;
}

static void another_thread_stops_the_loop_and_it_can_run_again(void **state)
{
    struct loop *loop = *state;
    for (int i = 0; i < 2; i++) {
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, stop_soon, loop), 0);
        loop_run(loop);
        pthread_join(thread, NULL);
    }
}

/* Ping-pong: each side waits until it is woken for what the other has just done, with no time-out
 * to save it. One wake-up that is lost stops both for good. */
enum { ROUNDS = 20000 };

struct player {
    struct loop *loop;
    struct player *partner;
    atomic_int ball;
    int caught;
    bool lingers;
};

static void on_ball(void *owner)
{
    struct player *player = owner;
    if (!atomic_exchange_explicit(&player->ball, 0, memory_order_relaxed))
        return;
    player->caught++;
    atomic_store_explicit(&player->partner->ball, 1, memory_order_relaxed);
    loop_wake(player->partner->loop);
}

static void *play(void *argument)
{
    struct player *player = argument;
    while (player->caught < ROUNDS) {
        if (player->lingers)
            loop_linger(player->loop);
        loop_turn(player->loop, -1);
    }
    return NULL;
}

static void play_together(struct loop *loop, bool lingers)
{
    struct player a = {.loop = loop, .lingers = lingers};
    struct player b = {.loop = loop_new(), .partner = &a, .lingers = lingers};
    a.partner = &b;
    loop_on_wake(a.loop, on_ball, &a);
    loop_on_wake(b.loop, on_ball, &b);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, play, &b), 0);
    atomic_store(&a.ball, 1);
    loop_wake(a.loop);
    play(&a);
    pthread_join(thread, NULL);
    assert_int_equal(a.caught, ROUNDS);
    assert_int_equal(b.caught, ROUNDS);
    loop_free(b.loop);
}

static void no_wake_up_is_ever_lost(void **state)
{
    play_together(*state, false);
}

static void nor_is_any_by_those_who_linger(void **state)
{
    play_together(*state, true);
}

/* --- lingering --- */

/* Looks on from another thread; it may miss a time of lingering, and never sees one too many. */
struct onlooker {
    const struct loop *loop;
    pthread_t thread;
    atomic_int seen; /* times of lingering */
    atomic_bool looks, ended;
};

static void *look_on(void *argument)
{
    struct onlooker *onlooker = argument;
    bool lingered = false;
    atomic_store(&onlooker->looks, true);
    while (!atomic_load(&onlooker->ended)) {
        bool lingers = loop_is_lingering(onlooker->loop);
        if (lingers && !lingered)
            atomic_fetch_add(&onlooker->seen, 1);
        lingered = lingers;
    }
    return NULL;
}

static void onlooker_start(struct onlooker *onlooker, const struct loop *loop)
{
    *onlooker = (struct onlooker){.loop = loop};
    assert_int_equal(pthread_create(&onlooker->thread, NULL, look_on, onlooker), 0);
    while (!atomic_load(&onlooker->looks))
        sched_yield();
}

static int onlooker_end(struct onlooker *onlooker)
{
    atomic_store(&onlooker->ended, true);
    pthread_join(onlooker->thread, NULL);
    return atomic_load(&onlooker->seen);
}

/* Of a loop that has not lingered in vain yet: whether it was seen to. */
static bool is_seen_to_linger(void)
{
    struct loop *loop = loop_new();
    struct onlooker onlooker;
    onlooker_start(&onlooker, loop);
    loop_linger(loop);
    loop_turn(loop, 1);
    bool lingers_still = loop_is_lingering(loop);
    int seen = onlooker_end(&onlooker);
    loop_free(loop);
    assert_false(lingers_still);
    return seen > 0;
}

static void a_loop_that_may_linger_does_so_before_it_sleeps_and_not_after(void **state)
{
    (void)state;
    uint64_t until_ms = clock_ms() + FOREVER_MS;
    while (!is_seen_to_linger())
        assert_true(clock_ms() < until_ms);
}

static void it_does_so_for_one_turn_and_only_where_there_is_time_to_wait(void **state)
{
    struct onlooker onlooker;
    onlooker_start(&onlooker, *state);
    for (int i = 0; i < 100; i++) {
        loop_linger(*state);
        loop_turn(*state, 0);
        loop_turn(*state, 1);
    }
    assert_int_equal(onlooker_end(&onlooker), 0);
}

/* At the waits 0, 2, 6, 14, 30, 62, and then each 64th. */
static void lingering_that_is_in_vain_is_done_more_and_more_seldom(void **state)
{
    struct onlooker onlooker;
    onlooker_start(&onlooker, *state);
    for (int i = 0; i < 400; i++) {
        loop_linger(*state);
        loop_turn(*state, 1);
    }
    assert_in_range(onlooker_end(&onlooker), 0, 11);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_timer_ends_the_wait_and_never_fires_early),
        TEST(timers_fire_in_the_order_in_which_they_are_due),
        TEST(a_timer_can_be_moved_and_cancelled),
        TEST(a_timer_may_cancel_another_that_is_due_in_the_same_turn),
        TEST(a_timer_that_sets_itself_again_waits_for_the_next_turn),
        TEST(the_clocks_stand_still_within_a_turn),
        TEST(a_descriptor_is_reported_for_as_long_as_it_is_ready),
        TEST(a_watch_that_is_taken_away_gets_no_event_of_the_same_turn),
        TEST(a_watch_does_not_inherit_the_event_of_one_that_had_its_descriptor),
        TEST(tasks_run_once_in_order_behind_the_end_of_the_turn),
        TEST(a_task_that_is_set_by_a_task_runs_in_the_next_turn_at_once),
        TEST(a_cancelled_task_does_not_run),
        TEST(many_wakes_make_one_turn),
        TEST(another_thread_ends_the_wait),
        TEST(every_waker_is_called_unless_another_removes_it),
        TEST(a_stop_that_comes_first_is_not_lost),
        TEST(another_thread_stops_the_loop_and_it_can_run_again),
        TEST(no_wake_up_is_ever_lost),
        TEST(nor_is_any_by_those_who_linger),
        TEST(a_loop_that_may_linger_does_so_before_it_sleeps_and_not_after),
        TEST(it_does_so_for_one_turn_and_only_where_there_is_time_to_wait),
        TEST(lingering_that_is_in_vain_is_done_more_and_more_seldom),
    };
    return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
