/* tail_test.c - what reaches the view, and what need not. */
#include "fixture.h"

#include "store/overlay.h"
#include "store/tail.h"
#include "store/view.h"

enum { KEEP_BYTES = 1 << 20 };

struct fixture {
    char *place, *view_path, *batch_path;
    struct view *view;
    struct tail *tail;
    uint64_t epoch;
    struct sf_status status;
};

static void open_view(struct fixture *f)
{
    struct view_options options = {
        .path = f->view_path,
        .batch_path = f->batch_path,
        .id = "0123456789abcdef0123456789abcdef",
    };
    assert_good(view_open(&options, &f->view, &f->status), &f->status);
}

static int setup(void **state)
{
    struct fixture *f = mem_new(sizeof *f);
    f->place = make_place();
    f->view_path = mem_format("%s/view", f->place);
    f->batch_path = mem_format("%s/batch.sst", f->place);
    f->tail = tail_new(KEEP_BYTES);
    open_view(f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    tail_free(f->tail);
    view_close(f->view);
    remove_tree(f->place);
    free(f->view_path);
    free(f->batch_path);
    free(f->place);
    free(f);
    return 0;
}

static void add(struct fixture *f, const char *script)
{
    struct delta *delta = delta_of(1, script);
    assert_true(tail_add(f->tail, buffer_bytes(&delta->entries)));
    delta_unref(delta);
}

/* Returns how many changes that took. */
static uint64_t write_part(struct fixture *f, enum view_part part)
{
    uint64_t changes = 0;
    assert_good(tail_write(f->tail, f->view, part, ++f->epoch, &changes, &f->status), &f->status);
    return changes;
}

static uint64_t write_tail(struct fixture *f)
{
    uint64_t changes = write_part(f, VIEW_WHOLE);
    assert_int_equal(tail_bytes(f->tail), 0);
    return changes;
}

static void assert_holds(struct fixture *f, const char *expected)
{
    struct buffer text = {0};
    assert_true(view_scan(f->view, bytes_of("\1"), bytes_of("\xff"), add_entry_text, &text));
    assert_string_equal(buffer_text(&text), expected);
    buffer_destroy(&text);
}

static void the_last_value_of_a_key_reaches_the_view(void **state)
{
    struct fixture *f = *state;
    add(f, "sa=1 sb=1 sa=2");
    add(f, "sa=3");
    assert_int_equal(write_tail(f), 2);
    assert_holds(f, "sa=3 sb=1");
}

static void values_may_grow_and_shrink_in_the_tail(void **state)
{
    struct fixture *f = *state;
    struct delta *delta = delta_new(0, 1, 0);
    static const size_t sizes[] = {0, 10, 5, 3000, 2999, 100000, 300000, 40, 0, 64};
    char value[300000];
    memset(value, 'x', sizeof value);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        delta_put(delta, bytes_of("sa"), bytes_make(value, sizes[i]));
    delta_put(delta, bytes_of("sb"), bytes_make(value, 200000));
    assert_true(tail_add(f->tail, buffer_bytes(&delta->entries)));
    delta_unref(delta);
    assert_in_range(tail_bytes(f->tail), 200064, 200064 + 1000);
    assert_int_equal(write_tail(f), 2);

    struct buffer found = {0};
    assert_true(view_get(f->view, bytes_of("sa"), &found));
    assert_int_equal(found.size, 64);
    assert_true(view_get(f->view, bytes_of("sb"), &found));
    assert_int_equal(found.size, 200000);
    buffer_destroy(&found);
}

static void a_message_put_and_removed_never_reaches_the_view(void **state)
{
    struct fixture *f = *state;
    add(f, "ma=1 ta=1 oa=1 da=1");
    add(f, "-ma -ta -oa -da");
    assert_int_equal(tail_bytes(f->tail), 0);
    assert_int_equal(write_tail(f), 0);
    assert_holds(f, "");
}

/* The view may have had a value before the one that the tail knows. */
static void a_state_put_and_removed_is_removed_from_the_view(void **state)
{
    struct fixture *f = *state;
    add(f, "sa=1 ia=1 pa=1 fa=1");
    write_tail(f);
    add(f, "sa=2 ia=2 pa=2 fa=2");
    add(f, "-sa -ia -pa -fa");
    assert_int_equal(write_tail(f), 4);
    assert_holds(f, "");
}

/* Also when its value has outgrown its slot in between. */
static void a_state_that_grew_is_removed_from_the_view(void **state)
{
    struct fixture *f = *state;
    add(f, "sa=1");
    write_tail(f);
    add(f, "sa=2 sa=a-value-that-is-far-too-long-for-the-place-where-the-value-before-it-stood");
    add(f, "-sa");
    assert_int_equal(write_tail(f), 1);
    assert_holds(f, "");
}

static void a_message_that_the_view_holds_is_removed_from_it(void **state)
{
    struct fixture *f = *state;
    add(f, "ma=1 mb=1");
    write_tail(f);
    add(f, "-ma");
    assert_int_equal(write_tail(f), 1);
    assert_holds(f, "mb=1");
}

/* A number may be given out again once its message is gone: also within one tail. */
static void a_key_used_again_keeps_the_remove_that_the_view_needs(void **state)
{
    struct fixture *f = *state;
    add(f, "ma=1");
    write_tail(f);
    add(f, "-ma ma=2 -ma");
    assert_int_equal(write_tail(f), 1);
    assert_holds(f, "");

    add(f, "mb=1");
    write_tail(f);
    add(f, "-mb mb=2");
    assert_int_equal(write_tail(f), 1);
    assert_holds(f, "mb=2");
}

static void a_trim_of_what_only_the_tail_holds_never_reaches_the_view(void **state)
{
    struct fixture *f = *state;
    add(f, "oa1=1 oa2=1 oa3=1 sa=1");
    add(f, "oa..oa3");
    tail_sweep(f->tail, f->view);
    assert_int_equal(write_tail(f), 2);
    assert_holds(f, "oa3=1 sa=1");
}

static void a_trim_takes_what_the_view_holds_as_one_range(void **state)
{
    struct fixture *f = *state;
    add(f, "oa1=1 oa2=1 oa3=1 oa4=1");
    write_tail(f);
    add(f, "oa5=1 oa..oa3 oa6=1");
    add(f, "oa..oa4");
    assert_int_equal(write_tail(f), 3); /* two puts, one range */
    assert_holds(f, "oa4=1 oa5=1 oa6=1");
}

static void what_is_put_after_a_trim_stays(void **state)
{
    struct fixture *f = *state;
    add(f, "oa1=1 oa2=1 sa=1");
    write_tail(f);
    add(f, "oa..ob oa2=2 sa..sb sa=2");
    write_tail(f);
    assert_holds(f, "oa2=2 sa=2");
}

static void a_narrow_trim_after_a_wide_one_leaves_the_rest_of_its_range(void **state)
{
    struct fixture *f = *state;
    add(f, "oa..oa9 oa1=1 oa5=1");
    add(f, "oa..oa3");
    write_tail(f);
    assert_holds(f, "oa5=1");
}

static void an_empty_trim_does_nothing(void **state)
{
    struct fixture *f = *state;
    add(f, "oa1=1 oa1..oa1 oa2..oa1 oa..");
    assert_int_equal(write_tail(f), 1);
    add(f, "oa1..oa1 oa2..oa1 oa..");
    assert_int_equal(write_tail(f), 0);
    assert_holds(f, "oa1=1");
}

static void a_removed_state_within_a_trim_is_gone_too(void **state)
{
    struct fixture *f = *state;
    add(f, "sa=1 sb=1 sc=1");
    write_tail(f);
    add(f, "-sa sb=2 sa..sc");
    assert_int_equal(write_tail(f), 1);
    assert_holds(f, "sc=1");
}

static void what_is_young_stays_until_the_next_time(void **state)
{
    struct fixture *f = *state;
    add(f, "ma=1 mb=1 oa=1 sa=1 pa=1");
    assert_true(tail_young_bytes(f->tail) > 0);
    assert_int_equal(write_part(f, VIEW_KEPT), 2);
    assert_holds(f, "pa=1 sa=1");
    assert_int_equal(tail_young_bytes(f->tail), 0); /* not any more */

    add(f, "-ma -oa mc=1 sb=1 -sa");
    assert_int_equal(write_part(f, VIEW_KEPT), 3);
    assert_holds(f, "mb=1 pa=1 sb=1");
    add(f, "-mb -mc md=1");
    assert_int_equal(write_tail(f), 2);
    assert_holds(f, "md=1 pa=1 sb=1");
}

/* So does its value, however much of it there is, and what is known of it. */
static void what_stays_is_what_it_was(void **state)
{
    struct fixture *f = *state;
    char *text = mem_new(5000);
    memset(text, 'x', 4999);
    char *script = mem_format("ma=%s mb= s1=1", text);
    add(f, script);
    size_t young = tail_young_bytes(f->tail);
    write_part(f, VIEW_KEPT);
    assert_int_equal(tail_bytes(f->tail), young);
    add(f, "-mb");
    assert_int_equal(write_tail(f), 1);
    char *expected = mem_format("ma=%s s1=1", text);
    assert_holds(f, expected);
    free(expected);
    free(script);
    free(text);
}

static void a_message_put_again_is_young_and_its_older_self_stays_in_the_view(void **state)
{
    struct fixture *f = *state;
    add(f, "ma=1");
    write_tail(f);
    add(f, "-ma ma=2");
    assert_int_equal(write_part(f, VIEW_KEPT), 0);
    assert_holds(f, "ma=1");
    add(f, "-ma");
    assert_int_equal(write_part(f, VIEW_KEPT), 1);
    assert_holds(f, "");
}

static void bytes_that_are_no_entries_are_refused(void **state)
{
    struct fixture *f = *state;
    assert_false(tail_add(f->tail, bytes_of("X")));
    assert_false(tail_add(f->tail, bytes_of("P\x7f")));
}

/* A directory where the batch should be written. */
static void a_batch_that_fails_can_be_written_again(void **state)
{
    struct fixture *f = *state;
    uint64_t changes;
    assert_int_equal(mkdir(f->batch_path, 0755), 0);
    add(f, "sa=1 oa1=1 oa2=1 oa..oa2 ma=1");
    assert_false(tail_write(f->tail, f->view, VIEW_WHOLE, 1, &changes, &f->status));
    assert_int_equal(f->status.code, SF_IO);
    assert_mentions(f->status.message, f->batch_path);
    assert_holds(f, "");
    assert_int_equal(rmdir(f->batch_path), 0);
    add(f, "-ma"); /* goes through now: perhaps the view has seen it */
    assert_int_equal(write_tail(f), 3);
    assert_holds(f, "oa2=1 sa=1");
}

/* All of it against a model: an array of every key there can be. Kinds that are put only when
 * absent are, here as in the engine. */
enum { LETTERS = 12, KINDS = 4, KEYS = KINDS * LETTERS, ROUNDS = 4000 };

static const char kinds[KINDS] = {'m', 'o', 'p', 's'}; /* in the order of keys */

static uint32_t random_state;

static uint32_t random_below(uint32_t bound)
{
    random_state = random_state * 1664525 + 1013904223;
    return (random_state >> 8) % bound;
}

/* NULL: nothing that can be. */
static char *change_at_random(uint32_t *model, uint32_t value)
{
    uint32_t key = random_below(KEYS), kind = key / LETTERS;
    char *script;
    uint32_t choice = random_below(10);
    if (choice == 0) {
        uint32_t to = random_below(LETTERS + 1);
        script = mem_format("%ca..%c%c", kinds[kind], kinds[kind], 'a' + (char)to);
        for (uint32_t i = 0; i < to; i++)
            model[kind * LETTERS + i] = 0;
    } else if (choice < 4 && (kinds[kind] == 'p' || kinds[kind] == 's' || model[key])) {
        script = mem_format("-%c%c", kinds[kind], 'a' + (char)(key % LETTERS));
        model[key] = 0;
    } else if (kinds[kind] == 'p' || kinds[kind] == 's' || !model[key]) {
        script = mem_format("%c%c=%u", kinds[kind], 'a' + (char)(key % LETTERS), value);
        model[key] = value;
    } else {
        return NULL;
    }
    return script;
}

static void expect_model(void *owner, size_t nth, const struct bytes *value)
{
    const uint32_t *model = owner;
    char *expected = mem_format("%u", model[nth]);
    if (model[nth])
        assert_bytes(*value, expected);
    else
        assert_null(value);
    free(expected);
}

/* Who does not wait may be told nothing, but nothing else. */
static void assert_tries_as_model(struct fixture *f, struct bytes key, uint32_t number)
{
    struct buffer value = {0};
    enum store_read read = overlay_try(f->tail, f->view, key, &value);
    char *expected = mem_format("%u", number);
    if (read == STORE_FOUND)
        assert_bytes(buffer_bytes(&value), expected);
    else if (read == STORE_ABSENT)
        assert_int_equal(number, 0);
    free(expected);
    buffer_destroy(&value);
}

/* Of every key, at any time, whether tail or view has it. */
static void assert_reads_as_model(struct fixture *f, uint32_t *model)
{
    char names[KEYS][2];
    struct bytes keys[KEYS];
    for (size_t i = 0; i < KEYS; i++) {
        names[i][0] = kinds[i / LETTERS];
        names[i][1] = (char)('a' + i % LETTERS);
        keys[i] = bytes_make(names[i], 2);
        assert_tries_as_model(f, keys[i], model[i]);
    }
    overlay_get_all(f->tail, f->view, keys, KEYS, expect_model, model);
}

static void assert_is_model(struct fixture *f, const uint32_t *model)
{
    struct buffer expected = {0};
    for (uint32_t i = 0; i < KEYS; i++)
        if (model[i])
            buffer_add_format(&expected, "%s%c%c=%u", expected.size ? " " : "", kinds[i / LETTERS],
                              'a' + (char)(i % LETTERS), model[i]);
    assert_holds(f, buffer_text(&expected));
    buffer_destroy(&expected);
}

/* Rounds are epochs. Now and then what is not in the view is lost, and read again from the log. */
static void the_view_ends_up_as_a_model_of_it(void **state)
{
    struct fixture *f = *state;
    char **log = mem_new((ROUNDS + 1) * sizeof *log);
    for (uint32_t seed = 1; seed <= 4; seed++) {
        uint32_t model[KEYS] = {0}, viewed = 0, written = 0;
        random_state = seed;
        add(f, "m..n o..p p..q s..t");
        write_tail(f);
        for (uint32_t round = 1; round <= ROUNDS; round++) {
            if ((log[round] = change_at_random(model, round)))
                add(f, log[round]);
            if (random_below(50) == 0)
                tail_sweep(f->tail, f->view);
            if (random_below(4) == 0)
                assert_reads_as_model(f, model);
            if (random_below(30) == 0) {
                write_part(f, VIEW_KEPT);
                viewed = written;
                written = round;
            }
            if (random_below(150) == 0) {
                tail_free(f->tail);
                f->tail = tail_new(KEEP_BYTES);
                written = viewed;
                for (uint32_t lost = viewed + 1; lost <= round; lost++)
                    if (log[lost])
                        add(f, log[lost]);
            }
            if (random_below(100) && round < ROUNDS)
                continue;
            write_tail(f);
            assert_is_model(f, model);
            viewed = written = round;
        }
        for (uint32_t round = 1; round <= ROUNDS; round++)
            free(log[round]);
    }
    free(log);
}

static bool stop_after_two(void *owner, struct bytes key, struct bytes value)
{
    (void)add_entry_text(owner, key, value);
    return ((struct buffer *)owner)->size < strlen("sa=1 sb=1");
}

static void expect_scan(struct fixture *f,
                        bool (*visit)(void *owner, struct bytes key, struct bytes value),
                        const char *expected)
{
    struct buffer text = {0};
    assert_int_equal(overlay_scan(f->tail, f->view, bytes_of("sa"), bytes_of("sy"), visit, &text),
                     visit == add_entry_text);
    assert_string_equal(buffer_text(&text), expected);
    buffer_destroy(&text);
}

/* What the tail knows goes before, between and behind the view's, and in its place. */
static void a_range_is_read_over_the_view_in_order(void **state)
{
    struct fixture *f = *state;
    add(f, "sb=1 sd=1 sf=1 sz=1");
    write_tail(f);
    expect_scan(f, add_entry_text, "sb=1 sd=1 sf=1");
    add(f, "sa=1 sc=2 sd=2 -sf sg=2 -sh sy=2 pa=2");
    expect_scan(f, add_entry_text, "sa=1 sb=1 sc=2 sd=2 sg=2");
    expect_scan(f, stop_after_two, "sa=1 sb=1");
    write_tail(f);
    expect_scan(f, add_entry_text, "sa=1 sb=1 sc=2 sd=2 sg=2");
}

static void memory_is_used_again(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 200000; i++) {
        char *script = mem_format("m%d=a-message-of-some-length -m%d", i, i);
        add(f, script);
        free(script);
    }
    assert_int_equal(tail_bytes(f->tail), 0);
    assert_int_equal(write_tail(f), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(the_last_value_of_a_key_reaches_the_view),
        TEST(values_may_grow_and_shrink_in_the_tail),
        TEST(a_message_put_and_removed_never_reaches_the_view),
        TEST(a_state_put_and_removed_is_removed_from_the_view),
        TEST(a_state_that_grew_is_removed_from_the_view),
        TEST(a_message_that_the_view_holds_is_removed_from_it),
        TEST(a_key_used_again_keeps_the_remove_that_the_view_needs),
        TEST(a_trim_of_what_only_the_tail_holds_never_reaches_the_view),
        TEST(a_trim_takes_what_the_view_holds_as_one_range),
        TEST(what_is_put_after_a_trim_stays),
        TEST(a_narrow_trim_after_a_wide_one_leaves_the_rest_of_its_range),
        TEST(an_empty_trim_does_nothing),
        TEST(a_removed_state_within_a_trim_is_gone_too),
        TEST(what_is_young_stays_until_the_next_time),
        TEST(what_stays_is_what_it_was),
        TEST(a_message_put_again_is_young_and_its_older_self_stays_in_the_view),
        TEST(bytes_that_are_no_entries_are_refused),
        TEST(a_batch_that_fails_can_be_written_again),
        TEST(the_view_ends_up_as_a_model_of_it),
        TEST(a_range_is_read_over_the_view_in_order),
        TEST(memory_is_used_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
