#include "load.h"

#include "base/mem.h"

#define KIND "kind: io.statefun.kafka.v1/ingress\nspec:\n"
#define PLAIN                                                                                      \
    KIND "  id: a/in\n"                                                                            \
         "  address: k:9092\n"                                                                     \
         "  consumerGroupId: g\n"                                                                  \
         "  topics: [{topic: t, valueType: a/t, targets: [n/f]}]\n"

static const struct kafka_ingress_spec *only_ingress(const struct application *application)
{
    assert_int_equal(application->kafka_ingress_count, 1);
    return &application->kafka_ingresses[0];
}

static struct application *load_ingress(const char *text)
{
    char *yaml = mem_format("%s%s", text, SOME_ENDPOINT);
    struct application *application = load_good(yaml);
    free(yaml);
    return application;
}

/* module-yaml.md 14.1, with http for https */
static void the_complete_example_loads(void **state)
{
    (void)state;
    struct application *application =
        load_good("kind: io.statefun.endpoints.v2/http\n"
                  "spec:\n"
                  "  functions: shop/*\n"
                  "  urlPathTemplate: http://fns:8000/statefun\n"
                  "  maxNumBatchRequests: 500\n"
                  "---\n"
                  "kind: io.statefun.endpoints.v2/http\n"
                  "spec:\n"
                  "  functions: shop/audit\n"
                  "  urlPathTemplate: http://audit.internal/fn/{function.name}\n"
                  "  transport:\n"
                  "    type: io.statefun.transports.v1/async\n"
                  "    call: 30s\n"
                  "---\n"
                  "kind: io.statefun.kafka.v1/ingress\n"
                  "spec:\n"
                  "  id: shop/orders-in\n"
                  "  address: kafka-0:9092,kafka-1:9092\n"
                  "  consumerGroupId: shop-statefun\n"
                  "  autoOffsetResetPosition: earliest\n"
                  "  startupPosition:\n"
                  "    type: specific-offsets\n"
                  "    offsets:\n"
                  "      - orders/0: 1200\n"
                  "      - orders/1: 0\n"
                  "  topics:\n"
                  "    - topic: orders\n"
                  "      valueType: shop.types/order\n"
                  "      targets: [shop/cart, shop/audit]\n"
                  "    - topic: returns\n"
                  "      valueType: shop.types/return\n"
                  "      targets: [shop/cart]\n"
                  "  properties:\n"
                  "    - isolation.level: read_committed\n"
                  "---\n"
                  "kind: io.statefun.kafka.v1/egress\n"
                  "spec:\n"
                  "  id: shop/receipts-out\n"
                  "  address: kafka-0:9092\n"
                  "  deliverySemantic:\n"
                  "    type: exactly-once\n"
                  "    transactionTimeout: 10min\n"
                  "  properties:\n"
                  "    - compression.type: zstd\n");
    assert_int_equal(application->endpoint_count, 2);
    assert_int_equal(application->endpoints[0].batch_max, 500);
    assert_int_equal(application->endpoints[1].transport.call_ms, 30000);
    assert_int_equal(application->endpoints[1].transport.connect_ms, 20000);

    const struct kafka_ingress_spec *ingress = only_ingress(application);
    assert_string_equal(ingress->id.ns, "shop");
    assert_string_equal(ingress->id.name, "orders-in");
    assert_int_equal(ingress->place.line, 17);
    assert_string_equal(ingress->address, "kafka-0:9092,kafka-1:9092");
    assert_string_equal(ingress->group, "shop-statefun");
    assert_true(ingress->reset_to_earliest);
    assert_int_equal(ingress->start, KAFKA_START_SPECIFIC_OFFSETS);
    assert_int_equal(ingress->offset_count, 2);
    assert_string_equal(ingress->offsets[0].topic, "orders");
    assert_int_equal(ingress->offsets[0].partition, 0);
    assert_int_equal(ingress->offsets[0].offset, 1200);
    assert_int_equal(ingress->offsets[1].partition, 1);
    assert_int_equal(ingress->offsets[1].offset, 0);
    assert_int_equal(ingress->topic_count, 2);
    assert_string_equal(ingress->topics[0].topic, "orders");
    assert_string_equal(ingress->topics[0].value_type, "shop.types/order");
    assert_int_equal(ingress->topics[0].target_count, 2);
    assert_string_equal(ingress->topics[0].targets[1].ns, "shop");
    assert_string_equal(ingress->topics[0].targets[1].name, "audit");
    assert_int_equal(ingress->topics[1].place.line, 30);
    assert_int_equal(ingress->topics[1].target_count, 1);
    assert_int_equal(ingress->properties.count, 1);
    assert_string_equal(ingress->properties.items[0].name, "isolation.level");
    assert_string_equal(ingress->properties.items[0].value, "read_committed");
    assert_int_equal(ingress->properties.items[0].place.line, 34);
    assert_int_equal(ingress->properties.items[0].place.column, 7);

    assert_int_equal(application->kafka_egress_count, 1);
    const struct kafka_egress_spec *egress = &application->kafka_egresses[0];
    assert_string_equal(egress->id.name, "receipts-out");
    assert_int_equal(egress->delivery, KAFKA_EXACTLY_ONCE);
    assert_int_equal(egress->transaction_timeout_ms, 600000);
    assert_string_equal(egress->properties.items[0].name, "compression.type");
    assert_string_equal(egress->properties.items[0].value, "zstd");
    application_free(application);
}

