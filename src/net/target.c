/* target.c - an endpoint's URL, taken apart.
 *
 * What is accepted is what can be sent: no white space or control characters (which would end the
 * request line early), no user information, which functions have never been called with. */
#include "net/address.h"

#include "base/mem.h"
#include "wire/http.h"

#include <strings.h>

static const struct scheme {
    const char *prefix;
    bool is_unix, is_tls;
} schemes[] = {
    {"http://", false, false},
    {"https://", false, true},
    {"http+unix://", true, false},
    {"https+unix://", true, false}, /* plain HTTP: upstream never spoke TLS over a unix socket */
};

static const struct scheme *find_scheme(const char *url)
{
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++)
        if (strncasecmp(url, schemes[i].prefix, strlen(schemes[i].prefix)) == 0)
            return &schemes[i];
    return NULL;
}

/* What is sent as a path: never empty, and "?query" belongs to the path "/". */
static char *make_path(const char *rest)
{
    return mem_format("%s%s", rest[0] == '/' ? "" : "/", rest);
}

/* The socket's file ends with the first component whose name ends in ".sock"; its size, or 0. */
static size_t socket_file_size(const char *path)
{
    size_t end = strcspn(path, "?#");
    for (size_t start = 0; start < end;) {
        size_t stop = start + 1;
        while (stop < end && path[stop] != '/')
            stop++;
        if (stop - start > 5 && memcmp(path + stop - 5, ".sock", 5) == 0)
            return stop;
        start = stop;
    }
    return 0;
}

static bool parse_unix(const char *rest, struct net_target *target, struct sf_status *status)
{
    if (rest[0] != '/')
        return sf_fail(status, SF_INVALID, "expected http+unix:///path/to/file.sock/path");
    size_t size = socket_file_size(rest);
    if (!size)
        return sf_fail(status, SF_INVALID,
                       "no part of the path ends in .sock: expected /path/to/file.sock/path");

    struct buffer file = {0};
    if (!http_percent_decode(bytes_make(rest, size), &file) || memchr(file.data, 0, file.size)) {
        buffer_destroy(&file);
        return sf_fail(status, SF_INVALID, "the path of the socket holds a malformed %% escape");
    }
    target->host = bytes_string(buffer_bytes(&file));
    buffer_destroy(&file);
    target->authority = mem_string("unused");
    target->path = make_path(rest + size);
    return true;
}

/* "", ":" or ":digits"; 0 stands for an invalid one. */
static uint16_t parse_port(struct bytes text, uint16_t standard)
{
    if (text.size <= 1)
        return standard;
    uint32_t port = 0;
    for (size_t i = 1; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9' || i > 5)
            return 0;
        port = port * 10 + (uint32_t)(text.data[i] - '0');
    }
    return port <= UINT16_MAX ? (uint16_t)port : 0;
}

/* Splits "host:port" or "[v6]:port"; the host comes without brackets, the port with its colon. */
static bool split_authority(struct bytes authority, struct bytes *ret_host, struct bytes *ret_port)
{
    bool in_brackets = authority.size && authority.data[0] == '[';
    const uint8_t *end = authority.data + authority.size;
    const uint8_t *stop = memchr(authority.data, in_brackets ? ']' : ':', authority.size);
    if (in_brackets) {
        if (!stop || (stop + 1 != end && stop[1] != ':'))
            return false;
        *ret_host = bytes_make(authority.data + 1, (size_t)(stop - authority.data - 1));
        *ret_port = bytes_make(stop + 1, (size_t)(end - stop - 1));
    } else {
        if (!stop)
            stop = end;
        *ret_host = bytes_make(authority.data, (size_t)(stop - authority.data));
        *ret_port = bytes_make(stop, (size_t)(end - stop));
    }
    return ret_host->size > 0;
}

static bool parse_tcp(const char *rest, struct net_target *target, struct sf_status *status)
{
    struct bytes authority = bytes_make(rest, strcspn(rest, "/?#")), host, port;
    if (memchr(authority.data, '@', authority.size))
        return sf_fail(status, SF_INVALID, "a user name in the URL is not supported");
    if (!split_authority(authority, &host, &port))
        return sf_fail(status, SF_INVALID, "no host: expected http://host:port/path");
    target->port = parse_port(port, target->is_tls ? 443 : 80);
    if (!target->port)
        return sf_fail(status, SF_INVALID, "the port is '%.*s': expected 1 to 65535",
                       (int)port.size - 1, (const char *)port.data + 1);

    target->host = bytes_string(host);
    bool in_brackets = authority.data[0] == '[';
    target->authority =
        mem_format("%s%s%s", in_brackets ? "[" : "", target->host, in_brackets ? "]" : "");
    if (target->port != 80 && target->port != 443) {
        char *name = target->authority;
        target->authority = mem_format("%s:%u", name, target->port);
        free(name);
    }
    target->path = make_path(rest + authority.size);
    return true;
}

bool net_target_parse(const char *url, struct net_target *ret_target, struct sf_status *status)
{
    for (const char *c = url; *c; c++)
        if ((unsigned char)*c <= ' ' || *c == 0x7f)
            return sf_fail(status, SF_INVALID,
                           "URL '%s': white space or a control character at offset %zu", url,
                           (size_t)(c - url));
    const struct scheme *scheme = find_scheme(url);
    if (!scheme)
        return sf_fail(status, SF_INVALID,
                       "URL '%s': expected the scheme http, https, http+unix or https+unix", url);

    struct net_target target = {.is_unix = scheme->is_unix, .is_tls = scheme->is_tls};
    const char *rest = url + strlen(scheme->prefix);
    if (!(target.is_unix ? parse_unix(rest, &target, status) : parse_tcp(rest, &target, status)))
        return sf_wrap(status, "URL '%s'", url);
    *ret_target = target;
    return true;
}

void net_target_destroy(struct net_target *target)
{
    free(target->host);
    free(target->authority);
    free(target->path);
    *target = (struct net_target){0};
}
