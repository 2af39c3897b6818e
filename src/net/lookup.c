/* lookup.c - one helper thread and its queue.
 *
 * A lookup's life, all under the resolver's mutex:
 *
 *     QUEUED --> RUNNING --> DONE (a letter in the inbox of the loop that asked)
 *        |          |          |
 *        v          v          v
 *      freed    ABANDONED    freed by lookup_free or after on_found
 *               (freed by the thread when the C library returns)
 *
 * The resolver lives as long as there are lookups. When the last one goes, its thread is idle and
 * is joined - or it sits in getaddrinfo for as long as a name server does not answer: then it is
 * detached, owns the resolver from there on and frees both. The next lookup starts a resolver of
 * its own. */
#include "net/lookup.h"

#include "base/mem.h"
#include "loop/inbox.h"

#include <assert.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

enum lookup_state { LOOKUP_QUEUED, LOOKUP_RUNNING, LOOKUP_DONE, LOOKUP_ABANDONED };

struct resolver {
    pthread_t thread;
    pthread_mutex_t mutex; /* guards all below, and the state of its lookups */
    pthread_cond_t changed;
    struct list queue;
    size_t lookup_count; /* that somebody still waits for */
    bool is_busy;        /* with a lookup, outside the mutex */
    bool is_over;        /* the thread shall end */
    bool is_detached;    /* ... and free the resolver */
};

struct lookup {
    struct letter letter;
    struct list node; /* in the queue */
    enum lookup_state state;
    struct resolver *resolver;

    char *host;
    uint16_t port;
    struct addresses found;
    char error[160];

    /* The loop's thread only. */
    struct loop *loop;
    struct loop_waker waker;
    struct inbox *inbox;
    void (*on_found)(void *owner, const struct addresses *addresses, const char *error);
    void *owner;
};

/* Guards `shared`, and is held while a resolver is started or ended. */
static pthread_mutex_t shared_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct resolver *shared;

static int find(const char *host, uint16_t port, int flags, struct addresses *ret_addresses)
{
    struct addrinfo hints = {
        .ai_family = AF_UNSPEC,
        .ai_socktype = SOCK_STREAM,
        .ai_flags = AI_NUMERICSERV | flags,
    };
    char service[8];
    snprintf(service, sizeof service, "%u", port);

    struct addrinfo *all = NULL;
    int error = getaddrinfo(host, service, &hints, &all);
    if (error)
        return error;
    ret_addresses->count = 0;
    for (struct addrinfo *at = all; at && ret_addresses->count < LOOKUP_ADDRESSES_MAX;
         at = at->ai_next) {
        struct socket_address *address = &ret_addresses->list[ret_addresses->count++];
        assert(at->ai_addrlen <= sizeof address->storage);
        memcpy(&address->storage, at->ai_addr, at->ai_addrlen);
        address->size = at->ai_addrlen;
    }
    freeaddrinfo(all);
    return 0;
}

bool lookup_numeric(const char *host, uint16_t port, struct addresses *ret_addresses)
{
    return find(host, port, AI_NUMERICHOST, ret_addresses) == 0;
}

static void resolver_destroy(struct resolver *resolver)
{
    pthread_mutex_destroy(&resolver->mutex);
    pthread_cond_destroy(&resolver->changed);
    free(resolver);
}

/* Only once nobody else knows of it. */
static void lookup_destroy(struct lookup *lookup)
{
    free(lookup->host);
    free(lookup);
}

/* Holds the mutex before and after, not while the C library looks. */
static void resolver_find(struct resolver *resolver, struct lookup *lookup)
{
    lookup->state = LOOKUP_RUNNING;
    resolver->is_busy = true;
    pthread_mutex_unlock(&resolver->mutex);

    int error = find(lookup->host, lookup->port, 0, &lookup->found);
    if (error)
        snprintf(lookup->error, sizeof lookup->error, "look up %.100s: %s", lookup->host,
                 gai_strerror(error));

    pthread_mutex_lock(&resolver->mutex);
    resolver->is_busy = false;
    if (lookup->state == LOOKUP_ABANDONED) {
        lookup_destroy(lookup);
        return;
    }
    lookup->state = LOOKUP_DONE;
    struct letters letters = {0};
    letters_add(&letters, &lookup->letter);
    inbox_put(lookup->inbox, &letters); /* under the mutex, so that lookup_free can wait for it */
}

