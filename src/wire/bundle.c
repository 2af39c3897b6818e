/* bundle.c - see bundle.h. */
#include "wire/bundle.h"

#include "wire/protobuf.h"

enum { BUNDLE_ITEM = 1 };
enum { ITEM_REQUEST = 1, ITEM_VERSION = 2 };
enum { ANSWER_RESULT = 1, ANSWER_TOOK_US = 2 };
enum { RESULT_NUMBER = 1, RESULT_STATUS = 2, RESULT_BODY = 3, RESULT_VERSION = 4 };

enum { STATUS_OK = 200, STATUS_MAX = 599 };

/* --- bundles --- */

static size_t item_body_size(const struct to_function *request, size_t request_size)
{
    return pb_bytes_size(ITEM_REQUEST, request_size) +
           pb_set_uint_size(ITEM_VERSION, request->version);
}

size_t bundle_item_size(const struct to_function *request)
{
    return pb_bytes_size(BUNDLE_ITEM, item_body_size(request, to_function_size(request)));
}

uint8_t *bundle_item_put(uint8_t *to, const struct to_function *request)
{
    size_t size = to_function_size(request);
    to = pb_put_head(to, BUNDLE_ITEM, item_body_size(request, size));
    to = pb_put_head(to, ITEM_REQUEST, size);
    to = to_function_put(to, request);
    return pb_put_set_uint(to, ITEM_VERSION, request->version);
}

static bool parse_item(struct bytes message, struct bundle_item *ret_item)
{
    struct pb_reader reader = pb_read(message);
    struct pb_field field;
    *ret_item = (struct bundle_item){0};
    while (pb_next(&reader, &field)) {
        if (field.number == ITEM_REQUEST && field.type == PB_BYTES)
            ret_item->request = field.bytes;
        else if (field.number == ITEM_VERSION && field.type == PB_VARINT)
            ret_item->version = field.value;
    }
    return !reader.failed;
}

static size_t count_items(struct bytes bundle)
{
    struct pb_reader reader = pb_read(bundle);
    struct pb_field field;
    size_t count = 0;
    while (pb_next(&reader, &field))
        count += field.number == BUNDLE_ITEM && field.type == PB_BYTES;
    return reader.failed ? 0 : count;
}

bool bundle_parse(struct bytes bundle, struct arena *arena, struct bundle_item **ret_items,
                  size_t *ret_count, struct sf_status *status)
{
    size_t count = count_items(bundle), nth = 0;
    if (count == 0)
        return sf_fail(status, SF_INVALID, "the body is no bundle of invocations");
    if (count > BUNDLE_ITEMS_MAX)
        return sf_fail(status, SF_INVALID, "the bundle holds %zu invocations, the most is %d",
                       count, BUNDLE_ITEMS_MAX);
    struct bundle_item *items = arena_take(arena, count * sizeof *items);
    struct pb_reader reader = pb_read(bundle);
    struct pb_field field;
    while (pb_next(&reader, &field)) {
        if (field.number != BUNDLE_ITEM || field.type != PB_BYTES)
            continue;
        if (!parse_item(field.bytes, &items[nth]))
            return sf_fail(status, SF_INVALID, "item %zu of the bundle is not valid protobuf", nth);
        nth++;
    }
    *ret_items = items;
    *ret_count = count;
    return true;
}

/* --- answers --- */

static void add_head(struct buffer *answer, const struct bundle_result *result, size_t nth,
                     size_t body_size)
{
    size_t size = pb_set_uint_size(RESULT_NUMBER, nth) +
                  pb_set_uint_size(RESULT_STATUS, (uint64_t)result->status) +
                  pb_set_uint_size(RESULT_VERSION, result->version) +
                  pb_bytes_size(RESULT_BODY, body_size);
    uint8_t *to = buffer_reserve(answer, pb_bytes_size(ANSWER_RESULT, size));
    to = pb_put_head(to, ANSWER_RESULT, size);
    to = pb_put_set_uint(to, RESULT_NUMBER, nth);
    to = pb_put_set_uint(to, RESULT_STATUS, (uint64_t)result->status);
    to = pb_put_set_uint(to, RESULT_VERSION, result->version);
    to = pb_put_head(to, RESULT_BODY, body_size);
    answer->size = (size_t)(to - answer->data);
}

void bundle_reply_add(struct buffer *answer, size_t nth, const struct from_function *reply)
{
    size_t size = from_function_size(reply);
    add_head(answer, &(struct bundle_result){.status = STATUS_OK, .version = reply->version}, nth,
             size);
    (void)from_function_put(buffer_reserve(answer, size), reply);
    answer->size += size;
}

void bundle_failure_add(struct buffer *answer, size_t nth, int http_status, struct bytes text)
{
    add_head(answer, &(struct bundle_result){.status = http_status}, nth, text.size);
    buffer_add_bytes(answer, text);
}

void bundle_time_add(struct buffer *answer, uint64_t took_us)
{
    pb_add_uint(answer, ANSWER_TOOK_US, took_us);
}

static bool parse_result(struct bytes message, size_t count, struct bundle_result *results,
                         struct sf_status *status)
{
    struct bundle_result result = {0};
    uint64_t number = 0, http_status = 0;
    struct pb_reader reader = pb_read(message);
    struct pb_field field;
    while (pb_next(&reader, &field)) {
        if (field.number == RESULT_BODY && field.type == PB_BYTES)
            result.body = field.bytes;
        if (field.type != PB_VARINT)
            continue;
        if (field.number == RESULT_NUMBER)
            number = field.value;
        else if (field.number == RESULT_STATUS)
            http_status = field.value;
        else if (field.number == RESULT_VERSION)
            result.version = field.value;
    }
    if (reader.failed)
        return sf_fail(status, SF_INVALID, "a result is not valid protobuf");
    if (number >= count)
        return sf_fail(status, SF_INVALID, "a result has number %llu of %zu",
                       (unsigned long long)number, count);
    if (results[number].status)
        return sf_fail(status, SF_INVALID, "there are two results with number %llu",
                       (unsigned long long)number);
    if (http_status < STATUS_OK || http_status > STATUS_MAX)
        return sf_fail(status, SF_INVALID, "a result has status %llu, expected 200 to 599",
                       (unsigned long long)http_status);
    result.status = (int)http_status;
    results[number] = result;
    return true;
}

bool bundle_answer_parse(struct bytes answer, size_t count, struct bundle_result *results,
                         uint64_t *ret_took_us, struct sf_status *status)
{
    struct pb_reader reader = pb_read(answer);
    struct pb_field field;
    size_t found = 0;
    *ret_took_us = 0;
    memset(results, 0, count * sizeof *results);
    while (pb_next(&reader, &field)) {
        if (field.number == ANSWER_TOOK_US && field.type == PB_VARINT)
            *ret_took_us = field.value;
        if (field.number != ANSWER_RESULT || field.type != PB_BYTES)
            continue;
        if (!parse_result(field.bytes, count, results, status))
            return false;
        found++;
    }
    if (reader.failed)
        return sf_fail(status, SF_INVALID, "it is not valid protobuf");
    return found == count ||
           sf_fail(status, SF_INVALID, "it holds %zu results for %zu invocations", found, count);
}
