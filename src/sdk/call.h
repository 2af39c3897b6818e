/* call.h - what the SDK's calls have in common. */
#ifndef SDK_CALL_H
#define SDK_CALL_H

#include "sdk/value.h"

#include <stdarg.h>

struct value_memory call_memory(struct sf_context *context);

/* Encodes a value; if that cannot be, the call fails, and the reason begins with `what`. */
bool call_encode(struct sf_context *context, const char *what, const struct sf_value *value,
                 struct sf_encoded *ret_encoded);

/* The text of one line of a log: what makes a line of its own, or moves a terminal's cursor, is not
 * let in. */
enum { LOG_LINE_SIZE = 1024 };
void log_line_make(char line[LOG_LINE_SIZE], const char *format, va_list arguments);

#endif
