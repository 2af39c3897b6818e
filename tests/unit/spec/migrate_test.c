#include "load.h"

#include "spec/migrate.h"
#include "spec/yaml.h"

#define HEAD   "# From a module of StateFun 2.x. Its functions need a 3.x SDK, too.\n"
#define META_2 "version: \"2.0\"\nmodule:\n  meta: {type: remote}\n  spec:\n"
#define LEDGER                                                                                     \
    "    functions:\n      - function:\n          meta: {kind: http, type: bank/ledger}\n"
#define INGRESS "    ingresses:\n      - ingress:\n          meta: {id: bank/in, type: "

/* What a text becomes, with the diagnostics that are expected on the way. For free(). */
static char *migrated(const char *yaml, const char *const expected[EXPECTED_MAX])
{
    struct diagnostics diagnostics = {0};
    struct buffer text = {0};
    module_migrate(FILE_NAME, bytes_of(yaml), &text, &diagnostics);
    assert_reported(&diagnostics, expected, yaml);
    diagnostics_destroy(&diagnostics);
    return buffer_text(&text);
}

#define NOTHING ((const char *const[EXPECTED_MAX]){NULL})

static void assert_becomes(const char *yaml, const char *expected)
{
    char *text = migrated(yaml, NOTHING);
    assert_string_equal(text, expected);
    free(text);
}

static const char complete_2_0[] =
    META_2 LEDGER "          spec:\n"
                  "            endpoint: http://bank:8000/statefun\n"
                  "            states:\n"
                  "              - name: balance\n"
                  "              - name: hold\n"
                  "                expireAfter: 30min\n"
                  "                expireMode: after-write\n"
                  "              - {name: seen, expireAfter: 1 d}\n"
                  "            maxNumBatchRequests: 500\n"
                  "            timeout: 2min\n"
                  "            readTimeout: 1min\n"
                  "    ingresses:\n"
                  "      - ingress:\n"
                  "          meta: {type: statefun.kafka.io/routable-protobuf-ingress, id: "
                  "bank/transfers}\n"
                  "          spec:\n"
                  "            address: kafka:9092\n"
                  "            consumerGroupId: bank\n"
                  "            startupPosition: {type: Earliest}\n"
                  "            topics:\n"
                  "              - topic: transfers\n"
                  "                typeUrl: type.googleapis.com/bank.Transfer\n"
                  "                targets: [bank/ledger]\n"
                  "            properties: [client.id: 'a: b']\n"
                  "    egresses:\n"
                  "      - egress:\n"
                  "          meta: {type: statefun.kafka.io/generic-egress, id: bank/statements}\n"
                  "          spec:\n"
                  "            address: kafka:9092\n"
                  "            deliverySemantic: {type: EXACTLY-ONCE, transactionTimeoutMillis: "
                  "100000}\n";

static void a_2_0_module_becomes_components_that_load(void **state)
{
    (void)state;
    assert_becomes(complete_2_0, HEAD "# In 3.x a function declares its states itself. Here were:\n"
                                      "#   balance\n"
                                      "#   hold, expires 30min after it was written\n"
                                      "#   seen, expires \"1 d\" after the function was called\n"
                                      "kind: io.statefun.endpoints.v2/http\n"
                                      "spec:\n"
                                      "  functions: bank/ledger\n"
                                      "  urlPathTemplate: http://bank:8000/statefun\n"
                                      "  maxNumBatchRequests: 500\n"
                                      "  transport:\n"
                                      "    type: io.statefun.transports.v1/okhttp\n"
                                      "    timeouts:\n"
                                      "      call: 2min\n"
                                      "      read: 1min\n"
                                      "---\n"
                                      "kind: io.statefun.kafka.v1/ingress\n"
                                      "spec:\n"
                                      "  id: bank/transfers\n"
                                      "  address: kafka:9092\n"
                                      "  consumerGroupId: bank\n"
                                      "  startupPosition:\n"
                                      "    type: earliest\n"
                                      "  topics:\n"
                                      "    - topic: transfers\n"
                                      "      valueType: type.googleapis.com/bank.Transfer\n"
                                      "      targets:\n"
                                      "        - bank/ledger\n"
                                      "  properties:\n"
                                      "    - client.id: \"a: b\"\n"
                                      "---\n"
                                      "kind: io.statefun.kafka.v1/egress\n"
                                      "spec:\n"
                                      "  id: bank/statements\n"
                                      "  address: kafka:9092\n"
                                      "  deliverySemantic:\n"
                                      "    type: exactly-once\n"
                                      "    transactionTimeoutMillis: 100000\n");

    char *text = migrated(complete_2_0, NOTHING);
    const struct load_case good = {text, {NULL}};
    check_case(&good, "", &(struct application_options){.unknown_keys_are_errors = true});
    free(text);
}

