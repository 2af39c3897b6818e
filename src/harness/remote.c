/* remote.c - functions behind a URL: one request at a time, waited for. Linked only where it is
 * used; of the net room it takes what needs no further library. */
#include "harness/inside.h"

#include "base/mem.h"
#include "net/address.h"
#include "net/http_ask.h"

enum { CALL_MS_MAX = 60 * 1000, ANSWER_BYTES_MAX = 64 << 20 };

/* The registry wants one; calls of these go to `remote->call`. */
static bool call_nothing(struct sf_context *context, const struct sf_message *message)
{
    (void)message;
    return sf_fail_call(context, "a remote function is not called here");
}

static char *where_of(const struct net_target *target)
{
    if (target->is_unix)
        return mem_format("unix:%s", target->host);
    bool is_v6 = strchr(target->host, ':') != NULL;
    return mem_format(is_v6 ? "[%s]:%u" : "%s:%u", target->host, target->port);
}

static bool ask(const struct remote_functions *remote, const struct net_target *target,
                const struct to_function *request, struct buffer *answer, int *ret_code,
                struct sf_status *status)
{
    struct buffer body = {0};
    size_t size = to_function_size(request);
    (void)to_function_put(buffer_reserve(&body, size), request);
    body.size = size;
    char *where = where_of(target);
    struct http_question question = {
        .where = where,
        .method = "POST",
        .target = target->path,
        .headers = "Content-Type: application/octet-stream\r\n",
        .body = buffer_bytes(&body),
        .answer_bytes_max = ANSWER_BYTES_MAX,
        .timeout_ms = CALL_MS_MAX,
    };
    bool good = http_ask(&question, ret_code, answer, status) ||
                sf_wrap(status, "functions at %s", remote->url);
    free(where);
    buffer_destroy(&body);
    return good;
}

static bool call_remote(struct remote_functions *remote, const struct to_function *request,
                        struct arena *arena, struct from_function *ret_reply,
                        struct sf_status *status)
{
    struct net_target target;
    struct buffer answer = {0};
    int code = 0;
    if (!net_target_parse(remote->url, &target, status))
        return false;
    bool good = ask(remote, &target, request, &answer, &code, status);
    if (good && (code < 200 || code > 299))
        good =
            sf_fail(status, SF_INVALID, "the function answers HTTP status %d, expected 2xx", code);
    if (good)
        good = from_function_parse(arena_add_bytes(arena, buffer_bytes(&answer)), arena, ret_reply,
                                   status) ||
               sf_wrap(status, "the function answers with %zu bytes that are not a FromFunction",
                       answer.size);
    net_target_destroy(&target);
    buffer_destroy(&answer);
    return good;
}

static bool check_url(const char *url, struct sf_status *status)
{
    struct net_target target;
    if (!net_target_parse(url, &target, status))
        return sf_wrap(status, "URL '%s'", url);
    bool is_tls = target.is_tls;
    net_target_destroy(&target);
    return !is_tls ||
           sf_fail(status, SF_UNSUPPORTED, "URL '%s': a harness speaks plain HTTP only", url);
}

bool sf_harness_add_remote(struct sf_harness *harness, const char *types, const char *url,
                           struct sf_status *status)
{
    if (harness->is_started)
        return sf_fail(status, SF_CONFLICT, "functions are added after the first run");
    if (!check_url(url, status))
        return false;
    struct remote_functions *remote = mem_new(sizeof *remote);
    remote->types = mem_string(types);
    remote->url = mem_string(url);
    remote->call = call_remote;
    remote->function = (struct sf_function){.type = remote->types, .call = call_nothing};
    list_put_last(&harness->remotes, &remote->link);
    if (sf_bind(&harness->registry.module, &remote->function, status))
        return true;
    list_take(&remote->link);
    free(remote->types);
    free(remote->url);
    free(remote);
    return false;
}
