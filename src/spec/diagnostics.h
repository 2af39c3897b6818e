/* diagnostics.h - all that is wrong with what a user wrote, in the order in which it stands there.
 *
 * A reader does not stop at the first fault: it reports and goes on, so that one run shows them all.
 * Each is one line: "file:line:column: what is wrong, what was expected, what was found". */
#ifndef SPEC_DIAGNOSTICS_H
#define SPEC_DIAGNOSTICS_H

#include <stdbool.h>
#include <stddef.h>

enum severity { SEVERITY_WARNING, SEVERITY_ERROR };

struct diagnostic {
    enum severity severity;
    char *file; /* NULL: concerns no file */
    unsigned line, column; /* from 1; 0: the file as a whole */
    char *text;
};

/* All zeros: none. */
struct diagnostics {
    struct diagnostic *items;
    size_t count, capacity;
    size_t error_count;
};

void diagnostics_destroy(struct diagnostics *diagnostics);

void diagnostics_add(struct diagnostics *diagnostics, enum severity severity, const char *file,
                     unsigned line, unsigned column, const char *format, ...)
    __attribute__((format(printf, 6, 7)));

/* The line that is shown for one, for free(): "module.yaml:3:5: error: ...". */
char *diagnostic_line(const struct diagnostic *diagnostic);

#endif
