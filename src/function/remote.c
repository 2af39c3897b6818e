/* remote.c - one pool of connections for each function type; requests written straight into them.
 *
 * A few connections are opened as soon as there is use for them. Beyond those, requests to a
 * function that answers quickly go out behind each other on the same connections, several in one
 * write; one that is slow gets more connections. How many requests are under way at all is the
 * pacer's business.
 *
 * Where a function's server takes bundles, invocations go that way (bundles.c). */
#include "function/remote_inside.h"

#include "base/log.h"

#include <assert.h>
#include <strings.h>

enum { CONNECTIONS_FIRST = 4 };

/* An endpoint's gate, as this worker sees it. */
struct entrance {
    struct remote *remote;
    struct gate *gate; /* NULL: there is none */
    struct gate_guest guest;
    struct list held; /* attempts that wait to enter, oldest first */
    struct loop_timer timer;
};

static void on_wake(struct loop_waker *waker);
static void on_entrance_timer(struct loop_timer *timer);

/* Any thread. */
static void on_gate_call(void *owner)
{
    loop_wake(((struct entrance *)owner)->remote->loop);
}

static void init_entrances(struct remote *remote)
{
    const struct endpoints *endpoints = remote->endpoints;
    remote->entrances = mem_new(endpoints->count * sizeof *remote->entrances);
    for (size_t i = 0; i < endpoints->count; i++) {
        struct entrance *entrance = &remote->entrances[i];
        entrance->remote = remote;
        entrance->gate = endpoints->items[i].gate;
        entrance->guest.call = on_gate_call;
        entrance->guest.owner = entrance;
        entrance->timer.on_timer = on_entrance_timer;
        list_init(&entrance->guest.node);
        list_init(&entrance->held);
        remote->has_gates |= entrance->gate != NULL;
    }
    remote->waker.on_wake = on_wake;
    if (remote->has_gates)
        loop_waker_add(remote->loop, &remote->waker);
}

struct remote *remote_new(struct loop *loop, const struct endpoints *endpoints,
                          const struct remote_options *options)
{
    struct remote *remote = mem_new(sizeof *remote);
    remote->loop = loop;
    remote->endpoints = endpoints;
    remote->pipeline_max = options->pipeline_max;
    remote->uses_bundles = options->uses_bundles;
    list_init(&remote->functions);
    list_init(&remote->to_flush);
    list_init(&remote->spare);
    list_init(&remote->spare_bundles);
    init_entrances(remote);
    return remote;
}

void remote_set_engine(struct remote *remote, struct engine *engine)
{
    remote->engine = engine;
}

static void cancel_attempts(struct list *attempts)
{
    list_for_each_safe (attempts, node) {
        struct attempt *attempt = container_of(node, struct attempt, link);
        if (!attempt->is_bundled)
            http_pool_cancel(attempt->function->pool, &attempt->call);
        free(attempt);
    }
}

static void free_entrances(struct remote *remote)
{
    for (size_t i = 0; i < remote->endpoints->count; i++) {
        struct entrance *entrance = &remote->entrances[i];
        cancel_attempts(&entrance->held);
        loop_timer_cancel(remote->loop, &entrance->timer);
        if (entrance->gate)
            gate_forget(entrance->gate, &entrance->guest);
    }
    if (remote->has_gates)
        loop_waker_remove(remote->loop, &remote->waker);
    free(remote->entrances);
}

void remote_free(struct remote *remote)
{
    if (!remote)
        return;
    free_entrances(remote);
    list_for_each_safe (&remote->functions, node) {
        struct remote_function *function = container_of(node, struct remote_function, all);
        bundles_free(function);
        cancel_attempts(&function->under_way);
        http_pool_free(function->pool);
        loop_timer_cancel(remote->loop, &function->age);
        net_target_destroy(&function->target);
        free(function->url);
        free((void *)function->ns.data);
        free((void *)function->name.data);
        free(function);
    }
    list_for_each_safe (&remote->spare, node)
        free(container_of(node, struct attempt, link));
    bundles_free_spare(remote);
    arena_destroy(&remote->arena);
    free(remote);
}

/* --- functions --- */

