/* codec_test.c - our codec and protobuf-c, on the same random messages.
 *
 * A seed gives the same messages for ever; the rounds are few enough for every build. The fuzzer
 * (tests/fuzz/from_function_fuzz.c) goes on where this ends. */
#include "test.h"

#include "harness/random.h"
#include "memory.h"
#include "wire/reference.h"

enum { SEED = 20231, ROUNDS = 2000, MUTATIONS = 40 };

/* Texts and bytes of all sorts, often empty, often at the sizes where a length grows by a byte. */
static size_t random_size(struct random *random)
{
    switch (random_below(random, 8)) {
    case 0:
    case 1:
        return 0;
    case 2:
        return 126 + random_below(random, 4);
    case 3:
        return random_chance(random, 100) ? 16382 + random_below(random, 4) : 1;
    default:
        return random_below(random, 24);
    }
}

static char *random_text(struct random *random, struct arena *arena, size_t most)
{
    static const char *const pieces[] = {"a",   "b", "/", ".", "7", "\xc3\xa4", "\xe2\x82\xac",
                                         "\x01"};
    size_t size = random_size(random);
    if (size > most)
        size = most;
    char *text = arena_take(arena, size + 4);
    size_t used = 0;
    while (used < size) {
        const char *piece = pieces[random_below(random, 8)];
        memcpy(text + used, piece, strlen(piece) + 1);
        used += strlen(piece);
    }
    text[used] = '\0';
    return text;
}

static struct bytes random_bytes(struct random *random, struct arena *arena)
{
    size_t size = random_size(random);
    uint8_t *data = arena_take(arena, size);
    for (size_t i = 0; i < size; i++)
        data[i] = (uint8_t)random_next(random);
    return bytes_make(data, size);
}

static int64_t random_number(struct random *random)
{
    uint64_t number = random_next(random) >> random_below(random, 64);
    return random_chance(random, 200) ? -(int64_t)(number >> 1) : (int64_t)(number >> 1);
}

/* --- requests: ours writes, protobuf-c reads --- */

static struct bytes random_value(struct random *random, struct arena *arena)
{
    struct buffer buffer = {0};
    struct typed_value value = {
        .type = bytes_of(random_text(random, arena, 200)),
        .value = random_bytes(random, arena),
        .has_value = random_chance(random, 500),
    };
    typed_value_add(&buffer, &value);
    struct bytes copy = arena_add_bytes(arena, buffer_bytes(&buffer));
    buffer_destroy(&buffer);
    return copy;
}

static struct bytes random_address(struct random *random, struct arena *arena)
{
    struct address address;
    struct sf_status status;
    assert_good(address_make(bytes_of(random_text(random, arena, 200)),
                             bytes_of(random_text(random, arena, 200)),
                             bytes_of(random_text(random, arena, 1000)), arena, &address, &status),
                &status);
    return address.wire;
}

struct sent {
    struct bytes caller, argument;
};

static struct bytes random_body(struct random *random, struct arena *arena, struct sent *sent)
{
    sent->caller = random_chance(random, 500) ? random_address(random, arena) : (struct bytes){0};
    sent->argument = random_value(random, arena);
    size_t size = message_body_size(sent->caller.size, sent->argument.size);
    uint8_t *body = arena_take(arena, size);
    message_body_put(body, sent->caller, sent->argument);
    return bytes_make(body, size);
}

static void compare_request(const struct to_function *ours, const struct sent *sent,
                            const ToFunction *theirs)
{
    assert_int_equal(theirs->request_case, TO_FUNCTION__REQUEST_INVOCATION);
    const ToFunction__InvocationBatchRequest *batch = theirs->invocation;
    assert_non_null(batch->target);
    assert_true(reference_same_address(ours->target, batch->target));
    assert_int_equal(batch->n_state, ours->state_count);
    for (size_t i = 0; i < ours->state_count; i++) {
        assert_true(reference_same_text(ours->states[i].name, batch->state[i]->state_name));
        /* A state that is absent has no state_value at all; one that is present always has. */
        assert_int_equal(batch->state[i]->state_value != NULL, ours->states[i].present);
        if (ours->states[i].present)
            assert_true(reference_same_value(ours->states[i].value, batch->state[i]->state_value));
    }
    assert_int_equal(batch->n_invocations, ours->message_count);
    for (size_t i = 0; i < ours->message_count; i++) {
        assert_int_equal(batch->invocations[i]->caller != NULL, sent[i].caller.size > 0);
        assert_true(reference_same_address(sent[i].caller, batch->invocations[i]->caller));
        assert_non_null(batch->invocations[i]->argument);
        assert_true(reference_same_value(sent[i].argument, batch->invocations[i]->argument));
    }
}

