/* test.h - what every unit test includes: cmocka, with the headers that it wants before itself. */
#ifndef TEST_H
#define TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "statefun/status.h"

/* Fails with both texts when `bytes` is not `text`. */
static inline void assert_bytes(struct bytes bytes, const char *text)
{
    char *found = malloc(bytes.size + 1);
    if (bytes.size)
        memcpy(found, bytes.data, bytes.size);
    found[bytes.size] = '\0';
    assert_string_equal(found, text);
    free(found);
}

/* Fails, with the status's message, when `good` is false. */
#define assert_good(good, status)                                                                  \
    do {                                                                                           \
        if (!(good))                                                                               \
            fail_msg("%s: %s", #good, (status)->message);                                          \
    } while (0)

#define assert_mentions(message, part)                                                             \
    do {                                                                                           \
        if (!strstr((message), (part)))                                                            \
            fail_msg("expected '%s' in: %s", (part), (message));                                   \
    } while (0)

#endif
