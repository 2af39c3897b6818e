/* trace.c - which run this is, and what it says of itself. */
#include "sim/world_inside.h"

#include <stdio.h>

struct world *world_current;

uint64_t world_step(void)
{
    return world_current ? world_current->step : 0;
}

void world_trace_list(void *owner, const char *format, va_list arguments)
{
    struct world *world = owner;
    if (!world->trace)
        return;
    printf("%7llu %6llu ms  ", (unsigned long long)world->step,
           (unsigned long long)(world->now_ms - 1000000));
    vprintf(format, arguments);
    putchar('\n');
}

void world_trace(struct world *world, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    world_trace_list(world, format, arguments);
    va_end(arguments);
}
