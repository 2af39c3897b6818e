/* book.h - what a function of the simulated application remembers, as the value of its state
 * `book`.
 */
#ifndef SIM_BOOK_H
#define SIM_BOOK_H

#include "base/arena.h"
#include "base/bytes.h"

enum token_status { TOKEN_LIVE = 1, TOKEN_CANCELLED, TOKEN_MAYBE_CANCELLED, TOKEN_FIRED };

struct pair {
    uint32_t who;
    uint64_t nth;
};

struct token_entry {
    uint64_t id, due_ms;
    uint64_t status;
};

struct book {
    uint32_t owner;
    uint64_t count;
    uint64_t ttl_deadline_ms; /* before it the expiring state must be there; 0: it was cleared */
    uint64_t change, seen;    /* what the register was left with */
    bool has_register;
    uint32_t in_count, out_count, token_count;
    struct pair *in, *out;
    struct token_entry *tokens;
};

struct book book_read(struct bytes bytes, struct arena *arena);
void book_write(const struct book *book, struct buffer *bytes);

/* The entry of `who`, made with nth 0 if there is none. */
struct pair *book_pair(struct arena *arena, struct pair **pairs, uint32_t *count, uint32_t who);

/* The entry of a token, made if there is none. */
struct token_entry *book_token(struct arena *arena, struct book *book, uint64_t id);

/* --- numbers, big-endian, from what was written so --- */

struct cursor {
    const uint8_t *at, *end;
};

uint32_t cursor_u32(struct cursor *cursor);
uint64_t cursor_u64(struct cursor *cursor);

#endif
