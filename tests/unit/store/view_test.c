/* view_test.c - the view by itself: batches, reads, and what compaction takes away. */
#include "fixture.h"

#include "base/log.h"
#include "store/view.h"

#include <signal.h>
#include <sys/wait.h>

static const char id[] = "0123456789abcdef0123456789abcdef";

struct fixture {
    char *place, *view_path, *batch_path;
    struct view_options options;
    struct view *view;
    uint64_t epoch;
    struct buffer value;
    struct sf_status status;
};

static void open_view(struct fixture *f)
{
    view_close(f->view);
    f->view = NULL;
    assert_good(view_open(&f->options, &f->view, &f->status), &f->status);
}

static int setup(void **state)
{
    struct fixture *f = mem_new(sizeof *f);
    f->place = make_place();
    f->view_path = mem_format("%s/view", f->place);
    f->batch_path = mem_format("%s/batch.sst", f->place);
    f->options = (struct view_options){.path = f->view_path, .batch_path = f->batch_path, .id = id};
    open_view(f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    view_close(f->view);
    remove_tree(f->place);
    buffer_destroy(&f->value);
    free(f->view_path);
    free(f->batch_path);
    free(f->place);
    free(f);
    return 0;
}

static void commit_batch(struct fixture *f)
{
    assert_good(view_commit(f->view, &f->status), &f->status);
}

/* `count` keys that sort as their numbers, from `start` on. */
static void put_numbered(struct fixture *f, const char *kind, uint32_t start, uint32_t count)
{
    view_begin(f->view, ++f->epoch);
    for (uint32_t i = start; i < start + count; i++) {
        char *key = mem_format("%s%08u", kind, i);
        view_put(f->view, bytes_of(key), bytes_of("a value of a record in a queue"));
        free(key);
    }
    commit_batch(f);
}

static bool count_key(void *owner, struct bytes key, struct bytes value)
{
    (void)key, (void)value;
    (*(size_t *)owner)++;
    return true;
}

static size_t count(struct fixture *f, const char *from, const char *to)
{
    size_t found = 0;
    assert_true(view_scan(f->view, bytes_of(from), bytes_of(to), count_key, &found));
    return found;
}

static double now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static void a_new_view_is_at_epoch_0_and_empty(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(view_opened_epoch(f->view), 0);
    assert_false(view_get(f->view, bytes_of("sa"), &f->value));
    assert_int_equal(count(f, "\1", "\xff"), 0);
}

static void a_batch_is_there_with_its_epoch_after_opening_again(void **state)
{
    struct fixture *f = *state;
    view_begin(f->view, 41);
    view_put(f->view, bytes_of("sa"), bytes_of("1"));
    view_put(f->view, bytes_of("sb"), bytes_of(""));
    commit_batch(f);
    view_begin(f->view, 42);
    view_remove(f->view, bytes_of("sa"));
    commit_batch(f);
    open_view(f);
    assert_int_equal(view_opened_epoch(f->view), 42);
    assert_false(view_get(f->view, bytes_of("sa"), &f->value));
    assert_true(view_get(f->view, bytes_of("sb"), &f->value));
    assert_int_equal(f->value.size, 0);
}

static void a_batch_without_changes_moves_the_epoch(void **state)
{
    struct fixture *f = *state;
    view_begin(f->view, 7);
    commit_batch(f);
    open_view(f);
    assert_int_equal(view_opened_epoch(f->view), 7);
}

static void a_batch_that_was_not_committed_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    view_begin(f->view, 7);
    view_put(f->view, bytes_of("sb"), bytes_of("1"));
    view_put(f->view, bytes_of("sa"), bytes_of("1")); /* out of order: refused by RocksDB */
    assert_false(view_commit(f->view, &f->status));
    assert_mentions(f->status.message, f->batch_path);
    assert_false(exists(f->place, "batch.sst"));
    open_view(f);
    assert_int_equal(view_opened_epoch(f->view), 0);
    assert_int_equal(count(f, "\1", "\xff"), 0);
}

/* A crash between its being linked into the view and its losing the other name. */
static void a_leftover_batch_that_is_part_of_the_view_is_not_overwritten(void **state)
{
    struct fixture *f = *state;
    put_numbered(f, "s", 0, 1000);
    char *command = mem_format("ln '%s'/*.sst '%s'", f->view_path, f->batch_path);
    assert_int_equal(system(command), 0);
    free(command);
    put_numbered(f, "t", 0, 1);
    open_view(f);
    assert_int_equal(count(f, "s", "t"), 1000);
    assert_int_equal(count(f, "t", "u"), 1);
}

static void the_view_of_another_directory_is_refused(void **state)
{
    struct fixture *f = *state;
    put_numbered(f, "s", 0, 1);
    view_close(f->view);
    f->view = NULL;
    f->options.id = "ffffffffffffffffffffffffffffffff";
    assert_false(view_open(&f->options, &f->view, &f->status));
    assert_int_equal(f->status.code, SF_CORRUPT);
    assert_mentions(f->status.message, f->options.id);
    assert_mentions(f->status.message, id);
}

