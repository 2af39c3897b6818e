/* registry_test.c - what modules bind, and who serves a type. */
#include "test.h"

#include "sdk/registry.h"

struct fixture {
    struct registry registry;
    struct sf_status status;
};

static const char *const CONFIG[] = {"region=eu", "empty=", "regional=no", NULL};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    registry_init(&f->registry,
                  &(struct registry_options){.owner = (void *)CONFIG, .config = config_of_list});
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    registry_destroy(&f->registry);
    free(f);
    return 0;
}

static bool call(struct sf_context *context, const struct sf_message *message)
{
    (void)context, (void)message;
    return true;
}

static const struct sf_function ANN = {.type = "people/ann", .call = call},
                                ANY = {.type = "people/*", .call = call},
                                A = {.type = "people/a*", .call = call},
                                AN = {.type = "people/an*", .call = call};

static bool bind_patterns(struct sf_module *module, struct sf_status *status)
{
    return sf_bind(module, &A, status) && sf_bind(module, &ANN, status) &&
           sf_bind(module, &ANY, status) && sf_bind(module, &AN, status);
}

static const struct sf_function *find(struct fixture *f, const char *ns, const char *name)
{
    return registry_find(&f->registry, bytes_of(ns), bytes_of(name));
}

static void an_exact_name_wins_then_the_longest_prefix(void **state)
{
    struct fixture *f = *state;
    assert_good(registry_add(&f->registry, bind_patterns, &f->status), &f->status);
    assert_ptr_equal(find(f, "people", "ann"), &ANN);
    assert_ptr_equal(find(f, "people", "anna"), &AN);
    assert_ptr_equal(find(f, "people", "an"), &AN);
    assert_ptr_equal(find(f, "people", "abe"), &A);
    assert_ptr_equal(find(f, "people", "bob"), &ANY);
    assert_null(find(f, "pets", "ann"));
    assert_null(find(f, "people/ann", ""));
}

static const struct sf_function *bound;

static bool bind_that(struct sf_module *module, struct sf_status *status)
{
    return sf_bind(module, bound, status);
}

static void refuse(struct fixture *f, const struct sf_function *function, enum sf_code code,
                   const char *part)
{
    bound = function;
    assert_false(registry_add(&f->registry, bind_that, &f->status));
    assert_int_equal(f->status.code, code);
    assert_mentions(f->status.message, "the module's configure function failed");
    assert_mentions(f->status.message, part);
}

static void a_function_is_bound_once_in_all_modules(void **state)
{
    struct fixture *f = *state;
    static const struct sf_function again = {.type = "people/ann", .call = call};
    assert_good(registry_add(&f->registry, bind_patterns, &f->status), &f->status);
    refuse(f, &again, SF_CONFLICT, "a binding for function type people/ann exists already");
    assert_int_equal(f->registry.modules, 2);
}

static const struct sf_state GOOD = SF_VALUE("good_1", &sf_int_type),
                             TWICE = SF_VALUE("good_1", &sf_int_type),
                             NAMELESS = SF_VALUE(NULL, &sf_int_type),
                             EMPTY = SF_VALUE("", &sf_int_type), TYPELESS = SF_VALUE("s", NULL),
                             DIGIT = SF_VALUE("1s", &sf_int_type),
                             DASH = SF_VALUE("a-b", &sf_int_type),
                             KEYLESS = SF_TABLE("s", NULL, &sf_int_type),
                             HASTY =
                                 SF_BUFFER("s", &sf_int_type, SF_EXPIRES(SF_EXPIRE_AFTER_CALL, -1));
static const struct sf_type ODD_TYPE = SF_BYTES_TYPE("a/b/c");
static const struct sf_state ODD = SF_VALUE("odd", &ODD_TYPE);

