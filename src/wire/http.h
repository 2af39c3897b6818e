/* http.h - HTTP/1.1 messages: bytes to heads, and bodies out of their framing (RFC 9112).
 *
 * No sockets here: the caller has a buffer into which it reads, and asks what is complete in it.
 * All that is returned are views into that buffer. The bytes are a stranger's: every limit is
 * checked, and what is ambiguous (two lengths, a length with chunks, white space before a colon, a
 * bare CR or LF, a NUL) is refused rather than guessed, since guesses are how requests are
 * smuggled. */
#ifndef WIRE_HTTP_H
#define WIRE_HTTP_H

#include "base/bytes.h"
#include "statefun/status.h"

enum { HTTP_HEADERS_MAX = 64, HTTP_HEAD_BYTES_MAX = 32 * 1024 };

enum http_progress {
    HTTP_MORE, /* not complete yet: read more and call again */
    HTTP_DONE,
    HTTP_BAD /* `status` says what is wrong (SF_FULL: larger than a limit; SF_INVALID: anything
                else); the connection is of no use any more */
};

struct http_header {
    struct bytes name;
    struct bytes value; /* without white space around it */
};

enum http_framing { HTTP_NO_BODY, HTTP_LENGTH, HTTP_CHUNKED, HTTP_UNTIL_CLOSE };

struct http_head {
    struct bytes method;
    struct bytes target; /* of a request: "*", or path and query, also of one in absolute form */
    int status;          /* of a response, 100 to 599 */
    int minor_version;   /* HTTP/1.<minor> */
    struct http_header headers[HTTP_HEADERS_MAX];
    size_t header_count;
    size_t size; /* of the head, in bytes: where the body begins */
    enum http_framing framing;
    uint64_t content_length; /* of HTTP_LENGTH */
    bool keep_alive;
    bool expects_continue;
};

/* What is wrong is said as early as it can be seen; on anything but HTTP_DONE the head is
 * unspecified. Each call looks at all of the bytes again: who reads a head in small pieces need
 * call again only once a LF has come, or HTTP_HEAD_BYTES_MAX bytes. */
enum http_progress http_parse_request(struct bytes bytes, struct http_head *ret_head,
                                      struct sf_status *status);

/* `to_head_request`: the request was a HEAD, so that no body follows whatever the head says. */
enum http_progress http_parse_response(struct bytes bytes, bool to_head_request,
                                       struct http_head *ret_head, struct sf_status *status);

/* The first header of that name (any case), or NULL. */
const struct http_header *http_find(const struct http_head *head, const char *name);

/* True if a comma-separated header value holds `token` (any case). */
bool http_has_token(struct bytes value, const char *token);

/* Takes a chunked body out of its chunks, in place: call with all zeros first, then again whenever
 * more bytes have come. The body's bytes move together at the start of the buffer; extensions and
 * trailers are checked and thrown away. HTTP_BAD with SF_FULL: the body would be larger than
 * `body_max`. */
struct http_chunks {
    size_t body_size; /* decoded so far: bytes [0, body_size) of the buffer */
    size_t read_at;   /* where undecoded bytes begin; after HTTP_DONE, what follows the body */
    uint64_t chunk_left;
    size_t line_size; /* of the line, or the trailers, being read */
    int state;
};
enum http_progress http_unchunk(struct http_chunks *chunks, uint8_t *data, size_t size,
                                size_t body_max, struct sf_status *status);

/* After HTTP_MORE every byte has been taken, and what is left of the framing is only in the way:
 * from now on the next bytes are expected at `data` + the returned size, which is what the buffer
 * holds. */
static inline size_t http_chunks_compact(struct http_chunks *chunks)
{
    chunks->read_at = chunks->body_size;
    return chunks->body_size;
}

/* Could it be a header's name, or a header's value? The latter may be empty. */
bool http_is_token(struct bytes text);
bool http_is_value(struct bytes text);

/* Decodes %XX in a path segment into `to`; false for a malformed escape. */
bool http_percent_decode(struct bytes text, struct buffer *to);

/* Appends `text` so that it can stand in a path segment or a query (RFC 3986, 2.3). */
void http_percent_encode(struct bytes text, struct buffer *to);

/* Splits the path of a target, "/a/b/c" without its query, at its slashes into at most `most`
 * segments, not decoded; returns how many there are. */
size_t http_split_path(struct bytes target, struct bytes *segments, size_t most);

/* The value of `name` in a target's query, not decoded; false if it is not there. Without '=' it is
 * empty. */
bool http_query(struct bytes target, const char *name, struct bytes *ret_value);

/* A media type without its parameters, and whether it is that one (any case). */
struct bytes http_media_type(struct bytes value);
bool http_is_media_type(struct bytes type, const char *text);

/* The standard phrase of a status, e.g. "Not Found"; "Unknown" for others. */
const char *http_reason(int status);

#endif
