/* handler.c - see handler.h; and sf_handle. */
#include "serve/run.h"

#include "base/mem.h"
#include "sdk/log_level.h"
#include "sdk/value.h"

#include <time.h>

enum { LOG_PAUSE_MS = 10 * 1000, KEPT_BYTES_MAX = 64 * 1024 * 1024 };

/* --- what functions ask of the world; any thread --- */

/* "namespace/name" of an address, for free(). */
static char *type_of(const struct address *address)
{
    return mem_format("%.*s/%.*s", BYTES_ARG(address->ns), BYTES_ARG(address->name));
}

static void log_line(void *owner, struct bytes wire, enum sf_level level, const char *text)
{
    struct address address = {0};
    enum log_level at = log_level_of(level);
    (void)owner;
    if (!log_wants(at))
        return;
    (void)address_parse(wire, &address);
    char *type = type_of(&address);
    log_write(at, text,
              (struct log_field[]){LOG_TEXT("function", type), LOG_BYTES("id", address.id), {0}});
    free(type);
}

static void count(void *owner, struct bytes type, const char *counter, int64_t by)
{
    struct sf_handler *handler = owner;
    counters_add(&handler->counters, type, counter, by);
}

/* --- how requests went --- */

struct served_function *handler_find(struct sf_handler *handler, const struct address *target,
                                     const struct sf_function **ret_function)
{
    *ret_function = registry_find(&handler->registry, target->ns, target->name);
    for (size_t i = 0; *ret_function && i < handler->registry.function_count; i++)
        if (handler->registry.functions[i].function == *ret_function)
            return &handler->functions[i];
    return NULL;
}

/* True: a line may be logged; it stands for so many. */
static bool limiter_lets(struct limiter *limiter, uint64_t *ret_count)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    int64_t now_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
    int64_t next_ms = atomic_load(&limiter->next_ms);
    if (now_ms < next_ms ||
        !atomic_compare_exchange_strong(&limiter->next_ms, &next_ms, now_ms + LOG_PAUSE_MS)) {
        atomic_fetch_add(&limiter->kept_back, 1);
        return false;
    }
    *ret_count = 1 + atomic_exchange(&limiter->kept_back, 0);
    return true;
}

void handler_note_failure(struct sf_handler *handler, struct served_function *function,
                          struct bytes wire, const struct sf_status *status)
{
    struct address address = {0};
    uint64_t times;
    if (function)
        atomic_fetch_add_explicit(&function->failures, 1, memory_order_relaxed);
    if (!limiter_lets(function ? &function->log : &handler->log, &times))
        return;
    (void)address_parse(wire, &address);
    char *type = type_of(&address);
    if (function)
        log_error("a function fails", LOG_TEXT("function", type), LOG_BYTES("id", address.id),
                  LOG_TEXT("reason", status->message), LOG_NUMBER("failures", times));
    else
        log_error("requests are refused", LOG_TEXT("reason", status->message),
                  LOG_NUMBER("requests", times));
    free(type);
}

/* --- figures --- */

struct metric {
    const char *name, *help;
    size_t offset; /* in struct served_function */
};

static const struct metric metrics[] = {
    {"statefun_functions_invocations_total",
     "Requests that called a function, alone or in bundles.",
     offsetof(struct served_function, invocations)},
    {"statefun_functions_invoked_messages_total", "Messages in those requests.",
     offsetof(struct served_function, messages)},
    {"statefun_functions_failures_total", "Requests in which a function failed.",
     offsetof(struct served_function, failures)},
};

void handler_expose(struct sf_handler *handler, struct buffer *text)
{
    for (size_t m = 0; m < sizeof metrics / sizeof *metrics; m++) {
        const struct metric *metric = &metrics[m];
        buffer_add_format(text, "# HELP %s %s\n# TYPE %s counter\n", metric->name, metric->help,
                          metric->name);
        for (size_t i = 0; i < handler->registry.function_count; i++) {
            const struct registered_function *function = &handler->registry.functions[i];
            const void *figures = &handler->functions[i];
            const _Atomic uint64_t *figure =
                (const void *)((const uint8_t *)figures + metric->offset);
            buffer_add_format(text, "%s{", metric->name);
            metric_label_add(text, "namespace", function->ns);
            buffer_add_u8(text, ',');
            metric_label_add(text, "name",
                             bytes_make(function->name.data,
                                        function->name.size + function->is_prefix)); /* its * */
            buffer_add_format(text, "} %llu\n", (unsigned long long)atomic_load(figure));
        }
    }
    buffer_add_format(text,
                      "# HELP statefun_functions_kept_bytes States kept between invocations.\n"
                      "# TYPE statefun_functions_kept_bytes gauge\n"
                      "statefun_functions_kept_bytes %zu\n",
                      keep_bytes(&handler->keep));
    counters_expose(&handler->counters, text);
}

/* --- the handler --- */

bool sf_handler_new(sf_configure configure, const char *const *config,
                    struct sf_handler **ret_handler, struct sf_status *status)
{
    struct sf_handler *handler = mem_new(sizeof *handler);
    bool good = config_copy(config, &handler->config, status);
    registry_init(&handler->registry, &(struct registry_options){
                                          .functions_only = true,
                                          .what_runs = "a remote function",
                                          .owner = handler->config,
                                          .config = config_of_list,
                                      });
    counters_init(&handler->counters);
    keep_init(&handler->keep, KEPT_BYTES_MAX);
    handler->world = (struct batch_world){
        .owner = handler, .async_begin = run_begin_operation, .log = log_line, .count = count};
    good = good && registry_add(&handler->registry, configure, status) &&
           (handler->registry.function_count ||
            sf_fail(status, SF_INVALID, "the module's configure function binds no function"));
    if (!good) {
        sf_handler_free(handler);
        return false;
    }
    handler->functions = mem_new(handler->registry.function_count * sizeof *handler->functions);
    *ret_handler = handler;
    return true;
}

void sf_handler_free(struct sf_handler *handler)
{
    if (!handler)
        return;
    registry_destroy(&handler->registry);
    counters_destroy(&handler->counters);
    keep_destroy(&handler->keep);
    config_free(handler->config);
    free(handler->functions);
    free(handler);
}

bool sf_handle(struct sf_handler *handler, struct sf_bytes request, void **ret_reply,
               size_t *ret_size, struct sf_status *status)
{
    struct run *run = run_new(handler);
    const struct run_request plain = {.bytes = bytes_from_sf(request)};
    enum run_progress progress = run_begin(run, &plain, NULL, NULL, status);
    if (progress == RUN_WAITS) {
        run_wait(run);
        run_finish(run);
    }
    if (progress != RUN_FAILED) {
        size_t size = from_function_size(run_reply(run));
        uint8_t *reply = mem_new_raw(size);
        (void)from_function_put(reply, run_reply(run));
        *ret_reply = reply;
        *ret_size = size;
    }
    run_release(run);
    return progress != RUN_FAILED;
}
