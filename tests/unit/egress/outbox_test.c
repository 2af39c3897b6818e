/* outbox_test.c - committed records leave in order, once, in bounded memory. */
#include "test.h"

#include "egress/stored.h"

#include <stdio.h>

struct fixture {
    struct stored *stored;
    struct outbox *outbox;
    struct outbox_batch batch;
    struct outbox_figures figures;
    unsigned woken;
};

static void on_put(void *owner)
{
    struct fixture *f = owner;
    f->woken++;
}

static void make_outbox(struct fixture *f, size_t memory_bytes_max)
{
    struct outbox_reader reader = stored_reader(f->stored);
    outbox_free(f->outbox);
    f->outbox = outbox_new(STORED_EGRESS, STORED_EGRESS_ID, memory_bytes_max, &reader, on_put, f);
}

static int setup(void **state)
{
    struct fixture *f = mem_new(sizeof *f);
    f->stored = stored_new();
    make_outbox(f, 1 << 20);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    outbox_drop(&f->batch);
    outbox_free(f->outbox);
    stored_free(f->stored);
    free(f);
    return 0;
}

/* --- steps --- */

/* Commits `count` records, "<epoch>.<nth>" each, in `parts` parts; with `put` the outbox gets them.
 */
static void commit_parts(struct fixture *f, uint64_t epoch, size_t parts, size_t count,
                         bool in_view, bool put)
{
    struct delta *deltas[4];
    for (size_t p = 0; p < parts; p++) {
        char texts[64][32];
        struct bytes values[64];
        for (size_t i = 0; i < count; i++) {
            snprintf(texts[i], sizeof texts[i], "%llu.%zu", (unsigned long long)epoch,
                     p * count + i);
            values[i] = bytes_of(texts[i]);
        }
        deltas[p] = stored_part(f->stored, (uint32_t)p, epoch, values, count);
        stored_commit(f->stored, deltas[p], in_view);
    }
    if (put)
        outbox_put(f->outbox, epoch, deltas, parts);
    for (size_t p = 0; p < parts; p++)
        delta_unref(deltas[p]);
}

static void commit(struct fixture *f, uint64_t epoch, size_t count)
{
    commit_parts(f, epoch, 1, count, true, true);
}

static void expect_none(struct fixture *f)
{
    assert_false(outbox_take(f->outbox, 1 << 20, &f->batch));
}

static void expect_take(struct fixture *f, size_t bytes_max, const char *texts, uint64_t epoch)
{
    struct buffer found = {0};
    assert_true(outbox_take(f->outbox, bytes_max, &f->batch));
    for (size_t i = 0; i < f->batch.count; i++)
        buffer_add_format(&found, "%s%.*s", i ? " " : "", BYTES_ARG(f->batch.records[i].value));
    assert_string_equal(buffer_text(&found), texts);
    assert_int_equal(f->batch.epoch, epoch);
    buffer_destroy(&found);
}

static void expect(struct fixture *f, const char *texts, uint64_t epoch)
{
    expect_take(f, 1 << 20, texts, epoch);
    outbox_confirm(f->outbox, &f->batch);
}

/* A batch of this epoch alone. */
static void expect_epoch(struct fixture *f, uint64_t epoch)
{
    assert_true(outbox_take(f->outbox, 1, &f->batch));
    assert_int_equal(f->batch.epoch, epoch);
    outbox_confirm(f->outbox, &f->batch);
}

static const struct outbox_figures *figures(struct fixture *f)
{
    outbox_figures(f->outbox, &f->figures);
    return &f->figures;
}

/* --- in memory --- */

static void records_leave_in_the_order_in_which_they_were_committed(void **state)
{
    struct fixture *f = *state;
    commit_parts(f, 1, 2, 2, true, true);
    commit(f, 3, 1);
    expect(f, "1.0 1.1 1.2 1.3 3.0", 3);
    commit(f, 4, 1);
    expect(f, "4.0", 4);
    expect_none(f);
}

static void a_record_comes_with_the_key_under_which_it_is_stored(void **state)
{
    struct fixture *f = *state;
    struct key key;
    commit(f, 7, 2);
    expect_take(f, 1 << 20, "7.0 7.1", 7);
    assert_true(key_parse(f->batch.records[1].key, &key));
    assert_int_equal(key.kind, KEY_OUTBOX);
    assert_int_equal(key.epoch, 7);
    assert_int_equal(key.nth, 1);
}

static void each_put_wakes_the_taker(void **state)
{
    struct fixture *f = *state;
    commit(f, 1, 1);
    commit(f, 2, 1);
    assert_int_equal(f->woken, 2);
}

static void an_epoch_without_records_is_nothing(void **state)
{
    struct fixture *f = *state;
    commit(f, 1, 0);
    outbox_put(f->outbox, 2, NULL, 0);
    assert_int_equal(f->woken, 0);
    expect_none(f);
}

