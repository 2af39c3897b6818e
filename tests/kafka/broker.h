/* broker.h - the broker that STATEFUN_KAFKA names, as tests use it. All calls wait until it is
 * done, and fail the test if it cannot be done. */
#ifndef TESTS_KAFKA_BROKER_H
#define TESTS_KAFKA_BROKER_H

#include "base/bytes.h"

enum { BROKER_SKIPPED = 77 };

/* host:port; NULL if there is no broker: then main returns BROKER_SKIPPED. */
const char *broker_address(void);

/* A name that no other run has used, valid until the fourth call after this one. */
const char *broker_new_name(const char *stem);

void broker_create_topic(const char *topic, int partitions);
void broker_add_partitions(const char *topic, int partitions); /* so many in all */
void broker_delete_topic(const char *topic);

/* Removes the records before `offset`. */
void broker_trim_topic(const char *topic, int32_t partition, int64_t offset);

/* Appends a record; `data` NULL is a null. `time_ms` 0: now. */
void broker_produce(const char *topic, int32_t partition, struct bytes key, struct bytes value,
                    int64_t time_ms);
struct broker_header {
    const char *name, *value; /* a value of NULL is a null */
};
void broker_produce_with_headers(const char *topic, const char *key, const char *value,
                                 const struct broker_header *headers, size_t count);
void broker_flush(void);

/* A consumer group's committed offset; negative if there is none. */
int64_t broker_group_offset(const char *group, const char *topic, int32_t partition);
void broker_set_group_offset(const char *group, const char *topic, int32_t partition,
                             int64_t offset);

void broker_leave(void); /* frees what the calls above keep */

#endif
