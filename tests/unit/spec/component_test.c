#include "load.h"

#define REST SOME_ENDPOINT SOME_INGRESS

static void a_document_must_be_a_component(void **state)
{
    (void)state;
    static const struct load_case cases[] = {
        {"just text\n",
         {"1:1: error: Invalid ComponentJsonObject; components should be a JSON object with the "
          "required fields [kind] and [spec].|Found text 'just text'"}},
        {"- kind: a/b\n", {"1:1: error: Invalid ComponentJsonObject|Found a list"}},
        {"kind: io.statefun.playground.v1/egress\n",
         {"1:1: error: missing key 'spec' in a component|Invalid ComponentJsonObject"}},
        {"spec: {}\n",
         {"1:1: error: missing key 'kind' in a component|Invalid ComponentJsonObject"}},
        {"kind: io.statefun.playground.v1/egress\nspec:\n",
         {"2:6: error: 'spec': expected an object, found no value"}},
        {"kind: io.statefun.playground.v1/egress\nspec: []\n",
         {"2:7: error: 'spec': expected an object, found a list"}},
        {"kind: io.statefun.playground.v1/egress\nspec: 7\n",
         {"2:7: error: 'spec': expected an object, found a number"}},
        {"kind: io.statefun.playground.v1/egress\nspec: true\n",
         {"2:7: error: 'spec': expected an object, found a truth value"}},
        {"kind:\nspec: {}\n", {"1:6: error: 'kind': expected text, found no value"}},
        {"kind: [a]\nspec: {}\n", {"1:7: error: 'kind': expected text, found a list"}},
        {"kind: playground\nspec: {}\n",
         {"1:7: error: Invalid binder kind format.|<namespace>/<name>|found text 'playground'"}},
        {"kind: a/b/c\nspec: {}\n", {"1:7: error: Invalid binder kind format.|'a/b/c'"}},
        {"kind: a/b\nspec: {}\n",
         {"1:7: error: An extension with type 'a/b' does not exist.|Expected one of "
          "io.statefun.endpoints.v2/http, "
          "io.statefun.endpoints.v1/http|io.statefun.playground.v1/egress"}},
        {"kind: io.statefun.kafka.v1/ingres\nspec: {}\n",
         {"1:7: error: An extension with type|does not exist.|did you mean "
          "'io.statefun.kafka.v1/ingress'?"}},
        {"kind: io.statefun.endpoint.v2/http\nspec: {}\n",
         {"1:7: error: An extension|did you mean 'io.statefun.endpoints.v2/http'?"}},
        {"kind: io.statefun.transports.v1/async\nspec: {}\n",
         {"1:7: error: does not exist.|a transport is named in 'transport.type' of an endpoint"}},
        {"knd: io.statefun.playground.v1/egress\nspec: {}\n",
         {"1:1: error: unknown key 'knd' in a component, which lacks a required one: did you mean "
          "'kind'?"}},
        {"kind: io.statefun.playground.v1/egress\nspec: {port: 1, topics: []}\nmeta: {}\n",
         {"3:1: warning: unknown key 'meta' in a component: expected one of kind, spec"}},
    };
    CHECK_CASES(cases, REST, NULL);
}

static void old_formats_are_known_as_such(void **state)
{
    (void)state;
    static const struct load_case cases[] = {
        {"version: 3.0\nmodule: {}\n",
         {"1:10: error: Wrong type for key /version not a string|found the number 3.0"}},
        {"version: \"2.0\"\nmodule: {meta: {type: remote}, spec: {}}\n",
         {"1:10: error: Only format versions higher than or equal to 3.0 is supported. Was version "
          "2.0"}},
        {"version: '1.0'\nmodule: {meta: {type: remote}, spec: {}}\n",
         {"1:10: error: Only format versions higher than or equal to 3.0 is supported. Was version "
          "1.0"}},
        {"version: '3.1'\n", {"1:10: error: Unrecognized format version|found text '3.1'"}},
    };
    CHECK_CASES(cases, "", NULL);

    /* Beside other documents the field means nothing. */
    static const struct load_case beside = {
        "version: '3.0'\nkind: io.statefun.playground.v1/egress\nspec: {port: 1, topics: [t]}\n",
        {NULL}};
    check_case(&beside, REST, NULL);
}

static void unknown_keys_are_warnings_or_errors_as_asked(void **state)
{
    (void)state;
    static const char egress[] = "kind: io.statefun.playground.v1/egress\n"
                                 "spec:\n"
                                 "  port: 1\n"
                                 "  topics: []\n"
                                 "  topic: x\n"
                                 "  <<: {a: b}\n"
                                 "  nonsense: 1\n";
    static const struct load_case lenient = {
        egress,
        {"5:3: warning: unknown key 'topic' in io.statefun.playground.v1/egress: did you mean "
         "'topics'?",
         "6:3: warning: unknown key '<<'|merge keys are not applied",
         "7:3: warning: unknown key 'nonsense'|expected one of id, port, topics"}};
    check_case(&lenient, REST, NULL);

    static const struct application_options strict = {.unknown_keys_are_errors = true};
    static const struct load_case refused = {egress,
                                             {"5:3: error: unknown key 'topic'",
                                              "6:3: error: unknown key '<<'",
                                              "7:3: error: unknown key 'nonsense'"}};
    check_case(&refused, REST, &strict);
}

/* All of it in one run; and what is broken is not called missing. */
static void one_run_reports_all_faults_without_cascades(void **state)
{
    (void)state;
    static const struct load_case c = {
        "kind: io.statefun.endpoints.v2/http\n"
        "spec:\n"
        "  functions: nonsense\n"
        "  urlPathTemplate: ftp://x\n"
        "  maxNumBatchRequests: many\n"
        "---\n"
        "kind: io.statefun.playground.v1/ingress\n"
        "spec:\n"
        "  port: 99999\n",
        {"3:14: error: 'functions': expected a typename of the form <namespace>/<name>, found text "
         "'nonsense'",
         "4:20: error: 'urlPathTemplate': expected a URL that begins with http://",
         "5:24: error: 'maxNumBatchRequests': expected an integer",
         "9:9: error: 'port': expected a port"}};
    check_case(&c, "", NULL);

    static const struct load_case twice = {"kind: io.statefun.playground.v1/ingress\n"
                                           "spec: {port: x, port: 1}\n",
                                           {"2:14: error: 'port': expected a port",
                                            "2:17: error: the key 'port' stands here a second"}};
    check_case(&twice, SOME_ENDPOINT, NULL);

    static const struct load_case again = {"kind: io.statefun.playground.v1/ingress\n"
                                           "spec: {port: 1, port: x}\n",
                                           {"2:17: error: the key 'port' stands here a second"}};
    check_case(&again, SOME_ENDPOINT, NULL);

    /* What follows a fault of the YAML may be the endpoint. */
    static const struct load_case cut = {"kind: a/b: c\n", {"1:10: error: not YAML"}};
    check_case(&cut, "", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_document_must_be_a_component),
        cmocka_unit_test(old_formats_are_known_as_such),
        cmocka_unit_test(unknown_keys_are_warnings_or_errors_as_asked),
        cmocka_unit_test(one_run_reports_all_faults_without_cascades),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
