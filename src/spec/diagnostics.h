/* diagnostics.h - all that is wrong with what a user wrote, in the order in which it stands there.
 *
 * A reader does not stop at the first fault: it reports and goes on, so that one run shows them
 * all. Each is one line: "file:line:column: what is wrong, what was expected, what was found".
 * Values that may be secret are never part of it. */
#ifndef SPEC_DIAGNOSTICS_H
#define SPEC_DIAGNOSTICS_H

#include <stdbool.h>
#include <stddef.h>

enum severity { SEVERITY_WARNING, SEVERITY_ERROR };

struct diagnostic {
    enum severity severity;
    char *file;            /* NULL: concerns no file */
    unsigned line, column; /* from 1; 0: the file as a whole */
    char *text;
    char *shown; /* lines that belong below it, for an example; NULL: none */
};

/* All zeros: none. Sorted by file, line and column, those without a file last; what is equal in all
 * of these stays in the order of reporting, and the same text for the same place is kept once. */
struct diagnostics {
    struct diagnostic *items;
    size_t count, capacity;
    size_t error_count; /* of all that was reported, also beyond DIAGNOSTICS_MAX */
};

/* A hopeless file must not fill memory: so many are kept, followed by one that says so. */
enum { DIAGNOSTICS_MAX = 1000 };

void diagnostics_destroy(struct diagnostics *diagnostics);

/* Control characters of the text are shown escaped, so that it stays one line. */
void diagnostics_add(struct diagnostics *diagnostics, enum severity severity, const char *file,
                     unsigned line, unsigned column, const char *format, ...)
    __attribute__((format(printf, 6, 7)));

/* The same with an example: `shown` is lines, each ended, which are kept as they are. */
void diagnostics_add_shown(struct diagnostics *diagnostics, enum severity severity,
                           const char *file, unsigned line, unsigned column, const char *shown,
                           const char *text);

/* The line that is shown for one, for free(): "module.yaml:3:5: error: ...". */
char *diagnostic_line(const struct diagnostic *diagnostic);

/* A user's text as messages show it: in single quotes, its end cut off when it is long. Used as
 * text_quoted(text).text, which is valid in the expression that it stands in. */
struct quoted_text {
    char text[88];
};
struct quoted_text text_quoted(const char *text);

#endif
