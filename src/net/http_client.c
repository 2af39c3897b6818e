/* http_client.c - the pool: which call goes where, and how it ends. On the loop's thread.
 *
 * A call waits in line until pool_dispatch finds it a channel: one of HTTP/2 that takes another
 * stream, or else
 *
 *   1. an idle one, the one used last first: its memory is in the cache, and those that are not
 * needed grow old and are closed;
 *   2. a new one, as long as there may be more of them; one is opened for each call that waits, and
 * the call goes to whichever channel is ready first;
 *   3. the one with the fewest calls under way, of those that have proven themselves.
 *
 * Channels are kept in lists by what can be done with them, so that none of this looks for
 * anything. */
#include "net/client.h"

#include "base/histogram.h"
#include "base/mem.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

enum {
    REQUEST_FIRST = 512,           /* bytes of a small request's memory */
    REQUEST_KEPT_MAX = 16 * 1024,  /* larger ones are not kept for the next call */
    SPARE_BYTES_MAX = 1024 * 1024, /* of all requests that wait for a next call */
    QUICK_US = 3000,               /* calls that take longer share no channel */
    FORGETTING = 256,              /* answers, until the quickest one has half its weight */
    STALL_MS = 100,                /* a call that takes longer holds up nobody behind it */
    REOPEN_MS = 100,               /* no connection, but others work: try again after this */
    DECIMAL_MAX = 20,
    OWN_FIELDS = 6, /* lines of a head, without the length */
    MESSAGE_MAX = 240
};

static void on_task(struct loop_task *task);
static void on_reopen(struct loop_timer *timer);
static void on_patience(struct loop_timer *timer);
static void on_stall(struct loop_timer *timer);
static void on_deadline(struct loop_timer *timer);

/* The lines of head_rest that HTTP/2 sends too. It has no connections to keep, and calls the host
 * by another name. */
static void find_fields(struct http_pool *pool, size_t most)
{
    struct bytes rest = buffer_bytes(&pool->head_rest);
    free(pool->fields);
    pool->fields = mem_new(most * sizeof *pool->fields);
    pool->field_count = 0;
    for (const uint8_t *end; (end = memmem(rest.data, rest.size, "\r\n", 2));) {
        struct bytes line = bytes_make(rest.data, (size_t)(end - rest.data));
        rest = bytes_from(rest, line.size + 2);
        const uint8_t *colon = memchr(line.data, ':', line.size);
        if (!colon)
            continue; /* the request line's end */
        struct bytes name = bytes_make(line.data, (size_t)(colon - line.data));
        if (!bytes_is(name, "connection") && !bytes_is(name, "host"))
            pool->fields[pool->field_count++] =
                (struct http_header){name, bytes_from(line, name.size + 2)};
    }
    assert(pool->field_count <= most);
}

void http_pool_set_headers(struct http_pool *pool, const struct http_header *headers, size_t count)
{
    const char *type = pool->options.content_type;
    if (!type)
        type = "application/octet-stream";
    buffer_clear(&pool->head_rest);
    /* The order and case are what StateFun's own runtime sends (protocol.md 3.1). */
    buffer_add_format(&pool->head_rest,
                      " HTTP/1.1\r\n"
                      "content-type: %s\r\n"
                      "accept: %s\r\n"
                      "accept-encoding: gzip,deflate\r\n"
                      "connection: keep-alive\r\n"
                      "user-agent: statefun\r\n"
                      "host: %s",
                      type, type, pool->authority);
    for (size_t i = 0; i < count; i++)
        buffer_add_format(&pool->head_rest, "\r\n%.*s: %.*s", BYTES_ARG(headers[i].name),
                          BYTES_ARG(headers[i].value));
    buffer_add_text(&pool->head_rest, "\r\ncontent-length: ");
    find_fields(pool, count + OWN_FIELDS);
}

