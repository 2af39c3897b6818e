/* simulate_test.c - the same test under chance: what is right passes, what is wrong is found. */
#include "harness/functions.h"

static int setup(void **state)
{
    (void)state;
    unsetenv("SF_SEED");
    unsetenv("SF_SEEDS");
    return 0;
}

/* --- a greeter --- */

static bool greets(struct sf_harness *harness, void *user, struct sf_status *status)
{
    struct sf_address ann = sf_address("example/greeter", "Ann");
    size_t *runs = user;
    if (!sf_harness_add(harness, configure_greeter, status))
        return false;
    for (int i = 0; i < 5; i++)
        if (!sf_harness_send(harness, ann, sf_int(i), status))
            return false;
    *runs += sf_harness_is_simulated(harness);
    return sf_harness_run(harness, status) &&
           sf_harness_expect_count(harness, "example/greets", 5, status) &&
           sf_expect_kafka(sf_harness_egress(harness, "example/greets", 4), "greetings", "Ann",
                           "Hello Ann, 5 times", status);
}

static void what_holds_in_order_holds_by_chance(void **state)
{
    struct sf_status status;
    size_t runs = 0;
    (void)state;
    assert_good(sf_simulate(NULL, greets, &runs, &status), &status);
    assert_int_equal(runs, 100);
    struct sf_simulation few = {.seeds = 3, .first_seed = 1000};
    assert_good(sf_simulate(&few, greets, &runs, &status), &status);
    assert_int_equal(runs, 103);
}

/* --- transfers --- */

static const char *const names[] = {"ann", "bob", "carl", "dora", "emil", "fay", "gus", "hal"};
enum { ACCOUNTS = sizeof names / sizeof *names, ROUNDS = 6 };

static bool add_up(struct sf_harness *harness, struct sf_status *status)
{
    int64_t sum = 0;
    for (size_t i = 0; i < ACCOUNTS; i++) {
        int64_t balance = 1000;
        sf_get(sf_harness_look(harness, sf_address("example/account", names[i])), &BALANCE,
               &balance);
        sum += balance;
    }
    return sum == ACCOUNTS * 1000 ||
           sf_fail(status, SF_INVALID, "the balances add up to %lld, expected %d", (long long)sum,
                   ACCOUNTS * 1000);
}

static bool transfers_with(sf_configure configure, struct sf_harness *harness,
                           struct sf_status *status)
{
    if (!sf_harness_add(harness, configure, status))
        return false;
    for (size_t round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < ACCOUNTS; i++) {
            char order[32];
            snprintf(order, sizeof order, "%s %zu", names[(i + round + 1) % ACCOUNTS],
                     10 * (i + 1));
            if (!sf_harness_send(harness, sf_address("example/account", names[i]), sf_string(order),
                                 status))
                return false;
        }
        if (round % 3 == 2 && (!sf_harness_run(harness, status) || !add_up(harness, status)))
            return false;
    }
    return true;
}

static bool transfers(struct sf_harness *harness, void *user, struct sf_status *status)
{
    (void)user;
    return transfers_with(configure_accounts, harness, status);
}

static void sums_are_conserved(void **state)
{
    struct sf_status status;
    (void)state;
    assert_good(sf_simulate(&(struct sf_simulation){.seeds = 300}, transfers, NULL, &status),
                &status);
}

/* What is wrong: each order is given a fee that is counted where no crash can take it back. */
static int64_t total_moved;

static bool transfer_and_count(struct sf_context *context, const struct sf_message *message)
{
    const char *text;
    total_moved++;
    return transfer(context, message) && sf_read(context, message, &sf_string_type, &text);
}

static const struct sf_function COUNTING = {
    .type = "example/account", .call = transfer_and_count, .states = SF_STATES(&BALANCE)};

static bool configure_counting(struct sf_module *module, struct sf_status *status)
{
    return sf_bind(module, &COUNTING, status);
}

static bool counts_right(struct sf_harness *harness, void *user, struct sf_status *status)
{
    (void)user;
    total_moved = 0;
    return transfers_with(configure_counting, harness, status) &&
           (total_moved == 2 * ACCOUNTS * ROUNDS ||
            sf_fail(status, SF_INVALID, "%lld orders, expected %d", (long long)total_moved,
                    2 * ACCOUNTS * ROUNDS));
}

