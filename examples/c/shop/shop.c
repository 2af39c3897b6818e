/* shop.c - carts, and the stock that they take from: nothing is sold twice.
 *
 * What is added to a cart is reserved first, and stands in the cart when the stock has said yes.
 * The stock of an item is one instance, called for one message at a time: however many carts want
 * the last one, one of them gets it.
 *
 *     add ──▶ cart ── reserve ──▶ stock
 *             cart ◀── reserved / short ──┘      a checkout waits for these answers
 *     remove ▶ cart ── release ──▶ stock
 *
 * A cart that nobody comes back to gives back what it holds, after half an hour. */
#include "shop.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ABANDONED_MS = 30 * 60 * 1000 };
static const char ABANDONED_TOKEN[] = "abandoned"; /* tokens are an instance's own */

/* --- items, as text --- */

static bool encode_items(const struct sf_type *type, const void *object, struct sf_writer *writer,
                         struct sf_status *status)
{
    (void)type, (void)status;
    const struct items *items = object;
    sf_write_format(writer, "%" PRId64 " %s", items->count, items->item);
    return true;
}

static bool decode_items(const struct sf_type *type, struct sf_bytes bytes,
                         struct sf_context *context, void *ret_object, struct sf_status *status)
{
    (void)type;
    char *text = sf_alloc(context, bytes.size + 1), *end;
    if (bytes.size)
        memcpy(text, bytes.data, bytes.size);
    int64_t count = strtoll(text, &end, 10);
    if (count < 1 || (*end && *end != ' '))
        return sf_fail(status, SF_INVALID, "expected 'COUNT' or 'COUNT ITEM'");
    *(struct items *)ret_object = (struct items){count, *end ? end + 1 : end};
    return true;
}

#define ITEMS_TYPE(name_)                                                                          \
    {                                                                                              \
        .name = (name_), .repr = SF_REPR_OBJECT, .encode = encode_items, .decode = decode_items    \
    }

const struct sf_type restock_type = ITEMS_TYPE("shop/restock");
const struct sf_type add_type = ITEMS_TYPE("shop/add");
const struct sf_type remove_type = ITEMS_TYPE("shop/remove");
const struct sf_type checkout_type = SF_TEXT_TYPE("shop/checkout");
static const struct sf_type RESERVE = ITEMS_TYPE("shop/reserve");       /* cart to stock */
static const struct sf_type RELEASE = ITEMS_TYPE("shop/release");       /* cart to stock */
static const struct sf_type RESERVED = ITEMS_TYPE("shop/reserved");     /* stock to cart */
static const struct sf_type SHORT = ITEMS_TYPE("shop/short");           /* stock to cart */
static const struct sf_type ABANDONED = SF_TEXT_TYPE("shop/abandoned"); /* cart to itself */

/* --- who may send what --- */

/* For sf_case: what functions say to each other is not taken from outside. */
static bool is_inside(struct sf_context *context, const struct sf_message *message)
{
    (void)message;
    struct sf_address caller;
    return sf_caller(context, &caller);
}

/* If such a message failed, it would be tried again and again, and hold up its address. */
static bool ignore(struct sf_context *context, const struct sf_message *message)
{
    sf_log(context, SF_WARNING, "ignores a message of type '%s'",
           sf_message_type(context, message));
    return true;
}

/* --- the stock of an item --- */

const struct sf_state left_state = SF_VALUE("left", &sf_long_type);

static void change_stock(struct sf_context *context, int64_t by)
{
    int64_t left = 0;
    sf_get(context, &left_state, &left);
    sf_set(context, &left_state, sf_long(left + by));
}

static bool restock(struct sf_context *context, const struct sf_message *message)
{
    struct items items;
    if (!sf_try_read(context, message, &restock_type, &items) || items.count > COUNT_MAX)
        return ignore(context, message);
    change_stock(context, items.count);
    return true;
}

static bool reserve(struct sf_context *context, const struct sf_message *message)
{
    struct items items;
    int64_t left = 0;
    if (!sf_read(context, message, &RESERVE, &items))
        return false;
    sf_get(context, &left_state, &left);
    if (left < items.count)
        return sf_reply(context, sf_object(&SHORT, &items));
    change_stock(context, -items.count);
    return sf_reply(context, sf_object(&RESERVED, &items));
}

static bool release(struct sf_context *context, const struct sf_message *message)
{
    struct items items;
    if (!sf_read(context, message, &RELEASE, &items))
        return false;
    change_stock(context, items.count);
    return true;
}

static bool stock(struct sf_context *context, const struct sf_message *message)
{
    static const struct sf_case cases[] = {{&restock_type, NULL, restock},
                                           {&RESERVE, is_inside, reserve},
                                           {&RELEASE, is_inside, release},
                                           {NULL, NULL, ignore},
                                           {0}};
    return sf_match(context, message, cases);
}

/* --- a cart --- */

static const struct sf_state BASKET = SF_TABLE("basket", &sf_string_type, &sf_long_type);
static const struct sf_state ASKED = SF_VALUE("asked", &sf_int_type); /* and not answered yet */
static const struct sf_state IS_LEAVING = SF_VALUE("is_leaving", &sf_bool_type);

static bool tell(struct sf_context *context, struct sf_value text)
{
    return sf_send_kafka(context, "shop/receipts",
                         &(struct sf_kafka_record){.topic = "receipts",
                                                   .key = sf_string(sf_self(context).id),
                                                   .value = text});
}

