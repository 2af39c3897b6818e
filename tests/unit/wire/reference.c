/* reference.c - walks over what both have read, side by side. */
#include "wire/reference.h"

#include "wire/protobuf.h"

/* --- oddities --- */

enum { TAG_BYTES_MAX = 5 };

static bool is_of_type(const ProtobufCFieldDescriptor *field, unsigned type)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_BYTES:
    case PROTOBUF_C_TYPE_MESSAGE:
        return type == PB_BYTES;
    default:
        return type == PB_VARINT; /* there are no others in these messages */
    }
}

/* Takes a varint; `ret_odd` is set, never cleared. False at the end of what is well formed. */
static bool walk_varint(const uint8_t **at, const uint8_t *end, size_t bytes_max,
                        uint64_t *ret_value, bool *ret_odd)
{
    const uint8_t *start = *at;
    if (!pb_take_varint(at, end, ret_value)) {
        /* Too long for one of the two may still be a number for the other. */
        *ret_odd |= (size_t)(end - start) > bytes_max;
        return false;
    }
    size_t size = (size_t)(*at - start);
    *ret_odd |= size > bytes_max || (size == PB_VARINT_MAX && (*at)[-1] > 1);
    return true;
}

static bool walk_known(const ProtobufCFieldDescriptor *field, unsigned type, uint64_t value,
                       struct bytes bytes, uint64_t *seen, const ProtobufCMessageDescriptor *all)
{
    if (!is_of_type(field, type))
        return true;
    if (field->type == PROTOBUF_C_TYPE_ENUM)
        return value > INT32_MAX; /* we keep all 64 bits, protobuf-c the lower 32 */
    if (field->type != PROTOBUF_C_TYPE_MESSAGE)
        return false;
    /* The members of a oneof count as one. */
    uint64_t bit =
        UINT64_C(1) << (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF ? 63 : field - all->fields);
    bool again = field->label != PROTOBUF_C_LABEL_REPEATED && *seen & bit;
    *seen |= bit;
    return again || reference_is_odd(bytes, field->descriptor);
}

bool reference_is_odd(struct bytes message, const ProtobufCMessageDescriptor *descriptor)
{
    const uint8_t *at = message.data, *end = message.size ? at + message.size : at;
    uint64_t seen = 0;
    bool odd = false;
    while (at != end && !odd) {
        uint64_t tag, value = 0;
        struct bytes bytes = {0};
        if (!walk_varint(&at, end, TAG_BYTES_MAX, &tag, &odd))
            return odd;
        if (tag > UINT32_MAX || tag >> 3 == 0)
            return true;
        switch (tag & 7) {
        case PB_VARINT:
            if (!walk_varint(&at, end, PB_VARINT_MAX, &value, &odd))
                return odd;
            break;
        case PB_BYTES:
            if (!walk_varint(&at, end, TAG_BYTES_MAX, &value, &odd) || value > (uint64_t)(end - at))
                return odd;
            bytes = bytes_make(at, (size_t)value);
            at += value;
            break;
        case PB_FIXED64:
        case PB_FIXED32: {
            ptrdiff_t size = (tag & 7) == PB_FIXED64 ? 8 : 4;
            if (end - at < size)
                return odd;
            at += size;
            break;
        }
        default:
            return true;
        }
        const ProtobufCFieldDescriptor *field =
            protobuf_c_message_descriptor_get_field(descriptor, (unsigned)(tag >> 3));
        odd |= field && walk_known(field, tag & 7, value, bytes, &seen, descriptor);
    }
    return odd;
}

/* --- what both have read --- */

bool reference_same_text(struct bytes ours, const char *theirs)
{
    size_t size = theirs ? strlen(theirs) : 0;
    return ours.size >= size && (size == 0 || memcmp(ours.data, theirs, size) == 0) &&
           (ours.size == size || ours.data[size] == 0);
}

static bool same_bytes(struct bytes ours, ProtobufCBinaryData theirs)
{
    return bytes_equal(ours, bytes_make(theirs.data, theirs.len));
}

