/* mem.h - allocation that does not fail.
 *
 * The runtime is crash-only: when a small allocation fails it says so and aborts, since recovery
 * from a crash is the ordinary path and is exact. Whoever allocates a size that came from outside
 * bounds it first. So does the C SDK, although it lives in other people's programs: what a function
 * is handed is never NULL, which it would have to look at everywhere.
 *
 * Base may include nothing but the C library and public headers. */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>
#include <stdlib.h>

/* Returns `size` bytes, zeroed, for free(). A size of 0 gives a valid pointer too. */
void *mem_new(size_t size) __attribute__((malloc, returns_nonnull));

/* Like mem_new, but what the memory holds is unspecified. */
void *mem_new_raw(size_t size) __attribute__((malloc, returns_nonnull));

/* Like realloc. What lies beyond the old size is unspecified. */
void *mem_resize(void *memory, size_t size) __attribute__((returns_nonnull));

/* Copies a string, for free(). */
char *mem_string(const char *text) __attribute__((malloc, returns_nonnull));

/* Formats into a new string, for free(). */
char *mem_format(const char *format, ...) __attribute__((format(printf, 1, 2), returns_nonnull));

/* The struct that holds `member`, from a pointer to that member. */
#define container_of(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

#endif
