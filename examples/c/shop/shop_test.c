/* shop_test.c - what is in stock is sold once, whoever comes first. */
#include "shop.h"

#include <statefun/harness.h>

#include <inttypes.h>
#include <stdio.h>

static const char RECEIPTS[] = "shop/receipts";
enum { MINUTE = 60 * 1000 };

static bool restock(struct sf_harness *harness, const char *item, int64_t count,
                    struct sf_status *status)
{
    return sf_harness_send(harness, sf_address("shop/stock", item),
                           sf_object(&restock_type, &(struct items){count, ""}), status) &&
           sf_harness_run(harness, status);
}

static bool send(struct sf_harness *harness, const char *cart, const struct sf_type *type,
                 int64_t count, const char *item, struct sf_status *status)
{
    return sf_harness_send(harness, sf_address("shop/cart", cart),
                           sf_object(type, &(struct items){count, item}), status);
}

static bool send_checkout(struct sf_harness *harness, const char *cart, struct sf_status *status)
{
    return sf_harness_send(harness, sf_address("shop/cart", cart),
                           sf_as(&checkout_type, sf_string("")), status);
}

static bool expect_left(struct sf_harness *harness, const char *item, int64_t expected,
                        struct sf_status *status)
{
    int64_t left = 0;
    sf_get(sf_harness_look(harness, sf_address("shop/stock", item)), &left_state, &left);
    return left == expected ||
           sf_fail(status, SF_INVALID, "%" PRId64 " %s are left, expected %" PRId64, left, item,
                   expected);
}

static bool expect_receipt(struct sf_harness *harness, size_t index, const char *cart,
                           const char *text, struct sf_status *status)
{
    return sf_expect_kafka(sf_harness_egress(harness, RECEIPTS, index), "receipts", cart, text,
                           status);
}

static bool ends_with(struct sf_bytes text, const char *end)
{
    size_t size = strlen(end);
    return text.size >= size && !memcmp((const char *)text.data + text.size - size, end, size);
}

/* --- tests --- */

/* Seven want two each of ten, and nobody waits for the other: five get them. */
static bool nothing_is_sold_twice(struct sf_harness *harness, struct sf_status *status)
{
    enum { CARTS = 7, SOLD = 5 };
    if (!restock(harness, "socks", 2 * SOLD, status))
        return false;
    for (int i = 0; i < CARTS; i++) {
        char cart[8];
        (void)snprintf(cart, sizeof cart, "%d", i);
        if (!send(harness, cart, &add_type, 2, "socks", status) ||
            !send_checkout(harness, cart, status))
            return false;
    }
    if (!sf_harness_run(harness, status) || !expect_left(harness, "socks", 0, status) ||
        !sf_harness_expect_count(harness, RECEIPTS, CARTS + (CARTS - SOLD), status))
        return false;

    int sold = 0;
    for (size_t i = 0; i < sf_harness_egress_count(harness, RECEIPTS); i++) {
        struct sf_kafka_output record;
        if (!sf_output_kafka(sf_harness_egress(harness, RECEIPTS, i), &record))
            return sf_fail(status, SF_INVALID, "receipt %zu is no record for Kafka", i);
        sold += ends_with(record.value, "has bought 2 socks");
    }
    return sold == SOLD || sf_fail(status, SF_INVALID, "%d carts got socks", sold);
}

static bool a_checkout_waits_for_the_stock(struct sf_harness *harness, struct sf_status *status)
{
    return restock(harness, "socks", 10, status) && restock(harness, "hat", 1, status) &&
           send(harness, "ada", &add_type, 2, "socks", status) &&
           send(harness, "ada", &add_type, 1, "hat", status) &&
           send(harness, "ada", &add_type, 1, "coat", status) &&
           send_checkout(harness, "ada", status) && sf_harness_run(harness, status) &&
           sf_harness_expect_count(harness, RECEIPTS, 2, status) &&
           expect_receipt(harness, 0, "ada", "there are not 1 coat left for ada", status) &&
           expect_left(harness, "socks", 8, status) && expect_left(harness, "hat", 0, status);
}

