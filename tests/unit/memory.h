/* memory.h - copies that end where their memory ends, so that a sanitizer sees a byte read too
 * much. */
#ifndef UNIT_MEMORY_H
#define UNIT_MEMORY_H

#include "base/bytes.h"
#include "base/mem.h"

static inline struct bytes copy_exactly(struct bytes bytes)
{
    uint8_t *copy = mem_new_raw(bytes.size);
    if (bytes.size)
        memcpy(copy, bytes.data, bytes.size);
    return bytes_make(copy, bytes.size);
}

static inline void copy_free(struct bytes copy)
{
    free((void *)copy.data);
}

/* The bytes of a string literal, NULs included. */
#define BYTES_LITERAL(text) bytes_make((text), sizeof(text) - 1)

#endif
