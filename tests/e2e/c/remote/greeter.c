/* greeter.c - the greeter of examples/, in C: a person counts its visits, a greeter says them. */
#include "playground.h"

#include <statefun/serve.h>

static const struct sf_type VISIT = SF_BYTES_TYPE("example/visit");
static const struct sf_state SEEN = SF_VALUE("seen", &sf_int_type);

static bool on_visit(struct sf_context *context, const struct sf_message *message)
{
    int32_t seen = 0;
    (void)message;
    sf_get(context, &SEEN, &seen);
    sf_set(context, &SEEN, sf_int(seen + 1));
    sf_count(context, "visits", 1);
    return sf_send(context, sf_address("example/greeter", sf_self(context).id), sf_int(seen + 1));
}

static bool person(struct sf_context *context, const struct sf_message *message)
{
    static const struct sf_case cases[] = {{&VISIT, NULL, on_visit}, {0}};
    return sf_match(context, message, cases);
}

static bool greeter(struct sf_context *context, const struct sf_message *message)
{
    int32_t seen;
    const char *name = sf_self(context).id;
    if (!sf_read(context, message, &sf_int_type, &seen))
        return false;
    return publish(
        context, "greetings",
        seen == 1 ? sf_format(context, "Welcome, %s: I see you for the first time.", name)
                  : sf_format(context, "Hello again, %s: I have seen you %d times.", name, seen));
}

static const struct sf_function PERSON = {
    .type = "example/person", .call = person, .states = SF_STATES(&SEEN)};
static const struct sf_function GREETER = {.type = "example/greeter", .call = greeter};

static bool configure(struct sf_module *module, struct sf_status *status)
{
    return sf_bind(module, &PERSON, status) && sf_bind(module, &GREETER, status);
}

int main(int argc, char **argv)
{
    return sf_serve_main(argc, argv, configure);
}
