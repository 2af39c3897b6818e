/* letter_record.c - a dead letter as JSON, or as what it was before.
 *
 * In the raw form key and value are those of what was set aside: of an ingress's record, be they
 * null; of a message its id and its value; of an egress's record those it would have had. Headers
 * that it had stay in front, and ours follow, whose names begin alike. */
#include "runtime/letter_record.h"

#include "base/mem.h"
#include "engine/keys.h"
#include "runtime/dead_letters.h"
#include "wire/address.h"
#include "wire/typed_value.h"

#define PREFIX "statefun-dead-letter-"

/* --- JSON --- */

static char *json_text_of(struct bytes key, const struct dead_letter *letter)
{
    json_t *json = dead_letter_json(key, letter);
    char *text = json_dumps(json, JSON_COMPACT | JSON_PRESERVE_ORDER);
    json_decref(json);
    return text ? text : mem_string("{}");
}

/* The key of what was set aside, or whom it was meant for; empty if both are no text. */
static struct bytes name_of(const struct dead_letter *letter)
{
    struct bytes name = letter->key;
    if (!name.size || !bytes_are_utf8(name))
        name = letter->target.size ? letter->target : letter->egress;
    return bytes_are_utf8(name) ? name : (struct bytes){0};
}

static void write_json(const struct letter_route *route, struct bytes key,
                       const struct dead_letter *letter, struct buffer *record)
{
    char *text = json_text_of(key, letter);
    kafka_record_add(record, &(struct kafka_record){.topic = bytes_of(route->to),
                                                    .key = name_of(letter),
                                                    .value = bytes_of(text)});
    free(text);
}

/* What Kinesis allows, and some id for what has no name. */
static void write_json_to_kinesis(const struct letter_route *route, struct bytes key,
                                  const struct dead_letter *letter, struct buffer *record)
{
    enum { PARTITION_KEY_MAX = 256 };
    char *text = json_text_of(key, letter);
    struct buffer id = {0};
    struct bytes name = name_of(letter);
    dead_id_add(&id, key);
    if (!name.size)
        name = buffer_bytes(&id);
    if (name.size > PARTITION_KEY_MAX) {
        name.size = PARTITION_KEY_MAX;
        while ((name.data[name.size] & 0xc0) == 0x80) /* within a character */
            name.size--;
    }
    kinesis_record_add(record, &(struct kinesis_record){.stream = bytes_of(route->to),
                                                        .partition_key = name,
                                                        .value = bytes_of(text)});
    buffer_destroy(&id);
    free(text);
}

/* --- raw --- */

/* What was set aside, as a record without a topic. */
struct original {
    struct kafka_record record;
    struct bytes type;
};

static struct original original_of(struct bytes type, const struct kafka_record *record)
{
    struct original original = {.record = *record, .type = type};
    original.record.is_exact = true;
    return original;
}

static struct original of_kinesis_record(struct bytes type, const struct kinesis_record *record)
{
    return original_of(type, &(struct kafka_record){.key = record->partition_key,
                                                    .value = record->value,
                                                    .has_key = true,
                                                    .has_value = true});
}

static struct original of_value(struct bytes type, struct bytes value)
{
    return original_of(type, &(struct kafka_record){.value = value, .has_value = true});
}

static struct original of_ingress_record(const struct dead_letter *letter)
{
    return original_of(letter->type, &(struct kafka_record){.key = letter->key,
                                                            .value = letter->value,
                                                            .headers = letter->headers,
                                                            .has_key = !letter->lacks_key,
                                                            .has_value = !letter->lacks_value});
}

static struct original of_message(const struct dead_letter *letter)
{
    struct typed_value value;
    struct address address = {0};
    struct sf_status status;
    if (!typed_value_parse(letter->value, &value, &status))
        return of_value((struct bytes){0}, letter->value);
    bool has_id = address_parse(letter->address, &address);
    return original_of(value.type, &(struct kafka_record){.key = address.id,
                                                          .value = value.value,
                                                          .headers = letter->value,
                                                          .has_key = has_id,
                                                          .has_value = value.has_value});
}

/* What a function has sent to an egress that there is not, or that does not take it. */
static struct original of_argument(const struct dead_letter *letter)
{
    struct typed_value value;
    struct kafka_record kafka;
    struct kinesis_record kinesis;
    struct sf_status status;
    if (!typed_value_parse(letter->value, &value, &status))
        return of_value((struct bytes){0}, letter->value);
    if (bytes_is(value.type, TYPE_KAFKA_RECORD) && kafka_record_parse(value.value, &kafka, &status))
        return original_of(value.type, &kafka);
    if (bytes_is(value.type, TYPE_KINESIS_RECORD) &&
        kinesis_record_parse(value.value, &kinesis, &status))
        return of_kinesis_record(value.type, &kinesis);
    return of_value(value.type, value.value);
}