static void init_addresses(struct http_pool *pool, const struct net_target *target)
{
    struct socket_address *first = &pool->addresses.list[0];
    if (!target->is_unix) {
        pool->is_name = !lookup_numeric(target->host, target->port, &pool->addresses);
    } else if (socket_path_address(target->host, (struct sockaddr_un *)&first->storage)) {
        first->size = sizeof(struct sockaddr_un);
        pool->addresses.count = 1;
    }
}

struct http_pool *http_pool_new(struct loop *loop, const struct net_target *target,
                                const struct http_pool_options *options)
{
    assert(target->is_tls == (options->tls != NULL));
    assert(options->connections_max > 0 && options->pipeline_max > 0);
    struct http_pool *pool = mem_new(sizeof *pool);
    pool->loop = loop;
    pool->options = *options;
    pool->host = mem_string(target->host);
    pool->port = target->port;
    pool->authority = mem_string(target->authority);
    http_pool_set_headers(pool, NULL, 0);
    init_addresses(pool, target);

    list_init(&pool->begun);
    list_init(&pool->line);
    list_init(&pool->again);
    list_init(&pool->spare_requests);
    list_init(&pool->connecting);
    list_init(&pool->roomy);
    list_init(&pool->resting);
    list_init(&pool->closed);
    list_init(&pool->dirty);
    pool->by_depth = mem_new(options->pipeline_max * sizeof *pool->by_depth);
    for (size_t i = 0; i < options->pipeline_max; i++)
        list_init(&pool->by_depth[i]);

    pool->shares_new =
        options->protocol == HTTP_2 || (options->protocol == HTTP_2_OR_1 && options->tls);
    pool->task.on_task = on_task;
    pool->reopen.on_timer = on_reopen;
    pool->patience.on_timer = on_patience;
    pool->stall.on_timer = on_stall;
    pool->service_us = UINT32_MAX; /* until there is an answer */
    pool->jitter = loop_wall_ms(loop) ^ (uint64_t)(uintptr_t)pool;
    pool->scratch = mem_new_raw(SCRATCH_SIZE);
    return pool;
}

/* --- requests: their memory, and how they end --- */

static struct request *request_take(struct http_pool *pool)
{
    struct list *spare = list_take_first(&pool->spare_requests);
    if (spare) {
        struct request *request = container_of(spare, struct request, node);
        pool->spare_bytes -= request->capacity;
        return request;
    }
    struct request *request = mem_new(sizeof *request);
    request->pool = pool;
    request->deadline.on_timer = on_deadline;
    list_init(&request->node);
    return request;
}

static void request_free(struct request *request)
{
    free(request->data);
    free(request);
}

static void request_release(struct request *request)
{
    struct http_pool *pool = request->pool;
    loop_timer_cancel(pool->loop, &request->deadline);
    list_take(&request->node);
    if (request->call) {
        request->call->transport = NULL;
        request->call = NULL;
        pool->call_count--;
    }
    if (request->capacity > REQUEST_KEPT_MAX ||
        pool->spare_bytes + request->capacity > SPARE_BYTES_MAX) {
        request_free(request);
        return;
    }
    request->channel = NULL;
    request->needs_fresh = false;
    request->sent = 0;
    request->refusals = 0;
    pool->spare_bytes += request->capacity;
    list_put_first(&pool->spare_requests, &request->node);
}

static void request_reserve(struct request *request, size_t size)
{
    if (size <= request->capacity)
        return;
    size_t capacity = REQUEST_FIRST;
    while (capacity < size && capacity < REQUEST_KEPT_MAX)
        capacity *= 2;
    free(request->data); /* nothing in it is worth copying */
    request->capacity = capacity < size ? size : capacity;
    request->data = mem_new_raw(request->capacity);
}

bool pool_judge(struct request *request, const struct http_head *head, struct bytes body,
                struct outcome *ret_outcome)
{
    struct http_pool *pool = request->pool;
    const struct http_header *type = http_find(head, "content-type");
    *ret_outcome =
        (struct outcome){.response = {
                             .status = head->status,
                             .head = head,
                             .content_type = type ? type->value : (struct bytes){0},
                             .retry_after_ms = retry_after_ms(head, loop_wall_ms(pool->loop)),
                         }};
    ret_outcome->is_good =
        !request->call || decoder_run(&pool->decoder, head, body, pool->options.response_bytes_max,
                                      &ret_outcome->response.body, &ret_outcome->status);
    return ret_outcome->is_good;
}

