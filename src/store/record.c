/* record.c - headers byte by byte. */
#include "store/record.h"

#include <string.h>

static const uint8_t magic[4] = {0xf5, 'S', 'F', 'r'};

static uint32_t header_check(const uint8_t *header, const char *id)
{
    uint8_t checked[RECORD_ID_BYTES + RECORD_HEADER_BYTES - 8];
    memcpy(checked, id, RECORD_ID_BYTES);
    memcpy(checked + RECORD_ID_BYTES, header + 8, RECORD_HEADER_BYTES - 8);
    return (uint32_t)hash_stable(bytes_make(checked, sizeof checked));
}

void record_begin_checksum(struct hash_stream *hash, const char *id)
{
    hash_stream_reset(hash);
    hash_stream_add(hash, bytes_make(id, RECORD_ID_BYTES));
}

void record_put_header(uint8_t to[RECORD_HEADER_BYTES], const char *id, const struct record *record)
{
    memcpy(to, magic, sizeof magic);
    u64_put(to + 8, record->epoch);
    u64_put(to + 16, record->size);
    u64_put(to + 24, record->checksum);
    u32_put(to + 4, header_check(to, id));
}

static bool read_header(struct bytes bytes, const char *id, struct record *ret_record)
{
    if (bytes.size < RECORD_HEADER_BYTES || memcmp(bytes.data, magic, sizeof magic) ||
        u32_get(bytes.data + 4) != header_check(bytes.data, id))
        return false;
    ret_record->epoch = u64_get(bytes.data + 8);
    ret_record->size = u64_get(bytes.data + 16);
    ret_record->checksum = u64_get(bytes.data + 24);
    return true;
}

enum record_state record_read(struct bytes bytes, const char *id, uint64_t epoch,
                              struct hash_stream *hash, struct record *ret_record,
                              struct bytes *ret_entries)
{
    if (!read_header(bytes, id, ret_record))
        return RECORD_NONE;
    if (ret_record->epoch != epoch)
        return ret_record->epoch < epoch ? RECORD_STALE : RECORD_AHEAD;
    if (ret_record->size > bytes.size - RECORD_HEADER_BYTES)
        return RECORD_TORN;

    *ret_entries = bytes_make(bytes.data + RECORD_HEADER_BYTES, (size_t)ret_record->size);
    record_begin_checksum(hash, id);
    hash_stream_add(hash, *ret_entries);
    return hash_stream_value(hash) == ret_record->checksum ? RECORD_WHOLE : RECORD_TORN;
}

bool record_find_later(struct bytes bytes, const char *id, uint64_t epoch, size_t *ret_offset,
                       struct record *ret_record)
{
    const uint8_t *at = bytes.data;
    for (size_t left = bytes.size; left >= RECORD_HEADER_BYTES;) {
        const uint8_t *found = memchr(at, magic[0], left);
        if (!found)
            return false;
        left -= (size_t)(found - at);
        if (read_header(bytes_make(found, left), id, ret_record) && ret_record->epoch > epoch) {
            *ret_offset = (size_t)(found - bytes.data);
            return true;
        }
        at = found + 1;
        left--;
    }
    return false;
}
