/* kafka_id.c - text out of bytes that may be none, exactly as Java's String(bytes, UTF_8) has it:
 * the id of an instance must not depend on which runtime reads the topic.
 *
 * Java replaces each malformed part by one U+FFFD. How long such a part is differs from Unicode's
 * recommendation in one point: a surrogate that was encoded by itself (ED A0 80) is one part. */
#include "ingress/kafka_inside.h"

static bool is_continuation(uint8_t byte)
{
    return (byte & 0xc0) == 0x80;
}

/* False if no sequence that begins with `first` goes on with `second`. */
static bool goes_on(uint8_t first, uint8_t second)
{
    switch (first) {
    case 0xe0:
        return second >= 0xa0 && second <= 0xbf;
    case 0xf0:
        return second >= 0x90 && second <= 0xbf;
    case 0xf4:
        return second >= 0x80 && second <= 0x8f;
    default:
        return is_continuation(second);
    }
}

/* How many bytes a sequence that begins with `first` has; 0: none begins so. */
static size_t sequence_size(uint8_t first)
{
    if (first < 0x80)
        return 1;
    if (first >= 0xc2 && first <= 0xdf)
        return 2;
    if ((first & 0xf0) == 0xe0)
        return 3;
    return first >= 0xf0 && first <= 0xf4 ? 4 : 0;
}

/* The size of the sequence or malformed part at `at`; `ret_good` says which. */
static size_t next_part(const uint8_t *at, size_t left, bool *ret_good)
{
    size_t size = sequence_size(*at), found = 1;
    if (size > 1 && left > 1 && goes_on(at[0], at[1]))
        for (found = 2; found < size && found < left && is_continuation(at[found]);)
            found++;
    bool is_surrogate = size == 3 && at[0] == 0xed && found == 3 && at[1] >= 0xa0;
    *ret_good = size == found && !is_surrogate;
    return found;
}

void kafka_id_add(struct buffer *text, struct bytes bytes)
{
    for (size_t i = 0; i < bytes.size;) {
        bool good;
        size_t size = next_part(bytes.data + i, bytes.size - i, &good);
        if (good)
            buffer_add(text, bytes.data + i, size);
        else
            buffer_add_text(text, "\xef\xbf\xbd");
        i += size;
    }
}
