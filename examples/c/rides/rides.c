/* rides.c - a city of cells, in which drivers wait for passengers.
 *
 *     passenger ── begin ──▶ ride ── wanted ──▶ geocell      has a table of drivers that wait
 *                            ride ◀── picked / nobody ──┘
 *                            ride ── offer ──▶ driver        may have left meanwhile
 *                            ride ◀── taken / declined ─┘    declined: asks the cell again
 *     passenger ◀─ found / none ── ride
 *     passenger ◀─ started, ended ─ ride ◀─ started, ended ── driver
 *
 * Only a driver knows whether it is free, and it is called for one message at a time: so it has one
 * passenger at most. What a cell has in its table may be old news. A cell strikes out whom it
 * picks: the next who asks is not sent to the same driver.
 *
 * Invariant: a driver that waits in a cell is in its table, or will be (a message is on its way),
 * or an offer from there is on its way. So nobody waits forgotten. */
#include "rides.h"

#include <inttypes.h>
#include <string.h>

const struct sf_type join_type = SF_TEXT_TYPE("rides/join");
const struct sf_type leave_type = SF_TEXT_TYPE("rides/leave");
const struct sf_type start_type = SF_TEXT_TYPE("rides/start");
const struct sf_type end_type = SF_TEXT_TYPE("rides/end");
const struct sf_type ask_type = SF_TEXT_TYPE("rides/ask");

/* Between functions. A trip is "FROM TO". */
static const struct sf_type WAITS = SF_TEXT_TYPE("rides/waits");       /* driver to cell */
static const struct sf_type IS_GONE = SF_TEXT_TYPE("rides/is-gone");   /* driver to cell */
static const struct sf_type BEGIN = SF_TEXT_TYPE("rides/begin");       /* to ride: trip */
static const struct sf_type WANTED = SF_TEXT_TYPE("rides/wanted");     /* ride to cell */
static const struct sf_type PICKED = SF_TEXT_TYPE("rides/picked");     /* cell to ride: driver */
static const struct sf_type NOBODY = SF_TEXT_TYPE("rides/nobody");     /* cell to ride */
static const struct sf_type OFFER = SF_TEXT_TYPE("rides/offer");       /* ride to driver: trip */
static const struct sf_type TAKEN = SF_TEXT_TYPE("rides/taken");       /* driver to ride */
static const struct sf_type DECLINED = SF_TEXT_TYPE("rides/declined"); /* driver to ride */
static const struct sf_type STARTED = SF_TEXT_TYPE("rides/started");   /* driver to ride */
static const struct sf_type ENDED = SF_TEXT_TYPE("rides/ended");       /* driver to ride */
static const struct sf_type TOLD = SF_TEXT_TYPE("rides/told");         /* to passenger: text */
static const struct sf_type LET_GO = SF_TEXT_TYPE("rides/let-go");     /* to passenger: text */

static struct sf_value text_of(const struct sf_type *type, const char *text)
{
    return sf_as(type, sf_string(text));
}

static bool tell(struct sf_context *context, struct sf_value text)
{
    return sf_send_kafka(context, "rides/answers",
                         &(struct sf_kafka_record){.topic = "answers",
                                                   .key = sf_string(sf_self(context).id),
                                                   .value = text});
}

/* The first word; *ret_rest is what follows it, "" if nothing does. */
static const char *split(struct sf_context *context, const char *text, const char **ret_rest)
{
    size_t size = strcspn(text, " ");
    char *word = sf_alloc(context, size + 1);
    memcpy(word, text, size);
    *ret_rest = text[size] ? text + size + 1 : "";
    return word;
}

/* --- who may send what --- */

/* For sf_case: what functions say to each other is not taken from outside. */
static bool is_inside(struct sf_context *context, const struct sf_message *message)
{
    (void)message;
    struct sf_address caller;
    return sf_caller(context, &caller);
}

/* If such a message failed, it would be tried again and again, and hold up its address. */
static bool ignore(struct sf_context *context, const struct sf_message *message)
{
    sf_log(context, SF_WARNING, "ignores a message of type '%s'",
           sf_message_type(context, message));
    return true;
}

