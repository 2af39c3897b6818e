#include "load.h"

#include "base/mem.h"

#define V1 "kind: io.statefun.endpoints.v1/http\nspec:\n"
#define V2 "kind: io.statefun.endpoints.v2/http\nspec:\n"
#define V2_PLAIN                                                                                   \
    V2 "  functions: a/b\n"                                                                        \
       "  urlPathTemplate: http://h/f\n"
#define V1_PLAIN                                                                                   \
    V1 "  functions: a/b\n"                                                                        \
       "  urlPathTemplate: http://h/f\n"

static struct application *load_endpoint(const char *text)
{
    char *yaml = mem_format("%s%s", text, SOME_INGRESS);
    struct application *application = load_good(yaml);
    assert_int_equal(application->endpoint_count, 1);
    free(yaml);
    return application;
}

static void an_endpoint_has_upstreams_defaults(void **state)
{
    (void)state;
    struct application *application = load_endpoint(V2_PLAIN);
    const struct endpoint_spec *endpoint = &application->endpoints[0];
    assert_string_equal(endpoint->functions.ns, "a");
    assert_string_equal(endpoint->functions.name, "b");
    assert_string_equal(endpoint->url_template, "http://h/f");
    assert_string_equal(endpoint->place.file, FILE_NAME);
    assert_int_equal(endpoint->place.line, 3);
    assert_int_equal(endpoint->place.column, 14);
    assert_int_equal(endpoint->batch_max, 1000);
    assert_int_equal(endpoint->transport.kind, TRANSPORT_ASYNC);
    assert_int_equal(endpoint->transport.call_ms, 120000);
    assert_int_equal(endpoint->transport.connect_ms, 20000);
    assert_int_equal(endpoint->transport.pool_ttl_ms, 15000);
    assert_int_equal(endpoint->transport.pool_size, 1024);
    assert_int_equal(endpoint->transport.payload_max_bytes, 33554432);
    application_free(application);

    application = load_endpoint(V1_PLAIN);
    endpoint = &application->endpoints[0];
    assert_int_equal(endpoint->batch_max, 1000);
    assert_int_equal(endpoint->transport.kind, TRANSPORT_OKHTTP);
    assert_int_equal(endpoint->transport.call_ms, 60000);
    assert_int_equal(endpoint->transport.connect_ms, 10000);
    assert_int_equal(endpoint->transport.read_ms, 10000);
    assert_int_equal(endpoint->transport.write_ms, 10000);
    application_free(application);
}

static void a_namespace_target_has_no_name(void **state)
{
    (void)state;
    struct application *application =
        load_endpoint(V2 "  functions: a.b/*\n  urlPathTemplate: http://h/{function.name}\n");
    assert_string_equal(application->endpoints[0].functions.ns, "a.b");
    assert_null(application->endpoints[0].functions.name);
    application_free(application);
}

