/* operators.c - what each person knows, and what must follow from it. */
#include "sim/operators.h"

#include "engine/partition.h"

#include <stdio.h>

static const uint64_t RECEIPTS = UINT64_C(1) << 40;

enum { CHANGES_MAX = 8, SENT_MAX = 64 };

enum deed { DEED_NONE, DEED_PUT, DEED_DELETE, DEED_GET, DEED_LIST };

/* A version of the state: what the nth change has made of it, and how often the function has seen
 * that since. */
struct version {
    uint64_t nth, seen;
};

/* Who looks after one address. */
struct person {
    uint64_t changes; /* begun; the last one's number */
    bool was_delete[CHANGES_MAX + 1];
    struct version floor;    /* what was answered last: nothing older may be seen from now on */
    bool is_unsure;          /* a change is not answered and may still come */
    enum deed deed;          /* under way */
    struct version at_begin; /* the floor when it began */
    uint64_t sent[SENT_MAX]; /* records that come before the next change */
    size_t sent_count;
    bool has_found, is_present;
    struct version found;
};

struct operators {
    struct app *app;
    struct random random;
    uint32_t count;
    uint64_t deeds_left;
    struct person *each;
};

struct operators *operators_new(struct app *app, uint64_t seed)
{
    struct operators *operators = mem_new(sizeof *operators);
    operators->app = app;
    operators->random = (struct random){seed};
    operators->count = app->types * app->ids;
    operators->deeds_left = random_below(&operators->random, 80);
    operators->each = mem_new(operators->count * sizeof *operators->each);
    return operators;
}

void operators_free(struct operators *operators)
{
    free(operators->each);
    free(operators);
}

bool operators_own(uint64_t receipt)
{
    return receipt >= RECEIPTS;
}

static struct person *operator_of(struct operators *operators, uint64_t receipt)
{
    SIM_CHECK(receipt - RECEIPTS < operators->count, "a receipt that nobody has given");
    struct person *person = &operators->each[receipt - RECEIPTS];
    SIM_CHECK(person->deed != DEED_NONE, "an person is answered twice");
    return person;
}

/* --- doing --- */

void operators_sent(struct operators *operators, uint32_t number, uint64_t record)
{
    struct person *person = &operators->each[number];
    if (person->sent_count < SENT_MAX)
        person->sent[person->sent_count++] = record;
}

/* What was sent before this change must not see it; one that goes ahead promises nothing. */
static void bound_what_was_sent(struct operators *operators, struct person *person, bool ahead)
{
    for (size_t i = 0; i < person->sent_count; i++)
        app_bound(operators->app, person->sent[i], ahead ? UINT64_MAX : person->changes);
    if (!ahead)
        person->sent_count = 0;
}

static enum acceptance change(struct operators *operators, struct person *person,
                              struct engine *engine, const struct change_request *request)
{
    uint8_t value[16];
    struct change_request filled = *request;
    u64_put(value, person->changes + 1);
    u64_put(value + 8, 0);
    filled.change.value = (struct typed_value){
        .type = bytes_of(APP_REGISTER_TYPE), .value = bytes_make(value, 16), .has_value = true};
    /* The change may be carried out, and even answered, within the call. */
    person->changes++;
    person->was_delete[person->changes] = request->change.is_delete;
    size_t sent_count = person->sent_count;
    bound_what_was_sent(operators, person, request->ahead);
    enum acceptance acceptance = engine_change(engine, &filled);
    if (acceptance != ACCEPTED) {
        person->changes--;
        person->sent_count = sent_count;
    }
    return acceptance;
}

static enum acceptance do_it(struct operators *operators, struct person *person, uint32_t number,
                             struct engine *engine, const struct record_target *target,
                             struct bytes id)
{
    uint64_t receipt = RECEIPTS + number;
    struct bytes state = bytes_of("register");
    if (person->deed == DEED_GET || person->deed == DEED_LIST)
        return engine_read(engine,
                           &(struct read_request){
                               .receipt = receipt,
                               .ns = target->ns,
                               .name = target->name,
                               .id = id,
                               .state = person->deed == DEED_GET ? state : (struct bytes){0},
                           });
    /* If an earlier change may still come, one that goes ahead would be undone by it. */
    bool ahead = !person->is_unsure && random_chance(&operators->random, 200);
    return change(operators, person, engine,
                  &(struct change_request){
                      .receipt = receipt,
                      .ns = target->ns,
                      .name = target->name,
                      .id = id,
                      .change = {.state = state, .is_delete = person->deed == DEED_DELETE},
                      .ahead = ahead,
                  });
}

static enum deed random_deed(struct operators *operators, const struct person *person)
{
    if (person->changes == CHANGES_MAX || random_chance(&operators->random, 500))
        return random_chance(&operators->random, 700) ? DEED_GET : DEED_LIST;
    return random_chance(&operators->random, 700) ? DEED_PUT : DEED_DELETE;
}

