/* admin_query_fuzz.c - any bytes as the target of a request about dead letters or addresses, and as
 * a stored letter. */
#include "base/mem.h"
#include "runtime/admin_request.h"
#include "runtime/dead_letters.h"
#include "runtime/parked.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is understood says the same when it is written out. */
static bool set_any(void *owner, struct bytes name, struct bytes value, struct sf_status *status)
{
    struct buffer key = {0}, text = {0};
    if (dead_id_parse(value, &key, status)) {
        dead_id_add(&text, buffer_bytes(&key));
        assert(text.size <= value.size);
    }
    if (parked_parse(value, &key, status))
        assert(key.size > 0);
    if (parked_cursor_parse(value, &key, status)) {
        buffer_clear(&text);
        parked_cursor_add(&text, buffer_bytes(&key));
        assert(bytes_equal(buffer_bytes(&text), value));
    }
    buffer_destroy(&key);
    buffer_destroy(&text);
    (void)dead_filter_set(owner, name, value, status);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes query, input = bytes_make(data, size);
    struct dead_filter filter = {0};
    struct dead_letter letter;
    struct sf_status status;
    struct bytes path = admin_path(input, &query);
    assert(path.size + query.size <= size);
    (void)admin_query_read(query, set_any, &filter, &status);

    if (dead_letter_parse(input, &letter)) {
        struct buffer key = {0};
        (void)dead_filter_fits(&filter, &letter);
        json_t *json = dead_letter_json(key_of_dead_letter(&key, 1, 2, 3), &letter);
        char *text = json_dumps(json, JSON_COMPACT);
        assert(text);
        free(text);
        json_decref(json);
        buffer_destroy(&key);
    }
    dead_filter_destroy(&filter);
    return 0;
}
