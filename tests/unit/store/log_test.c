/* log_test.c - the log while it is written: appending, segments, and disks that fail. */
#include "log_fixture.h"

static void an_empty_log_has_no_epoch(void **state)
{
    struct fixture *f = *state;
    assert_log(f, 0, "");
    assert_int_equal(log_epoch(f->log), 0);
    assert_log(f, 0, "");
}

static void what_was_appended_is_replayed_in_order(void **state)
{
    struct fixture *f = *state;
    assert_log(f, 0, "");
    append(f, "sa=1 sb=2");
    append(f, "");
    append(f, "sa=3");
    assert_log(f, 0, "1 sa=1 sb=2; 2; 3 sa=3");
    assert_int_equal(log_epoch(f->log), 3);
}

static void all_parts_of_an_epoch_are_one_record(void **state)
{
    struct fixture *f = *state;
    assert_log(f, 0, "");
    struct delta *parts[] = {delta_of(1, "sa=1"), delta_of(1, ""), delta_of(1, "sb=2 sc=3")};
    uint64_t bytes = 0;
    assert_good(log_append(f->log, 1, parts, 3, &bytes, &f->status), &f->status);
    assert_int_equal(bytes, end_of_log(f));
    for (size_t i = 0; i < 3; i++)
        delta_unref(parts[i]);
    assert_log(f, 0, "1 sa=1 sb=2 sc=3");
}

static void more_parts_than_one_write_takes_are_written(void **state)
{
    struct fixture *f = *state;
    enum { PARTS = 2500 };
    struct delta *parts[PARTS];
    uint64_t bytes;
    f->options.segment_bytes = 64 * 1024;
    assert_log(f, 0, "");
    for (size_t i = 0; i < PARTS; i++)
        parts[i] = delta_of(1, "sa=1");
    assert_good(log_append(f->log, 1, parts, PARTS, &bytes, &f->status), &f->status);
    assert_int_equal(bytes, RECORD_HEADER_BYTES + PARTS * parts[0]->entries.size);
    for (size_t i = 0; i < PARTS; i++)
        delta_unref(parts[i]);
    assert_good(open_log(f, 0), &f->status);
    assert_int_equal(f->taken.size, 1 + PARTS * 5);
}

/* Segments of 4096 bytes; each record here takes more than a third of one. */
static void a_log_goes_on_from_segment_to_segment(void **state)
{
    struct fixture *f = *state;
    assert_log(f, 0, "");
    for (int i = 0; i < 7; i++) {
        append_large(f, "sa", 1500);
        if (i == 3)
            log_prepare(f->log); /* a spare is as good as a new file */
    }
    assert_int_equal(segment_count(f), 4);
    assert_good(open_log(f, 0), &f->status);
    assert_int_equal(log_epoch(f->log), 7);
    append(f, "sb=1");
    assert_log(f, 7, "8 sb=1");
}

static void a_record_larger_than_a_segment_gets_one_of_its_own(void **state)
{
    struct fixture *f = *state;
    assert_log(f, 0, "");
    append_large(f, "sa", 10000); /* the first, empty segment grows */
    log_trim(f->log, 0);
    append(f, "sb=2");
    append_large(f, "sc", 100000);
    log_prepare(f->log);
    append(f, "sd=4");
    assert_log(f, 0, "1 sa=xxxxxxxx; 2 sb=2; 3 sc=xxxxxxxx; 4 sd=4");
}

static void trimming_keeps_what_the_view_lacks(void **state)
{
    struct fixture *f = *state;
    assert_log(f, 0, "");
    for (int i = 0; i < 7; i++)
        append_large(f, "sa", 1500); /* two in each segment */
    log_trim(f->log, 3);
    assert_int_equal(segment_count(f), 3);
    assert_log(f, 3, "4 sa=xxxxxxxx; 5 sa=xxxxxxxx; 6 sa=xxxxxxxx; 7 sa=xxxxxxxx");
    assert_damaged(f, 1, "the log begins with epoch 3, but the view ends with epoch 1");
    assert_good(open_log(f, 7), &f->status);
    log_trim(f->log, 7);
    assert_int_equal(segment_count(f), 1); /* the one that is being written */
    assert_log(f, 7, "");
}

