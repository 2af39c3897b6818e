/* greeter_test.c - the test of greeter.c, which is linked with it. */
#include <statefun/harness.h>

#include <stdio.h>

extern const struct sf_module_entry sf_module_entry;

static bool greets_twice(struct sf_harness *harness, void *user, struct sf_status *status)
{
    struct sf_address ann = sf_address("example/greeter", "Ann");
    (void)user;
    return sf_harness_add(harness, sf_module_entry.configure, status) &&
           sf_harness_send(harness, ann, sf_int(1), status) &&
           sf_harness_send(harness, ann, sf_int(2), status) && sf_harness_run(harness, status) &&
           sf_harness_expect_count(harness, "example/greets", 2, status) &&
           sf_expect_egress(sf_harness_egress(harness, "example/greets", 1), "example/greets",
                            sf_string("Hello Ann, 2 times"), status);
}

int main(void)
{
    struct sf_status status;
    if (sf_simulate(NULL, greets_twice, NULL, &status))
        return 0;
    fprintf(stderr, "%s\n", status.message);
    return 1;
}