static void a_batch_holds_whole_epochs_as_many_as_fit(void **state)
{
    struct fixture *f = *state;
    for (uint64_t epoch = 1; epoch <= 4; epoch++)
        commit(f, epoch, 2); /* 6 bytes each */
    expect_take(f, 13, "1.0 1.1 2.0 2.1", 2);
    assert_int_equal(f->batch.bytes, 12);
    outbox_confirm(f->outbox, &f->batch);
    expect(f, "3.0 3.1 4.0 4.1", 4);
}

static void an_epoch_that_is_too_large_goes_alone(void **state)
{
    struct fixture *f = *state;
    commit(f, 1, 3);
    commit(f, 2, 1);
    expect_take(f, 1, "1.0 1.1 1.2", 1);
    outbox_confirm(f->outbox, &f->batch);
    expect(f, "2.0", 2);
}

static void what_a_batch_refers_to_lives_until_it_is_confirmed(void **state)
{
    struct fixture *f = *state;
    commit(f, 1, 1);
    expect_take(f, 1 << 20, "1.0", 1);
    outbox_free(f->outbox);
    f->outbox = NULL;
    assert_bytes(f->batch.records[0].value, "1.0");
}

static void many_small_epochs_make_one_batch(void **state)
{
    enum { EPOCHS = 20000 };
    struct fixture *f = *state;
    make_outbox(f, 64 << 20);
    for (uint64_t epoch = 1; epoch <= EPOCHS; epoch++)
        commit(f, epoch, 1);
    assert_true(outbox_take(f->outbox, 1 << 20, &f->batch));
    assert_int_equal(f->batch.count, EPOCHS);
    assert_bytes(f->batch.records[EPOCHS - 1].value, "20000.0");
    outbox_confirm(f->outbox, &f->batch);
    assert_int_equal(figures(f)->memory_bytes, 0);
}

/* --- behind --- */

static void what_does_not_fit_into_memory_is_read_back_in_order(void **state)
{
    struct fixture *f = *state;
    make_outbox(f, 300);
    for (uint64_t epoch = 1; epoch <= 9; epoch++)
        commit(f, epoch, 2);
    assert_true(figures(f)->is_spilled);
    assert_true(figures(f)->memory_bytes <= 300);

    uint64_t next = 1;
    while (outbox_take(f->outbox, 13, &f->batch)) {
        for (size_t i = 0; i < f->batch.count; i++) {
            char text[32];
            snprintf(text, sizeof text, "%llu.%zu", (unsigned long long)next + i / 2, i % 2);
            assert_bytes(f->batch.records[i].value, text);
        }
        next = f->batch.epoch + 1;
        outbox_confirm(f->outbox, &f->batch);
    }
    assert_int_equal(next, 10);
    assert_false(figures(f)->is_spilled);
    assert_int_equal(figures(f)->memory_bytes, 0);
}

static void after_all_was_read_back_memory_is_used_again(void **state)
{
    struct fixture *f = *state;
    make_outbox(f, 1); /* nothing fits */
    commit(f, 1, 1);
    expect(f, "1.0", 1);
    assert_false(figures(f)->is_spilled);
    make_outbox(f, 1 << 20);
    unsigned scans = f->stored->scans;
    commit(f, 2, 1);
    expect(f, "2.0", 2);
    assert_int_equal(f->stored->scans, scans);
}

/* An egress that was slow for a while reads back what came in that while, not what came later. */
static void once_there_is_memory_again_records_are_held_behind_what_was_spilled(void **state)
{
    struct fixture *f = *state;
    make_outbox(f, 400);
    uint64_t last = 0;
    while (!figures(f)->is_spilled)
        commit(f, ++last, 1);
    uint64_t spilled = last;
    for (uint64_t epoch = 1; epoch < spilled; epoch++)
        expect_epoch(f, epoch);
    commit_parts(f, spilled + 1, 1, 1, false, true);
    assert_true(figures(f)->memory_bytes > 0);
    expect_epoch(f, spilled);
    assert_false(figures(f)->is_spilled);
    unsigned scans = f->stored->scans;
    expect_epoch(f, spilled + 1);
    assert_int_equal(f->stored->scans, scans);
    assert_int_equal(f->stored->hurried, 0);
}

/* ... and if there is none for these either, they are spilled too. */
static void what_is_held_behind_gives_way_when_memory_is_used_up(void **state)
{
    struct fixture *f = *state;
    make_outbox(f, 400);
    uint64_t last = 0, next = 1;
    while (last < 40) {
        commit(f, ++last, 1);
        commit(f, ++last, 1);
        assert_true(figures(f)->memory_bytes <= 400);
        expect_epoch(f, next++);
    }
    while (next <= last)
        expect_epoch(f, next++);
    expect_none(f);
    assert_int_equal(figures(f)->memory_bytes, 0);
}

