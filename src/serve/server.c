/* server.c - the HTTP server: threads that share a listening socket, each with a loop and requests
 * of its own.
 *
 * A server stops in steps: first no connection is accepted or kept any more; then, when all answers
 * are out, or the time for it is over, each loop ends by itself. Requests that still wait are left
 * then as if their clients had gone. A thread whose function has not even returned is left behind:
 * the last of those frees the server. */
#include "serve/requests.h"

#include "base/histogram.h"
#include "base/list.h"
#include "base/log.h"
#include "net/address.h"
#include "wire/bundle.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    CONNECTIONS_MAX = 10 * 1000, /* of a thread */
    REQUEST_MS_MAX = 30 * 1000,
    IDLE_MS_MAX = 120 * 1000,
    STOP_MS_MAX = 10 * 1000,
    RETURN_MS_MAX = 1000, /* for loops to end, once the time for stopping is over */
    BODY_BYTES_MAX = 64 * 1024 * 1024,
    THREADS_MAX = 1024
};

struct serving {
    struct sf_server *server;
    pthread_t thread;
    bool has_thread;
    struct loop *loop;
    struct inbox *inbox;
    struct http_server *http;
    bool is_stopping;
    struct loop_timer stop_timer; /* the time for stopping is over */
    struct requests requests;
};

struct sf_server {
    struct sf_handler *handler;
    int listen_fd;
    char *where;
    size_t body_bytes_max;
    unsigned stop_ms_max;
    uint64_t stop_by_ms; /* before `stops` is set */
    atomic_bool stops;
    struct serving *servings;
    size_t serving_count;

    pthread_mutex_t lock; /* of the rest */
    pthread_cond_t one_ended;
    size_t running;    /* threads that have not ended */
    bool is_abandoned; /* the last of them frees the server */
};

/* --- requests --- */

static bool is_at(const struct http_head *head, const char *path)
{
    struct bytes target = head->target;
    const uint8_t *query = target.size ? memchr(target.data, '?', target.size) : NULL;
    if (query)
        target.size = (size_t)(query - target.data);
    return bytes_is(target, path);
}

static void get(struct serving *serving, struct http_exchange *exchange)
{
    const struct http_head *head = http_exchange_head(exchange);
    struct buffer text = {0};
    if (is_at(head, "/health")) {
        answer_text(exchange, 200, NULL, "ok\n");
    } else if (is_at(head, "/metrics")) {
        handler_expose(serving->server->handler, &text);
        http_respond(exchange, &(struct http_answer){.status = 200,
                                                     .content_type =
                                                         "text/plain; version=0.0.4; charset=utf-8",
                                                     .body = buffer_bytes(&text)});
    } else {
        answer_text(exchange, 405, "Allow: POST\r\n",
                    "a function is invoked by POST; GET serves /health and /metrics\n");
    }
    buffer_destroy(&text);
}

static bool is_of_type(const struct http_header *header, const char *type)
{
    return header && http_is_media_type(http_media_type(header->value), type);
}

static void on_request(void *owner, struct http_exchange *exchange)
{
    struct serving *serving = owner;
    const struct http_head *head = http_exchange_head(exchange);
    const struct http_header *type = http_find(head, "Content-Type");
    if (bytes_is(head->method, "GET") || bytes_is(head->method, "HEAD"))
        get(serving, exchange);
    else if (!bytes_is(head->method, "POST"))
        answer_text(exchange, 405, "Allow: POST\r\n", "a function is invoked by POST\n");
    else if (is_of_type(type, BUNDLE_TYPE))
        requests_invoke_bundle(&serving->requests, exchange);
    else if (type && type->value.size && !is_of_type(type, "application/octet-stream"))
        answer_text(exchange, 415, NULL, "the Content-Type must be application/octet-stream\n");
    else if (!http_exchange_body(exchange).size)
        answer_text(exchange, 400, NULL, "there is no body; expected a ToFunction message\n");
    else
        requests_invoke(&serving->requests, exchange);
}

static void on_gone(void *owner, struct http_exchange *exchange)
{
    (void)owner;
    requests_forget(exchange);
}

