/* dead_source.h - dead letters for a command: of a running runtime, or of a stopped one's data.
 *
 * Whether it runs is what the lock of its data directory tells. Both answer in the same form, that
 * of docs/http.md. */
#ifndef CLI_DEAD_SOURCE_H
#define CLI_DEAD_SOURCE_H

#include "runtime/dead_stopped.h"

struct dead_source;

/* `where`: an admin listener ("host:port", "unix:/path"), or NULL: whoever uses `directory`, else
 * the directory itself. `token`: of the listener; empty: none. */
SF_CHECK bool dead_source_open(const char *where, const char *directory, const char *token,
                               struct dead_source **ret_source, struct sf_status *status);
void dead_source_close(struct dead_source *source); /* NULL is fine */

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
SF_CHECK bool dead_source_list(struct dead_source *source, const struct dead_question *question,
                               json_t **ret_answer, struct sf_status *status);

/* {"done": n, "left": [...], "busy": b, "next": id or null} */
SF_CHECK bool dead_source_take(struct dead_source *source, enum dead_action action,
                               const struct dead_question *question, json_t **ret_answer,
                               struct sf_status *status);

#endif
