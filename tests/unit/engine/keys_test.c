/* keys_test.c - the layout of what is stored: fixed for ever, sorted as the engine reads it. */
#include "test.h"

#include "engine/keys.h"
#include "harness/random.h"
#include "memory.h"

static struct buffer key, other;

static int tear_down(void **state)
{
    (void)state;
    buffer_destroy(&key);
    buffer_destroy(&other);
    return 0;
}

static struct key parsed(struct bytes bytes)
{
    struct key result;
    assert_true(key_parse(bytes, &result));
    return result;
}

static void expect_layout(struct bytes built, struct bytes expected)
{
    if (!bytes_equal(built, expected))
        fail_msg("keys of kind %c have changed", expected.data[0]);
}

/* Data directories outlive programs: whoever changes a byte here must bring theirs along. */
static void keys_have_the_bytes_that_are_on_disks(void **state)
{
    (void)state;
    const uint8_t hash[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
    struct bytes address = bytes_of("ADDRESS"), name = bytes_of("seen");
    struct bytes io = bytes_of("a/out");
    expect_layout(key_of_state(&key, 0x0102, address, name), BYTES_LITERAL("s\x01\x02\x00\x07"
                                                                           "ADDRESSseen"));
    expect_layout(key_of_message(&key, 7, address, 0x0102),
                  BYTES_LITERAL("m\x00\x07\x00\x07"
                                "ADDRESS\x00\x00\x00\x00\x00\x00\x01\x02"));
    expect_layout(
        key_of_delayed(&key, 7, 0x0304, 0x0102),
        BYTES_LITERAL("t\x00\x07\x00\x00\x00\x00\x00\x00\x03\x04\x00\x00\x00\x00\x00\x00\x01\x02"));
    expect_layout(
        key_of_idempotency(&key, 7, hash),
        BYTES_LITERAL("i\x00\x07\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10"));
    expect_layout(key_of_position(&key, io, bytes_of("t/12")), BYTES_LITERAL("p\x00\x05"
                                                                             "a/outt/12"));
    expect_layout(key_of_spec(&key, address, name), BYTES_LITERAL("f\x00\x07"
                                                                  "ADDRESSseen"));
    expect_layout(key_of_record(&key, io, 0x0506, 3, 9),
                  BYTES_LITERAL("o\x00\x05"
                                "a/out\x00\x00\x00\x00\x00\x00\x05\x06\x00\x03\x00\x00\x00\x09"));
    expect_layout(key_of_dead_letter(&key, 0x0506, 3, 9),
                  BYTES_LITERAL("d\x00\x00\x00\x00\x00\x00\x05\x06\x00\x03\x00\x00\x00\x09"));
}

static void a_key_is_taken_apart_into_what_it_was_built_of(void **state)
{
    (void)state;
    struct key found = parsed(key_of_state(&key, 65535, bytes_of("address"), bytes_of("seen")));
    assert_int_equal(found.kind, KEY_STATE);
    assert_int_equal(found.partition, 65535);
    assert_bytes(found.subject, "address");
    assert_bytes(found.name, "seen");

    found = parsed(key_of_message(&key, 3, bytes_of(""), UINT64_MAX));
    assert_int_equal(found.kind, KEY_MESSAGE);
    assert_int_equal(found.subject.size, 0);
    assert_int_equal(found.sequence, UINT64_MAX);

    found = parsed(key_of_delayed(&key, 3, 1234567890123, 42));
    assert_int_equal(found.kind, KEY_DELAYED);
    assert_int_equal(found.fire_ms, 1234567890123);
    assert_int_equal(found.sequence, 42);

    const uint8_t hash[16] = "0123456789abcde";
    found = parsed(key_of_idempotency(&key, 3, hash));
    assert_int_equal(found.kind, KEY_IDEMPOTENCY);
    assert_memory_equal(found.hash, hash, 16);

    found = parsed(key_of_position(&key, bytes_of("a/in"), bytes_of("")));
    assert_int_equal(found.kind, KEY_POSITION);
    assert_bytes(found.subject, "a/in");
    assert_int_equal(found.name.size, 0);

    found = parsed(key_of_spec(&key, bytes_of("type"), bytes_of("seen")));
    assert_int_equal(found.kind, KEY_SPEC);
    assert_bytes(found.subject, "type");
    assert_bytes(found.name, "seen");

    found = parsed(key_of_record(&key, bytes_of("a/out"), 77, 65535, UINT32_MAX));
    assert_int_equal(found.kind, KEY_OUTBOX);
    assert_bytes(found.subject, "a/out");
    assert_int_equal(found.epoch, 77);
    assert_int_equal(found.worker, 65535);
    assert_int_equal(found.nth, UINT32_MAX);

    found = parsed(key_of_dead_letter(&key, 77, 1, 2));
    assert_int_equal(found.kind, KEY_DEAD_LETTER);
    assert_int_equal(found.epoch, 77);
    assert_int_equal(found.worker, 1);
    assert_int_equal(found.nth, 2);
}

/* A name is whatever follows, so the kinds that end with one accept more; none accepts less. */
static void what_is_cut_off_or_goes_on_is_no_key(void **state)
{
    (void)state;
    const uint8_t hash[16] = {0};
    struct {
        bool ends_with_name;
        struct bytes bytes;
    } keys[] = {
        {true, copy_exactly(key_of_state(&key, 3, bytes_of("address"), bytes_of("")))},
        {false, copy_exactly(key_of_message(&key, 3, bytes_of("address"), 5))},
        {false, copy_exactly(key_of_delayed(&key, 3, 4, 5))},
        {false, copy_exactly(key_of_idempotency(&key, 3, hash))},
        {true, copy_exactly(key_of_position(&key, bytes_of("a/in"), bytes_of("")))},
        {true, copy_exactly(key_of_spec(&key, bytes_of("type"), bytes_of("")))},
        {false, copy_exactly(key_of_record(&key, bytes_of("a/out"), 1, 2, 3))},
        {false, copy_exactly(key_of_dead_letter(&key, 1, 2, 3))},
    };
    struct key found;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        assert_true(key_parse(keys[i].bytes, &found));
        for (size_t size = 0; size < keys[i].bytes.size; size++) {
            struct bytes copy = copy_exactly(bytes_make(keys[i].bytes.data, size));
            assert_false(key_parse(copy, &found));
            copy_free(copy);
        }
        buffer_clear(&other);
        buffer_add_bytes(&other, keys[i].bytes);
        buffer_add_u8(&other, 'x');
        assert_int_equal(key_parse(buffer_bytes(&other), &found), keys[i].ends_with_name);
        copy_free(keys[i].bytes);
    }
    assert_false(key_parse(bytes_of("x"), &found));
    assert_false(key_parse(bytes_of("S"), &found));
}

