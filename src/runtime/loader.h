/* loader.h - reads from the store, which may have to wait for the disk, off the workers' threads.
 *
 * A cold read must not stop a worker's other instances: what is not in memory is fetched here
 * (loader_try tells the rest, without a thread). What a worker wants in one turn it wants together,
 * so that looking it up, and waking the threads here and there, costs less. */
#ifndef RUNTIME_LOADER_H
#define RUNTIME_LOADER_H

#include "engine/ports.h"
#include "runtime/errand.h"
#include "store/store.h"

/* Loads of one worker that are carried out together. */
struct load_batch {
    struct errand errand; /* its way back */
    struct list link;     /* the loader's */
    void *worker;
    struct list loads; /* by their links */
    size_t count;
};

/* An empty one, for free() when the loads have been taken out. */
struct load_batch *load_batch_new(void *worker);
void load_batch_add(struct load_batch *batch, struct load *load);

struct loader;

/* `on_loaded(batch)` is called on a thread of the loader's. */
struct loader *loader_new(struct store *store, uint32_t threads,
                          void (*on_loaded)(struct load_batch *batch));

/* Ends the threads, after what is still waiting has been read. NULL is fine. */
void loader_free(struct loader *loader);

/* The batch changes hands until it is loaded. */
void loader_put(struct loader *loader, struct load_batch *batch);

/* Carries the loads of a batch out on the calling thread. */
void loader_read(struct store *store, struct load_batch *batch);

/* Carries a load out on the calling thread if that takes no waiting: true, then. */
bool loader_try(struct store *store, struct load *load);

#endif
