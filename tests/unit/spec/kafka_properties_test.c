#include "load.h"

#include "base/mem.h"
#include "spec/jaas.h"

#define SECRET "hunter2"

#define INGRESS                                                                                    \
    "kind: io.statefun.kafka.v1/ingress\n"                                                         \
    "spec:\n"                                                                                      \
    "  id: a/in\n"                                                                                 \
    "  address: k:9092\n"                                                                          \
    "  consumerGroupId: g\n"                                                                       \
    "  topics: [{topic: t, valueType: a/t, targets: [n/f]}]\n"                                     \
    "  properties:\n"
#define EGRESS                                                                                     \
    "kind: io.statefun.kafka.v1/egress\n"                                                          \
    "spec:\n"                                                                                      \
    "  id: a/out\n"                                                                                \
    "  address: k:9092\n"                                                                          \
    "  properties:\n"

/* What the runtime asks librdkafka; here a few of its names. */
static bool knows(const char *name)
{
    static const char *const names[] = {"queued.min.messages", "debug", "ssl.ca.location"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(names[i], name))
            return true;
    return false;
}

static const struct application_options with_knowledge = {.kafka_knows = knows};

/* The properties that come out, as "name=value" lines. */
static char *mapped(const char *kind, const char *properties,
                    const struct application_options *options, struct diagnostics *diagnostics)
{
    char *yaml = mem_format("%s%s%s", kind, properties, SOME_ENDPOINT SOME_INGRESS);
    struct application *application = load_text(yaml, options, diagnostics);
    if (!application) {
        print_diagnostics(diagnostics);
        fail_msg("expected to load:\n%s", yaml);
    }
    const struct property_list *list = application->kafka_ingress_count
                                           ? &application->kafka_ingresses[0].properties
                                           : &application->kafka_egresses[0].properties;
    struct buffer text = {0};
    for (size_t i = 0; i < list->count; i++)
        buffer_add_format(&text, "%s=%s\n", list->items[i].name, list->items[i].value);
    application_free(application);
    free(yaml);
    return buffer_text(&text);
}

struct mapping_case {
    const char *properties, *expected;
    const char *warning; /* NULL: none */
};

static void check_mappings(const char *kind, const char *defaults, const struct mapping_case *cases,
                           size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct diagnostics diagnostics = {0};
        char *found = mapped(kind, cases[i].properties, &with_knowledge, &diagnostics);
        char *expected = mem_format("%s%s", cases[i].expected, defaults);
        assert_string_equal(found, expected);
        if (diagnostics.count != (cases[i].warning != NULL)) {
            print_diagnostics(&diagnostics);
            fail_msg("expected %s for:\n%s", cases[i].warning ? "one warning" : "no warning",
                     cases[i].properties);
        }
        if (cases[i].warning)
            assert_mentions(diagnostics.items[0].text, cases[i].warning);
        free(found);
        free(expected);
        diagnostics_destroy(&diagnostics);
    }
}

