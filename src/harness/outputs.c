/* outputs.c - each output is a context of its own, so that what it is decoded to lives as long. */
#include "harness/outputs.h"

#include "base/mem.h"
#include "sdk/host.h"
#include "sdk/value.h"
#include "wire/typed_value.h"

#include <inttypes.h>
#include <stdio.h>

struct piece {
    struct piece *next;
    max_align_t memory[];
};

struct output {
    struct sf_output is; /* first */
    struct sf_context context;
    struct piece *pieces; /* memory that goes with it */
    struct bytes argument;
    struct bytes target;
    char *text; /* made when asked for */
};

static struct output *output_of(const struct sf_output *output)
{
    return (struct output *)output;
}

/* --- as a context --- */

static void *take(struct output *output, size_t size)
{
    struct piece *piece = mem_new(sizeof *piece + size);
    piece->next = output->pieces;
    output->pieces = piece;
    return piece->memory;
}

static void *alloc(struct sf_context *context, size_t size)
{
    return take(container_of(context, struct output, context), size);
}

static bool fail(struct sf_context *context, const char *text)
{
    (void)context, (void)text;
    return false;
}

static const struct sf_host decoding = {.size = sizeof decoding, .alloc = alloc, .fail = fail};

static const void *copy(struct output *output, struct bytes bytes)
{
    char *text = take(output, bytes.size + 1);
    if (bytes.size)
        memcpy(text, bytes.data, bytes.size);
    return text;
}

static struct sf_address address_copy(struct output *output, const struct address *address)
{
    struct buffer type = {0};
    buffer_add_bytes(&type, address->ns);
    buffer_add_u8(&type, '/');
    buffer_add_bytes(&type, address->name);
    struct sf_address made = {copy(output, buffer_bytes(&type)), copy(output, address->id),
                              address->id.size};
    buffer_destroy(&type);
    return made;
}

/* --- the list --- */

static void free_pieces(struct output *output)
{
    for (struct piece *piece = output->pieces, *next; piece; piece = next) {
        next = piece->next;
        free(piece);
    }
}

static void output_free(struct output *output)
{
    free_pieces(output);
    free(output->text);
    free(output);
}

void outputs_clear(struct outputs *outputs)
{
    for (size_t i = 0; i < outputs->count; i++)
        output_free(outputs->items[i]);
    free(outputs->items);
    *outputs = (struct outputs){0};
}

static void put(struct outputs *outputs, struct output *output)
{
    if (outputs->count == outputs->capacity) {
        outputs->capacity = outputs->capacity ? outputs->capacity * 2 : 16;
        outputs->items = mem_resize(outputs->items, outputs->capacity * sizeof *outputs->items);
    }
    outputs->items[outputs->count++] = output;
}

const struct sf_output *outputs_add(struct outputs *outputs, const struct made_output *made)
{
    struct output *output = mem_new(sizeof *output);
    struct typed_value value = {0};
    output->context.host = &decoding;
    output->argument = bytes_make(copy(output, made->argument), made->argument.size);
    (void)typed_value_parse(output->argument, &value, NULL); /* else it stays empty */
    output->is = (struct sf_output){
        .type = copy(output, value.type),
        .value = bytes_to_sf(value.value),
        .due_ms = made->due_ms,
        .token = made->token.size ? copy(output, made->token) : NULL,
        .context = &output->context,
    };
    if (made->target) {
        output->is.target = address_copy(output, made->target);
        output->target = bytes_make(copy(output, made->target->wire), made->target->wire.size);
    } else {
        output->is.egress = copy(output, made->egress);
    }
    if (made->sender)
        output->is.sender = address_copy(output, made->sender);
    put(outputs, output);
    return &output->is;
}

const struct sf_output *outputs_get(const struct outputs *outputs, size_t index)
{
    return index < outputs->count ? &outputs->items[index]->is : NULL;
}

void outputs_move(struct outputs *outputs, size_t index, struct outputs *to)
{
    struct output *output = outputs->items[index];
    outputs->count--;
    memmove(outputs->items + index, outputs->items + index + 1,
            (outputs->count - index) * sizeof *outputs->items);
    if (to)
        put(to, output);
    else
        output_free(output);
}

struct bytes output_argument(const struct sf_output *output)
{
    return output_of(output)->argument;
}

struct bytes output_target(const struct sf_output *output)
{
    return output_of(output)->target;
}

bool output_is_to(const struct sf_output *output, struct sf_address target)
{
    if (output->egress)
        return false;
    struct sf_target found = target_of(output->target), wanted = target_of(target);
    return bytes_equal(bytes_from_sf(found.type), bytes_from_sf(wanted.type)) &&
           bytes_equal(bytes_from_sf(found.id), bytes_from_sf(wanted.id));
}

