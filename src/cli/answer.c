/* answer.c - one request over HTTP, and JSON for people. */
#include "cli/answer.h"

#include "base/mem.h"
#include "net/http_ask.h"
#include "wire/http.h"

#include <stdio.h>
#include <string.h>

enum { ANSWER_BYTES_MAX = 64 << 20, TIMEOUT_MS = 30 * 1000 };

void answer_add_parameter(struct buffer *target, const char *name, const char *value)
{
    bool is_first = !memchr(target->data, '?', target->size);
    buffer_add_format(target, "%c%s=", is_first ? '?' : '&', name);
    http_percent_encode(bytes_of(value), target);
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

bool answer_ask(const char *where, const char *token, const char *method, const char *target,
                json_t **ret_answer, struct sf_status *status)
{
    struct buffer body = {0};
    int http_status;
    char *headers = *token ? mem_format("Authorization: Bearer %s\r\n", token) : NULL;
    bool good = http_ask(&(struct http_question){.where = where,
                                                 .method = method,
                                                 .target = target,
                                                 .headers = headers,
                                                 .answer_bytes_max = ANSWER_BYTES_MAX,
                                                 .timeout_ms = TIMEOUT_MS},
                         &http_status, &body, status) &&
                judge(http_status, buffer_bytes(&body), ret_answer, status);
    free(headers);
    buffer_destroy(&body);
    return good;
}

const char *answer_text(const json_t *answer, const char *name)
{
    const char *text = json_string_value(json_object_get(answer, name));
    return text ? text : "";
}

void answer_print_json(const json_t *answer)
{
    json_dumpf(answer, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER);
    putchar('\n');
}

void answer_print_text(const char *text)
{
    for (; *text; text++) {
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            printf("\\x%02x", (unsigned char)*text);
        else
            putchar(*text);
    }
}
