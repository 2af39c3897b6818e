/* kafka_properties.h - what people set on upstream's Kafka clients (Java), in the words of
 * librdkafka.
 *
 * Much is called the same. What has a twin under another name is renamed, its number brought into
 * the twin's unit and range; what cannot be honoured is reported; what the runtime decides by
 * itself is taken out. A name that Java does not know is taken for librdkafka's own and kept:
 * `kafka_knows` of struct application_options, when given, says whether it is. No value appears in
 * a report. */
#ifndef SPEC_KAFKA_PROPERTIES_H
#define SPEC_KAFKA_PROPERTIES_H

#include "spec/reader.h"

enum kafka_client { KAFKA_CONSUMER = 1, KAFKA_PRODUCER = 2 };

/* Replaces the list by what librdkafka 2.0.2 is to be given. Where its default differs from Java's
 * in what users see (isolation.level, partitioner) and nothing is set, Java's is added, at `place`.
 * False if something that cannot be left out cannot be mapped: security. */
bool kafka_properties_map(struct reader *reader, enum kafka_client client,
                          struct property_list *list, const struct spec_place *place);

#endif
