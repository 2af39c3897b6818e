/* record.h - one epoch in the log: a header, then the entries of all its deltas, one behind the
 * other.
 *
 *     offset  size
 *       0      4   magic, f5 'S' 'F' 'r'
 *       4      4   check of the bytes behind it up to 32: the low half of their hash
 *       8      8   epoch
 *      16      8   size of the entries
 *      24      8   checksum of the entries
 *      32      -   entries (engine/delta.h)
 *
 * Numbers are big-endian. Both hashes (XXH3) begin with the 32 digits of the directory's id: bytes
 * that look like a record are none if they come from another directory, or from a user who has put
 * a record into a value. The header has a check of its own so that its size can be trusted when the
 * entries are torn, and so that a later record can be recognised behind a damaged one.
 *
 * Records stand without gaps and without alignment. Nothing here knows files or threads. */
#ifndef STORE_RECORD_H
#define STORE_RECORD_H

#include "base/bytes.h"
#include "base/hash.h"

enum { RECORD_HEADER_BYTES = 32, RECORD_ID_BYTES = 32 };

struct record {
    uint64_t epoch;
    uint64_t size;
    uint64_t checksum;
};

/* What stands at some place of a segment, where the record of a certain epoch would be. */
enum record_state {
    RECORD_NONE,  /* no header: never written, torn, or damaged */
    RECORD_STALE, /* one of an earlier epoch, left from the segment's former life */
    RECORD_TORN,  /* the right header, but entries that are cut off or not what was written */
    RECORD_AHEAD, /* one of a later epoch */
    RECORD_WHOLE
};

/* The checksum of entries that come in several runs: begin, hash_stream_add each,
 * hash_stream_value. */
void record_begin_checksum(struct hash_stream *hash, const char *id);

void record_put_header(uint8_t to[RECORD_HEADER_BYTES], const char *id,
                       const struct record *record);

/* Looks for the record of `epoch` at the start of `bytes`, which go to the end of the segment. The
 * entries of a whole one are lent; `ret_record` is set unless there is none. */
enum record_state record_read(struct bytes bytes, const char *id, uint64_t epoch,
                              struct hash_stream *hash, struct record *ret_record,
                              struct bytes *ret_entries);

/* Looks everywhere in `bytes` for a record that is later than `epoch`: proof that the record of
 * `epoch` had been committed. False if there is none. */
bool record_find_later(struct bytes bytes, const char *id, uint64_t epoch, size_t *ret_offset,
                       struct record *ret_record);

#endif
