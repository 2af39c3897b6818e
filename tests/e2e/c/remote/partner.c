/* partner.c - functions that talk to partner.py's, in all types that both know, and one that either
 * of them may serve: see there. */
#include "playground.h"

#include <statefun/serve.h>

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* --- c/player: begins with a number, and answers what python/player says --- */

static bool on_start(struct sf_context *context, const struct sf_message *message)
{
    static const struct sf_type start = SF_BYTES_TYPE("example/start");
    struct sf_bytes text;
    return sf_read(context, message, &start, &text) &&
           sf_send(context, sf_address("python/player", sf_self(context).id),
                   sf_int((int32_t)text.size * -1));
}

static bool on_text(struct sf_context *context, const struct sf_message *message)
{
    const char *text;
    return sf_read(context, message, &sf_string_type, &text) &&
           sf_reply(context, sf_long(INT64_C(1) << 40 | (int64_t)strlen(text)));
}

static bool on_double(struct sf_context *context, const struct sf_message *message)
{
    double number;
    return sf_read(context, message, &sf_double_type, &number) &&
           sf_reply(context, sf_float((float)number / 4));
}

static bool on_bool(struct sf_context *context, const struct sf_message *message)
{
    bool truth;
    struct sf_address caller;
    if (!sf_read(context, message, &sf_bool_type, &truth) || !sf_caller(context, &caller))
        return false;
    return publish(
        context, "out",
        sf_format(context, "%s %s says %s", caller.type, caller.id, truth ? "true" : "false"));
}

static bool player(struct sf_context *context, const struct sf_message *message)
{
    static const struct sf_type start = SF_BYTES_TYPE("example/start");
    static const struct sf_case cases[] = {{&start, NULL, on_start},
                                           {&sf_string_type, NULL, on_text},
                                           {&sf_double_type, NULL, on_double},
                                           {&sf_bool_type, NULL, on_bool},
                                           {0}};
    return sf_match(context, message, cases);
}

/* --- either/keeper: whoever serves it goes on with what the other has left --- */

static const struct sf_state NUMBER = SF_VALUE("number", &sf_int_type),
                             TEXT = SF_VALUE("text", &sf_string_type),
                             TOTAL = SF_VALUE("total", &sf_long_type),
                             HALVES = SF_VALUE("halves", &sf_double_type),
                             IS_ODD = SF_VALUE("is_odd", &sf_bool_type);

static bool keeper(struct sf_context *context, const struct sf_message *message)
{
    int32_t number = 0;
    int64_t total = 0;
    const char *text = "";
    double halves = 0;
    bool is_odd = false;
    (void)message;
    sf_get(context, &NUMBER, &number);
    sf_get(context, &TEXT, &text);
    sf_get(context, &TOTAL, &total);
    sf_get(context, &HALVES, &halves);
    sf_get(context, &IS_ODD, &is_odd);
    sf_set(context, &NUMBER, sf_int(number + 1));
    sf_set(context, &TEXT, sf_format(context, "%sc", text));
    sf_set(context, &TOTAL, sf_long(total + (INT64_C(1) << 40)));
    sf_set(context, &HALVES, sf_double(halves + 0.5));
    sf_set(context, &IS_ODD, sf_bool(!is_odd));
    return publish(context, "out",
                   sf_format(context, "%d %sc %" PRId64 " %g %s", number + 1, text,
                             total + (INT64_C(1) << 40), halves + 0.5, is_odd ? "even" : "odd"));
}

/* --- c/worker: begins an operation for each job, and counts its results --- */

static const struct sf_state DONE = SF_TABLE("done", &sf_string_type, &sf_int_type);

static void *end_operation(void *async)
{
    sf_async_complete(async, sf_string("done"));
    return NULL;
}

static bool worker(struct sf_context *context, const struct sf_message *message)
{
    struct sf_async_result result;
    const char *value, *id = sf_self(context).id;
    pthread_t thread;
    int32_t count = 0;
    if (sf_async_result(context, message, &result) == SF_ASYNC_NONE) {
        struct sf_async *async = sf_async_begin(context, sf_string(id));
        return pthread_create(&thread, NULL, end_operation, async) == 0 &&
               pthread_detach(thread) == 0;
    }
    if (!sf_decode(context, result.metadata, &sf_string_type, &id) ||
        !sf_decode(context, result.value, &sf_string_type, &value))
        return false;
    sf_table_get(context, &DONE, sf_string(value), &count);
    sf_table_set(context, &DONE, sf_string(value), sf_int(count + 1));
    return publish(context, "out", sf_format(context, "%s %s %d", id, value, count + 1));
}

static const struct sf_function PLAYER = {.type = "c/player", .call = player};
static const struct sf_function KEEPER = {.type = "either/keeper",
                                          .call = keeper,
                                          .states =
                                              SF_STATES(&NUMBER, &TEXT, &TOTAL, &HALVES, &IS_ODD)};
static const struct sf_function WORKER = {.type = "c/worker", .call = worker};

static bool configure(struct sf_module *module, struct sf_status *status)
{
    return sf_bind(module, &PLAYER, status) && sf_bind(module, &KEEPER, status) &&
           sf_bind(module, &WORKER, status);
}

int main(int argc, char **argv)
{
    return sf_serve_main(argc, argv, configure);
}
