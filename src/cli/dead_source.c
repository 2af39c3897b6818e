/* dead_source.c - the admin listener asked, or the store opened. */
#include "cli/dead_source.h"

#include "base/mem.h"
#include "cli/place.h"
#include "net/http_ask.h"

enum { ANSWER_BYTES_MAX = 64 << 20, TIMEOUT_MS = 30 * 1000 };

struct dead_source {
    struct place place;
    char *headers; /* for the listener of a running runtime: the token; or NULL */
};

bool dead_source_open(const char *where, const char *directory, const char *token,
                      struct dead_source **ret_source, struct sf_status *status)
{
    struct dead_source *source = mem_new(sizeof *source);
    if (*token)
        source->headers = mem_format("Authorization: Bearer %s\r\n", token);
    if (!place_open(&(struct place_options){.where = where, .directory = directory}, &source->place,
                    status)) {
        dead_source_close(source);
        return false;
    }
    *ret_source = source;
    return true;
}

void dead_source_close(struct dead_source *source)
{
    if (!source)
        return;
    place_close(&source->place);
    free(source->headers);
    free(source);
}

/* --- a running runtime --- */

static void add_parameter(struct buffer *target, const char *name, const char *value)
{
    bool is_first = !memchr(target->data, '?', target->size);
    buffer_add_format(target, "%c%s=", is_first ? '?' : '&', name);
    for (const char *c = value; *c; c++) {
        bool is_plain = (*c >= '0' && *c <= '9') || (*c >= 'a' && *c <= 'z') ||
                        (*c >= 'A' && *c <= 'Z') || strchr("-._~/:", *c);
        if (is_plain)
            buffer_add_u8(target, (uint8_t)*c);
        else
            buffer_add_format(target, "%%%02X", (unsigned char)*c);
    }
}

static void make_target(struct buffer *target, const char *path,
                        const struct dead_question *question)
{
    buffer_add_text(target, path);
    for (size_t i = 0; i < question->choice_count; i++)
        add_parameter(target, question->choices[i].name, question->choices[i].value);
    if (question->from)
        add_parameter(target, "from", question->from);
    if (question->limit) {
        char *limit = mem_format("%zu", question->limit);
        add_parameter(target, "limit", limit);
        free(limit);
    }
}

static bool judge(int http_status, struct bytes body, json_t **ret_answer, struct sf_status *status)
{
    json_error_t error;
    json_t *answer = json_loadb((const char *)body.data, body.size, 0, &error);
    if (http_status == 200 && answer) {
        *ret_answer = answer;
        return true;
    }
    const char *text = json_string_value(json_object_get(answer, "error"));
    bool is_refused = (http_status == 401 || http_status == 403) && body.size;
    if (is_refused) /* a text, with a line feed */
        sf_fail(status, SF_INVALID, "%.*s", BYTES_ARG(bytes_make(body.data, body.size - 1)));
    else if (text)
        sf_fail(status, http_status == 400 ? SF_INVALID : SF_IO, "%s", text);
    else
        sf_fail(status, SF_IO, "the runtime answers with HTTP status %d and no explanation",
                http_status);
    json_decref(answer);
    return false;
}

static bool ask(struct dead_source *source, const char *method, const char *path,
                const struct dead_question *question, json_t **ret_answer, struct sf_status *status)
{
    struct buffer target = {0}, body = {0};
    int http_status;
    make_target(&target, path, question);
    bool good = http_ask(&(struct http_question){.where = source->place.where,
                                                 .method = method,
                                                 .target = buffer_text(&target),
                                                 .headers = source->headers,
                                                 .answer_bytes_max = ANSWER_BYTES_MAX,
                                                 .timeout_ms = TIMEOUT_MS},
                         &http_status, &body, status) &&
                judge(http_status, buffer_bytes(&body), ret_answer, status);
    buffer_destroy(&target);
    buffer_destroy(&body);
    return good;
}

/* --- a stopped one --- */

static bool make_filter(const struct dead_question *question, struct dead_filter *filter,
                        struct sf_status *status)
{
    bool good = true;
    *filter = (struct dead_filter){0};
    for (size_t i = 0; good && i < question->choice_count; i++)
        good = !strcmp(question->choices[i].name, "all") ||
               dead_filter_set(filter, bytes_of(question->choices[i].name),
                               bytes_of(question->choices[i].value), status);
    if (good && question->from)
        good = dead_filter_set(filter, bytes_of("from"), bytes_of(question->from), status);
    if (!good)
        dead_filter_destroy(filter);
    return good;
}

static void add_letter(void *owner, struct bytes key, const struct dead_letter *letter)
{
    json_array_append_new(owner, dead_letter_json(key, letter));
}

static bool list_stopped(struct dead_source *source, const struct dead_question *question,
                         json_t **ret_answer, struct sf_status *status)
{
    struct dead_filter filter;
    struct buffer next = {0}, id = {0};
    if (!make_filter(question, &filter, status))
        return false;
    json_t *letters = json_array();
    dead_letters_page(source->place.store, &filter, question->limit, add_letter, letters, &next);
    if (next.size)
        dead_id_add(&id, buffer_bytes(&next));
    *ret_answer =
        json_pack("{s:o, s:s?}", "letters", letters, "next", next.size ? buffer_text(&id) : NULL);
    dead_filter_destroy(&filter);
    buffer_destroy(&next);
    buffer_destroy(&id);
    return true;
}

/* --- both --- */

bool dead_source_list(struct dead_source *source, const struct dead_question *question,
                      json_t **ret_answer, struct sf_status *status)
{
    return source->place.store ? list_stopped(source, question, ret_answer, status)
                               : ask(source, "GET", "/deadletters", question, ret_answer, status);
}

bool dead_source_take(struct dead_source *source, enum dead_action action,
                      const struct dead_question *question, json_t **ret_answer,
                      struct sf_status *status)
{
    struct dead_filter filter;
    if (!source->place.store)
        return ask(source, "POST",
                   action == DEAD_REPLAY ? "/deadletters/replay" : "/deadletters/discard", question,
                   ret_answer, status);
    if (!make_filter(question, &filter, status))
        return false;
    bool good = dead_stopped_take(source->place.store, action, &filter, question->limit, ret_answer,
                                  status);
    dead_filter_destroy(&filter);
    return good;
}