static void a_consumers_properties_are_mapped(void **state)
{
    (void)state;
    static const struct mapping_case cases[] = {
        {"    - client.id: me\n    - client.rack: r1\n", "client.id=me\nclient.rack=r1\n", NULL},
        {"    - max.poll.records: 100\n", "", NULL},
        {"    - max.partition.fetch.bytes: 2097152\n", "max.partition.fetch.bytes=2097152\n", NULL},
        {"    - fetch.max.bytes: 52428800\n", "fetch.max.bytes=52428800\n", NULL},
        {"    - fetch.max.bytes: 1000\n", "fetch.max.bytes=1000000\n", NULL},
        {"    - fetch.max.bytes: 2147483647\n", "fetch.max.bytes=2147483135\n",
         "'fetch.max.bytes' is more than is possible here: 2147483135 is taken instead"},
        {"    - fetch.min.bytes: 0\n", "fetch.min.bytes=1\n", NULL},
        {"    - fetch.max.wait.ms: 200\n", "fetch.wait.max.ms=200\n", NULL},
        {"    - retry.backoff.ms: 50\n", "fetch.error.backoff.ms=50\n", NULL},
        {"    - request.timeout.ms: 30000\n", "socket.timeout.ms=30000\n", NULL},
        {"    - request.timeout.ms: 600000\n", "socket.timeout.ms=300000\n", "300000 is taken"},
        {"    - receive.buffer.bytes: -1\n", "socket.receive.buffer.bytes=0\n", NULL},
        {"    - send.buffer.bytes: 65536\n", "socket.send.buffer.bytes=65536\n", NULL},
        {"    - connections.max.idle.ms: -1\n", "connections.max.idle.ms=0\n", NULL},
        {"    - metadata.max.age.ms: 60000\n", "topic.metadata.refresh.interval.ms=60000\n", NULL},
        {"    - flink.partition-discovery.interval-millis: 5000\n",
         "topic.metadata.refresh.interval.ms=5000\n", NULL},
        {"    - flink.partition-discovery.interval-millis: -9223372036854775808\n",
         "topic.metadata.refresh.interval.ms=-1\n", NULL}, /* how Flink turns it off */
        {"    - check.crcs: true\n", "check.crcs=true\n", NULL},
        {"    - queued.min.messages: 10\n", "queued.min.messages=10\n", NULL},
        {"    - enable.auto.commit: true\n", "", "'enable.auto.commit' has no effect: positions"},
        {"    - auto.offset.reset: earliest\n", "",
         "'auto.offset.reset' has no effect: 'autoOffsetResetPosition' always overwrites it"},
        {"    - session.timeout.ms: 1\n", "", "the runtime assigns partitions itself"},
        {"    - interceptor.classes: a.b.C\n", "",
         "'interceptor.classes' has no effect: it names "
         "Java classes"},
        {"    - key.deserializer: a.b.C\n", "", "it names Java classes"},
        {"    - metric.reporters: a.b.C\n", "", "it names Java classes"},
        {"    - metrics.num.samples: 2\n", "", NULL},
        {"    - client.dns.lookup: use_all_dns_ips\n", "", "only the Java client has it"},
        {"    - sasl.login.refresh.window.factor: 0.8\n", "", "only the Java client has it"},
        {"    - sasl.oauthbearer.scope.claim.name: s\n", "", "only the Java client has it"},
        {"    - acks: all\n", "", "'acks' has no effect: it is a property of a Kafka producer"},
        {"    - max.pol.records: 7\n", "",
         "unknown Kafka property 'max.pol.records', which has no effect: did you mean "
         "'max.poll.records'?"},
        {"    - completely.different.thing.altogether: 7\n", "",
         "unknown Kafka property 'completely.different.thing.altogether', which has no effect"},
        {"    - check.crcs: true\n    - check.crcs: false\n", "check.crcs=false\n",
         "'check.crcs' has no effect: it stands at line 9 again, and the last one wins"},
        {"    - {check.crcs: true, client.id: x}\n", "check.crcs=true\n",
         "'client.id' has no effect: only the first key of each element counts"},
    };
    check_mappings(INGRESS, "isolation.level=read_uncommitted\n", cases,
                   sizeof cases / sizeof *cases);

    static const struct mapping_case isolation = {"    - isolation.level: read_committed\n",
                                                  "isolation.level=read_committed\n", NULL};
    check_mappings(INGRESS, "", &isolation, 1);
}