/* Upstream's defaults of 10 s would be longer than the call, which now is an error. */
static void short_timeouts_stay_consistent(void **state)
{
    (void)state;
    char *text = migrated(META_2 LEDGER
                          "          spec: {endpoint: 'http://h', timeout: 5s, readTimeout: 1s}\n",
                          NOTHING);
    const struct load_case good = {text, {NULL}};
    check_case(&good, SOME_INGRESS, NULL);
    assert_mentions(text, "call: 5s\n      connect: 5s\n      read: 1s\n      write: 5s\n");
    free(text);
}

static void states_of_format_1_0_are_names(void **state)
{
    (void)state;
    assert_becomes("version: '1.0'\nmodule:\n  meta: {type: remote}\n  spec:\n" LEDGER
                   "          spec: {endpoint: 'http://h', states: [a, \"b\\nkind: c\"]}\n",
                   HEAD "# In 3.x a function declares its states itself. Here were:\n"
                        "#   a\n"
                        "#   \"b\\x0akind: c\"\n"
                        "kind: io.statefun.endpoints.v2/http\n"
                        "spec:\n"
                        "  functions: bank/ledger\n"
                        "  urlPathTemplate: http://h\n"
                        "  transport:\n"
                        "    type: io.statefun.transports.v1/okhttp\n");
}

static void a_3_0_module_becomes_components(void **state)
{
    (void)state;
    assert_becomes("version: '3.0'\nmodule:\n  meta: {type: remote}\n  spec:\n"
                   "    egresses:\n"
                   "      - egress:\n"
                   "          meta: {type: io.statefun.kafka/egress, id: a/b}\n"
                   "          spec: {address: '${BROKERS}', properties: []}\n",
                   "kind: io.statefun.kafka.v1/egress\n"
                   "spec:\n"
                   "  id: a/b\n"
                   "  address: ${BROKERS}\n"
                   "  properties: []\n");
}

static void components_stay_as_they_stand(void **state)
{
    (void)state;
    static const char components[] = "# mine\nkind:   a/b\nspec: {c: d}   # as I like it";
    assert_becomes(components, components);
}

static void what_cannot_be_brought_over_is_said(void **state)
{
    (void)state;
    static const struct {
        const char *yaml;
        const char *expected[EXPECTED_MAX];
        const char *remark;
    } cases[] = {
        {META_2 "    routers:\n      - router:\n          meta: {type: a/protobuf-router}\n"
                "          spec: {ingress: a/in, target: 'a/b/{{$.id}}'}\n",
         {"7:24: error: a router cannot be brought over: In 3.x an ingress names its 'targets'"},
         "# Missing here: a router (line 7). In 3.x"},
        {META_2 INGRESS "statefun.kafka.io/protobuf-ingress}\n          spec: {}\n",
         {"7:37: error: an ingress for a router cannot be brought over"},
         "# Missing here: an ingress for a router (line 7)."},
        {META_2 INGRESS "a/b}\n          spec: {}\n",
         {"7:37: error: 'type': expected statefun.kafka.io/routable-protobuf-ingress or "
          "statefun.kinesis.io/routable-protobuf-ingress, found text 'a/b'"},
         HEAD},
        {META_2 "    functions:\n      - function:\n          meta: {kind: grpc, type: a/b}\n"
                "          spec: {host: h, port: 1}\n",
         {"7:24: error: 'kind': expected http, the only kind|found text 'grpc'"},
         HEAD},
        {META_2 LEDGER "          spec: {endpoint: 'http://h', colour: red}\n",
         {"8:40: error: unknown key 'colour' in a function of format 2.0"},
         "functions: bank/ledger\n"},
        {META_2 LEDGER "          spec: {}\n",
         {"8:17: error: missing key 'endpoint' in a function of format 2.0"},
         HEAD},
        {META_2 LEDGER "          spec: {endpoint: 'http://h', states: [[]]}\n",
         {"8:49: error: 'states': expected a name, or an object with 'name', found a list"},
         "functions: bank/ledger\n"},
        {"version: '4.0'\nmodule: {}\n", {"1:10: error: Unrecognized format version"}, ""},
        {"version: \"2.0\nmodule: {}\n", {"1:10: error: not YAML"}, ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *text = migrated(cases[i].yaml, cases[i].expected);
        assert_mentions(text, cases[i].remark);
        free(text);
    }
}

/* Whatever stands in a value, it must stand there afterwards, and as the same kind of scalar. */
static void every_scalar_survives(void **state)
{
    (void)state;
    static const char *const values[] = {
        "plain", "''",          "'3.0'",          "'true'",    "'null'",    "'~'",
        "'- a'", "'a: b'",      "'a #b'",         "'#a'",      "'12:30'",   "'*a'",
        "'&a'",  "'{a}'",       "\"a\\\"b\\\\\"", "\"a\\nb\"", "\"\\x85\"", "\"\\u2028\"",
        "' a '", "\"\\ufeff\"", "'\u00e9\u4e2d'", "'...'",     "'---'",     "'a:'",
        "7",     "007",         "1_000",          "-3",        "true",      "1.5",
    };
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        char *before = NULL, *after;
        assert_true(asprintf(&before,
                             "version: '3.0'\nmodule:\n  meta: {type: remote}\n  spec:\n"
                             "    egresses:\n    - egress: {meta: {type: a/b, id: a/b}, spec: {k: "
                             "%s}}\n",
                             values[i]) > 0);
        after = migrated(before, NOTHING);

        struct diagnostics diagnostics = {0};
        struct yaml_stream was, is;
        yaml_stream_init(&was, "was", bytes_of(before), NULL, &diagnostics);
        yaml_stream_init(&is, "is", bytes_of(after), NULL, &diagnostics);
        assert_int_equal(diagnostics.count, 0);
        const struct yaml_node *old = was.documents[0];
        static const char *const path[] = {"module", "spec", "egresses"};
        for (size_t j = 0; j < 3; j++)
            old = yaml_find(old, path[j])->value;
        old = yaml_find(yaml_find(yaml_find(old->entries[0].value, "egress")->value, "spec")->value,
                        "k")
                  ->value;
        const struct yaml_node *now =
            yaml_find(yaml_find(is.documents[0], "spec")->value, "k")->value;
        assert_int_equal(now->kind, old->kind);
        assert_string_equal(now->text, old->text);
        yaml_stream_destroy(&was);
        yaml_stream_destroy(&is);
        free(before);
        free(after);
    }
}