/* The balances stand in static memory: right in order, wrong as soon as anything is repeated. */
static int64_t static_balances[ACCOUNTS];

static int64_t *static_balance(const char *id)
{
    size_t i = 0;
    while (strcmp(names[i], id) != 0)
        i++;
    return &static_balances[i];
}

static bool transfer_carelessly(struct sf_context *context, const struct sf_message *message)
{
    const char *text;
    char to[32];
    long long amount;
    int64_t *balance = static_balance(sf_self(context).id);
    if (!sf_read(context, message, &sf_string_type, &text))
        return false;
    if (sscanf(text, "%31[a-z] %lld", to, &amount) == 2) {
        sf_send(context, sf_address("example/account", to), sf_format(context, "%lld", amount));
        *balance -= amount;
    } else if (sscanf(text, "%lld", &amount) == 1) {
        *balance += amount;
    }
    return true;
}

static const struct sf_function CARELESS = {.type = "example/account", .call = transfer_carelessly};

static bool configure_careless(struct sf_module *module, struct sf_status *status)
{
    return sf_bind(module, &CARELESS, status);
}

static bool careless_sums(struct sf_harness *harness, void *user, struct sf_status *status)
{
    int64_t sum = 0;
    (void)user;
    memset(static_balances, 0, sizeof static_balances);
    if (!transfers_with(configure_careless, harness, status))
        return false;
    for (size_t i = 0; i < ACCOUNTS; i++)
        sum += static_balances[i];
    return sum == 0 ||
           sf_fail(status, SF_INVALID, "the static balances add up to %lld, not 0", (long long)sum);
}

static uint64_t seed_in(const char *message)
{
    unsigned long long seed = 0;
    assert_int_equal(sscanf(message, "seed %llu", &seed), 1);
    assert_mentions(message, "SF_SEED=");
    return seed;
}

/* A seed fails again when it is replayed alone, with the same words. */
static void expect_found(bool (*test)(struct sf_harness *, void *, struct sf_status *),
                         const char *part)
{
    struct sf_status status, again;
    char seed[32];
    assert_false(sf_simulate(NULL, test, NULL, &status));
    assert_mentions(status.message, part);
    snprintf(seed, sizeof seed, "%llu", (unsigned long long)seed_in(status.message));
    setenv("SF_SEED", seed, 1);
    for (int i = 0; i < 2; i++) {
        assert_false(sf_simulate(NULL, test, NULL, &again));
        assert_string_equal(again.message, status.message);
    }
    setenv("SF_SEED", "0", 1);
    assert_good(sf_simulate(NULL, test, NULL, &status), &status); /* in order it is right */
    unsetenv("SF_SEED");
}

static void a_static_variable_instead_of_a_state_is_found(void **state)
{
    (void)state;
    expect_found(careless_sums, "the static balances add up to");
}

static void what_a_function_does_beside_its_effects_is_found(void **state)
{
    (void)state;
    expect_found(counts_right, "orders, expected");
}

/* --- who counts on an order that nobody promised --- */

static bool append(struct sf_context *context, const struct sf_message *message)
{
    const char *text;
    struct sf_address self = sf_self(context);
    if (!sf_read(context, message, &sf_string_type, &text))
        return false;
    if (strcmp(self.id, "end") != 0)
        return sf_send(context, sf_address("example/appender", "end"), sf_string(text));
    return sf_send_egress(context, "example/out", sf_string(text));
}

static const struct sf_function APPENDER = {.type = "example/appender", .call = append};

static bool configure_appender(struct sf_module *module, struct sf_status *status)
{
    return sf_bind(module, &APPENDER, status);
}

/* Messages of one sender keep their order. */
static bool appends_in_order(struct sf_harness *harness, void *user, struct sf_status *status)
{
    bool from_one = *(bool *)user;
    if (!sf_harness_add(harness, configure_appender, status))
        return false;
    for (size_t i = 0; i < ACCOUNTS; i++)
        if (!sf_harness_send(harness, sf_address("example/appender", from_one ? "one" : names[i]),
                             sf_string(names[i]), status))
            return false;
    if (!sf_harness_run(harness, status) ||
        !sf_harness_expect_count(harness, "example/out", ACCOUNTS, status))
        return false;
    for (size_t i = 0; i < ACCOUNTS; i++)
        if (!sf_expect_egress(sf_harness_egress(harness, "example/out", i), "example/out",
                              sf_string(names[i]), status))
            return false;
    return true;
}

