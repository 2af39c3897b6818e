/* patience.c - one timer, and a pause that doubles. */
#include "ingress/patience.h"

enum { PAUSE_MS_MIN = 1, PAUSE_MS_MAX = 16 };

static void offer(struct patience *patience)
{
    patience->not_before_ms = loop_now_ms(patience->loop) + patience->pause_ms;
    if (patience->pause_ms < PAUSE_MS_MAX)
        patience->pause_ms *= 2;
    patience->offer(patience);
}

static void on_timer(struct loop_timer *timer)
{
    offer(container_of(timer, struct patience, timer));
}

void patience_init(struct patience *patience, struct loop *loop,
                   void (*offer_it)(struct patience *patience))
{
    *patience = (struct patience){
        .loop = loop, .timer.on_timer = on_timer, .offer = offer_it, .pause_ms = PAUSE_MS_MIN};
}

void patience_room(struct patience *patience)
{
    if (heap_holds(&patience->timer.due))
        return;
    if (loop_now_ms(patience->loop) < patience->not_before_ms)
        loop_timer_set(patience->loop, &patience->timer, patience->not_before_ms);
    else
        offer(patience);
}

void patience_rewarded(struct patience *patience)
{
    patience->pause_ms = PAUSE_MS_MIN;
}

void patience_end(struct patience *patience)
{
    loop_timer_cancel(patience->loop, &patience->timer);
}
