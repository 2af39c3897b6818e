/* http2.c - HTTP/2 on one connection: calls side by side, each a stream of its own (RFC 9113).
 *
 * libnghttp2 makes and understands frames; flow control, both ways, is its business. What it wants
 * sent is gathered and leaves at the turn's end, so that calls of one turn share a write.
 *
 * A channel is open only when the server's first SETTINGS are here: then it is known that it speaks
 * HTTP/2, and how many streams it allows. A stream is known to libnghttp2 by its pointer until its
 * request is off the channel; whatever still comes for it then finds none, and is dropped.
 *
 * Calls end within libnghttp2's callbacks, and what those callbacks lead to may close the channel.
 * So a session is freed with the channel's memory only, at the turn's end, and whoever comes back
 * from libnghttp2 looks at the channel's state. */
#include "net/client.h"

#include <assert.h>
#include <errno.h>
#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <sys/epoll.h>

enum {
    STREAMS_MAX = 256, /* of one connection, whatever the server allows */
    STREAM_WINDOW = 1024 * 1024,
    CONNECTION_WINDOW = 16 * 1024 * 1024,
    OUT_FULL = 64 * 1024, /* so much is gathered before it is written */
    LAST_ID = 1 << 30,
    READS_MAX = 16,
    REFUSALS_MAX = 3,     /* of one call, by servers that do nothing else ... */
    DEPARTURES_MAX = 100, /* ... or that go away with others to serve still */
    KEPT_MAX = 4,
    FIELDS_MAX = 8,
    MESSAGE_MAX = 240
};

/* The fields of a response that matter here. */
static const char *const kept_names[KEPT_MAX] = {"content-type", "content-encoding", "retry-after",
                                                 "statefun-bundles"};

struct stream {
    struct request *request;
    int32_t id;
    int status; /* 0: none yet, or only those of interim responses */
    bool has_begun_body;
    bool is_unsent; /* libnghttp2 gave up before anything of it was sent */
    size_t head_size;
    char *kept[KEPT_MAX];
    struct buffer body;
};

struct http2 {
    nghttp2_session *session;
    bool is_settled;     /* the server's first SETTINGS have come */
    int32_t last_served; /* of a server that goes away; 0: nothing, or it does not */
    struct buffer out;   /* frames, from `out_at` on */
    size_t out_at;
};

static struct stream *find_stream(nghttp2_session *session, int32_t id)
{
    return nghttp2_session_get_stream_user_data(session, id);
}

/* --- streams --- */

static void drop_kept(struct stream *stream)
{
    for (size_t i = 0; i < KEPT_MAX; i++) {
        free(stream->kept[i]);
        stream->kept[i] = NULL;
    }
}

/* Takes the request off its channel. */
static void stream_end(struct stream *stream)
{
    struct request *request = stream->request;
    struct channel *channel = request->channel;
    nghttp2_session_set_stream_user_data(channel->http2->session, stream->id, NULL);
    drop_kept(stream);
    buffer_destroy(&stream->body);
    free(stream);
    request->stream = NULL;
    list_take(&request->node);
    channel->depth--;
    if (channel->state == CHANNEL_OPEN)
        pool_place(channel);
}

static void stream_cancel(struct channel *channel, int32_t id)
{
    (void)nghttp2_submit_rst_stream(channel->http2->session, NGHTTP2_FLAG_NONE, id, NGHTTP2_CANCEL);
    pool_mark_dirty(channel);
}

static void stream_fail(struct stream *stream, enum http_failure failure, const char *message)
{
    struct request *request = stream->request;
    stream_end(stream);
    pool_fail(request, failure, message);
}

/* The whole response is here. */
static void stream_answer(struct stream *stream)
{
    struct request *request = stream->request;
    struct channel *channel = request->channel;
    if (stream->status < 200 || stream->status > 599) {
        stream_fail(stream, HTTP_GARBAGE, "a response with a status that does not exist");
        return;
    }
    struct http_head head = {.status = stream->status};
    for (size_t i = 0; i < KEPT_MAX; i++)
        if (stream->kept[i])
            head.headers[head.header_count++] =
                (struct http_header){bytes_of(kept_names[i]), bytes_of(stream->kept[i])};

    struct outcome outcome;
    (void)pool_judge(request, &head, buffer_bytes(&stream->body), &outcome);
    if (request->sent < request->size) /* the server has heard enough */
        stream_cancel(channel, stream->id);
    channel->has_answered = true;

    /* The views that are handed out end with the stream. */
    struct stream kept = *stream;
    memset(stream->kept, 0, sizeof stream->kept);
    stream->body = (struct buffer){0};
    stream_end(stream);
    pool_conclude(request, &outcome);
    drop_kept(&kept);
    buffer_destroy(&kept.body);
}