static void *resolver_run(void *argument)
{
    struct resolver *resolver = argument;
    pthread_mutex_lock(&resolver->mutex);
    while (!resolver->is_over) {
        struct list *first = list_take_first(&resolver->queue);
        if (first)
            resolver_find(resolver, container_of(first, struct lookup, node));
        else
            pthread_cond_wait(&resolver->changed, &resolver->mutex);
    }
    bool is_detached = resolver->is_detached;
    pthread_mutex_unlock(&resolver->mutex);
    if (is_detached)
        resolver_destroy(resolver);
    return NULL;
}

static struct resolver *resolver_new(void)
{
    struct resolver *resolver = mem_new(sizeof *resolver);
    list_init(&resolver->queue);
    pthread_mutex_init(&resolver->mutex, NULL);
    pthread_cond_init(&resolver->changed, NULL);

    /* Signals are for the threads that the program's main knows of. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&resolver->thread, NULL, resolver_run, resolver);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error) {
        fprintf(stderr, "statefun: a thread for names: %s\n", strerrordesc_np(error));
        abort();
    }
    return resolver;
}

/* Nobody waits for anything in it any more, and `shared` no longer points to it. */
static void resolver_end(struct resolver *resolver)
{
    pthread_mutex_lock(&resolver->mutex);
    assert(list_is_empty(&resolver->queue));
    resolver->is_over = true;
    bool is_busy = resolver->is_busy;
    resolver->is_detached = is_busy;
    pthread_t thread = resolver->thread;
    if (is_busy)
        pthread_detach(thread);
    pthread_cond_signal(&resolver->changed);
    pthread_mutex_unlock(&resolver->mutex);
    if (!is_busy) {
        pthread_join(thread, NULL);
        resolver_destroy(resolver);
    }
}

static struct resolver *resolver_enter(void)
{
    pthread_mutex_lock(&shared_mutex);
    if (!shared)
        shared = resolver_new();
    struct resolver *resolver = shared;
    resolver->lookup_count++;
    pthread_mutex_unlock(&shared_mutex);
    return resolver;
}

static void resolver_leave(struct resolver *resolver)
{
    pthread_mutex_lock(&shared_mutex);
    bool is_last = --resolver->lookup_count == 0;
    if (is_last) {
        shared = NULL;
        resolver_end(resolver);
    }
    pthread_mutex_unlock(&shared_mutex);
}

/* The loop's thread: something woke the loop; perhaps it was the answer. */
static void on_wake(struct loop_waker *waker)
{
    struct lookup *lookup = container_of(waker, struct lookup, waker);
    struct letters letters = inbox_take(lookup->inbox);
    if (!letters.first)
        return;
    bool failed = lookup->found.count == 0;
    lookup->on_found(lookup->owner, &lookup->found, failed ? lookup->error : NULL);
    lookup_free(lookup);
}

struct lookup *lookup_new(struct loop *loop, const char *host, uint16_t port,
                          void (*on_found)(void *owner, const struct addresses *addresses,
                                           const char *error),
                          void *owner)
{
    struct lookup *lookup = mem_new(sizeof *lookup);
    lookup->host = mem_string(host);
    lookup->port = port;
    lookup->on_found = on_found;
    lookup->owner = owner;
    lookup->loop = loop;
    lookup->inbox = inbox_new(loop);
    lookup->waker.on_wake = on_wake;
    loop_waker_add(loop, &lookup->waker);

    struct resolver *resolver = resolver_enter();
    lookup->resolver = resolver;
    pthread_mutex_lock(&resolver->mutex);
    list_put_last(&resolver->queue, &lookup->node);
    pthread_cond_signal(&resolver->changed);
    pthread_mutex_unlock(&resolver->mutex);
    return lookup;
}

void lookup_free(struct lookup *lookup)
{
    if (!lookup)
        return;

    /* While the mutex is held, no letter is on its way: it is in the inbox, or it never will be. */
    struct resolver *resolver = lookup->resolver;
    struct inbox *inbox = lookup->inbox;
    loop_waker_remove(lookup->loop, &lookup->waker);
    pthread_mutex_lock(&resolver->mutex);
    bool is_ours = lookup->state != LOOKUP_RUNNING;
    if (lookup->state == LOOKUP_QUEUED)
        list_take(&lookup->node);
    else if (lookup->state == LOOKUP_RUNNING)
        lookup->state = LOOKUP_ABANDONED;
    (void)inbox_take(inbox);
    pthread_mutex_unlock(&resolver->mutex);

    inbox_free(inbox);
    if (is_ours)
        lookup_destroy(lookup);
    resolver_leave(resolver);
}