/* --- order --- */

static void expect_before(struct bytes first, struct bytes second)
{
    assert_true(bytes_compare(first, second) < 0);
}

static void numbers_in_keys_sort_as_numbers(void **state)
{
    (void)state;
    struct random random = {1};
    for (int i = 0; i < 1000; i++) {
        uint64_t a = random_next(&random) >> random_below(&random, 64);
        uint64_t b = a + 1 + (random_next(&random) >> random_between(&random, 1, 63));
        if (b <= a)
            continue;
        struct bytes address = bytes_of("address");
        expect_before(key_of_message(&key, 3, address, a), key_of_message(&other, 3, address, b));
        expect_before(key_of_delayed(&key, 3, a, b), key_of_delayed(&other, 3, b, a));
        expect_before(key_of_delayed(&key, 3, 5, a), key_of_delayed(&other, 3, 5, b));
        expect_before(key_of_record(&key, address, a, 9, 9),
                      key_of_record(&other, address, b, 0, 0));
        expect_before(key_of_dead_letter(&key, a, 9, 9), key_of_dead_letter(&other, b, 0, 0));
    }
    expect_before(key_of_record(&key, bytes_of("e"), 1, 1, 300),
                  key_of_record(&other, bytes_of("e"), 1, 2, 0));
    expect_before(key_of_record(&key, bytes_of("e"), 1, 1, 255),
                  key_of_record(&other, bytes_of("e"), 1, 1, 256));
    expect_before(key_of_delayed(&key, 255, UINT64_MAX, 0), key_of_delayed(&other, 256, 0, 0));
}

