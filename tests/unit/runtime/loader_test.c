/* loader_test.c - loads from a real store, on threads of the loader's. */
#include "store/store_fixture.h"

#include "runtime/loader.h"

#include <pthread.h>

static void add_key(struct load *load, const char *key)
{
    buffer_add_u32(&load->keys, (uint32_t)strlen(key));
    buffer_add_text(&load->keys, key);
    load->count++;
}

static void free_load(struct load *load)
{
    buffer_destroy(&load->keys);
    buffer_destroy(&load->results);
}

static void read_alone(struct fixture *f, struct load *load)
{
    struct load_batch *batch = load_batch_new(NULL);
    load_batch_add(batch, load);
    loader_read(f->store, batch);
    free(batch);
}

/* The results of points, as text: "value;-;value;". */
static void expect_points(const struct load *load, const char *expected)
{
    struct buffer text = {0};
    struct bytes results = buffer_bytes(&load->results);
    while (results.size) {
        struct bytes value = bytes_make(results.data + 5, u32_get(results.data + 1));
        if (results.data[0])
            buffer_add_bytes(&text, value);
        else
            buffer_add_u8(&text, '-');
        buffer_add_u8(&text, ';');
        results = bytes_from(results, 5 + value.size);
    }
    assert_string_equal(buffer_text(&text), expected);
    buffer_destroy(&text);
}

/* "key=value;key=value;" */
static void expect_range(const struct load *load, const char *expected)
{
    struct buffer text = {0};
    struct bytes results = buffer_bytes(&load->results);
    while (results.size) {
        struct bytes key = bytes_make(results.data + 4, u32_get(results.data));
        results = bytes_from(results, 4 + key.size);
        struct bytes value = bytes_make(results.data + 4, u32_get(results.data));
        results = bytes_from(results, 4 + value.size);
        buffer_add_format(&text, "%.*s=%.*s;", BYTES_ARG(key), BYTES_ARG(value));
    }
    assert_string_equal(buffer_text(&text), expected);
    buffer_destroy(&text);
}

/* Commits and brings the view up to it. */
static void fill(struct fixture *f, const char *const *pairs)
{
    struct delta *delta = delta_new(0, store_epoch(f->store) + 1, 0);
    for (; *pairs; pairs += 2)
        delta_put(delta, bytes_of(pairs[0]), bytes_of(pairs[1]));
    assert_good(store_commit(f->store, delta->epoch, &delta, 1, &f->status), &f->status);
    delta_unref(delta);
    reopen(f); /* opening replays what the view lacks */
}

static const char *const some[] = {"m1", "one", "m2", "two", "m3", "three", "n1", "", NULL};

static void points_are_answered_in_the_order_asked(void **state)
{
    struct fixture *f = *state;
    fill(f, some);
    struct load load = {0};
    add_key(&load, "m3");
    add_key(&load, "absent");
    add_key(&load, "m1");
    add_key(&load, "n1");
    read_alone(f, &load);
    expect_points(&load, "three;-;one;;");
    read_alone(f, &load); /* again: results are replaced */
    expect_points(&load, "three;-;one;;");
    free_load(&load);
}

static void a_range_is_read_from_its_first_key_up_to_its_last(void **state)
{
    struct fixture *f = *state;
    fill(f, some);
    struct load load = {.is_range = true, .bytes_max = 1000};
    add_key(&load, "m2");
    add_key(&load, "n");
    read_alone(f, &load);
    expect_range(&load, "m2=two;m3=three;");
    free_load(&load);
}

static void a_range_ends_after_the_entry_that_passes_its_limit(void **state)
{
    struct fixture *f = *state;
    fill(f, some);
    struct load load = {.is_range = true, .bytes_max = 14}; /* the first has 13 bytes */
    add_key(&load, "m");
    add_key(&load, "n");
    read_alone(f, &load);
    expect_range(&load, "m1=one;m2=two;");
    load.bytes_max = 1;
    read_alone(f, &load);
    expect_range(&load, "m1=one;");
    free_load(&load);
}

static void loads_of_a_batch_get_what_each_has_asked_for(void **state)
{
    struct fixture *f = *state;
    fill(f, some);
    struct load first = {0}, range = {.is_range = true, .bytes_max = 1000}, last = {0};
    add_key(&first, "m3");
    add_key(&first, "absent");
    add_key(&range, "m1");
    add_key(&range, "m3");
    add_key(&last, "m3");
    struct load_batch *batch = load_batch_new(NULL);
    load_batch_add(batch, &first);
    load_batch_add(batch, &range);
    load_batch_add(batch, &last);
    loader_read(f->store, batch);
    free(batch);
    expect_points(&first, "three;-;");
    expect_range(&range, "m1=one;m2=two;");
    expect_points(&last, "three;");
    free_load(&first);
    free_load(&range);
    free_load(&last);
}

