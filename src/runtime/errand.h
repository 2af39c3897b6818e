/* errand.h - a letter that knows what it wants done on the thread that receives it.
 *
 * The runtime room builds all the others and connects them: workers, committer, admin. It may
 * include every room but serve, harness and cli. Each of its threads is a loop with an inbox;
 * whoever wants something of another thread sends it an errand. */
#ifndef RUNTIME_ERRAND_H
#define RUNTIME_ERRAND_H

#include "base/mem.h"
#include "loop/inbox.h"

/* Put first into what is sent. `run` is called once on the receiving thread, with the owner of its
 * inbox; the errand is its own from then on, usually to free. */
struct errand {
    struct letter letter;
    void (*run)(struct errand *errand, void *owner);
};

static inline void errand_send(struct inbox *inbox, struct errand *errand)
{
    struct letters letters = {0};
    letters_add(&letters, &errand->letter);
    inbox_put(inbox, &letters);
}

/* Runs all that have come. */
static inline void errands_run(struct inbox *inbox, void *owner)
{
    struct letters letters = inbox_take(inbox);
    for (struct letter *letter; (letter = letters_take(&letters));) {
        struct errand *errand = container_of(letter, struct errand, letter);
        errand->run(errand, owner);
    }
}

#endif