static bool what_is_removed_is_there_for_others(struct sf_harness *harness,
                                                struct sf_status *status)
{
    return restock(harness, "hat", 3, status) &&
           send(harness, "ada", &add_type, 3, "hat", status) && sf_harness_run(harness, status) &&
           expect_left(harness, "hat", 0, status) &&
           send(harness, "ada", &remove_type, 1, "hat", status) &&
           sf_harness_run(harness, status) && expect_left(harness, "hat", 1, status) &&
           send(harness, "ada", &remove_type, 5, "hat", status) &&
           sf_harness_run(harness, status) && expect_left(harness, "hat", 3, status) &&
           send_checkout(harness, "ada", status) && sf_harness_run(harness, status) &&
           expect_receipt(harness, 0, "ada", "ada has bought nothing", status);
}

static bool an_abandoned_cart_gives_back(struct sf_harness *harness, struct sf_status *status)
{
    return restock(harness, "hat", 3, status) &&
           send(harness, "ada", &add_type, 2, "hat", status) &&
           sf_harness_advance(harness, 29 * MINUTE, status) &&
           send(harness, "ada", &add_type, 1, "hat", status) &&
           sf_harness_advance(harness, 29 * MINUTE, status) &&
           expect_left(harness, "hat", 0, status) &&
           sf_harness_advance(harness, 1 * MINUTE, status) &&
           expect_left(harness, "hat", 3, status);
}

static bool nonsense_changes_nothing(struct sf_harness *harness, struct sf_status *status)
{
    return restock(harness, "hat", -3, status) && restock(harness, "hat", COUNT_MAX + 1, status) &&
           expect_left(harness, "hat", 0, status) &&
           send(harness, "ada", &add_type, 0, "hat", status) &&
           send(harness, "ada", &remove_type, 1, "hat", status) &&
           sf_harness_run(harness, status) &&
           expect_receipt(harness, 0, "ada", "what is wanted? (COUNT ITEM)", status) &&
           expect_receipt(harness, 1, "ada", "there is no 'hat' in the cart", status);
}

static bool send_raw(struct sf_harness *harness, const char *function, const char *id,
                     const char *type, const char *text, struct sf_status *status)
{
    return sf_harness_send(harness, sf_address(function, id), sf_raw(type, text, strlen(text)),
                           status);
}

/* What functions say to each other: believed from outside, it would fill the stock for nothing. */
static bool the_outside_is_not_believed(struct sf_harness *harness, struct sf_status *status)
{
    return restock(harness, "hat", 3, status) &&
           send_raw(harness, "shop/stock", "hat", "shop/release", "100 hat", status) &&
           send_raw(harness, "shop/stock", "hat", "shop/reserve", "1 hat", status) &&
           send_raw(harness, "shop/stock", "hat", "shop/what", "?", status) &&
           send_raw(harness, "shop/cart", "ada", "shop/reserved", "5 hat", status) &&
           send_raw(harness, "shop/cart", "ada", "shop/what", "?", status) &&
           send_checkout(harness, "ada", status) && sf_harness_run(harness, status) &&
           expect_left(harness, "hat", 3, status) &&
           expect_receipt(harness, 0, "ada", "ada has bought nothing", status);
}

static const struct test {
    const char *name;
    bool (*run)(struct sf_harness *harness, struct sf_status *status);
} tests[] = {
    {"nothing_is_sold_twice", nothing_is_sold_twice},
    {"a_checkout_waits_for_the_stock", a_checkout_waits_for_the_stock},
    {"what_is_removed_is_there_for_others", what_is_removed_is_there_for_others},
    {"an_abandoned_cart_gives_back", an_abandoned_cart_gives_back},
    {"nonsense_changes_nothing", nonsense_changes_nothing},
    {"the_outside_is_not_believed", the_outside_is_not_believed},
};

static bool run(struct sf_harness *harness, void *user, struct sf_status *status)
{
    const struct test *test = user;
    return sf_harness_add(harness, shop_configure, status) && test->run(harness, status);
}

int main(void)
{
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++) {
        struct sf_status status;
        if (!sf_simulate(NULL, run, (void *)&tests[i], &status)) {
            fprintf(stderr, "%s: %s\n", tests[i].name, status.message);
            return 1;
        }
    }
    return 0;
}
