/* http_ingress.c - from a request to a record, and from a settlement to an answer. */
#include "ingress/http_ingress.h"

#include "base/map.h"
#include "ingress/routers.h"
#include "net/http_server.h"
#include "wire/typed_value.h"

#include <stdio.h>

enum {
    CONNECTIONS_MAX = 10 * 1000,
    REQUEST_MS_MAX = 30 * 1000,
    IDLE_MS_MAX = 120 * 1000,
    IDEMPOTENCY_KEY_BYTES_MAX = 255,
    RECEIPT_BITS = 40 /* for the number; the worker stands above */
};

enum form { FORM_IN, FORM_PLAYGROUND };

/* A request whose message was accepted, until it is settled. */
struct waiting {
    struct map_node by_receipt;
    struct http_exchange *exchange; /* NULL: the client has gone */
    enum form form;
};

struct http_ingress {
    struct engine *engine;
    struct http_server *server;
    uint32_t worker;
    struct loop *loop;
    struct routers routers;
    uint64_t last_receipt;
    struct map waiting;
    struct http_ingress_figures figures;
};

/* A request taken apart. */
struct request {
    enum form form;
    struct buffer parts[3]; /* namespace, type, id */
    struct bytes idempotency_key;
    struct buffer argument;
};

static void answer(struct http_exchange *exchange, int status, const char *headers,
                   const char *type, struct bytes body)
{
    http_respond(exchange,
                 &(struct http_answer){
                     .status = status, .content_type = type, .headers = headers, .body = body});
}

static void refuse(struct http_exchange *exchange, int status, const char *headers,
                   const char *text)
{
    answer(exchange, status, headers, "text/plain; charset=utf-8", bytes_of(text));
}

/* --- requests --- */

static bool parse_path(const struct http_head *head, struct request *request,
                       struct sf_status *status)
{
    enum { IN_SEGMENTS = 4, PLAYGROUND_SEGMENTS = 3 };
    struct bytes segments[IN_SEGMENTS];
    size_t count = http_split_path(head->target, segments, IN_SEGMENTS);
    bool in = count == IN_SEGMENTS && bytes_is(segments[0], "in");
    if (!in && count != PLAYGROUND_SEGMENTS)
        return sf_fail(status, SF_NOT_FOUND,
                       "expected POST /in/<namespace>/<type>/<id> or "
                       "/<namespace>/<type>/<id>, found %.200s",
                       head->target.size ? "another path" : "nothing");

    request->form = in ? FORM_IN : FORM_PLAYGROUND;
    static const char *const names[] = {"namespace", "type", "id"};
    size_t size = 0;
    for (size_t i = 0; i < 3; i++) {
        struct buffer *part = &request->parts[i];
        if (!http_percent_decode(segments[i + (in ? 1 : 0)], part) || !part->size ||
            !bytes_are_utf8(buffer_bytes(part)))
            return sf_fail(status, SF_INVALID,
                           "the %s in the path must be percent-encoded UTF-8 and not empty",
                           names[i]);
        size += part->size;
    }
    /* An address may have a little more than this; what is left is for its framing. */
    if (size > ADDRESS_BYTES_MAX - 32)
        return sf_fail(status, SF_INVALID, "namespace, type and id have %zu bytes, the most is %d",
                       size, ADDRESS_BYTES_MAX - 32);
    return true;
}

static struct bytes header_of(const struct http_head *head, const char *name)
{
    const struct http_header *header = http_find(head, name);
    return header ? header->value : (struct bytes){0};
}

static void make_argument(struct request *request, struct bytes type, struct bytes value)
{
    typed_value_add(&request->argument,
                    &(struct typed_value){.type = type, .value = value, .has_value = true});
}

/* extensions.md: the content type is the typename; text becomes an encoded string, which a function
 * can read, unlike the playground's raw bytes. */
static bool parse_in_body(struct request *request, struct bytes type, struct bytes body,
                          struct sf_status *status)
{
    if (!type.size)
        return sf_fail(status, SF_INVALID,
                       "a Content-Type is needed: it is the type of the message, e.g. "
                       "io.statefun.types/int or text/plain");
    if (!bytes_are_utf8(type))
        return sf_fail(status, SF_INVALID, "the Content-Type must be UTF-8");
    if (!http_is_media_type(type, "text/plain")) {
        make_argument(request, type, body);
        return true;
    }
    if (!bytes_are_utf8(body))
        return sf_fail(status, SF_INVALID, "a text/plain body must be UTF-8");
    struct buffer text = {0};
    string_value_add(&text, body);
    make_argument(request, bytes_of(TYPE_STRING), buffer_bytes(&text));
    buffer_destroy(&text);
    return true;
}

