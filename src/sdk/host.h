/* host.h - what a module asks of whatever it runs in: a table of functions, with a version.
 *
 * The SDK room is what C functions are written against. It is linked into users' modules and
 * programs, and may include wire and base. Its files form a flow:
 *
 *     host       this table
 *     value      C objects to bytes and back
 *     call       what the public headers offer: thin, over the table
 *     module     the same for configuration, routers and ingresses
 *     state      the same for states: values, tables, buffers
 *     record     the same for records for egresses
 *     async      the same for asynchronous operations, and how hosts keep them known
 *     registry   what modules have bound (a host's)
 *     target     whom they send to (a host's)
 *     counts     what functions and routers count (a host's)
 *     batch      a host for one invocation: a batch of messages in, effects out
 *     operations asynchronous operations of a process, until their results are told (a host's)
 *     route      a host for routers: a record in, messages out
 *
 * A module that was built separately reaches its host only through this table, so that neither
 * needs symbols of the other. Entries are only ever added, at the end; SF_ABI_VERSION changes when
 * that is not enough. Texts that a host is given need no NUL; those that it gives have one. */
#ifndef SDK_HOST_H
#define SDK_HOST_H

#include "statefun/statefun.h"

/* A value, encoded. */
struct sf_encoded {
    struct sf_bytes type;
    struct sf_bytes value;
};

/* A state, as it travels: whatever its kind, one typed value. */
struct sf_state_name {
    struct sf_bytes name;
    struct sf_bytes type;
    enum sf_expiry expiry;
    int64_t expire_ms;
};

struct sf_target {
    struct sf_bytes type; /* "namespace/name" */
    struct sf_bytes id;
};

/* What the SDK keeps of a state during one call: the decoded form of a table, say. */
struct sf_state_cache {
    void *object;
    /* The call has succeeded: brings the state up to date. NULL: nothing to do. */
    bool (*save)(struct sf_context *context, const struct sf_state *state, void *object);
};

struct sf_host {
    size_t size; /* of this struct, in the host's version */

    /* --- a call --- */
    void *(*alloc)(struct sf_context *context, size_t size);
    bool (*fail)(struct sf_context *context, const char *text); /* returns false */
    void (*self)(struct sf_context *context, struct sf_address *ret_self);
    bool (*caller)(struct sf_context *context, struct sf_address *ret_caller);
    void *(*user)(struct sf_context *context);
    int64_t (*now_ms)(struct sf_context *context);

    /* True: the state has a value. False: it has none, or the call has failed, or must be done
     * again when the state is at hand. */
    bool (*state_get)(struct sf_context *context, const struct sf_state_name *state,
                      struct sf_bytes *ret_value);
    bool (*state_set)(struct sf_context *context, const struct sf_state_name *state,
                      struct sf_bytes value);
    bool (*state_clear)(struct sf_context *context, const struct sf_state_name *state);
    struct sf_state_cache *(*state_cache)(struct sf_context *context, const struct sf_state *state);

    bool (*send)(struct sf_context *context, const struct sf_target *target,
                 const struct sf_encoded *value);
    bool (*send_after)(struct sf_context *context, int64_t delay_ms, struct sf_bytes token,
                       const struct sf_target *target, const struct sf_encoded *value);
    bool (*cancel)(struct sf_context *context, struct sf_bytes token);
    bool (*send_egress)(struct sf_context *context, struct sf_bytes egress,
                        const struct sf_encoded *value);

    struct sf_async *(*async_begin)(struct sf_context *context, const struct sf_encoded *metadata);

    void (*log)(struct sf_context *context, enum sf_level level, const char *text);
    void (*count)(struct sf_context *context, const char *counter, int64_t by);

    /* --- configuration --- */
    bool (*bind_function)(struct sf_module *module, const struct sf_function *function,
                          struct sf_status *status);
    bool (*bind_router)(struct sf_module *module, const struct sf_router *router,
                        struct sf_status *status);
    bool (*bind_ingress)(struct sf_module *module, const struct sf_ingress *ingress,
                         struct sf_status *status);
    bool (*bind_egress)(struct sf_module *module, const struct sf_egress *egress,
                        struct sf_status *status);
    const char *(*config)(struct sf_module *module, const char *key);

    /* --- routing --- */
    void *(*route_alloc)(struct sf_routing *routing, size_t size);
    bool (*forward)(struct sf_routing *routing, const struct sf_target *target,
                    const struct sf_encoded *value);
    bool (*fail_route)(struct sf_routing *routing, const char *text); /* returns false */

    /* --- ingresses --- */
    uint32_t (*source_partition)(const struct sf_source *source);
    void *(*source_user)(const struct sf_source *source);
    struct sf_bytes (*source_position)(const struct sf_source *source);
    bool (*emit)(struct sf_source *source, const struct sf_record *record,
                 struct sf_bytes position);
    bool (*source_pause)(struct sf_source *source, uint32_t ms);

    /* --- asynchronous operations, any thread --- */
    void (*async_complete)(struct sf_async *async, const struct sf_encoded *value);
    void (*async_fail)(struct sf_async *async, const char *cause);

    /* --- added since; may be missing: HOST_HAS --- */

    /* For what is kept in a cache: false if states can only be looked at; then the call has failed.
     * Missing: they can be changed. */
    bool (*state_may_change)(struct sf_context *context);

    void (*log_route)(struct sf_routing *routing, enum sf_level level, const char *text);
    void (*count_route)(struct sf_routing *routing, const char *counter, int64_t by);

    /* What state_get and state_set do, for who has the state itself: one that its function declares
     * is known by its address. */
    bool (*state_read)(struct sf_context *context, const struct sf_state *state,
                       struct sf_bytes *ret_value);
    bool (*state_write)(struct sf_context *context, const struct sf_state *state,
                        struct sf_bytes value);
};

/* Does a host, perhaps an older one, have this entry? */
#define HOST_HAS(host, entry)                                                                      \
    ((host)->size > offsetof(struct sf_host, entry) && (host)->entry != NULL)

/* What the host's objects begin with. */
struct sf_context {
    const struct sf_host *host;
};

struct sf_module {
    const struct sf_host *host;
};

struct sf_routing {
    const struct sf_host *host;
};

struct sf_source {
    const struct sf_host *host;
};

struct sf_async {
    const struct sf_host *host;
};

/* A message, as the host gives it. */
struct sf_message {
    struct sf_bytes type;
    struct sf_bytes value;
    bool has_value;
};

/* The types of states of other kinds, and of results of asynchronous operations. Their encodings
 * stand in state.c and async.h. */
#define SF_TYPE_TABLE        "io.statefun.c/table"
#define SF_TYPE_BUFFER       "io.statefun.c/buffer"
#define SF_TYPE_ASYNC_RESULT "io.statefun.c/async-result"

#endif
