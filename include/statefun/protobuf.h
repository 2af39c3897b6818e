/* protobuf.h - types for messages that protobuf-c has generated. Optional: it is all in this
 * header, and needs protobuf-c in your program, not in the SDK.
 *
 *     #include "user.pb-c.h"
 *     static const struct sf_type USER = SF_PROTOBUF_TYPE("example.User", example__user);
 *
 *     Example__User *user;
 *     if (sf_read(context, message, &USER, &user))
 *         user->visits++;
 *     sf_set(context, &LAST_USER, sf_object(&USER, user));
 *
 * What is decoded lives until the function returns, and must not be freed. */
#ifndef STATEFUN_PROTOBUF_H
#define STATEFUN_PROTOBUF_H

#include "statefun/statefun.h"

#include <protobuf-c/protobuf-c.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A type named as the official SDKs name it, "type.googleapis.com/" and the message's full name.
 * `prefix_` is what the names of its generated functions begin with. */
#define SF_PROTOBUF_TYPE(full_name_, prefix_)                                                      \
    SF_PROTOBUF_TYPE_NAMED("type.googleapis.com/" full_name_, prefix_)

/* A type of any name. */
#define SF_PROTOBUF_TYPE_NAMED(typename_, prefix_)                                                 \
    {                                                                                              \
        (typename_), SF_REPR_OBJECT, sf_protobuf_encode, sf_protobuf_decode,                       \
            &prefix_##__descriptor                                                                 \
    }

static inline bool sf_protobuf_encode(const struct sf_type *type, const void *object,
                                      struct sf_writer *writer, struct sf_status *status)
{
    const ProtobufCMessage *message = (const ProtobufCMessage *)object;
    const ProtobufCMessageDescriptor *descriptor = (const ProtobufCMessageDescriptor *)type->user;
    if (message->descriptor != descriptor)
        return sf_fail(status, SF_INVALID, "the message is a %s, expected a %s",
                       message->descriptor ? message->descriptor->name : "(nothing)",
                       descriptor->name);
    size_t size = protobuf_c_message_get_packed_size(message);
    (void)protobuf_c_message_pack(message, (uint8_t *)sf_write_space(writer, size));
    return true;
}

static inline void *sf_protobuf_alloc(void *context, size_t size)
{
    return sf_alloc((struct sf_context *)context, size);
}

static inline void sf_protobuf_free(void *context, void *memory)
{
    (void)context;
    (void)memory; /* it goes when the function returns */
}

static inline bool sf_protobuf_decode(const struct sf_type *type, struct sf_bytes bytes,
                                      struct sf_context *context, void *ret_object,
                                      struct sf_status *status)
{
    const ProtobufCMessageDescriptor *descriptor = (const ProtobufCMessageDescriptor *)type->user;
    ProtobufCAllocator allocator = {sf_protobuf_alloc, sf_protobuf_free, context};
    ProtobufCMessage *message =
        protobuf_c_message_unpack(descriptor, &allocator, bytes.size, (const uint8_t *)bytes.data);
    if (!message)
        return sf_fail(status, SF_INVALID, "they are no %s", descriptor->name);
    *(ProtobufCMessage **)ret_object = message;
    return true;
}

#ifdef __cplusplus
}
#endif

#endif
