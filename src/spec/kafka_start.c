/* kafka_start.c - see kafka_start.h. */
#include "spec/kafka_start.h"

#include "spec/value.h"

static const char offsets_expected[] = "a list of single-entry maps, such as '- orders/0: 1200'";

/* One element: <topic>/<partition>: <offset>. Negative offsets are upstream's to accept. */
static const char *read_offset(struct reader *reader, const char *key, const struct yaml_node *node,
                               void *item)
{
    struct kafka_offset_spec *offset = item;
    const struct yaml_entry *entry = single_entry_find(reader, key, node, offsets_expected);
    struct bytes topic;
    struct sf_status status;
    if (!entry)
        return NULL;
    if (!topic_partition_parse(entry->key, &topic, &offset->partition, &status)) {
        reader_error(reader, &entry->key_place,
                     "%s does not conform to the <topic>/<partition_id> format: expected %s",
                     text_quoted(entry->key).text, status.message);
        return NULL;
    }
    if (!integer_read(entry->value, &offset->offset)) {
        reader_mismatch(reader, entry->key, entry->value, "an offset: an integer");
        return NULL;
    }
    offset->topic = reader_copy(reader, topic);
    return entry->key;
}

static bool read_offsets(struct reader *reader, const struct property *property,
                         const struct yaml_node *node, void *to)
{
    static const struct named_list list = {offsets_expected, sizeof(struct kafka_offset_spec),
                                           read_offset};
    struct kafka_ingress_spec *ingress = to;
    if (node->kind == YAML_LIST && node->count == 0)
        return reader_error(reader, &node->place,
                            "Provided specific offsets must not be empty: expected %s",
                            offsets_expected);
    return named_list_read(reader, property->key, node, &list, &ingress->offsets,
                           &ingress->offset_count);
}

static const struct property offsets_properties[] = {
    PROPERTY("type", NULL, 0),
    PROPERTY("offsets", read_offsets, 0, .required = true),
};

static const struct property date_properties[] = {
    PROPERTY("type", NULL, 0),
    PROPERTY("date", date_read, offsetof(struct kafka_ingress_spec, start_date_ms),
             .required = true),
};

static const struct variant positions[] = {
    {"latest", KAFKA_START_LATEST, NULL, 0},
    {"earliest", KAFKA_START_EARLIEST, NULL, 0},
    {"group-offsets", KAFKA_START_GROUP_OFFSETS, NULL, 0},
    {"specific-offsets", KAFKA_START_SPECIFIC_OFFSETS, offsets_properties,
     COUNT_OF(offsets_properties)},
    {"date", KAFKA_START_DATE, date_properties, COUNT_OF(date_properties)},
};

bool kafka_start_read(struct reader *reader, const struct property *property,
                      const struct yaml_node *node, void *to)
{
    struct kafka_ingress_spec *ingress = to;
    const struct variant *position =
        variant_find(reader, node, property->key, "Invalid startup position type", positions,
                     COUNT_OF(positions), NULL);
    if (!position)
        return false;
    ingress->start = (enum kafka_start)position->value;
    return variant_read(reader, node, property->key, position, ingress);
}
