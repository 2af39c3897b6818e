/* bundles.c - many invocations of one function type in one request: docs/bundles.md.
 *
 * A function is spoken with plainly until a response says that its server takes bundles. What is
 * invoked within one turn then leaves in one request, or in several: none should keep the function
 * busy for more than BUNDLE_NS, by its own account of how long it takes, so that one invocation
 * does not wait long for others, and several threads of the server have something to do.
 *
 * A bundle that fails as a whole, for whatever reason, says nothing of the invocations in it. They
 * are repeated, plainly, and so is everything until the server offers bundles anew. The same
 * happens when the answer does not come soon: some invocation may hang, and the others should not
 * wait for it. So nothing ever fails because of a bundle. */
#include "function/remote_inside.h"

#include "base/log.h"

#include <assert.h>

enum {
    BUNDLE_BYTES = 256 * 1024, /* it is full with what passes this */
    BUNDLE_NS = 1000 * 1000,
    PATIENCE_MS = 250,
    TOOK_US_MAX = 60 * 1000 * 1000,
    RESTRAINT_MAX = 1023
};

struct bundle {
    struct list link; /* in function->bundles or remote->spare_bundles */
    struct http_client_call call;
    struct remote_function *function;
    struct loop_timer patience;
    struct buffer body; /* until it is sent */
    size_t count;
    struct attempt *attempts[BUNDLE_MAX];
    struct bundle_result results[BUNDLE_MAX];
};

/* --- restraint --- */

void restraint_grow(struct restraint *restraint)
{
    restraint->length =
        restraint->length < RESTRAINT_MAX ? 2 * restraint->length + 1 : RESTRAINT_MAX;
    restraint->left = restraint->length;
}

void restraint_shrink(struct restraint *restraint)
{
    restraint->length /= 2;
}

bool restraint_holds(struct restraint *restraint)
{
    if (!restraint->left)
        return false;
    restraint->left--;
    return true;
}

/* --- life --- */

void bundles_init(struct remote_function *function)
{
    list_init(&function->to_flush);
    list_init(&function->bundles);
    function->invocation_ns = BUNDLE_NS; /* until it is known: one in each */
}

static void bundle_free(struct bundle *bundle)
{
    buffer_destroy(&bundle->body);
    free(bundle);
}

static void on_response(struct http_client_call *call, const struct http_response *response);
static void on_failure(struct http_client_call *call, enum http_failure failure,
                       const char *message);
static void on_patience(struct loop_timer *timer);

static struct bundle *bundle_take(struct remote_function *function)
{
    struct list *node = list_take_first(&function->remote->spare_bundles);
    struct bundle *bundle =
        node ? container_of(node, struct bundle, link) : mem_new(sizeof *bundle);
    list_init(&bundle->link);
    bundle->call = (struct http_client_call){.on_response = on_response, .on_failure = on_failure};
    bundle->patience.on_timer = on_patience;
    bundle->function = function;
    bundle->count = 0;
    buffer_clear(&bundle->body);
    return bundle;
}

/* It is over. */
static void bundle_put_back(struct bundle *bundle)
{
    struct remote *remote = bundle->function->remote;
    loop_timer_cancel(remote->loop, &bundle->patience);
    list_take(&bundle->link);
    list_put_first(&remote->spare_bundles, &bundle->link);
}

void bundles_free(struct remote_function *function)
{
    struct bundle *filling = function->filling;
    for (size_t i = 0; filling && i < filling->count; i++)
        free(filling->attempts[i]);
    if (filling)
        bundle_free(filling);
    list_for_each_safe (&function->bundles, node) {
        struct bundle *bundle = container_of(node, struct bundle, link);
        http_pool_cancel(function->bundle_pool, &bundle->call);
        loop_timer_cancel(function->remote->loop, &bundle->patience);
        bundle_free(bundle);
    }
    http_pool_free(function->bundle_pool);
}

void bundles_free_spare(struct remote *remote)
{
    list_for_each_safe (&remote->spare_bundles, node)
        bundle_free(container_of(node, struct bundle, link));
}

