/* http_server.c - accepting, up to the limit and when descriptors run out. On the loop's thread. */
#include "net/server.h"

#include "base/log.h"
#include "base/mem.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    ACCEPTS_PER_TURN = 16, /* then the other loops that share the descriptor have their chance */
    ACCEPT_PAUSE_MS = 100, /* when there are no descriptors left */
    REFUSED_MAX = 64       /* clients beyond the limit that are told so; more are just closed */
};

/* RFC 9110 wants a Date from whoever has a clock; it changes once a second. */
const char *server_date(struct http_server *server)
{
    uint64_t second = loop_wall_ms(server->loop) / 1000;
    if (second != server->date_second) {
        static const char days[] = "SunMonTueWedThuFriSat";
        static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
        time_t now = (time_t)second;
        struct tm utc;
        gmtime_r(&now, &utc);
        snprintf(server->date, sizeof server->date, "%.3s, %02d %.3s %04d %02d:%02d:%02d GMT",
                 days + utc.tm_wday * 3, utc.tm_mday % 100, months + utc.tm_mon * 3,
                 (utc.tm_year + 1900) % 10000, utc.tm_hour % 100, utc.tm_min % 100,
                 utc.tm_sec % 100);
        server->date_second = second;
    }
    return server->date;
}

/* --- accepting --- */

/* One client too many: it is told at once, whatever it wants. */
static void server_refuse(struct http_server *server, int fd)
{
    if (server->refused_count == REFUSED_MAX) {
        close(fd);
        return;
    }
    struct connection *connection = connection_new(server, fd);
    connection->is_refused = true;
    server->refused_count++;
    connection_turn_away(connection);
}

static void on_accept_again(struct loop_timer *timer)
{
    struct http_server *server = container_of(timer, struct http_server, accept_again);
    loop_watch(server->loop, &server->listener, server->options.listen_fd,
               EPOLLIN | EPOLLEXCLUSIVE);
}

/* No descriptors, say: the client stays in the backlog, so that the listener stays ready, and only
 * looking away for a while keeps the loop from spinning. */
static void server_pause(struct http_server *server)
{
    if (!server->is_short)
        log_warn("cannot accept connections for now", LOG_TEXT("reason", strerrordesc_np(errno)),
                 LOG_NUMBER("connections", server->connection_count));
    server->is_short = true;
    loop_unwatch(server->loop, &server->listener);
    loop_timer_set(server->loop, &server->accept_again,
                   loop_now_ms(server->loop) + ACCEPT_PAUSE_MS);
}

static void on_acceptable(struct loop_watch *watch, uint32_t events)
{
    (void)events;
    struct http_server *server = container_of(watch, struct http_server, listener);
    for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
        int fd = accept4(watch->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            if (errno == ECONNABORTED || errno == EINTR || errno == EPROTO)
                continue; /* that one client has thought better of it */
            if (errno != EAGAIN)
                server_pause(server);
            return;
        }
        server->is_short = false;
        if (server->connection_count == server->options.connections_max) {
            server_refuse(server, fd);
        } else {
            server->connection_count++;
            connection_new(server, fd);
        }
    }
}

struct http_server *http_server_new(struct loop *loop, const struct http_server_options *options)
{
    assert(options->connections_max > 0 && options->on_request);
    struct http_server *server = mem_new(sizeof *server);
    server->loop = loop;
    server->options = *options;
    list_init(&server->connections);
    list_init(&server->spare_exchanges);
    server->listener.on_ready = on_acceptable;
    server->accept_again.on_timer = on_accept_again;
    on_accept_again(&server->accept_again);
    return server;
}

static void stop_accepting(struct http_server *server)
{
    server->is_stopping = true;
    loop_timer_cancel(server->loop, &server->accept_again);
    if (server->listener.fd >= 0)
        loop_unwatch(server->loop, &server->listener);
}

void http_server_stop(struct http_server *server)
{
    stop_accepting(server);
    list_for_each_safe (&server->connections, node) {
        struct connection *connection = container_of(node, struct connection, node);
        if (connection->state == CONNECTION_READING && !connection->exchange)
            connection_close(connection);
    }
}

bool http_server_is_drained(const struct http_server *server)
{
    return server->is_stopping && list_is_empty(&server->connections);
}

void http_server_free(struct http_server *server)
{
    if (!server)
        return;
    assert(!server->calling);
    stop_accepting(server);
    while (!list_is_empty(&server->connections))
        connection_close(list_first(&server->connections, struct connection, node));
    for (struct list *node; (node = list_take_first(&server->spare_exchanges));)
        exchange_free(container_of(node, struct http_exchange, node));
    free(server);
}
