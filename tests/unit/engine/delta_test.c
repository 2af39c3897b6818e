/* delta_test.c - the list of changes: written, read, damaged, shared. */
#include "test.h"

#include "engine/delta.h"
#include "harness/random.h"
#include "memory.h"

#include <stdio.h>

static void expect_next(struct bytes *rest, enum delta_change change, const char *key,
                        const char *value)
{
    struct delta_entry entry;
    assert_true(delta_next(rest, &entry));
    assert_int_equal(entry.change, change);
    assert_bytes(entry.key, key);
    assert_bytes(entry.value, value);
}

static void entries_are_read_in_the_order_written(void **state)
{
    (void)state;
    struct delta *delta = delta_new(3, 7, 0);
    assert_int_equal(delta->worker, 3);
    assert_int_equal(delta->epoch, 7);
    delta_put(delta, bytes_of("key"), bytes_of("value"));
    delta_remove(delta, bytes_of("gone"));
    delta_trim(delta, bytes_of("from"), bytes_of("to"));
    delta_put(delta, bytes_of("key"), bytes_of(""));
    memcpy(delta_put_blank(delta, 3, 5), "keynovel", 8);
    delta_remove(delta, bytes_of("last"));
    struct bytes rest = buffer_bytes(&delta->entries);
    expect_next(&rest, DELTA_PUT, "key", "value");
    expect_next(&rest, DELTA_REMOVE, "gone", "");
    expect_next(&rest, DELTA_TRIM, "from", "to");
    expect_next(&rest, DELTA_PUT, "key", "");
    expect_next(&rest, DELTA_PUT, "key", "novel");
    expect_next(&rest, DELTA_REMOVE, "last", "");
    struct delta_entry entry;
    assert_false(delta_next(&rest, &entry));
    assert_int_equal(rest.size, 0);
    delta_unref(delta);
}

/* The log keeps these bytes. */
static void an_entry_has_the_bytes_that_are_on_disks(void **state)
{
    (void)state;
    struct delta *delta = delta_new(0, 1, 0);
    delta_put(delta, bytes_of("key"), bytes_of("value"));
    delta_remove(delta, bytes_of("k"));
    delta_trim(delta, bytes_of("a"), bytes_of("b"));
    assert_true(bytes_equal(buffer_bytes(&delta->entries), BYTES_LITERAL("P\x03\x05"
                                                                         "keyvalue"
                                                                         "R\x01\x00"
                                                                         "k"
                                                                         "T\x01\x01"
                                                                         "ab")));
    delta_unref(delta);
}

static void entries_may_be_of_any_size(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 127, 128, 16383, 16384, 300000};
    enum { COUNT = sizeof sizes / sizeof *sizes };
    struct delta *delta = delta_new(0, 1, 0);
    uint8_t *data = mem_new_raw(sizes[COUNT - 1]);
    memset(data, 'x', sizes[COUNT - 1]);
    for (size_t i = 1; i < COUNT; i++)
        for (size_t j = 0; j < COUNT; j++)
            delta_put(delta, bytes_make(data, sizes[i]), bytes_make(data, sizes[j]));
    struct bytes rest = buffer_bytes(&delta->entries);
    for (size_t i = 1; i < COUNT; i++)
        for (size_t j = 0; j < COUNT; j++) {
            struct delta_entry entry;
            assert_true(delta_next(&rest, &entry));
            assert_int_equal(entry.key.size, sizes[i]);
            assert_int_equal(entry.value.size, sizes[j]);
        }
    assert_int_equal(rest.size, 0);
    free(data);
    delta_unref(delta);
}

static void damage_ends_the_reading_with_something_left(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
    } cases[] = {
        {"X\x01\x01kv", 5},                                             /* no such change */
        {"P", 1},                                                       /* cut off */
        {"P\x01", 2},                                                   /* ... */
        {"P\x01\x01k", 4},                                              /* ... */
        {"P\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x01k", 13},         /* a size near 2^64 */
        {"P\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01k", 13},         /* ... that would wrap */
        {"P\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01k", 15}, /* no size at all */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bytes copy = copy_exactly(bytes_make(cases[i].bytes, cases[i].size));
        struct bytes rest = copy;
        struct delta_entry entry;
        assert_false(delta_next(&rest, &entry));
        assert_int_equal(rest.size, cases[i].size);
        copy_free(copy);
    }
}

