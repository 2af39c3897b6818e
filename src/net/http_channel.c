/* http_channel.c - one connection of a pool, on the loop's thread.
 *
 * Reading. Responses are read into the pool's scratch memory, parsed there and handed out as views.
 * Only what is left of an incomplete one is kept, in memory of the channel's own, into which the
 * rest is then read. An idle channel, and one whose responses come whole, thus owns no buffer at
 * all.
 *
 * Nothing here calls back from within a write: an error is noted and dealt with at the turn's end,
 * so that a caller never sees a call fail before http_pool_send has returned. */
#include "net/client.h"

#include "base/histogram.h"
#include "base/mem.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
    PARTS_MAX = 64,            /* requests in one write */
    READ_PIECE = 16 * 1024,    /* into a channel's own buffer, while no length is known */
    SPARE_IN_MAX = 256 * 1024, /* one huge response must not cost its memory for ever */
    BACKLOG_RETRY_MS = 5,
    JITTER_MS = 3000,
    MESSAGE_MAX = 240
};

static void channel_try(struct channel *channel);
static void on_ready(struct loop_watch *watch, uint32_t events);
static void on_timer(struct loop_timer *timer);

static struct request *first_request(const struct channel *channel)
{
    return list_is_empty(&channel->requests) ? NULL
                                             : list_first(&channel->requests, struct request, node);
}

static struct request *request_after(const struct channel *channel, const struct request *request)
{
    struct list *next = request->node.next;
    return next == &channel->requests ? NULL : container_of(next, struct request, node);
}

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
        channel_opened(channel);
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
    close(fd);
}

/* One address did not work: the next one, or the end. */
static void channel_attempt_failed(struct channel *channel, int error)
{
    struct http_pool *pool = channel->pool;
    const struct socket_address *address = channel_address(channel);
    char where[SOCKET_TEXT_MAX], message[MESSAGE_MAX];

    channel->error = 0;
    channel_disconnect(channel);
    loop_timer_cancel(pool->loop, &channel->timer);
    if (channel->attempts + 1 < pool->addresses.count &&
        loop_now_ms(pool->loop) < channel->connect_by_ms) {
        channel->attempts++;
        channel_try(channel);
        return;
    }
    if (address)
        socket_address_text((const struct sockaddr *)&address->storage, address->size, where);
    else
        snprintf(where, sizeof where, "%s", pool->host);
    snprintf(message, sizeof message, "connect to %s: %s", where, strerrordesc_np(error));
    pool_channel_failed(channel, message);
}

static void channel_connected(struct channel *channel)
{
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(channel->watch.fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error) {
        channel_attempt_failed(channel, error);
    } else {
        loop_rewatch(channel->pool->loop, &channel->watch, EPOLLIN);
        channel_opened(channel);
    }
}

static void on_timer(struct loop_timer *timer)
{
    struct channel *channel = container_of(timer, struct channel, timer);
    struct http_pool *pool = channel->pool;
    if (channel->state == CHANNEL_CONNECTING) {
        bool backlog_was_full = channel->watch.fd < 0;
        if (backlog_was_full && loop_now_ms(pool->loop) < channel->connect_by_ms)
            channel_try(channel);
        else
            channel_attempt_failed(channel, backlog_was_full ? EAGAIN : ETIMEDOUT);
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
    if (channel->state == CHANNEL_CONNECTING)
        pool->connecting_count--;
    pool->channel_count--;
    channel->state = CHANNEL_CLOSED;
    list_put_last(&pool->closed, &channel->node);
    pool_settle_later(pool); /* someone further up may still hold it, or views into its buffer */
}

void channel_free(struct channel *channel)
{
    list_take(&channel->node);
    buffer_destroy(&channel->in);
    free(channel);
}

/* --- writing --- */

static void channel_flush(struct channel *channel)
{
    struct loop *loop = channel->pool->loop;
    while (channel->unsent && !channel->error) {
        struct iovec parts[PARTS_MAX];
        struct msghdr message = {.msg_iov = parts};
        size_t total = 0;
        for (struct request *at = channel->unsent; at && message.msg_iovlen < PARTS_MAX;
             at = request_after(channel, at)) {
            size_t left = at->size - at->sent;
            parts[message.msg_iovlen++] = (struct iovec){at->data + at->sent, left};
            total += left;
        }

        ssize_t written = message.msg_iovlen == 1
                              ? send(channel->watch.fd, parts[0].iov_base, total, MSG_NOSIGNAL)
                              : sendmsg(channel->watch.fd, &message, MSG_NOSIGNAL);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0 && errno != EAGAIN) {
            channel->error = errno;
            pool_mark_dirty(channel);
            return;
        }

        size_t done = written < 0 ? 0 : (size_t)written;
        bool is_full = done < total;
        while (done) {
            struct request *request = channel->unsent;
            size_t left = request->size - request->sent;
            size_t part = done < left ? done : left;
            request->sent += part;
            done -= part;
            if (part == left)
                channel->unsent = request_after(channel, request);
        }
        if (is_full) {
            loop_rewatch(loop, &channel->watch, EPOLLIN | EPOLLOUT);
            return;
        }
    }
    loop_rewatch(loop, &channel->watch, EPOLLIN);
}

