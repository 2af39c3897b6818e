/* value_test.c - C objects to the bytes of StateFun's types and back. */
#include "sdk/calling.h"

#include <math.h>

static struct sf_encoded encode(struct calling *c, struct sf_value value)
{
    struct sf_encoded encoded;
    assert_good(value_encode((struct value_memory){calling_alloc, c}, &value, &encoded, &c->status),
                &c->status);
    return encoded;
}

static void expect_bytes(struct sf_bytes found, const void *expected, size_t size)
{
    assert_int_equal(found.size, size);
    if (size)
        assert_memory_equal(found.data, expected, size);
}

#define EXPECT_BYTES(found, text) expect_bytes((found), (text), sizeof(text) - 1)

static void built_in_values_are_wrapper_messages(void **state)
{
    struct calling *c = *state;
    EXPECT_BYTES(encode(c, sf_int(-2)).value, "\x0d\xfe\xff\xff\xff");
    EXPECT_BYTES(encode(c, sf_long(258)).value, "\x09\x02\x01\0\0\0\0\0\0");
    EXPECT_BYTES(encode(c, sf_bool(true)).value, "\x08\x01");
    EXPECT_BYTES(encode(c, sf_float(1)).value, "\x0d\0\0\x80\x3f");
    EXPECT_BYTES(encode(c, sf_double(1)).value, "\x09\0\0\0\0\0\0\xf0\x3f");
    EXPECT_BYTES(encode(c, sf_string("ab")).value, "\x0a\x02"
                                                   "ab");
    assert_bytes(bytes_from_sf(encode(c, sf_float(1)).type), "io.statefun.types/float");
}

static void a_zero_has_no_bytes(void **state)
{
    struct calling *c = *state;
    EXPECT_BYTES(encode(c, sf_int(0)).value, "");
    EXPECT_BYTES(encode(c, sf_bool(false)).value, "");
    EXPECT_BYTES(encode(c, sf_string("")).value, "");
    EXPECT_BYTES(encode(c, sf_double(0)).value, "");
    assert_int_equal(encode(c, sf_double(-0.0)).value.size, 9); /* which is another number */
}

/* Each is read from a message, as functions do it. */
static bool read_all(struct sf_context *context, const struct sf_message *message)
{
    int32_t as_int;
    int64_t as_long;
    bool as_bool;
    float as_float;
    double as_double;
    const char *text;
    if (sf_is(message, &sf_int_type)) {
        assert_true(sf_read(context, message, &sf_int_type, &as_int));
        assert_int_equal(as_int, INT32_MIN);
    } else if (sf_is(message, &sf_long_type)) {
        assert_true(sf_read(context, message, &sf_long_type, &as_long));
        assert_true(as_long == INT64_MIN);
    } else if (sf_is(message, &sf_bool_type)) {
        assert_true(sf_read(context, message, &sf_bool_type, &as_bool));
        assert_true(as_bool);
    } else if (sf_is(message, &sf_float_type)) {
        assert_true(sf_read(context, message, &sf_float_type, &as_float));
        assert_true(as_float == 0.1f);
    } else if (sf_is(message, &sf_double_type)) {
        assert_true(sf_read(context, message, &sf_double_type, &as_double));
        assert_true(isnan(as_double));
    } else {
        assert_true(sf_read(context, message, &sf_string_type, &text));
        assert_string_equal(text, "J\xc3\xb6rg");
    }
    return true;
}

static void every_built_in_type_is_read_back(void **state)
{
    struct calling *c = *state;
    say(c, sf_int(INT32_MIN));
    say(c, sf_long(INT64_MIN));
    say(c, sf_bool(true));
    say(c, sf_float(0.1f));
    say(c, sf_double(NAN));
    say(c, sf_string("J\xc3\xb6rg"));
    assert_runs(c, read_all);
}

static const struct sf_type ORDER = SF_TEXT_TYPE("shop/order");
static const struct sf_type DEPOSIT = {.name = "bank/deposit", .repr = SF_REPR_LONG};

static void text_of_a_type_of_ones_own_is_bytes_as_they_are(void **state)
{
    struct calling *c = *state;
    struct sf_encoded encoded = encode(c, sf_as(&ORDER, sf_string("3 apples")));
    EXPECT_BYTES(encoded.value, "3 apples");
    assert_bytes(bytes_from_sf(encoded.type), "shop/order");
    EXPECT_BYTES(encode(c, sf_as(&DEPOSIT, sf_long(258))).value, "\x09\x02\x01\0\0\0\0\0\0");
    struct sf_value broken = sf_as(&ORDER, sf_string("\xff")),
                    unset = sf_as(&ORDER, sf_string(NULL));
    assert_false(
        value_encode((struct value_memory){calling_alloc, c}, &broken, &encoded, &c->status));
    assert_false(
        value_encode((struct value_memory){calling_alloc, c}, &unset, &encoded, &c->status));
}