static void transports_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *yaml;
        struct transport_spec expected;
    } cases[] = {
        {V2_PLAIN "  transport:\n"
                  "    type: io.statefun.transports.v1/async\n"
                  "    call: 90s\n"
                  "    connect: 5s\n"
                  "    pool_size: 256\n"
                  "    pool_ttl: 1min\n"
                  "    payload_max_bytes: 1048576\n",
         {TRANSPORT_ASYNC,
          HTTP_VERSION_AUTO,
          90000,
          5000,
          0,
          0,
          60000,
          256,
          1048576,
          {.verify_hostname = true}}},
        /* A number is a duration in milliseconds; text that holds a number is a number. */
        {V2_PLAIN "  transport: {call: 7000, pool_ttl: 0, pool_size: '3'}\n",
         {TRANSPORT_ASYNC,
          HTTP_VERSION_AUTO,
          7000,
          20000,
          0,
          0,
          0,
          3,
          33554432,
          {.verify_hostname = true}}},
        {V2_PLAIN "  transport: {}\n",
         {TRANSPORT_ASYNC,
          HTTP_VERSION_AUTO,
          120000,
          20000,
          0,
          0,
          15000,
          1024,
          33554432,
          {.verify_hostname = true}}},
        /* Members that the timeouts object leaves out have defaults of their own. */
        {V2_PLAIN "  transport: {timeouts: {call: 30s}}\n",
         {TRANSPORT_ASYNC,
          HTTP_VERSION_AUTO,
          30000,
          10000,
          0,
          0,
          15000,
          1024,
          33554432,
          {.verify_hostname = true}}},
        {V2_PLAIN "  transport: {timeouts: {connect: 2 s, read: 1 s, write: 0 s}}\n",
         {TRANSPORT_ASYNC,
          HTTP_VERSION_AUTO,
          60000,
          2000,
          0,
          0,
          15000,
          1024,
          33554432,
          {.verify_hostname = true}}},
        /* async does not compare them, as upstream does not */
        {V2_PLAIN "  transport: {timeouts: {call: 5s}}\n",
         {TRANSPORT_ASYNC,
          HTTP_VERSION_AUTO,
          5000,
          10000,
          0,
          0,
          15000,
          1024,
          33554432,
          {.verify_hostname = true}}},
        {V2_PLAIN "  transport:\n"
                  "    type: io.statefun.transports.v1/okhttp\n"
                  "    timeouts: {call: 2min, connect: 5s, read: 1min, write: 10s}\n",
         {TRANSPORT_OKHTTP,
          HTTP_VERSION_AUTO,
          120000,
          5000,
          60000,
          10000,
          60000,
          1024,
          33554432,
          {.verify_hostname = true}}},
        {V2_PLAIN "  transport: {type: io.statefun.transports.v1/okhttp}\n",
         {TRANSPORT_OKHTTP,
          HTTP_VERSION_AUTO,
          60000,
          10000,
          10000,
          10000,
          60000,
          1024,
          33554432,
          {.verify_hostname = true}}},
        {V1_PLAIN "  timeouts: {call: 2min, read: 1min}\n",
         {TRANSPORT_OKHTTP,
          HTTP_VERSION_AUTO,
          120000,
          10000,
          60000,
          10000,
          60000,
          1024,
          33554432,
          {.verify_hostname = true}}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct application *application = load_endpoint(cases[i].yaml);
        const struct transport_spec *found = &application->endpoints[0].transport;
        const struct transport_spec *expected = &cases[i].expected;
        if (found->kind != expected->kind || found->call_ms != expected->call_ms ||
            found->connect_ms != expected->connect_ms || found->read_ms != expected->read_ms ||
            found->write_ms != expected->write_ms || found->pool_ttl_ms != expected->pool_ttl_ms ||
            found->pool_size != expected->pool_size ||
            found->payload_max_bytes != expected->payload_max_bytes)
            fail_msg("other values than expected for:\n%s", cases[i].yaml);
        application_free(application);
    }
}

static void batches_without_a_limit_have_the_size_0(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        size_t batch_max;
    } cases[] = {{"50", 50}, {"'50'", 50}, {"0", 0}, {"-1", 0}, {"2147483647", 2147483647}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *yaml = mem_format(V2_PLAIN "  maxNumBatchRequests: %s\n", cases[i].value);
        struct application *application = load_endpoint(yaml);
        assert_int_equal(application->endpoints[0].batch_max, cases[i].batch_max);
        application_free(application);
        free(yaml);
    }
}

