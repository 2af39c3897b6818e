/* admin_state.c - requests that wait for their answers.
 *
 * A request makes one call, or one for each of its lines; each call has a receipt, and knows the
 * request to which it belongs. A request is answered with its last call, or when that takes too
 * long; then the calls are forgotten, and their answers dropped when they come. */
#include "runtime/admin_state.h"

#include "base/map.h"
#include "engine/partition.h"
#include "runtime/admin_request.h"
#include "runtime/state_export.h"
#include "runtime/state_http.h"
#include "runtime/state_line.h"

#include <assert.h>
#include <stdio.h>

enum { ANSWER_MS_MAX = 30 * 1000, VIEW_POLL_MS = 10 };

struct waiting {
    struct admin_request request;
    struct list link;
    struct admin_state *state;
    struct http_exchange *exchange;
    struct loop_timer timer;
    enum state_deed deed;
    size_t missing;             /* calls that are not answered */
    struct state_call *asked;   /* of a list: what it is of */
    struct state_answer *found; /* of a read */
    uint64_t epoch;
    struct {
        int status; /* of the first call that went wrong; 0: none */
        size_t line;
        char text[400];
    } fault;
    size_t fault_count;
    bool is_import;
    uint64_t view_epoch; /* of an export: the view must be so far, */
    uint64_t late_ms;    /* and not later than this */
};

/* One call of a request. */
struct pending {
    struct map_node by_receipt;
    struct waiting *waiting; /* NULL: nobody waits any more */
    size_t line;             /* of an import */
    struct state_answer *found;
};

struct admin_state {
    struct admin_state_options options;
    uint64_t last_receipt;
    struct map pending;
    struct list waiting;
};

static void answer(struct http_exchange *exchange, int status, const char *headers,
                   const char *type, struct bytes body)
{
    http_respond(exchange,
                 &(struct http_answer){
                     .status = status, .content_type = type, .headers = headers, .body = body});
}

static void answer_text(struct http_exchange *exchange, int status, const char *headers,
                        const char *text)
{
    answer(exchange, status, headers, "text/plain; charset=utf-8", bytes_of(text));
}

/* --- waiting --- */

static void on_late(struct loop_timer *timer);
static void on_gone(struct admin_request *request);

static struct waiting *waiting_new(struct admin_state *state, struct http_exchange *exchange,
                                   enum state_deed deed)
{
    struct waiting *waiting = mem_new(sizeof *waiting);
    waiting->state = state;
    waiting->exchange = exchange;
    waiting->deed = deed;
    waiting->timer.on_timer = on_late;
    waiting->request.on_gone = on_gone;
    list_put_last(&state->waiting, &waiting->link);
    waiting->late_ms = loop_now_ms(state->options.loop) + ANSWER_MS_MAX;
    loop_timer_set(state->options.loop, &waiting->timer, waiting->late_ms);
    http_exchange_set_context(exchange, &waiting->request);
    return waiting;
}

static void waiting_free(struct waiting *waiting)
{
    struct map *pending = &waiting->state->pending;
    for (struct map_node *node = NULL; (node = map_walk(pending, node));) {
        struct pending *call = container_of(node, struct pending, by_receipt);
        if (call->waiting == waiting)
            call->waiting = NULL;
    }
    loop_timer_cancel(waiting->state->options.loop, &waiting->timer);
    list_take(&waiting->link);
    if (waiting->asked)
        state_call_free(waiting->asked);
    if (waiting->found)
        state_answer_free(waiting->found);
    free(waiting);
}

static void on_late(struct loop_timer *timer)
{
    struct waiting *waiting = container_of(timer, struct waiting, timer);
    struct http_exchange *exchange = waiting->exchange;
    bool is_change = waiting->deed == STATE_PUT || waiting->deed == STATE_DELETE;
    waiting_free(waiting);
    answer_text(exchange, 504, NULL,
                is_change ? "the change waits behind what the function has not handled yet, and "
                            "will be carried out when that is; '?ahead' goes before it\n"
                          : "the answer did not come in time\n");
}

static void on_gone(struct admin_request *request)
{
    waiting_free(container_of(request, struct waiting, request));
}

/* --- calls --- */

static void call_worker(struct admin_state *state, struct waiting *waiting, size_t line,
                        struct state_call *call)
{
    struct pending *pending = mem_new(sizeof *pending);
    call->receipt = STATE_RECEIPT_BIT | ++state->last_receipt;
    pending->waiting = waiting;
    pending->line = line;
    map_put(&state->pending, &pending->by_receipt, call->receipt);
    waiting->missing++;