static bool send_to_stock(struct sf_context *context, const struct sf_type *type,
                          const struct items *items)
{
    return sf_send(context, sf_address("shop/stock", items->item), sf_object(type, items));
}

/* Changes how many of an item are in the basket. */
static void change_basket(struct sf_context *context, const char *item, int64_t by)
{
    int64_t count = 0;
    sf_table_get(context, &BASKET, sf_string(item), &count);
    if (count + by > 0)
        sf_table_set(context, &BASKET, sf_string(item), sf_long(count + by));
    else
        sf_table_remove(context, &BASKET, sf_string(item));
}

/* Somebody is there: the half hour begins anew. */
static void stay(struct sf_context *context)
{
    sf_cancel(context, ABANDONED_TOKEN);
    sf_send_after(context, ABANDONED_MS, ABANDONED_TOKEN, sf_self(context),
                  sf_as(&ABANDONED, sf_string("")));
}

static bool add(struct sf_context *context, const struct sf_message *message)
{
    struct items items;
    int32_t asked = 0;
    if (!sf_try_read(context, message, &add_type, &items) || items.count > COUNT_MAX ||
        !*items.item)
        return tell(context, sf_string("what is wanted? (COUNT ITEM)"));
    stay(context);
    sf_get(context, &ASKED, &asked);
    sf_set(context, &ASKED, sf_int(asked + 1));
    return send_to_stock(context, &RESERVE, &items);
}

static bool remove_items(struct sf_context *context, const struct sf_message *message)
{
    struct items items;
    int64_t count = 0;
    if (!sf_try_read(context, message, &remove_type, &items))
        return tell(context, sf_string("what is to go? (COUNT ITEM)"));
    stay(context);
    sf_table_get(context, &BASKET, sf_string(items.item), &count);
    if (items.count > count)
        items.count = count; /* more than all is all */
    if (!count)
        return tell(context, sf_format(context, "there is no '%s' in the cart", items.item));
    change_basket(context, items.item, -items.count);
    return send_to_stock(context, &RELEASE, &items);
}

/* "2 socks, 1 hat" */
static const char *text_of_basket(struct sf_context *context)
{
    size_t position = 0, size = 1, at = 0;
    const char *item;
    int64_t count;
    while (sf_table_next(context, &BASKET, &position, &item, NULL))
        size += strlen(item) + 32;
    char *text = sf_alloc(context, size);
    for (position = 0; sf_table_next(context, &BASKET, &position, &item, &count);)
        at +=
            (size_t)snprintf(text + at, size - at, "%s%" PRId64 " %s", at ? ", " : "", count, item);
    return text;
}

static bool leave(struct sf_context *context)
{
    bool is_empty = !sf_table_size(context, &BASKET);
    const char *receipt = is_empty ? "nothing" : text_of_basket(context);
    sf_cancel(context, ABANDONED_TOKEN);
    sf_clear(context, &BASKET);
    sf_clear(context, &IS_LEAVING);
    return tell(context, sf_format(context, "%s has bought %s", sf_self(context).id, receipt));
}

static bool checkout(struct sf_context *context, const struct sf_message *message)
{
    (void)message;
    int32_t asked = 0;
    sf_get(context, &ASKED, &asked);
    return asked ? sf_set(context, &IS_LEAVING, sf_bool(true)) : leave(context);
}

/* The stock's answer, whichever it is. */
static bool hear(struct sf_context *context, const struct sf_message *message)
{
    struct items items;
    int32_t asked = 0;
    bool is_reserved = sf_is(message, &RESERVED), is_leaving = false;
    if (!sf_read(context, message, is_reserved ? &RESERVED : &SHORT, &items))
        return false;
    if (is_reserved)
        change_basket(context, items.item, items.count);
    else
        tell(context, sf_format(context, "there are not %" PRId64 " %s left for %s", items.count,
                                items.item, sf_self(context).id));

    sf_get(context, &ASKED, &asked);
    sf_set(context, &ASKED, sf_int(asked - 1));
    sf_get(context, &IS_LEAVING, &is_leaving);
    return asked == 1 && is_leaving ? leave(context) : true;
}

static bool give_back(struct sf_context *context, const struct sf_message *message)
{
    (void)message;
    size_t position = 0;
    struct items items;
    while (sf_table_next(context, &BASKET, &position, &items.item, &items.count))
        send_to_stock(context, &RELEASE, &items);
    return sf_clear(context, &BASKET);
}

static bool cart(struct sf_context *context, const struct sf_message *message)
{
    static const struct sf_case cases[] = {{&add_type, NULL, add},
                                           {&remove_type, NULL, remove_items},
                                           {&checkout_type, NULL, checkout},
                                           {&RESERVED, is_inside, hear},
                                           {&SHORT, is_inside, hear},
                                           {&ABANDONED, is_inside, give_back},
                                           {NULL, NULL, ignore},
                                           {0}};
    return sf_match(context, message, cases);
}

/* --- the module --- */

static const struct sf_function STOCK = {
    .type = "shop/stock", .call = stock, .states = SF_STATES(&left_state)};

static const struct sf_function CART = {
    .type = "shop/cart", .call = cart, .states = SF_STATES(&BASKET, &ASKED, &IS_LEAVING)};

bool shop_configure(struct sf_module *module, struct sf_status *status)
{
    return sf_bind(module, &STOCK, status) && sf_bind(module, &CART, status);
}

SF_MODULE(shop_configure)
