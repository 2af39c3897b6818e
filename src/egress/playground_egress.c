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
    struct bytes key, payload; /* owned */
};

struct topic {
    const char *name;
    struct list records;
    size_t count;
};

struct playground_egress {
    struct playground_egress_options options;
    char *id;
    struct http_server *server;
    struct topic *topics;
    struct playground_egress_figures figures;
};

/* --- records --- */

struct record {
    struct bytes topic, payload;
    json_t *root; /* that both are in; NULL: they are in the stored bytes */
};

static bool parse_json(struct bytes json, struct record *ret_record, struct sf_status *status)
{
    json_error_t error;
    json_t *root = json_loadb((const char *)json.data, json.size, JSON_REJECT_DUPLICATES, &error);
    if (!root)
        return sf_fail(status, SF_INVALID, "an EgressRecord is not JSON: %s at column %d",
                       error.text, error.column);
    const char *topic = json_string_value(json_object_get(root, "topic"));
    const char *payload = json_string_value(json_object_get(root, "payload"));
    if (!topic || !payload) {
        json_decref(root);
        return sf_fail(status, SF_INVALID,
                       "an EgressRecord must be {\"topic\": text, \"payload\": text}");
    }
    *ret_record = (struct record){bytes_of(topic), bytes_of(payload), root};
    return true;
}

static bool parse_kafka(struct bytes bytes, struct record *ret_record, struct sf_status *status)
{
    struct kafka_record record;
    if (!kafka_record_parse(bytes, &record, status))
        return false;
    *ret_record = (struct record){record.topic, record.value, NULL};
    return true;
}

/* The tag of a Kafka record's topic, 0x1a, stands nowhere in JSON: so what is stored needs no mark.
 */
static bool parse_stored(struct bytes bytes, struct record *ret_record, struct sf_status *status)
{
    return parse_json(bytes, ret_record, status) || parse_kafka(bytes, ret_record, NULL);
}

bool playground_egress_accept(struct bytes argument, struct bytes *ret_record,
                              struct sf_status *status)
{
    struct typed_value value;
    struct record record;
    if (!typed_value_parse(argument, &value, status))
        return false;
    bool is_kafka = bytes_is(value.type, TYPE_KAFKA_RECORD);
    if (!is_kafka && !bytes_is(value.type, RECORD_TYPE))
        return sf_fail(status, SF_INVALID,
                       "the playground egress takes messages of type " RECORD_TYPE
                       " and records for Kafka, found '%.*s'",
                       BYTES_ARG(value.type));
    if (!(is_kafka ? parse_kafka : parse_json)(value.value, &record, status))
        return false;
    json_decref(record.root);
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
                                .egress = bytes_of(egress->id),
                                .value = record->value,
                            });
}

static void queue_record(struct playground_egress *egress, const struct outbox_record *record)
{
    struct sf_status status;
    struct record parsed;
    if (!parse_stored(record->value, &parsed, &status)) {
        set_aside(egress, record, status.message);
        return;
    }
    struct topic *topic = find_topic(egress, parsed.topic);
    if (!topic) {
        int size = parsed.topic.size < 100 ? (int)parsed.topic.size : 100;
        sf_fail(&status, SF_NOT_FOUND, "the playground egress has no topic '%.*s'", size,
                (const char *)parsed.topic.data);
        set_aside(egress, record, status.message);
    } else if (topic->count == TOPIC_RECORDS_MAX) {
        sf_fail(&status, SF_FULL, "topic '%.100s' holds %d records that nobody has fetched",
                topic->name, TOPIC_RECORDS_MAX);
        set_aside(egress, record, status.message);
    } else {
        struct waiting *waiting = mem_new(sizeof *waiting);
        waiting->key = bytes_make(bytes_string(record->key), record->key.size);
        waiting->payload = bytes_make(bytes_string(parsed.payload), parsed.payload.size);
        list_put_last(&topic->records, &waiting->link);
        topic->count++;
        egress->figures.waiting++;
    }
    json_decref(parsed.root);
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
    free((void *)waiting->payload.data);
    free(waiting);
}

/* --- requests --- */

static void answer(struct http_exchange *exchange, int status, struct bytes body)
{
    struct buffer headers = {0};
    buffer_add_format(&headers, "Status: %d\r\n%s", status, status == 405 ? "Allow: GET\r\n" : "");
    http_respond(exchange, &(struct http_answer){.status = status,
                                                 .content_type = "text/plain; charset=utf-8",
                                                 .headers = buffer_text(&headers),
                                                 .body = body});
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
        answer(exchange, 405, bytes_of("only GET is served here\n"));
    } else if (!topic) {
        answer(exchange, 404, bytes_of("no such topic\n"));
    } else if (list_is_empty(&topic->records)) {
        answer(exchange, 404, bytes_of(""));
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
    egress->id = mem_format("%s/%s", options->spec->id.ns, options->spec->id.name);
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
    free(egress->id);
    free(egress);
}

void playground_egress_figures(const struct playground_egress *egress,
                               struct playground_egress_figures *ret_figures)
{
    *ret_figures = egress->figures;
}
