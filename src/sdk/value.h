/* value.h - C objects to bytes and back. */
#ifndef SDK_VALUE_H
#define SDK_VALUE_H

#include "base/arena.h"
#include "base/bytes.h"
#include "sdk/host.h"

#include <endian.h>

/* Memory that lives as long as what the value is encoded for. */
struct value_memory {
    void *(*alloc)(void *owner, size_t size);
    void *owner;
};

/* The body of a TypedValue that holds it. */
struct bytes value_in_arena(struct arena *arena, const struct sf_encoded *value);

/* Encodes a value as it travels in messages and states. What the result refers to is the memory's,
 * or the value's own. False if the value is unset, or its type refuses it. */
SF_CHECK bool value_encode(struct value_memory memory, const struct sf_value *value,
                           struct sf_encoded *ret_encoded, struct sf_status *status);

/* The same for the outside world: text and bytes as they are, numbers in big-endian. */
SF_CHECK bool value_encode_plain(struct value_memory memory, struct sf_value value,
                                 struct sf_bytes *ret_bytes, struct sf_status *status);

/* Decodes bytes of that type; false if they are none. */
SF_CHECK bool value_decode(struct sf_context *context, const struct sf_type *type,
                           struct sf_bytes bytes, void *ret_value, struct sf_status *status);

/* How a state travels. */
struct sf_state_name state_name_of(const struct sf_state *state);

static inline struct bytes bytes_from_sf(struct sf_bytes bytes)
{
    return bytes_make(bytes.data, bytes.size);
}

static inline struct sf_bytes bytes_to_sf(struct bytes bytes)
{
    return (struct sf_bytes){bytes.data, bytes.size};
}

/* NULL is an empty text. */
static inline struct sf_bytes text_to_sf(const char *text)
{
    return (struct sf_bytes){text, text ? strlen(text) : 0};
}

static inline struct sf_target target_of(struct sf_address address)
{
    return (struct sf_target){
        .type = text_to_sf(address.type),
        .id = {address.id, address.id_size || !address.id ? address.id_size : strlen(address.id)},
    };
}

/* --- numbers: what most messages and states are made of --- */

/* They are written as the one field of a wrapper message, or as nothing at all if they are zero. */
struct number_form {
    uint8_t tag, size;
};
extern const struct number_form value_number_forms[SF_REPR_DOUBLE + 1];
enum { VALUE_NUMBER_BYTES = 1 + 8 };

static inline bool value_is_number(enum sf_repr repr)
{
    return repr <= SF_REPR_DOUBLE;
}

/* In as many low bits as its type has. */
static inline uint64_t value_number_bits(const struct sf_value *value)
{
    uint32_t narrow;
    uint64_t wide;
    switch (value_number_forms[value->type->repr].size) {
    case 1:
        return value->as_bool;
    case 4: /* a float has its bits in the same place */
        memcpy(&narrow, &value->as_int, sizeof narrow);
        return narrow;
    default:
        memcpy(&wide, &value->as_long, sizeof wide);
        return wide;
    }
}

/* Encodes a number in `room`, which has VALUE_NUMBER_BYTES. */
static inline struct sf_bytes value_encode_number(const struct sf_value *value, uint8_t *room)
{
    const struct number_form *form = &value_number_forms[value->type->repr];
    uint64_t bits = htole64(value_number_bits(value));
    room[0] = form->tag;
    memcpy(room + 1, &bits, sizeof bits);
    return bits ? (struct sf_bytes){room, 1 + form->size} : (struct sf_bytes){0};
}

/* Only what we would have written is one: no zero, no byte more than is needed. */
HINT_INLINE static bool value_decode_number(enum sf_repr repr, struct sf_bytes bytes,
                                            void *ret_value)
{
    const struct number_form *form = &value_number_forms[repr];
    const uint8_t *from = bytes.data;
    uint32_t narrow;
    uint64_t wide;
    if (bytes.size && (bytes.size != 1 + (size_t)form->size || from[0] != form->tag))
        return false;
    switch (form->size) {
    case 1:
        if (bytes.size && from[1] != 1)
            return false;
        *(bool *)ret_value = bytes.size != 0;
        return true;
    case 4:
        narrow = bytes.size ? le32toh(bytes_four(from + 1)) : 0;
        if (bytes.size && !narrow)
            return false;
        memcpy(ret_value, &narrow, sizeof narrow);
        return true;
    default:
        wide = bytes.size ? le64toh(bytes_eight(from + 1)) : 0;
        if (bytes.size && !wide)
            return false;
        memcpy(ret_value, &wide, sizeof wide);
        return true;
    }
}

/* --- names of types --- */

/* By representation. */
extern const struct sf_bytes value_builtin_names[SF_REPR_STRING + 1];

/* The name of a built-in type, which need not be measured and checked; NULL if it is none. */
static inline const struct sf_bytes *type_builtin_name(const struct sf_type *type)
{
    if (type->repr > SF_REPR_STRING)
        return NULL;
    const struct sf_bytes *name = &value_builtin_names[type->repr];
    return type->name == name->data ? name : NULL;
}

/* Is it that name of a built-in type? They have 21 to 24 bytes. */
HINT_INLINE static bool type_builtin_is(const struct sf_bytes *builtin, struct sf_bytes name)
{
    return name.size == builtin->size &&
           bytes_equal_halves(name.data, builtin->data, builtin->size);
}

static inline struct sf_bytes type_name(const struct sf_type *type)
{
    const struct sf_bytes *builtin = type_builtin_name(type);
    return builtin ? *builtin : text_to_sf(type->name);
}

/* --- the shortest way of most values --- */

/* If it is a number of a built-in type: encodes it in `room`, which has VALUE_NUMBER_BYTES. */
static inline bool value_encode_short(const struct sf_value *value, uint8_t *room,
                                      struct sf_encoded *ret_encoded)
{
    const struct sf_bytes *name = value->type ? type_builtin_name(value->type) : NULL;
    if (!name || !value_is_number(value->type->repr))
        return false;
    *ret_encoded = (struct sf_encoded){*name, value_encode_number(value, room)};
    return true;
}

/* False: it is no number, or else value_decode knows why. */
static inline bool value_decode_short(const struct sf_type *type, struct sf_bytes bytes,
                                      void *ret_value)
{
    return value_is_number(type->repr) && value_decode_number(type->repr, bytes, ret_value);
}

#endif
