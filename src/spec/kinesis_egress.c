/* kinesis_egress.c - io.statefun.kinesis.v1/egress (module-yaml.md 7). */
#include "spec/component.h"
#include "spec/kinesis_common.h"

static bool read_id(struct reader *reader, const struct property *property,
                    const struct yaml_node *node, void *to)
{
    struct kinesis_egress_spec *egress = to;
    return binding_id_read(reader, property, node, BINDING_EGRESS, &egress->id, &egress->place);
}

static const struct range outstanding_range = {1, INT32_MAX};

#define EGRESS(member) offsetof(struct kinesis_egress_spec, member)

static const struct property properties[] = {
    PROPERTY("id", read_id, 0, .required = true),
    PROPERTY("awsRegion", aws_region_read, EGRESS(region)),
    PROPERTY("awsCredentials", aws_credentials_read, EGRESS(credentials)),
    PROPERTY("maxOutstandingRecords", count_read, EGRESS(outstanding_max),
             .detail = &outstanding_range),
    PROPERTY("clientConfigProperties", kinesis_client_read, EGRESS(client)),
};

void kinesis_egress_read(struct reader *reader, const struct yaml_node *spec)
{
    struct application *application = reader->application;
    struct kinesis_egress_spec egress = {
        .place = spec->place,
        .outstanding_max = 1000,
        .client = kinesis_client_default(),
    };

    if (!object_read(reader, spec, reader->kind, properties, COUNT_OF(properties), &egress))
        return;
    application->kinesis_egresses = reader_room(reader, application->kinesis_egresses,
                                                application->kinesis_egress_count, sizeof egress);
    application->kinesis_egresses[application->kinesis_egress_count++] = egress;
}