static void a_missing_table_is_corruption(void **state)
{
    struct fixture *f = *state;
    put_numbered(f, "s", 0, 1);
    view_close(f->view);
    f->view = NULL;
    char *command = mem_format("rm '%s'/*.sst", f->view_path);
    assert_int_equal(system(command), 0);
    free(command);
    assert_false(view_open(&f->options, &f->view, &f->status));
    assert_int_equal(f->status.code, SF_CORRUPT);
    assert_mentions(f->status.message, f->view_path);
}

/* Scans a table with a damaged block, in a child that is not to survive it. */
static void reading_what_is_damaged_aborts_and_says_so(void **state)
{
    struct fixture *f = *state;
    put_numbered(f, "s", 0, 3000);
    open_view(f);
    char *command = mem_format("for table in '%s'/*.sst; do printf damage |"
                               " dd of=$table bs=1 seek=40000 conv=notrunc status=none; done",
                               f->view_path);
    assert_int_equal(system(command), 0);
    free(command);

    int message[2], result;
    assert_int_equal(pipe(message), 0);
    pid_t child = fork();
    if (!child) {
        log_redirect(message[1]);
        (void)count(f, "s", "t");
        _exit(0);
    }
    close(message[1]);
    char text[500] = "";
    assert_true(read(message[0], text, sizeof text - 1) > 0);
    close(message[0]);
    waitpid(child, &result, 0);
    assert_true(WIFSIGNALED(result) && WTERMSIG(result) == SIGABRT);
    assert_mentions(text, "the view cannot be read");
    assert_mentions(text, "Corruption");
}

static void expect_number(void *owner, size_t nth, const struct bytes *value)
{
    size_t *visits = owner;
    assert_int_equal(nth, (*visits)++);
    if (nth % 3 == 2)
        assert_null(value);
    else
        assert_bytes(*value, "a value of a record in a queue");
}

/* More than are looked up together, in no order, some of them twice, every third absent. */
static void many_keys_are_told_of_in_the_order_asked(void **state)
{
    enum { ASKED = 100, STORED = 1000 };
    struct fixture *f = *state;
    struct bytes keys[ASKED];
    size_t visits = 0;
    put_numbered(f, "s", 0, STORED);
    put_numbered(f, "s", STORED / 2, STORED);
    for (size_t i = 0; i < ASKED; i++)
        keys[i] = bytes_of(mem_format("%s%08zu", i % 3 == 2 ? "t" : "s", i * 7919 % 40 * 37));
    view_get_all(f->view, keys, ASKED, expect_number, &visits);
    assert_int_equal(visits, ASKED);
    for (size_t i = 0; i < ASKED; i++)
        free((void *)keys[i].data);
    view_get_all(f->view, NULL, 0, expect_number, NULL);
}

/* Whether a table is open before it has been read is RocksDB's business. */
static void what_is_absent_is_denied_without_reading(void **state)
{
    enum { ASKED = 100, STORED = 1000 };
    struct fixture *f = *state;
    size_t denied = 0;
    put_numbered(f, "s", 0, STORED);
    put_numbered(f, "s", STORED, STORED);
    open_view(f);
    assert_true(view_get(f->view, bytes_of("s00000000"), &f->value));
    assert_true(view_get(f->view, bytes_of("s00001000"), &f->value));
    for (uint32_t i = 0; i < ASKED; i++) {
        char *absent = mem_format("s%08ux", i * 19), *present = mem_format("s%08u", i * 19);
        denied += view_denies(f->view, bytes_of(absent));
        assert_false(view_denies(f->view, bytes_of(present)));
        free(absent);
        free(present);
    }
    assert_in_range(denied, ASKED * 9 / 10, ASKED);
}

static void a_scan_is_in_order_within_its_bounds_and_stops_when_told(void **state)
{
    struct fixture *f = *state;
    view_begin(f->view, 1);
    view_put(f->view, bytes_of("sb"), bytes_of("2"));
    view_put(f->view, bytes_of("sd"), bytes_of("4"));
    commit_batch(f);
    view_begin(f->view, 2);
    view_put(f->view, bytes_of("sa"), bytes_of("1"));
    view_put(f->view, bytes_of("sc"), bytes_of("3"));
    view_put(f->view, bytes_of("t"), bytes_of("5"));
    commit_batch(f);
    struct buffer text = {0};
    assert_true(view_scan(f->view, bytes_of("sb"), bytes_of("t"), add_entry_text, &text));
    assert_string_equal(buffer_text(&text), "sb=2 sc=3 sd=4");
    buffer_clear(&text);
    assert_true(view_first(f->view, bytes_of("sbb"), bytes_of("t"), &text));
    assert_bytes(buffer_bytes(&text), "sc");
    assert_false(view_first(f->view, bytes_of("se"), bytes_of("t"), &text));
    buffer_destroy(&text);
}