/* Asks for what was committed to be readable, and waits until s1 is `value`. */
static void wait_for_s1(struct fixture *f, const char *value)
{
    store_hurry(f->store, VIEW_KEPT);
    for (int i = 0; i < 5000; i++) {
        assert_true(store_get(f->store, bytes_of("s1"), &f->value));
        if (bytes_is(buffer_bytes(&f->value), value))
            break;
        sleep_ms(1);
    }
}

/* Of what is not queued: an instance that is not in memory may have changed a moment ago. */
static void what_the_view_lacks_is_read_too(void **state)
{
    struct fixture *f = *state;
    fill(f, (const char *const[]){"s1", "old", "s2", "old", NULL});
    commit(f->store, "s1=new s3=new");
    struct load points = {0}, range = {.is_range = true, .bytes_max = 1000};
    add_key(&points, "s1");
    add_key(&range, "s");
    add_key(&range, "t");
    wait_for_s1(f, "new");
    read_alone(f, &points);
    expect_points(&points, "new;");
    read_alone(f, &range);
    expect_range(&range, "s1=new;s2=old;s3=new;");
    free_load(&points);
    free_load(&range);
}

/* What is in the tail, and that neither it nor a table has a key. */
static void what_memory_can_tell_is_told_at_once(void **state)
{
    struct fixture *f = *state;
    fill(f, (const char *const[]){"s1", "old", "s2", "old", NULL});
    commit(f->store, "s1=new s3=new");
    wait_for_s1(f, "new");
    struct load load = {0};
    add_key(&load, "s3");
    add_key(&load, "absent");
    add_key(&load, "s1");
    assert_true(loader_try(f->store, &load));
    expect_points(&load, "new;-;new;");
    assert_true(loader_try(f->store, &load)); /* again: results are replaced */
    expect_points(&load, "new;-;new;");
    free_load(&load);
}

static void what_stands_in_a_table_must_be_waited_for(void **state)
{
    struct fixture *f = *state;
    fill(f, some);
    struct load points = {0}, range = {.is_range = true, .bytes_max = 1000};
    add_key(&points, "absent");
    add_key(&points, "m2");
    add_key(&range, "m1");
    add_key(&range, "m2");
    assert_false(loader_try(f->store, &points));
    assert_false(loader_try(f->store, &range));
    read_alone(f, &points); /* what was tried has left nothing behind */
    expect_points(&points, "-;two;");
    free_load(&points);
    free_load(&range);
}

/* --- threads --- */

enum { LOADS = 500, THREADS = 3 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static size_t loaded_count;

static void on_loaded(struct load_batch *batch)
{
    pthread_mutex_lock(&lock);
    *(size_t *)batch->worker += batch->count;
    loaded_count += batch->count;
    pthread_mutex_unlock(&lock);
    free(batch);
}

static void each_load_comes_back_once_to_its_worker(void **state)
{
    struct fixture *f = *state;
    fill(f, some);
    static struct load loads[LOADS];
    size_t workers[2] = {0};
    loaded_count = 0;
    struct loader *loader = loader_new(f->store, THREADS, on_loaded);
    for (size_t i = 0; i < LOADS; i += 2) {
        struct load_batch *batch = load_batch_new(&workers[i / 2 % 2]);
        for (size_t k = i; k < i + 2; k++) {
            add_key(&loads[k], k % 2 ? "m1" : "m2");
            load_batch_add(batch, &loads[k]);
        }
        loader_put(loader, batch);
    }
    loader_free(loader); /* after what is still waiting has been read */
    assert_int_equal(loaded_count, LOADS);
    assert_int_equal(workers[0], LOADS / 2);
    assert_int_equal(workers[1], LOADS / 2);
    for (size_t i = 0; i < LOADS; i++) {
        expect_points(&loads[i], i % 2 ? "one;" : "two;");
        free_load(&loads[i]);
    }
    loader_free(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(points_are_answered_in_the_order_asked),
        TEST(a_range_is_read_from_its_first_key_up_to_its_last),
        TEST(a_range_ends_after_the_entry_that_passes_its_limit),
        TEST(loads_of_a_batch_get_what_each_has_asked_for),
        TEST(what_the_view_lacks_is_read_too),
        TEST(what_memory_can_tell_is_told_at_once),
        TEST(what_stands_in_a_table_must_be_waited_for),
        TEST(each_load_comes_back_once_to_its_worker),
    };
    return cmocka_run_group_tests_name("loader", tests, NULL, NULL);
}