static void a_producers_properties_are_mapped(void **state)
{
    (void)state;
    static const struct mapping_case cases[] = {
        {"    - acks: all\n", "acks=all\n", NULL},
        {"    - acks: 1\n", "acks=1\n", NULL},
        {"    - linger.ms: 5\n", "linger.ms=5\n", NULL},
        {"    - linger.ms: 900001\n", "linger.ms=900000\n", "900000 is taken instead"},
        {"    - batch.size: 0\n", "batch.size=1\n", NULL},
        {"    - batch.size: 1_000\n", "batch.size=1000\n", NULL},
        {"    - compression.type: zstd\n", "compression.type=zstd\n", NULL},
        {"    - buffer.memory: 33554432\n", "queue.buffering.max.kbytes=32768\n", NULL},
        {"    - buffer.memory: 99999999999999\n", "queue.buffering.max.kbytes=2147483647\n",
         "2199023254528 is taken instead"},
        {"    - max.request.size: 2097152\n", "message.max.bytes=2097152\n", NULL},
        {"    - max.in.flight.requests.per.connection: 5\n",
         "max.in.flight.requests.per.connection=5\n", NULL},
        {"    - delivery.timeout.ms: 120000\n", "delivery.timeout.ms=120000\n", NULL},
        {"    - request.timeout.ms: 30000\n", "socket.timeout.ms=30000\n", NULL},
        {"    - retries: 3\n", "retries=3\n", NULL},
        {"    - retry.backoff.ms: 0\n", "retry.backoff.ms=1\n", NULL},
        {"    - enable.idempotence: true\n", "enable.idempotence=true\n", NULL},
        {"    - max.block.ms: 1\n", "", NULL},
        {"    - transactional.id: x\n", "", "the runtime decides it itself"},
        {"    - transaction.timeout.ms: 1\n", "", "'deliverySemantic' decides it"},
        {"    - partitioner.class: a.b.C\n", "", "only the Java client has it"},
        {"    - value.serializer: a.b.C\n", "", "it names Java classes"},
        {"    - max.poll.records: 1\n", "", "it is a property of a Kafka consumer"},
    };
    check_mappings(EGRESS, "partitioner=murmur2_random\n", cases, sizeof cases / sizeof *cases);
}

static void without_knowledge_of_librdkafka_other_names_pass(void **state)
{
    (void)state;
    struct diagnostics diagnostics = {0};
    char *found = mapped(EGRESS,
                         "    - statistics.interval.ms: 5\n"
                         "    - partitioner: random\n",
                         NULL, &diagnostics);
    assert_string_equal(found, "statistics.interval.ms=5\npartitioner=random\n");
    assert_int_equal(diagnostics.count, 0);
    free(found);
}

