/* greeter_test.c - what the greeter does with visits, under a simulator: in each of a hundred runs
 * it is called in another order, is called again, and crashes somewhere else. SF_SEED=n repeats
 * one. */
#include "greeter.h"

#include <statefun/harness.h>
#include <stdio.h>

static bool send_visit(struct sf_harness *harness, const char *name, struct sf_status *status)
{
    return sf_harness_send(harness, sf_address("example/greeter", name), sf_string("hello"),
                           status);
}

static bool counts_the_visits_of_a_name(struct sf_harness *harness, void *user,
                                        struct sf_status *status)
{
    (void)user;
    return sf_harness_add(harness, greeter_configure, status) &&
           send_visit(harness, "Ada", status) && send_visit(harness, "Ada", status) &&
           sf_harness_run(harness, status) &&
           sf_harness_expect_count(harness, "example/greetings", 2, status) &&
           sf_expect_kafka(sf_harness_egress(harness, "example/greetings", 0), "greetings", "Ada",
                           "Welcome, Ada: I see you for the first time.", status) &&
           sf_expect_kafka(sf_harness_egress(harness, "example/greetings", 1), "greetings", "Ada",
                           "Hello again, Ada: I have seen you 2 times.", status);
}

int main(void)
{
    struct sf_status status;
    if (!sf_simulate(NULL, counts_the_visits_of_a_name, NULL, &status)) {
        fprintf(stderr, "counts_the_visits_of_a_name: %s\n", status.message);
        return 1;
    }
    return 0;
}
