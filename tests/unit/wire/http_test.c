/* http_test.c - HTTP/1.1 heads and chunks, as strangers write them. */
#include "test.h"

#include "wire/http.h"

#include "base/mem.h"

#include <stdio.h>

enum side { REQUEST, RESPONSE, RESPONSE_TO_HEAD };

static struct http_head head;
static struct sf_status status;

static enum http_progress parse(enum side side, struct bytes bytes)
{
    status = (struct sf_status){0};
    return side == REQUEST ? http_parse_request(bytes, &head, &status)
                           : http_parse_response(bytes, side == RESPONSE_TO_HEAD, &head, &status);
}

/* A copy that ends where its memory ends, so that the address sanitizer sees a byte read too much.
 */
static struct bytes exact_copy(const void *text, size_t size)
{
    return bytes_make(memcpy(mem_new_raw(size), text, size), size);
}

static void drop_copy(struct bytes copy)
{
    free((void *)copy.data);
}

/* Parses all of `text`. Every shorter part of a good message must ask for more; of a bad one it may
 * also say so already. The head's views are into static memory, for the test to look at. */
static enum http_progress parse_by_parts(enum side side, const char *text, size_t size)
{
    enum http_progress last = parse(side, bytes_make(text, size));
    for (size_t part = 0; part < size; part++) {
        struct bytes copy = exact_copy(text, part);
        enum http_progress progress = parse(side, copy);
        if (progress == HTTP_DONE || (progress == HTTP_BAD && last != HTTP_BAD))
            fail_msg("after %zu bytes of %s", part, text);
        drop_copy(copy);
    }
    struct bytes copy = exact_copy(text, size);
    assert_int_equal(parse(side, copy), last);
    drop_copy(copy);
    return parse(side, bytes_make(text, size));
}

static void take(enum side side, const char *text)
{
    if (parse_by_parts(side, text, strlen(text)) != HTTP_DONE)
        fail_msg("%s: %s", status.message, text);
    assert_int_equal(head.size, strlen(text));
}

static void refuse(enum side side, const char *text, const char *complaint)
{
    if (parse_by_parts(side, text, strlen(text)) != HTTP_BAD)
        fail_msg("taken for good: %s", text);
    assert_int_equal(status.code, SF_INVALID);
    assert_mentions(status.message, complaint);
}

/* --- requests --- */

static void a_request_is_taken_apart(void **state)
{
    (void)state;
    take(REQUEST, "POST /in/a/b?x=%20y HTTP/1.1\r\n"
                  "Host: example.org:8080\r\n"
                  "Content-Type:text/plain\r\n"
                  "Empty:\r\n"
                  "Blank: \t \r\n"
                  "Padded: \t two  words \t\r\n"
                  "CONTENT-LENGTH: 12\r\n"
                  "\r\n");
    assert_bytes(head.method, "POST");
    assert_bytes(head.target, "/in/a/b?x=%20y");
    assert_int_equal(head.minor_version, 1);
    assert_int_equal(head.header_count, 6);
    assert_bytes(http_find(&head, "content-type")->value, "text/plain");
    assert_bytes(http_find(&head, "eMPTY")->value, "");
    assert_bytes(http_find(&head, "blank")->value, "");
    assert_bytes(http_find(&head, "padded")->value, "two  words");
    assert_null(http_find(&head, "pad"));
    assert_null(http_find(&head, "padded "));
    assert_int_equal(head.framing, HTTP_LENGTH);
    assert_int_equal(head.content_length, 12);
    assert_true(head.keep_alive);
    assert_false(head.expects_continue);
}

static void a_head_ends_where_it_ends(void **state)
{
    (void)state;
    const char *two = "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /next HTTP/1.1\r\n";
    assert_int_equal(parse(REQUEST, bytes_of(two)), HTTP_DONE);
    assert_bytes(bytes_from(bytes_of(two), head.size), "GET /next HTTP/1.1\r\n");
    assert_bytes(head.target, "/");
}

