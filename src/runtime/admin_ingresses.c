/* admin_ingresses.c - requests about ingresses.
 *
 * A list gathers figures of all workers, as each reads partitions of its own. To resume one, its
 * halt is ended here, then every worker has its lane go on; the answer waits until what they did at
 * once is durable: a record that was passed over has its dead letter then. */
#include "runtime/admin_ingresses.h"

#include "runtime/admin_request.h"
#include "runtime/dead_letters.h"

#include <stdlib.h>

#define KAFKA_KIND   "io.statefun.kafka.v1/ingress"
#define KINESIS_KIND "io.statefun.kinesis.v1/ingress"
#define HTTP_KIND    "io.statefun.playground.v1/ingress"
#define HTTP_NS      "io.statefun.playground"
#define HTTP_NAME    "ingress"
#define HTTP_ID      HTTP_NS "/" HTTP_NAME

struct job {
    struct admin_job is;
    struct admin_ingresses *ingresses;
    bool resumes, all, skips;
    char *name; /* of the one that is meant; NULL: all */
    uint32_t missing;
    struct worker_figures **figures; /* of a list: by worker, as they come */
    struct resumption *resumptions;  /* of those that were resumed, for each worker */
    json_t *resumed;
    bool has_passed;
    uint64_t epoch;
};

/* What one worker is told of one ingress. */
struct resumption {
    struct worker_ingress_resume work;
    struct errand back;
    struct job *job;
};

struct admin_ingresses {
    struct admin_ingresses_options options;
    struct list jobs;
};

static void job_free(struct job *job)
{
    uint32_t count = job->ingresses->options.worker_count;
    for (uint32_t i = 0; job->figures && i < count; i++)
        worker_figures_free(job->figures[i]);
    json_decref(job->resumed);
    free(job->figures);
    free(job->resumptions);
    free(job->name);
    free(job);
}

static bool is_meant(const struct job *job, const char *id)
{
    return !job->name || !strcmp(job->name, id);
}

/* --- list --- */

/* The kind's own is added by the caller. */
static json_t *ingress_json(const char *id, const char *kind, const struct kafka_halt *halt)
{
    json_t *json = json_pack("{s:s, s:s, s:s}", "id", id, "kind", kind, "state",
                             halt->cause ? "stopped" : "running");
    if (halt->cause) {
        dead_time_set(json, "since", halt->time_ms);
        json_object_set_new(json, "at", json_string(halt->origin));
        json_object_set_new(json, "cause", json_string(halt->cause));
    }
    return json;
}

static void set_offset(json_t *json, const char *name, int64_t offset)
{
    if (offset >= 0)
        json_object_set_new(json, name, json_integer(offset));
}

static int compare_lanes(const void *left, const void *right)
{
    const struct worker_lane *a = *(const struct worker_lane *const *)left;
    const struct worker_lane *b = *(const struct worker_lane *const *)right;
    int order = strcmp(a->topic, b->topic);
    return order ? order
                 : (a->kafka.partition > b->kafka.partition) -
                       (a->kafka.partition < b->kafka.partition);
}

static json_t *partitions_json(const struct job *job, size_t ingress)
{
    size_t count = 0, most = 0;
    for (uint32_t w = 0; w < job->ingresses->options.worker_count; w++)
        most += job->figures[w]->lane_count;
    const struct worker_lane **lanes = mem_new((most + 1) * sizeof *lanes);
    for (uint32_t w = 0; w < job->ingresses->options.worker_count; w++)
        for (size_t i = 0; i < job->figures[w]->lane_count; i++)
            if (job->figures[w]->lanes[i].ingress == ingress)
                lanes[count++] = &job->figures[w]->lanes[i];
    qsort(lanes, count, sizeof *lanes, compare_lanes);

    json_t *partitions = json_array();
    for (size_t i = 0; i < count; i++) {
        json_t *partition = json_pack("{s:s, s:i}", "topic", lanes[i]->topic, "partition",
                                      (int)lanes[i]->kafka.partition);
        set_offset(partition, "position", lanes[i]->kafka.position);
        set_offset(partition, "end", lanes[i]->kafka.high_watermark);
        json_array_append_new(partitions, partition);
    }
    free(lanes);
    return partitions;
}

