/* steps.c - what can happen, one step after another.
 *
 * In order, the first thing that can happen does: an input is worked through to its end before the
 * next is read, and epochs end when nothing else is left. By chance, anything may, crashes
 * included, until all seems over; whether it is, is found out in order. */
#include "harness/inside.h"

#include <inttypes.h>

/* A run that calls functions so often is taken for one that never ends. */
enum { CALLS_MAX = 1000 * 1000 };

enum { ASYNC_MS_MAX = 10 * 1000 };

/* So many steps by chance in which nothing happens are taken for the end. */
enum { IDLE_STEPS = 1000 };

typedef bool step(struct sf_harness *harness);

static bool turn_ends(struct sf_harness *harness)
{
    uint64_t worker = machine_pick(&harness->machine, harness->machine.workers);
    (void)engine_run(harness->machine.worker[worker].engine); /* none answers at once */
    return false;
}

static bool post_arrives(struct sf_harness *harness)
{
    return machine_post_arrives(&harness->machine);
}

static bool notice_arrives(struct sf_harness *harness)
{
    return machine_notice_arrives(&harness->machine);
}

static bool load_is_told(struct sf_harness *harness)
{
    return machine_load_is_told(&harness->machine);
}

static bool load_ends(struct sf_harness *harness)
{
    return machine_load_ends(&harness->machine);
}

/* Time costs nothing on the disk: an epoch never waits for it. */
static bool coordinator_acts(struct sf_harness *harness)
{
    harness->disk_ms += EPOCH_MS_MAX + 1;
    return machine_coordinator_acts(&harness->machine, harness->disk_ms);
}

static bool commit_ends(struct sf_harness *harness)
{
    return machine_commit_ends(&harness->machine);
}

static bool view_advances(struct sf_harness *harness)
{
    return machine_view_advances(&harness->machine);
}

static bool egress_confirms(struct sf_harness *harness)
{
    if (!harness->has_unconfirmed)
        return false;
    harness->has_unconfirmed = false;
    machine_confirm(&harness->machine, 0, harness->machine.truth_epoch);
    return true;
}

static uint64_t wake_ms(const struct sf_harness *harness)
{
    uint64_t wake = UINT64_MAX;
    for (uint32_t i = 0; i < harness->machine.workers; i++) {
        uint64_t of_worker = engine_wake_ms(harness->machine.worker[i].engine);
        if (of_worker < wake)
            wake = of_worker;
    }
    return wake;
}

static void set_time(struct sf_harness *harness, int64_t now_ms)
{
    harness->now_ms = now_ms;
    for (uint32_t i = 0; i < harness->machine.workers; i++)
        engine_time(harness->machine.worker[i].engine, (uint64_t)now_ms);
}

/* What was due already when it was read from the store. */
static bool time_is_told(struct sf_harness *harness)
{
    if (wake_ms(harness) > (uint64_t)harness->now_ms)
        return false;
    set_time(harness, harness->now_ms);
    return !machine_is_quiet(&harness->machine);
}

static step *const steps[] = {
    turn_ends,    post_arrives, notice_arrives,   load_is_told, load_ends,     calls_operation_ends,
    calls_end,    input_comes,  coordinator_acts, commit_ends,  view_advances, egress_confirms,
    time_is_told,
};
enum { STEPS = sizeof steps / sizeof *steps };

/* False: nothing can happen. */
static bool step_in_order(struct sf_harness *harness)
{
    for (uint32_t i = 0; i < harness->machine.workers; i++)
        (void)engine_run(harness->machine.worker[i].engine);
    for (size_t i = 0; i < STEPS; i++)
        if (steps[i](harness))
            return true;
    return false;
}

static void choose_weights(struct sf_harness *harness)
{
    enum { WEIGHT_MAX = 30 };
    harness->weights = mem_new((STEPS + 1) * sizeof *harness->weights);
    for (size_t i = 0; i < STEPS; i++) {
        harness->weights[i] = random_between(&harness->random, 1, WEIGHT_MAX);
        harness->weights[STEPS] += harness->weights[i]; /* the sum */
    }
}

static bool crash_by_chance(struct sf_harness *harness, struct sf_status *status)
{
    struct chances *chances = &harness->chances;
    if (!chances->crashes_left || !random_chance(&harness->random, chances->crash))
        return true;
    chances->crashes_left--;
    harness_crash(harness);
    return harness_begin_life(harness, status);
}