static void trimmed_segments_are_used_again(void **state)
{
    struct fixture *f = *state;
    assert_log(f, 0, "");
    for (int i = 0; i < 3; i++)
        append_large(f, "sa", 3000);
    log_trim(f->log, 2);
    assert_true(exists(f->place, "spare"));
    append_large(f, "sa", 3000);
    assert_false(exists(f->place, "spare"));
    assert_log(f, 2, "3 sa=xxxxxxxx; 4 sa=xxxxxxxx");
}

static void finishing_leaves_one_empty_segment(void **state)
{
    struct fixture *f = *state;
    assert_log(f, 0, "");
    for (int i = 0; i < 5; i++)
        append_large(f, "sa", 3000);
    log_finish(f->log);
    assert_int_equal(segment_count(f), 1);
    assert_log(f, 5, "");
    assert_int_equal(log_epoch(f->log), 5);
    append(f, "sb=1");
    assert_log(f, 5, "6 sb=1");
    assert_damaged(f, 0, "begins with epoch 6, but the view ends with epoch 0");
}

static void a_spare_of_another_size_is_not_used(void **state)
{
    struct fixture *f = *state;
    assert_log(f, 0, "");
    log_prepare(f->log);
    assert_true(exists(f->place, "spare"));
    f->options.segment_bytes = 8192;
    assert_log(f, 0, "");
    assert_false(exists(f->place, "spare"));
    log_prepare(f->log);
    write_text(f->place, "spare.new", "unfinished");
    assert_log(f, 0, "");
    assert_true(exists(f->place, "spare"));
    assert_false(exists(f->place, "spare.new"));
}

/* A disk that is full for a while, at the first, second, ... write of a commit. */
static int writes_left;

static ssize_t write_until_full(int fd, const struct iovec *runs, int count, off_t offset)
{
    if (writes_left-- > 0)
        return pwritev(fd, runs, count > 1 ? 1 : count, offset); /* a part of it only */
    errno = ENOSPC;
    return -1;
}

static void a_commit_on_a_full_disk_can_be_made_again(void **state)
{
    struct fixture *f = *state;
    struct files real = files;
    assert_log(f, 0, "");
    append(f, "sa=1");
    for (int writes = 0; writes < 2; writes++) {
        writes_left = writes;
        files.pwritev = write_until_full;
        assert_false(try_append(f, "sb=2 sc=3"));
        files = real;
        assert_int_equal(f->status.code, SF_FULL);
        assert_mentions(f->status.message, "cannot write: No space left on device");
    }
    assert_int_equal(log_epoch(f->log), 1);
    append_large(f, "sd", 4000); /* what is made instead may differ, and need another segment */
    append(f, "se=3");
    assert_log(f, 0, "1 sa=1; 2 sd=xxxxxxxx; 3 se=3");
}

static int fail_allocation(int fd, int mode, off_t offset, off_t size)
{
    (void)fd, (void)mode, (void)offset, (void)size;
    errno = ENOSPC;
    return -1;
}

static void a_segment_that_cannot_be_made_is_made_later(void **state)
{
    struct fixture *f = *state;
    struct files real = files;
    assert_log(f, 0, "");
    append_large(f, "sa", 3000);
    files.fallocate = fail_allocation;
    log_prepare(f->log);
    assert_false(exists(f->place, "spare"));
    assert_false(exists(f->place, "spare.new"));
    struct delta *delta = delta_new(0, 2, 0);
    char value[2000] = {0};
    delta_put(delta, bytes_of("sb"), bytes_make(value, sizeof value));
    delta_ref(delta);
    assert_false(append_delta(f, delta));
    assert_int_equal(f->status.code, SF_FULL);
    assert_mentions(f->status.message, "cannot allocate: No space left on device");
    files = real;
    assert_good(append_delta(f, delta), &f->status);
    append(f, "sc=3");
    assert_log(f, 0, "1 sa=xxxxxxxx; 2 sb=; 3 sc=3");
}

static int fail_sync(int fd)
{
    (void)fd;
    errno = EIO;
    return -1;
}

