/* state_bench.c - what a call costs that touches one entry of a table, or a buffer, of so many.
 *
 *     state_bench [MAX]       prints, for 10, 100, 1,000, ... entries, the CPU time of a call
 *
 * The call alone, as an embedded module runs it: the state's bytes lie in memory, nothing is sent
 * or stored. Keys have 10 bytes, values 8. */
#include "base/mem.h"
#include "sdk/batch.h"
#include "sdk/value.h"

#include <stdio.h>
#include <time.h>

enum { MAX = 10000, MEASURED_MS = 300, ROUNDS = 5 };

static const struct sf_state TABLE = SF_TABLE("table", &sf_string_type, &sf_long_type);
static const struct sf_state BUFFER = SF_BUFFER("buffer", &sf_long_type);

static int entries, turn;

static struct sf_value key_of(struct sf_context *context, int number)
{
    return sf_format(context, "key-%06d", number);
}

static int next(void)
{
    return turn = (turn + 1) % entries;
}

static bool fill(struct sf_context *context, const struct sf_message *message)
{
    (void)message;
    for (int i = 0; i < entries; i++) {
        sf_table_set(context, &TABLE, key_of(context, i), sf_long(i));
        sf_buffer_append(context, &BUFFER, sf_long(i));
    }
    return true;
}

static bool get_one(struct sf_context *context, const struct sf_message *message)
{
    int64_t value;
    (void)message;
    return sf_table_get(context, &TABLE, key_of(context, next()), &value);
}

static bool set_one(struct sf_context *context, const struct sf_message *message)
{
    (void)message;
    return sf_table_set(context, &TABLE, key_of(context, next()), sf_long(turn));
}

static bool go_through(struct sf_context *context, const struct sf_message *message)
{
    size_t position = 0;
    int64_t value, sum = 0;
    (void)message;
    while (sf_table_next(context, &TABLE, &position, NULL, &value))
        sum += value;
    return sum >= 0;
}

static bool append(struct sf_context *context, const struct sf_message *message)
{
    (void)message;
    return sf_buffer_append(context, &BUFFER, sf_long(1));
}

static bool look(struct sf_context *context, const struct sf_message *message)
{
    (void)message;
    return sf_buffer_size(context, &BUFFER) == (size_t)entries;
}

static const struct measured {
    const char *name;
    bool (*call)(struct sf_context *context, const struct sf_message *message);
} measured[] = {
    {"table: get one", get_one}, {"table: set one", set_one}, {"table: go through", go_through},
    {"buffer: size", look},      {"buffer: append", append},
};

/* --- running --- */

struct bench {
    struct batch batch;
    struct batch_world world;
    struct arena arena;
    struct request_state states[2];
    struct bytes target, message;
};

static const struct from_function *run(struct bench *bench, bool (*call)(struct sf_context *context,
                                                                         const struct sf_message *))
{
    struct sf_function function = {.type = "bench/f", .call = call};
    struct to_function request = {.target = bench->target,
                                  .states = bench->states,
                                  .state_count = 2,
                                  .messages = &bench->message,
                                  .message_count = 1};
    const struct from_function *reply;
    struct sf_status status;
    if (!batch_run(&bench->batch, &function, &request, 1, &reply, &status)) {
        fprintf(stderr, "%s\n", status.message);
        exit(1);
    }
    return reply;
}

static void make_states(struct bench *bench)
{
    bench->states[0] = (struct request_state){.name = bytes_of("table")};
    bench->states[1] = (struct request_state){.name = bytes_of("buffer")};
    const struct from_function *reply = run(bench, fill);
    for (size_t i = 0; i < reply->mutation_count; i++) {
        struct buffer value = {0};
        typed_value_add(&value, &reply->mutations[i].value);
        bench->states[i].value = arena_add_bytes(&bench->arena, buffer_bytes(&value));
        bench->states[i].present = true;
        buffer_destroy(&value);
    }
}

static double cpu_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

/* The least of some rounds: what others on the machine add is never less than nothing. */
static double measure(struct bench *bench, const struct measured *what)
{
    double least = 0;
    for (int round = 0; round < ROUNDS; round++) {
        double began = cpu_us(), took = 0;
        long calls = 0;
        for (; took < MEASURED_MS * 1000.0 / ROUNDS; took = cpu_us() - began)
            for (int i = 0; i < 8; i++, calls++)
                (void)run(bench, what->call);
        double each = took / (double)calls;
        least = round && least < each ? least : each;
    }
    return least;
}

int main(int argc, char **argv)
{
    int most = argc > 1 ? (int)strtol(argv[1], NULL, 10) : MAX;
    struct sf_status status;
    struct address target;
    for (entries = 10; entries <= most; entries *= 10) {
        struct bench bench = {0};
        batch_init(&bench.batch, &bench.world);
        if (!address_make(bytes_of("bench"), bytes_of("f"), bytes_of("id"), &bench.arena, &target,
                          &status))
            return 1;
        static const uint8_t nothing[] = {0x0a, 1, 't'}; /* a TypedValue of type "t" */
        uint8_t body[32];
        struct bytes argument = bytes_make(nothing, sizeof nothing);
        message_body_put(body, (struct bytes){0}, argument);
        bench.target = target.wire;
        bench.message = bytes_make(body, message_body_size(0, argument.size));
        make_states(&bench);
        for (size_t i = 0; i < sizeof measured / sizeof *measured; i++)
            printf("%-20s %6d entries %10.2f us\n", measured[i].name, entries,
                   measure(&bench, &measured[i]));
        batch_destroy(&bench.batch);
        arena_destroy(&bench.arena);
    }
    return 0;
}
