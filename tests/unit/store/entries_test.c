/* entries_test.c - the memory of a tail. */
#include "test.h"

#include "base/mem.h"
#include "store/entries.h"

enum { KEEP_BYTES = 1 << 20, CHUNK_ROOM = 250 * 1024 };

static struct tail_entry *take(struct entry_pool *pool, const char *key, size_t room)
{
    return entry_pool_take(pool, bytes_of(key), room);
}

static int setup(void **state)
{
    struct entry_pool *pool = mem_new(sizeof *pool);
    entry_pool_init(pool, KEEP_BYTES);
    *state = pool;
    return 0;
}

static int teardown(void **state)
{
    entry_pool_destroy(*state);
    free(*state);
    return 0;
}

static void an_entry_has_its_key_and_the_room_asked_for(void **state)
{
    struct entry_pool *pool = *state;
    for (size_t room = 0; room < 5000; room += 7) {
        struct tail_entry *entry = take(pool, "key", room);
        assert_bytes(entry_key(entry), "key");
        assert_ptr_equal(entry_of_key(entry_key(entry)), entry);
        assert_in_range(entry_room(entry), room, room + ENTRY_CLASS_BYTES - 1);
        memset(entry->bytes + entry->key_size, 'x', entry_room(entry));
    }
}

static void slots_given_up_are_taken_again(void **state)
{
    struct entry_pool *pool = *state;
    struct tail_entry *entries[100];
    for (int i = 0; i < 100; i++)
        entries[i] = take(pool, "key", 100);
    size_t bytes = pool->bytes;
    for (int i = 0; i < 100; i++)
        entry_pool_give(pool, entries[i]);
    assert_int_equal(pool->bytes, 0);
    for (int i = 100; i-- > 0;)
        assert_ptr_equal(take(pool, "key", 100), entries[i]);
    assert_int_equal(pool->bytes, bytes);
}

struct seen {
    struct entry_pool *pool;
    int count;
    bool gives;
};

static void see(void *owner, struct tail_entry *entry)
{
    struct seen *seen = owner;
    seen->count++;
    if (seen->gives)
        entry_pool_give(seen->pool, entry);
}

static void a_walk_sees_the_live_ones_and_may_give_them_up(void **state)
{
    struct entry_pool *pool = *state;
    struct tail_entry *gone = NULL;
    for (int i = 0; i < 3000; i++) { /* several chunks, and some of their own */
        struct tail_entry *entry = take(pool, "key", i % 100 ? 300 : 10000);
        if (i % 3 == 0)
            gone = entry;
        else if (gone) {
            entry_pool_give(pool, gone);
            gone = NULL;
        }
    }
    struct seen seen = {.pool = pool};
    entry_pool_walk(pool, see, &seen);
    assert_int_equal(seen.count, 2000);
    seen = (struct seen){.pool = pool, .gives = true};
    entry_pool_walk(pool, see, &seen);
    assert_int_equal(seen.count, 2000);
    assert_int_equal(pool->bytes, 0);
    seen.count = 0;
    entry_pool_walk(pool, see, &seen);
    assert_int_equal(seen.count, 0);
}

static size_t kept_chunks(struct entry_pool *pool)
{
    size_t count = 0;
    list_for_each (&pool->unused, node)
        count++;
    return count;
}

static void draining_keeps_memory_within_its_limit(void **state)
{
    struct entry_pool *pool = *state;
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 10000; i++)
            (void)take(pool, "key", 400);
        (void)take(pool, "key", CHUNK_ROOM);
        entry_pool_drain(pool, NULL, NULL);
        assert_int_equal(pool->bytes, 0);
        assert_int_equal(kept_chunks(pool), 4);
    }
    (void)take(pool, "key", 400);
    assert_int_equal(kept_chunks(pool), 3);
}

struct taker {
    struct entry_pool *pool;
    size_t visited, taken;
};

static void take_every_third_back(void *owner, struct tail_entry *entry)
{
    struct taker *taker = owner;
    if (taker->visited++ % 3)
        return;
    struct tail_entry *taken = take(taker->pool, "other", entry_room(entry));
    assert_bytes(entry_key(entry), "key"); /* both are there */
    assert_bytes(entry_key(taken), "other");
    taker->taken += taken->slot_bytes;
}

static void what_is_drained_may_be_taken_back(void **state)
{
    struct entry_pool *pool = *state;
    for (int i = 0; i < 3000; i++)
        (void)take(pool, "key", (size_t)i % 500);
    for (int i = 0; i < 3; i++)
        (void)take(pool, "key", CHUNK_ROOM);
    struct taker taker = {.pool = pool};
    entry_pool_drain(pool, take_every_third_back, &taker);
    assert_int_equal(taker.visited, 3003);
    assert_int_equal(pool->bytes, taker.taken);
    struct seen seen = {.pool = pool};
    entry_pool_walk(pool, see, &seen);
    assert_int_equal(seen.count, 1001);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(an_entry_has_its_key_and_the_room_asked_for),
        TEST(slots_given_up_are_taken_again),
        TEST(a_walk_sees_the_live_ones_and_may_give_them_up),
        TEST(what_is_drained_may_be_taken_back),
        TEST(draining_keeps_memory_within_its_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
