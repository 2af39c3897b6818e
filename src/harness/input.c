/* input.c - input stands in lanes, as in the partitions of a topic: positions count it, and what
 * was not committed is read again. */
#include "harness/inside.h"

#include "sdk/value.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static struct input *input_new(void)
{
    return mem_new(sizeof(struct input));
}

static void input_free(struct input *input)
{
    free(input->ingress);
    free(input->topic);
    arena_destroy(&input->arena);
    free(input);
}

void input_destroy(struct sf_harness *harness)
{
    for (size_t i = 0; i < LANES; i++) {
        struct lane *lane = &harness->lanes[i];
        for (size_t n = 0; n < lane->count; n++)
            input_free(lane->items[n]);
        free(lane->items);
    }
    list_for_each_safe (&harness->pulled, node) {
        struct pulled *pulled = container_of(node, struct pulled, link);
        buffer_destroy(&pulled->position);
        free(pulled);
    }
}

static void put(struct sf_harness *harness, struct input *input, struct bytes key)
{
    uint64_t hash = harness->is_simulated ? hash_stable(key) : 0;
    struct lane *lane = &harness->lanes[hash % LANES];
    if (lane->count == lane->capacity) {
        lane->capacity = lane->capacity ? lane->capacity * 2 : 64;
        lane->items = mem_resize(lane->items, lane->capacity * sizeof *lane->items);
    }
    lane->items[lane->count++] = input;
}

/* --- giving --- */

static void *alloc_in_input(void *owner, size_t size)
{
    struct input *input = owner;
    return arena_take(&input->arena, size);
}

bool sf_harness_send(struct sf_harness *harness, struct sf_address target, struct sf_value value,
                     struct sf_status *status)
{
    struct input *input = input_new();
    struct sf_encoded encoded;
    struct address address;
    struct value_memory memory = {alloc_in_input, input};
    if (!address_of(&input->arena, target, &address, status) ||
        !value_encode(memory, &value, &encoded, status)) {
        input_free(input);
        return sf_wrap(status, "sf_harness_send");
    }
    struct buffer argument = {0};
    typed_value_add(&argument, &(struct typed_value){bytes_from_sf(encoded.type),
                                                     bytes_from_sf(encoded.value), true});
    input->argument = arena_add_bytes(&input->arena, buffer_bytes(&argument));
    input->target = address.wire;
    buffer_destroy(&argument);
    put(harness, input, address.id);
    return true;
}

static bool check_ingress(const struct sf_harness *harness, const char *ingress,
                          struct sf_status *status)
{
    return route_exists(&harness->registry, ingress) ||
           sf_fail(status, SF_NOT_FOUND, "no router is bound to ingress %s", ingress);
}

static void put_record(struct sf_harness *harness, const char *ingress,
                       const struct sf_record *record)
{
    struct input *input = input_new();
    input->ingress = mem_string(ingress);
    input->has_key = record->key.data != NULL;
    input->key = arena_add_bytes(&input->arena, bytes_from_sf(record->key));
    input->value = arena_add_bytes(&input->arena, bytes_from_sf(record->value));
    input->topic = record->topic ? mem_string(record->topic) : NULL;
    input->timestamp_ms = record->timestamp_ms;
    put(harness, input, input->has_key ? input->key : bytes_of(ingress));
}

bool sf_harness_record(struct sf_harness *harness, const char *ingress,
                       const struct sf_record *record, struct sf_status *status)
{
    return sf_harness_records(harness, ingress, record, 1, status);
}

bool sf_harness_records(struct sf_harness *harness, const char *ingress,
                        const struct sf_record *records, size_t count, struct sf_status *status)
{
    if (!check_ingress(harness, ingress, status))
        return false;
    for (size_t i = 0; i < count; i++)
        put_record(harness, ingress, &records[i]);
    return true;
}

bool sf_harness_file(struct sf_harness *harness, const char *ingress, const char *path,
                     struct sf_status *status)
{
    if (!check_ingress(harness, ingress, status))
        return false;
    FILE *file = fopen(path, "re");
    if (!file)
        return sf_fail(status, SF_IO, "cannot open %s: %s", path, strerrordesc_np(errno));
    char *line = NULL;
    size_t capacity = 0;
    for (ssize_t size; (size = getline(&line, &capacity, file)) >= 0;) {
        if (size && line[size - 1] == '\n')
            size--;
        if (size && line[size - 1] == '\r')
            size--;
        struct sf_record record = {.value = {line, (size_t)size}};
        put_record(harness, ingress, &record);
    }
    bool good = !ferror(file);
    free(line);
    (void)fclose(file); /* it was only read */
    return good || sf_fail(status, SF_IO, "cannot read %s", path);
}

bool sf_harness_supply(struct sf_harness *harness, const char *ingress,
                       bool (*supply)(void *user, struct sf_record *ret_record), void *user,
                       size_t count_max, struct sf_status *status)
{
    if (!check_ingress(harness, ingress, status))
        return false;
    for (size_t i = 0; i < count_max; i++) {
        struct sf_record record = {0};
        if (!supply(user, &record))
            break;
        put_record(harness, ingress, &record);
    }
    return true;
}

/* --- ingresses in C --- */

struct pull {
    struct sf_source source; /* what `run` gets */
    struct sf_harness *harness;
    struct pulled *pulled;
};

static struct pull *pull_of(const struct sf_source *source)
{
    return (struct pull *)source;
}

static uint32_t pull_partition(const struct sf_source *source)
{
    return pull_of(source)->pulled->partition;
}

static void *pull_user(const struct sf_source *source)
{
    return pull_of(source)->pulled->ingress->user;
}

static struct sf_bytes pull_position(const struct sf_source *source)
{
    return bytes_to_sf(buffer_bytes(&pull_of(source)->pulled->position));
}

