/* linked.c - the test that stands at the top of harness.h, as a program that is linked with nothing
 * but libstatefun-harness.a. With a URL as its argument it tests what is there: the greeter of the
 * examples, in Python (tests/e2e/test_harness.py). */
#include "statefun/harness.h"

#include <stdio.h>

static const struct sf_state SEEN = SF_VALUE("seen", &sf_int_type);

static bool greet(struct sf_context *context, const struct sf_message *message)
{
    const char *name = sf_self(context).id;
    int32_t seen = 0;
    (void)message;
    sf_get(context, &SEEN, &seen);
    sf_set(context, &SEEN, sf_int(seen + 1));
    return sf_send_kafka(context, "example/greets",
                         &(struct sf_kafka_record){
                             .topic = "greetings",
                             .key = sf_string(name),
                             .value = sf_format(context, "Hello %s, %d times", name, seen + 1)});
}

static const struct sf_function GREETER = {
    .type = "example/greeter", .call = greet, .states = SF_STATES(&SEEN)};

static bool configure(struct sf_module *module, struct sf_status *status)
{
    return sf_bind(module, &GREETER, status);
}

static bool greets_twice(struct sf_harness *harness, void *user, struct sf_status *status)
{
    struct sf_address ann = sf_address("example/greeter", "Ann");
    (void)user;
    return sf_harness_add(harness, configure, status) &&
           sf_harness_send(harness, ann, sf_string(""), status) &&
           sf_harness_send(harness, ann, sf_string(""), status) &&
           sf_harness_run(harness, status) &&
           sf_harness_expect_count(harness, "example/greets", 2, status) &&
           sf_expect_kafka(sf_harness_egress(harness, "example/greets", 1), "greetings", "Ann",
                           "Hello Ann, 2 times", status);
}

static bool python_greets(struct sf_harness *harness, void *url, struct sf_status *status)
{
    static const struct sf_state visits = SF_VALUE("visits", &sf_int_type);
    struct sf_address ann = sf_address("example/person", "Ann");
    struct sf_value visit = sf_raw("example/visit", "", 0);
    int32_t count = 0;
    if (!sf_harness_add_remote(harness, "example/*", url, status) ||
        !sf_harness_send(harness, ann, visit, status) ||
        !sf_harness_send(harness, sf_address("example/person", "Bob"), visit, status) ||
        !sf_harness_send(harness, ann, visit, status) || !sf_harness_run(harness, status) ||
        !sf_harness_expect_count(harness, "example/greetings", 3, status))
        return false;
    sf_get(sf_harness_look(harness, ann), &visits, &count);
    if (count != 2)
        return sf_fail(status, SF_INVALID, "Ann was seen %d times, expected 2", (int)count);
    return sf_harness_is_simulated(harness) ||
           sf_expect_kafka(sf_harness_egress(harness, "example/greetings", 2), "greetings", "Ann",
                           "Hello again, Ann: I have seen you 2 times.", status);
}

int main(int argc, char **argv)
{
    struct sf_status status;
    bool good = argc > 1 ? sf_simulate(NULL, python_greets, argv[1], &status)
                         : sf_simulate(NULL, greets_twice, NULL, &status);
    if (!good)
        fprintf(stderr, "%s\n", status.message);
    return good ? 0 : 1;
}
