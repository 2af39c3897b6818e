/* endpoint.c - io.statefun.endpoints.v1/http and v2/http (module-yaml.md 4). */
#include "spec/component.h"
#include "spec/failures.h"
#include "spec/header.h"
#include "spec/transport.h"
#include "spec/url.h"

/* `functions`: one function type, or all of a namespace. */
static bool read_target(struct reader *reader, const struct property *property,
                        const struct yaml_node *node, void *to)
{
    struct endpoint_spec *endpoint = to;
    struct spec_name name;
    if (!name_read(reader, property, node, &name))
        return false;

    bool is_namespace = !strcmp(name.name, "*");
    if (strchr(name.ns, '*') || (strchr(name.name, '*') && !is_namespace))
        return reader_error(reader, &node->place,
                            "Invalid syntax for target functions. Only <namespace>/<name> or "
                            "<namespace>/* are supported. Found %s",
                            yaml_describe(node).text);
    endpoint->functions = (struct spec_name){name.ns, is_namespace ? NULL : name.name};
    endpoint->place = node->place;
    return binding_put(reader, BINDING_FUNCTIONS, name.ns, name.name, &node->place);
}

static bool read_url(struct reader *reader, const struct property *property,
                     const struct yaml_node *node, void *to)
{
    struct endpoint_spec *endpoint = to;
    struct sf_status status;
    if (!text_read(reader, property, node, &endpoint->url_template))
        return false;
    if (url_template_check(endpoint->url_template, &endpoint->is_tls, &status))
        return true;
    /* A URL with a user name may hold a password. */
    if (strchr(endpoint->url_template, '@'))
        return reader_error(reader, &node->place, "'%s': expected %s", property->key,
                            status.message);
    return reader_mismatch(reader, property->key, node, "%s", status.message);
}

static bool read_batch_max(struct reader *reader, const struct property *property,
                           const struct yaml_node *node, void *to)
{
    int64_t value;
    if (!integer_read(node, &value) || value < INT32_MIN || value > INT32_MAX)
        return reader_mismatch(reader, property->key, node,
                               "an integer from %d to %d (0 or less: no limit)", INT32_MIN,
                               INT32_MAX);
    *(size_t *)to = value > 0 ? (size_t)value : 0;
    return true;
}

/* v1 takes no text that holds a number. */
static bool read_strict_batch_max(struct reader *reader, const struct property *property,
                                  const struct yaml_node *node, void *to)
{
    if (node->kind == YAML_INTEGER || node->kind == YAML_BROKEN)
        return read_batch_max(reader, property, node, to);
    return reader_error(reader, &node->place,
                        "Wrong type for key /%s not an integer: expected an integer, found %s",
                        property->key, yaml_describe(node).text);
}

#define ENDPOINT(member) offsetof(struct endpoint_spec, member)

static const struct range in_flight_range = {1, INT32_MAX};
static const struct range per_second_range = {1, 1000000};

/* What upstream has not, in both kinds of endpoint. */
#define EXTENSIONS                                                                                 \
    PROPERTY("headers", headers_read, ENDPOINT(headers)),                                          \
        PROPERTY("bearerToken", bearer_token_read, ENDPOINT(headers)),                             \
        PROPERTY("maxInFlightRequests", count_read, ENDPOINT(in_flight_max),                       \
                 .detail = &in_flight_range),                                                      \
        PROPERTY("maxRequestsPerSecond", count_read, ENDPOINT(per_second_max),                     \
                 .detail = &per_second_range),                                                     \
        PROPERTY("failures", failures_read, ENDPOINT(failures))

static const struct property properties_v1[] = {
    PROPERTY("functions", read_target, 0, .required = true, .missing = "missing key /functions"),
    PROPERTY("urlPathTemplate", read_url, 0, .required = true,
             .missing = "missing key /urlPathTemplate"),
    PROPERTY("maxNumBatchRequests", read_strict_batch_max, ENDPOINT(batch_max)),
    PROPERTY("timeouts", okhttp_timeouts_read, ENDPOINT(transport)),
    EXTENSIONS,
};

static const struct property properties_v2[] = {
    PROPERTY("functions", read_target, 0, .required = true),
    PROPERTY("urlPathTemplate", read_url, 0, .required = true),
    PROPERTY("maxNumBatchRequests", read_batch_max, ENDPOINT(batch_max)),
    PROPERTY("transport", transport_read, ENDPOINT(transport)),
    EXTENSIONS,
};

static void read_endpoint(struct reader *reader, const struct yaml_node *spec,
                          const struct property *properties, size_t count, enum transport_kind kind)
{
    struct application *application = reader->application;
    struct endpoint_spec endpoint = {.batch_max = 1000, .transport = transport_default(kind)};

    bool good = object_read(reader, spec, reader->kind, properties, count, &endpoint);
    const struct yaml_entry *transport = yaml_find(spec, "transport");
    if (transport && endpoint.url_template && !endpoint.is_tls)
        transport_check_plain(reader, transport->value);
    if (!good)
        return;
    application->endpoints =
        reader_room(reader, application->endpoints, application->endpoint_count, sizeof endpoint);
    application->endpoints[application->endpoint_count++] = endpoint;
}

void endpoint_v1_read(struct reader *reader, const struct yaml_node *spec)
{
    read_endpoint(reader, spec, properties_v1, COUNT_OF(properties_v1), TRANSPORT_OKHTTP);
}

void endpoint_v2_read(struct reader *reader, const struct yaml_node *spec)
{
    read_endpoint(reader, spec, properties_v2, COUNT_OF(properties_v2), TRANSPORT_ASYNC);
}
