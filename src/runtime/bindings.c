/* bindings.c - views of the application, in other structs. */
#include "runtime/bindings.h"

#include "base/mem.h"
#include "egress/kafka_egress.h"
#include "egress/kinesis_egress.h"
#include "egress/module_egress.h"
#include "egress/playground_egress.h"
#include "runtime/letter_record.h"
#include "sdk/async.h"
#include "sdk/registry.h"

#include <assert.h>

static struct failure_policy policy_of(const struct failures_spec *failures)
{
    static const enum failure_end ends[] = {[FAILURES_RETRY] = FAILURE_RETRY,
                                            [FAILURES_PARK] = FAILURE_PARK,
                                            [FAILURES_DEAD_LETTER] = FAILURE_DEAD_LETTER};
    return (struct failure_policy){
        .end = ends[failures->end],
        .attempts = failures->attempts,
        .within_ms = failures->within_ms,
        .resumes = failures->resumes,
    };
}

static struct function_binding function_of(const struct endpoint_spec *endpoint)
{
    const struct spec_name *functions = &endpoint->functions;
    return (struct function_binding){
        .ns = bytes_of(functions->ns),
        .name = bytes_of(functions->name ? functions->name : ""),
        .is_prefix = !functions->name,
        .batch_max = endpoint->batch_max,
        .in_flight_max = endpoint->transport.pool_size,
        .failures = policy_of(&endpoint->failures),
    };
}

static struct egress_binding egress_of(const struct spec_name *id,
                                       bool (*accept)(struct bytes argument,
                                                      struct bytes *ret_record,
                                                      struct sf_status *status))
{
    return (struct egress_binding){
        .ns = bytes_of(id->ns),
        .name = bytes_of(id->name),
        .id = bytes_of(mem_format("%s/%s", id->ns, id->name)),
        .accept = accept,
    };
}

static struct egress_binding module_egress_of(const struct sf_egress *egress)
{
    struct egress_binding binding = {.id = bytes_of(mem_string(egress->id)),
                                     .accept = module_egress_accept};
    bool good = typename_split(binding.id, &binding.ns, &binding.name);
    assert(good); /* it was bound */
    return binding;
}

static const struct failures_spec *failures_of(const struct application *application,
                                               const struct registered_function *function)
{
    static const struct failures_spec forever = {.end = FAILURES_RETRY};
    const char *name = strchr(function->function->type, '/') + 1;
    for (size_t i = 0; i < application->embedded_count; i++) {
        const struct embedded_spec *said = &application->embedded[i];
        if (bytes_is(function->ns, said->functions.ns) && !strcmp(name, said->functions.name))
            return &said->failures;
    }
    return &forever;
}

/* Embedded functions answer at once, so that only one is ever under way. */
static struct function_binding embedded_function_of(const struct application *application,
                                                    const struct registered_function *function)
{
    enum { BATCH_MAX = 256 };
    return (struct function_binding){
        .ns = function->ns,
        .name = function->name,
        .is_prefix = function->is_prefix,
        .answers_at_once = true,
        .batch_max = BATCH_MAX,
        .in_flight_max = 1,
        .failures = policy_of(failures_of(application, function)),
    };
}

/* The companions of asynchronous operations. */
static struct function_binding companions(void)
{
    return (struct function_binding){
        .ns = bytes_of(ASYNC_FUNCTION_NS),
        .needs_no_proof = true, /* the first operation must not hold up the others */
        .name = bytes_of(ASYNC_FUNCTION_NAME),
        .batch_max = 1,
        .in_flight_max = SIZE_MAX,
    };
}

struct bindings *bindings_new(const struct application *application,
                              const struct registry *registry)
{
    size_t embedded_count = registry ? registry->function_count : 0;
    size_t module_egress_count = registry ? registry->egress_count : 0;
    size_t egress_count = application->kafka_egress_count + application->kinesis_egress_count +
                          application->http_egress_count + module_egress_count;
    struct function_binding *functions = mem_new(
        (application->endpoint_count + embedded_count + 1) * sizeof(struct function_binding));
    struct egress_binding *egresses = mem_new(egress_count * sizeof *egresses);
    struct egress_binding *egress = egresses;

    for (size_t i = 0; i < application->endpoint_count; i++)
        functions[i] = function_of(&application->endpoints[i]);
    size_t count = application->endpoint_count;
    for (size_t i = 0; i < embedded_count; i++)
        functions[count++] = embedded_function_of(application, &registry->functions[i]);
    if (embedded_count)
        functions[count++] = companions();
    for (size_t i = 0; i < application->kafka_egress_count; i++)
        *egress++ = egress_of(&application->kafka_egresses[i].id, kafka_egress_accept);
    for (size_t i = 0; i < application->kinesis_egress_count; i++)
        *egress++ = egress_of(&application->kinesis_egresses[i].id, kinesis_egress_accept);
    for (size_t i = 0; i < application->http_egress_count; i++)
        *egress++ = egress_of(&application->http_egresses[i].id, playground_egress_accept);
    for (size_t i = 0; i < module_egress_count; i++)
        *egress++ = module_egress_of(registry->egresses[i]);

    struct bindings *bindings = mem_new(sizeof *bindings);
    *bindings = (struct bindings){
        .functions = functions,
        .function_count = count,
        .egresses = egresses,
        .egress_count = egress_count,
        .letters = letter_route_of(application),
    };
    return bindings;
}

void bindings_free(struct bindings *bindings)
{
    if (!bindings)
        return;
    for (size_t i = 0; i < bindings->egress_count; i++)
        free((void *)bindings->egresses[i].id.data);
    free((void *)bindings->functions);
    free((void *)bindings->egresses);
    free(bindings);
}