static void messages_of_one_sender_keep_their_order_and_others_do_not(void **state)
{
    struct sf_status status;
    bool from_one = true;
    (void)state;
    assert_good(sf_simulate(NULL, appends_in_order, &from_one, &status), &status);
    from_one = false;
    assert_false(sf_simulate(NULL, appends_in_order, &from_one, &status));
    assert_mentions(status.message, "expected example/out: io.statefun.types/string 'ann', found");
}

/* --- everything else under chance --- */

static bool does_all(struct sf_harness *harness, void *user, struct sf_status *status)
{
    struct sf_address ann = sf_address("example/reminder", "Ann");
    (void)user;
    if (!sf_harness_add(harness, configure_greeter, status) ||
        !sf_harness_add(harness, configure_accounts, status) ||
        !sf_harness_add(harness, configure_others, status))
        return false;
    for (int i = 0; i < 40; i++) {
        static const char *const keys[] = {"ann", "bob", "carl", NULL};
        const char *key = keys[i % 4];
        struct sf_record record = {.key = {key, key ? 3 : 0}, .value = {"word", 4}};
        if (!sf_harness_record(harness, "example/words", &record, status))
            return false;
    }
    sf_harness_expect_failure(harness, "1001 of 1000");
    if (!sf_harness_send(harness, ann, sf_string("go"), status) ||
        !sf_harness_send(harness, ann, sf_string("elsewhere"), status) ||
        !sf_harness_send(harness, sf_address("example/operator", "a"), sf_string("at once"),
                         status) ||
        !sf_harness_send(harness, sf_address("example/operator", "b"), sf_string("in vain"),
                         status) ||
        !sf_harness_send(harness, sf_address("example/account", "ann"), sf_string("bob 1001"),
                         status) ||
        !sf_harness_run(harness, status))
        return false;

    int32_t words = 0;
    const char *a = "", *b = "";
    sf_table_get(sf_harness_look(harness, sf_address("example/notebook", "all")), &WORDS,
                 sf_string("word"), &words);
    sf_get(sf_harness_look(harness, sf_address("example/operator", "a")), &ENDS, &a);
    sf_get(sf_harness_look(harness, sf_address("example/operator", "b")), &ENDS, &b);
    if (words != 40)
        return sf_fail(status, SF_INVALID, "%d words", (int)words);
    if ((strcmp(a, "at once: done;") && strcmp(a, "at once: unknown;")) ||
        (strcmp(b, "in vain: no luck;") && strcmp(b, "in vain: unknown;")))
        return sf_fail(status, SF_INVALID, "operations ended '%s' and '%s'", a, b);

    return sf_harness_advance(harness, 99, status) &&
           sf_harness_expect_count(harness, "example/greets", 1, status) &&
           sf_harness_expect_count(harness, "example/rings", 0, status) &&
           sf_harness_restart(harness, status) && sf_harness_advance(harness, 1, status) &&
           sf_harness_expect_count(harness, "example/rings", 1, status) &&
           sf_harness_send(harness, ann, sf_string("go"), status) &&
           sf_harness_send(harness, ann, sf_string("stop"), status) &&
           sf_harness_advance(harness, 1000, status) &&
           sf_harness_expect_count(harness, "example/rings", 1, status);
}

static void everything_can_be_simulated(void **state)
{
    struct sf_status status;
    (void)state;
    assert_good(sf_simulate(&(struct sf_simulation){.seeds = 300}, does_all, NULL, &status),
                &status);
}

/* An operation that is unknown after a crash, where in order it never is. */
static bool is_never_unknown(struct sf_harness *harness, void *user, struct sf_status *status)
{
    const char *ends = "";
    (void)user;
    if (!sf_harness_add(harness, configure_others, status))
        return false;
    for (int i = 0; i < 10; i++)
        if (!sf_harness_send(harness, sf_address("example/operator", "a"), sf_string("at once"),
                             status))
            return false;
    if (!sf_harness_run(harness, status))
        return false;
    sf_get(sf_harness_look(harness, sf_address("example/operator", "a")), &ENDS, &ends);
    return !strstr(ends, "unknown") || sf_fail(status, SF_INVALID, "an unknown one");
}