static json_t *shards_json(const struct job *job, size_t ingress)
{
    json_t *shards = json_array();
    for (uint32_t w = 0; w < job->ingresses->options.worker_count; w++) {
        const struct worker_figures *figures = job->figures[w];
        for (size_t i = 0; i < figures->shard_count; i++) {
            const struct kinesis_lane_figures *shard = &figures->shards[i].kinesis;
            if (figures->shards[i].ingress == ingress)
                json_array_append_new(shards, json_pack("{s:s, s:s, s:I}", "stream", shard->stream,
                                                        "shard", shard->shard, "behindMs",
                                                        (json_int_t)shard->behind_ms));
        }
    }
    return shards;
}

static void add_ingress(const struct job *job, json_t *list, const struct spec_name *id,
                        const char *kind, const struct kafka_halt *halt, const char *parts_name,
                        json_t *parts)
{
    char *text = mem_format("%s/%s", id->ns, id->name);
    json_t *json = ingress_json(text, kind, halt);
    json_object_set_new(json, parts_name, parts);
    if (is_meant(job, text))
        json_array_append(list, json);
    json_decref(json);
    free(text);
}

static json_t *list_json(const struct job *job)
{
    const struct admin_ingresses_options *options = &job->ingresses->options;
    const struct application *application = options->application;
    json_t *list = json_array();
    struct kafka_halt halt = {0};
    for (size_t i = 0; i < application->kafka_ingress_count; i++) {
        (void)kafka_ingress_has_halted(options->kafka_ingresses[i], &halt);
        add_ingress(job, list, &application->kafka_ingresses[i].id, KAFKA_KIND, &halt, "partitions",
                    partitions_json(job, i));
        kafka_halt_destroy(&halt);
    }
    for (size_t i = 0; i < application->kinesis_ingress_count; i++)
        add_ingress(job, list, &application->kinesis_ingresses[i].id, KINESIS_KIND, &halt, "shards",
                    shards_json(job, i));
    if (application->http_ingress_count && is_meant(job, HTTP_ID))
        json_array_append_new(list, ingress_json(HTTP_ID, HTTP_KIND, &halt));
    return list;
}

struct arrival {
    struct errand errand;
    struct job *job;
    struct worker_figures *figures;
};

static void run_arrival(struct errand *errand, void *owner)
{
    struct arrival *arrival = container_of(errand, struct arrival, errand);
    struct job *job = arrival->job;
    (void)owner;
    job->figures[--job->missing] = arrival->figures;
    free(arrival);
    if (job->missing == 0)
        admin_wait_commit(&job->is.wait, 0);
}

/* The worker's thread. */
static void on_figures(void *owner, struct worker_figures *figures)
{
    struct job *job = owner;
    struct arrival *arrival = mem_new(sizeof *arrival);
    *arrival = (struct arrival){.errand.run = run_arrival, .job = job, .figures = figures};
    errand_send(job->ingresses->options.inbox, &arrival->errand);
}

static void gather(struct job *job)
{
    const struct admin_ingresses_options *options = &job->ingresses->options;
    job->missing = options->worker_count;
    job->figures = mem_new(options->worker_count * sizeof(struct worker_figures *));
    for (uint32_t i = 0; i < options->worker_count; i++)
        worker_ask_figures(options->workers[i], on_figures, job);
}

/* --- resume --- */

static void run_back(struct errand *errand, void *owner)
{
    struct resumption *resumption = container_of(errand, struct resumption, back);
    struct job *job = resumption->job;
    (void)owner;
    job->has_passed &= resumption->work.has_passed;
    if (resumption->work.epoch > job->epoch)
        job->epoch = resumption->work.epoch;
    if (--job->missing == 0)
        admin_wait_commit(&job->is.wait, job->skips ? job->epoch : 0);
}

/* The worker's thread. */
static void on_done(struct worker_ingress_resume *work)
{
    struct resumption *resumption = container_of(work, struct resumption, work);
    errand_send(resumption->job->ingresses->options.inbox, &resumption->back);
}

