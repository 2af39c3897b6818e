/* coordinator.c - the three states of an epoch, as seen from outside the workers. */
#include "engine/coordinator.h"

#include "base/mem.h"

#include <assert.h>

enum phase { OPEN, SEALING, COMMITTING };

struct coordinator {
    enum phase phase;
    uint32_t workers;
    uint64_t interval_ms;
    uint64_t epoch;      /* the open one, or the one being sealed and committed */
    uint64_t due_ms;     /* when it is sealed at the latest; UINT64_MAX: nothing has changed */
    uint64_t sealed_ms;  /* when the last one was */
    uint64_t pace_ms;    /* the least time between seals, if no acknowledgement waits */
    uint32_t part_count; /* that are in */
    struct delta **parts;
};

struct coordinator *coordinator_new(uint32_t workers, uint64_t epoch, uint64_t interval_ms)
{
    struct coordinator *coordinator = mem_new(sizeof *coordinator);
    coordinator->workers = workers;
    coordinator->interval_ms = interval_ms;
    coordinator->epoch = epoch;
    coordinator->due_ms = UINT64_MAX;
    coordinator->parts = mem_new(workers * sizeof *coordinator->parts);
    return coordinator;
}

static void free_parts(struct coordinator *coordinator)
{
    for (uint32_t i = 0; i < coordinator->workers; i++) {
        delta_unref(coordinator->parts[i]);
        coordinator->parts[i] = NULL;
    }
    coordinator->part_count = 0;
}

void coordinator_free(struct coordinator *coordinator)
{
    if (!coordinator)
        return;
    free_parts(coordinator);
    free(coordinator->parts);
    free(coordinator);
}

static uint64_t due(const struct coordinator *coordinator, enum want want, uint64_t now_ms)
{
    if (want == WANT_COMMIT_NOW)
        return now_ms;
    uint64_t wanted_ms = want == WANT_COMMIT ? now_ms + coordinator->interval_ms : now_ms;
    uint64_t paced_ms = coordinator->sealed_ms + coordinator->pace_ms;
    return wanted_ms > paced_ms ? wanted_ms : paced_ms;
}

void coordinator_wish(struct coordinator *coordinator, uint64_t epoch, enum want want,
                      uint64_t now_ms)
{
    if (coordinator->phase != OPEN || epoch != coordinator->epoch || want == WANT_NOTHING)
        return;
    uint64_t due_ms = due(coordinator, want, now_ms);
    if (due_ms < coordinator->due_ms)
        coordinator->due_ms = due_ms;
}

void coordinator_part(struct coordinator *coordinator, struct delta *part)
{
    assert(coordinator->phase == SEALING && part->epoch == coordinator->epoch);
    assert(part->worker < coordinator->workers && !coordinator->parts[part->worker]);
    coordinator->parts[part->worker] = part;
    coordinator->part_count++;
}

struct coordinator_step coordinator_next(struct coordinator *coordinator, uint64_t now_ms)
{
    struct coordinator_step step = {
        .action = COORDINATOR_WAIT, .epoch = coordinator->epoch, .wake_ms = UINT64_MAX};

    if (coordinator->phase == OPEN && coordinator->due_ms <= now_ms) {
        coordinator->phase = SEALING;
        coordinator->sealed_ms = now_ms;
        coordinator->due_ms = UINT64_MAX;
        step.action = COORDINATOR_SEAL;
    } else if (coordinator->phase == OPEN) {
        step.wake_ms = coordinator->due_ms;
    } else if (coordinator->phase == SEALING && coordinator->part_count == coordinator->workers) {
        coordinator->phase = COMMITTING;
        step.action = COORDINATOR_COMMIT;
    }
    return step;
}

struct delta *const *coordinator_parts(const struct coordinator *coordinator)
{
    assert(coordinator->phase == COMMITTING);
    return coordinator->parts;
}

void coordinator_committed(struct coordinator *coordinator)
{
    assert(coordinator->phase == COMMITTING);
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < coordinator->workers; i++)
        bytes += coordinator->parts[i]->entries.size;
    uint64_t pace_ms = bytes / FLOOD_BYTES_PER_MS;
    coordinator->pace_ms = pace_ms < EPOCH_MS_MAX ? pace_ms : EPOCH_MS_MAX;
    free_parts(coordinator);
    coordinator->phase = OPEN;
    coordinator->epoch++;
}
