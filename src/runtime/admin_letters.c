/* admin_letters.c - requests about dead letters.
 *
 *     SEEING ──the view is there──▶ answered                          (list, show)
 *        └──────▶ WORKING ──the worker has done it──▶ SAVING ──durable──▶ answered */
#include "runtime/admin_letters.h"

#include "runtime/admin_request.h"
#include "runtime/dead_letters.h"

enum { LETTERS_MAX = DEAD_PAGE_LETTERS };

enum verb { VERB_LIST, VERB_SHOW, VERB_REPLAY, VERB_DISCARD };
struct job {
    struct admin_job is;
    struct admin_letters *letters;
    enum { SEEING, WORKING, SAVING } state;
    enum verb verb;
    bool is_single; /* one letter, by its id */
    struct dead_filter filter;
    size_t limit;       /* of letters; 0: a page */
    bool all;           /* was asked for: there need be no filter */
    json_t *found;      /* of LIST and SHOW */
    struct buffer next; /* key; empty: that was the last page */
    struct worker_dead_letters work;
    struct errand back; /* from the worker */
};

struct admin_letters {
    struct admin_letters_options options;
    struct list jobs;
};

/* --- answers --- */

static void job_free(struct job *job)
{
    dead_filter_destroy(&job->filter);
    json_decref(job->found);
    buffer_destroy(&job->next);
    buffer_destroy(&job->work.request.load.keys);
    buffer_destroy(&job->work.request.load.results);
    buffer_destroy(&job->work.request.outcomes);
    free(job);
}

static json_t *id_or_null(struct bytes key)
{
    struct buffer id = {0};
    if (key.size)
        dead_id_add(&id, key);
    json_t *json = key.size ? json_string(buffer_text(&id)) : json_null();
    buffer_destroy(&id);
    return json;
}

static void finish_missing(struct job *job)
{
    admin_job_answer(&job->is, 404, json_pack("{s:s}", "error", "there is no such dead letter"));
}

/* --- list and show --- */

static void add_found(void *owner, struct bytes key, const struct dead_letter *letter)
{
    struct job *job = owner;
    json_array_append_new(job->found, dead_letter_json(key, letter));
}

static void show(struct job *job)
{
    job->found = json_array();
    dead_letters_page(job->letters->options.store, &job->filter, job->limit, add_found, job,
                      &job->next);
    if (job->verb == VERB_LIST)
        admin_job_answer(&job->is, 200,
                         json_pack("{s:O, s:o}", "letters", job->found, "next",
                                   id_or_null(buffer_bytes(&job->next))));
    else if (json_array_size(job->found))
        admin_job_answer(&job->is, 200, json_incref(json_array_get(job->found, 0)));
    else
        finish_missing(job);
}

/* --- replay and discard --- */

static void add_key(void *owner, struct bytes key, const struct dead_letter *letter)
{
    struct load *load = owner;
    (void)letter;
    buffer_add_u32(&load->keys, (uint32_t)key.size);
    buffer_add_bytes(&load->keys, key);
    load->count++;
}

static json_t *left_json(struct bytes key, struct bytes reason)
{
    json_t *json = json_pack("{s:o}", "id", id_or_null(key));
    json_object_set_new(json, "reason", json_stringn((const char *)reason.data, reason.size));
    return json;
}

/* Counts what was done; what has no room is where the next page begins. */
static void finish_work(struct job *job)
{
    struct dead_request *request = &job->work.request;
    struct bytes keys = buffer_bytes(&request->load.keys);
    struct bytes outcomes = buffer_bytes(&request->outcomes);
    json_t *left = json_array();
    json_int_t done = 0;
    bool is_busy = false;
    while (outcomes.size && !is_busy) {
        struct bytes key = bytes_make(keys.data + 4, u32_get(keys.data));
        struct bytes reason = bytes_make(outcomes.data + 3, u16_get(outcomes.data + 1));
        enum dead_outcome outcome = (enum dead_outcome)outcomes.data[0];
        keys = bytes_from(keys, 4 + key.size);
        outcomes = bytes_from(outcomes, 3 + reason.size);
        done += outcome == DEAD_DONE;
        is_busy = outcome == DEAD_NO_ROOM;
        if (outcome == DEAD_STUCK)
            json_array_append_new(left, left_json(key, reason));
        if (is_busy) {
            buffer_clear(&job->next);
            buffer_add_bytes(&job->next, key);
        }
    }
    json_t *json = json_pack("{s:I, s:o, s:b, s:o}", "done", done, "left", left, "busy", is_busy,
                             "next", id_or_null(buffer_bytes(&job->next)));
    if (job->is_single && !done && !json_array_size(left) && !is_busy) {
        json_decref(json);
        finish_missing(job);
    } else {
        admin_job_answer(&job->is, job->is_single && !done ? (is_busy ? 503 : 409) : 200, json);
    }
}

/* The admin's loop: the worker has done what it could, in an epoch that is not durable yet. */
static void run_back(struct errand *errand, void *owner)
{
    struct job *job = container_of(errand, struct job, back);
    (void)owner;
    job->state = SAVING;
    admin_wait_commit(&job->is.wait, job->work.request.epoch);
}

/* The worker's thread. */
static void on_done(struct worker_dead_letters *work)
{
    struct job *job = container_of(work, struct job, work);
    errand_send(job->letters->options.inbox, &job->back);
}

