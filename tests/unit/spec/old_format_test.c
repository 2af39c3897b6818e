#include "load.h"

#define META "version: \"3.0\"\nmodule:\n  meta: {type: remote}\n"
#define BANK                                                                                       \
    "    endpoints:\n"                                                                             \
    "      - endpoint:\n"                                                                          \
    "          meta: {kind: http}\n"                                                               \
    "          spec: {functions: bank/*, urlPathTemplate: 'http://h'}\n"
#define TRANSFERS                                                                                  \
    "    ingresses:\n"                                                                             \
    "      - ingress:\n"                                                                           \
    "          meta: {type: io.statefun.kafka/ingress, id: bank/transfers}\n"                      \
    "          spec:\n"                                                                            \
    "            address: k:9092\n"                                                                \
    "            consumerGroupId: g\n"                                                             \
    "            topics: [{topic: t, valueType: a/t, targets: [bank/ledger]}]\n"

/* module-yaml.md 14.4 */
static void the_complete_example_of_format_3_0_loads(void **state)
{
    (void)state;
    struct application *application =
        load_good("version: \"3.0\"\n"
                  "module:\n"
                  "  meta: {type: remote}\n"
                  "  spec:\n"
                  "    endpoints:\n"
                  "      - endpoint:\n"
                  "          meta: {kind: http}\n"
                  "          spec:\n"
                  "            functions: bank/*\n"
                  "            urlPathTemplate: \"http://bank:8000/{function.name}\"\n"
                  "            maxNumBatchRequests: 100\n"
                  "            timeouts: {call: 1min}\n"
                  "    ingresses:\n"
                  "      - ingress:\n"
                  "          meta: {type: io.statefun.kafka/ingress, id: bank/transfers}\n"
                  "          spec:\n"
                  "            address: kafka:9092\n"
                  "            consumerGroupId: bank\n"
                  "            topics:\n"
                  "              - topic: transfers\n"
                  "                valueType: bank.types/transfer\n"
                  "                targets: [bank/ledger]\n"
                  "    egresses:\n"
                  "      - egress:\n"
                  "          meta: {type: io.statefun.kafka/egress, id: bank/statements}\n"
                  "          spec:\n"
                  "            address: kafka:9092\n"
                  "            deliverySemantic: {type: exactly-once, transactionTimeoutMillis: "
                  "900000}\n");
    assert_int_equal(application->endpoint_count, 1);
    const struct endpoint_spec *endpoint = &application->endpoints[0];
    assert_string_equal(endpoint->functions.ns, "bank");
    assert_null(endpoint->functions.name);
    assert_int_equal(endpoint->batch_max, 100);
    assert_int_equal(endpoint->transport.kind, TRANSPORT_OKHTTP);
    assert_int_equal(endpoint->transport.call_ms, 60000);
    assert_int_equal(endpoint->place.line, 9);

    assert_int_equal(application->kafka_ingress_count, 1);
    const struct kafka_ingress_spec *ingress = &application->kafka_ingresses[0];
    assert_string_equal(ingress->id.ns, "bank");
    assert_string_equal(ingress->id.name, "transfers");
    assert_int_equal(ingress->place.line, 15);
    assert_string_equal(ingress->topics[0].targets[0].name, "ledger");

    assert_int_equal(application->kafka_egress_count, 1);
    assert_string_equal(application->kafka_egresses[0].id.name, "statements");
    assert_int_equal(application->kafka_egresses[0].delivery, KAFKA_EXACTLY_ONCE);
    assert_int_equal(application->kafka_egresses[0].transaction_timeout_ms, 900000);
    application_free(application);
}

static void format_3_0_takes_kinds_of_today_and_any_case_of_remote(void **state)
{
    (void)state;
    static const struct load_case cases[] = {
        {"version: '3.0'\nmodule:\n  meta: {type: ReMote}\n  spec:\n" BANK TRANSFERS, {NULL}},
        {"---\nversion: '3.0'\nmodule:\n  meta: {type: remote}\n  spec:\n" BANK TRANSFERS
         "    egresses: []\n    routers: []\n---\n",
         {NULL}},
        {META "  spec:\n" TRANSFERS "    endpoints:\n"
              "      - endpoint:\n"
              "          meta: {kind: io.statefun.endpoints.v2/http}\n"
              "          spec: {functions: bank/*, urlPathTemplate: 'http://h'}\n",
         {NULL}},
        {META "  spec:\n" BANK "    ingresses:\n"
              "      - ingress:\n"
              "          meta: {type: io.statefun.kafka.v1/ingress, id: a/b}\n"
              "          spec: {address: 'k:1', consumerGroupId: g, topics: [{topic: t, valueType: "
              "v, targets: []}]}\n",
         {NULL}},
    };
    CHECK_CASES(cases, "", NULL);
}

