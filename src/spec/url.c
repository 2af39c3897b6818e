/* url.c - see url.h. */
#include "spec/url.h"

#include "base/bytes.h"
#include "spec/value.h"

#include <ctype.h>
#include <stdlib.h>
#include <strings.h>

static const char function_name[] = "{function.name}";

enum scheme { SCHEME_HTTP, SCHEME_HTTPS, SCHEME_UNIX };

static bool check_characters(const char *url, struct sf_status *status)
{
    for (const char *c = url; *c; c++) {
        if (!strncmp(c, function_name, sizeof function_name - 1))
            c += sizeof function_name - 2;
        else if (*c == '{' || *c == '}')
            return sf_fail(status, SF_INVALID, "a URL in which only {function.name} is filled in");
        else if (*c == '%' && !(isxdigit((unsigned char)c[1]) && isxdigit((unsigned char)c[2])))
            return sf_fail(status, SF_INVALID, "a URL with two hexadecimal digits behind each %%");
        else if ((unsigned char)*c <= ' ' || *c == 0x7f || strchr("\"<>\\^`|", *c))
            return sf_fail(status, SF_INVALID,
                           "a URL without blanks and without any of \" < > \\ ^ ` |");
    }
    return true;
}

/* "host", "host:port", "[v6]:port" */
static bool check_authority(struct bytes authority, struct sf_status *status)
{
    const char *text = (const char *)authority.data;
    if (memchr(text, '@', authority.size))
        return sf_fail(status, SF_INVALID, "a URL without a user name: none is sent to endpoints");

    const char *end = text + authority.size;
    const char *host_end =
        *text == '[' ? memchr(text, ']', authority.size) : memchr(text, ':', authority.size);
    if (*text == '[' && host_end)
        host_end++;
    else if (*text == '[')
        return sf_fail(status, SF_INVALID, "']' behind an IPv6 address");
    if (!host_end)
        host_end = end;
    if (host_end == text)
        return sf_fail(status, SF_INVALID, "a host behind '://'");
    if (end - host_end <= 1 && (host_end == end || *host_end == ':')) /* no port, or an empty one */
        return true;

    int64_t port;
    char *digits = bytes_string(bytes_make(host_end + 1, (size_t)(end - host_end - 1)));
    bool good = *host_end == ':' && *digits != '+' && integer_parse(digits, &port) && port > 0 &&
                port <= UINT16_MAX;
    free(digits);
    return good || sf_fail(status, SF_INVALID, "a port from 1 to 65535 behind the host's ':'");
}

/* The socket's file is the path up to the first part that ends in .sock. */
static bool check_unix(struct bytes authority, const char *path, struct sf_status *status)
{
    static const char suffix[] = ".sock";
    if (authority.size)
        return sf_fail(status, SF_INVALID,
                       "three slashes before the path of a unix socket, as in "
                       "http+unix:///run/functions.sock/path");
    for (const char *part = path; *part == '/';) {
        part++;
        size_t size = strcspn(part, "/?#");
        if (size >= sizeof suffix - 1 &&
            !strncmp(part + size - (sizeof suffix - 1), suffix, sizeof suffix - 1))
            return true;
        part += size;
    }
    return sf_fail(status, SF_INVALID, "Unix Domain Socket path should contain a .sock file");
}

bool url_template_check(const char *url, bool *ret_is_tls, struct sf_status *status)
{
    static const struct {
        const char *name;
        enum scheme scheme;
    } schemes[] = {{"http://", SCHEME_HTTP},
                   {"https://", SCHEME_HTTPS},
                   {"http+unix://", SCHEME_UNIX},
                   {"https+unix://", SCHEME_UNIX}};

    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        size_t size = strlen(schemes[i].name);
        if (strncasecmp(url, schemes[i].name, size) != 0)
            continue;
        enum scheme scheme = schemes[i].scheme;
        struct bytes authority = bytes_make(url + size, strcspn(url + size, "/?#"));
        const char *path = url + size + authority.size;
        *ret_is_tls = scheme == SCHEME_HTTPS;
        return check_characters(url, status) &&
               (scheme == SCHEME_UNIX ? check_unix(authority, path, status)
                                      : check_authority(authority, status));
    }
    return sf_fail(status, SF_INVALID,
                   "a URL that begins with http://, https://, http+unix:// or https+unix://");
}
