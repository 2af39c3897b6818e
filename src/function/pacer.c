/* pacer.c - a window of answers decides about the next.
 *
 * A function that is always busy shows no quick answer, and would in time make its crowd look
 * natural; so after WINDOWS_BETWEEN_LOOKS the limit falls to its least for a window, and the
 * quickest answer is looked for anew. One that is slow by nature is no quicker then, and has its
 * limit back a few windows later. */
#include "function/pacer.h"

enum { LEAST = 32, WINDOWS_BETWEEN_LOOKS = 128, QUICK_US = 3000 };

static size_t between(size_t least, size_t value, size_t most)
{
    if (value < least)
        value = least;
    return value > most ? most : value;
}

void pacer_init(struct pacer *pacer, size_t most)
{
    *pacer = (struct pacer){.limit = between(1, LEAST, most), .most = most};
}

size_t pacer_allowed(const struct pacer *pacer)
{
    return between(1, pacer->limit + pacer->old, pacer->most);
}

void pacer_sent(struct pacer *pacer)
{
    pacer->under_way++;
    if (pacer->under_way >= pacer_allowed(pacer))
        pacer->was_reached = true;
}

void pacer_grew_old(struct pacer *pacer)
{
    pacer->old++;
}

static void set_limit(struct pacer *pacer, size_t limit)
{
    pacer->limit = between(LEAST, limit, pacer->most);
}

static void end_window(struct pacer *pacer, uint64_t average_us)
{
    if (++pacer->windows >= WINDOWS_BETWEEN_LOOKS && average_us > QUICK_US) {
        pacer->windows = 0;
        pacer->least_us = 0;
        set_limit(pacer, LEAST);
    } else if (average_us <= QUICK_US || average_us <= pacer->least_us + pacer->least_us / 2) {
        if (pacer->was_reached)
            set_limit(pacer, pacer->limit + pacer->limit / 2);
    } else if (average_us > 2 * QUICK_US && average_us > 2 * pacer->least_us) {
        set_limit(pacer, pacer->limit - pacer->limit / 4);
    }
}

void pacer_answered(struct pacer *pacer, uint64_t took_us, bool was_old)
{
    pacer->under_way--;
    if (was_old) {
        pacer->old--;
        return;
    }
    if (pacer->least_us == 0 || took_us < pacer->least_us)
        pacer->least_us = took_us;
    pacer->sum_us += took_us;
    if (++pacer->answers < pacer->limit)
        return;
    end_window(pacer, pacer->sum_us / pacer->answers);
    pacer->sum_us = 0;
    pacer->answers = 0;
    pacer->was_reached = false;
}
