/* typed_value.h - the payload of every message and every state: type name, has_value, bytes.
 *
 * Like addresses, typed values are kept as the body of their protobuf message. The runtime never
 * looks into a message's payload, so an argument is passed on exactly as its sender wrote it,
 * fields that we do not know included (extensions.md: metadata). A state's value is kept in
 * canonical form. */
#ifndef WIRE_TYPED_VALUE_H
#define WIRE_TYPED_VALUE_H

#include "base/bytes.h"
#include "statefun/status.h"
#include "wire/protobuf.h"

struct typed_value {
    struct bytes type; /* type name */
    struct bytes value;
    bool has_value;
};

/* Reads the body of a TypedValue into views. False if it is malformed or its type name not UTF-8.
 */
bool typed_value_parse(struct bytes message, struct typed_value *ret_value,
                       struct sf_status *status);

/* Field numbers of TypedValue, protocol.md 1.1. */
enum { TYPED_TYPENAME = 1, TYPED_HAS_VALUE = 2, TYPED_VALUE = 3 };

/* For typed_value_view: what does not have the common form. */
bool typed_value_view_any(struct bytes message, struct typed_value *ret_value);

/* The same of bytes that are known to be one: their text is not checked again. */
static inline bool typed_value_view(struct bytes message, struct typed_value *ret_value)
{
    enum {
        TAG_TYPE = TYPED_TYPENAME << 3 | PB_BYTES,
        TAG_PRESENT = TYPED_HAS_VALUE << 3 | PB_VARINT,
        TAG_VALUE = TYPED_VALUE << 3 | PB_BYTES,
        HEADS = 4 /* tag and length of the type, and that there is a value */
    };
    const uint8_t *at = message.data;
    if (message.size < HEADS || at[0] != TAG_TYPE || at[1] >= PB_SHORT ||
        at[1] > message.size - HEADS)
        return typed_value_view_any(message, ret_value);
    struct bytes type = bytes_make(at + 2, at[1]), value = {0};
    size_t left = message.size - HEADS - type.size;
    at = type.data + type.size;
    if (left)
        value = bytes_make(at + 4, left - 2);
    if (at[0] != TAG_PRESENT || at[1] != 1 ||
        (left && (left < 2 || at[2] != TAG_VALUE || at[3] >= PB_SHORT || at[3] != value.size)))
        return typed_value_view_any(message, ret_value);
    *ret_value = (struct typed_value){type, value, true};
    return true;
}

/* Appends the canonical body. */
void typed_value_add(struct buffer *buffer, const struct typed_value *value);

/* The canonical body of a value that is present: its size; and writes it, returning the place
 * behind. */
static inline size_t typed_value_size(size_t type_size, size_t value_size)
{
    return pb_set_bytes_size(TYPED_TYPENAME, type_size) + 2 +
           pb_set_bytes_size(TYPED_VALUE, value_size);
}

static inline uint8_t *typed_value_put(uint8_t *to, struct bytes type, struct bytes value)
{
    to = pb_put_set_bytes(to, TYPED_TYPENAME, type);
    to = pb_put_uint(to, TYPED_HAS_VALUE, 1);
    return pb_put_set_bytes(to, TYPED_VALUE, value);
}

/* The same of a type that is not empty, where all of it takes fewer than PB_SHORT bytes. */
static inline size_t typed_value_short_size(size_t type_size, size_t value_size)
{
    return PB_SHORT_HEAD + type_size + 2 + (value_size ? PB_SHORT_HEAD + value_size : 0);
}

static inline uint8_t *typed_value_put_short(uint8_t *to, struct bytes type, struct bytes value)
{
    to = pb_put_short(to, TYPED_TYPENAME, type);
    to = pb_put_uint(to, TYPED_HAS_VALUE, 1);
    return value.size ? pb_put_short(to, TYPED_VALUE, value) : to;
}

/* Appends an encoded io.statefun.types/string holding `text`: no bytes at all for an empty text. */
void string_value_add(struct buffer *buffer, struct bytes text);

#define TYPE_STRING       "io.statefun.types/string"
#define TYPE_UNSET        "io.statefun.types/unset"
#define TYPE_KAFKA_RECORD "type.googleapis.com/io.statefun.sdk.egress.KafkaProducerRecord"

/* A header of a Kafka record, or one of the metadata of a message (extensions.md). They are fields
 * of that number both in a TypedValue and in a KafkaProducerRecord. */
struct header {
    struct bytes key; /* UTF-8 */
    struct bytes value;
};
enum { FIELD_HEADER = 4 };

void header_add(struct buffer *buffer, const struct header *header);

/* A KafkaProducerRecord (protocol.md 1.3); an empty key means a record without a key.
 *
 * One that the runtime makes itself may be exact, which a field of ours says: then its key may be
 * empty, or no text, and it may have no value. */
struct kafka_record {
    struct bytes topic;
    struct bytes key;
    struct bytes value;
    bool is_exact;
    bool has_key, has_value; /* of an exact one they count; else they follow from the above */
    struct bytes headers;    /* for kafka_header_next; empty if it has none */
    size_t headers_size;     /* about what they add to it */
};

/* The KafkaProducerRecord in an egress message's argument (the body of a TypedValue), not read yet.
 */
bool kafka_record_of(struct bytes argument, struct bytes *ret_record, struct sf_status *status);

/* Appends one without headers (header_add appends them); a key that is empty is left out, unless it
 * is exact. */
void kafka_record_add(struct buffer *buffer, const struct kafka_record *record);

/* Reads one into views; false if it can be produced to no topic. */
bool kafka_record_parse(struct bytes bytes, struct kafka_record *ret_record,
                        struct sf_status *status);

#define TYPE_KINESIS_RECORD "type.googleapis.com/io.statefun.sdk.egress.KinesisEgressRecord"

/* A KinesisEgressRecord (protocol.md 1.3); the explicit hash key is empty if there is none. */
struct kinesis_record {
    struct bytes stream;
    struct bytes partition_key;
    struct bytes explicit_hash_key;
    struct bytes value;
};

/* The same as for Kafka's. */
bool kinesis_record_of(struct bytes argument, struct bytes *ret_record, struct sf_status *status);
void kinesis_record_add(struct buffer *buffer, const struct kinesis_record *record);
bool kinesis_record_parse(struct bytes bytes, struct kinesis_record *ret_record,
                          struct sf_status *status);

/* Takes the next header from the front of `headers`; false if there is none. */
bool kafka_header_next(struct bytes *headers, struct header *ret_header);

#endif
