/* kafka_properties.c - the table of names. kafka_security.c has what is not a matter of names. */
#include "spec/kafka_properties.h"

#include "base/mem.h"
#include "spec/client_properties.h"
#include "spec/kafka_security.h"
#include "spec/suggest.h"
#include "spec/value.h"

enum { CONSUMER = KAFKA_CONSUMER, PRODUCER = KAFKA_PRODUCER, BOTH = CONSUMER | PRODUCER };

enum treatment {
    PASS,     /* to `twin` */
    DROP,     /* means nothing here, and nobody misses it */
    REPORT,   /* means nothing here: `note` tells */
    SECURITY, /* kafka_security.c knows */
    SETTLED   /* of the ingress: it has been read as the setting of its own that it is */
};

struct mapping {
    const char *name; /* a * in it stands for anything */
    int clients;
    enum treatment treatment;
    const char *twin, *note;
    int64_t min, max; /* of a number; both 0: the value is passed as it is */
    int64_t unit;     /* of the twin, in units of the property */
};

#define PASSED(name_, clients_, twin_, ...)                                                        \
    {                                                                                              \
        .name = (name_), .clients = (clients_), .treatment = PASS, .twin = (twin_), __VA_ARGS__    \
    }
#define SAME(name_, clients_) PASSED(name_, clients_, name_)
#define NUMBER(name_, clients_, twin_, min_, max_)                                                 \
    PASSED(name_, clients_, twin_, .min = (min_), .max = (max_), .unit = 1)
#define TREATED(treatment_, name_, clients_, ...)                                                  \
    {                                                                                              \
        .name = (name_), .clients = (clients_), .treatment = (treatment_), __VA_ARGS__             \
    }
#define NOTE(name_, clients_, note_) TREATED(REPORT, name_, clients_, .note = (note_))
#define NOTHING(name_, clients_)     TREATED(DROP, name_, clients_)
#define SECURE(name_)                TREATED(SECURITY, name_, BOTH)

static const char java_class[] = "it names Java classes, which have no meaning here";
static const char java_only[] = "only the Java client has it";
static const char no_group[] = "the runtime assigns partitions itself";
static const char own_commit[] = "positions are committed with the state, always";
static const char owned[] = "the runtime decides it itself";

