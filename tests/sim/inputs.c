/* inputs.c - records of sources and requests of clients: made before the run, and offered until
 * they are taken. */
#include "sim/world_inside.h"

#include "base/mem.h"

#include <stdio.h>

void world_make_inputs(struct world *world)
{
    world->source_count = (uint32_t)random_between(&world->random, 1, SOURCES_MAX);
    for (uint32_t i = 0; i < world->source_count; i++) {
        struct sim_source *source = &world->sources[i];
        source->count = random_below(&world->random, 60);
        source->records = mem_new(source->count * sizeof *source->records);
        uint64_t *sent = mem_new(world->app.types * world->app.ids * sizeof *sent);
        for (size_t n = 0; n < source->count; n++) {
            struct sim_record *record = &source->records[n];
            record->is_bad = random_chance(&world->random, 30);
            world->expected_letters += record->is_bad;
            if (record->is_bad)
                continue;
            uint32_t number;
            struct buffer tree = {0};
            app_random_target(&world->app, &record->target, &record->id, &number);
            app_make_tree(&world->app, number, &tree);
            app_argument(&record->argument, i, ++sent[number], buffer_bytes(&tree));
            buffer_destroy(&tree);
        }
        free(sent);
    }

    world->request_count = random_below(&world->random, 30);
    world->requests = mem_new(world->request_count * sizeof *world->requests);
    for (size_t i = 0; i < world->request_count; i++) {
        struct sim_request *request = &world->requests[i];
        uint32_t number;
        request->has_key = random_chance(&world->random, 600);
        app_random_target(&world->app, &request->target, &request->id, &number);
        request->number = number;
        request->record = world->app.next_id++;
        struct buffer tree = {0};
        buffer_add_text(&tree, "e");
        buffer_add_u8(&tree, APP_EGRESS_EXACT);
        buffer_add_u64(&tree, request->record);
        app_argument(&request->argument, UINT32_MAX, 0, buffer_bytes(&tree));
        buffer_destroy(&tree);
    }
}

void world_free_inputs(struct world *world)
{
    for (uint32_t i = 0; i < world->source_count; i++) {
        for (size_t n = 0; n < world->sources[i].count; n++) {
            buffer_destroy(&world->sources[i].records[n].id);
            buffer_destroy(&world->sources[i].records[n].argument);
        }
        free(world->sources[i].records);
    }
    for (size_t i = 0; i < world->request_count; i++) {
        buffer_destroy(&world->requests[i].id);
        buffer_destroy(&world->requests[i].argument);
    }
    free(world->requests);
}

bool world_record_comes(struct world *world)
{
    uint32_t number = (uint32_t)random_below(&world->random, world->source_count);
    struct sim_source *source = &world->sources[number];
    if (source->next == source->count)
        return false;
    struct engine *engine = world->machine.worker[number % world->machine.workers].engine;
    struct sim_record *given = &source->records[source->next];
    uint8_t position[8];
    u64_put(position, source->next + 1);

    enum acceptance acceptance;
    if (given->is_bad) {
        acceptance = engine_reject(
            engine, source->source, bytes_make(position, 8),
            &(struct dead_letter){.cause = bytes_of("bad record"), .origin = bytes_of("sim")});
    } else {
        acceptance = engine_accept(engine, &(struct record){
                                               .source = source->source,
                                               .position = bytes_make(position, 8),
                                               .origin = bytes_of("sim"),
                                               .id = buffer_bytes(&given->id),
                                               .targets = &given->target,
                                               .target_count = 1,
                                               .argument = buffer_bytes(&given->argument),
                                           });
    }
    if (acceptance == ACCEPTED)
        source->next++;
    world_trace(world, "record %zu of source %u: %s", source->next, number,
                acceptance == ACCEPTED ? "accepted" : "refused");
    return acceptance == ACCEPTED;
}

bool world_request_comes(struct world *world)
{
    if (!world->request_count)
        return false;
    size_t number = random_below(&world->random, world->request_count);
    struct sim_request *request = &world->requests[number];
    /* Without a key nobody may repeat a request that was accepted and not answered. */
    bool again = request->status != REQUEST_NEW && request->has_key && request->sends < 5 &&
                 random_chance(&world->random, 50);
    if (!again && (request->status != REQUEST_NEW || (!request->has_key && request->sends)))
        return false;

    char key[32];
    snprintf(key, sizeof key, "key %zu", number);
    if (!again)
        request->status = REQUEST_WAITING; /* it may be settled at once */
    request->sends++;
    request->waiting++;
    enum acceptance acceptance =
        engine_accept(world_random_worker(world)->engine,
                      &(struct record){.id = buffer_bytes(&request->id),
                                       .targets = &request->target,
                                       .target_count = 1,
                                       .argument = buffer_bytes(&request->argument),
                                       .receipt = number + 1,
                                       .idempotency_key = bytes_of(request->has_key ? key : "")});
    if (acceptance != ACCEPTED) {
        if (!again)
            request->status = REQUEST_NEW;
        request->sends--;
        request->waiting--;
        return false;
    }
    world_trace(world, "request %zu comes", number + 1);
    return true;
}

bool world_inputs_are_done(const struct world *world)
{
    for (uint32_t i = 0; i < world->source_count; i++)
        if (world->sources[i].next < world->sources[i].count)
            return false;
    for (size_t i = 0; i < world->request_count; i++) {
        const struct sim_request *request = &world->requests[i];
        bool lost = !request->has_key && request->sends && request->status == REQUEST_NEW;
        if ((request->status != REQUEST_SETTLED && !lost) || request->waiting)
            return false;
    }
    return operators_are_done(world->operators);
}
