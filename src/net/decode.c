/* decode.c - gzip and deflate by zlib, Retry-After by hand. */
#include "net/decode.h"

#include "base/mem.h"

#include <assert.h>
#include <limits.h>
#include <stdio.h>
#include <strings.h>
#include <time.h>
#include <zlib.h>

enum {
    OUT_FIRST = 16 * 1024,
    OUT_KEPT_MAX = 256 * 1024, /* one huge response must not cost its memory for ever */
    DAY_MS = 24 * 60 * 60 * 1000
};

/* zlib's windowBits for each format. */
enum { WINDOW_RAW = -MAX_WBITS, WINDOW_ZLIB = MAX_WBITS, WINDOW_GZIP = MAX_WBITS + 16 };

void decoder_destroy(struct decoder *decoder)
{
    if (decoder->stream) {
        inflateEnd(decoder->stream);
        free(decoder->stream);
    }
    buffer_destroy(&decoder->out);
    *decoder = (struct decoder){0};
}

void decoder_trim(struct decoder *decoder)
{
    if (decoder->out.capacity > OUT_KEPT_MAX)
        buffer_destroy(&decoder->out);
}

static z_stream *decoder_stream(struct decoder *decoder, int window)
{
    z_stream *stream = decoder->stream;
    if (!stream) {
        stream = decoder->stream = mem_new(sizeof *stream);
        int result = inflateInit2(stream, window);
        assert(result == Z_OK);
    } else {
        int result = inflateReset2(stream, window);
        assert(result == Z_OK);
    }
    return stream;
}

/* Makes room for some more output, without ever going beyond one byte more than the limit: that
 * byte tells a body that is just within the limit from one that is not. */
static size_t make_room(struct buffer *out, size_t body_max)
{
    size_t more = out->size ? out->size : OUT_FIRST;
    if (more > body_max - out->size)
        more = body_max - out->size + 1;
    buffer_reserve(out, more);
    return more < UINT_MAX ? more : UINT_MAX;
}

/* One compressed stream, from the bytes that the stream has before it. */
static bool inflate_one(z_stream *stream, struct buffer *out, size_t body_max,
                        struct sf_status *status)
{
    for (;;) {
        size_t room = make_room(out, body_max);
        stream->next_out = out->data + out->size;
        stream->avail_out = (uInt)room;
        int result = inflate(stream, Z_NO_FLUSH);
        out->size += room - stream->avail_out;
        if (out->size > body_max)
            return sf_fail(status, SF_FULL, "a response of more than %zu bytes when decompressed",
                           body_max);
        if (result == Z_STREAM_END)
            return true;
        if (result != Z_OK || (stream->avail_in == 0 && stream->avail_out > 0))
            return sf_fail(status, SF_INVALID, "a compressed response: %s",
                           result == Z_OK || result == Z_BUF_ERROR ? "it is cut off"
                           : stream->msg                           ? stream->msg
                                                                   : "damaged");
    }
}

/* "deflate" means the zlib format, but some servers send a bare stream. A zlib header is recognised
 * by its check sum; a bare stream that looks like one would begin with a block no compressor makes.
 */
static int deflate_window(struct bytes body)
{
    bool is_zlib = body.size >= 2 && (body.data[0] & 0x0f) == Z_DEFLATED &&
                   (body.data[0] * 256 + body.data[1]) % 31 == 0;
    return is_zlib ? WINDOW_ZLIB : WINDOW_RAW;
}

static bool decompress(struct decoder *decoder, int window, struct bytes body, size_t body_max,
                       struct sf_status *status)
{
    buffer_clear(&decoder->out);
    if (body.size > UINT_MAX)
        return sf_fail(status, SF_FULL, "a compressed response of %zu bytes", body.size);

    z_stream *stream = decoder_stream(decoder, window);
    stream->next_in = (Bytef *)body.data;
    stream->avail_in = (uInt)body.size;
    if (!inflate_one(stream, &decoder->out, body_max, status))
        return false;

