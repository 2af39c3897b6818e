/* hash_test.c - hashes that are stored must never change.
 *
 * The values are XXH3's, as published by xxHash (XXH3_64bits, its seeded form and XXH3_128bits).
 * Data directories depend on the first; a change here would lose their partitions and their log. */
#include "test.h"

#include "base/hash.h"
#include "harness/random.h"

static const struct {
    const char *text;
    uint64_t stable;
    uint64_t seeded_with_7;
    struct hash128 wide;
} known[] = {
    {"", 0x2d06800538d394c2, 0x913ae0873e9b7eb8, {0x6001c324468d497f, 0x99aa06d3014798d8}},
    {"a", 0xe6c632b61e964e1f, 0x9ed5888bc5a2a094, {0xe6c632b61e964e1f, 0xa96faf705af16834}},
    {"hello", 0x9555e8555c62dcfd, 0x1f683eda4e829e1b, {0xc779cfaa5e523818, 0xb5e9c1ad071b3e7f}},
    {"0123456789abcdef",
     0x64439946d8fa212d,
     0xb5c9aa9d3ebd6770,
     {0x0befb4873dbe58f8, 0xccba8085a0434e9e}},
    {"The quick brown fox jumps over the lazy dog",
     0xce7d19a5418fb365,
     0xccefeb269f944e83,
     {0x24a1cc2e3a8a7651, 0xddd650205ca3e7fa}},
};

/* The algorithm changes with the size, at 240 for the last time. */
static struct bytes long_text(uint8_t *data, size_t size)
{
    for (size_t i = 0; i < size; i++)
        data[i] = (uint8_t)(i * 7);
    return bytes_make(data, size);
}

static void hashes_have_the_values_that_are_on_disks(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        struct bytes text = bytes_of(known[i].text);
        assert_int_equal(hash_stable(text), known[i].stable);
        assert_int_equal(hash_seeded(text, 7), known[i].seeded_with_7);
        assert_int_equal(hash_seeded(text, 0), known[i].stable);
        struct hash128 wide = hash_wide(text);
        assert_int_equal(wide.low, known[i].wide.low);
        assert_int_equal(wide.high, known[i].wide.high);
    }
    uint8_t data[1000];
    assert_int_equal(hash_stable(long_text(data, 240)), 0x4917a75c0ef8eed7);
    assert_int_equal(hash_stable(long_text(data, 1000)), 0x10ad30264426c830);
}

static void no_bytes_have_a_hash_wherever_they_are(void **state)
{
    (void)state;
    assert_int_equal(hash_stable((struct bytes){0}), known[0].stable);
}

static void a_stream_has_the_hash_of_the_whole_however_it_comes(void **state)
{
    (void)state;
    uint8_t data[1000];
    struct bytes all = long_text(data, sizeof data);
    struct random random = {1};
    struct hash_stream *stream = hash_stream_new();
    assert_int_equal(hash_stream_value(stream), known[0].stable);
    for (int round = 0; round < 300; round++) {
        size_t size = random_below(&random, sizeof data + 1), used = 0;
        hash_stream_reset(stream);
        while (used < size) {
            size_t piece = random_between(&random, 0, size - used);
            hash_stream_add(stream, bytes_make(all.data + used, piece));
            used += piece;
        }
        assert_int_equal(hash_stream_value(stream), hash_stable(bytes_make(all.data, size)));
        assert_int_equal(hash_stream_value(stream), hash_stable(bytes_make(all.data, size)));
    }
    hash_stream_free(stream);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hashes_have_the_values_that_are_on_disks),
        cmocka_unit_test(no_bytes_have_a_hash_wherever_they_are),
        cmocka_unit_test(a_stream_has_the_hash_of_the_whole_however_it_comes),
    };
    return cmocka_run_group_tests_name("hash", tests, NULL, NULL);
}
