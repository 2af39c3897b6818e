/* admin_addresses.c - requests about parked addresses.
 *
 * They are listed from the view. To resume some, every worker is told, and the answer waits until
 * what the last of them did is durable. */
#include "runtime/admin_addresses.h"

#include "runtime/admin_request.h"
#include "runtime/parked.h"

struct job {
    struct admin_job is;
    struct admin_addresses *addresses;
    bool resumes, is_told;
    bool all;             /* was asked for: there need be no name */
    struct buffer wanted; /* empty: all */
    struct buffer from, next;
    json_t *found;
    struct resumption *resumptions; /* by worker */
    uint32_t missing;
    uint64_t done, epoch;
};

/* What one worker is told. */
struct resumption {
    struct worker_resume work;
    struct errand back;
    struct job *job;
};

struct admin_addresses {
    struct admin_addresses_options options;
    struct list jobs;
};

static void job_free(struct job *job)
{
    json_decref(job->found);
    buffer_destroy(&job->wanted);
    buffer_destroy(&job->from);
    buffer_destroy(&job->next);
    free(job->resumptions);
    free(job);
}

/* --- list --- */

static void add_found(void *owner, struct bytes key, struct bytes address,
                      const struct stored_parked *parked)
{
    struct job *job = owner;
    (void)key;
    json_array_append_new(job->found, parked_json(address, parked));
}

static void show(struct job *job)
{
    struct buffer cursor = {0};
    job->found = json_array();
    parked_page(job->addresses->options.store, buffer_bytes(&job->wanted), buffer_bytes(&job->from),
                add_found, job, &job->next);
    if (job->next.size)
        parked_cursor_add(&cursor, buffer_bytes(&job->next));
    admin_job_answer(&job->is, 200,
                     json_pack("{s:O, s:s?}", "addresses", job->found, "next",
                               job->next.size ? buffer_text(&cursor) : NULL));
    buffer_destroy(&cursor);
}

/* --- resume --- */

static void run_back(struct errand *errand, void *owner)
{
    struct resumption *resumption = container_of(errand, struct resumption, back);
    struct job *job = resumption->job;
    (void)owner;
    job->done += resumption->work.count;
    if (resumption->work.count && resumption->work.epoch > job->epoch)
        job->epoch = resumption->work.epoch;
    if (--job->missing == 0)
        admin_wait_commit(&job->is.wait, job->epoch);
}

/* The worker's thread. */
static void on_done(struct worker_resume *work)
{
    struct resumption *resumption = container_of(work, struct resumption, work);
    errand_send(resumption->job->addresses->options.inbox, &resumption->back);
}

static void tell_workers(struct job *job)
{
    const struct admin_addresses_options *options = &job->addresses->options;
    job->is_told = true;
    job->missing = options->worker_count;
    job->resumptions = mem_new(options->worker_count * sizeof *job->resumptions);
    for (uint32_t i = 0; i < options->worker_count; i++) {
        struct resumption *resumption = &job->resumptions[i];
        resumption->job = job;
        resumption->back.run = run_back;
        resumption->work.wanted = buffer_bytes(&job->wanted);
        resumption->work.on_done = on_done;
        worker_resume(options->workers[i], &resumption->work);
    }
}

static void on_there(struct admin_job *is)
{
    struct job *job = container_of(is, struct job, is);
    if (job->is_told)
        admin_job_answer(is, 200, json_pack("{s:I}", "done", (json_int_t)job->done));
    else
        show(job);
}

static void free_job(struct admin_job *is)
{
    job_free(container_of(is, struct job, is));
}

static const struct admin_job_kind about_addresses = {.on_there = on_there, .free = free_job};

/* --- requests --- */

static bool set_parameter(void *owner, struct bytes name, struct bytes value,
                          struct sf_status *status)
{
    struct job *job = owner;
    if (bytes_is(name, "name"))
        return parked_parse(value, &job->wanted, status) || sf_wrap(status, "name");
    if (bytes_is(name, "from") && !job->resumes)
        return parked_cursor_parse(value, &job->from, status);
    if (bytes_is(name, "all") && job->resumes) {
        job->all = bytes_is(value, "true");
        return job->all || sf_fail(status, SF_INVALID, "all: expected true");
    }
    return sf_fail(status, SF_INVALID, "expected name or %s, found '%.*s'",
                   job->resumes ? "all" : "from", (int)(name.size < 40 ? name.size : 40),
                   (const char *)name.data);
}

static bool read_request(struct job *job, const struct http_head *head, struct sf_status *status)
{
    struct bytes query, path = admin_path(head->target, &query);
    bool gets = bytes_is(head->method, "GET") || bytes_is(head->method, "HEAD");
    job->resumes = bytes_is(head->method, "POST") && bytes_is(path, "/addresses/resume");
    if (!job->resumes && !(gets && bytes_is(path, "/addresses/parked")))
        return sf_fail(status, SF_UNSUPPORTED,
                       "expected GET /addresses/parked or POST /addresses/resume");
    if (!admin_query_read(query, set_parameter, job, status))
        return false;
    return !job->resumes || job->wanted.size || job->all ||
           sf_fail(status, SF_INVALID,
                   "expected name=<namespace>/<name>[/<id>], or all=true for every address");
}

void admin_addresses_request(struct admin_addresses *addresses, struct http_exchange *exchange)
{
    const struct admin_addresses_options *options = &addresses->options;
    struct sf_status status;
    struct job *job = mem_new(sizeof *job);
    job->addresses = addresses;
    if (!read_request(job, http_exchange_head(exchange), &status)) {
        job_free(job);
        admin_complain(exchange, &status);
        return;
    }
    admin_job_begin(&job->is, &about_addresses, &addresses->jobs, options->loop, options->store,
                    exchange);
    if (job->resumes)
        tell_workers(job);
    else
        admin_wait_view(&job->is.wait);
}

/* --- life --- */

struct admin_addresses *admin_addresses_new(const struct admin_addresses_options *options)
{
    struct admin_addresses *addresses = mem_new(sizeof *addresses);
    addresses->options = *options;
    list_init(&addresses->jobs);
    return addresses;
}

void admin_addresses_free(struct admin_addresses *addresses)
{
    if (!addresses)
        return;
    admin_jobs_free(&addresses->jobs);
    free(addresses);
}