    /* A gzip file may have several members, one behind the other (RFC 1952 2.2). */
    while (stream->avail_in && window == WINDOW_GZIP) {
        inflateReset(stream);
        if (!inflate_one(stream, &decoder->out, body_max, status))
            return false;
    }
    if (stream->avail_in)
        return sf_fail(status, SF_INVALID, "a compressed response with %u bytes behind its end",
                       stream->avail_in);
    return true;
}

static bool is_same(struct bytes text, const char *lower)
{
    return text.size == strlen(lower) &&
           strncasecmp((const char *)text.data, lower, text.size) == 0;
}

bool decoder_run(struct decoder *decoder, const struct http_head *head, struct bytes body,
                 size_t body_max, struct bytes *ret_body, struct sf_status *status)
{
    *ret_body = body;
    const struct http_header *encoding = http_find(head, "content-encoding");
    if (!encoding || encoding->value.size == 0 || is_same(encoding->value, "identity"))
        return true;

    int window;
    if (is_same(encoding->value, "gzip") || is_same(encoding->value, "x-gzip"))
        window = WINDOW_GZIP;
    else if (is_same(encoding->value, "deflate"))
        window = deflate_window(body);
    else
        return sf_fail(status, SF_INVALID, "a response with the Content-Encoding %.*s",
                       BYTES_ARG(encoding->value));
    if (body.size == 0)
        return true;
    if (!decompress(decoder, window, body, body_max, status))
        return false;
    *ret_body = buffer_bytes(&decoder->out);
    return true;
}

static bool parse_month(const char *name, int *ret_month)
{
    static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    for (int i = 0; i < 12; i++) {
        if (strlen(name) == 3 && memcmp(names + i * 3, name, 3) == 0) {
            *ret_month = i;
            return true;
        }
    }
    return false;
}

/* The three forms of RFC 9110 5.6.7: the one to send, and two of the last century. */
static bool parse_date(const char *text, int64_t *ret_seconds)
{
    struct tm tm = {0};
    char month[4] = "";
    int end = 0;
    if (sscanf(text, "%*3[A-Za-z], %2d %3[A-Za-z] %4d %2d:%2d:%2d GMT%n", &tm.tm_mday, month,
               &tm.tm_year, &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &end) == 6 &&
        end) {
        tm.tm_year -= 1900;
    } else if (sscanf(text, "%*9[A-Za-z], %2d-%3[A-Za-z]-%2d %2d:%2d:%2d GMT%n", &tm.tm_mday, month,
                      &tm.tm_year, &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &end) == 6 &&
               end) {
        tm.tm_year += 100; /* nobody asks to wait until a year of the last century */
    } else if (sscanf(text, "%*3[A-Za-z] %3[A-Za-z] %2d %2d:%2d:%2d %4d%n", month, &tm.tm_mday,
                      &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &tm.tm_year, &end) == 6 &&
               end) {
        tm.tm_year -= 1900;
    } else {
        return false;
    }
    if (text[end] != '\0' || !parse_month(month, &tm.tm_mon))
        return false;
    *ret_seconds = timegm(&tm);
    return true;
}

uint64_t retry_after_ms(const struct http_head *head, uint64_t wall_ms)
{
    const struct http_header *header = http_find(head, "retry-after");
    char text[48];
    if (!header || header->value.size == 0 || header->value.size >= sizeof text)
        return 0;
    memcpy(text, header->value.data, header->value.size);
    text[header->value.size] = '\0';

    uint64_t wait_ms = 0;
    int64_t seconds;
    if (strspn(text, "0123456789") == header->value.size) {
        wait_ms = header->value.size > 6 ? DAY_MS : strtoull(text, NULL, 10) * 1000;
    } else if (parse_date(text, &seconds) && seconds > 0) {
        uint64_t until_ms = (uint64_t)seconds * 1000;
        wait_ms = until_ms > wall_ms ? until_ms - wall_ms : 0;
    }
    return wait_ms < DAY_MS ? wait_ms : DAY_MS;
}
