/* operations.c - a table of what has been begun, under a lock that is held for moments only.
 *
 * An operation is freed when it has ended and its result was taken to a companion's invocation. One
 * whose companion never comes (the call that began it has failed after all) is freed some time
 * after it has ended; were its companion to come yet later, the result would be UNKNOWN, which is
 * always right to say. */
#include "function/operations.h"

#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"
#include "wire/typed_value.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

enum { ORPHAN_S = 60 };

struct operation {
    struct sf_async is; /* what its maker holds */
    struct operations *operations;
    struct map_node by_number;
    struct list place; /* in operations->ended, or desk->due */
    uint64_t number;
    bool has_ended;
    struct async_end end; /* its bytes are in `bytes` */
    struct buffer bytes;
    time_t ended_s;
    struct visit *visit; /* its companion's invocation, once that has come */
};

/* An invocation of a companion, at a desk. */
struct visit {
    struct list place; /* in desk->waiting or desk->due */
    struct operation_desk *desk;
    struct operation *operation; /* NULL: not known in this process */
    struct invocation *invocation;
    struct buffer caller, metadata;
};

struct operations {
    pthread_mutex_t lock; /* of all that follows, of operations, and of visits' places */
    uint64_t life;
    uint64_t begun;
    struct map by_number;
    struct list ended; /* whose companion has not come, the longest ended first */
    size_t makers;     /* operations that may still be ended, and one for the owner */
    bool is_closed;
};

struct operation_desk {
    struct operations *operations;
    struct loop *loop;
    struct engine *engine;
    struct loop_waker waker;
    struct list waiting; /* visits whose operation goes on */
    struct list due;     /* visits to be answered */
    struct arena arena;
};

struct operations *operations_new(uint64_t life)
{
    struct operations *operations = mem_new(sizeof *operations);
    pthread_mutex_init(&operations->lock, NULL);
    operations->life = life;
    operations->makers = 1;
    map_init(&operations->by_number);
    list_init(&operations->ended);
    return operations;
}

static void operation_free(struct operation *operation)
{
    list_take(&operation->place);
    buffer_destroy(&operation->bytes);
    free(operation);
}

/* Under the lock, which is given back: the last one frees what all share. */
static void leave(struct operations *operations)
{
    bool is_last = --operations->makers == 0;
    pthread_mutex_unlock(&operations->lock);
    if (!is_last)
        return;
    map_destroy(&operations->by_number);
    pthread_mutex_destroy(&operations->lock);
    free(operations);
}

static void forget(struct operations *operations, struct operation *operation)
{
    map_take(&operations->by_number, &operation->by_number);
    operation_free(operation);
}

void operations_free(struct operations *operations)
{
    if (!operations)
        return;
    pthread_mutex_lock(&operations->lock);
    operations->is_closed = true;
    list_for_each_safe (&operations->ended, node)
        forget(operations, container_of(node, struct operation, place));
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
        forget(operations, oldest);
    }
}

static void async_complete(struct sf_async *async, const struct sf_encoded *value);
static void async_fail(struct sf_async *async, const char *cause);

static const struct sf_host ending = {
    .size = sizeof ending,
    .async_complete = async_complete,
    .async_fail = async_fail,
};

struct sf_async *operations_begin(struct operations *operations, struct batch *batch,
                                  struct bytes metadata)
{
    struct operation *operation = mem_new(sizeof *operation);
    operation->is.host = &ending;
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
    return &operation->is;
}

/* --- ending, any thread --- */

/* Under the lock. */
static void tell_desk(struct visit *visit)
{
    struct operation_desk *desk = visit->desk;
    bool is_first = list_is_empty(&desk->due);
    list_take(&visit->place);
    list_put_last(&desk->due, &visit->place);
    if (is_first)
        loop_wake(desk->loop);
}

static void end(struct operation *operation)
{
    struct operations *operations = operation->operations;
    pthread_mutex_lock(&operations->lock);
    assert(!operation->has_ended && "an operation ends once");
    operation->has_ended = true;
    operation->ended_s = now_s();
    if (operations->is_closed)
        forget(operations, operation);
    else if (operation->visit)
        tell_desk(operation->visit);
    else
        list_put_last(&operations->ended, &operation->place);
    leave(operations);
}

static void async_complete(struct sf_async *async, const struct sf_encoded *value)
{
    struct operation *operation = container_of(async, struct operation, is);
    typed_value_add(&operation->bytes,
                    &(struct typed_value){.type = bytes_make(value->type.data, value->type.size),
                                          .value = bytes_make(value->value.data, value->value.size),
                                          .has_value = true});
    operation->end.status = SF_ASYNC_SUCCESS;
    operation->end.value = buffer_bytes(&operation->bytes);
    end(operation);
}

