/* dead_source.h - dead letters for a command: of a running runtime, or of a stopped one's data.
 *
 * Whether it runs is what the lock of its data directory tells. Both answer in the same form, that
 * of docs/http.md. */
#ifndef CLI_DEAD_SOURCE_H
#define CLI_DEAD_SOURCE_H

#include "cli/place.h"
#include "runtime/dead_stopped.h"

struct dead_source {
    struct place place;
    const char *token; /* of a running runtime's admin listener; empty: none */
};

/* One filter of a request. */
struct dead_choice {
    const char *name, *value;
};

struct dead_question {
    const struct dead_choice *choices;
    size_t choice_count;
    const char *from; /* where the page begins, an id; NULL: at the first */
    size_t limit;     /* of letters; 0: a page */
};

/* {"letters": [...], "next": id or null} */
SF_CHECK bool dead_source_list(const struct dead_source *source,
                               const struct dead_question *question, json_t **ret_answer,
                               struct sf_status *status);

/* {"done": n, "left": [...], "busy": b, "next": id or null} */
SF_CHECK bool dead_source_take(const struct dead_source *source, enum dead_action action,
                               const struct dead_question *question, json_t **ret_answer,
                               struct sf_status *status);

#endif