/* A name may come from a stranger, through an ingress and a namespace that is bound as a whole. */
static void add_name(struct buffer *url, struct bytes name)
{
    for (size_t i = 0; i < name.size; i++) {
        uint8_t c = name.data[i];
        if (c <= ' ' || c >= 0x7f || strchr("\"<>\\^`{|}", c))
            buffer_add_format(url, "%%%02X", c);
        else
            buffer_add_u8(url, c);
    }
}

char *remote_url(const char *url_template, struct bytes name)
{
    static const char placeholder[] = "{function.name}";
    struct buffer url = {0};
    const char *at = url_template, *found;
    while ((found = strstr(at, placeholder))) {
        buffer_add(&url, at, (size_t)(found - at));
        add_name(&url, name);
        at = found + sizeof placeholder - 1;
    }
    buffer_add_text(&url, at);
    return buffer_text(&url); /* the buffer's memory becomes the string's */
}

static struct bytes owned(struct bytes bytes)
{
    return bytes_make(bytes_string(bytes), bytes.size);
}

static void tell_engine(struct remote_function *function)
{
    size_t allowed = pacer_allowed(&function->pacer);
    size_t most = function->endpoint->spec->in_flight_max;
    if (most && most < allowed)
        allowed = most;
    if (allowed == function->allowed)
        return;
    function->allowed = allowed;
    engine_allow(function->remote->engine, function, allowed);
}

static void watch_age(struct remote_function *function)
{
    struct loop *loop = function->remote->loop;
    if (!heap_holds(&function->age.due))
        loop_timer_set(loop, &function->age, loop_now_ms(loop) + PACER_OLD_MS / 2);
}

/* The limit was reached not long ago. */
static void on_age(struct loop_timer *timer)
{
    struct remote_function *function = container_of(timer, struct remote_function, age);
    uint64_t now_us = clock_now_us();
    list_for_each (&function->under_way, node) { /* the oldest first */
        struct attempt *attempt = container_of(node, struct attempt, link);
        if (now_us - attempt->started_us < PACER_OLD_MS * 1000)
            break;
        if (!attempt->is_old)
            pacer_grew_old(&function->pacer);
        attempt->is_old = true;
    }
    tell_engine(function);
    if (function->pacer.under_way >= function->allowed && function->allowed < function->pacer.most)
        watch_age(function);
}

struct http_pool *remote_pool_new(struct remote_function *function, const char *content_type)
{
    const struct endpoint *endpoint = function->endpoint;
    const struct transport_spec *transport = &endpoint->spec->transport;
    return http_pool_new(function->remote->loop, &function->target,
                         &(struct http_pool_options){
                             .protocol = endpoint_protocol(endpoint->spec),
                             .connections_max = transport->pool_size,
                             .connections_first = CONNECTIONS_FIRST,
                             .pipeline_max = function->remote->pipeline_max,
                             .response_bytes_max = transport->payload_max_bytes,
                             .connect_ms_max = transport->connect_ms,
                             .write_ms_max = transport->write_ms,
                             .read_ms_max = transport->read_ms,
                             .connection_ms_max = transport->pool_ttl_ms,
                             .tls = endpoint->tls,
                             .content_type = content_type,
                         });
}

struct remote_function *remote_attach(struct remote *remote, struct bytes ns, struct bytes name)
{
    const struct endpoint *endpoint = endpoints_find(remote->endpoints, ns, name);
    assert(endpoint && "the engine attaches only what is bound");
    const struct transport_spec *transport = &endpoint->spec->transport;

    /* The template was checked when the module was read; a strange name can still spoil it. */
    char *url = remote_url(endpoint->spec->url_template, name);
    struct net_target target;
    struct sf_status status;
    if (!net_target_parse(url, &target, &status)) {
        log_warn("a function cannot be reached", LOG_BYTES("namespace", ns),
                 LOG_BYTES("name", name), LOG_TEXT("cause", status.message));
        free(url);
        return NULL;
    }

