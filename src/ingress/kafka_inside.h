/* kafka_inside.h - what the parts of a Kafka ingress know of each other, and nobody else.
 *
 *     kafka_ingress.c   opens, stops, closes; the client and its settings
 *     kafka_control.c   the control's thread: finds partitions and hands them out
 *     kafka_group.c     the consumer group: read at the beginning, told offsets later
 *     kafka_start.c     where a partition begins
 *     kafka_lane.c      a worker's share: records into its engine
 *     kafka_record.c    a record as a message
 *     kafka_id.c        ids out of bytes that are no text */
#ifndef INGRESS_KAFKA_INSIDE_H
#define INGRESS_KAFKA_INSIDE_H

#include "base/list.h"
#include "ingress/kafka_ingress.h"
#include "ingress/routers.h"
#include "kafka/client.h"

#include <pthread.h>

enum { KAFKA_PARTITIONS_MAX = 1000000 }; /* of a topic: beyond it a broker talks nonsense */

/* --- topics and their partitions --- */

struct kafka_topic {
    const struct kafka_topic_spec *spec;
    rd_kafka_topic_t *handle;

    /* For the lanes, made once. */
    struct record_target *targets; /* spec->target_count of them */
    struct buffer targets_text;    /* "ns/name, ns/name", for dead letters */
    struct buffer argument_head;   /* of a TypedValue: all but its value */
    size_t id_bytes_max;           /* with more no address can be made for one of the targets */

    /* Of the control's thread. */
    struct kafka_feed **feeds; /* by partition; NULL: not handed out yet */
    int32_t feed_count;
    int32_t first_count;            /* partitions it had when it was first found; -1: not yet */
    unsigned missed;                /* how often it was looked for in vain, in a row */
    rd_kafka_resp_err_t last_error; /* said already */
};

/* A partition that was handed out: where lane and control meet. Lives as long as the ingress. */
struct kafka_feed {
    struct kafka_topic *topic;
    int32_t partition;
    uint32_t worker;

    atomic_int_least64_t durable; /* the lane's word: records before it are; -1: none yet */
    atomic_int_least64_t pass;    /* an operator's: the record before it is to be passed; 0 */
    atomic_bool is_reread;        /* an operator's: what is in hand is to be read again */
    int64_t told;                 /* to the group, by the control; -1: nothing */

    /* What the lane asks of the control, under the ingress's lock. */
    struct list reset; /* in kafka_ingress.resets: for a position that exists */
    int64_t wanted;
    bool is_operators; /* who asks for it to be read again wants whatever there is behind it */
    struct list nudge; /* in kafka_ingress.nudges */
};

struct kafka_partition {
    struct kafka_feed *feed;
    int64_t offset;
    bool is_reset; /* the lane reads it already, and goes on here instead */
};

/* --- the ingress --- */

struct kafka_ingress {
    const struct kafka_ingress_spec *spec;
    struct kafka_ingress_options options; /* its positions are ours */
    char *id;
    struct kafka_outage outage;
    struct kafka_topic *topics; /* one for each of the spec */
    rd_kafka_t *client;         /* made anew, if at all, before the first partition goes out */
    size_t client_partitions;   /* what its memory is sized for */
    bool wants_nudges;          /* its broker threads oversleep: kafka_control_nudge */
    size_t queue_bytes, queue_records; /* of a partition: it fetches while less is there */
    struct kafka_feed **all;           /* every partition that was handed out */
    size_t all_count;

    pthread_t thread;
    bool has_thread;
    pthread_mutex_t lock;
    bool is_stopped;           /* under lock */
    struct kafka_halt halt;    /* under lock; without a cause: it has not halted */
    struct kafka_feed *halted; /* under lock: at this partition */
    int64_t halted_offset;     /* under lock */
    struct list resets;        /* of kafka_feed.reset, under lock */
    struct list nudges;        /* of kafka_feed.nudge, under lock */
    pthread_cond_t wake;       /* the control: something of the above has changed */
    atomic_bool is_halted;     /* by a record that it must not go past: no lane reads */

    struct kafka_group { /* of the control's thread */
        bool is_there;   /* its coordinator has answered, and no outage came since */
        bool is_told;    /* offsets are on their way */
        bool has_failed; /* and it was said */
        uint64_t next_ms;
    } group;
};

/* What the client may keep in memory for one partition, and fetch at once. */
struct kafka_budget {
    int64_t queued_kbytes, queued_messages, partition_fetch_bytes, fetch_bytes;
};
struct kafka_budget kafka_budget_for(size_t memory_bytes, size_t partitions);

