/* state_line.h - one state of one address as a line of text: what export writes and import reads.
 *
 *     {"namespace":"example","type":"person","id":"Ada","state":"seen",
 *      "typename":"io.statefun.types/int","value":3}
 *
 * (in one line). Instead of "value", which is for built-in types, "base64" holds the bytes of any
 * value. "expires" is when it does, in ms since 1970; without it, it does not. */
#ifndef RUNTIME_STATE_LINE_H
#define RUNTIME_STATE_LINE_H

#include "base/arena.h"
#include "statefun/status.h"
#include "wire/typed_value.h"

struct state_line {
    struct bytes ns, name, id; /* of the address */
    struct bytes state;
    struct typed_value value;
    uint64_t deadline; /* ms since 1970; 0: it does not expire */
};

/* Appends the line with its LF. All names are UTF-8. */
void state_line_add(struct buffer *text, const struct state_line *line);

/* Reads a line, with or without its LF; what it refers to is in `arena`. Everything is checked:
 * afterwards the address and the state can be stored. */
SF_CHECK bool state_line_parse(struct bytes line, struct arena *arena, struct state_line *ret_line,
                               struct sf_status *status);

/* Lines of a text, one after the other. */
struct state_lines {
    struct bytes rest;
    size_t number; /* of the last line that was given, from 1 */
};

/* The next line that is not blank; false at the end. */
bool state_lines_next(struct state_lines *lines, struct bytes *ret_line);

#endif
