/* state_http.h - states in requests and answers: paths, content types, representations
 * (extensions.md). Nothing here waits or knows workers. */
#ifndef RUNTIME_STATE_HTTP_H
#define RUNTIME_STATE_HTTP_H

#include "runtime/state_call.h"
#include "wire/http.h"

/* Reads /state/<namespace>/<type>/<id>[/<state name>] into the parts of `call`. `count` is the
 * number of the path's segments, 4 or 5. */
bool state_http_path(struct bytes target, struct state_call *call, struct sf_status *status);

/* Reads the value of a PUT: its type from the Content-Type, and its bytes. SF_UNSUPPORTED for a
 * content type that stands for no type. */
bool state_http_value(const struct http_head *head, struct bytes body, struct state_call *call,
                      struct sf_status *status);

/* The body of the answer to a GET, as the Accept header wants it; returns its content type, for
 * free(). */
char *state_http_show(const struct http_head *head, const struct found_state *found,
                      struct buffer *body);

/* A list of states as JSON; of the address, its parts count. */
void state_http_list(const struct address *address, const struct found_state *states, size_t count,
                     struct buffer *json);

#endif
