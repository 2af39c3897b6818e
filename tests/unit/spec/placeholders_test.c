#include "load.h"

#include "base/mem.h"

static const char *look_up(void *owner, const char *name)
{
    static const struct {
        const char *name, *value;
    } known[] = {{"HOST", "fns:8000"},    {"PORT", "8090"},
                 {"BAD_PORT", "hunter2"}, {"EMPTY", ""},
                 {"NESTED", "${HOST}"},   {"NULLISH", "~"},
                 {"with.dots-and", "x"},  {"KIND", "io.statefun.playground.v1/ingress"}};
    size_t *count = owner;
    if (count)
        ++*count;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strcmp(known[i].name, name))
            return known[i].value;
    return NULL;
}

static const struct application_options on = {.placeholders = true, .look_up = look_up};

#define ENDPOINT_WITH(url)                                                                         \
    "kind: io.statefun.endpoints.v2/http\n"                                                        \
    "spec:\n"                                                                                      \
    "  functions: a/*\n"                                                                           \
    "  urlPathTemplate: " url "\n"

static void names_are_replaced_by_their_values(void **state)
{
    (void)state;
    static const struct {
        const char *yaml, *url;
    } cases[] = {
        {ENDPOINT_WITH("http://${HOST}/f"), "http://fns:8000/f"},
        {ENDPOINT_WITH("\"http://${HOST}/${PORT}${EMPTY}\""), "http://fns:8000/8090"},
        {ENDPOINT_WITH("http://h/${with.dots-and}/{function.name}"), "http://h/x/{function.name}"},
        {ENDPOINT_WITH("http://h/$PORT/$"), "http://h/$PORT/$"},
        {ENDPOINT_WITH(">-\n    http+unix:///${PORT}/s.sock"), "http+unix:///8090/s.sock"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct load_case c = {cases[i].yaml, {NULL}};
        check_case(&c, SOME_INGRESS, &on);

        struct diagnostics diagnostics = {0};
        char *yaml = mem_format("%s%s", cases[i].yaml, SOME_INGRESS);
        struct application *application = load_text(yaml, &on, &diagnostics);
        assert_string_equal(application->endpoints[0].url_template, cases[i].url);
        application_free(application);
        free(yaml);
    }
}

/* No release replaces anything: files may hold such text. */
static void off_by_default_the_text_stays(void **state)
{
    (void)state;
    static const char topic[] =
        "---\n"
        "kind: io.statefun.playground.v1/egress\n"
        "spec: {port: 1, topics: ['${HOST}', '$${HOST}']}\n" SOME_ENDPOINT SOME_INGRESS;
    struct application *application = load_good(topic);
    assert_string_equal(application->http_egresses[0].topics[0], "${HOST}");
    assert_string_equal(application->http_egresses[0].topics[1], "$${HOST}");
    application_free(application);

    struct diagnostics diagnostics = {0};
    application = load_text(topic, &on, &diagnostics);
    assert_string_equal(application->http_egresses[0].topics[0], "fns:8000");
    assert_string_equal(application->http_egresses[0].topics[1], "${HOST}");
    application_free(application);
    assert_int_equal(diagnostics.count, 0);
}

/* A plain scalar is what it becomes; a quoted one is text, as always. */
static void a_plain_value_may_become_a_number(void **state)
{
    (void)state;
    static const char yaml[] = "kind: io.statefun.endpoints.v1/http\n"
                               "spec:\n"
                               "  functions: a/*\n"
                               "  urlPathTemplate: http://h\n"
                               "  maxNumBatchRequests: %s\n" SOME_INGRESS;
    char *plain = NULL, *quoted = NULL;
    assert_true(asprintf(&plain, yaml, "${PORT}") >= 0);
    assert_true(asprintf(&quoted, yaml, "'${PORT}'") >= 0);

    struct diagnostics diagnostics = {0};
    struct application *application = load_text(plain, &on, &diagnostics);
    assert_non_null(application);
    assert_int_equal(application->endpoints[0].batch_max, 8090);
    application_free(application);
    assert_null(load_text(quoted, &on, &diagnostics));
    assert_mentions(diagnostics.items[0].text, "Wrong type for key /maxNumBatchRequests");
    diagnostics_destroy(&diagnostics);
    free(plain);
    free(quoted);
}

static void any_value_may_hold_one_but_no_key(void **state)
{
    (void)state;
    static const struct load_case cases[] = {
        {"kind: ${KIND}\nspec: {port: '${PORT}'}\n", {NULL}},
        {"kind: ${KIND}\nspec: {port: 1, '${PORT}': 2}\n",
         {"2:17: warning: unknown key '${PORT}'"}},
        /* What is put in is not searched again. */
        {"kind: ${KIND}\nspec: {port: '${NESTED}'}\n",
         {"2:14: error: 'port': expected a port|found text '${NESTED}' (its value is not shown)"}},
        {"kind: ${KIND}\nspec:\n  port: ${NULLISH}\n", {"3:9: error: 'port'|found no value"}},
        {"kind: ${KIND}\nspec: {port: '${EMPTY}'}\n", {"2:14: error: 'port'"}},
    };
    CHECK_CASES(cases, SOME_ENDPOINT, &on);
}

static void faults_of_placeholders(void **state)
{
    (void)state;
    static const struct load_case cases[] = {
        {"kind: ${KIND}\nspec: {port: '${NOPE}'}\n",
         {"2:14: error: nothing is set for the placeholder 'NOPE'|environment variable"}},
        {"kind: ${KIND}\nspec: {port: '${NOPE}${NADA}'}\n",
         {"2:14: error: placeholder 'NOPE'", "2:14: error: placeholder 'NADA'"}},
        {"kind: io.statefun.kafka.v1/ingress\n"
         "spec:\n"
         "  id: ${NOPE}\n"
         "  address: 'k:1 , l:2'\n"
         "  consumerGroupId: ${NOPE}\n"
         "  topics: ${NOPE}\n"
         "  autoOffsetResetPosition: ${NOPE}\n"
         "  startupPosition: {type: date, date: '${NOPE}'}\n"
         "  properties: [acks: '${NOPE}']\n",
         {"3:7: error: 'NOPE'", "5:20: error: 'NOPE'", "6:11: error: 'NOPE'", "7:28: error: 'NOPE'",
          "8:39: error: 'NOPE'", "9:22: error: 'NOPE'"}},
        {"kind: ${KIND}\nspec: {port: '${}'}\n", {"2:14: error: a placeholder without a name"}},
        {"kind: ${KIND}\nspec: {port: '1${PORT'}\n",
         {"2:14: error: a placeholder without an end: expected '}' behind '${PORT'"}},
        /* It is not known what the component was to be: nothing more is said. */
        {"kind: ${NOPE}\nspec: {}\n", {"1:7: error: nothing is set for the placeholder 'NOPE'"}},
        {"kind: ${KIND}\nspec: ${NOPE}\n", {"2:7: error: nothing is set for the placeholder"}},
    };
    CHECK_CASES(cases, SOME_ENDPOINT, &on);
}

/* What is looked up may be a password. */
static void a_value_that_was_put_in_is_not_shown(void **state)
{
    (void)state;
    static const struct load_case c = {
        "kind: ${KIND}\nspec: {port: '${BAD_PORT}'}\n",
        {"2:14: error: found text '${BAD_PORT}' (its value is not shown)"}};
    check_case(&c, SOME_ENDPOINT, &on);
}

static void what_is_used_twice_is_looked_up_once(void **state)
{
    (void)state;
    size_t count = 0;
    struct application_options options = {
        .placeholders = true, .look_up = look_up, .owner = &count};
    struct diagnostics diagnostics = {0};
    struct application *application =
        load_text("kind: io.statefun.playground.v1/egress\n"
                  "spec: {port: 1, topics: [&x '${HOST}', *x, *x]}\n" SOME_ENDPOINT SOME_INGRESS,
                  &options, &diagnostics);
    assert_non_null(application);
    assert_int_equal(count, 1);
    application_free(application);
    diagnostics_destroy(&diagnostics);
}

static const char *look_up_long(void *owner, const char *name)
{
    (void)name;
    return owner;
}

static void what_is_put_in_is_bounded(void **state)
{
    (void)state;
    char *megabyte = malloc(1024 * 1024 + 1);
    memset(megabyte, 'x', 1024 * 1024);
    megabyte[1024 * 1024] = '\0';
    struct application_options options = {
        .placeholders = true, .look_up = look_up_long, .owner = megabyte};
    static const struct load_case c = {
        "kind: '${a}${a}${a}${a}${a}${a}${a}${a}${a}${a}${a}${a}${a}${a}${a}${a}${a}'\n",
        {"1:1: error: missing key 'spec'",
         "1:7: error: placeholders make the file too large: expected at most 16777216 bytes"}};
    check_case(&c, "", &options);
    free(megabyte);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_replaced_by_their_values),
        cmocka_unit_test(off_by_default_the_text_stays),
        cmocka_unit_test(a_plain_value_may_become_a_number),
        cmocka_unit_test(any_value_may_hold_one_but_no_key),
        cmocka_unit_test(faults_of_placeholders),
        cmocka_unit_test(a_value_that_was_put_in_is_not_shown),
        cmocka_unit_test(what_is_used_twice_is_looked_up_once),
        cmocka_unit_test(what_is_put_in_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