/* The messages of one address are a range: no key of another stands between them. */
static void the_messages_of_an_address_are_neighbours(void **state)
{
    (void)state;
    struct bytes shorter = bytes_of("abc"), longer = bytes_of("abcd");
    struct buffer last = {0};
    (void)key_of_message(&last, 3, shorter, UINT64_MAX);
    expect_before(key_of_message(&key, 3, shorter, 0), buffer_bytes(&last));
    expect_before(buffer_bytes(&last), key_of_message(&other, 3, longer, 0));
    expect_before(buffer_bytes(&last), key_of_message(&other, 4, shorter, 0));
    buffer_destroy(&last);
}

static void an_outbox_is_a_range_by_epoch(void **state)
{
    (void)state;
    struct bytes egress = bytes_of("a/out");
    struct buffer end = {0};
    (void)key_of_outbox(&end, egress, 8);
    expect_before(key_of_outbox(&key, egress, 0), key_of_record(&other, egress, 0, 0, 0));
    expect_before(key_of_record(&key, egress, 7, 65535, UINT32_MAX), buffer_bytes(&end));
    expect_before(buffer_bytes(&end), key_of_record(&key, egress, 8, 0, 0));
    expect_before(key_of_record(&key, egress, UINT64_MAX, 0, 0),
                  key_of_outbox(&other, bytes_of("a/outer"), 0));
    buffer_destroy(&end);
}

/* --- expiry --- */

static bool is_expired(struct bytes stored_key, uint64_t deadline, uint64_t now_ms)
{
    uint8_t value[16] = {0};
    u64_put(value, deadline);
    return stored_is_expired(stored_key, bytes_make(value, sizeof value), now_ms);
}

static void a_value_is_expired_from_its_deadline_on(void **state)
{
    (void)state;
    const uint8_t hash[16] = {0};
    struct bytes keys[] = {key_of_state(&key, 3, bytes_of("address"), bytes_of("seen")),
                           key_of_idempotency(&other, 3, hash)};
    for (size_t i = 0; i < 2; i++) {
        assert_false(is_expired(keys[i], 1000, 999));
        assert_true(is_expired(keys[i], 1000, 1000));
        assert_true(is_expired(keys[i], 1000, UINT64_MAX));
        assert_false(is_expired(keys[i], 0, UINT64_MAX)); /* never */
    }
}

static void what_has_no_deadline_is_never_expired(void **state)
{
    (void)state;
    assert_false(is_expired(key_of_message(&key, 3, bytes_of("a"), 1), 1, UINT64_MAX));
    assert_false(is_expired(key_of_delayed(&key, 3, 1, 1), 1, UINT64_MAX));
    assert_false(is_expired(key_of_position(&key, bytes_of("a"), bytes_of("b")), 1, UINT64_MAX));
    assert_false(is_expired(key_of_spec(&key, bytes_of("a"), bytes_of("b")), 1, UINT64_MAX));
    assert_false(is_expired(key_of_record(&key, bytes_of("a"), 1, 1, 1), 1, UINT64_MAX));
    assert_false(is_expired(key_of_dead_letter(&key, 1, 1, 1), 1, UINT64_MAX));
    assert_false(is_expired((struct bytes){0}, 1, UINT64_MAX));
    struct bytes state_key = key_of_state(&key, 3, bytes_of("a"), bytes_of("b"));
    assert_false(stored_is_expired(state_key, BYTES_LITERAL("\0\0\0\0\0\0\1"), UINT64_MAX));
}

/* --- values --- */

