/* key_sort.c - a quicksort that looks at eight bytes of each key at a time.
 *
 * Stored keys share long beginnings (kind, partition, type), so comparing two of them costs a walk
 * over the same bytes again and again, and a cache miss on either. Here the next eight bytes of
 * each key are fetched once into the array, as a number that sorts as they do; the array is parted
 * by that number, and only those that are equal go eight bytes deeper, together. */
#include "store/key_sort.h"

enum { STEP = 8, FEW = 12, AHEAD = 16 };

static uint64_t prefix_of(struct bytes key, size_t depth)
{
    if (key.size >= depth + STEP)
        return u64_get(key.data + depth);
    uint8_t rest[STEP] = {0};
    if (key.size > depth)
        memcpy(rest, key.data + depth, key.size - depth);
    return u64_get(rest);
}

static void load_prefixes(struct sorted_key *keys, size_t count, size_t depth)
{
    for (size_t i = 0; i < count; i++) {
        if (i + AHEAD < count)
            __builtin_prefetch(keys[i + AHEAD].key.data + depth);
        keys[i].prefix = prefix_of(keys[i].key, depth);
    }
}

static void swap(struct sorted_key *a, struct sorted_key *b)
{
    struct sorted_key kept = *a;
    *a = *b;
    *b = kept;
}

static bool is_before(const struct sorted_key *a, const struct sorted_key *b, size_t depth)
{
    if (a->prefix != b->prefix)
        return a->prefix < b->prefix;
    if (a->key.size <= depth || b->key.size <= depth)
        return a->key.size < b->key.size;
    return bytes_compare(bytes_from(a->key, depth), bytes_from(b->key, depth)) < 0;
}

static void sort_few(struct sorted_key *keys, size_t count, size_t depth)
{
    for (size_t i = 1; i < count; i++) {
        struct sorted_key key = keys[i];
        size_t at = i;
        for (; at > 0 && is_before(&key, &keys[at - 1], depth); at--)
            keys[at] = keys[at - 1];
        keys[at] = key;
    }
}

static uint64_t middle(uint64_t a, uint64_t b, uint64_t c)
{
    if (a < b)
        return b < c ? b : a < c ? c : a;
    return a < c ? a : b < c ? c : b;
}

/* Moves the keys that end within these eight bytes to the front: a key that ends is padded with
 * zeros, and comes before those that have zeros there. Returns their number, nine at most. */
static size_t part_ended(struct sorted_key *keys, size_t count, size_t end)
{
    size_t ended = 0;
    for (size_t i = 0; i < count; i++)
        if (keys[i].key.size <= end)
            swap(&keys[ended++], &keys[i]);
    return ended;
}

/* Sorts keys that are equal up to `depth` and whose prefixes are loaded from there. Recursion is
 * into the smaller part, or eight bytes deeper; the largest part is left to the loop. */
static void sort(struct sorted_key *keys, size_t count, size_t depth)
{
    while (count > FEW) {
        uint64_t pivot = middle(keys[0].prefix, keys[count / 2].prefix, keys[count - 1].prefix);
        size_t less = 0, next = 0, greater = count;
        while (next < greater) {
            if (keys[next].prefix < pivot)
                swap(&keys[less++], &keys[next++]);
            else if (keys[next].prefix > pivot)
                swap(&keys[next], &keys[--greater]);
            else
                next++;
        }

        size_t ended = part_ended(keys + less, greater - less, depth + STEP);
        sort_few(keys + less, ended, depth);
        load_prefixes(keys + less + ended, greater - less - ended, depth + STEP);
        sort(keys + less + ended, greater - less - ended, depth + STEP);

        if (less < count - greater) {
            sort(keys, less, depth);
            keys += greater;
            count -= greater;
        } else {
            sort(keys + greater, count - greater, depth);
            count = less;
        }
    }
    sort_few(keys, count, depth);
}

void keys_sort(struct sorted_key *keys, size_t count)
{
    load_prefixes(keys, count, 0);
    sort(keys, count, 0);
}