/* --- libnghttp2's callbacks --- */

static ssize_t on_body_wanted(nghttp2_session *session, int32_t id, uint8_t *to, size_t room,
                              uint32_t *flags, nghttp2_data_source *source, void *owner)
{
    (void)source, (void)owner;
    struct stream *stream = find_stream(session, id);
    if (!stream)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE; /* given up: the stream is reset */
    struct request *request = stream->request;
    size_t left = request->size - request->sent;
    size_t part = left < room ? left : room;
    memcpy(to, request->data + request->sent, part);
    request->sent += part;
    request->channel->moved_ms = loop_now_ms(request->channel->pool->loop);
    if (part == left)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)part;
}

static int on_field(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                    size_t name_size, const uint8_t *value, size_t value_size, uint8_t flags,
                    void *owner)
{
    (void)owner, (void)flags;
    struct stream *stream = find_stream(session, frame->hd.stream_id);
    if (!stream || stream->has_begun_body) /* a trailer */
        return 0;
    stream->head_size += name_size + value_size;
    if (stream->head_size > HTTP_HEAD_BYTES_MAX) {
        stream_cancel(stream->request->channel, stream->id);
        stream_fail(stream, HTTP_GARBAGE, "the head of a response is too large");
        return 0;
    }
    struct bytes text = bytes_make(value, value_size), field = bytes_make(name, name_size);
    if (bytes_is(field, ":status") && value_size == 3) { /* libnghttp2 looks for three digits */
        stream->status = (value[0] - '0') * 100 + (value[1] - '0') * 10 + (value[2] - '0');
        drop_kept(stream); /* what an interim response said */
    }
    for (size_t i = 0; i < KEPT_MAX; i++)
        if (bytes_is(field, kept_names[i]) && !stream->kept[i])
            stream->kept[i] = bytes_string(text);
    return 0;
}

static int on_body(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data,
                   size_t size, void *owner)
{
    (void)flags, (void)owner;
    struct stream *stream = find_stream(session, id);
    if (!stream)
        return 0;
    stream->has_begun_body = true;
    size_t most = stream->request->pool->options.response_bytes_max;
    if (size > most - stream->body.size) {
        char message[MESSAGE_MAX];
        snprintf(message, sizeof message, "a body of more than %zu bytes", most);
        stream_cancel(stream->request->channel, id);
        stream_fail(stream, HTTP_TOO_LARGE, message);
        return 0;
    }
    buffer_add(&stream->body, data, size);
    return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *owner)
{
    struct channel *channel = owner;
    struct stream *stream = find_stream(session, frame->hd.stream_id);
    switch (frame->hd.type) {
    case NGHTTP2_SETTINGS:
        if (frame->hd.flags & NGHTTP2_FLAG_ACK)
            break;
        channel->http2->is_settled = true;
        if (channel->state == CHANNEL_OPEN)
            pool_place(channel); /* it may allow more streams now, or fewer */
        break;
    case NGHTTP2_GOAWAY: /* streams that it will not serve are closed by libnghttp2 */
        channel->is_retiring = true;
        channel->http2->last_served = frame->goaway.last_stream_id;
        if (channel->state == CHANNEL_OPEN)
            pool_place(channel);
        break;
    case NGHTTP2_HEADERS:
        if (stream && stream->status >= 200)
            stream->has_begun_body = true;
        break;
    default:
        break;
    }
    bool is_last = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
    if (stream && is_last && frame->hd.flags & NGHTTP2_FLAG_END_STREAM)
        stream_answer(stream);
    return 0;
}

static int on_not_sent(nghttp2_session *session, const nghttp2_frame *frame, int error, void *owner)
{
    (void)error, (void)owner;
    struct stream *stream = find_stream(session, frame->hd.stream_id);
    if (stream && frame->hd.type == NGHTTP2_HEADERS)
        stream->is_unsent = true;
    return 0;
}

