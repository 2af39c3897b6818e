/* http_call.c - a socket with timeouts, and the parsers of the wire room. */
#include "cli/http_call.h"

#include "base/mem.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

enum { TIMEOUT_S = 60, REPLY_BYTES_MAX = 256 << 20, READ_BYTES = 64 * 1024 };

struct http_caller {
    char *where; /* as it is told to people */
    char *host;  /* or the path of a socket */
    char *port;  /* NULL: of a unix socket */
    const char *token;
    int fd;           /* -1: not connected */
    struct buffer in; /* of the last reply */
    struct buffer out;
};

/* --- where --- */

static bool split(struct http_caller *caller, const char *where)
{
    static const char scheme[] = "http://";
    if (!strncmp(where, "unix:", 5)) {
        caller->host = mem_string(where + 5);
        return where[5] != '\0';
    }
    if (!strncmp(where, scheme, sizeof scheme - 1))
        where += sizeof scheme - 1;
    struct bytes text = bytes_of(where);
    if (text.size && text.data[text.size - 1] == '/')
        text.size--;
    caller->host = bytes_string(text);
    char *colon = strrchr(caller->host, ':');
    if (!colon || colon == caller->host || !colon[1] ||
        strspn(colon + 1, "0123456789") != strlen(colon + 1))
        return false;
    caller->port = mem_string(colon + 1);
    *colon = '\0';
    size_t size = strlen(caller->host);
    if (caller->host[0] == '[' && caller->host[size - 1] == ']') {
        memmove(caller->host, caller->host + 1, size - 2);
        caller->host[size - 2] = '\0';
    }
    return true;
}

bool http_caller_new(const char *where, const char *token, struct http_caller **ret_caller,
                     struct sf_status *status)
{
    struct http_caller *caller = mem_new(sizeof *caller);
    caller->where = mem_string(where);
    caller->token = token;
    caller->fd = -1;
    if (!split(caller, where)) {
        http_caller_free(caller);
        return sf_fail(status, SF_INVALID,
                       "expected host:port, http://host:port or unix:/path, found '%s'", where);
    }
    *ret_caller = caller;
    return true;
}

static void disconnect(struct http_caller *caller)
{
    if (caller->fd >= 0)
        close(caller->fd);
    caller->fd = -1;
}

void http_caller_free(struct http_caller *caller)
{
    if (!caller)
        return;
    disconnect(caller);
    buffer_destroy(&caller->in);
    buffer_destroy(&caller->out);
    free(caller->where);
    free(caller->host);
    free(caller->port);
    free(caller);
}

/* --- connecting --- */

static bool try_connect(struct http_caller *caller, int family, const struct sockaddr *address,
                        socklen_t size)
{
    struct timeval limit = {.tv_sec = TIMEOUT_S};
    int one = 1;
    caller->fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (caller->fd < 0)
        return false;
    (void)setsockopt(caller->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    (void)setsockopt(caller->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    if (family != AF_UNIX)
        (void)setsockopt(caller->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(caller->fd, address, size) == 0)
        return true;
    int error = errno;
    disconnect(caller);
    errno = error;
    return false;
}

static bool fail_connect(const struct http_caller *caller, const char *why,
                         struct sf_status *status)
{
    return sf_fail(status, SF_IO, "connect to %s: %s", caller->where, why);
}

static bool connect_unix(struct http_caller *caller, struct sf_status *status)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t size = strlen(caller->host);
    if (size >= sizeof address.sun_path)
        return fail_connect(caller, "the path is too long for a socket", status);
    memcpy(address.sun_path, caller->host, size);
    return try_connect(caller, AF_UNIX, (struct sockaddr *)&address, sizeof address) ||
           fail_connect(caller, strerror(errno), status);
}

static bool connect_host(struct http_caller *caller, struct sf_status *status)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
    int error = getaddrinfo(caller->host, caller->port, &hints, &found);
    if (error)
        return fail_connect(caller, gai_strerror(error), status);
    bool good = false;
    for (struct addrinfo *at = found; at && !good; at = at->ai_next)
        good = try_connect(caller, at->ai_family, at->ai_addr, at->ai_addrlen);
    error = errno;
    freeaddrinfo(found);
    return good || fail_connect(caller, strerror(error), status);
}

/* --- one call --- */

static bool broken(struct http_caller *caller, const char *what, struct sf_status *status)
{
    int error = errno;
    disconnect(caller);
    if (error == EAGAIN)
        return sf_fail(status, SF_TIMEOUT, "%s: no answer within %d s", caller->where, TIMEOUT_S);
    return sf_fail(status, SF_IO, "%s: %s: %s", caller->where, what,
                   error ? strerror(error) : "the connection was closed");
}

