/* simulate.c - a test, seed after seed. */
#include "statefun/harness.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { SEEDS = 100 };

/* A number from the environment; true if it is there. */
static bool number_of(const char *name, bool *ret_given, uint64_t *ret_number,
                      struct sf_status *status)
{
    const char *text = getenv(name);
    char *end;
    *ret_given = text && *text;
    if (!*ret_given)
        return true;
    errno = 0;
    *ret_number = strtoull(text, &end, 10);
    return (!errno && !*end && *text != '-') ||
           sf_fail(status, SF_INVALID, "%s is '%s', expected a number", name, text);
}

static bool run_seed(const struct sf_simulation *options, uint64_t seed,
                     bool (*test)(struct sf_harness *harness, void *user, struct sf_status *status),
                     void *user, struct sf_status *status)
{
    struct sf_harness_options of_harness = options->options;
    struct sf_harness *harness;
    of_harness.seed = seed;
    if (options->is_verbose)
        (void)fprintf(stderr, "seed %" PRIu64 "\n", seed);
    if (!sf_harness_new(&of_harness, &harness, status))
        return false;
    struct sf_status failure = {.code = SF_INVALID, .message = "the test returned false"};
    bool good = test(harness, user, &failure);
    sf_harness_free(harness);
    if (!good && status)
        *status = failure;
    if (good)
        return true;
    return seed ? sf_wrap(status, "seed %" PRIu64 " (SF_SEED=%" PRIu64 " replays it)", seed, seed)
                : sf_wrap(status, "with everything in order (SF_SEED=0 replays it)");
}

bool sf_simulate(const struct sf_simulation *options,
                 bool (*test)(struct sf_harness *harness, void *user, struct sf_status *status),
                 void *user, struct sf_status *status)
{
    static const struct sf_simulation none;
    bool is_one, is_many;
    if (!options)
        options = &none;
    uint64_t first = options->first_seed ? options->first_seed : 1;
    uint64_t seed = 0, seeds = options->seeds ? options->seeds : SEEDS;
    if (!number_of("SF_SEED", &is_one, &seed, status) ||
        !number_of("SF_SEEDS", &is_many, &seeds, status))
        return false;
    if (is_one)
        return run_seed(options, seed, test, user, status);
    if (!run_seed(options, 0, test, user, status)) /* what fails there is easiest to understand */
        return false;
    for (uint64_t i = 0; i < seeds; i++)
        if (!run_seed(options, first + i, test, user, status))
            return false;
    return true;
}
