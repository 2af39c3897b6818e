/* channel.c - one connection of a pool: how it comes about, what carries its bytes, how it ends.
 *
 * On the loop's thread. What is said over it is for http1.c and http2.c. Connecting never fails at
 * once: an error is noted and dealt with at the turn's end, so that a caller never sees a call fail
 * before http_pool_send has returned. */
#include "net/client.h"

#include "base/mem.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BACKLOG_RETRY_MS = 5, JITTER_MS = 3000, MESSAGE_MAX = 240 };

static const char no_http2[] = "the server does not speak HTTP/2 here";

static void channel_try(struct channel *channel);
static void channel_speak(struct channel *channel);
static void on_ready(struct loop_watch *watch, uint32_t events);
static void on_timer(struct loop_timer *timer);

/* --- connecting --- */

struct channel *channel_open(struct http_pool *pool)
{
    struct channel *channel = mem_new(sizeof *channel);
    channel->pool = pool;
    channel->watch.fd = -1;
    channel->watch.on_ready = on_ready;
    channel->timer.on_timer = on_timer;
    channel->connect_by_ms = loop_now_ms(pool->loop) + pool->options.connect_ms_max;
    list_init(&channel->node);
    list_init(&channel->requests);
    list_init(&channel->dirty);

    pool->channel_count++;
    pool->connecting_count++;
    list_put_last(&pool->connecting, &channel->node);
    channel_try(channel);
    return channel;
}

static const struct socket_address *channel_address(const struct channel *channel)
{
    const struct http_pool *pool = channel->pool;
    size_t count = pool->addresses.count;
    return count ? &pool->addresses.list[(pool->best_address + channel->attempts) % count] : NULL;
}

/* With whom it speaks. */
static void describe_peer(const struct channel *channel, char text[static SOCKET_TEXT_MAX])
{
    const struct socket_address *address = channel_address(channel);
    if (address)
        socket_address_text((const struct sockaddr *)&address->storage, address->size, text);
    else
        snprintf(text, SOCKET_TEXT_MAX, "%s", channel->pool->host);
}

static void channel_opened(struct channel *channel)
{
    struct http_pool *pool = channel->pool;
    channel->state = CHANNEL_OPEN;
    if (pool->addresses.count)
        pool->best_address = (pool->best_address + channel->attempts) % pool->addresses.count;

    loop_timer_cancel(pool->loop, &channel->timer);
    if (pool->options.connection_ms_max) {
        pool->jitter = pool->jitter * 6364136223846793005u + 1442695040888963407u;
        uint64_t jitter_ms = (pool->jitter >> 33) % (JITTER_MS + 1);
        loop_timer_set(pool->loop, &channel->timer,
                       loop_now_ms(pool->loop) + pool->options.connection_ms_max + jitter_ms);
    }
    pool_channel_opened(channel);
}

static int open_socket(int family)
{
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || family == AF_UNIX)
        return fd;
    int on = 1;
    if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0 &&
        setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

/* Each address gets an equal share of the time that is left. */
static uint64_t attempt_end_ms(const struct channel *channel)
{
    uint64_t now_ms = loop_now_ms(channel->pool->loop);
    size_t left = channel->pool->addresses.count - channel->attempts;
    return now_ms + (channel->connect_by_ms - now_ms) / (left ? left : 1);
}

/* The socket is connected; with TLS there is more to do before it can be used. */
static void channel_connected(struct channel *channel)
{
    struct http_pool *pool = channel->pool;
    loop_timer_set(pool->loop, &channel->timer, attempt_end_ms(channel));
    if (!pool->options.tls) {
        channel_speak(channel);
        return;
    }
    channel->state = CHANNEL_GREETING;
    channel->tls = tls_new(pool->options.tls, channel->watch.fd, pool->host, &pool->ticket);
    if (pool->options.protocol != HTTP_1)
        tls_offer_http2(channel->tls, pool->options.protocol == HTTP_2_OR_1);
    loop_rewatch(pool->loop, &channel->watch, EPOLLOUT);
}

/* What carries the bytes is there; which HTTP is it to be? */
static void channel_speak(struct channel *channel)
{
    struct http_pool *pool = channel->pool;
    bool is_asked = pool->options.protocol == HTTP_2;
    bool is_http2 = channel->tls ? tls_speaks_http2(channel->tls) : is_asked;
    if (is_asked && !is_http2) {
        channel_attempt_failed(channel, no_http2);
    } else if (is_http2) {
        channel->state = CHANNEL_SETTLING;
        http2_open(channel);
        loop_rewatch(pool->loop, &channel->watch, EPOLLIN | EPOLLOUT);
    } else {
        loop_rewatch(pool->loop, &channel->watch, EPOLLIN);
        channel_opened(channel);
    }
}

