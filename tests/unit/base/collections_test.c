/* collections_test.c - list, map and heap: nodes inside of what they hold. */
#include "test.h"

#include "base/heap.h"
#include "base/list.h"
#include "base/map.h"
#include "harness/random.h"

/* --- list --- */

struct item {
    struct list place;
    char name;
};

static void expect_names(struct list *list, const char *names)
{
    list_for_each (list, node) {
        assert_int_equal(container_of(node, struct item, place)->name, *names);
        names++;
    }
    assert_int_equal(*names, '\0');
}

static void a_list_keeps_its_order(void **state)
{
    (void)state;
    struct list list;
    struct item a = {.name = 'a'}, b = {.name = 'b'}, c = {.name = 'c'}, d = {.name = 'd'};
    list_init(&list);
    assert_true(list_is_empty(&list));
    assert_null(list_take_first(&list));
    list_put_last(&list, &b.place);
    list_put_last(&list, &d.place);
    list_put_first(&list, &a.place);
    list_put_before(&d.place, &c.place);
    expect_names(&list, "abcd");
    assert_ptr_equal(list_first(&list, struct item, place), &a);
    assert_ptr_equal(list_last(&list, struct item, place), &d);

    list_take(&b.place);
    expect_names(&list, "acd");
    list_take(&b.place); /* twice is harmless */
    expect_names(&list, "acd");
    assert_ptr_equal(list_take_first(&list), &a.place);
    expect_names(&list, "cd");
    assert_true(list_is_empty(&a.place));
}

static void nodes_may_be_taken_out_on_a_safe_walk(void **state)
{
    (void)state;
    struct list list;
    struct item items[10];
    list_init(&list);
    for (int i = 0; i < 10; i++) {
        items[i].name = (char)('0' + i);
        list_put_last(&list, &items[i].place);
    }
    list_for_each_safe (&list, node)
        if (container_of(node, struct item, place)->name % 2)
            list_take(node);
    expect_names(&list, "02468");
}

/* --- map --- */

enum { KEYS = 5000 };

struct entry {
    struct map_node node;
    int key;
    bool in;
};

static struct entry *find(const struct map *map, int key, uint64_t hash)
{
    for (struct map_node *node = map_find(map, hash); node; node = map_same(node)) {
        struct entry *entry = container_of(node, struct entry, node);
        if (entry->key == key)
            return entry;
    }
    return NULL;
}

/* Few hashes and many buckets' worth of them, so that there are chains of every kind. */
static uint64_t hash_of(int key)
{
    return (uint64_t)(key % 700) * UINT64_C(0x9e3779b97f4a7c15);
}

static void a_map_holds_what_was_put_in_and_not_taken_out(void **state)
{
    (void)state;
    static struct entry entries[KEYS];
    struct random random = {1};
    struct map map;
    size_t count = 0;
    map_init(&map);
    for (int i = 0; i < KEYS; i++)
        entries[i].key = i;
    for (int round = 0; round < 4 * KEYS; round++) {
        struct entry *entry = &entries[random_below(&random, KEYS)];
        assert_ptr_equal(find(&map, entry->key, hash_of(entry->key)), entry->in ? entry : NULL);
        if (entry->in)
            map_take(&map, &entry->node);
        else
            map_put(&map, &entry->node, hash_of(entry->key));
        entry->in = !entry->in;
        count += entry->in ? 1 : (size_t)-1;
        assert_int_equal(map.count, count);
    }
    for (int i = 0; i < KEYS; i++)
        assert_ptr_equal(find(&map, i, hash_of(i)), entries[i].in ? &entries[i] : NULL);

    size_t walked = 0;
    for (struct map_node *node = map_walk(&map, NULL); node; node = map_walk(&map, node)) {
        struct entry *entry = container_of(node, struct entry, node);
        assert_true(entry->in);
        entry->in = false; /* each once */
        walked++;
    }
    assert_int_equal(walked, count);
    map_destroy(&map);
}

static void an_empty_map_has_nothing_to_find_or_to_walk(void **state)
{
    (void)state;
    struct map map;
    map_init(&map);
    assert_null(map_find(&map, 0));
    assert_null(map_walk(&map, NULL));
    map_destroy(&map);
}

/* --- heap --- */

static void a_heap_gives_the_earliest_first_and_of_equals_the_lower_order(void **state)
{
    (void)state;
    enum { COUNT = 3000 };
    static struct heap_node nodes[COUNT];
    struct heap heap = {0};
    struct random random = {1};
    assert_null(heap_first(&heap));
    for (uint64_t i = 0; i < COUNT; i++) {
        nodes[i].when = random_below(&random, 500);
        nodes[i].order = i;
        assert_false(heap_holds(&nodes[i]));
        heap_put(&heap, &nodes[i]);
        assert_true(heap_holds(&nodes[i]));
    }
    uint64_t when = 0, order = 0;
    for (int i = 0; i < COUNT; i++) {
        struct heap_node *node = heap_first(&heap);
        assert_true(node->when > when || (node->when == when && (i == 0 || node->order > order)));
        when = node->when;
        order = node->order;
        heap_take(&heap, node);
        assert_false(heap_holds(node));
    }
    assert_null(heap_first(&heap));
    heap_destroy(&heap);
}

static void a_node_is_taken_out_wherever_it_stands(void **state)
{
    (void)state;
    enum { COUNT = 500 };
    struct heap_node nodes[COUNT] = {0};
    struct heap heap = {0};
    struct random random = {1};
    for (int round = 0; round < 20 * COUNT; round++) {
        struct heap_node *node = &nodes[random_below(&random, COUNT)];
        if (heap_holds(node)) {
            heap_take(&heap, node);
        } else {
            node->when = random_next(&random);
            heap_put(&heap, node);
        }
        const struct heap_node *earliest = NULL;
        size_t count = 0;
        for (int i = 0; i < COUNT; i++) {
            if (!heap_holds(&nodes[i]))
                continue;
            count++;
            if (!earliest || nodes[i].when < earliest->when)
                earliest = &nodes[i];
        }
        assert_int_equal(heap.count, count);
        assert_ptr_equal(heap_first(&heap), earliest);
    }
    heap_destroy(&heap);
}

static void taking_out_what_is_in_no_heap_does_nothing(void **state)
{
    (void)state;
    struct heap heap = {0};
    struct heap_node in = {.when = 1}, out = {.when = 1};
    heap_put(&heap, &in);
    heap_take(&heap, &out);
    assert_int_equal(heap.count, 1);
    heap_take(&heap, &in);
    heap_take(&heap, &in);
    assert_int_equal(heap.count, 0);
    heap_destroy(&heap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_keeps_its_order),
        cmocka_unit_test(nodes_may_be_taken_out_on_a_safe_walk),
        cmocka_unit_test(a_map_holds_what_was_put_in_and_not_taken_out),
        cmocka_unit_test(an_empty_map_has_nothing_to_find_or_to_walk),
        cmocka_unit_test(a_heap_gives_the_earliest_first_and_of_equals_the_lower_order),
        cmocka_unit_test(a_node_is_taken_out_wherever_it_stands),
        cmocka_unit_test(taking_out_what_is_in_no_heap_does_nothing),
    };
    return cmocka_run_group_tests_name("collections", tests, NULL, NULL);
}
