/* keeper.c - see keeper.h. */
#include "sim/keeper.h"

#include "base/mem.h"
#include "sim/app.h"

struct kept_states {
    struct bytes target;
    struct request_state *states;
    size_t count;
};

void keeper_destroy(struct keeper *keeper)
{
    arena_destroy(&keeper->arena);
    free(keeper->items);
}

static struct request_state *find(const struct kept_states *kept, struct bytes name)
{
    for (size_t i = 0; i < kept->count; i++)
        if (bytes_equal(kept->states[i].name, name))
            return &kept->states[i];
    return NULL;
}

static struct bytes canonical(struct arena *arena, struct typed_value value)
{
    struct buffer bytes = {0};
    value.has_value = true;
    typed_value_add(&bytes, &value);
    struct bytes copy = arena_add_bytes(arena, buffer_bytes(&bytes));
    buffer_destroy(&bytes);
    return copy;
}

uint64_t keeper_keep(struct keeper *keeper, const struct to_function *request,
                     const struct from_function *reply)
{
    if (keeper->count == keeper->capacity) {
        keeper->capacity = keeper->capacity ? 2 * keeper->capacity : 64;
        keeper->items = mem_resize(keeper->items, keeper->capacity * sizeof *keeper->items);
    }
    struct arena *arena = &keeper->arena;
    struct kept_states *kept = &keeper->items[keeper->count++];
    kept->target = arena_add_bytes(arena, request->target);
    kept->count = request->state_count;
    kept->states = arena_take(arena, kept->count * sizeof *kept->states);
    for (size_t i = 0; i < kept->count; i++) {
        kept->states[i] = request->states[i];
        kept->states[i].name = arena_add_bytes(arena, request->states[i].name);
        kept->states[i].value = arena_add_bytes(arena, request->states[i].value);
    }
    for (size_t i = 0; i < reply->mutation_count; i++) {
        const struct state_mutation *mutation = &reply->mutations[i];
        struct request_state *state = find(kept, mutation->name);
        state->present = mutation->kind == MUTATION_MODIFY;
        if (state->present)
            state->value = canonical(arena, mutation->value);
    }
    return keeper->count;
}

void keeper_check(const struct keeper *keeper, const struct to_function *request)
{
    for (size_t i = 0; request->version && i < request->state_count; i++) {
        const struct request_state *state = &request->states[i];
        if (!state->kept)
            continue;
        SIM_CHECK(request->version <= keeper->count, "a version that nobody has given");
        const struct kept_states *kept = &keeper->items[request->version - 1];
        const struct request_state *known = find(kept, state->name);
        SIM_CHECK(bytes_equal(kept->target, request->target), "the version is another address's");
        SIM_CHECK(known && known->present && bytes_equal(known->value, state->value),
                  "state '%.*s' is not what is kept", BYTES_ARG(state->name));
    }
}
