/* shop.h - carts, and the stock that they take from. */
#ifndef SHOP_H
#define SHOP_H

#include <statefun/statefun.h>

/* So many of an item. On the wire it is text: "COUNT ITEM". */
struct items {
    int64_t count; /* at least 1 */
    const char *item;
};
enum { COUNT_MAX = 1000 * 1000 }; /* in one message from outside: sums do not overflow */

/* For shop/stock (whose id is the item), from outside: "COUNT". */
extern const struct sf_type restock_type;

/* For shop/cart, from outside: "COUNT ITEM", twice, and nothing. */
extern const struct sf_type add_type, remove_type, checkout_type;

extern const struct sf_state left_state; /* of a stock: how many nobody has taken */

bool shop_configure(struct sf_module *module, struct sf_status *status);

#endif
