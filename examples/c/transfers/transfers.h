/* transfers.h - accounts that pay each other. */
#ifndef TRANSFERS_H
#define TRANSFERS_H

#include <statefun/statefun.h>

/* What messages and pending transfers hold. On the wire it is text: "ID AMOUNT TO". */
struct order {
    const char *id;
    int64_t amount; /* cents, 1 to AMOUNT_MAX */
    const char *to; /* an account; "" in a deposit */
};
enum { AMOUNT_MAX = 1000 * 1000 * 1000 }; /* billions of them fit into a balance */

/* For bank/account, from outside: "d1 100" and "t1 30 bob". */
extern const struct sf_type deposit_type, transfer_type;

/* From the payer to the payee, and the two answers. */
extern const struct sf_type credit_type, credited_type, refused_type;

/* The states of an account. */
extern const struct sf_state balance_state; /* missing: there is no such account */
extern const struct sf_state pending_state; /* transfers that the payee has not answered yet */

extern const struct sf_function account_function;

bool transfers_configure(struct sf_module *module, struct sf_status *status);

#endif
