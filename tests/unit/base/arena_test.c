/* arena_test.c - memory that dies together. */
#include "test.h"

#include "base/arena.h"
#include "harness/random.h"

#include <stdalign.h>

static void allocations_stay_where_they_are(void **state)
{
    (void)state;
    enum { COUNT = 2000 };
    struct arena arena = {0};
    struct random random = {1};
    uint8_t *taken[COUNT];
    size_t sizes[COUNT];
    for (int i = 0; i < COUNT; i++) {
        sizes[i] =
            random_chance(&random, 20) ? random_below(&random, 20000) : random_below(&random, 100);
        taken[i] = arena_take(&arena, sizes[i]);
        memset(taken[i], i, sizes[i]);
    }
    for (int i = 0; i < COUNT; i++)
        for (size_t j = 0; j < sizes[i]; j++)
            assert_int_equal(taken[i][j], (uint8_t)i);
    arena_destroy(&arena);
}

static void allocations_are_aligned_for_any_type(void **state)
{
    (void)state;
    struct arena arena = {0};
    for (size_t size = 0; size < 300; size++)
        assert_int_equal((uintptr_t)arena_take(&arena, size) % alignof(max_align_t), 0);
    arena_destroy(&arena);
}

/* What is cleared after each piece of work stops calling malloc after a while. */
static void a_cleared_arena_is_filled_from_its_start_again(void **state)
{
    (void)state;
    struct arena arena = {0};
    uint8_t *first = arena_take(&arena, 100);
    arena_clear(&arena);
    assert_ptr_equal(arena_take(&arena, 100), first);

    for (int i = 0; i < 20; i++)
        (void)arena_take(&arena, 1000);
    arena_clear(&arena); /* several blocks become one of their size */
    first = arena_take(&arena, 1000);
    for (int i = 1; i < 20; i++)
        assert_ptr_equal(arena_take(&arena, 1000), first + i * 1008);
    arena_destroy(&arena);
}

static void an_arena_does_not_keep_a_huge_block(void **state)
{
    (void)state;
    struct arena arena = {0};
    (void)arena_take(&arena, 10 << 20);
    arena_clear(&arena);
    assert_null(arena.blocks);
    arena_clear(&arena);
    arena_destroy(&arena);
    arena_destroy(&arena);
}

static void bytes_are_copied_into_an_arena(void **state)
{
    (void)state;
    struct arena arena = {0};
    char text[] = "abc";
    struct bytes copy = arena_add_bytes(&arena, bytes_of(text));
    text[0] = 'x';
    assert_bytes(copy, "abc");
    assert_int_equal(arena_add_bytes(&arena, (struct bytes){0}).size, 0);
    arena_destroy(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(allocations_stay_where_they_are),
        cmocka_unit_test(allocations_are_aligned_for_any_type),
        cmocka_unit_test(a_cleared_arena_is_filled_from_its_start_again),
        cmocka_unit_test(an_arena_does_not_keep_a_huge_block),
        cmocka_unit_test(bytes_are_copied_into_an_arena),
    };
    return cmocka_run_group_tests_name("arena", tests, NULL, NULL);
}
