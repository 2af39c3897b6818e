/* calling.h - a function called with a batch of messages and states, and what it did. */
#ifndef UNIT_SDK_CALLING_H
#define UNIT_SDK_CALLING_H

#include "test.h"

#include "memory.h"
#include "parts.h"
#include "sdk/batch.h"
#include "sdk/value.h"
#include "wire/typed_value.h"

enum { CALLING_MOST = 16, CALLING_NOW_MS = 1000000 };

struct calling {
    struct batch batch;
    struct batch_world world;
    struct sf_function function;
    struct arena arena; /* of what goes in */
    struct bytes self;
    struct request_state states[CALLING_MOST];
    size_t state_count;
    struct bytes messages[CALLING_MOST];
    size_t message_count;
    int64_t now_ms;
    const struct from_function *reply;
    struct sf_status status;
};

static inline void *calling_alloc(void *owner, size_t size)
{
    struct calling *c = owner;
    return arena_take(&c->arena, size);
}

static inline struct bytes calling_address(struct calling *c, const char *ns, const char *name,
                                           struct bytes id)
{
    struct address address;
    assert_good(address_make(bytes_of(ns), bytes_of(name), id, &c->arena, &address, &c->status),
                &c->status);
    return address.wire;
}

static inline int calling_set_up(void **state)
{
    struct calling *c = mem_new(sizeof *c);
    c->now_ms = CALLING_NOW_MS;
    c->function.type = "example/tested";
    batch_init(&c->batch, &c->world);
    c->self = calling_address(c, "example", "tested", bytes_of("me"));
    *state = c;
    return 0;
}

static inline int calling_tear_down(void **state)
{
    struct calling *c = *state;
    batch_destroy(&c->batch);
    arena_destroy(&c->arena);
    free(c);
    return 0;
}

static inline struct bytes calling_typed(struct calling *c, const struct typed_value *typed)
{
    struct buffer buffer = {0};
    typed_value_add(&buffer, typed);
    struct bytes copy = arena_add_bytes(&c->arena, buffer_bytes(&buffer));
    buffer_destroy(&buffer);
    return copy;
}

static inline struct bytes calling_encode(struct calling *c, struct sf_value value)
{
    struct sf_encoded encoded;
    assert_good(value_encode((struct value_memory){calling_alloc, c}, &value, &encoded, &c->status),
                &c->status);
    return calling_typed(
        c, &(struct typed_value){bytes_from_sf(encoded.type), bytes_from_sf(encoded.value), true});
}

/* --- what goes in --- */

static inline void add_message(struct calling *c, struct bytes caller, struct bytes argument)
{
    size_t size = message_body_size(caller.size, argument.size);
    uint8_t *body = arena_take(&c->arena, size);
    message_body_put(body, caller, argument);
    c->messages[c->message_count++] = bytes_make(body, size);
}

static inline void say(struct calling *c, struct sf_value value)
{
    add_message(c, (struct bytes){0}, calling_encode(c, value));
}

static inline void say_from(struct calling *c, const char *caller_id, struct sf_value value)
{
    add_message(c, calling_address(c, "example", "caller", bytes_of(caller_id)),
                calling_encode(c, value));
}

static inline void give_state(struct calling *c, const char *name, struct bytes value, bool present)
{
    c->states[c->state_count++] =
        (struct request_state){.name = bytes_of(name), .value = value, .present = present};
}

static inline void give(struct calling *c, const char *name, struct sf_value value)
{
    give_state(c, name, calling_encode(c, value), true);
}

static inline void give_none(struct calling *c, const char *name)
{
    give_state(c, name, (struct bytes){0}, false);
}

/* --- the call --- */

typedef bool (*called)(struct sf_context *context, const struct sf_message *message);

static inline bool run(struct calling *c, called call)
{
    const struct to_function request = {.target = c->self,
                                        .states = c->states,
                                        .state_count = c->state_count,
                                        .messages = c->messages,
                                        .message_count = c->message_count};
    c->function.call = call;
    c->status = (struct sf_status){0};
    return batch_run(&c->batch, &c->function, &request, c->now_ms, &c->reply, &c->status);
}

#define assert_runs(c, call) assert_good(run((c), (call)), &(c)->status)

#define assert_fails(c, call, part)                                                                \
    do {                                                                                           \
        assert_false(run((c), (call)));                                                            \
        assert_mentions((c)->status.message, (part));                                              \
    } while (0)

/* What the states became is what the next call finds; its messages are gone. */
static inline void go_on(struct calling *c)
{
    for (size_t i = 0; i < c->reply->mutation_count; i++) {
        const struct state_mutation *mutation = &c->reply->mutations[i];
        for (size_t k = 0; k < c->state_count; k++)
            if (bytes_equal(c->states[k].name, mutation->name)) {
                c->states[k].present = mutation->kind == MUTATION_MODIFY;
                c->states[k].value = calling_typed(c, &mutation->value);
            }
    }
    c->message_count = 0;
}

/* --- what came out --- */

static inline struct typed_value typed_of(struct bytes argument)
{
    struct typed_value typed;
    struct sf_status status;
    assert_good(typed_value_parse(argument, &typed, &status), &status);
    assert_true(typed.has_value);
    return typed;
}

static inline void expect_typed(struct calling *c, struct bytes argument, struct sf_value value)
{
    struct bytes expected = calling_encode(c, value);
    struct typed_value found = typed_of(argument), wanted = typed_of(expected);
    assert_true(bytes_equal(found.type, wanted.type));
    assert_true(bytes_equal(found.value, wanted.value));
}

static inline void expect_message(struct calling *c, size_t at, const char *name, const char *id,
                                  struct sf_value value)
{
    assert_true(at < c->reply->message_count);
    const struct outgoing_message *message = &c->reply->messages[at];
    assert_bytes(parts_of(message->target).name, name);
    assert_bytes(parts_of(message->target).id, id);
    expect_typed(c, message->argument, value);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, calling_set_up, calling_tear_down)

#endif