void output_is_sent(const struct sf_output *output)
{
    output_of(output)->is.due_ms = 0;
    output_of(output)->is.token = NULL;
}

/* --- reading --- */

struct sf_value sf_output_value(const struct sf_output *output)
{
    struct sf_value value = {0};
    if (output) {
        value.raw_type = output->type;
        value.raw_type_size = strlen(output->type);
        value.as_bytes = output->value;
    }
    return value;
}

bool sf_output_read(const struct sf_output *output, const struct sf_type *type, void *ret_value)
{
    return output && !strcmp(output->type, type->name) &&
           value_decode(output->context, type, output->value, ret_value, NULL);
}

static void *alloc_in_output(void *owner, size_t size)
{
    return take(owner, size);
}

bool sf_output_is(const struct sf_output *output, struct sf_value expected)
{
    struct sf_encoded encoded;
    if (!output)
        return false;
    struct value_memory memory = {alloc_in_output, output_of(output)};
    return value_encode(memory, &expected, &encoded, NULL) &&
           bytes_is(bytes_from_sf(encoded.type), output->type) &&
           bytes_equal(bytes_from_sf(encoded.value), bytes_from_sf(output->value));
}

bool sf_output_kafka(const struct sf_output *output, struct sf_kafka_output *ret_record)
{
    struct kafka_record record;
    if (!output || strcmp(output->type, TYPE_KAFKA_RECORD) ||
        !kafka_record_parse(bytes_from_sf(output->value), &record, NULL))
        return false;
    struct output *memory = output_of(output);
    struct header header;
    size_t count = 0;
    for (struct bytes rest = record.headers; kafka_header_next(&rest, &header);)
        count++;
    struct sf_kafka_header *headers = take(memory, count * sizeof *headers);
    struct bytes rest = record.headers;
    for (size_t i = 0; i < count && kafka_header_next(&rest, &header); i++)
        headers[i] = (struct sf_kafka_header){copy(memory, header.key), bytes_to_sf(header.value)};
    *ret_record = (struct sf_kafka_output){
        .topic = copy(memory, record.topic),
        .key = bytes_to_sf(record.key),
        .value = bytes_to_sf(record.value),
        .headers = headers,
        .header_count = count,
    };
    return true;
}

bool sf_output_kinesis(const struct sf_output *output, struct sf_kinesis_output *ret_record)
{
    struct kinesis_record record;
    if (!output || strcmp(output->type, TYPE_KINESIS_RECORD) ||
        !kinesis_record_parse(bytes_from_sf(output->value), &record, NULL))
        return false;
    struct output *memory = output_of(output);
    *ret_record = (struct sf_kinesis_output){
        .stream = copy(memory, record.stream),
        .partition_key = copy(memory, record.partition_key),
        .explicit_hash_key =
            record.explicit_hash_key.size ? copy(memory, record.explicit_hash_key) : NULL,
        .value = bytes_to_sf(record.value),
    };
    return true;
}

/* --- for people --- */

static void add_bytes(struct buffer *text, struct bytes bytes)
{
    enum { SHOWN_MAX = 64 };
    bool is_text = bytes_are_utf8(bytes);
    for (size_t i = 0; i < bytes.size && is_text; i++)
        is_text = bytes.data[i] >= ' ';
    if (is_text) {
        buffer_add_format(text, "'%.*s'", BYTES_ARG(bytes));
        return;
    }
    for (size_t i = 0; i < bytes.size && i < SHOWN_MAX; i++)
        buffer_add_format(text, "%s%02x", i ? " " : "", bytes.data[i]);
    if (bytes.size > SHOWN_MAX)
        buffer_add_format(text, " ... (%zu bytes)", bytes.size);
}

static void add_value(struct buffer *text, const struct sf_output *output)
{
    const char *string;
    int32_t number;
    int64_t number_long;
    bool truth;
    double real;
    float real_float;
    if (sf_output_read(output, &sf_string_type, &string))
        add_bytes(text, bytes_of(string));
    else if (sf_output_read(output, &sf_int_type, &number))
        buffer_add_format(text, "%" PRId32, number);
    else if (sf_output_read(output, &sf_long_type, &number_long))
        buffer_add_format(text, "%" PRId64, number_long);
    else if (sf_output_read(output, &sf_bool_type, &truth))
        buffer_add_text(text, truth ? "true" : "false");
    else if (sf_output_read(output, &sf_double_type, &real))
        buffer_add_format(text, "%g", real);
    else if (sf_output_read(output, &sf_float_type, &real_float))
        buffer_add_format(text, "%g", (double)real_float);
    else
        add_bytes(text, bytes_from_sf(output->value));
}