/* --- a thread --- */

static void on_wake(void *owner)
{
    struct serving *serving = owner;
    requests_take_letters(&serving->requests);
    if (atomic_load(&serving->server->stops) && !serving->is_stopping) {
        serving->is_stopping = true;
        http_server_stop(serving->http);
        loop_timer_set(serving->loop, &serving->stop_timer, serving->server->stop_by_ms);
    }
}

static void on_stop_timer(struct loop_timer *timer)
{
    struct serving *serving = container_of(timer, struct serving, stop_timer);
    log_warn("stopping with requests unanswered: they took too long",
             LOG_NUMBER("patience_ms", serving->server->stop_ms_max));
    loop_stop(serving->loop);
}

static void on_turn_end(void *owner)
{
    struct serving *serving = owner;
    if (serving->is_stopping && http_server_is_drained(serving->http))
        loop_stop(serving->loop);
}

static void server_free(struct sf_server *server);

/* The thread touches the server no more. */
static void leave(struct sf_server *server)
{
    pthread_mutex_lock(&server->lock);
    bool is_last = --server->running == 0;
    bool is_abandoned = server->is_abandoned;
    pthread_cond_signal(&server->one_ended);
    pthread_mutex_unlock(&server->lock);
    if (is_last && is_abandoned)
        server_free(server);
}

static void *serve(void *argument)
{
    struct serving *serving = argument;
    loop_run(serving->loop);
    loop_timer_cancel(serving->loop, &serving->stop_timer);
    http_server_free(serving->http); /* whoever waits still is told that nobody answers */
    serving->http = NULL;
    requests_take_letters(&serving->requests); /* for clients that have gone */
    leave(serving->server);
    return NULL;
}

static void serving_open(struct serving *serving, struct sf_server *server)
{
    serving->server = server;
    serving->stop_timer.on_timer = on_stop_timer;
    serving->loop = loop_new();
    serving->inbox = inbox_new(serving->loop);
    requests_init(&serving->requests, server->handler, serving->inbox);
    loop_on_wake(serving->loop, on_wake, serving);
    loop_on_turn_end(serving->loop, on_turn_end, serving);
    serving->http = http_server_new(serving->loop, &(struct http_server_options){
                                                       .listen_fd = server->listen_fd,
                                                       .connections_max = CONNECTIONS_MAX,
                                                       .body_bytes_max = server->body_bytes_max,
                                                       .request_ms_max = REQUEST_MS_MAX,
                                                       .idle_ms_max = IDLE_MS_MAX,
                                                       .owner = serving,
                                                       .on_request = on_request,
                                                       .on_gone = on_gone,
                                                   });
}

static void serving_close(struct serving *serving)
{
    http_server_free(serving->http);
    if (serving->inbox)
        inbox_free(serving->inbox);
    if (serving->loop)
        loop_free(serving->loop);
    requests_destroy(&serving->requests);
}

/* A signal is for the program's own threads. */
static bool start_thread(struct serving *serving, struct sf_status *status)
{
    struct sf_server *server = serving->server;
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_mutex_lock(&server->lock);
    int error = pthread_create(&serving->thread, NULL, serve, serving);
    serving->has_thread = !error;
    server->running += serving->has_thread;
    pthread_mutex_unlock(&server->lock);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return !error || sf_fail(status, SF_FULL, "start a thread: %s", strerrordesc_np(error));
}

/* --- the server --- */

static size_t processors(void)
{
    cpu_set_t set;
    int count = sched_getaffinity(0, sizeof set, &set) ? 1 : CPU_COUNT(&set);
    return count > 0 ? (size_t)count : 1;
}

