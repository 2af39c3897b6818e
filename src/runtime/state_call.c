/* state_call.c - copies of what was asked and found. */
#include "runtime/state_call.h"

void state_call_free(struct state_call *call)
{
    struct buffer *parts[] = {&call->ns,    &call->name, &call->id,
                              &call->state, &call->type, &call->value};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        buffer_destroy(parts[i]);
    free(call);
}

struct state_answer *state_answer_new(uint64_t receipt, enum state_answer_kind kind)
{
    struct state_answer *answer = mem_new(sizeof *answer);
    answer->receipt = receipt;
    answer->kind = kind;
    return answer;
}

void state_answer_free(struct state_answer *answer)
{
    buffer_destroy(&answer->texts);
    free(answer->states);
    free(answer);
}

static struct bytes *parts_of(struct found_state *state, size_t which)
{
    return which == 0 ? &state->name : which == 1 ? &state->type : &state->value;
}

void state_answer_set(struct state_answer *answer, const struct found_state *states, size_t count)
{
    enum { PARTS = 3 };
    answer->count = count;
    answer->states = mem_new(count * sizeof *answer->states);
    for (size_t i = 0; i < count; i++) {
        answer->states[i] = states[i];
        for (size_t part = 0; part < PARTS; part++)
            buffer_add_bytes(&answer->texts, *parts_of(&answer->states[i], part));
    }
    /* Only now does the buffer not move any more. */
    const uint8_t *at = answer->texts.data;
    for (size_t i = 0; i < count; i++)
        for (size_t part = 0; part < PARTS; part++) {
            struct bytes *bytes = parts_of(&answer->states[i], part);
            bytes->data = at;
            at = bytes->size ? at + bytes->size : at;
        }
}
