/* replay_test.c - the log when it is opened: what is there, what is torn, and what is damaged. */
#include "log_fixture.h"

static void epochs_that_the_view_has_are_not_replayed(void **state)
{
    struct fixture *f = *state;
    assert_log(f, 0, "");
    append(f, "sa=1");
    append(f, "sb=2");
    append(f, "sc=3");
    assert_log(f, 2, "3 sc=3");
    assert_log(f, 3, "");
    assert_int_equal(log_epoch(f->log), 3);
}

/* The old records in a segment that is used again are as whole as the new ones, and must not count.
 */
static void stale_records_behind_the_end_are_no_records(void **state)
{
    struct fixture *f = *state;
    assert_log(f, 0, "");
    for (int i = 0; i < 10; i++)
        append(f, "sa=old sb=older sc=oldest"); /* all of one size */
    append_large(f, "sd", 4000);                /* 11, in the next segment */
    append_large(f, "se", 4000);                /* 12, in the one after it */
    log_trim(f->log, 11);
    assert_true(exists(f->place, "spare"));
    append(f, "sa=new sb=newer sc=newest"); /* 13: over the stale record of epoch 1 */
    assert_log(f, 11, "12 se=xxxxxxxx; 13 sa=new sb=newer sc=newest");
    append(f, "sa=1 sb=2 sc=3"); /* smaller: ends within the record of epoch 2 */
    assert_log(f, 13, "14 sa=1 sb=2 sc=3");
}

/* What a crash can do to the last record: any part of it was not written. What stood there before
 * are zeros in a new segment, anything in one that was used before, and nothing if the file ends.
 */
enum tear { TEAR_ZEROS, TEAR_NOISE, TEAR_CUT, TEARS };

static void a_torn_tail_is_cut_off_at_every_byte(void **state)
{
    struct fixture *f = *state;
    assert_log(f, 0, "");
    append(f, "sa=1 sb=2");
    append(f, "sc=3");
    size_t start = end_of_log(f);
    append(f, "sd=4 se=5 sf=6");
    size_t end = end_of_log(f);
    log_close(f->log);
    f->log = NULL;

    struct buffer whole = {0}, torn = {0};
    char *path = segment(f, 1);
    read_file(path, &whole);
    for (size_t cut = start; cut < end; cut++) {
        for (int tear = 0; tear < TEARS; tear++) {
            buffer_clear(&torn);
            buffer_add(&torn, whole.data, cut);
            for (size_t i = cut; i < whole.size && tear != TEAR_CUT; i++)
                buffer_add_u8(&torn, tear == TEAR_NOISE ? (uint8_t)(i * 7 + 0xf5) : 0);
            if (tear == TEAR_NOISE && torn.data[cut] == whole.data[cut])
                torn.data[cut] ^= 1;
            if (tear == TEAR_ZEROS && !whole.data[cut])
                continue; /* the same as a later cut, or as no cut at all */
            for (uint64_t epoch = 3; epoch <= 4; epoch++)
                remove_segment(f, epoch); /* of the last round */
            write_file(path, buffer_bytes(&torn));
            assert_log(f, 0, "1 sa=1 sb=2; 2 sc=3");
            append(f, "sz=9");
            assert_log(f, 2, "3 sz=9");
            append(f, "sy=8 sx=7 sw=6 sv=5"); /* reaches beyond the torn one */
            assert_log(f, 2, "3 sz=9; 4 sy=8 sx=7 sw=6 sv=5");
        }
    }
    buffer_destroy(&torn);
    buffer_destroy(&whole);
    free(path);
}

/* The header was written, but its page came before those of the entries. */
static void a_tail_torn_in_its_middle_is_cut_off(void **state)
{
    struct fixture *f = *state;
    assert_log(f, 0, "");
    append(f, "sa=1");
    size_t start = end_of_log(f);
    append(f, "sb=a-value-that-is-long-enough sc=3");
    size_t end = end_of_log(f);
    log_close(f->log);
    f->log = NULL;

    struct buffer bytes = {0};
    char *path = segment(f, 1);
    read_file(path, &bytes);
    memset(bytes.data + start + RECORD_HEADER_BYTES + 8, 0, 8);
    write_file(path, buffer_bytes(&bytes));
    assert_log(f, 0, "1 sa=1");

    memset(bytes.data + start, 0, end - start - 4); /* or after them */
    write_file(path, buffer_bytes(&bytes));
    assert_log(f, 0, "1 sa=1");
    buffer_destroy(&bytes);
    free(path);
}

