#include "test.h"

#include "ingress/kinesis_ingress.h"

static void a_stored_position_is_read(void **state)
{
    (void)state;
    struct kinesis_position position;
    struct sf_status status;
    assert_good(kinesis_position_parse(bytes_of("a.stream/shardId-000000000007"), bytes_of("A4711"),
                                       &position, &status),
                &status);
    assert_string_equal(position.stream, "a.stream");
    assert_string_equal(position.shard, "shardId-000000000007");
    assert_string_equal(position.text, "A4711");
    free(position.stream);
    free(position.text);
}

static void what_is_no_position_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *name, *value;
    } cases[] = {{"stream", "H"}, {"", "H"}, {"stream/shard", ""}, {"stream/shard", "X1"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct kinesis_position position;
        struct sf_status status = {0};
        assert_false(kinesis_position_parse(bytes_of(cases[i].name), bytes_of(cases[i].value),
                                            &position, &status));
        assert_int_equal(status.code, SF_CORRUPT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stored_position_is_read),
        cmocka_unit_test(what_is_no_position_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