static void what_is_put_behind_does_not_overtake(void **state)
{
    struct fixture *f = *state;
    make_outbox(f, 1);
    commit(f, 1, 1);
    commit(f, 2, 1);
    expect_take(f, 1, "1.0", 1); /* and 2 is still behind */
    commit(f, 3, 1);
    outbox_confirm(f->outbox, &f->batch);
    expect(f, "2.0 3.0", 3);
    expect_none(f);
}

static void a_batch_read_back_is_cut_between_epochs(void **state)
{
    struct fixture *f = *state;
    make_outbox(f, 1);
    commit(f, 1, 1);
    commit(f, 2, 3); /* its first record would fit, all of it would not */
    commit(f, 3, 1);
    expect_take(f, 8, "1.0", 1);
    outbox_confirm(f->outbox, &f->batch);
    expect_take(f, 8, "2.0 2.1 2.2", 2);
    outbox_confirm(f->outbox, &f->batch);
    expect(f, "3.0", 3);
}

static void a_view_that_lags_is_hurried_and_waited_for(void **state)
{
    struct fixture *f = *state;
    make_outbox(f, 1);
    commit_parts(f, 1, 1, 1, false, true);
    commit_parts(f, 2, 1, 1, false, true);
    expect_none(f);
    assert_int_equal(f->stored->hurried, 1);

    stored_view(f->stored, 1);
    unsigned woken = f->woken;
    outbox_viewed(f->outbox);
    assert_int_equal(f->woken, woken + 1);
    expect(f, "1.0", 1);
    expect_none(f);

    stored_view(f->stored, 2);
    expect(f, "2.0", 2);
}

static void a_view_is_of_no_interest_when_nothing_is_behind(void **state)
{
    struct fixture *f = *state;
    commit(f, 1, 1);
    unsigned woken = f->woken;
    outbox_viewed(f->outbox);
    assert_int_equal(f->woken, woken);
}

/* A batch that is under way keeps its deltas: an outage must not cost that memory once more. */
static void memory_of_a_batch_counts_until_it_is_confirmed(void **state)
{
    struct fixture *f = *state;
    commit(f, 1, 1);
    uint64_t bytes = figures(f)->memory_bytes;
    assert_true(bytes > 0);
    expect_take(f, 1 << 20, "1.0", 1);
    assert_int_equal(figures(f)->memory_bytes, bytes);
    outbox_confirm(f->outbox, &f->batch);
    assert_int_equal(figures(f)->memory_bytes, 0);
}

/* --- beginning --- */

static void what_the_store_has_and_was_not_delivered_comes_first(void **state)
{
    struct fixture *f = *state;
    for (uint64_t epoch = 1; epoch <= 4; epoch++)
        commit_parts(f, epoch, 1, 1, true, false);
    assert_int_equal(outbox_begin(f->outbox, 2, 4), 2);
    assert_int_equal(figures(f)->records, 2);
    assert_int_equal(figures(f)->epoch, 2);
    commit(f, 5, 1);
    expect(f, "3.0 4.0", 4);
    expect(f, "5.0", 5);
    expect_none(f);
    assert_int_equal(figures(f)->records, 0);
}

static void an_empty_store_needs_nothing_to_begin(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(outbox_begin(f->outbox, 0, 100), 0);
    expect_none(f);
    commit(f, 101, 1);
    expect(f, "101.0", 101);
    assert_int_equal(f->stored->hurried, 0);
}

static void what_was_all_delivered_is_not_sent_again(void **state)
{
    struct fixture *f = *state;
    commit_parts(f, 1, 1, 2, true, false);
    commit_parts(f, 2, 1, 1, true, false);
    assert_int_equal(outbox_begin(f->outbox, 2, 2), 3);
    assert_int_equal(figures(f)->records, 0);
    assert_int_equal(figures(f)->bytes, 0);
    expect_none(f);
}

static void records_put_before_the_beginning_wait_behind_the_store(void **state)
{
    struct fixture *f = *state;
    commit_parts(f, 1, 1, 1, true, false);
    commit_parts(f, 2, 1, 1, false, true);
    stored_view(f->stored, 1);
    assert_int_equal(outbox_begin(f->outbox, 0, 1), 0);
    assert_int_equal(figures(f)->records, 2);
    expect(f, "1.0", 1);
    expect(f, "2.0", 2); /* which the view does not have yet */
    assert_int_equal(figures(f)->memory_bytes, 0);
}

