/* transfers_test.c - no money is made or lost, whatever crashes when.
 *
 *     SF_SEEDS=100000 ./transfers_test     looks for longer
 *     SF_SEED=4711 ./transfers_test        repeats one run */
#include "transfers.h"

#include <inttypes.h>
#include <statefun/harness.h>
#include <stdio.h>
#include <string.h>

enum { ACCOUNTS = 4, DEPOSIT = 100, TRANSFERS = 60 };
static const char *const names[ACCOUNTS] = {"alice", "bob", "carol", "dave"};

static bool send_order(struct sf_harness *harness, const char *account, const struct sf_type *type,
                       const struct order *order, struct sf_status *status)
{
    return sf_harness_send(harness, sf_address("bank/account", account), sf_object(type, order),
                           status);
}

/* --- many transfers at once, under the simulator --- */

/* Everybody pays everybody, some more than they have, some to accounts that are not there; each
 * third order is sent twice; and somebody claims that none was accepted. */
static bool send_all(struct sf_harness *harness, struct sf_status *status)
{
    for (int i = 0; i < ACCOUNTS; i++)
        if (!send_order(harness, names[i], &deposit_type, &(struct order){"d", DEPOSIT, ""},
                        status))
            return false;
    for (int i = 0; i < TRANSFERS; i++) {
        char id[16];
        (void)snprintf(id, sizeof id, "t%d", i);
        struct order order = {
            .id = id, .amount = 1 + i * 7 % 60, .to = i % 10 ? names[i * i % ACCOUNTS] : "nobody"};
        for (int copies = i % 3 ? 1 : 2; copies > 0; copies--)
            if (!send_order(harness, names[i % ACCOUNTS], &transfer_type, &order, status))
                return false;
        if (!send_order(harness, names[i % ACCOUNTS], &refused_type, &order, status))
            return false;
    }
    return true;
}

/* Nothing is under way any more, so nothing may be pending. */
static bool expect_sum(struct sf_harness *harness, int64_t expected, struct sf_status *status)
{
    int64_t sum = 0;
    for (int i = 0; i < ACCOUNTS; i++) {
        int64_t balance = 0;
        struct sf_context *account = sf_harness_look(harness, sf_address("bank/account", names[i]));
        sf_get(account, &balance_state, &balance);
        if (balance < 0 || sf_table_size(account, &pending_state))
            return sf_fail(status, SF_INVALID, "%s has %" PRId64 ", and %zu transfers pending",
                           names[i], balance, sf_table_size(account, &pending_state));
        sum += balance;
    }
    return sum == expected ||
           sf_fail(status, SF_INVALID, "all have %" PRId64 " together, expected %" PRId64, sum,
                   expected);
}

static bool no_money_is_made_or_lost(struct sf_harness *harness, void *user,
                                     struct sf_status *status)
{
    (void)user;
    return sf_harness_add(harness, transfers_configure, status) && send_all(harness, status) &&
           sf_harness_run(harness, status) &&
           expect_sum(harness, (int64_t)ACCOUNTS * DEPOSIT, status) &&
           sf_harness_expect_count(harness, "bank/statements", TRANSFERS, status);
}

/* --- one transfer, step by step --- */

static bool tells(struct sf_harness *harness, const char *account, const struct sf_type *type,
                  struct order order, const char *statement, struct sf_status *status)
{
    sf_harness_clear(harness);
    return send_order(harness, account, type, &order, status) && sf_harness_run(harness, status) &&
           sf_harness_expect_count(harness, "bank/statements", 1, status) &&
           sf_expect_kafka(sf_harness_egress(harness, "bank/statements", 0), "statements", account,
                           statement, status);
}

