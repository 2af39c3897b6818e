/* store_test.c - commits, and the view that follows them. */
#include "store_fixture.h"

#include <pthread.h>
#include <semaphore.h>

static void a_new_store_is_empty(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(store_epoch(f->store), 0);
    assert_int_equal(store_view_epoch(f->store), 0);
    assert_int_equal(store_partitions(f->store), store_defaults.partitions);
    assert_int_equal(strlen(store_id(f->store)), 32);
    assert_view(f->store, "");
}

static void what_was_committed_is_there_after_opening_again(void **state)
{
    struct fixture *f = *state;
    commit(f->store, "sa=1 sb=2 mc=3");
    commit(f->store, "sa=4 -sb");
    commit(f->store, "");
    char *id = mem_string(store_id(f->store));
    reopen(f);
    assert_int_equal(store_epoch(f->store), 3);
    assert_int_equal(store_view_epoch(f->store), 3);
    assert_string_equal(store_id(f->store), id);
    assert_view(f->store, "mc=3 sa=4");
    commit(f->store, "sd=5");
    reopen(f);
    assert_int_equal(store_epoch(f->store), 4);
    assert_view(f->store, "mc=3 sa=4 sd=5");
    free(id);
}

static void the_view_follows_when_asked(void **state)
{
    struct fixture *f = *state;
    commit(f->store, "sa=1");
    assert_view(f->store, "");
    bring_forward(f->store);
    assert_view(f->store, "sa=1");
    assert_true(store_get(f->store, bytes_of("sa"), &f->value));
    assert_bytes(buffer_bytes(&f->value), "1");
    store_hurry(f->store, VIEW_WHOLE); /* nothing to do */
    assert_int_equal(figures(f).view_batches, 1);
}

static void what_is_put_and_taken_back_never_reaches_the_view(void **state)
{
    struct fixture *f = *state;
    commit(f->store, "ma=1 oa=1 sa=1");
    commit(f->store, "-ma sa=2 oa..ob");
    commit(f->store, "sa=3");
    bring_forward(f->store);
    assert_int_equal(figures(f).view_batches, 1);
    assert_int_equal(figures(f).view_changes, 1);
    assert_view(f->store, "sa=3");
}

static void the_view_comes_forward_by_itself_when_the_buffer_is_full(void **state)
{
    struct fixture *f = *state;
    store_close(f->store);
    f->options.write_buffer_bytes = 16384;
    f->store = open_store(&f->options);
    for (int i = 0; i < 400; i++) {
        char *script = mem_format("s%d=a-value-of-some-length-which-takes-up-memory", i);
        commit(f->store, script);
        free(script);
    }
    for (int i = 0; i < 5000 && !store_view_epoch(f->store); i++)
        sleep_ms(1);
    assert_true(store_view_epoch(f->store) > 0);
}

/* However small the changes, the log that must be replayed is bounded, and what is in the view
 * goes. */
static void the_log_is_trimmed_behind_the_view(void **state)
{
    struct fixture *f = *state;
    store_close(f->store);
    f->options.segment_bytes = 4096;
    f->options.lag_bytes_max = 32768;
    f->store = open_store(&f->options);
    for (int i = 0; i < 5000; i++)
        commit(f->store, "sa=always-the-same-key");
    struct store_figures now = figures(f);
    assert_true(now.log_bytes > 5000 * 50);
    assert_true(now.lag_bytes <= 32768);
    assert_in_range(now.segments, 1, 16); /* of some 75 that were written */
    assert_true(now.view_changes < 100);
    bring_forward(f->store);
    assert_view(f->store, "sa=always-the-same-key");
}

/* Blocks the view's thread in its callback, until told. */
struct gate {
    sem_t entered, open;
};

static void wait_at_gate(void *owner, struct view_progress progress)
{
    struct gate *gate = owner;
    (void)progress;
    sem_post(&gate->entered);
    sem_wait(&gate->open);
}