static void an_ingress_has_upstreams_defaults(void **state)
{
    (void)state;
    struct application *application = load_ingress(PLAIN);
    const struct kafka_ingress_spec *ingress = only_ingress(application);
    assert_false(ingress->reset_to_earliest);
    assert_int_equal(ingress->start, KAFKA_START_LATEST);
    assert_int_equal(ingress->offset_count, 0);
    application_free(application);
}

static void headers_are_forwarded_only_when_asked_for(void **state)
{
    (void)state;
    struct application *application = load_ingress(PLAIN);
    assert_false(only_ingress(application)->forwards_headers);
    application_free(application);
    application = load_ingress(PLAIN "  forwardHeaders: true\n");
    assert_true(only_ingress(application)->forwards_headers);
    application_free(application);

    static const struct load_case cases[] = {
        {PLAIN "  forwardHeaders: yes\n",
         {"7:19: error: 'forwardHeaders': expected true or false, found text 'yes'"}},
        {PLAIN "  forwardHeaders:\n",
         {"7:18: error: 'forwardHeaders': expected true or false, found no value"}},
    };
    CHECK_CASES(cases, SOME_ENDPOINT, NULL);
}

static void positions_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *yaml;
        enum kafka_start start;
        int64_t date_ms;
        bool earliest;
    } cases[] = {
        {PLAIN "  startupPosition: {type: group-offsets}\n", KAFKA_START_GROUP_OFFSETS, 0, false},
        {PLAIN "  startupPosition: {type: earliest}\n", KAFKA_START_EARLIEST, 0, false},
        {PLAIN "  startupPosition: {type: latest}\n", KAFKA_START_LATEST, 0, false},
        {PLAIN "  startupPosition: {type: date, date: 2020-02-01 04:15:00.000 +0000}\n",
         KAFKA_START_DATE, 1580530500000, false},
        {PLAIN "  startupPosition: {type: date, date: '2020-02-01 04:15:00.250 +0100'}\n",
         KAFKA_START_DATE, 1580526900250, false},
        {PLAIN "  startupPosition: {type: specific-offsets, offsets: [t/3: '-2']}\n",
         KAFKA_START_SPECIFIC_OFFSETS, 0, false},
        {PLAIN "  autoOffsetResetPosition: EARLIEST\n", KAFKA_START_LATEST, 0, true},
        {PLAIN "  autoOffsetResetPosition: Latest\n", KAFKA_START_LATEST, 0, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct application *application = load_ingress(cases[i].yaml);
        const struct kafka_ingress_spec *ingress = only_ingress(application);
        assert_int_equal(ingress->start, cases[i].start);
        assert_true(ingress->start_date_ms == cases[i].date_ms);
        assert_int_equal(ingress->reset_to_earliest, cases[i].earliest);
        if (ingress->offset_count)
            assert_int_equal(ingress->offsets[0].offset, -2);
        application_free(application);
    }
}

