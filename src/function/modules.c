/* modules.c - dlopen, and what is asked of a library before it is trusted with anything. */
#include "function/modules.h"

#include "base/mem.h"

#include <dlfcn.h>
#include <stdlib.h>

struct library {
    char *path;
    void *handle;
};

struct modules {
    struct library *libraries;
    size_t count;
    struct registry registry;
};

/* Symbols stay the library's own: two modules may each have a `helper`. Its code stays until the
 * process ends: it may have threads, which nobody ends. */
static bool open_library(struct library *library, const char *path, struct sf_status *status)
{
    /* Without a slash the loader would look in the system's directories. */
    library->path = strchr(path, '/') ? mem_string(path) : mem_format("./%s", path);
    /* Its code stays, also when closed: a thread of an ingress may not have returned to us. */
    library->handle = dlopen(library->path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    return library->handle || sf_fail(status, SF_INVALID, "cannot be opened: %s", dlerror());
}

static bool configure(struct modules *modules, struct library *library, struct sf_status *status)
{
    const struct sf_module_entry *entry = dlsym(library->handle, "sf_module_entry");
    if (!entry)
        return sf_fail(
            status, SF_INVALID,
            "is no module: expected the symbol sf_module_entry, which SF_MODULE(configure) "
            "makes, found none");
    if (entry->abi_version != SF_ABI_VERSION)
        return sf_fail(status, SF_UNSUPPORTED,
                       "was built for version %u of the module interface, this runtime has version "
                       "%d: build it with this runtime's headers",
                       entry->abi_version, SF_ABI_VERSION);
    if (!entry->configure)
        return sf_fail(status, SF_INVALID, "is no module: SF_MODULE was given no function");
    return registry_add(&modules->registry, entry->configure, status);
}

bool modules_open(const char *const *paths, size_t count,
                  const char *(*config)(void *owner, const char *key), void *owner,
                  struct modules **ret_modules, struct sf_status *status)
{
    struct modules *modules = mem_new(sizeof *modules);
    registry_init(&modules->registry, &(struct registry_options){.owner = owner, .config = config});
    modules->libraries = mem_new(count * sizeof *modules->libraries);
    for (size_t i = 0; i < count; i++) {
        struct library *library = &modules->libraries[modules->count++];
        if (!open_library(library, paths[i], status) || !configure(modules, library, status)) {
            modules_close(modules);
            return sf_wrap(status, "module %s", paths[i]);
        }
    }
    *ret_modules = modules;
    return true;
}

void modules_close(struct modules *modules)
{
    if (!modules)
        return;
    registry_destroy(&modules->registry);
    while (modules->count--) {
        struct library *library = &modules->libraries[modules->count];
        if (library->handle)
            dlclose(library->handle);
        free(library->path);
    }
    free(modules->libraries);
    free(modules);
}

const struct registry *modules_registry(const struct modules *modules)
{
    return &modules->registry;
}

const char *modules_path(const struct modules *modules, uint32_t module)
{
    return modules->libraries[module].path;
}
