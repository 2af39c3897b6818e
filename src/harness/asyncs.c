/* asyncs.c - a list or a map for each state of the picture, one lock for all. What was
 * abandoned is in none: it goes when it ends.
 *
 * Whoever carries out an operation holds it, and with it a reference to the operations: they may be
 * freed meanwhile. */
#include "harness/asyncs.h"

#include "base/map.h"
#include "sdk/batch.h"

#include <pthread.h>
#include <time.h>

struct asyncs {
    pthread_mutex_t lock;
    pthread_cond_t some_ended;
    size_t references; /* the owner's, and one for each operation that has not ended */
    uint64_t life;
    uint64_t last_number;
    void (*on_end)(void *owner);
    void *owner;
    struct map known;  /* running, or ended and not waited for: by number */
    struct list ended; /* and waited for, in the order of ending */
};

struct operation {
    struct sf_async async;     /* what functions get */
    struct list place;         /* in a batch's `begun`, or in `ended` */
    struct map_node by_number; /* in `known` */
    struct asyncs *asyncs;
    uint64_t number;
    bool is_abandoned; /* or the operations are freed */
    bool has_ended;
    void *waiter;
    bool is_waited_for;
    enum sf_async_status status;
    struct buffer result; /* value or cause */
};

static void release(struct asyncs *asyncs) /* locked; unlocks */
{
    bool is_last = --asyncs->references == 0;
    pthread_mutex_unlock(&asyncs->lock);
    if (!is_last)
        return;
    pthread_mutex_destroy(&asyncs->lock);
    pthread_cond_destroy(&asyncs->some_ended);
    map_destroy(&asyncs->known);
    free(asyncs);
}

static void free_operation(struct operation *operation)
{
    list_take(&operation->place);
    buffer_destroy(&operation->result);
    free(operation);
}

/* Nobody will ask for it any more. Locked. */
static void abandon(struct operation *operation)
{
    list_take(&operation->place);
    operation->is_abandoned = true; /* whatever knows it goes */
    if (operation->has_ended)
        free_operation(operation);
}

static void tell(struct operation *operation) /* locked */
{
    struct asyncs *asyncs = operation->asyncs;
    map_take(&asyncs->known, &operation->by_number);
    list_put_last(&asyncs->ended, &operation->place);
    pthread_cond_signal(&asyncs->some_ended);
    if (asyncs->on_end)
        asyncs->on_end(asyncs->owner);
}

/* --- ending: any thread --- */

static void end(struct sf_async *async, enum sf_async_status status, struct bytes result)
{
    struct operation *operation = container_of(async, struct operation, async);
    struct asyncs *asyncs = operation->asyncs;
    pthread_mutex_lock(&asyncs->lock);
    operation->has_ended = true;
    operation->status = status;
    buffer_add_bytes(&operation->result, result);
    if (operation->is_abandoned)
        free_operation(operation);
    else if (operation->is_waited_for)
        tell(operation);
    release(asyncs);
}

static void complete(struct sf_async *async, const struct sf_encoded *value)
{
    struct buffer typed = {0};
    typed_value_add(&typed,
                    &(struct typed_value){bytes_make(value->type.data, value->type.size),
                                          bytes_make(value->value.data, value->value.size), true});
    end(async, SF_ASYNC_SUCCESS, buffer_bytes(&typed));
    buffer_destroy(&typed);
}

static void fail(struct sf_async *async, const char *cause)
{
    end(async, SF_ASYNC_FAILURE, bytes_of(cause));
}

static const struct sf_host ending = {
    .size = sizeof ending,
    .async_complete = complete,
    .async_fail = fail,
};

/* --- the host's side --- */

