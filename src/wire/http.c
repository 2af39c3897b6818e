/* http.c - one pass over the head from its first byte, then a look at the headers that matter here.
 *
 * Every step either takes what it wants and moves on, or finds the end of the bytes (HTTP_MORE), or
 * a byte that cannot stand there (HTTP_BAD); nothing is skipped, and nothing is looked at twice in
 * one call. Chunks are in http_chunks.c. */
#include "wire/http.h"

#include <strings.h>

enum { DIGITS_OF_LENGTH_MAX = 18 }; /* any such number fits in 63 bits */

/* What a byte may be part of (RFC 9110 5.6.2, RFC 9112 2 and 3). */
enum {
    TOKEN = 1,  /* a method, a header's name */
    VALUE = 2,  /* a header's value or a reason phrase: no control characters but tab */
    TARGET = 4, /* a request's target: visible ASCII */
    HOST = 8    /* a Host header's value */
};

#define ANYWHERE (TOKEN | VALUE | TARGET | HOST)

static const uint8_t classes[256] = {
    ['\t'] = VALUE,
    [' '] = VALUE,
    ['!'] = ANYWHERE,
    ['"'] = VALUE | TARGET,
    ['#'] = TOKEN | VALUE | TARGET,
    ['$'] = ANYWHERE,
    ['%'] = ANYWHERE,
    ['&'] = ANYWHERE,
    ['\''] = ANYWHERE,
    ['('] = VALUE | TARGET | HOST,
    [')'] = VALUE | TARGET | HOST,
    ['*'] = ANYWHERE,
    ['+'] = ANYWHERE,
    [','] = VALUE | TARGET,
    ['-'] = ANYWHERE,
    ['.'] = ANYWHERE,
    ['/'] = VALUE | TARGET,
    ['0' ... '9'] = ANYWHERE,
    [':'] = VALUE | TARGET | HOST,
    [';'] = VALUE | TARGET | HOST,
    ['<'] = VALUE | TARGET,
    ['='] = VALUE | TARGET | HOST,
    ['>' ... '@'] = VALUE | TARGET,
    ['A' ... 'Z'] = ANYWHERE,
    ['['] = VALUE | TARGET | HOST,
    ['\\'] = VALUE | TARGET,
    [']'] = VALUE | TARGET | HOST,
    ['^'] = TOKEN | VALUE | TARGET,
    ['_'] = ANYWHERE,
    ['`'] = TOKEN | VALUE | TARGET,
    ['a' ... 'z'] = ANYWHERE,
    ['{'] = VALUE | TARGET,
    ['|'] = TOKEN | VALUE | TARGET,
    ['}'] = VALUE | TARGET,
    ['~'] = ANYWHERE,
    [0x80 ... 0xff] = VALUE,
};

static bool is_all(struct bytes text, uint8_t class)
{
    for (size_t i = 0; i < text.size; i++)
        if (!(classes[text.data[i]] & class))
            return false;
    return true;
}

bool http_is_token(struct bytes text)
{
    return text.size && is_all(text, TOKEN);
}

bool http_is_value(struct bytes text)
{
    return is_all(text, VALUE);
}

struct cursor {
    const uint8_t *at;
    const uint8_t *end;
    struct sf_status *status;
};

static enum http_progress bad(struct cursor *cursor, const char *what)
{
    (void)sf_fail(cursor->status, SF_INVALID, "%s", what);
    return HTTP_BAD;
}

/* Moves over all bytes of `class`; what they are. */
static struct bytes take_class(struct cursor *cursor, uint8_t class)
{
    const uint8_t *start = cursor->at;
    while (cursor->at != cursor->end && classes[*cursor->at] & class)
        cursor->at++;
    return bytes_make(start, (size_t)(cursor->at - start));
}

static enum http_progress take_byte(struct cursor *cursor, uint8_t byte, const char *complaint)
{
    if (cursor->at == cursor->end)
        return HTTP_MORE;
    if (*cursor->at != byte)
        return bad(cursor, complaint);
    cursor->at++;
    return HTTP_DONE;
}

static enum http_progress take_line_end(struct cursor *cursor, const char *complaint)
{
    enum http_progress progress = take_byte(cursor, '\r', complaint);
    return progress == HTTP_DONE ? take_byte(cursor, '\n', "a CR without LF") : progress;
}

/* "HTTP/1.", a digit. Later minor versions are spoken to as 1.1 (RFC 9110 2.5). */
static enum http_progress take_version(struct cursor *cursor, int *ret_minor)
{
    for (const char *c = "HTTP/1."; *c; c++) {
        enum http_progress progress = take_byte(cursor, (uint8_t)*c, "not HTTP/1.0 or HTTP/1.1");
        if (progress != HTTP_DONE)
            return progress;
    }
    if (cursor->at == cursor->end)
        return HTTP_MORE;
    if (*cursor->at < '0' || *cursor->at > '9')
        return bad(cursor, "not HTTP/1.0 or HTTP/1.1");
    *ret_minor = *cursor->at++ - '0';
    return HTTP_DONE;
}

