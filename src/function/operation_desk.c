/* operation_desk.c - visits that answer an engine. What is due is answered in a turn of its own, as
 * the engine may be in the middle of a run. */
#include "function/operation_desk.h"

#include "base/mem.h"

/* An invocation of a companion. */
struct companion {
    struct visit visit;
    struct invocation *invocation;
    struct buffer caller, metadata;
};

struct operation_desk {
    struct desk desk;
    struct loop *loop;
    struct engine *engine;
    struct loop_waker waker;
    struct arena arena;
};

static void companion_free(struct companion *companion)
{
    buffer_destroy(&companion->caller);
    buffer_destroy(&companion->metadata);
    free(companion);
}

static void answer(struct operation_desk *desk, const struct companion *companion,
                   const struct async_end *end)
{
    struct from_function reply;
    struct sf_status status;
    arena_clear(&desk->arena);
    if (async_reply_make(&desk->arena, buffer_bytes(&companion->caller),
                         buffer_bytes(&companion->metadata), end, &reply, &status))
        engine_reply(desk->engine, companion->invocation, &reply);
    else
        engine_fail(desk->engine, companion->invocation,
                    &(struct failure){.cause = bytes_of(status.message)});
}

static void on_wake(struct loop_waker *waker)
{
    struct operation_desk *desk = container_of(waker, struct operation_desk, waker);
    struct async_end end;
    for (struct visit *visit; (visit = desk_next(&desk->desk, &end));) {
        struct companion *companion = container_of(visit, struct companion, visit);
        answer(desk, companion, &end);
        visit_done(visit);
        companion_free(companion);
    }
}

static void on_due(void *owner)
{
    struct operation_desk *desk = owner;
    loop_wake(desk->loop);
}

struct operation_desk *operation_desk_new(struct operations *operations, struct loop *loop)
{
    struct operation_desk *desk = mem_new(sizeof *desk);
    desk_init(&desk->desk, operations, on_due, desk);
    desk->loop = loop;
    desk->waker.on_wake = on_wake;
    loop_waker_add(loop, &desk->waker);
    return desk;
}

void operation_desk_set_engine(struct operation_desk *desk, struct engine *engine)
{
    desk->engine = engine;
}

void operation_desk_free(struct operation_desk *desk)
{
    if (!desk)
        return;
    for (struct visit *visit; (visit = desk_drop(&desk->desk));)
        companion_free(container_of(visit, struct companion, visit));
    loop_waker_remove(desk->loop, &desk->waker);
    arena_destroy(&desk->arena);
    free(desk);
}

void operation_desk_invoke(struct operation_desk *desk, struct invocation *invocation,
                           const struct to_function *request)
{
    struct async_ticket ticket = {0};
    struct bytes caller = {0};
    bool is_one = async_ticket_read(request, &ticket, &caller, NULL);
    struct companion *companion = mem_new(sizeof *companion);
    companion->invocation = invocation;
    buffer_add_bytes(&companion->caller, caller);
    buffer_add_bytes(&companion->metadata, ticket.metadata);
    desk_put(&desk->desk, &companion->visit, is_one ? &ticket : NULL);
}
