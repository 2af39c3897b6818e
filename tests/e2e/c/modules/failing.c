/* failing.c - an embedded module for test_c_modules.py whose ingress, router and egress fail now
 * and then. */
#include "statefun/statefun.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NUMBERS = 100, FAILURES = 3 };

/* Fails every 30 records, several times in a row; what it has emitted counts nevertheless. */
static bool run(struct sf_source *source, struct sf_status *status)
{
    static int failures;
    struct sf_bytes position = sf_source_position(source);
    char text[16] = "0";
    memcpy(text, position.data ? position.data : "0", position.data ? position.size : 1);
    if (failures && failures % FAILURES)
        return ++failures, sf_fail(status, SF_IO, "the cable is out");
    for (int n = atoi(text), end = n + 30; n < NUMBERS; n++) {
        struct sf_record record = {.value = {text, strlen(text)}, .topic = "numbers"};
        snprintf(text, sizeof text, "%d", n);
        record.value.size = strlen(text);
        char behind[16];
        int size = snprintf(behind, sizeof behind, "%d", n + 1);
        if (n == end)
            return ++failures, sf_fail(status, SF_IO, "the cable is out");
        if (!sf_emit(source, &record, (struct sf_bytes){behind, (size_t)size}))
            return true;
    }
    while (sf_source_pause(source, 100))
        ;
    return true;
}

static const struct sf_ingress FLAKY = {.id = "example/flaky", .run = run};

static bool route(struct sf_routing *routing, const struct sf_record *record, void *user)
{
    (void)user;
    if (record->value.size == 2 && !memcmp(record->value.data, "13", 2))
        return sf_fail_route(routing, "%.*s is no number to be had", 2,
                             (const char *)record->value.data);
    return sf_forward(routing, sf_address("example/echo", record->topic),
                      sf_raw("example/line", record->value.data, record->value.size));
}

static const struct sf_router ROUTER = {.ingress = "example/flaky", .route = route};

static bool echo(struct sf_context *context, const struct sf_message *message)
{
    return sf_send_egress(context, "example/flaky", sf_message_value(message));
}

static const struct sf_function ECHO = {.type = "example/echo", .call = echo};

static bool deliver(void *user, uint64_t epoch, const struct sf_egress_record *records,
                    size_t count, struct sf_status *status)
{
    static int calls;
    (void)epoch;
    if (calls++ < FAILURES)
        return sf_fail(status, SF_IO, "no paper");
    FILE *file = fopen(*(const char **)user, "a");
    for (size_t i = 0; i < count; i++)
        fprintf(file, "%.*s\n", (int)records[i].value.size, (const char *)records[i].value.data);
    return !fclose(file);
}

static const char *path;
static const struct sf_egress PRINTER = {.id = "example/flaky", .deliver = deliver, .user = &path};

static bool configure(struct sf_module *module, struct sf_status *status)
{
    path = sf_config(module, "lines");
    return sf_bind_ingress(module, &FLAKY, status) && sf_bind_router(module, &ROUTER, status) &&
           sf_bind(module, &ECHO, status) && sf_bind_egress(module, &PRINTER, status);
}
SF_MODULE(configure)