    uint32_t partitions = store_partitions(state->options.store);
    uint32_t partition = partition_of(buffer_bytes(&call->id), partitions);
    uint32_t worker = partition_worker(partition, partitions, state->options.worker_count);
    worker_call_state(state->options.workers[worker], call);
}

static struct state_call *copy_target(const struct state_call *call)
{
    struct state_call *copy = mem_new(sizeof *copy);
    buffer_add_bytes(&copy->ns, buffer_bytes(&call->ns));
    buffer_add_bytes(&copy->name, buffer_bytes(&call->name));
    buffer_add_bytes(&copy->id, buffer_bytes(&call->id));
    return copy;
}

/* --- answers --- */

static void note_fault(struct waiting *waiting, size_t line, int status, const char *text)
{
    waiting->fault_count++;
    if (waiting->fault.status && waiting->fault.line <= line)
        return;
    waiting->fault.status = status;
    waiting->fault.line = line;
    snprintf(waiting->fault.text, sizeof waiting->fault.text, "%s", text);
}

static void note_refusal(struct waiting *waiting, size_t line, enum acceptance acceptance)
{
    switch (acceptance) {
    case UNKNOWN_TARGET:
        note_fault(waiting, line, 404, "no endpoint serves this function type");
        break;
    case TOO_MANY_STATES:
        note_fault(waiting, line, 409,
                   "this function type has too many states already that it has not declared");
        break;
    case REFUSED:
    case ACCEPTED:
        note_fault(waiting, line, 503, "too much is waiting to be processed; try again later");
        break;
    }
}

static void note_conflict(struct waiting *waiting, const struct pending *pending)
{
    char text[400];
    struct bytes type = pending->found && pending->found->count ? pending->found->states[0].type
                                                                : (struct bytes){0};
    if (type.size)
        snprintf(text, sizeof text,
                 "the state is of type %.*s: a value of another type would make its function fail",
                 type.size > 200 ? 200 : (int)type.size, type.data);
    else
        snprintf(text, sizeof text,
                 "the type of the state is not known yet: say which by 'Content-Type: "
                 "statefun/<namespace>/<name>'");
    note_fault(waiting, pending->line, 409, text);
}

static void note_settlement(struct waiting *waiting, const struct pending *pending,
                            const struct state_answer *settled)
{
    size_t line = pending->line;
    if (settled->epoch > waiting->epoch)
        waiting->epoch = settled->epoch;
    switch (settled->settlement) {
    case SETTLED:
        break;
    case SETTLED_ABSENT:
        note_fault(waiting, line, 404, "there is no value");
        break;
    case SETTLED_CONFLICT:
        note_conflict(waiting, pending);
        break;
    case SETTLED_IN_LINE:
        note_fault(waiting, line, 202,
                   "the change is durable, and waits behind messages that are in the store: it "
                   "will be carried out when they are handled");
        break;
    case SETTLED_NO_ROOM:
        note_fault(waiting, line, 503, "no room; try again later");
        break;
    }
}

static void answer_fault(struct waiting *waiting)
{
    char text[600];
    const char *headers = waiting->fault.status == 503 ? "Retry-After: 1\r\n" : NULL;
    if (waiting->is_import)
        snprintf(text, sizeof text, "line %zu: %s (%zu of the lines were not put)\n",
                 waiting->fault.line, waiting->fault.text, waiting->fault_count);
    else
        snprintf(text, sizeof text, "%s\n", waiting->fault.text);
    answer_text(waiting->exchange, waiting->fault.status, headers, text);
}

static void answer_read(struct waiting *waiting)
{
    const struct state_answer *found = waiting->found;
    struct buffer body = {0};
    assert(found && "a read is settled after what it found");
    if (waiting->deed == STATE_LIST) {
        struct address address = {.ns = buffer_bytes(&waiting->asked->ns),
                                  .name = buffer_bytes(&waiting->asked->name),
                                  .id = buffer_bytes(&waiting->asked->id)};
        state_http_list(&address, found->states, found->count, &body);
        answer(waiting->exchange, 200, NULL, "application/json", buffer_bytes(&body));
    } else if (!found->count) {
        answer_text(waiting->exchange, 404, NULL, "there is no value\n");
    } else {
        char *type =
            state_http_show(http_exchange_head(waiting->exchange), &found->states[0], &body);
        answer(waiting->exchange, 200, NULL, type, buffer_bytes(&body));
        free(type);
    }
    buffer_destroy(&body);
}

