/* hash.h - the hashes that the project uses, all of them xxHash.
 *
 * hash_stable is part of what is stored: it decides to which partition an id belongs and guards the
 * log's records, so it must never change. hash_seeded indexes tables in memory; the seed keeps
 * whoever chooses ids from also choosing collisions. */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include "base/bytes.h"

struct hash128 {
    uint64_t low, high;
};

uint64_t hash_stable(struct bytes bytes);
uint64_t hash_seeded(struct bytes bytes, uint64_t seed);

/* For telling things apart by hash alone: a collision is not expected in the life of the universe.
 */
struct hash128 hash_wide(struct bytes bytes);

/* hash_stable over several runs of bytes, as if they were one. All zeros is not a valid state:
 * begin with hash_stream_new. */
struct hash_stream;
struct hash_stream *hash_stream_new(void);
void hash_stream_free(struct hash_stream *stream);
void hash_stream_reset(struct hash_stream *stream);
void hash_stream_add(struct hash_stream *stream, struct bytes bytes);
uint64_t hash_stream_value(const struct hash_stream *stream);

#endif
