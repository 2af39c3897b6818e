/* old_format.h - the formats before components: one document with `version` and `module`
 * (module-yaml.md 11).
 *
 * Such a document is translated into components as a user would write them today, whose values keep
 * the places where they really stand; what reads components then reads these, and says what is
 * wrong with them. */
#ifndef SPEC_OLD_FORMAT_H
#define SPEC_OLD_FORMAT_H

#include "spec/reader.h"

/* The document of a file that is of an old format, or NULL. Only a lone document is: beside others
 * `version` means nothing. */
const struct yaml_node *old_format_find(const struct yaml_stream *stream);

/* What a document became: components, in the order in which they stand there. */
struct translation {
    const struct yaml_node **components;
    size_t count;
};

/* Translates a document of an old format. False when it is of a version that is not read, or
 * something in it has no place in a component: reported; the rest is there nevertheless. */
bool old_format_translate(struct reader *reader, const struct yaml_node *document,
                          struct translation *ret_translation);

#endif
