/* partition.h - which share of all addresses an id belongs to, and who owns that share.
 *
 * The partition depends on the id alone, so that instances with one id are neighbours whatever
 * their type. The number of partitions is fixed when a data directory is made, as stored keys begin
 * with it; the number of workers may change at every start. */
#ifndef ENGINE_PARTITION_H
#define ENGINE_PARTITION_H

#include "base/hash.h"

enum { PARTITIONS_DEFAULT = 128, PARTITIONS_MAX = 32768 };

static inline uint32_t partition_of(struct bytes id, uint32_t partitions)
{
    uint64_t hash = hash_stable(id);
    bool is_power_of_two = !(partitions & (partitions - 1)); /* as usual; division takes long */
    return (uint32_t)(is_power_of_two ? hash & (partitions - 1) : hash % partitions);
}

/* Neighbouring partitions belong to one worker; shares differ by one partition at most. */
static inline uint32_t partition_worker(uint32_t partition, uint32_t partitions, uint32_t workers)
{
    return partition * workers / partitions;
}

#endif
