/* admin_auth.c - a token, compared in a time that does not tell how much of it was right. */
#include "runtime/admin_auth.h"

#include <arpa/inet.h>
#include <strings.h>

struct admin_auth admin_auth_make(const char *token, const char *where)
{
    struct bytes text = bytes_of(where);
    bool is_unix = bytes_starts_with(text, bytes_of("unix:"));
    return (struct admin_auth){
        .token = token,
        .is_unix = is_unix,
        .is_local = is_unix || bytes_starts_with(text, bytes_of("127.")) ||
                    bytes_starts_with(text, bytes_of("[::1]:")),
    };
}

bool admin_auth_is_closed(const struct admin_auth *auth)
{
    return !*auth->token && !auth->is_local;
}

static void refuse(struct http_exchange *exchange, int status, const char *headers,
                   const char *text)
{
    http_respond(exchange, &(struct http_answer){.status = status,
                                                 .content_type = "text/plain; charset=utf-8",
                                                 .headers = headers,
                                                 .body = bytes_of(text)});
}

static bool is_same(struct bytes given, struct bytes token)
{
    unsigned difference = given.size != token.size;
    for (size_t i = 0; i < given.size; i++)
        difference |= (unsigned)(given.data[i] ^ token.data[i % token.size]);
    return !difference;
}

static bool has_token(const struct http_head *head, const char *token)
{
    static const char scheme[] = "Bearer ";
    const struct http_header *header = http_find(head, "Authorization");
    size_t size = sizeof scheme - 1;
    return header && header->value.size > size &&
           !strncasecmp((const char *)header->value.data, scheme, size) &&
           is_same(bytes_from(header->value, size), bytes_of(token));
}

/* True for an address, with or without a port, and for localhost: what names this machine to a
 * browser only if the user wrote it. A page from elsewhere can make its own name lead here, but the
 * browser then says that name. */
static bool is_plain_host(struct bytes host)
{
    char text[64];
    if (!host.size || host.size >= sizeof text)
        return false;
    memcpy(text, host.data, host.size);
    text[host.size] = '\0';
    char *start = text, *colon = strrchr(text, ':');
    if (colon && !strchr(colon, ']'))
        *colon = '\0';
    size_t size = strlen(start);
    bool has_brackets = size > 2 && start[0] == '[' && start[size - 1] == ']';
    if (has_brackets) {
        start[size - 1] = '\0';
        start++;
    }
    struct in6_addr address;
    return inet_pton(has_brackets ? AF_INET6 : AF_INET, start, &address) == 1 ||
           !strcasecmp(start, "localhost");
}

bool admin_auth_admits(const struct admin_auth *auth, struct http_exchange *exchange)
{
    const struct http_head *head = http_exchange_head(exchange);
    if (*auth->token) {
        if (has_token(head, auth->token))
            return true;
        refuse(exchange, 401, "WWW-Authenticate: Bearer\r\n",
               "the token is wrong or missing: expected 'Authorization: Bearer TOKEN', with the "
               "TOKEN of the setting statefun.admin.token\n");
        return false;
    }
    if (!auth->is_local) {
        refuse(exchange, 403, NULL,
               "this listener can be reached from other machines, so it serves this only with a "
               "token: set statefun.admin.token, or let it listen on 127.0.0.1\n");
        return false;
    }
    bool is_read = bytes_is(head->method, "GET") || bytes_is(head->method, "HEAD");
    if (!is_read && http_find(head, "Origin")) { /* any page may have a browser POST to 127.0.0.1 */
        refuse(exchange, 403, NULL,
               "without a token pages in browsers change nothing: found an Origin header\n");
        return false;
    }
    const struct http_header *host = http_find(head, "Host");
    if (auth->is_unix || (host && is_plain_host(host->value)))
        return true;
    refuse(exchange, 403, NULL,
           "without a token this is served under an address or localhost only, so that no page in "
           "a browser gets here by a name of its own; set statefun.admin.token to use a name\n");
    return false;
}
