/* kafka_record.c - what a record becomes: messages to its topic's targets and those of the routers,
 * or what `invalidRecordHandling` says.
 *
 * This runs once per record; nothing here allocates once the buffers have grown. */
#include "ingress/kafka_inside.h"

#include "wire/protobuf.h"
#include "wire/typed_value.h"

enum { OFFSET_DIGITS_MAX = 19 };

static const char no_key[] =
    "the record has no key: expected one, which is the id of the instances that get it";
static const char no_value[] =
    "the record has no value: expected one, be it empty (a null, as in a topic that is compacted, "
    "cannot become a message)";
static const char long_key[] = "the record's key is too long to be the id of its targets";

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

/* Runs the routers, if there are any; false if one of them has failed. */
static bool route(const struct kafka_offer *offer, const rd_kafka_message_t *message,
                  struct record *record, struct sf_status *status)
{
    if (!routers_exist(offer->routers))
        return true;
    return routers_run(offer->routers,
                       &(struct sf_record){
                           .key = {message->key, message->key_len},
                           .value = {message->payload, message->len},
                           .topic = offer->topic->spec->topic,
                           .timestamp_ms = rd_kafka_message_timestamp(message, NULL),
                       },
                       record, status);
}

/* What is wrong with a record, or NULL. Routers alone take any. */
static const char *fault(const struct kafka_offer *offer, const rd_kafka_message_t *message,
                         struct bytes id)
{
    if (!offer->topic->spec->target_count && routers_exist(offer->routers))
        return NULL;
    if (!message->key)
        return no_key;
    if (!message->payload)
        return no_value;
    return id.size > offer->topic->id_bytes_max ? long_key : NULL;
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

static enum acceptance set_aside(struct engine *engine, const struct kafka_offer *offer,
                                 const rd_kafka_message_t *message, struct bytes position,
                                 struct bytes origin, const char *cause)
{
    struct buffer headers = {0};
    add_headers(&headers, message);
    enum acceptance acceptance =
        engine_reject(engine, offer->source, position,
                      &(struct dead_letter){
                          .cause = bytes_of(cause),
                          .origin = origin,
                          .target = buffer_bytes(&offer->topic->targets_text),
                          .type = bytes_of(offer->topic->spec->value_type),
                          .key = bytes_make(message->key, message->key_len),
                          .value = bytes_make(message->payload, message->len),
                          .headers = buffer_bytes(&headers),
                          .lacks_key = !message->key,
                          .lacks_value = !message->payload,
                      });
    buffer_destroy(&headers);
    return acceptance;
}

/* The message that a forwarded record becomes: without a value if it has none, and at the address
 * of its partition if its key is no id. */
static enum acceptance forward(struct engine *engine, const struct kafka_offer *offer,
                               const rd_kafka_message_t *message, struct record *record)
{
    const struct spec_name *name = &offer->ingress->spec->invalid_target;
    const struct record_target target = {bytes_of(name->ns), bytes_of(name->name)};
    struct buffer argument = {0}, id = {0};
    buffer_add_format(&id, "%s/%d", offer->topic->spec->topic, (int)message->partition);
    typed_value_add(&argument, &(struct typed_value){
                                   .type = bytes_of(offer->topic->spec->value_type),
                                   .value = bytes_make(message->payload, message->len),
                                   .has_value = message->payload != NULL,
                               });
    if (offer->forwards_headers)
        add_headers(&argument, message);
    record->targets = &target;
    record->target_count = 1;
    record->argument = buffer_bytes(&argument);
    if (!message->key || record->id.size > offer->topic->id_bytes_max)
        record->id = buffer_bytes(&id);
    enum acceptance acceptance = engine_accept(engine, record);
    buffer_destroy(&argument);
    buffer_destroy(&id);
    return acceptance;
}

static enum acceptance handle_invalid(struct engine *engine, const struct kafka_offer *offer,
                                      const rd_kafka_message_t *message, struct record *record,
                                      const char *cause, enum kafka_fate *ret_fate)
{
    switch (offer->ingress->spec->invalid) {
    case KAFKA_INVALID_SKIP:
        *ret_fate = KAFKA_SKIPPED;
        engine_skip(engine, offer->source, record->position);
        return ACCEPTED;
    case KAFKA_INVALID_FORWARD:
        *ret_fate = KAFKA_FORWARDED;
        return forward(engine, offer, message, record);
    case KAFKA_INVALID_FAIL:
        if (atomic_load(&offer->feed->pass) == message->offset + 1)
            break; /* an operator has said so */
        *ret_fate = KAFKA_HALTS;
        kafka_ingress_halt(offer->ingress, offer->feed, message->offset, record->origin, cause);
        return REFUSED;
    case KAFKA_INVALID_DEAD_LETTER:
        break;
    }
    *ret_fate = KAFKA_BECAME_DEAD_LETTER;
    enum acceptance acceptance =
        set_aside(engine, offer, message, record->position, record->origin, cause);
    if (acceptance == ACCEPTED)
        atomic_store(&offer->feed->pass, 0);
    return acceptance;
}

enum acceptance kafka_record_offer(struct engine *engine, const struct kafka_offer *offer,
                                   const rd_kafka_message_t *message, enum kafka_fate *ret_fate)
{
    uint8_t next[sizeof(uint64_t)];
    u64_put(next, (uint64_t)message->offset + 1);
    struct record record = {
        .source = offer->source,
        .position = bytes_make(next, sizeof next),
        .origin = add_offset(offer->origin, offer->origin_head, message->offset),
        .id = bytes_make(message->key, message->key_len),
        .targets = offer->topic->targets,
        .target_count = offer->topic->spec->target_count,
    };
    if (!bytes_are_utf8(record.id)) {
        buffer_clear(offer->id);
        kafka_id_add(offer->id, record.id);
        record.id = buffer_bytes(offer->id);
    }
    struct sf_status status;
    const char *cause = fault(offer, message, record.id);
    if (!cause && !route(offer, message, &record, &status))
        cause = status.message;
    if (cause)
        return handle_invalid(engine, offer, message, &record, cause, ret_fate);

    offer->argument->size = offer->topic->argument_head.size;
    if (message->len)
        pb_add_bytes(offer->argument, TYPED_VALUE, bytes_make(message->payload, message->len));
    if (offer->forwards_headers)
        add_headers(offer->argument, message);
    record.argument = buffer_bytes(offer->argument);
    *ret_fate = KAFKA_BECAME_MESSAGE;
    return engine_accept(engine, &record);
}
