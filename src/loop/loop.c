/* loop.c - epoll for descriptors, a heap for timers, an eventfd for other threads.
 *
 * An event carries the descriptor and the generation of its watch, not a pointer: a watch that was
 * taken away (and its memory freed) earlier in the same turn is then found missing from the table,
 * and one that was put there for the same descriptor since has another generation.
 *
 * Being woken. `rest` says what a waker finds:
 *
 *     LOOP_AWAKE ---- about to wait ----------------------> LOOP_ASLEEP
 *       ^  |  \                                             ^     |
 *       |  |   \-- about to linger --> LOOP_LINGERING -----/      |
 *       |  |                                  |                   |
 *       |  loop_wake                       loop_wake    loop_wake, which writes the eventfd
 *       |  v                                  |                   |
 *       |  LOOP_WOKEN <-----------------------/-------------------/
 *       |  |
 *       \--/  the next turn
 *
 * Only the loop's thread goes towards ASLEEP, by compare-and-swap; loop_wake swaps in WOKEN. Both
 * act on one atomic variable, so one of them comes first. If the waker does, the loop's
 * compare-and-swap fails and it does not wait. If the loop does, the waker finds ASLEEP and writes
 * the eventfd, which ends the wait or keeps it from beginning. Either way the loop then finds
 * WOKEN, and by release and acquire all that was written before loop_wake. A loop that is busy or
 * lingers is thus woken without a system call, and a sleeping one by a single write however many
 * threads wake it.
 *
 * Lingering. Nobody knows whether a wake is about to come, so the loop goes by what came of it
 * before: each time in vain doubles the number of waits for which it will not linger, each success
 * halves it. Where wakes come densely it always lingers, where they do not once in LINGER_REST_MAX
 * waits. */
#include "loop/loop.h"

#include "base/mem.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum { LOOP_AWAKE, LOOP_LINGERING, LOOP_ASLEEP, LOOP_WOKEN };
enum { EVENTS_PER_TURN = 256, WATCHES_FIRST = 64 };
enum { LINGER_US = 50 }; /* sleeping and being woken took 40, on a virtual machine */
enum { LINGER_REST_MAX = 63 };

struct loop {
    int epoll_fd;
    int wake_fd;
    atomic_int rest;
    atomic_bool stopped;

    uint64_t now_ms;
    uint64_t wall_ms;
    unsigned nap_us;
    bool may_linger;
    unsigned linger_rest;  /* for so many waits it does not, after it was in vain */
    unsigned linger_waits; /* ... of which so many are left */
    bool in_turn;

    struct loop_watch **watches; /* by descriptor */
    size_t watch_capacity;
    size_t watch_count;
    uint32_t generation;

    struct heap timers;
    uint64_t timer_order;
    struct list tasks;
    struct list wakers;

    void (*on_wake)(void *owner);
    void *wake_owner;
    void (*on_turn_begin)(void *owner);
    void *turn_begin_owner;
    void (*on_turn_end)(void *owner);
    void *turn_end_owner;
};

static _Noreturn void give_up(const char *what)
{
    perror(what);
    abort();
}

static uint64_t clock_ms(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static uint64_t clock_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void read_clocks(struct loop *loop)
{
    loop->now_ms = clock_ms(CLOCK_MONOTONIC);
    loop->wall_ms = clock_ms(CLOCK_REALTIME);
}

struct loop *loop_new(void)
{
    struct loop *loop = mem_new(sizeof *loop);
    list_init(&loop->tasks);
    list_init(&loop->wakers);
    read_clocks(loop);

    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (loop->epoll_fd < 0 || loop->wake_fd < 0)
        give_up("statefun: an event loop's descriptors");

    /* Edge-triggered: every write is an event of its own, so that nobody needs to read it. */
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.u64 = (uint32_t)loop->wake_fd};
    if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, loop->wake_fd, &event))
        give_up("statefun: epoll_ctl");
    return loop;
}

void loop_free(struct loop *loop)
{
    if (!loop)
        return;
    assert(!loop->in_turn);
    assert(loop->watch_count == 0);
    close(loop->wake_fd);
    close(loop->epoll_fd);
    heap_destroy(&loop->timers);
    free(loop->watches);
    free(loop);
}

void loop_run(struct loop *loop)
{
    while (!atomic_load_explicit(&loop->stopped, memory_order_acquire))
        loop_turn(loop, -1);
    atomic_store_explicit(&loop->stopped, false, memory_order_relaxed);
}

void loop_stop(struct loop *loop)
{
    atomic_store_explicit(&loop->stopped, true, memory_order_release);
    loop_wake(loop);
}

void loop_wake(struct loop *loop)
{
    if (atomic_exchange_explicit(&loop->rest, LOOP_WOKEN, memory_order_acq_rel) != LOOP_ASLEEP)
        return;
    uint64_t one = 1;
    ssize_t written = write(loop->wake_fd, &one, sizeof one);
    (void)written; /* fails only when the counter is full, and then the event is there already */
}

void loop_on_wake(struct loop *loop, void (*on_wake)(void *owner), void *owner)
{
    loop->on_wake = on_wake;
    loop->wake_owner = owner;
}

