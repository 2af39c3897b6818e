/* key_sort.h - sorting many keys that begin alike. */
#ifndef STORE_KEY_SORT_H
#define STORE_KEY_SORT_H

#include "base/bytes.h"

struct sorted_key {
    struct bytes key;
    uint64_t prefix; /* used while sorting */
};

/* Sorts by bytes_compare; no two keys are equal. */
void keys_sort(struct sorted_key *keys, size_t count);

#endif
