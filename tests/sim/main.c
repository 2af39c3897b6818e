/* main.c - the simulator's command: runs seeds, or shows one.
 *
 *     statefun-sim                     seeds 1 to 200
 *     statefun-sim --seeds 1000-1999   that range
 *     statefun-sim --seed 42 --trace   one seed, step by step */
#include "sim/app.h"
#include "sim/world.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

static uint64_t running_seed;

static void tell_seed(void)
{
    char line[160];
    int size = snprintf(line, sizeof line,
                        "simulation: seed %llu failed at step %llu; to see it: "
                        "statefun-sim --seed %llu --trace\n",
                        (unsigned long long)running_seed, (unsigned long long)world_step(),
                        (unsigned long long)running_seed);
    ssize_t written = write(STDERR_FILENO, line, (size_t)size);
    (void)written;
}

static void on_abort(int signal)
{
    tell_seed();
    (void)signal;
    _exit(1);
}

void sim_fail(const char *condition, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fflush(stdout);
    fprintf(stderr, "simulation: ");
    vfprintf(stderr, format, arguments);
    fprintf(stderr, " (expected: %s)\n", condition);
    va_end(arguments);
    tell_seed();
    exit(1);
}

static void usage(FILE *to)
{
    fprintf(to,
            "usage: statefun-sim [--seed N | --seeds FROM-TO] [--trace]\n"
            "Runs random applications on the engine with crashes at every step, and checks that\n"
            "every effect counts exactly once. A failing seed fails again whenever it is run.\n");
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"seed", required_argument, NULL, 's'},
        {"seeds", required_argument, NULL, 'r'},
        {"trace", no_argument, NULL, 't'},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    uint64_t from = 1, to = 200;
    bool trace = false;
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        char *end = NULL;
        switch (option) {
        case 's':
            from = to = strtoull(optarg, NULL, 10);
            break;
        case 'r':
            from = strtoull(optarg, &end, 10);
            to = *end == '-' ? strtoull(end + 1, NULL, 10) : from;
            break;
        case 't':
            trace = true;
            break;
        case 'h':
            usage(stdout);
            return 0;
        default:
            usage(stderr);
            return 2;
        }
    }

    signal(SIGABRT, on_abort);
    struct world_result total = {0};
    for (running_seed = from; running_seed <= to; running_seed++) {
        struct world_result result;
        world_run(running_seed, trace, &result);
        total.steps += result.steps;
        total.crashes += result.crashes;
        total.epochs += result.epochs;
        total.invocations += result.invocations;
    }
    printf("%llu seeds: %llu steps, %llu crashes, %llu epochs, %llu invocations; all as expected\n",
           (unsigned long long)(to - from + 1), (unsigned long long)total.steps,
           (unsigned long long)total.crashes, (unsigned long long)total.epochs,
           (unsigned long long)total.invocations);
    return 0;
}
