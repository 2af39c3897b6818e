/* happenings.c - what can happen next: each returns false if it cannot now. */
#include "sim/world_inside.h"

#include "base/mem.h"

enum { LEAP_MS_MAX = 60 * 1000 };

static bool post_arrives(struct world *world)
{
    return machine_post_arrives(&world->machine);
}

static void fail_call(struct world *world, struct machine_worker *worker, struct app_call *call,
                      bool of_endpoint)
{
    struct failure failure = {
        .of_endpoint = of_endpoint,
        .cause = bytes_of("simulated failure"),
        .retry_after_ms = random_chance(&world->random, 100) ? 50 : 0,
    };
    world_trace(world, "a call of worker %u fails%s", worker->number,
                failure.of_endpoint ? ", as does its endpoint" : "");
    engine_fail(worker->engine, call->invocation, &failure);
}

static bool call_ends(struct world *world)
{
    struct machine_worker *worker = machine_pick_worker(&world->machine, machine_has_calls);
    if (!worker)
        return false;
    struct list *node = machine_pick_node(&world->machine, &worker->calls);
    struct app_call *call = container_of(node, struct app_call, link);
    list_take(node);

    struct from_function reply;
    struct arena arena = {0};
    enum call_end end = world_end_call(world, worker, call, &arena, &reply);
    if (end == CALL_ANSWERS && random_chance(&world->random, 20))
        engine_repeat(worker->engine, call->invocation); /* its answer is not taken */
    else if (end == CALL_ANSWERS)
        engine_reply(worker->engine, call->invocation, &reply);
    else
        fail_call(world, worker, call, end == CALL_FAILS_WITH_ITS_ENDPOINT);
    if (random_chance(&world->random, 20)) /* it makes up its mind how many it can take */
        engine_allow(worker->engine, call->function, random_between(&world->random, 1, 10));
    arena_destroy(&arena);
    world_free_call(call);
    return true;
}

static bool load_ends(struct world *world)
{
    return machine_load_ends(&world->machine);
}

static bool load_is_told(struct world *world)
{
    return machine_load_is_told(&world->machine);
}

static bool notice_arrives(struct world *world)
{
    return machine_notice_arrives(&world->machine);
}

static bool coordinator_acts(struct world *world)
{
    return machine_coordinator_acts(&world->machine, world->now_ms);
}

static bool commit_ends(struct world *world)
{
    return machine_commit_ends(&world->machine);
}

static bool view_advances(struct world *world)
{
    return machine_view_advances(&world->machine);
}

static void deliver(struct world *world, size_t egress, struct bytes record)
{
    SIM_CHECK(record.size == 8, "an egress record is not what was written");
    uint64_t id = u64_get(record.data);
    app_ids_add(&world->delivered[egress], id);
}

/* The exact egress: records and the number of their last epoch, in one transaction. What a crash
 * left is read from the store, what comes now from the deltas; here both are rows of the truth. */
static bool exact_egress_delivers(struct world *world)
{
    if (world->delivered_epoch == world->machine.truth_epoch)
        return false;
    uint64_t upto =
        random_between(&world->random, world->delivered_epoch + 1, world->machine.truth_epoch);
    struct buffer from = {0}, to = {0};
    (void)key_of_outbox(&from, bytes_of("sim/exact"), world->delivered_epoch + 1);
    (void)key_of_outbox(&to, bytes_of("sim/exact"), upto + 1);
    size_t end = table_seek(&world->machine.truth, buffer_bytes(&to));
    for (size_t i = table_seek(&world->machine.truth, buffer_bytes(&from)); i < end; i++) {
        deliver(world, APP_EGRESS_EXACT, world->machine.truth.rows[i].value);
        world->has_unconfirmed = true;
    }
    buffer_destroy(&from);
    buffer_destroy(&to);
    world->delivered_epoch = upto;
    world_trace(world, "the exact egress has delivered epoch %llu", (unsigned long long)upto);

    /* Deltas and truth must name the same records. */
    while (!list_is_empty(&world->outbox)) {
        struct commit *commit = list_first(&world->outbox, struct commit, link);
        if (commit->epoch > upto)
            break;
        for (uint32_t i = 0; i < commit->count; i++) {
            const struct delta_outbox *outbox = &commit->parts[i]->outboxes[APP_EGRESS_EXACT];
            for (size_t n = 0; n < outbox->count; n++)
                SIM_CHECK(delta_record_value(commit->parts[i], &outbox->records[n]).size == 8,
                          "a delta misplaces its records");
        }
        list_take(&commit->link);
        world_free_commit(commit);
    }
    return true;
}

static bool exact_egress_confirms(struct world *world)
{
    if (!world->has_unconfirmed)
        return false;
    world->has_unconfirmed = false;
    machine_confirm(&world->machine, APP_EGRESS_EXACT, world->delivered_epoch);
    return true;
}

/* The other egress gives its records away one by one, and forgets each when that is durable: a
 * crash in between gives one away again. */
