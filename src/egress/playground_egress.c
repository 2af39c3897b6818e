/* playground_egress.c - one queue for each topic, in front of the outbox. */
#include "egress/playground_egress.h"

#include "base/list.h"
#include "net/http_server.h"
#include "wire/typed_value.h"

#include <jansson.h>

enum {
    CONNECTIONS_MAX = 1000,
    REQUEST_MS_MAX = 30 * 1000,
    IDLE_MS_MAX = 120 * 1000,
    TOPIC_RECORDS_MAX = 1 << 20, /* module-yaml.md 8 */
    TAKE_BYTES = 1 << 20
};

#define RECORD_TYPE "io.statefun.playground/EgressRecord"

struct waiting {
    struct list link;
    struct bytes key; /* owned */
    char *payload;
};

struct topic {
    const char *name;
    struct list records;
    size_t count;
};

struct playground_egress {
    struct playground_egress_options options;
    struct http_server *server;
    struct topic *topics;
    struct playground_egress_figures figures;
};

/* --- records --- */

static bool parse_record(struct bytes json, json_t **ret_root, const char **ret_topic,
                         const char **ret_payload, struct sf_status *status)
{
    json_error_t error;
    json_t *root = json_loadb((const char *)json.data, json.size, JSON_REJECT_DUPLICATES, &error);
    if (!root)
        return sf_fail(status, SF_INVALID, "an EgressRecord is not JSON: %s at column %d",
                       error.text, error.column);
    *ret_topic = json_string_value(json_object_get(root, "topic"));
    *ret_payload = json_string_value(json_object_get(root, "payload"));
    if (!*ret_topic || !*ret_payload) {
        json_decref(root);
        return sf_fail(status, SF_INVALID,
                       "an EgressRecord must be {\"topic\": text, \"payload\": text}");
    }
    *ret_root = root;
    return true;
}

bool playground_egress_accept(struct bytes argument, struct bytes *ret_record,
                              struct sf_status *status)
{
    struct typed_value value;
    const char *topic, *payload;
    json_t *root;
    if (!typed_value_parse(argument, &value, status))
        return false;
    if (!bytes_is(value.type, RECORD_TYPE))
        return sf_fail(status, SF_INVALID,
                       "the playground egress takes messages of type " RECORD_TYPE ", found '%.*s'",
                       BYTES_ARG(value.type));
    if (!parse_record(value.value, &root, &topic, &payload, status))
        return false;
    json_decref(root);
    *ret_record = value.value;
    return true;
}

static struct topic *find_topic(struct playground_egress *egress, struct bytes name)
{
    for (size_t i = 0; i < egress->options.spec->topic_count; i++)
        if (bytes_is(name, egress->topics[i].name))
            return &egress->topics[i];
    return NULL;
}

static void set_aside(struct playground_egress *egress, const struct outbox_record *record,
                      const char *cause)
{
    egress->options.on_done(egress->options.owner, egress->options.egress, record->key,
                            &(struct dead_letter){
                                .kind = DEAD_UNDELIVERABLE,
                                .cause = bytes_of(cause),
                                .egress = bytes_of("io.statefun.playground/egress"),
                                .value = record->value,
                            });
}

static void queue_record(struct playground_egress *egress, const struct outbox_record *record)
{
    struct sf_status status;
    const char *name, *payload;
    json_t *root;
    if (!parse_record(record->value, &root, &name, &payload, &status)) {
        set_aside(egress, record, status.message);
        return;
    }
    struct topic *topic = find_topic(egress, bytes_of(name));
    if (!topic) {
        sf_fail(&status, SF_NOT_FOUND, "the playground egress has no topic '%.100s'", name);
        set_aside(egress, record, status.message);
    } else if (topic->count == TOPIC_RECORDS_MAX) {
        sf_fail(&status, SF_FULL, "topic '%.100s' holds %d records that nobody has fetched", name,
                TOPIC_RECORDS_MAX);
        set_aside(egress, record, status.message);
    } else {
        struct waiting *waiting = mem_new(sizeof *waiting);
        waiting->key = bytes_make(bytes_string(record->key), record->key.size);
        waiting->payload = mem_string(payload);
        list_put_last(&topic->records, &waiting->link);
        topic->count++;
        egress->figures.waiting++;
    }
    json_decref(root);
}

