/* template.h - the files that 'statefun new' makes: what stands under templates/ in the tree, which
 * the build puts into the program.
 *
 * A template has words, {{name}}, that stand for something else, and sections: what is between a
 * line {{#kafka}} and a line {{/kafka}} is there only if kafka was chosen, after {{^kafka}} only if
 * it was not. Sections may hold others. Such lines themselves are never there. Anything else in
 * double braces is text. */
#ifndef CLI_TEMPLATE_H
#define CLI_TEMPLATE_H

#include "base/bytes.h"

struct template
{
    const char *path; /* "python/greeter.py": a language, or "common", and the file's place */
    const unsigned char *text;
    size_t size;
};

extern const struct template templates[]; /* a path of NULL ends them */

struct template_word {
    const char *name; /* NULL ends a list of them */
    const char *value;
};

/* Appends the text, filled in. `chosen` are the names of sections, ended by NULL. */
void template_fill(struct bytes text, const struct template_word *words, const char *const *chosen,
                   struct buffer *to);

#endif
