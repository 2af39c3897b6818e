/* reminders_test.c - time in a harness moves only when it is told to: hours cost nothing. */
#include "reminders.h"

#include <statefun/harness.h>

#include <stdio.h>

enum { SECOND = 1000, HOUR = 3600 * SECOND };

static bool send(struct sf_harness *harness, const struct sf_type *type, const char *text,
                 struct sf_status *status)
{
    return sf_harness_send(harness, sf_address("reminders/reminder", "tea"),
                           sf_as(type, sf_string(text)), status);
}

/* All that has been told since the last look is this; NULL: nothing. */
static bool told(struct sf_harness *harness, const char *text, struct sf_status *status)
{
    bool good = sf_harness_expect_count(harness, "reminders/bell", text ? 1 : 0, status) &&
                (!text || sf_expect_kafka(sf_harness_egress(harness, "reminders/bell", 0), "bell",
                                          "tea", text, status));
    sf_harness_clear(harness);
    return good;
}

static bool reminds_once_and_not_too_early(struct sf_harness *harness, struct sf_status *status)
{
    return send(harness, &remind_type, "3600 it is ready", status) &&
           sf_harness_advance(harness, HOUR - 1, status) && told(harness, NULL, status) &&
           sf_harness_advance(harness, 1, status) && told(harness, "tea: it is ready", status) &&
           sf_harness_advance(harness, 24 * HOUR, status) && told(harness, NULL, status);
}

static bool what_is_set_anew_replaces_the_old(struct sf_harness *harness, struct sf_status *status)
{
    return send(harness, &remind_type, "10 it is ready", status) &&
           send(harness, &remind_type, "5 the water boils", status) &&
           sf_harness_advance(harness, 5 * SECOND, status) &&
           told(harness, "tea: the water boils", status) &&
           sf_harness_advance(harness, HOUR, status) && told(harness, NULL, status);
}

static bool snoozes_before_and_after(struct sf_harness *harness, struct sf_status *status)
{
    return send(harness, &remind_type, "10 it is ready", status) &&
           sf_harness_advance(harness, 9 * SECOND, status) &&
           send(harness, &snooze_type, "10", status) &&
           sf_harness_advance(harness, 9 * SECOND, status) && told(harness, NULL, status) &&
           sf_harness_advance(harness, 1 * SECOND, status) &&
           told(harness, "tea: it is ready", status) && send(harness, &snooze_type, "60", status) &&
           sf_harness_advance(harness, 60 * SECOND, status) &&
           told(harness, "tea: it is ready", status);
}

static bool what_is_cancelled_is_never_told(struct sf_harness *harness, struct sf_status *status)
{
    return send(harness, &remind_type, "10 it is ready", status) &&
           sf_harness_run(harness, status) && send(harness, &cancel_type, "", status) &&
           sf_harness_run(harness, status) &&
           (sf_harness_delayed_count(harness) == 0 ||
            sf_fail(status, SF_INVALID, "the delayed message is still there")) &&
           sf_harness_advance(harness, HOUR, status) && told(harness, NULL, status) &&
           send(harness, &snooze_type, "10", status) && sf_harness_run(harness, status) &&
           told(harness, "tea: there is nothing to be reminded of", status);
}

static bool nonsense_is_answered(struct sf_harness *harness, struct sf_status *status)
{
    return send(harness, &remind_type, "soon", status) && sf_harness_run(harness, status) &&
           told(harness, "tea: what is it? (SECONDS WHAT)", status) &&
           send(harness, &snooze_type, "-1", status) && sf_harness_run(harness, status) &&
           told(harness, "tea: for how long? (SECONDS)", status) &&
           sf_harness_send(harness, sf_address("reminders/reminder", "tea"), sf_int(1), status) &&
           sf_harness_send(harness, sf_address("reminders/reminder", "tea"), sf_bool(true),
                           status) &&
           sf_harness_run(harness, status) && told(harness, NULL, status);
}

static const struct test {
    const char *name;
    bool (*run)(struct sf_harness *harness, struct sf_status *status);
} tests[] = {
    {"reminds_once_and_not_too_early", reminds_once_and_not_too_early},
    {"what_is_set_anew_replaces_the_old", what_is_set_anew_replaces_the_old},
    {"snoozes_before_and_after", snoozes_before_and_after},
    {"what_is_cancelled_is_never_told", what_is_cancelled_is_never_told},
    {"nonsense_is_answered", nonsense_is_answered},
};

static bool run(struct sf_harness *harness, void *user, struct sf_status *status)
{
    const struct test *test = user;
    return sf_harness_add(harness, reminders_configure, status) && test->run(harness, status);
}

int main(void)
{
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++) {
        struct sf_status status;
        if (!sf_simulate(NULL, run, (void *)&tests[i], &status)) {
            fprintf(stderr, "%s: %s\n", tests[i].name, status.message);
            return 1;
        }
    }
    return 0;
}