static void pool_answer(struct request *request, const struct http_response *response)
{
    struct http_pool *pool = request->pool;
    struct http_client_call *call = request->call;
    request_release(request);
    if (call) {
        pool->is_calling = true;
        call->on_response(call, response);
        pool->is_calling = false;
    }
}

void pool_fail(struct request *request, enum http_failure failure, const char *message)
{
    struct http_pool *pool = request->pool;
    struct http_client_call *call = request->call;
    request_release(request);
    if (call) {
        pool->is_calling = true;
        call->on_failure(call, failure, message);
        pool->is_calling = false;
    }
}

void pool_conclude(struct request *request, const struct outcome *outcome)
{
    struct http_pool *pool = request->pool;
    if (outcome->is_good)
        pool_answer(request, &outcome->response);
    else
        pool_fail(request, outcome->status.code == SF_FULL ? HTTP_TOO_LARGE : HTTP_GARBAGE,
                  outcome->status.message);
    decoder_trim(&pool->decoder);
}

/* Fails all of a list, from which callbacks may take requests by cancelling them. */
static void fail_all(struct list *failing, enum http_failure failure, const char *message)
{
    for (struct list *node; (node = list_take_first(failing));)
        pool_fail(container_of(node, struct request, node), failure, message);
}

static void put_failing(struct list *failing, struct request *request)
{
    request->state = REQUEST_FAILING;
    request->channel = NULL;
    list_put_last(failing, &request->node);
}

/* --- the line --- */

static size_t waiting_count(const struct http_pool *pool)
{
    return pool->line_count + pool->again_count;
}

static void line_put(struct http_pool *pool, struct request *request, bool at_front)
{
    struct list *line = request->needs_fresh ? &pool->again : &pool->line;
    request->state = REQUEST_WAITING;
    request->channel = NULL;
    request->sent = 0;
    if (at_front)
        list_put_first(line, &request->node);
    else
        list_put_last(line, &request->node);
    if (request->needs_fresh)
        pool->again_count++;
    else
        pool->line_count++;
}

static void line_take(struct http_pool *pool, struct request *request)
{
    assert(request->state == REQUEST_WAITING);
    list_take(&request->node);
    if (request->needs_fresh)
        pool->again_count--;
    else
        pool->line_count--;
}

void pool_again(struct request *request, unsigned most, const char *message)
{
    if (++request->refusals > most)
        pool_fail(request, HTTP_BROKEN, message);
    else
        line_put(request->pool, request, true);
}

static struct request *line_take_first(struct http_pool *pool, struct list *line)
{
    struct request *request = list_first(line, struct request, node);
    line_take(pool, request);
    return request;
}

/* How many of those who wait have a connection on its way to them. */
static size_t expected_count(const struct http_pool *pool)
{
    return pool->shares_new && pool->connecting_count ? SIZE_MAX : pool->connecting_count;
}

/* No connection can be had. Where there is none at all, nobody who waits can be helped; where there
 * are others, only those who will not do with them cannot. */
static void pool_cannot_open(struct http_pool *pool, const char *message)
{
    bool others_live = pool->channel_count > pool->connecting_count;
    struct list failing;
    list_init(&failing);

    while (pool->again_count > expected_count(pool))
        put_failing(&failing, line_take_first(pool, &pool->again));
    if (!others_live)
        while (pool->line_count && waiting_count(pool) > expected_count(pool))
            put_failing(&failing, line_take_first(pool, &pool->line));
    else if (!heap_holds(&pool->reopen.due))
        loop_timer_set(pool->loop, &pool->reopen, loop_now_ms(pool->loop) + REOPEN_MS);
    fail_all(&failing, others_live ? HTTP_BROKEN : HTTP_UNREACHABLE, message);
}

