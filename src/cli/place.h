/* place.h - where an application's data is for a command: with the runtime that uses it, or in the
 * data directory of one that is stopped. The lock of the directory tells which. */
#ifndef CLI_PLACE_H
#define CLI_PLACE_H

#include "store/store.h"

/* One of both is set. */
struct place {
    char *where;         /* of a running runtime's admin listener */
    struct store *store; /* of a stopped one */
};

struct place_options {
    const char *where;     /* an admin listener, as http_ask takes it; or NULL: look for one */
    const char *directory; /* the data directory */
    uint32_t partitions;   /* not 0: a directory that is not there is made, with so many */
};

/* SF_NOT_FOUND: there is no such directory; SF_CONFLICT: it is in use, and who uses it cannot be
 * asked. */
SF_CHECK bool place_open(const struct place_options *options, struct place *ret_place,
                         struct sf_status *status);
void place_close(struct place *place);

#endif