/* --- a cell --- */

static const struct sf_state WAITING = SF_TABLE("waiting", &sf_string_type, &sf_bool_type);

static bool put_driver(struct sf_context *context, const struct sf_message *message)
{
    struct sf_address driver;
    (void)message;
    return sf_caller(context, &driver) &&
           sf_table_set(context, &WAITING, sf_string(driver.id), sf_bool(true));
}

static bool strike_out_driver(struct sf_context *context, const struct sf_message *message)
{
    struct sf_address driver;
    (void)message;
    if (sf_caller(context, &driver))
        sf_table_remove(context, &WAITING, sf_string(driver.id));
    return true;
}

/* Whoever has waited longest. */
static bool pick_driver(struct sf_context *context, const struct sf_message *message)
{
    size_t position = 0;
    const char *driver;
    (void)message;
    if (!sf_table_next(context, &WAITING, &position, &driver, NULL))
        return sf_reply(context, text_of(&NOBODY, ""));
    sf_reply(context, text_of(&PICKED, driver));
    sf_table_remove(context, &WAITING, sf_string(driver));
    return true;
}

static bool geocell(struct sf_context *context, const struct sf_message *message)
{
    static const struct sf_case cases[] = {{&WAITS, is_inside, put_driver},
                                           {&IS_GONE, is_inside, strike_out_driver},
                                           {&WANTED, is_inside, pick_driver},
                                           {NULL, NULL, ignore},
                                           {0}};
    return sf_match(context, message, cases);
}

/* --- a driver --- */

const struct sf_state cell_state = SF_VALUE("cell", &sf_string_type);
const struct sf_state ride_state = SF_VALUE("ride", &sf_string_type);
static const struct sf_state TO = SF_VALUE("to", &sf_string_type);
static const struct sf_state IS_MOVING = SF_VALUE("is_moving", &sf_bool_type);

static void wait_in(struct sf_context *context, const char *cell)
{
    sf_set(context, &cell_state, sf_string(cell));
    sf_send(context, sf_address("rides/geocell", cell), text_of(&WAITS, ""));
}

static void go_away(struct sf_context *context)
{
    const char *cell;
    if (!sf_get(context, &cell_state, &cell))
        return;
    sf_send(context, sf_address("rides/geocell", cell), text_of(&IS_GONE, ""));
    sf_clear(context, &cell_state);
}

static bool has_passenger(struct sf_context *context)
{
    const char *ride;
    return sf_get(context, &ride_state, &ride);
}

static bool join(struct sf_context *context, const struct sf_message *message)
{
    const char *cell;
    if (!sf_try_read(context, message, &join_type, &cell) || !*cell || strchr(cell, ' '))
        return tell(context, sf_string("where? (CELL)"));
    if (has_passenger(context))
        return tell(context, sf_format(context, "%s has a passenger", sf_self(context).id));
    go_away(context);
    wait_in(context, cell);
    return true;
}

static bool leave(struct sf_context *context, const struct sf_message *message)
{
    (void)message;
    if (has_passenger(context))
        return tell(context, sf_format(context, "%s has a passenger", sf_self(context).id));
    go_away(context);
    return true;
}

static bool consider(struct sf_context *context, const struct sf_message *message)
{
    const char *trip, *to, *cell;
    struct sf_address ride;
    if (!sf_read(context, message, &OFFER, &trip) || !sf_caller(context, &ride))
        return false;
    if (!sf_get(context, &cell_state, &cell) || strcmp(split(context, trip, &to), cell) != 0)
        return sf_reply(context, text_of(&DECLINED, "")); /* busy, or elsewhere */
    sf_set(context, &ride_state, sf_string(ride.id));
    sf_set(context, &TO, sf_string(to));
    go_away(context); /* it may have come back after it was picked, and then stands there again */
    return sf_reply(context, text_of(&TAKEN, ""));
}

