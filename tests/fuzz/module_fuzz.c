/* module_fuzz.c - any bytes as a module file: either they are an application, or it is said why
 * not; and what `migrate` makes of them is YAML again.
 *
 * Placeholders are on, and every second input is read as `check` reads it, so that all paths are
 * met. */
#include "spec/application.h"
#include "spec/migrate.h"
#include "spec/yaml.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *look_up(void *owner, const char *name)
{
    (void)owner;
    return name[0] == 'x' ? NULL : "io.statefun.playground.v1/ingress";
}

static bool knows(const char *name)
{
    return strlen(name) % 2;
}

/* Everything that is promised about an application is touched, for the sanitizers to see. */
static size_t walk(const struct application *application)
{
    size_t sum = 0;
    for (size_t i = 0; i < application->endpoint_count; i++) {
        const struct endpoint_spec *endpoint = &application->endpoints[i];
        const char *name = endpoint->functions.name ? endpoint->functions.name : "any";
        sum += strlen(endpoint->url_template) + endpoint->transport.call_ms;
        assert(application_find_endpoint(application, bytes_of(endpoint->functions.ns),
                                         bytes_of(name)));
    }
    for (size_t i = 0; i < application->kafka_ingress_count; i++) {
        const struct kafka_ingress_spec *ingress = &application->kafka_ingresses[i];
        assert(ingress->topic_count > 0);
        sum += strlen(ingress->id.name) + strlen(ingress->address) + strlen(ingress->group);
        for (size_t j = 0; j < ingress->topic_count; j++)
            for (size_t k = 0; k < ingress->topics[j].target_count; k++)
                sum += strlen(ingress->topics[j].targets[k].name);
        for (size_t j = 0; j < ingress->offset_count; j++)
            sum += strlen(ingress->offsets[j].topic);
        for (size_t j = 0; j < ingress->properties.count; j++)
            sum += strlen(ingress->properties.items[j].value);
    }
    for (size_t i = 0; i < application->kafka_egress_count; i++)
        sum += strlen(application->kafka_egresses[i].address);
    for (size_t i = 0; i < application->kinesis_ingress_count; i++) {
        const struct kinesis_ingress_spec *ingress = &application->kinesis_ingresses[i];
        assert(ingress->stream_count > 0 && ingress->client.records_max > 0);
        for (size_t j = 0; j < ingress->stream_count; j++)
            for (size_t k = 0; k < ingress->streams[j].target_count; k++)
                sum += strlen(ingress->streams[j].targets[k].name);
        sum += ingress->region.endpoint ? strlen(ingress->region.endpoint) : 0;
    }
    for (size_t i = 0; i < application->kinesis_egress_count; i++)
        sum += strlen(application->kinesis_egresses[i].id.name);
    assert(application->http_ingress_count <= 1 && application->http_egress_count <= 1);
    for (size_t i = 0; i < application->http_egress_count; i++)
        for (size_t j = 0; j < application->http_egresses[i].topic_count; j++)
            sum += strlen(application->http_egresses[i].topics[j]);
    return sum;
}

static void migrate(struct bytes text)
{
    struct diagnostics diagnostics = {0}, of_result = {0};
    struct buffer result = {0};
    struct yaml_stream stream;
    module_migrate("module.yaml", text, &result, &diagnostics);
    yaml_stream_init(&stream, "result", buffer_bytes(&result), NULL, &of_result);
    assert(stream.is_whole);
    yaml_stream_destroy(&stream);
    buffer_destroy(&result);
    diagnostics_destroy(&diagnostics);
    diagnostics_destroy(&of_result);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    migrate(bytes_make(data, size));
    struct diagnostics diagnostics = {0};
    struct application_options options = {
        .placeholders = true,
        .look_up = look_up,
        .unknown_keys_are_errors = size % 2,
        .kafka_knows = size % 4 < 2 ? knows : NULL,
    };
    struct application *application =
        application_load_text("module.yaml", bytes_make(data, size), &options, &diagnostics);

    assert(!application == (diagnostics.error_count > 0));
    for (size_t i = 0; i < diagnostics.count; i++) {
        char *line = diagnostic_line(&diagnostics.items[i]);
        assert(!strchr(line, '\n'));
        free(line);
    }
    volatile size_t sum = application ? walk(application) : 0;
    (void)sum;
    application_free(application);
    diagnostics_destroy(&diagnostics);
    return 0;
}