/* Of an absolute form only path and query are of use: what it says of the host would be for a
 * proxy. */
static enum http_progress shorten_target(struct cursor *cursor, struct http_head *head)
{
    struct bytes target = head->target;
    if (target.data[0] == '/' || (bytes_is(target, "*") && bytes_is(head->method, "OPTIONS")))
        return HTTP_DONE;

    const char *text = (const char *)target.data;
    size_t scheme = 0;
    if (target.size > 7 && strncasecmp(text, "http://", 7) == 0)
        scheme = 7;
    else if (target.size > 8 && strncasecmp(text, "https://", 8) == 0)
        scheme = 8;
    else
        return bad(cursor, "a request's target is neither a path nor a URL");

    size_t path = scheme;
    while (path < target.size && target.data[path] != '/' && target.data[path] != '?')
        path++;
    if (path == scheme)
        return bad(cursor, "a request's target is a URL without a host");
    if (path == target.size)
        head->target = bytes_of("/");
    else if (target.data[path] == '/')
        head->target = bytes_from(target, path);
    else
        return bad(cursor, "a request's target is a URL with a query but no path");
    return HTTP_DONE;
}

static enum http_progress take_request_line(struct cursor *cursor, struct http_head *head)
{
    /* One empty line before it is passed over (RFC 9112 2.2): some clients end a body with one. */
    enum http_progress progress = HTTP_DONE;
    if (cursor->at != cursor->end && *cursor->at == '\r')
        progress = take_line_end(cursor, "");
    if (progress != HTTP_DONE)
        return progress;

    head->method = take_class(cursor, TOKEN);
    progress = take_byte(cursor, ' ', "a request's method holds something odd");
    if (progress != HTTP_DONE)
        return progress;
    if (head->method.size == 0)
        return bad(cursor, "a request without a method");

    head->target = take_class(cursor, TARGET);
    progress = take_byte(cursor, ' ', "a request's target holds something odd");
    if (progress != HTTP_DONE)
        return progress;
    if (head->target.size == 0)
        return bad(cursor, "a request without a target");
    progress = shorten_target(cursor, head);
    if (progress != HTTP_DONE)
        return progress;

    progress = take_version(cursor, &head->minor_version);
    return progress == HTTP_DONE
               ? take_line_end(cursor, "a request's line goes on behind the version")
               : progress;
}

/* The space behind the status may be missing when there is no phrase: some servers leave it out. */
static enum http_progress take_status_line(struct cursor *cursor, struct http_head *head)
{
    enum http_progress progress = take_version(cursor, &head->minor_version);
    if (progress == HTTP_DONE)
        progress = take_byte(cursor, ' ', "no space behind a response's version");

    head->status = 0;
    for (int i = 0; i < 3 && progress == HTTP_DONE; i++) {
        if (cursor->at == cursor->end)
            return HTTP_MORE;
        if (*cursor->at < '0' || *cursor->at > '9')
            return bad(cursor, "a response's status is not a number of three digits");
        head->status = head->status * 10 + (*cursor->at++ - '0');
    }
    if (progress != HTTP_DONE)
        return progress;
    if (head->status < 100 || head->status > 599)
        return bad(cursor, "a response's status is not within 100 to 599");

    if (cursor->at == cursor->end)
        return HTTP_MORE;
    if (*cursor->at == ' ')
        take_class(cursor, VALUE);
    return take_line_end(cursor, "a response's first line holds something odd");
}

static struct bytes trim_end(struct bytes value)
{
    while (value.size && (value.data[value.size - 1] == ' ' || value.data[value.size - 1] == '\t'))
        value.size--;
    return value;
}

static enum http_progress take_header(struct cursor *cursor, struct http_head *head)
{
    if (*cursor->at == ' ' || *cursor->at == '\t')
        return bad(cursor, "a header is folded over several lines");

    struct bytes name = take_class(cursor, TOKEN);
    enum http_progress progress = take_byte(cursor, ':', "a header's name holds something odd");
    if (progress != HTTP_DONE)
        return progress;
    if (name.size == 0)
        return bad(cursor, "a header without a name");

    while (cursor->at != cursor->end && (*cursor->at == ' ' || *cursor->at == '\t'))
        cursor->at++;
    struct bytes value = take_class(cursor, VALUE);
    progress = take_line_end(cursor, "a header's value holds a control character");
    if (progress != HTTP_DONE)
        return progress;

