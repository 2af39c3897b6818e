/* client_fixture.h - a pool, calls that note how they ended, and a server played by hand. */
#ifndef CLIENT_FIXTURE_H
#define CLIENT_FIXTURE_H

#include "raw_socket.h"

#include "net/http_client.h"

enum outcome { PENDING, ANSWERED, FAILED };

struct call {
    struct http_client_call call;
    struct fixture *fixture;
    enum outcome outcome;
    int place; /* in the order of ending */

    int status;
    char *content_type;
    struct buffer body;
    uint64_t retry_after_ms;
    enum http_failure failure;
    char message[240];

    void (*on_end)(struct call *call); /* what else to do in the callback */
    struct call *other;                /* for it */
};

enum { CALLS_MAX = 64 };

struct fixture {
    struct loop *loop;
    struct place place;
    struct http_pool_options options;
    struct http_pool *pool;
    struct call *calls[CALLS_MAX];
    size_t call_count;
    int ended;
    bool is_sending; /* inside the pool: no callback may come */
    uint64_t timeout_ms;

    int peer; /* the server's end of the connection that was accepted last */
    struct buffer in;
};

static inline void call_end(struct call *call, enum outcome outcome)
{
    assert_false(call->fixture->is_sending);
    assert_int_equal(call->outcome, PENDING);
    call->outcome = outcome;
    call->place = ++call->fixture->ended;
    if (call->on_end)
        call->on_end(call);
}

static inline void on_response(struct http_client_call *base, const struct http_response *response)
{
    struct call *call = container_of(base, struct call, call);
    call->status = response->status;
    call->content_type = bytes_string(response->content_type);
    buffer_add_bytes(&call->body, response->body);
    call->retry_after_ms = response->retry_after_ms;
    call_end(call, ANSWERED);
}

static inline void on_failure(struct http_client_call *base, enum http_failure failure,
                              const char *message)
{
    struct call *call = container_of(base, struct call, call);
    call->failure = failure;
    snprintf(call->message, sizeof call->message, "%s", message);
    call_end(call, FAILED);
}

static inline struct call *call_new(struct fixture *f)
{
    assert_true(f->call_count < CALLS_MAX);
    struct call *call = mem_new(sizeof *call);
    call->fixture = f;
    call->call.on_response = on_response;
    call->call.on_failure = on_failure;
    f->calls[f->call_count++] = call;
    return call;
}

static inline void call_begin(struct call *call, const char *target, const char *body)
{
    struct fixture *f = call->fixture;
    f->is_sending = true;
    uint8_t *to = http_pool_begin(f->pool, &call->call, target, strlen(body), f->timeout_ms);
    memcpy(to, body, strlen(body));
    f->is_sending = false;
}

static inline void call_send(struct call *call)
{
    struct fixture *f = call->fixture;
    f->is_sending = true;
    http_pool_send(f->pool, &call->call);
    f->is_sending = false;
}

static inline void call_cancel(struct call *call)
{
    struct fixture *f = call->fixture;
    f->is_sending = true;
    http_pool_cancel(f->pool, &call->call);
    f->is_sending = false;
}

/* A POST of `body` to /fn, under way. */
static inline struct call *post(struct fixture *f, const char *body)
{
    struct call *call = call_new(f);
    call_begin(call, "/fn", body);
    call_send(call);
    return call;
}

static inline void start_pool(struct fixture *f, const char *url)
{
    struct net_target target;
    struct sf_status status;
    http_pool_free(f->pool);
    assert_good(net_target_parse(url, &target, &status), &status);
    f->pool = http_pool_new(f->loop, &target, &f->options);
    net_target_destroy(&target);
}

/* With other options, or for another test's target. */
static inline void restart_pool(struct fixture *f)
{
    char *url = place_url(&f->place, "/fn");
    start_pool(f, url);
    free(url);
}

static inline struct fixture *fixture_new(bool is_unix)
{
    struct fixture *f = mem_new(sizeof *f);
    f->loop = loop_new();
    f->place = place_open(is_unix);
    f->options = (struct http_pool_options){
        .connections_max = 4,
        .connections_first = SIZE_MAX,
        .pipeline_max = 1,
        .response_bytes_max = 100000,
        .connect_ms_max = PATIENCE_MS,
    };
    f->timeout_ms = PATIENCE_MS;
    f->peer = -1;
    restart_pool(f);
    return f;
}

static inline void fixture_free(struct fixture *f)
{
    http_pool_free(f->pool);
    for (size_t i = 0; i < f->call_count; i++) {
        free(f->calls[i]->content_type);
        buffer_destroy(&f->calls[i]->body);
        free(f->calls[i]);
    }
    if (f->peer >= 0)
        close(f->peer);
    place_close(&f->place);
    buffer_destroy(&f->in);
    loop_free(f->loop);
    free(f);
}

static inline bool try_accept(struct fixture *f)
{
    int fd = accept(f->place.fd, NULL, NULL);
    if (fd < 0)
        return false;
    raw_unblock(fd);
    f->peer = fd;
    return true;
}

/* The next connection; the one before stays open, and is the test's to close. */
static inline int accept_peer(struct fixture *f)
{
    until(f->loop, try_accept(f));
    buffer_clear(&f->in);
    return f->peer;
}

/* True if nobody has connected, after some time. */
static inline bool nobody_connects(struct fixture *f)
{
    turn_for(f->loop, 20);
    int fd = accept(f->place.fd, NULL, NULL);
    if (fd >= 0)
        close(fd);
    return fd < 0;
}

/* Until a request that ends in `body` has come; then `in` is empty for the next one. */
static inline void await_request(struct fixture *f, int peer, const char *body)
{
    char end[200];
    snprintf(end, sizeof end, "\r\n\r\n%s", body);
    buffer_clear(&f->in);
    until(f->loop, (raw_receive(peer, &f->in), buffer_mentions(&f->in, end)));
}

static inline bool is_closed(int peer)
{
    struct buffer ignored = {0};
    bool closed = !raw_receive(peer, &ignored);
    buffer_destroy(&ignored);
    return closed;
}

static inline void await_closed(struct fixture *f, int peer)
{
    until(f->loop, is_closed(peer));
}

static inline void hang_up(struct fixture *f, int peer)
{
    if (f->peer == peer)
        f->peer = -1;
    close(peer);
}

#define OK(length, body) "HTTP/1.1 200 OK\r\nContent-Length: " #length "\r\n\r\n" body

static inline void await_answer(struct call *call, int status, const char *body)
{
    until(call->fixture->loop, call->outcome != PENDING);
    if (call->outcome != ANSWERED)
        fail_msg("failed: %s", call->message);
    assert_int_equal(call->status, status);
    assert_bytes(buffer_bytes(&call->body), body);
}

static inline void await_failure(struct call *call, enum http_failure failure, const char *message)
{
    until(call->fixture->loop, call->outcome != PENDING);
    assert_int_equal(call->outcome, FAILED);
    assert_mentions(call->message, message);
    assert_int_equal(call->failure, failure);
}

static inline struct http_pool_figures figures(struct fixture *f)
{
    struct http_pool_figures figures;
    http_pool_figures(f->pool, &figures);
    return figures;
}

/* One call, answered; the connection is idle then. Returns the server's end. */
static inline int warm_up(struct fixture *f)
{
    struct call *call = post(f, "warm");
    int peer = accept_peer(f);
    await_request(f, peer, "warm");
    raw_send(peer, OK(2, "up"));
    await_answer(call, 200, "up");
    return peer;
}

#endif