static void on_reopen(struct loop_timer *timer)
{
    pool_dispatch(container_of(timer, struct http_pool, reopen));
}

/* --- names --- */

static void on_found(void *owner, const struct addresses *addresses, const char *error)
{
    struct http_pool *pool = owner;
    pool->lookup = NULL;
    loop_timer_cancel(pool->loop, &pool->patience);
    pool->addresses = *addresses;
    pool->best_address = 0;
    if (error)
        pool_cannot_open(pool, error);
    else
        pool->is_outdated = false;
    pool_dispatch(pool);
}

static void on_patience(struct loop_timer *timer)
{
    struct http_pool *pool = container_of(timer, struct http_pool, patience);
    char message[MESSAGE_MAX];
    snprintf(message, sizeof message, "look up %.100s: no answer within %" PRIu64 " ms", pool->host,
             pool->options.connect_ms_max);
    pool_cannot_open(pool, message);
    pool_dispatch(pool);
}

/* True if addresses are known. Otherwise somebody is sent for them, whom pool_dispatch hears of. */
static bool pool_knows_addresses(struct http_pool *pool)
{
    if (!pool->is_name)
        return true;
    if (!pool->lookup && (pool->is_outdated || pool->addresses.count == 0))
        pool->lookup = lookup_new(pool->loop, pool->host, pool->port, on_found, pool);
    if (!pool->lookup)
        return true;
    if (!heap_holds(&pool->patience.due))
        loop_timer_set(pool->loop, &pool->patience,
                       loop_now_ms(pool->loop) + pool->options.connect_ms_max);
    return false;
}

/* --- channels --- */

void pool_displace(struct channel *channel)
{
    list_take(&channel->node);
    channel->pool->idle_count -= channel->is_idle;
    channel->is_idle = false;
}

void pool_place(struct channel *channel)
{
    struct http_pool *pool = channel->pool;
    struct list *place = &pool->resting;
    if (channel->http2) {
        if (!channel->is_retiring && http2_has_room(channel))
            place = &pool->roomy;
    } else if (!channel->is_retiring) {
        /* Nothing is put behind the first call on a channel: its answer may be that it closes. */
        bool is_proven = channel->depth == 0 || channel->has_answered;
        if (is_proven && channel->depth < pool->options.pipeline_max)
            place = &pool->by_depth[channel->depth];
    }
    pool_displace(channel);
    list_put_first(place, &channel->node);
    channel->is_idle = channel->depth == 0 && place != &pool->resting;
    pool->idle_count += channel->is_idle;
}

static uint64_t least_timeout_ms(const struct request *request);

static void pool_give(struct channel *channel, struct request *request)
{
    struct loop *loop = channel->pool->loop;
    uint64_t due_ms = loop_now_ms(loop) + least_timeout_ms(request);
    if (request->deadline.due.when > due_ms) /* it was left alone while the request waited */
        loop_timer_set(loop, &request->deadline, due_ms);
    if (channel->http2)
        http2_give(channel, request);
    else
        http1_give(channel, request);
}

void pool_channel_opened(struct channel *channel)
{
    struct http_pool *pool = channel->pool;
    pool->connecting_count--;
    pool->opened++;
    pool->shares_new = channel->http2 != NULL;
    pool_place(channel);
    while (pool->again_count &&
           (channel->depth == 0 || (channel->http2 && http2_has_room(channel))))
        pool_give(channel, line_take_first(pool, &pool->again));
}

void pool_channel_failed(struct channel *channel, const char *message)
{
    struct http_pool *pool = channel->pool;
    channel_close(channel);
    pool->is_outdated = true;
    pool_cannot_open(pool, message);
}

void pool_break(struct channel *channel, bool stale, struct request *culprit,
                enum http_failure failure, const char *message)
{
    struct http_pool *pool = channel->pool;
    struct list failing;
    list_init(&failing);

