/* server.c - the HTTP server: threads that share a listening socket, each with a loop and a desk of
 * its own.
 *
 * A server stops in two steps: first no connection is accepted or kept any more; then, when all
 * answers are out, each loop ends by itself. */
#include "serve/desk.h"

#include "net/address.h"
#include "wire/bundle.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

enum {
    CONNECTIONS_MAX = 10 * 1000, /* of a thread */
    REQUEST_MS_MAX = 30 * 1000,
    IDLE_MS_MAX = 120 * 1000,
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
    struct desk desk;
};

struct sf_server {
    struct sf_handler *handler;
    int listen_fd;
    char *where;
    size_t body_bytes_max;
    atomic_bool stops;
    struct serving *servings;
    size_t serving_count;
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
        desk_invoke_bundle(&serving->desk, exchange);
    else if (type && type->value.size && !is_of_type(type, "application/octet-stream"))
        answer_text(exchange, 415, NULL, "the Content-Type must be application/octet-stream\n");
    else if (!http_exchange_body(exchange).size)
        answer_text(exchange, 400, NULL, "there is no body; expected a ToFunction message\n");
    else
        desk_invoke(&serving->desk, exchange);
}

static void on_gone(void *owner, struct http_exchange *exchange)
{
    (void)owner;
    desk_forget(exchange);
}

/* --- a thread --- */

static void on_wake(void *owner)
{
    struct serving *serving = owner;
    desk_take_letters(&serving->desk);
    if (atomic_load(&serving->server->stops) && !serving->is_stopping) {
        serving->is_stopping = true;
        http_server_stop(serving->http);
    }
}

static void on_turn_end(void *owner)
{
    struct serving *serving = owner;
    if (serving->is_stopping && http_server_is_drained(serving->http))
        loop_stop(serving->loop);
}

static void *serve(void *argument)
{
    struct serving *serving = argument;
    loop_run(serving->loop);
    desk_take_letters(&serving->desk); /* for clients that have gone */
    return NULL;
}

static void serving_open(struct serving *serving, struct sf_server *server)
{
    serving->server = server;
    serving->loop = loop_new();
    serving->inbox = inbox_new(serving->loop);
    desk_init(&serving->desk, server->handler, serving->inbox);
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
    if (serving->has_thread)
        pthread_join(serving->thread, NULL);
    if (serving->http)
        http_server_free(serving->http);
    if (serving->inbox)
        inbox_free(serving->inbox);
    if (serving->loop)
        loop_free(serving->loop);
    desk_destroy(&serving->desk);
}

/* A signal is for the program's own threads. */
static bool start_thread(struct serving *serving, struct sf_status *status)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&serving->thread, NULL, serve, serving);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    serving->has_thread = !error;
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

bool sf_server_start(const struct sf_serve_options *options, sf_configure configure,
                     struct sf_server **ret_server, struct sf_status *status)
{
    struct sf_server *server = mem_new(sizeof *server);
    server->listen_fd = -1;
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

void sf_server_stop(struct sf_server *server)
{
    if (!server)
        return;
    atomic_store(&server->stops, true);
    for (size_t i = 0; i < server->serving_count; i++)
        if (server->servings[i].has_thread)
            loop_wake(server->servings[i].loop);
    for (size_t i = 0; i < server->serving_count; i++)
        serving_close(&server->servings[i]);
    if (server->listen_fd >= 0) {
        if (!strncmp(server->where, "unix:", 5))
            (void)unlink(server->where + 5); /* so that nobody tries it; a new server would */
        close(server->listen_fd);
    }
    sf_handler_free(server->handler);
    free(server->servings);
    free(server->where);
    free(server);
}
