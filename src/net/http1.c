/* http1.c - HTTP/1.1 on one connection: requests behind each other, responses in the same order.
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

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <sys/epoll.h>

enum {
    PARTS_MAX = 64,            /* requests in one write */
    READ_PIECE = 16 * 1024,    /* into a channel's own buffer, while no length is known */
    READS_MAX = 16,            /* of what TLS has here, in one go */
    SPARE_IN_MAX = 256 * 1024, /* one huge response must not cost its memory for ever */
    MESSAGE_MAX = 240
};

static struct request *request_after(const struct channel *channel, const struct request *request)
{
    struct list *next = request->node.next;
    return next == &channel->requests ? NULL : container_of(next, struct request, node);
}

/* --- writing --- */

/* What is unsent of the requests, in as many parts as one write takes; their total. */
static size_t gather(const struct channel *channel, struct iovec parts[static PARTS_MAX],
                     size_t *ret_count)
{
    size_t count = 0, total = 0;
    for (struct request *at = channel->unsent; at && count < PARTS_MAX;
         at = request_after(channel, at)) {
        size_t left = at->size - at->sent;
        parts[count++] = (struct iovec){at->data + at->sent, left};
        total += left;
    }
    *ret_count = count;
    return total;
}

static void note_sent(struct channel *channel, size_t size)
{
    while (size) {
        struct request *request = channel->unsent;
        size_t left = request->size - request->sent;
        size_t part = size < left ? size : left;
        request->sent += part;
        size -= part;
        if (part == left)
            channel->unsent = request_after(channel, request);
    }
}

void http1_flush(struct channel *channel)
{
    bool has_room = true;
    while (channel->unsent && has_room && !channel->error) {
        struct iovec parts[PARTS_MAX];
        size_t count, total = gather(channel, parts, &count);
        ssize_t written = channel_send(channel, parts, count);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0 && errno != EAGAIN) {
            channel_note_error(channel, errno);
            return;
        }
        note_sent(channel, written < 0 ? 0 : (size_t)written);
        if (written > 0)
            channel->moved_ms = loop_now_ms(channel->pool->loop);
        /* TLS takes a record at a time. */
        has_room = channel->tls ? written > 0 : written == (ssize_t)total;
    }
    if (channel->tls && !channel->error && !tls_flush(channel->tls)) {
        if (errno != EAGAIN)
            channel_note_error(channel, errno);
        has_room = false;
    }
    loop_rewatch(channel->pool->loop, &channel->watch, EPOLLIN | (has_room ? 0 : EPOLLOUT));
}

void http1_give(struct channel *channel, struct request *request)
{
    assert(channel->state == CHANNEL_OPEN && request->sent == 0);
    request->state = REQUEST_UNDER_WAY;
    request->channel = channel;
    channel->moved_ms = loop_now_ms(channel->pool->loop);
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
        http1_flush(channel);
    else
        pool_mark_dirty(channel);
}

void http1_take_back(struct channel *channel, struct request *request)
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
    struct request *request = channel_first_request(channel);
    struct outcome outcome;
    bool is_good = pool_judge(request, head, body, &outcome);

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

    pool_conclude(request, &outcome);

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
        struct request *request = channel_first_request(channel);
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

/* As channel_lost; but where no length was given, the end of the connection is the body's. */
static void channel_ended(struct channel *channel, int error)
{
    struct sf_status status;
    bool is_body = channel->head_size && channel->body.framing == HTTP_UNTIL_CLOSE;
    if (error || !is_body || list_is_empty(&channel->requests)) {
        channel_lost(channel, error);
        return;
    }
    size_t used;
    enum http_progress progress =
        channel_take_response(channel, channel->in.data, &channel->in.size, true, &used, &status);
    assert(progress == HTTP_DONE); /* all of it was within the limit when it came */
}

/* True if something came and the channel is still in use. */
static bool read_some(struct channel *channel)
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

    ssize_t got = channel_receive(channel, to, room);
    if (got > 0)
        channel->moved_ms = loop_now_ms(pool->loop);
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
    return got > 0 && channel->state == CHANNEL_OPEN;
}

/* The kernel tells only of what is still in the socket, so what TLS has taken out is read now. */
void http1_read(struct channel *channel)
{
    for (size_t i = 0; i < READS_MAX; i++)
        if (!read_some(channel) || !channel->tls || !tls_has_received(channel->tls))
            return;
    pool_mark_dirty(channel);
}

void http1_settle(struct channel *channel)
{
    if (!channel->error) {
        http1_flush(channel);
        if (channel->tls && tls_has_received(channel->tls))
            http1_read(channel);
        return;
    }
    /* It cannot be written to; perhaps the server has said why before it closed. */
    http1_read(channel);
    if (channel->state == CHANNEL_OPEN)
        pool_mark_dirty(channel);
}