    while (
        !list_is_empty(&channel->requests)) { /* from the last on, so that they keep their order */
        struct request *request = list_last(&channel->requests, struct request, node);
        bool was_begun = request->sent > 0;
        bool is_innocent = stale || request != culprit;
        bool goes_again = is_innocent && !(was_begun && request->needs_fresh);
        http2_forget(request);
        list_take(&request->node);
        if (goes_again && request->call) {
            request->needs_fresh |= was_begun;
            line_put(pool, request, true);
        } else {
            request->state = REQUEST_FAILING;
            list_put_first(&failing, &request->node);
        }
    }
    channel->depth = 0;
    channel->unsent = NULL;
    channel_close(channel);

    if (culprit && culprit->state == REQUEST_FAILING) {
        list_take(&culprit->node);
        pool_fail(culprit, failure, message);
    }
    if (!list_is_empty(&failing)) {
        char text[MESSAGE_MAX];
        snprintf(text, sizeof text, "another call on the same connection failed: %.180s", message);
        fail_all(&failing, HTTP_BROKEN, text);
    }
}

/* The idle channel that was used longest ago; there is one. */
static struct channel *pool_coldest(struct http_pool *pool)
{
    if (!list_is_empty(&pool->by_depth[0]))
        return list_last(&pool->by_depth[0], struct channel, node);
    struct channel *coldest = list_last(&pool->roomy, struct channel, node);
    while (!coldest->is_idle)
        coldest = list_last(&coldest->node, struct channel, node);
    return coldest;
}

/* True if a channel was opened or is on its way now. */
static bool pool_open_one(struct http_pool *pool)
{
    bool someone_waits_for_it = waiting_count(pool) > expected_count(pool);
    bool only_new_will_do = pool->again_count > expected_count(pool);
    bool is_full = pool->channel_count == pool->options.connections_max;
    if (!someone_waits_for_it || heap_holds(&pool->reopen.due))
        return false;
    if (is_full && (!only_new_will_do || !pool->idle_count))
        return false;
    if (!pool_knows_addresses(pool))
        return false;
    if (is_full)
        channel_close(pool_coldest(pool));
    channel_open(pool);
    return true;
}

/* --- sharing --- */

void pool_note_progress(struct channel *channel)
{
    struct http_pool *pool = channel->pool;
    uint64_t now_us = clock_now_us();
    uint64_t took_us = now_us - channel->progress_us;
    channel->progress_us = now_us;
    pool->service_us += pool->service_us / FORGETTING + 1;
    if (took_us < pool->service_us)
        pool->service_us = took_us;
}

static bool is_stuck(const struct channel *channel, uint64_t now_us, uint64_t most_us)
{
    return now_us - channel->progress_us > most_us;
}

/* The channel with the fewest calls that may take another, or NULL. Slow ones that it comes across
 * are put aside: their next answer brings them back. */
static struct channel *pool_find_shared(struct http_pool *pool)
{
    if (pool->service_us > QUICK_US)
        return NULL;
    uint64_t now_us = clock_now_us();
    for (size_t depth = 1; depth < pool->options.pipeline_max; depth++) {
        while (!list_is_empty(&pool->by_depth[depth])) {
            struct channel *channel = list_first(&pool->by_depth[depth], struct channel, node);
            if (!is_stuck(channel, now_us, QUICK_US))
                return channel;
            list_take(&channel->node);
            list_put_last(&pool->resting, &channel->node);
        }
    }
    return NULL;
}

/* Has all calls but the oldest wait again. What was sent of them is as good as not sent, since the
 * channel is closed after its next answer: a call's effects count once however often it is made. */
static void rescue(struct channel *channel)
{
    struct http_pool *pool = channel->pool;
    struct request *oldest = list_first(&channel->requests, struct request, node);
    if (channel->unsent != oldest)
        channel->unsent = NULL;
    while (channel->depth > 1) { /* from the last on, so that they keep their order */
        struct request *request = list_last(&channel->requests, struct request, node);
        list_take(&request->node);
        channel->depth--;
        if (request->call)
            line_put(pool, request, true);
        else
            request_release(request);
    }
    channel->is_retiring = true;
    pool_place(channel);
}

