/* requests.c - see requests.h. */
#include "serve/requests.h"

#include "base/histogram.h"
#include "base/mem.h"
#include "wire/bundle.h"

#include <stdio.h>

enum { OUT_KEPT_MAX = 512 * 1024 };

struct work;

/* One invocation of a request. */
struct part {
    struct letter letter; /* its operations have ended */
    struct work *work;
    struct run *run; /* NULL: it does not wait */
};

/* A request. */
struct work {
    struct requests *requests;
    struct http_exchange *exchange; /* NULL: the client has gone */
    bool is_bundle;
    uint64_t started_us;
    struct buffer answer; /* of a bundle, as far as it has come */
    size_t waiting;       /* parts that do */
    size_t count;
    struct part parts[];
};

void requests_init(struct requests *requests, struct sf_handler *handler, struct inbox *inbox)
{
    *requests = (struct requests){.handler = handler, .inbox = inbox};
}

void requests_destroy(struct requests *requests)
{
    run_release(requests->spare);
    buffer_destroy(&requests->out);
    arena_destroy(&requests->arena);
}

/* --- what is spare --- */

static struct run *take_run(struct requests *requests)
{
    struct run *run = requests->spare ? requests->spare : run_new(requests->handler);
    requests->spare = NULL;
    return run;
}

static void give_back(struct requests *requests, struct run *run)
{
    if (!run_recycle(run))
        return;
    if (requests->spare)
        run_release(run);
    else
        requests->spare = run;
}

static struct buffer take_out(struct requests *requests)
{
    struct buffer out = requests->out;
    requests->out = (struct buffer){0};
    buffer_clear(&out);
    return out;
}

static void give_out_back(struct requests *requests, struct buffer *out)
{
    if (requests->out.data || out->capacity > OUT_KEPT_MAX)
        buffer_destroy(out);
    else
        requests->out = *out;
}

/* --- answers --- */

void answer_text(struct http_exchange *exchange, int status, const char *headers, const char *text)
{
    http_respond(exchange, &(struct http_answer){.status = status,
                                                 .content_type = "text/plain; charset=utf-8",
                                                 .headers = headers,
                                                 .body = bytes_of(text)});
}

static int status_of(enum sf_code code)
{
    return code == SF_INVALID     ? 400
           : code == SF_NOT_FOUND ? 404
           : code == SF_CONFLICT  ? BUNDLE_STATUS_UNKNOWN
                                  : 500;
}

static void answer_failure(struct http_exchange *exchange, const struct sf_status *failure)
{
    char text[sizeof failure->message + 1];
    (void)snprintf(text, sizeof text, "%s\n", failure->message);
    answer_text(exchange, status_of(failure->code), NULL, text);
}

/* Answering may lead to the next request of a pipeline, and to its answer, before it returns. */
static void answer_reply(struct requests *requests, struct http_exchange *exchange,
                         const struct from_function *reply)
{
    struct buffer out = take_out(requests);
    size_t size = from_function_size(reply);
    (void)from_function_put(buffer_reserve(&out, size), reply);
    http_respond(exchange,
                 &(struct http_answer){.status = 200,
                                       .content_type = "application/octet-stream",
                                       .headers = BUNDLE_HEADER ": " BUNDLE_VERSION "\r\n",
                                       .body = bytes_make(out.data, size)});
    give_out_back(requests, &out);
}

static void answer_bundle(struct work *work)
{
    bundle_time_add(&work->answer, clock_now_us() - work->started_us + 1); /* 0: not told */
    http_respond(work->exchange, &(struct http_answer){.status = 200,
                                                       .content_type = BUNDLE_TYPE,
                                                       .body = buffer_bytes(&work->answer)});
}

/* --- requests --- */

static size_t number_of(const struct part *part)
{
    return (size_t)(part - part->work->parts);
}

static void note_reply(struct part *part, const struct from_function *reply)
{
    struct work *work = part->work;
    if (work->is_bundle)
        bundle_reply_add(&work->answer, number_of(part), reply);
    else
        answer_reply(work->requests, work->exchange, reply);
}

