/* world.c - one run, from the seed to its end. */
#include "sim/world_inside.h"

enum {
    STEPS_MAX = 10 * 1000 * 1000,
    QUIET_STEPS = 20 /* turns without anything to do, before a run counts as over */
};

static size_t small_or_large(struct world *world, size_t small, size_t large)
{
    return random_chance(&world->random, 500) ? random_between(&world->random, 1, small) : large;
}

static void begin(struct world *world, uint64_t seed, bool traced)
{
    *world = (struct world){.random = {seed}, .trace = traced, .now_ms = 1000 * 1000};
    world->machine = (struct machine){.random = &world->random,
                                      .owner = world,
                                      .trace = world_trace_list,
                                      .before_durable = world_before_durable};
    app_init(&world->app, random_next(&world->random));
    world->partitions = (uint32_t)random_between(&world->random, 1, 16);
    world->interval_ms = random_below(&world->random, 20);
    world->limits = engine_limits_default;
    world->limits.cache_bytes = small_or_large(world, 4000, 1 << 20);
    world->limits.backlog_memory_bytes = small_or_large(world, 4000, 1 << 20);
    world->limits.backlog_bytes = small_or_large(world, 20000, 1 << 20);
    world->limits.delta_bytes = small_or_large(world, 4000, 1 << 20);
    world->limits.delayed_memory_bytes = small_or_large(world, 2000, 1 << 20);
    world->limits.in_flight_max = small_or_large(world, 8, 0);
    world->limits.batch_bytes_max = small_or_large(world, 300, 1 << 20);
    world->limits.retry_ms_max = random_between(&world->random, 10, 2000);
    world->limits.idempotency_ms = UINT32_MAX;
    world->limits.idempotency_keys_max = 1000;
    world->crash_chance = random_chance(&world->random, 300) ? 0 : random_below(&world->random, 8);
    world->cured_step = random_below(&world->random, 20000);
    world->crashes_left = random_below(&world->random, 40);
    world->failure_chance =
        random_chance(&world->random, 300) ? 0 : random_below(&world->random, 300);
    world->misbehave_chance =
        random_chance(&world->random, 500) ? 0 : random_below(&world->random, 200);
    world->keep_chance = random_chance(&world->random, 300) ? 0 : random_below(&world->random, 999);
    world_make_inputs(world);
    world->operators = operators_new(&world->app, random_next(&world->random));
}

static void end(struct world *world)
{
    world_crash(world);
    world->result.crashes--;
    machine_destroy(&world->machine);
    world_free_inputs(world);
    for (size_t i = 0; i < APP_EGRESSES; i++)
        free(world->delivered[i].ids);
    operators_free(world->operators);
    world_free_ready(world);
    arena_destroy(&world->called_arena);
    keeper_destroy(&world->keeper);
    app_destroy(&world->app);
}

void world_run(uint64_t seed, bool traced, struct world_result *ret_result)
{
    struct world world;
    world_current = &world;
    begin(&world, seed, traced);
    world_start(&world);
    world_weigh(&world);

    bool is_over = false;
    for (unsigned quiet = 0; quiet < QUIET_STEPS; world.step++) {
        SIM_CHECK(world.step < STEPS_MAX, "the run does not come to its end");
        bool crashes = world.crashes_left && random_chance(&world.random, world.crash_chance);
        if (crashes || (is_over && !world.app.serves_late)) {
            world.crashes_left -= crashes;
            world_crash(&world);
            if (is_over || random_chance(&world.random, 300))
                app_serve_late(&world.app);
            world_start(&world);
        }
        world.app.is_cured |= world.step == world.cured_step;
        world_go_on(&world);
        is_over = world_is_over(&world);
        quiet = is_over && !world_has_letters_to_send(&world) ? quiet + 1 : 0;
    }
    world_check(&world);
    world.result.steps = world.step;
    *ret_result = world.result;
    end(&world);
    world_current = NULL;
}
