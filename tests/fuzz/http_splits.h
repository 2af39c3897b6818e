/* http_splits.h - an HTTP message that arrives in pieces, as the net room reads it.
 *
 * What is made of the bytes must not depend on where they are split, so each input is taken whole,
 * byte by byte, and at places that it chooses itself; the three must come to the same end. */
#ifndef FUZZ_HTTP_SPLITS_H
#define FUZZ_HTTP_SPLITS_H

#include "base/mem.h"
#include "wire/http.h"

#include <assert.h>

enum { BODY_MAX = 4096 };

typedef enum http_progress parse_head(struct bytes bytes, struct http_head *ret_head,
                                      struct sf_status *status);

/* What came of a message. */
struct outcome {
    enum http_progress head; /* HTTP_MORE: the bytes ended before */
    enum http_progress body;
    enum sf_code code;      /* of HTTP_BAD */
    struct http_head parts; /* views into `kept` */
    struct buffer kept;     /* the head */
    struct buffer content;  /* the body */
    size_t left;            /* bytes behind the message */
};

/* How many bytes come next. */
struct splits {
    const uint8_t *choices;
    size_t count, next;
    size_t fixed; /* not 0: always so many */
};

static size_t next_piece(struct splits *splits, size_t left)
{
    size_t piece = splits->fixed;
    if (!piece)
        piece =
            splits->count ? (size_t)splits->choices[splits->next++ % splits->count] % 61 + 1 : 1;
    return piece < left ? piece : left;
}

/* A head is parsed from a copy without a spare byte, so that the sanitizer sees one read too much.
 */
static enum http_progress parse_exactly(parse_head *parse, struct bytes bytes,
                                        struct http_head *head, struct sf_status *status)
{
    uint8_t *copy = mem_new_raw(bytes.size);
    if (bytes.size)
        memcpy(copy, bytes.data, bytes.size);
    enum http_progress progress = parse(bytes_make(copy, bytes.size), head, status);
    free(copy);
    return progress;
}

static size_t receive_head(parse_head *parse, struct bytes input, struct splits *splits,
                           struct outcome *outcome)
{
    struct sf_status status = {0};
    size_t got = 0;
    do {
        got += next_piece(splits, input.size - got);
        outcome->head = parse_exactly(parse, bytes_make(input.data, got), &outcome->parts, &status);
    } while (outcome->head == HTTP_MORE && got < input.size);

    if (outcome->head == HTTP_BAD)
        outcome->code = status.code;
    if (outcome->head != HTTP_DONE)
        return got;
    assert(outcome->parts.size <= got && outcome->parts.size <= HTTP_HEAD_BYTES_MAX);
    buffer_add(&outcome->kept, input.data, outcome->parts.size);
    enum http_progress again = parse(buffer_bytes(&outcome->kept), &outcome->parts, &status);
    assert(again == HTTP_DONE);
    return got;
}

/* `got` bytes of `rest` are there already; more come as the splits say, into a buffer that is
 * compacted whenever it has been used up. */
static void receive_chunks(struct bytes rest, size_t got, struct splits *splits,
                           struct outcome *outcome)
{
    struct http_chunks chunks = {0};
    struct sf_status status = {0};
    struct buffer *content = &outcome->content;
    buffer_add(content, rest.data, got);
    for (;;) {
        /* Again without a spare byte. */
        uint8_t *exact = mem_new_raw(content->size);
        if (content->size)
            memcpy(exact, content->data, content->size);
        outcome->body = http_unchunk(&chunks, exact, content->size, BODY_MAX, &status);
        assert(chunks.body_size <= chunks.read_at && chunks.read_at <= content->size);
        assert(chunks.body_size <= BODY_MAX);
        if (content->size)
            memcpy(content->data, exact, content->size);
        free(exact);
        if (outcome->body != HTTP_MORE || got == rest.size)
            break;
        content->size = http_chunks_compact(&chunks);
        size_t piece = next_piece(splits, rest.size - got);
        buffer_add(content, rest.data + got, piece);
        got += piece;
    }
    if (outcome->body == HTTP_BAD)
        outcome->code = status.code;
    if (outcome->body == HTTP_DONE)
        outcome->left = content->size - chunks.read_at + rest.size - got;
    content->size = chunks.body_size;
}

static void receive(parse_head *parse, struct bytes input, struct splits splits,
                    struct outcome *outcome)
{
    *outcome = (struct outcome){.body = HTTP_MORE};
    size_t got = receive_head(parse, input, &splits, outcome);
    if (outcome->head == HTTP_DONE && outcome->parts.framing == HTTP_CHUNKED)
        receive_chunks(bytes_from(input, outcome->parts.size), got - outcome->parts.size, &splits,
                       outcome);
}

static void outcome_destroy(struct outcome *outcome)
{
    buffer_destroy(&outcome->kept);
    buffer_destroy(&outcome->content);
}

static void expect_same_heads(const struct http_head *a, const struct http_head *b)
{
    assert(bytes_equal(a->method, b->method) && bytes_equal(a->target, b->target));
    assert(a->status == b->status && a->minor_version == b->minor_version);
    assert(a->header_count == b->header_count && a->size == b->size);
    for (size_t i = 0; i < a->header_count; i++) {
        assert(bytes_equal(a->headers[i].name, b->headers[i].name));
        assert(bytes_equal(a->headers[i].value, b->headers[i].value));
    }
    assert(a->framing == b->framing && a->content_length == b->content_length);
    assert(a->keep_alive == b->keep_alive && a->expects_continue == b->expects_continue);
}

/* What a head promises of its parts. */
static void check_head(const struct http_head *head)
{
    assert(head->header_count <= HTTP_HEADERS_MAX);
    for (size_t i = 0; i < head->header_count; i++) {
        struct bytes name = head->headers[i].name, value = head->headers[i].value;
        assert(name.size > 0);
        assert(!memchr(name.data, ':', name.size) && !memchr(name.data, ' ', name.size));
        assert(!value.size ||
               (!memchr(value.data, '\n', value.size) && !memchr(value.data, '\r', value.size) &&
                !memchr(value.data, 0, value.size)));
        assert(!value.size || (value.data[0] != ' ' && value.data[value.size - 1] != ' '));
    }
    if (head->framing == HTTP_LENGTH)
        assert(head->content_length > 0 && !http_find(head, "transfer-encoding"));
    if (head->framing == HTTP_CHUNKED)
        assert(!http_find(head, "content-length") && head->minor_version > 0);
}

/* The sizes of pieces are the input's own bytes. */
static void check_splits(parse_head *parse, struct bytes input)
{
    struct outcome whole;
    receive(parse, input, (struct splits){.fixed = SIZE_MAX}, &whole);
    if (whole.head == HTTP_DONE)
        check_head(&whole.parts);

    const struct splits others[] = {
        {.fixed = 1},
        {.choices = input.data, .count = input.size},
        {.choices = input.data, .count = input.size, .next = input.size / 2},
    };
    for (size_t i = input.size > 2048; i < sizeof others / sizeof *others; i++) {
        struct outcome other;
        receive(parse, input, others[i], &other);
        assert(other.head == whole.head && other.body == whole.body && other.code == whole.code);
        if (whole.head == HTTP_DONE) {
            expect_same_heads(&whole.parts, &other.parts);
            assert(bytes_equal(buffer_bytes(&whole.content), buffer_bytes(&other.content)));
            assert(whole.left == other.left);
        }
        outcome_destroy(&other);
    }
    outcome_destroy(&whole);
}

#endif
