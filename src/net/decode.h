/* decode.h (net, internal) - what an HTTP client makes of a response's headers and body. */
#ifndef NET_DECODE_H
#define NET_DECODE_H

#include "wire/http.h"

/* Decompresses bodies into a buffer that it keeps for the next one. All zeros is a new one. */
struct decoder {
    struct buffer out;
    void *stream; /* zlib's, made when first needed */
};

void decoder_destroy(struct decoder *decoder);

/* Undoes the response's Content-Encoding. `ret_body` is `body` itself where there is none,
 * otherwise a view that is valid until the next call. SF_FULL: it would be larger than `body_max`.
 */
SF_CHECK bool decoder_run(struct decoder *decoder, const struct http_head *head, struct bytes body,
                          size_t body_max, struct bytes *ret_body, struct sf_status *status);

/* When the body has been used: gives back the memory of a huge one. */
void decoder_trim(struct decoder *decoder);

/* How long a Retry-After header asks to wait: seconds, or a date in any of HTTP's three forms. 0 if
 * there is none, if it cannot be read or if the time has passed; a day at most. */
uint64_t retry_after_ms(const struct http_head *head, uint64_t wall_ms);

#endif
