/* embedded.h - functions of embedded modules, on one worker's thread: called directly, with their
 * effects as the reply. */
#ifndef FUNCTION_EMBEDDED_H
#define FUNCTION_EMBEDDED_H

#include "function/operation_desk.h"
#include "sdk/registry.h"

struct embedded;
struct embedded_function;

/* Takes its engine later, as the engine's ports lead here. */
struct embedded *embedded_new(struct loop *loop, const struct registry *registry,
                              struct operations *operations);
void embedded_set_engine(struct embedded *embedded, struct engine *engine);
void embedded_free(struct embedded *embedded); /* NULL is fine */

/* ports.attach (NULL: no module binds such a function) and ports.call. */
struct embedded_function *embedded_attach(struct embedded *embedded, struct bytes ns,
                                          struct bytes name);
const struct from_function *embedded_call(struct embedded *embedded,
                                          struct embedded_function *function,
                                          const struct to_function *request,
                                          struct sf_status *status);

/* What functions count (sf_count). */
struct embedded_counter {
    struct bytes ns, name; /* of the function type */
    const char *counter;
    int64_t value;
};
void embedded_each_counter(const struct embedded *embedded,
                           void (*visit)(void *owner, const struct embedded_counter *counter),
                           void *owner);

#endif
