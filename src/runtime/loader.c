/* loader.c - a queue and a few threads that block so that others need not. */
#include "runtime/loader.h"

#include <pthread.h>

struct loader {
    struct store *store;
    void (*on_loaded)(struct load_batch *batch);
    uint32_t thread_count;
    pthread_t *threads;

    pthread_mutex_t lock; /* of all below */
    pthread_cond_t changed;
    struct list batches;
    bool stopping;
};

struct load_batch *load_batch_new(void *worker)
{
    struct load_batch *batch = mem_new(sizeof *batch);
    batch->worker = worker;
    list_init(&batch->link);
    list_init(&batch->loads);
    return batch;
}

void load_batch_add(struct load_batch *batch, struct load *load)
{
    list_put_last(&batch->loads, &load->link);
    batch->count++;
}

/* All keys of a batch, and whose they are. */
struct points {
    struct bytes *keys;
    struct load **loads;
    size_t count, capacity;
};

static void add_point(struct points *points, struct bytes key, struct load *load)
{
    if (points->count == points->capacity) {
        points->capacity = points->capacity ? 2 * points->capacity : 64;
        points->keys = mem_resize(points->keys, points->capacity * sizeof *points->keys);
        points->loads = mem_resize(points->loads, points->capacity * sizeof *points->loads);
    }
    points->keys[points->count] = key;
    points->loads[points->count++] = load;
}

/* Takes the first of `keys`, as they stand in a load. */
static struct bytes next_key(struct bytes *keys)
{
    struct bytes key = bytes_make(keys->data + 4, u32_get(keys->data));
    *keys = bytes_from(*keys, 4 + key.size);
    return key;
}

static void add_points(struct points *points, struct load *load)
{
    struct bytes keys = buffer_bytes(&load->keys);
    while (keys.size)
        add_point(points, next_key(&keys), load);
}

static void add_result(struct load *load, const struct bytes *value)
{
    buffer_add_u8(&load->results, value != NULL);
    buffer_add_u32(&load->results, value ? (uint32_t)value->size : 0);
    if (value)
        buffer_add_bytes(&load->results, *value);
}

static void add_value(void *owner, size_t nth, const struct bytes *value)
{
    const struct points *points = owner;
    add_result(points->loads[nth], value);
}

static bool add_entry(void *owner, struct bytes key, struct bytes value)
{
    struct load *load = owner;
    buffer_add_u32(&load->results, (uint32_t)key.size);
    buffer_add_bytes(&load->results, key);
    buffer_add_u32(&load->results, (uint32_t)value.size);
    buffer_add_bytes(&load->results, value);
    return load->results.size < load->bytes_max;
}

static void read_range(struct store *store, struct load *load)
{
    struct bytes keys = buffer_bytes(&load->keys);
    struct bytes from = next_key(&keys), to = next_key(&keys);
    /* Stopping early is what bytes_max is for. */
    if (key_is_queued(from))
        (void)store_scan(store, from, to, add_entry, load);
    else
        (void)store_scan_kept(store, from, to, add_entry, load);
}

void loader_read(struct store *store, struct load_batch *batch)
{
    struct points points = {0};
    list_for_each (&batch->loads, node) {
        struct load *load = container_of(node, struct load, link);
        buffer_clear(&load->results);
        if (load->is_range)
            read_range(store, load);
        else
            add_points(&points, load);
    }
    store_get_all(store, points.keys, points.count, add_value, &points);
    free(points.keys);
    free(points.loads);
}

bool loader_try(struct store *store, struct load *load)
{
    struct bytes keys = buffer_bytes(&load->keys);
    struct buffer value = {0};
    enum store_read read = load->is_range ? STORE_WOULD_WAIT : STORE_FOUND;
    buffer_clear(&load->results);
    while (keys.size && read != STORE_WOULD_WAIT) {
        read = store_try(store, next_key(&keys), &value);
        struct bytes found = buffer_bytes(&value);
        add_result(load, read == STORE_FOUND ? &found : NULL);
    }
    buffer_destroy(&value);
    return read != STORE_WOULD_WAIT;
}

static struct load_batch *take_batch(struct loader *loader)
{
    pthread_mutex_lock(&loader->lock);
    while (list_is_empty(&loader->batches) && !loader->stopping)
        pthread_cond_wait(&loader->changed, &loader->lock);
    struct list *node =
        list_take_first(&loader->batches); /* also when stopping: none is left undone */
    pthread_mutex_unlock(&loader->lock);
    return node ? container_of(node, struct load_batch, link) : NULL;
}

static void *run(void *argument)
{
    struct loader *loader = argument;
    for (struct load_batch *batch; (batch = take_batch(loader));) {
        loader_read(loader->store, batch);
        loader->on_loaded(batch);
    }
    return NULL;
}

struct loader *loader_new(struct store *store, uint32_t threads,
                          void (*on_loaded)(struct load_batch *batch))
{
    struct loader *loader = mem_new(sizeof *loader);
    loader->store = store;
    loader->on_loaded = on_loaded;
    loader->thread_count = threads;
    loader->threads = mem_new(threads * sizeof *loader->threads);
    pthread_mutex_init(&loader->lock, NULL);
    pthread_cond_init(&loader->changed, NULL);
    list_init(&loader->batches);
    for (uint32_t i = 0; i < threads; i++)
        if (pthread_create(&loader->threads[i], NULL, run, loader))
            abort();
    for (uint32_t i = 0; i < threads; i++)
        (void)pthread_setname_np(loader->threads[i], "loader"); /* for who looks at the threads */
    return loader;
}

void loader_put(struct loader *loader, struct load_batch *batch)
{
    pthread_mutex_lock(&loader->lock);
    list_put_last(&loader->batches, &batch->link);
    pthread_cond_signal(&loader->changed);
    pthread_mutex_unlock(&loader->lock);
}

void loader_free(struct loader *loader)
{
    if (!loader)
        return;
    pthread_mutex_lock(&loader->lock);
    loader->stopping = true;
    pthread_cond_broadcast(&loader->changed);
    pthread_mutex_unlock(&loader->lock);
    for (uint32_t i = 0; i < loader->thread_count; i++)
        pthread_join(loader->threads[i], NULL);
    pthread_cond_destroy(&loader->changed);
    pthread_mutex_destroy(&loader->lock);
    free(loader->threads);
    free(loader);
}
