/* operators.c - what each operator knows, and what must follow from it. */
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
struct operator
{
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
    struct operator* each;
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

static struct operator* operator_of(struct operators *operators, uint64_t receipt)
{
    SIM_CHECK(receipt - RECEIPTS < operators->count, "a receipt that nobody has given");
    struct operator* operator= & operators->each[receipt - RECEIPTS];
    SIM_CHECK(operator->deed != DEED_NONE, "an operator is answered twice");
    return operator;
}

/* --- doing --- */

void operators_sent(struct operators *operators, uint32_t number, uint64_t record)
{
    struct operator* operator= & operators->each[number];
    if (operator->sent_count<SENT_MAX)
        operator->sent[operator->sent_count++] = record;
}

/* What was sent before this change must not see it; one that goes ahead promises nothing. */
static void bound_what_was_sent(struct operators *operators, struct operator* operator, bool ahead)
{
    for (size_t i = 0; i < operator->sent_count; i++)
        app_bound(operators->app, operator->sent[i], ahead ? UINT64_MAX : operator->changes);
    if (!ahead)
        operator->sent_count = 0;
}

static enum acceptance change(struct operators *operators, struct operator* operator,
                              struct engine * engine, const struct change_request *request)
{
    uint8_t value[16];
    struct change_request filled = *request;
    u64_put(value, operator->changes + 1);
    u64_put(value + 8, 0);
    filled.change.value = (struct typed_value){
        .type = bytes_of(APP_REGISTER_TYPE), .value = bytes_make(value, 16), .has_value = true};
    /* The change may be carried out, and even answered, within the call. */
    operator->changes++;
    operator->was_delete[operator->changes] = request->change.is_delete;
    size_t sent_count = operator->sent_count;
    bound_what_was_sent(operators, operator, request->ahead);
    enum acceptance acceptance = engine_change(engine, &filled);
    if (acceptance != ACCEPTED) {
        operator->changes--;
        operator->sent_count = sent_count;
    }
    return acceptance;
}

static enum acceptance do_it(struct operators *operators, struct operator* operator,
                             uint32_t number, struct engine *engine,
                             const struct record_target *target, struct bytes id)
{
    uint64_t receipt = RECEIPTS + number;
    struct bytes state = bytes_of("register");
    if (operator->deed == DEED_GET || operator->deed == DEED_LIST)
        return engine_read(engine,
                           &(struct read_request){
                               .receipt = receipt,
                               .ns = target->ns,
                               .name = target->name,
                               .id = id,
                               .state = operator->deed == DEED_GET ? state : (struct bytes){0},
                           });
    /* If an earlier change may still come, one that goes ahead would be undone by it. */
    bool ahead = !operator->is_unsure && random_chance(&operators->random, 200);
    return change(operators, operator, engine,
                  &(struct change_request){
                      .receipt = receipt,
                      .ns = target->ns,
                      .name = target->name,
                      .id = id,
                      .change = {.state = state, .is_delete = operator->deed == DEED_DELETE},
                      .ahead = ahead,
                  });
}

static enum deed random_deed(struct operators *operators, const struct operator* operator)
{
    if (operator->changes == CHANGES_MAX || random_chance(&operators->random, 500))
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
    struct operator* operator= & operators->each[number];
    enum acceptance acceptance = REFUSED;
    if (operator->deed == DEED_NONE) {
        operator->deed = random_deed(operators, operator);
        operator->at_begin = operator->floor;
        operator->has_found = false;
        struct engine *engine = engine_of(owner, buffer_bytes(&id));
        acceptance = do_it(operators, operator, number, engine, &target, buffer_bytes(&id));
        if (acceptance != ACCEPTED)
            operator->deed = DEED_NONE;
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
    struct operator* operator= operator_of(operators, receipt);
    SIM_CHECK(operator->deed == DEED_GET || operator->deed == DEED_LIST,
              "something was found that nobody looked for");
    operator->has_found = true;
    operator->is_present = false;
    for (size_t i = 0; i < count; i++) {
        if (!bytes_is(states[i].name, "register"))
            continue;
        SIM_CHECK(bytes_is(states[i].type, APP_REGISTER_TYPE) && states[i].size == 16,
                  "a state is not what was put");
        SIM_CHECK(!operator->is_present, "a state is listed twice");
        operator->is_present = true;
        if (states[i].value.size)
            operator->found =(struct version){u64_get(states[i].value.data),
                                              u64_get(states[i].value.data + 8)};
        else
            operator->found = operator->at_begin; /* a list has no values */
    }
}

static bool may_be_absent(const struct operator* operator)
{
    if (operator->at_begin.nth == 0)
        return true;
    for (uint64_t nth = operator->at_begin.nth; nth <= operator->changes; nth++)
        if (operator->was_delete[nth])
            return true;
    return false;
}

static void check_read(struct operator* operator, enum deed deed)
{
    struct version floor = operator->at_begin, found = operator->found;
    SIM_CHECK(operator->has_found, "a read is answered without what it found");
    if (!operator->is_present) {
        SIM_CHECK(may_be_absent(operator), "a state that was put (%llu) is not found",
                  (unsigned long long)floor.nth);
        return;
    }
    if (deed == DEED_LIST) {
        if (!operator->floor.nth) /* some change has come: that is all that a list tells */
            operator->floor.nth = 1;
        return;
    }
    SIM_CHECK(found.nth <= operator->changes && found.nth> 0, "a value that nobody has put");
    SIM_CHECK(!operator->was_delete[found.nth], "a delete has left a value");
    SIM_CHECK(found.nth > floor.nth || (found.nth == floor.nth && found.seen >= floor.seen),
              "a read finds %llu.%llu after %llu.%llu was answered", (unsigned long long)found.nth,
              (unsigned long long)found.seen, (unsigned long long)floor.nth,
              (unsigned long long)floor.seen);
    operator->floor = found;
}

static void check_change(struct operator* operator, enum deed deed, enum settlement settlement)
{
    if (settlement == SETTLED_IN_LINE) {
        operator->is_unsure = true;
        return;
    }
    uint64_t before = operator->changes - 1;
    bool was_there = before && operator->floor.nth == before && !operator->was_delete[before];
    if (deed == DEED_PUT)
        SIM_CHECK(settlement == SETTLED, "a put ends with %d", (int)settlement);
    else
        SIM_CHECK(settlement == SETTLED || (settlement == SETTLED_ABSENT && !was_there),
                  "a delete ends with %d", (int)settlement);
    operator->floor =(struct version){operator->changes, 0};
    operator->is_unsure = false; /* changes keep their order */
}

void operators_settle(struct operators *operators, uint64_t receipt, enum settlement settlement)
{
    struct operator* operator= operator_of(operators, receipt);
    enum deed deed = operator->deed;
    operator->deed = DEED_NONE;
    if (deed == DEED_GET || deed == DEED_LIST)
        check_read(operator, deed);
    else
        check_change(operator, deed, settlement);
}

void operators_crash(struct operators *operators)
{
    for (uint32_t i = 0; i < operators->count; i++) {
        struct operator* operator= & operators->each[i];
        if (operator->deed == DEED_PUT || operator->deed == DEED_DELETE)
            operator->is_unsure = true;
        operator->deed = DEED_NONE;
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
        const struct operator* operator= & operators->each[number];
        struct version version;
        bool is_present = app_find_register(operators->app, number, truth, partitions, &version.nth,
                                            &version.seen);
        if (operator->is_unsure || !operator->changes)
            continue;
        bool should = !operator->was_delete[operator->changes];
        SIM_CHECK(is_present == should, "address %u: after the last change a value is %s", number,
                  is_present ? "there" : "not there");
        SIM_CHECK(!is_present || version.nth == operator->changes,
                  "address %u: the last change was %llu, the value is that of %llu", number,
                  (unsigned long long)operator->changes, (unsigned long long)version.nth);
    }
}
