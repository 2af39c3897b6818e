// module.cpp - the same in C++, where states and functions are filled in by hand.
#include <statefun/statefun.h>

static bool greet(sf_context *context, const sf_message *message)
{
    const char *name;
    return sf_read(context, message, &sf_string_type, &name) &&
           sf_send(context, sf_address("example/greeter", name), sf_string(name));
}

static bool configure(sf_module *module, sf_status *status)
{
    static sf_function greeter = {};
    greeter.type = "example/greeter";
    greeter.call = greet;
    return sf_bind(module, &greeter, status);
}

SF_MODULE(configure)
