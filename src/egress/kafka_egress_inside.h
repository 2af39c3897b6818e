/* kafka_egress_inside.h - what the files of the Kafka egress share. For them only.
 *
 *     kafka_egress.c    its life: what its thread does, ending
 *     kafka_producer.c  a client that may send: configured, its predecessor fenced; and its errors
 *     kafka_delivered.c how far it was delivered: the group's offset
 *     kafka_topics.c    topics, looked up before records go there
 *     kafka_batch.c     one batch, tried until it is delivered
 *     kafka_transaction.c  one transaction
 *     kafka_check.c     for `statefun check --connect`
 *
 * All of it runs on the egress's thread, except where it says otherwise. A call that waits for
 * brokers does so in short turns and looks between them whether the egress has to end. */
#ifndef EGRESS_KAFKA_EGRESS_INSIDE_H
#define EGRESS_KAFKA_EGRESS_INSIDE_H

#include "base/map.h"
#include "base/mem.h"
#include "egress/egress_thread.h"
#include "egress/kafka_egress.h"
#include "kafka/client.h"

enum { KAFKA_TURN_MS = 100 };

/* --- topics --- */

enum kafka_topic_state {
    TOPIC_NEW,     /* not looked up yet, or not there any more */
    TOPIC_READY,   /* it has partitions */
    TOPIC_MISSING, /* it was waited for in vain, and is looked up again for each batch */
    TOPIC_REFUSED  /* no topic can have that name */
};

struct kafka_topic {
    struct map_node node;
    char *name;
    rd_kafka_topic_t *handle;
    enum kafka_topic_state state;
    /* A run: records that may reach the broker in one message set. */
    size_t run_bytes, run_count;
    size_t run_bytes_max; /* 0: as librdkafka likes */
    bool run_was_too_large;
};

/* --- a batch --- */

enum kafka_fate {
    FATE_SEND,
    FATE_ALONE, /* it may be what its broker refused: it goes in a run of its own */
    FATE_DEAD
};

struct kafka_item {
    struct kafka_topic *topic;
    struct bytes key, value;
    bool has_key, has_value;
    struct bytes headers; /* for kafka_header_next */
    size_t size;          /* about what it takes in a message set */
    enum kafka_fate fate;
};

enum kafka_outcome {
    OUTCOME_DELIVERED,
    OUTCOME_AGAIN,       /* nothing of it counts: at once or after a pause, as its errors say */
    OUTCOME_LOST_CLIENT, /* the same, and the client is of no use any more */
    OUTCOME_ENDED        /* the egress has to end */
};

struct kafka_attempt {
    struct outbox_batch *batch;
    struct kafka_item *items; /* one for each record */
    size_t capacity;
    size_t alive; /* not dead */
    bool faulted; /* a record of it was refused */
    bool failed;  /* one was not delivered for another reason: `error` */
    size_t first_failed;
    rd_kafka_resp_err_t error;
    uint64_t began_us;
};

/* --- the egress --- */

/* Of transactions. */
struct kafka_pace {
    uint64_t gap_us;   /* from the end of one to the beginning of the next */
    uint64_t usual_us; /* that it takes to send an offset; 0: not known yet */
};

struct kafka_egress {
    struct kafka_egress_options options;
    const struct kafka_egress_spec *spec;
    char *id, *transactional_id, *group;
    struct kafka_outage outage;

    rd_kafka_t *client; /* NULL between two */
    bool is_ready;      /* it may send */
    rd_kafka_consumer_group_metadata_t *group_metadata;
    rd_kafka_t *reader; /* asks for the group's offsets; NULL until it is needed */
    struct kafka_outage reader_outage;
    char *pending_topic; /* of the last offset that was sent, which may be pending; or NULL */
    bool has_begun;      /* the outbox */
    uint64_t delivered;  /* the last epoch known to be delivered */
    bool commit_unclear; /* a commit's answer was lost: `delivered` must be read again */
    struct map topics;
    size_t useless_topics; /* missing or refused */
    struct kafka_attempt attempt;
    uint64_t transaction_us; /* when the open one began; 0: none is open */
    uint64_t committed_us;   /* when the last one ended */
    struct kafka_pace pace;
    rd_kafka_resp_err_t complaint; /* what was logged last, so that it is said once */