static void urls_are_of_http_or_https(void **state)
{
    (void)state;
    static const char *const good[] = {
        "http://h",
        "HTTP://h:8000/",
        "http://h:/f",
        "http://h:65535/a/b?c=d&e=%20#f",
        "http://[::1]:80/x",
        "http://my_host.internal/",
        "http://{function.name}.svc:8000/{function.name}",
        "http+unix:///run/fns/py.sock/api/fn",
        "http+unix:///run/py.sock",
        "HTTPS+UNIX:///run/{function.name}.sock/x.sock",
        "https://h/f",
        "HttpS://{function.name}.svc:8443/f",
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        char *yaml = mem_format(V2 "  functions: a/b\n  urlPathTemplate: '%s'\n", good[i]);
        struct application *application = load_endpoint(yaml);
        assert_string_equal(application->endpoints[0].url_template, good[i]);
        assert_true(application->endpoints[0].is_tls == !strncasecmp(good[i], "https:", 6));
        application_free(application);
        free(yaml);
    }

    static const struct {
        const char *url, *message;
    } bad[] = {
        {"ftp://h/f", "expected a URL that begins with http://, https://, http+unix:// or "
                      "https+unix://, found text 'ftp://h/f'"},
        {"h:8000/f", "expected a URL that begins with http://"},
        {"http:/h", "expected a URL that begins with http://"},
        {"http://", "expected a host"},
        {"http:///f", "expected a host"},
        {"http://:80/f", "expected a host"},
        {"http://h:0/f", "expected a port from 1 to 65535"},
        {"http://h:65536/f", "expected a port from 1 to 65535"},
        {"http://h:x/f", "expected a port from 1 to 65535"},
        {"http://h/%2", "two hexadecimal digits behind each %"},
        {"http://[::1]x", "expected a port from 1 to 65535"},
        {"http://[::1/f", "expected ']'"},
        {"http://[::1]80/f", "expected a port from 1 to 65535"},
        {"http://h/a b", "expected a URL without blanks"},
        {"http://h/a|b", "expected a URL without blanks"},
        {"http://h/{function.namespace}", "only {function.name} is filled in"},
        {"http://h/{function.name", "only {function.name} is filled in"},
        {"http+unix://run/py.sock/f", "expected three slashes"},
        {"http+unix:///run/py/f", "Unix Domain Socket path should contain a .sock file"},
        {"http+unix:///run/py?x.sock", "Unix Domain Socket path should contain a .sock file"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct diagnostics diagnostics = {0};
        char *yaml =
            mem_format(V2 "  functions: a/b\n  urlPathTemplate: '%s'\n" SOME_INGRESS, bad[i].url);
        assert_null(load_text(yaml, NULL, &diagnostics));
        assert_int_equal(diagnostics.count, 1);
        assert_int_equal(diagnostics.items[0].line, 4);
        assert_int_equal(diagnostics.items[0].column, 20);
        assert_mentions(diagnostics.items[0].text, "'urlPathTemplate': ");
        assert_mentions(diagnostics.items[0].text, bad[i].message);
        diagnostics_destroy(&diagnostics);
        free(yaml);
    }
}

/* It may hold a password. */
static void a_url_with_a_user_name_is_not_shown(void **state)
{
    (void)state;
    struct diagnostics diagnostics = {0};
    struct application *application =
        load_text(V2 "  functions: a/b\n  urlPathTemplate: http://u:hunter2@h/f\n" SOME_INGRESS,
                  NULL, &diagnostics);
    assert_null(application);
    assert_int_equal(diagnostics.count, 1);
    assert_mentions(diagnostics.items[0].text, "expected a URL without a user name");
    assert_null(strstr(diagnostics.items[0].text, "hunter2"));
    diagnostics_destroy(&diagnostics);
}

static void faults_of_an_endpoint(void **state)
{
    (void)state;
    static const struct load_case cases[] = {
        {V2 "  functions: a/b\n",
         {"3:3: error: missing key 'urlPathTemplate' in io.statefun.endpoints.v2/http"}},
        {V2 "  urlPathTemplate: http://h\n", {"3:3: error: missing key 'functions'"}},
        {V1 "  functions: a/b\n",
         {"3:3: error: missing key 'urlPathTemplate'|missing key /urlPathTemplate"}},
        {V2 "  functions: a/b\n  urlPathTemplat: http://h\n",
         {"4:3: error: unknown key 'urlPathTemplat'|which lacks a required one: did you mean "
          "'urlPathTemplate'?"}},
        {V2 "  functions: a/b*\n  urlPathTemplate: http://h\n",
         {"3:14: error: Invalid syntax for target functions. Only <namespace>/<name> or "
          "<namespace>/* are supported.|'a/b*'"}},
        {V2 "  functions: a*/b\n  urlPathTemplate: http://h\n",
         {"3:14: error: Invalid syntax for target functions."}},
        {V2 "  functions: '*/*'\n  urlPathTemplate: http://h\n",
         {"3:14: error: Invalid syntax for target functions."}},
        {V2 "  functions: [a/b]\n  urlPathTemplate: http://h\n",
         {"3:14: error: 'functions': expected a typename|found a list"}},
        {V2 "  functions: ''\n  urlPathTemplate: http://h\n",
         {"3:14: error: 'functions': expected a typename|found text ''"}},
        {V2 "  functions: a/b\n  urlPathTemplate:\n",
         {"4:19: error: 'urlPathTemplate': expected text, found no value"}},
        {V2_PLAIN "  maxNumBatchRequests: 1.5\n",
         {"5:24: error: 'maxNumBatchRequests': expected an integer|found the number 1.5"}},
        {V2_PLAIN "  maxNumBatchRequests: 2147483648\n",
         {"5:24: error: 'maxNumBatchRequests': expected an integer from -2147483648"}},
        {V2_PLAIN "  maxNumBatchRequests:\n",
         {"5:23: error: 'maxNumBatchRequests': expected an integer|found no value"}},
        {V1_PLAIN "  maxNumBatchRequests: '50'\n",
         {"5:24: error: Wrong type for key /maxNumBatchRequests not an integer|found text '50'"}},
        {V1_PLAIN "  transport: {}\n",
         {"5:3: warning: unknown key 'transport' in io.statefun.endpoints.v1/http"}},
        {V2_PLAIN "  timeouts: {}\n", {"5:3: warning: unknown key 'timeouts'"}},
        {V2_PLAIN "  transports: {}\n",
         {"5:3: warning: unknown key 'transports'|did you mean 'transport'?"}},
        {V2_PLAIN "  transport: io.statefun.transports.v1/async\n",
         {"5:14: error: 'transport': expected an object with a 'type'|found text"}},
        {V2_PLAIN "  transport:\n",
         {"5:13: error: 'transport': expected an object|found no value"}},
        {V2_PLAIN "  transport: {type: [a]}\n",
         {"5:21: error: 'type': expected text such as 'io.statefun.transports.v1/async', found a "
          "list"}},
        {V2_PLAIN "  transport: {type: io.statefun.transports.v1/asink}\n",
         {"5:21: error: transport: An extension with type 'io.statefun.transports.v1/asink' "
          "does not exist|io.statefun.transports.v1/okhttp|did you mean "
          "'io.statefun.transports.v1/async'?"}},
        {V2_PLAIN "  transport: {call: 5 parsecs}\n",
         {"5:21: error: 'call': expected a duration: an integer and one of|found text '5 "
          "parsecs'"}},
        {V2_PLAIN "  transport: {call: 0}\n",
         {"5:21: error: Timeout durations must be larger than 0.|the number 0|'call'"}},
        {V2_PLAIN "  transport: {call: 25d}\n",
         {"5:21: error: 'call': expected a duration from 0 ms to 2147483647 ms"}},
        {V2_PLAIN "  transport: {timeouts: {connect: 0s}}\n",
         {"5:35: error: Timeout durations must be larger than 0."}},
        {V2_PLAIN "  transport: {timeouts: 5s}\n",
         {"5:25: error: 'timeouts': expected an object such as"}},
        {V2_PLAIN "  transport: {call: 5s, connect: 1s, timeouts: {call: 9s}}\n",
         {"5:15: warning: 'call' has no effect: 'timeouts' beside it wins",
          "5:25: warning: 'connect' has no effect"}},
        {V2_PLAIN "  transport: {pool_size: 0}\n",
         {"5:26: error: 'pool_size': expected an integer from 1 to 2147483647, found the number "
          "0"}},
        {V2_PLAIN "  transport: {poolSize: 3}\n",
         {"5:15: warning: unknown key 'poolSize' in transport of type "
          "io.statefun.transports.v1/async|did you mean 'pool_size'?"}},
        {V2_PLAIN "  transport: {type: io.statefun.transports.v1/okhttp, call: 3s}\n",
         {"5:55: warning: unknown key 'call' in transport of type "
          "io.statefun.transports.v1/okhttp|expected one of type, timeouts"}},
    };
    CHECK_CASES(cases, SOME_INGRESS, NULL);
}

static void okhttp_timeouts_fit_into_the_call(void **state)
{
    (void)state;
    static const struct load_case cases[] = {
        {V1_PLAIN "  timeouts: {call: 5s}\n",
         {"5:20: error: Connect timeout cannot be larger than request timeout|'connect' of at most "
          "5000 ms, which is 'call', found 10000 ms, its default|only at the first message",
          "5:20: error: Read timeout cannot be larger than request timeout",
          "5:20: error: Write timeout cannot be larger than request timeout"}},
        {V1_PLAIN "  timeouts: {read: 2min}\n",
         {"5:20: error: Read timeout cannot be larger|at most 60000 ms, which is 'call' by "
          "default, found 120000 ms"}},
        {V1_PLAIN "  timeouts: {call: 10s, connect: 11s}\n",
         {"5:34: error: Connect timeout cannot"}},
        {V1_PLAIN "  timeouts: {call: 10s}\n", {NULL}},
        /* What is broken is not compared. */
        {V1_PLAIN "  timeouts: {call: x, connect: 90s}\n", {"5:20: error: 'call': expected"}},
        {V2_PLAIN "  transport:\n"
                  "    type: io.statefun.transports.v1/okhttp\n"
                  "    timeouts: {write: 61s}\n",
         {"7:23: error: Write timeout cannot be larger"}},
        {V2_PLAIN "  transport: {type: io.statefun.transports.v1/okhttp, timeouts: {call: 0}}\n",
         {"5:72: error: Timeout durations must be larger than 0."}},
    };
    CHECK_CASES(cases, SOME_INGRESS, NULL);
}

#define V2_SECURE V2 "  functions: a/b\n  urlPathTemplate: https://h/f\n"

static void tls_files_are_found_where_upstream_finds_them(void **state)
{
    (void)state;
    static const char yaml[] = V2_SECURE "  transport: {trust_cacerts: 'file:///etc/a%20b.pem', "
                                         "client_cert: 'classpath:/tls/c.pem',\n"
                                         "    client_key: keys/k.p8, client_key_password: "
                                         "'FILE:/run/pass'}\n" SOME_INGRESS;
    struct diagnostics diagnostics = {0};
    struct application *application =
        application_load_text("/opt/modules/shop/module.yaml", bytes_of(yaml),
                              &(struct application_options){0}, &diagnostics);
    assert_non_null(application);
    const struct tls_spec *tls = &application->endpoints[0].transport.tls;
    assert_string_equal(tls->trust_cacerts.path, "/etc/a b.pem");
    assert_string_equal(tls->client_cert.path, "/opt/modules/shop/tls/c.pem");
    assert_string_equal(tls->client_key.path, "keys/k.p8");
    assert_int_equal(tls->client_key.place.line, 6);
    assert_string_equal(tls->client_key_password.path, "/run/pass");
    assert_true(tls->verify_hostname);
    application_free(application);
    diagnostics_destroy(&diagnostics);
}

static void the_check_of_the_hosts_name_can_be_switched_off(void **state)
{
    (void)state;
    struct application *application =
        load_good(V2_SECURE "  transport: {verify_hostname: false}\n" SOME_INGRESS);
    assert_false(application->endpoints[0].transport.tls.verify_hostname);
    application_free(application);
}

static void the_version_of_http_can_be_chosen(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum http_version version;
    } cases[] = {{"auto", HTTP_VERSION_AUTO},
                 {"1.1", HTTP_VERSION_1_1},
                 {"'1.1'", HTTP_VERSION_1_1},
                 {"2", HTTP_VERSION_2}};
    static const char *const kinds[] = {"async", "okhttp"};
    for (size_t i = 0; i < 8; i++) {
        char *yaml = mem_format(
            V2_PLAIN "  transport: {type: io.statefun.transports.v1/%s, http_version: %s}\n",
            kinds[i % 2], cases[i / 2].text);
        struct application *application = load_endpoint(yaml);
        assert_int_equal(application->endpoints[0].transport.http_version, cases[i / 2].version);
        application_free(application);
        free(yaml);
    }
    static const struct load_case faults[] = {
        {V2_PLAIN "  transport: {http_version: 3}\n",
         {"5:29: error: 'http_version': expected auto, 1.1 or 2, found the number 3"}},
        {V2_PLAIN "  transport: {http_version: [2]}\n",
         {"5:29: error: 'http_version': expected auto, 1.1 or 2, found a list"}},
    };
    CHECK_CASES(faults, SOME_INGRESS, NULL);
}

