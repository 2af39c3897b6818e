/* kinesis_ingress.h - io.statefun.kinesis.v1/ingress: records of streams, with their positions in
 * the epochs.
 *
 * A thread of the ingress's own, its control, makes all calls: it finds shards (also those that
 * come about by splitting and merging), reads them, and hands their records over in batches. Each
 * shard belongs to one worker, in a lane: there its batches go into the engine, on that worker's
 * loop. The next batch of a shard is read when the one before was accepted as a whole, so one is in
 * memory.
 *
 * Where to go on is a matter of the committed epochs alone. A shard that was split or merged is
 * read to its end first, and its children begin when that is durable: so the records of a partition
 * key stay in order. Record to message: partition key = id of every target, data = value of a typed
 * value of the stream's valueType. Whatever keeps Kinesis from answering is waited for, and said
 * once. */
#ifndef INGRESS_KINESIS_INGRESS_H
#define INGRESS_KINESIS_INGRESS_H

#include "engine/engine.h"
#include "loop/loop.h"
#include "spec/application.h"

struct registry;
struct routers;
struct kinesis_ingress;
struct kinesis_shard; /* on its way from the control to a lane; it lives as long as the ingress */
struct kinesis_lane;

/* Where a shard goes on: from the store (KEY_POSITION: "stream/shard", and one of
 *
 *     H         at its beginning
 *     L number  where it ended at that time (ms since 1970), when it was first looked at
 *     T number  at that time
 *     A text    behind the record with that sequence number
 *     E         nowhere: all of it was read */
struct kinesis_position {
    char *stream, *shard; /* one allocation: free(stream) */
    char *text;           /* for free() */
};

/* False if it is none of this ingress's making. */
SF_CHECK bool kinesis_position_parse(struct bytes name, struct bytes value,
                                     struct kinesis_position *ret_position,
                                     struct sf_status *status);

struct kinesis_ingress_options {
    const struct kinesis_ingress_spec *spec; /* must outlive the ingress */
    const struct registry *registry;         /* of routers: they get its records, too; or NULL */
    uint32_t workers;
    const struct kinesis_position *positions; /* copied */
    size_t position_count;
    void *owner;
    /* The control's thread: the shard is to be read by `worker`; carry it there and call
     * kinesis_lane_add, or drop it if it is too late. */
    void (*on_shard)(void *owner, uint32_t worker, struct kinesis_shard *shard);
};

/* Calls nobody yet. False if libcurl is not there. */
SF_CHECK bool kinesis_ingress_open(const struct kinesis_ingress_options *options,
                                   struct kinesis_ingress **ret_ingress, struct sf_status *status);
void kinesis_ingress_stop(struct kinesis_ingress *ingress);  /* then lanes may be freed */
void kinesis_ingress_close(struct kinesis_ingress *ingress); /* after its lanes. NULL is fine */

/* One worker's share of an ingress; all on the worker's thread. */
struct kinesis_lane *kinesis_lane_new(struct kinesis_ingress *ingress, struct loop *loop,
                                      struct engine *engine);
void kinesis_lane_add(struct kinesis_lane *lane, struct kinesis_shard *shard);
void kinesis_lane_room(struct kinesis_lane *lane); /* ports.room: offer what was refused */
void kinesis_lane_committed(struct kinesis_lane *lane, uint64_t epoch); /* it is durable */
void kinesis_lane_stop(struct kinesis_lane *lane); /* accepts no more records */
void kinesis_lane_free(struct kinesis_lane *lane); /* NULL is fine */

struct kinesis_lane_figures {
    const char *stream, *shard;
    uint64_t records, bytes;
    uint64_t behind_ms; /* how old what is read is, as Kinesis says */
    bool waits_for_room;
};
void kinesis_lane_each(const struct kinesis_lane *lane,
                       void (*visit)(void *owner, const struct kinesis_lane_figures *figures),
                       void *owner);
const struct routers *kinesis_lane_routers(const struct kinesis_lane *lane);

/* For `statefun check --connect`. */
SF_CHECK bool kinesis_ingress_check(const struct kinesis_ingress_spec *spec, uint64_t timeout_ms,
                                    struct sf_status *status);

#endif
