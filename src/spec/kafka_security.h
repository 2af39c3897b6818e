/* kafka_security.h - key stores, trust stores and logins of Java's clients, for librdkafka. */
#ifndef SPEC_KAFKA_SECURITY_H
#define SPEC_KAFKA_SECURITY_H

#include "spec/reader.h"

/* Adds to `result` what stands for the security properties in `written`. False, with a report, for
 * a store that only Java can read or a login that only Java can do: without them nothing would
 * work, or worse, something unsafe would. */
bool kafka_security_map(struct reader *reader, const struct property_list *written,
                        struct property_list *result);

#endif
