/* operations.c - a table of what has been begun, under a lock that is held for moments only.
 *
 * An operation is freed when it has ended and its end was told. One whose companion never comes
 * (the call that began it has failed after all) is freed some time after it has ended; were its
 * companion to come yet later, the result would be UNKNOWN, which is always right to say. */
#include "sdk/operations.h"

#include "base/map.h"
#include "base/mem.h"

#include <assert.h>
#include <pthread.h>
#include <time.h>

enum { ORPHAN_S = 60 };

struct operation {
    struct async is;
    struct operations *operations;
    struct map_node by_number;
    struct list place; /* in operations->ended */
    uint64_t number;
    bool has_ended;
    time_t ended_s;
    struct visit *visit; /* its companion's invocation, once that has come */
};

struct operations {
    pthread_mutex_t lock; /* of all that follows, of operations, and of visits' places */
    pthread_cond_t some_due;
    uint64_t life;
    uint64_t begun;
    struct map by_number;
    struct list ended; /* whose companion has not come, the longest ended first */
    size_t makers;     /* operations that may still be ended, and one for the owner */
    bool is_closed;
};

struct operations *operations_new(uint64_t life)
{
    struct operations *operations = mem_new(sizeof *operations);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_mutex_init(&operations->lock, NULL);
    pthread_cond_init(&operations->some_due, &attributes);
    pthread_condattr_destroy(&attributes);
    operations->life = life;
    operations->makers = 1;
    map_init(&operations->by_number);
    list_init(&operations->ended);
    return operations;
}

/* Under the lock, which is given back: the last one frees what all share. */
static void leave(struct operations *operations)
{
    bool is_last = --operations->makers == 0;
    pthread_mutex_unlock(&operations->lock);
    if (!is_last)
        return;
    map_destroy(&operations->by_number);
    pthread_cond_destroy(&operations->some_due);
    pthread_mutex_destroy(&operations->lock);
    free(operations);
}

static void forget(struct operation *operation)
{
    map_take(&operation->operations->by_number, &operation->by_number);
    list_take(&operation->place);
    async_destroy(&operation->is);
    free(operation);
}

void operations_free(struct operations *operations)
{
    if (!operations)
        return;
    pthread_mutex_lock(&operations->lock);
    operations->is_closed = true;
    list_for_each_safe (&operations->ended, node)
        forget(container_of(node, struct operation, place));
    leave(operations);
}

/* --- beginning --- */

static time_t now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return now.tv_sec;
}

static void drop_orphans(struct operations *operations)
{
    time_t limit_s = now_s() - ORPHAN_S;
    while (!list_is_empty(&operations->ended)) {
        struct operation *oldest = list_first(&operations->ended, struct operation, place);
        if (oldest->ended_s > limit_s)
            return;
        forget(oldest);
    }
}

static void on_end(struct async *async);

struct sf_async *operations_begin(struct operations *operations, struct batch *batch,
                                  struct bytes metadata)
{
    struct operation *operation = mem_new(sizeof *operation);
    async_init(&operation->is, on_end);
    operation->operations = operations;
    list_init(&operation->place);

    pthread_mutex_lock(&operations->lock);
    drop_orphans(operations);
    operation->number = ++operations->begun;
    map_put(&operations->by_number, &operation->by_number, operation->number);
    operations->makers++;
    pthread_mutex_unlock(&operations->lock);

    async_add_message(batch, &(struct async_ticket){.life = operations->life,
                                                    .number = operation->number,
                                                    .metadata = metadata});
    return &operation->is.handle;
}

/* --- ending, any thread --- */

/* Under the lock. */
static void become_due(struct visit *visit)
{
    struct desk *desk = visit->desk;
    bool is_first = list_is_empty(&desk->due);
    list_take(&visit->place);
    list_put_last(&desk->due, &visit->place);
    pthread_cond_broadcast(&desk->operations->some_due);
    if (is_first && desk->on_due)
        desk->on_due(desk->owner);
}

static void on_end(struct async *async)
{
    struct operation *operation = container_of(async, struct operation, is);
    struct operations *operations = operation->operations;
    pthread_mutex_lock(&operations->lock);
    assert(!operation->has_ended && "an operation ends once");
    operation->has_ended = true;
    operation->ended_s = now_s();
    if (operations->is_closed)
        forget(operation);
    else if (operation->visit)
        become_due(operation->visit);
    else
        list_put_last(&operations->ended, &operation->place);
    leave(operations);
}

/* --- desks --- */

void desk_init(struct desk *desk, struct operations *operations, void (*on_due)(void *owner),
               void *owner)
{
    *desk = (struct desk){.operations = operations, .on_due = on_due, .owner = owner};
    list_init(&desk->waiting);
    list_init(&desk->due);
}

/* Under the lock. NULL: nobody knows it, or its end was told already. */
static struct operation *find(struct operations *operations, const struct async_ticket *ticket)
{
    bool is_ours = ticket && ticket->life == operations->life;
    struct map_node *node = is_ours ? map_find(&operations->by_number, ticket->number) : NULL;
    struct operation *operation = node ? container_of(node, struct operation, by_number) : NULL;
    return operation && !operation->visit ? operation : NULL;
}

void desk_put(struct desk *desk, struct visit *visit, const struct async_ticket *ticket)
{
    struct operations *operations = desk->operations;
    pthread_mutex_lock(&operations->lock);
    struct operation *operation = find(operations, ticket);
    *visit = (struct visit){.desk = desk, .operation = operation};
    list_put_last(&desk->waiting, &visit->place);
    if (operation) {
        operation->visit = visit;
        list_take(&operation->place);
    }
    if (!operation || operation->has_ended)
        become_due(visit);
    pthread_mutex_unlock(&operations->lock);
}

struct visit *desk_next(struct desk *desk, struct async_end *ret_end)
{
    pthread_mutex_lock(&desk->operations->lock);
    struct list *node = list_take_first(&desk->due);
    pthread_mutex_unlock(&desk->operations->lock);
    if (!node)
        return NULL;
    struct visit *visit = container_of(node, struct visit, place);
    *ret_end = visit->operation ? visit->operation->is.end
                                : (struct async_end){.status = SF_ASYNC_UNKNOWN};
    return visit;
}

void visit_done(struct visit *visit)
{
    struct operations *operations = visit->desk->operations;
    if (!visit->operation)
        return;
    pthread_mutex_lock(&operations->lock);
    forget(visit->operation);
    pthread_mutex_unlock(&operations->lock);
    visit->operation = NULL;
}

bool desk_await(struct desk *desk, uint64_t ms)
{
    struct operations *operations = desk->operations;
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)(ms / 1000);
    until.tv_nsec += (long)(ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    int error = 0;
    pthread_mutex_lock(&operations->lock);
    while (list_is_empty(&desk->due) && !error)
        error = pthread_cond_timedwait(&operations->some_due, &operations->lock, &until);
    bool has_some = !list_is_empty(&desk->due);
    pthread_mutex_unlock(&operations->lock);
    return has_some;
}

struct visit *desk_drop(struct desk *desk)
{
    pthread_mutex_lock(&desk->operations->lock);
    struct list *node = list_take_first(&desk->waiting);
    node = node ? node : list_take_first(&desk->due);
    struct visit *visit = node ? container_of(node, struct visit, place) : NULL;
    struct operation *operation = visit ? visit->operation : NULL;
    if (operation && operation->has_ended)
        forget(operation);
    else if (operation)
        operation->visit = NULL;
    pthread_mutex_unlock(&desk->operations->lock);
    return visit;
}