static void add_content(struct buffer *text, const struct sf_output *output)
{
    struct sf_kafka_output kafka;
    struct sf_kinesis_output kinesis;
    if (sf_output_kafka(output, &kafka)) {
        buffer_add_format(text, "topic '%s', key ", kafka.topic);
        if (kafka.key.size)
            add_bytes(text, bytes_from_sf(kafka.key));
        else
            buffer_add_text(text, "none");
        buffer_add_text(text, ", value ");
        add_bytes(text, bytes_from_sf(kafka.value));
    } else if (sf_output_kinesis(output, &kinesis)) {
        buffer_add_format(text, "stream '%s', key '%s', value ", kinesis.stream,
                          kinesis.partition_key);
        add_bytes(text, bytes_from_sf(kinesis.value));
    } else {
        buffer_add_format(text, "%s ", output->type);
        add_value(text, output);
    }
}

const char *sf_output_text(const struct sf_output *output)
{
    if (!output)
        return "nothing";
    struct buffer text = {0};
    if (output->egress)
        buffer_add_format(&text, "%s: ", output->egress);
    else
        buffer_add_format(&text, "%s/%s: ", output->target.type, output->target.id);
    add_content(&text, output);
    if (output->due_ms)
        buffer_add_format(&text, ", due at %" PRId64 " ms", output->due_ms);
    if (output->token)
        buffer_add_format(&text, ", token '%s'", output->token);
    struct output *keeper = output_of(output);
    free(keeper->text);
    keeper->text = mem_string(buffer_text(&text));
    buffer_destroy(&text);
    return keeper->text;
}

void sf_print_output(void *file, const struct sf_output *output)
{
    (void)fprintf(file ? file : stdout, "%s\n", sf_output_text(output));
}

/* --- expecting --- */

/* A value as an output that nobody has made, to be shown. */
static bool mismatch(const struct sf_output *output, struct made_output *expected,
                     struct sf_value value, struct sf_status *status)
{
    struct outputs shown = {0};
    struct output scratch = {0};
    struct buffer argument = {0};
    struct sf_encoded encoded;
    if (value_encode((struct value_memory){alloc_in_output, &scratch}, &value, &encoded, status)) {
        typed_value_add(&argument, &(struct typed_value){bytes_from_sf(encoded.type),
                                                         bytes_from_sf(encoded.value), true});
        expected->argument = buffer_bytes(&argument);
        (void)sf_fail(status, SF_INVALID, "expected %s, found %s",
                      sf_output_text(outputs_add(&shown, expected)), sf_output_text(output));
    }
    free_pieces(&scratch);
    buffer_destroy(&argument);
    outputs_clear(&shown);
    return false;
}

bool sf_expect_message(const struct sf_output *output, struct sf_address target,
                       struct sf_value value, struct sf_status *status)
{
    if (output && output_is_to(output, target) && sf_output_is(output, value))
        return true;
    struct arena arena = {0};
    struct address address;
    struct bytes type = bytes_from_sf(target_of(target).type);
    const uint8_t *slash = type.size ? memchr(type.data, '/', type.size) : NULL;
    size_t at = slash ? (size_t)(slash - type.data) : type.size;
    bool good = address_make(bytes_make(type.data, at), bytes_from(type, slash ? at + 1 : at),
                             bytes_from_sf(target_of(target).id), &arena, &address, status) &&
                mismatch(output, &(struct made_output){.target = &address}, value, status);
    arena_destroy(&arena);
    return good;
}

bool sf_expect_egress(const struct sf_output *output, const char *egress, struct sf_value value,
                      struct sf_status *status)
{
    return (output && output->egress && !strcmp(output->egress, egress) &&
            sf_output_is(output, value)) ||
           mismatch(output, &(struct made_output){.egress = bytes_of(egress)}, value, status);
}

bool sf_expect_kafka(const struct sf_output *output, const char *topic, const char *key,
                     const char *value, struct sf_status *status)
{
    struct sf_kafka_output found;
    return (sf_output_kafka(output, &found) && !strcmp(found.topic, topic) &&
            bytes_is(bytes_from_sf(found.key), key ? key : "") &&
            bytes_is(bytes_from_sf(found.value), value)) ||
           sf_fail(status, SF_INVALID, "expected topic '%s', key %s%s%s, value '%s', found %s",
                   topic, key ? "'" : "", key ? key : "none", key ? "'" : "", value,
                   sf_output_text(output));
}
