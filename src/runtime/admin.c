/* admin.c - requests for figures, gathered from all workers before they are answered. */
#include "runtime/admin.h"

#include "base/log.h"
#include "net/http_server.h"
#include "runtime/admin_addresses.h"
#include "runtime/admin_auth.h"
#include "runtime/admin_ingresses.h"
#include "runtime/admin_letters.h"
#include "runtime/admin_request.h"
#include "runtime/admin_state.h"

#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

enum {
    CONNECTIONS_MAX = 100,
    REQUEST_MS_MAX = 10 * 1000,
    IDLE_MS_MAX = 60 * 1000,
    GATHER_MS_MAX = 2000,
    BEAT_MS = 1000,
    BEATS_MISSED_MAX = 10
};

/* One request for /metrics. */
struct gathering {
    struct admin_request request;
    struct list link;
    struct admin *admin;
    struct http_exchange *exchange; /* NULL: the client has gone, or was told to wait no longer */
    struct loop_timer timer;
    uint32_t missing;
    struct worker_figures **figures; /* by worker, as they come */
};

struct beat {
    uint64_t turns;
    unsigned missed;
};

struct admin {
    struct admin_options options;
    struct admin_auth auth;
    struct admin_state *state;
    struct admin_letters *letters;
    struct admin_addresses *addresses;
    struct admin_ingresses *ingresses;
    struct http_server *server;
    struct list gatherings;
    struct loop_timer beat_timer;
    struct beat *beats;
    uint64_t start_time_s;
    atomic_bool ready;
};

static void answer(struct http_exchange *exchange, int status, const char *type, struct bytes body)
{
    http_respond(exchange,
                 &(struct http_answer){.status = status, .content_type = type, .body = body});
}

static void answer_text(struct http_exchange *exchange, int status, const char *text)
{
    answer(exchange, status, "text/plain; charset=utf-8", bytes_of(text));
}

/* --- /metrics --- */

static void gathering_free(struct gathering *gathering)
{
    struct admin *admin = gathering->admin;
    for (uint32_t i = 0; i < admin->options.worker_count; i++)
        worker_figures_free(gathering->figures[i]);
    loop_timer_cancel(admin->options.loop, &gathering->timer);
    list_take(&gathering->link);
    free(gathering->figures);
    free(gathering);
}

static void expose_all(struct gathering *gathering, struct buffer *text)
{
    struct admin *admin = gathering->admin;
    const struct admin_options *options = &admin->options;
    struct exposed_egress *egresses = mem_new(options->egress_count * sizeof *egresses);
    for (size_t i = 0; i < options->egress_count; i++) {
        const struct admin_egress *from = &options->egresses[i];
        egresses[i].id = from->id;
        egresses[i].is_playground = from->playground != NULL;
        outbox_figures(from->outbox, &egresses[i].outbox);
        if (from->kafka)
            kafka_egress_figures(from->kafka, &egresses[i].figures);
        else if (from->kinesis)
            kinesis_egress_figures(from->kinesis, &egresses[i].figures);
        else if (from->module)
            module_egress_figures(from->module, &egresses[i].figures);
        else
            playground_egress_figures(from->playground, &egresses[i].playground);
    }
    struct exposed exposed = {
        .epoch = store_epoch(options->store),
        .start_time_s = admin->start_time_s,
        .application = options->application,
        .registry = options->registry,
        .workers = gathering->figures,
        .worker_count = options->worker_count,
        .egresses = egresses,
        .egress_count = options->egress_count,
    };
    committer_figures(options->committer, &exposed.committer);
    store_figures(options->store, &exposed.store);
    exposition_add(text, &exposed);
    free(egresses);
}

static void finish(struct gathering *gathering)
{
    if (gathering->exchange) {
        struct buffer text = {0};
        expose_all(gathering, &text);
        answer(gathering->exchange, 200, "text/plain; version=0.0.4; charset=utf-8",
               buffer_bytes(&text));
        buffer_destroy(&text);
    }
    gathering_free(gathering);
}

struct arrival {
    struct errand errand;
    struct gathering *gathering;
    struct worker_figures *figures;
};

static void run_arrival(struct errand *errand, void *owner)
{
    struct arrival *arrival = container_of(errand, struct arrival, errand);
    struct gathering *gathering = arrival->gathering;
    if (!owner) { /* the listener is gone, and what was gathered with it */
        worker_figures_free(arrival->figures);
        free(arrival);
        return;
    }
    gathering->figures[--gathering->missing] = arrival->figures;
    free(arrival);
    if (gathering->missing == 0)
        finish(gathering);
}

