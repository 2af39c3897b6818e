/* typed_value.c - typed values and the records made of them. */
#include "wire/typed_value.h"

#include "wire/protobuf.h"

/* Field numbers of KafkaProducerRecord, protocol.md 1.3. */
enum { KAFKA_KEY = 1, KAFKA_VALUE = 2, KAFKA_TOPIC = 3 };
enum { KAFKA_IS_EXACT = 536870911 }; /* ours: the highest number that there is */
enum {
    KINESIS_PARTITION_KEY = 1,
    KINESIS_VALUE = 2,
    KINESIS_STREAM = 3,
    KINESIS_EXPLICIT_HASH_KEY = 4
};
enum { WRAPPED_VALUE = 1 };
enum { HEADER_KEY = 1, HEADER_VALUE = 2 };

bool typed_value_view_any(struct bytes message, struct typed_value *ret_value)
{
    struct typed_value value = {0};
    struct pb_reader reader = pb_read(message);
    struct pb_field field;
    while (pb_next(&reader, &field)) {
        if (field.number == TYPED_TYPENAME && field.type == PB_BYTES)
            value.type = field.bytes;
        else if (field.number == TYPED_HAS_VALUE && field.type == PB_VARINT)
            value.has_value = field.value != 0;
        else if (field.number == TYPED_VALUE && field.type == PB_BYTES)
            value.value = field.bytes;
    }
    *ret_value = value;
    return !reader.failed;
}

bool typed_value_parse(struct bytes message, struct typed_value *ret_value,
                       struct sf_status *status)
{
    if (!typed_value_view(message, ret_value))
        return sf_fail(status, SF_INVALID, "a typed value is not valid protobuf");
    if (!bytes_are_utf8(ret_value->type))
        return sf_fail(status, SF_INVALID, "the type name of a typed value is not UTF-8");
    return true;
}

void typed_value_add(struct buffer *buffer, const struct typed_value *value)
{
    if (value->type.size)
        pb_add_bytes(buffer, TYPED_TYPENAME, value->type);
    if (value->has_value)
        pb_add_uint(buffer, TYPED_HAS_VALUE, 1);
    if (value->value.size)
        pb_add_bytes(buffer, TYPED_VALUE, value->value);
}

void string_value_add(struct buffer *buffer, struct bytes text)
{
    if (text.size)
        pb_add_bytes(buffer, WRAPPED_VALUE, text);
}

static bool record_of(struct bytes argument, const char *egress, const char *type,
                      struct bytes *ret_record, struct sf_status *status)
{
    struct typed_value value;
    if (!typed_value_parse(argument, &value, status))
        return false;
    if (!bytes_is(value.type, type))
        return sf_fail(status, SF_INVALID, "a %s egress takes messages of type %s, found '%.*s'",
                       egress, type, BYTES_ARG(value.type));
    *ret_record = value.value;
    return true;
}

bool kafka_record_of(struct bytes argument, struct bytes *ret_record, struct sf_status *status)
{
    return record_of(argument, "Kafka", TYPE_KAFKA_RECORD, ret_record, status);
}

bool kinesis_record_of(struct bytes argument, struct bytes *ret_record, struct sf_status *status)
{
    return record_of(argument, "Kinesis", TYPE_KINESIS_RECORD, ret_record, status);
}

void kinesis_record_add(struct buffer *buffer, const struct kinesis_record *record)
{
    pb_add_bytes(buffer, KINESIS_PARTITION_KEY, record->partition_key);
    pb_add_bytes(buffer, KINESIS_VALUE, record->value);
    pb_add_bytes(buffer, KINESIS_STREAM, record->stream);
    if (record->explicit_hash_key.size)
        pb_add_bytes(buffer, KINESIS_EXPLICIT_HASH_KEY, record->explicit_hash_key);
}

bool kinesis_record_parse(struct bytes bytes, struct kinesis_record *ret_record,
                          struct sf_status *status)
{
    struct kinesis_record record = {0};
    struct bytes *const fields[] = {
        [KINESIS_PARTITION_KEY] = &record.partition_key,
        [KINESIS_VALUE] = &record.value,
        [KINESIS_STREAM] = &record.stream,
        [KINESIS_EXPLICIT_HASH_KEY] = &record.explicit_hash_key,
    };
    struct pb_reader reader = pb_read(bytes);
    struct pb_field field;
    while (pb_next(&reader, &field))
        if (field.type == PB_BYTES && field.number >= KINESIS_PARTITION_KEY &&
            field.number <= KINESIS_EXPLICIT_HASH_KEY)
            *fields[field.number] = field.bytes;
    if (reader.failed)
        return sf_fail(status, SF_INVALID, "a KinesisEgressRecord is not valid protobuf");
    if (!record.stream.size || !record.partition_key.size)
        return sf_fail(status, SF_INVALID, "a KinesisEgressRecord has no %s",
                       record.stream.size ? "partition key" : "stream");
    if (!bytes_are_utf8(record.stream) || !bytes_are_utf8(record.partition_key) ||
        !bytes_are_utf8(record.explicit_hash_key))
        return sf_fail(status, SF_INVALID,
                       "stream and keys of a KinesisEgressRecord must be UTF-8 text");
    *ret_record = record;
    return true;
}

