/* transfers.c - accounts that pay each other, and no crash makes or loses a cent.
 *
 * No call sees two accounts. So a transfer takes three, at two addresses:
 *
 *     1. transfer   the payer takes the amount off its balance, and notes it as pending
 *     2. credit     the payee adds it to its balance, or refuses
 *     3. credited   the payer strikes out the note
 *        refused    ... and takes the amount back
 *
 * Invariant: all balances, and all that is pending and not yet credited, are together what was
 * deposited. Each call changes state and sends the next message, or does neither: that is the
 * runtime's promise, and the reason why two lines of a call never need to be undone.
 *
 * What would break it (transfers_test.c shows the first four):
 *   - a balance in a static variable, or in a file: a call may be made again after a crash, and
 *     what it did outside its context has then been done twice;
 *   - adding a refused amount back without looking whether it is still pending;
 *   - changing the payer's balance only when `credited` comes: two transfers under way may then
 *     spend the same money;
 *   - believing anybody but the payee that it has refused;
 *   - letting `pending` expire, as `answered` does: a refusal that comes then gives nothing back.
 */
#include "transfers.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* --- orders, as text --- */

static bool encode_order(const struct sf_type *type, const void *object, struct sf_writer *writer,
                         struct sf_status *status)
{
    (void)type, (void)status;
    const struct order *order = object;
    sf_write_format(writer, "%s %" PRId64 " %s", order->id, order->amount, order->to);
    return true;
}

static bool decode_order(const struct sf_type *type, struct sf_bytes bytes,
                         struct sf_context *context, void *ret_object, struct sf_status *status)
{
    (void)type;
    char *text = sf_alloc(context, bytes.size + 1), *end = NULL;
    if (bytes.size)
        memcpy(text, bytes.data, bytes.size);

    const char *id = strsep(&text, " "), *number = strsep(&text, " ");
    int64_t amount = number ? strtoll(number, &end, 10) : 0;
    if (!*id || !end || *end || amount < 1 || amount > AMOUNT_MAX)
        return sf_fail(status, SF_INVALID, "expected 'ID AMOUNT' or 'ID AMOUNT TO'");
    *(struct order *)ret_object = (struct order){id, amount, text ? text : ""};
    return true;
}

#define ORDER_TYPE(name_)                                                                          \
    {                                                                                              \
        .name = (name_), .repr = SF_REPR_OBJECT, .encode = encode_order, .decode = decode_order    \
    }

const struct sf_type deposit_type = ORDER_TYPE("bank/deposit");
const struct sf_type transfer_type = ORDER_TYPE("bank/transfer");
const struct sf_type credit_type = ORDER_TYPE("bank/credit");
const struct sf_type credited_type = ORDER_TYPE("bank/credited");
const struct sf_type refused_type = ORDER_TYPE("bank/refused");

/* --- an account --- */

const struct sf_state balance_state = SF_VALUE("balance", &sf_long_type);
const struct sf_state pending_state = SF_TABLE("pending", &sf_string_type, &transfer_type);

/* Orders by their id, and credits by payer and id, that need no doing again: whoever is not sure
 * that an order has come may send it again, for a day. */
static const struct sf_state answered_state =
    SF_TABLE("answered", &sf_string_type, &sf_bool_type,
             SF_EXPIRES(SF_EXPIRE_AFTER_WRITE, 24 * 3600 * 1000));

static bool tell(struct sf_context *context, struct sf_value text)
{
    return sf_send_kafka(context, "bank/statements",
                         &(struct sf_kafka_record){.topic = "statements",
                                                   .key = sf_string(sf_self(context).id),
                                                   .value = text});
}

static bool is_known(struct sf_context *context, const struct order *order)
{
    bool was_accepted;
    struct order pending;
    return sf_table_get(context, &answered_state, sf_string(order->id), &was_accepted) ||
           sf_table_get(context, &pending_state, sf_string(order->id), &pending);
}

static void change_balance(struct sf_context *context, int64_t by)
{
    int64_t balance = 0;
    sf_get(context, &balance_state, &balance);
    sf_set(context, &balance_state, sf_long(balance + by));
}

/* The first one opens the account. */
static bool deposit(struct sf_context *context, const struct sf_message *message)
{
    struct order order;
    if (!sf_try_read(context, message, &deposit_type, &order))
        return tell(context, sf_string("a deposit is 'ID AMOUNT'"));
    if (is_known(context, &order))
        return true;
    change_balance(context, order.amount);
    return sf_table_set(context, &answered_state, sf_string(order.id), sf_bool(true));
}

