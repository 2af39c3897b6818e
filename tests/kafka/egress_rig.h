/* egress_rig.h - a Kafka egress with its outbox and a store in memory, and readers of topics. */
#ifndef TESTS_KAFKA_EGRESS_RIG_H
#define TESTS_KAFKA_EGRESS_RIG_H

#include "egress/kafka_egress.h"
#include "egress/stored.h"

#include <librdkafka/rdkafka.h>

/* A life of the application: what it committed and what it was told. */
struct rig {
    struct kafka_egress_spec spec;
    struct client_property properties[4];
    const char *application, *store_id;
    size_t memory_bytes_max;
    uint64_t dead_takes_ms; /* how long on_dead lasts */

    struct stored *stored; /* stays when the egress is closed */
    struct outbox *outbox;
    struct kafka_egress *egress;
    uint64_t committed; /* the last epoch */
    size_t records;     /* committed in all */

    pthread_mutex_t lock; /* of what the egress tells */
    uint64_t confirmed, first_confirmed;
    char *causes[64]; /* of dead letters */
    size_t dead;
    bool is_hungry;
    unsigned hungry_changes;
    struct sf_status fatal; /* code SF_OK: none */
};

struct rig *rig_new(enum kafka_delivery delivery, const char *address);
void rig_free(struct rig *rig);

void rig_start(struct rig *rig);
void rig_stop(struct rig *rig); /* at once; rig_start goes on with what the store holds */

/* Commits one epoch with one record; `key` may be empty. */
void rig_put(struct rig *rig, const char *topic, const char *key, struct bytes value);
void rig_put_text(struct rig *rig, const char *topic, const char *key, const char *value);
/* The same with headers: pairs of name and value, which end with NULL. */
void rig_put_with_headers(struct rig *rig, const char *topic, const char *value,
                          const char *const *headers);
/* Commits one epoch with `count` records "<number>", counted through, keys by number % keys. */
void rig_put_numbers(struct rig *rig, const char *topic, size_t count, unsigned keys);

/* All wait, and fail the test when it takes too long. */
void rig_wait_confirmed(struct rig *rig, uint64_t epoch);
void rig_wait_dead(struct rig *rig, size_t count);
void rig_wait_fatal(struct rig *rig);
void rig_wait_hungry(struct rig *rig);
void rig_wait_all(struct rig *rig); /* until all that was committed is confirmed */

/* --- what consumers see --- */

struct seen {
    char *value;
    char *headers; /* "name=value name=value" */
    int32_t partition;
};

struct topic_view {
    struct seen *records; /* of each partition in order */
    size_t count;
};

/* Reads all that is committed in a topic. */
void topic_read(const char *address, const char *topic, struct topic_view *ret_view);
void topic_view_free(struct topic_view *view);

/* Fails unless the topic holds just the numbers [0, count), each once, those of a key in order. */
void expect_numbers(const char *address, const char *topic, size_t count, unsigned keys);
/* Fails unless the values of partition 0 are these, in this order, blanks between them. */
void expect_texts(const char *address, const char *topic, const char *texts);

/* `settings`: "name=value" each, up to a NULL; may be NULL. */
void topic_create(const char *address, const char *topic, int partitions,
                  const char *const *settings);

/* --- a broker of one's own --- */

struct own_broker {
    char directory[64];
    char address[64];
};
/* `settings`: arguments of tools/kafka-broker, such as "--set a=b"; or "". */
void own_broker_start(struct own_broker *broker, const char *settings);
void own_broker_do(struct own_broker *broker, const char *command); /* stop, kill, start */
void own_broker_end(struct own_broker *broker);
void own_broker_clean(void); /* ends the one that a failed test has left; there is one at most */

uint64_t now_ms(void);

#endif