static void one_empty_line_before_a_request_is_passed_over(void **state)
{
    (void)state;
    take(REQUEST, "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");
    refuse(REQUEST, "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "method");
    refuse(REQUEST, "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "method");
}

static void a_request_line_must_be_just_so(void **state)
{
    (void)state;
    refuse(REQUEST, "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", "without a target");
    refuse(REQUEST, " GET / HTTP/1.1\r\nHost: a\r\n\r\n", "without a method");
    refuse(REQUEST, "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", "method");
    refuse(REQUEST, "G@T / HTTP/1.1\r\nHost: a\r\n\r\n", "method");
    refuse(REQUEST, "GET /\r\nHost: a\r\n\r\n", "target");
    refuse(REQUEST, "GET / \r\nHost: a\r\n\r\n", "not HTTP");
    refuse(REQUEST, "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", "not HTTP");
    refuse(REQUEST, "GET /\x7f HTTP/1.1\r\nHost: a\r\n\r\n", "target");
    refuse(REQUEST, "GET /\xc3\xa4 HTTP/1.1\r\nHost: a\r\n\r\n", "target");
    refuse(REQUEST, "GET / HTTP/1.1 \r\nHost: a\r\n\r\n", "behind the version");
    refuse(REQUEST, "GET / HTTP/2.0\r\nHost: a\r\n\r\n", "not HTTP");
    refuse(REQUEST, "GET / HTTP/1.x\r\nHost: a\r\n\r\n", "not HTTP");
    refuse(REQUEST, "GET / http/1.1\r\nHost: a\r\n\r\n", "not HTTP");
    refuse(REQUEST, "GET / HTTP/1.1\nHost: a\n\n", "behind the version");
    refuse(REQUEST, "GET / HTTP/1.1\rHost: a\r\n\r\n", "CR without LF");
    refuse(REQUEST, "\x16\x03\x01\x02\x01", "method");
}

static void a_target_is_a_path_a_url_or_a_star(void **state)
{
    (void)state;
    take(REQUEST, "GET http://example.org/a?b HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_bytes(head.target, "/a?b");
    take(REQUEST, "GET HTTPS://u@example.org:1 HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_bytes(head.target, "/");
    take(REQUEST, "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_bytes(head.target, "*");

    refuse(REQUEST, "GET * HTTP/1.1\r\nHost: a\r\n\r\n", "neither a path nor a URL");
    refuse(REQUEST, "GET a HTTP/1.1\r\nHost: a\r\n\r\n", "neither a path nor a URL");
    refuse(REQUEST, "GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", "neither a path nor a URL");
    refuse(REQUEST, "GET http:// HTTP/1.1\r\nHost: a\r\n\r\n", "neither a path nor a URL");
    refuse(REQUEST, "GET http:///a HTTP/1.1\r\nHost: a\r\n\r\n", "without a host");
    refuse(REQUEST, "GET http://a?b HTTP/1.1\r\nHost: a\r\n\r\n", "no path");
    refuse(REQUEST, "CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", "neither a path nor a URL");
}

static void a_request_names_its_host_once(void **state)
{
    (void)state;
    take(REQUEST, "GET / HTTP/1.0\r\n\r\n");
    take(REQUEST, "GET / HTTP/1.1\r\nHost:\r\n\r\n");
    take(REQUEST, "GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n");
    refuse(REQUEST, "GET / HTTP/1.1\r\n\r\n", "without a Host");
    refuse(REQUEST, "GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n", "more than one Host");
    refuse(REQUEST, "GET / HTTP/1.0\r\nHost: a\r\nhost: a\r\n\r\n", "more than one Host");
    refuse(REQUEST, "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", "Host");
    refuse(REQUEST, "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", "Host");
    refuse(REQUEST, "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", "Host");
}

#define GET "GET / HTTP/1.1\r\nHost: a\r\n"

static void a_header_that_is_ambiguous_is_refused(void **state)
{
    (void)state;
    refuse(REQUEST, GET "Name : x\r\n\r\n", "name");
    refuse(REQUEST, GET "Na me: x\r\n\r\n", "name");
    refuse(REQUEST, GET "N\xc3\xa4me: x\r\n\r\n", "name");
    refuse(REQUEST, GET ": x\r\n\r\n", "without a name");
    refuse(REQUEST, GET "Name\r\n\r\n", "name");
    refuse(REQUEST, GET "Name: a\r\n b\r\n\r\n", "folded");
    refuse(REQUEST, GET "Name: a\r\n\tb\r\n\r\n", "folded");
    refuse(REQUEST, "GET / HTTP/1.1\r\n Host: a\r\n\r\n", "folded");
    refuse(REQUEST, GET "Name: a\nOther: b\r\n\r\n", "control character");
    refuse(REQUEST, GET "Name: a\rOther: b\r\n\r\n", "CR without LF");
    refuse(REQUEST, GET "Name: a\x01\r\n\r\n", "control character");
    refuse(REQUEST, GET "Name: a\x7f\r\n\r\n", "control character");
    refuse(REQUEST, GET "\n", "name");
    refuse(REQUEST, GET "\rX", "CR without LF");

    const char with_nul[] = GET "Name: a\0b\r\n\r\n";
    assert_int_equal(parse_by_parts(REQUEST, with_nul, sizeof with_nul - 1), HTTP_BAD);
    const char nul_in_name[] = GET "Na\0me: b\r\n\r\n";
    assert_int_equal(parse_by_parts(REQUEST, nul_in_name, sizeof nul_in_name - 1), HTTP_BAD);

    take(REQUEST, GET "Name: \xc3\xa4 \t\"quoted\"\r\n\r\n");
}

static void a_length_is_one_number(void **state)
{
    (void)state;
    take(REQUEST, GET "Content-Length: 5\r\ncontent-length: 5\r\n\r\n");
    assert_int_equal(head.content_length, 5);
    take(REQUEST, GET "Content-Length: 0005\r\n\r\n");
    assert_int_equal(head.content_length, 5);
    take(REQUEST, GET "Content-Length: 999999999999999999\r\n\r\n");
    assert_int_equal(head.content_length, 999999999999999999);
    take(REQUEST, GET "Content-Length: 0\r\n\r\n");
    assert_int_equal(head.framing, HTTP_NO_BODY);

    refuse(REQUEST, GET "Content-Length: 5\r\nContent-Length: 6\r\n\r\n", "differ");
    refuse(REQUEST, GET "Content-Length: 5, 5\r\n\r\n", "not a number");
    refuse(REQUEST, GET "Content-Length: +5\r\n\r\n", "not a number");
    refuse(REQUEST, GET "Content-Length: -5\r\n\r\n", "not a number");
    refuse(REQUEST, GET "Content-Length: 0x5\r\n\r\n", "not a number");
    refuse(REQUEST, GET "Content-Length: 5 5\r\n\r\n", "not a number");
    refuse(REQUEST, GET "Content-Length:\r\n\r\n", "not a number");
    refuse(REQUEST, GET "Content-Length: 18446744073709551617\r\n\r\n", "not a number");
}

static void a_transfer_coding_is_chunked_or_refused(void **state)
{
    (void)state;
    take(REQUEST, GET "Transfer-Encoding: Chunked\r\n\r\n");
    assert_int_equal(head.framing, HTTP_CHUNKED);

    refuse(REQUEST, GET "Transfer-Encoding: gzip, chunked\r\n\r\n", "else than chunked");
    refuse(REQUEST, GET "Transfer-Encoding: gzip\r\n\r\n", "else than chunked");
    refuse(REQUEST, GET "Transfer-Encoding: chunked, chunked\r\n\r\n", "else than chunked");
    refuse(REQUEST, GET "Transfer-Encoding: identity\r\n\r\n", "else than chunked");
    refuse(REQUEST, GET "Transfer-Encoding:\r\n\r\n", "else than chunked");
    refuse(REQUEST, GET "Transfer-Encoding: xchunked\r\n\r\n", "else than chunked");
    refuse(REQUEST, GET "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
           "else than chunked");
    refuse(REQUEST, GET "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", "both");
    refuse(REQUEST, GET "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n", "both");
    refuse(REQUEST, "GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", "HTTP/1.0");
}

static void a_connection_is_kept_as_version_and_header_say(void **state)
{
    (void)state;
    take(REQUEST, GET "\r\n");
    assert_true(head.keep_alive);
    take(REQUEST, GET "Connection: close\r\n\r\n");
    assert_false(head.keep_alive);
    take(REQUEST, GET "Connection: keep-alive, Upgrade ,\tCLOSE\r\n\r\n");
    assert_false(head.keep_alive);
    take(REQUEST, GET "Connection: keep-alive\r\nConnection: close\r\n\r\n");
    assert_false(head.keep_alive);
    take(REQUEST, GET "Connection: closed\r\n\r\n");
    assert_true(head.keep_alive);
    take(REQUEST, "GET / HTTP/1.0\r\n\r\n");
    assert_false(head.keep_alive);
    take(REQUEST, "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n");
    assert_true(head.keep_alive);
    take(REQUEST, "GET / HTTP/1.9\r\nHost: a\r\n\r\n");
    assert_true(head.keep_alive);
}

static void a_client_may_want_to_be_told_to_go_on(void **state)
{
    (void)state;
    take(REQUEST, GET "Expect: 100-Continue\r\nContent-Length: 1\r\n\r\n");
    assert_true(head.expects_continue);
    take(REQUEST, "POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n");
    assert_false(head.expects_continue);
    take(REQUEST, GET "Expect: rain\r\n\r\n");
    assert_false(head.expects_continue);
}

static void a_head_has_a_limit_in_bytes_and_in_headers(void **state)
{
    (void)state;
    struct buffer text = {0};
    buffer_add_text(&text, GET "Long: ");
    while (text.size < HTTP_HEAD_BYTES_MAX - 4)
        buffer_add_u8(&text, 'x');
    buffer_add_text(&text, "\r\n\r\n");
    assert_int_equal(text.size, HTTP_HEAD_BYTES_MAX);
    assert_int_equal(parse(REQUEST, buffer_bytes(&text)), HTTP_DONE);
    assert_int_equal(parse(REQUEST, bytes_make(text.data, text.size - 1)), HTTP_MORE);

    text.size -= 4;
    buffer_add_text(&text, "x\r\n\r\n");
    assert_int_equal(parse(REQUEST, buffer_bytes(&text)), HTTP_BAD);
    assert_int_equal(status.code, SF_FULL);
    assert_int_equal(parse(REQUEST, bytes_make(text.data, HTTP_HEAD_BYTES_MAX)), HTTP_BAD);
    assert_int_equal(status.code, SF_FULL);

    buffer_clear(&text);
    buffer_add_text(&text, GET);
    for (int i = 1; i < HTTP_HEADERS_MAX; i++)
        buffer_add_format(&text, "H%d: x\r\n", i);
    buffer_add_text(&text, "\r\n");
    assert_int_equal(parse(REQUEST, buffer_bytes(&text)), HTTP_DONE);
    assert_int_equal(head.header_count, HTTP_HEADERS_MAX);

    text.size -= 2;
    buffer_add_text(&text, "One: more\r\n\r\n");
    assert_int_equal(parse(REQUEST, buffer_bytes(&text)), HTTP_BAD);
    assert_int_equal(status.code, SF_FULL);
    buffer_destroy(&text);
}

/* --- responses --- */

static void a_response_is_taken_apart(void **state)
{
    (void)state;
    take(RESPONSE, "HTTP/1.1 404 Not  Found\xc3\xa4\r\nContent-Length: 3\r\n\r\n");
    assert_int_equal(head.status, 404);
    assert_int_equal(head.framing, HTTP_LENGTH);
    assert_int_equal(head.content_length, 3);
    assert_true(head.keep_alive);
    take(RESPONSE, "HTTP/1.0 200 \r\nContent-Length: 0\r\n\r\n");
    assert_int_equal(head.framing, HTTP_NO_BODY);
    assert_false(head.keep_alive);
    take(RESPONSE, "HTTP/1.1 200\r\ntransfer-encoding: chunked\r\n\r\n");
    assert_int_equal(head.framing, HTTP_CHUNKED);
}

static void a_response_without_a_length_lasts_until_the_connection_closes(void **state)
{
    (void)state;
    take(RESPONSE, "HTTP/1.1 200 OK\r\nConnection: keep-alive\r\n\r\n");
    assert_int_equal(head.framing, HTTP_UNTIL_CLOSE);
    assert_false(head.keep_alive);
}

static void some_responses_have_no_body_whatever_they_say(void **state)
{
    (void)state;
    const char *statuses[] = {"100", "103", "204", "304"};
    for (size_t i = 0; i < 4; i++) {
        char text[100];
        snprintf(text, sizeof text, "HTTP/1.1 %s X\r\nContent-Length: 5\r\n\r\n", statuses[i]);
        take(RESPONSE, text);
        assert_int_equal(head.framing, HTTP_NO_BODY);
        snprintf(text, sizeof text, "HTTP/1.1 %s X\r\n\r\n", statuses[i]);
        take(RESPONSE, text);
        assert_int_equal(head.framing, HTTP_NO_BODY);
        assert_true(head.keep_alive);
    }
    take(RESPONSE_TO_HEAD, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
    assert_int_equal(head.framing, HTTP_NO_BODY);
}

static void a_status_line_must_be_just_so(void **state)
{
    (void)state;
    refuse(RESPONSE, "HTTP/1.1 99 X\r\n\r\n", "three digits");
    refuse(RESPONSE, "HTTP/1.1 099 X\r\n\r\n", "100 to 599");
    refuse(RESPONSE, "HTTP/1.1 600 X\r\n\r\n", "100 to 599");
    refuse(RESPONSE, "HTTP/1.1 2000 X\r\n\r\n", "odd");
    refuse(RESPONSE, "HTTP/1.1 2x0 X\r\n\r\n", "three digits");
    refuse(RESPONSE, "HTTP/1.1  200 X\r\n\r\n", "three digits");
    refuse(RESPONSE, "HTTP/1.1\t200 X\r\n\r\n", "no space");
    refuse(RESPONSE, "HTTP/2 200 X\r\n\r\n", "not HTTP");
    refuse(RESPONSE, "HTTP/1.1 200 X\n\n", "odd");
    refuse(RESPONSE, "HTTP/1.1 200 X\x01\r\n\r\n", "odd");
    refuse(RESPONSE, "\r\nHTTP/1.1 200 OK\r\n\r\n", "not HTTP");
    refuse(RESPONSE, "SSH-2.0-OpenSSH_9.2\r\n", "not HTTP");
    refuse(RESPONSE, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "differ");
    refuse(RESPONSE, "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", "chunked");
}

/* --- tokens, escapes, phrases --- */

static void a_token_is_found_as_a_whole_and_in_any_case(void **state)
{
    (void)state;
    assert_true(http_has_token(bytes_of("close"), "close"));
    assert_true(http_has_token(bytes_of(" a ,\tCLOSE\t"), "close"));
    assert_true(http_has_token(bytes_of(",,close,"), "close"));
    assert_false(http_has_token(bytes_of("not-close, closed, clos"), "close"));
    assert_false(http_has_token(bytes_of("a close"), "close"));
    assert_false(http_has_token(bytes_of(""), "close"));
    assert_false(http_has_token(bytes_make(NULL, 0), "close"));
}

static void decode(const char *text, bool is_good, const char *expected)
{
    struct buffer to = {0};
    struct bytes copy = exact_copy(text, strlen(text));
    assert_int_equal(http_percent_decode(copy, &to), is_good);
    if (is_good)
        assert_bytes(buffer_bytes(&to), expected);
    drop_copy(copy);
    buffer_destroy(&to);
}

static void escapes_are_decoded_or_refused(void **state)
{
    (void)state;
    decode("", true, "");
    decode("a+b", true, "a+b");
    decode("%41%2f%2Fb%c3%A4", true, "A//b\xc3\xa4");
    decode("100%25", true, "100%");
    decode("%", false, NULL);
    decode("%4", false, NULL);
    decode("a%4g", false, NULL);
    decode("%g4", false, NULL);
    decode("%%41", false, NULL);
}

static void a_status_has_a_phrase(void **state)
{
    (void)state;
    assert_string_equal(http_reason(200), "OK");
    assert_string_equal(http_reason(404), "Not Found");
    assert_string_equal(http_reason(503), "Service Unavailable");
    assert_string_equal(http_reason(299), "Unknown");
}

/* --- chunks --- */

/* Feeds `text` in steps of `step` bytes, with or without giving back the room of what is decoded;
 * the body is in `body` then. */
static enum http_progress unchunk(const char *text, size_t size, size_t step, bool compacts,
                                  size_t body_max, struct buffer *body, size_t *ret_left)
{
    struct http_chunks chunks = {0};
    enum http_progress progress = HTTP_MORE;
    uint8_t *data = mem_new_raw(size);
    size_t have = 0, fed = 0;
    status = (struct sf_status){0};
    while (progress == HTTP_MORE && fed < size) {
        size_t part = size - fed < step ? size - fed : step;
        memcpy(data + have, text + fed, part);
        fed += part;
        have += part;
        progress = http_unchunk(&chunks, data, have, body_max, &status);
        if (progress == HTTP_MORE) {
            assert_int_equal(chunks.read_at, have);
            if (compacts)
                have = http_chunks_compact(&chunks);
        }
    }
    buffer_clear(body);
    buffer_add(body, data, chunks.body_size);
    *ret_left = have - chunks.read_at + (size - fed);
    free(data);
    return progress;
}

static void chunked_full(const char *text, size_t size, const char *expected, size_t left,
                         size_t body_max)
{
    struct buffer body = {0};
    for (size_t step = 1; step <= size; step++) {
        for (int compacts = 0; compacts < 2; compacts++) {
            size_t found_left;
            enum http_progress progress =
                unchunk(text, size, step, compacts, body_max, &body, &found_left);
            if (progress != HTTP_DONE)
                fail_msg("in steps of %zu: %s", step, status.message);
            assert_bytes(buffer_bytes(&body), expected);
            assert_int_equal(found_left, left);
        }
    }
    buffer_destroy(&body);
}

static void chunked(const char *text, const char *expected, size_t left)
{
    chunked_full(text, strlen(text), expected, left, 1000);
}

static void unchunkable(const char *text, enum sf_code code, const char *complaint)
{
    struct buffer body = {0};
    for (size_t step = 1; step <= strlen(text); step++) {
        size_t left;
        if (unchunk(text, strlen(text), step, true, 1000, &body, &left) != HTTP_BAD)
            fail_msg("taken for good: %s", text);
        assert_int_equal(status.code, code);
        assert_mentions(status.message, complaint);
    }
    buffer_destroy(&body);
}

static void chunks_come_together(void **state)
{
    (void)state;
    chunked("0\r\n\r\n", "", 0);
    chunked("5\r\nhello\r\n0\r\n\r\n", "hello", 0);
    chunked("5\r\nhello\r\n1\r\n,\r\n06\r\n world\r\n0\r\n\r\n", "hello, world", 0);
    chunked("A\r\n0123456789\r\na\r\nabcdefghij\r\n000\r\n\r\n", "0123456789abcdefghij", 0);
    chunked("2\r\n\r\n\r\n0\r\n\r\n", "\r\n", 0);
}

static void what_follows_the_last_chunk_is_left_alone(void **state)
{
    (void)state;
    chunked("1\r\nx\r\n0\r\n\r\nHTTP/1.1 200", "x", 12);
}

static void extensions_and_trailers_are_passed_over(void **state)
{
    (void)state;
    chunked("1;a=b;c=\"d e\"\r\nx\r\n0;last\r\n\r\n", "x", 0);
    chunked("1 \t;a\r\nx\r\n0\r\n\r\n", "x", 0);
    chunked("1\r\nx\r\n0\r\nExpires: never\r\nX-Y:\r\n\r\nrest", "x", 4);
}

static void chunks_that_are_malformed_are_refused(void **state)
{
    (void)state;
    unchunkable("x\r\n", SF_INVALID, "not a number");
    unchunkable("\r\n", SF_INVALID, "not a number");
    unchunkable(" 1\r\nx\r\n", SF_INVALID, "not a number");
    unchunkable("-1\r\nx\r\n", SF_INVALID, "not a number");
    unchunkable("0x1\r\nx\r\n", SF_INVALID, "not a number");
    unchunkable("1 \r\nx\r\n", SF_INVALID, "not a number");
    unchunkable("1\nx\r\n", SF_INVALID, "not a number");
    unchunkable("1\rxx", SF_INVALID, "does not end");
    unchunkable("1;a\x01\r\n", SF_INVALID, "control character");
    unchunkable("1;a\nx\r\n", SF_INVALID, "control character");
    unchunkable("1\r\nxy\r\n", SF_INVALID, "does not end");
    unchunkable("1\r\nx\n0\r\n\r\n", SF_INVALID, "does not end");
    unchunkable("1\r\nx\r0", SF_INVALID, "does not end");
    unchunkable("00000000000000001\r\n", SF_INVALID, "too many digits");
    unchunkable("0\r\n: x\r\n\r\n", SF_INVALID, "without a name");
    unchunkable("0\r\n folded\r\n\r\n", SF_INVALID, "without a name");
    unchunkable("0\r\nA B: x\r\n\r\n", SF_INVALID, "odd");
    unchunkable("0\r\nA: \x02\r\n\r\n", SF_INVALID, "control character");
    unchunkable("0\r\nA: x\rB", SF_INVALID, "CR without LF");
    unchunkable("0\r\n\rX", SF_INVALID, "CR without LF");
    unchunkable("0\r\n\n", SF_INVALID, "without a name");
}

static void a_chunked_body_has_a_limit(void **state)
{
    (void)state;
    const char *text = "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
    chunked_full(text, strlen(text), "abcde", 0, 5);
    struct buffer body = {0};
    size_t left;
    assert_int_equal(unchunk(text, strlen(text), 1, true, 4, &body, &left), HTTP_BAD);
    assert_int_equal(status.code, SF_FULL);
    buffer_destroy(&body);

    unchunkable("3e9\r\n", SF_FULL, "1000");
    unchunkable("ffffffffffffffff\r\n", SF_FULL, "1000");
    unchunkable("1\r\nx\r\nffffffffffffffff\r\n", SF_FULL, "1000");
}

static void extensions_and_trailers_have_a_limit(void **state)
{
    (void)state;
    struct buffer text = {0}, body = {0};
    size_t left;
    buffer_add_text(&text, "1;");
    for (int i = 0; i < 2000; i++)
        buffer_add_u8(&text, 'x');
    assert_int_equal(unchunk((char *)text.data, text.size, 100, true, 10, &body, &left), HTTP_BAD);
    assert_mentions(status.message, "extensions are too long");

    buffer_clear(&text);
    buffer_add_text(&text, "0\r\n");
    for (int i = 0; i < 4000; i++)
        buffer_add_text(&text, "Name: x\r\n");
    assert_int_equal(unchunk((char *)text.data, text.size, 100, true, 10, &body, &left), HTTP_BAD);
    assert_mentions(status.message, "trailers are too long");
    buffer_destroy(&text);
    buffer_destroy(&body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_taken_apart),
        cmocka_unit_test(a_head_ends_where_it_ends),
        cmocka_unit_test(one_empty_line_before_a_request_is_passed_over),
        cmocka_unit_test(a_request_line_must_be_just_so),
        cmocka_unit_test(a_target_is_a_path_a_url_or_a_star),
        cmocka_unit_test(a_request_names_its_host_once),
        cmocka_unit_test(a_header_that_is_ambiguous_is_refused),
        cmocka_unit_test(a_length_is_one_number),
        cmocka_unit_test(a_transfer_coding_is_chunked_or_refused),
        cmocka_unit_test(a_connection_is_kept_as_version_and_header_say),
        cmocka_unit_test(a_client_may_want_to_be_told_to_go_on),
        cmocka_unit_test(a_head_has_a_limit_in_bytes_and_in_headers),
        cmocka_unit_test(a_response_is_taken_apart),
        cmocka_unit_test(a_response_without_a_length_lasts_until_the_connection_closes),
        cmocka_unit_test(some_responses_have_no_body_whatever_they_say),
        cmocka_unit_test(a_status_line_must_be_just_so),
        cmocka_unit_test(a_token_is_found_as_a_whole_and_in_any_case),
        cmocka_unit_test(escapes_are_decoded_or_refused),
        cmocka_unit_test(a_status_has_a_phrase),
        cmocka_unit_test(chunks_come_together),
        cmocka_unit_test(what_follows_the_last_chunk_is_left_alone),
        cmocka_unit_test(extensions_and_trailers_are_passed_over),
        cmocka_unit_test(chunks_that_are_malformed_are_refused),
        cmocka_unit_test(a_chunked_body_has_a_limit),
        cmocka_unit_test(extensions_and_trailers_have_a_limit),
    };
    return cmocka_run_group_tests_name("http", tests, NULL, NULL);
}
