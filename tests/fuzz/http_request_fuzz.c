/* http_request_fuzz.c - any bytes as what an HTTP client sends: head and chunked body, in pieces.
 */
#include "http_splits.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes input = bytes_make(data, size);
    check_splits(http_parse_request, input);

    /* Paths are decoded, header values searched for tokens. */
    struct http_head head;
    if (http_parse_request(input, &head, NULL) != HTTP_DONE)
        return 0;
    assert(head.target.data[0] == '/' || bytes_is(head.target, "*"));
    assert(head.framing != HTTP_UNTIL_CLOSE);
    struct buffer decoded = {0};
    if (http_percent_decode(head.target, &decoded))
        assert(decoded.size <= head.target.size);
    buffer_destroy(&decoded);
    for (size_t i = 0; i < head.header_count; i++)
        (void)http_has_token(head.headers[i].value, "close");
    return 0;
}