/* The front of a queue goes again and again; what is left is found at once. */
static void a_trimmed_queue_is_scanned_quickly(void **state)
{
    struct fixture *f = *state;
    enum { BATCH = 20000, BATCHES = 10 };
    for (uint32_t i = 0; i < BATCHES; i++) {
        put_numbered(f, "o", i * BATCH, BATCH);
        char *to = mem_format("o%08u", (i + 1) * BATCH - 10);
        view_begin(f->view, ++f->epoch);
        view_trim(f->view, bytes_of("o"), bytes_of(to));
        commit_batch(f);
        free(to);
    }
    double start = now_ms();
    assert_int_equal(count(f, "o", "p"), 10);
    assert_true(now_ms() - start < 200); /* it takes about 1 */
    open_view(f);
    assert_int_equal(count(f, "o", "p"), 10);
}

/* Delayed messages are removed one by one, and always before those that are left. */
static void many_removals_are_passed_over(void **state)
{
    struct fixture *f = *state;
    enum { BATCH = 50000, BATCHES = 4 };
    for (uint32_t i = 0; i < BATCHES; i++)
        put_numbered(f, "t", i * BATCH, BATCH);
    view_begin(f->view, ++f->epoch);
    for (uint32_t i = 0; i < BATCH * BATCHES - 5; i++) {
        char *key = mem_format("t%08u", i);
        view_remove(f->view, bytes_of(key));
        free(key);
    }
    commit_batch(f);
    double start = now_ms();
    assert_int_equal(count(f, "t", "u"), 5);
    assert_true(now_ms() - start < 2000);
}

static void put_with_deadline(struct fixture *f, const char *key, uint64_t deadline)
{
    uint8_t value[12] = {0};
    u64_put(value, deadline);
    view_put(f->view, bytes_of(key), bytes_make(value, sizeof value));
}

/* Enough batches for a compaction, in which every key stands once more. */
static void compaction_drops_what_has_expired(void **state)
{
    struct fixture *f = *state;
    const uint64_t long_ago = 1000, far_away = UINT64_C(1) << 60;
    view_begin(f->view, ++f->epoch);
    put_with_deadline(f, "ia", long_ago);
    put_with_deadline(f, "ib", far_away);
    put_with_deadline(f, "ma", long_ago); /* no deadline there */
    put_with_deadline(f, "sa", long_ago);
    put_with_deadline(f, "sb", far_away);
    put_with_deadline(f, "sc", 0);
    commit_batch(f);
    assert_int_equal(count(f, "\1", "\xff"), 6);
    for (int i = 0; i < 2000 && count(f, "\1", "\xff") != 4; i++) {
        view_begin(f->view, ++f->epoch);
        commit_batch(f);
        sleep_ms(5);
    }
    assert_false(view_get(f->view, bytes_of("ia"), &f->value));
    assert_true(view_get(f->view, bytes_of("ib"), &f->value));
    assert_true(view_get(f->view, bytes_of("ma"), &f->value));
    assert_false(view_get(f->view, bytes_of("sa"), &f->value));
    assert_true(view_get(f->view, bytes_of("sb"), &f->value));
    assert_true(view_get(f->view, bytes_of("sc"), &f->value));
}

/* An expired value that is dropped must not bring back the one that it replaced. */
static void an_expired_value_does_not_uncover_an_older_one(void **state)
{
    struct fixture *f = *state;
    view_begin(f->view, ++f->epoch);
    put_with_deadline(f, "sa", 0);
    put_with_deadline(f, "sb", 0);
    commit_batch(f);
    for (int i = 0; i < 20; i++) { /* the older values go down to the last level */
        view_begin(f->view, ++f->epoch);
        put_with_deadline(f, "sb", 0);
        commit_batch(f);
        sleep_ms(5);
    }
    view_begin(f->view, ++f->epoch);
    put_with_deadline(f, "sa", 1000);
    commit_batch(f);
    for (int i = 0; i < 40; i++) {
        view_begin(f->view, ++f->epoch);
        commit_batch(f);
        sleep_ms(5);
        bool found = view_get(f->view, bytes_of("sa"), &f->value);
        assert_true(!found || u64_get(f->value.data) == 1000);
    }
    assert_false(view_get(f->view, bytes_of("sa"), &f->value));
    assert_true(view_get(f->view, bytes_of("sb"), &f->value));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_new_view_is_at_epoch_0_and_empty),
        TEST(a_batch_is_there_with_its_epoch_after_opening_again),
        TEST(a_batch_without_changes_moves_the_epoch),
        TEST(a_batch_that_was_not_committed_leaves_nothing),
        TEST(a_leftover_batch_that_is_part_of_the_view_is_not_overwritten),
        TEST(the_view_of_another_directory_is_refused),
        TEST(a_missing_table_is_corruption),
        TEST(reading_what_is_damaged_aborts_and_says_so),
        TEST(many_keys_are_told_of_in_the_order_asked),
        TEST(what_is_absent_is_denied_without_reading),
        TEST(a_scan_is_in_order_within_its_bounds_and_stops_when_told),
        TEST(a_trimmed_queue_is_scanned_quickly),
        TEST(many_removals_are_passed_over),
        TEST(compaction_drops_what_has_expired),
        TEST(an_expired_value_does_not_uncover_an_older_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
