/* statefun.h - stateful functions in C: written once, run embedded, remote, or in a test.
 *
 * A function is addressed by type and id. Each address has state of its own, is called for one
 * message at a time, and answers by changing its state and sending messages: to other functions, to
 * itself, later, and to egresses. All that one call did counts together, exactly once, or not at
 * all.
 *
 *     static const struct sf_state SEEN = SF_VALUE("seen", &sf_int_type);
 *
 *     static bool greet(struct sf_context *context, const struct sf_message *message)
 *     {
 *         const char *name = sf_self(context).id;
 *         int32_t seen = 0;
 *         sf_get(context, &SEEN, &seen);
 *         sf_set(context, &SEEN, sf_int(seen + 1));
 *         sf_send_kafka(context, "example/greets",
 *                       &(struct sf_kafka_record){
 *                           .topic = "greetings",
 *                           .key = sf_string(name),
 *                           .value = sf_format(context, "Hello %s, %d times", name, seen + 1)});
 *         return true;
 *     }
 *
 *     static const struct sf_function GREETER = {
 *         .type = "example/greeter", .call = greet, .states = SF_STATES(&SEEN)};
 *
 *     static bool configure(struct sf_module *module, struct sf_status *status)
 *     {
 *         return sf_bind(module, &GREETER, status);
 *     }
 *     SF_MODULE(configure)
 *
 * Built as a shared library beside a module.yaml, that is an embedded module (module.h). With
 * `int main(int argc, char **argv) { return sf_serve_main(argc, argv, configure); }` it is a remote
 * function, for this runtime and for Apache StateFun on Flink (serve.h). And a test calls it
 * through harness.h.
 *
 * Memory. What a call hands you lives until the function returns; what you hand over is copied.
 *
 * Failing. A function fails by returning false, usually as `return sf_fail_call(context, "why")`.
 * Every call below that fails (a value that is not of its type, a target that is no typename) makes
 * the function fail, too, with the first such reason, even if it goes on and returns true: so
 * results of such calls may be left unlooked at. Nothing that a failed call of the function did
 * counts, and it is called again, as the failure policy of the application says: for ever, with
 * growing pauses, unless its module.yaml has one (`failures`). Other addresses go on meanwhile.
 *
 * Threads. A function is called on one thread for one address at a time, for different addresses on
 * several. A context belongs to its call; only sf_async_... may be used from other threads, and
 * later. A function must not block: in an embedded module it holds up all addresses of its worker.
 *
 * Names of types ("namespace/name") follow StateFun's: of functions, of values, of egresses. Text
 * is UTF-8. */
#ifndef STATEFUN_STATEFUN_H
#define STATEFUN_STATEFUN_H

#include "statefun/status.h"
#include "statefun/value.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

struct sf_context; /* one call of a function */
struct sf_message; /* what it is called with; lives as long as the call */

/* --- functions --- */

enum sf_state_kind { SF_STATE_VALUE, SF_STATE_TABLE, SF_STATE_BUFFER };

enum sf_expiry { SF_EXPIRE_NEVER, SF_EXPIRE_AFTER_WRITE, SF_EXPIRE_AFTER_CALL };

/* A state that every address of a function has for itself. Must outlive the function; usually a
 * static constant. Names: a letter or _, then letters, digits and _. */
struct sf_state {
    const char *name;
    enum sf_state_kind kind;
    const struct sf_type *type; /* of the value, of the values of a table, of what is buffered */
    const struct sf_type *key;  /* of a table */
    enum sf_expiry expiry;      /* of the value, of each entry of a table, of each buffered one */
    int64_t expire_ms;
};

/* SF_VALUE(name, type), SF_TABLE(name, type of the keys, type of the values), SF_BUFFER(name,
 * type); each with SF_EXPIRES(SF_EXPIRE_AFTER_WRITE, 60 * 1000) behind, if it is to expire. */
#define SF_VALUE(name_, ...)                                                                       \
    {                                                                                              \
        .name = (name_), .kind = SF_STATE_VALUE, .type = __VA_ARGS__                               \
    }
#define SF_TABLE(name_, key_, ...)                                                                 \
    {                                                                                              \
        .name = (name_), .kind = SF_STATE_TABLE, .key = (key_), .type = __VA_ARGS__                \
    }
#define SF_BUFFER(name_, ...)                                                                      \
    {                                                                                              \
        .name = (name_), .kind = SF_STATE_BUFFER, .type = __VA_ARGS__                              \
    }
#define SF_EXPIRES(expiry_, ms_) .expiry = (expiry_), .expire_ms = (ms_)

/* The list of a function's states. */
#define SF_STATES(...) ((const struct sf_state *const[]){__VA_ARGS__, NULL})

