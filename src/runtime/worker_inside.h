/* worker_inside.h - a worker's parts, for the files that make it up:
 *
 *     worker           ports, turns, life
 *     worker_errands   what others want of it
 *     worker_figures   copies of what it counts */
#ifndef RUNTIME_WORKER_INSIDE_H
#define RUNTIME_WORKER_INSIDE_H

#include "runtime/reporter.h"
#include "runtime/worker.h"

#include <pthread.h>
#include <semaphore.h>

struct parcel;

struct worker {
    struct worker_options options;
    uint32_t number;
    struct loop *loop;
    struct inbox *inbox;
    pthread_t thread;

    struct engine *engine;
    struct remote *remote;
    struct embedded *embedded;   /* NULL: there are no embedded modules, */
    struct operation_desk *desk; /* nor asynchronous operations */
    struct http_ingress *http;
    struct kafka_lane **lanes;
    struct kinesis_lane **shard_lanes;
    struct module_lane **module_lanes;
    struct loop_timer timer; /* when the engine wants to know the time */
    size_t pace;             /* messages to embedded functions in a turn */
    struct loop_timer hurry; /* set while the store was asked not long ago */
    bool hurries;            /* ... and is to be asked again then */
    enum view_part hurried_part;
    struct parcel **parcels;  /* by destination */
    bool got_parcel;          /* in this turn */
    struct load_batch *loads; /* gathered in this turn; NULL: none */
    struct reporter reporter;
    bool has_room; /* refused records may be offered again */
    bool stopped_input;

    uint64_t wished_epoch; /* what the committer was told last */
    enum want wished_want;
    uint64_t wished_egresses;

    sem_t *turn_waiter; /* somebody waits for the end of this turn */
    _Atomic uint64_t busy, turns;
};

/* To the front. */
void worker_send_answer(struct worker *worker, struct state_answer *answer);

#endif