static void crashes_make_operations_unknown(void **state)
{
    (void)state;
    expect_found(is_never_unknown, "an unknown one");
}

/* Operations that the test ends itself, while many of them are under way. */
static struct sf_async *begun[10000];
static size_t begun_count;

static bool begin_one(struct sf_context *context, const struct sf_message *message)
{
    struct sf_async_result result;
    if (sf_async_result(context, message, &result) == SF_ASYNC_NONE) {
        assert_true(begun_count < sizeof begun / sizeof *begun);
        begun[begun_count++] = sf_async_begin(context, sf_message_value(message));
        return true;
    }
    return sf_send_egress(context, "example/ends",
                          sf_string(result.status == SF_ASYNC_SUCCESS ? "known" : "unknown"));
}

static const struct sf_function BEGINNER = {.type = "example/beginner", .call = begin_one};

static bool configure_beginner(struct sf_module *module, struct sf_status *status)
{
    return sf_bind(module, &BEGINNER, status);
}

static void end_all(void)
{
    while (begun_count)
        sf_async_complete(begun[--begun_count], sf_int(1));
}

static bool each_ends_once(struct sf_harness *harness, void *user, struct sf_status *status)
{
    enum { OPERATIONS = 50 };
    (void)user;
    if (!sf_harness_add(harness, configure_beginner, status))
        return false;
    for (int i = 0; i < OPERATIONS; i++) {
        char id[16];
        snprintf(id, sizeof id, "%d", i % 20);
        if (!sf_harness_send(harness, sf_address("example/beginner", id), sf_int(i), status))
            return false;
    }
    bool good = sf_harness_run_now(harness, status) && sf_harness_run_now(harness, status);
    end_all();
    while (good && sf_harness_run_now(harness, status) && begun_count)
        end_all(); /* those of input that there was no room for before */
    return good && sf_harness_run(harness, status) &&
           sf_harness_expect_count(harness, "example/ends", OPERATIONS, status);
}

static void each_operation_ends_once_whatever_happens(void **state)
{
    struct sf_status status;
    (void)state;
    assert_good(sf_simulate(&(struct sf_simulation){.seeds = 300}, each_ends_once, NULL, &status),
                &status);
}

/* --- the environment --- */

static bool returns_false(struct sf_harness *harness, void *user, struct sf_status *status)
{
    (void)harness, (void)user, (void)status;
    return false;
}

static void what_fails_in_order_is_told_so(void **state)
{
    struct sf_status status;
    (void)state;
    assert_false(sf_simulate(NULL, returns_false, NULL, &status));
    assert_string_equal(status.message, "with everything in order (SF_SEED=0 replays it): the "
                                        "test returned false");
}

static void the_environment_says_how_many_seeds(void **state)
{
    struct sf_status status;
    size_t runs = 0;
    (void)state;
    setenv("SF_SEEDS", "7", 1);
    assert_good(sf_simulate(NULL, greets, &runs, &status), &status);
    assert_int_equal(runs, 7);
    setenv("SF_SEEDS", "many", 1);
    assert_false(sf_simulate(NULL, greets, &runs, &status));
    assert_string_equal(status.message, "SF_SEEDS is 'many', expected a number");
    unsetenv("SF_SEEDS");
    setenv("SF_SEED", "-1", 1);
    assert_false(sf_simulate(NULL, greets, &runs, &status));
    assert_mentions(status.message, "SF_SEED is '-1'");
    assert_int_equal(runs, 7);
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_holds_in_order_holds_by_chance),
        TEST(sums_are_conserved),
        TEST(a_static_variable_instead_of_a_state_is_found),
        TEST(what_a_function_does_beside_its_effects_is_found),
        TEST(messages_of_one_sender_keep_their_order_and_others_do_not),
        TEST(everything_can_be_simulated),
        TEST(crashes_make_operations_unknown),
        TEST(each_operation_ends_once_whatever_happens),
        TEST(what_fails_in_order_is_told_so),
        TEST(the_environment_says_how_many_seeds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
