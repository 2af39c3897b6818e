/* world.h - everything around the engines in one run of the simulator: network, store, clock,
 * crashes.
 *
 * One thread. At each step the scheduler draws, from all that could happen next, one thing that
 * does: a post arrives, a function answers (or fails, or answers nonsense), a load is carried out,
 * an epoch is sealed, made durable or told of, the view comes forward, an egress takes records or
 * confirms them, a record comes in, time passes, the process dies. What was durable survives a
 * crash, and nothing else. */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include <stdbool.h>
#include <stdint.h>

struct world_result {
    uint64_t steps;
    uint64_t crashes;
    uint64_t epochs;
    uint64_t invocations;
};

/* Runs one seed to its end, or ends the program with a message. */
void world_run(uint64_t seed, bool trace, struct world_result *ret_result);

/* Where the run is, for the message. */
uint64_t world_step(void);

#endif
