/* listen.c - opening a listening socket. */
#include "net/address.h"
#include "net/socket.h"

#include "base/mem.h"

#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static bool fail_errno(struct sf_status *status, const char *what, const char *where)
{
    return sf_fail(status, errno == EADDRINUSE ? SF_CONFLICT : SF_IO, "%s %s: %s", what, where,
                   strerrordesc_np(errno));
}

static bool set_option(int fd, int level, int option, int value)
{
    return setsockopt(fd, level, option, &value, sizeof value) == 0;
}

/* Binds and listens; on failure the descriptor is closed and errno says why. */
static int open_listener(int family, const struct sockaddr *address, socklen_t size)
{
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;

    /* What a listener is set to, the connections that it accepts begin with. */
    bool good = true;
    if (family != AF_UNIX)
        good = set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1) &&
               set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    if (family == AF_INET6) {
        bool is_any = IN6_IS_ADDR_UNSPECIFIED(&((const struct sockaddr_in6 *)address)->sin6_addr);
        good = good && set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, !is_any);
    }
    if (good && bind(fd, address, size) == 0 && listen(fd, SOMAXCONN) == 0)
        return fd;

    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

/* Removes a socket that nobody listens on. What is not a socket is never removed. */
static bool clear_path(const char *path, const struct sockaddr_un *address, socklen_t size,
                       struct sf_status *status)
{
    struct stat found;
    if (lstat(path, &found))
        return errno == ENOENT || fail_errno(status, "look at", path);
    if (!S_ISSOCK(found.st_mode))
        return sf_fail(status, SF_CONFLICT,
                       "listen on unix:%s: there is something else than a "
                       "socket at that path",
                       path);

    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return fail_errno(status, "open a socket for", path);
    bool is_dead = connect(fd, (const struct sockaddr *)address, size) && errno == ECONNREFUSED;
    close(fd);
    if (!is_dead)
        return sf_fail(status, SF_CONFLICT, "listen on unix:%s: somebody listens there", path);
    return unlink(path) == 0 || errno == ENOENT || fail_errno(status, "remove stale", path);
}

static bool listen_on_path(const char *path, int *ret_fd, char **ret_where,
                           struct sf_status *status)
{
    struct sockaddr_un address;
    if (!socket_path_address(path, &address))
        return sf_fail(status, SF_INVALID,
                       "listen on unix:%s: a socket's path has 1 to %zu bytes, this has %zu", path,
                       sizeof address.sun_path - 1, strlen(path));
    if (!clear_path(path, &address, sizeof address, status))
        return false;

    int fd = open_listener(AF_UNIX, (struct sockaddr *)&address, sizeof address);
    if (fd < 0)
        return fail_errno(status, "listen on unix", path);
    *ret_fd = fd;
    *ret_where = mem_format("unix:%s", path);
    return true;
}

static char *name_listener(int fd)
{
    struct sockaddr_storage address;
    socklen_t size = sizeof address;
    char text[SOCKET_TEXT_MAX];
    getsockname(fd, (struct sockaddr *)&address, &size);
    socket_address_text((struct sockaddr *)&address, size, text);
    return mem_string(text);
}

/* "host:port", "[v6]:port" or ":port" into its two parts; NULL as the host means all interfaces. */
static bool split_where(const char *where, char **ret_host, const char **ret_port)
{
    const char *colon = strrchr(where, ':');
    if (!colon || colon[1] == '\0' || strlen(colon + 1) > 5 ||
        strspn(colon + 1, "0123456789") != strlen(colon + 1))
        return false;
    if (strtoul(colon + 1, NULL, 10) > UINT16_MAX)
        return false;

    struct bytes host = bytes_make(where, (size_t)(colon - where));
    if (host.size >= 2 && host.data[0] == '[' && host.data[host.size - 1] == ']')
        host = bytes_make(host.data + 1, host.size - 2);
    else if (memchr(host.data, ':', host.size))
        return false; /* a bare v6 address: nobody knows where its port begins */
    *ret_host = host.size ? bytes_string(host) : NULL;
    *ret_port = colon + 1;
    return true;
}

/* All interfaces are one socket of IPv6 that takes IPv4 as well, or IPv4 where there is no other.
 */
static struct addrinfo *find_addresses(const char *host, const char *port, int *ret_error)
{
    struct addrinfo hints = {
        .ai_family = host ? AF_UNSPEC : AF_INET6,
        .ai_socktype = SOCK_STREAM,
        .ai_flags = AI_PASSIVE | AI_NUMERICSERV,
    };
    struct addrinfo *found = NULL;
    *ret_error = getaddrinfo(host, port, &hints, &found);
    return *ret_error ? NULL : found;
}

bool net_listen(const char *where, int *ret_fd, char **ret_where, struct sf_status *status)
{
    if (strncmp(where, "unix:", 5) == 0)
        return listen_on_path(where + 5, ret_fd, ret_where, status);

    char *host;
    const char *port;
    if (!split_where(where, &host, &port))
        return sf_fail(status, SF_INVALID,
                       "listen on '%s': expected host:port, [v6]:port, :port or unix:/path", where);

    int error, fd = -1;
    struct addrinfo *found = find_addresses(host, port, &error);
    for (struct addrinfo *at = found; at && fd < 0; at = at->ai_next)
        fd = open_listener(at->ai_family, at->ai_addr, at->ai_addrlen);
    if (!host && fd < 0 && (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL)) {
        struct sockaddr_in any = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)strtoul(port, NULL, 10))};
        fd = open_listener(AF_INET, (struct sockaddr *)&any, sizeof any);
    }
    if (fd >= 0) {
        *ret_fd = fd;
        *ret_where = name_listener(fd);
    } else if (!found) {
        (void)sf_fail(status, SF_NOT_FOUND, "listen on %s: %s", where, gai_strerror(error));
    } else {
        (void)fail_errno(status, "listen on", where);
    }
    if (found)
        freeaddrinfo(found);
    free(host);
    return fd >= 0;
}
