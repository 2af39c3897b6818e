/* hash.c - a thin face on xxHash (XXH3), compiled in. */
#include "base/hash.h"

#include "base/mem.h"

#include <assert.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

struct hash_stream {
    XXH3_state_t state;
};

uint64_t hash_stable(struct bytes bytes)
{
    return XXH3_64bits(bytes.data, bytes.size);
}

uint64_t hash_seeded(struct bytes bytes, uint64_t seed)
{
    return XXH3_64bits_withSeed(bytes.data, bytes.size, seed);
}

struct hash128 hash_wide(struct bytes bytes)
{
    XXH128_hash_t hash = XXH3_128bits(bytes.data, bytes.size);
    return (struct hash128){hash.low64, hash.high64};
}

struct hash_stream *hash_stream_new(void)
{
    /* XXH3 wants its state on a 64-byte boundary. */
    void *memory = NULL;
    if (posix_memalign(&memory, 64, sizeof(struct hash_stream)))
        abort();
    hash_stream_reset(memory);
    return memory;
}

void hash_stream_free(struct hash_stream *stream)
{
    free(stream);
}

void hash_stream_reset(struct hash_stream *stream)
{
    XXH3_64bits_reset(&stream->state);
}

void hash_stream_add(struct hash_stream *stream, struct bytes bytes)
{
    XXH3_64bits_update(&stream->state, bytes.data, bytes.size);
}

uint64_t hash_stream_value(const struct hash_stream *stream)
{
    return XXH3_64bits_digest(&stream->state);
}
