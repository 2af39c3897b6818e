/* builtin.h - values of the built-in types, io.statefun.types/...
 *
 * In messages and states they are wrapper messages of one field (protocol.md 1.2 and 2), of which
 * SDKs accept the canonical form only. */
#ifndef WIRE_BUILTIN_H
#define WIRE_BUILTIN_H

#include "base/bytes.h"
#include "statefun/status.h"

enum builtin {
    BUILTIN_BOOL,
    BUILTIN_INT,
    BUILTIN_FLOAT,
    BUILTIN_LONG,
    BUILTIN_DOUBLE,
    BUILTIN_STRING,
    BUILTIN_NONE
};

/* BUILTIN_NONE: the type is not built in. */
enum builtin builtin_of(struct bytes type);

/* The number of a canonical value (0 or 1, two's complement, IEEE 754) in as many low bits as its
 * type has; false if the value is none. `builtin` is neither a string nor none. */
bool builtin_bits(enum builtin builtin, struct bytes value, uint64_t *ret_bits);

/* Appends the canonical value for such a number. */
void builtin_add_bits(struct buffer *value, enum builtin builtin, uint64_t bits);

/* The text of a canonical string; false if the value is none. */
bool builtin_text(struct bytes value, struct bytes *ret_text);

/* False, with the reason, if the type is built in and the value is not what SDKs accept for it. */
bool builtin_check(struct bytes type, struct bytes value, struct sf_status *status);

#endif