enum { MOST = 8 };

static void make_request(struct random *random, struct arena *arena, struct to_function *request,
                         struct sent sent[static MOST])
{
    struct request_state *states = arena_take(arena, MOST * sizeof *states);
    struct bytes *messages = arena_take(arena, MOST * sizeof *messages);
    *request = (struct to_function){
        .target = random_address(random, arena),
        .states = states,
        .state_count = random_below(random, MOST),
        .messages = messages,
        .message_count = random_below(random, MOST),
    };
    for (size_t i = 0; i < request->state_count; i++) {
        states[i].name = bytes_of(random_text(random, arena, 300));
        states[i].present = random_chance(random, 500);
        states[i].value = random_value(random, arena);
    }
    for (size_t i = 0; i < request->message_count; i++)
        messages[i] = random_body(random, arena, &sent[i]);
}

static struct bytes random_request(struct random *random, struct arena *arena)
{
    struct to_function request;
    struct sent sent[MOST];
    make_request(random, arena, &request, sent);
    size_t size = to_function_size(&request);
    uint8_t *wire = arena_take(arena, size);
    assert_ptr_equal(to_function_put(wire, &request), wire + size);
    return bytes_make(wire, size);
}

static void a_request_is_what_protobuf_c_reads(void **state)
{
    (void)state;
    struct random random = {SEED};
    struct arena arena = {0};
    for (int round = 0; round < ROUNDS; round++) {
        arena_clear(&arena);
        struct to_function request;
        struct sent sent[MOST];
        make_request(&random, &arena, &request, sent);

        size_t size = to_function_size(&request);
        uint8_t *wire = mem_new_raw(size);
        assert_ptr_equal(to_function_put(wire, &request), wire + size);
        ToFunction *theirs = to_function__unpack(NULL, size, wire);
        assert_non_null(theirs);
        compare_request(&request, sent, theirs);
        to_function__free_unpacked(theirs, NULL);
        free(wire);
    }
    arena_destroy(&arena);
}

/* A message's body is read back by ourselves, from the store. */
static void a_message_body_is_read_back(void **state)
{
    (void)state;
    struct random random = {SEED};
    struct arena arena = {0};
    for (int round = 0; round < ROUNDS; round++) {
        arena_clear(&arena);
        struct sent sent;
        struct bytes copy = copy_exactly(random_body(&random, &arena, &sent)), caller, argument;
        assert_true(message_body_parse(copy, &caller, &argument));
        assert_true(bytes_equal(caller, sent.caller));
        assert_true(bytes_equal(argument, sent.argument));
        copy_free(copy);
    }
    arena_destroy(&arena);
}

/* --- replies: protobuf-c writes, ours reads --- */

#define NEW(arena, type, init)                                                                     \
    ({                                                                                             \
        type *fresh_ = arena_take((arena), sizeof *fresh_);                                        \
        *fresh_ = (type)init;                                                                      \
        fresh_;                                                                                    \
    })

/* Up to five new elements, each made by `make`. */
#define FILL(count, array, arena, random, make)                                                    \
    do {                                                                                           \
        (count) = random_below((random), 6);                                                       \
        (array) = arena_take((arena), (count) * sizeof *(array));                                  \
        for (size_t i_ = 0; i_ < (count); i_++)                                                    \
            (array)[i_] = make((random), (arena));                                                 \
    } while (0)