static bool says_what_became_of_a_transfer(struct sf_harness *harness, void *user,
                                           struct sf_status *status)
{
    (void)user;
    return sf_harness_add(harness, transfers_configure, status) &&
           send_order(harness, "alice", &deposit_type, &(struct order){"d", 100, ""}, status) &&
           send_order(harness, "bob", &deposit_type, &(struct order){"d", 100, ""}, status) &&
           sf_harness_run(harness, status) &&
           tells(harness, "alice", &transfer_type, (struct order){"t1", 30, "bob"},
                 "t1: alice has paid bob 30", status) &&
           tells(harness, "alice", &transfer_type, (struct order){"t2", 71, "bob"},
                 "t2: alice has 70, not 71", status) &&
           tells(harness, "alice", &transfer_type, (struct order){"t3", 5, "zoe"},
                 "t3: there is no account zoe, alice has 5 back", status) &&
           tells(harness, "alice", &transfer_type, (struct order){"t4", -5, "bob"},
                 "a transfer is 'ID AMOUNT TO'", status) &&
           tells(harness, "alice", &deposit_type, (struct order){"", 5, ""},
                 "a deposit is 'ID AMOUNT'", status);
}

/* --- one account alone --- */

static bool expect_balance(struct sf_trial *trial, int64_t expected, struct sf_status *status)
{
    int64_t balance = 0;
    sf_get(sf_trial_states(trial), &balance_state, &balance);
    return balance == expected ||
           sf_fail(status, SF_INVALID, "alice has %" PRId64 ", expected %" PRId64, balance,
                   expected);
}

static bool call(struct sf_trial *trial, const char *caller, const struct sf_type *type,
                 struct order order, struct sf_status *status)
{
    struct sf_address address = sf_address("bank/account", caller ? caller : "");
    return sf_trial_call_from(trial, caller ? &address : NULL, sf_object(type, &order), status);
}

/* An operator may send a dead letter again, and nobody knows how old it is. */
static bool what_comes_twice_counts_once(struct sf_trial *alice, struct sf_status *status)
{
    return call(alice, NULL, &deposit_type, (struct order){"d", 100, ""}, status) &&
           call(alice, NULL, &transfer_type, (struct order){"t1", 30, "zoe"}, status) &&
           call(alice, "bob", &refused_type, (struct order){"t1", 30, "zoe"}, status) &&
           expect_balance(alice, 70, status) &&
           call(alice, "zoe", &refused_type, (struct order){"t1", 30, "zoe"}, status) &&
           call(alice, "zoe", &refused_type, (struct order){"t1", 30, "zoe"}, status) &&
           call(alice, "zoe", &credited_type, (struct order){"t1", 30, "zoe"}, status) &&
           expect_balance(alice, 100, status) &&
           call(alice, "bob", &credit_type, (struct order){"t1", 50, "alice"}, status) &&
           call(alice, "bob", &credit_type, (struct order){"t1", 50, "alice"}, status) &&
           expect_balance(alice, 150, status) &&
           call(alice, NULL, &credit_type, (struct order){"t9", 50, "alice"}, status) &&
           expect_balance(alice, 150, status);
}

static bool try_alone(struct sf_status *status)
{
    struct sf_trial *alice;
    if (!sf_trial_new(&account_function, NULL, "alice", &alice, status))
        return false;
    bool good = what_comes_twice_counts_once(alice, status);
    sf_trial_free(alice);
    return good;
}

int main(void)
{
    static const struct {
        const char *name;
        bool (*test)(struct sf_harness *harness, void *user, struct sf_status *status);
        uint64_t seeds;
    } tests[] = {
        {"no_money_is_made_or_lost", no_money_is_made_or_lost, 500},
        {"says_what_became_of_a_transfer", says_what_became_of_a_transfer, 100},
    };
    struct sf_status status;
    if (!try_alone(&status)) {
        fprintf(stderr, "what_comes_twice_counts_once: %s\n", status.message);
        return 1;
    }
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++) {
        if (!sf_simulate(&(struct sf_simulation){.seeds = tests[i].seeds}, tests[i].test, NULL,
                         &status)) {
            fprintf(stderr, "%s: %s\n", tests[i].name, status.message);
            return 1;
        }
    }
    return 0;
}
