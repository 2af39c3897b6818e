/* bindings.h (runtime) - an application's functions and egresses as the engine wants them.
 *
 * Egresses are numbered: the Kafka egresses in the application's order, then those of Kinesis, the
 * playground's, and those of embedded modules. */
#ifndef RUNTIME_BINDINGS_H
#define RUNTIME_BINDINGS_H

#include "engine/bindings.h"
#include "sdk/registry.h"
#include "spec/application.h"

/* Both must outlive them; `registry` (of embedded modules) may be NULL. */
struct bindings *bindings_new(const struct application *application,
                              const struct registry *registry);
void bindings_free(struct bindings *bindings); /* NULL is fine */

#endif