static TypedValue *their_value(struct random *random, struct arena *arena)
{
    if (random_chance(random, 200))
        return NULL;
    TypedValue *value = NEW(arena, TypedValue, TYPED_VALUE__INIT);
    struct bytes bytes = random_bytes(random, arena);
    value->typename_ = random_text(random, arena, 1000);
    value->has_value = random_chance(random, 500);
    value->value = (ProtobufCBinaryData){bytes.size, (uint8_t *)bytes.data};
    return value;
}

static Address *their_address(struct random *random, struct arena *arena)
{
    if (random_chance(random, 200))
        return NULL;
    Address *address = NEW(arena, Address, ADDRESS__INIT);
    address->namespace_ = random_text(random, arena, 200);
    address->type = random_text(random, arena, 200);
    address->id = random_text(random, arena, 1000);
    return address;
}

static FromFunction__PersistedValueMutation *their_mutation(struct random *random,
                                                            struct arena *arena)
{
    FromFunction__PersistedValueMutation *mutation = NEW(
        arena, FromFunction__PersistedValueMutation, FROM_FUNCTION__PERSISTED_VALUE_MUTATION__INIT);
    mutation->mutation_type =
        (FromFunction__PersistedValueMutation__MutationType)random_below(random, 4);
    mutation->state_name = random_text(random, arena, 1000);
    mutation->state_value = their_value(random, arena);
    return mutation;
}

static FromFunction__Invocation *their_message(struct random *random, struct arena *arena)
{
    FromFunction__Invocation *message =
        NEW(arena, FromFunction__Invocation, FROM_FUNCTION__INVOCATION__INIT);
    message->target = their_address(random, arena);
    message->argument = their_value(random, arena);
    return message;
}

static FromFunction__DelayedInvocation *their_delayed(struct random *random, struct arena *arena)
{
    FromFunction__DelayedInvocation *delayed =
        NEW(arena, FromFunction__DelayedInvocation, FROM_FUNCTION__DELAYED_INVOCATION__INIT);
    delayed->delay_in_ms = random_number(random);
    delayed->target = their_address(random, arena);
    delayed->argument = their_value(random, arena);
    delayed->is_cancellation_request = random_chance(random, 300);
    delayed->cancellation_token = random_text(random, arena, 1000);
    return delayed;
}

static FromFunction__EgressMessage *their_egress(struct random *random, struct arena *arena)
{
    FromFunction__EgressMessage *egress =
        NEW(arena, FromFunction__EgressMessage, FROM_FUNCTION__EGRESS_MESSAGE__INIT);
    egress->egress_namespace = random_text(random, arena, 1000);
    egress->egress_type = random_text(random, arena, 1000);
    egress->argument = their_value(random, arena);
    return egress;
}

static FromFunction__PersistedValueSpec *their_spec(struct random *random, struct arena *arena)
{
    FromFunction__PersistedValueSpec *spec =
        NEW(arena, FromFunction__PersistedValueSpec, FROM_FUNCTION__PERSISTED_VALUE_SPEC__INIT);
    spec->state_name = random_text(random, arena, 1000);
    spec->type_typename = random_text(random, arena, 1000);
    if (random_chance(random, 700)) {
        spec->expiration_spec =
            NEW(arena, FromFunction__ExpirationSpec, FROM_FUNCTION__EXPIRATION_SPEC__INIT);
        spec->expiration_spec->mode =
            (FromFunction__ExpirationSpec__ExpireMode)random_below(random, 4);
        spec->expiration_spec->expire_after_millis = random_number(random);
    }
    return spec;
}

static FromFunction__InvocationResponse *their_result(struct random *random, struct arena *arena)
{
    FromFunction__InvocationResponse *result =
        NEW(arena, FromFunction__InvocationResponse, FROM_FUNCTION__INVOCATION_RESPONSE__INIT);
    FILL(result->n_state_mutations, result->state_mutations, arena, random, their_mutation);
    FILL(result->n_outgoing_messages, result->outgoing_messages, arena, random, their_message);
    FILL(result->n_delayed_invocations, result->delayed_invocations, arena, random, their_delayed);
    FILL(result->n_outgoing_egresses, result->outgoing_egresses, arena, random, their_egress);
    return result;
}

