/* kafka_egress.c - io.statefun.kafka.v1/egress (module-yaml.md 6). */
#include "spec/client_properties.h"
#include "spec/component.h"
#include "spec/dead_letters.h"
#include "spec/kafka_common.h"
#include "spec/kafka_properties.h"

/* librdkafka's own limits of transaction.timeout.ms. */
static const struct range transaction_timeout_range = {1000, INT32_MAX};

static bool read_id(struct reader *reader, const struct property *property,
                    const struct yaml_node *node, void *to)
{
    struct kafka_egress_spec *egress = to;
    return binding_id_read(reader, property, node, BINDING_EGRESS, &egress->id, &egress->place);
}

/* `transactionTimeoutMillis`: a number. Upstream takes a duration for the number 0. */
static bool read_millis(struct reader *reader, const struct property *property,
                        const struct yaml_node *node, void *to)
{
    const struct range *range = &transaction_timeout_range;
    int64_t value;
    if (!integer_read(node, &value) || value < range->min || value > range->max)
        return reader_mismatch(reader, property->key, node,
                               "a number of milliseconds from %lld to %lld (or a duration as "
                               "'transactionTimeout')",
                               (long long)range->min, (long long)range->max);
    *(uint64_t *)to = (uint64_t)value;
    return true;
}

struct timeouts {
    uint64_t duration_ms;
    uint64_t number_ms;
};

static const struct property exactly_once_properties[] = {
    PROPERTY("type", NULL, 0),
    PROPERTY("transactionTimeout", duration_read, offsetof(struct timeouts, duration_ms),
             .detail = &transaction_timeout_range),
    PROPERTY("transactionTimeoutMillis", read_millis, offsetof(struct timeouts, number_ms)),
};

static const struct variant semantics[] = {
    {"at-least-once", KAFKA_AT_LEAST_ONCE, NULL, 0},
    {"exactly-once", KAFKA_EXACTLY_ONCE, exactly_once_properties,
     COUNT_OF(exactly_once_properties)},
    {"none", KAFKA_NONE, NULL, 0},
};

static bool read_semantic(struct reader *reader, const struct property *property,
                          const struct yaml_node *node, void *to)
{
    struct kafka_egress_spec *egress = to;
    struct timeouts timeouts = {0};
    const struct variant *semantic =
        variant_find(reader, node, property->key, "Invalid delivery semantic type", semantics,
                     COUNT_OF(semantics), NULL);
    if (!semantic || !variant_read(reader, node, property->key, semantic, &timeouts))
        return false;

    if (semantic->value == KAFKA_EXACTLY_ONCE && !timeouts.duration_ms && !timeouts.number_ms)
        return reader_error(reader, &node->place,
                            "missing key 'transactionTimeout' in %s of type exactly-once: expected "
                            "a duration such as 15min, at most the brokers' "
                            "transaction.max.timeout.ms",
                            property->key);
    if (timeouts.duration_ms && timeouts.number_ms)
        reader_warning(reader, &yaml_find(node, "transactionTimeout")->key_place,
                       "'transactionTimeout' has no effect: 'transactionTimeoutMillis' beside it "
                       "wins");
    egress->delivery = (enum kafka_delivery)semantic->value;
    egress->transaction_timeout_ms = timeouts.number_ms ? timeouts.number_ms : timeouts.duration_ms;
    return true;
}

static const struct choices letters_formats = {
    {[LETTERS_JSON] = "json", [LETTERS_RAW] = "raw"},
    "json or raw",
};

static const struct property dead_letters_properties[] = {
    PROPERTY("topic", kafka_topic_read, offsetof(struct dead_letters_draft, to), .required = true),
    PROPERTY("keep", switch_read, offsetof(struct dead_letters_draft, keeps)),
    PROPERTY("format", choice_read, offsetof(struct dead_letters_draft, format),
             .detail = &letters_formats),
};

static bool read_dead_letters(struct reader *reader, const struct property *property,
                              const struct yaml_node *node, void *to)
{
    struct kafka_egress_spec *egress = to;
    return dead_letters_read(
        reader, property->key, node, dead_letters_properties, COUNT_OF(dead_letters_properties),
        "an object with topic, and perhaps keep and format", &egress->dead_letters);
}

static const struct property properties[] = {
    PROPERTY("id", read_id, 0, .required = true),
    PROPERTY("address", kafka_address_read, offsetof(struct kafka_egress_spec, address),
             .required = true,
             .missing =
                 "expected brokers as host:port ('bootstrap.servers' in 'properties' does not do "
                 "for an egress)"),
    PROPERTY("deliverySemantic", read_semantic, 0),
    PROPERTY("deadLetters", read_dead_letters, 0),
    PROPERTY("invalidRecordHandling", misplaced_read, 0, .detail = handling_misplaced),
    PROPERTY("properties", client_properties_read, offsetof(struct kafka_egress_spec, properties)),
};

void kafka_egress_read(struct reader *reader, const struct yaml_node *spec)
{
    struct application *application = reader->application;
    struct kafka_egress_spec egress = {.place = spec->place, .delivery = KAFKA_AT_LEAST_ONCE};

    bool good = object_read(reader, spec, reader->kind, properties, COUNT_OF(properties), &egress);
    good &= kafka_properties_map(reader, KAFKA_PRODUCER, &egress.properties, &egress.place);
    good &= dead_letters_check(reader, &egress.dead_letters);
    if (!good)
        return;
    application->kafka_egresses = reader_room(reader, application->kafka_egresses,
                                              application->kafka_egress_count, sizeof egress);
    application->kafka_egresses[application->kafka_egress_count++] = egress;
}