static void faults_of_tls_options(void **state)
{
    (void)state;
    static const struct load_case cases[] = {
        {V2_SECURE "  transport: {trust_cacerts: 'file://host/ca.pem'}\n",
         {"5:30: error: 'trust_cacerts': expected a path, 'file:/' and an absolute path, or "
          "'classpath:'|found text 'file://host/ca.pem'"}},
        {V2_SECURE "  transport: {client_cert: 'file:ca.pem', client_key: k}\n",
         {"5:28: error: 'client_cert': expected a path"}},
        {V2_SECURE "  transport: {verify_hostname: maybe}\n",
         {"5:32: error: 'verify_hostname': expected true or false, found text 'maybe'"}},
        {V2_SECURE "  transport: {client_key_password: p}\n",
         {"5:15: warning: 'client_key_password' has no effect without 'client_key'"}},
        {V2_SECURE
         "  transport: {type: io.statefun.transports.v1/okhttp, trust_cacerts: /ca.pem}\n",
         {"5:55: warning: unknown key 'trust_cacerts' in transport of type "
          "io.statefun.transports.v1/okhttp"}},
        {V2_PLAIN "  transport: {trust_cacerts: /ca.pem}\n",
         {"5:15: warning: 'trust_cacerts' has no effect: the scheme of 'urlPathTemplate' is not "
          "https"}},
        {V2_PLAIN "  transport: {client_key: k}\n",
         {"5:15: error: expected 'client_cert' and 'client_key' together, found 'client_key' alone",
          "5:15: warning: 'client_key' has no effect"}},
        {V2_PLAIN "  transport: {client_cert: c}\n",
         {"5:15: error: found 'client_cert' alone", "5:15: warning: 'client_cert' has no effect"}},
        {V2_PLAIN "  transport: {trust_cacerts: [a]}\n",
         {"5:15: warning: 'trust_cacerts' has no effect",
          "5:30: error: 'trust_cacerts': expected text, found a list"}},
    };
    CHECK_CASES(cases, SOME_INGRESS, NULL);
}