/* --- when --- */

/* Limits of requests are kept by who sends each invocation as one. */
static bool may_bundle(const struct remote_function *function)
{
    return function->remote->uses_bundles && !function->entrance;
}

void bundles_note_offer(struct remote_function *function, const struct http_response *response)
{
    if (function->takes_bundles || !may_bundle(function) || response->status != 200)
        return;
    const struct http_header *offer = http_find(response->head, BUNDLE_HEADER);
    if (offer && http_has_token(offer->value, BUNDLE_VERSION))
        function->takes_bundles = !restraint_holds(&function->offers);
}

bool bundles_take(const struct remote_function *function, const struct invocation *invocation)
{
    return function->takes_bundles && !invocation_goes_alone(invocation);
}

static size_t count_max(const struct remote_function *function)
{
    uint64_t count = BUNDLE_NS / (function->invocation_ns + 1);
    return count < 1 ? 1 : count > BUNDLE_MAX ? BUNDLE_MAX : (size_t)count;
}

static void learn(struct remote_function *function, uint64_t took_us, size_t count)
{
    assert(count > 0);
    if (took_us > TOOK_US_MAX)
        took_us = TOOK_US_MAX;
    function->invocation_ns = (3 * function->invocation_ns + took_us * 1000 / count) / 4;
}

/* --- out --- */

static void bundle_send(struct bundle *bundle)
{
    struct remote_function *function = bundle->function;
    struct loop *loop = function->remote->loop;
    function->filling = NULL;
    list_take(&function->to_flush);
    if (!function->bundle_pool) {
        function->bundle_pool = remote_pool_new(function, BUNDLE_TYPE);
        function->headers_version = 0; /* it has none yet */
    }
    remote_refresh_headers(function);

    size_t size = bundle->body.size;
    uint8_t *body = http_pool_begin(function->bundle_pool, &bundle->call, function->path, size,
                                    function->timeout_ms);
    memcpy(body, bundle->body.data, size);
    uint64_t now_us = clock_now_us();
    for (size_t i = 0; i < bundle->count; i++)
        attempt_note_sent(bundle->attempts[i], now_us);
    http_pool_send(function->bundle_pool, &bundle->call);
    list_put_last(&function->bundles, &bundle->link);
    if (bundle->count > 1)
        loop_timer_set(loop, &bundle->patience, loop_now_ms(loop) + PATIENCE_MS);
    function->figures.requests++;
    function->figures.request_bytes += size;
    function->figures.bundles++;
    function->figures.bundled += bundle->count;
}

static bool refers_to_kept(const struct to_function *request)
{
    for (size_t i = 0; request->version && i < request->state_count; i++)
        if (request->states[i].kept)
            return true;
    return false;
}

void bundles_add(struct remote_function *function, struct invocation *invocation,
                 const struct to_function *request)
{
    if (!function->filling) {
        function->filling = bundle_take(function);
        list_put_last(&function->remote->to_flush, &function->to_flush);
    }
    struct bundle *bundle = function->filling;
    struct to_function as_sent = *request;
    struct attempt *attempt = attempt_take(function, invocation);
    attempt->is_bundled = true;
    attempt->has_versions = refers_to_kept(request) && !restraint_holds(&function->versions);
    if (!attempt->has_versions)
        as_sent.version = 0;
    bundle->attempts[bundle->count++] = attempt;

    size_t size = bundle_item_size(&as_sent);
    (void)bundle_item_put(buffer_reserve(&bundle->body, size), &as_sent);
    bundle->body.size += size;
    if (bundle->count >= count_max(function) || bundle->body.size > BUNDLE_BYTES)
        bundle_send(bundle);
}

void bundles_flush(struct remote_function *function)
{
    bundle_send(function->filling);
}

/* --- back --- */