/* A function type. Must outlive the module; usually a static constant. */
struct sf_function {
    const char
        *type; /* "namespace/name"; "namespace/prefix*": all of the namespace that begin so */
    bool (*call)(struct sf_context *context, const struct sf_message *message);

    /* Those that are known beforehand, ended by NULL; may be NULL. Others are registered by being
     * used: the function is then called again, from its beginning, with the state at hand. */
    const struct sf_state *const *states;
    void *user; /* for sf_user */
};

/* --- the call --- */

/* An address; `id_size` 0 in one that you make means that the id ends with its NUL. */
struct sf_address {
    const char *type; /* "namespace/name" */
    const char *id;   /* NUL-terminated */
    size_t id_size;
};

static inline struct sf_address sf_address(const char *type, const char *id)
{
    struct sf_address address = {type, id, 0};
    return address;
}

struct sf_address sf_self(struct sf_context *context);

/* Who sent the message; false if it came from an ingress. */
bool sf_caller(struct sf_context *context, struct sf_address *ret_caller);

/* What stands in the function's `user`. */
void *sf_user(struct sf_context *context);

/* Wall clock, ms since 1970, the same during the whole call. */
int64_t sf_now_ms(struct sf_context *context);

/* Memory that lives until the function returns, aligned for anything, zeroed. Never NULL. */
void *sf_alloc(struct sf_context *context, size_t size);

/* Text made as by printf, as a string value. It ends with a NUL, so that its as_bytes.data is a C
 * string, for an id, say. */
