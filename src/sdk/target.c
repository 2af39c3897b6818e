/* target.c - types are split and checked when they are not the last one; ids are always. */
#include "sdk/target.h"

#include "sdk/registry.h"
#include "sdk/value.h"

void target_types_destroy(struct target_types *types)
{
    arena_destroy(&types->arena);
}

bool target_change_type(struct target_types *types, struct bytes text, struct sf_status *status)
{
    struct bytes ns, name;
    struct address address;
    arena_clear(&types->arena);
    types->text = (struct bytes){0};
    if (!typename_split(text, &ns, &name))
        return sf_fail(status, SF_INVALID, "target '%.*s': expected a function type namespace/name",
                       BYTES_ARG(text));
    if (!address_make(ns, name, (struct bytes){0}, &types->arena, &address, status))
        return false;
    types->text = arena_add_bytes(&types->arena, text);
    types->type = address.wire;
    return true;
}

bool target_make(struct target_types *types, const struct sf_target *target, struct arena *arena,
                 struct bytes *ret_address, struct sf_status *status)
{
    struct bytes type, id = bytes_from_sf(target->id);
    if (!target_type(types, target, &type, status))
        return false;
    size_t size = address_size(type, id);
    uint8_t *to = arena_take(arena, size);
    (void)address_put(to, type, id);
    *ret_address = bytes_make(to, size);
    return true;
}
