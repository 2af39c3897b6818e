/* reference.h - protobuf-c as a second opinion on what bytes mean.
 *
 * Ours and protobuf-c differ on purpose in a few points, where ours follows Google's parsers:
 *
 *   - a known field of another wire type, and a group, are unknown fields: passed over;
 *   - tags and lengths may be padded to ten bytes;
 *   - a sub-message that comes in pieces is one message, of which the last value of a field counts,
 *     also when that is the default;
 *   - text must be UTF-8, a field's number within 29 bits and not 0.
 *
 * Bytes in which one of these occurs, other than bad UTF-8, are odd: both must survive them, but
 * need not agree. On all others they must. */
#ifndef UNIT_WIRE_REFERENCE_H
#define UNIT_WIRE_REFERENCE_H

#include "base/bytes.h"
#include "wire/invocation.h"

#include "kafka_egress.pb-c.h"
#include "request_reply.pb-c.h"

bool reference_is_odd(struct bytes message, const ProtobufCMessageDescriptor *descriptor);

/* Each returns NULL when both say the same, otherwise what they differ in. */
const char *reference_compare(const struct from_function *ours, const FromFunction *theirs);
const char *reference_compare_request(const struct to_function *ours, const ToFunction *theirs);
const char *reference_judge_reply(struct bytes reply);
const char *reference_judge_request(struct bytes request);
const char *reference_judge_address(struct bytes message);
const char *reference_judge_typed_value(struct bytes message);
const char *reference_judge_kafka_record(struct bytes message);

/* A string of protobuf-c ends at its first NUL. */
bool reference_same_text(struct bytes ours, const char *theirs);
bool reference_same_value(struct bytes ours, const TypedValue *theirs);
bool reference_same_address(struct bytes ours, const Address *theirs);

#endif
