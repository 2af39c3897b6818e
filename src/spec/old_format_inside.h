/* old_format_inside.h - what the old formats share: a module is lists of elements, each with `meta`
 * and `spec`, and each list has its way from an element to a component. */
#ifndef SPEC_OLD_FORMAT_INSIDE_H
#define SPEC_OLD_FORMAT_INSIDE_H

#include "spec/old_format.h"

struct element {
    struct spec_place place;
    const struct yaml_node *meta, *spec;
    const struct yaml_node *kind, *type, *id; /* of meta: scalars that are not empty */
};

/* What `meta` must hold. */
enum { META_KIND = 1, META_TYPE = 2, META_ID = 4 };

/* One list in the spec of a module. Each of its elements is an object with one key, `item`. */
struct section {
    const char *list, *item;
    const char *noun; /* what messages call an element */
    unsigned meta;
    bool (*translate)(struct reader *reader, const struct section *section,
                      const struct element *element, struct translation *translation);
};

/* Both end with one whose list is NULL. */
extern const struct section format_3_0_sections[];
extern const struct section format_2_sections[];

/* An object with room for `count` entries, and none yet; and text that nobody wrote. */
struct yaml_node *object_new(struct reader *reader, const struct spec_place *place, size_t count);
void object_put(struct yaml_node *object, const char *key, const struct yaml_node *value);
const struct yaml_node *text_new(struct reader *reader, const struct spec_place *place,
                                 const char *text);

/* Copies `spec` with the id of `meta` in front, which overwrites one that stands there. */
struct yaml_node *spec_with_id(struct reader *reader, const struct element *element);

/* Adds a component; `remarks` is taken over. */
void translation_add(struct reader *reader, struct translation *translation,
                     const struct element *element, const struct yaml_node *kind,
                     const struct yaml_node *spec, struct buffer *remarks);

#endif
