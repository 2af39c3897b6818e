/* kafka_start.h - where a Kafka ingress begins to read: `startupPosition` (module-yaml.md 5). */
#ifndef SPEC_KAFKA_START_H
#define SPEC_KAFKA_START_H

#include "spec/reader.h"

property_read kafka_start_read; /* struct kafka_ingress_spec: start, offsets, start_date_ms */

#endif