bool operators_act(struct operators *operators, struct engine *(*engine_of)(void *, struct bytes),
                   void *owner)
{
    uint32_t number;
    struct record_target target;
    struct buffer id = {0};
    if (!operators->deeds_left)
        return false;
    app_random_target(operators->app, &target, &id, &number);
    struct person *person = &operators->each[number];
    enum acceptance acceptance = REFUSED;
    if (person->deed == DEED_NONE) {
        person->deed = random_deed(operators, person);
        person->at_begin = person->floor;
        person->has_found = false;
        struct engine *engine = engine_of(owner, buffer_bytes(&id));
        acceptance = do_it(operators, person, number, engine, &target, buffer_bytes(&id));
        if (acceptance != ACCEPTED)
            person->deed = DEED_NONE;
        else
            operators->deeds_left--;
    }
    buffer_destroy(&id);
    return acceptance == ACCEPTED;
}

/* --- answers --- */

void operators_found(struct operators *operators, uint64_t receipt,
                     const struct found_state *states, size_t count)
{
    struct person *person = operator_of(operators, receipt);
    SIM_CHECK(person->deed == DEED_GET || person->deed == DEED_LIST,
              "something was found that nobody looked for");
    person->has_found = true;
    person->is_present = false;
    for (size_t i = 0; i < count; i++) {
        if (!bytes_is(states[i].name, "register"))
            continue;
        SIM_CHECK(bytes_is(states[i].type, APP_REGISTER_TYPE) && states[i].size == 16,
                  "a state is not what was put");
        SIM_CHECK(!person->is_present, "a state is listed twice");
        person->is_present = true;
        if (states[i].value.size)
            person->found =
                (struct version){u64_get(states[i].value.data), u64_get(states[i].value.data + 8)};
        else
            person->found = person->at_begin; /* a list has no values */
    }
}

static bool may_be_absent(const struct person *person)
{
    if (person->at_begin.nth == 0)
        return true;
    for (uint64_t nth = person->at_begin.nth; nth <= person->changes; nth++)
        if (person->was_delete[nth])
            return true;
    return false;
}

static void check_read(struct person *person, enum deed deed)
{
    struct version floor = person->at_begin, found = person->found;
    SIM_CHECK(person->has_found, "a read is answered without what it found");
    if (!person->is_present) {
        SIM_CHECK(may_be_absent(person), "a state that was put (%llu) is not found",
                  (unsigned long long)floor.nth);
        return;
    }
    if (deed == DEED_LIST) {
        if (!person->floor.nth) /* some change has come: that is all that a list tells */
            person->floor.nth = 1;
        return;
    }
    SIM_CHECK(found.nth <= person->changes && found.nth > 0, "a value that nobody has put");
    SIM_CHECK(!person->was_delete[found.nth], "a delete has left a value");
    SIM_CHECK(found.nth > floor.nth || (found.nth == floor.nth && found.seen >= floor.seen),
              "a read finds %llu.%llu after %llu.%llu was answered", (unsigned long long)found.nth,
              (unsigned long long)found.seen, (unsigned long long)floor.nth,
              (unsigned long long)floor.seen);
    person->floor = found;
}

static void check_change(struct person *person, enum deed deed, enum settlement settlement)
{
    if (settlement == SETTLED_IN_LINE) {
        person->is_unsure = true;
        return;
    }
    uint64_t before = person->changes - 1;
    bool was_there = before && person->floor.nth == before && !person->was_delete[before];
    if (deed == DEED_PUT)
        SIM_CHECK(settlement == SETTLED, "a put ends with %d", (int)settlement);
    else
        SIM_CHECK(settlement == SETTLED || (settlement == SETTLED_ABSENT && !was_there),
                  "a delete ends with %d", (int)settlement);
    person->floor = (struct version){person->changes, 0};
    person->is_unsure = false; /* changes keep their order */
}

void operators_settle(struct operators *operators, uint64_t receipt, enum settlement settlement)
{
    struct person *person = operator_of(operators, receipt);
    enum deed deed = person->deed;
    person->deed = DEED_NONE;
    if (deed == DEED_GET || deed == DEED_LIST)
        check_read(person, deed);
    else
        check_change(person, deed, settlement);
}

void operators_crash(struct operators *operators)
{
    for (uint32_t i = 0; i < operators->count; i++) {
        struct person *person = &operators->each[i];
        if (person->deed == DEED_PUT || person->deed == DEED_DELETE)
            person->is_unsure = true;
        person->deed = DEED_NONE;
    }
}

/* --- the end --- */

bool operators_are_done(const struct operators *operators)
{
    for (uint32_t i = 0; i < operators->count; i++)
        if (operators->each[i].deed != DEED_NONE)
            return false;
    return !operators->deeds_left;
}

void operators_check(const struct operators *operators, const struct table *truth,
                     uint32_t partitions)
{
    for (uint32_t number = 0; number < operators->count; number++) {
        const struct person *person = &operators->each[number];
        struct version version;
        bool is_present = app_find_register(operators->app, number, truth, partitions, &version.nth,
                                            &version.seen);
        if (person->is_unsure || !person->changes)
            continue;
        bool should = !person->was_delete[person->changes];
        SIM_CHECK(is_present == should, "address %u: after the last change a value is %s", number,
                  is_present ? "there" : "not there");
        SIM_CHECK(!is_present || version.nth == person->changes,
                  "address %u: the last change was %llu, the value is that of %llu", number,
                  (unsigned long long)person->changes, (unsigned long long)version.nth);
    }
}