static bool transfer(struct sf_context *context, const struct sf_message *message)
{
    struct order order;
    int64_t balance = 0;
    const char *payer = sf_self(context).id;
    if (!sf_try_read(context, message, &transfer_type, &order) || !*order.to)
        return tell(context, sf_string("a transfer is 'ID AMOUNT TO'"));
    if (is_known(context, &order))
        return true;

    sf_get(context, &balance_state, &balance);
    if (balance < order.amount) {
        sf_table_set(context, &answered_state, sf_string(order.id), sf_bool(false));
        return tell(context, sf_format(context, "%s: %s has %" PRId64 ", not %" PRId64, order.id,
                                       payer, balance, order.amount));
    }
    change_balance(context, -order.amount);
    sf_table_set(context, &pending_state, sf_string(order.id), sf_object(&transfer_type, &order));
    return sf_send(context, sf_address("bank/account", order.to), sf_object(&credit_type, &order));
}

static bool credit(struct sf_context *context, const struct sf_message *message)
{
    struct order order;
    struct sf_address payer;
    int64_t balance;
    bool is_accepted;
    if (!sf_read(context, message, &credit_type, &order) || !sf_caller(context, &payer))
        return false;

    struct sf_value name = sf_format(context, "%s %s", payer.id, order.id); /* ids have no blanks */
    if (!sf_table_get(context, &answered_state, name, &is_accepted)) {
        is_accepted = sf_get(context, &balance_state, &balance);
        if (is_accepted)
            change_balance(context, order.amount);
        sf_table_set(context, &answered_state, name, sf_bool(is_accepted));
    }
    return sf_reply(context, sf_object(is_accepted ? &credited_type : &refused_type, &order));
}

/* Ends a transfer, when the payee says so; one that is no longer pending has ended before. */
static bool settle(struct sf_context *context, const struct sf_message *message)
{
    struct order order;
    struct sf_address payee;
    const char *payer = sf_self(context).id;
    bool is_paid = sf_is(message, &credited_type);
    if (!sf_read(context, message, is_paid ? &credited_type : &refused_type, &order) ||
        !sf_caller(context, &payee))
        return false;
    if (!sf_table_get(context, &pending_state, sf_string(order.id), &order) ||
        strcmp(payee.id, order.to) != 0)
        return true;

    sf_table_remove(context, &pending_state, sf_string(order.id));
    sf_table_set(context, &answered_state, sf_string(order.id), sf_bool(is_paid));
    if (is_paid)
        return tell(context, sf_format(context, "%s: %s has paid %s %" PRId64, order.id, payer,
                                       order.to, order.amount));
    change_balance(context, order.amount);
    return tell(context, sf_format(context, "%s: there is no account %s, %s has %" PRId64 " back",
                                   order.id, order.to, payer, order.amount));
}

/* What accounts say to each other counts from nobody else: the outside could make money with it. */
static bool is_from_account(struct sf_context *context, const struct sf_message *message)
{
    (void)message;
    struct sf_address caller;
    return sf_caller(context, &caller) && !strcmp(caller.type, "bank/account");
}

/* A call that failed would be made again and again, and the account would do nothing else. */
static bool ignore(struct sf_context *context, const struct sf_message *message)
{
    sf_log(context, SF_WARNING, "ignores a message of type '%s'",
           sf_message_type(context, message));
    return true;
}

static bool account(struct sf_context *context, const struct sf_message *message)
{
    static const struct sf_case cases[] = {{&deposit_type, NULL, deposit},
                                           {&transfer_type, NULL, transfer},
                                           {&credit_type, is_from_account, credit},
                                           {&credited_type, is_from_account, settle},
                                           {&refused_type, is_from_account, settle},
                                           {NULL, NULL, ignore},
                                           {0}};
    return sf_match(context, message, cases);
}

const struct sf_function account_function = {
    .type = "bank/account",
    .call = account,
    .states = SF_STATES(&balance_state, &pending_state, &answered_state)};

bool transfers_configure(struct sf_module *module, struct sf_status *status)
{
    return sf_bind(module, &account_function, status);
}

SF_MODULE(transfers_configure)
