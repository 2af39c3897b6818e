/* http_connection.c - one connection of a server, and the exchange it is in. On the loop's thread.
 *
 * What a request needs (its buffers and parsed head) is an exchange. A connection has one from a
 * request's first byte until the answer is out; an idle connection is little more than its watch.
 *
 * Deadlines. A connection has one timer, and mostly each deadline is later than the one before. So
 * the timer is moved only when it must be earlier; otherwise it fires too early once in a while,
 * looks at the deadline and sets itself again. A request thus costs no work on the loop's heap. */
#include "net/server.h"

#include "base/mem.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    LINGER_MS = 1000,
    READ_PIECE = 4 * 1024,
    OUT_FULL = 64 * 1024, /* answers that wait to be taken; beyond this no request is handed over */
    BUFFER_KEPT_MAX = 16 * 1024,
    EXCHANGES_KEPT_MAX = 32
};

static void connection_run(struct connection *connection);
static void on_ready(struct loop_watch *watch, uint32_t events);
static void on_timer(struct loop_timer *timer);

/* --- exchanges --- */

static struct http_exchange *exchange_take(struct connection *connection)
{
    struct http_server *server = connection->server;
    struct list *spare = list_take_first(&server->spare_exchanges);
    struct http_exchange *exchange;
    if (spare) {
        exchange = container_of(spare, struct http_exchange, node);
        server->spare_count--;
    } else {
        exchange = mem_new(sizeof *exchange);
        list_init(&exchange->node);
    }
    exchange->connection = connection;
    connection->exchange = exchange;
    return exchange;
}

void exchange_free(struct http_exchange *exchange)
{
    buffer_destroy(&exchange->in);
    buffer_destroy(&exchange->out);
    free(exchange);
}

static void buffer_reset(struct buffer *buffer)
{
    buffer_clear(buffer);
    if (buffer->capacity > BUFFER_KEPT_MAX)
        buffer_destroy(buffer);
}

static void exchange_release(struct connection *connection)
{
    struct http_server *server = connection->server;
    struct http_exchange *exchange = connection->exchange;
    connection->exchange = NULL;
    if (!exchange)
        return;
    if (server->spare_count == EXCHANGES_KEPT_MAX) {
        exchange_free(exchange);
        return;
    }
    buffer_reset(&exchange->in);
    buffer_reset(&exchange->out);
    exchange->context = NULL;
    exchange->in_at = exchange->out_at = exchange->head_size = exchange->size = 0;
    list_put_first(&server->spare_exchanges, &exchange->node);
    server->spare_count++;
}

static size_t unwritten(const struct connection *connection)
{
    const struct http_exchange *exchange = connection->exchange;
    return exchange ? exchange->out.size - exchange->out_at : 0;
}

static size_t unread(const struct connection *connection)
{
    const struct http_exchange *exchange = connection->exchange;
    return exchange ? exchange->in.size - exchange->in_at : 0;
}

/* --- closing --- */

void connection_close(struct connection *connection)
{
    struct http_server *server = connection->server;
    int fd = connection->watch.fd;
    assert(!connection->is_running);
    if (connection->state == CONNECTION_HANDLING && server->options.on_gone) {
        server->calling++;
        server->options.on_gone(server->options.owner, connection->exchange);
        server->calling--;
    }
    loop_unwatch(server->loop, &connection->watch);
    close(fd);
    loop_timer_cancel(server->loop, &connection->timer);
    exchange_release(connection);
    list_take(&connection->node);
    if (connection->is_refused)
        server->refused_count--;
    else
        server->connection_count--;
    free(connection);
}

/* --- answering --- */

static void add_answer(struct http_server *server, struct buffer *out,
                       const struct http_answer *answer, const char *connection, bool to_head)
{
    bool has_body = answer->status != 204 && answer->status != 304;
    buffer_add_format(out, "HTTP/1.1 %d %s\r\nDate: %s\r\n", answer->status,
                      http_reason(answer->status), server_date(server));
    if (answer->content_type) {
        buffer_add_text(out, "Content-Type: ");
        buffer_add_text(out, answer->content_type);
        buffer_add_text(out, "\r\n");
    }
    if (answer->headers)
        buffer_add_text(out, answer->headers);
    if (has_body)
        buffer_add_format(out, "Content-Length: %zu\r\n", answer->body.size);
    buffer_add_text(out, connection);
    buffer_add_text(out, "\r\n");
    if (has_body && !to_head)
        buffer_add_bytes(out, answer->body);
}