static void security_is_mapped(void **state)
{
    (void)state;
    static const struct mapping_case cases[] = {
        {"    - security.protocol: SASL_SSL\n    - sasl.mechanism: PLAIN\n",
         "security.protocol=SASL_SSL\nsasl.mechanism=PLAIN\n", NULL},
        {"    - sasl.jaas.config: org.apache.kafka.common.security.plain.PlainLoginModule required "
         "username=\"ann\" password=\"" SECRET "\";\n",
         "sasl.username=ann\nsasl.password=" SECRET "\n", NULL},
        {"    - sasl.jaas.config: >-\n"
         "        org.apache.kafka.common.security.scram.ScramLoginModule required\n"
         "        username=ann\n"
         "        password='p\\'q\"r' ;\n",
         "sasl.username=ann\nsasl.password=p'q\"r\n", NULL},
        {"    - sasl.jaas.config: com.sun.security.auth.module.Krb5LoginModule required "
         "useKeyTab=true keyTab=\"/k.tab\" principal=\"me@R\";\n",
         "sasl.kerberos.keytab=/k.tab\nsasl.kerberos.principal=me@R\n", NULL},
        {"    - sasl.jaas.config: a.OAuthBearerLoginModule Required clientId=c clientSecret=s "
         "scope=x;\n",
         "sasl.oauthbearer.client.id=c\nsasl.oauthbearer.client.secret=s\n"
         "sasl.oauthbearer.scope=x\nsasl.oauthbearer.method=oidc\n",
         NULL},
        {"    - ssl.truststore.location: /ca.pem\n    - ssl.truststore.type: PEM\n",
         "ssl.ca.location=/ca.pem\n", NULL},
        {"    - ssl.truststore.type: pem\n    - ssl.truststore.certificates: CERT\n",
         "ssl.ca.pem=CERT\n", NULL},
        {"    - ssl.keystore.location: /k.p12\n    - ssl.keystore.type: PKCS12\n"
         "    - ssl.keystore.password: " SECRET "\n    - ssl.key.password: " SECRET "\n",
         "ssl.keystore.location=/k.p12\nssl.keystore.password=" SECRET "\n", NULL},
        {"    - ssl.keystore.location: /k.P12\n    - ssl.keystore.password: x\n",
         "ssl.keystore.location=/k.P12\nssl.keystore.password=x\n", NULL},
        {"    - ssl.keystore.location: /k.pem\n    - ssl.keystore.type: PEM\n"
         "    - ssl.key.password: x\n",
         "ssl.key.location=/k.pem\nssl.certificate.location=/k.pem\nssl.key.password=x\n", NULL},
        {"    - ssl.keystore.type: PEM\n    - ssl.keystore.key: KEY\n"
         "    - ssl.keystore.certificate.chain: CHAIN\n",
         "ssl.key.pem=KEY\nssl.certificate.pem=CHAIN\n", NULL},
        {"    - ssl.endpoint.identification.algorithm: ''\n",
         "ssl.endpoint.identification.algorithm=none\n", NULL},
        {"    - ssl.endpoint.identification.algorithm: https\n",
         "ssl.endpoint.identification.algorithm=https\n", NULL},
        {"    - ssl.truststore.password: " SECRET "\n", "", NULL},
        {"    - ssl.cipher.suites: TLS_AES_128_GCM_SHA256\n", "",
         "Java's names of cipher suites are not OpenSSL's"},
        {"    - ssl.ca.location: /ca.pem\n", "ssl.ca.location=/ca.pem\n", NULL},
    };
    check_mappings(EGRESS, "partitioner=murmur2_random\n", cases, sizeof cases / sizeof *cases);
}

static void faults_of_properties(void **state)
{
    (void)state;
    static const struct load_case cases[] = {
        {EGRESS "    security.protocol: SSL\n",
         {"6:5: error: 'properties': expected a list of single-entry maps, such as '- "
          "security.protocol: SSL', found an object"}},
        {EGRESS "    - acks=all\n",
         {"6:7: error: 'properties': expected a list of single-entry maps|found text"}},
        {EGRESS "    - {}\n", {"6:7: error: 'properties': expected a list|found an empty object"}},
        {EGRESS "    - acks: [all]\n    - linger.ms:\n    - batch.size: {a: b}\n",
         {"6:13: error: 'acks': expected text or a number, found a list",
          "7:17: error: 'linger.ms': expected text or a number, found no value",
          "8:19: error: 'batch.size': expected text or a number, found an object"}},
        {EGRESS "    - linger.ms: soon\n", {"6:7: error: 'linger.ms': expected an integer"}},
        {EGRESS "    - ssl.truststore.location: /t.jks\n    - ssl.truststore.password: x\n",
         {"6:7: error: 'ssl.truststore.location': expected a file of PEM certificates and "
          "'ssl.truststore.type: PEM'"}},
        {EGRESS "    - ssl.truststore.location: /t.p12\n    - ssl.truststore.type: PKCS12\n",
         {"6:7: error: 'ssl.truststore.location': expected a file of PEM"}},
        {EGRESS "    - ssl.keystore.location: /k.jks\n",
         {"6:7: error: 'ssl.keystore.location': expected 'ssl.keystore.type' PKCS12 or PEM"}},
        {EGRESS "    - sasl.jaas.config: a.b.IAMLoginModule required;\n",
         {"6:7: error: 'sasl.jaas.config': expected one of the login modules PlainLoginModule"}},
    };
    CHECK_CASES(cases, SOME_ENDPOINT SOME_INGRESS, NULL);
}

