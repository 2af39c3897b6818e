/* yaml_writer.h - a tree as YAML text that reads back as the same tree.
 *
 * Block style, no anchors: what stands behind an alias is written where it is used. */
#ifndef SPEC_YAML_WRITER_H
#define SPEC_YAML_WRITER_H

#include "spec/yaml.h"

/* Appends an object as a document, placeholders as they were written. `hides_secrets`: values that
 * may be secret (of client properties and credentials, and URLs with a user) are left out. False
 * when the text would pass YAML_BYTES_MAX; then its end is missing. */
bool yaml_write(const struct yaml_node *object, bool hides_secrets, struct buffer *to);

/* Appends a scalar, on one line whatever it holds. */
void yaml_write_scalar(const struct yaml_node *scalar, struct buffer *to);

#endif
