/* value.h - typed values: what messages carry and states hold.
 *
 * On the wire a value is a type name and bytes; a struct sf_type says how a C object becomes these
 * bytes and is made from them again. The built-in types are StateFun's, and every official SDK
 * reads them. */
#ifndef STATEFUN_VALUE_H
#define STATEFUN_VALUE_H

#include "statefun/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

struct sf_context;

struct sf_bytes {
    const void *data; /* may be NULL when size is 0 */
    size_t size;
};

/* Where a type writes its bytes. */
struct sf_writer;

/* Appends `size` bytes. */
void sf_write(struct sf_writer *writer, const void *bytes, size_t size);

/* Room for `size` bytes more, to be filled at once: for encoders that know their size. */
void *sf_write_space(struct sf_writer *writer, size_t size);

/* Text made as by printf, without its NUL. */
void sf_write_format(struct sf_writer *writer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* What C object decoding fills in, and encoding takes. */
enum sf_repr {
    SF_REPR_INT,    /* int32_t */
    SF_REPR_LONG,   /* int64_t */
    SF_REPR_BOOL,   /* bool */
    SF_REPR_FLOAT,  /* float */
    SF_REPR_DOUBLE, /* double */
    SF_REPR_STRING, /* const char *, NUL-terminated; on the wire as StateFun wraps strings */
    SF_REPR_TEXT,   /* const char *, NUL-terminated; on the wire as it is */
    SF_REPR_BYTES,  /* struct sf_bytes: the bytes as they are */
    SF_REPR_OBJECT  /* encode and decode say */
};

/* A type. Must outlive all that uses it; usually a static constant. */
struct sf_type {
    const char *name; /* "namespace/name" */
    enum sf_repr repr;

    /* Of SF_REPR_OBJECT. `object` is what sf_object was given. Called wherever a value is handed
     * over. */
    bool (*encode)(const struct sf_type *type, const void *object, struct sf_writer *writer,
                   struct sf_status *status);

    /* Fills in what `ret_object` points to; memory that it needs comes from sf_alloc(context).
     * `bytes` lives as long. */
    bool (*decode)(const struct sf_type *type, struct sf_bytes bytes, struct sf_context *context,
                   void *ret_object, struct sf_status *status);
    const void *user; /* the type's own */
};

/* io.statefun.types/... */
extern const struct sf_type sf_int_type, sf_long_type, sf_bool_type, sf_float_type, sf_double_type,
    sf_string_type;

/* A type of yours whose values are UTF-8 text as it is: what comes from curl or a Kafka topic. */
#define SF_TEXT_TYPE(name_)                                                                        \
    {                                                                                              \
        .name = (name_), .repr = SF_REPR_TEXT                                                      \
    }

/* A type of yours whose values are bytes that need no decoding. */
#define SF_BYTES_TYPE(name_)                                                                       \
    {                                                                                              \
        .name = (name_), .repr = SF_REPR_BYTES                                                     \
    }

/* A value on its way into a message or a state: lent for the call that it is given to. */
struct sf_value {
    const struct sf_type *type; /* NULL: the value is unset, or raw */
    const char *raw_type;       /* of a raw value; not NUL-terminated then: its size is below */
    size_t raw_type_size;
    union {
        int32_t as_int;
        int64_t as_long;
        bool as_bool;
        float as_float;
        double as_double;
        struct sf_bytes as_bytes; /* of strings, too */
        const void *as_object;
    };
};

static inline struct sf_value sf_int(int32_t number)
{
    struct sf_value value = {&sf_int_type, NULL, 0, {0}};
    value.as_int = number;
    return value;
}

static inline struct sf_value sf_long(int64_t number)
{
    struct sf_value value = {&sf_long_type, NULL, 0, {0}};
    value.as_long = number;
    return value;
}

static inline struct sf_value sf_bool(bool truth)
{
    struct sf_value value = {&sf_bool_type, NULL, 0, {0}};
    value.as_bool = truth;
    return value;
}

static inline struct sf_value sf_float(float number)
{
    struct sf_value value = {&sf_float_type, NULL, 0, {0}};
    value.as_float = number;
    return value;
}

static inline struct sf_value sf_double(double number)
{
    struct sf_value value = {&sf_double_type, NULL, 0, {0}};
    value.as_double = number;
    return value;
}

/* Text, which must be UTF-8; of NULL an unset value, which no call takes. */
static inline struct sf_value sf_string(const char *text)
{
    struct sf_value value = {text ? &sf_string_type : NULL, NULL, 0, {0}};
    value.as_bytes.data = text;
    value.as_bytes.size = text ? strlen(text) : 0;
    return value;
}

/* The same value, of a type of yours that has the same C object: sf_as(&DEPOSIT, sf_long(3)); of an
 * SF_TEXT_TYPE from sf_string and sf_format. */
static inline struct sf_value sf_as(const struct sf_type *type, struct sf_value value)
{
    value.type = value.type ? type : NULL;
    return value;
}

/* Bytes of an SF_BYTES_TYPE. */
static inline struct sf_value sf_bytes(const struct sf_type *type, const void *data, size_t size)
{
    struct sf_value value = {type, NULL, 0, {0}};
    value.as_bytes.data = data;
    value.as_bytes.size = size;
    return value;
}

/* An object of a type with encode and decode. */
static inline struct sf_value sf_object(const struct sf_type *type, const void *object)
{
    struct sf_value value = {type, NULL, 0, {0}};
    value.as_object = object;
    return value;
}

/* A value that is encoded already, of any type. */
static inline struct sf_value sf_raw(const char *type_name, const void *data, size_t size)
{
    struct sf_value value = {NULL, type_name, type_name ? strlen(type_name) : 0, {0}};
    value.as_bytes.data = data;
    value.as_bytes.size = size;
    return value;
}

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
