/* loader.c - a queue and a few threads that block so that others need not. */
#include "runtime/loader.h"

#include <assert.h>
#include <pthread.h>

struct job {
    struct list link;
    void *worker;
    struct load *load;
};

struct loader {
    struct store *store;
    void (*on_loaded)(void *worker, struct load *load);
    uint32_t thread_count;
    pthread_t *threads;

    pthread_mutex_t lock; /* of all below */
    pthread_cond_t changed;
    struct list jobs;
    bool stopping;
};

static bool read_points(struct store *store, struct load *load, bool may_block)
{
    struct buffer value = {0};
    struct bytes keys = buffer_bytes(&load->keys);
    bool complete = true;
    while (keys.size && complete) {
        struct bytes key = bytes_make(keys.data + 4, u32_get(keys.data));
        keys = bytes_from(keys, 4 + key.size);
        enum store_read read = store_get(store, key, may_block, &value);
        complete = read != STORE_WOULD_BLOCK;
        bool found = read == STORE_FOUND;
        buffer_add_u8(&load->results, found);
        buffer_add_u32(&load->results, found ? (uint32_t)value.size : 0);
        if (found)
            buffer_add_bytes(&load->results, buffer_bytes(&value));
    }
    buffer_destroy(&value);
    return complete;
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
    struct bytes from = bytes_make(keys.data + 4, u32_get(keys.data));
    keys = bytes_from(keys, 4 + from.size);
    struct bytes to = bytes_make(keys.data + 4, u32_get(keys.data));
    (void)store_scan(store, from, to, add_entry,
                     load); /* stopping early is what bytes_max is for */
}

bool loader_read(struct store *store, struct load *load, bool may_block)
{
    buffer_clear(&load->results);
    if (!load->is_range)
        return read_points(store, load, may_block);
    if (may_block)
        read_range(store, load);
    return may_block;
}

static struct job *take_job(struct loader *loader)
{
    pthread_mutex_lock(&loader->lock);
    while (list_is_empty(&loader->jobs) && !loader->stopping)
        pthread_cond_wait(&loader->changed, &loader->lock);
    struct list *node =
        list_take_first(&loader->jobs); /* also when stopping: none is left undone */
    pthread_mutex_unlock(&loader->lock);
    return node ? container_of(node, struct job, link) : NULL;
}

static void *run(void *argument)
{
    struct loader *loader = argument;
    for (struct job *job; (job = take_job(loader));) {
        bool complete = loader_read(loader->store, job->load, true);
        assert(complete);
        (void)complete;
        loader->on_loaded(job->worker, job->load);
        free(job);
    }
    return NULL;
}

struct loader *loader_new(struct store *store, uint32_t threads,
                          void (*on_loaded)(void *worker, struct load *load))
{
    struct loader *loader = mem_new(sizeof *loader);
    loader->store = store;
    loader->on_loaded = on_loaded;
    loader->thread_count = threads;
    loader->threads = mem_new(threads * sizeof *loader->threads);
    pthread_mutex_init(&loader->lock, NULL);
    pthread_cond_init(&loader->changed, NULL);
    list_init(&loader->jobs);
    for (uint32_t i = 0; i < threads; i++)
        if (pthread_create(&loader->threads[i], NULL, run, loader))
            abort();
    return loader;
}

void loader_put(struct loader *loader, void *worker, struct load *load)
{
    struct job *job = mem_new(sizeof *job);
    job->worker = worker;
    job->load = load;
    pthread_mutex_lock(&loader->lock);
    list_put_last(&loader->jobs, &job->link);
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