static bool rescue_all(struct list *channels, uint64_t now_us)
{
    bool any_shared = false;
    list_for_each_safe (channels, node) {
        struct channel *channel = container_of(node, struct channel, node);
        if (channel->depth < 2 || channel->http2)
            continue;
        if (is_stuck(channel, now_us, STALL_MS * 1000))
            rescue(channel);
        else
            any_shared = true;
    }
    return any_shared;
}

static void on_stall(struct loop_timer *timer)
{
    struct http_pool *pool = container_of(timer, struct http_pool, stall);
    uint64_t now_us = clock_now_us();
    bool any_shared = rescue_all(&pool->resting, now_us);
    for (size_t depth = 2; depth < pool->options.pipeline_max; depth++)
        any_shared |= rescue_all(&pool->by_depth[depth], now_us);
    if (any_shared)
        pool_watch_stalls(pool);
    pool_dispatch(pool);
}

void pool_watch_stalls(struct http_pool *pool)
{
    if (!heap_holds(&pool->stall.due))
        loop_timer_set(pool->loop, &pool->stall, loop_now_ms(pool->loop) + STALL_MS / 2);
}

static bool pool_share(struct http_pool *pool)
{
    struct channel *shared = pool->line_count ? pool_find_shared(pool) : NULL;
    if (shared)
        pool_give(shared, line_take_first(pool, &pool->line));
    return shared != NULL;
}

void pool_dispatch(struct http_pool *pool)
{
    if (pool->is_closing)
        return;
    while (waiting_count(pool)) {
        bool only_new_will_do = pool->again_count > expected_count(pool);
        if (only_new_will_do && pool_open_one(pool))
            continue;
        if (pool->line_count && !list_is_empty(&pool->roomy)) {
            struct channel *roomy = list_first(&pool->roomy, struct channel, node);
            pool_give(roomy, line_take_first(pool, &pool->line));
            continue;
        }
        bool is_expected = waiting_count(pool) <= expected_count(pool);
        bool enough_work =
            pool->channel_count - pool->idle_count >= pool->options.connections_first;
        if (enough_work && !is_expected && pool_share(pool))
            continue;
        if (pool->line_count && !list_is_empty(&pool->by_depth[0])) {
            struct channel *idle = list_first(&pool->by_depth[0], struct channel, node);
            pool_give(idle, line_take_first(pool, &pool->line));
            continue;
        }
        if (pool_open_one(pool))
            continue;
        if (is_expected || !pool_share(pool))
            return;
    }
}

void pool_settle_later(struct http_pool *pool)
{
    loop_task_set(pool->loop, &pool->task);
}

void pool_mark_dirty(struct channel *channel)
{
    if (list_is_empty(&channel->dirty))
        list_put_last(&channel->pool->dirty, &channel->dirty);
    pool_settle_later(channel->pool);
}

/* The turn's end. What callbacks make dirty here has its turn in the next one: else a call that
 * fails at once and is tried again at once would keep us here for ever. */
static void on_task(struct loop_task *task)
{
    struct http_pool *pool = container_of(task, struct http_pool, task);
    struct list dirty;
    list_init(&dirty);
    list_put_before(&pool->dirty, &dirty);
    list_take(&pool->dirty);
    for (struct list *node; (node = list_take_first(&dirty));)
        channel_settle(container_of(node, struct channel, dirty));
    while (!list_is_empty(&pool->closed))
        channel_free(list_first(&pool->closed, struct channel, node));
}

/* --- calls --- */

/* As it stands, but for bytes that would end the request line or that a URL cannot hold: they are
 * escaped, since a function's name may be anybody's text. */
static uint8_t *put_target(uint8_t *to, const char *target)
{
    static const char digits[] = "0123456789ABCDEF";
    for (const unsigned char *c = (const unsigned char *)target; *c; c++) {
        if (*c > ' ' && *c < 0x7f) {
            *to++ = *c;
        } else {
            *to++ = '%';
            *to++ = (uint8_t)digits[*c >> 4];
            *to++ = (uint8_t)digits[*c & 15];
        }
    }
    return to;
}

