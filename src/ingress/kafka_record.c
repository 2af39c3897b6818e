/* kafka_record.c - what a record becomes: messages to its topic's targets, or a dead letter.
 *
 * This runs once per record; nothing here allocates once the buffers have grown. */
#include "ingress/kafka_inside.h"

#include "wire/protobuf.h"
#include "wire/typed_value.h"

enum { TYPED_VALUE = 3 }; /* the field of TypedValue that argument_head leaves out */
enum { OFFSET_DIGITS_MAX = 19 };

static const char no_key[] =
    "the record has no key: expected one, which is the id of the instances that get it";
static const char no_value[] =
    "the record has no value: expected one, be it empty (a null, as in a topic that is compacted, "
    "cannot become a message)";

/* snprintf would take longer than all the rest. */
static struct bytes add_offset(struct buffer *origin, size_t head, int64_t offset)
{
    uint8_t digits[OFFSET_DIGITS_MAX], *at = digits + sizeof digits;
    uint64_t left = (uint64_t)offset;
    do {
        *--at = (uint8_t)('0' + left % 10);
        left /= 10;
    } while (left);
    origin->size = head;
    buffer_add(origin, at, (size_t)(digits + sizeof digits - at));
    return buffer_bytes(origin);
}

static enum acceptance reject(struct engine *engine, const struct kafka_offer *offer,
                              const rd_kafka_message_t *message, struct bytes position,
                              struct bytes origin)
{
    return engine_reject(engine, offer->source, position,
                         &(struct dead_letter){
                             .cause = bytes_of(message->key ? no_value : no_key),
                             .origin = origin,
                             .target = buffer_bytes(&offer->topic->targets_text),
                             .key = bytes_make(message->key, message->key_len),
                             .value = bytes_make(message->payload, message->len),
                         });
}

/* The record's headers as metadata of the message, in their order. A name that is not UTF-8 would
 * make the whole message unreadable. */
static void add_headers(struct buffer *argument, const rd_kafka_message_t *message)
{
    rd_kafka_headers_t *headers;
    const char *name;
    const void *value;
    size_t size;
    if (rd_kafka_message_headers(message, &headers))
        return; /* it has none */
    for (size_t i = 0; !rd_kafka_header_get_all(headers, i, &name, &value, &size); i++) {
        struct buffer text = {0};
        struct bytes key = bytes_of(name);
        if (!bytes_are_utf8(key)) {
            kafka_id_add(&text, key);
            key = buffer_bytes(&text);
        }
        header_add(argument, &(struct header){key, bytes_make(value, size)});
        buffer_destroy(&text);
    }
}

enum acceptance kafka_record_offer(struct engine *engine, const struct kafka_offer *offer,
                                   const rd_kafka_message_t *message, bool *ret_rejected)
{
    uint8_t next[sizeof(uint64_t)];
    u64_put(next, (uint64_t)message->offset + 1);
    struct bytes position = bytes_make(next, sizeof next);
    struct bytes origin = add_offset(offer->origin, offer->origin_head, message->offset);

    *ret_rejected = !message->key || !message->payload;
    if (*ret_rejected)
        return reject(engine, offer, message, position, origin);

    struct bytes id = bytes_make(message->key, message->key_len);
    if (!bytes_are_utf8(id)) {
        buffer_clear(offer->id);
        kafka_id_add(offer->id, id);
        id = buffer_bytes(offer->id);
    }
    offer->argument->size = offer->topic->argument_head.size;
    if (message->len)
        pb_add_bytes(offer->argument, TYPED_VALUE, bytes_make(message->payload, message->len));
    if (offer->forwards_headers)
        add_headers(offer->argument, message);
    return engine_accept(engine, &(struct record){
                                     .source = offer->source,
                                     .position = position,
                                     .origin = origin,
                                     .id = id,
                                     .targets = offer->topic->targets,
                                     .target_count = offer->topic->spec->target_count,
                                     .argument = buffer_bytes(offer->argument),
                                 });
}
