/* kafka_start_test.c - where a partition begins, what is stored of it, and how memory is shared. */
#include "ingress/kafka_inside.h"

#include "test.h"

static struct kafka_offset_spec offsets[] = {{"a", 1, 70}, {"b", 1, 80}};

static struct kafka_start_point point_of(enum kafka_start start, struct kafka_position *stored,
                                         size_t count, int32_t partition, bool is_late)
{
    const struct kafka_ingress_spec spec = {
        .start = start, .offsets = offsets, .offset_count = 2, .start_date_ms = 5};
    return kafka_start_point_of(&(struct kafka_ingress_options){.spec = &spec,
                                                                .positions = stored,
                                                                .position_count = count},
                                "a", partition, is_late);
}

static void expect_begin(struct kafka_start_point point, enum kafka_begin begin, int64_t offset)
{
    assert_int_equal(point.begin, begin);
    assert_int_equal(point.offset, offset);
}

static void without_anything_stored_it_begins_as_module_yaml_says(void **state)
{
    (void)state;
    expect_begin(point_of(KAFKA_START_EARLIEST, NULL, 0, 1, false), KAFKA_BEGIN_EARLIEST, 0);
    expect_begin(point_of(KAFKA_START_LATEST, NULL, 0, 1, false), KAFKA_BEGIN_LATEST, 0);
    expect_begin(point_of(KAFKA_START_GROUP_OFFSETS, NULL, 0, 1, false), KAFKA_BEGIN_GROUP, 0);
    expect_begin(point_of(KAFKA_START_DATE, NULL, 0, 1, false), KAFKA_BEGIN_DATE, 0);
    expect_begin(point_of(KAFKA_START_SPECIFIC_OFFSETS, NULL, 0, 1, false), KAFKA_BEGIN_AT, 70);
}

static void a_partition_without_a_specific_offset_begins_with_the_groups(void **state)
{
    (void)state;
    expect_begin(point_of(KAFKA_START_SPECIFIC_OFFSETS, NULL, 0, 0, false), KAFKA_BEGIN_GROUP, 0);
}

static void what_is_stored_wins(void **state)
{
    (void)state;
    struct kafka_position stored[] = {{"b", 1, 9}, {"a", 2, 8}, {"a", 1, 7}};
    expect_begin(point_of(KAFKA_START_SPECIFIC_OFFSETS, stored, 3, 1, true), KAFKA_BEGIN_AT, 7);
    expect_begin(point_of(KAFKA_START_LATEST, stored, 3, 2, false), KAFKA_BEGIN_AT, 8);
}

static void a_partition_that_came_later_begins_with_its_earliest_record(void **state)
{
    (void)state;
    struct kafka_position stored[] = {{"a", 2, 8}};
    expect_begin(point_of(KAFKA_START_LATEST, NULL, 0, 3, true), KAFKA_BEGIN_EARLIEST, 0);
    expect_begin(point_of(KAFKA_START_LATEST, stored, 1, 3, false), KAFKA_BEGIN_EARLIEST, 0);
}

static void a_topic_that_came_later_begins_with_its_earliest_records(void **state)
{
    (void)state;
    struct kafka_position stored[] = {{"b", 5, 8}};
    expect_begin(point_of(KAFKA_START_LATEST, stored, 1, 1, false), KAFKA_BEGIN_EARLIEST, 0);
}

/* The run before ended between the first partition's begin and this one's. */
static void a_partition_below_a_stored_one_was_there_from_the_first(void **state)
{
    (void)state;
    struct kafka_position stored[] = {{"a", 2, 8}};
    expect_begin(point_of(KAFKA_START_LATEST, stored, 1, 0, false), KAFKA_BEGIN_LATEST, 0);
    expect_begin(point_of(KAFKA_START_SPECIFIC_OFFSETS, stored, 1, 1, false), KAFKA_BEGIN_AT, 70);
}

