/* run.c - the lock guards what operations and the run's owner share: how many are under way, those
 * that have ended, and who frees the run. A run without operations never takes it. */
#include "serve/run.h"

#include "base/list.h"
#include "sdk/async.h"
#include "sdk/value.h"
#include "wire/typed_value.h"

#include <time.h>

struct run {
    struct sf_handler *handler;
    struct batch batch;
    struct arena arena; /* of the request, read */
    const struct from_function *reply;
    struct kept *kept; /* NULL: no states were */
    bool has_operations;

    pthread_mutex_t lock;
    pthread_cond_t all_ended;
    size_t under_way;
    struct list ended; /* operations, in the order in which they did */
    bool is_waiting;   /* the function has returned, and its reply waits for the operations */
    bool is_left;      /* the last operation frees the run */
    void (*on_ended)(void *owner);
    void *owner;
};

/* The caller's until it has ended, then the run's. */
struct operation {
    struct async is;
    struct run *run;
    struct list node;
    struct buffer metadata;
};

static void operation_free(struct operation *operation)
{
    async_destroy(&operation->is);
    buffer_destroy(&operation->metadata);
    free(operation);
}

static void free_ended(struct run *run)
{
    for (struct list *node; (node = list_take_first(&run->ended));)
        operation_free(container_of(node, struct operation, node));
}

/* The version that was referred to is over: who has the reply knows another one. */
static void free_kept(struct run *run)
{
    kept_free(run->kept);
    run->kept = NULL;
}

static void run_free(struct run *run)
{
    free_ended(run);
    free_kept(run);
    batch_destroy(&run->batch);
    arena_destroy(&run->arena);
    pthread_cond_destroy(&run->all_ended);
    pthread_mutex_destroy(&run->lock);
    free(run);
}

/* --- operations: any thread --- */

static void on_end(struct async *async)
{
    struct operation *operation = container_of(async, struct operation, is);
    struct run *run = operation->run;
    pthread_mutex_lock(&run->lock);
    list_put_last(&run->ended, &operation->node);
    bool is_last = --run->under_way == 0;
    bool is_left = run->is_left;
    if (is_last && run->is_waiting) {
        /* Under the lock, so that whoever takes the run up again waits until we are done here. */
        if (run->on_ended)
            run->on_ended(run->owner);
        pthread_cond_signal(&run->all_ended);
    }
    pthread_mutex_unlock(&run->lock);
    if (is_last && is_left)
        run_free(run);
}

struct sf_async *run_begin_operation(void *owner, struct batch *batch, struct bytes metadata)
{
    (void)owner;
    struct run *run = container_of(batch, struct run, batch);
    struct operation *operation = mem_new(sizeof *operation);
    async_init(&operation->is, on_end);
    operation->run = run;
    list_init(&operation->node);
    buffer_add_bytes(&operation->metadata, metadata);
    run->has_operations = true;
    pthread_mutex_lock(&run->lock);
    run->under_way++;
    pthread_mutex_unlock(&run->lock);
    return &operation->is.handle;
}

/* --- the run --- */

struct run *run_new(struct sf_handler *handler)
{
    struct run *run = mem_new(sizeof *run);
    run->handler = handler;
    batch_init(&run->batch, &handler->world);
    list_init(&run->ended);
    pthread_mutex_init(&run->lock, NULL);
    pthread_cond_init(&run->all_ended, NULL);
    return run;
}

static int64_t wall_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Fills in the values of states that are kept. */
static bool fill_in(struct run *run, const struct to_function *request, uint64_t version,
                    struct sf_status *status)
{
    struct request_state *states = (struct request_state *)request->states; /* in our arena */
    for (size_t i = 0; i < request->state_count; i++) {
        if (!states[i].kept)
            continue;
        if (!run->kept && version)
            run->kept = keep_take(&run->handler->keep, version, request->target);
        states[i].present = run->kept && kept_find(run->kept, states[i].name, &states[i].value);
        if (!states[i].present)
            return sf_fail(status, SF_CONFLICT,
                           "state '%.*s' is not kept here, not of that version",
                           BYTES_ARG(states[i].name));
    }
    return true;
}

/* What was kept still is. Nothing that is left of the call refers to it. */
static void put_kept_back(struct run *run)
{
    if (run->kept)
        keep_put(&run->handler->keep, run->kept);
    run->kept = NULL;
}

