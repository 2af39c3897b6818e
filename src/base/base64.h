/* base64.h - bytes as text (RFC 4648, with padding). */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include "base/bytes.h"

/* Appends `bytes` as base64. */
void base64_add(struct buffer *text, struct bytes bytes);

#endif