/* Diagnostics end up in logs and tickets. */
static void no_value_of_a_property_is_ever_shown(void **state)
{
    (void)state;
    static const char *const properties[] = {
        "    - sasl.jaas.config: " SECRET "\n",
        "    - sasl.jaas.config: " SECRET " required;\n",
        "    - sasl.jaas.config: a.PlainLoginModule required password=\"" SECRET "\n",
        "    - sasl.jaas.config: a.PlainLoginModule required " SECRET ";\n",
        "    - sasl.jaas.config: [" SECRET "]\n",
        "    - ssl.keystore.password: {" SECRET ": x}\n",
        "    - ssl.keystore.type: " SECRET "\n    - ssl.keystore.location: " SECRET "\n",
        "    - ssl.truststore.type: " SECRET "\n    - ssl.truststore.location: " SECRET "\n",
        "    - sasl.password=" SECRET "\n",
        "    - " SECRET "\n",
        "    " SECRET "\n",
        "    - linger.ms: " SECRET "\n",
        "    - no.such.name: " SECRET "\n    - acks: []\n",
        "    - transactional.id: " SECRET "\n    - acks: []\n",
        "    - group.id: " SECRET "\n    - acks: []\n",
        "    - sasl.login.class: " SECRET "\n    - acks: []\n",
        "    - sasl.password: '${X}'\n    - linger.ms: '${X}'\n",
        "    - sasl.password: x\n    - sasl.password: " SECRET "\n    - acks: []\n",
    };
    for (size_t i = 0; i < sizeof properties / sizeof *properties; i++) {
        struct diagnostics diagnostics = {0};
        char *yaml = mem_format("%s%s%s", EGRESS, properties[i], SOME_ENDPOINT SOME_INGRESS);
        assert_null(load_text(yaml, &with_knowledge, &diagnostics));
        assert_true(diagnostics.count > 0);
        for (size_t j = 0; j < diagnostics.count; j++)
            if (strstr(diagnostics.items[j].text, SECRET))
                fail_msg("shown for %s: %s", properties[i], diagnostics.items[j].text);
        diagnostics_destroy(&diagnostics);
        free(yaml);
    }
}

static void jaas_has_words_quotes_and_an_end(void **state)
{
    (void)state;
    struct jaas jaas;
    assert_true(jaas_parse(" a.b.C  optional x = 1 y='a b' z=\"\\\"q\\\\\\n\" e=\"\" ; ", &jaas));
    assert_string_equal(jaas.module, "a.b.C");
    assert_string_equal(jaas_option(&jaas, "x"), "1");
    assert_string_equal(jaas_option(&jaas, "y"), "a b");
    assert_string_equal(jaas_option(&jaas, "z"), "\"q\\\n");
    assert_string_equal(jaas_option(&jaas, "e"), "");
    assert_null(jaas_option(&jaas, "none"));
    jaas_destroy(&jaas);

    static const char *const bad[] = {
        "",
        ";",
        "a.C",
        "a.C;",
        "a.C x=1;",
        "a.C required",
        "a.C required x;",
        "a.C required x=;",
        "a.C required =1;",
        "a.C required x=\"1;",
        "a.C required x=1; b.D required;",
        "a.C required x=1; y",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (jaas_parse(bad[i], &jaas))
            fail_msg("taken: %s", bad[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_consumers_properties_are_mapped),
        cmocka_unit_test(a_producers_properties_are_mapped),
        cmocka_unit_test(without_knowledge_of_librdkafka_other_names_pass),
        cmocka_unit_test(security_is_mapped),
        cmocka_unit_test(faults_of_properties),
        cmocka_unit_test(no_value_of_a_property_is_ever_shown),
        cmocka_unit_test(jaas_has_words_quotes_and_an_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