static uint8_t *put_bytes(uint8_t *to, const void *bytes, size_t size)
{
    memcpy(to, bytes, size);
    return to + size;
}

static uint8_t *put_decimal(uint8_t *to, uint64_t number)
{
    uint8_t digits[DECIMAL_MAX];
    size_t at = sizeof digits;
    do {
        digits[--at] = (uint8_t)('0' + number % 10);
        number /= 10;
    } while (number);
    return put_bytes(to, digits + at, sizeof digits - at);
}

uint8_t *http_pool_begin(struct http_pool *pool, struct http_client_call *call, const char *target,
                         size_t body_size, uint64_t timeout_ms)
{
    assert(!pool->is_closing);
    struct request *request = request_take(pool);
    size_t head_max = strlen("POST ") + 3 * strlen(target) + pool->head_rest.size + DECIMAL_MAX + 4;
    request_reserve(request, head_max + body_size);

    uint8_t *to = put_bytes(request->data, "POST ", 5);
    to = put_target(to, target);
    request->path_size = (size_t)(to - request->data) - strlen("POST ");
    to = put_bytes(to, pool->head_rest.data, pool->head_rest.size);
    to = put_decimal(to, body_size);
    to = put_bytes(to, "\r\n\r\n", 4);

    request->head_size = (size_t)(to - request->data);
    request->size = request->head_size + body_size;
    request->timeout_ms = timeout_ms;
    request->state = REQUEST_BEGUN;
    request->call = call;
    call->transport = request;
    pool->call_count++;
    list_put_last(&pool->begun, &request->node);
    return to;
}

/* The shortest time after which a request could have failed. */
static uint64_t least_timeout_ms(const struct request *request)
{
    const struct http_pool_options *options = &request->pool->options;
    uint64_t least_ms = request->timeout_ms;
    if (options->write_ms_max && options->write_ms_max < least_ms)
        least_ms = options->write_ms_max;
    if (options->read_ms_max && options->read_ms_max < least_ms)
        least_ms = options->read_ms_max;
    return least_ms;
}

/* When the request fails if nothing happens. */
static uint64_t request_due_ms(const struct request *request)
{
    const struct http_pool_options *options = &request->pool->options;
    if (request->state != REQUEST_UNDER_WAY)
        return request->end_ms;
    uint64_t pause_ms =
        request->sent < request->size ? options->write_ms_max : options->read_ms_max;
    uint64_t due_ms = request->channel->moved_ms + pause_ms;
    return pause_ms && due_ms < request->end_ms ? due_ms : request->end_ms;
}

void http_pool_send(struct http_pool *pool, struct http_client_call *call)
{
    struct request *request = call->transport;
    assert(request && request->pool == pool && request->state == REQUEST_BEGUN);
    list_take(&request->node);
    uint64_t now_ms = loop_now_ms(pool->loop);
    request->end_ms = now_ms + request->timeout_ms;
    loop_timer_set(pool->loop, &request->deadline, now_ms + least_timeout_ms(request));
    line_put(pool, request, false);
    pool_dispatch(pool);
}

static void fail_late(struct request *request)
{
    struct http_pool *pool = request->pool;
    const struct http_pool_options *options = &pool->options;
    char message[MESSAGE_MAX];
    bool is_over = loop_now_ms(pool->loop) >= request->end_ms;
    if (request->state == REQUEST_WAITING) {
        snprintf(message, sizeof message, "no connection became free within %" PRIu64 " ms",
                 request->timeout_ms);
        line_take(pool, request);
        pool_fail(request, HTTP_TIMED_OUT, message);
        return;
    }
    if (is_over)
        snprintf(message, sizeof message, "no complete response within %" PRIu64 " ms",
                 request->timeout_ms);
    else if (request->sent < request->size)
        snprintf(message, sizeof message,
                 "the server has taken nothing of the request for %" PRIu64 " ms",
                 options->write_ms_max);
    else
        snprintf(message, sizeof message, "the server has sent nothing for %" PRIu64 " ms",
                 options->read_ms_max);
    if (request->stream) {
        http2_take_back(request->channel, request);
        pool_fail(request, HTTP_TIMED_OUT, message);
    } else {
        pool_break(request->channel, false, request, HTTP_TIMED_OUT, message);
    }
}

