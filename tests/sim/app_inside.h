/* app_inside.h - what the two halves of the application share: app.c makes trees of commands, and
 * knows what must come of them; execute.c carries them out. */
#ifndef SIM_APP_INSIDE_H
#define SIM_APP_INSIDE_H

#include "sim/app.h"
#include "sim/book.h"

/* Commands; numbers are big-endian. */
enum {
    DO_COUNT = 'i',   /* */
    DO_SEND = 's',    /* target 4, size 4, tree */
    DO_DELAY = 'd',   /* target 4, delay 4, size 4, tree */
    DO_EGRESS = 'e',  /* egress 1, record 8 */
    DO_NOWHERE = 'x', /* a record for an egress that does not exist */
    DO_LOST = 'l',    /* a message for a function that does not exist */
    DO_POISON = 'p',  /* target 4, record 8: a message that fails, and when it is cured writes it */
    DO_LATE = 'z',    /* record 8: a message for one that does not exist yet, which writes it */
    DO_TOKEN = 't',   /* token 8, delay 4: a delayed message to oneself, with a token */
    DO_CANCEL = 'c',  /* token 8 */
    DO_WRITE = 'w',   /* the expiring state */
    DO_CLEAR = 'k'
};

/* How a message begins, before its tree. */
enum {
    FROM_FUNCTION = 'P', /* sender 4, nth 8 */
    FROM_SOURCE = 'S',   /* source 4, nth 8 */
    FROM_ANYWHERE = 'N', /* no order */
    FROM_TOKEN = 'F',    /* token 8, due 8; no tree */
    FROM_POISON = 'X'    /* no order */
};

enum { TTL_MS = 300 };
#define BOOK_TYPE "sim/book"
#define TTL_TYPE  "sim/ttl"

/* Addresses and their numbers. */
struct address app_address(struct app *app, uint32_t number, struct arena *arena);
uint32_t app_number(struct app *app, const struct address *address);

/* How the expiring state of a type expires. */
enum expire_mode app_ttl_mode(uint32_t type);

/* Appends a typed value. */
void app_value_add(struct buffer *value, const char *type, struct bytes bytes);

#endif