static const struct mapping mappings[] = {
    /* connections */
    TREATED(SETTLED, "bootstrap.servers", CONSUMER),
    NOTE("bootstrap.servers", PRODUCER, "'address' always overwrites it"),
    NOTE("metadata.broker.list", BOTH, "'address' decides"),
    SAME("client.id", BOTH),
    SAME("client.rack", BOTH),
    NOTE("client.dns.lookup", BOTH, java_only),
    NUMBER("metadata.max.age.ms", BOTH, "topic.metadata.refresh.interval.ms", -1, 3600000),
    NUMBER("flink.partition-discovery.interval-millis", CONSUMER,
           "topic.metadata.refresh.interval.ms", -1, 3600000),
    NUMBER("send.buffer.bytes", BOTH, "socket.send.buffer.bytes", 0, 100000000),
    NUMBER("receive.buffer.bytes", BOTH, "socket.receive.buffer.bytes", 0, 100000000),
    NUMBER("reconnect.backoff.ms", BOTH, "reconnect.backoff.ms", 0, 3600000),
    NUMBER("reconnect.backoff.max.ms", BOTH, "reconnect.backoff.max.ms", 0, 3600000),
    NUMBER("connections.max.idle.ms", BOTH, "connections.max.idle.ms", 0, INT32_MAX),
    NUMBER("socket.connection.setup.timeout.ms", BOTH, "socket.connection.setup.timeout.ms", 1000,
           INT32_MAX),
    NOTHING("socket.connection.setup.timeout.max.ms", BOTH),
    NUMBER("request.timeout.ms", BOTH, "socket.timeout.ms", 10, 300000),
    NOTHING("default.api.timeout.ms", CONSUMER),

    /* consumer */
    TREATED(SETTLED, "group.id", CONSUMER),
    NOTE("group.instance.id", CONSUMER, no_group),
    NOTE("partition.assignment.strategy", CONSUMER, no_group),
    NOTE("session.timeout.ms", CONSUMER, no_group),
    NOTE("heartbeat.interval.ms", CONSUMER, no_group),
    NOTE("max.poll.interval.ms", CONSUMER, no_group),
    NOTE("enable.auto.commit", CONSUMER, own_commit),
    NOTE("auto.commit.enable", CONSUMER, own_commit),
    NOTE("auto.commit.interval.ms", CONSUMER, own_commit),
    NOTE("auto.offset.reset", CONSUMER,
         "'autoOffsetResetPosition' always overwrites it, also when it is left out (latest)"),
    NOTE("enable.auto.offset.store", CONSUMER, owned),
    NOTE("enable.partition.eof", CONSUMER, owned),
    NOTE("offset.store.method", CONSUMER, owned),
    NOTHING("max.poll.records", CONSUMER),
    NOTHING("flink.poll-timeout", CONSUMER),
    NUMBER("fetch.min.bytes", CONSUMER, "fetch.min.bytes", 1, 100000000),
    /* librdkafka refuses less than message.max.bytes; Java may fetch more than asked for too. */
    NUMBER("fetch.max.bytes", CONSUMER, "fetch.max.bytes", 1000000, 2147483135),
    NUMBER("fetch.max.wait.ms", CONSUMER, "fetch.wait.max.ms", 0, 300000),
    NUMBER("max.partition.fetch.bytes", CONSUMER, "max.partition.fetch.bytes", 1, 1000000000),
    NUMBER("retry.backoff.ms", CONSUMER, "fetch.error.backoff.ms", 0, 300000),
    SAME("check.crcs", CONSUMER),
    SAME("isolation.level", CONSUMER),
    SAME("allow.auto.create.topics", CONSUMER),
    NOTHING("exclude.internal.topics", CONSUMER),
    NOTE("key.deserializer", CONSUMER, java_class),
    NOTE("value.deserializer", CONSUMER, java_class),

    /* producer */
    SAME("acks", PRODUCER),
    SAME("compression.type", PRODUCER),
    SAME("enable.idempotence", PRODUCER),
    NUMBER("linger.ms", PRODUCER, "linger.ms", 0, 900000),
    NUMBER("batch.size", PRODUCER, "batch.size", 1, INT32_MAX),
    PASSED("buffer.memory", PRODUCER, "queue.buffering.max.kbytes", .min = 1, .max = INT32_MAX,
           .unit = 1024),
    NUMBER("max.request.size", PRODUCER, "message.max.bytes", 1000, 1000000000),
    NUMBER("max.in.flight.requests.per.connection", PRODUCER,
           "max.in.flight.requests.per.connection", 1, 1000000),
    NUMBER("retries", PRODUCER, "retries", 0, INT32_MAX),
    NUMBER("retry.backoff.ms", PRODUCER, "retry.backoff.ms", 1, 300000),
    NUMBER("delivery.timeout.ms", PRODUCER, "delivery.timeout.ms", 0, INT32_MAX),
    NOTHING("metadata.max.idle.ms", PRODUCER),
    NOTHING("max.block.ms", PRODUCER),
    NOTE("transactional.id", PRODUCER, owned),
    NOTE("transaction.timeout.ms", PRODUCER, "'deliverySemantic' decides it"),
    NOTE("delivery.report.only.error", PRODUCER, owned),
    NOTE("partitioner.*", PRODUCER,
         "only the Java client has it (librdkafka's own is 'partitioner')"),
    NOTE("key.serializer", PRODUCER, java_class),
    NOTE("value.serializer", PRODUCER, java_class),
    NOTHING("internal.auto.downgrade.txn.commit", PRODUCER),

    /* classes, metrics */
    NOTE("interceptor.classes", BOTH, java_class),
    NOTE("metric.reporters", BOTH, java_class),
    NOTHING("metrics.*", BOTH),
    NOTHING("auto.include.jmx.reporter", BOTH),
    NOTHING("flink.disable-metrics", BOTH),
    NOTE("security.providers", BOTH, java_class),

    /* security */
    SAME("security.protocol", BOTH),
    SAME("sasl.mechanism", BOTH),
    SAME("sasl.kerberos.service.name", BOTH),
    NUMBER("sasl.kerberos.min.time.before.relogin", BOTH, "sasl.kerberos.min.time.before.relogin",
           0, 86400000),
    SAME("sasl.oauthbearer.token.endpoint.url", BOTH),
    SECURE("sasl.jaas.config"),
    SECURE("ssl.endpoint.identification.algorithm"),
    SECURE("ssl.truststore.type"),
    SECURE("ssl.truststore.location"),
    SECURE("ssl.truststore.certificates"),
    SECURE("ssl.keystore.type"),
    SECURE("ssl.keystore.location"),
    SECURE("ssl.keystore.password"),
    SECURE("ssl.keystore.key"),
    SECURE("ssl.keystore.certificate.chain"),
    SECURE("ssl.key.password"),
    NOTHING("ssl.truststore.password",
            BOTH), /* it guards the certificates' integrity in a JKS file */
    NOTE("ssl.cipher.suites", BOTH, "Java's names of cipher suites are not OpenSSL's"),
    NOTE("ssl.enabled.protocols", BOTH, java_only),
    NOTE("ssl.protocol", BOTH, java_only),
    NOTE("ssl.provider", BOTH, java_only),
    NOTE("ssl.keymanager.algorithm", BOTH, java_only),
    NOTE("ssl.trustmanager.algorithm", BOTH, java_only),
    NOTE("ssl.secure.random.implementation", BOTH, java_only),
    NOTE("ssl.engine.factory.class", BOTH, java_class),
    NOTE("sasl.client.callback.handler.class", BOTH, java_class),
    NOTE("sasl.kerberos.kinit.cmd", BOTH, java_only),
    NOTE("sasl.kerberos.ticket.*", BOTH, java_only),
    NOTE("sasl.login.*", BOTH, java_only),
    NOTE("sasl.oauthbearer.jwks.*", BOTH, java_only),
    NOTE("sasl.oauthbearer.expected.*", BOTH, java_only),
    NOTE("sasl.oauthbearer.*.claim.name", BOTH, java_only),
};

