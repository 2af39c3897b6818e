/* key_sort_test.c - the sort, against the C library's. */
#include "test.h"

#include "base/mem.h"
#include "store/key_sort.h"

enum { KEYS = 3000, KEY_BYTES_MAX = 40 };

static uint32_t random_state = 1;

static uint32_t random_below(uint32_t bound)
{
    random_state = random_state * 1664525 + 1013904223;
    return (random_state >> 8) % bound;
}

static int by_key(const void *left, const void *right)
{
    const struct sorted_key *a = left, *b = right;
    return bytes_compare(a->key, b->key);
}

/* Keys of few letters, zeros among them, so that many begin alike and many are others' beginnings.
 */
static size_t make_keys(struct sorted_key *keys, uint8_t (*bytes)[KEY_BYTES_MAX], uint32_t letters)
{
    size_t count = 0;
    for (size_t i = 0; i < KEYS; i++) {
        size_t size = random_below(KEY_BYTES_MAX + 1), common = random_below(3) * 9;
        for (size_t k = 0; k < size; k++)
            bytes[i][k] = k < common ? 's' : (uint8_t)random_below(letters);
        keys[count++].key = bytes_make(bytes[i], size);
    }
    qsort(keys, count, sizeof *keys, by_key);
    size_t unique = 0;
    for (size_t i = 0; i < count; i++)
        if (!unique || bytes_compare(keys[unique - 1].key, keys[i].key))
            keys[unique++] = keys[i];
    return unique;
}

static void keys_sort_as_bytes_compare_orders_them(void **state)
{
    (void)state;
    uint8_t(*bytes)[KEY_BYTES_MAX] = mem_new(KEYS * sizeof *bytes);
    struct sorted_key *expected = mem_new(KEYS * sizeof *expected);
    struct sorted_key *keys = mem_new(KEYS * sizeof *keys);

    for (uint32_t letters = 1; letters <= 256; letters *= 2) {
        size_t count = make_keys(expected, bytes, letters);
        memcpy(keys, expected, count * sizeof *keys);
        for (size_t i = count; i > 1; i--) { /* shuffled */
            size_t other = random_below((uint32_t)i);
            struct sorted_key kept = keys[i - 1];
            keys[i - 1] = keys[other];
            keys[other] = kept;
        }
        keys_sort(keys, count);
        for (size_t i = 0; i < count; i++)
            assert_ptr_equal(keys[i].key.data, expected[i].key.data);
        keys_sort(keys, count); /* sorted already */
        for (size_t i = 0; i < count; i++)
            assert_ptr_equal(keys[i].key.data, expected[i].key.data);
    }
    free(keys);
    free(expected);
    free(bytes);
}

static void nothing_and_one_key_are_sorted(void **state)
{
    (void)state;
    struct sorted_key key = {.key = bytes_make("k", 1)};
    keys_sort(NULL, 0);
    keys_sort(&key, 1);
    assert_bytes(key.key, "k");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_sort_as_bytes_compare_orders_them),
        cmocka_unit_test(nothing_and_one_key_are_sorted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