static void expect_writing(struct connection *connection)
{
    if (connection->write_by_ms == UINT64_MAX)
        connection->write_by_ms =
            loop_now_ms(connection->server->loop) + connection->server->options.request_ms_max;
}

/* Tells the client what it did wrong, and no more. */
static void connection_refuse(struct connection *connection, int status, const char *message)
{
    struct http_server *server = connection->server;
    struct http_exchange *exchange = connection->exchange;
    char text[256];
    snprintf(text, sizeof text, "%s\n", message);
    struct http_answer answer = {
        .status = status, .content_type = "text/plain; charset=utf-8", .body = bytes_of(text)};
    bool to_head = exchange->head_size && exchange->is_head;
    add_answer(server, &exchange->out, &answer, "Connection: close\r\n", to_head);
    expect_writing(connection);
    connection->read_by_ms = UINT64_MAX;
    connection->state = CONNECTION_CLOSING;
}

void http_respond(struct http_exchange *exchange, const struct http_answer *answer)
{
    struct connection *connection = exchange->connection;
    struct http_server *server = connection->server;
    assert(connection->state == CONNECTION_HANDLING);
    assert(answer->status >= 200 && answer->status <= 599);

    bool keeps = exchange->head.keep_alive && !server->is_stopping;
    const char *line = "";
    if (!keeps)
        line = "Connection: close\r\n";
    else if (exchange->head.minor_version == 0)
        line = "Connection: keep-alive\r\n";
    add_answer(server, &exchange->out, answer, line, exchange->is_head);
    expect_writing(connection);

    connection->state = keeps ? CONNECTION_READING : CONNECTION_CLOSING;
    exchange->in_at += exchange->size;
    exchange->head_size = exchange->size = 0;
    exchange->context = NULL;
    if (!connection->is_running)
        connection_run(connection);
}

/* --- requests --- */

static enum http_progress take_head(struct http_exchange *exchange, struct sf_status *status)
{
    struct bytes bytes = bytes_from(buffer_bytes(&exchange->in), exchange->in_at);
    enum http_progress progress = http_parse_request(bytes, &exchange->head, status);
    if (progress != HTTP_DONE)
        return progress;
    exchange->head_size = exchange->head.size;
    exchange->is_head = bytes_is(exchange->head.method, "HEAD");
    body_begin(&exchange->reader, &exchange->head);
    return progress;
}

static enum http_progress take_body(struct http_exchange *exchange, size_t body_max,
                                    struct sf_status *status)
{
    uint8_t *data = exchange->in.data + exchange->in_at + exchange->head_size;
    size_t size = exchange->in.size - exchange->in_at - exchange->head_size, body_size, used;
    enum http_progress progress =
        body_receive(&exchange->reader, data, &size, false, body_max, &body_size, &used, status);
    if (progress == HTTP_MORE)
        exchange->in.size = exchange->in_at + exchange->head_size + size;
    exchange->body = bytes_make(data, body_size);
    exchange->size = exchange->head_size + used;
    return progress;
}

/* Hands over a request if one is complete; true if it was, or if it turned out to be bad. */
static bool take_request(struct connection *connection)
{
    struct http_server *server = connection->server;
    struct http_exchange *exchange = connection->exchange;
    struct sf_status status;
    bool is_new = !exchange->head_size;

    if (is_new) {
        enum http_progress progress = take_head(exchange, &status);
        if (progress == HTTP_BAD)
            connection_refuse(connection, status.code == SF_FULL ? 431 : 400, status.message);
        if (progress != HTTP_DONE)
            return progress == HTTP_BAD;
    }
    enum http_progress progress = take_body(exchange, server->options.body_bytes_max, &status);
    if (progress == HTTP_BAD) {
        connection_refuse(connection, status.code == SF_FULL ? 413 : 400, status.message);
        return true;
    }
    if (progress == HTTP_MORE) {
        if (is_new && exchange->head.expects_continue) {
            buffer_add_text(&exchange->out, "HTTP/1.1 100 Continue\r\n\r\n");
            expect_writing(connection);
        }
        return false;
    }

    /* The buffer may have moved while the body came; the views must be into what it is now. */
    if (!is_new)
        (void)take_head(exchange, &status);
    connection->state = CONNECTION_HANDLING;
    connection->read_by_ms = UINT64_MAX;
    server->calling++;
    server->options.on_request(server->options.owner, exchange);
    server->calling--;
    return true;
}

/* --- the connection's own turn --- */

