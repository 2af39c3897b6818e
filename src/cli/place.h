/* place.h - where a command works: a running runtime, asked through its admin listener, or the data
 * directory of one that is stopped. The lock of the directory tells which. */
#ifndef CLI_PLACE_H
#define CLI_PLACE_H

#include "cli/command.h"
#include "store/store.h"

#include <jansson.h>

struct place {
    char *where;         /* the admin listener; or NULL */
    struct store *store; /* else */
};

/* The flags that name a place, to stand in a command's table. */
#define PLACE_FLAGS                                                                                \
    {"at", 0, "ADDRESS",                                                                           \
     "The admin listener of a runtime (host:port or unix:/path), instead of --data."},             \
        {"data", 0, "DIR",                                                                         \
         "The data directory; else the setting statefun.data. Its lock tells whether a runtime "   \
         "has to be asked."},                                                                      \
    {                                                                                              \
        "config", 0, "FILE", "A file with settings, as of run."                                    \
    }
enum { PLACE_FLAG_COUNT = 3 };

/* `flags`: what was given for PLACE_FLAGS, NULL where nothing was. Complains on standard error;
 * false: exit with `*ret_code`. */
bool place_open(const char *const flags[PLACE_FLAG_COUNT], struct place *ret_place, int *ret_code);
void place_close(struct place *place);

/* Appends "?name=value" or "&name=value" to a request's target. */
void place_add_parameter(struct buffer *target, const char *name, const char *value);

/* Asks the runtime; false unless it answers 200. */
SF_CHECK bool place_ask(const struct place *place, const char *method, const char *target,
                        json_t **ret_answer, struct sf_status *status);

/* What a command's failure means for its exit code; says it on standard error. */
int place_fail(const char *command, const struct sf_status *status);

/* Ids, causes and values come from strangers: nothing of them must reach the terminal as more than
 * text. */
void place_print(const char *text);

#endif