static void address_and_group_may_be_properties(void **state)
{
    (void)state;
    struct application *application =
        load_ingress(KIND "  id: a/in\n"
                          "  topics: [{topic: t, valueType: a/t, targets: []}]\n"
                          "  properties:\n"
                          "    - bootstrap.servers: b:1, c:2\n"
                          "    - group.id: 42\n");
    const struct kafka_ingress_spec *ingress = only_ingress(application);
    assert_string_equal(ingress->address, "b:1, c:2");
    assert_string_equal(ingress->group, "42");
    for (size_t i = 0; i < ingress->properties.count; i++) /* the runtime sets them itself */
        assert_true(strcmp(ingress->properties.items[i].name, "bootstrap.servers") &&
                    strcmp(ingress->properties.items[i].name, "group.id"));
    application_free(application);

    static const struct load_case overwritten = {
        PLAIN "  properties:\n    - bootstrap.servers: x\n    - group.id: y\n",
        {"8:7: warning: 'bootstrap.servers' has no effect: 'address' overwrites it",
         "9:7: warning: 'group.id' has no effect: 'consumerGroupId' overwrites it"}};
    check_case(&overwritten, SOME_ENDPOINT, NULL);

    static const struct load_case wrong = {
        KIND "  id: a/in\n"
             "  topics: [{topic: t, valueType: a/t, targets: []}]\n"
             "  properties:\n"
             "    - bootstrap.servers: k\n"
             "    - group.id: ''\n",
        {"6:7: error: 'bootstrap.servers': expected brokers as host:port, separated by commas",
         "7:7: error: 'group.id': expected text that is not empty"}};
    check_case(&wrong, SOME_ENDPOINT, NULL);

    /* They may be what is wrong among the properties. */
    static const struct load_case unsure = {
        KIND "  id: a/in\n"
             "  topics: [{topic: t, valueType: a/t, targets: []}]\n"
             "  properties: {bootstrap.servers: 'k:1', group.id: g}\n",
        {"5:15: error: 'properties': expected a list of single-entry maps"}};
    check_case(&unsure, SOME_ENDPOINT, NULL);
}

static void of_a_topic_given_twice_the_last_counts(void **state)
{
    (void)state;
    static const char yaml[] = KIND "  id: a/in\n"
                                    "  address: k:9092\n"
                                    "  consumerGroupId: g\n"
                                    "  topics:\n"
                                    "    - {topic: t, valueType: a/first, targets: [n/f]}\n"
                                    "    - {topic: u, valueType: a/u, targets: [n/f]}\n"
                                    "    - {topic: t, valueType: a/last, targets: [n/f]}\n";
    static const struct load_case c = {
        yaml,
        {"7:7: warning: 't' has no effect: it stands at line 9 again, and the last one wins"}};
    check_case(&c, SOME_ENDPOINT, NULL);

    struct application *application = load_ingress(yaml);
    const struct kafka_ingress_spec *ingress = only_ingress(application);
    assert_int_equal(ingress->topic_count, 2);
    assert_string_equal(ingress->topics[0].value_type, "a/last");
    assert_int_equal(ingress->topics[0].place.line, 9);
    application_free(application);
}

static void faults_of_an_ingress(void **state)
{
    (void)state;
    static const struct load_case cases[] = {
        {KIND "  {}\n",
         {"3:3: error: missing key 'id' in io.statefun.kafka.v1/ingress",
          "3:3: error: missing key 'topics'|Routing config for routable Kafka ingress cannot be "
          "empty.",
          "3:3: error: Missing setting for Kafka address. Expected 'address', or "
          "'bootstrap.servers' in 'properties'",
          "3:3: error: Missing setting for consumer group id. Expected 'consumerGroupId', or "
          "'group.id' in 'properties'"}},
        {KIND "  id: in\n  address: k\n  consumerGroupId: ''\n  topics: []\n",
         {"3:7: error: 'id': expected a typename of the form <namespace>/<name>, found text 'in'",
          "4:12: error: 'address': expected brokers as host:port, separated by commas, found text "
          "'k'",
          "5:20: error: 'consumerGroupId': expected text, found text ''",
          "6:11: error: Routing config for routable Kafka ingress cannot be empty|found an empty "
          "list"}},
        {KIND "  id: a/in\n  address: [k:1]\n  consumerGroupId: {}\n  topics: {}\n",
         {"4:12: error: 'address': expected text, found a list",
          "5:20: error: 'consumerGroupId': expected text, found an object",
          "6:11: error: 'topics': expected a list of objects"}},
        {KIND "  id: a/in\n  addres: k:1\n  consumerGroupId: g\n"
              "  topics: [{topic: t, valueType: v, targets: []}]\n",
         {"3:3: error: Missing setting for Kafka address.",
          "4:3: warning: unknown key 'addres'|did you mean 'address'?"}},
        {KIND "  id: a/in\n  address: 'k:9092,'\n  consumerGroupId: g\n  topics:\n"
              "    - t\n"
              "    - {valueType: v, targets: [n/f]}\n"
              "    - {topic: a b, valueType: v, targets: n/f}\n"
              "    - {topic: .., valueType: , targets: [n/f, f]}\n",
         {"4:12: error: 'address': expected brokers",
          "7:7: error: 'topics': expected a list of objects with topic, valueType and targets, "
          "found text",
          "8:7: error: missing key 'topic' in an element of topics",
          "9:15: error: 'topic': expected a topic: at most 249 letters, digits",
          "9:43: error: 'targets': expected a list of function types, found text",
          "10:15: error: 'topic': expected a topic", "10:30: error: 'valueType': expected text",
          "10:47: error: 'targets': expected a typename"}},
        {PLAIN "  autoOffsetResetPosition: none\n",
         {"7:28: error: Invalid autoOffsetResetPosition: 'autoOffsetResetPosition': expected "
          "earliest or latest, found text 'none'"}},
        {PLAIN "  autoOffsetResetPosition: [latest]\n",
         {"7:28: error: Invalid autoOffsetResetPosition|found a list"}},
    };
    CHECK_CASES(cases, SOME_ENDPOINT, NULL);

    /* Nothing is said about the target: what is broken is not looked at any further. */
    static const struct load_case misspelt = {
        KIND "  id: a/in\n  address: k:9092\n  consumerGroupId: g\n"
             "  topics: [{topic: t, valuetype: v, targets: [m/f]}]\n",
        {"6:23: error: unknown key 'valuetype' in an element of topics, which lacks a "
         "required one: did you mean 'valueType'?"}};
    check_case(&misspelt, SOME_ENDPOINT, NULL);
}