static void begin_work(struct job *job)
{
    struct dead_request *request = &job->work.request;
    request->action = job->verb == VERB_REPLAY ? DEAD_REPLAY : DEAD_DISCARD;
    dead_letters_page(job->letters->options.store, &job->filter, job->limit, add_key,
                      &request->load, &job->next);
    if (!request->load.count) {
        finish_work(job);
        return;
    }
    job->state = WORKING;
    job->work.on_done = on_done;
    job->back.run = run_back;
    worker_take_dead_letters(job->letters->options.worker, &job->work);
}

static void on_there(struct admin_job *is)
{
    struct job *job = container_of(is, struct job, is);
    if (job->state == SAVING)
        finish_work(job);
    else if (job->verb == VERB_LIST || job->verb == VERB_SHOW)
        show(job);
    else
        begin_work(job);
}

static void free_job(struct admin_job *is)
{
    job_free(container_of(is, struct job, is));
}

static const struct admin_job_kind about_letters = {.on_there = on_there, .free = free_job};

/* --- requests --- */

static bool set_parameter(void *owner, struct bytes name, struct bytes value,
                          struct sf_status *status)
{
    struct job *job = owner;
    if (bytes_is(name, "all")) {
        job->all = bytes_is(value, "true");
        return job->all || sf_fail(status, SF_INVALID, "all: expected true");
    }
    if (!bytes_is(name, "limit"))
        return dead_filter_set(&job->filter, name, value, status);
    char *text = bytes_string(value), *end;
    job->limit = strtoul(text, &end, 10);
    bool good =
        value.size && text[0] != '-' && !*end && job->limit >= 1 && job->limit <= LETTERS_MAX;
    free(text);
    return good ||
           sf_fail(status, SF_INVALID, "limit: expected a number from 1 to %d", LETTERS_MAX);
}

static bool read_query(struct job *job, struct bytes query, struct sf_status *status)
{
    if (!admin_query_read(query, set_parameter, job, status))
        return false;
    bool writes = job->verb == VERB_REPLAY || job->verb == VERB_DISCARD;
    return !writes || job->is_single || job->filter.is_set || job->all ||
           sf_fail(status, SF_INVALID,
                   "expected a filter (" DEAD_FILTERS "), or all=true for every dead letter");
}

static bool read_id(struct job *job, struct bytes id, struct sf_status *status)
{
    job->is_single = true;
    if (!dead_filter_set(&job->filter, bytes_of("from"), id, status) ||
        !dead_filter_set(&job->filter, bytes_of("to"), id, status)) {
        status->code = SF_NOT_FOUND;
        return false;
    }
    return true;
}

/* The path behind /deadletters: nothing, /replay, /discard, /ID, or /ID/replay. */
static bool read_path(struct job *job, struct bytes method, struct bytes path,
                      struct sf_status *status)
{
    static const char replay[] = "/replay";
    bool posts = bytes_is(method, "POST"), deletes = bytes_is(method, "DELETE");
    bool gets = bytes_is(method, "GET") || bytes_is(method, "HEAD");
    if (posts && (bytes_is(path, replay) || bytes_is(path, "/discard"))) {
        job->verb = bytes_is(path, replay) ? VERB_REPLAY : VERB_DISCARD;
        return true;
    }
    if (gets && !path.size) {
        job->verb = VERB_LIST;
        return true;
    }
    bool is_replay = posts && path.size > sizeof replay &&
                     bytes_is(bytes_from(path, path.size - (sizeof replay - 1)), replay);
    if (path.size < 2 || (!is_replay && !gets && !deletes))
        return sf_fail(status, SF_UNSUPPORTED,
                       "expected GET /deadletters, POST /deadletters/replay or .../discard, GET or "
                       "DELETE /deadletters/ID, or POST /deadletters/ID/replay");
    job->verb = is_replay ? VERB_REPLAY : deletes ? VERB_DISCARD : VERB_SHOW;
    struct bytes id = bytes_from(path, 1);
    id.size -= is_replay ? sizeof replay - 1 : 0;
    return read_id(job, id, status);
}

static bool read_request(struct job *job, const struct http_head *head, struct sf_status *status)
{
    struct bytes query;
    struct bytes path = bytes_from(admin_path(head->target, &query), strlen("/deadletters"));
    return read_path(job, head->method, path, status) && read_query(job, query, status);
}

void admin_letters_request(struct admin_letters *letters, struct http_exchange *exchange)
{
    struct sf_status status;
    struct job *job = mem_new(sizeof *job);
    job->letters = letters;
    if (!read_request(job, http_exchange_head(exchange), &status)) {
        job_free(job);
        admin_complain(exchange, &status);
        return;
    }
    admin_job_begin(&job->is, &about_letters, &letters->jobs, letters->options.loop,
                    letters->options.store, exchange);
    admin_wait_view(&job->is.wait);
}

/* --- life --- */

struct admin_letters *admin_letters_new(const struct admin_letters_options *options)
{
    struct admin_letters *letters = mem_new(sizeof *letters);
    letters->options = *options;
    list_init(&letters->jobs);
    return letters;
}

void admin_letters_free(struct admin_letters *letters)
{
    if (!letters)
        return;
    admin_jobs_free(&letters->jobs);
    free(letters);
}