struct asyncs *asyncs_new(uint64_t life, void (*on_end)(void *owner), void *owner)
{
    struct asyncs *asyncs = mem_new(sizeof *asyncs);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_mutex_init(&asyncs->lock, NULL);
    pthread_cond_init(&asyncs->some_ended, &attributes);
    pthread_condattr_destroy(&attributes);
    asyncs->references = 1;
    asyncs->life = life;
    asyncs->on_end = on_end;
    asyncs->owner = owner;
    map_init(&asyncs->known);
    list_init(&asyncs->ended);
    return asyncs;
}

void asyncs_free(struct asyncs *asyncs)
{
    if (!asyncs)
        return;
    pthread_mutex_lock(&asyncs->lock);
    asyncs->on_end = NULL;
    for (struct map_node *node = map_walk(&asyncs->known, NULL), *next; node; node = next) {
        next = map_walk(&asyncs->known, node);
        abandon(container_of(node, struct operation, by_number));
    }
    list_for_each_safe (&asyncs->ended, node)
        abandon(container_of(node, struct operation, place));
    release(asyncs);
}

struct sf_async *asyncs_begin(struct asyncs *asyncs, struct list *begun, struct batch *batch,
                              struct bytes metadata)
{
    struct operation *operation = mem_new(sizeof *operation);
    operation->async.host = &ending;
    operation->asyncs = asyncs;
    pthread_mutex_lock(&asyncs->lock);
    operation->number = ++asyncs->last_number;
    asyncs->references++;
    list_put_last(begun, &operation->place);
    pthread_mutex_unlock(&asyncs->lock);

    async_add_message(batch, &(struct async_ticket){asyncs->life, operation->number, metadata});
    return &operation->async;
}

void asyncs_settle(struct asyncs *asyncs, struct list *begun, bool counts)
{
    pthread_mutex_lock(&asyncs->lock);
    list_for_each_safe (begun, node) {
        struct operation *operation = container_of(node, struct operation, place);
        list_take(node);
        if (counts)
            map_put(&asyncs->known, &operation->by_number, operation->number);
        else
            abandon(operation);
    }
    pthread_mutex_unlock(&asyncs->lock);
}

static struct operation *find(struct asyncs *asyncs, uint64_t number)
{
    struct map_node *node = map_find(&asyncs->known, number);
    return node ? container_of(node, struct operation, by_number) : NULL;
}

bool asyncs_wait(struct asyncs *asyncs, const struct async_ticket *ticket, void *waiter)
{
    pthread_mutex_lock(&asyncs->lock);
    struct operation *operation =
        ticket->life == asyncs->life ? find(asyncs, ticket->number) : NULL;
    if (operation) {
        operation->is_waited_for = true;
        operation->waiter = waiter;
        if (operation->has_ended)
            tell(operation);
    }
    pthread_mutex_unlock(&asyncs->lock);
    return operation != NULL;
}

bool asyncs_next(struct asyncs *asyncs, struct arena *arena, void **ret_waiter,
                 struct async_end *ret_end)
{
    pthread_mutex_lock(&asyncs->lock);
    struct list *node = list_take_first(&asyncs->ended);
    pthread_mutex_unlock(&asyncs->lock);
    if (!node)
        return false;
    struct operation *operation = container_of(node, struct operation, place);
    struct bytes result = arena_add_bytes(arena, buffer_bytes(&operation->result));
    *ret_waiter = operation->waiter;
    *ret_end = (struct async_end){
        .status = operation->status,
        .value = operation->status == SF_ASYNC_SUCCESS ? result : (struct bytes){0},
        .cause = operation->status == SF_ASYNC_FAILURE ? result : (struct bytes){0},
    };
    free_operation(operation);
    return true;
}

bool asyncs_await(struct asyncs *asyncs, uint64_t ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)(ms / 1000);
    until.tv_nsec += (long)(ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&asyncs->lock);
    int error = 0;
    while (list_is_empty(&asyncs->ended) && !error)
        error = pthread_cond_timedwait(&asyncs->some_ended, &asyncs->lock, &until);
    bool has_some = !list_is_empty(&asyncs->ended);
    pthread_mutex_unlock(&asyncs->lock);
    return has_some;
}
