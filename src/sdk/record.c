/* record.c - records for Kafka and Kinesis egresses (protocol.md 1.3). */
#include "sdk/call.h"

#include "wire/protobuf.h"
#include "wire/typed_value.h"

enum { RECORD_KEY = 1, RECORD_VALUE = 2, RECORD_TOPIC = 3, RECORD_HASH_KEY = 4 };

static bool encode_plain(struct sf_context *context, const char *what, struct sf_value value,
                         struct bytes *ret_bytes)
{
    struct sf_status status;
    struct sf_bytes bytes;
    if (!value_encode_plain(call_memory(context), value, &bytes, &status)) {
        (void)sf_wrap(&status, "%s", what);
        return context->host->fail(context, status.message);
    }
    *ret_bytes = bytes_from_sf(bytes);
    return true;
}

/* Strings of the protocol: a record in which one is not UTF-8 would be refused later, by the
 * runtime. */
static bool is_text(struct sf_context *context, const char *what, struct bytes text)
{
    return bytes_are_utf8(text) || sf_fail_call(context, "%s is not UTF-8", what);
}

static bool is_set(const struct sf_value *value)
{
    return value->type || value->raw_type;
}

static bool send(struct sf_context *context, const char *egress, const char *type,
                 const struct buffer *record)
{
    struct sf_encoded encoded = {.type = text_to_sf(type),
                                 .value = bytes_to_sf(buffer_bytes(record))};
    return context->host->send_egress(context, text_to_sf(egress), &encoded);
}

static struct bytes key_of(const struct sf_kafka_header *header)
{
    return bytes_from_sf(text_to_sf(header->key));
}

bool sf_send_kafka(struct sf_context *context, const char *egress,
                   const struct sf_kafka_record *record)
{
    struct kafka_record out = {0};
    if (!record->topic || !*record->topic)
        return sf_fail_call(context, "sf_send_kafka: the record has no topic");
    if (!encode_plain(context, "sf_send_kafka: value", record->value, &out.value) ||
        (is_set(&record->key) &&
         !encode_plain(context, "sf_send_kafka: key", record->key, &out.key)))
        return false;
    out.topic = bytes_of(record->topic);
    if (!is_text(context, "sf_send_kafka: the key", out.key) ||
        !is_text(context, "sf_send_kafka: the topic", out.topic))
        return false;
    for (size_t i = 0; i < record->header_count; i++)
        if (!is_text(context, "sf_send_kafka: the key of a header", key_of(&record->headers[i])))
            return false;

    struct buffer bytes = {0};
    kafka_record_add(&bytes, &out);
    for (size_t i = 0; i < record->header_count; i++)
        header_add(&bytes, &(struct header){key_of(&record->headers[i]),
                                            bytes_from_sf(record->headers[i].value)});
    bool good = send(context, egress, TYPE_KAFKA_RECORD, &bytes);
    buffer_destroy(&bytes);
    return good;
}

bool sf_send_kinesis(struct sf_context *context, const char *egress,
                     const struct sf_kinesis_record *record)
{
    struct bytes value;
    if (!record->stream || !*record->stream)
        return sf_fail_call(context, "sf_send_kinesis: the record has no stream");
    if (!record->partition_key || !*record->partition_key)
        return sf_fail_call(context, "sf_send_kinesis: the record has no partition key");
    if (!encode_plain(context, "sf_send_kinesis: value", record->value, &value))
        return false;

    struct bytes hash_key = bytes_from_sf(text_to_sf(record->explicit_hash_key));
    if (!is_text(context, "sf_send_kinesis: the stream", bytes_of(record->stream)) ||
        !is_text(context, "sf_send_kinesis: the partition key", bytes_of(record->partition_key)) ||
        !is_text(context, "sf_send_kinesis: the explicit hash key", hash_key))
        return false;

    struct buffer bytes = {0};
    pb_add_bytes(&bytes, RECORD_KEY, bytes_of(record->partition_key));
    pb_add_bytes(&bytes, RECORD_VALUE, value);
    pb_add_bytes(&bytes, RECORD_TOPIC, bytes_of(record->stream));
    if (hash_key.size)
        pb_add_bytes(&bytes, RECORD_HASH_KEY, hash_key);
    bool good = send(context, egress, TYPE_KINESIS_RECORD, &bytes);
    buffer_destroy(&bytes);
    return good;
}
