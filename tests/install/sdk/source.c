/* source.c - a module with an ingress, a router and a function that counts, so that all metrics are
 * there. */
#include <statefun/statefun.h>

static bool run(struct sf_source *source, struct sf_status *status)
{
    static const char number = 1;
    const struct sf_record record = {.value = {&number, 1}};
    (void)status;
    if (!sf_source_position(source).size)
        (void)sf_emit(source, &record, record.value);
    while (sf_source_pause(source, 1000))
        ;
    return true;
}

static bool route(struct sf_routing *routing, const struct sf_record *record, void *user)
{
    (void)record, (void)user;
    sf_count_route(routing, "routed", 1);
    return sf_forward(routing, sf_address("install/counter", "one"), sf_int(1));
}

static bool count(struct sf_context *context, const struct sf_message *message)
{
    (void)message;
    sf_count(context, "counted", 1);
    return true;
}

static const struct sf_ingress NUMBERS = {.id = "install/numbers", .run = run};
static const struct sf_router ROUTER = {.ingress = "install/numbers", .route = route};
static const struct sf_function COUNTER = {.type = "install/counter", .call = count};

static bool configure(struct sf_module *module, struct sf_status *status)
{
    return sf_bind(module, &COUNTER, status) && sf_bind_ingress(module, &NUMBERS, status) &&
           sf_bind_router(module, &ROUTER, status);
}
SF_MODULE(configure)