static bool same_typed(const struct typed_value *ours, const TypedValue *theirs)
{
    if (!theirs)
        return !ours->type.size && !ours->value.size && !ours->has_value;
    return reference_same_text(ours->type, theirs->typename_) &&
           ours->has_value == theirs->has_value && same_bytes(ours->value, theirs->value);
}

bool reference_same_value(struct bytes ours, const TypedValue *theirs)
{
    struct typed_value value;
    return typed_value_parse(ours, &value, NULL) && same_typed(&value, theirs);
}

bool reference_same_address(struct bytes ours, const Address *theirs)
{
    struct address address;
    if (!theirs)
        return ours.size == 0;
    return address_parse(ours, &address) && reference_same_text(address.ns, theirs->namespace_) &&
           reference_same_text(address.name, theirs->type) &&
           reference_same_text(address.id, theirs->id);
}

static bool same_mutation(const struct state_mutation *ours,
                          const FromFunction__PersistedValueMutation *theirs)
{
    return ours->kind == (uint64_t)theirs->mutation_type &&
           reference_same_text(ours->name, theirs->state_name) &&
           same_typed(&ours->value, theirs->state_value);
}

static bool same_message(const struct outgoing_message *ours,
                         const FromFunction__Invocation *theirs)
{
    return reference_same_address(ours->target, theirs->target) &&
           reference_same_value(ours->argument, theirs->argument);
}

static bool same_delayed(const struct delayed_message *ours,
                         const FromFunction__DelayedInvocation *theirs)
{
    return ours->delay_ms == theirs->delay_in_ms &&
           ours->is_cancellation == theirs->is_cancellation_request &&
           reference_same_text(ours->token, theirs->cancellation_token) &&
           reference_same_address(ours->target, theirs->target) &&
           reference_same_value(ours->argument, theirs->argument);
}

static bool same_egress(const struct egress_message *ours,
                        const FromFunction__EgressMessage *theirs)
{
    return reference_same_text(ours->ns, theirs->egress_namespace) &&
           reference_same_text(ours->name, theirs->egress_type) &&
           reference_same_value(ours->argument, theirs->argument);
}

static bool same_spec(const struct state_spec *ours, const FromFunction__PersistedValueSpec *theirs)
{
    static const FromFunction__ExpirationSpec none = FROM_FUNCTION__EXPIRATION_SPEC__INIT;
    const FromFunction__ExpirationSpec *expiration =
        theirs->expiration_spec ? theirs->expiration_spec : &none;
    unsigned mode = (unsigned)expiration->mode;
    return reference_same_text(ours->name, theirs->state_name) &&
           reference_same_text(ours->type, theirs->type_typename) &&
           ours->mode == (mode > EXPIRE_AFTER_INVOKE ? EXPIRE_NONE : mode) &&
           ours->expire_after_ms == expiration->expire_after_millis;
}

/* A reply whose oneof is not set is an empty result. */
static const char *compare_result(const struct from_function *ours,
                                  const FromFunction__InvocationResponse *theirs)
{
    static const FromFunction__InvocationResponse none = FROM_FUNCTION__INVOCATION_RESPONSE__INIT;
    if (!theirs)
        theirs = &none;
    if (ours->mutation_count != theirs->n_state_mutations ||
        ours->message_count != theirs->n_outgoing_messages ||
        ours->delayed_count != theirs->n_delayed_invocations ||
        ours->egress_count != theirs->n_outgoing_egresses)
        return "how many effects there are";
    for (size_t i = 0; i < ours->mutation_count; i++)
        if (!same_mutation(&ours->mutations[i], theirs->state_mutations[i]))
            return "a state mutation";
    for (size_t i = 0; i < ours->message_count; i++)
        if (!same_message(&ours->messages[i], theirs->outgoing_messages[i]))
            return "an outgoing message";
    for (size_t i = 0; i < ours->delayed_count; i++)
        if (!same_delayed(&ours->delayed[i], theirs->delayed_invocations[i]))
            return "a delayed message";
    for (size_t i = 0; i < ours->egress_count; i++)
        if (!same_egress(&ours->egresses[i], theirs->outgoing_egresses[i]))
            return "an egress message";
    return NULL;
}