/* Writes what fits; false if the client cannot be reached any more. */
static bool connection_flush(struct connection *connection)
{
    struct http_exchange *exchange = connection->exchange;
    while (unwritten(connection)) {
        ssize_t written = send(connection->watch.fd, exchange->out.data + exchange->out_at,
                               unwritten(connection), MSG_NOSIGNAL);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0 && errno != EAGAIN)
            return false;
        if (written < 0) {
            /* Only when what is moved is less than what was written since the last time. */
            if (exchange->out_at > unwritten(connection)) {
                buffer_drop(&exchange->out, exchange->out_at);
                exchange->out_at = 0;
            }
            return true;
        }
        exchange->out_at += (size_t)written;
    }
    if (exchange)
        exchange->out_at = exchange->out.size = 0;
    connection->write_by_ms = UINT64_MAX;
    return true;
}

static void move_timer(struct connection *connection)
{
    struct loop_timer *timer = &connection->timer;
    uint64_t deadline_ms = connection->read_by_ms < connection->write_by_ms
                               ? connection->read_by_ms
                               : connection->write_by_ms;
    if (deadline_ms != UINT64_MAX && (!heap_holds(&timer->due) || timer->due.when > deadline_ms))
        loop_timer_set(connection->server->loop, timer, deadline_ms);
}

/* The last answer is out. */
static void begin_lingering(struct connection *connection)
{
    connection->state = CONNECTION_LINGERING;
    connection->read_by_ms = loop_now_ms(connection->server->loop) + LINGER_MS;
    shutdown(connection->watch.fd, SHUT_WR);
    exchange_release(connection);
}

/* What is waited for next. */
static void connection_settle(struct connection *connection)
{
    struct http_server *server = connection->server;
    bool has_output = unwritten(connection) > 0;
    if (connection->state == CONNECTION_READING && !has_output && !unread(connection)) {
        if (server->is_stopping) {
            connection_close(connection);
            return;
        }
        exchange_release(connection);
        connection->read_by_ms = loop_now_ms(server->loop) + server->options.idle_ms_max;
    }
    if (connection->state == CONNECTION_CLOSING && !has_output) {
        if (connection->is_at_end) {
            connection_close(connection);
            return;
        }
        begin_lingering(connection);
    }

    /* A request that is being handled leaves the watch as it is: mostly nothing more comes, and
     * asking the kernel not to tell would cost two system calls a request. on_ready stops it if it
     * does. */
    uint32_t events = has_output ? EPOLLOUT : 0;
    bool is_held = connection->state == CONNECTION_READING && unwritten(connection) > OUT_FULL;
    if (connection->state == CONNECTION_HANDLING)
        events |= connection->watch.events & EPOLLIN;
    else if (connection->state != CONNECTION_CLOSING && !is_held && !connection->is_at_end)
        events |= EPOLLIN;
    loop_rewatch(server->loop, &connection->watch, events);
    move_timer(connection);
}

/* Does all that can be done with what is there: requests that are complete are handed over, answers
 * written. May free the connection. */
static void connection_run(struct connection *connection)
{
    struct loop *loop = connection->server->loop;
    bool more = true, is_alive = true;
    connection->is_running = true;
    while (more && is_alive) {
        while (connection->state == CONNECTION_READING && unread(connection) &&
               unwritten(connection) <= OUT_FULL) {
            if (connection->read_by_ms == UINT64_MAX)
                connection->read_by_ms =
                    loop_now_ms(loop) + connection->server->options.request_ms_max;
            if (!take_request(connection))
                break;
        }
        more = unwritten(connection) > OUT_FULL && connection->state == CONNECTION_READING;
        is_alive = connection_flush(connection);
        more = more && !unwritten(connection);
    }

    if (is_alive && connection->state == CONNECTION_READING && connection->is_at_end &&
        !unwritten(connection)) {
        /* What is left is not a whole request, and the rest of it will not come. */
        if (unread(connection)) {
            connection_refuse(connection, 400, "the request is cut off");
            is_alive = connection_flush(connection);
        } else {
            is_alive = false;
        }
    }
    connection->is_running = false;
    if (is_alive)
        connection_settle(connection);
    else
        connection_close(connection);
}

static void drop_input(struct connection *connection)
{
    char nowhere[READ_PIECE];
    ssize_t got = recv(connection->watch.fd, nowhere, sizeof nowhere, 0);
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
        connection_close(connection);
}

/* Makes room behind what has been read, and moves that down over the requests that are done with.
 */