static void *commit_many(void *argument)
{
    struct fixture *f = argument;
    for (int i = 0; i < 300; i++)
        commit(f->store, "sa=a-value-that-makes-the-log-grow-but-not-the-view-of-it");
    return NULL;
}

static void commits_wait_for_a_view_that_lags_too_far(void **state)
{
    struct fixture *f = *state;
    struct gate gate;
    sem_init(&gate.entered, 0, 0);
    sem_init(&gate.open, 0, 0);
    store_close(f->store);
    f->options.lag_bytes_max = 8192;
    f->store = open_store(&f->options);
    store_watch_view(f->store, wait_at_gate, &gate);

    pthread_t committer;
    assert_int_equal(pthread_create(&committer, NULL, commit_many, f), 0);
    sem_wait(&gate.entered); /* the view has come forward once, and stands still now */
    uint64_t epoch = 0;
    for (int same = 0; same < 20; sleep_ms(5)) {
        same = epoch == store_epoch(f->store) ? same + 1 : 0;
        epoch = store_epoch(f->store);
    }
    assert_in_range(epoch, 50, 299); /* some were let through, and not all */
    assert_in_range(figures(f).lag_bytes, 8192, 8192 + 200);

    for (int i = 0; i < 1000; i++)
        sem_post(&gate.open);
    pthread_join(committer, NULL);
    assert_int_equal(store_epoch(f->store), 300);
    store_close(f->store);
    f->store = NULL;
    sem_destroy(&gate.entered);
    sem_destroy(&gate.open);
}

static void note_epoch(void *owner, struct view_progress progress)
{
    atomic_uint_fast64_t *noted = owner;
    *noted = progress.whole;
}

static void whoever_watches_hears_of_the_view(void **state)
{
    struct fixture *f = *state;
    static atomic_uint_fast64_t noted; /* closing the store tells it something, too */
    store_watch_view(f->store, note_epoch, &noted);
    commit(f->store, "sa=1");
    commit(f->store, "sa=2");
    bring_forward(f->store);
    for (int i = 0; i < 5000 && noted != 2; i++)
        sleep_ms(1);
    assert_int_equal(noted, 2);
}

static void note_kept(void *owner, struct view_progress progress)
{
    atomic_uint_fast64_t *noted = owner;
    *noted = progress.kept;
}

/* That costs little, where writing the view for it would be a file each time. */
static void what_is_kept_can_be_read_before_the_view_has_it(void **state)
{
    struct fixture *f = *state;
    static atomic_uint_fast64_t noted; /* closing the store tells it something, too */
    store_watch_view(f->store, note_kept, &noted);
    commit(f->store, "sa=1 sb=1 ma=1");
    bring_forward(f->store);
    commit(f->store, "sa=2 -sb sc=1");
    store_hurry(f->store, VIEW_KEPT);
    for (int i = 0; i < 5000 && noted != 2; i++)
        sleep_ms(1);
    assert_int_equal(noted, 2);
    assert_int_equal(store_view_epoch(f->store), 1);
    assert_int_equal(figures(f).view_batches, 1);

    assert_true(store_get(f->store, bytes_of("sa"), &f->value));
    assert_bytes(buffer_bytes(&f->value), "2");
    assert_false(store_get(f->store, bytes_of("sb"), &f->value));
    struct buffer text = {0};
    assert_true(store_scan_kept(f->store, bytes_of("s"), bytes_of("t"), add_entry_text, &text));
    assert_string_equal(buffer_text(&text), "sa=2 sc=1");
    buffer_destroy(&text);
    assert_view(f->store, "ma=1 sa=1 sb=1");
}

static void deltas_are_given_back_when_they_have_been_merged(void **state)
{
    struct fixture *f = *state;
    struct delta *parts[] = {delta_of(1, "sa=1"), delta_of(1, "")};
    assert_good(store_commit(f->store, 1, parts, 2, &f->status), &f->status);
    assert_int_equal(parts[1]->references, 1); /* without entries: never taken */
    bring_forward(f->store);
    assert_int_equal(parts[0]->references, 1);
    delta_unref(parts[0]);
    delta_unref(parts[1]);
}