static uint64_t keep(struct run *run, const struct to_function *request)
{
    if (!run->kept || !kept_is_left(request, run->reply))
        return keep_add(&run->handler->keep, request, run->reply);
    uint64_t version = kept_version(run->kept);
    put_kept_back(run);
    return version;
}

/* Calls it with all states at hand. */
static bool call_with_states(struct run *run, const struct sf_function *function,
                             const struct to_function *request, bool keeps,
                             struct sf_status *status)
{
    bool good = batch_run(&run->batch, function, request, wall_ms(), &run->reply, status);
    if (!good || run->reply->is_incomplete)
        put_kept_back(run);
    else if (keeps)
        run->batch.reply.version = keep(run, request);
    return good;
}

static bool call(struct run *run, const struct run_request *asked, struct sf_status *status)
{
    struct to_function request;
    struct address target;
    const struct sf_function *function;
    if (!to_function_parse(asked->bytes, &run->arena, &request, status) ||
        !address_parse(request.target, &target)) {
        handler_note_failure(run->handler, NULL, (struct bytes){0}, status);
        return false;
    }
    struct served_function *served = handler_find(run->handler, &target, &function);
    if (!served) {
        (void)sf_fail(status, SF_NOT_FOUND, "function type %.*s/%.*s is not served here",
                      BYTES_ARG(target.ns), BYTES_ARG(target.name));
        handler_note_failure(run->handler, NULL, request.target, status);
        return false;
    }
    if (!fill_in(run, &request, asked->version, status))
        return false;
    atomic_fetch_add_explicit(&served->invocations, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&served->messages, request.message_count, memory_order_relaxed);
    if (call_with_states(run, function, &request, asked->keeps, status))
        return true;
    status->code = SF_FAILED;
    handler_note_failure(run->handler, served, request.target, status);
    return false;
}

enum run_progress run_begin(struct run *run, const struct run_request *request,
                            void (*on_ended)(void *owner), void *owner, struct sf_status *status)
{
    struct sf_status failure = {0};
    arena_clear(&run->arena);
    if (!call(run, request, &failure)) {
        if (status)
            *status = failure;
        return RUN_FAILED;
    }
    if (!run->has_operations || run->reply->is_incomplete)
        return RUN_DONE; /* if incomplete: the function will begin them again */

    pthread_mutex_lock(&run->lock);
    bool waits = run->under_way > 0;
    run->is_waiting = waits;
    run->on_ended = on_ended;
    run->owner = owner;
    pthread_mutex_unlock(&run->lock);
    if (waits)
        return RUN_WAITS;
    run_finish(run);
    return RUN_DONE;
}

static void add_result(struct run *run, const struct operation *operation)
{
    struct buffer result = {0}, argument = {0};
    async_result_add(&result, buffer_bytes(&operation->metadata), &operation->is.end);
    typed_value_add(&argument, &(struct typed_value){.type = bytes_of(SF_TYPE_ASYNC_RESULT),
                                                     .value = buffer_bytes(&result),
                                                     .has_value = true});
    batch_add_message(&run->batch, run->batch.self, buffer_bytes(&argument));
    buffer_destroy(&result);
    buffer_destroy(&argument);
}

void run_finish(struct run *run)
{
    pthread_mutex_lock(&run->lock); /* whoever ended the last operation has left */
    run->is_waiting = false;
    pthread_mutex_unlock(&run->lock);
    list_for_each (&run->ended, node)
        add_result(run, container_of(node, struct operation, node));
    free_ended(run);
}

void run_wait(struct run *run)
{
    pthread_mutex_lock(&run->lock);
    while (run->under_way)
        pthread_cond_wait(&run->all_ended, &run->lock);
    pthread_mutex_unlock(&run->lock);
}

const struct from_function *run_reply(const struct run *run)
{
    return run->reply;
}

bool run_leave(struct run *run)
{
    pthread_mutex_lock(&run->lock);
    bool leaves = run->under_way > 0;
    if (leaves) {
        run->is_waiting = false;
        run->is_left = true;
        batch_destroy(&run->batch); /* only the operations' own memory is still needed */
        free_kept(run);
        arena_destroy(&run->arena);
    }
    pthread_mutex_unlock(&run->lock);
    return leaves;
}

bool run_recycle(struct run *run)
{
    free_kept(run);
    if (!run->has_operations)
        return true;
    if (run_leave(run))
        return false;
    free_ended(run);
    run->has_operations = false;
    return true;
}

void run_release(struct run *run)
{
    if (run && run_recycle(run))
        run_free(run);
}
