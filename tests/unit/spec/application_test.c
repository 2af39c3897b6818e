#include "load.h"

#include "base/mem.h"

#include <sys/stat.h>
#include <unistd.h>

/* A directory of its own for each test, in which paths are relative. */
static int enter_directory(void **state)
{
    char *directory = mem_string("/tmp/statefun-spec-XXXXXX");
    assert_non_null(mkdtemp(directory));
    assert_int_equal(chdir(directory), 0);
    *state = directory;
    return 0;
}

static int leave_directory(void **state)
{
    char *command = mem_format("rm -rf '%s'", (char *)*state);
    assert_int_equal(chdir("/"), 0);
    assert_int_equal(system(command), 0);
    free(command);
    free(*state);
    return 0;
}

static void write_file(const char *path, const char *text)
{
    char *copy = mem_string(path);
    for (char *slash = strchr(copy, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        (void)mkdir(copy, 0777); /* it may be there already */
        *slash = '/';
    }
    free(copy);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

#define ENDPOINT(functions)                                                                        \
    "kind: io.statefun.endpoints.v2/http\n"                                                        \
    "spec:\n"                                                                                      \
    "  functions: " functions "\n"                                                                 \
    "  urlPathTemplate: http://h\n"
#define INGRESS                                                                                    \
    "kind: io.statefun.playground.v1/ingress\n"                                                    \
    "spec:\n"                                                                                      \
    "  port: 0\n"

static struct application *load(const char *const *modules, struct diagnostics *diagnostics)
{
    size_t count = 0;
    while (modules[count])
        count++;
    struct application_options options = {.modules = modules, .module_count = count};
    return application_load(&options, diagnostics);
}

static void assert_loads(const char *const *modules, const char *const *files, size_t endpoints)
{
    struct diagnostics diagnostics = {0};
    struct application *application = load(modules, &diagnostics);
    print_diagnostics(&diagnostics);
    assert_non_null(application);
    assert_int_equal(diagnostics.count, 0);
    assert_int_equal(application->endpoint_count, endpoints);
    size_t count = 0;
    while (files[count]) {
        assert_true(count < application->file_count);
        assert_string_equal(application->files[count], files[count]);
        count++;
    }
    assert_int_equal(application->file_count, count);
    application_free(application);
}

/* Whole lines, since here the file's name matters. */
static void assert_refused(const char *const *modules, const char *const *lines)
{
    struct diagnostics diagnostics = {0};
    assert_null(load(modules, &diagnostics));
    size_t count = 0;
    for (; lines[count]; count++) {
        char *line = count < diagnostics.count ? diagnostic_line(&diagnostics.items[count]) : NULL;
        if (!line || !strstr(line, lines[count])) {
            print_diagnostics(&diagnostics);
            fail_msg("expected: %s", lines[count]);
        }
        free(line);
    }
    if (diagnostics.count != count) {
        print_diagnostics(&diagnostics);
        fail_msg("expected %zu lines", count);
    }
    diagnostics_destroy(&diagnostics);
}

#define LIST(...) ((const char *const[]){__VA_ARGS__, NULL})

static void a_module_is_a_file_a_directory_or_a_directory_of_directories(void **state)
{
    (void)state;
    write_file("one.yaml", INGRESS);
    write_file("two/module.yaml", ENDPOINT("two/*"));
    write_file("all/b/module.yaml", ENDPOINT("b/*"));
    write_file("all/a/module.yaml", ENDPOINT("a/*"));
    write_file("all/C/module.yaml", ENDPOINT("c/*"));
    write_file("all/a/deeper/module.yaml", "this: is not read");
    write_file("all/empty/other.yaml", "this: is not read");
    write_file("all/readme.yaml", "this: is not read");

    assert_loads(LIST("one.yaml", "two"), LIST("one.yaml", "two/module.yaml"), 1);
    assert_loads(LIST("two/module.yaml", "./one.yaml"), LIST("two/module.yaml", "./one.yaml"), 1);
    assert_loads(LIST("one.yaml", "all/", "two//"),
                 LIST("one.yaml", "all/C/module.yaml", "all/a/module.yaml", "all/b/module.yaml",
                      "two/module.yaml"),
                 4);
}

static void modules_that_are_not_there_are_named(void **state)
{
    (void)state;
    write_file("good.yaml", ENDPOINT("a/*"));
    write_file("empty/x", "");
    write_file("odd/module.yaml/x", "");
    assert_refused(
        LIST("nope.yaml", "good.yaml", "empty", "odd"),
        LIST("empty: error: expected module.yaml or shared libraries (*.so), or directories "
             "that hold some, found none",
             "nope.yaml: error: there is no such module: No such file or directory "
             "(expected a file, a directory with module.yaml",
             "odd/module.yaml: error: the file cannot be read: Is a directory"));

    struct diagnostics diagnostics = {0};
    struct application_options options = {0};
    assert_null(application_load(&options, &diagnostics));
    assert_int_equal(diagnostics.count, 1);
    assert_mentions(diagnostics.items[0].text, "expected at least one module");
    diagnostics_destroy(&diagnostics);
}

static void an_unreadable_module_is_named(void **state)
{
    (void)state;
    if (geteuid() == 0) /* root may read everything */
        skip();
    write_file("m.yaml", INGRESS);
    assert_int_equal(chmod("m.yaml", 0), 0);
    assert_refused(LIST("m.yaml"), LIST("m.yaml: error: the file cannot be read: Permission"));
}

static void the_same_file_cannot_be_given_twice(void **state)
{
    (void)state;
    write_file("a/module.yaml", ENDPOINT("a/*"));
    write_file("i.yaml", INGRESS);
    assert_int_equal(symlink("a/module.yaml", "link.yaml"), 0);
    assert_refused(LIST("a", "i.yaml", "a/module.yaml"),
                   LIST("a/module.yaml: error: the file is given twice: expected once, found it as "
                        "'a/module.yaml' too"));
    assert_refused(LIST("i.yaml", "a", "link.yaml"),
                   LIST("link.yaml: error: the file is given twice"));
}

/* Both places, whatever the files. */
static void nothing_is_bound_twice(void **state)
{
    (void)state;
    write_file("a.yaml", INGRESS "---\n" ENDPOINT("x/f") "---\n" ENDPOINT("x/*"));
    write_file("b.yaml", ENDPOINT("x/f") "---\n" ENDPOINT("x/*/") "---\n" INGRESS);
    assert_refused(
        LIST("a.yaml", "b.yaml"),
        LIST("b.yaml:3:14: error: A binding for the key 'functions x/f' was previously defined. "
             "Expected it once, found it at a.yaml:7:14 too",
             "b.yaml:8:14: error: A binding for the key 'functions x/*' was previously defined. "
             "Expected it once, found it at a.yaml:12:14 too",
             "b.yaml:13:3: error: A binding for the key 'ingress io.statefun.playground/ingress' "
             "was previously defined. Expected it once, found it at a.yaml:3:3 too"));

    write_file("k.yaml", "kind: io.statefun.kafka.v1/ingress\n"
                         "spec:\n"
                         "  id: x/k\n"
                         "  address: k:1\n"
                         "  consumerGroupId: g\n"
                         "  topics: [{topic: t, valueType: v, targets: []}]\n"
                         "---\n"
                         "kind: io.statefun.kafka.v1/egress\n"
                         "spec: {id: x/k, address: 'k:1'}\n"); /* an id of another kind of thing */
    write_file("l.yaml", "kind: io.statefun.kafka.v1/egress\n"
                         "spec: {id: x/k, address: 'k:1'}\n"
                         "---\n"
                         "kind: io.statefun.kafka.v1/ingress\n"
                         "spec:\n"
                         "  id: x/k\n"
                         "  address: nonsense\n");
    assert_refused(
        LIST("a.yaml", "k.yaml", "l.yaml"),
        LIST("l.yaml:2:12: error: A binding for the key 'egress x/k' was previously defined. "
             "Expected it once, found it at k.yaml:9:12 too",
             "l.yaml:6:3: error: missing key 'topics'",
             "l.yaml:6:3: error: Missing setting for consumer",
             "l.yaml:6:7: error: A binding for the key 'ingress x/k' was previously defined. "
             "Expected it once, found it at k.yaml:3:7 too",
             "l.yaml:7:12: error: 'address'"));
}

static void there_must_be_an_endpoint_and_an_ingress(void **state)
{
    (void)state;
    write_file("e.yaml", ENDPOINT("a/*"));
    write_file("i.yaml", INGRESS);
    write_file("n.yaml", "# nothing\n---\n");
    assert_refused(LIST("e.yaml"),
                   LIST("error: There are no ingress defined. Expected one (kind "
                        "io.statefun.kafka.v1/ingress or io.statefun.playground.v1/ingress, or one "
                        "that an embedded module binds), found none in 'e.yaml'"));
    assert_refused(
        LIST("i.yaml", "n.yaml"),
        LIST("error: There are no function providers defined. Expected an endpoint "
             "(kind io.statefun.endpoints.v2/http) or an embedded module (*.so beside the "
             "module.yaml), found none in 'i.yaml', 'n.yaml'"));
    assert_refused(LIST("n.yaml"), LIST("error: There are no function providers defined.",
                                        "error: There are no ingress defined."));
    /* What could not be read may be what is missing. */
    write_file("x.yaml", "kind: ]\n");
    assert_refused(LIST("i.yaml", "x.yaml"), LIST("x.yaml:1:7: error: not YAML"));
    assert_refused(LIST("i.yaml", "nope"), LIST("nope: error: there is no such module"));
}

/* They go to the same list as what was reported before, e.g. about settings. */
static void earlier_errors_do_not_count(void **state)
{
    (void)state;
    write_file("e.yaml", ENDPOINT("a/*") "---\n" INGRESS);
    struct diagnostics diagnostics = {0};
    diagnostics_add(&diagnostics, SEVERITY_ERROR, NULL, 0, 0, "something else");
    struct application *application = load(LIST("e.yaml"), &diagnostics);
    assert_non_null(application);
    application_free(application);
    diagnostics_destroy(&diagnostics);
}

/* --- what libraries bind --- */

struct bound {
    struct library_name items[8]; /* a name of NULL ends them */
};

static bool tell_bound(void *owner, const char *const *paths, size_t count,
                       struct library_names *ret_names, struct sf_status *status)
{
    struct bound *bound = owner;
    (void)status;
    assert_int_equal(count, 1);
    assert_string_equal(paths[0], "m.so");
    *ret_names = (struct library_names){.items = bound->items};
    while (bound->items[ret_names->count].name)
        bound->items[ret_names->count++].path = "m.so";
    return true;
}

/* Loads m.so and m.yaml; `lines` are all that is reported. */
static struct application *load_bound(struct bound *bound, const char *yaml,
                                      const char *const *lines)
{
    struct diagnostics diagnostics = {0};
    write_file("m.so", "");
    write_file("m.yaml", yaml);
    struct application *application =
        application_load(&(struct application_options){.modules = LIST("m.so", "m.yaml"),
                                                       .module_count = 2,
                                                       .owner = bound,
                                                       .open_libraries = tell_bound},
                         &diagnostics);
    size_t count = 0;
    print_diagnostics(&diagnostics);
    for (; lines[count]; count++) {
        assert_true(count < diagnostics.count);
        char *line = diagnostic_line(&diagnostics.items[count]);
        if (!strstr(line, lines[count]))
            fail_msg("expected: %s", lines[count]);
        free(line);
    }
    assert_int_equal(diagnostics.count, count);
    diagnostics_destroy(&diagnostics);
    return application;
}

static void what_libraries_bind_makes_an_application(void **state)
{
    (void)state;
    struct bound bound = {{{LIBRARY_FUNCTION, "n/f", NULL},
                           {LIBRARY_INGRESS, "n/in", NULL},
                           {LIBRARY_EGRESS, "n/out", NULL},
                           {LIBRARY_ROUTER, "n/in", NULL}}};
    struct application *application = load_bound(&bound, "# nothing\n", LIST(NULL));
    assert_non_null(application);
    assert_int_equal(application->library_count, 1);
    assert_int_equal(application->library_function_count, 1);
    assert_int_equal(application->library_ingress_count, 1);
    assert_int_equal(application->library_egress_count, 1);
    application_free(application);
}

static void names_of_libraries_and_modules_are_bound_once(void **state)
{
    (void)state;
    struct bound bound = {{{LIBRARY_FUNCTION, "n/f", NULL},
                           {LIBRARY_INGRESS, "io.statefun.playground/ingress", NULL},
                           {LIBRARY_EGRESS, "io.statefun.playground/egress", NULL},
                           {LIBRARY_ROUTER, "io.statefun.playground/ingress", NULL}}};
    assert_null(load_bound(
        &bound,
        INGRESS "---\nkind: io.statefun.playground.v1/egress\nspec: {port: 0, topics: [t]}\n",
        LIST("m.yaml:3:3: error: A binding for the key 'ingress io.statefun.playground/ingress' "
             "was previously defined. Expected it once, found it in m.so too",
             "error: A binding for the key 'egress io.statefun.playground/egress' was previously "
             "defined. Expected it once, found it in m.so too")));
}

#define SAID(functions)                                                                            \
    "---\n"                                                                                        \
    "kind: io.statefun.embedded.v1/functions\n"                                                    \
    "spec: {functions: " functions ", failures: {attempts: 5, then: deadLetter}}\n"

static void what_becomes_of_failures_is_said_of_functions_that_a_module_binds(void **state)
{
    (void)state;
    struct bound bound = {{{LIBRARY_FUNCTION, "n/f", NULL}, {LIBRARY_FUNCTION, "n/user-*", NULL}}};
    struct application *application =
        load_bound(&bound, INGRESS SAID("n/f") SAID("n/user-*"), LIST(NULL));
    assert_non_null(application);
    assert_int_equal(application->embedded_count, 2);
    assert_string_equal(application->embedded[1].functions.name, "user-*");
    assert_int_equal(application->embedded[1].failures.end, FAILURES_DEAD_LETTER);
    assert_int_equal(application->embedded[1].failures.attempts, 5);
    application_free(application);

    assert_null(load_bound(&bound, INGRESS SAID("n/g"),
                           LIST("error: 'functions': expected functions as an embedded module "
                                "binds them (n/f, n/user-*), found text 'n/g'")));
    assert_null(load_bound(&bound, INGRESS SAID("n/f") SAID("n/f"),
                           LIST("error: the functions n/f are described twice: expected once, "
                                "found them at m.yaml:6:19 too")));
}

static void a_router_needs_its_ingress_and_an_ingress_a_router(void **state)
{
    (void)state;
    struct bound astray = {{{LIBRARY_FUNCTION, "n/f", NULL}, {LIBRARY_ROUTER, "n/nobody", NULL}}};
    assert_null(load_bound(&astray, INGRESS,
                           LIST("m.so: error: a router is bound to ingress 'n/nobody', which no "
                                "module defines")));
    struct bound mute = {{{LIBRARY_FUNCTION, "n/f", NULL}, {LIBRARY_INGRESS, "n/in", NULL}}};
    struct application *application =
        load_bound(&mute, "# nothing\n",
                   LIST("m.so: warning: ingress 'n/in' has no router: its records go nowhere."));
    assert_non_null(application);
    application_free(application);
}

#define ROUTED_INGRESS                                                                             \
    "kind: io.statefun.kafka.v1/ingress\n"                                                         \
    "spec:\n"                                                                                      \
    "  id: n/k\n"                                                                                  \
    "  address: h:1\n"                                                                             \
    "  consumerGroupId: g\n"                                                                       \
    "  topics:\n"                                                                                  \
    "    - topic: t\n"                                                                             \
    "      valueType: n/v\n"                                                                       \
    "---\n"                                                                                        \
    "kind: io.statefun.kinesis.v1/ingress\n"                                                       \
    "spec:\n"                                                                                      \
    "  id: n/s\n"                                                                                  \
    "  streams:\n"                                                                                 \
    "    - stream: t\n"                                                                            \
    "      valueType: n/v\n"

static void targets_may_be_left_out_where_a_router_is_bound(void **state)
{
    (void)state;
    struct bound both = {{{LIBRARY_FUNCTION, "n/f", NULL},
                          {LIBRARY_ROUTER, "n/k", NULL},
                          {LIBRARY_ROUTER, "n/s", NULL}}};
    struct application *application = load_bound(&both, ROUTED_INGRESS, LIST(NULL));
    assert_non_null(application);
    assert_int_equal(application->kafka_ingresses[0].topics[0].target_count, 0);
    assert_int_equal(application->kinesis_ingresses[0].streams[0].target_count, 0);
    application_free(application);

    struct bound one = {{{LIBRARY_FUNCTION, "n/f", NULL}, {LIBRARY_ROUTER, "n/s", NULL}}};
    assert_null(
        load_bound(&one, ROUTED_INGRESS,
                   LIST("m.yaml:7:7: error: missing key 'targets' in an element of topics")));
    struct bound none = {{{LIBRARY_FUNCTION, "n/f", NULL}}};
    assert_null(
        load_bound(&none, ROUTED_INGRESS,
                   LIST("m.yaml:7:7: error: missing key 'targets' in an element of topics",
                        "m.yaml:14:7: error: missing key 'targets' in an element of streams")));
}

int main(void)
{
#define IN_DIRECTORY(test) cmocka_unit_test_setup_teardown(test, enter_directory, leave_directory)
    const struct CMUnitTest tests[] = {
        IN_DIRECTORY(a_module_is_a_file_a_directory_or_a_directory_of_directories),
        IN_DIRECTORY(modules_that_are_not_there_are_named),
        IN_DIRECTORY(an_unreadable_module_is_named),
        IN_DIRECTORY(the_same_file_cannot_be_given_twice),
        IN_DIRECTORY(nothing_is_bound_twice),
        IN_DIRECTORY(there_must_be_an_endpoint_and_an_ingress),
        IN_DIRECTORY(earlier_errors_do_not_count),
        IN_DIRECTORY(what_libraries_bind_makes_an_application),
        IN_DIRECTORY(names_of_libraries_and_modules_are_bound_once),
        IN_DIRECTORY(what_becomes_of_failures_is_said_of_functions_that_a_module_binds),
        IN_DIRECTORY(a_router_needs_its_ingress_and_an_ingress_a_router),
        IN_DIRECTORY(targets_may_be_left_out_where_a_router_is_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
