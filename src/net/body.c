/* body.c - see body.h. */
#include "net/body.h"

/* A piece of a body, large enough to make system calls rare, small enough that a length which
 * somebody merely claims costs little. */
enum { PIECE_MIN = 4 * 1024, PIECE_MAX = 256 * 1024 };

void body_begin(struct body *body, const struct http_head *head)
{
    *body = (struct body){.framing = head->framing, .length = head->content_length};
}

enum http_progress body_receive(struct body *body, uint8_t *data, size_t *size, bool at_end,
                                size_t body_max, size_t *ret_body, size_t *ret_used,
                                struct sf_status *status)
{
    enum http_progress progress = HTTP_DONE;
    *ret_body = *ret_used = 0;

    switch (body->framing) {
    case HTTP_NO_BODY:
        break;
    case HTTP_LENGTH:
        if (body->length > body_max) {
            (void)sf_fail(status, SF_FULL, "a body of %llu bytes: the limit is %zu",
                          (unsigned long long)body->length, body_max);
            return HTTP_BAD;
        }
        if (*size < body->length)
            return HTTP_MORE;
        *ret_body = *ret_used = (size_t)body->length;
        break;
    case HTTP_CHUNKED:
        progress = http_unchunk(&body->chunks, data, *size, body_max, status);
        if (progress == HTTP_MORE)
            *size = http_chunks_compact(&body->chunks);
        *ret_body = body->chunks.body_size;
        *ret_used = body->chunks.read_at;
        break;
    case HTTP_UNTIL_CLOSE:
        if (*size > body_max) {
            (void)sf_fail(status, SF_FULL, "a body of more than %zu bytes", body_max);
            return HTTP_BAD;
        }
        *ret_body = *ret_used = *size;
        return at_end ? HTTP_DONE : HTTP_MORE;
    }
    return progress;
}

size_t body_wanted(const struct body *body, size_t size)
{
    size_t wanted = size; /* of an unknown length: as much again */
    if (body->framing == HTTP_LENGTH && body->length > size)
        wanted = (size_t)body->length - size;
    if (wanted < PIECE_MIN)
        return PIECE_MIN;
    return wanted < PIECE_MAX ? wanted : PIECE_MAX;
}
