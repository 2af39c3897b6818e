/* body.h (net, internal) - the body of a message that is being received, whatever its framing.
 *
 * The receiver keeps what has come behind the head in one run of bytes; here it is told when that
 * holds the whole body, and how much of what follows it belongs to something else. */
#ifndef NET_BODY_H
#define NET_BODY_H

#include "wire/http.h"

struct body {
    enum http_framing framing;
    uint64_t length; /* of HTTP_LENGTH */
    struct http_chunks chunks;
};

void body_begin(struct body *body, const struct http_head *head);

/* `data` holds `*size` bytes, all that has come since the head; `at_end`: no more will come. After
 * HTTP_MORE the next bytes belong at `data` + `*size`, which shrinks as framing is taken out. After
 * HTTP_DONE the body is the first `*ret_body` bytes, and the message ends after `*ret_used`.
 * HTTP_BAD with SF_FULL: the body is, or says that it will be, larger than `body_max`. A body that
 * ends early stays HTTP_MORE. */
enum http_progress body_receive(struct body *body, uint8_t *data, size_t *size, bool at_end,
                                size_t body_max, size_t *ret_body, size_t *ret_used,
                                struct sf_status *status);

/* How many more bytes are worth making room for, of which `size` are there. */
size_t body_wanted(const struct body *body, size_t size);

#endif
