/* embedded.c - a batch run for each call; what functions log and count. */
#include "function/embedded.h"

#include "base/list.h"
#include "base/mem.h"
#include "engine/message.h"
#include "sdk/batch.h"
#include "sdk/counts.h"
#include "sdk/log_level.h"

#include <stdlib.h>

struct embedded_function {
    struct list all; /* in embedded->functions */
    const struct sf_function *function;
    struct bytes ns, name; /* owned */
    struct counts counts;
};

struct embedded {
    struct loop *loop;
    struct engine *engine;
    const struct registry *registry;
    struct operations *operations;
    struct batch_world world;
    struct batch batch;
    struct list functions;
    struct embedded_function *called; /* now */
};

/* --- the world of a call --- */

static struct sf_async *begin_async(void *owner, struct batch *batch, struct bytes metadata)
{
    struct embedded *embedded = owner;
    return operations_begin(embedded->operations, batch, metadata);
}

static void log_text(void *owner, struct bytes address, enum sf_level level, const char *text)
{
    enum log_level here = log_level_of(level);
    (void)owner;
    if (!log_wants(here))
        return;
    struct buffer name = {0};
    address_add_text(&name, address);
    LOG_AT(here, text, LOG_BYTES("address", buffer_bytes(&name)));
    buffer_destroy(&name);
}

static void count(void *owner, struct bytes type, const char *name, int64_t by)
{
    struct embedded *embedded = owner;
    (void)type;
    counts_add(&embedded->called->counts, name, by);
}

static uint8_t *new_message(void *owner, size_t target_size, size_t body_size,
                            struct message **ret_message)
{
    struct embedded *embedded = owner;
    *ret_message = engine_message_new(embedded->engine, target_size, body_size);
    return (*ret_message)->bytes;
}

/* --- functions --- */

struct embedded *embedded_new(struct loop *loop, const struct registry *registry,
                              struct operations *operations)
{
    struct embedded *embedded = mem_new(sizeof *embedded);
    embedded->loop = loop;
    embedded->registry = registry;
    embedded->operations = operations;
    embedded->world = (struct batch_world){
        .owner = embedded,
        .message_new = new_message,
        .message_free = message_free,
        .async_begin = begin_async,
        .log = log_text,
        .count = count,
    };
    batch_init(&embedded->batch, &embedded->world);
    list_init(&embedded->functions);
    return embedded;
}

void embedded_set_engine(struct embedded *embedded, struct engine *engine)
{
    embedded->engine = engine;
}

static void function_free(struct embedded_function *function)
{
    counts_destroy(&function->counts);
    free((void *)function->ns.data);
    free((void *)function->name.data);
    free(function);
}

void embedded_free(struct embedded *embedded)
{
    if (!embedded)
        return;
    list_for_each_safe (&embedded->functions, node)
        function_free(container_of(node, struct embedded_function, all));
    batch_destroy(&embedded->batch);
    free(embedded);
}

struct embedded_function *embedded_attach(struct embedded *embedded, struct bytes ns,
                                          struct bytes name)
{
    const struct sf_function *found = registry_find(embedded->registry, ns, name);
    if (!found)
        return NULL;
    struct embedded_function *function = mem_new(sizeof *function);
    function->function = found;
    function->ns = bytes_make(bytes_string(ns), ns.size);
    function->name = bytes_make(bytes_string(name), name.size);
    list_put_last(&embedded->functions, &function->all);
    return function;
}

const struct from_function *embedded_call(struct embedded *embedded,
                                          struct embedded_function *function,
                                          const struct to_function *request,
                                          struct sf_status *status)
{
    const struct from_function *reply;
    embedded->called = function;
    return batch_run(&embedded->batch, function->function, request,
                     (int64_t)loop_wall_ms(embedded->loop), &reply, status)
               ? reply
               : NULL;
}

void embedded_each_counter(const struct embedded *embedded,
                           void (*visit)(void *owner, const struct embedded_counter *counter),
                           void *owner)
{
    list_for_each (&embedded->functions, node) {
        struct embedded_function *function = container_of(node, struct embedded_function, all);
        for (size_t i = 0; i < function->counts.count; i++)
            visit(owner, &(struct embedded_counter){function->ns, function->name,
                                                    function->counts.items[i].name,
                                                    function->counts.items[i].value});
    }
}