static void on_deadline(struct loop_timer *timer)
{
    struct request *request = container_of(timer, struct request, deadline);
    struct http_pool *pool = request->pool;
    uint64_t due_ms = request_due_ms(request);
    if (due_ms > loop_now_ms(pool->loop)) {
        loop_timer_set(pool->loop, timer, due_ms);
        return;
    }
    fail_late(request);
    pool_dispatch(pool);
}

void http_pool_cancel(struct http_pool *pool, struct http_client_call *call)
{
    struct request *request = call->transport;
    assert(request && request->pool == pool);
    if (request->state == REQUEST_WAITING) {
        line_take(pool, request);
    } else if (request->state == REQUEST_UNDER_WAY) {
        struct channel *channel = request->channel;
        if (request->stream) {
            http2_take_back(channel, request);
        } else if (request->sent == 0) {
            http1_take_back(channel, request);
        } else if (channel->depth > 1) {
            /* Others share the connection: they need not suffer. Its deadline still holds. */
            call->transport = NULL;
            request->call = NULL;
            pool->call_count--;
            return;
        } else {
            list_take(&request->node);
            channel->depth = 0;
            channel->unsent = NULL;
            channel_close(channel);
        }
    }
    request_release(request);
    pool_dispatch(pool);
}

void http_pool_figures(const struct http_pool *pool, struct http_pool_figures *ret_figures)
{
    *ret_figures = (struct http_pool_figures){
        .connections = pool->channel_count,
        .calls = pool->call_count,
        .opened = pool->opened,
    };
}

/* Closes every channel of a list; the requests that were on them go to `failing`. */
static void close_all(struct list *channels, struct list *failing)
{
    while (!list_is_empty(channels)) {
        struct channel *channel = list_first(channels, struct channel, node);
        for (struct list *node; (node = list_take_first(&channel->requests));) {
            struct request *request = container_of(node, struct request, node);
            http2_forget(request);
            put_failing(failing, request);
        }
        channel_close(channel);
    }
}

void http_pool_free(struct http_pool *pool)
{
    if (!pool)
        return;
    assert(!pool->is_calling);
    pool->is_closing = true;

    struct list failing;
    list_init(&failing);
    close_all(&pool->connecting, &failing);
    close_all(&pool->roomy, &failing);
    close_all(&pool->resting, &failing);
    for (size_t i = pool->options.pipeline_max; i-- > 0;)
        close_all(&pool->by_depth[i], &failing);
    for (struct list *node; (node = list_take_first(&pool->again));)
        put_failing(&failing, container_of(node, struct request, node));
    for (struct list *node; (node = list_take_first(&pool->line));)
        put_failing(&failing, container_of(node, struct request, node));
    for (struct list *node; (node = list_take_first(&pool->begun));)
        put_failing(&failing, container_of(node, struct request, node));
    fail_all(&failing, HTTP_BROKEN, "the connection pool is closed");

    lookup_free(pool->lookup);
    loop_timer_cancel(pool->loop, &pool->reopen);
    loop_timer_cancel(pool->loop, &pool->stall);
    loop_timer_cancel(pool->loop, &pool->patience);
    loop_task_cancel(pool->loop, &pool->task);
    while (!list_is_empty(&pool->closed))
        channel_free(list_first(&pool->closed, struct channel, node));
    for (struct list *node; (node = list_take_first(&pool->spare_requests));)
        request_free(container_of(node, struct request, node));

    tls_ticket_destroy(&pool->ticket);
    decoder_destroy(&pool->decoder);
    buffer_destroy(&pool->spare_in);
    buffer_destroy(&pool->head_rest);
    free(pool->by_depth);
    free(pool->fields);
    free(pool->scratch);
    free(pool->host);
    free(pool->authority);
    free(pool);
}
