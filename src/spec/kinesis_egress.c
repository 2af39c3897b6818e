/* kinesis_egress.c - io.statefun.kinesis.v1/egress (module-yaml.md 7). */
#include "spec/component.h"
#include "spec/dead_letters.h"
#include "spec/kinesis_common.h"

#include <strings.h>

static bool read_id(struct reader *reader, const struct property *property,
                    const struct yaml_node *node, void *to)
{
    struct kinesis_egress_spec *egress = to;
    return binding_id_read(reader, property, node, BINDING_EGRESS, &egress->id, &egress->place);
}

static const struct range outstanding_range = {1, INT32_MAX};

/* `format`: as for Kafka, but there is one only. */
static bool read_format(struct reader *reader, const struct property *property,
                        const struct yaml_node *node, void *to)
{
    (void)to;
    if (node->kind == YAML_TEXT && !strcasecmp(node->text, "json"))
        return true;
    if (node->kind == YAML_TEXT && !strcasecmp(node->text, "raw"))
        return reader_error(reader, &node->place,
                            "'%s': expected json, found raw: a record of Kinesis has no headers, "
                            "which would say what is wrong with it (a Kafka egress takes raw)",
                            property->key);
    return reader_mismatch(reader, property->key, node, "json");
}

static const struct property dead_letters_properties[] = {
    PROPERTY("stream", kinesis_stream_read, offsetof(struct dead_letters_draft, to),
             .required = true),
    PROPERTY("keep", switch_read, offsetof(struct dead_letters_draft, keeps)),
    PROPERTY("format", read_format, 0),
};

static bool read_dead_letters(struct reader *reader, const struct property *property,
                              const struct yaml_node *node, void *to)
{
    struct kinesis_egress_spec *egress = to;
    return dead_letters_read(reader, property->key, node, dead_letters_properties,
                             COUNT_OF(dead_letters_properties),
                             "an object with stream, and perhaps keep", &egress->dead_letters);
}

#define EGRESS(member) offsetof(struct kinesis_egress_spec, member)

static const struct property properties[] = {
    PROPERTY("id", read_id, 0, .required = true),
    PROPERTY("awsRegion", aws_region_read, EGRESS(region)),
    PROPERTY("awsCredentials", aws_credentials_read, EGRESS(credentials)),
    PROPERTY("maxOutstandingRecords", count_read, EGRESS(outstanding_max),
             .detail = &outstanding_range),
    PROPERTY("deadLetters", read_dead_letters, 0),
    PROPERTY("invalidRecordHandling", misplaced_read, 0, .detail = handling_misplaced),
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

    if (!object_read(reader, spec, reader->kind, properties, COUNT_OF(properties), &egress) ||
        !dead_letters_check(reader, &egress.dead_letters))
        return;
    application->kinesis_egresses = reader_room(reader, application->kinesis_egresses,
                                                application->kinesis_egress_count, sizeof egress);
    application->kinesis_egresses[application->kinesis_egress_count++] = egress;
}
