/* bundle_test.c - bundles and their answers, on both sides. */
#include "test.h"

#include "wire/bundle.h"
#include "wire/protobuf.h"

#define BYTES_LITERAL(text) bytes_make((text), sizeof(text) - 1)

static struct fixture {
    struct arena arena;
    struct buffer out;
    struct sf_status status;
} fixture;

static int tear_down(void **state)
{
    (void)state;
    arena_destroy(&fixture.arena);
    buffer_destroy(&fixture.out);
    fixture = (struct fixture){0};
    return 0;
}

static void add_item(struct buffer *bundle, const struct to_function *request)
{
    size_t size = bundle_item_size(request);
    uint8_t *at = buffer_reserve(bundle, size);
    assert_ptr_equal(bundle_item_put(at, request), at + size);
    bundle->size += size;
}

static const struct to_function request = {.target = {(const uint8_t *)"\x12\x01"
                                                                       "f",
                                                      3}};

static void a_bundle_has_every_byte_in_its_place(void **state)
{
    struct fixture *f = &fixture;
    struct to_function second = request;
    (void)state;
    second.version = 300;
    add_item(&f->out, &request);
    add_item(&f->out, &second);
    static const char expected[] = "\x0a\x0a\x0a\x08\xa2\x06\x05\x0a\x03\x12\x01"
                                   "f"
                                   "\x0a\x0d\x0a\x08\xa2\x06\x05\x0a\x03\x12\x01"
                                   "f\x10\xac\x02";
    assert_int_equal(f->out.size, sizeof expected - 1);
    assert_memory_equal(f->out.data, expected, sizeof expected - 1);

    struct bundle_item *items;
    size_t count;
    assert_good(bundle_parse(buffer_bytes(&f->out), &f->arena, &items, &count, &f->status),
                &f->status);
    assert_int_equal(count, 2);
    assert_int_equal(items[0].version, 0);
    assert_int_equal(items[1].version, 300);
    struct to_function read;
    assert_good(to_function_parse(items[1].request, &f->arena, &read, &f->status), &f->status);
}

static void refuse_bundle(struct bytes bundle, const char *part)
{
    struct fixture *f = &fixture;
    struct bundle_item *items;
    size_t count;
    assert_false(bundle_parse(bundle, &f->arena, &items, &count, &f->status));
    assert_int_equal(f->status.code, SF_INVALID);
    assert_mentions(f->status.message, part);
}

static void what_is_no_bundle_is_refused(void **state)
{
    (void)state;
    refuse_bundle((struct bytes){0}, "no bundle of invocations");
    refuse_bundle(BYTES_LITERAL("\xa2\x06\x00"), "no bundle of invocations"); /* a ToFunction */
    refuse_bundle(BYTES_LITERAL("\x0a\x05"), "no bundle of invocations");
    refuse_bundle(BYTES_LITERAL("\x0a\x00\x0a\x01\xff"), "item 1 of the bundle is not valid");
    for (size_t i = 0; i <= BUNDLE_ITEMS_MAX; i++)
        buffer_add(&fixture.out, "\x0a\x00", 2);
    refuse_bundle(buffer_bytes(&fixture.out), "1025 invocations, the most is 1024");
}

static void an_answer_has_a_result_for_each_item_in_any_order(void **state)
{
    struct fixture *f = &fixture;
    struct bundle_result results[3];
    uint64_t took_us;
    (void)state;
    bundle_failure_add(&f->out, 2, 500, bytes_of("no"));
    bundle_reply_add(&f->out, 0, &(struct from_function){.version = 9});
    bundle_time_add(&f->out, 70);
    bundle_failure_add(&f->out, 1, BUNDLE_STATUS_UNKNOWN, (struct bytes){0});
    assert_good(bundle_answer_parse(buffer_bytes(&f->out), 3, results, &took_us, &f->status),
                &f->status);
    assert_int_equal(took_us, 70);
    assert_int_equal(results[0].status, 200);
    assert_int_equal(results[0].version, 9);
    assert_true(bytes_equal(results[0].body, BYTES_LITERAL("\xa2\x06\x00")));
    assert_int_equal(results[1].status, BUNDLE_STATUS_UNKNOWN);
    assert_int_equal(results[2].status, 500);
    assert_bytes(results[2].body, "no");
}

static void refuse_answer(struct bytes answer, size_t count, const char *part)
{
    struct fixture *f = &fixture;
    struct bundle_result results[3];
    uint64_t took_us;
    assert_false(bundle_answer_parse(answer, count, results, &took_us, &f->status));
    assert_int_equal(f->status.code, SF_INVALID);
    assert_mentions(f->status.message, part);
}

static void an_answer_that_does_not_fit_its_bundle_is_refused(void **state)
{
    struct fixture *f = &fixture;
    (void)state;
    refuse_answer((struct bytes){0}, 1, "0 results for 1 invocations");
    refuse_answer(BYTES_LITERAL("\xa2\x06\x00"), 1, "0 results"); /* a FromFunction */
    refuse_answer(BYTES_LITERAL("\xff"), 1, "not valid protobuf");
    refuse_answer(BYTES_LITERAL("\x0a\x01\xff"), 1, "a result is not valid protobuf");
    refuse_answer(BYTES_LITERAL("\x0a\x00"), 1, "status 0, expected 200 to 599");
    refuse_answer(BYTES_LITERAL("\x0a\x03\x10\xd8\x04"), 1, "status 600, expected 200 to 599");
    bundle_failure_add(&f->out, 1, 500, (struct bytes){0});
    refuse_answer(buffer_bytes(&f->out), 2, "1 results for 2 invocations");
    refuse_answer(buffer_bytes(&f->out), 1, "number 1 of 1");
    bundle_failure_add(&f->out, 1, 500, (struct bytes){0});
    refuse_answer(buffer_bytes(&f->out), 2, "two results with number 1");
}

int main(void)
{
#define TEST(test) cmocka_unit_test_teardown(test, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_bundle_has_every_byte_in_its_place),
        TEST(what_is_no_bundle_is_refused),
        TEST(an_answer_has_a_result_for_each_item_in_any_order),
        TEST(an_answer_that_does_not_fit_its_bundle_is_refused),
    };
    return cmocka_run_group_tests_name("bundle", tests, NULL, NULL);
}