static void note_resumed(struct job *job, const char *id, const struct kafka_halt *halt)
{
    json_t *json = json_pack("{s:s, s:s, s:s, s:b}", "id", id, "at", halt->origin, "cause",
                             halt->cause, "skipped", (int)job->skips);
    json_array_append_new(job->resumed, json);
}

/* Ends the halts of those that are meant; returns how many, and which. */
static size_t end_halts(struct job *job, size_t *numbers)
{
    const struct admin_ingresses_options *options = &job->ingresses->options;
    const struct application *application = options->application;
    size_t count = 0;
    job->resumed = json_array();
    for (size_t i = 0; i < application->kafka_ingress_count; i++) {
        const struct spec_name *name = &application->kafka_ingresses[i].id;
        char *id = mem_format("%s/%s", name->ns, name->name);
        struct kafka_halt halt;
        if (is_meant(job, id) &&
            kafka_ingress_resume(options->kafka_ingresses[i], job->skips, &halt)) {
            note_resumed(job, id, &halt);
            kafka_halt_destroy(&halt);
            numbers[count++] = i;
        }
        free(id);
    }
    return count;
}

static void tell_workers(struct job *job, const size_t *numbers, size_t count)
{
    const struct admin_ingresses_options *options = &job->ingresses->options;
    job->missing = (uint32_t)count * options->worker_count;
    job->resumptions = mem_new(job->missing * sizeof *job->resumptions);
    for (size_t i = 0; i < count; i++)
        for (uint32_t w = 0; w < options->worker_count; w++) {
            struct resumption *resumption = &job->resumptions[i * options->worker_count + w];
            resumption->job = job;
            resumption->back.run = run_back;
            resumption->work.ingress = numbers[i];
            resumption->work.on_done = on_done;
            worker_resume_ingress(options->workers[w], &resumption->work);
        }
}

static void answer_resume(struct job *job)
{
    int status = job->has_passed ? 200 : 503;
    json_t *json = json_pack("{s:O}", "resumed", job->resumed);
    if (!job->has_passed)
        json_object_set_new(json, "error",
                            json_string("there is no room for the dead letter just now, or the "
                                        "application stops: the record is passed over as soon as "
                                        "there is room"));
    admin_job_answer(&job->is, status, json);
}

static void refuse_running(struct job *job)
{
    struct sf_status status;
    sf_fail(&status, SF_CONFLICT, "ingress %s has not stopped: there is nothing to resume",
            job->name);
    admin_job_answer(&job->is, 409, json_pack("{s:s}", "error", status.message));
}

static void resume(struct job *job)
{
    size_t most = job->ingresses->options.application->kafka_ingress_count;
    size_t *numbers = mem_new((most + 1) * sizeof *numbers);
    size_t count = end_halts(job, numbers);
    if (count)
        tell_workers(job, numbers, count);
    else if (job->name)
        refuse_running(job);
    else
        answer_resume(job);
    free(numbers);
}

static void on_there(struct admin_job *is)
{
    struct job *job = container_of(is, struct job, is);
    if (job->resumes)
        answer_resume(job);
    else
        admin_job_answer(is, 200, json_pack("{s:o}", "ingresses", list_json(job)));
}

static void free_job(struct admin_job *is)
{
    job_free(container_of(is, struct job, is));
}

static const struct admin_job_kind about_ingresses = {.on_there = on_there, .free = free_job};

/* --- requests --- */

/* A name looked for among the ids that there are. */
struct search {
    const char *name;
    struct buffer ids;
    bool is_found;
};

static void compare_id(struct search *search, const char *ns, const char *name)
{
    char *id = mem_format("%s/%s", ns, name);
    search->is_found |= !strcmp(id, search->name);
    buffer_add_format(&search->ids, "%s%s", search->ids.size ? ", " : "", id);
    free(id);
}

