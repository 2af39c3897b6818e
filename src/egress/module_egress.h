/* module_egress.h - egresses that embedded modules bind: C functions that deliver committed records
 * to wherever they want.
 *
 * Runs on a thread of its own, as `open` and `deliver` may block. It takes batches of whole epochs
 * from its outbox and confirms each when `deliver` has returned true. What fails is tried again for
 * as long as it takes, with pauses that grow; the outbox bounds the memory. A record is named by
 * its epoch and its place in it, for ever: after a crash it comes with the same name. */
#ifndef EGRESS_MODULE_EGRESS_H
#define EGRESS_MODULE_EGRESS_H

#include "egress/egress_thread.h"
#include "statefun/module.h"

struct module_egress;

struct module_egress_options {
    const struct sf_egress *egress; /* must outlive it */
    uint32_t number;                /* among the application's egresses */
    uint64_t committed;             /* the last committed epoch at the start */
    struct outbox *outbox;
    void *owner;
    /* All on the egress's thread. */
    void (*on_confirmed)(void *owner, uint32_t egress, uint64_t epoch);
    void (*on_dead)(void *owner, uint32_t egress, struct bytes record_key,
                    const struct dead_letter *letter);
    void (*on_hungry)(void *owner, uint32_t egress, bool hungry);
};

SF_CHECK bool module_egress_open(const struct module_egress_options *options,
                                 struct module_egress **ret_egress, struct sf_status *status);
void module_egress_wake(struct module_egress *egress); /* any thread (outbox_new's on_put) */
void module_egress_stop(struct module_egress *egress, uint64_t drain_ms);
void module_egress_close(struct module_egress *egress); /* NULL is fine */

void module_egress_figures(struct module_egress *egress, struct egress_figures *ret_figures);

/* egress_binding.accept: keeps the whole TypedValue, so that the record's type is known. */
bool module_egress_accept(struct bytes argument, struct bytes *ret_record,
                          struct sf_status *status);

#endif
