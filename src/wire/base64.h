/* base64.h - bytes as text, RFC 4648 section 4, with padding. */
#ifndef WIRE_BASE64_H
#define WIRE_BASE64_H

#include "base/bytes.h"

void base64_add(struct buffer *text, struct bytes bytes);

/* Appends what `text` stands for. False (and part of it may have been appended) for a character
 * that is not of the alphabet, padding that is missing or misplaced, and bits behind the end. */
bool base64_decode(struct bytes text, struct buffer *bytes);

#endif
