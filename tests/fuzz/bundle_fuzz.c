/* bundle_fuzz.c - any bytes as a bundle of invocations, and as the answer to one of as many items
 * as the first byte says.
 *
 * What was read of an answer is written and read again, which must change nothing. */
#include "wire/bundle.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool holds)
{
    if (!holds)
        abort();
}

static void read_bundle(struct bytes bytes)
{
    struct arena arena = {0};
    struct bundle_item *items;
    size_t count;
    if (bundle_parse(bytes, &arena, &items, &count, NULL)) {
        demand(count >= 1 && count <= BUNDLE_ITEMS_MAX);
        for (size_t i = 0; i < count; i++) {
            struct to_function request;
            if (to_function_parse(items[i].request, &arena, &request, NULL))
                for (size_t n = 0; n < request.state_count; n++)
                    demand(!(request.states[n].kept && request.states[n].present));
        }
    }
    arena_destroy(&arena);
}

static void read_answer(struct bytes bytes, size_t count)
{
    struct bundle_result first[UINT8_MAX], second[UINT8_MAX];
    struct buffer again = {0};
    uint64_t took_us, same_us;
    if (!bundle_answer_parse(bytes, count, first, &took_us, NULL))
        return;
    for (size_t i = count; i-- > 0;)
        bundle_failure_add(&again, i, first[i].status, first[i].body);
    bundle_time_add(&again, took_us);
    demand(bundle_answer_parse(buffer_bytes(&again), count, second, &same_us, NULL));
    demand(took_us == same_us);
    for (size_t i = 0; i < count; i++)
        demand(first[i].status == second[i].status && bytes_equal(first[i].body, second[i].body));
    buffer_destroy(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    read_bundle(bytes_make(data + 1, size - 1));
    read_answer(bytes_make(data + 1, size - 1), data[0]);
    return 0;
}
