/* linked.c - the test that stands at the top of harness.h, as a program that is linked with nothing
 * but libstatefun-harness.a. With a URL as its argument it tests what is there instead: functions
 * of any language, example/greeter, as the one below is. */
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

static bool greets_twice(struct sf_harness *harness, void *url, struct sf_status *status)
{
    struct sf_address ann = sf_address("example/greeter", "Ann");
    return (url ? sf_harness_add_remote(harness, "example/greeter", url, status)
                : sf_harness_add(harness, configure, status)) &&
           sf_harness_send(harness, ann, sf_string(""), status) &&
           sf_harness_send(harness, ann, sf_string(""), status) &&
           sf_harness_run(harness, status) &&
           sf_harness_expect_count(harness, "example/greets", 2, status) &&
           sf_expect_kafka(sf_harness_egress(harness, "example/greets", 1), "greetings", "Ann",
                           "Hello Ann, 2 times", status);
}

int main(int argc, char **argv)
{
    struct sf_status status;
    if (!sf_simulate(NULL, greets_twice, argc > 1 ? argv[1] : NULL, &status)) {
        fprintf(stderr, "%s\n", status.message);
        return 1;
    }
    return 0;
}