static bool send_call(struct http_caller *caller, const struct http_call *call,
                      struct sf_status *status)
{
    struct buffer *out = &caller->out;
    bool has_brackets = caller->port && strchr(caller->host, ':');
    buffer_clear(out);
    buffer_add_format(out, "%s %s HTTP/1.1\r\nHost: ", call->method, call->target);
    if (caller->port)
        buffer_add_format(out, has_brackets ? "[%s]:%s" : "%s:%s", caller->host, caller->port);
    else
        buffer_add_text(out, "localhost");
    buffer_add_format(out, "\r\nContent-Length: %zu\r\n%s", call->body.size,
                      call->headers ? call->headers : "");
    if (*caller->token)
        buffer_add_format(out, "Authorization: Bearer %s\r\n", caller->token);
    buffer_add_text(out, "\r\n");
    buffer_add_bytes(out, call->body);
    for (size_t at = 0; at < out->size;) {
        ssize_t sent = send(caller->fd, out->data + at, out->size - at, MSG_NOSIGNAL);
        if (sent < 0 && errno != EINTR)
            return broken(caller, "send", status);
        at += sent > 0 ? (size_t)sent : 0;
    }
    return true;
}

/* Reads more; false at the end of the stream too, with errno 0. */
static bool read_more(struct http_caller *caller)
{
    for (;;) {
        uint8_t *to = buffer_reserve(&caller->in, READ_BYTES);
        ssize_t size = recv(caller->fd, to, READ_BYTES, 0);
        if (size < 0 && errno == EINTR)
            continue;
        if (size == 0)
            errno = 0;
        if (size <= 0)
            return false;
        caller->in.size += (size_t)size;
        return true;
    }
}

static bool read_head(struct http_caller *caller, bool to_head, struct http_head *head,
                      struct sf_status *status)
{
    for (;;) {
        enum http_progress progress =
            http_parse_response(buffer_bytes(&caller->in), to_head, head, status);
        if (progress == HTTP_DONE && head->status >= 200)
            return true;
        if (progress == HTTP_DONE)
            buffer_drop(&caller->in, head->size); /* an interim answer */
        else if (progress == HTTP_BAD)
            return sf_wrap(status, "%s", caller->where);
        else if (!read_more(caller))
            return broken(caller, "receive", status);
    }
}

/* The whole body behind a head of `from` bytes; returns its size. */
static bool read_body(struct http_caller *caller, const struct http_head *head, size_t from,
                      size_t *ret_size, struct sf_status *status)
{
    struct http_chunks chunks = {0};
    for (;;) {
        size_t size = caller->in.size - from;
        if (size > REPLY_BYTES_MAX ||
            (head->framing == HTTP_LENGTH && head->content_length > REPLY_BYTES_MAX))
            return sf_fail(status, SF_FULL, "%s: the answer is longer than %d bytes", caller->where,
                           REPLY_BYTES_MAX);
        *ret_size = head->framing == HTTP_LENGTH ? (size_t)head->content_length : size;
        if (head->framing == HTTP_NO_BODY)
            *ret_size = 0;
        if (head->framing == HTTP_CHUNKED) {
            enum http_progress progress =
                http_unchunk(&chunks, caller->in.data + from, size, REPLY_BYTES_MAX, status);
            *ret_size = chunks.body_size;
            if (progress != HTTP_MORE)
                return progress == HTTP_DONE || sf_wrap(status, "%s", caller->where);
        } else if (head->framing != HTTP_UNTIL_CLOSE && size >= *ret_size) {
            return true;
        }
        if (read_more(caller))
            continue;
        return (errno == 0 && head->framing == HTTP_UNTIL_CLOSE) ||
               broken(caller, "receive", status);
    }
}

static bool exchange(struct http_caller *caller, const struct http_call *call,
                     struct http_reply *ret_reply, struct sf_status *status)
{
    bool to_head = !strcmp(call->method, "HEAD");
    size_t size = 0;
    buffer_clear(&caller->in);
    if (!send_call(caller, call, status) || !read_head(caller, to_head, &ret_reply->head, status) ||
        !read_body(caller, &ret_reply->head, ret_reply->head.size, &size, status)) {
        disconnect(caller);
        return false;
    }
    /* Reading the body may have moved the head to which its views point. */
    enum http_progress progress =
        http_parse_response(buffer_bytes(&caller->in), to_head, &ret_reply->head, status);
    if (progress != HTTP_DONE)
        return sf_wrap(status, "%s", caller->where);
    ret_reply->body = bytes_make(caller->in.data + ret_reply->head.size, size);
    if (!ret_reply->head.keep_alive)
        disconnect(caller);
    return true;
}

/* A connection that was kept and has been closed meanwhile shows as a call that breaks; whatever is
 * asked of a runtime may be asked again. */
bool http_call(struct http_caller *caller, const struct http_call *call,
               struct http_reply *ret_reply, struct sf_status *status)
{
    bool was_connected = caller->fd >= 0;
    if (was_connected && exchange(caller, call, ret_reply, status))
        return true;
    if (was_connected && status->code != SF_IO)
        return false;
    bool good = caller->port ? connect_host(caller, status) : connect_unix(caller, status);
    return good && exchange(caller, call, ret_reply, status);
}

void http_add_segment(struct buffer *target, struct bytes segment)
{
    buffer_add_u8(target, '/');
    for (size_t i = 0; i < segment.size; i++) {
        uint8_t c = segment.data[i];
        bool is_plain = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') ||
                        (c && strchr("-._~", c));
        if (is_plain)
            buffer_add_u8(target, c);
        else
            buffer_add_format(target, "%%%02X", c);
    }
}