static bool is_id(struct bytes text, const struct spec_name *id)
{
    char *name = mem_format("%s/%s", id->ns, id->name);
    bool is_same = bytes_is(text, name);
    free(name);
    return is_same;
}

/* What stood in the outbox of another egress. */
static struct original of_outbox(const struct application *application,
                                 const struct dead_letter *letter)
{
    struct kafka_record kafka;
    struct kinesis_record kinesis;
    struct sf_status status;
    for (size_t i = 0; i < application->kafka_egress_count; i++)
        if (is_id(letter->egress, &application->kafka_egresses[i].id) &&
            kafka_record_parse(letter->value, &kafka, &status))
            return original_of(bytes_of(TYPE_KAFKA_RECORD), &kafka);
    for (size_t i = 0; i < application->kinesis_egress_count; i++)
        if (is_id(letter->egress, &application->kinesis_egresses[i].id) &&
            kinesis_record_parse(letter->value, &kinesis, &status))
            return of_kinesis_record(bytes_of(TYPE_KINESIS_RECORD), &kinesis);
    return of_value((struct bytes){0}, letter->value);
}

static struct original find_original(const struct application *application,
                                     const struct dead_letter *letter)
{
    switch (letter->kind) {
    case DEAD_UNSERVED:
    case DEAD_FAILED:
        return of_message(letter);
    case DEAD_UNKNOWN_EGRESS:
    case DEAD_REFUSED:
        return of_argument(letter);
    case DEAD_UNDELIVERABLE:
        return of_outbox(application, letter);
    case DEAD_UNKNOWN:
    case DEAD_INVALID_RECORD:
    case DEAD_KINDS:
        break;
    }
    return of_ingress_record(letter);
}

static void copy_headers(struct buffer *record, struct bytes headers)
{
    struct header header;
    while (kafka_header_next(&headers, &header))
        header_add(record, &header);
}

static void add_header(struct buffer *record, const char *name, struct bytes value)
{
    if (value.size)
        header_add(record, &(struct header){bytes_of(name), value});
}

static void write_raw(const struct letter_route *route, struct bytes key,
                      const struct dead_letter *letter, struct buffer *record)
{
    struct buffer id = {0};
    char time[DEAD_TIME_SIZE];
    struct original original = find_original(route->owner, letter);
    original.record.topic = bytes_of(route->to);
    dead_id_add(&id, key);
    kafka_record_add(record, &original.record);
    copy_headers(record, original.record.headers);
    add_header(record, PREFIX "id", buffer_bytes(&id));
    add_header(record, PREFIX "time", bytes_of(dead_time_text(letter->time_ms, time)));
    add_header(record, PREFIX "kind", bytes_of(dead_kind_name(letter->kind)));
    add_header(record, PREFIX "cause", letter->cause);
    add_header(record, PREFIX "origin", letter->origin);
    add_header(record, PREFIX "ingress", letter->ingress);
    add_header(record, PREFIX "target", letter->target);
    add_header(record, PREFIX "egress", letter->egress);
    add_header(record, PREFIX "type", original.type);
    buffer_destroy(&id);
}

/* --- the route --- */

struct letter_route letter_route_of(const struct application *application)
{
    for (size_t i = 0; i < application->kafka_egress_count; i++) {
        const struct dead_letters_spec *letters = &application->kafka_egresses[i].dead_letters;
        if (letters->to)
            return (struct letter_route){.egress = (uint32_t)i,
                                         .keeps = !letters->drops,
                                         .to = letters->to,
                                         .owner = application,
                                         .write = letters->format == LETTERS_RAW ? write_raw
                                                                                 : write_json};
    }
    for (size_t i = 0; i < application->kinesis_egress_count; i++) {
        const struct dead_letters_spec *letters = &application->kinesis_egresses[i].dead_letters;
        if (letters->to)
            return (struct letter_route){.egress = (uint32_t)(application->kafka_egress_count + i),
                                         .keeps = !letters->drops,
                                         .to = letters->to,
                                         .owner = application,
                                         .write = write_json_to_kinesis};
    }
    return (struct letter_route){0};
}
