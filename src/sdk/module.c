/* module.c - what a module's configure function, its routers and its ingresses call: passed on to
 * the host. */
#include "sdk/call.h"

#include <stdio.h>

bool sf_bind(struct sf_module *module, const struct sf_function *function, struct sf_status *status)
{
    return module->host->bind_function(module, function, status);
}

const char *sf_config(struct sf_module *module, const char *key)
{
    return module->host->config(module, key);
}

bool sf_bind_router(struct sf_module *module, const struct sf_router *router,
                    struct sf_status *status)
{
    return module->host->bind_router(module, router, status);
}

bool sf_bind_ingress(struct sf_module *module, const struct sf_ingress *ingress,
                     struct sf_status *status)
{
    return module->host->bind_ingress(module, ingress, status);
}

bool sf_bind_egress(struct sf_module *module, const struct sf_egress *egress,
                    struct sf_status *status)
{
    return module->host->bind_egress(module, egress, status);
}

/* --- routing --- */

static void *alloc_in_route(void *owner, size_t size)
{
    struct sf_routing *routing = owner;
    return routing->host->route_alloc(routing, size);
}

bool sf_forward(struct sf_routing *routing, struct sf_address address, struct sf_value value)
{
    struct sf_encoded encoded;
    struct sf_status status;
    struct sf_target target = target_of(address);
    if (value_encode((struct value_memory){alloc_in_route, routing}, &value, &encoded, &status))
        return routing->host->forward(routing, &target, &encoded);
    (void)sf_wrap(&status, "sf_forward");
    return routing->host->fail_route(routing, status.message);
}

bool sf_fail_route(struct sf_routing *routing, const char *format, ...)
{
    struct sf_status status;
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(status.message, sizeof status.message, format, arguments);
    va_end(arguments);
    return routing->host->fail_route(routing, status.message);
}

void sf_log_route(struct sf_routing *routing, enum sf_level level, const char *format, ...)
{
    char line[LOG_LINE_SIZE];
    va_list arguments;
    if (!HOST_HAS(routing->host, log_route))
        return;
    va_start(arguments, format);
    log_line_make(line, format, arguments);
    va_end(arguments);
    routing->host->log_route(routing, level, line);
}

void sf_count_route(struct sf_routing *routing, const char *counter, int64_t by)
{
    if (HOST_HAS(routing->host, count_route))
        routing->host->count_route(routing, counter, by);
}

/* --- ingresses --- */

uint32_t sf_source_partition(const struct sf_source *source)
{
    return source->host->source_partition(source);
}

void *sf_source_user(const struct sf_source *source)
{
    return source->host->source_user(source);
}

struct sf_bytes sf_source_position(const struct sf_source *source)
{
    return source->host->source_position(source);
}

bool sf_emit(struct sf_source *source, const struct sf_record *record, struct sf_bytes position)
{
    return source->host->emit(source, record, position);
}

bool sf_source_pause(struct sf_source *source, uint32_t ms)
{
    return source->host->source_pause(source, ms);
}
