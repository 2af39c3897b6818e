/* routing.c - an embedded module for test_c_modules.py: a router for an ingress of module.yaml,
 * named by the configuration (`ingress`), and a function that says what it gets. */
#include "statefun/statefun.h"

#include <stdio.h>
#include <string.h>

static bool route(struct sf_routing *routing, const struct sf_record *record, void *user)
{
    char text[200];
    (void)user;
    if (record->value.size == 3 && !memcmp(record->value.data, "bad", 3))
        return sf_fail_route(routing, "a bad record");
    sf_log_route(routing, SF_WARNING, "a record of %d bytes", (int)record->value.size);
    sf_count_route(routing, "routed bytes", (int64_t)record->value.size);
    snprintf(text, sizeof text, "routed %.*s %.*s %s", record->key.data ? (int)record->key.size : 4,
             record->key.data ? (const char *)record->key.data : "none", (int)record->value.size,
             (const char *)record->value.data, record->topic);
    for (int i = 0; i < 2; i++)
        sf_forward(routing, sf_address("example/say", i ? "one" : "two"), sf_string(text));
    return true;
}

static bool say(struct sf_context *context, const struct sf_message *message)
{
    const char *text = "direct";
    char record[400];
    if (sf_is(message, &sf_string_type))
        sf_read(context, message, &sf_string_type, &text);
    snprintf(record, sizeof record, "{\"topic\": \"out\", \"payload\": \"%s: %s\"}",
             sf_self(context).id, text);
    return sf_send_egress(context, "io.statefun.playground/egress",
                          sf_raw("io.statefun.playground/EgressRecord", record, strlen(record)));
}

static const struct sf_function SAY = {.type = "example/say", .call = say};

static bool configure(struct sf_module *module, struct sf_status *status)
{
    static struct sf_router router = {.route = route};
    router.ingress = sf_config(module, "ingress");
    return sf_bind(module, &SAY, status) && sf_bind_router(module, &router, status);
}
SF_MODULE(configure)
