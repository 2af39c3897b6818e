/* recovery_test.c - opening a store after a crash, and after a loss. */
#include "store_fixture.h"

static void closing_leaves_nothing_to_replay(void **state)
{
    struct fixture *f = *state;
    commit(f->store, "sa=1");
    reopen(f);
    assert_int_equal(figures(f).replayed_bytes, 0);
    assert_int_equal(figures(f).segments, 1);
    assert_int_equal(figures(f).lag_bytes, 0);
}

static void a_crash_is_replayed_into_the_view(void **state)
{
    struct fixture *f = *state;
    commit(f->store, "sa=1 sb=1");
    bring_forward(f->store);
    commit(f->store, "sa=2 -sb ma=1");
    commit(f->store, "sc=3 -ma mb=1");
    uint64_t lag = figures(f).lag_bytes;
    char *copy = copy_place(f->path);
    struct store_options options = small_options(copy);
    struct store *store = open_store(&options);
    struct store_figures after;
    store_figures(store, &after);
    assert_int_equal(after.replayed_bytes, lag);
    assert_int_equal(after.view_changes, 4); /* sa, sb, sc, mb */
    assert_int_equal(store_epoch(store), 3);
    assert_int_equal(store_view_epoch(store), 3);
    assert_view(store, "mb=1 sa=2 sc=3");
    store_close(store);
    remove_tree(copy);
    free(copy);
}

static void a_replay_larger_than_the_write_buffer_comes_in_several_batches(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 200; i++) {
        char *script = mem_format("s%d=a-value-of-some-length-which-takes-up-memory", i);
        commit(f->store, script);
        free(script);
    }
    char *copy = copy_place(f->path);
    struct store_options options = small_options(copy);
    options.write_buffer_bytes = 4096;
    struct store *store = open_store(&options);
    struct store_figures after;
    store_figures(store, &after);
    assert_in_range(after.view_batches, 3, 50);
    assert_int_equal(after.view_changes, 200);
    assert_int_equal(store_view_epoch(store), 200);
    store_close(store);
    remove_tree(copy);
    free(copy);
}

static void remove_in(const char *path, const char *name)
{
    char *child = mem_format("%s/%s", path, name);
    remove_tree(child);
    free(child);
}

static void a_lost_view_is_rebuilt_from_a_log_that_has_everything(void **state)
{
    struct fixture *f = *state;
    commit(f->store, "sa=1 sb=2");
    bring_forward(f->store);
    commit(f->store, "sa=3");
    char *copy = copy_place(f->path);
    remove_in(copy, "view");
    struct store_options options = small_options(copy);
    struct store *store = open_store(&options);
    assert_int_equal(store_epoch(store), 2);
    assert_view(store, "sa=3 sb=2");
    store_close(store);
    remove_tree(copy);
    free(copy);
}

static void a_lost_view_without_its_log_is_corruption(void **state)
{
    struct fixture *f = *state;
    commit(f->store, "sa=1 sb=2");
    store_close(f->store);
    remove_in(f->path, "view");
    f->store = NULL;
    assert_false(store_open(&f->options, &f->store, &f->status));
    assert_int_equal(f->status.code, SF_CORRUPT);
    assert_mentions(f->status.message, f->path);
    assert_mentions(f->status.message, "log begins with epoch 2, but the view ends with epoch 0");
}

static void a_lost_log_is_corruption(void **state)
{
    struct fixture *f = *state;
    commit(f->store, "sa=1");
    store_close(f->store);
    remove_in(f->path, "log");
    f->store = NULL;
    assert_false(store_open(&f->options, &f->store, &f->status));
    assert_int_equal(f->status.code, SF_CORRUPT);
    assert_mentions(f->status.message, "cannot read the log's directory");
}

/* The last record is not whole: as if it had never been written, and its epoch is given out again.
 */
static void a_torn_tail_is_cut_off_and_written_over(void **state)
{
    struct fixture *f = *state;
    commit(f->store, "sa=1");
    commit(f->store, "sa=2 sb=2");
    char *copy = copy_place(f->path);
    char *segment = mem_format("%s/log/%020d.log", copy, 1);
    struct buffer bytes = {0};
    read_file(segment, &bytes);
    bytes.data[figures(f).log_bytes - 1] ^= 1;
    write_file(segment, buffer_bytes(&bytes));

    struct store_options options = small_options(copy);
    struct store *store = open_store(&options);
    assert_int_equal(store_epoch(store), 1);
    assert_view(store, "sa=1");
    commit(store, "sc=3");
    store_close(store);
    assert_stored(&options, "sa=1 sc=3");
    buffer_destroy(&bytes);
    free(segment);
    remove_tree(copy);
    free(copy);
}

static void a_damaged_record_fails_the_opening_and_names_the_place(void **state)
{
    struct fixture *f = *state;
    commit(f->store, "sa=1");
    uint64_t first = figures(f).log_bytes;
    commit(f->store, "sb=2");
    commit(f->store, "sc=3");
    char *copy = copy_place(f->path);
    char *segment = mem_format("%s/log/%020d.log", copy, 1);
    char *place = mem_format("%s: offset %llu: expected the record of epoch 2", segment,
                             (unsigned long long)first);
    struct buffer bytes = {0};
    read_file(segment, &bytes);
    bytes.data[first + 36] ^= 1; /* in its entries */
    write_file(segment, buffer_bytes(&bytes));

    struct store_options options = small_options(copy);
    struct store *store = NULL;
    assert_false(store_open(&options, &store, &f->status));
    assert_int_equal(f->status.code, SF_CORRUPT);
    assert_mentions(f->status.message, place);
    buffer_destroy(&bytes);
    free(place);
    free(segment);
    remove_tree(copy);
    free(copy);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(closing_leaves_nothing_to_replay),
        TEST(a_crash_is_replayed_into_the_view),
        TEST(a_replay_larger_than_the_write_buffer_comes_in_several_batches),
        TEST(a_lost_view_is_rebuilt_from_a_log_that_has_everything),
        TEST(a_lost_view_without_its_log_is_corruption),
        TEST(a_lost_log_is_corruption),
        TEST(a_torn_tail_is_cut_off_and_written_over),
        TEST(a_damaged_record_fails_the_opening_and_names_the_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