/* module-yaml.md 8. */
static bool parse_playground_body(struct request *request, struct bytes type, struct bytes body,
                                  struct sf_status *status)
{
    static const char prefix[] = "application/vnd.";
    bool named = bytes_starts_with(type, bytes_of(prefix));
    type = named ? bytes_from(type, sizeof prefix - 1) : bytes_of(TYPE_STRING);
    if (!bytes_are_utf8(type))
        return sf_fail(status, SF_INVALID, "the Content-Type must be UTF-8");
    make_argument(request, type, body);
    return true;
}

static bool parse(const struct http_head *head, struct bytes body, struct request *request,
                  struct sf_status *status)
{
    if (!parse_path(head, request, status))
        return false;
    if (request->form == FORM_IN && !bytes_is(head->method, "POST"))
        return sf_fail(status, SF_UNSUPPORTED, "only POST is served here");

    request->idempotency_key = header_of(head, "Idempotency-Key");
    if (request->idempotency_key.size > IDEMPOTENCY_KEY_BYTES_MAX)
        return sf_fail(status, SF_INVALID, "an Idempotency-Key may have %d bytes, found %zu",
                       IDEMPOTENCY_KEY_BYTES_MAX, request->idempotency_key.size);

    struct bytes type = http_media_type(header_of(head, "Content-Type"));
    return request->form == FORM_IN ? parse_in_body(request, type, body, status)
                                    : parse_playground_body(request, type, body, status);
}

static void free_request(struct request *request)
{
    for (size_t i = 0; i < 3; i++)
        buffer_destroy(&request->parts[i]);
    buffer_destroy(&request->argument);
}

/* --- acceptance --- */

static struct waiting *waiting_new(struct http_ingress *ingress, struct http_exchange *exchange,
                                   enum form form)
{
    struct waiting *waiting = mem_new(sizeof *waiting);
    uint64_t receipt = (uint64_t)ingress->worker << RECEIPT_BITS | ++ingress->last_receipt;
    waiting->exchange = exchange;
    waiting->form = form;
    map_put(&ingress->waiting, &waiting->by_receipt, receipt);
    http_exchange_set_context(exchange, waiting);
    return waiting;
}

static void waiting_free(struct http_ingress *ingress, struct waiting *waiting)
{
    map_take(&ingress->waiting, &waiting->by_receipt);
    free(waiting);
}

/* What routers get of a request: its path as topic and key, its body as it came. */
static bool route(struct http_ingress *ingress, struct http_exchange *exchange,
                  const struct request *request, struct record *record, struct sf_status *status)
{
    struct bytes body = http_exchange_body(exchange);
    struct buffer topic = {0};
    if (!routers_exist(&ingress->routers))
        return true;
    buffer_add_format(&topic, "%.*s/%.*s", BYTES_ARG(buffer_bytes(&request->parts[0])),
                      BYTES_ARG(buffer_bytes(&request->parts[1])));
    bool good = routers_run(&ingress->routers,
                            &(struct sf_record){
                                .key = {record->id.data, record->id.size},
                                .value = {body.data, body.size},
                                .topic = buffer_text(&topic),
                                .timestamp_ms = (int64_t)loop_wall_ms(ingress->loop),
                            },
                            record, status);
    buffer_destroy(&topic);
    return good;
}

static void refuse_invalid(struct http_ingress *ingress, struct http_exchange *exchange, int code,
                           const struct sf_status *status)
{
    char text[sizeof status->message + 1];
    snprintf(text, sizeof text, "%s\n", status->message);
    ingress->figures.invalid++;
    refuse(exchange, code, code == 405 ? "Allow: POST\r\n" : NULL, text);
}

static void accept(struct http_ingress *ingress, struct http_exchange *exchange,
                   const struct request *request)
{
    struct record_target target = {.ns = buffer_bytes(&request->parts[0]),
                                   .name = buffer_bytes(&request->parts[1])};
    struct record record = {
        .id = buffer_bytes(&request->parts[2]),
        .targets = &target,
        .target_count = 1,
        .argument = buffer_bytes(&request->argument),
        .idempotency_key = request->idempotency_key,
    };
    struct sf_status status;
    if (!route(ingress, exchange, request, &record, &status)) {
        refuse_invalid(ingress, exchange, 400, &status);
        return;
    }
    struct waiting *waiting = waiting_new(ingress, exchange, request->form);
    record.receipt = waiting->by_receipt.hash;
    enum acceptance acceptance = engine_accept(ingress->engine, &record);
    if (acceptance == ACCEPTED)
        return; /* it may even be settled already */

    waiting_free(ingress, waiting);
    if (acceptance == REFUSED) {
        ingress->figures.refused++;
        refuse(exchange, 503, "Retry-After: 1\r\n",
               "too much is waiting to be processed; try again later\n");
    } else {
        ingress->figures.invalid++;
        struct buffer text = {0};
        buffer_add_format(&text, "no endpoint serves function type %.*s/%.*s\n",
                          BYTES_ARG(target.ns), BYTES_ARG(target.name));
        refuse(exchange, 404, NULL, buffer_text(&text));
        buffer_destroy(&text);
    }
}