static void faults_of_a_start_position(void **state)
{
    (void)state;
    static const struct load_case cases[] = {
        {PLAIN "  startupPosition: earliest\n",
         {"7:20: error: 'startupPosition': expected an object with a 'type', found text"}},
        {PLAIN "  startupPosition: {}\n", {"7:20: error: missing key 'type' in startupPosition"}},
        {PLAIN "  startupPosition: {type: Earliest}\n",
         {"7:27: error: startupPosition: Invalid startup position type: expected 'type' to be one "
          "of latest, earliest, group-offsets, specific-offsets, date, found text 'Earliest': did "
          "you mean 'earliest'?"}},
        {PLAIN "  startupPosition: {type: }\n",
         {"7:27: error: 'type': expected text such as 'latest', found no "
          "value"}},
        {PLAIN "  startupPosition: {type: latest, offsets: [t/0: 1]}\n",
         {"7:35: warning: unknown key 'offsets' in startupPosition of type latest"}},
        {PLAIN "  startupPosition: {type: specific-offsets}\n",
         {"7:20: error: missing key 'offsets' in startupPosition of type specific-offsets"}},
        {PLAIN "  startupPosition: {type: specific-offsets, offsets: []}\n",
         {"7:54: error: Provided specific offsets must not be empty"}},
        {PLAIN "  startupPosition: {type: specific-offsets, offsets: {t/0: 1}}\n",
         {"7:54: error: 'offsets': expected a list of single-entry maps, such as '- orders/0: "
          "1200', found an object"}},
        {PLAIN "  startupPosition:\n"
               "    type: specific-offsets\n"
               "    offsets:\n"
               "      - t-0: 1\n"
               "      - t/x: 1\n"
               "      - t/-1: 1\n"
               "      - t/0: many\n"
               "      - {t/1: 1, t/2: 2}\n"
               "      - t/3\n",
         {"10:9: error: 't-0' does not conform to the <topic>/<partition_id> format",
          "11:9: error: 't/x' does not conform to the <topic>/<partition_id> format",
          "12:9: error: 't/-1' does not conform|an integer between 0 and 2147483647",
          "13:14: error: 't/0': expected an offset: an integer, found text 'many'",
          "14:18: warning: 't/2' has no effect: only the first key of each element counts",
          "15:9: error: 'offsets': expected a list of single-entry maps|found text"}},
        {PLAIN "  startupPosition: {type: specific-offsets, offsets: [t/0: 1, t/0: 2, u/0: 3]}\n",
         {"7:20: warning: the offsets of topic 'u' have no effect: it is not in 'topics'",
          "7:55: warning: 't/0' has no effect: it stands at line 7 again, and the last one wins"}},
        {PLAIN "  startupPosition: {type: date}\n", {"7:20: error: missing key 'date'"}},
        {PLAIN "  startupPosition: {type: date, date: 2020-02-01 04:15:00.00 Z}\n",
         {"7:39: error: Unable to parse date string for startup position|yyyy-MM-dd HH:mm:ss.SSS "
          "Z|2020-02-01 04:15:00.000 +0000|found text '2020-02-01 04:15:00.00 Z'"}},
        {PLAIN "  startupPosition: {type: date, date: 2021-02-29 04:15:00.000 +0000}\n",
         {"7:39: error: Unable to parse date string|a day, time and zone that exist"}},
    };
    CHECK_CASES(cases, SOME_ENDPOINT, NULL);
}