static void faults_of_format_3_0_have_their_places(void **state)
{
    (void)state;
    static const struct load_case cases[] = {
        {"version: \"3.0\"\n", {"1:1: error: Unable to find a module type|module.meta.type"}},
        {"version: \"3.0\"\nmodule: {spec: {}}\n", {"2:9: error: Unable to find a module type"}},
        {"version: \"3.0\"\nmodule: {meta: {}, spec: {}}\n",
         {"2:16: error: Unable to find a module type"}},
        {"version: \"3.0\"\nmodule: {meta: {type: embedded}, spec: {}}\n",
         {"2:23: error: Unknown module type, currently supported: REMOTE|found text 'embedded'"}},
        {"version: \"3.0\"\nmodule: {meta: {type: remote}}\n",
         {"2:9: error: missing key 'spec' in 'module': A module without a spec at"}},
        {META "  spec: {}\n",
         {"error: There are no function providers defined.",
          "error: There are no ingress defined."}},
        {META "  spec: {endpoints: {}}\n",
         {"4:21: error: 'endpoints': expected a list, found an object"}},
        {META "  spec: {endpoints: [{ingress: {}}]}\n",
         {"4:22: error: missing key 'endpoint' in an endpoint of format 3.0",
          "4:23: warning: unknown key 'ingress' in an endpoint of format 3.0"}},
        {META "  spec: {endpoints: [7]}\n",
         {"4:22: error: 'endpoints': expected an endpoint of format 3.0, found a number"}},
        {META "  spec: {endpoints: [{endpoint: {meta: {}, spec: {}}}]}\n",
         {"4:40: error: missing key 'kind' in 'meta'"}},
        {META "  spec: {ingresses: [{ingress: {meta: {type: a/b}, spec: {}}}]}\n",
         {"4:39: error: missing key 'id' in 'meta'"}},
        {META "  spec: {egresses: [{egress: {meta: {type: [], id: a/b}, spec: {}}}]}\n",
         {"4:44: error: 'type': expected text, found a list"}},
        {META "  spec:\n" BANK TRANSFERS "            id: other/id\n",
         {"16:13: warning: 'id' has no effect: that of 'meta' overwrites it"}},
        {META "  spec:\n" BANK TRANSFERS "    routers: [{router: {meta: {type: a/b}, spec: {}}}]\n",
         {"16:15: warning: a router has no effect: they ended with StateFun 3.0"}},
        {META "  spec:\n" BANK TRANSFERS "    functions: []\n",
         {"16:5: warning: unknown key 'functions' in the spec of a module"}},
    };
    CHECK_CASES(cases, "", NULL);
}

/* The components inside are read as others are: their own faults are found at their places. */
static void components_of_format_3_0_are_checked_as_others(void **state)
{
    (void)state;
    static const struct load_case cases[] = {
        {META "  spec:\n" TRANSFERS "    endpoints:\n"
              "      - endpoint:\n"
              "          meta: {kind: https}\n"
              "          spec: {}\n",
         {"14:24: error: Invalid binder kind format.|found text 'https'"}},
        {META "  spec:\n" TRANSFERS "    endpoints:\n"
              "      - endpoint:\n"
              "          meta: {kind: http}\n"
              "          spec: {functions: bank/*, url: 'http://h'}\n",
         {"15:17: error: missing key 'urlPathTemplate' in io.statefun.endpoints.v1/http",
          "15:37: warning: unknown key 'url'"}},
        {META "  spec:\n" BANK "    ingresses:\n"
              "      - ingress:\n"
              "          meta: {type: statefun.kafka.io/routable-protobuf-ingress, id: a/b}\n"
              "          spec: {}\n",
         {"11:24: error: An extension with type "
          "'statefun.kafka.io/routable-protobuf-ingress' does not exist."}},
        {META "  spec:\n" BANK "    ingresses:\n"
              "      - ingress:\n"
              "          meta: {type: io.statefun.kafka/ingress, id: ab}\n"
              "          spec: {address: 'k:1', consumerGroupId: g, topics: [{topic: t, valueType: "
              "v, targets: []}]}\n",
         {"11:55: error: 'id': expected a typename of the form <namespace>/<name>, found text "
          "'ab'"}},
    };
    CHECK_CASES(cases, "", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_complete_example_of_format_3_0_loads),
        cmocka_unit_test(format_3_0_takes_kinds_of_today_and_any_case_of_remote),
        cmocka_unit_test(faults_of_format_3_0_have_their_places),
        cmocka_unit_test(components_of_format_3_0_are_checked_as_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
