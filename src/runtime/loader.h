/* loader.h - reads from the store that may have to wait for the disk, off the workers' threads.
 *
 * A cold read must not stop a worker's other instances: what is not in memory is fetched here. */
#ifndef RUNTIME_LOADER_H
#define RUNTIME_LOADER_H

#include "engine/ports.h"
#include "store/store.h"

struct loader;

/* `on_loaded(worker, load)` is called on a thread of the loader's. */
struct loader *loader_new(struct store *store, uint32_t threads,
                          void (*on_loaded)(void *worker, struct load *load));

/* Ends the threads, after what is still waiting has been read. NULL is fine. */
void loader_free(struct loader *loader);

void loader_put(struct loader *loader, void *worker, struct load *load);

/* Carries a load out on the calling thread. With `may_block` false it only looks at what is in
 * memory, and false means that this was not enough. */
bool loader_read(struct store *store, struct load *load, bool may_block);

#endif