/* Replaces the client, and with it the topics' handles. No partition may have been handed out. */
SF_CHECK bool kafka_ingress_connect(struct kafka_ingress *ingress, size_t partitions,
                                    struct sf_status *status);

/* --- control --- */

void *kafka_control_run(void *ingress);                       /* pthread's start routine */
bool kafka_ingress_is_stopped(struct kafka_ingress *ingress); /* any thread */

/* A lane: `feed` cannot be read where it was wanted. A partition with is_reset follows. */
void kafka_control_ask_reset(struct kafka_ingress *ingress, struct kafka_feed *feed,
                             int64_t wanted);

/* A lane: librdkafka may have stopped fetching `feed` since its queue was full, and now there is
 * room. Before 2.2 it would notice within a second, whatever its queue holds. */
void kafka_control_nudge(struct kafka_ingress *ingress, struct kafka_feed *feed);

/* --- the consumer group: all on the control's thread --- */

/* Replaces the offsets of `list` by those that the group has committed (negative: none). Blocks for
 * a few seconds at most. */
rd_kafka_resp_err_t kafka_group_ask(struct kafka_ingress *ingress,
                                    rd_kafka_topic_partition_list_t *list);

/* Tells it what has become durable, about once a second; call as often as you like. */
void kafka_group_tell(struct kafka_ingress *ingress);
void kafka_group_leave(struct kafka_ingress *ingress); /* before the client goes */

/* For the client's configuration: the callback, and how long a commit waits for a coordinator that
 * has gone. */
void kafka_group_on_told(rd_kafka_t *client, rd_kafka_resp_err_t error,
                         rd_kafka_topic_partition_list_t *offsets, void *outage);
#define KAFKA_GROUP_PATIENCE_MS "2000"

/* --- where a partition begins --- */

enum kafka_begin {
    KAFKA_BEGIN_AT,
    KAFKA_BEGIN_EARLIEST,
    KAFKA_BEGIN_LATEST,
    KAFKA_BEGIN_GROUP,
    KAFKA_BEGIN_DATE
};

struct kafka_start_point {
    enum kafka_begin begin;
    int64_t offset; /* of BEGIN_AT */
};

/* `is_late`: the partition was not there when the ingress first found its topic. */
struct kafka_start_point kafka_start_point_of(const struct kafka_ingress_options *options,
                                              const char *topic, int32_t partition, bool is_late);

/* A partition to be handed out. */
struct kafka_candidate {
    struct kafka_topic *topic;
    int32_t partition;
    struct kafka_start_point point; /* BEGIN_AT: it is resolved */
};

/* Asks the brokers where the points are; those that they do not know yet stay as they are. Returns
 * the last error met, if any. Blocks for a few seconds at most. */
rd_kafka_resp_err_t kafka_start_resolve(struct kafka_ingress *ingress,
                                        struct kafka_candidate *candidates, size_t count);

/* --- records --- */

/* A lane: there is a record of `feed`, at `offset`, that `spec->invalid` says not to go past. */
void kafka_ingress_halt(struct kafka_ingress *ingress, struct kafka_feed *feed, int64_t offset,
                        struct bytes origin, const char *cause);

/* What became of a record that was taken. */
enum kafka_fate {
    KAFKA_BECAME_MESSAGE,
    KAFKA_BECAME_DEAD_LETTER,
    KAFKA_SKIPPED,
    KAFKA_FORWARDED,
    KAFKA_HALTS, /* ... or was not, and will not be until an operator says so */
    KAFKA_FATES
};

/* What a lane keeps to offer records without allocating. */
struct kafka_offer {
    struct kafka_ingress *ingress;
    struct source *source;
    struct kafka_feed *feed;
    const struct kafka_topic *topic; /* the feed's */
    struct routers *routers;
    bool forwards_headers;
    struct buffer *argument; /* begins with topic->argument_head */
    struct buffer *id;       /* for keys that are no text */
    struct buffer *origin;   /* begins with origin_head bytes: "topic T partition P offset " */
    size_t origin_head;
};

/* Offers a record that has no error. `ret_fate` counts when it is ACCEPTED; KAFKA_HALTS comes with
 * REFUSED. */
enum acceptance kafka_record_offer(struct engine *engine, const struct kafka_offer *offer,
                                   const rd_kafka_message_t *message, enum kafka_fate *ret_fate);

/* Appends `bytes` as text the way Java does: what is not UTF-8 becomes U+FFFD. */
void kafka_id_add(struct buffer *text, struct bytes bytes);

#endif
