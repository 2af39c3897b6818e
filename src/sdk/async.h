/* async.h - the result of an asynchronous operation, as a message.
 *
 * A value of type SF_TYPE_ASYNC_RESULT:
 *
 *     1  status (enum sf_async_status)
 *     2  metadata (TypedValue)
 *     3  value (TypedValue), of SUCCESS
 *     4  cause (string), of FAILURE */
#ifndef SDK_ASYNC_H
#define SDK_ASYNC_H

#include "base/bytes.h"
#include "sdk/host.h"

/* Appends such a value. `metadata` and `value` are bodies of TypedValues. */
void async_result_add(struct buffer *buffer, enum sf_async_status status, struct bytes metadata,
                      struct bytes value, struct bytes cause);

#endif