static void finish(struct waiting *waiting)
{
    if (waiting->fault.status) {
        answer_fault(waiting);
    } else if (waiting->deed == STATE_GET || waiting->deed == STATE_LIST) {
        answer_read(waiting);
    } else {
        char body[48];
        int size =
            snprintf(body, sizeof body, "{\"epoch\":%llu}\n", (unsigned long long)waiting->epoch);
        answer(waiting->exchange, 200, NULL, "application/json", bytes_make(body, (size_t)size));
    }
    waiting_free(waiting);
}

static void pending_free(struct admin_state *state, struct pending *pending)
{
    map_take(&state->pending, &pending->by_receipt);
    if (pending->found)
        state_answer_free(pending->found);
    free(pending);
}

/* The end of a call. */
static void note_end(struct waiting *waiting, struct pending *pending,
                     const struct state_answer *end)
{
    if (end->kind == STATE_REFUSED)
        note_refusal(waiting, pending->line, end->acceptance);
    else
        note_settlement(waiting, pending, end);
    if (waiting->deed == STATE_GET || waiting->deed == STATE_LIST) {
        waiting->found = pending->found;
        pending->found = NULL;
    }
}

void admin_state_take(struct admin_state *state, struct state_answer *answered)
{
    struct map_node *node = map_find(&state->pending, answered->receipt);
    assert(node);
    struct pending *pending = container_of(node, struct pending, by_receipt);
    struct waiting *waiting = pending->waiting;
    if (answered->kind == STATE_FOUND) {
        pending->found = answered;
        return;
    }
    if (waiting)
        note_end(waiting, pending, answered);
    pending_free(state, pending);
    state_answer_free(answered);
    if (waiting && --waiting->missing == 0)
        finish(waiting);
}

/* --- one state, or those of one address --- */

static void refuse_method(struct http_exchange *exchange, const char *allowed)
{
    char *header = mem_format("Allow: %s\r\n", allowed);
    answer(exchange, 405, header, NULL, (struct bytes){0});
    free(header);
}

static bool is_read(const struct http_head *head)
{
    return bytes_is(head->method, "GET") || bytes_is(head->method, "HEAD");
}

static void refuse_status(struct http_exchange *exchange, const struct sf_status *status)
{
    char text[sizeof status->message + 1];
    snprintf(text, sizeof text, "%s\n", status->message);
    answer_text(exchange, status->code == SF_UNSUPPORTED ? 415 : 400, NULL, text);
}

static bool read_call(struct http_exchange *exchange, struct state_call *call,
                      struct sf_status *status)
{
    const struct http_head *head = http_exchange_head(exchange);
    struct bytes value;
    call->ahead = http_query(head->target, "ahead", &value);
    return state_http_path(head->target, call, status) &&
           (call->deed != STATE_PUT ||
            state_http_value(head, http_exchange_body(exchange), call, status));
}

static void serve_address(struct admin_state *state, struct http_exchange *exchange, bool is_list)
{
    const struct http_head *head = http_exchange_head(exchange);
    enum state_deed deed;
    if (is_read(head))
        deed = is_list ? STATE_LIST : STATE_GET;
    else if (!is_list && bytes_is(head->method, "PUT"))
        deed = STATE_PUT;
    else if (!is_list && bytes_is(head->method, "DELETE"))
        deed = STATE_DELETE;
    else {
        refuse_method(exchange, is_list ? "GET, HEAD" : "GET, HEAD, PUT, DELETE");
        return;
    }

    struct sf_status status;
    struct state_call *call = mem_new(sizeof *call);
    call->deed = deed;
    if (!read_call(exchange, call, &status)) {
        refuse_status(exchange, &status);
        state_call_free(call);
        return;
    }
    struct waiting *waiting = waiting_new(state, exchange, deed);
    if (is_list)
        waiting->asked = copy_target(call);
    call_worker(state, waiting, 0, call);
}

/* --- import --- */

/* One line, and where it stands. */
struct import_line {
    size_t number;
    struct state_call *call;
};

struct import_lines {
    struct import_line *items;
    size_t count, capacity;
};

static struct state_call *call_of_line(const struct state_line *line)
{
    struct state_call *call = mem_new(sizeof *call);
    call->deed = STATE_PUT;
    call->deadline = line->deadline;
    buffer_add_bytes(&call->ns, line->ns);
    buffer_add_bytes(&call->name, line->name);
    buffer_add_bytes(&call->id, line->id);
    buffer_add_bytes(&call->state, line->state);
    buffer_add_bytes(&call->type, line->value.type);
    buffer_add_bytes(&call->value, line->value.value);
    return call;
}

static void add_line(struct import_lines *import, size_t number, struct state_call *call)
{
    if (import->count == import->capacity) {
        import->capacity = import->capacity ? 2 * import->capacity : 64;
        import->items = mem_resize(import->items, import->capacity * sizeof *import->items);
    }
    import->items[import->count++] = (struct import_line){number, call};
}

