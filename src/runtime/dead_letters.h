/* dead_letters.h - dead letters as an operator sees them: found by filters, in pages, as JSON.
 *
 * What the admin listener does for a running runtime the command does for a data directory that
 * nobody uses; both read letters and filters here. A letter's id is its key's three numbers,
 * "epoch-worker-nth": ids sort as letters came. */
#ifndef RUNTIME_DEAD_LETTERS_H
#define RUNTIME_DEAD_LETTERS_H

#include "engine/keys.h"
#include "statefun/status.h"
#include "store/store.h"

#include <jansson.h>

/* "12-0-3" <=> key. The parser replaces what is in `key`. */
void dead_id_add(struct buffer *text, struct bytes key);
SF_CHECK bool dead_id_parse(struct bytes text, struct buffer *key, struct sf_status *status);

/* Which letters are meant: those that fit all that is set. All zeros: every one. */
struct dead_filter {
    bool has_kind;
    enum dead_kind kind;
    char *target;  /* a function type, or an address */
    char *ingress; /* "namespace/name" */
    char *egress;
    uint64_t since_ms, until_ms; /* 0: not set */
    struct buffer from, to;      /* keys, both included */
    bool is_set;                 /* something is, `from` aside */
};

/* The filters' names, for messages and help. */
#define DEAD_FILTERS "kind, target, ingress, egress, since, until, from, to"

/* Sets one filter; false says what is wrong with its name or value. */
SF_CHECK bool dead_filter_set(struct dead_filter *filter, struct bytes name, struct bytes value,
                              struct sf_status *status);
void dead_filter_destroy(struct dead_filter *filter);
bool dead_filter_fits(const struct dead_filter *filter, const struct dead_letter *letter);

/* How much one page holds, and how much is looked at for it. */
enum {
    DEAD_PAGE_LETTERS = 500,
    DEAD_PAGE_BYTES = 256 * 1024,
    DEAD_SCAN_LETTERS = 20 * 1000,
    DEAD_SCAN_BYTES = 8 * 1024 * 1024
};

/* Calls `visit` for each letter of one page, in order; reads the disk. `ret_next` (replaced) is the
 * key where the next page begins, to be set as `from`; empty: there is none. A page may be short,
 * even empty, and others follow. */
void dead_letters_page(struct store *store, const struct dead_filter *filter, size_t letters_max,
                       void (*visit)(void *owner, struct bytes key,
                                     const struct dead_letter *letter),
                       void *owner, struct buffer *ret_next);

/* A time as text: "2026-01-31T12:00:00.123Z". */
enum { DEAD_TIME_SIZE = 40 };
const char *dead_time_text(uint64_t time_ms, char text[DEAD_TIME_SIZE]);

/* Sets `name` to a time as text. */
void dead_time_set(json_t *json, const char *name, uint64_t time_ms);

/* All there is to say of a letter; docs/http.md has the form. */
json_t *dead_letter_json(struct bytes key, const struct dead_letter *letter);

#endif