void loop_waker_add(struct loop *loop, struct loop_waker *waker)
{
    list_put_last(&loop->wakers, &waker->node);
}

void loop_waker_remove(struct loop *loop, struct loop_waker *waker)
{
    (void)loop;
    list_take(&waker->node);
}

void loop_on_turn_begin(struct loop *loop, void (*on_turn_begin)(void *owner), void *owner)
{
    loop->on_turn_begin = on_turn_begin;
    loop->turn_begin_owner = owner;
}

void loop_on_turn_end(struct loop *loop, void (*on_turn_end)(void *owner), void *owner)
{
    loop->on_turn_end = on_turn_end;
    loop->turn_end_owner = owner;
}

void loop_nap(struct loop *loop, unsigned us)
{
    loop->nap_us = us;
}

void loop_linger(struct loop *loop)
{
    loop->may_linger = true;
}

bool loop_is_lingering(const struct loop *loop)
{
    return atomic_load_explicit(&loop->rest, memory_order_relaxed) == LOOP_LINGERING;
}

uint64_t loop_now_ms(const struct loop *loop)
{
    return loop->now_ms;
}

uint64_t loop_wall_ms(const struct loop *loop)
{
    return loop->wall_ms;
}

static uint64_t watch_key(const struct loop_watch *watch)
{
    return (uint64_t)watch->generation << 32 | (uint32_t)watch->fd;
}

static void control(struct loop *loop, int operation, struct loop_watch *watch)
{
    struct epoll_event event = {.events = watch->events, .data.u64 = watch_key(watch)};
    if (epoll_ctl(loop->epoll_fd, operation, watch->fd, &event))
        give_up("statefun: epoll_ctl");
}

void loop_watch(struct loop *loop, struct loop_watch *watch, int fd, uint32_t events)
{
    assert(fd >= 0);
    size_t index = (size_t)fd;
    if (index >= loop->watch_capacity) {
        size_t capacity = loop->watch_capacity ? loop->watch_capacity : WATCHES_FIRST;
        while (capacity <= index)
            capacity *= 2;
        loop->watches = mem_resize(loop->watches, capacity * sizeof *loop->watches);
        memset(loop->watches + loop->watch_capacity, 0,
               (capacity - loop->watch_capacity) * sizeof *loop->watches);
        loop->watch_capacity = capacity;
    }
    assert(!loop->watches[index]);
    loop->watches[index] = watch;
    loop->watch_count++;
    watch->fd = fd;
    watch->events = events;
    watch->generation = ++loop->generation;
    control(loop, EPOLL_CTL_ADD, watch);
}

void loop_rewatch(struct loop *loop, struct loop_watch *watch, uint32_t events)
{
    assert(watch->fd >= 0 && loop->watches[watch->fd] == watch);
    assert(!((watch->events | events) & EPOLLEXCLUSIVE)); /* which the kernel cannot change */
    if (watch->events == events)
        return;
    watch->events = events;
    control(loop, EPOLL_CTL_MOD, watch);
}

void loop_unwatch(struct loop *loop, struct loop_watch *watch)
{
    assert(watch->fd >= 0 && loop->watches[watch->fd] == watch);
    control(loop, EPOLL_CTL_DEL, watch);
    loop->watches[watch->fd] = NULL;
    loop->watch_count--;
    watch->fd = -1;
}

void loop_timer_set(struct loop *loop, struct loop_timer *timer, uint64_t when_ms)
{
    heap_take(&loop->timers, &timer->due);
    /* Never before now: else a timer that sets itself again would stand before others that are due.
     */
    timer->due.when = when_ms > loop->now_ms ? when_ms : loop->now_ms;
    timer->due.order = loop->timer_order++;
    heap_put(&loop->timers, &timer->due);
}

void loop_timer_cancel(struct loop *loop, struct loop_timer *timer)
{
    heap_take(&loop->timers, &timer->due);
}

static bool task_is_set(const struct loop_task *task)
{
    return task->node.next && task->node.next != &task->node;
}

void loop_task_set(struct loop *loop, struct loop_task *task)
{
    if (!task_is_set(task))
        list_put_last(&loop->tasks, &task->node);
}

void loop_task_cancel(struct loop *loop, struct loop_task *task)
{
    (void)loop;
    if (task_is_set(task))
        list_take(&task->node);
}

/* How long epoll_wait may wait: `wait_ms`, or until the first timer. */
static int time_to_wait(struct loop *loop, int wait_ms)
{
    if (!list_is_empty(&loop->tasks))
        return 0;
    struct heap_node *first = heap_first(&loop->timers);
    if (wait_ms == 0 || !first)
        return wait_ms;
    if (first->when <= loop->now_ms)
        return 0;

    /* The turn's clock is as old as the turn. A second look is paid only where there is time to
     * wait. */
    uint64_t now_ms = clock_ms(CLOCK_MONOTONIC);
    uint64_t until_ms = first->when > now_ms ? first->when - now_ms : 0;
    if (wait_ms > 0 && until_ms > (uint64_t)wait_ms)
        return wait_ms;
    return until_ms < INT_MAX ? (int)until_ms : INT_MAX;
}