static bool check_name(const struct job *job, struct sf_status *status)
{
    const struct application *application = job->ingresses->options.application;
    struct search search = {.name = job->name};
    for (size_t i = 0; i < application->kafka_ingress_count; i++)
        compare_id(&search, application->kafka_ingresses[i].id.ns,
                   application->kafka_ingresses[i].id.name);
    for (size_t i = 0; i < application->kinesis_ingress_count; i++)
        compare_id(&search, application->kinesis_ingresses[i].id.ns,
                   application->kinesis_ingresses[i].id.name);
    if (application->http_ingress_count)
        compare_id(&search, HTTP_NS, HTTP_NAME);
    if (!search.is_found)
        sf_fail(status, SF_NOT_FOUND, "there is no ingress '%.100s': expected one of %s", job->name,
                buffer_text(&search.ids));
    buffer_destroy(&search.ids);
    return search.is_found;
}

static bool set_parameter(void *owner, struct bytes name, struct bytes value,
                          struct sf_status *status)
{
    struct job *job = owner;
    if (bytes_is(name, "name")) {
        free(job->name);
        job->name = bytes_string(value);
        return true;
    }
    bool *flag = bytes_is(name, "all") ? &job->all : bytes_is(name, "skip") ? &job->skips : NULL;
    if (!flag || !job->resumes)
        return sf_fail(status, SF_INVALID, "expected name%s, found '%.*s'",
                       job->resumes ? ", all or skip" : "", (int)(name.size < 40 ? name.size : 40),
                       (const char *)name.data);
    *flag = bytes_is(value, "true");
    return *flag || sf_fail(status, SF_INVALID, "%.*s: expected true", BYTES_ARG(name));
}

static bool read_request(struct job *job, const struct http_head *head, struct sf_status *status)
{
    struct bytes query, path = admin_path(head->target, &query);
    bool gets = bytes_is(head->method, "GET") || bytes_is(head->method, "HEAD");
    job->resumes = bytes_is(head->method, "POST") && bytes_is(path, "/ingresses/resume");
    if (!job->resumes && !(gets && bytes_is(path, "/ingresses")))
        return sf_fail(status, SF_UNSUPPORTED, "expected GET /ingresses or POST /ingresses/resume");
    if (!admin_query_read(query, set_parameter, job, status))
        return false;
    if (job->resumes && !job->name == !job->all)
        return sf_fail(status, SF_INVALID,
                       "expected either name=<namespace>/<name>, or all=true for every ingress "
                       "that has stopped");
    return !job->name || check_name(job, status);
}

void admin_ingresses_request(struct admin_ingresses *ingresses, struct http_exchange *exchange)
{
    const struct admin_ingresses_options *options = &ingresses->options;
    struct sf_status status;
    struct job *job = mem_new(sizeof *job);
    job->ingresses = ingresses;
    job->has_passed = true;
    if (!read_request(job, http_exchange_head(exchange), &status)) {
        job_free(job);
        admin_complain(exchange, &status);
        return;
    }
    admin_job_begin(&job->is, &about_ingresses, &ingresses->jobs, options->loop, options->store,
                    exchange);
    if (job->resumes)
        resume(job);
    else
        gather(job);
}

void admin_ingresses_add_halts(const struct admin_ingresses *ingresses, struct buffer *text)
{
    const struct admin_ingresses_options *options = &ingresses->options;
    for (size_t i = 0; i < options->application->kafka_ingress_count; i++) {
        const struct spec_name *id = &options->application->kafka_ingresses[i].id;
        struct kafka_halt halt;
        if (!kafka_ingress_has_halted(options->kafka_ingresses[i], &halt))
            continue;
        buffer_add_format(text, "ingress %s/%s has stopped: %s: %s\n", id->ns, id->name,
                          halt.origin, halt.cause);
        kafka_halt_destroy(&halt);
    }
}

/* --- life --- */

struct admin_ingresses *admin_ingresses_new(const struct admin_ingresses_options *options)
{
    struct admin_ingresses *ingresses = mem_new(sizeof *ingresses);
    ingresses->options = *options;
    list_init(&ingresses->jobs);
    return ingresses;
}

void admin_ingresses_free(struct admin_ingresses *ingresses)
{
    if (!ingresses)
        return;
    admin_jobs_free(&ingresses->jobs);
    free(ingresses);
}