static struct bytes random_reply(struct random *random, struct arena *arena, FromFunction *reply)
{
    *reply = (FromFunction)FROM_FUNCTION__INIT;
    uint64_t kind = random_below(random, 10);
    if (kind > 2) {
        reply->response_case = FROM_FUNCTION__RESPONSE_INVOCATION_RESULT;
        reply->invocation_result = their_result(random, arena);
    } else if (kind > 0) {
        FromFunction__IncompleteInvocationContext *incomplete =
            NEW(arena, FromFunction__IncompleteInvocationContext,
                FROM_FUNCTION__INCOMPLETE_INVOCATION_CONTEXT__INIT);
        FILL(incomplete->n_missing_values, incomplete->missing_values, arena, random, their_spec);
        reply->response_case = FROM_FUNCTION__RESPONSE_INCOMPLETE_INVOCATION_CONTEXT;
        reply->incomplete_invocation_context = incomplete;
    }
    size_t size = from_function__get_packed_size(reply);
    uint8_t *wire = arena_take(arena, size);
    assert_int_equal(from_function__pack(reply, wire), size);
    return bytes_make(wire, size);
}

static void a_reply_is_what_protobuf_c_wrote(void **state)
{
    (void)state;
    struct random random = {SEED};
    struct arena arena = {0}, ours_arena = {0};
    for (int round = 0; round < ROUNDS; round++) {
        arena_clear(&arena);
        arena_clear(&ours_arena);
        FromFunction theirs;
        struct bytes wire = copy_exactly(random_reply(&random, &arena, &theirs));
        struct from_function ours;
        struct sf_status status;
        assert_good(from_function_parse(wire, &ours_arena, &ours, &status), &status);
        const char *difference = reference_compare(&ours, &theirs);
        if (difference)
            fail_msg("round %d differs in %s", round, difference);
        copy_free(wire);
    }
    arena_destroy(&arena);
    arena_destroy(&ours_arena);
}

/* --- damage --- */

/* A flipped bit, a byte replaced, taken out, put in or a tail cut off: as many as chance wants. */
static struct bytes damaged(struct random *random, struct arena *arena, struct bytes whole)
{
    uint8_t *data = arena_take(arena, whole.size + 8);
    size_t size = whole.size;
    memcpy(data, whole.data, size);
    for (uint64_t i = random_below(random, 4); size && i < 4; i++) {
        size_t at = random_below(random, size);
        switch (random_below(random, 5)) {
        case 0:
            data[at] ^= (uint8_t)(1 << random_below(random, 8));
            break;
        case 1:
            data[at] = (uint8_t)random_next(random);
            break;
        case 2:
            memmove(data + at, data + at + 1, --size - at);
            break;
        case 3:
            memmove(data + at + 1, data + at, size++ - at);
            data[at] = (uint8_t)random_next(random);
            break;
        default:
            if (random_chance(random, 200))
                size = at;
        }
    }
    return bytes_make(data, size);
}

static void both_judge_a_damaged_reply_alike(void **state)
{
    (void)state;
    struct random random = {SEED};
    struct arena arena = {0};
    for (int round = 0; round < ROUNDS / 10; round++) {
        arena_clear(&arena);
        FromFunction reply;
        struct bytes whole = random_reply(&random, &arena, &reply);
        for (int i = 0; whole.size && i < MUTATIONS; i++) {
            struct bytes copy = copy_exactly(damaged(&random, &arena, whole));
            const char *complaint = reference_judge_reply(copy);
            copy_free(copy);
            if (complaint)
                fail_msg("round %d, damage %d: %s", round, i, complaint);
        }
    }
    arena_destroy(&arena);
}

