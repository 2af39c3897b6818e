/* pacer.h - how many requests to one function make sense at once.
 *
 * Too few leave a function idle that waits for others; too many only queue up in front of one that
 * is busy: every message then takes longer, memory fills, and nothing is batched. The pacer finds
 * the number from the time that answers take. It grows while more at once does not make answers
 * slower, or while they are quick anyway; it shrinks when they take twice as long as the quickest.
 *
 * Requests that have been under way for PACER_OLD_MS do not count any more: one that hangs takes
 * nobody's place, and a function that is slow by nature gets as many as it can take.
 *
 * Pure: times are given, in microseconds. */
#ifndef FUNCTION_PACER_H
#define FUNCTION_PACER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PACER_OLD_MS = 100 };

struct pacer {
    size_t limit, most;
    size_t under_way;
    size_t old; /* of those under way */

    /* The window being measured. */
    uint64_t sum_us;
    size_t answers;
    bool was_reached; /* the limit held something back */

    uint64_t least_us; /* the quickest answer since it was last looked for; 0: none yet */
    unsigned windows;  /* since then */
};

/* At most `most` at once, also with old ones. */
void pacer_init(struct pacer *pacer, size_t most);

/* How many may be under way now, old ones included. */
size_t pacer_allowed(const struct pacer *pacer);

void pacer_sent(struct pacer *pacer);
void pacer_grew_old(struct pacer *pacer); /* one that is under way has become old */
void pacer_answered(struct pacer *pacer, uint64_t took_us, bool was_old);

#endif