static void a_scan_without_an_end_covers_its_kind(void **state)
{
    struct fixture *f = *state;
    commit(f->store, "ma=1 sa=2 sb=3 ta=4");
    bring_forward(f->store);
    struct buffer text = {0};
    assert_true(store_scan(f->store, bytes_of("s"), (struct bytes){0}, add_entry_text, &text));
    assert_string_equal(buffer_text(&text), "sa=2 sb=3");
    buffer_clear(&text);
    assert_true(store_scan(f->store, bytes_of("sb"), (struct bytes){0}, add_entry_text, &text));
    assert_string_equal(buffer_text(&text), "sb=3");
    buffer_destroy(&text);
}

static bool stop_at_once(void *owner, struct bytes key, struct bytes value)
{
    (void)key, (void)value;
    (*(int *)owner)++;
    return false;
}

static void a_visitor_can_stop_a_scan(void **state)
{
    struct fixture *f = *state;
    int visits = 0;
    commit(f->store, "sa=1 sb=2");
    bring_forward(f->store);
    assert_false(store_scan(f->store, bytes_of("s"), (struct bytes){0}, stop_at_once, &visits));
    assert_int_equal(visits, 1);
}

static void an_existing_store_keeps_its_partitions(void **state)
{
    struct fixture *f = *state;
    store_close(f->store);
    f->options.partitions = 7;
    f->store = open_store(&f->options);
    assert_int_equal(store_partitions(f->store), store_defaults.partitions);
}

static void a_store_in_use_is_refused(void **state)
{
    struct fixture *f = *state;
    struct store *second = NULL;
    assert_false(store_open(&f->options, &second, &f->status));
    assert_null(second);
    assert_int_equal(f->status.code, SF_CONFLICT);
    commit(f->store, "sa=1"); /* and the first one lives on */
}

/* A directory stands where the view's batch should go: the log still takes commits, up to the point
 * where the view's thread has noticed. */
static void a_view_that_fails_stops_the_commits_and_loses_nothing(void **state)
{
    struct fixture *f = *state;
    char *batch = mem_format("%s/batch.sst", f->path);
    assert_int_equal(mkdir(batch, 0755), 0);
    uint64_t epoch = 0;
    bool good = true;
    for (int i = 0; good && i < 1000; i++) {
        struct delta *delta = delta_of(epoch + 1, "sa=1");
        good = store_commit(f->store, epoch + 1, &delta, 1, &f->status);
        delta_unref(delta);
        epoch += good;
        store_hurry(f->store, VIEW_WHOLE);
        sleep_ms(1);
    }
    assert_false(good);
    assert_int_equal(f->status.code, SF_IO);
    assert_mentions(f->status.message, batch);
    assert_true(epoch > 0);
    store_close(f->store);
    f->store = NULL;

    assert_int_equal(rmdir(batch), 0);
    f->store = open_store(&f->options);
    assert_int_equal(store_epoch(f->store), epoch);
    assert_view(f->store, "sa=1");
    free(batch);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_new_store_is_empty),
        TEST(what_was_committed_is_there_after_opening_again),
        TEST(the_view_follows_when_asked),
        TEST(what_is_put_and_taken_back_never_reaches_the_view),
        TEST(the_view_comes_forward_by_itself_when_the_buffer_is_full),
        TEST(the_log_is_trimmed_behind_the_view),
        TEST(commits_wait_for_a_view_that_lags_too_far),
        TEST(whoever_watches_hears_of_the_view),
        TEST(what_is_kept_can_be_read_before_the_view_has_it),
        TEST(deltas_are_given_back_when_they_have_been_merged),
        TEST(a_scan_without_an_end_covers_its_kind),
        TEST(a_visitor_can_stop_a_scan),
        TEST(an_existing_store_keeps_its_partitions),
        TEST(a_store_in_use_is_refused),
        TEST(a_view_that_fails_stops_the_commits_and_loses_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
