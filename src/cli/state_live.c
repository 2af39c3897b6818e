/* state_live.c - states of a running application, over HTTP (docs/http.md). */
#include "cli/state_source.h"

#include "base/mem.h"
#include "net/http_ask.h"
#include "runtime/state_export.h"
#include "wire/http.h"

#include <stdio.h>
#include <unistd.h>

enum {
    BATCH_BYTES = 256 * 1024,
    BUSY_TRIES = 60,
    TIMEOUT_MS = 60 * 1000,
    ANSWER_BYTES_MAX = 1 << 30
};

/* The text of an answer that is not 200, as a failure. */
static bool refused(int code, struct bytes text, struct sf_status *status)
{
    while (text.size && text.data[text.size - 1] == '\n')
        text.size--;
    enum sf_code kind = SF_IO;
    if (code == 400 || code == 401 || code == 403 || code == 415)
        kind = SF_INVALID;
    else if (code == 404)
        kind = SF_NOT_FOUND;
    else if (code == 409)
        kind = SF_CONFLICT;
    else if (code == 503)
        kind = SF_FULL;
    else if (code == 504)
        kind = SF_TIMEOUT;
    if (!text.size)
        text = bytes_of(http_reason(code));
    return sf_fail(status, kind, "%.*s", text.size > 230 ? 230 : (int)text.size, text.data);
}

/* `question` lacks where and how long; `headers` further header lines, or NULL. */
static bool ask(struct state_source *source, struct http_question question, struct buffer *ret_body,
                struct sf_status *status)
{
    const char *headers = question.headers ? question.headers : "";
    char *all = *source->token
                    ? mem_format("%sAuthorization: Bearer %s\r\n", headers, source->token)
                    : mem_string(headers);
    int code;
    question.where = source->place.where;
    question.headers = all;
    question.answer_bytes_max = ANSWER_BYTES_MAX;
    question.timeout_ms = TIMEOUT_MS;
    bool good = http_ask(&question, &code, ret_body, status) &&
                (code == 200 || refused(code, buffer_bytes(ret_body), status));
    free(all);
    return good;
}

static void add_segment(struct buffer *target, struct bytes segment)
{
    buffer_add_u8(target, '/');
    http_percent_encode(segment, target);
}

static char *target_of(const struct state_name *name, bool ahead)
{
    struct buffer target = {0};
    buffer_add_text(&target, "/state");
    add_segment(&target, name->address.ns);
    add_segment(&target, name->address.name);
    add_segment(&target, name->address.id);
    if (name->state.size)
        add_segment(&target, name->state);
    if (ahead)
        buffer_add_text(&target, "?ahead");
    return buffer_text(&target);
}

static bool live_get(struct state_source *source, const struct state_name *name,
                     struct buffer *type, struct buffer *value, struct sf_status *status)
{
    static const char prefix[] = "statefun/";
    char *target = target_of(name, false);
    bool good = ask(source,
                    (struct http_question){.method = "GET",
                                           .target = target,
                                           .headers = "Accept: application/octet-stream\r\n",
                                           .wanted = "Content-Type",
                                           .ret_wanted = type},
                    value, status);
    free(target);
    bool is_named = bytes_starts_with(buffer_bytes(type), bytes_of(prefix));
    buffer_drop(type, is_named ? sizeof prefix - 1 : type->size);
    return good;
}

/* Asks for something whose answer says no more than that it is done. */
static bool tell(struct state_source *source, const struct http_question *question,
                 struct sf_status *status)
{
    struct buffer body = {0};
    bool good = ask(source, *question, &body, status);
    buffer_destroy(&body);
    return good;
}

static bool live_put(struct state_source *source, const struct state_name *name,
                     const struct state_put *put, struct sf_status *status)
{
    char *target = target_of(name, put->ahead);
    char *headers = mem_format("Content-Type: statefun/%.*s\r\n", BYTES_ARG(put->type));
    bool good = tell(source,
                     &(struct http_question){
                         .method = "PUT", .target = target, .headers = headers, .body = put->value},
                     status);
    free(target);
    free(headers);
    return good;
}

static bool live_delete(struct state_source *source, const struct state_name *name, bool ahead,
                        struct sf_status *status)
{
    char *target = target_of(name, ahead);
    bool good = tell(source, &(struct http_question){.method = "DELETE", .target = target}, status);
    free(target);
    return good;
}

static bool live_list(struct state_source *source, const struct state_name *name,
                      struct buffer *json, struct sf_status *status)
{
    char *target = target_of(name, false);
    bool good =
        ask(source, (struct http_question){.method = "GET", .target = target}, json, status);
    free(target);
    return good;
}

static bool live_export_page(struct state_source *source, struct buffer *mark, struct buffer *lines,
                             struct sf_status *status)
{
    char *target =
        mark->size ? mem_format("/state?after=%s", buffer_text(mark)) : mem_string("/state");
    bool good =
        ask(source,
            (struct http_question){
                .method = "GET", .target = target, .wanted = STATE_EXPORT_NEXT, .ret_wanted = mark},
            lines, status);
    free(target);
    return good;
}

/* "line 12: what is wrong" */
static void take_line_number(struct sf_status *status, size_t *ret_line)
{
    int end = 0;
    size_t line;
    if (sscanf(status->message, "line %zu: %n", &line, &end) != 1 || !end)
        return;
    *ret_line = line;
    memmove(status->message, status->message + end, strlen(status->message + end) + 1);
}

/* A put may be repeated: what is too much now is tried again. */
static bool live_import(struct state_source *source, struct bytes lines, size_t *ret_line,
                        struct sf_status *status)
{
    struct http_question question = {.method = "POST", .target = "/state", .body = lines};
    *ret_line = 0;
    for (int tries = 1;; tries++) {
        if (tell(source, &question, status))
            return true;
        if (status->code != SF_FULL || tries == BUSY_TRIES)
            break;
        sleep(1);
    }
    take_line_number(status, ret_line);
    return false;
}

const struct state_source_kind state_source_live = {
    .get = live_get,
    .put = live_put,
    .delete_it = live_delete,
    .list = live_list,
    .export_page = live_export_page,
    .import = live_import,
    .import_bytes = BATCH_BYTES,
};
