/* run.h - one invocation of a remote function, from its bytes to its reply, and the operations that
 * the function began meanwhile.
 *
 *     run_begin ──▶ RUN_DONE                                ──▶ run_reply ──▶ run_release
 *          ├──────▶ RUN_WAITS ──▶ on_ended ──▶ run_finish   ──▶ run_reply ──▶ run_release
 *          │            └───────▶ run_leave (nobody wants the reply any more)
 *          └──────▶ RUN_FAILED                                           ──▶ run_release
 *
 * A run belongs to one thread at a time; its operations end on any. They may end after nobody
 * waits for them any more (the function has failed, the client has gone): the last one then frees
 * what is left of the run. */
#ifndef SERVE_RUN_H
#define SERVE_RUN_H

#include "serve/handler.h"

struct run;

enum run_progress { RUN_DONE, RUN_WAITS, RUN_FAILED };

struct run *run_new(struct sf_handler *handler);

struct run_request {
    struct bytes bytes; /* a ToFunction */
    uint64_t version;   /* under which states of it are kept; 0: none is */
    bool keeps;         /* the reply may say under which version those that it leaves are kept */
};

/* Calls the function. What `request` refers to must live until the run is released, or left.
 * RUN_WAITS: `on_ended` will be called, once, when the last operation has ended, on the thread that
 * ended it, perhaps before this returns; it must not block, nor call the run. RUN_FAILED: the
 * status is that of sf_handle, or SF_CONFLICT: states are not kept that should be. */
enum run_progress run_begin(struct run *run, const struct run_request *request,
                            void (*on_ended)(void *owner), void *owner, struct sf_status *status);

/* After on_ended: the results become messages of the reply. */
void run_finish(struct run *run);

/* Instead of on_ended, for a thread that may block: waits for it. Give NULL as `on_ended`. */
void run_wait(struct run *run);

/* The reply; lives until the run is used again, or released. */
const struct from_function *run_reply(const struct run *run);

/* Nobody waits for on_ended any more. True: it will not be called, and the run is gone. False: it
 * has been called: all goes on from there. */
bool run_leave(struct run *run);

/* Of struct batch_world, for the batch of a run. */
struct sf_async *run_begin_operation(void *owner, struct batch *batch, struct bytes metadata);

/* Gives the run back. True: it may be used for another request; false: it is gone. */
bool run_recycle(struct run *run);
void run_release(struct run *run); /* NULL is fine */

#endif