static void records_put_and_spilled_before_the_beginning_stay_in_order(void **state)
{
    struct fixture *f = *state;
    commit_parts(f, 1, 1, 1, true, false);
    make_outbox(f, 300);
    uint64_t last = 1;
    while (!figures(f)->is_spilled)
        commit(f, ++last, 1);
    assert_true(last > 3);
    assert_int_equal(outbox_begin(f->outbox, 0, 1), 0);
    assert_int_equal(figures(f)->memory_bytes, 0);
    commit(f, ++last, 1);
    uint64_t next = 1;
    while (next <= last)
        expect_epoch(f, next++);
    expect_none(f);
}

static void records_put_before_an_empty_beginning_stay_in_memory(void **state)
{
    struct fixture *f = *state;
    commit_parts(f, 2, 1, 1, false, true);
    assert_int_equal(outbox_begin(f->outbox, 0, 1), 0);
    expect(f, "2.0", 2);
}

static void epochs_without_records_are_passed_over_when_reading_back(void **state)
{
    struct fixture *f = *state;
    commit_parts(f, 1, 1, 1, true, false);
    commit_parts(f, 9, 1, 0, true, false);
    assert_int_equal(outbox_begin(f->outbox, 0, 9), 0);
    expect(f, "1.0", 9);
    assert_false(figures(f)->is_spilled);
}

/* --- figures --- */

static void figures_count_what_is_committed_and_not_confirmed(void **state)
{
    struct fixture *f = *state;
    commit(f, 1, 2);
    commit(f, 2, 1);
    assert_int_equal(figures(f)->records, 3);
    assert_int_equal(figures(f)->bytes, 9);
    expect_take(f, 6, "1.0 1.1", 1);
    assert_int_equal(figures(f)->records, 3);
    outbox_confirm(f->outbox, &f->batch);
    assert_int_equal(figures(f)->records, 1);
    assert_int_equal(figures(f)->bytes, 3);
    assert_int_equal(figures(f)->epoch, 1);
}

/* --- threads --- */

enum { THREAD_EPOCHS = 3000 };

static void *put_epochs(void *argument)
{
    struct fixture *f = argument;
    for (uint64_t epoch = 1; epoch <= THREAD_EPOCHS; epoch++)
        commit_parts(f, epoch, 1, 1 + epoch % 3, epoch % 7 == 0 || epoch == THREAD_EPOCHS, true);
    return NULL;
}

static void one_thread_puts_while_another_takes(void **state)
{
    struct fixture *f = *state;
    pthread_t thread;
    uint64_t epoch = 0;
    size_t taken = 0, expected = 0;
    make_outbox(f, 2000);
    for (uint64_t e = 1; e <= THREAD_EPOCHS; e++)
        expected += 1 + e % 3;
    assert_int_equal(pthread_create(&thread, NULL, put_epochs, f), 0);
    while (epoch < THREAD_EPOCHS) {
        if (!outbox_take(f->outbox, 500, &f->batch))
            continue;
        assert_true(f->batch.epoch > epoch);
        epoch = f->batch.epoch;
        taken += f->batch.count;
        (void)figures(f);
        outbox_confirm(f->outbox, &f->batch);
    }
    pthread_join(thread, NULL);
    assert_int_equal(taken, expected);
    assert_int_equal(figures(f)->records, 0);
    assert_int_equal(figures(f)->memory_bytes, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(records_leave_in_the_order_in_which_they_were_committed),
        TEST(a_record_comes_with_the_key_under_which_it_is_stored),
        TEST(each_put_wakes_the_taker),
        TEST(an_epoch_without_records_is_nothing),
        TEST(a_batch_holds_whole_epochs_as_many_as_fit),
        TEST(an_epoch_that_is_too_large_goes_alone),
        TEST(what_a_batch_refers_to_lives_until_it_is_confirmed),
        TEST(many_small_epochs_make_one_batch),
        TEST(what_does_not_fit_into_memory_is_read_back_in_order),
        TEST(after_all_was_read_back_memory_is_used_again),
        TEST(once_there_is_memory_again_records_are_held_behind_what_was_spilled),
        TEST(what_is_held_behind_gives_way_when_memory_is_used_up),
        TEST(what_is_put_behind_does_not_overtake),
        TEST(a_batch_read_back_is_cut_between_epochs),
        TEST(a_view_that_lags_is_hurried_and_waited_for),
        TEST(a_view_is_of_no_interest_when_nothing_is_behind),
        TEST(memory_of_a_batch_counts_until_it_is_confirmed),
        TEST(what_the_store_has_and_was_not_delivered_comes_first),
        TEST(an_empty_store_needs_nothing_to_begin),
        TEST(what_was_all_delivered_is_not_sent_again),
        TEST(records_put_before_the_beginning_wait_behind_the_store),
        TEST(records_put_and_spilled_before_the_beginning_stay_in_order),
        TEST(records_put_before_an_empty_beginning_stay_in_memory),
        TEST(epochs_without_records_are_passed_over_when_reading_back),
        TEST(figures_count_what_is_committed_and_not_confirmed),
        TEST(one_thread_puts_while_another_takes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