static void a_date_before_1970_means_the_earliest_record(void **state)
{
    (void)state;
    const struct kafka_ingress_spec spec = {.start = KAFKA_START_DATE, .start_date_ms = -1};
    expect_begin(
        kafka_start_point_of(&(struct kafka_ingress_options){.spec = &spec}, "a", 0, false),
        KAFKA_BEGIN_EARLIEST, 0);
}

/* --- stored positions --- */

static void a_stored_position_is_read_back(void **state)
{
    (void)state;
    uint8_t value[8];
    struct kafka_position position;
    struct sf_status status;
    u64_put(value, 1234567890123);
    assert_good(
        kafka_position_parse(bytes_of("my.topic_1/17"), bytes_make(value, 8), &position, &status),
        &status);
    assert_string_equal(position.topic, "my.topic_1");
    assert_int_equal(position.partition, 17);
    assert_int_equal(position.offset, 1234567890123);
    free(position.topic);
}

static void what_is_no_position_is_refused(void **state)
{
    (void)state;
    static const uint8_t good[8] = {0, 0, 0, 0, 0, 0, 0, 1}, negative[8] = {0xff};
    static const struct {
        struct bytes name;
        struct bytes value;
    } cases[] = {
        {{(const uint8_t *)"topic", 5}, {good, 8}},
        {{(const uint8_t *)"topic/", 6}, {good, 8}},
        {{(const uint8_t *)"topic/x", 7}, {good, 8}},
        {{(const uint8_t *)"/1", 2}, {good, 8}},
        {{(const uint8_t *)"topic/1\0", 8}, {good, 8}},
        {{NULL, 0}, {good, 8}},
        {{(const uint8_t *)"topic/1", 7}, {good, 7}},
        {{(const uint8_t *)"topic/1", 7}, {NULL, 0}},
        {{(const uint8_t *)"topic/1", 7}, {negative, 8}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct kafka_position position;
        struct sf_status status;
        assert_false(kafka_position_parse(cases[i].name, cases[i].value, &position, &status));
        assert_int_equal(status.code, SF_CORRUPT);
    }
}

/* --- memory --- */

static void memory_is_shared_by_the_partitions(void **state)
{
    (void)state;
    struct kafka_budget budget = kafka_budget_for(64 << 20, 32);
    assert_int_equal(budget.queued_kbytes, 1024);
    assert_int_equal(budget.partition_fetch_bytes, 1 << 20);
    assert_int_equal(budget.queued_messages, 2048);
    assert_int_equal(budget.fetch_bytes, 32 << 20);
}

static void every_partition_can_make_progress_however_little_there_is(void **state)
{
    (void)state;
    struct kafka_budget budget = kafka_budget_for(0, 0);
    assert_true(budget.queued_kbytes > 0 && budget.queued_messages > 0);
    assert_true(budget.partition_fetch_bytes > 0 && budget.fetch_bytes >= 1 << 20);
    budget = kafka_budget_for(SIZE_MAX, 1);
    assert_int_equal(budget.queued_kbytes, 65536); /* librdkafka's own defaults are the most */
    assert_int_equal(budget.queued_messages, 100000);
    assert_int_equal(budget.fetch_bytes, 52428800);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_anything_stored_it_begins_as_module_yaml_says),
        cmocka_unit_test(a_partition_without_a_specific_offset_begins_with_the_groups),
        cmocka_unit_test(what_is_stored_wins),
        cmocka_unit_test(a_partition_that_came_later_begins_with_its_earliest_record),
        cmocka_unit_test(a_topic_that_came_later_begins_with_its_earliest_records),
        cmocka_unit_test(a_partition_below_a_stored_one_was_there_from_the_first),
        cmocka_unit_test(a_date_before_1970_means_the_earliest_record),
        cmocka_unit_test(a_stored_position_is_read_back),
        cmocka_unit_test(what_is_no_position_is_refused),
        cmocka_unit_test(memory_is_shared_by_the_partitions),
        cmocka_unit_test(every_partition_can_make_progress_however_little_there_is),
    };
    return cmocka_run_group_tests_name("kafka start", tests, NULL, NULL);
}
