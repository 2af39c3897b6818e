/* record_test.c - one record, and everything that is not one. */
#include "test.h"

#include "store/record.h"

static const char id[] = "0123456789abcdef0123456789abcdef";
static const char other_id[] = "0123456789abcdef0123456789abcdee";

/* A record of `epoch` with these entries, behind what is in `bytes`. */
static void add_record(struct buffer *bytes, const char *owner, uint64_t epoch, const char *entries)
{
    struct hash_stream *hash = hash_stream_new();
    struct record record = {.epoch = epoch, .size = strlen(entries)};
    record_begin_checksum(hash, owner);
    hash_stream_add(hash, bytes_of(entries));
    record.checksum = hash_stream_value(hash);
    hash_stream_free(hash);

    uint8_t header[RECORD_HEADER_BYTES];
    record_put_header(header, owner, &record);
    buffer_add(bytes, header, sizeof header);
    buffer_add_text(bytes, entries);
}

static enum record_state state_of(struct bytes bytes, uint64_t epoch)
{
    struct hash_stream *hash = hash_stream_new();
    struct record record;
    struct bytes entries;
    enum record_state state = record_read(bytes, id, epoch, hash, &record, &entries);
    hash_stream_free(hash);
    return state;
}

static void a_record_is_read_as_it_was_written(void **state)
{
    (void)state;
    struct hash_stream *hash = hash_stream_new();
    struct buffer bytes = {0};
    struct record record;
    struct bytes entries;
    add_record(&bytes, id, 7, "entries");
    buffer_add_text(&bytes, "what follows");

    assert_int_equal(record_read(buffer_bytes(&bytes), id, 7, hash, &record, &entries),
                     RECORD_WHOLE);
    assert_int_equal(record.epoch, 7);
    assert_int_equal(record.size, 7);
    assert_bytes(entries, "entries");
    hash_stream_free(hash);
    buffer_destroy(&bytes);
}

static void a_record_without_entries_is_whole(void **state)
{
    (void)state;
    struct buffer bytes = {0};
    add_record(&bytes, id, 1, "");
    assert_int_equal(state_of(buffer_bytes(&bytes), 1), RECORD_WHOLE);
    buffer_destroy(&bytes);
}

static void a_record_of_another_epoch_is_told_apart(void **state)
{
    (void)state;
    struct buffer bytes = {0};
    add_record(&bytes, id, 7, "entries");
    assert_int_equal(state_of(buffer_bytes(&bytes), 8), RECORD_STALE);
    assert_int_equal(state_of(buffer_bytes(&bytes), 6), RECORD_AHEAD);
    buffer_destroy(&bytes);
}

static void a_record_of_another_directory_is_none(void **state)
{
    (void)state;
    struct buffer bytes = {0};
    size_t offset;
    struct record record;
    add_record(&bytes, other_id, 7, "entries");
    assert_int_equal(state_of(buffer_bytes(&bytes), 7), RECORD_NONE);
    assert_false(record_find_later(buffer_bytes(&bytes), id, 1, &offset, &record));
    buffer_destroy(&bytes);
}

/* Whatever bit of it changes, a record is not whole any more; a changed header is no header. */
static void every_changed_bit_is_noticed(void **state)
{
    (void)state;
    struct buffer bytes = {0};
    add_record(&bytes, id, 7, "entries that matter");
    for (size_t bit = 0; bit < bytes.size * 8; bit++) {
        uint8_t mask = (uint8_t)(1 << bit % 8);
        bytes.data[bit / 8] ^= mask;
        assert_int_equal(state_of(buffer_bytes(&bytes), 7),
                         bit / 8 < RECORD_HEADER_BYTES ? RECORD_NONE : RECORD_TORN);
        bytes.data[bit / 8] ^= mask;
    }
    assert_int_equal(state_of(buffer_bytes(&bytes), 7), RECORD_WHOLE);
    buffer_destroy(&bytes);
}

static void a_record_that_ends_early_is_torn_wherever_it_ends(void **state)
{
    (void)state;
    struct buffer bytes = {0};
    add_record(&bytes, id, 7, "entries");
    for (size_t size = 0; size < bytes.size; size++)
        assert_int_equal(state_of(bytes_make(bytes.data, size), 7),
                         size < RECORD_HEADER_BYTES ? RECORD_NONE : RECORD_TORN);
    buffer_destroy(&bytes);
}

/* A size that comes from a file must not make us read beyond what there is. */
static void a_size_beyond_all_bounds_is_torn(void **state)
{
    (void)state;
    uint8_t header[RECORD_HEADER_BYTES];
    record_put_header(header, id, &(struct record){.epoch = 7, .size = UINT64_MAX});
    assert_int_equal(state_of(bytes_make(header, sizeof header), 7), RECORD_TORN);
}

static void a_later_record_is_found_at_any_offset(void **state)
{
    (void)state;
    for (size_t before = 0; before < 70; before++) {
        struct buffer bytes = {0};
        for (size_t i = 0; i < before; i++)
            buffer_add_u8(&bytes, 0xf5); /* as a record begins */
        add_record(&bytes, id, 9, "entries");

        size_t offset = 0;
        struct record record;
        assert_true(record_find_later(buffer_bytes(&bytes), id, 8, &offset, &record));
        assert_int_equal(offset, before);
        assert_int_equal(record.epoch, 9);
        assert_false(record_find_later(buffer_bytes(&bytes), id, 9, &offset, &record));
        buffer_destroy(&bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_is_read_as_it_was_written),
        cmocka_unit_test(a_record_without_entries_is_whole),
        cmocka_unit_test(a_record_of_another_epoch_is_told_apart),
        cmocka_unit_test(a_record_of_another_directory_is_none),
        cmocka_unit_test(every_changed_bit_is_noticed),
        cmocka_unit_test(a_record_that_ends_early_is_torn_wherever_it_ends),
        cmocka_unit_test(a_size_beyond_all_bounds_is_torn),
        cmocka_unit_test(a_later_record_is_found_at_any_offset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
