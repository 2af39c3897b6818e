/* lane.c - see lane.h. */
#include "ingress/lane.h"

enum {
    TURN_RECORDS_MAX = 1000,
    TURN_BYTES_MAX = 4 << 20,
};

static bool has_halted(const struct lane *lane)
{
    return lane->kind->has_halted && lane->kind->has_halted(lane);
}

static void read_some(struct lane *lane)
{
    struct allowance allowance = {TURN_RECORDS_MAX, TURN_BYTES_MAX};
    if (has_halted(lane))
        return;
    while (!has_halted(lane) && allowance_is_left(&allowance) && !list_is_empty(&lane->ready))
        lane->kind->read(list_first(&lane->ready, struct lane_reading, place), &allowance);
    /* One turn more than there are records, in which the engine runs what was taken last. */
    if (allowance.records < TURN_RECORDS_MAX || !list_is_empty(&lane->ready))
        loop_task_set(lane->loop, &lane->more);
}

static void on_more(struct loop_task *task)
{
    read_some(container_of(task, struct lane, more));
}

static void take_letters(struct lane *lane)
{
    struct letters letters = inbox_take(lane->inbox);
    for (struct letter *letter; (letter = letters_take(&letters));)
        lane->kind->take_letter(lane, letter);
}

static void on_wake(struct loop_waker *waker)
{
    struct lane *lane = container_of(waker, struct lane, waker);
    take_letters(lane);
    if (!list_is_empty(&lane->ready))
        read_some(lane);
}

/* --- readings --- */

void lane_set(struct lane_reading *reading, enum reading_state state)
{
    list_take(&reading->place);
    reading->state = state;
    if (state == READY)
        list_put_last(&reading->lane->ready, &reading->place);
    else if (state == WAITING)
        list_put_last(&reading->lane->waiting, &reading->place);
}

void lane_add(struct lane *lane, struct lane_reading *reading)
{
    reading->lane = lane;
    reading->state = IDLE;
    list_init(&reading->place);
    list_put_last(&lane->all, &reading->all);
}

/* --- room --- */

void lane_offer_again(struct lane *lane)
{
    while (!list_is_empty(&lane->waiting))
        lane_set(list_first(&lane->waiting, struct lane_reading, place), READY);
}

static void on_offer(struct patience *patience)
{
    struct lane *lane = container_of(patience, struct lane, patience);
    lane_offer_again(lane);
    read_some(lane);
}

void lane_room(struct lane *lane)
{
    if (!has_halted(lane) && !list_is_empty(&lane->waiting))
        patience_room(&lane->patience);
}

/* --- life --- */

void lane_open(struct lane *lane, const struct lane_kind *kind, struct loop *loop,
               struct engine *engine, const struct registry *registry, const char *ingress)
{
    lane->kind = kind;
    lane->loop = loop;
    lane->engine = engine;
    lane->inbox = inbox_new(loop);
    lane->waker.on_wake = on_wake;
    lane->more.on_task = on_more;
    patience_init(&lane->patience, loop, on_offer);
    routers_init(&lane->routers, registry, ingress);
    list_init(&lane->all);
    list_init(&lane->ready);
    list_init(&lane->waiting);
    loop_waker_add(loop, &lane->waker);
}

void lane_stop(struct lane *lane)
{
    lane->is_stopped = true;
    patience_end(&lane->patience);
    loop_task_cancel(lane->loop, &lane->more);
}

void lane_close(struct lane *lane)
{
    loop_waker_remove(lane->loop, &lane->waker);
    take_letters(lane);
    inbox_free(lane->inbox);
    routers_destroy(&lane->routers);
}
