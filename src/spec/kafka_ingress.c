/* kafka_ingress.c - io.statefun.kafka.v1/ingress (module-yaml.md 5). */
#include "spec/client_properties.h"
#include "spec/component.h"
#include "spec/dead_letters.h"
#include "spec/kafka_common.h"
#include "spec/kafka_properties.h"
#include "spec/kafka_start.h"

#include "base/mem.h"

#include <strings.h>

static bool read_id(struct reader *reader, const struct property *property,
                    const struct yaml_node *node, void *to)
{
    struct kafka_ingress_spec *ingress = to;
    return binding_id_read(reader, property, node, BINDING_INGRESS, &ingress->id, &ingress->place);
}

/* `targets`: a list of typenames, which may be empty. */
static bool read_targets(struct reader *reader, const struct property *property,
                         const struct yaml_node *node, void *to)
{
    struct kafka_topic_spec *topic = to;
    return targets_read(reader, property, node, &topic->targets, &topic->target_count);
}

static const struct property topic_properties[] = {
    PROPERTY("topic", kafka_topic_read, offsetof(struct kafka_topic_spec, topic), .required = true),
    PROPERTY("valueType", text_read, offsetof(struct kafka_topic_spec, value_type),
             .required = true),
    PROPERTY("targets", read_targets, 0), /* stays last: see below */
};

static const char topics_expected[] = "a list of objects with topic, valueType and targets";

static const char *read_topic(struct reader *reader, const char *key, const struct yaml_node *node,
                              void *item)
{
    struct kafka_topic_spec *topic = item;
    struct property properties_here[COUNT_OF(topic_properties)];
    memcpy(properties_here, topic_properties, sizeof properties_here);
    properties_here[COUNT_OF(topic_properties) - 1].required = targets_are_required(reader);
    topic->place = node->place;
    bool good = reader_expect_kind(reader, key, node, YAML_OBJECT, topics_expected) &&
                object_read(reader, node, "an element of topics", properties_here,
                            COUNT_OF(properties_here), topic);
    return good ? topic->topic : NULL;
}

static bool read_topics(struct reader *reader, const struct property *property,
                        const struct yaml_node *node, void *to)
{
    static const struct named_list list = {topics_expected, sizeof(struct kafka_topic_spec),
                                           read_topic};
    struct kafka_ingress_spec *ingress = to;
    if (node->kind == YAML_LIST && node->count == 0)
        return reader_error(reader, &node->place,
                            "Routing config for routable Kafka ingress cannot be empty: '%s': "
                            "expected %s, found an empty list",
                            property->key, topics_expected);
    return named_list_read(reader, property->key, node, &list, &ingress->topics,
                           &ingress->topic_count);
}

static bool read_reset(struct reader *reader, const struct property *property,
                       const struct yaml_node *node, void *to)
{
    bool *reset_to_earliest = to;
    bool is_text = node->kind == YAML_TEXT;
    *reset_to_earliest = is_text && !strcasecmp(node->text, "earliest");
    if (*reset_to_earliest || (is_text && !strcasecmp(node->text, "latest")))
        return true;
    if (node->kind == YAML_BROKEN)
        return false;
    return reader_error(reader, &node->place,
                        "Invalid autoOffsetResetPosition: '%s': expected earliest or latest, found "
                        "%s",
                        property->key, yaml_describe(node).text);
}

static const struct choices invalid_choices = {
    {[KAFKA_INVALID_DEAD_LETTER] = "deadLetter",
     [KAFKA_INVALID_SKIP] = "skip",
     [KAFKA_INVALID_FAIL] = "fail",
     [KAFKA_INVALID_FORWARD] = "forward"},
    "skip, fail, forward or deadLetter",
};

#define INGRESS(member) offsetof(struct kafka_ingress_spec, member)

static const struct property properties[] = {
    PROPERTY("id", read_id, 0, .required = true),
    PROPERTY("address", kafka_address_read, INGRESS(address)),
    PROPERTY("consumerGroupId", text_read, INGRESS(group)),
    PROPERTY("topics", read_topics, 0, .required = true,
             .missing = "Routing config for routable Kafka ingress cannot be empty."),
    PROPERTY("autoOffsetResetPosition", read_reset, INGRESS(reset_to_earliest)),
    PROPERTY("startupPosition", kafka_start_read, 0),
    PROPERTY("forwardHeaders", switch_read, INGRESS(forwards_headers)),
    PROPERTY("invalidRecordHandling", choice_read, INGRESS(invalid), .detail = &invalid_choices),
    PROPERTY("invalidRecordTarget", name_read, INGRESS(invalid_target)),
    PROPERTY("deadLetters", misplaced_read, 0, .detail = dead_letters_misplaced),
    PROPERTY("properties", client_properties_read, INGRESS(properties)),
};

