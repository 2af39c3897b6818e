/* http_ask.c - a socket that does not block, and poll until a deadline. */
#include "net/http_ask.h"

#include "base/mem.h"
#include "net/body.h"
#include "net/socket.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

struct asking {
    const struct http_question *question;
    uint64_t deadline_ms;
    int fd; /* -1: none */
    struct sf_status *status;
};

static uint64_t clock_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static bool fail(struct asking *asking, const char *what, int error)
{
    return sf_fail(asking->status, error == ETIMEDOUT ? SF_TIMEOUT : SF_IO, "%s %s: %s", what,
                   asking->question->where, strerrordesc_np(error));
}

/* False, with errno, when the deadline comes first. */
static bool wait_for(struct asking *asking, short events)
{
    struct pollfd fd = {.fd = asking->fd, .events = events};
    for (;;) {
        uint64_t now_ms = clock_ms();
        int left_ms = now_ms < asking->deadline_ms ? (int)(asking->deadline_ms - now_ms) : 0;
        int ready = poll(&fd, 1, left_ms);
        if (ready > 0)
            return true;
        if (ready == 0)
            errno = ETIMEDOUT;
        if (ready == 0 || errno != EINTR)
            return false;
    }
}

static bool connect_to(struct asking *asking, const struct sockaddr *address, socklen_t size)
{
    int error = 0;
    socklen_t error_size = sizeof error;
    asking->fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (asking->fd < 0)
        return fail(asking, "open a socket for", errno);
    if (connect(asking->fd, address, size) == 0)
        return true;
    if (errno != EINPROGRESS && errno != EAGAIN)
        return fail(asking, "connect to", errno);
    if (!wait_for(asking, POLLOUT))
        return fail(asking, "connect to", errno);
    getsockopt(asking->fd, SOL_SOCKET, SO_ERROR, &error, &error_size);
    return !error || fail(asking, "connect to", error);
}

static bool connect_to_host(struct asking *asking)
{
    const char *where = asking->question->where, *colon = strrchr(where, ':');
    if (!colon)
        return sf_fail(asking->status, SF_INVALID,
                       "'%s': expected host:port, [v6]:port or unix:/path", where);
    bool in_brackets = where[0] == '[' && colon > where && colon[-1] == ']';
    char *host = bytes_string(
        bytes_make(where + in_brackets, (size_t)(colon - where) - (in_brackets ? 2 : 0)));
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
    int error = getaddrinfo(*host ? host : NULL, colon + 1, &hints, &found);
    bool good = !error || sf_fail(asking->status, SF_NOT_FOUND, "connect to %s: %s", where,
                                  gai_strerror(error));
    for (struct addrinfo *at = found; at; at = at->ai_next) {
        good = connect_to(asking, at->ai_addr, at->ai_addrlen);
        if (good || !at->ai_next)
            break;
        if (asking->fd >= 0)
            close(asking->fd); /* a name may have addresses that nobody listens on */
    }
    if (found)
        freeaddrinfo(found);
    free(host);
    return good;
}

static bool connect_to_path(struct asking *asking)
{
    struct sockaddr_un address;
    const char *path = asking->question->where + 5;
    if (!socket_path_address(path, &address))
        return sf_fail(asking->status, SF_INVALID, "unix:%s: no path of a socket", path);
    return connect_to(asking, (struct sockaddr *)&address, sizeof address);
}

static bool send_question(struct asking *asking)
{
    const struct http_question *question = asking->question;
    bool is_path = !strncmp(question->where, "unix:", 5);
    struct buffer text = {0};
    buffer_add_format(&text,
                      "%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\nContent-Length: "
                      "%zu\r\n%s\r\n",
                      question->method, question->target, is_path ? "localhost" : question->where,
                      question->body.size, question->headers ? question->headers : "");
    buffer_add_bytes(&text, question->body);

    bool good = true;
    for (size_t sent = 0; good && sent < text.size;) {
        ssize_t size = send(asking->fd, text.data + sent, text.size - sent, MSG_NOSIGNAL);
        if (size >= 0)
            sent += (size_t)size;
        else if ((errno != EAGAIN && errno != EINTR) || !wait_for(asking, POLLOUT))
            good = fail(asking, "send to", errno);
    }
    buffer_destroy(&text);
    return good;
}

/* Reads some more; at the end `*ret_end` is set. */
static bool read_more(struct asking *asking, struct buffer *in, bool *ret_end)
{
    enum { PIECE = 64 * 1024 };
    for (;;) {
        ssize_t size = recv(asking->fd, buffer_reserve(in, PIECE), PIECE, 0);
        if (size >= 0) {
            in->size += (size_t)size;
            *ret_end = size == 0;
            return true;
        }
        if ((errno != EAGAIN && errno != EINTR) || !wait_for(asking, POLLIN))
            return fail(asking, "read the answer of", errno);
    }
}

static void keep_wanted(const struct http_question *question, const struct http_head *head)
{
    if (!question->wanted)
        return;
    const struct http_header *header = http_find(head, question->wanted);
    buffer_clear(question->ret_wanted);
    if (header)
        buffer_add_bytes(question->ret_wanted, header->value);
}

static bool read_answer(struct asking *asking, int *ret_status, struct buffer *in)
{
    struct http_head head;
    struct body body;
    struct sf_status *status = asking->status;
    bool at_end = false, has_head = false;
    enum http_progress progress = HTTP_MORE;
    while (progress == HTTP_MORE && !at_end) {
        if (!read_more(asking, in, &at_end))
            return false;
        if (!has_head) {
            progress = http_parse_response(buffer_bytes(in), false, &head, status);
            if (progress != HTTP_DONE)
                continue;
            has_head = true;
            *ret_status = head.status;
            keep_wanted(asking->question, &head);
            body_begin(&body, &head);
            buffer_drop(in, head.size);
        }
        size_t size, used;
        progress = body_receive(&body, in->data, &in->size, at_end,
                                asking->question->answer_bytes_max, &size, &used, status);
        if (progress == HTTP_DONE)
            in->size = size;
    }
    if (progress == HTTP_MORE)
        sf_fail(status, SF_IO, "the answer ends early");
    return progress == HTTP_DONE || sf_wrap(status, "%s", asking->question->where);
}

bool http_ask(const struct http_question *question, int *ret_status, struct buffer *ret_body,
              struct sf_status *status)
{
    struct asking asking = {question, clock_ms() + question->timeout_ms, -1, status};
    buffer_clear(ret_body);
    bool good = (strncmp(question->where, "unix:", 5) ? connect_to_host(&asking)
                                                      : connect_to_path(&asking)) &&
                send_question(&asking) && read_answer(&asking, ret_status, ret_body);
    if (asking.fd >= 0)
        close(asking.fd);
    return good;
}
