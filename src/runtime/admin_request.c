/* admin_request.c - answers, queries, and waiting. */
#include "runtime/admin_request.h"

enum { POLL_MS = 5, PATIENCE_MS = 10 * 1000 };

/* --- answers --- */

void admin_respond(struct http_exchange *exchange, int status, const char *headers, json_t *json)
{
    char *text = json_dumps(json, JSON_COMPACT);
    struct buffer body = {0};
    buffer_add_format(&body, "%s\n", text ? text : "{}");
    http_respond(exchange, &(struct http_answer){.status = status,
                                                 .content_type = "application/json",
                                                 .headers = headers,
                                                 .body = buffer_bytes(&body)});
    buffer_destroy(&body);
    free(text);
    json_decref(json);
}

static int status_of(const struct sf_status *status)
{
    switch (status->code) {
    case SF_NOT_FOUND:
        return 404;
    case SF_UNSUPPORTED:
        return 405;
    default:
        return 400;
    }
}

void admin_complain(struct http_exchange *exchange, const struct sf_status *status)
{
    bool is_other = status->code == SF_UNSUPPORTED;
    admin_respond(exchange, status_of(status),
                  is_other ? "Allow: GET, HEAD, POST, DELETE\r\n" : NULL,
                  json_pack("{s:s}", "error", status->message));
}

/* --- queries --- */

struct bytes admin_path(struct bytes target, struct bytes *ret_query)
{
    const uint8_t *mark = target.size ? memchr(target.data, '?', target.size) : NULL;
    size_t size = mark ? (size_t)(mark - target.data) : target.size;
    *ret_query = mark ? bytes_from(target, size + 1) : (struct bytes){0};
    return bytes_make(target.data, size);
}

/* One "name=value"; a '+' is a '+' here. */
static bool read_one(struct bytes text,
                     bool (*set)(void *owner, struct bytes name, struct bytes value,
                                 struct sf_status *status),
                     void *owner, struct sf_status *status)
{
    const uint8_t *equals = memchr(text.data, '=', text.size);
    size_t size = equals ? (size_t)(equals - text.data) : text.size;
    struct buffer value = {0};
    bool good = !equals || http_percent_decode(bytes_from(text, size + 1), &value) ||
                sf_fail(status, SF_INVALID, "the query holds a malformed %% escape");
    good = good && set(owner, bytes_make(text.data, size), buffer_bytes(&value), status);
    buffer_destroy(&value);
    return good;
}

bool admin_query_read(struct bytes query,
                      bool (*set)(void *owner, struct bytes name, struct bytes value,
                                  struct sf_status *status),
                      void *owner, struct sf_status *status)
{
    while (query.size) {
        const uint8_t *end = memchr(query.data, '&', query.size);
        size_t size = end ? (size_t)(end - query.data) : query.size;
        if (size && !read_one(bytes_make(query.data, size), set, owner, status))
            return false;
        query = bytes_from(query, end ? size + 1 : size);
    }
    return true;
}

/* --- waiting --- */

static void look(struct admin_wait *wait)
{
    if (!wait->exchange) { /* also when all is being closed, the store before */
        wait->on_end(wait, ADMIN_GONE);
        return;
    }
    uint64_t now_ms = loop_now_ms(wait->loop);
    uint64_t epoch = wait->for_view ? store_view_epoch(wait->store) : store_epoch(wait->store);
    if (epoch >= wait->epoch) {
        wait->on_end(wait, ADMIN_THERE);
    } else if (now_ms < wait->deadline_ms) {
        loop_timer_set(wait->loop, &wait->timer, now_ms + POLL_MS);
    } else {
        const char *text = wait->for_view ? "the store does not catch up: nothing was done"
                                          : "it is not durable yet: ask again whether it was done";
        admin_respond(wait->exchange, 503, "Retry-After: 1\r\n", json_pack("{s:s}", "error", text));
        wait->exchange = NULL;
        wait->on_end(wait, ADMIN_LATE);
    }
}

static void on_timer(struct loop_timer *timer)
{
    look(container_of(timer, struct admin_wait, timer));
}

static void on_gone(struct admin_request *request)
{
    container_of(request, struct admin_wait, request)->exchange = NULL;
}

void admin_wait_init(struct admin_wait *wait, struct loop *loop, struct store *store,
                     struct http_exchange *exchange,
                     void (*on_end)(struct admin_wait *wait, enum admin_outcome outcome))
{
    *wait = (struct admin_wait){.exchange = exchange, .loop = loop, .store = store};
    wait->on_end = on_end;
    wait->timer.on_timer = on_timer;
    wait->request.on_gone = on_gone;
    http_exchange_set_context(exchange, &wait->request);
}

void admin_wait_cancel(struct admin_wait *wait)
{
    if (wait->loop)
        loop_timer_cancel(wait->loop, &wait->timer);
}

static void begin(struct admin_wait *wait, bool for_view, uint64_t epoch)
{
    wait->for_view = for_view;
    wait->epoch = epoch;
    wait->deadline_ms = loop_now_ms(wait->loop) + PATIENCE_MS;
    look(wait);
}

void admin_wait_view(struct admin_wait *wait)
{
    uint64_t epoch = store_epoch(wait->store);
    if (store_view_epoch(wait->store) < epoch)
        store_hurry(wait->store, VIEW_WHOLE);
    begin(wait, true, epoch);
}

void admin_wait_commit(struct admin_wait *wait, uint64_t epoch)
{
    begin(wait, false, epoch);
}

/* --- jobs --- */

static void job_end(struct admin_job *job)
{
    admin_wait_cancel(&job->wait);
    list_take(&job->link);
    job->kind->free(job);
}

static void on_end(struct admin_wait *wait, enum admin_outcome outcome)
{
    struct admin_job *job = container_of(wait, struct admin_job, wait);
    if (outcome == ADMIN_THERE)
        job->kind->on_there(job);
    else
        job_end(job);
}

void admin_job_begin(struct admin_job *job, const struct admin_job_kind *kind, struct list *jobs,
                     struct loop *loop, struct store *store, struct http_exchange *exchange)
{
    job->kind = kind;
    list_put_last(jobs, &job->link);
    admin_wait_init(&job->wait, loop, store, exchange, on_end);
}

void admin_job_answer(struct admin_job *job, int status, json_t *json)
{
    if (job->wait.exchange)
        admin_respond(job->wait.exchange, status, NULL, json);
    else
        json_decref(json);
    job_end(job);
}

void admin_jobs_free(struct list *jobs)
{
    list_for_each_safe (jobs, node)
        job_end(container_of(node, struct admin_job, link));
}