/* All of them, before any is put. */
static bool read_lines(struct bytes text, struct import_lines *import, struct sf_status *status)
{
    struct arena arena = {0};
    struct state_lines lines = {text, 0};
    struct state_line line;
    bool good = true;
    while (good && state_lines_next(&lines, &text)) {
        arena_clear(&arena);
        good = state_line_parse(text, &arena, &line, status) ||
               sf_wrap(status, "line %zu", lines.number);
        if (good)
            add_line(import, lines.number, call_of_line(&line));
    }
    arena_destroy(&arena);
    return good;
}

static void serve_import(struct admin_state *state, struct http_exchange *exchange)
{
    struct sf_status status;
    struct import_lines import = {0};
    if (!read_lines(http_exchange_body(exchange), &import, &status)) {
        refuse_status(exchange, &status);
        for (size_t i = 0; i < import.count; i++)
            state_call_free(import.items[i].call);
        free(import.items);
        return;
    }
    struct waiting *waiting = waiting_new(state, exchange, STATE_PUT);
    waiting->is_import = true;
    for (size_t i = 0; i < import.count; i++)
        call_worker(state, waiting, import.items[i].number, import.items[i].call);
    if (!import.count)
        finish(waiting);
    free(import.items);
}

/* --- export --- */

static void answer_page(struct admin_state *state, struct http_exchange *exchange,
                        struct bytes after)
{
    struct buffer lines = {0}, next = {0};
    state_export_page(state->options.store, after, loop_wall_ms(state->options.loop), &lines,
                      &next);
    char *header = next.size ? mem_format(STATE_EXPORT_NEXT ": %s\r\n", buffer_text(&next)) : NULL;
    answer(exchange, 200, header, "application/x-ndjson", buffer_bytes(&lines));
    free(header);
    buffer_destroy(&lines);
    buffer_destroy(&next);
}

/* The first page waits for the view to have all that is committed when it is asked for. */
static void on_view_poll(struct loop_timer *timer)
{
    struct waiting *waiting = container_of(timer, struct waiting, timer);
    struct admin_state *state = waiting->state;
    struct http_exchange *exchange = waiting->exchange;
    if (store_view_epoch(state->options.store) < waiting->view_epoch) {
        uint64_t now_ms = loop_now_ms(state->options.loop);
        if (now_ms >= waiting->late_ms)
            on_late(timer);
        else
            loop_timer_set(state->options.loop, timer, now_ms + VIEW_POLL_MS);
        return;
    }
    waiting_free(waiting);
    answer_page(state, exchange, (struct bytes){0});
}

static void serve_export(struct admin_state *state, struct http_exchange *exchange)
{
    struct bytes after;
    if (http_query(http_exchange_head(exchange)->target, "after", &after)) {
        if (state_export_is_mark(after))
            answer_page(state, exchange, after);
        else
            answer_text(exchange, 400, NULL,
                        "'after' must be what the last page's " STATE_EXPORT_NEXT " said\n");
        return;
    }
    struct waiting *waiting = waiting_new(state, exchange, STATE_LIST);
    waiting->view_epoch = store_epoch(state->options.store);
    waiting->timer.on_timer = on_view_poll;
    store_hurry(state->options.store, VIEW_WHOLE);
    on_view_poll(&waiting->timer);
}

/* --- all --- */

void admin_state_serve(struct admin_state *state, struct http_exchange *exchange)
{
    const struct http_head *head = http_exchange_head(exchange);
    size_t count = http_split_path(head->target, NULL, 0);
    if (count == 4 || count == 5)
        serve_address(state, exchange, count == 4);
    else if (count > 1)
        answer_text(exchange, 404, NULL,
                    "expected /state, /state/<namespace>/<type>/<id> or "
                    "/state/<namespace>/<type>/<id>/<state name>\n");
    else if (bytes_is(head->method, "POST"))
        serve_import(state, exchange);
    else if (is_read(head))
        serve_export(state, exchange);
    else
        refuse_method(exchange, "GET, HEAD, POST");
}

struct admin_state *admin_state_new(const struct admin_state_options *options)
{
    struct admin_state *state = mem_new(sizeof *state);
    state->options = *options;
    map_init(&state->pending);
    list_init(&state->waiting);
    return state;
}

void admin_state_free(struct admin_state *state)
{
    if (!state)
        return;
    assert(list_is_empty(&state->waiting));
    for (struct map_node *node; (node = map_walk(&state->pending, NULL));)
        pending_free(state, container_of(node, struct pending, by_receipt));
    map_destroy(&state->pending);
    free(state);
}
