/* raw_socket.h - sockets by hand, for playing the other side of an HTTP connection. */
#ifndef RAW_SOCKET_H
#define RAW_SOCKET_H

#include "test.h"

#include "loop/loop.h"
#include "net/address.h"
#include "net/socket.h"

#include "base/mem.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { PATIENCE_MS = 10000 }; /* so long only when a test fails */

static inline uint64_t clock_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Turns the loop until `condition` holds. */
#define until(loop, condition)                                                                     \
    do {                                                                                           \
        uint64_t until_ms_ = clock_ms() + PATIENCE_MS;                                             \
        while (!(condition)) {                                                                     \
            if (clock_ms() > until_ms_)                                                            \
                fail_msg("never happened: %s", #condition);                                        \
            loop_turn((loop), 2);                                                                  \
        }                                                                                          \
    } while (0)

static inline void turn_for(struct loop *loop, uint64_t span_ms)
{
    for (uint64_t end_ms = clock_ms() + span_ms; clock_ms() < end_ms;)
        loop_turn(loop, 2);
}

/* A listener on a port of 127.0.0.1 that the kernel picks, or on a socket in a new folder. */
struct place {
    int fd;
    char *where;
    char folder[40];
};

static inline struct place place_open(bool is_unix)
{
    struct place place = {.fd = -1};
    struct sf_status status;
    char where[80] = "127.0.0.1:0";
    if (is_unix) {
        snprintf(place.folder, sizeof place.folder, "/tmp/statefun-net-XXXXXX");
        assert_non_null(mkdtemp(place.folder));
        snprintf(where, sizeof where, "unix:%s/x.sock", place.folder);
    }
    assert_good(net_listen(where, &place.fd, &place.where, &status), &status);
    return place;
}

static inline void place_close(struct place *place)
{
    if (place->fd >= 0)
        close(place->fd);
    if (place->folder[0]) {
        unlink(place->where + 5);
        rmdir(place->folder);
    }
    free(place->where);
}

static inline uint16_t place_port(const struct place *place)
{
    return (uint16_t)strtoul(strrchr(place->where, ':') + 1, NULL, 10);
}

/* The URL under which a client finds it. */
static inline char *place_url(const struct place *place, const char *path)
{
    return place->folder[0] ? mem_format("http+unix://%s%s", place->where + 5, path)
                            : mem_format("http://%s%s", place->where, path);
}

static inline void raw_unblock(int fd)
{
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

static inline int raw_connect(const struct place *place)
{
    int fd = socket(place->folder[0] ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int result;
    if (place->folder[0]) {
        struct sockaddr_un address;
        assert_true(socket_path_address(place->where + 5, &address));
        result = connect(fd, (struct sockaddr *)&address, sizeof address);
    } else {
        struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(place_port(place))};
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        result = connect(fd, (struct sockaddr *)&address, sizeof address);
    }
    if (result)
        fail_msg("connect to %s: %s", place->where, strerror(errno));
    raw_unblock(fd);
    return fd;
}

static inline void raw_send_bytes(int fd, const void *data, size_t size)
{
    assert_int_equal(send(fd, data, size, MSG_NOSIGNAL), (ssize_t)size);
}

static inline void raw_send(int fd, const char *text)
{
    raw_send_bytes(fd, text, strlen(text));
}

/* Adds what has come to `in`; false once the peer has closed, or the connection is broken. */
static inline bool raw_receive(int fd, struct buffer *in)
{
    for (;;) {
        ssize_t got = recv(fd, buffer_reserve(in, 65536), 65536, MSG_DONTWAIT);
        if (got < 0 && errno == EAGAIN)
            return true;
        if (got <= 0)
            return false;
        in->size += (size_t)got;
    }
}

/* Closes so that the peer gets a reset. */
static inline void raw_reset(int fd)
{
    struct linger linger = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    close(fd);
}

static inline size_t buffer_count(const struct buffer *buffer, const char *part)
{
    size_t count = 0, size = strlen(part);
    const uint8_t *at = buffer->data, *end = buffer->data + buffer->size;
    while (at && (at = memmem(at, (size_t)(end - at), part, size))) {
        count++;
        at += size;
    }
    return count;
}

static inline bool buffer_mentions(const struct buffer *buffer, const char *part)
{
    return buffer->size && memmem(buffer->data, buffer->size, part, strlen(part));
}

#endif