void channel_settled(struct channel *channel)
{
    assert(channel->state == CHANNEL_SETTLING);
    channel_opened(channel);
}

static void channel_try(struct channel *channel)
{
    struct loop *loop = channel->pool->loop;
    const struct socket_address *address = channel_address(channel);
    int fd = address ? open_socket(address->storage.ss_family) : -1;
    if (fd < 0) {
        channel->error = address ? errno : ENAMETOOLONG; /* only a socket's path can be none */
        pool_mark_dirty(channel);
        return;
    }

    int result = connect(fd, (const struct sockaddr *)&address->storage, address->size);
    if (result == 0) {
        loop_watch(loop, &channel->watch, fd, EPOLLIN);
        channel_connected(channel);
    } else if (errno == EINPROGRESS) {
        loop_watch(loop, &channel->watch, fd, EPOLLOUT);
        loop_timer_set(loop, &channel->timer, attempt_end_ms(channel));
    } else if (errno == EAGAIN) {
        /* A unix socket whose backlog is full does not queue us: it wants to be asked again. */
        close(fd);
        loop_timer_set(loop, &channel->timer, loop_now_ms(loop) + BACKLOG_RETRY_MS);
    } else {
        channel->error = errno;
        close(fd);
        pool_mark_dirty(channel);
    }
}

static void channel_disconnect(struct channel *channel)
{
    if (channel->watch.fd < 0)
        return;
    int fd = channel->watch.fd;
    loop_unwatch(channel->pool->loop, &channel->watch);
    tls_free(channel->tls);
    channel->tls = NULL;
    close(fd);
}

/* One address did not work: the next one, or the end. */
void channel_attempt_failed(struct channel *channel, const char *cause)
{
    struct http_pool *pool = channel->pool;
    char where[SOCKET_TEXT_MAX], message[MESSAGE_MAX];
    describe_peer(channel, where);
    snprintf(message, sizeof message, "connect to %s: %s", where, cause);

    channel->error = 0;
    channel_disconnect(channel);
    http2_close(channel);
    loop_timer_cancel(pool->loop, &channel->timer);
    channel->state = CHANNEL_CONNECTING;
    if (channel->attempts + 1 < pool->addresses.count &&
        loop_now_ms(pool->loop) < channel->connect_by_ms) {
        channel->attempts++;
        channel_try(channel);
    } else {
        pool_channel_failed(channel, message);
    }
}

static void on_connected(struct channel *channel)
{
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(channel->watch.fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error)
        channel_attempt_failed(channel, strerrordesc_np(error));
    else
        channel_connected(channel);
}

static void channel_greet(struct channel *channel)
{
    struct loop *loop = channel->pool->loop;
    switch (tls_handshake(channel->tls)) {
    case TLS_MORE:
        loop_rewatch(loop, &channel->watch,
                     EPOLLIN | (tls_has_unsent(channel->tls) ? EPOLLOUT : 0));
        break;
    case TLS_DONE:
        channel_speak(channel);
        break;
    case TLS_FAILED:
        channel_attempt_failed(channel, tls_cause(channel->tls));
        break;
    }
}

/* An attempt has had its time. */
static void channel_give_up(struct channel *channel)
{
    bool backlog_was_full = channel->watch.fd < 0;
    if (backlog_was_full && loop_now_ms(channel->pool->loop) < channel->connect_by_ms)
        channel_try(channel);
    else if (channel->state == CHANNEL_GREETING)
        channel_attempt_failed(channel, "the TLS handshake did not end in time; does the server "
                                        "speak TLS on this port?");
    else if (channel->state == CHANNEL_SETTLING)
        channel_attempt_failed(channel, no_http2);
    else
        channel_attempt_failed(channel, strerrordesc_np(backlog_was_full ? EAGAIN : ETIMEDOUT));
}

static void on_timer(struct loop_timer *timer)
{
    struct channel *channel = container_of(timer, struct channel, timer);
    struct http_pool *pool = channel->pool;
    if (channel->state < CHANNEL_OPEN) {
        channel_give_up(channel);
        pool_dispatch(pool);
        return;
    }
    /* Its lifetime is over; what is under way on it may end. */
    channel->is_retiring = true;
    if (channel->depth == 0)
        channel_close(channel);
    else
        pool_place(channel);
}