/* The worker's thread. */
static void on_figures(void *owner, struct worker_figures *figures)
{
    struct gathering *gathering = owner;
    struct arrival *arrival = mem_new(sizeof *arrival);
    arrival->errand.run = run_arrival;
    arrival->gathering = gathering;
    arrival->figures = figures;
    errand_send(gathering->admin->options.inbox, &arrival->errand);
}

static void on_gather_timeout(struct loop_timer *timer)
{
    struct gathering *gathering = container_of(timer, struct gathering, timer);
    if (gathering->exchange)
        answer_text(gathering->exchange, 503, "a worker does not answer\n");
    gathering->exchange = NULL; /* the rest comes when the worker does */
}

static void on_gather_gone(struct admin_request *request)
{
    container_of(request, struct gathering, request)->exchange = NULL;
}

static void gather(struct admin *admin, struct http_exchange *exchange)
{
    struct gathering *gathering = mem_new(sizeof *gathering);
    gathering->admin = admin;
    gathering->exchange = exchange;
    gathering->missing = admin->options.worker_count;
    gathering->figures = mem_new(gathering->missing * sizeof(struct worker_figures *));
    gathering->timer.on_timer = on_gather_timeout;
    gathering->request.on_gone = on_gather_gone;
    list_put_last(&admin->gatherings, &gathering->link);
    http_exchange_set_context(exchange, &gathering->request);
    loop_timer_set(admin->options.loop, &gathering->timer,
                   loop_now_ms(admin->options.loop) + GATHER_MS_MAX);
    for (uint32_t i = 0; i < admin->options.worker_count; i++)
        worker_ask_figures(admin->options.workers[i], on_figures, gathering);
}

/* --- health --- */

static void on_beat(struct loop_timer *timer)
{
    struct admin *admin = container_of(timer, struct admin, beat_timer);
    for (uint32_t i = 0; i < admin->options.worker_count; i++) {
        struct beat *beat = &admin->beats[i];
        uint64_t turns = worker_turns(admin->options.workers[i]);
        beat->missed = turns == beat->turns ? beat->missed + 1 : 0;
        beat->turns = turns;
        worker_poke(admin->options.workers[i]);
    }
    loop_timer_set(admin->options.loop, timer, loop_now_ms(admin->options.loop) + BEAT_MS);
}

static void answer_health(struct admin *admin, struct http_exchange *exchange)
{
    for (uint32_t i = 0; i < admin->options.worker_count; i++) {
        if (admin->beats[i].missed < BEATS_MISSED_MAX)
            continue;
        struct buffer text = {0};
        buffer_add_format(&text, "worker %u has not taken a turn for %u s\n", i,
                          admin->beats[i].missed * BEAT_MS / 1000);
        answer_text(exchange, 503, buffer_text(&text));
        buffer_destroy(&text);
        return;
    }
    answer_text(exchange, 200, "ok\n");
}

/* An ingress that has stopped by itself is said and no more: all else takes messages. */
static void answer_readiness(struct admin *admin, struct http_exchange *exchange)
{
    bool is_ready = atomic_load(&admin->ready);
    struct buffer text = {0};
    buffer_add_text(&text, is_ready ? "ready\n" : "not ready\n");
    admin_ingresses_add_halts(admin->ingresses, &text);
    answer_text(exchange, is_ready ? 200 : 503, buffer_text(&text));
    buffer_destroy(&text);
}

static void answer_status(struct admin *admin, struct http_exchange *exchange)
{
    const struct admin_options *options = &admin->options;
    struct buffer text = {0};
    notice_add_status(options->notice, atomic_load(&admin->ready), store_epoch(options->store),
                      options->worker_count, store_partitions(options->store), &text);
    answer(exchange, 200, "application/json", buffer_bytes(&text));
    buffer_destroy(&text);
}

/* --- routes --- */

static void serve_letters(struct admin *admin, struct http_exchange *exchange)
{
    admin_letters_request(admin->letters, exchange);
}

static void serve_addresses(struct admin *admin, struct http_exchange *exchange)
{
    admin_addresses_request(admin->addresses, exchange);
}

static void serve_ingresses(struct admin *admin, struct http_exchange *exchange)
{
    admin_ingresses_request(admin->ingresses, exchange);
}

static void serve_state(struct admin *admin, struct http_exchange *exchange)
{
    admin_state_serve(admin->state, exchange);
}

/* By the first segment of the path. */
static const struct route {
    const char *name;
    bool is_protected; /* the application's own: see admin_auth.h. It judges methods itself */
    void (*serve)(struct admin *admin, struct http_exchange *exchange);
} routes[] = {
    {"metrics", false, gather},           {"healthz", false, answer_health},
    {"readyz", false, answer_readiness},  {"status", false, answer_status},
    {"deadletters", true, serve_letters}, {"addresses", true, serve_addresses},
    {"ingresses", true, serve_ingresses}, {"state", true, serve_state},
};

