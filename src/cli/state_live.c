/* state_live.c - states of a running application, over HTTP (docs/http.md). */
#include "cli/state_place.h"

#include "base/mem.h"
#include "runtime/state_export.h"

#include <stdio.h>
#include <unistd.h>

enum { BATCH_BYTES = 256 * 1024, BUSY_TRIES = 60 };

/* The text of an answer that is not 2xx, as a failure. */
static bool refused(const struct http_reply *reply, struct sf_status *status)
{
    struct bytes text = reply->body;
    while (text.size && text.data[text.size - 1] == '\n')
        text.size--;
    int code = reply->head.status;
    enum sf_code kind = code == 404                  ? SF_NOT_FOUND
                        : code == 400 || code == 415 ? SF_INVALID
                        : code == 409                ? SF_CONFLICT
                        : code == 503                ? SF_FULL
                        : code == 504                ? SF_TIMEOUT
                                                     : SF_IO;
    if (!text.size)
        text = bytes_of(http_reason(code));
    return sf_fail(status, kind, "%.*s", text.size > 230 ? 230 : (int)text.size, text.data);
}

static bool call(struct state_place *place, const struct http_call *request,
                 struct http_reply *ret_reply, struct sf_status *status)
{
    return http_call(place->caller, request, ret_reply, status) &&
           (ret_reply->head.status == 200 || refused(ret_reply, status));
}

static char *target_of(const struct state_name *name, bool ahead)
{
    struct buffer target = {0};
    buffer_add_text(&target, "/state");
    http_add_segment(&target, name->address.ns);
    http_add_segment(&target, name->address.name);
    http_add_segment(&target, name->address.id);
    if (name->state.size)
        http_add_segment(&target, name->state);
    if (ahead)
        buffer_add_text(&target, "?ahead");
    return buffer_text(&target);
}

static bool live_get(struct state_place *place, const struct state_name *name, struct buffer *type,
                     struct buffer *value, struct sf_status *status)
{
    static const char prefix[] = "statefun/";
    char *target = target_of(name, false);
    struct http_reply reply;
    bool good = call(place,
                     &(struct http_call){.method = "GET",
                                         .target = target,
                                         .headers = "Accept: application/octet-stream\r\n"},
                     &reply, status);
    free(target);
    if (!good)
        return false;
    const struct http_header *header = http_find(&reply.head, "Content-Type");
    if (header && bytes_starts_with(header->value, bytes_of(prefix)))
        buffer_add_bytes(type, bytes_from(header->value, sizeof prefix - 1));
    buffer_add_bytes(value, reply.body);
    return true;
}

static bool live_put(struct state_place *place, const struct state_name *name,
                     const struct state_put *put, struct sf_status *status)
{
    char *target = target_of(name, put->ahead);
    char *headers = mem_format("Content-Type: statefun/%.*s\r\n", BYTES_ARG(put->type));
    struct http_reply reply;
    bool good =
        call(place, &(struct http_call){"PUT", target, headers, put->value}, &reply, status);
    free(target);
    free(headers);
    return good;
}

static bool live_delete(struct state_place *place, const struct state_name *name, bool ahead,
                        struct sf_status *status)
{
    char *target = target_of(name, ahead);
    struct http_reply reply;
    bool good =
        call(place, &(struct http_call){.method = "DELETE", .target = target}, &reply, status);
    free(target);
    return good;
}

static bool live_list(struct state_place *place, const struct state_name *name, struct buffer *json,
                      struct sf_status *status)
{
    char *target = target_of(name, false);
    struct http_reply reply;
    bool good = call(place, &(struct http_call){.method = "GET", .target = target}, &reply, status);
    free(target);
    if (good)
        buffer_add_bytes(json, reply.body);
    return good;
}

static bool live_export_page(struct state_place *place, struct buffer *mark, struct buffer *lines,
                             struct sf_status *status)
{
    char *target =
        mark->size ? mem_format("/state?after=%s", buffer_text(mark)) : mem_string("/state");
    struct http_reply reply;
    bool good = call(place, &(struct http_call){.method = "GET", .target = target}, &reply, status);
    free(target);
    if (!good)
        return false;
    const struct http_header *next = http_find(&reply.head, STATE_EXPORT_NEXT);
    buffer_clear(mark);
    if (next)
        buffer_add_bytes(mark, next->value);
    buffer_clear(lines);
    buffer_add_bytes(lines, reply.body);
    return true;
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
static bool live_import(struct state_place *place, struct bytes lines, size_t *ret_line,
                        struct sf_status *status)
{
    struct http_reply reply;
    *ret_line = 0;
    for (int tries = 1;; tries++) {
        if (call(place, &(struct http_call){"POST", "/state", NULL, lines}, &reply, status))
            return true;
        if (status->code != SF_FULL || tries == BUSY_TRIES)
            break;
        sleep(1);
    }
    take_line_number(status, ret_line);
    return false;
}

const struct state_place_kind state_place_live = {
    .get = live_get,
    .put = live_put,
    .delete_it = live_delete,
    .list = live_list,
    .export_page = live_export_page,
    .import = live_import,
    .import_bytes = BATCH_BYTES,
};