/* False if a wake has come: nothing else changes `rest` from outside. */
static bool change_rest(struct loop *loop, int from, int to)
{
    return atomic_compare_exchange_strong_explicit(&loop->rest, &from, to, memory_order_acq_rel,
                                                   memory_order_acquire);
}

/* True if a wake comes in time. */
static bool look_out(struct loop *loop)
{
    uint64_t until_us = clock_us() + LINGER_US;
    while (atomic_load_explicit(&loop->rest, memory_order_relaxed) == LOOP_LINGERING)
        if (clock_us() >= until_us)
            return false;
    return true;
}

/* False if a wake came meanwhile: then the loop must not wait. */
static bool fall_asleep(struct loop *loop)
{
    if (!loop->may_linger || loop->linger_waits) {
        loop->linger_waits -= loop->may_linger;
        return change_rest(loop, LOOP_AWAKE, LOOP_ASLEEP);
    }
    if (!change_rest(loop, LOOP_AWAKE, LOOP_LINGERING))
        return false;
    if (look_out(loop)) {
        loop->linger_rest /= 2;
        return false;
    }
    if (loop->linger_rest < LINGER_REST_MAX)
        loop->linger_rest = 2 * loop->linger_rest + 1;
    loop->linger_waits = loop->linger_rest;
    return change_rest(loop, LOOP_LINGERING, LOOP_ASLEEP);
}

/* True if a wake came since the last time. The swap is left out where nothing did: a wake that
 * comes right after the look keeps the loop from falling asleep, so it is seen in the next turn. */
static bool get_up(struct loop *loop)
{
    return atomic_load_explicit(&loop->rest, memory_order_relaxed) != LOOP_AWAKE &&
           atomic_exchange_explicit(&loop->rest, LOOP_AWAKE, memory_order_acq_rel) == LOOP_WOKEN;
}

/* Takes all that is in `from` over to `ret_all`, for walking a list that callbacks may change. */
static void list_move(struct list *from, struct list *ret_all)
{
    list_init(ret_all);
    if (list_is_empty(from))
        return;
    list_put_before(from, ret_all);
    list_take(from);
}

static void call_wakers(struct loop *loop)
{
    if (loop->on_wake)
        loop->on_wake(loop->wake_owner);

    struct list due;
    list_move(&loop->wakers, &due);
    for (struct list *node; (node = list_take_first(&due));) {
        list_put_last(&loop->wakers, node);
        struct loop_waker *waker = container_of(node, struct loop_waker, node);
        waker->on_wake(waker);
    }
}

static void deliver(struct loop *loop, const struct epoll_event *event)
{
    uint32_t fd = (uint32_t)event->data.u64;
    struct loop_watch *watch = fd < loop->watch_capacity ? loop->watches[fd] : NULL;
    if (!watch || watch_key(watch) != event->data.u64)
        return; /* the wake-up, or a watch that an earlier callback of this turn took away */

    uint32_t events = event->events & (watch->events | EPOLLERR | EPOLLHUP);
    if (events)
        watch->on_ready(watch, events);
}

static void call_timers(struct loop *loop)
{
    uint64_t order_end = loop->timer_order;
    for (struct heap_node *node; (node = heap_first(&loop->timers));) {
        if (node->when > loop->now_ms || node->order >= order_end)
            return;
        heap_take(&loop->timers, node);
        struct loop_timer *timer = container_of(node, struct loop_timer, due);
        timer->on_timer(timer);
    }
}

static void call_tasks(struct loop *loop)
{
    struct list due;
    list_move(&loop->tasks, &due);
    for (struct list *node; (node = list_take_first(&due));) {
        struct loop_task *task = container_of(node, struct loop_task, node);
        task->on_task(task);
    }
}

void loop_turn(struct loop *loop, int wait_ms)
{
    assert(!loop->in_turn);
    loop->in_turn = true;

    if (loop->nap_us) {
        nanosleep(&(struct timespec){.tv_nsec = (long)loop->nap_us * 1000}, NULL);
        loop->nap_us = 0;
    }
    int timeout = time_to_wait(loop, wait_ms);
    if (timeout != 0 && !fall_asleep(loop))
        timeout = 0;
    loop->may_linger = false;
    struct epoll_event events[EVENTS_PER_TURN];
    int count = epoll_wait(loop->epoll_fd, events, EVENTS_PER_TURN, timeout);
    if (count < 0 && errno != EINTR)
        give_up("statefun: epoll_wait");

    bool woken = get_up(loop);
    read_clocks(loop);
    if (loop->on_turn_begin)
        loop->on_turn_begin(loop->turn_begin_owner);
    if (woken)
        call_wakers(loop);
    for (int i = 0; i < count; i++)
        deliver(loop, &events[i]);
    call_timers(loop);
    if (loop->on_turn_end)
        loop->on_turn_end(loop->turn_end_owner);
    call_tasks(loop);

    loop->in_turn = false;
}