static bool start(struct sf_context *context, const struct sf_message *message)
{
    const char *ride;
    bool is_moving;
    (void)message;
    if (!sf_get(context, &ride_state, &ride) || sf_get(context, &IS_MOVING, &is_moving))
        return tell(context, sf_format(context, "%s has nobody to fetch", sf_self(context).id));
    sf_set(context, &IS_MOVING, sf_bool(true));
    return sf_send(context, sf_address("rides/ride", ride), text_of(&STARTED, ""));
}

/* The driver then waits where the ride has led. */
static bool end(struct sf_context *context, const struct sf_message *message)
{
    const char *ride, *to;
    bool is_moving;
    (void)message;
    if (!sf_get(context, &IS_MOVING, &is_moving) || !sf_get(context, &ride_state, &ride) ||
        !sf_get(context, &TO, &to))
        return tell(context, sf_format(context, "%s is not on a ride", sf_self(context).id));
    sf_send(context, sf_address("rides/ride", ride), text_of(&ENDED, ""));
    wait_in(context, to);
    sf_clear(context, &ride_state);
    sf_clear(context, &TO);
    return sf_clear(context, &IS_MOVING);
}

static bool driver(struct sf_context *context, const struct sf_message *message)
{
    static const struct sf_case cases[] = {{&join_type, NULL, join},
                                           {&leave_type, NULL, leave},
                                           {&start_type, NULL, start},
                                           {&end_type, NULL, end},
                                           {&OFFER, is_inside, consider},
                                           {NULL, NULL, ignore},
                                           {0}};
    return sf_match(context, message, cases);
}

/* --- a passenger --- */

static const struct sf_state IS_BUSY = SF_VALUE("is_busy", &sf_bool_type);
static const struct sf_state RIDES = SF_VALUE("rides", &sf_int_type); /* asked for so far */

/* Each ride has an instance of its own, named after the passenger. */
static bool ask(struct sf_context *context, const struct sf_message *message)
{
    const char *trip, *from, *to = "", *name = sf_self(context).id;
    bool is_busy;
    int32_t rides = 0;
    if (!sf_try_read(context, message, &ask_type, &trip) || !*(from = split(context, trip, &to)) ||
        !*to || strchr(to, ' '))
        return tell(context, sf_string("from where to where? (FROM TO)"));
    if (sf_get(context, &IS_BUSY, &is_busy))
        return tell(context, sf_format(context, "%s has asked already", name));

    sf_get(context, &RIDES, &rides);
    sf_set(context, &RIDES, sf_int(rides + 1));
    sf_set(context, &IS_BUSY, sf_bool(true));
    struct sf_value ride = sf_format(context, "%s-%" PRId32, name, rides + 1);
    struct sf_address address = {"rides/ride", ride.as_bytes.data, ride.as_bytes.size};
    return sf_send(context, address, text_of(&BEGIN, trip));
}

static bool hear(struct sf_context *context, const struct sf_message *message)
{
    const char *text;
    bool is_over = sf_is(message, &LET_GO);
    if (!sf_read(context, message, is_over ? &LET_GO : &TOLD, &text))
        return false;
    if (is_over)
        sf_clear(context, &IS_BUSY);
    return tell(context, sf_string(text));
}

static bool passenger(struct sf_context *context, const struct sf_message *message)
{
    static const struct sf_case cases[] = {{&ask_type, NULL, ask},
                                           {&TOLD, is_inside, hear},
                                           {&LET_GO, is_inside, hear},
                                           {NULL, NULL, ignore},
                                           {0}};
    return sf_match(context, message, cases);
}

/* --- a ride: lives from the question to the arrival --- */

static const struct sf_state TRIP = SF_VALUE("trip", &sf_string_type);
static const struct sf_state PASSENGER_NAME = SF_VALUE("passenger", &sf_string_type);

struct trip {
    const char *from, *to, *passenger, *text;
};

static bool get_trip(struct sf_context *context, struct trip *ret_trip)
{
    if (!sf_get(context, &TRIP, &ret_trip->text) ||
        !sf_get(context, &PASSENGER_NAME, &ret_trip->passenger))
        return sf_fail_call(context, "there is no such ride");
    ret_trip->from = split(context, ret_trip->text, &ret_trip->to);
    return true;
}