    struct egress_thread thread;
    struct egress_figures figures; /* under the thread's lock */
};

/* kafka_egress.c */
bool kafka_egress_must_end(struct kafka_egress *egress);
void kafka_egress_pause(struct kafka_egress *egress, uint64_t ms); /* shorter if it must end */
void kafka_egress_fatal(struct kafka_egress *egress, const struct sf_status *status);
/* Something that waiting may mend, logged once in a row. */
void kafka_egress_complain(struct kafka_egress *egress, rd_kafka_resp_err_t error, const char *what,
                           const char *subject);
void kafka_egress_content(struct kafka_egress *egress); /* things work */

/* kafka_producer.c */
SF_CHECK bool kafka_producer_conf(const struct kafka_egress *egress, struct kafka_outage *outage,
                                  rd_kafka_conf_t **ret_conf, struct sf_status *status);
SF_CHECK bool kafka_producer_make(struct kafka_egress *egress, struct sf_status *status);
/* Brings the client to where it may send: makes one if there is none, fences the predecessor, reads
 * what was delivered. False if the egress has to end. */
SF_CHECK bool kafka_producer_ready(struct kafka_egress *egress);
void kafka_producer_drop(struct kafka_egress *egress, uint64_t timeout_ms);
/* Serves delivery reports and the library's callbacks. */
void kafka_producer_serve(struct kafka_egress *egress, int timeout_ms);
/* Says whether the error is the end of the egress, and then ends it: fenced by somebody else. */
bool kafka_producer_is_fenced(struct kafka_egress *egress, rd_kafka_resp_err_t error,
                              const char *reason);

/* kafka_delivered.c: false if the egress has to end. */
SF_CHECK bool kafka_delivered_read(struct kafka_egress *egress, uint64_t *ret_epoch);
/* Waits until the last offset that was sent is not pending any more: then another may be. */
SF_CHECK bool kafka_delivered_settle(struct kafka_egress *egress);
void kafka_delivered_close(struct kafka_egress *egress);

/* kafka_topics.c */
struct kafka_topic *kafka_topic_of(struct kafka_egress *egress, struct bytes name);
/* Waits until it is ready, missing or refused. False if the egress has to end. */
SF_CHECK bool kafka_topic_look_up(struct kafka_egress *egress, struct kafka_topic *topic);
void kafka_topics_close(struct kafka_egress *egress);  /* before the client goes */
void kafka_topics_forget(struct kafka_egress *egress); /* none may be in use */

/* kafka_batch.c */
/* Delivers a batch, for as long as it takes. False if the egress has to end before. */
SF_CHECK bool kafka_batch_deliver(struct kafka_egress *egress, struct outbox_batch *batch);
/* Sends the records from `from` on that are alive; an outcome other than DELIVERED if that was
 * pointless or the egress has to end. */
enum kafka_outcome kafka_batch_send(struct kafka_egress *egress, size_t from);
/* Waits until no record is on its way; AGAIN if that can not be before the transaction is aborted.
 */
enum kafka_outcome kafka_batch_settle(struct kafka_egress *egress);
/* The record can never be taken, wherever and whenever it is sent. */
bool kafka_error_is_of_record(rd_kafka_resp_err_t error);
void kafka_batch_report(struct kafka_egress *egress, const rd_kafka_message_t *message);

/* kafka_transaction.c */
enum kafka_outcome kafka_transaction_try(struct kafka_egress *egress);
/* One is open, and nothing but an abort will do. */
bool kafka_transaction_is_spoilt(struct kafka_egress *egress);
/* When the next one may begin. */
uint64_t kafka_transaction_due_us(const struct kafka_egress *egress);

#endif
