/* rides_test.c - nobody drives two, nobody is forgotten, and each question has one answer. */
#include "rides.h"

#include <statefun/harness.h>

#include <stdio.h>

static const char ANSWERS[] = "rides/answers";
enum { DRIVERS = 6, CELLS = 3, PASSENGERS = CELLS * DRIVERS };
static const char *const cells[CELLS] = {"mitte", "zoo", "harbour"};

static bool send(struct sf_harness *harness, const char *function, const char *id,
                 const struct sf_type *type, const char *text, struct sf_status *status)
{
    return sf_harness_send(harness, sf_address(function, id), sf_as(type, sf_string(text)), status);
}

static bool send_driver(struct sf_harness *harness, int number, const struct sf_type *type,
                        const char *text, struct sf_status *status)
{
    char id[16];
    (void)snprintf(id, sizeof id, "d%d", number);
    return send(harness, "rides/driver", id, type, text, status);
}

static bool send_passenger(struct sf_harness *harness, int number, int from, int to,
                           struct sf_status *status)
{
    char id[16], trip[32];
    (void)snprintf(id, sizeof id, "p%d", number);
    (void)snprintf(trip, sizeof trip, "%s %s", cells[from % CELLS], cells[to % CELLS]);
    return send(harness, "rides/passenger", id, &ask_type, trip, status);
}

/* How many answers have this key (NULL: any), and begin so. */
static size_t count_answers(struct sf_harness *harness, const char *key, const char *beginning)
{
    size_t count = 0;
    for (size_t i = 0; i < sf_harness_egress_count(harness, ANSWERS); i++) {
        struct sf_kafka_output record;
        size_t size = strlen(beginning);
        if (!sf_output_kafka(sf_harness_egress(harness, ANSWERS, i), &record) ||
            (key && (record.key.size != strlen(key) ||
                     memcmp(record.key.data, key, record.key.size) != 0)))
            continue;
        count += record.value.size >= size && !memcmp(record.value.data, beginning, size);
    }
    return count;
}

static bool is_driver(struct sf_harness *harness, int number, const struct sf_state *state)
{
    char id[16];
    const char *text;
    (void)snprintf(id, sizeof id, "d%d", number);
    return sf_get(sf_harness_look(harness, sf_address("rides/driver", id)), state, &text);
}

/* No ride has ended since the last look. */
static bool expect_one_answer_each(struct sf_harness *harness, struct sf_status *status)
{
    for (int i = 0; i < PASSENGERS; i++) {
        char id[16];
        (void)snprintf(id, sizeof id, "p%d", i);
        size_t count = count_answers(harness, id, "");
        if (count != 1)
            return sf_fail(status, SF_INVALID, "%s has %zu answers", id, count);
    }
    return true;
}

static bool expect_one_passenger_each(struct sf_harness *harness, struct sf_status *status)
{
    for (int i = 0; i < DRIVERS; i++) {
        char beginning[32];
        (void)snprintf(beginning, sizeof beginning, "d%d is coming", i);
        size_t count = count_answers(harness, NULL, beginning);
        size_t expected = is_driver(harness, i, &ride_state) ? 1 : 0;
        if (count != expected)
            return sf_fail(status, SF_INVALID, "d%d is coming to %zu, expected %zu", i, count,
                           expected);
    }
    return true;
}

/* Where more have asked than drivers waited. */
static bool expect_nobody_waits(struct sf_harness *harness, struct sf_status *status)
{
    for (int i = 0; i < DRIVERS; i++)
        if (is_driver(harness, i, &cell_state))
            return sf_fail(status, SF_INVALID, "d%d still waits", i);
    return true;
}

/* Those who have no passenger are answered so. */
static bool end_rides(struct sf_harness *harness, struct sf_status *status)
{
    size_t coming = 0, arrived = 0;
    for (int i = 0; i < DRIVERS; i++) {
        coming += is_driver(harness, i, &ride_state);
        if (!send_driver(harness, i, &start_type, "", status) ||
            !send_driver(harness, i, &end_type, "", status))
            return false;
    }
    sf_harness_clear(harness);
    if (!sf_harness_run(harness, status))
        return false;
    for (int i = 0; i < PASSENGERS; i++) {
        char id[16], beginning[32];
        (void)snprintf(id, sizeof id, "p%d", i);
        (void)snprintf(beginning, sizeof beginning, "p%d has arrived", i);
        arrived += count_answers(harness, id, beginning);
    }
    sf_harness_clear(harness);
    return arrived == coming ||
           sf_fail(status, SF_INVALID, "%zu have arrived, expected %zu", arrived, coming);
}