static int status_of(enum sf_code code)
{
    switch (code) {
    case SF_NOT_FOUND:
        return 404;
    case SF_UNSUPPORTED:
        return 405;
    default:
        return 400;
    }
}

static void on_request(void *owner, struct http_exchange *exchange)
{
    struct http_ingress *ingress = owner;
    struct request request = {0};
    struct sf_status status;
    ingress->figures.requests++;
    if (parse(http_exchange_head(exchange), http_exchange_body(exchange), &request, &status)) {
        accept(ingress, exchange, &request);
    } else {
        refuse_invalid(ingress, exchange, status_of(status.code), &status);
    }
    free_request(&request);
}

static void on_gone(void *owner, struct http_exchange *exchange)
{
    struct waiting *waiting = http_exchange_context(exchange);
    (void)owner;
    if (waiting)
        waiting->exchange = NULL;
}

/* --- settlement --- */

uint32_t http_ingress_worker_of(uint64_t receipt)
{
    return (uint32_t)(receipt >> RECEIPT_BITS);
}

void http_ingress_settle(struct http_ingress *ingress, uint64_t receipt, enum settlement settlement,
                         uint64_t epoch)
{
    struct map_node *node = map_find(&ingress->waiting, receipt);
    if (!node)
        return;
    struct waiting *waiting = container_of(node, struct waiting, by_receipt);
    struct http_exchange *exchange = waiting->exchange;
    enum form form = waiting->form;
    waiting_free(ingress, waiting);

    if (settlement == SETTLED)
        ingress->figures.accepted++;
    else
        ingress->figures.refused++;
    if (!exchange)
        return;
    if (settlement == SETTLED_NO_ROOM) {
        refuse(exchange, 429, "Retry-After: 10\r\n",
               "no more idempotency keys, or function types, are remembered; try again later\n");
    } else if (form == FORM_PLAYGROUND) {
        answer(exchange, 200, NULL, NULL, (struct bytes){0});
    } else {
        char body[48];
        int size = snprintf(body, sizeof body, "{\"epoch\":%llu}\n", (unsigned long long)epoch);
        answer(exchange, 202, NULL, "application/json", bytes_make(body, (size_t)size));
    }
}

/* --- life --- */

struct http_ingress *http_ingress_new(const struct http_ingress_options *options)
{
    struct http_ingress *ingress = mem_new(sizeof *ingress);
    ingress->engine = options->engine;
    ingress->worker = options->worker;
    ingress->loop = options->loop;
    routers_init(&ingress->routers, options->registry, "io.statefun.playground/ingress");
    map_init(&ingress->waiting);
    ingress->server = http_server_new(options->loop, &(struct http_server_options){
                                                         .listen_fd = options->listen_fd,
                                                         .connections_max = CONNECTIONS_MAX,
                                                         .body_bytes_max = options->body_bytes_max,
                                                         .request_ms_max = REQUEST_MS_MAX,
                                                         .idle_ms_max = IDLE_MS_MAX,
                                                         .owner = ingress,
                                                         .on_request = on_request,
                                                         .on_gone = on_gone,
                                                     });
    return ingress;
}

void http_ingress_stop(struct http_ingress *ingress)
{
    http_server_stop(ingress->server);
}

bool http_ingress_is_drained(const struct http_ingress *ingress)
{
    return http_server_is_drained(ingress->server);
}

void http_ingress_free(struct http_ingress *ingress)
{
    if (!ingress)
        return;
    http_server_free(ingress->server);
    for (struct map_node *node; (node = map_walk(&ingress->waiting, NULL));)
        waiting_free(ingress, container_of(node, struct waiting, by_receipt));
    map_destroy(&ingress->waiting);
    routers_destroy(&ingress->routers);
    free(ingress);
}

void http_ingress_figures(const struct http_ingress *ingress,
                          struct http_ingress_figures *ret_figures)
{
    *ret_figures = ingress->figures;
    ret_figures->waiting = ingress->waiting.count;
}

const struct routers *http_ingress_routers(const struct http_ingress *ingress)
{
    return &ingress->routers;
}
