/* dead_stopped.h - dead letters of a data directory that no runtime uses: taken up by hand.
 *
 * What is sent again is written where the next start finds it: into a mailbox or an outbox, in one
 * commit with the letter's removal. Which functions and egresses there are is not known here, so
 * what an egress has to judge first stays, and a message for a function that is still not served
 * waits in its mailbox until it is. */
#ifndef RUNTIME_DEAD_STOPPED_H
#define RUNTIME_DEAD_STOPPED_H

#include "engine/ports.h"
#include "runtime/dead_letters.h"

/* Replays or discards one page of letters. `ret_answer` is what the admin listener would have said
 * (docs/http.md). False if the store cannot be written: then nothing was done. */
SF_CHECK bool dead_stopped_take(struct store *store, enum dead_action action,
                                const struct dead_filter *filter, size_t letters_max,
                                json_t **ret_answer, struct sf_status *status);

#endif