/* All of it is sent again, plainly. */
static void give_up(struct bundle *bundle, const char *cause)
{
    struct remote_function *function = bundle->function;
    struct remote *remote = function->remote;
    uint64_t now_us = clock_now_us();
    log_debug("a bundle of invocations has failed: they are sent one by one",
              LOG_TEXT("url", function->url), LOG_TEXT("cause", cause));
    function->takes_bundles = false;
    restraint_grow(&function->offers);
    function->figures.bundles_failed++;
    for (size_t i = 0; i < bundle->count; i++) {
        struct attempt *attempt = bundle->attempts[i];
        struct invocation *invocation = attempt->invocation;
        attempt_end(attempt, now_us);
        engine_repeat(remote->engine, invocation);
    }
    bundle_put_back(bundle);
}

static void on_patience(struct loop_timer *timer)
{
    struct bundle *bundle = container_of(timer, struct bundle, patience);
    struct remote_function *function = bundle->function;
    http_pool_cancel(function->bundle_pool, &bundle->call);
    learn(function, PATIENCE_MS * 1000, 1);
    give_up(bundle, "no answer for some time");
}

/* What fails is the only invocation in it, or the endpoint: as if it had been plain. */
static void fail_all(struct bundle *bundle, bool of_endpoint, const char *message)
{
    bundle->function->takes_bundles = false;
    for (size_t i = 0; i < bundle->count; i++)
        attempt_fail(bundle->attempts[i], of_endpoint, 0, message);
    bundle_put_back(bundle);
}

static void on_failure(struct http_client_call *call, enum http_failure failure,
                       const char *message)
{
    struct bundle *bundle = container_of(call, struct bundle, call);
    if (failure == HTTP_UNREACHABLE)
        fail_all(bundle, true, message);
    else if (failure == HTTP_TIMED_OUT && bundle->count == 1)
        fail_all(bundle, false, message);
    else
        give_up(bundle, message);
}

static bool read_answer(struct bundle *bundle, const struct http_response *response,
                        struct sf_status *status)
{
    uint64_t took_us;
    if (response->status != 200)
        return sf_fail(status, SF_INVALID, "HTTP status %d", response->status);
    if (!http_is_media_type(http_media_type(response->content_type), BUNDLE_TYPE))
        return sf_fail(status, SF_INVALID, "content type '%.*s'",
                       BYTES_ARG(response->content_type));
    if (!bundle_answer_parse(response->body, bundle->count, bundle->results, &took_us, status))
        return sf_wrap(status, "the answer");
    if (!took_us) /* it does not tell: this is with all that stood between */
        took_us = clock_now_us() - bundle->attempts[0]->started_us;
    learn(bundle->function, took_us, bundle->count);
    return true;
}

static void conclude(struct attempt *attempt, const struct bundle_result *result, uint64_t now_us)
{
    struct remote_function *function = attempt->function;
    struct restraint *versions = &function->versions;
    if (attempt->has_versions && result->status == BUNDLE_STATUS_UNKNOWN) {
        struct invocation *invocation = attempt->invocation;
        restraint_grow(versions);
        function->figures.kept_unknown++;
        attempt_end(attempt, now_us);
        engine_repeat(function->remote->engine, invocation);
        return;
    }
    if (attempt->has_versions) {
        restraint_shrink(versions);
        function->figures.kept_known++;
    }
    attempt_conclude(attempt, now_us,
                     &(struct http_response){.status = result->status,
                                             .content_type = bytes_of("application/octet-stream"),
                                             .body = result->body},
                     result->version);
}

static void on_response(struct http_client_call *call, const struct http_response *response)
{
    struct bundle *bundle = container_of(call, struct bundle, call);
    struct remote_function *function = bundle->function;
    struct sf_status status;
    function->figures.response_bytes += response->body.size;
    if (!read_answer(bundle, response, &status)) {
        give_up(bundle, status.message);
        return;
    }
    restraint_shrink(&function->offers);
    uint64_t now_us = clock_now_us();
    for (size_t i = 0; i < bundle->count; i++)
        conclude(bundle->attempts[i], &bundle->results[i], now_us);
    bundle_put_back(bundle);
}

size_t bundles_connections(const struct remote_function *function)
{
    struct http_pool_figures figures = {0};
    if (function->bundle_pool)
        http_pool_figures(function->bundle_pool, &figures);
    return figures.connections;
}