static const char *compare_incomplete(const struct from_function *ours,
                                      const FromFunction__IncompleteInvocationContext *theirs)
{
    if (ours->missing_count != theirs->n_missing_values)
        return "how many states are missing";
    for (size_t i = 0; i < ours->missing_count; i++)
        if (!same_spec(&ours->missing[i], theirs->missing_values[i]))
            return "the specification of a state";
    return NULL;
}

const char *reference_compare(const struct from_function *ours, const FromFunction *theirs)
{
    bool incomplete =
        theirs->response_case == FROM_FUNCTION__RESPONSE_INCOMPLETE_INVOCATION_CONTEXT;
    if (ours->is_incomplete != incomplete)
        return "the kind of reply";
    if (incomplete)
        return compare_incomplete(ours, theirs->incomplete_invocation_context);
    return compare_result(ours, theirs->response_case == FROM_FUNCTION__RESPONSE_INVOCATION_RESULT
                                    ? theirs->invocation_result
                                    : NULL);
}

static const char *compare_state(const struct request_state *ours,
                                 const ToFunction__PersistedValue *theirs)
{
    if (!reference_same_text(ours->name, theirs->state_name))
        return "the name of a state";
    if (ours->present != (theirs->state_value != NULL))
        return "whether a state has a value";
    return ours->present && !reference_same_value(ours->value, theirs->state_value)
               ? "the value of a state"
               : NULL;
}

/* A caller that is there and has nothing in it is nobody, as one that is not there. */
static const char *compare_body(struct bytes ours, const ToFunction__Invocation *theirs)
{
    struct bytes caller, argument;
    if (!message_body_parse(ours, &caller, &argument))
        return "a message's body, which is none";
    if (!reference_same_address(caller, theirs->caller))
        return "a caller";
    return reference_same_value(argument, theirs->argument) ? NULL : "an argument";
}

const char *reference_compare_request(const struct to_function *ours, const ToFunction *theirs)
{
    const ToFunction__InvocationBatchRequest *batch = theirs->invocation;
    if (!reference_same_address(ours->target, batch->target))
        return "the target";
    if (ours->state_count != batch->n_state || ours->message_count != batch->n_invocations)
        return "how much there is in it";
    const char *difference = NULL;
    for (size_t i = 0; i < ours->state_count && !difference; i++)
        difference = compare_state(&ours->states[i], batch->state[i]);
    for (size_t i = 0; i < ours->message_count && !difference; i++)
        difference = compare_body(ours->messages[i], batch->invocations[i]);
    return difference;
}

/* --- judging --- */

/* Where ours is stricter: text, and what must fit in a key. */
static bool is_stricter(const struct sf_status *status)
{
    return strstr(status->message, "UTF-8") || strstr(status->message, "an address may have");
}

static ProtobufCMessage *unpack(const ProtobufCMessageDescriptor *descriptor, struct bytes message)
{
    return protobuf_c_message_unpack(descriptor, NULL, message.size, message.data);
}

static const char *judge_acceptance(bool ours, const ProtobufCMessage *theirs,
                                    const struct sf_status *status)
{
    if (ours && !theirs)
        return "only ours accepts it";
    if (!ours && theirs && !is_stricter(status))
        return "only protobuf-c accepts it";
    return NULL;
}

const char *reference_judge_reply(struct bytes reply)
{
    struct arena arena = {0};
    struct from_function ours;
    struct sf_status status = {0};
    bool good = from_function_parse(reply, &arena, &ours, &status);
    ProtobufCMessage *theirs = unpack(&from_function__descriptor, reply);

    const char *complaint = NULL;
    if (!reference_is_odd(reply, &from_function__descriptor)) {
        complaint = judge_acceptance(good, theirs, &status);
        if (good && theirs)
            complaint = reference_compare(&ours, (const FromFunction *)theirs);
    }
    if (theirs)
        protobuf_c_message_free_unpacked(theirs, NULL);
    arena_destroy(&arena);
    return complaint;
}

