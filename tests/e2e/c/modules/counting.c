/* counting.c - an embedded module for test_c_modules.py: numbers from an ingress, spread by a
 * router, summed up by functions, and what they say in a file, each line once.
 *
 * The configuration says how many numbers each partition has (`numbers`), and where the file is
 * (`lines`). A record of the file is a line "epoch nth id count total"; behind the records of a
 * batch stands "# epoch". */
#include "statefun/statefun.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct sf_type LINE = SF_BYTES_TYPE("example/line");

/* --- the ingress: numbers 0, 1, 2, ... behind its position --- */

static long numbers;

static bool run(struct sf_source *source, struct sf_status *status)
{
    struct sf_bytes position = sf_source_position(source);
    char text[24] = "0", key[16];
    (void)status;
    memcpy(text, position.data ? position.data : "0", position.data ? position.size : 1);
    snprintf(key, sizeof key, "%u", sf_source_partition(source));
    for (long n = atol(text); n < numbers; n++) {
        int64_t value = n;
        struct sf_record record = {.key = {key, strlen(key)}, .value = {&value, sizeof value}};
        int size = snprintf(text, sizeof text, "%ld", n + 1);
        if (!sf_emit(source, &record, (struct sf_bytes){text, (size_t)size}) ||
            (n % 8 == 0 && !sf_source_pause(source, 1)))
            return true;
    }
    while (sf_source_pause(source, 1000))
        ;
    return true;
}

static const struct sf_ingress NUMBERS = {.id = "example/numbers", .partitions = 2, .run = run};

/* --- the router: to a sum of its own, to one for its partition, and to one for all --- */

static bool route(struct sf_routing *routing, const struct sf_record *record, void *user)
{
    int64_t number;
    char id[24];
    (void)user;
    if (record->value.size != sizeof number)
        return sf_fail_route(routing, "a number of %zu bytes", record->value.size);
    memcpy(&number, record->value.data, sizeof number);
    snprintf(id, sizeof id, "mod-%d", (int)(number % 11));
    sf_forward(routing, sf_address("example/sum", id), sf_long(number));
    snprintf(id, sizeof id, "partition-%.*s", (int)record->key.size,
             (const char *)record->key.data);
    sf_forward(routing, sf_address("example/sum", id), sf_long(number));
    sf_forward(routing, sf_address("example/sum", "all"), sf_long(number));
    return true;
}

static const struct sf_router SPREAD = {.ingress = "example/numbers", .route = route};

/* --- the function --- */

static const struct sf_state COUNT = SF_VALUE("count", &sf_long_type),
                             TOTAL = SF_VALUE("total", &sf_long_type);

static bool sum(struct sf_context *context, const struct sf_message *message)
{
    int64_t number = 0, count = 0, total = 0;
    char line[80];
    if (!sf_read(context, message, &sf_long_type, &number))
        return false;
    sf_get(context, &COUNT, &count);
    sf_get(context, &TOTAL, &total);
    sf_set(context, &COUNT, sf_long(++count));
    sf_set(context, &TOTAL, sf_long(total += number));
    sf_count(context, "summed", 1);
    int size = snprintf(line, sizeof line, "%s %lld %lld", sf_self(context).id, (long long)count,
                        (long long)total);
    return sf_send_egress(context, "example/lines", sf_bytes(&LINE, line, (size_t)size));
}

static const struct sf_function SUM = {
    .type = "example/sum", .call = sum, .states = SF_STATES(&COUNT, &TOTAL)};

/* --- the egress: a file that knows the last epoch in it --- */

struct lines {
    const char *path;
    int fd;
};

static struct lines lines = {NULL, -1};

static bool failed(struct sf_status *status, const char *path)
{
    status->code = SF_IO;
    snprintf(status->message, sizeof status->message, "%s: %s", path, strerror(errno));
    return false;
}

/* Finds the last "# epoch", and cuts off what stands behind it: part of a batch. */
static bool open_lines(void *user, uint64_t *ret_epoch, struct sf_status *status)
{
    struct lines *to = user;
    FILE *file = fopen(to->path, "a+");
    char *line = NULL;
    size_t capacity = 0;
    long good = 0;
    if (!file)
        return failed(status, to->path);
    rewind(file);
    for (ssize_t size; (size = getline(&line, &capacity, file)) > 0;)
        if (line[0] == '#' && line[size - 1] == '\n') {
            *ret_epoch = strtoull(line + 1, NULL, 10);
            good = ftell(file);
        }
    free(line);
    fclose(file);
    to->fd = open(to->path, O_WRONLY | O_APPEND | O_CLOEXEC);
    return (to->fd >= 0 && !ftruncate(to->fd, good)) || failed(status, to->path);
}

static bool deliver(void *user, uint64_t epoch, const struct sf_egress_record *records,
                    size_t count, struct sf_status *status)
{
    struct lines *to = user;
    char *text = NULL;
    size_t size = 0;
    FILE *memory = open_memstream(&text, &size);
    for (size_t i = 0; i < count; i++) {
        const struct sf_egress_record *record = &records[i];
        if (record->type.size != strlen(LINE.name) ||
            memcmp(record->type.data, LINE.name, record->type.size))
            abort();
        fprintf(memory, "%llu %u %.*s\n", (unsigned long long)record->epoch, record->nth,
                (int)record->value.size, (const char *)record->value.data);
    }
    fprintf(memory, "# %llu\n", (unsigned long long)epoch);
    fclose(memory);
    bool good = true;
    for (size_t at = 0; at < size && good;) {
        ssize_t written = write(to->fd, text + at, size - at);
        good = written > 0 || failed(status, to->path);
        at += written > 0 ? (size_t)written : 0;
    }
    free(text);
    return good;
}

static void close_lines(void *user)
{
    close(((struct lines *)user)->fd);
}

static const struct sf_egress LINES = {.id = "example/lines",
                                       .open = open_lines,
                                       .deliver = deliver,
                                       .close = close_lines,
                                       .user = &lines};

/* --- all of it --- */

static bool configure(struct sf_module *module, struct sf_status *status)
{
    const char *given = sf_config(module, "numbers");
    numbers = given ? atol(given) : 0;
    lines.path = sf_config(module, "lines");
    if (!lines.path)
        return sf_fail(status, SF_INVALID, "expected 'lines' in the configuration, found none");
    return sf_bind_ingress(module, &NUMBERS, status) && sf_bind_router(module, &SPREAD, status) &&
           sf_bind(module, &SUM, status) && sf_bind_egress(module, &LINES, status);
}
SF_MODULE(configure)
