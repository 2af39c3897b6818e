/* http_chunks.c - a chunked body, one byte of framing at a time, its data in runs (RFC 9112 7.1).
 *
 *     size [ extensions ] CR LF  data CR LF  ...  0 CR LF  [ trailers ] CR LF
 *
 * Because every byte moves the state on its own, nothing is ever waited for that has to be kept: a
 * buffer need only hold the body. */
#include "wire/http.h"

enum state {
    SIZE_FIRST, /* all zeros is where a body begins */
    SIZE,
    SIZE_SPACE,
    EXTENSION,
    SIZE_LF,
    DATA,
    DATA_CR,
    DATA_LF,
    TRAILER,
    TRAILER_NAME,
    TRAILER_VALUE,
    TRAILER_LF,
    LAST_LF,
    DONE
};

enum { SIZE_DIGITS_MAX = 16, SIZE_LINE_MAX = 1024, TRAILERS_MAX = HTTP_HEAD_BYTES_MAX };

static bool invalid(struct sf_status *status, const char *what)
{
    return sf_fail(status, SF_INVALID, "%s", what);
}

static int hex_value(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Control characters but tab stand nowhere; CR and LF only where a line ends. */
static bool is_text(uint8_t c)
{
    return c == '\t' || (c >= ' ' && c != 0x7f);
}

static bool is_name(uint8_t c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') ||
           (c && strchr("!#$%&'*+-.^_`|~", c));
}

static bool take_size_digit(struct http_chunks *chunks, uint8_t c, struct sf_status *status)
{
    if (chunks->line_size > SIZE_DIGITS_MAX)
        return invalid(status, "a chunk's size has too many digits");
    chunks->chunk_left = chunks->chunk_left << 4 | (uint64_t)hex_value(c);
    chunks->state = SIZE;
    return true;
}

/* The byte behind a size, or behind the space that may follow one. */
static bool end_size(struct http_chunks *chunks, uint8_t c, struct sf_status *status)
{
    if (c == ';')
        chunks->state = EXTENSION;
    else if (c == ' ' || c == '\t')
        chunks->state = SIZE_SPACE;
    else if (c == '\r' && chunks->state == SIZE)
        chunks->state = SIZE_LF;
    else
        return invalid(status, "a chunk's size is not a number");
    return true;
}

static bool begin_chunk(struct http_chunks *chunks, size_t body_max, struct sf_status *status)
{
    chunks->line_size = 0;
    if (chunks->chunk_left == 0) {
        chunks->state = TRAILER;
        return true;
    }
    if (chunks->body_size > body_max || chunks->chunk_left > body_max - chunks->body_size)
        return sf_fail(status, SF_FULL, "a chunked body of more than %zu bytes", body_max);
    chunks->state = DATA;
    return true;
}

static bool expect(struct http_chunks *chunks, uint8_t c, uint8_t wanted, enum state next,
                   struct sf_status *status)
{
    if (c != wanted)
        return invalid(status, "a chunk does not end where its size says");
    chunks->state = (int)next;
    return true;
}

static bool take_trailer(struct http_chunks *chunks, uint8_t c, struct sf_status *status)
{
    switch (chunks->state) {
    case TRAILER:
        if (c == '\r') {
            chunks->state = LAST_LF;
            return true;
        }
        chunks->state = TRAILER_NAME;
        return is_name(c) || invalid(status, "a trailer without a name");
    case TRAILER_NAME:
        if (c == ':')
            chunks->state = TRAILER_VALUE;
        return c == ':' || is_name(c) || invalid(status, "a trailer's name holds something odd");
    case TRAILER_VALUE:
        if (c == '\r')
            chunks->state = TRAILER_LF;
        return c == '\r' || is_text(c) ||
               invalid(status, "a trailer's value holds a control character");
    case TRAILER_LF:
        chunks->state = TRAILER;
        return c == '\n' || invalid(status, "a CR without LF in a trailer");
    default:
        chunks->state = DONE;
        return c == '\n' || invalid(status, "a CR without LF behind the trailers");
    }
}

/* One byte of anything but data. */
static bool take_framing(struct http_chunks *chunks, uint8_t c, size_t body_max,
                         struct sf_status *status)
{
    switch (chunks->state) {
    case SIZE_FIRST:
    case SIZE:
    case SIZE_SPACE:
    case EXTENSION:
    case SIZE_LF:
        if (++chunks->line_size > SIZE_LINE_MAX)
            return invalid(status, "a chunk's extensions are too long");
        break;
    case DATA_CR:
    case DATA_LF:
        break;
    default:
        if (++chunks->line_size > TRAILERS_MAX)
            return invalid(status, "trailers are too long");
        return take_trailer(chunks, c, status);
    }

    switch (chunks->state) {
    case SIZE_FIRST:
        if (hex_value(c) < 0)
            return invalid(status, "a chunk's size is not a number");
        return take_size_digit(chunks, c, status);
    case SIZE:
        return hex_value(c) < 0 ? end_size(chunks, c, status) : take_size_digit(chunks, c, status);
    case SIZE_SPACE:
        return end_size(chunks, c, status);
    case EXTENSION:
        if (c == '\r')
            chunks->state = SIZE_LF;
        return c == '\r' || is_text(c) ||
               invalid(status, "a chunk's extension holds a control character");
    case SIZE_LF:
        return expect(chunks, c, '\n', DATA, status) && begin_chunk(chunks, body_max, status);
    case DATA_CR:
        return expect(chunks, c, '\r', DATA_LF, status);
    default:
        return expect(chunks, c, '\n', SIZE_FIRST, status);
    }
}

static void take_data(struct http_chunks *chunks, uint8_t *data, size_t size)
{
    size_t run = size - chunks->read_at;
    if (run > chunks->chunk_left)
        run = (size_t)chunks->chunk_left;
    if (chunks->body_size != chunks->read_at)
        memmove(data + chunks->body_size, data + chunks->read_at, run);
    chunks->body_size += run;
    chunks->read_at += run;
    chunks->chunk_left -= run;
    if (chunks->chunk_left == 0)
        chunks->state = DATA_CR;
}

enum http_progress http_unchunk(struct http_chunks *chunks, uint8_t *data, size_t size,
                                size_t body_max, struct sf_status *status)
{
    while (chunks->state != DONE) {
        if (chunks->read_at == size)
            return HTTP_MORE;
        if (chunks->state == DATA)
            take_data(chunks, data, size);
        else if (!take_framing(chunks, data[chunks->read_at++], body_max, status))
            return HTTP_BAD;
    }
    return HTTP_DONE;
}
