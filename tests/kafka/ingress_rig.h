/* ingress_rig.h - an ingress with one worker: a real engine on a real loop, turned by the test, and
 * a store in memory that a crash leaves as it was committed. */
#ifndef TESTS_KAFKA_INGRESS_RIG_H
#define TESTS_KAFKA_INGRESS_RIG_H

#include "engine/engine.h"
#include "ingress/kafka_ingress.h"
#include "loop/inbox.h"

/* A message as a function got it. */
struct rig_message {
    char *text; /* "namespace/name/id type=value [key=value]", with each of its metadata; without
                 * "=" if there is no value */
};

struct rig_pair {
    struct bytes key, value; /* owned */
};

struct rig {
    struct kafka_ingress_spec spec;
    struct kafka_topic_spec topics[4];
    struct spec_name targets[4];
    struct engine_limits limits;
    size_t memory_bytes;
    bool is_stuck;     /* invocations are not answered */
    bool is_silent;    /* messages are counted only */
    bool holds_epoch;  /* nothing is sealed */
    bool holds_commit; /* what is sealed is not committed */

    struct rig_message *messages; /* that were invoked, in order */
    size_t message_count;
    size_t partition_count; /* that were handed out, resets included */

    struct rig_pair *pairs; /* what is committed */
    size_t pair_count;

    /* Of one life. */
    struct loop *loop;
    struct inbox *inbox;
    struct engine *engine;
    struct kafka_ingress *ingress;
    struct kafka_lane *lane;
    struct delta *sealed;
    struct invocation **calls;
    size_t call_count;
    bool has_room;
    uint64_t turns, reports;
};

/* Reads `topic` (from the earliest record) and sends its records to test/fn. More may be set. */
void rig_init(struct rig *rig, const char *topic);
void rig_add_topic(struct rig *rig, const char *topic);
void rig_destroy(struct rig *rig);

void rig_start(struct rig *rig);
void rig_crash(struct rig *rig); /* what is not committed is lost; rig_start goes on */

void rig_turn(struct rig *rig, int wait_ms);
void rig_run(struct rig *rig, uint64_t ms);

/* Runs until so many messages were invoked since the rig was made, or fails. */
void rig_expect(struct rig *rig, size_t messages);

/* A stored position; -1 if there is none. */
int64_t rig_position(const struct rig *rig, const char *topic, int32_t partition);

/* The nth dead letter that is stored, in order; false if there is none. */
bool rig_letter(const struct rig *rig, size_t nth, struct dead_letter *ret_letter);

#endif
