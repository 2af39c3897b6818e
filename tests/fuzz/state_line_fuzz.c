/* state_line_fuzz.c - any bytes as a line of state: read, or refused with a reason; and what was
 * read is the same after it was written. */
#include "base/mem.h"
#include "runtime/state_line.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena = {0};
    struct sf_status status = {0};
    struct state_line line, again;
    /* A copy of its own size: reading behind the end is noticed. */
    uint8_t *copy = mem_new_raw(size);
    if (size)
        memcpy(copy, data, size);
    if (state_line_parse(bytes_make(copy, size), &arena, &line, &status)) {
        struct buffer text = {0};
        state_line_add(&text, &line);
        bool good = state_line_parse(buffer_bytes(&text), &arena, &again, &status);
        assert(good);
        assert(bytes_equal(line.id, again.id) && bytes_equal(line.state, again.state));
        assert(bytes_equal(line.value.type, again.value.type));
        assert(bytes_equal(line.value.value, again.value.value));
        assert(line.deadline == again.deadline);
        buffer_destroy(&text);
    } else {
        assert(status.message[0]);
    }
    arena_destroy(&arena);
    free(copy);
    return 0;
}