static void what_follows_failures_is_read(void **state)
{
    (void)state;
    struct application *application =
        load_good(V2_PLAIN "  failures: {attempts: 7, within: 2min, then: Park, resume: recovery}\n"
                           "---\n" V2 "  functions: c/d\n"
                           "  urlPathTemplate: http://h\n"
                           "  failures: {attempts: 3, then: deadLetter}\n"
                           "---\n" V2 "  functions: e/f\n"
                           "  urlPathTemplate: http://h\n" SOME_INGRESS);
    const struct failures_spec *failures = &application->endpoints[0].failures;
    assert_int_equal(failures->end, FAILURES_PARK);
    assert_int_equal(failures->attempts, 7);
    assert_int_equal(failures->within_ms, 120 * 1000);
    assert_true(failures->resumes);
    failures = &application->endpoints[1].failures;
    assert_int_equal(failures->end, FAILURES_DEAD_LETTER);
    assert_int_equal(failures->attempts, 3);
    assert_int_equal(failures->within_ms, 0);
    failures = &application->endpoints[2].failures;
    assert_int_equal(failures->end, FAILURES_RETRY);
    assert_false(failures->resumes);
    application_free(application);
}

static void faults_of_what_follows_failures(void **state)
{
    (void)state;
    static const struct load_case cases[] = {
        {V2_PLAIN "  failures: {then: park}\n",
         {"5:13: error: 'failures': expected 'attempts' or 'within' beside 'then', found neither"}},
        {V2_PLAIN "  failures: {attempts: 3}\n", {"5:13: error: missing key 'then'"}},
        {V2_PLAIN "  failures: {attempts: 0, within: 0ms, then: give up, resume: x}\n",
         {"5:24: error: 'attempts': expected an integer from 1 to 1000000",
          "5:35: error: 'within': expected a duration from 1 ms",
          "5:46: error: 'then': expected retry, park or deadLetter, found text 'give up'",
          "5:63: error: 'resume': expected command or recovery"}},
        {V2_PLAIN "  failures: {attempts: 3, then: retry, resume: command}\n",
         {"5:13: warning: 'attempts' and 'within' have no effect: 'then' is retry",
          "5:40: warning: 'resume' has no effect: 'then' is not park"}},
        {V2_PLAIN "  failures: park\n", {"5:13: error: 'failures': expected an object with"}},
        {V1_PLAIN "  failures: {within: 1s, then: park}\n", {NULL}},
    };
    CHECK_CASES(cases, SOME_INGRESS, NULL);
}

