/* faulty.c - embedded modules for test_c_modules.py that cannot be used, one for each FAULT_. */
#include "statefun/statefun.h"

#include <unistd.h>

#if defined FAULT_VERSION
__attribute__((visibility("default")))
const struct sf_module_entry sf_module_entry = {999, 0, "9.9.9", NULL};

#elif defined FAULT_NOTHING
extern const int nothing;
__attribute__((visibility("default"))) const int nothing = 1;

#else
static bool call(struct sf_context *context, const struct sf_message *message)
{
    (void)context, (void)message;
    return true;
}

static bool run(struct sf_source *source, struct sf_status *status)
{
    (void)status;
#if defined FAULT_STUCK
    for (;;)
        (void)pause();
#endif
    while (sf_source_pause(source, 1000))
        ;
    return true;
}

static bool route(struct sf_routing *routing, const struct sf_record *record, void *user)
{
    (void)routing, (void)record, (void)user;
    return true;
}

static bool deliver(void *user, uint64_t epoch, const struct sf_egress_record *records,
                    size_t count, struct sf_status *status)
{
    (void)user, (void)epoch, (void)records, (void)count, (void)status;
    return true;
}

static const struct sf_function FUNCTION = {.type = "example/f", .call = call};
static const struct sf_ingress INGRESS = {.id = "example/in", .run = run};
static const struct sf_egress EGRESS = {.id = "example/out", .deliver = deliver};
static const struct sf_router ASTRAY = {.ingress = "example/nobody", .route = route};

static bool configure(struct sf_module *module, struct sf_status *status)
{
    (void)FUNCTION, (void)ASTRAY, (void)INGRESS, (void)EGRESS;
#if defined FAULT_CONFIGURE
    (void)module;
    return sf_fail(status, SF_INVALID, "it is not in the mood");
#elif defined FAULT_INGRESS
    return sf_bind_ingress(module, &INGRESS, status);
#elif defined FAULT_EGRESS
    return sf_bind_egress(module, &EGRESS, status);
#elif defined FAULT_MUTE || defined FAULT_STUCK
    return sf_bind(module, &FUNCTION, status) && sf_bind_ingress(module, &INGRESS, status);
#elif defined FAULT_ASTRAY
    return sf_bind(module, &FUNCTION, status) && sf_bind_ingress(module, &INGRESS, status) &&
           sf_bind_router(module, &ASTRAY, status);
#else /* FAULT_FUNCTION */
    return sf_bind(module, &FUNCTION, status);
#endif
}
SF_MODULE(configure)
#endif