    struct remote_function *function = mem_new(sizeof *function);
    function->remote = remote;
    function->endpoint = endpoint;
    if (endpoint->gate)
        function->entrance = &remote->entrances[endpoint - remote->endpoints->items];
    function->ns = owned(ns);
    function->name = owned(name);
    function->url = url;
    function->timeout_ms = transport->call_ms;
    function->path = target.path;
    function->target = target;
    function->pool = remote_pool_new(function, NULL);
    pacer_init(&function->pacer, transport->pool_size);
    function->age.on_timer = on_age;
    bundles_init(function);
    list_init(&function->under_way);
    list_put_last(&remote->functions, &function->all);
    return function;
}

/* --- attempts --- */

/* What the endpoint's requests carry besides, as it is now. */
void remote_refresh_headers(struct remote_function *function)
{
    struct headers *headers = function->endpoint->headers;
    unsigned version = headers_version(headers); /* before the copy: what comes later is news */
    if (version == function->headers_version)
        return;
    struct header_values values;
    headers_copy(headers, &values);
    http_pool_set_headers(function->pool, values.items, values.count);
    if (function->bundle_pool)
        http_pool_set_headers(function->bundle_pool, values.items, values.count);
    header_values_destroy(&values);
    function->headers_version = version;
}

void attempt_note_sent(struct attempt *attempt, uint64_t now_us)
{
    struct remote_function *function = attempt->function;
    attempt->started_us = now_us;
    list_put_last(&function->under_way, &attempt->link);
    pacer_sent(&function->pacer);
    if (function->pacer.under_way >= function->allowed)
        watch_age(function);
}

static void send_attempt(struct attempt *attempt)
{
    attempt_note_sent(attempt, clock_now_us());
    http_pool_send(attempt->function->pool, &attempt->call);
}

/* Sends what the gate lets pass. */
static void admit(struct entrance *entrance)
{
    struct loop *loop = entrance->remote->loop;
    while (!list_is_empty(&entrance->held)) {
        uint64_t wait_us;
        if (!gate_enter(entrance->gate, &entrance->guest, clock_now_us(), &wait_us)) {
            if (wait_us)
                loop_timer_set(loop, &entrance->timer, loop_now_ms(loop) + wait_us / 1000 + 1);
            return;
        }
        struct list *first = list_take_first(&entrance->held);
        send_attempt(container_of(first, struct attempt, link));
    }
}

static void on_entrance_timer(struct loop_timer *timer)
{
    admit(container_of(timer, struct entrance, timer));
}

static void on_wake(struct loop_waker *waker)
{
    struct remote *remote = container_of(waker, struct remote, waker);
    for (size_t i = 0; i < remote->endpoints->count; i++)
        admit(&remote->entrances[i]);
}

void attempt_end(struct attempt *attempt, uint64_t now_us)
{
    struct remote_function *function = attempt->function;
    struct remote *remote = function->remote;
    uint64_t took_us = now_us - attempt->started_us;
    histogram_add(&function->figures.latency, took_us);
    list_take(&attempt->link);
    list_put_first(&remote->spare, &attempt->link);
    if (function->entrance)
        gate_leave(function->entrance->gate);
    pacer_answered(&function->pacer, took_us, attempt->is_old);
    tell_engine(function);
}

void attempt_fail(struct attempt *attempt, bool of_endpoint, uint64_t retry_after_ms,
                  const char *cause)
{
    struct remote *remote = attempt->function->remote;
    struct invocation *invocation = attempt->invocation;
    struct failure failure = {
        .of_endpoint = of_endpoint,
        .retry_after_ms = retry_after_ms,
        .cause = bytes_of(cause),
    };
    attempt->function->figures.failures++;
    attempt_end(attempt, clock_now_us());
    engine_fail(remote->engine, invocation, &failure);
}

/* okhttp wants exactly this type, async the same in any case; neither takes parameters. */
static bool is_octet_stream(const struct transport_spec *transport, struct bytes type)
{
    static const char wanted[] = "application/octet-stream";
    return transport->kind == TRANSPORT_OKHTTP
               ? bytes_is(type, wanted)
               : type.size == sizeof wanted - 1 &&
                     strncasecmp((const char *)type.data, wanted, type.size) == 0;
}

