#include "load.h"

#define INGRESS "kind: io.statefun.playground.v1/ingress\nspec:\n"
#define EGRESS  "kind: io.statefun.playground.v1/egress\nspec:\n"

/* module-yaml.md 14.3 */
static void the_complete_example_loads(void **state)
{
    (void)state;
    struct application *application =
        load_good("kind: io.statefun.endpoints.v2/http\n"
                  "spec:\n"
                  "  functions: greeter.fns/*\n"
                  "  urlPathTemplate: http://functions:8000/statefun\n"
                  "  transport: {type: io.statefun.transports.v1/async}\n"
                  "---\n"
                  "kind: io.statefun.playground.v1/ingress\n"
                  "spec: {port: 8090}\n"
                  "---\n"
                  "kind: io.statefun.playground.v1/egress\n"
                  "spec:\n"
                  "  port: 8091\n"
                  "  topics: [greetings]\n");
    assert_int_equal(application->endpoint_count, 1);
    assert_string_equal(application->endpoints[0].functions.ns, "greeter.fns");
    assert_null(application->endpoints[0].functions.name);
    assert_string_equal(application->endpoints[0].url_template, "http://functions:8000/statefun");
    assert_int_equal(application->http_ingress_count, 1);
    assert_int_equal(application->http_ingresses[0].port, 8090);
    assert_int_equal(application->http_ingresses[0].place.line, 8);
    assert_int_equal(application->http_egress_count, 1);
    assert_int_equal(application->http_egresses[0].port, 8091);
    assert_int_equal(application->http_egresses[0].topic_count, 1);
    assert_string_equal(application->http_egresses[0].topics[0], "greetings");
    assert_int_equal(application->file_count, 1);
    assert_string_equal(application->files[0], FILE_NAME);
    application_free(application);
}

static void faults_of_playground_kinds(void **state)
{
    (void)state;
    static const struct load_case ingress_cases[] = {
        {INGRESS "  port: 0\n", {NULL}},
        {INGRESS "  port: '8090'\n", {NULL}},
        {INGRESS "  prot: 80\n",
         {"3:3: error: unknown key 'prot'|which lacks a required one: did you mean 'port'?"}},
        {INGRESS "  prot: 80\n  potr: 80\n",
         {"3:3: error: unknown key 'prot'", "4:3: warning: unknown key 'potr'"}},
        {INGRESS "  prot: 80\n  port: 80\n",
         {"3:3: warning: unknown key 'prot' in io.statefun.playground.v1/ingress: did you mean "
          "'port'?"}},
        {INGRESS "  {}\n", {"3:3: error: missing key 'port' in io.statefun.playground.v1/ingress"}},
        {INGRESS "  port: 65536\n",
         {"3:9: error: 'port': expected a port: an integer from 0 to 65535, found the number "
          "65536"}},
        {INGRESS "  port: -1\n", {"3:9: error: 'port': expected a port"}},
        {INGRESS "  port: 80.5\n", {"3:9: error: 'port': expected a port|the number 80.5"}},
        {INGRESS "  port: 80\n  topics: []\n", {"4:3: warning: unknown key 'topics'"}},
    };
    CHECK_CASES(ingress_cases, SOME_ENDPOINT, NULL);

    static const struct load_case egress_cases[] = {
        {EGRESS "  port: 1\n", {"3:3: error: missing key 'topics'"}},
        {EGRESS "  port: 1\n  topics: a\n",
         {"4:11: error: 'topics': expected a list of topics, found text"}},
        {EGRESS "  port: 1\n  topics: [a, {}, '']\n",
         {"4:15: error: 'topics': expected text, found an object",
          "4:19: error: 'topics': expected text, found text ''"}},
        {EGRESS "  port: 1\n  topics: [a, a]\n",
         {"4:12: warning: 'a' has no effect: it stands at line 4 again"}},
        {EGRESS "  port: 1\n  topics: []\n", {NULL}},
        {EGRESS "  id: a/b\n  port: 1\n  topics: []\n", {NULL}},
    };
    CHECK_CASES(egress_cases, SOME_ENDPOINT SOME_INGRESS, NULL);
}

/* Also when the egress is called otherwise. */
static void there_is_one_of_each(void **state)
{
    (void)state;
    static const struct load_case cases[] = {
        {INGRESS "  port: 1\n---\n" INGRESS "  port: 2\n",
         {"7:3: error: A binding for the key 'ingress io.statefun.playground/ingress' was "
          "previously defined.|m.yaml:3:3"}},
        {INGRESS "  port: 1\n---\n" EGRESS "  port: 2\n  topics: []\n---\n" EGRESS
                 "  port: 3\n  topics: []\n",
         {"12:3: error: A binding for the key 'egress io.statefun.playground/egress' was "
          "previously defined.|m.yaml:7:3"}},
        {INGRESS "  port: 1\n---\n" EGRESS "  port: 2\n  topics: []\n---\n" EGRESS
                 "  id: a/b\n  port: 3\n  topics: []\n",
         {"12:3: error: an application has one playground egress at most, found one at "
          "m.yaml:7 too"}},
    };
    CHECK_CASES(cases, SOME_ENDPOINT, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_complete_example_loads),
        cmocka_unit_test(faults_of_playground_kinds),
        cmocka_unit_test(there_is_one_of_each),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
