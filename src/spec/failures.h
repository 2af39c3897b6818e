/* failures.h - `failures`: what becomes of messages that a function fails on. */
#ifndef SPEC_FAILURES_H
#define SPEC_FAILURES_H

#include "spec/reader.h"

/* Reads one into a struct failures_spec. */
bool failures_read(struct reader *reader, const struct property *property,
                   const struct yaml_node *node, void *to);

#endif