static const char *text_fault(const char *value)
{
    return *value ? NULL : "text that is not empty";
}

/* Settings with a key of their own that may stand among the properties instead, as Kafka's. */
static const struct settled {
    const char *key, *kafka_name, *missing;
    size_t offset;                           /* of a char * in the ingress */
    const char *(*fault)(const char *value); /* what was expected; NULL if nothing is wrong */
} settled[] = {
    {"address", "bootstrap.servers", "Missing setting for Kafka address.", INGRESS(address),
     kafka_address_fault},
    {"consumerGroupId", "group.id", "Missing setting for consumer group id.", INGRESS(group),
     text_fault},
};

/* `is_certain`: what is not found among the properties is not there. */
static bool settle(struct reader *reader, const struct yaml_node *spec,
                   const struct settled *setting, bool is_certain,
                   struct kafka_ingress_spec *ingress)
{
    const struct client_property *property =
        property_find(&ingress->properties, setting->kafka_name);
    if (yaml_find(spec, setting->key)) {
        if (property)
            reader_warning(reader, &property->place, "'%s' has no effect: '%s' overwrites it",
                           setting->kafka_name, setting->key);
        return true;
    }
    if (!property)
        return is_certain &&
               reader_error(reader, &spec->place, "%s Expected '%s', or '%s' in 'properties'",
                            setting->missing, setting->key, setting->kafka_name);

    const char *fault = setting->fault(property->value);
    if (fault)
        return reader_error(reader, &property->place, "'%s': expected %s", setting->kafka_name,
                            fault);
    *(char **)((char *)ingress + setting->offset) = property->value;
    return true;
}

/* Offsets of topics that are not read have no effect; more likely one of the names is wrong. */
static void check_offsets(struct reader *reader, const struct kafka_ingress_spec *ingress,
                          const struct yaml_node *spec)
{
    struct name_map topics;
    name_map_init(&topics);
    for (size_t i = 0; i < ingress->topic_count; i++)
        *name_map_slot(&topics, ingress->topics[i].topic) = ingress;
    for (size_t i = 0; i < ingress->offset_count; i++) {
        const void **slot = name_map_slot(&topics, ingress->offsets[i].topic);
        if (!*slot)
            reader_warning(reader, &yaml_find(spec, "startupPosition")->value->place,
                           "the offsets of topic %s have no effect: it is not in 'topics'",
                           text_quoted(ingress->offsets[i].topic).text);
        *slot = ingress;
    }
    name_map_destroy(&topics);
}

/* Forwarding needs somewhere to go, and nothing else does. */
static bool check_invalid(struct reader *reader, const struct kafka_ingress_spec *ingress,
                          const struct yaml_node *spec)
{
    const struct yaml_entry *target = yaml_find(spec, "invalidRecordTarget");
    bool forwards = ingress->invalid == KAFKA_INVALID_FORWARD;
    if (target && !forwards)
        reader_warning(reader, &target->value->place,
                       "'invalidRecordTarget' has no effect: 'invalidRecordHandling' is not "
                       "forward");
    if (forwards && !target)
        return reader_error(reader, &yaml_find(spec, "invalidRecordHandling")->value->place,
                            "'invalidRecordHandling' is forward: expected 'invalidRecordTarget' "
                            "beside it, the function type (<namespace>/<name>) that gets invalid "
                            "records, found none");
    return true;
}

static bool check_targets(struct reader *reader, const struct kafka_ingress_spec *ingress)
{
    bool good = true;
    for (size_t i = 0; i < ingress->topic_count; i++)
        good &= targets_check(reader, &ingress->id, ingress->topics[i].targets,
                              &ingress->topics[i].place, "an element of topics");
    return good;
}

void kafka_ingress_read(struct reader *reader, const struct yaml_node *spec)
{
    struct application *application = reader->application;
    struct kafka_ingress_spec ingress = {.place = spec->place, .start = KAFKA_START_LATEST};

    bool good = object_read(reader, spec, reader->kind, properties, COUNT_OF(properties), &ingress);
    bool is_certain = good || !yaml_find(spec, "properties");
    for (size_t i = 0; i < COUNT_OF(settled); i++)
        good &= settle(reader, spec, &settled[i], is_certain, &ingress);
    good &= kafka_properties_map(reader, KAFKA_CONSUMER, &ingress.properties, &ingress.place);
    good &= check_invalid(reader, &ingress, spec);
    good = good && check_targets(reader, &ingress);
    if (!good)
        return;
    check_offsets(reader, &ingress, spec);
    application->kafka_ingresses = reader_room(reader, application->kafka_ingresses,
                                               application->kafka_ingress_count, sizeof ingress);
    application->kafka_ingresses[application->kafka_ingress_count++] = ingress;
}
