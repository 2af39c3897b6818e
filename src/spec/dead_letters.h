/* dead_letters.h - `deadLetters` of an egress, whatever its kind. */
#ifndef SPEC_DEAD_LETTERS_H
#define SPEC_DEAD_LETTERS_H

#include "spec/reader.h"

/* What the properties of the object write; an egress has its own name and rule for `to`. */
struct dead_letters_draft {
    char *to;
    bool keeps;
    int format;
};

bool dead_letters_read(struct reader *reader, const char *key, const struct yaml_node *node,
                       const struct property *properties, size_t count, const char *expected,
                       struct dead_letters_spec *ret_letters);

/* Where they, or `invalidRecordHandling`, do not belong: for misplaced_read. */
extern const char dead_letters_misplaced[], handling_misplaced[];

/* One egress gets them all: false, with a report, if another one does already. */
bool dead_letters_check(struct reader *reader, const struct dead_letters_spec *letters);

#endif