static void what_aliases_would_blow_up_is_refused(void **state)
{
    (void)state;
    enum { SIZE = 200 * 1000, ALIASES = 100 };
    struct buffer yaml = {0};
    buffer_add_text(&yaml, "version: '3.0'\nmodule:\n  meta: {type: remote}\n  spec:\n    egresses:"
                           "\n    - egress: {meta: {type: a/b, id: a/b}, spec: {k: [&a ");
    for (int i = 0; i < SIZE; i++)
        buffer_add_u8(&yaml, 'x');
    for (int i = 0; i < ALIASES; i++)
        buffer_add_text(&yaml, ", *a");
    buffer_add_text(&yaml, "]}}\n");
    char *text = migrated(buffer_text(&yaml), (const char *const[EXPECTED_MAX]){
                                                  "1:1: error: what this file becomes is too "
                                                  "large: expected at most 16777216 bytes"});
    assert_string_equal(text, "");
    free(text);
    buffer_destroy(&yaml);
}

/* The error of a 2.x file shows the same, but not what may be secret. */
static void the_error_of_an_old_module_shows_it_without_secrets(void **state)
{
    (void)state;
    static const char yaml[] =
        META_2 INGRESS "statefun.kafka.io/routable-protobuf-ingress}\n"
                       "          spec:\n"
                       "            address: k:1\n"
                       "            properties: [{sasl.jaas.config: hunter2}]\n"
                       "    functions:\n      - function:\n"
                       "          meta: {kind: http, type: bank/ledger}\n"
                       "          spec: {endpoint: 'http://me:hunter2@h'}\n";
    struct diagnostics diagnostics = {0};
    assert_null(load_text(yaml, NULL, &diagnostics));
    assert_int_equal(diagnostics.count, 1);
    assert_mentions(diagnostics.items[0].text, "Was version 2.0");
    assert_mentions(diagnostics.items[0].text, "statefun migrate");
    assert_non_null(diagnostics.items[0].shown);
    assert_mentions(diagnostics.items[0].shown, "  address: k:1\n");
    assert_mentions(diagnostics.items[0].shown, "sasl.jaas.config: (not shown)\n");
    assert_mentions(diagnostics.items[0].shown, "urlPathTemplate: (not shown)\n");
    assert_null(strstr(diagnostics.items[0].shown, "hunter2"));
    diagnostics_destroy(&diagnostics);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_2_0_module_becomes_components_that_load),
        cmocka_unit_test(short_timeouts_stay_consistent),
        cmocka_unit_test(states_of_format_1_0_are_names),
        cmocka_unit_test(a_3_0_module_becomes_components),
        cmocka_unit_test(components_stay_as_they_stand),
        cmocka_unit_test(what_cannot_be_brought_over_is_said),
        cmocka_unit_test(every_scalar_survives),
        cmocka_unit_test(what_aliases_would_blow_up_is_refused),
        cmocka_unit_test(the_error_of_an_old_module_shows_it_without_secrets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