static bool read_order(struct sf_context *context, const struct sf_message *message)
{
    const char *text = "nothing";
    int64_t number = 7;
    assert_false(sf_try_read(context, message, &DEPOSIT, &number));
    assert_int_equal(number, 7);
    if (sf_try_read(context, message, &ORDER, &text))
        assert_string_equal(text, "3 apples");
    else
        assert_string_equal(text, "nothing"); /* it was no text */
    return true;
}

static void what_may_be_nonsense_can_be_tried(void **state)
{
    struct calling *c = *state;
    say(c, sf_as(&ORDER, sf_string("3 apples")));
    say(c, sf_raw("shop/order", "\xff", 1));
    say(c, sf_int(3));
    assert_runs(c, read_order);
}

static bool write_pair(const struct sf_type *type, const void *object, struct sf_writer *writer,
                       struct sf_status *status)
{
    const int *pair = object;
    (void)type, (void)status;
    sf_write_format(writer, "%d and %d", pair[0], pair[1]);
    sf_write_format(writer, "%s", "");
    sf_write(writer, "!", 1);
    return true;
}

static void an_encoder_may_write_as_printf_does(void **state)
{
    static const struct sf_type pair_type = {
        .name = "test/pair", .repr = SF_REPR_OBJECT, .encode = write_pair};
    static const int pair[] = {1, -2};
    struct calling *c = *state;
    EXPECT_BYTES(encode(c, sf_object(&pair_type, pair)).value, "1 and -2!");
}

static bool read_int(struct sf_context *context, const struct sf_message *message)
{
    int32_t number;
    return sf_read(context, message, &sf_int_type, &number);
}

static void a_value_is_not_read_as_another_type(void **state)
{
    struct calling *c = *state;
    say(c, sf_long(5));
    assert_fails(c, read_int,
                 "a value of type 'io.statefun.types/long' is read as 'io.statefun.types/int'");
}

static void bytes_that_are_no_value_of_their_type_are_refused(void **state)
{
    struct calling *c = *state;
    say(c, sf_raw("io.statefun.types/int", "\x0d\x01", 2));
    assert_fails(c, read_int, "2 bytes are no value of type io.statefun.types/int");
}

static bool read_empty(struct sf_context *context, const struct sf_message *message)
{
    int32_t number = 7;
    assert_null(sf_message_value(message).type);
    assert_null(sf_message_value(message).raw_type);
    assert_false(sf_read(context, message, &sf_int_type, &number));
    assert_int_equal(number, 7);
    return true;
}

static void a_message_without_a_value_cannot_be_read(void **state)
{
    struct calling *c = *state;
    add_message(c, (struct bytes){0},
                calling_typed(c, &(struct typed_value){.type = bytes_of(sf_int_type.name)}));
    assert_fails(c, read_empty, "a message of type 'io.statefun.types/int' has no value");
}

static void refuse(struct calling *c, struct sf_value value, const char *part)
{
    struct sf_encoded encoded;
    struct sf_bytes plain;
    struct value_memory memory = {calling_alloc, c};
    assert_false(value_encode(memory, &value, &encoded, &c->status));
    assert_int_equal(c->status.code, SF_INVALID);
    assert_mentions(c->status.message, part);
    if (!strstr(part, "namespace/name")) {
        assert_false(value_encode_plain(memory, value, &plain, &c->status));
        assert_mentions(c->status.message, part);
    }
}

static const struct sf_type HOLLOW = {.name = "example/hollow", .repr = SF_REPR_OBJECT};

static void values_that_make_no_sense_are_refused(void **state)
{
    struct calling *c = *state;
    static const struct sf_type nameless = SF_BYTES_TYPE("noslash"), edge = SF_BYTES_TYPE("a/"),
                                latin = SF_BYTES_TYPE("a/\xfc");
    refuse(c, (struct sf_value){0}, "not set");
    refuse(c, sf_string(NULL), "not set");
    refuse(c, sf_string("\xff"), "not UTF-8");
    refuse(c, sf_object(&HOLLOW, ""), "example/hollow has no encode");
    refuse(c, sf_bytes(&nameless, "", 0), "'noslash': expected namespace/name");
    refuse(c, sf_bytes(&edge, "", 0), "'a/': expected namespace/name");
    refuse(c, sf_bytes(&latin, "", 0), "expected namespace/name");
    refuse(c, sf_raw("", "", 0), "'': expected namespace/name");
}

/* --- a type of one's own --- */

struct point {
    uint8_t x, y;
};

static bool encode_point(const struct sf_type *type, const void *object, struct sf_writer *writer,
                         struct sf_status *status)
{
    const struct point *point = object;
    if (point->x > 99)
        return sf_fail(status, SF_INVALID, "x is %d", point->x);
    assert_string_equal(type->user, "points");
    sf_write(writer, &point->x, 1);
    *(uint8_t *)sf_write_space(writer, 1) = point->y;
    return true;
}

