/* greeter.c - each name has an instance of its own, which counts its visits and greets it. */
#include "greeter.h"

static const struct sf_state VISITS = SF_VALUE("visits", &sf_int_type);

/* Called for one visit at a time; what it changes and sends counts together, exactly once. */
static bool greet(struct sf_context *context, const struct sf_message *message)
{
    (void)message; /* that it came says it all */
    const char *name = sf_self(context).id;
    int32_t visits = 0;

    sf_get(context, &VISITS, &visits); /* the first time it is not there, and stays 0 */
    visits++;
    sf_set(context, &VISITS, sf_int(visits));

    struct sf_value greeting =
        visits == 1
            ? sf_format(context, "Welcome, %s: I see you for the first time.", name)
            : sf_format(context, "Hello again, %s: I have seen you %d times.", name, visits);
    return sf_send_kafka(
        context, "example/greetings",
        &(struct sf_kafka_record){.topic = "greetings", .key = sf_string(name), .value = greeting});
}

static const struct sf_function GREETER = {
    .type = "example/greeter", .call = greet, .states = SF_STATES(&VISITS)};

bool greeter_configure(struct sf_module *module, struct sf_status *status)
{
    return sf_bind(module, &GREETER, status);
}

SF_MODULE(greeter_configure)
