/* header_test.c - headers, tokens and caps of an endpoint: our extensions. */
#include "load.h"

#include "base/mem.h"

#define ENDPOINT                                                                                   \
    "kind: io.statefun.endpoints.v2/http\nspec:\n  functions: a/b\n  urlPathTemplate: "            \
    "http://h/f\n"
#define ENDPOINT_V1                                                                                \
    "kind: io.statefun.endpoints.v1/http\nspec:\n  functions: a/b\n  urlPathTemplate: "            \
    "http://h/f\n"

static void headers_are_read(void **state)
{
    (void)state;
    struct application *application =
        load_good(ENDPOINT "  headers:\n"
                           "    X-Tenant: blue\n"
                           "    x-number: '0017'\n"
                           "    X-Api-Key: {file: classpath:key}\n"
                           "    X-Other: {env: OTHER}\n"
                           "  bearerToken: {file: /run/token}\n" SOME_INGRESS);
    const struct header_list *headers = &application->endpoints[0].headers;
    static const struct {
        const char *name, *prefix;
        enum header_source source;
        const char *text, *file;
    } expected[] = {
        {"x-tenant", "", HEADER_TEXT, "blue", NULL},
        {"x-number", "", HEADER_TEXT, "0017", NULL},
        {"x-api-key", "", HEADER_FILE, NULL, "key"},
        {"x-other", "", HEADER_ENVIRONMENT, "OTHER", NULL},
        {"authorization", "Bearer ", HEADER_FILE, NULL, "/run/token"},
    };
    assert_int_equal(headers->count, sizeof expected / sizeof *expected);
    for (size_t i = 0; i < headers->count; i++) {
        const struct header_spec *found = &headers->items[i];
        assert_string_equal(found->name, expected[i].name);
        assert_string_equal(found->prefix, expected[i].prefix);
        assert_int_equal(found->source, expected[i].source);
        if (expected[i].text)
            assert_string_equal(found->text, expected[i].text);
        if (expected[i].file)
            assert_string_equal(found->file.path, expected[i].file);
    }
    application_free(application);
}

static void caps_are_read(void **state)
{
    (void)state;
    static const char *const endpoints[] = {ENDPOINT, ENDPOINT_V1};
    for (size_t i = 0; i < 2; i++) {
        char *yaml = mem_format("%s  maxInFlightRequests: 64\n  maxRequestsPerSecond: '500'\n%s",
                                endpoints[i], SOME_INGRESS);
        struct application *application = load_good(yaml);
        assert_int_equal(application->endpoints[0].in_flight_max, 64);
        assert_int_equal(application->endpoints[0].per_second_max, 500);
        application_free(application);
        free(yaml);
    }
    struct application *application = load_good(ENDPOINT SOME_INGRESS);
    assert_int_equal(application->endpoints[0].in_flight_max, 0);
    assert_int_equal(application->endpoints[0].per_second_max, 0);
    application_free(application);
}

static void faults_of_headers(void **state)
{
    (void)state;
    static const struct load_case cases[] = {
        {ENDPOINT "  headers: [a]\n",
         {"5:12: error: 'headers': expected an object such as {X-Api-Key"}},
        {ENDPOINT "  headers: {'X Y': a}\n",
         {"5:13: error: 'X Y': expected the name of an HTTP header"}},
        {ENDPOINT "  headers: {Content-Length: 5, Host: x}\n",
         {"5:13: error: the header 'Content-Length' is the runtime's own",
          "5:32: error: the header 'Host' is the runtime's own"}},
        {ENDPOINT "  headers: {X-A: 1, x-a: 2}\n",
         {"5:21: error: the header 'x-a' is given twice: found it at line 5 too"}},
        {ENDPOINT "  headers: {Authorization: Basic x}\n  bearerToken: {env: T}\n",
         {"6:16: error: the header 'authorization' is given twice"}},
        {ENDPOINT "  headers: {X-A: \"hunter2\\r\\nX-B: 1\"}\n",
         {"5:18: error: 'X-A': expected text without control characters, or an object {file: "
          "PATH} or {env: NAME}, found text"}},
        {ENDPOINT "  headers: {X-A: [1]}\n", {"5:18: error: 'X-A': expected text|found a list"}},
        {ENDPOINT "  headers:\n    X-A:\n", {"6:9: error: 'X-A': expected text|found no value"}},
        {ENDPOINT "  headers: {X-A: {}}\n",
         {"5:18: error: 'X-A': expected an object {file: PATH} or {env: NAME}, one of them"}},
        {ENDPOINT "  headers: {X-A: {file: a, env: B}}\n",
         {"5:18: error: 'X-A': expected an object {file: PATH} or {env: NAME}, one of them"}},
        {ENDPOINT "  headers: {X-A: {fiel: a}}\n",
         {"5:18: error: 'X-A': expected an object", "5:19: warning: unknown key 'fiel' in X-A"}},
        {ENDPOINT "  bearerToken: abc\n",
         {"5:16: error: 'bearerToken': expected an object {file: PATH} or {env: NAME}, found "
          "text"}},
        {ENDPOINT "  maxInFlightRequests: 0\n",
         {"5:24: error: 'maxInFlightRequests': expected an integer from 1"}},
        {ENDPOINT "  maxRequestsPerSecond: 1000001\n",
         {"5:25: error: 'maxRequestsPerSecond': expected an integer from 1 to 1000000"}},
    };
    CHECK_CASES(cases, SOME_INGRESS, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_are_read),
        cmocka_unit_test(caps_are_read),
        cmocka_unit_test(faults_of_headers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