static size_t prepare_to_read(struct http_exchange *exchange)
{
    if (exchange->in_at) {
        buffer_drop(&exchange->in, exchange->in_at);
        exchange->in_at = 0;
    }
    size_t wanted = READ_PIECE;
    if (exchange->head_size)
        wanted = body_wanted(&exchange->reader, exchange->in.size - exchange->head_size);
    buffer_reserve(&exchange->in, wanted);
    return exchange->in.capacity - exchange->in.size;
}

static void connection_read(struct connection *connection)
{
    bool was_idle = !connection->exchange;
    struct http_exchange *exchange = was_idle ? exchange_take(connection) : connection->exchange;
    size_t room = prepare_to_read(exchange);
    ssize_t got = recv(connection->watch.fd, exchange->in.data + exchange->in.size, room, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        if (was_idle)
            exchange_release(connection);
        return;
    }
    if (got < 0) {
        connection_close(connection);
        return;
    }

    const uint8_t *fresh = exchange->in.data + exchange->in.size;
    exchange->in.size += (size_t)got;
    connection->is_at_end = got == 0;
    if (was_idle)
        connection->read_by_ms = UINT64_MAX; /* its time begins when it is looked at */

    /* A head that comes in small pieces is looked at again when a line of it is complete. */
    bool is_first_look = exchange->in.size == (size_t)got;
    bool may_be_complete = exchange->head_size || is_first_look || connection->is_at_end ||
                           exchange->in.size >= HTTP_HEAD_BYTES_MAX ||
                           memchr(fresh, '\n', (size_t)got);
    if (may_be_complete)
        connection_run(connection);
}

static void on_ready(struct loop_watch *watch, uint32_t events)
{
    struct connection *connection = container_of(watch, struct connection, watch);
    bool is_broken = events & (EPOLLERR | EPOLLHUP);
    switch (connection->state) {
    case CONNECTION_READING:
        if (events & EPOLLIN || (is_broken && !(events & EPOLLOUT)))
            connection_read(connection);
        else
            connection_run(connection);
        break;
    case CONNECTION_HANDLING:
        if (is_broken)
            connection_close(connection);
        else if (events & EPOLLOUT)
            connection_run(connection);
        else
            loop_rewatch(connection->server->loop, watch, watch->events & ~(uint32_t)EPOLLIN);
        break;
    case CONNECTION_CLOSING:
        if (is_broken)
            connection_close(connection);
        else
            connection_run(connection);
        break;
    case CONNECTION_LINGERING:
        drop_input(connection);
        break;
    }
}

static void on_timer(struct loop_timer *timer)
{
    struct connection *connection = container_of(timer, struct connection, timer);
    uint64_t now_ms = loop_now_ms(connection->server->loop);
    bool is_late = connection->read_by_ms <= now_ms;
    if (connection->write_by_ms > now_ms && !is_late) {
        move_timer(connection);
        return;
    }
    if (connection->state == CONNECTION_READING && is_late && unread(connection) &&
        !unwritten(connection)) {
        connection_refuse(connection, 408, "the request did not come in time");
        connection_run(connection);
    } else {
        connection_close(connection);
    }
}

struct connection *connection_new(struct http_server *server, int fd)
{
    struct connection *connection = mem_new(sizeof *connection);
    connection->server = server;
    connection->watch.on_ready = on_ready;
    connection->timer.on_timer = on_timer;
    connection->write_by_ms = UINT64_MAX;
    connection->read_by_ms = loop_now_ms(server->loop) + server->options.idle_ms_max;
    list_put_last(&server->connections, &connection->node);
    loop_watch(server->loop, &connection->watch, fd, EPOLLIN);
    move_timer(connection);
    return connection;
}

void connection_turn_away(struct connection *connection)
{
    struct buffer out = {0};
    struct http_answer answer = {.status = 503,
                                 .content_type = "text/plain; charset=utf-8",
                                 .headers = "Retry-After: 1\r\n",
                                 .body = bytes_of("too many connections\n")};
    add_answer(connection->server, &out, &answer, "Connection: close\r\n", false);
    ssize_t sent = send(connection->watch.fd, out.data, out.size, MSG_NOSIGNAL);
    (void)sent; /* a new socket has room for it; if it has none, nobody is there */
    buffer_destroy(&out);
    begin_lingering(connection);
    move_timer(connection);
}

const struct http_head *http_exchange_head(const struct http_exchange *exchange)
{
    return &exchange->head;
}

struct bytes http_exchange_body(const struct http_exchange *exchange)
{
    return exchange->body;
}

void http_exchange_set_context(struct http_exchange *exchange, void *context)
{
    exchange->context = context;
}

void *http_exchange_context(const struct http_exchange *exchange)
{
    return exchange->context;
}