static void after_a_failed_sync_nothing_is_committed_any_more(void **state)
{
    struct fixture *f = *state;
    struct files real = files;
    f->options.sync = true;
    assert_log(f, 0, "");
    append(f, "sa=1");
    files.fdatasync = fail_sync;
    assert_false(try_append(f, "sb=2"));
    files = real;
    assert_int_equal(f->status.code, SF_IO);
    assert_mentions(f->status.message, "cannot sync: Input/output error");
    assert_false(try_append(f, "sb=2"));
    assert_int_equal(f->status.code, SF_IO);
    assert_mentions(f->status.message, "an earlier write failed");
    assert_log(f, 0, "1 sa=1; 2 sb=2"); /* the disk decides; here it had written */
}

/* What happens to the disk, in order: w a write, d a sync of data, s of a directory, r a new name.
 */
static char deeds[64];

static void note(char deed)
{
    size_t size = strlen(deeds);
    assert_true(size + 1 < sizeof deeds);
    deeds[size] = deed;
    deeds[size + 1] = '\0';
}

static ssize_t noted_pwritev(int fd, const struct iovec *runs, int count, off_t offset)
{
    note('w');
    return pwritev(fd, runs, count, offset);
}

static int noted_fdatasync(int fd)
{
    note('d');
    return fdatasync(fd);
}

static int noted_fsync(int fd)
{
    note('s');
    return fsync(fd);
}

static int noted_rename(const char *from, const char *to)
{
    note('r');
    return rename(from, to);
}

static void a_commit_is_one_write_and_one_sync(void **state)
{
    struct fixture *f = *state;
    struct files real = files;
    f->options.sync = true;
    assert_log(f, 0, "");
    log_prepare(f->log);
    files.pwritev = noted_pwritev;
    files.fdatasync = noted_fdatasync;
    files.fsync = noted_fsync;
    files.rename = noted_rename;

    *deeds = '\0';
    append(f, "sa=1 sb=2 sc=3");
    assert_string_equal(deeds, "wd");
    *deeds = '\0';
    append_large(f, "sd", 4050); /* the name of the next segment is durable before its record is */
    assert_string_equal(deeds, "rswd");
    *deeds = '\0';
    append_large(f, "se", 4050); /* and so is that of a new file */
    assert_string_equal(deeds, "swd");
    *deeds = '\0';
    assert_log(f, 2, "3 se=xxxxxxxx"); /* what is replayed may have come from a killed process */
    assert_string_equal(deeds, "d");
    files = real;
}

static int refuse_allocation(int fd, int mode, off_t offset, off_t size)
{
    (void)fd, (void)mode, (void)offset, (void)size;
    errno = EOPNOTSUPP;
    return -1;
}

static void a_file_system_that_cannot_allocate_gets_zeros(void **state)
{
    struct fixture *f = *state;
    struct files real = files;
    files.fallocate = refuse_allocation;
    assert_log(f, 0, "");
    for (int i = 0; i < 3; i++)
        append_large(f, "sa", 3000);
    append_large(f, "sb", 100000);
    files = real;
    assert_log(f, 2, "3 sa=xxxxxxxx; 4 sb=xxxxxxxx");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(an_empty_log_has_no_epoch),
        TEST(what_was_appended_is_replayed_in_order),
        TEST(all_parts_of_an_epoch_are_one_record),
        TEST(more_parts_than_one_write_takes_are_written),
        TEST(a_log_goes_on_from_segment_to_segment),
        TEST(a_record_larger_than_a_segment_gets_one_of_its_own),
        TEST(trimming_keeps_what_the_view_lacks),
        TEST(trimmed_segments_are_used_again),
        TEST(finishing_leaves_one_empty_segment),
        TEST(a_spare_of_another_size_is_not_used),
        TEST(a_commit_on_a_full_disk_can_be_made_again),
        TEST(a_segment_that_cannot_be_made_is_made_later),
        TEST(after_a_failed_sync_nothing_is_committed_any_more),
        TEST(a_commit_is_one_write_and_one_sync),
        TEST(a_file_system_that_cannot_allocate_gets_zeros),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