static void note_failure(struct part *part, const struct sf_status *failure)
{
    struct work *work = part->work;
    if (work->is_bundle)
        bundle_failure_add(&work->answer, number_of(part), status_of(failure->code),
                           bytes_of(failure->message));
    else
        answer_failure(work->exchange, failure);
}

/* Any thread. */
static void on_ended(void *owner)
{
    struct part *part = owner;
    struct letters letters = {0};
    letters_add(&letters, &part->letter);
    inbox_put(part->work->requests->inbox, &letters);
}

static void begin(struct part *part, const struct run_request *request)
{
    struct requests *requests = part->work->requests;
    struct sf_status failure;
    struct run *run = take_run(requests);
    switch (run_begin(run, request, on_ended, part, &failure)) {
    case RUN_WAITS:
        part->run = run;
        part->work->waiting++;
        return;
    case RUN_DONE:
        note_reply(part, run_reply(run));
        break;
    case RUN_FAILED:
        note_failure(part, &failure);
        break;
    }
    give_back(requests, run);
}

static struct work *work_new(struct requests *requests, struct http_exchange *exchange,
                             size_t count)
{
    struct work *work = mem_new(sizeof *work + count * sizeof *work->parts);
    work->requests = requests;
    work->exchange = exchange;
    work->count = count;
    for (size_t i = 0; i < count; i++)
        work->parts[i].work = work;
    return work;
}

/* Ends it, unless a part of it waits. */
static void go_on(struct work *work)
{
    if (work->waiting)
        return;
    if (work->is_bundle && work->exchange)
        answer_bundle(work);
    if (work->is_bundle)
        give_out_back(work->requests, &work->answer);
    free(work);
}

/* Plain requests are answered as they end; bundles as a whole. */
static void invoke(struct work *work, const struct bundle_item *items)
{
    struct http_exchange *exchange = work->exchange;
    for (size_t i = 0; i < work->count; i++)
        begin(&work->parts[i], &(struct run_request){.bytes = items[i].request,
                                                     .version = items[i].version,
                                                     .keeps = work->is_bundle});
    if (work->waiting)
        http_exchange_set_context(exchange, work);
    go_on(work);
}

void requests_invoke(struct requests *requests, struct http_exchange *exchange)
{
    invoke(work_new(requests, exchange, 1),
           &(struct bundle_item){.request = http_exchange_body(exchange)});
}

void requests_invoke_bundle(struct requests *requests, struct http_exchange *exchange)
{
    struct bundle_item *items;
    size_t count;
    struct sf_status failure;
    arena_clear(&requests->arena);
    if (!bundle_parse(http_exchange_body(exchange), &requests->arena, &items, &count, &failure)) {
        answer_failure(exchange, &failure);
        return;
    }
    struct work *work = work_new(requests, exchange, count);
    work->is_bundle = true;
    work->started_us = clock_now_us();
    work->answer = take_out(requests);
    invoke(work, items);
}

/* --- those that wait --- */

static void take_up(struct part *part)
{
    struct work *work = part->work;
    run_finish(part->run);
    if (work->exchange)
        note_reply(part, run_reply(part->run));
    give_back(work->requests, part->run);
    part->run = NULL;
    work->waiting--;
    go_on(work);
}

void requests_take_letters(struct requests *requests)
{
    struct letters letters = inbox_take(requests->inbox);
    for (struct letter *letter; (letter = letters_take(&letters));)
        take_up(container_of(letter, struct part, letter));
}

/* What the functions see of the client's request is gone with it: so is all that they have done.
 * A part that cannot be left has a letter in the inbox. */
void requests_forget(struct http_exchange *exchange)
{
    struct work *work = http_exchange_context(exchange);
    if (!work)
        return;
    work->exchange = NULL;
    for (size_t i = 0; i < work->count; i++) {
        struct part *part = &work->parts[i];
        if (part->run && run_leave(part->run)) {
            part->run = NULL;
            work->waiting--;
        }
    }
    go_on(work);
}
