/* collection_fuzz.c - any bytes as what a table, or a buffer, of a function holds.
 *
 * What can be read can be written: with one entry more it is read again, and has as many entries as
 * it should have. */
#include "sdk/batch.h"
#include "sdk/host.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct sf_state TABLE = SF_TABLE("table", &sf_string_type, &sf_long_type);
static const struct sf_state BUFFER = SF_BUFFER("buffer", &sf_string_type);

enum { ADDED = 42 };

static bool is_buffer;
static bool had_key;
static size_t size_before, size_after;

static void demand(bool holds)
{
    if (!holds)
        abort();
}

static bool change(struct sf_context *context, const struct sf_message *message)
{
    int64_t value;
    (void)message;
    size_before = is_buffer ? sf_buffer_size(context, &BUFFER) : sf_table_size(context, &TABLE);
    if (is_buffer)
        return sf_buffer_append(context, &BUFFER, sf_string("added"));
    had_key = sf_table_get(context, &TABLE, sf_string("added"), &value);
    return sf_table_set(context, &TABLE, sf_string("added"), sf_long(ADDED));
}

static bool look(struct sf_context *context, const struct sf_message *message)
{
    int64_t value = 0;
    (void)message;
    size_after = is_buffer ? sf_buffer_size(context, &BUFFER) : sf_table_size(context, &TABLE);
    return is_buffer ||
           (sf_table_get(context, &TABLE, sf_string("added"), &value) && value == ADDED);
}

/* Calls with that state; true if the call is good. The reply is the batch's. */
static bool run(struct batch *batch, bool (*call)(struct sf_context *, const struct sf_message *),
                struct bytes value, const struct from_function **ret_reply)
{
    static const uint8_t body[] = {0x12, 0x04, 0x0a, 0x02, 'a', '/'}; /* a message, of type "a/" */
    const struct sf_function function = {.type = "fuzz/fuzz", .call = call};
    struct typed_value typed = {
        .type = bytes_of(is_buffer ? SF_TYPE_BUFFER : SF_TYPE_TABLE),
        .value = value,
        .has_value = true,
    };
    struct buffer state = {0};
    typed_value_add(&state, &typed);
    const struct request_state given = {
        .name = bytes_of(is_buffer ? "buffer" : "table"),
        .value = buffer_bytes(&state),
        .present = true,
    };
    const struct bytes message = bytes_make(body, sizeof body);
    const struct to_function request = {
        .states = &given, .state_count = 1, .messages = &message, .message_count = 1};
    struct sf_status status;
    bool good = batch_run(batch, &function, &request, 1000, ret_reply, &status);
    buffer_destroy(&state); /* what was changed was copied */
    return good;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct batch_world world;
    struct batch first, second;
    const struct from_function *reply;
    if (size == 0)
        return 0;
    is_buffer = data[0] & 1;
    had_key = false;
    batch_init(&first, &world);
    batch_init(&second, &world);
    if (run(&first, change, bytes_make(data + 1, size - 1), &reply)) {
        demand(reply->mutation_count == 1 && reply->mutations[0].kind == MUTATION_MODIFY);
        demand(run(&second, look, reply->mutations[0].value.value, &reply));
        demand(size_after == size_before + !had_key);
    }
    batch_destroy(&first);
    batch_destroy(&second);
    return 0;
}
