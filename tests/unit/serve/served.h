/* served.h - functions to be served, requests to them, and their replies. */
#ifndef UNIT_SERVE_SERVED_H
#define UNIT_SERVE_SERVED_H

#include "test.h"

#include "memory.h"
#include "parts.h"
#include "statefun/serve.h"
#include "statefun/statefun.h"
#include "wire/invocation.h"
#include "wire/protobuf.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <unistd.h>

/* --- functions --- */

static const struct sf_state SEEN = SF_VALUE("seen", &sf_int_type);
static const struct sf_state LATER = SF_VALUE("later", &sf_int_type);

static bool count_up(struct sf_context *context, const struct sf_message *message)
{
    int32_t seen = 0;
    const char *text;
    (void)sf_get(context, &SEEN, &seen);
    if (!sf_read(context, message, &sf_string_type, &text))
        return false;
    sf_count(context, "greetings \"quoted\"", 1);
    return sf_set(context, &SEEN, sf_int(seen + 1)) &&
           sf_send(context, sf_address("test/sink", text), sf_int(seen + 1));
}

/* A state that is large enough to be kept: it grows by a byte with each message, but for "look". */
static const struct sf_type BLOB = SF_BYTES_TYPE("test/blob");
static const struct sf_state LARGE = SF_VALUE("large", &BLOB);

static bool grow_large(struct sf_context *context, const struct sf_message *message)
{
    struct sf_bytes large = {0};
    const char *text;
    if (!sf_read(context, message, &sf_string_type, &text))
        return false;
    if (!sf_get(context, &LARGE, &large))
        large.size = 999;
    if (!strcmp(text, "fail"))
        return sf_fail_call(context, "as it was told to");
    if (!strcmp(text, "look"))
        return sf_send(context, sf_address("test/sink", "me"), sf_int((int32_t)large.size));
    uint8_t *bytes = sf_alloc(context, large.size + 1);
    memset(bytes, 'x', large.size + 1);
    return sf_set(context, &LARGE, sf_bytes(&BLOB, bytes, large.size + 1));
}

static bool fail_always(struct sf_context *context, const struct sf_message *message)
{
    (void)message;
    return sf_fail_call(context, "for no reason");
}

/* Operations that the test ends. */
enum { OPERATIONS_MAX = 16 };
static struct {
    pthread_mutex_t lock;
    struct sf_async *begun[OPERATIONS_MAX];
    size_t count;
} operations = {.lock = PTHREAD_MUTEX_INITIALIZER};

static inline size_t operations_begun(void)
{
    pthread_mutex_lock(&operations.lock);
    size_t count = operations.count;
    pthread_mutex_unlock(&operations.lock);
    return count;
}

static inline struct sf_async *operation(size_t at)
{
    pthread_mutex_lock(&operations.lock);
    struct sf_async *async = operations.begun[at];
    pthread_mutex_unlock(&operations.lock);
    return async;
}

static inline void operations_forget(void)
{
    pthread_mutex_lock(&operations.lock);
    operations.count = 0;
    pthread_mutex_unlock(&operations.lock);
}

static inline void keep_for_test(struct sf_async *async)
{
    pthread_mutex_lock(&operations.lock);
    operations.begun[operations.count++] = async;
    pthread_mutex_unlock(&operations.lock);
}

static void *end_soon(void *async)
{
    usleep(2000);
    sf_async_complete(async, sf_string("from a thread"));
    return NULL;
}

static atomic_bool unset_has_ended;

static void *end_after_unset(void *async)
{
    while (!atomic_load(&unset_has_ended))
        usleep(100);
    sf_async_complete(async, sf_string("from a thread"));
    return NULL;
}

static bool in_thread(struct sf_async *async, void *(*end)(void *async))
{
    pthread_t thread;
    return pthread_create(&thread, NULL, end, async) == 0 && pthread_detach(thread) == 0;
}

static bool begin(struct sf_context *context, const char *what)
{
    struct sf_async *async = sf_async_begin(context, sf_string(what));
    if (!strcmp(what, "now"))
        sf_async_complete(async, sf_string("at once"));
    else if (!strcmp(what, "broken"))
        sf_async_fail(async, "it broke");
    else if (!strcmp(what, "unset")) {
        sf_async_complete(async, (struct sf_value){0});
        atomic_store(&unset_has_ended, true);
    } else if (!strcmp(what, "thread"))
        return in_thread(async, end_soon);
    else if (!strcmp(what, "after unset"))
        return in_thread(async, end_after_unset);
    else
        keep_for_test(async);
    if (!strcmp(what, "then fail"))
        return sf_fail_call(context, "after having begun");
    if (!strcmp(what, "then ask"))
        (void)sf_set(context, &LATER, sf_int(1));
    return true;
}

