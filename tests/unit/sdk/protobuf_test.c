/* protobuf_test.c - messages of protobuf-c as values. */
#include "sdk/calling.h"

#include "request_reply.pb-c.h"
#include "statefun/protobuf.h"

static const struct sf_type ADDRESS = SF_PROTOBUF_TYPE("io.statefun.sdk.reqreply.Address", address),
                            NAMED = SF_PROTOBUF_TYPE_NAMED("example/address", address);
static const struct sf_state LAST = SF_VALUE("last", &ADDRESS);

/* Keeps the message's value as its state, and sends it on under another name. */
static bool keep(struct sf_context *context, const struct sf_message *message)
{
    Address *address, *last = NULL;
    if (!sf_read(context, message, &ADDRESS, &address))
        return false;
    if (sf_get(context, &LAST, &last))
        address->id = last->id;
    return sf_set(context, &LAST, sf_object(&ADDRESS, address)) &&
           sf_send(context, sf_address("example/other", "x"), sf_object(&NAMED, address));
}

static Address address_of(const char *type, const char *id)
{
    Address address = ADDRESS__INIT;
    address.type = (char *)type;
    address.id = (char *)id;
    return address;
}

static void a_message_is_read_kept_and_sent(void **state)
{
    struct calling *c = *state;
    Address first = address_of("greeter", "ann"), second = address_of("counter", "bob"),
            both = address_of("counter", "ann");
    give_none(c, "last");
    say(c, sf_object(&ADDRESS, &first));
    say(c, sf_object(&ADDRESS, &second));
    assert_runs(c, keep);
    assert_bytes(c->reply->mutations[0].value.type,
                 "type.googleapis.com/io.statefun.sdk.reqreply.Address");
    expect_message(c, 0, "other", "x", sf_object(&NAMED, &first));
    expect_message(c, 1, "other", "x", sf_object(&NAMED, &both));
}

static void what_is_no_such_message_is_refused(void **state)
{
    struct calling *c = *state;
    give_none(c, "last");
    say(c, sf_raw(ADDRESS.name, "\x0a\x05x", 3));
    assert_fails(c, keep, "decoding 3 bytes of type type.googleapis.com/");
    assert_mentions(c->status.message, "they are no Address");
}

static void another_message_is_not_encoded_as_this_one(void **state)
{
    struct calling *c = *state;
    TypedValue other = TYPED_VALUE__INIT;
    struct sf_encoded encoded;
    struct sf_value value = sf_object(&ADDRESS, &other);
    assert_false(
        value_encode((struct value_memory){calling_alloc, c}, &value, &encoded, &c->status));
    assert_mentions(c->status.message, "the message is a TypedValue, expected a Address");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_message_is_read_kept_and_sent),
        TEST(what_is_no_such_message_is_refused),
        TEST(another_message_is_not_encoded_as_this_one),
    };
    return cmocka_run_group_tests_name("protobuf", tests, NULL, NULL);
}