/* What Java does when nothing is set, where librdkafka does something else. */
static const struct {
    int clients;
    const char *name, *value;
} java_defaults[] = {
    {CONSUMER, "isolation.level", "read_uncommitted"},
    {PRODUCER, "partitioner", "murmur2_random"},
};

static bool name_fits(const char *pattern, const char *name)
{
    const char *star = strchr(pattern, '*');
    if (!star)
        return !strcmp(pattern, name);
    size_t before = (size_t)(star - pattern), after = strlen(star + 1), size = strlen(name);
    return size > before + after && !strncmp(pattern, name, before) &&
           !strcmp(star + 1, name + size - after);
}

/* The mapping of a name for one client; `ret_is_other`: the other client has that name. */
static const struct mapping *mapping_find(const char *name, int client, bool *ret_is_other)
{
    *ret_is_other = false;
    for (size_t i = 0; i < COUNT_OF(mappings); i++) {
        if (!name_fits(mappings[i].name, name))
            continue;
        if (mappings[i].clients & client)
            return &mappings[i];
        *ret_is_other = true;
    }
    return NULL;
}

/* Brings a number into the twin's unit and range. Below the range stands -1 for "as you like", or 0
 * for "none": the least that there is. */
static bool map_number(struct reader *reader, const struct mapping *mapping,
                       const struct client_property *property, struct property_list *result)
{
    int64_t number;
    if (!integer_parse(property->value, &number))
        return reader_error(reader, &property->place, "'%s': expected an integer", property->name);
    number /= mapping->unit;
    if (number > mapping->max)
        reader_warning(reader, &property->place,
                       "'%s' is more than is possible here: %lld is taken instead", property->name,
                       (long long)(mapping->max * mapping->unit));
    number = number < mapping->min ? mapping->min : number > mapping->max ? mapping->max : number;
    char *value = mem_format("%lld", (long long)number);
    property_add(reader, result, mapping->twin, value, &property->place);
    free(value);
    return true;
}

/* A name that Java does not have for this client. */
static void map_unknown(struct reader *reader, enum kafka_client client, bool is_other,
                        const struct client_property *property, struct property_list *result)
{
    bool (*knows)(const char *) = reader->options->kafka_knows;
    if (is_other) {
        reader_warning(reader, &property->place,
                       "'%s' has no effect: it is a property of a Kafka %s", property->name,
                       client == KAFKA_CONSUMER ? "producer" : "consumer");
        return;
    }
    if (!knows || knows(property->name)) {
        property_add(reader, result, property->name, property->value, &property->place);
        return;
    }
    struct suggestion suggestion = suggestion_for(property->name);
    for (size_t i = 0; i < COUNT_OF(mappings); i++)
        if (mappings[i].clients & (int)client && !strchr(mappings[i].name, '*'))
            suggestion_offer(&suggestion, mappings[i].name);
    reader_warning(reader, &property->place, "unknown Kafka property %s, which has no effect%s",
                   text_quoted(property->name).text, suggestion_hint(&suggestion).text);
}

static bool map_one(struct reader *reader, enum kafka_client client,
                    const struct client_property *property, struct property_list *result)
{
    bool is_other;
    const struct mapping *mapping = mapping_find(property->name, (int)client, &is_other);
    if (!mapping) {
        map_unknown(reader, client, is_other, property, result);
        return true;
    }
    switch (mapping->treatment) {
    case PASS:
        if (mapping->max)
            return map_number(reader, mapping, property, result);
        property_add(reader, result, mapping->twin, property->value, &property->place);
        return true;
    case REPORT:
        reader_warning(reader, &property->place, "'%s' has no effect: %s", property->name,
                       mapping->note);
        return true;
    case DROP:
    case SECURITY:
    case SETTLED:
        return true;
    }
    return true;
}

bool kafka_properties_map(struct reader *reader, enum kafka_client client,
                          struct property_list *list, const struct spec_place *place)
{
    struct property_list result = {0};
    bool good = true;
    for (size_t i = 0; i < list->count; i++)
        good &= map_one(reader, client, &list->items[i], &result);
    good &= kafka_security_map(reader, list, &result);
    for (size_t i = 0; i < COUNT_OF(java_defaults); i++)
        if (java_defaults[i].clients & (int)client &&
            !property_find(&result, java_defaults[i].name))
            property_add(reader, &result, java_defaults[i].name, java_defaults[i].value, place);
    *list = result;
    return good;
}