    if (head->header_count == HTTP_HEADERS_MAX) {
        (void)sf_fail(cursor->status, SF_FULL, "more than %d headers", HTTP_HEADERS_MAX);
        return HTTP_BAD;
    }
    head->headers[head->header_count++] = (struct http_header){name, trim_end(value)};
    return HTTP_DONE;
}

static enum http_progress take_headers(struct cursor *cursor, struct http_head *head)
{
    head->header_count = 0;
    for (;;) {
        if (cursor->at == cursor->end)
            return HTTP_MORE;
        if (*cursor->at == '\r')
            return take_line_end(cursor, "");
        enum http_progress progress = take_header(cursor, head);
        if (progress != HTTP_DONE)
            return progress;
    }
}

/* What the headers say about the message itself. */
struct meaning {
    size_t length_count, coding_count, host_count;
    bool closes, keeps, expects_continue;
    bool is_chunked;
    uint64_t content_length;
};

static bool is_same(struct bytes text, const char *lower)
{
    return text.size == strlen(lower) &&
           strncasecmp((const char *)text.data, lower, text.size) == 0;
}

static bool parse_length(struct bytes text, uint64_t *ret_length)
{
    uint64_t length = 0;
    if (text.size == 0 || text.size > DIGITS_OF_LENGTH_MAX)
        return false;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
        length = length * 10 + (uint64_t)(text.data[i] - '0');
    }
    *ret_length = length;
    return true;
}

static enum http_progress heed_length(struct cursor *cursor, struct bytes value,
                                      struct meaning *meaning)
{
    uint64_t length;
    if (!parse_length(value, &length))
        return bad(cursor, "a Content-Length is not a number");
    if (meaning->length_count++ && length != meaning->content_length)
        return bad(cursor, "two Content-Length headers differ");
    meaning->content_length = length;
    return HTTP_DONE;
}

static enum http_progress heed_coding(struct cursor *cursor, struct bytes value,
                                      struct meaning *meaning)
{
    if (meaning->coding_count++ || !is_same(value, "chunked"))
        return bad(cursor, "a Transfer-Encoding is something else than chunked");
    meaning->is_chunked = true;
    return HTTP_DONE;
}

static enum http_progress heed_host(struct cursor *cursor, struct bytes value,
                                    struct meaning *meaning)
{
    struct cursor host = {value.data, value.data + value.size, NULL};
    take_class(&host, HOST);
    if (host.at != host.end)
        return bad(cursor, "a Host header holds something odd");
    meaning->host_count++;
    return HTTP_DONE;
}

/* The length of a name tells nearly all headers apart from the few that are looked for. */
static enum http_progress heed_header(struct cursor *cursor, const struct http_header *header,
                                      struct meaning *meaning)
{
    switch (header->name.size) {
    case 4:
        if (is_same(header->name, "host"))
            return heed_host(cursor, header->value, meaning);
        break;
    case 6:
        if (is_same(header->name, "expect") && is_same(header->value, "100-continue"))
            meaning->expects_continue = true;
        break;
    case 10:
        if (is_same(header->name, "connection")) {
            meaning->closes |= http_has_token(header->value, "close");
            meaning->keeps |= http_has_token(header->value, "keep-alive");
        }
        break;
    case 14:
        if (is_same(header->name, "content-length"))
            return heed_length(cursor, header->value, meaning);
        break;
    case 17:
        if (is_same(header->name, "transfer-encoding"))
            return heed_coding(cursor, header->value, meaning);
        break;
    default:
        break;
    }
    return HTTP_DONE;
}

static enum http_progress heed_headers(struct cursor *cursor, struct http_head *head,
                                       struct meaning *meaning)
{
    *meaning = (struct meaning){0};
    for (size_t i = 0; i < head->header_count; i++) {
        enum http_progress progress = heed_header(cursor, &head->headers[i], meaning);
        if (progress != HTTP_DONE)
            return progress;
    }
    if (meaning->is_chunked && meaning->length_count)
        return bad(cursor, "both Transfer-Encoding and Content-Length");
    if (meaning->is_chunked && head->minor_version == 0)
        return bad(cursor, "a Transfer-Encoding in HTTP/1.0");

    head->content_length = meaning->content_length;
    head->keep_alive = !meaning->closes && (head->minor_version > 0 || meaning->keeps);
    head->expects_continue = meaning->expects_continue && head->minor_version > 0;
    return HTTP_DONE;
}

static enum http_progress parse_request(struct cursor *cursor, struct http_head *head)
{
    struct meaning meaning;
    enum http_progress progress = take_request_line(cursor, head);
    if (progress == HTTP_DONE)
        progress = take_headers(cursor, head);
    if (progress == HTTP_DONE)
        progress = heed_headers(cursor, head, &meaning);
    if (progress != HTTP_DONE)
        return progress;