/* Whatever the bytes: entries lie within them, and reading ends. */
static void random_damage_never_leads_beyond_the_end(void **state)
{
    (void)state;
    struct random random = {7};
    struct delta *delta = delta_new(0, 1, 0);
    for (int i = 0; i < 20; i++) {
        delta_put(delta, bytes_of("key"), bytes_of("some value"));
        delta_remove(delta, bytes_of("another key"));
    }
    for (int round = 0; round < 5000; round++) {
        struct bytes copy = copy_exactly(buffer_bytes(&delta->entries));
        uint8_t *data = (uint8_t *)copy.data;
        for (uint64_t i = random_below(&random, 4); i < 4; i++)
            data[random_below(&random, copy.size)] = (uint8_t)random_next(&random);
        struct bytes rest = copy;
        struct delta_entry entry;
        while (delta_next(&rest, &entry)) {
            assert_true(entry.key.data >= copy.data);
            assert_true(entry.value.data + entry.value.size == rest.data);
            assert_true(rest.data + rest.size == copy.data + copy.size);
        }
        copy_free(copy);
    }
    delta_unref(delta);
}

static void egress_records_are_found_by_egress(void **state)
{
    (void)state;
    struct delta *delta = delta_new(0, 1, 2);
    char key[16], value[16];
    for (int i = 0; i < 50; i++) {
        snprintf(key, sizeof key, "key %d", i);
        snprintf(value, sizeof value, "value %d", i);
        delta_put(delta, bytes_of("something else"), bytes_of("in between"));
        delta_put_record(delta, i % 5 == 0, bytes_of(key), bytes_of(value));
    }
    assert_int_equal(delta->outboxes[0].count, 40);
    assert_int_equal(delta->outboxes[1].count, 10);
    size_t bytes = 0;
    for (size_t i = 0; i < 10; i++) {
        const struct delta_record *record = &delta->outboxes[1].records[i];
        snprintf(key, sizeof key, "key %zu", i * 5);
        snprintf(value, sizeof value, "value %zu", i * 5);
        assert_bytes(delta_record_key(delta, record), key);
        assert_bytes(delta_record_value(delta, record), value);
        bytes += record->value_size;
    }
    assert_int_equal(delta->outboxes[1].bytes, bytes);

    /* They are entries like any other, too. */
    struct bytes rest = buffer_bytes(&delta->entries);
    expect_next(&rest, DELTA_PUT, "something else", "in between");
    expect_next(&rest, DELTA_PUT, "key 0", "value 0");
    delta_unref(delta);
}

static void an_empty_record_is_a_record(void **state)
{
    (void)state;
    struct delta *delta = delta_new(0, 1, 1);
    delta_put_record(delta, 0, bytes_of("key"), (struct bytes){0});
    assert_int_equal(delta->outboxes[0].count, 1);
    assert_bytes(delta_record_value(delta, &delta->outboxes[0].records[0]), "");
    delta_unref(delta);
}

/* The sanitizer would see it if the last were not the one that frees. */
static void a_delta_lives_until_its_last_reference_is_given_back(void **state)
{
    (void)state;
    struct delta *delta = delta_new(0, 1, 1);
    delta_put_record(delta, 0, bytes_of("key"), bytes_of("value"));
    assert_ptr_equal(delta_ref(delta), delta);
    delta_unref(delta);
    assert_bytes(delta_record_key(delta, &delta->outboxes[0].records[0]), "key");
    delta_unref(delta);
    delta_unref(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_are_read_in_the_order_written),
        cmocka_unit_test(an_entry_has_the_bytes_that_are_on_disks),
        cmocka_unit_test(entries_may_be_of_any_size),
        cmocka_unit_test(damage_ends_the_reading_with_something_left),
        cmocka_unit_test(random_damage_never_leads_beyond_the_end),
        cmocka_unit_test(egress_records_are_found_by_egress),
        cmocka_unit_test(an_empty_record_is_a_record),
        cmocka_unit_test(a_delta_lives_until_its_last_reference_is_given_back),
    };
    return cmocka_run_group_tests_name("delta", tests, NULL, NULL);
}
