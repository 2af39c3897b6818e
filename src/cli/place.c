/* place.c - settings, the lock, and one question. */
#include "cli/place.h"

#include "base/mem.h"
#include "net/http_ask.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { ANSWER_BYTES_MAX = 64 << 20, TIMEOUT_MS = 30 * 1000 };
enum { FLAG_AT, FLAG_DATA, FLAG_CONFIG };

/* --- which of both --- */

static bool find_listener(const char *directory, char **ret_where, struct sf_status *status)
{
    char *file = mem_format("%s/runtime.json", directory);
    json_error_t error;
    json_t *notice = json_load_file(file, 0, &error);
    const char *where =
        json_string_value(json_object_get(json_object_get(notice, "listeners"), "admin"));
    *ret_where = where ? mem_string(where) : NULL;
    if (!where)
        sf_fail(status, SF_NOT_FOUND,
                "the data directory is in use, and %s does not say where its runtime listens (yet)",
                file);
    json_decref(notice);
    free(file);
    return where != NULL;
}

static bool open_directory(struct place *place, const char *directory, struct sf_status *status)
{
    char *format = mem_format("%s/FORMAT", directory);
    bool is_there = access(format, F_OK) == 0;
    free(format);
    if (!is_there) /* opening would make one */
        return sf_fail(status, SF_NOT_FOUND, "there is no data directory %s", directory);
    struct store_options options = store_defaults;
    options.directory = directory;
    options.partitions = 1; /* it has its own */
    return store_open(&options, &place->store, status) ||
           (status->code == SF_CONFLICT && find_listener(directory, &place->where, status));
}

static void read_settings(const char *const flags[PLACE_FLAG_COUNT], struct inputs *inputs)
{
    const char *config = flags[FLAG_CONFIG] ? flags[FLAG_CONFIG] : getenv(CONFIG_VARIABLE);
    *inputs = (struct inputs){.settings = settings_new()};
    if (config && *config)
        settings_read_file(inputs->settings, config, &inputs->diagnostics);
    settings_read_environment(inputs->settings, &inputs->diagnostics);
    if (flags[FLAG_DATA])
        settings_set_flag(inputs->settings, SETTING_DATA, flags[FLAG_DATA], &inputs->diagnostics);
}

bool place_open(const char *const flags[PLACE_FLAG_COUNT], struct place *ret_place, int *ret_code)
{
    struct sf_status status;
    struct inputs inputs;
    struct place place = {0};
    read_settings(flags, &inputs);
    bool good = inputs_report(&inputs) == 0;
    *ret_code = EXIT_WRONG;
    if (good && flags[FLAG_AT]) {
        place.where = mem_string(flags[FLAG_AT]);
    } else if (good) {
        good = open_directory(&place, settings_text(inputs.settings, SETTING_DATA), &status);
        if (!good)
            *ret_code = place_fail("statefun", &status);
    }
    inputs_destroy(&inputs);
    *ret_place = place;
    return good;
}

void place_close(struct place *place)
{
    store_close(place->store);
    free(place->where);
}

/* --- a running runtime --- */

void place_add_parameter(struct buffer *target, const char *name, const char *value)
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

static bool judge(int http_status, struct bytes body, json_t **ret_answer, struct sf_status *status)
{
    json_error_t error;
    json_t *answer = json_loadb((const char *)body.data, body.size, 0, &error);
    if (http_status == 200 && answer) {
        *ret_answer = answer;
        return true;
    }
    const char *text = json_string_value(json_object_get(answer, "error"));
    if (text)
        sf_fail(status, http_status == 400 ? SF_INVALID : SF_IO, "%s", text);
    else
        sf_fail(status, SF_IO, "the runtime answers with HTTP status %d and no explanation",
                http_status);
    json_decref(answer);
    return false;
}

bool place_ask(const struct place *place, const char *method, const char *target,
               json_t **ret_answer, struct sf_status *status)
{
    struct buffer body = {0};
    int http_status;
    bool good = http_ask(&(struct http_question){.where = place->where,
                                                 .method = method,
                                                 .target = target,
                                                 .answer_bytes_max = ANSWER_BYTES_MAX,
                                                 .timeout_ms = TIMEOUT_MS},
                         &http_status, &body, status) &&
                judge(http_status, buffer_bytes(&body), ret_answer, status);
    buffer_destroy(&body);
    return good;
}

/* --- people --- */

int place_fail(const char *command, const struct sf_status *status)
{
    fprintf(stderr, "%s: %s\n", command, status->message);
    return status->code == SF_INVALID ? EXIT_WRONG : EXIT_FAILED;
}

void place_print(const char *text)
{
    for (; *text; text++) {
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            printf("\\x%02x", (unsigned char)*text);
        else
            putchar(*text);
    }
}
