/* functions.c - what bench/embedded/measure.py measures: functions that do as little as can be, so
 * that what is left is the runtime.
 *
 *     bench/ring     passes a token on to the next of 1024 addresses
 *     bench/random   the same, to a random one
 *     bench/counted  as bench/random, and counts in a state
 *     bench/update   counts, for each record of the ingress bench/numbers
 *
 * Configuration: keys (of bench/update and its ingress), state-bytes (what bench/update keeps, in
 * all), reads (it writes them but once, and counts elsewhere), ingress-only (the functions are in
 * another process), tokens (64).
 *
 * bench/flink/Functions.java is the same for Apache StateFun.
 *
 * Compiled with REMOTE it is a program that serves them: bench/remote/measure.py. */
#include "statefun/serve.h"
#include "statefun/statefun.h"

#include <stdio.h>
#include <stdlib.h>

enum { ADDRESSES = 1024, BURST = 1000 };

static const struct sf_type BLOB = SF_BYTES_TYPE("bench/blob");
static const struct sf_state COUNT = SF_VALUE("count", &sf_long_type);
static const struct sf_state KEPT = SF_VALUE("kept", &BLOB);

static char ids[ADDRESSES][8];
static long keys = 10000, state_bytes, tokens = 64;
static bool reads;

/* A token carries a random state of its own. */
static uint64_t stir(uint64_t x)
{
    x ^= x << 13;
    x ^= x >> 7;
    return x ^ x << 17;
}

static bool start(struct sf_context *context)
{
    const char *type = sf_self(context).type;
    long apart = tokens < ADDRESSES ? ADDRESSES / tokens : 1;
    for (long i = 0; i < tokens; i++)
        sf_send(context, sf_address(type, ids[i * apart % ADDRESSES]), sf_long(i * apart + 1));
    return true;
}

static bool ring(struct sf_context *context, const struct sf_message *message)
{
    int64_t at;
    if (!sf_is(message, &sf_long_type))
        return start(context);
    return sf_read(context, message, &sf_long_type, &at) &&
           sf_send(context, sf_address("bench/ring", ids[at % ADDRESSES]),
                   sf_long((at + 1) % ADDRESSES));
}

static bool hop(struct sf_context *context, const struct sf_message *message, const char *type)
{
    int64_t token;
    if (!sf_read(context, message, &sf_long_type, &token))
        return false;
    uint64_t next = stir((uint64_t)token);
    return sf_send(context, sf_address(type, ids[(next >> 20) % ADDRESSES]),
                   sf_long((int64_t)next));
}

static bool randomly(struct sf_context *context, const struct sf_message *message)
{
    return sf_is(message, &sf_long_type) ? hop(context, message, "bench/random") : start(context);
}

static bool counted(struct sf_context *context, const struct sf_message *message)
{
    int64_t count = 0;
    if (!sf_is(message, &sf_long_type))
        return start(context);
    sf_get(context, &COUNT, &count);
    sf_set(context, &COUNT, sf_long(count + 1));
    return hop(context, message, "bench/counted");
}

static bool count_up(struct sf_context *context)
{
    int64_t count = 0;
    sf_get(context, &COUNT, &count);
    return sf_set(context, &COUNT, sf_long(count + 1));
}

static bool update(struct sf_context *context, const struct sf_message *message)
{
    (void)message;
    if (!state_bytes)
        return count_up(context);
    struct sf_bytes kept = {0};
    uint64_t count = 0;
    if (sf_get(context, &KEPT, &kept) && reads)
        return count_up(context);
    if (kept.size)
        memcpy(&count, kept.data, sizeof count);
    count++;
    uint8_t *bytes = sf_alloc(context, (size_t)state_bytes);
    memcpy(bytes, &count, sizeof count);
    return sf_set(context, &KEPT, sf_bytes(&BLOB, bytes, (size_t)state_bytes));
}

/* --- the ingress: numbers from its position on --- */

static bool run(struct sf_source *source, struct sf_status *status)
{
    struct sf_bytes position = sf_source_position(source);
    uint64_t number = 0;
    (void)status;
    if (position.size == sizeof number)
        memcpy(&number, position.data, sizeof number);
    for (;;) {
        struct sf_record record = {.value = {&number, sizeof number}};
        uint64_t next = number + 1;
        if (!sf_emit(source, &record, (struct sf_bytes){&next, sizeof next}))
            return true;
        number = next;
    }
}

/* By hand, as snprintf alone would take an eighth of what is measured. */
static bool route(struct sf_routing *routing, const struct sf_record *record, void *user)
{
    char id[24], *end = id + sizeof id, *at = end;
    uint64_t number;
    (void)user;
    memcpy(&number, record->value.data, sizeof number);
    uint64_t key = number * 2654435761 % (uint64_t)keys;
    do
        *--at = (char)('0' + key % 10);
    while ((key /= 10) > 0);
    const struct sf_address to = {"bench/update", at, (size_t)(end - at)};
    return sf_forward(routing, to, sf_long((int64_t)number));
}

static const struct sf_state *const COUNTS[] = {&COUNT, NULL}, *const KEEPS[] = {&KEPT, NULL},
                                    *const READS[] = {&KEPT, &COUNT, NULL};
enum { RING, RANDOM, COUNTED, UPDATE, FUNCTIONS };
static struct sf_function functions[FUNCTIONS] = {
    [RING] = {.type = "bench/ring", .call = ring},
    [RANDOM] = {.type = "bench/random", .call = randomly},
    [COUNTED] = {.type = "bench/counted", .call = counted, .states = COUNTS},
    [UPDATE] = {.type = "bench/update", .call = update},
};
static const struct sf_ingress NUMBERS = {.id = "bench/numbers", .run = run};
static const struct sf_router ROUTER = {.ingress = "bench/numbers", .route = route};

static bool configure(struct sf_module *module, struct sf_status *status)
{
    const char *given_keys = sf_config(module, "keys"), *bytes = sf_config(module, "state-bytes"),
               *given_tokens = sf_config(module, "tokens");
    for (int i = 0; i < ADDRESSES; i++)
        (void)snprintf(ids[i], sizeof ids[i], "%d", i);
    keys = given_keys ? strtol(given_keys, NULL, 10) : keys;
    tokens = given_tokens ? strtol(given_tokens, NULL, 10) : tokens;
    reads = sf_config(module, "reads") != NULL;
    state_bytes = bytes ? strtol(bytes, NULL, 10) : 0;
    functions[UPDATE].states = !state_bytes ? COUNTS : reads ? READS : KEEPS;
    for (int i = 0; i < FUNCTIONS; i++)
        if (!sf_config(module, "ingress-only") && !sf_bind(module, &functions[i], status))
            return false;
    return !given_keys ||
           (sf_bind_ingress(module, &NUMBERS, status) && sf_bind_router(module, &ROUTER, status));
}

#ifdef REMOTE
int main(int argc, char **argv)
{
    return sf_serve_main(argc, argv, configure);
}
#else
SF_MODULE(configure)
#endif