static void expect_invalid(const char *more, enum kafka_invalid invalid, const char *target)
{
    char *yaml = mem_format("%s%s", PLAIN, more);
    struct application *application = load_ingress(yaml);
    const struct kafka_ingress_spec *ingress = only_ingress(application);
    assert_int_equal(ingress->invalid, invalid);
    if (target) {
        assert_string_equal(ingress->invalid_target.ns, "n");
        assert_string_equal(ingress->invalid_target.name, target);
    }
    application_free(application);
    free(yaml);
}

static void handling_of_invalid_records_is_read(void **state)
{
    (void)state;
    expect_invalid("", KAFKA_INVALID_DEAD_LETTER, NULL);
    expect_invalid("  invalidRecordHandling: deadLetter\n", KAFKA_INVALID_DEAD_LETTER, NULL);
    expect_invalid("  invalidRecordHandling: skip\n", KAFKA_INVALID_SKIP, NULL);
    expect_invalid("  invalidRecordHandling: FAIL\n", KAFKA_INVALID_FAIL, NULL);
    expect_invalid("  invalidRecordHandling: forward\n  invalidRecordTarget: n/f\n",
                   KAFKA_INVALID_FORWARD, "f");
}

static void faults_of_handling_invalid_records(void **state)
{
    (void)state;
    static const struct load_case cases[] = {
        {PLAIN "  invalidRecordHandling: ignore\n",
         {"7:26: error: 'invalidRecordHandling': expected skip, fail, forward or deadLetter, found "
          "text 'ignore'"}},
        {PLAIN "  invalidRecordHandling: forward\n",
         {"7:26: error: 'invalidRecordHandling' is forward: expected 'invalidRecordTarget' beside "
          "it"}},
        {PLAIN "  invalidRecordTarget: n/f\n",
         {"7:24: warning: 'invalidRecordTarget' has no effect"}},
        {PLAIN "  invalidRecordHandling: forward\n  invalidRecordTarget: m/f\n",
         {"3:7: warning: no endpoint serves m/f, to which ingress a/in forwards invalid records"}},
    };
    CHECK_CASES(cases, SOME_ENDPOINT, NULL);
}

/* Upstream notices with the first message, and stops. */
static void a_target_that_nobody_serves_is_a_warning(void **state)
{
    (void)state;
    static const char yaml[] = KIND "  id: a/in\n"
                                    "  address: k:9092\n"
                                    "  consumerGroupId: g\n"
                                    "  topics:\n"
                                    "    - {topic: t, valueType: v, targets: [n/f, m/f]}\n"
                                    "    - {topic: u, valueType: v, targets: [m/g]}\n";
    static const struct load_case c = {
        yaml,
        {"7:7: warning: no endpoint serves the target m/f of topic 't'",
         "8:7: warning: no endpoint serves the target m/g of topic 'u'"}};
    check_case(&c, SOME_ENDPOINT, NULL);
    check_case(&c,
               SOME_ENDPOINT "---\n"
                             "kind: io.statefun.playground.v1/egress\n"
                             "spec: {port: 1, topics: []}\n",
               NULL);

    /* A broken endpoint might have been theirs. */
    static const struct load_case broken = {yaml, {"11:41: error: 'urlPathTemplate'"}};
    check_case(&broken,
               "---\nkind: io.statefun.endpoints.v2/http\nspec: {functions: n/*, "
               "urlPathTemplate: x}\n",
               NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_complete_example_loads),
        cmocka_unit_test(an_ingress_has_upstreams_defaults),
        cmocka_unit_test(headers_are_forwarded_only_when_asked_for),
        cmocka_unit_test(positions_are_read),
        cmocka_unit_test(address_and_group_may_be_properties),
        cmocka_unit_test(of_a_topic_given_twice_the_last_counts),
        cmocka_unit_test(faults_of_an_ingress),
        cmocka_unit_test(faults_of_a_start_position),
        cmocka_unit_test(handling_of_invalid_records_is_read),
        cmocka_unit_test(faults_of_handling_invalid_records),
        cmocka_unit_test(a_target_that_nobody_serves_is_a_warning),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