static const struct route *find_route(struct bytes target)
{
    struct bytes first = {0};
    size_t count = http_split_path(target, &first, 1);
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++)
        if (bytes_is(first, routes[i].name) && (count == 1 || routes[i].is_protected))
            return &routes[i];
    return NULL;
}

static void on_request(void *owner, struct http_exchange *exchange)
{
    struct admin *admin = owner;
    const struct http_head *head = http_exchange_head(exchange);
    const struct route *route = find_route(head->target);
    bool is_read = bytes_is(head->method, "GET") || bytes_is(head->method, "HEAD");
    if (!route)
        answer_text(exchange, 404,
                    "here are /metrics, /healthz, /readyz, /status, /deadletters, /addresses, "
                    "/ingresses and /state\n");
    else if (!route->is_protected && !is_read)
        http_respond(exchange,
                     &(struct http_answer){.status = 405, .headers = "Allow: GET, HEAD\r\n"});
    else if (!route->is_protected || admin_auth_admits(&admin->auth, exchange))
        route->serve(admin, exchange);
}

static void on_gone(void *owner, struct http_exchange *exchange)
{
    struct admin_request *request = http_exchange_context(exchange);
    (void)owner;
    if (request)
        request->on_gone(request);
}

void admin_take_answer(struct admin *admin, struct state_answer *answered)
{
    admin_state_take(admin->state, answered);
}

/* --- life --- */

struct admin *admin_new(const struct admin_options *options)
{
    struct admin *admin = mem_new(sizeof *admin);
    admin->options = *options;
    admin->start_time_s = (uint64_t)time(NULL);
    admin->beats = mem_new(options->worker_count * sizeof *admin->beats);
    list_init(&admin->gatherings);
    admin->letters = admin_letters_new(&(struct admin_letters_options){
        .loop = options->loop,
        .inbox = options->inbox,
        .store = options->store,
        .worker = options->workers[0],
    });
    admin->addresses = admin_addresses_new(&(struct admin_addresses_options){
        .loop = options->loop,
        .inbox = options->inbox,
        .store = options->store,
        .workers = options->workers,
        .worker_count = options->worker_count,
    });
    admin->ingresses = admin_ingresses_new(&(struct admin_ingresses_options){
        .loop = options->loop,
        .inbox = options->inbox,
        .store = options->store,
        .application = options->application,
        .workers = options->workers,
        .worker_count = options->worker_count,
        .kafka_ingresses = options->kafka_ingresses,
    });
    admin->auth = admin_auth_make(options->token, options->where);
    if (admin_auth_is_closed(&admin->auth))
        log_info("the admin listener keeps state, dead letters, addresses and ingresses to itself: "
                 "other machines reach it, and statefun.admin.token is not set",
                 LOG_TEXT("admin", options->where));
    admin->state = admin_state_new(&(struct admin_state_options){
        .loop = options->loop,
        .workers = options->workers,
        .worker_count = options->worker_count,
        .store = options->store,
    });
    admin->beat_timer.on_timer = on_beat;
    loop_timer_set(options->loop, &admin->beat_timer, loop_now_ms(options->loop) + BEAT_MS);
    admin->server = http_server_new(options->loop, &(struct http_server_options){
                                                       .listen_fd = options->listen_fd,
                                                       .connections_max = CONNECTIONS_MAX,
                                                       .body_bytes_max = options->body_bytes_max,
                                                       .request_ms_max = REQUEST_MS_MAX,
                                                       .idle_ms_max = IDLE_MS_MAX,
                                                       .owner = admin,
                                                       .on_request = on_request,
                                                       .on_gone = on_gone,
                                                   });
    return admin;
}

void admin_stop(struct admin *admin)
{
    if (!admin)
        return;
    http_server_free(admin->server);
    admin->server = NULL;
}

void admin_free(struct admin *admin)
{
    if (!admin)
        return;
    http_server_free(admin->server);
    admin_state_free(admin->state);
    list_for_each_safe (&admin->gatherings, node)
        gathering_free(container_of(node, struct gathering, link));
    admin_letters_free(admin->letters);
    admin_addresses_free(admin->addresses);
    admin_ingresses_free(admin->ingresses);
    loop_timer_cancel(admin->options.loop, &admin->beat_timer);
    free(admin->beats);
    free(admin);
}

void admin_set_ready(struct admin *admin, bool ready)
{
    atomic_store(&admin->ready, ready);
}