static int on_closed(nghttp2_session *session, int32_t id, uint32_t error, void *owner)
{
    (void)owner;
    struct stream *stream = find_stream(session, id);
    if (!stream)
        return 0;
    char message[MESSAGE_MAX];
    snprintf(message, sizeof message, "the server reset the stream: %s%s",
             nghttp2_http2_strerror(error),
             error == NGHTTP2_HTTP_1_1_REQUIRED ? " (it wants 'http_version: 1.1')" : "");
    if (error == NGHTTP2_REFUSED_STREAM || stream->is_unsent) {
        struct request *request = stream->request;
        unsigned most = request->channel->http2->last_served > 0 ? DEPARTURES_MAX : REFUSALS_MAX;
        stream_end(stream);
        pool_again(request, most, message);
    } else {
        stream_fail(stream, error == NGHTTP2_PROTOCOL_ERROR ? HTTP_GARBAGE : HTTP_BROKEN, message);
    }
    return 0;
}

/* --- the connection --- */

static nghttp2_session *make_session(struct channel *channel)
{
    nghttp2_session_callbacks *callbacks;
    nghttp2_session *session;
    if (nghttp2_session_callbacks_new(&callbacks))
        abort(); /* no memory */
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_field);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_body);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_frame_not_send_callback(callbacks, on_not_sent);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_closed);
    if (nghttp2_session_client_new(&session, callbacks, channel))
        abort(); /* no memory */
    nghttp2_session_callbacks_del(callbacks);
    return session;
}

void http2_open(struct channel *channel)
{
    static const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, STREAM_WINDOW},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, HTTP_HEAD_BYTES_MAX},
    };
    assert(!channel->http2);
    channel->http2 = mem_new(sizeof *channel->http2);
    nghttp2_session *session = channel->http2->session = make_session(channel);
    if (nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, settings,
                                sizeof settings / sizeof *settings) ||
        nghttp2_session_set_local_window_size(session, NGHTTP2_FLAG_NONE, 0, CONNECTION_WINDOW))
        abort(); /* no memory */
}

void http2_close(struct channel *channel)
{
    struct http2 *http2 = channel->http2;
    if (!http2)
        return;
    nghttp2_session_del(http2->session);
    buffer_destroy(&http2->out);
    free(http2);
    channel->http2 = NULL;
}

bool http2_has_room(const struct channel *channel)
{
    nghttp2_session *session = channel->http2->session;
    uint32_t allowed =
        nghttp2_session_get_remote_settings(session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
    return channel->depth < allowed && channel->depth < STREAMS_MAX &&
           nghttp2_session_get_next_stream_id(session) < LAST_ID;
}

static nghttp2_nv field_of(struct bytes name, struct bytes value)
{
    return (nghttp2_nv){(uint8_t *)name.data, (uint8_t *)value.data, name.size, value.size,
                        NGHTTP2_NV_FLAG_NONE};
}

/* What is in the head of the request, without what only HTTP/1.1 has. */
static int32_t submit(struct channel *channel, struct request *request)
{
    const struct http_pool *pool = channel->pool;
    char length[24];
    snprintf(length, sizeof length, "%zu", request->size - request->head_size);
    nghttp2_nv *fields = mem_new((FIELDS_MAX + pool->field_count) * sizeof *fields);
    size_t count = 0;
    fields[count++] = field_of(bytes_of(":method"), bytes_of("POST"));
    fields[count++] = field_of(bytes_of(":scheme"), bytes_of(pool->options.tls ? "https" : "http"));
    fields[count++] = field_of(bytes_of(":authority"), bytes_of(pool->authority));
    fields[count++] = field_of(bytes_of(":path"),
                               bytes_make(request->data + strlen("POST "), request->path_size));
    for (size_t i = 0; i < pool->field_count; i++)
        fields[count++] = field_of(pool->fields[i].name, pool->fields[i].value);
    fields[count++] = field_of(bytes_of("content-length"), bytes_of(length));

    nghttp2_data_provider body = {.read_callback = on_body_wanted};
    int32_t id = nghttp2_submit_request(channel->http2->session, NULL, fields, count, &body,
                                        request->stream);
    free(fields);
    if (id < 0)
        abort(); /* no memory: ids do not run out before http2_has_room says so */
    return id;
}

void http2_give(struct channel *channel, struct request *request)
{
    assert(channel->state == CHANNEL_OPEN && !request->stream);
    struct stream *stream = request->stream = mem_new(sizeof *stream);
    stream->request = request;
    stream->id = submit(channel, request);
    request->state = REQUEST_UNDER_WAY;
    request->channel = channel;
    request->sent = request->head_size;
    channel->moved_ms = loop_now_ms(channel->pool->loop);
    list_put_last(&channel->requests, &request->node);
    channel->depth++;
    pool_place(channel);
    pool_mark_dirty(channel);
}

void http2_take_back(struct channel *channel, struct request *request)
{
    bool is_mute = channel->received_ms <= request->end_ms - request->timeout_ms;
    stream_cancel(channel, request->stream->id);
    stream_end(request->stream);
    if (is_mute) /* perhaps nobody is at the other end any more */
        channel->is_retiring = true;
    if (channel->is_retiring && channel->depth == 0)
        channel_close(channel);
    else
        pool_place(channel);
}

void http2_forget(struct request *request)
{
    if (request->stream)
        stream_end(request->stream);
}

/* --- bytes --- */

static void gather(struct http2 *http2)
{
    if (http2->out_at == http2->out.size) {
        http2->out_at = 0;
        buffer_clear(&http2->out);
    }
    const uint8_t *data;
    for (ssize_t size = 1; size > 0 && http2->out.size - http2->out_at < OUT_FULL;) {
        size = nghttp2_session_mem_send(http2->session, &data);
        if (size > 0)
            buffer_add(&http2->out, data, (size_t)size);
    }
}

void http2_flush(struct channel *channel)
{
    struct http2 *http2 = channel->http2;
    bool has_room = true;
    gather(http2);
    while (channel->state != CHANNEL_CLOSED && has_room && !channel->error &&
           http2->out_at < http2->out.size) {
        struct iovec part = {http2->out.data + http2->out_at, http2->out.size - http2->out_at};
        ssize_t written = channel_send(channel, &part, 1);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0 && errno != EAGAIN) {
            channel_note_error(channel, errno);
            return;
        }
        has_room = written > 0;
        http2->out_at += has_room ? (size_t)written : 0;
        gather(http2);
    }
    if (channel->state == CHANNEL_CLOSED || channel->error)
        return;
    if (channel->tls && !tls_flush(channel->tls)) {
        if (errno != EAGAIN)
            channel_note_error(channel, errno);
        has_room = false;
    }
    loop_rewatch(channel->pool->loop, &channel->watch, EPOLLIN | (has_room ? 0 : EPOLLOUT));
}

