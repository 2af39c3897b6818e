/* mem.c - the one place that decides what happens when memory runs out. */
#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void *checked(void *memory, size_t size)
{
    if (!memory) {
        fprintf(stderr, "statefun: out of memory: an allocation of %zu bytes failed\n", size);
        abort();
    }
    return memory;
}

void *mem_new(size_t size)
{
    return checked(calloc(1, size ? size : 1), size);
}

void *mem_new_raw(size_t size)
{
    return checked(malloc(size ? size : 1), size);
}

void *mem_resize(void *memory, size_t size)
{
    return checked(realloc(memory, size ? size : 1), size);
}

char *mem_string(const char *text)
{
    size_t size = strlen(text) + 1;
    return memcpy(mem_new_raw(size), text, size);
}

char *mem_format(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *text = NULL;
    int size = vasprintf(&text, format, arguments);
    va_end(arguments);
    return checked(size < 0 ? NULL : text, 0);
}
