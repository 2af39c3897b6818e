/* component.h - one document of a module file: a component, with `kind` and `spec` (module-yaml.md
 * 2). */
#ifndef SPEC_COMPONENT_H
#define SPEC_COMPONENT_H

#include "spec/reader.h"

/* What was meant to be there, whether it is right or not: nothing is reported as missing that is
 * only broken. */
struct component_tally {
    size_t endpoints, ingresses;
    bool is_unsure; /* there is something of which it is not known what it was meant to be */
};

/* Reads all documents of one file into the application. */
void components_read(struct reader *reader, const struct yaml_stream *stream,
                     struct component_tally *tally);

/* The readers of the kinds: `spec` is an object. What is right is added to the application. */
void endpoint_v1_read(struct reader *reader, const struct yaml_node *spec);
void endpoint_v2_read(struct reader *reader, const struct yaml_node *spec);
void embedded_functions_read(struct reader *reader, const struct yaml_node *spec);
void kafka_ingress_read(struct reader *reader, const struct yaml_node *spec);
void kafka_egress_read(struct reader *reader, const struct yaml_node *spec);
void kinesis_ingress_read(struct reader *reader, const struct yaml_node *spec);
void kinesis_egress_read(struct reader *reader, const struct yaml_node *spec);
void playground_ingress_read(struct reader *reader, const struct yaml_node *spec);
void playground_egress_read(struct reader *reader, const struct yaml_node *spec);

#endif
