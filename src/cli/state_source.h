/* state_source.h - states for a command: of a running application, through its admin listener, or
 * in the data directory of one that is stopped. */
#ifndef CLI_STATE_SOURCE_H
#define CLI_STATE_SOURCE_H

#include "cli/command.h"
#include "cli/place.h"
#include "runtime/state_line.h"
#include "wire/address.h"

struct state_source;

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
struct state_source_kind {
    bool (*get)(struct state_source *source, const struct state_name *name, struct buffer *type,
                struct buffer *value, struct sf_status *status);
    bool (*put)(struct state_source *source, const struct state_name *name,
                const struct state_put *put, struct sf_status *status);
    bool (*delete_it)(struct state_source *source, const struct state_name *name, bool ahead,
                      struct sf_status *status);
    bool (*list)(struct state_source *source, const struct state_name *name, struct buffer *json,
                 struct sf_status *status);

    /* Replaces what is in `lines` by the next page, and `mark` by where to go on: empty at the
     * beginning and, afterwards, at the end. */
    bool (*export_page)(struct state_source *source, struct buffer *mark, struct buffer *lines,
                        struct sf_status *status);

    /* Beyond what the line itself says: may it be put here? NULL: that will be seen. */
    bool (*check)(struct state_source *source, const struct state_line *line,
                  struct sf_status *status);

    /* Puts lines that were checked. On failure `ret_line` is the line concerned, from 1; 0: none.
     */
    bool (*import)(struct state_source *source, struct bytes lines, size_t *ret_line,
                   struct sf_status *status);
    size_t import_bytes; /* so many at once */
};

struct state_source {
    const struct state_source_kind *kind;
    struct place place;
    const char *token;        /* for a running one; empty: none */
    struct spec_cache *specs; /* of a stopped one, made when needed */
    uint64_t now_ms;
};

extern const struct state_source_kind state_source_live, state_source_stopped;

/* Of state_source_stopped. */
void spec_cache_free(struct spec_cache *cache); /* NULL is fine */

/* Puts all lines of a file ("-": standard input), having checked them all if it can be read twice.
 * Tells of its progress on standard error. SF_INVALID: a line is wrong, and the message begins with
 * its place. */
SF_CHECK bool state_import(struct state_source *source, const char *file, struct sf_status *status);

/* Writes all states to a file ("-": standard output), which appears when it is complete. */
SF_CHECK bool state_export(struct state_source *source, const char *file, struct sf_status *status);

#endif
