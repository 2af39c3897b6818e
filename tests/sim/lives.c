/* lives.c - the process starts, from what is durable, and crashes. */
#include "sim/world_inside.h"

#include <stdio.h>

void world_start(struct world *world)
{
    struct machine_life life = {
        .workers = (uint32_t)random_between(&world->random, 1, MACHINE_WORKERS_MAX),
        .partitions = world->partitions,
        .hash_seed = random_next(&world->random),
        .interval_ms = world->interval_ms,
        .now_ms = world->now_ms,
        .remember_specs = random_chance(&world->random, 700),
        .limits = world->limits,
        .bindings = world->app.bindings,
        .ports = world_ports,
    };
    struct machine *machine = &world->machine;
    struct sf_status status;
    bool good = machine_start(machine, &life, &status);
    SIM_CHECK(good, "%s", status.message);
    for (uint32_t i = 0; i < machine->workers; i++)
        engine_pace(machine->worker[i].engine, random_between(&world->random, 1, 30));
    world->has_unconfirmed = true; /* what a crash left may have been delivered */
    list_init(&world->outbox);
    list_init(&world->operations);

    for (uint32_t i = 0; i < world->source_count; i++) {
        struct sim_source *source = &world->sources[i];
        char name[16];
        snprintf(name, sizeof name, "%u", i);
        source->source = engine_source(machine->worker[i % machine->workers].engine,
                                       bytes_of("sim/source"), bytes_of(name));
        struct bytes position = source_position(source->source);
        source->next = position.size ? u64_get(position.data) : 0;
    }
    world_trace(world, "a life begins at epoch %llu with %u workers",
                (unsigned long long)machine->truth_epoch + 1, machine->workers);
}

void world_crash(struct world *world)
{
    for (uint32_t i = 0; i < world->machine.workers; i++)
        list_for_each_safe (&world->machine.worker[i].calls, node)
            world_free_call(container_of(node, struct app_call, link));
    machine_crash(&world->machine);
    list_for_each_safe (&world->operations, node)
        world_free_operation(container_of(node, struct operation, link));
    operators_crash(world->operators);
    world_free_commits(&world->outbox);
    for (size_t i = 0; i < world->request_count; i++) {
        world->requests[i].waiting = 0;
        if (world->requests[i].status == REQUEST_WAITING)
            world->requests[i].status = REQUEST_NEW;
    }
    world->result.crashes++;
    world->life++;
}

struct machine_worker *world_random_worker(struct world *world)
{
    return &world->machine.worker[random_below(&world->random, world->machine.workers)];
}
