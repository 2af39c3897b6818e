/* state_place.h - where the states are: in a running application, reached through its admin
 * listener, or in the data directory of one that is stopped. Who has the directory's lock tells
 * which. */
#ifndef CLI_STATE_PLACE_H
#define CLI_STATE_PLACE_H

#include "cli/command.h"
#include "cli/http_call.h"
#include "runtime/state_line.h"
#include "store/store.h"
#include "wire/address.h"

struct state_place;

/* One state, or one address. */
struct state_name {
    struct address address;
    struct bytes state; /* empty: of an address */
};

struct state_put {
    struct bytes type;
    struct bytes value;
    bool ahead; /* of what waits in a running application */
};

/* All fail with a status that says what and where. SF_NOT_FOUND: there is no value; SF_INVALID:
 * what was given is wrong. */
struct state_place_kind {
    bool (*get)(struct state_place *place, const struct state_name *name, struct buffer *type,
                struct buffer *value, struct sf_status *status);
    bool (*put)(struct state_place *place, const struct state_name *name,
                const struct state_put *put, struct sf_status *status);
    bool (*delete_it)(struct state_place *place, const struct state_name *name, bool ahead,
                      struct sf_status *status);
    bool (*list)(struct state_place *place, const struct state_name *name, struct buffer *json,
                 struct sf_status *status);

    /* Replaces what is in `lines` by the next page, and `mark` by where to go on: empty at the
     * beginning and, afterwards, at the end. */
    bool (*export_page)(struct state_place *place, struct buffer *mark, struct buffer *lines,
                        struct sf_status *status);

    /* Beyond what the line itself says: may it be put here? NULL: that will be seen. */
    bool (*check)(struct state_place *place, const struct state_line *line,
                  struct sf_status *status);

    /* Puts lines that were checked. On failure `ret_line` is the line concerned, from 1; 0: none.
     */
    bool (*import)(struct state_place *place, struct bytes lines, size_t *ret_line,
                   struct sf_status *status);
    size_t import_bytes; /* so many at once */
};

struct state_place {
    const struct state_place_kind *kind;
    const char *data;
    uint64_t now_ms;
    struct http_caller *caller; /* running */
    struct store *store;        /* stopped */
    struct spec_cache *specs;
};

extern const struct state_place_kind state_place_live, state_place_stopped;

/* `url` (or NULL) names a running application. With `may_make` a data directory that is not there
 * is made. */
SF_CHECK bool state_place_open(struct state_place *place, const struct settings *settings,
                               const char *url, bool may_make, struct sf_status *status);
void state_place_close(struct state_place *place);

/* Of state_place_stopped. */
void spec_cache_free(struct spec_cache *cache); /* NULL is fine */

/* Puts all lines of a file ("-": standard input), having checked them all if it can be read twice.
 * Tells of its progress on standard error. SF_INVALID: a line is wrong, and the message begins with
 * its place. */
SF_CHECK bool state_import(struct state_place *place, const char *file, struct sf_status *status);

/* Writes all states to a file ("-": standard output), which appears when it is complete. */
SF_CHECK bool state_export(struct state_place *place, const char *file, struct sf_status *status);

#endif