static bool taken_egress_gives(struct world *world)
{
    struct buffer from = {0};
    (void)key_of_outbox(&from, bytes_of("sim/taken"), 0);
    size_t i = table_seek(&world->machine.truth, buffer_bytes(&from));
    buffer_destroy(&from);

    struct key key;
    if (i == world->machine.truth.count || !key_parse(world->machine.truth.rows[i].key, &key) ||
        key.kind != KEY_OUTBOX || !bytes_is(key.subject, "sim/taken"))
        return false;
    struct bytes record = world->machine.truth.rows[i].value;
    if (!machine_record_is_done(&world->machine, world->machine.truth.rows[i].key))
        return false; /* given away already */
    deliver(world, APP_EGRESS_TAKEN, record);
    return true;
}

static size_t first_letter(const struct table *table)
{
    static const uint8_t kind = KEY_DEAD_LETTER;
    return table_seek(table, bytes_make(&kind, 1));
}

static bool is_letter(const struct table *table, size_t row)
{
    return row < table->count && table->rows[row].key.data[0] == KEY_DEAD_LETTER;
}

bool world_has_letters_to_send(const struct world *world)
{
    for (size_t i = first_letter(&world->machine.truth); is_letter(&world->machine.truth, i); i++) {
        struct dead_letter letter;
        if (dead_letter_parse(world->machine.truth.rows[i].value, &letter) &&
            (app_is_late(&letter) || app_is_poison(&letter)))
            return true;
    }
    return false;
}

/* Whoever looks after them sees the view, and what he sees may be gone. What can be sent he never
 * throws away. */
static bool letters_are_handled(struct world *world)
{
    size_t first = first_letter(&world->machine.view), end = first;
    while (is_letter(&world->machine.view, end))
        end++;
    bool has_work = world->app.serves_late && world_has_letters_to_send(world);
    bool is_waiting = random_chance(&world->random, 900) && !list_is_empty(&world->operations);
    if (first == end || is_waiting || (world_inputs_are_done(world) && !has_work))
        return false;
    struct operation *operation = mem_new(sizeof *operation);
    struct dead_request *request = &operation->request;
    request->action = random_chance(&world->random, 100) ? DEAD_DISCARD : DEAD_REPLAY;
    for (size_t i = random_between(&world->random, first, end - 1), n = 0; i < end && n < 3; i++) {
        const struct table_row *row = &world->machine.view.rows[i];
        struct dead_letter letter;
        bool good = dead_letter_parse(row->value, &letter);
        SIM_CHECK(good, "a stored dead letter cannot be read");
        SIM_CHECK(letter.kind != DEAD_FAILED || app_is_poison(&letter),
                  "a message that does not fail was set aside");
        if (request->action == DEAD_DISCARD && (app_is_late(&letter) || app_is_poison(&letter)))
            continue;
        buffer_add_u32(&request->load.keys, (uint32_t)row->key.size);
        buffer_add_bytes(&request->load.keys, row->key);
        request->load.count = ++n;
    }
    list_put_last(&world->operations, &operation->link);
    if (!request->load.keys.size) {
        world_free_operation(operation);
        return false;
    }
    world_trace(world, "somebody %s letters",
                request->action == DEAD_REPLAY ? "replays" : "discards");
    engine_dead_letters(world->machine.worker[0].engine, request);
    return true;
}

static bool operator_resumes(struct world *world)
{
    struct machine_worker *worker = world_random_worker(world);
    if (!random_chance(&world->random, 50))
        return false;
    size_t count = engine_resume(worker->engine, (struct bytes){0});
    if (count)
        world_trace(world, "the operator resumes %zu addresses of worker %u", count,
                    worker->number);
    return count > 0;
}

static struct engine *engine_of(void *owner, struct bytes id)
{
    struct world *world = owner;
    return machine_worker_of(&world->machine, id)->engine;
}

static bool operator_acts(struct world *world)
{
    return operators_act(world->operators, engine_of, world);
}

static bool time_passes(struct world *world)
{
    /* Mostly a little, sometimes up to when the next thing is due. */
    world->now_ms += random_below(&world->random, 20);
    struct machine_worker *worker = world_random_worker(world);
    uint64_t wake_ms = engine_wake_ms(worker->engine);
    bool is_near = wake_ms > world->now_ms && wake_ms - world->now_ms < LEAP_MS_MAX;
    if (is_near && random_chance(&world->random, 300))
        world->now_ms = wake_ms;
    for (uint32_t i = 0; i < world->machine.workers; i++)
        engine_time(world->machine.worker[i].engine, world->now_ms);
    return true;
}

static bool turn_ends(struct world *world)
{
    engine_run(world_random_worker(world)->engine);
    return true;
}

typedef bool happening(struct world *world);

static happening *const happenings[] = {
    post_arrives,          call_ends,           load_ends,
    load_is_told,          notice_arrives,      coordinator_acts,
    commit_ends,           view_advances,       exact_egress_delivers,
    exact_egress_confirms, taken_egress_gives,  world_record_comes,
    world_request_comes,   time_passes,         turn_ends,
    operator_acts,         letters_are_handled, operator_resumes,
};
_Static_assert(sizeof happenings / sizeof *happenings == HAPPENINGS, "");

void world_weigh(struct world *world)
{
    world->weight = 0;
    for (size_t i = 0; i < HAPPENINGS; i++)
        world->weight += world->weights[i] = random_between(&world->random, 1, 30);
}

void world_go_on(struct world *world)
{
    uint64_t draw = random_below(&world->random, world->weight);
    size_t i = 0;
    while (draw >= world->weights[i])
        draw -= world->weights[i++];
    (void)happenings[i](world);
}