static bool pull_emit(struct sf_source *source, const struct sf_record *record,
                      struct sf_bytes position)
{
    struct pull *pull = pull_of(source);
    put_record(pull->harness, pull->pulled->ingress->id, record);
    buffer_clear(&pull->pulled->position);
    buffer_add_bytes(&pull->pulled->position, bytes_from_sf(position));
    return true;
}

static bool pull_pause(struct sf_source *source, uint32_t ms)
{
    (void)source, (void)ms;
    return false;
}

static const struct sf_host pulling = {
    .size = sizeof pulling,
    .source_partition = pull_partition,
    .source_user = pull_user,
    .source_position = pull_position,
    .emit = pull_emit,
    .source_pause = pull_pause,
};

static struct pulled *find_pulled(struct sf_harness *harness, const struct sf_ingress *ingress,
                                  uint32_t partition)
{
    list_for_each (&harness->pulled, node) {
        struct pulled *pulled = container_of(node, struct pulled, link);
        if (pulled->ingress == ingress && pulled->partition == partition)
            return pulled;
    }
    struct pulled *pulled = mem_new(sizeof *pulled);
    pulled->ingress = ingress;
    pulled->partition = partition;
    list_put_last(&harness->pulled, &pulled->link);
    return pulled;
}

static const struct sf_ingress *find_ingress(const struct sf_harness *harness, const char *id)
{
    for (size_t i = 0; i < harness->registry.ingress_count; i++)
        if (!strcmp(harness->registry.ingresses[i]->id, id))
            return harness->registry.ingresses[i];
    return NULL;
}

bool sf_harness_pull(struct sf_harness *harness, const char *id, struct sf_status *status)
{
    const struct sf_ingress *ingress = find_ingress(harness, id);
    if (!ingress)
        return sf_fail(status, SF_NOT_FOUND, "no module binds an ingress %s", id);
    if (!check_ingress(harness, id, status))
        return false;
    uint32_t partitions = ingress->partitions ? ingress->partitions : 1;
    for (uint32_t i = 0; i < partitions; i++) {
        struct pull pull = {{&pulling}, harness, find_pulled(harness, ingress, i)};
        struct sf_status failure = {.code = SF_IO, .message = "it does not say why"};
        if (!ingress->run(&pull.source, &failure)) {
            if (status)
                *status = failure;
            return sf_wrap(status, "ingress %s, partition %u", id, i);
        }
    }
    return true;
}

/* --- reading --- */

void input_begin_life(struct sf_harness *harness)
{
    struct machine *machine = &harness->machine;
    for (uint32_t i = 0; i < LANES; i++) {
        struct lane *lane = &harness->lanes[i];
        char name[16];
        (void)snprintf(name, sizeof name, "%u", i);
        lane->source = engine_source(machine->worker[i % machine->workers].engine,
                                     bytes_of("statefun/harness"), bytes_of(name));
        struct bytes position = source_position(lane->source);
        lane->next = position.size ? u64_get(position.data) : 0;
    }
}

bool input_is_read(const struct sf_harness *harness)
{
    for (size_t i = 0; i < LANES; i++)
        if (harness->lanes[i].next < harness->lanes[i].count)
            return false;
    return true;
}

static enum acceptance reject(struct engine *engine, const struct lane *lane,
                              const struct input *input, struct bytes position,
                              const struct sf_status *cause)
{
    return engine_reject(engine, lane->source, position,
                         &(struct dead_letter){.cause = bytes_of(cause->message),
                                               .origin = bytes_of(input->ingress),
                                               .key = input->key,
                                               .value = input->value});
}

static enum acceptance offer_record(struct sf_harness *harness, struct engine *engine,
                                    const struct lane *lane, const struct input *input,
                                    struct record *record)
{
    struct route *route = &harness->route;
    struct sf_status status;
    struct sf_record given = {
        .key = {input->has_key ? (input->key.data ? input->key.data : (const void *)"") : NULL,
                input->key.size},
        .value = bytes_to_sf(input->value),
        .topic = input->topic,
        .timestamp_ms = input->timestamp_ms,
    };
    if (!route_run(route, &harness->registry, input->ingress, &given, &status))
        return reject(engine, lane, input, record->position, &status);
    struct record_message *messages = arena_take(&route->arena, route->count * sizeof *messages);
    for (size_t i = 0; i < route->count; i++)
        messages[i] =
            (struct record_message){route->messages[i].target, route->messages[i].argument};
    record->origin = bytes_of(input->ingress);
    record->messages = messages;
    record->message_count = route->count;
    return engine_accept(engine, record);
}

bool input_comes(struct sf_harness *harness)
{
    struct machine *machine = &harness->machine;
    uint32_t waiting[LANES], count = 0;
    for (uint32_t i = 0; i < LANES; i++)
        if (harness->lanes[i].next < harness->lanes[i].count)
            waiting[count++] = i;
    if (!count)
        return false;
    uint32_t number = waiting[machine_pick(machine, count)];
    struct lane *lane = &harness->lanes[number];
    const struct input *input = lane->items[lane->next];
    struct engine *engine = machine->worker[number % machine->workers].engine;
    uint8_t position[8];
    u64_put(position, lane->next + 1);

    struct record_message message = {input->target, input->argument};
    struct record record = {
        .source = lane->source,
        .position = bytes_make(position, sizeof position),
        .origin = bytes_of("sf_harness_send"),
        .messages = &message,
        .message_count = 1,
    };
    enum acceptance acceptance = input->ingress
                                     ? offer_record(harness, engine, lane, input, &record)
                                     : engine_accept(engine, &record);
    lane->next += acceptance == ACCEPTED;
    return acceptance == ACCEPTED;
}