static void a_changed_byte_of_an_earlier_record_is_damage(void **state)
{
    struct fixture *f = *state;
    assert_log(f, 0, "");
    append(f, "sa=1 sb=2");
    size_t second = end_of_log(f);
    append(f, "sc=3");
    size_t third = end_of_log(f);
    append(f, "sd=4");
    log_close(f->log);
    f->log = NULL;

    struct buffer bytes = {0};
    char *path = segment(f, 1);
    char *at_second = mem_format("offset %zu: expected the record of epoch 2", second);
    read_file(path, &bytes);
    for (size_t i = 0; i < third; i++) {
        bytes.data[i] ^= 0x10;
        write_file(path, buffer_bytes(&bytes));
        assert_damaged(f, 0, i < second ? "offset 0: expected the record of epoch 1" : at_second);
        assert_mentions(f->status.message, "follows at offset");
        bytes.data[i] ^= 0x10;
    }
    write_file(path, buffer_bytes(&bytes));
    assert_log(f, 0, "1 sa=1 sb=2; 2 sc=3; 3 sd=4");
    buffer_destroy(&bytes);
    free(at_second);
    free(path);
}

static void a_damaged_end_of_a_segment_that_is_not_the_last_is_damage(void **state)
{
    struct fixture *f = *state;
    assert_log(f, 0, "");
    append_large(f, "sa", 3000);
    size_t end = end_of_log(f);
    append_large(f, "sb", 3000);
    log_close(f->log);
    f->log = NULL;

    struct buffer bytes = {0};
    char *path = segment(f, 1);
    read_file(path, &bytes);
    bytes.data[end - 1] ^= 1;
    write_file(path, buffer_bytes(&bytes));
    assert_damaged(f, 0, "offset 0: expected the record of epoch 1, found checksum");
    assert_mentions(f->status.message, "the next segment begins with epoch 2");

    bytes.size = end - 1;
    write_file(path, buffer_bytes(&bytes));
    assert_damaged(f, 0, "of its");
    buffer_destroy(&bytes);
    free(path);
}

static void a_missing_segment_is_damage(void **state)
{
    struct fixture *f = *state;
    assert_log(f, 0, "");
    for (int i = 0; i < 3; i++)
        append_large(f, "sa", 3000);
    log_close(f->log);
    f->log = NULL;
    char *path = segment(f, 2);
    assert_int_equal(unlink(path), 0);
    assert_damaged(f, 0, "expected the record of epoch 2, found none");
    free(path);
}

static void a_log_that_ends_before_the_view_is_damage(void **state)
{
    struct fixture *f = *state;
    assert_log(f, 0, "");
    append(f, "sa=1");
    assert_damaged(f, 2, "ends with epoch 1, but the view has epoch 2");

    char *path = segment(f, 1);
    assert_int_equal(unlink(path), 0);
    assert_damaged(f, 2, "no segment");
    free(path);
}

static void a_missing_directory_is_damage(void **state)
{
    struct fixture *f = *state;
    char *missing = mem_format("%s/missing", f->place);
    f->options.path = missing;
    assert_damaged(f, 0, "No such file");
    free(missing);
}

/* Bytes of somebody else's log in a value, behind a torn record: they look like later records. */
static void records_of_another_directory_prove_nothing(void **state)
{
    struct fixture *f = *state;
    assert_log(f, 0, "");
    append(f, "sa=1");
    size_t start = end_of_log(f);
    append(f, "sb=2");
    log_close(f->log);
    f->log = NULL;

    struct buffer bytes = {0};
    char *path = segment(f, 1);
    read_file(path, &bytes);
    bytes.data[start] ^= 1;
    record_put_header(bytes.data + start + RECORD_HEADER_BYTES, "ffffffffffffffffffffffffffffffff",
                      &(struct record){.epoch = 9});
    write_file(path, buffer_bytes(&bytes));
    assert_log(f, 0, "1 sa=1");
    buffer_destroy(&bytes);
    free(path);
}

static void strangers_in_the_directory_are_left_alone(void **state)
{
    struct fixture *f = *state;
    write_text(f->place, "notes.txt", "mine");
    write_text(f->place, "00000000000000000000.log", "");
    write_text(f->place, "99999999999999999999.log", ""); /* no number that we have */
    write_text(f->place, "0000000000000000001.log", "");
    assert_log(f, 0, "");
    append(f, "sa=1");
    assert_log(f, 0, "1 sa=1");
    assert_true(exists(f->place, "notes.txt"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(epochs_that_the_view_has_are_not_replayed),
        TEST(stale_records_behind_the_end_are_no_records),
        TEST(a_torn_tail_is_cut_off_at_every_byte),
        TEST(a_tail_torn_in_its_middle_is_cut_off),
        TEST(a_changed_byte_of_an_earlier_record_is_damage),
        TEST(a_damaged_end_of_a_segment_that_is_not_the_last_is_damage),
        TEST(a_missing_segment_is_damage),
        TEST(a_log_that_ends_before_the_view_is_damage),
        TEST(a_missing_directory_is_damage),
        TEST(records_of_another_directory_prove_nothing),
        TEST(strangers_in_the_directory_are_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