static void a_stored_delayed_message_is_read_back(void **state)
{
    (void)state;
    struct stored_delayed found;
    for (int with_token = 0; with_token < 2; with_token++) {
        buffer_clear(&key);
        stored_delayed_add(&key, &(struct stored_delayed){.target = bytes_of("target"),
                                                          .body = bytes_of("body"),
                                                          .token = with_token ? bytes_of("token")
                                                                              : (struct bytes){0}});
        assert_true(stored_delayed_parse(buffer_bytes(&key), &found));
        assert_bytes(found.target, "target");
        assert_bytes(found.body, "body");
        assert_bytes(found.token, with_token ? "token" : "");
        assert_false(stored_delayed_parse(bytes_make(key.data, key.size - 1), &found));
    }
}

static void a_stored_spec_is_read_back(void **state)
{
    (void)state;
    struct state_spec found;
    stored_spec_add(&key, &(struct state_spec){.name = bytes_of("not part of it"),
                                               .type = bytes_of("a/int"),
                                               .mode = EXPIRE_AFTER_INVOKE,
                                               .expire_after_ms = INT64_MAX});
    assert_true(stored_spec_parse(buffer_bytes(&key), &found));
    assert_int_equal(found.name.size, 0);
    assert_bytes(found.type, "a/int");
    assert_int_equal(found.mode, EXPIRE_AFTER_INVOKE);
    assert_int_equal(found.expire_after_ms, INT64_MAX);
    assert_false(stored_spec_parse(BYTES_LITERAL("\x10\x03"), &found));
    assert_false(stored_spec_parse(BYTES_LITERAL("\x0a\x09"), &found));
}

static void a_dead_letter_is_read_back(void **state)
{
    (void)state;
    struct dead_letter found;
    dead_letter_add(&key, &(struct dead_letter){.cause = bytes_of("cause"),
                                                .origin = bytes_of("origin"),
                                                .target = bytes_of("target"),
                                                .egress = bytes_of("egress"),
                                                .key = BYTES_LITERAL("\xff"),
                                                .value = bytes_of("value"),
                                                .kind = DEAD_UNDELIVERABLE,
                                                .ingress = bytes_of("ingress"),
                                                .address = bytes_of("address"),
                                                .caller = bytes_of("caller"),
                                                .type = bytes_of("type"),
                                                .headers = bytes_of("headers"),
                                                .time_ms = UINT64_MAX});
    assert_true(dead_letter_parse(buffer_bytes(&key), &found));
    assert_bytes(found.cause, "cause");
    assert_bytes(found.origin, "origin");
    assert_bytes(found.target, "target");
    assert_bytes(found.egress, "egress");
    assert_int_equal(found.kind, DEAD_UNDELIVERABLE);
    assert_bytes(found.ingress, "ingress");
    assert_bytes(found.address, "address");
    assert_bytes(found.caller, "caller");
    assert_bytes(found.type, "type");
    assert_bytes(found.headers, "headers");
    assert_bytes(found.key, "\xff");
    assert_bytes(found.value, "value");
    assert_int_equal(found.time_ms, UINT64_MAX);
    assert_false(dead_letter_parse(bytes_make(key.data, key.size - 1), &found));
}

#define TEST(name) cmocka_unit_test_teardown(name, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(keys_have_the_bytes_that_are_on_disks),
        TEST(a_key_is_taken_apart_into_what_it_was_built_of),
        TEST(what_is_cut_off_or_goes_on_is_no_key),
        TEST(numbers_in_keys_sort_as_numbers),
        TEST(the_messages_of_an_address_are_neighbours),
        TEST(an_outbox_is_a_range_by_epoch),
        TEST(a_value_is_expired_from_its_deadline_on),
        TEST(what_has_no_deadline_is_never_expired),
        TEST(a_stored_delayed_message_is_read_back),
        TEST(a_stored_spec_is_read_back),
        TEST(a_dead_letter_is_read_back),
    };
    return cmocka_run_group_tests_name("keys", tests, NULL, NULL);
}