static bool start(struct sf_server *server, const struct sf_serve_options *options,
                  sf_configure configure, struct sf_status *status)
{
    size_t threads = options->threads ? options->threads : processors();
    if (threads > THREADS_MAX)
        return sf_fail(status, SF_INVALID, "%zu threads, expected at most %d", threads,
                       THREADS_MAX);
    if (!sf_handler_new(configure, options->config, &server->handler, status) ||
        !net_listen(options->listen ? options->listen : "127.0.0.1:8000", &server->listen_fd,
                    &server->where, status))
        return false;
    server->body_bytes_max = options->body_bytes_max ? options->body_bytes_max : BODY_BYTES_MAX;
    server->stop_ms_max = options->stop_ms_max ? options->stop_ms_max : STOP_MS_MAX;
    if (options->kept_bytes_max)
        server->handler->keep.bytes_max = options->kept_bytes_max;
    server->servings = mem_new(threads * sizeof *server->servings);
    server->serving_count = threads;
    for (size_t i = 0; i < threads; i++)
        serving_open(&server->servings[i], server);
    for (size_t i = 0; i < threads; i++)
        if (!start_thread(&server->servings[i], status))
            return false;
    return true;
}

static struct sf_server *server_new(void)
{
    struct sf_server *server = mem_new(sizeof *server);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_mutex_init(&server->lock, NULL);
    pthread_cond_init(&server->one_ended, &attributes);
    pthread_condattr_destroy(&attributes);
    server->listen_fd = -1;
    return server;
}

bool sf_server_start(const struct sf_serve_options *options, sf_configure configure,
                     struct sf_server **ret_server, struct sf_status *status)
{
    struct sf_server *server = server_new();
    if (!start(server, options, configure, status)) {
        sf_server_stop(server);
        return false;
    }
    *ret_server = server;
    return true;
}

const char *sf_server_address(const struct sf_server *server)
{
    return server->where;
}

static void server_free(struct sf_server *server)
{
    for (size_t i = 0; i < server->serving_count; i++)
        serving_close(&server->servings[i]);
    if (server->listen_fd >= 0)
        close(server->listen_fd);
    sf_handler_free(server->handler);
    pthread_cond_destroy(&server->one_ended);
    pthread_mutex_destroy(&server->lock);
    free(server->servings);
    free(server->where);
    free(server);
}

/* What loops may still watch is not closed yet. */
static void refuse_clients(struct sf_server *server)
{
    if (server->listen_fd < 0)
        return;
    if (!strncmp(server->where, "unix:", 5))
        (void)unlink(server->where + 5);          /* so that nobody tries it; a new server would */
    (void)shutdown(server->listen_fd, SHUT_RDWR); /* if it fails, it is closed soon */
}

/* Under the lock: the server is those threads' that have not ended. */
static void abandon(struct sf_server *server)
{
    server->is_abandoned = true;
    refuse_clients(server);
    for (size_t i = 0; i < server->serving_count; i++)
        if (server->servings[i].has_thread)
            pthread_detach(server->servings[i].thread);
}

/* How many threads do not end in time; if there are any, the server is not the caller's any more.
 */
static size_t await_threads(struct sf_server *server)
{
    uint64_t until_ms = server->stop_by_ms + RETURN_MS_MAX;
    struct timespec until = {.tv_sec = (time_t)(until_ms / 1000),
                             .tv_nsec = (long)(until_ms % 1000) * 1000000};
    int error = 0;
    pthread_mutex_lock(&server->lock);
    while (server->running && !error)
        error = pthread_cond_timedwait(&server->one_ended, &server->lock, &until);
    size_t left = server->running;
    if (left)
        abandon(server);
    pthread_mutex_unlock(&server->lock);
    return left;
}

void sf_server_stop(struct sf_server *server)
{
    if (!server)
        return;
    server->stop_by_ms = clock_now_us() / 1000 + server->stop_ms_max;
    atomic_store(&server->stops, true);
    for (size_t i = 0; i < server->serving_count; i++)
        if (server->servings[i].has_thread)
            loop_wake(server->servings[i].loop);
    size_t left = await_threads(server);
    if (left) {
        log_warn("stopping with functions that have not returned", LOG_NUMBER("threads", left));
        return;
    }
    for (size_t i = 0; i < server->serving_count; i++)
        if (server->servings[i].has_thread)
            pthread_join(server->servings[i].thread, NULL);
    refuse_clients(server);
    server_free(server);
}
