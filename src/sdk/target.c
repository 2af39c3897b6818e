/* target.c - types are split and checked when they are not the last one; ids are always. */
#include "sdk/target.h"

#include "sdk/registry.h"
#include "sdk/value.h"

void target_types_destroy(struct target_types *types)
{
    arena_destroy(&types->arena);
}

static bool change_type(struct target_types *types, struct bytes text, struct sf_status *status)
{
    struct bytes ns, name;
    arena_clear(&types->arena);
    types->text = (struct bytes){0};
    if (!typename_split(text, &ns, &name))
        return sf_fail(status, SF_INVALID, "target '%.*s': expected a function type namespace/name",
                       BYTES_ARG(text));
    if (!address_make(ns, name, (struct bytes){0}, &types->arena, &types->address, status))
        return false;
    types->text = arena_add_bytes(&types->arena, text);
    return true;
}

const struct address *target_type(struct target_types *types, const struct sf_target *target,
                                  struct sf_status *status)
{
    struct bytes text = bytes_from_sf(target->type);
    bool is_known = text.size && bytes_equal(types->text, text);
    return (is_known || change_type(types, text, status)) &&
                   address_check_id(&types->address, bytes_from_sf(target->id), status)
               ? &types->address
               : NULL;
}

bool target_make(struct target_types *types, const struct sf_target *target, struct arena *arena,
                 struct address *ret_address, struct sf_status *status)
{
    struct bytes id = bytes_from_sf(target->id);
    const struct address *type = target_type(types, target, status);
    if (type)
        address_put(arena_take(arena, address_size(type, id)), type, id, ret_address);
    return type != NULL;
}