/* What came makes no sense. */
static void give_up(struct channel *channel)
{
    if (channel->state == CHANNEL_SETTLING)
        channel_lost(channel, 0);
    else
        pool_break(channel, false, channel_first_request(channel), HTTP_GARBAGE,
                   "what the server sends breaks the rules of HTTP/2");
}

/* True if something came and the channel is still in use. */
static bool read_some(struct channel *channel)
{
    struct http_pool *pool = channel->pool;
    ssize_t got = channel_receive(channel, pool->scratch, SCRATCH_SIZE);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        if (channel->error)
            channel_lost(channel, channel->error);
        return false;
    }
    if (got <= 0) {
        channel_lost(channel, got < 0 ? errno : 0);
        return false;
    }
    channel->moved_ms = channel->received_ms = loop_now_ms(pool->loop);
    ssize_t taken = nghttp2_session_mem_recv(channel->http2->session, pool->scratch, (size_t)got);
    if (channel->state == CHANNEL_CLOSED)
        return false;
    if (taken < 0) {
        give_up(channel);
        return false;
    }
    if (channel->state == CHANNEL_SETTLING && channel->http2->is_settled)
        channel_settled(channel);
    return true;
}

/* All that there is to do with a connection that is still in use. */
static void look_after(struct channel *channel)
{
    nghttp2_session *session = channel->http2->session;
    http2_flush(channel);
    if (channel->state == CHANNEL_CLOSED || channel->error)
        return;
    bool is_over = !nghttp2_session_want_read(session) && !nghttp2_session_want_write(session);
    if (channel->depth == 0 && channel->is_retiring)
        channel_close(channel);
    else if (is_over) /* libnghttp2 has told the server why */
        give_up(channel);
}

void http2_read(struct channel *channel)
{
    bool more = true;
    for (size_t i = 0; i < READS_MAX && more; i++) {
        if (!read_some(channel))
            break;
        more = channel->tls && tls_has_received(channel->tls);
    }
    if (channel->state == CHANNEL_CLOSED || channel->state == CHANNEL_CONNECTING || !channel->http2)
        return;
    if (more && channel->tls && tls_has_received(channel->tls))
        pool_mark_dirty(channel);
    look_after(channel);
}

void http2_settle(struct channel *channel)
{
    bool has_input = channel->tls && tls_has_received(channel->tls);
    if (!channel->error && !has_input) {
        look_after(channel);
        return;
    }
    /* If it cannot be written to, perhaps the server has said why before it closed. */
    http2_read(channel);
    if (channel->error && channel->state == CHANNEL_OPEN)
        pool_mark_dirty(channel);
}