const char *reference_judge_request(struct bytes request)
{
    struct arena arena = {0};
    struct to_function ours;
    struct sf_status status = {0};
    bool good = to_function_parse(request, &arena, &ours, &status);
    ProtobufCMessage *theirs = unpack(&to_function__descriptor, request);
    const ToFunction *read = (const ToFunction *)theirs;
    if (theirs && read->request_case != TO_FUNCTION__REQUEST_INVOCATION) {
        protobuf_c_message_free_unpacked(theirs,
                                         NULL); /* to us, one that invokes nothing is none */
        theirs = NULL;
    }

    const char *complaint = NULL;
    if (!reference_is_odd(request, &to_function__descriptor)) {
        complaint = judge_acceptance(good, theirs, &status);
        if (good && theirs)
            complaint = reference_compare_request(&ours, read);
    }
    if (theirs)
        protobuf_c_message_free_unpacked(theirs, NULL);
    arena_destroy(&arena);
    return complaint;
}

const char *reference_judge_address(struct bytes message)
{
    struct arena arena = {0};
    struct address ours, again;
    struct sf_status status = {0};
    bool good = address_read(message, &arena, &ours, &status);
    ProtobufCMessage *theirs = unpack(&address__descriptor, message);

    const char *complaint = NULL;
    if (!reference_is_odd(message, &address__descriptor)) {
        complaint = judge_acceptance(good, theirs, &status);
        if (good && theirs && !reference_same_address(ours.wire, (const Address *)theirs))
            complaint = "an address";
    }
    if (good && (!address_parse(ours.wire, &again) || again.type.size != ours.type.size))
        complaint = "an address that was read is not in canonical form";
    if (address_parse(message, &again) && good && !bytes_equal(again.wire, ours.wire))
        complaint = "an address in canonical form is changed by reading it";
    if (theirs)
        protobuf_c_message_free_unpacked(theirs, NULL);
    arena_destroy(&arena);
    return complaint;
}

const char *reference_judge_typed_value(struct bytes message)
{
    struct typed_value ours;
    struct sf_status status = {0};
    bool good = typed_value_parse(message, &ours, &status);
    ProtobufCMessage *theirs = unpack(&typed_value__descriptor, message);

    const char *complaint = NULL;
    if (!reference_is_odd(message, &typed_value__descriptor)) {
        complaint = judge_acceptance(good, theirs, &status);
        if (good && theirs && !same_typed(&ours, (const TypedValue *)theirs))
            complaint = "a typed value";
    }
    if (theirs)
        protobuf_c_message_free_unpacked(theirs, NULL);
    return complaint;
}

static bool same_headers(struct bytes ours, const KafkaProducerRecord *theirs)
{
    struct header header;
    size_t count = 0;
    for (; kafka_header_next(&ours, &header); count++)
        if (count == theirs->n_headers ||
            !reference_same_text(header.key, theirs->headers[count]->key) ||
            !same_bytes(header.value, theirs->headers[count]->value))
            return false;
    return count == theirs->n_headers;
}

const char *reference_judge_kafka_record(struct bytes message)
{
    struct kafka_record ours;
    struct sf_status status = {0};
    bool good = kafka_record_parse(message, &ours, &status);
    ProtobufCMessage *theirs = unpack(&kafka_producer_record__descriptor, message);
    const KafkaProducerRecord *record = (const KafkaProducerRecord *)theirs;

    const char *complaint = NULL;
    if (!reference_is_odd(message, &kafka_producer_record__descriptor) &&
        !strstr(status.message, "no topic")) {
        complaint = judge_acceptance(good, theirs, &status);
        if (good && theirs &&
            !(reference_same_text(ours.topic, record->topic) &&
              reference_same_text(ours.key, record->key) &&
              same_bytes(ours.value, record->value_bytes) && same_headers(ours.headers, record)))
            complaint = "a Kafka record";
    }
    if (theirs)
        protobuf_c_message_free_unpacked(theirs, NULL);
    return complaint;
}