static bool seems_over(const struct sf_harness *harness)
{
    for (uint32_t i = 0; i < harness->machine.workers; i++)
        if (machine_has_calls(&harness->machine.worker[i]))
            return false;
    return input_is_read(harness) && machine_is_quiet(&harness->machine);
}

static bool check_calls(const struct sf_harness *harness, struct sf_status *status)
{
    if (harness->broken.code) {
        if (status)
            *status = harness->broken;
        return false;
    }
    return harness->calls < CALLS_MAX ||
           sf_fail(status, SF_FULL,
                   "functions were called %d times, and still have messages: they seem to keep "
                   "each other busy",
                   CALLS_MAX);
}

static bool step_by_chance(struct sf_harness *harness, struct sf_status *status)
{
    if (!harness->weights)
        choose_weights(harness);
    /* Input may have to wait for room that only the end of an operation makes. */
    for (unsigned idle = 0; idle < IDLE_STEPS && !seems_over(harness); idle++) {
        if (!crash_by_chance(harness, status) || !check_calls(harness, status))
            return false;
        uint64_t draw = random_below(&harness->random, harness->weights[STEPS]);
        size_t i = 0;
        while (draw >= harness->weights[i])
            draw -= harness->weights[i++];
        if (steps[i](harness))
            idle = 0;
    }
    return true;
}

/* Until nothing can happen. */
static bool settle_some(struct sf_harness *harness, struct sf_status *status)
{
    harness->calls = 0;
    for (bool goes_on = true; goes_on;) {
        if (harness->is_simulated && !step_by_chance(harness, status))
            return false;
        harness->is_calm = true;
        goes_on = step_in_order(harness);
        harness->is_calm = false;
        if (!check_calls(harness, status))
            return false;
    }
    return true;
}

static bool await_operations(struct sf_harness *harness, struct sf_status *status)
{
    uint64_t most = harness->options.async_ms_max ? harness->options.async_ms_max : ASYNC_MS_MAX;
    if (desk_await(&harness->desk, most))
        return true;
    struct buffer who = {0};
    address_add_text(&who, list_first(&harness->held, struct call, link)->caller);
    (void)sf_fail(status, SF_TIMEOUT,
                  "an asynchronous operation of %s has not ended within %" PRIu64 " ms",
                  buffer_text(&who), most);
    buffer_destroy(&who);
    return false;
}

static bool check_retrying(const struct sf_harness *harness, struct sf_status *status)
{
    for (uint32_t i = 0; i < harness->machine.workers; i++) {
        struct engine_figures figures;
        engine_figures(harness->machine.worker[i].engine, &figures);
        if (figures.retrying)
            return sf_fail(status, SF_INVALID, "%.*s", BYTES_ARG(buffer_bytes(&harness->failing)));
    }
    return true;
}

static bool check_room(const struct sf_harness *harness, struct sf_status *status)
{
    return input_is_read(harness) || !list_is_empty(&harness->held) ||
           sf_fail(status, SF_FULL, "there is input left, and no room for it");
}

static bool settle(struct sf_harness *harness, bool waits, struct sf_status *status)
{
    results_forget_looks(harness);
    if (!harness_start(harness, status))
        return false;
    harness->broken = (struct sf_status){0};
    while (settle_some(harness, status)) {
        if (!waits || list_is_empty(&harness->held)) {
            results_read_letters(harness);
            return check_room(harness, status);
        }
        if (!await_operations(harness, status))
            return false;
    }
    return false;
}

bool sf_harness_run(struct sf_harness *harness, struct sf_status *status)
{
    return settle(harness, true, status) && check_retrying(harness, status) &&
           results_judge(harness, status);
}

bool sf_harness_run_now(struct sf_harness *harness, struct sf_status *status)
{
    return settle(harness, false, status) && check_retrying(harness, status) &&
           results_judge(harness, status);
}

/* --- time --- */

bool sf_harness_advance(struct sf_harness *harness, int64_t ms, struct sf_status *status)
{
    if (ms < 0)
        return sf_fail(status, SF_INVALID,
                       "the clock is moved by %" PRId64 " ms, expected 0 or more", ms);
    int64_t end_ms = harness->now_ms + ms;
    if (!settle(harness, false, status))
        return false;
    while (harness->now_ms < end_ms) {
        uint64_t due = wake_ms(harness);
        int64_t next = due < (uint64_t)end_ms ? (int64_t)due : end_ms;
        if (next <= harness->now_ms)
            next = harness->now_ms + 1;
        set_time(harness, next);
        if (!settle(harness, false, status))
            return false;
    }
    return check_retrying(harness, status) && results_judge(harness, status);
}
