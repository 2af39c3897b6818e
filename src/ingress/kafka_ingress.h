/* kafka_ingress.h - io.statefun.kafka.v1/ingress: records of topics, with their offsets in the
 * epochs.
 *
 * The ingress room brings records to engines. It may include net, loop, spec, engine, wire and
 * base.
 *
 * Partitions are assigned by hand and never through a consumer group: where to go on is a matter of
 * the committed epochs alone (module-yaml.md 5, runtime.md 6). A thread of the ingress's own, its
 * control, talks to the brokers: it finds partitions (also ones that are added later), resolves
 * where a new one begins, and tells the consumer group how far the durable epochs are, for
 * monitoring. Each partition is then read by one worker, in a lane: on that worker's loop, straight
 * into its engine. A record that is refused for want of room stays in hand, and only its partition
 * waits.
 *
 * Record to message: key = id of every target, value = value of a typed value of the topic's
 * valueType, no caller. A record without key or value, or with a key too long, cannot become a
 * message: unless its spec says otherwise it is set aside as a dead letter and the stream goes on.
 * Brokers that are away are waited for, however long, and said
 * so once. */
#ifndef INGRESS_KAFKA_INGRESS_H
#define INGRESS_KAFKA_INGRESS_H

#include "engine/engine.h"
#include "loop/loop.h"
#include "spec/application.h"

struct registry;
struct routers;
struct kafka_ingress;
struct kafka_partition; /* on its way from the control to a lane */
struct kafka_lane;

/* Where a partition goes on: from the store. */
struct kafka_position {
    char *topic;
    int32_t partition;
    int64_t offset; /* of the next record */
};

/* Reads what the store holds for a partition of an ingress (KEY_POSITION: the partition's name and
 * the position). `ret_position->topic` is for free(). False if it is none of this ingress's making.
 */
SF_CHECK bool kafka_position_parse(struct bytes name, struct bytes value,
                                   struct kafka_position *ret_position, struct sf_status *status);

struct kafka_ingress_options {
    const struct kafka_ingress_spec *spec; /* must outlive the ingress */
    const struct registry *registry;       /* of routers: they get its records, too; or NULL */
    uint32_t workers;
    size_t memory_bytes; /* of records that were fetched and not accepted yet, about */
    const struct kafka_position *positions; /* copied */
    size_t position_count;
    void *owner;
    /* The control's thread: the partition is to be read by `worker`; carry it there and call
     * kafka_lane_add, or kafka_partition_free if it is too late. */
    void (*on_partition)(void *owner, uint32_t worker, struct kafka_partition *partition);
};

/* Does not wait for brokers. False if the client properties make no sense (the message names the
 * property, never a secret). */
SF_CHECK bool kafka_ingress_open(const struct kafka_ingress_options *options,
                                 struct kafka_ingress **ret_ingress, struct sf_status *status);

/* No partitions are handed out any more and no offsets told; then lanes may be freed. */
void kafka_ingress_stop(struct kafka_ingress *ingress);

/* After kafka_ingress_stop and after all its lanes are gone. Takes at most a few seconds whatever
 * the brokers do. NULL is fine. */
void kafka_ingress_close(struct kafka_ingress *ingress);

void kafka_partition_free(struct kafka_partition *partition);

/* One worker's share of an ingress; all on the worker's thread. */
struct kafka_lane *kafka_lane_new(struct kafka_ingress *ingress, struct loop *loop,
                                  struct engine *engine);
void kafka_lane_add(struct kafka_lane *lane, struct kafka_partition *partition);
void kafka_lane_room(struct kafka_lane *lane); /* ports.room: offer again what was refused */
/* The epoch is durable: offsets may be told. */
void kafka_lane_committed(struct kafka_lane *lane, uint64_t epoch);
void kafka_lane_stop(struct kafka_lane *lane); /* accepts no more records */
void kafka_lane_free(struct kafka_lane *lane); /* NULL is fine */

struct kafka_lane_figures {
    const char *topic;
    int32_t partition;
    uint64_t records, bytes;
    uint64_t invalid;            /* records that could not become messages, and were passed: */
    uint64_t skipped, forwarded; /* so many of them so, the others as dead letters */
    bool has_halted;
    int64_t position;       /* of the next record to accept; -1: none yet */
    int64_t high_watermark; /* of the partition, as far as known; -1: not known */
    bool waits_for_room;
};
void kafka_lane_each(const struct kafka_lane *lane,
                     void (*visit)(void *owner, const struct kafka_lane_figures *figures),
                     void *owner);
const struct routers *kafka_lane_routers(const struct kafka_lane *lane);

/* Where, why and when an ingress has stopped by itself, at a record that it must not go past. */
struct kafka_halt {
    char *origin; /* "topic T partition P offset O" */
    char *cause;
    uint64_t time_ms; /* since 1970 */
};
void kafka_halt_destroy(struct kafka_halt *halt);

/* Any thread. True if it has; then `ret_halt` is the caller's. */
bool kafka_ingress_has_halted(struct kafka_ingress *ingress, struct kafka_halt *ret_halt);

/* Any thread. Ends that, if it has; `ret_halt` says at which record it was. That is read again or,
 * if `skips`, passed over as a dead letter. Then call kafka_lane_resume for each of its lanes. */
bool kafka_ingress_resume(struct kafka_ingress *ingress, bool skips, struct kafka_halt *ret_halt);

/* The ingress was resumed: the lane goes on. False if a record that is to be passed over is not
 * yet, as there is no room for its letter (or the lane was stopped); it is, when there is. */
bool kafka_lane_resume(struct kafka_lane *lane);

/* For `statefun check --connect`: false says which broker or topic cannot be reached or found. */
bool kafka_ingress_check(const struct kafka_ingress_spec *spec, uint64_t timeout_ms,
                         struct sf_status *status);

#endif