static bool decode_point(const struct sf_type *type, struct sf_bytes bytes,
                         struct sf_context *context, void *ret_object, struct sf_status *status)
{
    const uint8_t *data = bytes.data;
    struct point **ret_point = ret_object;
    (void)type;
    if (bytes.size != 2)
        return sf_fail(status, SF_INVALID, "a point has 2 bytes");
    *ret_point = sf_alloc(context, sizeof **ret_point);
    **ret_point = (struct point){data[0], data[1]};
    return true;
}

static const struct sf_type POINT = {.name = "example/point",
                                     .repr = SF_REPR_OBJECT,
                                     .encode = encode_point,
                                     .decode = decode_point,
                                     .user = "points"};

static bool read_point(struct sf_context *context, const struct sf_message *message)
{
    struct point *point;
    if (!sf_read(context, message, &POINT, &point))
        return true; /* which does not help */
    assert_int_equal(point->x * 100 + point->y, 305);
    return true;
}

static void a_type_of_ones_own_encodes_and_decodes_itself(void **state)
{
    struct calling *c = *state;
    say(c, sf_object(&POINT, &(struct point){3, 5}));
    assert_runs(c, read_point);
}

static void what_it_refuses_is_said_with_its_name(void **state)
{
    struct calling *c = *state;
    refuse(c, sf_object(&POINT, &(struct point){100, 5}),
           "encoding a value of type example/point: x is 100");
    say(c, sf_raw("example/point", "123", 3));
    assert_fails(c, read_point, "decoding 3 bytes of type example/point: a point has 2 bytes");
}

static bool encode_much(const struct sf_type *type, const void *object, struct sf_writer *writer,
                        struct sf_status *status)
{
    (void)type, (void)status;
    for (int i = 0; i < *(const int *)object; i++)
        sf_write(writer, &i, sizeof i);
    sf_write(writer, NULL, 0);
    return true;
}

static void a_writer_grows(void **state)
{
    struct calling *c = *state;
    static const struct sf_type much = {
        .name = "example/much", .repr = SF_REPR_OBJECT, .encode = encode_much};
    int count = 10000;
    struct sf_bytes bytes = encode(c, sf_object(&much, &count)).value;
    assert_int_equal(bytes.size, (size_t)count * sizeof count);
    for (int i = 0; i < count; i++)
        assert_memory_equal((const char *)bytes.data + (size_t)i * sizeof i, &i, sizeof i);
}

/* --- for the outside --- */

static void plain_numbers_are_big_endian_and_text_is_bare(void **state)
{
    struct calling *c = *state;
    struct value_memory memory = {calling_alloc, c};
    struct sf_bytes bytes;
#define EXPECT_PLAIN(value, text)                                                                  \
    assert_good(value_encode_plain(memory, (value), &bytes, &c->status), &c->status);              \
    EXPECT_BYTES(bytes, text)
    EXPECT_PLAIN(sf_int(-2), "\xff\xff\xff\xfe");
    EXPECT_PLAIN(sf_int(0), "\0\0\0\0");
    EXPECT_PLAIN(sf_long(258), "\0\0\0\0\0\0\x01\x02");
    EXPECT_PLAIN(sf_bool(true), "\x01");
    EXPECT_PLAIN(sf_float(1), "\x3f\x80\0\0");
    EXPECT_PLAIN(sf_double(1), "\x3f\xf0\0\0\0\0\0\0");
    EXPECT_PLAIN(sf_string("ab"), "ab");
    EXPECT_PLAIN(sf_object(&POINT, &(struct point){3, 5}), "\x03\x05");
    EXPECT_PLAIN(sf_raw("whatever", "a\0b", 3), "a\0b");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(built_in_values_are_wrapper_messages),
        TEST(a_zero_has_no_bytes),
        TEST(every_built_in_type_is_read_back),
        TEST(text_of_a_type_of_ones_own_is_bytes_as_they_are),
        TEST(what_may_be_nonsense_can_be_tried),
        TEST(an_encoder_may_write_as_printf_does),
        TEST(a_value_is_not_read_as_another_type),
        TEST(bytes_that_are_no_value_of_their_type_are_refused),
        TEST(a_message_without_a_value_cannot_be_read),
        TEST(values_that_make_no_sense_are_refused),
        TEST(a_type_of_ones_own_encodes_and_decodes_itself),
        TEST(what_it_refuses_is_said_with_its_name),
        TEST(a_writer_grows),
        TEST(plain_numbers_are_big_endian_and_text_is_bare),
    };
    return cmocka_run_group_tests_name("value", tests, NULL, NULL);
}