void channel_give(struct channel *channel, struct request *request)
{
    assert(channel->state == CHANNEL_OPEN && request->sent == 0);
    request->state = REQUEST_UNDER_WAY;
    request->channel = channel;
    list_put_last(&channel->requests, &request->node);
    if (!channel->unsent)
        channel->unsent = request;
    if (channel->depth++ == 0)
        channel->progress_us = clock_now_us();
    else
        pool_watch_stalls(channel->pool);
    pool_place(channel);

    if (channel->watch.events & EPOLLOUT)
        return; /* waits for room anyway */
    if (channel->pool->options.pipeline_max == 1)
        channel_flush(channel);
    else
        pool_mark_dirty(channel);
}

void channel_take_back(struct channel *channel, struct request *request)
{
    assert(request->channel == channel && request->sent == 0);
    if (channel->unsent == request)
        channel->unsent = request_after(channel, request);
    list_take(&request->node);
    channel->depth--;
    request->channel = NULL;
    pool_place(channel);
}

/* --- reading --- */

static void keep_rest(struct channel *channel, const uint8_t *rest, size_t size)
{
    struct http_pool *pool = channel->pool;
    if (size && !channel->in.data) {
        channel->in = pool->spare_in;
        pool->spare_in = (struct buffer){0};
    }
    if (size && rest != channel->in.data) {
        if (channel->in.size) /* it is further back in the same buffer */
            memmove(channel->in.data, rest, size);
        else
            memcpy(buffer_reserve(&channel->in, size), rest, size);
    }
    channel->in.size = size;

    if (size == 0 && channel->in.data) {
        if (!pool->spare_in.data && channel->in.capacity <= SPARE_IN_MAX)
            pool->spare_in = channel->in;
        else
            free(channel->in.data);
        channel->in = (struct buffer){0};
    }
}

/* The oldest request's response is complete; the views are into memory that stays until we return.
 * What the callback sends may go out on this very channel, so it is put in its place first. */
static void channel_answer(struct channel *channel, const struct http_head *head, struct bytes body,
                           bool is_last)
{
    struct http_pool *pool = channel->pool;
    struct request *request = first_request(channel);
    struct sf_status status = {0};
    struct http_response response = {.status = head->status};
    bool is_good =
        !request->call || decoder_run(&pool->decoder, head, body, pool->options.response_bytes_max,
                                      &response.body, &status);

    bool is_sent = channel->unsent != request;
    if (!is_sent)
        channel->unsent = request_after(channel, request);
    list_take(&request->node);
    channel->depth--;
    channel->head_size = 0;
    channel->has_begun = false;
    pool_note_progress(channel);
    if (!head->keep_alive || !is_good || !is_sent || (channel->depth == 0 && !is_last))
        channel->is_retiring = true;
    else
        channel->has_answered = true;
    pool_place(channel);

    const struct http_header *type = http_find(head, "content-type");
    if (type)
        response.content_type = type->value;
    response.retry_after_ms = retry_after_ms(head, loop_wall_ms(pool->loop));
    if (is_good)
        pool_answer(request, &response);
    else
        pool_fail(request, status.code == SF_FULL ? HTTP_TOO_LARGE : HTTP_GARBAGE, status.message);
    decoder_trim(&pool->decoder);

    if (channel->state == CHANNEL_OPEN && channel->is_retiring &&
        (!head->keep_alive || !is_good || !is_sent || channel->depth == 0))
        pool_break(channel, true, NULL, HTTP_BROKEN, "the server closed the connection");
}

/* Takes one response, or what there is of it. `*size` bytes are there; it shrinks where framing was
 * taken out. */
static enum http_progress channel_take_response(struct channel *channel, uint8_t *data,
                                                size_t *size, bool at_end, size_t *ret_used,
                                                struct sf_status *status)
{
    struct http_head head;
    bool is_parsed = false;
    if (!channel->head_size) {
        enum http_progress progress =
            http_parse_response(bytes_make(data, *size), false, &head, status);
        if (progress != HTTP_DONE)
            return progress;
        *ret_used = head.size;
        if (head.status == 101) {
            (void)sf_fail(status, SF_INVALID, "a switch of protocols that nobody asked for");
            return HTTP_BAD;
        }
        if (head.status < 200)
            return HTTP_DONE;
        is_parsed = true;
        channel->head_size = head.size;
        body_begin(&channel->body, &head);
    }

