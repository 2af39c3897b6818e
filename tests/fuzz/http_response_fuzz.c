/* http_response_fuzz.c - any bytes as what an HTTP server answers, to a HEAD and to anything else.
 */
#include "http_splits.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum http_progress parse(struct bytes bytes, struct http_head *ret_head,
                                struct sf_status *status)
{
    return http_parse_response(bytes, false, ret_head, status);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes input = bytes_make(data, size);
    check_splits(parse, input);

    struct http_head head, to_head;
    enum http_progress progress = http_parse_response(input, false, &head, NULL);
    assert(progress == http_parse_response(input, true, &to_head, NULL));
    if (progress != HTTP_DONE)
        return 0;
    assert(head.status >= 100 && head.status <= 599);
    assert(to_head.framing == HTTP_NO_BODY && to_head.size == head.size);
    assert(head.framing != HTTP_UNTIL_CLOSE || !head.keep_alive);
    return 0;
}
