/* kinesis_ingress.c - io.statefun.kinesis.v1/ingress (module-yaml.md 7). */
#include "spec/component.h"
#include "spec/dead_letters.h"
#include "spec/kinesis_common.h"

static bool read_id(struct reader *reader, const struct property *property,
                    const struct yaml_node *node, void *to)
{
    struct kinesis_ingress_spec *ingress = to;
    return binding_id_read(reader, property, node, BINDING_INGRESS, &ingress->id, &ingress->place);
}

static bool read_targets(struct reader *reader, const struct property *property,
                         const struct yaml_node *node, void *to)
{
    struct kinesis_stream_spec *stream = to;
    return targets_read(reader, property, node, &stream->targets, &stream->target_count);
}

static const struct property stream_properties[] = {
    PROPERTY("stream", kinesis_stream_read, offsetof(struct kinesis_stream_spec, stream),
             .required = true),
    PROPERTY("valueType", text_read, offsetof(struct kinesis_stream_spec, value_type),
             .required = true),
    PROPERTY("targets", read_targets, 0), /* stays last: see below */
};

static const char streams_expected[] = "a list of objects with stream, valueType and targets";

static const char *read_stream(struct reader *reader, const char *key, const struct yaml_node *node,
                               void *item)
{
    struct kinesis_stream_spec *stream = item;
    struct property properties_here[COUNT_OF(stream_properties)];
    memcpy(properties_here, stream_properties, sizeof properties_here);
    properties_here[COUNT_OF(stream_properties) - 1].required = targets_are_required(reader);
    stream->place = node->place;
    bool good = reader_expect_kind(reader, key, node, YAML_OBJECT, streams_expected) &&
                object_read(reader, node, "an element of streams", properties_here,
                            COUNT_OF(properties_here), stream);
    return good ? stream->stream : NULL;
}

static bool read_streams(struct reader *reader, const struct property *property,
                         const struct yaml_node *node, void *to)
{
    static const struct named_list list = {streams_expected, sizeof(struct kinesis_stream_spec),
                                           read_stream};
    struct kinesis_ingress_spec *ingress = to;
    if (node->kind == YAML_LIST && node->count == 0)
        return reader_error(reader, &node->place, "'%s': expected %s, found an empty list",
                            property->key, streams_expected);
    return named_list_read(reader, property->key, node, &list, &ingress->streams,
                           &ingress->stream_count);
}

static const struct property date_properties[] = {
    PROPERTY("type", NULL, 0),
    PROPERTY("date", date_read, offsetof(struct kinesis_ingress_spec, start_date_ms),
             .required = true),
};

static const struct variant positions[] = {
    {"latest", KINESIS_START_LATEST, NULL, 0},
    {"earliest", KINESIS_START_EARLIEST, NULL, 0},
    {"date", KINESIS_START_DATE, date_properties, COUNT_OF(date_properties)},
};

static bool read_start(struct reader *reader, const struct property *property,
                       const struct yaml_node *node, void *to)
{
    struct kinesis_ingress_spec *ingress = to;
    const struct variant *position =
        variant_find(reader, node, property->key, "Invalid startup position type", positions,
                     COUNT_OF(positions), NULL);
    if (!position)
        return false;
    ingress->start = (enum kinesis_start)position->value;
    return variant_read(reader, node, property->key, position, ingress);
}

static const char nothing_is_invalid[] =
    "every record of Kinesis has a partition key and data, so each becomes a message, and none is "
    "invalid";

#define INGRESS(member) offsetof(struct kinesis_ingress_spec, member)

static const struct property properties[] = {
    PROPERTY("id", read_id, 0, .required = true),
    PROPERTY("awsRegion", aws_region_read, INGRESS(region)),
    PROPERTY("awsCredentials", aws_credentials_read, INGRESS(credentials)),
    PROPERTY("startupPosition", read_start, 0),
    PROPERTY("streams", read_streams, 0, .required = true),
    PROPERTY("invalidRecordHandling", misplaced_read, 0, .detail = nothing_is_invalid),
    PROPERTY("invalidRecordTarget", misplaced_read, 0, .detail = nothing_is_invalid),
    PROPERTY("deadLetters", misplaced_read, 0, .detail = dead_letters_misplaced),
    PROPERTY("clientConfigProperties", kinesis_client_read, INGRESS(client)),
};

void kinesis_ingress_read(struct reader *reader, const struct yaml_node *spec)
{
    struct application *application = reader->application;
    struct kinesis_ingress_spec ingress = {
        .place = spec->place,
        .start = KINESIS_START_LATEST,
        .client = kinesis_client_default(),
    };

    bool good = object_read(reader, spec, reader->kind, properties, COUNT_OF(properties), &ingress);
    for (size_t i = 0; good && i < ingress.stream_count; i++)
        good = targets_check(reader, &ingress.id, ingress.streams[i].targets,
                             &ingress.streams[i].place, "an element of streams");
    if (!good)
        return;
    application->kinesis_ingresses = reader_room(
        reader, application->kinesis_ingresses, application->kinesis_ingress_count, sizeof ingress);
    application->kinesis_ingresses[application->kinesis_ingress_count++] = ingress;
}