    size_t rest = *size - channel->head_size, body_size, used;
    uint8_t *body = data + channel->head_size;
    enum http_progress progress =
        body_receive(&channel->body, body, &rest, at_end, channel->pool->options.response_bytes_max,
                     &body_size, &used, status);
    if (progress == HTTP_MORE)
        *size = channel->head_size + rest;
    if (progress != HTTP_DONE)
        return progress;

    /* A head that came earlier was parsed elsewhere, and is looked at again where it lies now. */
    if (!is_parsed)
        progress = http_parse_response(bytes_make(data, channel->head_size), false, &head, status);
    assert(progress == HTTP_DONE);
    *ret_used = channel->head_size + used;
    channel_answer(channel, &head, bytes_make(body, body_size), *ret_used == *size);
    return HTTP_DONE;
}

/* Takes what is complete in `data`; keeps the rest. */
static void channel_take_responses(struct channel *channel, uint8_t *data, size_t size)
{
    struct sf_status status;
    size_t at = 0;
    while (at < size) {
        struct request *request = first_request(channel);
        if (!request || request->sent == 0) {
            pool_break(channel, false, NULL, HTTP_BROKEN, "");
            return;
        }
        channel->has_begun = true;

        size_t left = size - at, used = 0;
        enum http_progress progress =
            channel_take_response(channel, data + at, &left, false, &used, &status);
        if (channel->state == CHANNEL_CLOSED)
            return;
        if (progress == HTTP_BAD) {
            pool_break(channel, false, request,
                       status.code == SF_FULL ? HTTP_TOO_LARGE : HTTP_GARBAGE, status.message);
            return;
        }
        if (progress == HTTP_MORE) {
            size = at + left;
            break;
        }
        at += used;
    }
    keep_rest(channel, data + at, size - at);
}

/* The server closed (error 0), or the connection broke. */
static void channel_ended(struct channel *channel, int error)
{
    struct request *request = first_request(channel);
    struct sf_status status;
    if (request && error == 0 && channel->head_size && channel->body.framing == HTTP_UNTIL_CLOSE) {
        size_t used;
        enum http_progress progress = channel_take_response(
            channel, channel->in.data, &channel->in.size, true, &used, &status);
        assert(progress == HTTP_DONE); /* all of it was within the limit when it came */
        return;
    }

    char message[MESSAGE_MAX];
    bool is_stale = !channel->has_begun && channel->has_answered;
    bool is_mute = !channel->has_begun && !channel->has_answered;
    snprintf(message, sizeof message, "%s %s",
             error ? strerrordesc_np(error) : "the server closed the connection",
             channel->has_begun ? "in the middle of a response" : "without a response");
    if (request && is_mute)
        channel->pool->is_outdated = true; /* perhaps it is somebody else's address by now */
    pool_break(channel, is_stale, request, HTTP_BROKEN, message);
}

static void channel_read(struct channel *channel)
{
    struct http_pool *pool = channel->pool;
    bool is_own = channel->in.size > 0;
    uint8_t *to = pool->scratch;
    size_t room = SCRATCH_SIZE;
    if (is_own) {
        room = channel->head_size
                   ? body_wanted(&channel->body, channel->in.size - channel->head_size)
                   : READ_PIECE;
        to = buffer_reserve(&channel->in, room);
    }

    ssize_t got = recv(channel->watch.fd, to, room, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        if (channel->error)
            channel_ended(channel, channel->error);
    } else if (got <= 0) {
        channel_ended(channel, got < 0 ? errno : 0);
    } else if (is_own) {
        channel->in.size += (size_t)got;
        channel_take_responses(channel, channel->in.data, channel->in.size);
    } else {
        channel_take_responses(channel, to, (size_t)got);
    }
}

static void on_ready(struct loop_watch *watch, uint32_t events)
{
    struct channel *channel = container_of(watch, struct channel, watch);
    if (channel->state == CHANNEL_CONNECTING) {
        channel_connected(channel);
    } else {
        if (events & EPOLLOUT)
            channel_flush(channel);
        if (events & (EPOLLIN | EPOLLERR | EPOLLHUP))
            channel_read(channel);
    }
    pool_dispatch(channel->pool);
}

void channel_settle(struct channel *channel)
{
    if (channel->state == CHANNEL_CONNECTING) {
        channel_attempt_failed(channel, channel->error);
    } else if (!channel->error) {
        channel_flush(channel);
    } else {
        /* It cannot be written to; perhaps the server has said why before it closed. */
        channel_read(channel);
        if (channel->state == CHANNEL_OPEN)
            pool_mark_dirty(channel);
    }
    pool_dispatch(channel->pool);
}
