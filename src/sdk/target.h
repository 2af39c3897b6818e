/* target.h - whom functions and routers send to: a type as they write it, and an id, to an address.
 *
 * Who has sent to a type mostly goes on to: the last one is kept as it will be written. */
#ifndef SDK_TARGET_H
#define SDK_TARGET_H

#include "base/arena.h"
#include "sdk/host.h"
#include "wire/address.h"

/* All zeros is a valid state. */
struct target_types {
    struct arena arena;
    struct bytes text; /* "namespace/name" of the last; empty: there is none */
    struct bytes type; /* the part of an address that it makes */
};

void target_types_destroy(struct target_types *types);

/* Is the target's type the last one? */
static inline bool target_type_is_last(const struct target_types *types,
                                       const struct sf_target *target)
{
    struct bytes text = bytes_make(target->type.data, target->type.size);
    return text.size && bytes_equal(types->text, text);
}

/* For target_type: when it is not the last one. */
bool target_change_type(struct target_types *types, struct bytes text, struct sf_status *status);

/* The target's type, for address_put, which may be used with the target's id. Lives until the next
 * call. False: there is no such address. */
SF_CHECK static inline bool target_type(struct target_types *types, const struct sf_target *target,
                                        struct bytes *ret_type, struct sf_status *status)
{
    if (!target_type_is_last(types, target) &&
        !target_change_type(types, bytes_make(target->type.data, target->type.size), status))
        return false;
    *ret_type = types->type;
    return address_check_id(types->type, bytes_make(target->id.data, target->id.size), status);
}

/* The target's address, written in `arena`. */
SF_CHECK bool target_make(struct target_types *types, const struct sf_target *target,
                          struct arena *arena, struct bytes *ret_address, struct sf_status *status);

#endif
