/* probe.c - one call on a loop of its own. */
#include "function/probe.h"

#include "function/remote.h"
#include "net/http_client.h"

struct probe {
    struct http_client_call call;
    const struct endpoint_spec *endpoint;
    bool any_answer; /* whatever it is: the name in the URL was made up */
    bool is_done, is_good;
    struct sf_status *status;
};

static void on_response(struct http_client_call *call, const struct http_response *response)
{
    struct probe *probe = container_of(call, struct probe, call);
    struct arena arena = {0};
    struct from_function reply;
    probe->is_done = true;
    probe->is_good =
        probe->any_answer ||
        remote_read_response(&probe->endpoint->transport, response, &arena, &reply, probe->status);
    arena_destroy(&arena);
}

static void on_failure(struct http_client_call *call, enum http_failure failure,
                       const char *message)
{
    struct probe *probe = container_of(call, struct probe, call);
    probe->is_done = true;
    probe->is_good =
        sf_fail(probe->status, failure == HTTP_TIMED_OUT ? SF_TIMEOUT : SF_IO, "%s", message);
}

/* The least that is a request: an address of the function, no messages, no states. */
static void send_request(struct http_pool *pool, struct probe *probe, const char *path,
                         struct bytes name, uint64_t timeout_ms)
{
    struct address address;
    struct arena arena = {0};
    struct sf_status status;
    bool made = address_make(bytes_of(probe->endpoint->functions.ns), name,
                             bytes_of("statefun-check"), &arena, &address, &status);
    struct to_function request = {.target = made ? address.wire : (struct bytes){0}};
    uint8_t *body =
        http_pool_begin(pool, &probe->call, path, to_function_size(&request), timeout_ms);
    to_function_put(body, &request);
    http_pool_send(pool, &probe->call);
    arena_destroy(&arena);
}

/* One call to a function of the endpoint's, over a connection of its own. */
static void probe_call(struct probe *probe, const struct endpoint *endpoint,
                       const struct net_target *target, struct bytes name, uint64_t timeout_ms)
{
    struct loop *loop = loop_new();
    struct http_pool *pool =
        http_pool_new(loop, target,
                      &(struct http_pool_options){
                          .protocol = endpoint_protocol(endpoint->spec),
                          .connections_max = 1,
                          .connections_first = 1,
                          .pipeline_max = 1,
                          .response_bytes_max = endpoint->spec->transport.payload_max_bytes,
                          .connect_ms_max = timeout_ms,
                          .tls = endpoint->tls,
                      });
    struct header_values headers;
    headers_copy(endpoint->headers, &headers);
    http_pool_set_headers(pool, headers.items, headers.count);
    header_values_destroy(&headers);
    send_request(pool, probe, target->path, name, timeout_ms);
    while (!probe->is_done)
        loop_turn(loop, -1); /* the call's timeout ends it */
    http_pool_free(pool);
    loop_free(loop);
}

bool endpoint_probe(const struct endpoint_spec *spec, uint64_t timeout_ms, struct sf_status *status)
{
    struct probe probe = {
        .call = {.on_response = on_response, .on_failure = on_failure},
        .endpoint = spec,
        .any_answer = !spec->functions.name,
        .status = status,
    };
    struct endpoint endpoint;
    struct net_target target;
    struct bytes name = bytes_of(spec->functions.name ? spec->functions.name : "check");
    if (!endpoint_open(spec, &endpoint, NULL, status))
        return false;
    char *url = remote_url(spec->url_template, name);
    if (net_target_parse(url, &target, status)) {
        probe_call(&probe, &endpoint, &target, name, timeout_ms);
        if (!probe.is_good)
            sf_wrap(status, "%s", url);
        net_target_destroy(&target);
    }
    endpoint_close(&endpoint);
    free(url);
    return probe.is_good;
}