    if (meaning.host_count > 1)
        return bad(cursor, "more than one Host header");
    if (meaning.host_count == 0 && head->minor_version > 0)
        return bad(cursor, "a request of HTTP/1.1 without a Host header");
    if (meaning.is_chunked)
        head->framing = HTTP_CHUNKED;
    else
        head->framing = meaning.content_length ? HTTP_LENGTH : HTTP_NO_BODY;
    return HTTP_DONE;
}

static enum http_progress parse_response(struct cursor *cursor, bool to_head_request,
                                         struct http_head *head)
{
    struct meaning meaning;
    enum http_progress progress = take_status_line(cursor, head);
    if (progress == HTTP_DONE)
        progress = take_headers(cursor, head);
    if (progress == HTTP_DONE)
        progress = heed_headers(cursor, head, &meaning);
    if (progress != HTTP_DONE)
        return progress;

    if (to_head_request || head->status < 200 || head->status == 204 || head->status == 304)
        head->framing = HTTP_NO_BODY;
    else if (meaning.is_chunked)
        head->framing = HTTP_CHUNKED;
    else if (meaning.length_count)
        head->framing = meaning.content_length ? HTTP_LENGTH : HTTP_NO_BODY;
    else
        head->framing = HTTP_UNTIL_CLOSE;
    if (head->framing == HTTP_UNTIL_CLOSE)
        head->keep_alive = false;
    return HTTP_DONE;
}

static struct cursor begin(struct bytes bytes, struct sf_status *status)
{
    size_t size = bytes.size < HTTP_HEAD_BYTES_MAX ? bytes.size : HTTP_HEAD_BYTES_MAX;
    return (struct cursor){bytes.data, bytes.data + size, status};
}

static enum http_progress finish(const struct cursor *cursor, enum http_progress progress,
                                 struct bytes bytes, struct http_head *head)
{
    if (progress == HTTP_DONE)
        head->size = (size_t)(cursor->at - bytes.data);
    if (progress == HTTP_MORE && bytes.size >= HTTP_HEAD_BYTES_MAX) {
        (void)sf_fail(cursor->status, SF_FULL, "a head of more than %d bytes", HTTP_HEAD_BYTES_MAX);
        return HTTP_BAD;
    }
    return progress;
}

enum http_progress http_parse_request(struct bytes bytes, struct http_head *ret_head,
                                      struct sf_status *status)
{
    struct cursor cursor = begin(bytes, status);
    ret_head->status = 0;
    return finish(&cursor, parse_request(&cursor, ret_head), bytes, ret_head);
}

enum http_progress http_parse_response(struct bytes bytes, bool to_head_request,
                                       struct http_head *ret_head, struct sf_status *status)
{
    struct cursor cursor = begin(bytes, status);
    ret_head->method = ret_head->target = (struct bytes){0};
    return finish(&cursor, parse_response(&cursor, to_head_request, ret_head), bytes, ret_head);
}

const struct http_header *http_find(const struct http_head *head, const char *name)
{
    size_t size = strlen(name);
    for (size_t i = 0; i < head->header_count; i++) {
        const struct http_header *header = &head->headers[i];
        if (header->name.size == size &&
            strncasecmp((const char *)header->name.data, name, size) == 0)
            return header;
    }
    return NULL;
}

bool http_has_token(struct bytes value, const char *token)
{
    for (size_t at = 0; at < value.size;) {
        size_t end = at;
        while (end < value.size && value.data[end] != ',')
            end++;
        while (at < end && (value.data[at] == ' ' || value.data[at] == '\t'))
            at++;
        if (is_same(trim_end(bytes_make(value.data + at, end - at)), token))
            return true;
        at = end + 1;
    }
    return false;
}

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool http_percent_decode(struct bytes text, struct buffer *to)
{
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] != '%') {
            buffer_add_u8(to, text.data[i]);
            continue;
        }
        if (text.size - i < 3)
            return false;
        int high = hex_digit(text.data[i + 1]), low = hex_digit(text.data[i + 2]);
        if (high < 0 || low < 0)
            return false;
        buffer_add_u8(to, (uint8_t)(high << 4 | low));
        i += 2;
    }
    return true;
}

static const struct {
    int status;
    const char *phrase;
} reasons[] = {
    {100, "Continue"},
    {101, "Switching Protocols"},
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {203, "Non-Authoritative Information"},
    {204, "No Content"},
    {205, "Reset Content"},
    {206, "Partial Content"},
    {300, "Multiple Choices"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {402, "Payment Required"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {407, "Proxy Authentication Required"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {416, "Range Not Satisfiable"},
    {417, "Expectation Failed"},
    {421, "Misdirected Request"},
    {422, "Unprocessable Content"},
    {426, "Upgrade Required"},
    {428, "Precondition Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
};

const char *http_reason(int status)
{
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
        if (reasons[i].status == status)
            return reasons[i].phrase;
    return "Unknown";
}
