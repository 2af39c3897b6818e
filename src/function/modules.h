/* modules.h - embedded modules: shared libraries that bind functions, routers, ingresses and
 * egresses.
 *
 * They are opened and configured once, on the main thread, before anything runs; from then on what
 * they have bound is only read. */
#ifndef FUNCTION_MODULES_H
#define FUNCTION_MODULES_H

#include "sdk/registry.h"

struct modules;

/* Opens the libraries in this order. `config` gives modules the application's configuration;
 * `owner` must outlive the modules. False, with the file and what is wrong with it, if one cannot
 * be opened, is no module, was built for another version of the interface, or does not configure.
 */
SF_CHECK bool modules_open(const char *const *paths, size_t count,
                           const char *(*config)(void *owner, const char *key), void *owner,
                           struct modules **ret_modules, struct sf_status *status);

/* After everything that may call into them has ended. NULL is fine. */
void modules_close(struct modules *modules);

const struct registry *modules_registry(const struct modules *modules);

/* Which library bound it. */
const char *modules_path(const struct modules *modules, uint32_t module);

#endif