static void async_fail(struct sf_async *async, const char *cause)
{
    struct operation *operation = container_of(async, struct operation, is);
    buffer_add_text(&operation->bytes, cause);
    operation->end.status = SF_ASYNC_FAILURE;
    operation->end.cause = buffer_bytes(&operation->bytes);
    end(operation);
}

/* --- desks --- */

/* The operation is known no more: its end, if it has one, is the visit's. */
static void take_end(struct operations *operations, struct operation *operation)
{
    pthread_mutex_lock(&operations->lock);
    forget(operations, operation);
    pthread_mutex_unlock(&operations->lock);
}

static void answer(struct operation_desk *desk, struct visit *visit)
{
    static const struct async_end unknown = {.status = SF_ASYNC_UNKNOWN};
    struct operation *operation = visit->operation;
    struct from_function reply;
    struct sf_status status;
    arena_clear(&desk->arena);
    if (async_reply_make(&desk->arena, buffer_bytes(&visit->caller), buffer_bytes(&visit->metadata),
                         operation ? &operation->end : &unknown, &reply, &status))
        engine_reply(desk->engine, visit->invocation, &reply);
    else
        engine_fail(desk->engine, visit->invocation,
                    &(struct failure){.cause = bytes_of(status.message)});
    if (operation)
        take_end(desk->operations, operation);
    buffer_destroy(&visit->caller);
    buffer_destroy(&visit->metadata);
    free(visit);
}

static void answer_all(struct operation_desk *desk)
{
    for (;;) {
        pthread_mutex_lock(&desk->operations->lock);
        struct list *node = list_take_first(&desk->due);
        pthread_mutex_unlock(&desk->operations->lock);
        if (!node)
            return;
        answer(desk, container_of(node, struct visit, place));
    }
}

static void on_wake(struct loop_waker *waker)
{
    answer_all(container_of(waker, struct operation_desk, waker));
}

struct operation_desk *operation_desk_new(struct operations *operations, struct loop *loop)
{
    struct operation_desk *desk = mem_new(sizeof *desk);
    desk->operations = operations;
    desk->loop = loop;
    desk->waker.on_wake = on_wake;
    list_init(&desk->waiting);
    list_init(&desk->due);
    loop_waker_add(loop, &desk->waker);
    return desk;
}

void operation_desk_set_engine(struct operation_desk *desk, struct engine *engine)
{
    desk->engine = engine;
}

static void drop_visits(struct operation_desk *desk, struct list *visits)
{
    list_for_each_safe (visits, node) {
        struct visit *visit = container_of(node, struct visit, place);
        if (visit->operation && visit->operation->has_ended)
            forget(desk->operations, visit->operation);
        else if (visit->operation)
            visit->operation->visit = NULL;
        list_take(&visit->place);
        buffer_destroy(&visit->caller);
        buffer_destroy(&visit->metadata);
        free(visit);
    }
}

void operation_desk_free(struct operation_desk *desk)
{
    if (!desk)
        return;
    pthread_mutex_lock(&desk->operations->lock);
    drop_visits(desk, &desk->waiting);
    drop_visits(desk, &desk->due);
    pthread_mutex_unlock(&desk->operations->lock);
    loop_waker_remove(desk->loop, &desk->waker);
    arena_destroy(&desk->arena);
    free(desk);
}

/* Under the lock. NULL: nobody knows it, or its end was told already. */
static struct operation *find(struct operations *operations, const struct async_ticket *ticket)
{
    struct map_node *node =
        ticket->life == operations->life ? map_find(&operations->by_number, ticket->number) : NULL;
    struct operation *operation = node ? container_of(node, struct operation, by_number) : NULL;
    return operation && !operation->visit ? operation : NULL;
}

void operation_desk_invoke(struct operation_desk *desk, struct invocation *invocation,
                           const struct to_function *request)
{
    struct operations *operations = desk->operations;
    struct async_ticket ticket = {0};
    struct bytes caller = {0};
    bool is_one = async_ticket_read(request, &ticket, &caller, NULL);

    struct visit *visit = mem_new(sizeof *visit);
    visit->desk = desk;
    visit->invocation = invocation;
    list_init(&visit->place);
    buffer_add_bytes(&visit->caller, caller);
    buffer_add_bytes(&visit->metadata, ticket.metadata);

    pthread_mutex_lock(&operations->lock);
    struct operation *operation = is_one ? find(operations, &ticket) : NULL;
    visit->operation = operation;
    if (operation)
        operation->visit = visit;
    if (operation)
        list_take(&operation->place);
    list_put_last(&desk->waiting, &visit->place);
    if (!operation || operation->has_ended)
        tell_desk(visit); /* itself, for later: the engine is in the middle of a run */
    pthread_mutex_unlock(&operations->lock);
}
