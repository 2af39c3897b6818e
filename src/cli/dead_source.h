/* dead_source.h - dead letters of a place: running or stopped, both answer in the same form, that
 * of docs/http.md. */
#ifndef CLI_DEAD_SOURCE_H
#define CLI_DEAD_SOURCE_H

#include "cli/place.h"
#include "runtime/dead_stopped.h"

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
SF_CHECK bool dead_source_list(const struct place *place, const struct dead_question *question,
                               json_t **ret_answer, struct sf_status *status);

/* {"done": n, "left": [...], "busy": b, "next": id or null} */
SF_CHECK bool dead_source_take(const struct place *place, enum dead_action action,
                               const struct dead_question *question, json_t **ret_answer,
                               struct sf_status *status);

#endif