struct sf_value sf_format(struct sf_context *context, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Makes the function fail, and returns false. */
bool sf_fail_call(struct sf_context *context, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* --- messages --- */

/* The type name of a message's value. */
const char *sf_message_type(struct sf_context *context, const struct sf_message *message);

/* Is the message's value of this type? */
bool sf_is(const struct sf_message *message, const struct sf_type *type);

/* Decodes the message's value into what the type says: an int32_t for sf_int_type, a const char *
 * for sf_string_type, ... False, and the function fails, if it is of another type. */
bool sf_read(struct sf_context *context, const struct sf_message *message,
             const struct sf_type *type, void *ret_value);

/* The same for what people write, which may be nonsense: false, and the function goes on, if the
 * value is of another type or cannot be decoded. */
bool sf_try_read(struct sf_context *context, const struct sf_message *message,
                 const struct sf_type *type, void *ret_value);

/* The message's value as it came: to pass it on without decoding it. Unset if it has none. */
struct sf_value sf_message_value(const struct sf_message *message);

/* --- choosing by type --- */

struct sf_case {
    const struct sf_type *type; /* NULL: everything, that is otherwise */
    bool (*when)(struct sf_context *context, const struct sf_message *message); /* may be NULL */
    bool (*call)(struct sf_context *context, const struct sf_message *message);
};

/* Calls the first that fits: of those with the message's type the ones with `when` come first, in
 * order, then the one without; then the one without a type. Fails if none does. The list ends with
 * {0}. */
bool sf_match(struct sf_context *context, const struct sf_message *message,
              const struct sf_case *cases);

/* --- state --- */

/* Decodes the value. False if there is none (what `ret_value` points to is left alone, so a default
 * may stand there), or if it cannot be read: then the function fails. */
bool sf_get(struct sf_context *context, const struct sf_state *state, void *ret_value);
static inline bool sf_set(struct sf_context *context, const struct sf_state *state,
                          struct sf_value value);

/* Of any kind of state: empties it. */
bool sf_clear(struct sf_context *context, const struct sf_state *state);

/* Tables. A table lies in one state: a call that touches an entry goes over all of them once, and
 * one that changes an entry writes the whole. That is for hundreds of entries, not for millions;
 * docs/c-sdk.md has figures. */
bool sf_table_get(struct sf_context *context, const struct sf_state *table, struct sf_value key,
                  void *ret_value);
bool sf_table_set(struct sf_context *context, const struct sf_state *table, struct sf_value key,
                  struct sf_value value);
bool sf_table_remove(struct sf_context *context, const struct sf_state *table, struct sf_value key);
size_t sf_table_size(struct sf_context *context, const struct sf_state *table);

/* Goes through a table in the order of first insertion: begin with *position = 0; false at the end.
 * Either pointer may be NULL. The table may be changed meanwhile, except that removing makes those
 * behind come one earlier. */
bool sf_table_next(struct sf_context *context, const struct sf_state *table, size_t *position,
                   void *ret_key, void *ret_value);

/* Appending buffers: likewise in one state. */
bool sf_buffer_append(struct sf_context *context, const struct sf_state *buffer,
                      struct sf_value value);
size_t sf_buffer_size(struct sf_context *context, const struct sf_state *buffer);
bool sf_buffer_next(struct sf_context *context, const struct sf_state *buffer, size_t *position,
                    void *ret_value);

/* --- messages out --- */

static inline bool sf_send(struct sf_context *context, struct sf_address target,
                           struct sf_value value);

/* To the caller; fails if there is none. */
bool sf_reply(struct sf_context *context, struct sf_value value);

/* `delay_ms` from now, at the earliest. With a token (else NULL, or "") it can be cancelled; a
 * token is in use at most once at a time among all functions with this id. */
bool sf_send_after(struct sf_context *context, int64_t delay_ms, const char *token,
                   struct sf_address target, struct sf_value value);

/* Cancels what was sent with this token, if it has not been delivered yet. */
bool sf_cancel(struct sf_context *context, const char *token);

/* --- egresses --- */

/* `egress` is the id of an egress, "namespace/name". */
bool sf_send_egress(struct sf_context *context, const char *egress, struct sf_value value);

/* A record for a Kafka egress. Key and value are bytes for the outside: text as it is, not
 * wrapped; numbers in big-endian, as Kafka's own serialisers write them; other types as they
 * encode themselves. */
struct sf_kafka_header {
    const char *key;
    struct sf_bytes value;
};

struct sf_kafka_record {
    const char *topic;
    struct sf_value key; /* unset: none. Text */
    struct sf_value value;
    const struct sf_kafka_header *headers; /* an extension: plain StateFun ignores them */
    size_t header_count;
};

bool sf_send_kafka(struct sf_context *context, const char *egress,
                   const struct sf_kafka_record *record);

/* A record for a Kinesis egress; the value as for Kafka. */
struct sf_kinesis_record {
    const char *stream;
    const char *partition_key;
    const char *explicit_hash_key; /* NULL: none */
    struct sf_value value;
};

bool sf_send_kinesis(struct sf_context *context, const char *egress,
                     const struct sf_kinesis_record *record);

/* --- asynchronous operations --- */

/* Work outside (a database, a service) that goes on after the function has returned. When it ends,
 * the function is called at the same address with a message for which sf_async_result says how.
 * Its caller is that address, too: whoever is to be answered then belongs into the metadata.
 *
 * Embedded, other messages of the address are handled meanwhile, and after a crash or a restart the
 * result is SF_ASYNC_UNKNOWN: the function decides whether to begin again. In a remote function the
 * address waits until its operations have ended, and the request's timeout covers them; after a
 * failure the whole call is repeated, so that nothing is ever unknown.
 *
 * Nothing is known of an operation when its function fails after having begun it. */
struct sf_async;

/* `metadata` comes back with the result, also with an unknown one. The operation is the caller's
 * until one of sf_async_complete and sf_async_fail has been called, exactly once. NULL if the call
 * has failed. */
struct sf_async *sf_async_begin(struct sf_context *context, struct sf_value metadata);

/* From any thread, also before the function has returned. The value is copied. */
void sf_async_complete(struct sf_async *async, struct sf_value value);
void sf_async_fail(struct sf_async *async, const char *cause);

enum sf_async_status { SF_ASYNC_NONE, SF_ASYNC_SUCCESS, SF_ASYNC_FAILURE, SF_ASYNC_UNKNOWN };

struct sf_async_result {
    enum sf_async_status status;
    struct sf_value metadata;
    struct sf_value value; /* of SUCCESS */
    const char *cause;     /* of FAILURE */
};

/* SF_ASYNC_NONE: the message is no such result. Decode what it holds with sf_decode. */
enum sf_async_status sf_async_result(struct sf_context *context, const struct sf_message *message,
                                     struct sf_async_result *ret_result);

/* Decodes any value; fails the function if it is of another type. */
bool sf_decode(struct sf_context *context, struct sf_value value, const struct sf_type *type,
               void *ret_value);

/* --- logging and metrics --- */

/* Into the log of the runtime (embedded) or to standard error, with the function's address. */
void sf_log(struct sf_context *context, enum sf_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Adds to a counter of the function's type, which metrics show under this name; `by` may be
 * negative. What a failed call has counted stays counted. */
void sf_count(struct sf_context *context, const char *counter, int64_t by);

/* --- by pointer --- */

/* What sf_send and sf_set become, which nearly every message meets: that address and value are
 * copied for a call would cost it more than the call itself. Also for other languages, which call
 * no inline functions. */
bool sf_send_to(struct sf_context *context, const struct sf_address *target,
                const struct sf_value *value);
bool sf_set_to(struct sf_context *context, const struct sf_state *state,
               const struct sf_value *value);

static inline bool sf_send(struct sf_context *context, struct sf_address target,
                           struct sf_value value)
{
    return sf_send_to(context, &target, &value);
}

static inline bool sf_set(struct sf_context *context, const struct sf_state *state,
                          struct sf_value value)
{
    return sf_set_to(context, state, &value);
}

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#include "statefun/module.h"

#endif