void channel_close(struct channel *channel)
{
    struct http_pool *pool = channel->pool;
    assert(channel->state != CHANNEL_CLOSED && list_is_empty(&channel->requests));
    channel_disconnect(channel);
    loop_timer_cancel(pool->loop, &channel->timer);
    list_take(&channel->dirty);
    pool_displace(channel);
    if (channel->state < CHANNEL_OPEN)
        pool->connecting_count--;
    pool->channel_count--;
    channel->state = CHANNEL_CLOSED;
    list_put_last(&pool->closed, &channel->node);
    pool_settle_later(pool); /* someone further up may still hold it, or views into its buffer */
}

void channel_free(struct channel *channel)
{
    list_take(&channel->node);
    http2_close(channel);
    buffer_destroy(&channel->in);
    free(channel);
}

/* --- what carries the bytes --- */

ssize_t channel_send(struct channel *channel, const struct iovec *parts, size_t count)
{
    if (channel->tls)
        return tls_send(channel->tls, parts, count);
    int fd = channel->watch.fd;
    return count == 1
               ? send(fd, parts->iov_base, parts->iov_len, MSG_NOSIGNAL)
               : sendmsg(fd,
                         &(struct msghdr){.msg_iov = (struct iovec *)parts, .msg_iovlen = count},
                         MSG_NOSIGNAL);
}

ssize_t channel_receive(struct channel *channel, void *to, size_t room)
{
    return channel->tls ? tls_receive(channel->tls, to, room)
                        : recv(channel->watch.fd, to, room, 0);
}

static const char *cause_of(const struct channel *channel, int error)
{
    return channel->tls && error == EPROTO ? tls_cause(channel->tls) : strerrordesc_np(error);
}

void channel_note_error(struct channel *channel, int error)
{
    channel->error = error;
    pool_mark_dirty(channel);
}

struct request *channel_first_request(const struct channel *channel)
{
    return list_is_empty(&channel->requests) ? NULL
                                             : list_first(&channel->requests, struct request, node);
}

void channel_lost(struct channel *channel, int error)
{
    struct request *request = channel_first_request(channel);
    char message[MESSAGE_MAX], where[SOCKET_TEXT_MAX];
    const char *cause = error ? cause_of(channel, error) : "the server closed the connection";
    if (channel->state < CHANNEL_OPEN) {
        channel_attempt_failed(channel, error ? cause : no_http2);
        return;
    }
    bool is_stale = !channel->has_begun && channel->has_answered;
    bool is_mute = !channel->has_begun && !channel->has_answered;
    if (request && is_mute)
        channel->pool->is_outdated = true; /* perhaps it is somebody else's address by now */
    const char *refusal = is_mute && channel->tls ? tls_suspicion(channel->tls) : NULL;
    if (is_mute && error == EPROTO && !refusal)
        refusal = cause;
    if (refusal) { /* as if there were no connection at all */
        describe_peer(channel, where);
        snprintf(message, sizeof message, "connect to %s: %s", where, refusal);
        pool_break(channel, false, request, HTTP_UNREACHABLE, message);
        return;
    }
    snprintf(message, sizeof message, "%s %s", cause,
             channel->has_begun ? "in the middle of a response" : "without a response");
    pool_break(channel, is_stale, request, HTTP_BROKEN, message);
}

static void on_ready(struct loop_watch *watch, uint32_t events)
{
    struct channel *channel = container_of(watch, struct channel, watch);
    switch (channel->state) {
    case CHANNEL_CONNECTING:
        on_connected(channel);
        break;
    case CHANNEL_GREETING:
        channel_greet(channel);
        break;
    case CHANNEL_SETTLING:
    case CHANNEL_OPEN:
        if (events & EPOLLOUT)
            (channel->http2 ? http2_flush : http1_flush)(channel);
        if (events & (EPOLLIN | EPOLLERR | EPOLLHUP))
            (channel->http2 ? http2_read : http1_read)(channel);
        break;
    case CHANNEL_CLOSED:
        break;
    }
    pool_dispatch(channel->pool);
}

void channel_settle(struct channel *channel)
{
    if (channel->state < CHANNEL_OPEN && channel->error)
        channel_attempt_failed(channel, cause_of(channel, channel->error));
    else if (channel->http2)
        http2_settle(channel);
    else
        http1_settle(channel);
    pool_dispatch(channel->pool);
}