/* --- tests --- */

/* Drivers come, go, and change their mind while passengers ask. */
static bool all_at_once(struct sf_harness *harness, struct sf_status *status)
{
    for (int i = 0; i < PASSENGERS; i++) {
        int driver = i % DRIVERS;
        if (!send_driver(harness, driver, &join_type, cells[i % CELLS], status) ||
            !send_passenger(harness, i, i * 5 / 2, i + 1, status) ||
            (i % 3 == 1 && !send_driver(harness, driver, &leave_type, "", status)) ||
            !send_driver(harness, driver, &join_type, cells[i * i % CELLS], status))
            return false;
    }
    if (!sf_harness_run(harness, status))
        return false;
    return expect_one_answer_each(harness, status) && expect_one_passenger_each(harness, status) &&
           end_rides(harness, status);
}

/* After that, as many ask in each cell as there are drivers, wherever those are now. */
static bool nobody_is_forgotten(struct sf_harness *harness, struct sf_status *status)
{
    if (!all_at_once(harness, status))
        return false;
    for (int i = 0; i < PASSENGERS; i++)
        if (!send_passenger(harness, i, i, i + 1, status))
            return false;
    return sf_harness_run(harness, status) && expect_one_answer_each(harness, status) &&
           expect_one_passenger_each(harness, status) && expect_nobody_waits(harness, status) &&
           end_rides(harness, status);
}

static bool says(struct sf_harness *harness, const char *function, const char *id,
                 const struct sf_type *type, const char *text, const char *answer,
                 struct sf_status *status)
{
    sf_harness_clear(harness);
    return send(harness, function, id, type, text, status) && sf_harness_run(harness, status) &&
           sf_harness_expect_count(harness, ANSWERS, answer ? 1 : 0, status) &&
           (!answer || count_answers(harness, NULL, answer) == 1 ||
            sf_fail(status, SF_INVALID, "expected '%s'", answer));
}

static bool a_ride_goes_from_cell_to_cell(struct sf_harness *harness, struct sf_status *status)
{
    static const char driver[] = "rides/driver", passenger[] = "rides/passenger";
    return says(harness, passenger, "ann", &ask_type, "mitte zoo",
                "there is no driver in mitte for ann", status) &&
           says(harness, driver, "dan", &join_type, "mitte", NULL, status) &&
           says(harness, passenger, "ann", &ask_type, "mitte zoo", "dan is coming to ann in mitte",
                status) &&
           says(harness, passenger, "ann", &ask_type, "mitte zoo", "ann has asked already",
                status) &&
           says(harness, driver, "dan", &join_type, "zoo", "dan has a passenger", status) &&
           says(harness, driver, "dan", &end_type, "", "dan is not on a ride", status) &&
           says(harness, driver, "dan", &start_type, "", "ann is on the way to zoo with dan",
                status) &&
           says(harness, driver, "dan", &end_type, "", "ann has arrived in zoo with dan", status) &&
           says(harness, passenger, "bob", &ask_type, "zoo mitte", "dan is coming to bob in zoo",
                status);
}

static bool nonsense_is_answered(struct sf_harness *harness, struct sf_status *status)
{
    return says(harness, "rides/passenger", "ann", &ask_type, "mitte", "from where to where?",
                status) &&
           says(harness, "rides/driver", "dan", &join_type, "", "where?", status) &&
           says(harness, "rides/driver", "dan", &start_type, "", "dan has nobody to fetch",
                status) &&
           says(harness, "rides/geocell", "mitte", &ask_type, "", NULL, status);
}

static const struct test {
    const char *name;
    bool (*run)(struct sf_harness *harness, struct sf_status *status);
} tests[] = {
    {"nobody_is_forgotten", nobody_is_forgotten},
    {"a_ride_goes_from_cell_to_cell", a_ride_goes_from_cell_to_cell},
    {"nonsense_is_answered", nonsense_is_answered},
};

static bool run(struct sf_harness *harness, void *user, struct sf_status *status)
{
    const struct test *test = user;
    return sf_harness_add(harness, rides_configure, status) && test->run(harness, status);
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
