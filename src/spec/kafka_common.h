/* kafka_common.h - what the Kafka ingress and egress read in the same way. */
#ifndef SPEC_KAFKA_COMMON_H
#define SPEC_KAFKA_COMMON_H

#include "spec/reader.h"

property_read kafka_address_read; /* char *: host:port, separated by commas */
property_read kafka_topic_read;   /* char *: a name that Kafka allows */

/* What is wrong with a list of brokers: NULL if nothing is, otherwise what was expected. */
const char *kafka_address_fault(const char *address);

#endif