void playground_egress_take(struct playground_egress *egress)
{
    struct outbox_batch batch;
    while (outbox_take(egress->options.outbox, TAKE_BYTES, &batch)) {
        for (size_t i = 0; i < batch.count; i++)
            queue_record(egress, &batch.records[i]);
        outbox_confirm(egress->options.outbox, &batch);
    }
}

static void waiting_free(struct waiting *waiting)
{
    list_take(&waiting->link);
    free((void *)waiting->key.data);
    free(waiting->payload);
    free(waiting);
}

/* --- requests --- */

static void answer(struct http_exchange *exchange, int status, const char *text)
{
    struct buffer headers = {0};
    buffer_add_format(&headers, "Status: %d\r\n%s", status, status == 405 ? "Allow: GET\r\n" : "");
    http_respond(exchange, &(struct http_answer){.status = status,
                                                 .content_type = "text/plain; charset=utf-8",
                                                 .headers = buffer_text(&headers),
                                                 .body = bytes_of(text)});
    buffer_destroy(&headers);
}

static struct bytes path_of(const struct http_head *head)
{
    struct bytes path = head->target;
    const uint8_t *query = path.size ? memchr(path.data, '?', path.size) : NULL;
    if (query)
        path.size = (size_t)(query - path.data);
    return path.size && path.data[0] == '/' ? bytes_from(path, 1) : path;
}

static void on_request(void *owner, struct http_exchange *exchange)
{
    struct playground_egress *egress = owner;
    const struct http_head *head = http_exchange_head(exchange);
    struct buffer name = {0};
    struct topic *topic =
        http_percent_decode(path_of(head), &name) ? find_topic(egress, buffer_bytes(&name)) : NULL;
    buffer_destroy(&name);

    if (!bytes_is(head->method, "GET")) {
        answer(exchange, 405, "only GET is served here\n");
    } else if (!topic) {
        answer(exchange, 404, "no such topic\n");
    } else if (list_is_empty(&topic->records)) {
        answer(exchange, 404, "");
    } else {
        struct waiting *waiting = list_first(&topic->records, struct waiting, link);
        answer(exchange, 200, waiting->payload);
        topic->count--;
        egress->figures.waiting--;
        egress->figures.fetched++;
        egress->options.on_done(egress->options.owner, egress->options.egress, waiting->key, NULL);
        waiting_free(waiting);
    }
}

/* --- life --- */

struct playground_egress *playground_egress_new(const struct playground_egress_options *options)
{
    struct playground_egress *egress = mem_new(sizeof *egress);
    egress->options = *options;
    egress->topics = mem_new(options->spec->topic_count * sizeof *egress->topics);
    for (size_t i = 0; i < options->spec->topic_count; i++) {
        egress->topics[i].name = options->spec->topics[i];
        list_init(&egress->topics[i].records);
    }
    egress->server = http_server_new(options->loop, &(struct http_server_options){
                                                        .listen_fd = options->listen_fd,
                                                        .connections_max = CONNECTIONS_MAX,
                                                        .body_bytes_max = 1 << 20,
                                                        .request_ms_max = REQUEST_MS_MAX,
                                                        .idle_ms_max = IDLE_MS_MAX,
                                                        .owner = egress,
                                                        .on_request = on_request,
                                                    });
    return egress;
}

void playground_egress_free(struct playground_egress *egress)
{
    if (!egress)
        return;
    http_server_free(egress->server);
    for (size_t i = 0; i < egress->options.spec->topic_count; i++)
        list_for_each_safe (&egress->topics[i].records, node)
            waiting_free(container_of(node, struct waiting, link));
    free(egress->topics);
    free(egress);
}

void playground_egress_figures(const struct playground_egress *egress,
                               struct playground_egress_figures *ret_figures)
{
    *ret_figures = egress->figures;
}