/* Text has no NUL in these messages, so that a NUL stands only where a number does. */
static void both_judge_damaged_parts_alike(void **state)
{
    (void)state;
    struct random random = {SEED};
    struct arena arena = {0};
    for (int round = 0; round < ROUNDS; round++) {
        arena_clear(&arena);
        struct bytes address = random_address(&random, &arena);
        struct bytes value = random_value(&random, &arena);
        struct bytes bytes = random_bytes(&random, &arena);
        KafkaProducerRecord record = KAFKA_PRODUCER_RECORD__INIT;
        record.topic = random_text(&random, &arena, 200);
        record.key = random_text(&random, &arena, 200);
        record.value_bytes = (ProtobufCBinaryData){bytes.size, (uint8_t *)bytes.data};
        uint8_t *packed = arena_take(&arena, kafka_producer_record__get_packed_size(&record));
        struct bytes kafka = bytes_make(packed, kafka_producer_record__pack(&record, packed));

        const struct {
            struct bytes whole;
            const char *(*judge)(struct bytes);
        } parts[] = {{address, reference_judge_address},
                     {value, reference_judge_typed_value},
                     {kafka, reference_judge_kafka_record}};
        for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
            const char *complaint = parts[i].judge(parts[i].whole);
            for (int j = 0; !complaint && parts[i].whole.size && j < 5; j++) {
                struct bytes copy = copy_exactly(damaged(&random, &arena, parts[i].whole));
                complaint = parts[i].judge(copy);
                copy_free(copy);
            }
            if (complaint)
                fail_msg("round %d: %s", round, complaint);
        }
    }
    arena_destroy(&arena);
}

/* --- the function's side: requests read, replies written --- */

/* What ours writes is read by ours, as protobuf-c reads it; what is damaged is judged alike. */
static void a_request_is_read_as_protobuf_c_reads_it(void **state)
{
    (void)state;
    struct random random = {SEED};
    struct arena arena = {0};
    for (int round = 0; round < ROUNDS / 4; round++) {
        arena_clear(&arena);
        struct bytes whole = random_request(&random, &arena);
        const char *complaint = reference_judge_request(whole);
        for (int i = 0; i < MUTATIONS && !complaint; i++) {
            struct bytes copy = copy_exactly(damaged(&random, &arena, whole));
            complaint = reference_judge_request(copy);
            copy_free(copy);
        }
        if (complaint)
            fail_msg("round %d: %s", round, complaint);
    }
    arena_destroy(&arena);
}

/* What can be said: DELETE has no value, a cancellation nothing but its token, an unknown mode is
 * none. */
static void tidy(struct from_function *reply)
{
    for (size_t i = 0; i < reply->mutation_count; i++)
        if (reply->mutations[i].kind == MUTATION_DELETE)
            reply->mutations[i].value = (struct typed_value){0};
    for (size_t i = 0; i < reply->delayed_count; i++)
        if (reply->delayed[i].is_cancellation) {
            reply->delayed[i].target = (struct bytes){0};
            reply->delayed[i].argument = (struct bytes){0};
        }
}

static void a_reply_that_is_written_is_what_protobuf_c_reads(void **state)
{
    (void)state;
    struct random random = {SEED};
    struct arena arena = {0};
    for (int round = 0; round < ROUNDS; round++) {
        arena_clear(&arena);
        FromFunction source, *read;
        struct from_function ours;
        struct sf_status status;
        struct bytes wire = random_reply(&random, &arena, &source);
        assert_good(from_function_parse(wire, &arena, &ours, &status), &status);
        tidy(&ours);

        size_t size = from_function_size(&ours);
        uint8_t *written = mem_new_raw(size);
        assert_ptr_equal(from_function_put(written, &ours), written + size);
        read = from_function__unpack(NULL, size, written);
        assert_non_null(read);
        const char *difference = reference_compare(&ours, read);
        if (difference)
            fail_msg("round %d differs in %s", round, difference);
        from_function__free_unpacked(read, NULL);
        free(written);
    }
    arena_destroy(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_what_protobuf_c_reads),
        cmocka_unit_test(a_message_body_is_read_back),
        cmocka_unit_test(a_reply_is_what_protobuf_c_wrote),
        cmocka_unit_test(both_judge_a_damaged_reply_alike),
        cmocka_unit_test(both_judge_damaged_parts_alike),
        cmocka_unit_test(a_request_is_read_as_protobuf_c_reads_it),
        cmocka_unit_test(a_reply_that_is_written_is_what_protobuf_c_reads),
    };
    return cmocka_run_group_tests_name("codec", tests, NULL, NULL);
}