static void an_exact_target_wins_over_its_namespace(void **state)
{
    (void)state;
    struct application *application =
        load_good(V2 "  functions: a/*\n"
                     "  urlPathTemplate: http://all\n"
                     "---\n" V2 "  functions: a/b\n"
                     "  urlPathTemplate: http://one\n"
                     "---\n" V2 "  functions: c/d\n"
                     "  urlPathTemplate: http://other\n" SOME_INGRESS);
    static const struct {
        const char *ns, *name, *url;
    } cases[] = {{"a", "b", "http://one"},   {"a", "x", "http://all"}, {"a", "", "http://all"},
                 {"c", "d", "http://other"}, {"c", "x", NULL},         {"", "b", NULL}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct endpoint_spec *found =
            application_find_endpoint(application, bytes_of(cases[i].ns), bytes_of(cases[i].name));
        if (cases[i].url)
            assert_string_equal(found->url_template, cases[i].url);
        else
            assert_null(found);
    }
    application_free(application);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_endpoint_has_upstreams_defaults),
        cmocka_unit_test(a_namespace_target_has_no_name),
        cmocka_unit_test(transports_are_read),
        cmocka_unit_test(batches_without_a_limit_have_the_size_0),
        cmocka_unit_test(urls_are_of_http_or_https),
        cmocka_unit_test(a_url_with_a_user_name_is_not_shown),
        cmocka_unit_test(faults_of_an_endpoint),
        cmocka_unit_test(okhttp_timeouts_fit_into_the_call),
        cmocka_unit_test(tls_files_are_found_where_upstream_finds_them),
        cmocka_unit_test(the_check_of_the_hosts_name_can_be_switched_off),
        cmocka_unit_test(the_version_of_http_can_be_chosen),
        cmocka_unit_test(faults_of_tls_options),
        cmocka_unit_test(what_follows_failures_is_read),
        cmocka_unit_test(faults_of_what_follows_failures),
        cmocka_unit_test(an_exact_target_wins_over_its_namespace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
