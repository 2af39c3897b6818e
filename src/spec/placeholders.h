/* placeholders.h - ${NAME} in a value stands for what NAME is set to; $${ stands for ${ itself. */
#ifndef SPEC_PLACEHOLDERS_H
#define SPEC_PLACEHOLDERS_H

#include "base/bytes.h"
#include "spec/application.h"

struct placeholders {
    /* NULL if there is no such name. */
    const char *(*look_up)(void *owner, const char *name);
    void *owner;
};

/* Appends `text` with its placeholders replaced; what is put in is not searched again. Returns
 * false and reports every placeholder that is malformed or has no value, at `place`. */
bool placeholders_expand(const struct placeholders *placeholders, const char *text,
                         const struct spec_place *place, struct buffer *to,
                         struct diagnostics *diagnostics);

#endif