static void a_function_that_makes_no_sense_is_refused(void **state)
{
    struct fixture *f = *state;
    const struct {
        struct sf_function function;
        const char *part;
    } cases[] = {
        {{.call = call}, "function type has no name"},
        {{.type = "noslash", .call = call}, "'noslash': expected \"namespace/name\""},
        {{.type = "/name", .call = call}, "'/name': expected"},
        {{.type = "ns/", .call = call}, "'ns/': expected"},
        {{.type = "a/b/c", .call = call}, "'a/b/c': expected"},
        {{.type = "a/b"}, "function a/b has no `call`"},
        {{.type = "a/b", .call = call, .states = SF_STATES(&GOOD, &NAMELESS)},
         "state 1 has no name"},
        {{.type = "a/b", .call = call, .states = SF_STATES(&EMPTY)}, "state 0 has no name"},
        {{.type = "a/b", .call = call, .states = SF_STATES(&TYPELESS)}, "state 's' has no type"},
        {{.type = "a/b", .call = call, .states = SF_STATES(&KEYLESS)}, "table 's' has no key type"},
        {{.type = "a/b", .call = call, .states = SF_STATES(&HASTY)}, "'s' expires after -1 ms"},
        {{.type = "a/b", .call = call, .states = SF_STATES(&DIGIT)}, "state '1s': expected a name"},
        {{.type = "a/b", .call = call, .states = SF_STATES(&DASH)}, "state 'a-b': expected a name"},
        {{.type = "a/b", .call = call, .states = SF_STATES(&ODD)}, "'odd' has type 'a/b/c'"},
        {{.type = "a/b", .call = call, .states = SF_STATES(&GOOD, &TWICE)},
         "there are two states named 'good_1'"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        refuse(f, &cases[i].function, SF_INVALID, cases[i].part);
    assert_int_equal(f->registry.function_count, 0);
}

static bool read_config(struct sf_module *module, struct sf_status *status)
{
    (void)status;
    assert_string_equal(sf_config(module, "region"), "eu");
    assert_string_equal(sf_config(module, "empty"), "");
    assert_null(sf_config(module, "reg"));
    assert_null(sf_config(module, "other"));
    return true;
}

static void configuration_is_read_by_its_key(void **state)
{
    struct fixture *f = *state;
    assert_good(registry_add(&f->registry, read_config, &f->status), &f->status);
}

static bool say_nothing(struct sf_module *module, struct sf_status *status)
{
    (void)module, (void)status;
    return false;
}

static void a_module_that_fails_without_a_reason_is_said_to(void **state)
{
    struct fixture *f = *state;
    assert_false(registry_add(&f->registry, say_nothing, &f->status));
    assert_mentions(f->status.message, "it does not say why");
}

static bool route(struct sf_routing *routing, const struct sf_record *record, void *user)
{
    (void)routing, (void)record, (void)user;
    return true;
}

static bool read_source(struct sf_source *source, struct sf_status *status)
{
    (void)source, (void)status;
    return true;
}

static bool deliver(void *user, uint64_t epoch, const struct sf_egress_record *records,
                    size_t count, struct sf_status *status)
{
    (void)user, (void)epoch, (void)records, (void)count, (void)status;
    return true;
}

static const struct sf_router ROUTER = {.ingress = "a/in", .route = route},
                              ROUTELESS = {.ingress = "a/in"};
static const struct sf_ingress INGRESS = {.id = "a/in", .run = read_source},
                               RUNLESS = {.id = "a/i"};
static const struct sf_egress EGRESS = {.id = "a/out", .deliver = deliver}, STUCK = {.id = "a/o"};

static bool bind_all(struct sf_module *module, struct sf_status *status)
{
    return sf_bind_router(module, &ROUTER, status) && sf_bind_router(module, &ROUTER, status) &&
           sf_bind_ingress(module, &INGRESS, status) && sf_bind_egress(module, &EGRESS, status);
}

static bool bind_half(struct sf_module *module, struct sf_status *status)
{
    struct sf_status ignored;
    assert_false(sf_bind_router(module, &ROUTELESS, &ignored));
    assert_mentions(ignored.message, "has no `route`");
    assert_false(sf_bind_ingress(module, &RUNLESS, &ignored));
    assert_mentions(ignored.message, "has no `run`");
    assert_false(sf_bind_egress(module, &STUCK, &ignored));
    assert_mentions(ignored.message, "has no `deliver`");
    assert_false(sf_bind_ingress(module, &INGRESS, &ignored));
    assert_mentions(ignored.message, "a binding for ingress a/in exists already");
    assert_false(sf_bind_egress(module, &EGRESS, status));
    return false;
}

static void what_else_a_runtime_has_is_bound_and_checked(void **state)
{
    struct fixture *f = *state;
    assert_good(registry_add(&f->registry, bind_all, &f->status), &f->status);
    assert_int_equal(f->registry.router_count, 2);
    assert_false(registry_add(&f->registry, bind_half, &f->status));
    assert_int_equal(f->status.code, SF_CONFLICT);
    assert_mentions(f->status.message, "a binding for egress a/out exists already");
}

static void where_only_functions_run_nothing_else_is_bound(void **state)
{
    struct fixture *f = *state;
    registry_destroy(&f->registry);
    registry_init(&f->registry, &(struct registry_options){.functions_only = true,
                                                           .what_runs = "a remote function"});
    assert_false(registry_add(&f->registry, bind_all, &f->status));
    assert_int_equal(f->status.code, SF_UNSUPPORTED);
    assert_mentions(f->status.message,
                    "a remote function runs functions only: it cannot have a router");
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(an_exact_name_wins_then_the_longest_prefix),
        TEST(a_function_is_bound_once_in_all_modules),
        TEST(a_function_that_makes_no_sense_is_refused),
        TEST(configuration_is_read_by_its_key),
        TEST(a_module_that_fails_without_a_reason_is_said_to),
        TEST(what_else_a_runtime_has_is_bound_and_checked),
        TEST(where_only_functions_run_nothing_else_is_bound),
    };
    return cmocka_run_group_tests_name("registry", tests, NULL, NULL);
}