void header_add(struct buffer *buffer, const struct header *header)
{
    size_t size = (header->key.size ? pb_bytes_size(HEADER_KEY, header->key.size) : 0) +
                  (header->value.size ? pb_bytes_size(HEADER_VALUE, header->value.size) : 0);
    uint8_t *to = buffer_reserve(buffer, pb_bytes_size(FIELD_HEADER, size));
    buffer->size += pb_bytes_size(FIELD_HEADER, size);
    to = pb_put_head(to, FIELD_HEADER, size);
    if (header->key.size)
        to = pb_put_bytes(to, HEADER_KEY, header->key);
    if (header->value.size)
        (void)pb_put_bytes(to, HEADER_VALUE, header->value);
}

static bool header_parse(struct bytes bytes, struct header *ret_header)
{
    struct header header = {0};
    struct pb_reader reader = pb_read(bytes);
    struct pb_field field;
    while (pb_next(&reader, &field)) {
        if (field.number == HEADER_KEY && field.type == PB_BYTES)
            header.key = field.bytes;
        else if (field.number == HEADER_VALUE && field.type == PB_BYTES)
            header.value = field.bytes;
    }
    *ret_header = header;
    return !reader.failed && bytes_are_utf8(header.key);
}

bool kafka_header_next(struct bytes *headers, struct header *ret_header)
{
    struct pb_reader reader = pb_read(*headers);
    struct pb_field field;
    while (pb_next(&reader, &field)) {
        if (field.number != FIELD_HEADER || field.type != PB_BYTES)
            continue;
        *headers = bytes_make(reader.at, (size_t)(reader.end - reader.at));
        return header_parse(field.bytes, ret_header);
    }
    return false;
}

void kafka_record_add(struct buffer *buffer, const struct kafka_record *record)
{
    if (record->is_exact ? record->has_key : record->key.size > 0)
        pb_add_bytes(buffer, KAFKA_KEY, record->key);
    if (!record->is_exact || record->has_value)
        pb_add_bytes(buffer, KAFKA_VALUE, record->value);
    pb_add_bytes(buffer, KAFKA_TOPIC, record->topic);
    if (record->is_exact)
        pb_add_uint(buffer, KAFKA_IS_EXACT, 1);
}

/* What its fields say of key and value when all are read. */
static void settle_presence(struct kafka_record *record)
{
    if (record->is_exact)
        return;
    record->has_key = record->key.size > 0;
    record->has_value = true;
}

bool kafka_record_parse(struct bytes bytes, struct kafka_record *ret_record,
                        struct sf_status *status)
{
    struct kafka_record record = {0};
    struct pb_reader reader = pb_read(bytes);
    struct pb_field field;
    while (pb_next(&reader, &field)) {
        if (field.number == KAFKA_IS_EXACT && field.type == PB_VARINT)
            record.is_exact = true;
        if (field.type != PB_BYTES)
            continue;
        if (field.number == KAFKA_KEY) {
            record.key = field.bytes;
            record.has_key = true;
        } else if (field.number == KAFKA_VALUE) {
            record.value = field.bytes;
            record.has_value = true;
        } else if (field.number == KAFKA_TOPIC) {
            record.topic = field.bytes;
        } else if (field.number == FIELD_HEADER) {
            struct header header;
            if (!header_parse(field.bytes, &header))
                return sf_fail(status, SF_INVALID,
                               "a header of a KafkaProducerRecord is not valid: expected a key "
                               "that is UTF-8 text, and a value");
            record.headers = bytes;
            record.headers_size += field.bytes.size;
        }
    }
    if (reader.failed)
        return sf_fail(status, SF_INVALID, "a KafkaProducerRecord is not valid protobuf");
    if (!record.topic.size)
        return sf_fail(status, SF_INVALID, "a KafkaProducerRecord has no topic");
    if (!bytes_are_utf8(record.topic) || (!record.is_exact && !bytes_are_utf8(record.key)))
        return sf_fail(status, SF_INVALID,
                       "topic and key of a KafkaProducerRecord must be UTF-8 text");
    settle_presence(&record);
    *ret_record = record;
    return true;
}