static bool tell_passenger(struct sf_context *context, const struct trip *trip,
                           const struct sf_type *type, struct sf_value text)
{
    return sf_send(context, sf_address("rides/passenger", trip->passenger), sf_as(type, text));
}

static void forget(struct sf_context *context)
{
    sf_clear(context, &TRIP);
    sf_clear(context, &PASSENGER_NAME);
}

static bool begin(struct sf_context *context, const struct sf_message *message)
{
    struct sf_address caller;
    const char *text, *to;
    if (!sf_read(context, message, &BEGIN, &text) || !sf_caller(context, &caller))
        return false;
    sf_set(context, &TRIP, sf_string(text));
    sf_set(context, &PASSENGER_NAME, sf_string(caller.id));
    return sf_send(context, sf_address("rides/geocell", split(context, text, &to)),
                   text_of(&WANTED, ""));
}

static bool offer(struct sf_context *context, const struct sf_message *message)
{
    const char *name;
    struct trip trip;
    return sf_read(context, message, &PICKED, &name) && get_trip(context, &trip) &&
           sf_send(context, sf_address("rides/driver", name), text_of(&OFFER, trip.text));
}

static bool ask_again(struct sf_context *context, const struct sf_message *message)
{
    struct trip trip;
    (void)message;
    return get_trip(context, &trip) &&
           sf_send(context, sf_address("rides/geocell", trip.from), text_of(&WANTED, ""));
}

static bool give_up(struct sf_context *context, const struct sf_message *message)
{
    struct trip trip;
    (void)message;
    if (!get_trip(context, &trip))
        return false;
    tell_passenger(
        context, &trip, &LET_GO,
        sf_format(context, "there is no driver in %s for %s", trip.from, trip.passenger));
    forget(context);
    return true;
}

/* What the driver says: the passenger hears of it. */
static bool go_on(struct sf_context *context, const struct sf_message *message)
{
    struct sf_address caller;
    struct trip trip;
    if (!get_trip(context, &trip) || !sf_caller(context, &caller))
        return false;
    if (sf_is(message, &TAKEN))
        return tell_passenger(
            context, &trip, &TOLD,
            sf_format(context, "%s is coming to %s in %s", caller.id, trip.passenger, trip.from));
    if (sf_is(message, &STARTED))
        return tell_passenger(context, &trip, &TOLD,
                              sf_format(context, "%s is on the way to %s with %s", trip.passenger,
                                        trip.to, caller.id));
    tell_passenger(
        context, &trip, &LET_GO,
        sf_format(context, "%s has arrived in %s with %s", trip.passenger, trip.to, caller.id));
    forget(context);
    return true;
}

static bool ride(struct sf_context *context, const struct sf_message *message)
{
    static const struct sf_case cases[] = {{&BEGIN, is_inside, begin},
                                           {&PICKED, is_inside, offer},
                                           {&NOBODY, is_inside, give_up},
                                           {&TAKEN, is_inside, go_on},
                                           {&DECLINED, is_inside, ask_again},
                                           {&STARTED, is_inside, go_on},
                                           {&ENDED, is_inside, go_on},
                                           {NULL, NULL, ignore},
                                           {0}};
    return sf_match(context, message, cases);
}

/* --- the module --- */

static const struct sf_function GEOCELL = {
    .type = "rides/geocell", .call = geocell, .states = SF_STATES(&WAITING)};

static const struct sf_function DRIVER = {.type = "rides/driver",
                                          .call = driver,
                                          .states =
                                              SF_STATES(&cell_state, &ride_state, &TO, &IS_MOVING)};

static const struct sf_function PASSENGER = {
    .type = "rides/passenger", .call = passenger, .states = SF_STATES(&IS_BUSY, &RIDES)};

static const struct sf_function RIDE = {
    .type = "rides/ride", .call = ride, .states = SF_STATES(&TRIP, &PASSENGER_NAME)};

bool rides_configure(struct sf_module *module, struct sf_status *status)
{
    return sf_bind(module, &GEOCELL, status) && sf_bind(module, &DRIVER, status) &&
           sf_bind(module, &PASSENGER, status) && sf_bind(module, &RIDE, status);
}

SF_MODULE(rides_configure)
