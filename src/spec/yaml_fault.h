/* yaml_fault.h - tells where and why bytes are not YAML, in words that help to mend them. */
#ifndef SPEC_YAML_FAULT_H
#define SPEC_YAML_FAULT_H

#include "base/bytes.h"
#include "spec/diagnostics.h"

#include <yaml.h>

/* After a call of `parser` has failed. */
void yaml_fault_report(const yaml_parser_t *parser, const char *file, struct bytes bytes,
                       struct diagnostics *diagnostics);

#endif
