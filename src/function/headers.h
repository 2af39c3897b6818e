/* headers.h - the headers that an endpoint's module asks for, with their values as they are now.
 *
 * Values in files may change at any time: tokens are renewed while the runtime runs. So they are
 * read again, on a thread of their own (endpoint.c), and whoever sends requests takes what is new.
 * Values are secret, and in no message. */
#ifndef FUNCTION_HEADERS_H
#define FUNCTION_HEADERS_H

#include "spec/application.h"
#include "statefun/status.h"
#include "wire/http.h"

struct headers;

/* Reads all values; `headers` may be empty. On failure `ret_place` (may be NULL) says which. */
SF_CHECK bool headers_new(const struct header_list *spec, struct headers **ret_headers,
                          struct spec_place *ret_place, struct sf_status *status);
void headers_free(struct headers *headers); /* NULL is fine */

/* Does any of them stand in a file? */
bool headers_may_change(const struct headers *headers);

/* Looks whether files have changed, and reads those that have. One that makes no sense leaves its
 * value as it was, and is told in the log, once. On one thread at a time. */
void headers_refresh(struct headers *headers);

/* Any thread. A number that changes with the values, never 0; and a copy of them, for
 * headers_destroy. */
unsigned headers_version(const struct headers *headers);
struct header_values {
    struct http_header *items;
    size_t count;
    char *text;
};
void headers_copy(struct headers *headers, struct header_values *ret_values);
void header_values_destroy(struct header_values *values);

#endif