/* A function that does not return until it may. */
static sem_t has_blocked, may_go_on;

static bool block(void)
{
    sem_post(&has_blocked);
    while (sem_wait(&may_go_on))
        continue;
    return true;
}

static bool work(struct sf_context *context, const struct sf_message *message)
{
    const char *text;
    return sf_read(context, message, &sf_string_type, &text) &&
           (strcmp(text, "block") ? begin(context, text) : block());
}

static const struct sf_function COUNTER = {
    .type = "test/counter", .call = count_up, .states = SF_STATES(&SEEN)};
static const struct sf_function FAILING = {.type = "test/failing*", .call = fail_always};
static const struct sf_function WORKER = {.type = "test/worker", .call = work};
static const struct sf_function GROWING = {
    .type = "test/growing", .call = grow_large, .states = SF_STATES(&LARGE)};

static inline bool configure(struct sf_module *module, struct sf_status *status)
{
    return sf_bind(module, &COUNTER, status) && sf_bind(module, &FAILING, status) &&
           sf_bind(module, &WORKER, status) && sf_bind(module, &GROWING, status);
}

/* --- requests --- */

static inline struct bytes typed_string(struct arena *arena, const char *text)
{
    struct buffer value = {0}, typed = {0};
    string_value_add(&value, bytes_of(text));
    typed_value_add(&typed,
                    &(struct typed_value){bytes_of(TYPE_STRING), buffer_bytes(&value), true});
    struct bytes copy = arena_add_bytes(arena, buffer_bytes(&typed));
    buffer_destroy(&value);
    buffer_destroy(&typed);
    return copy;
}

/* A ToFunction with one message of text for each of `texts`, ended by NULL; `seen` < 0: no state
 * comes with it. */
static inline struct bytes request_to(struct arena *arena, const char *name, int seen,
                                      const char *const *texts)
{
    struct address target;
    struct sf_status status;
    struct bytes messages[OPERATIONS_MAX];
    uint8_t number[5] = {0x0d, (uint8_t)seen};
    struct buffer typed = {0};
    size_t count = 0;
    assert_good(
        address_make(bytes_of("test"), bytes_of(name), bytes_of("me"), arena, &target, &status),
        &status);
    for (; texts[count]; count++) {
        struct bytes argument = typed_string(arena, texts[count]);
        size_t size = message_body_size(0, argument.size);
        uint8_t *body = arena_take(arena, size);
        message_body_put(body, (struct bytes){0}, argument);
        messages[count] = bytes_make(body, size);
    }
    typed_value_add(&typed, &(struct typed_value){bytes_of("io.statefun.types/int"),
                                                  bytes_make(number, sizeof number), true});
    const struct request_state state = {
        .name = bytes_of("seen"), .value = buffer_bytes(&typed), .present = seen > 0};
    const struct to_function request = {.target = target.wire,
                                        .states = &state,
                                        .state_count = seen >= 0,
                                        .messages = messages,
                                        .message_count = count};
    size_t size = to_function_size(&request);
    uint8_t *wire = arena_take(arena, size);
    (void)to_function_put(wire, &request);
    buffer_destroy(&typed);
    return bytes_make(wire, size);
}

#define REQUEST(arena, name, seen, ...)                                                            \
    request_to((arena), (name), (seen), (const char *const[]){__VA_ARGS__, NULL})

/* --- replies --- */

static inline struct from_function reply_of(struct arena *arena, struct bytes bytes)
{
    struct from_function reply;
    struct sf_status status;
    assert_good(from_function_parse(bytes, arena, &reply, &status), &status);
    return reply;
}

/* The parts of an asynchronous operation's result, as text. */
static inline void expect_result(const struct outgoing_message *message, uint64_t status,
                                 const char *metadata, const char *value, const char *cause)
{
    struct typed_value result, part;
    struct bytes text;
    struct pb_field field;
    assert_bytes(parts_of(message->target).name, "worker");
    assert_bytes(parts_of(message->target).id, "me");
    assert_true(typed_value_parse(message->argument, &result, NULL));
    assert_bytes(result.type, "io.statefun.c/async-result");
    struct pb_reader reader = pb_read(result.value);
    while (pb_next(&reader, &field)) {
        if (field.number == 1) {
            assert_int_equal(field.value, status);
        } else if (field.number == 4) {
            assert_bytes(field.bytes, cause);
        } else {
            assert_true(typed_value_parse(field.bytes, &part, NULL));
            text = part.value.size ? bytes_from(part.value, 2) : part.value;
            assert_bytes(text, field.number == 2 ? metadata : value);
        }
    }
    assert_false(reader.failed);
}

#endif