bool remote_read_response(const struct transport_spec *transport,
                          const struct http_response *response, struct arena *arena,
                          struct from_function *ret_reply, struct sf_status *status)
{
    if (response->status < 200 || response->status > 299)
        return sf_fail(status, SF_INVALID, "the function answers HTTP status %d (%s), expected 2xx",
                       response->status, http_reason(response->status));
    /* An empty body says that nothing happened, whatever its type: protocol.md 3.2. */
    if (response->body.size && !is_octet_stream(transport, response->content_type))
        return sf_fail(status, SF_INVALID,
                       "the function answers with content type '%.*s', expected "
                       "'application/octet-stream'",
                       BYTES_ARG(response->content_type));
    return from_function_parse(response->body, arena, ret_reply, status) ||
           sf_wrap(status, "the function answers with %zu bytes that are not a FromFunction",
                   response->body.size);
}

void attempt_conclude(struct attempt *attempt, uint64_t now_us,
                      const struct http_response *response, uint64_t version)
{
    struct remote_function *function = attempt->function;
    struct remote *remote = function->remote;
    struct from_function reply;
    struct sf_status status;

    arena_clear(&remote->arena);
    if (!remote_read_response(&function->endpoint->spec->transport, response, &remote->arena,
                              &reply, &status)) {
        attempt_fail(attempt, false, response->retry_after_ms, status.message);
        return;
    }
    struct invocation *invocation = attempt->invocation;
    reply.version = version;
    attempt_end(attempt, now_us);
    engine_reply(remote->engine, invocation, &reply);
}

static void on_response(struct http_client_call *call, const struct http_response *response)
{
    struct attempt *attempt = container_of(call, struct attempt, call);
    attempt->function->figures.response_bytes += response->body.size;
    bundles_note_offer(attempt->function, response);
    attempt_conclude(attempt, clock_now_us(), response, 0);
}

static void on_failure(struct http_client_call *call, enum http_failure failure,
                       const char *message)
{
    struct attempt *attempt = container_of(call, struct attempt, call);
    attempt_fail(attempt, failure == HTTP_UNREACHABLE, 0, message);
}

struct attempt *attempt_take(struct remote_function *function, struct invocation *invocation)
{
    struct list *node = list_take_first(&function->remote->spare);
    struct attempt *attempt =
        node ? container_of(node, struct attempt, link) : mem_new(sizeof *attempt);
    list_init(&attempt->link);
    attempt->call = (struct http_client_call){.on_response = on_response, .on_failure = on_failure};
    attempt->function = function;
    attempt->invocation = invocation;
    attempt->is_old = attempt->is_bundled = attempt->has_versions = false;
    return attempt;
}

static void invoke_plainly(struct remote_function *function, struct invocation *invocation,
                           const struct to_function *request)
{
    struct attempt *attempt = attempt_take(function, invocation);
    remote_refresh_headers(function);
    size_t size = to_function_size(request);
    uint8_t *body =
        http_pool_begin(function->pool, &attempt->call, function->path, size, function->timeout_ms);
    uint8_t *end = to_function_put(body, request);
    assert(end == body + size);
    (void)end;
    function->figures.requests++;
    function->figures.request_bytes += size;
    if (!function->entrance) {
        send_attempt(attempt);
        return;
    }
    list_put_last(&function->entrance->held, &attempt->link);
    admit(function->entrance);
}

void remote_invoke(struct remote *remote, struct remote_function *function,
                   struct invocation *invocation, const struct to_function *request)
{
    (void)remote;
    if (bundles_take(function, invocation)) {
        bundles_add(function, invocation, request);
        return;
    }
    struct to_function plain = *request;
    plain.version = 0; /* with all values */
    invoke_plainly(function, invocation, &plain);
}

void remote_flush(struct remote *remote)
{
    while (!list_is_empty(&remote->to_flush))
        bundles_flush(list_first(&remote->to_flush, struct remote_function, to_flush));
}

void remote_each(const struct remote *remote,
                 void (*visit)(void *owner, const struct remote_figures *figures), void *owner)
{
    list_for_each (&remote->functions, node) {
        struct remote_function *function = container_of(node, struct remote_function, all);
        struct http_pool_figures pool;
        http_pool_figures(function->pool, &pool);
        function->figures.ns = function->ns;
        function->figures.name = function->name;
        function->figures.url = function->url;
        function->figures.connections = pool.connections + bundles_connections(function);
        visit(owner, &function->figures);
    }
}
