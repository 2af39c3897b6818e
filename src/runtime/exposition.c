/* exposition.c - one metric after another, each with its help, its type and its samples. */
#include "runtime/exposition.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

static void head(struct buffer *text, const char *name, const char *type, const char *help)
{
    buffer_add_format(text, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* A label's value: quotes, backslashes and newlines are escaped. */
static void label(struct buffer *text, const char *name, struct bytes value)
{
    buffer_add_format(text, "%s=\"", name);
    for (size_t i = 0; i < value.size; i++) {
        uint8_t c = value.data[i];
        if (c == '\n')
            buffer_add_text(text, "\\n");
        else if (c == '"' || c == '\\')
            buffer_add_format(text, "\\%c", c);
        else
            buffer_add_u8(text, c);
    }
    buffer_add_u8(text, '"');
}

static void single(struct buffer *text, const char *name, const char *type, const char *help,
                   uint64_t value)
{
    head(text, name, type, help);
    buffer_add_format(text, "%s %llu\n", name, (unsigned long long)value);
}

/* `labels` without braces; may be empty. */
static void histogram(struct buffer *text, const char *name, const char *labels,
                      const struct histogram *h)
{
    uint64_t sum = 0;
    const char *comma = *labels ? "," : "";
    for (size_t i = 0; i < HISTOGRAM_STEPS; i++) {
        sum += h->counts[i];
        buffer_add_format(text, "%s_bucket{%s%sle=\"%g\"} %llu\n", name, labels, comma,
                          (double)histogram_bounds_us[i] / 1e6, (unsigned long long)sum);
    }
    buffer_add_format(text, "%s_bucket{%s%sle=\"+Inf\"} %llu\n", name, labels, comma,
                      (unsigned long long)h->count);
    buffer_add_format(text, "%s_sum{%s} %g\n%s_count{%s} %llu\n", name, labels,
                      (double)h->sum_us / 1e6, name, labels, (unsigned long long)h->count);
}

/* --- functions: the workers' shares added up --- */

struct function_sum {
    struct bytes ns, name;
    struct function_figures engine;
    struct remote_figures remote;
};

struct function_sums {
    struct function_sum *items;
    size_t count;
};

static struct function_sum *sum_of(struct function_sums *sums, struct bytes ns, struct bytes name)
{
    for (size_t i = 0; i < sums->count; i++)
        if (bytes_equal(sums->items[i].ns, ns) && bytes_equal(sums->items[i].name, name))
            return &sums->items[i];
    sums->items = mem_resize(sums->items, (sums->count + 1) * sizeof *sums->items);
    struct function_sum *sum = &sums->items[sums->count++];
    *sum = (struct function_sum){.ns = ns, .name = name};
    return sum;
}

static void add_function(struct function_sum *sum, const struct function_figures *f)
{
    sum->engine.in += f->in;
    sum->engine.out_local += f->out_local;
    sum->engine.out_remote += f->out_remote;
    sum->engine.out_egress += f->out_egress;
    sum->engine.invocations += f->invocations;
    sum->engine.invoked_messages += f->invoked_messages;
    sum->engine.failures += f->failures;
    sum->engine.in_flight += f->in_flight;
    sum->engine.backlog += f->backlog;
    sum->engine.blocked += f->blocked;
}

static void add_remote(struct function_sum *sum, const struct remote_figures *r)
{
    sum->remote.requests += r->requests;
    sum->remote.failures += r->failures;
    sum->remote.request_bytes += r->request_bytes;
    sum->remote.response_bytes += r->response_bytes;
    sum->remote.connections += r->connections;
    sum->remote.bundles += r->bundles;
    sum->remote.bundled += r->bundled;
    sum->remote.bundles_failed += r->bundles_failed;
    sum->remote.kept_known += r->kept_known;
    sum->remote.kept_unknown += r->kept_unknown;
    histogram_merge(&sum->remote.latency, &r->latency);
}

static struct function_sums add_up(const struct exposed *exposed)
{
    struct function_sums sums = {0};
    for (size_t w = 0; w < exposed->worker_count; w++) {
        const struct worker_figures *figures = exposed->workers[w];
        for (size_t i = 0; i < figures->function_count; i++)
            add_function(sum_of(&sums, figures->functions[i].ns, figures->functions[i].name),
                         &figures->functions[i].engine);
        for (size_t i = 0; i < figures->endpoint_count; i++)
            add_remote(sum_of(&sums, figures->endpoints[i].ns, figures->endpoints[i].name),
                       &figures->endpoints[i].remote);
    }
    return sums;
}

struct function_metric {
    const char *name, *type, *help;
    size_t offset; /* of an uint64_t in struct function_sum */
};

#define OF(field) offsetof(struct function_sum, field)

static const struct function_metric function_metrics[] = {
    {"statefun_functions_in_total", "counter", "Messages received.", OF(engine.in)},
    {"statefun_functions_out_local_total", "counter", "Messages sent to the same worker.",
     OF(engine.out_local)},
    {"statefun_functions_out_remote_total", "counter", "Messages sent to other workers.",
     OF(engine.out_remote)},
    {"statefun_functions_out_egress_total", "counter", "Messages sent to egresses.",
     OF(engine.out_egress)},
    {"statefun_functions_num_blocked_address", "gauge",
     "Addresses with as many waiting messages as an invocation may take.", OF(engine.blocked)},
    {"statefun_functions_inflight_async_ops", "gauge", "Invocations under way.",
     OF(engine.in_flight)},
    {"statefun_functions_num_backlog", "gauge",
     "Messages accepted and not processed, those under way included.", OF(engine.backlog)},
    {"statefun_functions_remote_invocation_failures_total", "counter",
     "Attempts that failed, for whatever reason.", OF(engine.failures)},
    {"statefun_functions_invocations_total", "counter", "Invocations started, every attempt.",
     OF(engine.invocations)},
    {"statefun_functions_invoked_messages_total", "counter", "Messages in those invocations.",
     OF(engine.invoked_messages)},
    {"statefun_endpoint_requests_total", "counter", "HTTP requests sent.", OF(remote.requests)},
    {"statefun_endpoint_request_failures_total", "counter",
     "HTTP requests without a usable response.", OF(remote.failures)},
    {"statefun_endpoint_request_bytes_total", "counter", "Bytes of request bodies.",
     OF(remote.request_bytes)},
    {"statefun_endpoint_response_bytes_total", "counter", "Bytes of response bodies.",
     OF(remote.response_bytes)},
    {"statefun_endpoint_connections", "gauge", "Connections open now.", OF(remote.connections)},
    {"statefun_endpoint_bundles_total", "counter", "HTTP requests that held many invocations.",
     OF(remote.bundles)},
    {"statefun_endpoint_bundled_invocations_total", "counter", "Invocations in those requests.",
     OF(remote.bundled)},
    {"statefun_endpoint_bundle_failures_total", "counter",
     "Bundles without a usable response; their invocations were sent again one by one.",
     OF(remote.bundles_failed)},
    {"statefun_endpoint_kept_known_total", "counter",
     "Invocations sent without the states that their function has kept.", OF(remote.kept_known)},
    {"statefun_endpoint_kept_unknown_total", "counter",
     "Those sent again with all states, as their function has not kept them.",
     OF(remote.kept_unknown)},
};

static void add_function_labels(struct buffer *text, const struct function_sum *sum)
{
    label(text, "namespace", sum->ns);
    buffer_add_u8(text, ',');
    label(text, "name", sum->name);
}

static void expose_functions(struct buffer *text, const struct exposed *exposed)
{
    struct function_sums sums = add_up(exposed);
    for (size_t m = 0; m < sizeof function_metrics / sizeof *function_metrics; m++) {
        const struct function_metric *metric = &function_metrics[m];
        head(text, metric->name, metric->type, metric->help);
        for (size_t i = 0; i < sums.count; i++) {
            uint64_t value;
            memcpy(&value, (const uint8_t *)&sums.items[i] + metric->offset, sizeof value);
            buffer_add_format(text, "%s{", metric->name);
            add_function_labels(text, &sums.items[i]);
            buffer_add_format(text, "} %llu\n", (unsigned long long)value);
        }
    }

    static const char latency[] = "statefun_functions_remote_invocation_latency_seconds";
    head(text, latency, "histogram", "Time of every attempt, from request to response.");
    for (size_t i = 0; i < sums.count; i++) {
        struct buffer labels = {0};
        add_function_labels(&labels, &sums.items[i]);
        histogram(text, latency, buffer_text(&labels), &sums.items[i].remote.latency);
        buffer_destroy(&labels);
    }
    free(sums.items);
}

/* --- what functions count --- */

static int compare_counters(const void *a, const void *b)
{
    const struct worker_counter *x = a, *y = b;
    int order = bytes_compare(x->ns, y->ns);
    order = order ? order : bytes_compare(x->name, y->name);
    return order ? order : strcmp(x->counter, y->counter);
}

/* The workers' counters added up: the first of those that are one, so many in all. */
static size_t add_up_counters(struct worker_counter *counters, size_t count)
{
    size_t sums = 0;
    qsort(counters, count, sizeof *counters, compare_counters);
    for (size_t i = 0; i < count; i++) {
        if (sums && !compare_counters(&counters[sums - 1], &counters[i]))
            counters[sums - 1].value += counters[i].value;
        else
            counters[sums++] = counters[i];
    }
    return sums;
}

static void add_counter_of_function(struct buffer *text, const struct worker_counter *counter)
{
    label(text, "namespace", counter->ns);
    buffer_add_u8(text, ',');
    label(text, "name", counter->name);
}

static void add_counter_of_route(struct buffer *text, const struct worker_counter *counter)
{
    label(text, "ingress", counter->name);
}

/* Upstream has a metric for each, named as the counter: here the name is a label, as it may be any
 * text. Gauges, since they may also go down. */
static const struct counter_metric {
    const char *name, *help;
    size_t offset; /* of the counters in struct worker_figures */
    void (*add_labels)(struct buffer *text, const struct worker_counter *counter);
} counter_metrics[] = {
    {"statefun_functions_counter", "What embedded functions count.",
     offsetof(struct worker_figures, function_counters), add_counter_of_function},
    {"statefun_routers_counter", "What routers in C count.",
     offsetof(struct worker_figures, route_counters), add_counter_of_route},
};

static void expose_counter_metric(struct buffer *text, const struct exposed *exposed,
                                  const struct counter_metric *metric)
{
    struct buffer all = {0};
    for (size_t w = 0; w < exposed->worker_count; w++) {
        const uint8_t *figures = (const uint8_t *)exposed->workers[w];
        const struct worker_counters *of_worker = (const void *)(figures + metric->offset);
        buffer_add(&all, of_worker->items, of_worker->count * sizeof *of_worker->items);
    }
    struct worker_counter *counters = (struct worker_counter *)all.data;
    size_t count = all.size ? add_up_counters(counters, all.size / sizeof *counters) : 0;
    if (count)
        head(text, metric->name, "gauge", metric->help);
    for (size_t i = 0; i < count; i++) {
        buffer_add_format(text, "%s{", metric->name);
        metric->add_labels(text, &counters[i]);
        buffer_add_u8(text, ',');
        label(text, "counter", bytes_of(counters[i].counter));
        buffer_add_format(text, "} %lld\n", (long long)counters[i].value);
    }
    buffer_destroy(&all);
}

static void expose_counters(struct buffer *text, const struct exposed *exposed)
{
    for (size_t i = 0; i < sizeof counter_metrics / sizeof *counter_metrics; i++)
        expose_counter_metric(text, exposed, &counter_metrics[i]);
}

/* --- engines --- */

static void expose_engines(struct buffer *text, const struct exposed *exposed)
{
    struct engine_figures sum = {0};
    for (size_t w = 0; w < exposed->worker_count; w++) {
        const struct engine_figures *f = &exposed->workers[w]->engine;
        sum.instances += f->instances;
        sum.cache_bytes += f->cache_bytes;
        sum.evicted += f->evicted;
        sum.backlog_memory_bytes += f->backlog_memory_bytes;
        sum.spilled_messages += f->spilled_messages;
        sum.stranded_messages += f->stranded_messages;
        sum.delayed_messages += f->delayed_messages;
        sum.retrying += f->retrying;
        sum.dead_letters += f->dead_letters;
        sum.parked += f->parked;
        sum.idempotency_keys += f->idempotency_keys;
        sum.duplicates += f->duplicates;
    }
    single(text, "statefun_instances", "gauge", "Function instances in memory.", sum.instances);
    single(text, "statefun_cache_bytes", "gauge", "Memory of those instances.", sum.cache_bytes);
    single(text, "statefun_evicted_total", "counter", "Instances left to the store.", sum.evicted);
    single(text, "statefun_backlog_memory_bytes", "gauge", "Waiting messages in memory.",
           sum.backlog_memory_bytes);
    single(text, "statefun_spilled_messages", "gauge", "Waiting messages left to the store.",
           sum.spilled_messages);
    single(text, "statefun_stranded_messages", "gauge",
           "Stored messages for functions that no module serves now.", sum.stranded_messages);
    single(text, "statefun_delayed_messages", "gauge", "Delayed messages that wait for their time.",
           sum.delayed_messages);
    single(text, "statefun_retrying_addresses", "gauge",
           "Addresses whose last invocation failed and that wait to be tried again.", sum.retrying);
    single(text, "statefun_parked_addresses", "gauge",
           "Addresses that failed too often, and wait to be resumed.", sum.parked);
    single(text, "statefun_dead_letters", "gauge",
           "Records and messages set aside as undeliverable.", sum.dead_letters);
    single(text, "statefun_idempotency_keys", "gauge", "Idempotency keys remembered.",
           sum.idempotency_keys);
    single(text, "statefun_duplicate_requests_total", "counter",
           "Requests that were dropped because their idempotency key was known.", sum.duplicates);
}

/* --- ingresses --- */

static void expose_http(struct buffer *text, const struct exposed *exposed)
{
    struct http_ingress_figures sum = {0};
    for (size_t w = 0; w < exposed->worker_count; w++) {
        const struct http_ingress_figures *f = &exposed->workers[w]->http;
        sum.requests += f->requests;
        sum.accepted += f->accepted;
        sum.refused += f->refused;
        sum.invalid += f->invalid;
        sum.waiting += f->waiting;
    }
    single(text, "statefun_http_ingress_requests_total", "counter", "Requests received.",
           sum.requests);
    single(text, "statefun_http_ingress_accepted_total", "counter",
           "Requests whose message was committed.", sum.accepted);
    single(text, "statefun_http_ingress_refused_total", "counter",
           "Requests refused for want of room.", sum.refused);
    single(text, "statefun_http_ingress_invalid_total", "counter", "Requests that were wrong.",
           sum.invalid);
    single(text, "statefun_http_ingress_waiting", "gauge", "Requests waiting for their commit.",
           sum.waiting);
}

static uint64_t lane_records(const struct kafka_lane_figures *f)
{
    return f->records;
}

static uint64_t lane_bytes(const struct kafka_lane_figures *f)
{
    return f->bytes;
}

static uint64_t lane_invalid(const struct kafka_lane_figures *f)
{
    return f->invalid;
}

static uint64_t lane_skipped(const struct kafka_lane_figures *f)
{
    return f->skipped;
}

static uint64_t lane_forwarded(const struct kafka_lane_figures *f)
{
    return f->forwarded;
}

static uint64_t lane_halted(const struct kafka_lane_figures *f)
{
    return f->has_halted;
}

static uint64_t lane_position(const struct kafka_lane_figures *f)
{
    return f->position < 0 ? 0 : (uint64_t)f->position;
}

static uint64_t lane_lag(const struct kafka_lane_figures *f)
{
    return f->position >= 0 && f->high_watermark > f->position
               ? (uint64_t)(f->high_watermark - f->position)
               : 0;
}

static uint64_t lane_waits(const struct kafka_lane_figures *f)
{
    return f->waits_for_room;
}

static void expose_lanes(struct buffer *text, const struct exposed *exposed)
{
    static const struct {
        const char *name, *type, *help;
        uint64_t (*value)(const struct kafka_lane_figures *f);
    } metrics[] = {
        {"statefun_kafka_ingress_records_total", "counter", "Records accepted.", lane_records},
        {"statefun_kafka_ingress_bytes_total", "counter", "Bytes of their values.", lane_bytes},
        {"statefun_kafka_ingress_rejected_total", "counter",
         "Records that could not become messages.", lane_invalid},
        {"statefun_kafka_ingress_skipped_total", "counter", "Of them, those that were skipped.",
         lane_skipped},
        {"statefun_kafka_ingress_forwarded_total", "counter",
         "Of them, those that were forwarded to a function.", lane_forwarded},
        {"statefun_kafka_ingress_stopped", "gauge",
         "1 when the ingress has stopped at an invalid record.", lane_halted},
        {"statefun_kafka_ingress_position", "gauge", "Offset of the next record to accept.",
         lane_position},
        {"statefun_kafka_ingress_lag", "gauge", "Records between that and the end.", lane_lag},
        {"statefun_kafka_ingress_waits_for_room", "gauge",
         "1 while a record of the partition is refused.", lane_waits},
    };
    if (!exposed->application->kafka_ingress_count)
        return;
    for (size_t m = 0; m < sizeof metrics / sizeof *metrics; m++) {
        head(text, metrics[m].name, metrics[m].type, metrics[m].help);
        for (size_t w = 0; w < exposed->worker_count; w++) {
            const struct worker_figures *figures = exposed->workers[w];
            for (size_t i = 0; i < figures->lane_count; i++) {
                const struct worker_lane *lane = &figures->lanes[i];
                const struct spec_name *id =
                    &exposed->application->kafka_ingresses[lane->ingress].id;
                buffer_add_format(text, "%s{ingress=\"%s/%s\",", metrics[m].name, id->ns, id->name);
                label(text, "topic", bytes_of(lane->topic));
                buffer_add_format(text, ",partition=\"%d\"} %llu\n", (int)lane->kafka.partition,
                                  (unsigned long long)metrics[m].value(&lane->kafka));
            }
        }
    }
}

static uint64_t shard_records(const struct kinesis_lane_figures *f)
{
    return f->records;
}

static uint64_t shard_bytes(const struct kinesis_lane_figures *f)
{
    return f->bytes;
}

static uint64_t shard_behind(const struct kinesis_lane_figures *f)
{
    return f->behind_ms;
}

static uint64_t shard_waits(const struct kinesis_lane_figures *f)
{
    return f->waits_for_room;
}

static void expose_shards(struct buffer *text, const struct exposed *exposed)
{
    static const struct {
        const char *name, *type, *help;
        uint64_t (*value)(const struct kinesis_lane_figures *f);
    } metrics[] = {
        {"statefun_kinesis_ingress_records_total", "counter", "Records accepted.", shard_records},
        {"statefun_kinesis_ingress_bytes_total", "counter", "Bytes of their data.", shard_bytes},
        {"statefun_kinesis_ingress_behind_milliseconds", "gauge",
         "How far the last answer was behind the end of the shard.", shard_behind},
        {"statefun_kinesis_ingress_waits_for_room", "gauge",
         "1 while a record of the shard is refused.", shard_waits},
    };
    if (!exposed->application->kinesis_ingress_count)
        return;
    for (size_t m = 0; m < sizeof metrics / sizeof *metrics; m++) {
        head(text, metrics[m].name, metrics[m].type, metrics[m].help);
        for (size_t w = 0; w < exposed->worker_count; w++) {
            const struct worker_figures *figures = exposed->workers[w];
            for (size_t i = 0; i < figures->shard_count; i++) {
                const struct worker_shard *shard = &figures->shards[i];
                const struct spec_name *id =
                    &exposed->application->kinesis_ingresses[shard->ingress].id;
                buffer_add_format(text, "%s{ingress=\"%s/%s\",", metrics[m].name, id->ns, id->name);
                label(text, "stream", bytes_of(shard->kinesis.stream));
                buffer_add_text(text, ",");
                label(text, "shard", bytes_of(shard->kinesis.shard));
                buffer_add_format(text, "} %llu\n",
                                  (unsigned long long)metrics[m].value(&shard->kinesis));
            }
        }
    }
}

static uint64_t source_records(const struct module_lane_figures *f)
{
    return f->records;
}

static uint64_t source_bytes(const struct module_lane_figures *f)
{
    return f->bytes;
}

static uint64_t source_rejected(const struct module_lane_figures *f)
{
    return f->rejected;
}

static uint64_t source_failures(const struct module_lane_figures *f)
{
    return f->failures;
}

static uint64_t source_waits(const struct module_lane_figures *f)
{
    return f->waits_for_room;
}

static void expose_sources(struct buffer *text, const struct exposed *exposed)
{
    static const struct {
        const char *name, *type, *help;
        uint64_t (*value)(const struct module_lane_figures *f);
    } metrics[] = {
        {"statefun_module_ingress_records_total", "counter", "Records accepted.", source_records},
        {"statefun_module_ingress_bytes_total", "counter", "Bytes of their values.", source_bytes},
        {"statefun_module_ingress_rejected_total", "counter",
         "Records that a router has failed on.", source_rejected},
        {"statefun_module_ingress_failures_total", "counter", "How often run has failed.",
         source_failures},
        {"statefun_module_ingress_waits_for_room", "gauge",
         "1 while a record of the partition is refused.", source_waits},
    };
    if (!exposed->registry || !exposed->registry->ingress_count)
        return;
    for (size_t m = 0; m < sizeof metrics / sizeof *metrics; m++) {
        head(text, metrics[m].name, metrics[m].type, metrics[m].help);
        for (size_t w = 0; w < exposed->worker_count; w++) {
            const struct worker_figures *figures = exposed->workers[w];
            for (size_t i = 0; i < figures->source_count; i++) {
                const struct worker_source *source = &figures->sources[i];
                buffer_add_format(text, "%s{", metrics[m].name);
                label(text, "ingress", bytes_of(exposed->registry->ingresses[source->ingress]->id));
                buffer_add_format(text, ",partition=\"%u\"} %llu\n", source->module.partition,
                                  (unsigned long long)metrics[m].value(&source->module));
            }
        }
    }
}

/* --- egresses, commits, process --- */

static uint64_t egress_outbox_bytes(const struct exposed_egress *egress)
{
    return egress->outbox.bytes;
}

static uint64_t egress_outbox_records(const struct exposed_egress *egress)
{
    return egress->outbox.records + (egress->is_playground ? egress->playground.waiting : 0);
}

static uint64_t egress_spilled(const struct exposed_egress *egress)
{
    return egress->outbox.is_spilled;
}

static uint64_t egress_epoch(const struct exposed_egress *egress)
{
    return egress->outbox.epoch;
}

static uint64_t egress_records(const struct exposed_egress *egress)
{
    return egress->is_playground ? egress->playground.fetched : egress->figures.records;
}

static uint64_t egress_aborted(const struct exposed_egress *egress)
{
    return egress->figures.aborted;
}

static void expose_egresses(struct buffer *text, const struct exposed *exposed)
{
    static const struct {
        const char *name, *type, *help;
        uint64_t (*value)(const struct exposed_egress *egress);
    } metrics[] = {
        {"statefun_egress_outbox_bytes", "gauge", "Committed and not confirmed.",
         egress_outbox_bytes},
        {"statefun_egress_outbox_records", "gauge", "Committed and not confirmed.",
         egress_outbox_records},
        {"statefun_egress_outbox_spilled", "gauge",
         "1 while part of the outbox is in the store only.", egress_spilled},
        {"statefun_egress_confirmed_epoch", "gauge", "The last epoch confirmed.", egress_epoch},
        {"statefun_egress_records_total", "counter", "Records delivered.", egress_records},
        {"statefun_egress_aborted_total", "counter", "Batches that had to be sent again.",
         egress_aborted},
    };
    for (size_t m = 0; m < sizeof metrics / sizeof *metrics; m++) {
        head(text, metrics[m].name, metrics[m].type, metrics[m].help);
        for (size_t i = 0; i < exposed->egress_count; i++)
            buffer_add_format(text, "%s{egress=\"%s\"} %llu\n", metrics[m].name,
                              exposed->egresses[i].id,
                              (unsigned long long)metrics[m].value(&exposed->egresses[i]));
    }

    static const char latency[] = "statefun_egress_batch_latency_seconds";
    head(text, latency, "histogram", "Time of a batch, from its first record to its confirmation.");
    for (size_t i = 0; i < exposed->egress_count; i++) {
        if (exposed->egresses[i].is_playground)
            continue;
        char labels[300];
        snprintf(labels, sizeof labels, "egress=\"%s\"", exposed->egresses[i].id);
        histogram(text, latency, labels, &exposed->egresses[i].figures.latency);
    }
}

static void expose_commits(struct buffer *text, const struct exposed *exposed)
{
    const struct committer_figures *c = &exposed->committer;
    single(text, "statefun_epoch", "gauge", "The last durable epoch.", exposed->epoch);
    single(text, "statefun_epochs_total", "counter", "Epochs committed since the start.",
           c->epochs);
    single(text, "statefun_epoch_bytes", "gauge", "Size of the last epoch's delta.", c->last_bytes);
    single(text, "statefun_epoch_bytes_total", "counter", "Size of all of them.", c->bytes);
    head(text, "statefun_commit_latency_seconds", "histogram",
         "From the decision to end an epoch until it is durable.");
    histogram(text, "statefun_commit_latency_seconds", "", &c->latency);
    head(text, "statefun_commit_sync_seconds", "histogram", "The part of it that the disk takes.");
    histogram(text, "statefun_commit_sync_seconds", "", &c->sync);

    const struct store_figures *s = &exposed->store;
    single(text, "statefun_store_log_bytes_total", "counter", "Written to the log.", s->log_bytes);
    single(text, "statefun_store_lag_bytes", "gauge", "Of the log that the view lacks.",
           s->lag_bytes);
    single(text, "statefun_store_view_changes_total", "counter", "Keys written to the view.",
           s->view_changes);
    single(text, "statefun_store_segments", "gauge", "Files of the log.", s->segments);
}

/* As in the Prometheus client libraries. */
static void expose_process(struct buffer *text, const struct exposed *exposed)
{
    unsigned long size = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file) {
        if (fscanf(file, "%lu %lu", &size, &resident) != 2)
            resident = 0;
        fclose(file);
    }
    single(text, "process_resident_memory_bytes", "gauge", "Resident memory.",
           resident * (uint64_t)sysconf(_SC_PAGESIZE));

    struct timespec cpu;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
    head(text, "process_cpu_seconds_total", "counter", "User and system time.");
    buffer_add_format(text, "process_cpu_seconds_total %lld.%06ld\n", (long long)cpu.tv_sec,
                      cpu.tv_nsec / 1000);
    single(text, "process_start_time_seconds", "gauge", "When it started, since 1970.",
           exposed->start_time_s);
    head(text, "statefun_build_info", "gauge", "Always 1; the version is in its label.");
    buffer_add_text(text, "statefun_build_info{version=\"" STATEFUN_VERSION "\"} 1\n");
}

void exposition_add(struct buffer *text, const struct exposed *exposed)
{
    expose_functions(text, exposed);
    expose_counters(text, exposed);
    expose_engines(text, exposed);
    expose_http(text, exposed);
    expose_lanes(text, exposed);
    expose_shards(text, exposed);
    expose_sources(text, exposed);
    expose_egresses(text, exposed);
    expose_commits(text, exposed);
    expose_process(text, exposed);
}
