/* lookup_test.c - questions to a service of the test's own, which nothing outside is needed for. */
#include "lookup.h"

#include <statefun/harness.h>

#include <pthread.h>
#include <stdio.h>

static const char ANSWERS[] = "names/answers";

/* --- the service --- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int asked; /* how often */

static bool service(const char *host, char ret_answer[ANSWER_SIZE])
{
    pthread_mutex_lock(&lock);
    asked++;
    pthread_mutex_unlock(&lock);
    bool is_known = strcmp(host, "unheard-of") != 0;
    (void)snprintf(ret_answer, ANSWER_SIZE, "%s", is_known ? "10.1.2.3" : "nobody knows it");
    return is_known;
}

static int asked_since(void)
{
    pthread_mutex_lock(&lock);
    int count = asked;
    asked = 0;
    pthread_mutex_unlock(&lock);
    return count;
}

/* --- tests --- */

static bool ask(struct sf_harness *harness, const char *host, struct sf_status *status)
{
    return sf_harness_send(harness, sf_address("names/host", host), sf_bytes(&ask_type, NULL, 0),
                           status);
}

static bool expect_answer(struct sf_harness *harness, size_t index, const char *host,
                          const char *text, struct sf_status *status)
{
    return sf_expect_kafka(sf_harness_egress(harness, ANSWERS, index), "answers", host, text,
                           status);
}

static bool an_answer_comes(struct sf_harness *harness, struct sf_status *status)
{
    return ask(harness, "ada", status) && sf_harness_run(harness, status) &&
           sf_harness_expect_count(harness, ANSWERS, 1, status) &&
           expect_answer(harness, 0, "ada", "ada is 10.1.2.3", status);
}

static bool a_failure_is_told(struct sf_harness *harness, struct sf_status *status)
{
    return ask(harness, "unheard-of", status) && sf_harness_run(harness, status) &&
           sf_harness_expect_count(harness, ANSWERS, 1, status) &&
           expect_answer(harness, 0, "unheard-of", "unheard-of: nobody knows it", status);
}

/* In order, nothing is asked twice; under the simulator a call, and what it asks, may be repeated.
 */
static bool what_is_known_is_not_asked_for_a_minute(struct sf_harness *harness,
                                                    struct sf_status *status)
{
    enum { SECOND = 1000 };
    (void)asked_since();
    if (!ask(harness, "ada", status) || !sf_harness_run(harness, status) ||
        !ask(harness, "ada", status) || !sf_harness_advance(harness, 59 * SECOND, status) ||
        !ask(harness, "ada", status) || !sf_harness_run(harness, status) ||
        !sf_harness_expect_count(harness, ANSWERS, 3, status))
        return false;
    int first = asked_since();
    if (!sf_harness_advance(harness, 2 * SECOND, status) || !ask(harness, "ada", status) ||
        !sf_harness_run(harness, status) || !sf_harness_expect_count(harness, ANSWERS, 4, status))
        return false;
    int second = asked_since();
    return (first == 1 && second == 1) ||
           (sf_harness_is_simulated(harness) && first > 0 && second > 0) ||
           sf_fail(status, SF_INVALID, "asked %d and %d times, expected once each", first, second);
}

/* The process ends while the service is asked: the function hears that nobody knows. */
static bool what_is_unknown_is_asked_again(struct sf_harness *harness, struct sf_status *status)
{
    return ask(harness, "ada", status) && sf_harness_run_now(harness, status) &&
           sf_harness_restart(harness, status) && sf_harness_run(harness, status) &&
           sf_harness_expect_count(harness, ANSWERS, 1, status) &&
           expect_answer(harness, 0, "ada", "ada is 10.1.2.3", status);
}

static const struct test {
    const char *name;
    bool (*run)(struct sf_harness *harness, struct sf_status *status);
} tests[] = {
    {"an_answer_comes", an_answer_comes},
    {"a_failure_is_told", a_failure_is_told},
    {"what_is_known_is_not_asked_for_a_minute", what_is_known_is_not_asked_for_a_minute},
    {"what_is_unknown_is_asked_again", what_is_unknown_is_asked_again},
};

static bool run(struct sf_harness *harness, void *user, struct sf_status *status)
{
    const struct test *test = user;
    return sf_harness_add(harness, lookup_configure, status) && test->run(harness, status);
}

int main(void)
{
    lookup_service = service;
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++) {
        struct sf_status status;
        if (!sf_simulate(NULL, run, (void *)&tests[i], &status)) {
            fprintf(stderr, "%s: %s\n", tests[i].name, status.message);
            return 1;
        }
    }
    return 0;
}
