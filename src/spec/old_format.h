/* old_format.h - the formats before components: one document with `version` and `module`
 * (module-yaml.md 11 and 12).
 *
 * Such a document is translated into components as a user would write them today, whose values keep
 * the places where they really stand. Those of format 3.0 are then read as all others are. Formats
 * 2.0 and 1.0 belong to functions of another protocol: theirs are only shown. */
#ifndef SPEC_OLD_FORMAT_H
#define SPEC_OLD_FORMAT_H

#include "spec/reader.h"

/* The document of a file that is of an old format, or NULL. Only a lone document is: beside others
 * `version` means nothing. */
const struct yaml_node *old_format_find(const struct yaml_stream *stream);

/* What one element became. */
struct translated {
    const struct yaml_node *component; /* an object with `kind` and `spec`; NULL: remarks alone */
    const char *remarks;               /* for whoever reads it: lines, each ended; may be NULL */
};

struct translation {
    bool is_current; /* of format 3.0 */
    struct translated *items;
    size_t count;
};

/* Translates a document of an old format. False when its version is not known, or something in it
 * has no place in a component: reported; the rest is there nevertheless. */
bool old_format_translate(struct reader *reader, const struct yaml_node *document,
                          struct translation *ret_translation);

/* Appends the components as a module file, each with its remarks above it. `hides_secrets`: values
 * that may be secret are left out. False when it would be larger than a module file may be; then
 * the end is missing. */
bool translation_write(const struct translation *translation, bool hides_secrets,
                       struct buffer *to);

#endif
