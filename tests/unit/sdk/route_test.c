/* route_test.c - routers: what they forward, and what becomes of records that make no sense. */
#include "test.h"

#include "parts.h"
#include "sdk/route.h"
#include "wire/typed_value.h"

#include <stdio.h>

static bool by_key(struct sf_routing *routing, const struct sf_record *record, void *user)
{
    char id[16] = {0};
    if (!record->key.size || record->key.size >= sizeof id)
        return sf_fail_route(routing, "a key of %zu bytes", record->key.size);
    memcpy(id, record->key.data, record->key.size);
    sf_forward(routing, sf_address(user, id), sf_string("first"));
    sf_forward(routing, sf_address(user, "all"), sf_int(2));
    return true;
}

static bool with_noise(struct sf_routing *routing, const struct sf_record *record, void *user)
{
    (void)record, (void)user;
    sf_log_route(routing, SF_WARNING, "two\nlines of %d", 2);
    sf_count_route(routing, "seen", 2);
    return sf_fail_route(routing, "no more");
}

static bool nowhere(struct sf_routing *routing, const struct sf_record *record, void *user)
{
    (void)routing, (void)record, (void)user;
    return true;
}

static bool falsely(struct sf_routing *routing, const struct sf_record *record, void *user)
{
    (void)user;
    sf_forward(routing, sf_address("example/f", "ann"), sf_string("never"));
    return record->value.size == 0;
}

static char F[] = "example/f", G[] = "example/g", BAD[] = "nonsense";
static const struct sf_router BY_KEY = {"example/in", by_key, F}, AGAIN = {"example/in", by_key, G},
                              NOWHERE = {"example/in", nowhere, NULL},
                              FALSELY = {"example/falsely", falsely, NULL},
                              ASTRAY = {"example/astray", by_key, BAD},
                              NOISY = {"example/noisy", with_noise, NULL};

static bool configure(struct sf_module *module, struct sf_status *status)
{
    return sf_bind_router(module, &BY_KEY, status) && sf_bind_router(module, &NOWHERE, status) &&
           sf_bind_router(module, &AGAIN, status) && sf_bind_router(module, &FALSELY, status) &&
           sf_bind_router(module, &ASTRAY, status) && sf_bind_router(module, &NOISY, status);
}

struct fixture {
    struct registry registry;
    struct route route;
    struct sf_status status;
    char noise[100];
};

static void note_log(void *owner, const char *ingress, enum sf_level level, const char *text)
{
    struct fixture *f = owner;
    snprintf(f->noise, sizeof f->noise, "%s: %s at %d", ingress, text, (int)level);
}

static void note_count(void *owner, const char *ingress, const char *counter, int64_t by)
{
    struct fixture *f = owner;
    size_t size = strlen(f->noise);
    snprintf(f->noise + size, sizeof f->noise - size, ", %s %s %d", ingress, counter, (int)by);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    registry_init(&f->registry, &(struct registry_options){0});
    assert_true(registry_add(&f->registry, configure, &f->status));
    route_init(&f->route, (struct route_world){f, note_log, note_count});
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    route_destroy(&f->route);
    registry_destroy(&f->registry);
    free(f);
    return 0;
}

static bool run(struct fixture *f, const char *ingress, const char *key, const char *value)
{
    struct sf_record record = {.key = {key, strlen(key)}, .value = {value, strlen(value)}};
    return route_run(&f->route, &f->registry, ingress, &record, &f->status);
}

static void all_routers_of_an_ingress_see_each_record(void **state)
{
    struct fixture *f = *state;
    for (int round = 0; round < 2; round++) {
        assert_good(run(f, "example/in", "ann", ""), &f->status);
        assert_int_equal(f->route.count, 4);
        assert_bytes(parts_of(f->route.messages[0].target).name, "f");
        assert_bytes(parts_of(f->route.messages[0].target).id, "ann");
        assert_bytes(parts_of(f->route.messages[1].target).id, "all");
        assert_bytes(parts_of(f->route.messages[2].target).name, "g");
        struct typed_value value;
        assert_true(typed_value_parse(f->route.messages[0].argument, &value, NULL));
        assert_bytes(value.type, "io.statefun.types/string");
        assert_true(typed_value_parse(f->route.messages[1].argument, &value, NULL));
        assert_bytes(value.type, "io.statefun.types/int");
    }
}

static void a_router_that_fails_says_why(void **state)
{
    struct fixture *f = *state;
    assert_false(run(f, "example/in", "", ""));
    assert_string_equal(f->status.message, "a key of 0 bytes");
    assert_false(run(f, "example/falsely", "ann", "value"));
    assert_string_equal(f->status.message, "the router returned false");
    assert_false(run(f, "example/astray", "ann", ""));
    assert_mentions(f->status.message, "nonsense");
    assert_good(run(f, "example/falsely", "ann", ""), &f->status);
    assert_int_equal(f->route.count, 1);
}

static void a_router_can_log_and_count(void **state)
{
    struct fixture *f = *state;
    assert_false(run(f, "example/noisy", "ann", ""));
    assert_string_equal(f->noise, "example/noisy: two lines of 2 at 2, example/noisy seen 2");
}

static void an_ingress_without_a_router_is_known_as_such(void **state)
{
    struct fixture *f = *state;
    assert_true(route_exists(&f->registry, "example/in"));
    assert_false(route_exists(&f->registry, "example/out"));
    assert_good(run(f, "example/out", "ann", ""), &f->status);
    assert_int_equal(f->route.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(all_routers_of_an_ingress_see_each_record, setup, teardown),
        cmocka_unit_test_setup_teardown(a_router_that_fails_says_why, setup, teardown),
        cmocka_unit_test_setup_teardown(a_router_can_log_and_count, setup, teardown),
        cmocka_unit_test_setup_teardown(an_ingress_without_a_router_is_known_as_such, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
