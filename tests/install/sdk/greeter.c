/* greeter.c - a module as somebody writes it who has the SDK installed. */
#include <statefun/statefun.h>

static const struct sf_state SEEN =
    SF_VALUE("seen", &sf_int_type, SF_EXPIRES(SF_EXPIRE_AFTER_WRITE, 60 * 1000));
static const struct sf_state NAMES = SF_TABLE("names", &sf_string_type, &sf_long_type);

static bool greet(struct sf_context *context, const struct sf_message *message)
{
    int32_t seen = 0;
    (void)message;
    sf_get(context, &SEEN, &seen);
    sf_set(context, &SEEN, sf_int(seen + 1));
    sf_table_set(context, &NAMES, sf_string(sf_self(context).id), sf_long(seen));
    return sf_send_egress(context, "example/greets",
                          sf_format(context, "Hello %s, %d times", sf_self(context).id, seen + 1));
}

static const struct sf_function GREETER = {
    .type = "example/greeter", .call = greet, .states = SF_STATES(&SEEN, &NAMES)};

static bool configure(struct sf_module *module, struct sf_status *status)
{
    return sf_bind(module, &GREETER, status);
}

#ifdef REMOTE
#include <statefun/serve.h>

int main(int argc, char **argv)
{
    return sf_serve_main(argc, argv, configure);
}
#else
SF_MODULE(configure)
#endif
