/* verdict.c - when a run is over, and whether all is then as it must be. */
#include "sim/world_inside.h"

static bool is_idle(const struct world *world)
{
    for (uint32_t i = 0; i < world->machine.workers; i++) {
        struct engine_figures figures;
        engine_figures(world->machine.worker[i].engine, &figures);
        if (figures.backlog_messages || figures.delayed_messages || figures.in_flight)
            return false;
    }
    struct buffer outbox = {0};
    (void)key_of_outbox(&outbox, bytes_of("sim/taken"), 0);
    size_t taken = table_seek(&world->machine.truth, buffer_bytes(&outbox));
    buffer_destroy(&outbox);
    if (taken < world->machine.truth.count &&
        world->machine.truth.rows[taken].key.data[0] == KEY_OUTBOX)
        return false;
    return machine_is_quiet(&world->machine) && list_is_empty(&world->operations) &&
           world->delivered_epoch == world->machine.truth_epoch && !world->has_unconfirmed;
}

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static size_t count_id(const struct app_ids *sorted, uint64_t id)
{
    size_t count = 0;
    for (size_t i = 0; i < sorted->count; i++)
        count += sorted->ids[i] == id;
    return count;
}

static void check_records(struct world *world)
{
    for (size_t e = 0; e < APP_EGRESSES; e++) {
        struct app_ids *found = &world->delivered[e], *expected = &world->app.expected_records[e];
        if (found->count)
            qsort(found->ids, found->count, sizeof *found->ids, by_number);
        for (size_t i = 0; i < expected->count; i++) {
            size_t count = count_id(found, expected->ids[i]);
            SIM_CHECK(count == 1 || (count > 1 && e == APP_EGRESS_TAKEN),
                      "egress %zu has record %llu %zu times", e,
                      (unsigned long long)expected->ids[i], count);
        }
        SIM_CHECK(e == APP_EGRESS_TAKEN || count_id(found, 0) == 0,
                  "an effect of a reply that was refused came out");
    }
    for (size_t i = 0; i < world->request_count; i++) {
        const struct sim_request *request = &world->requests[i];
        size_t count = count_id(&world->delivered[APP_EGRESS_EXACT], request->record);
        bool settled = request->status == REQUEST_SETTLED;
        SIM_CHECK(settled ? count == 1 : count <= 1, "request %zu had its effect %zu times", i + 1,
                  count);
    }
}

static void check_store(struct world *world)
{
    uint64_t letters = world->removed_letters;
    for (size_t i = 0; i < world->machine.truth.count; i++) {
        struct key key;
        bool good = key_parse(world->machine.truth.rows[i].key, &key);
        SIM_CHECK(good, "a stored key is not one of ours");
        SIM_CHECK(key.kind != KEY_MESSAGE && key.kind != KEY_DELAYED && key.kind != KEY_OUTBOX &&
                      key.kind != KEY_PARKED,
                  "an entry of kind '%c' (%.*s, sequence %llu) is left in the store", key.kind,
                  BYTES_ARG(key.subject), (unsigned long long)key.sequence);
        letters += key.kind == KEY_DEAD_LETTER;
    }
    uint64_t expected = world->expected_letters + world->app.expected_letters;
    SIM_CHECK(letters == expected, "%llu dead letters, expected %llu", (unsigned long long)letters,
              (unsigned long long)expected);
    app_check_states(&world->app, &world->machine.truth, world->partitions);
    operators_check(world->operators, &world->machine.truth, world->partitions);
}

bool world_is_over(const struct world *world)
{
    return world_inputs_are_done(world) && is_idle(world);
}

void world_check(struct world *world)
{
    check_records(world);
    check_store(world);
}
