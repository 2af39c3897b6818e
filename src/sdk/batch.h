/* batch.h - a host for one invocation: a batch of messages for one address goes in, what its
 * function did with them comes out, in the same form as a remote function's reply.
 *
 * Embedded functions, sf_serve and the harness all run functions through this; they differ in where
 * the request comes from, where the reply goes, and what stands around it (struct batch_world).
 *
 * All messages of a batch see the same states, one after the other. If one call fails, the batch
 * has. One thread at a time. */
#ifndef SDK_BATCH_H
#define SDK_BATCH_H

#include "base/arena.h"
#include "sdk/target.h"
#include "wire/invocation.h"

struct batch;

struct batch_world {
    void *owner;

    /* Memory for a message that a function sends, where its target and then its body will stand:
     * if the reply is applied where it was made, nothing is copied. NULL: it is the batch's. */
    uint8_t *(*message_new)(void *owner, size_t target_size, size_t body_size,
                            struct message **ret_message);
    void (*message_free)(struct message *message); /* of one that was not taken; NULL is fine */

    /* Begins an operation; NULL (after batch_fail): there are none here. `metadata` is the body of
     * a TypedValue, lent. The result is no part of this room's memory. */
    struct sf_async *(*async_begin)(void *owner, struct batch *batch, struct bytes metadata);
    void (*log)(void *owner, struct bytes address, enum sf_level level, const char *text);
    void (*count)(void *owner, struct bytes type, const char *counter, int64_t by);
};

struct batch_slot;
struct batch_cache;
struct batch_states;

enum { BATCH_FEW_MESSAGES = 4 };

struct batch {
    struct sf_context context; /* what functions get */
    const struct batch_world *world;
    const struct sf_function *function;
    struct arena arena; /* of the calls, and of the reply */
    int64_t now_ms;
    struct bytes self;   /* canonical addresses; the caller of the present message is empty if it */
    struct bytes caller; /* has none */
    struct target_types types;
    struct batch_states *states; /* of the functions that have been run, as they declare them */
    struct batch_slot *slots;
    size_t slot_count;
    size_t slot_capacity; /* while they are looked at */
    struct from_function reply;
    size_t message_capacity, missing_capacity, delayed_capacity, egress_capacity;
    struct batch_cache *caches; /* of the present message */
    const char *self_type;      /* made when asked for */
    bool has_failed, is_look, is_frozen;
    struct outgoing_message few_messages[BATCH_FEW_MESSAGES]; /* what most do with */
    struct sf_status failure;
};

void batch_init(struct batch *batch, const struct batch_world *world);
void batch_destroy(struct batch *batch);

/* Runs the function. The reply, and what it refers to, lives until the next run and as long as the
 * request. False: the batch has failed, and nothing of it counts. */
SF_CHECK bool batch_run(struct batch *batch, const struct sf_function *function,
                        const struct to_function *request, int64_t now_ms,
                        const struct from_function **ret_reply, struct sf_status *status);

/* --- states without a call, for tests --- */

/* A context to look at an address's states with, and, unless it is frozen, to change them. States
 * that did not come with the request have no value. All else fails. Lives until the next use of the
 * batch. `function` may be NULL. */
struct sf_context *batch_look(struct batch *batch, const struct sf_function *function,
                              const struct to_function *request, int64_t now_ms, bool is_frozen);

/* The changes that were made so, as a reply. False if something has failed: `status` says what. */
SF_CHECK bool batch_look_end(struct batch *batch, const struct from_function **ret_reply,
                             struct sf_status *status);

/* --- for the world, during a call --- */

/* Adds a message as if the function had sent it, to a canonical address, which is lent until the
 * reply has been used. Copies the argument. */
void batch_add_message(struct batch *batch, struct bytes target, struct bytes argument);
bool batch_fail(struct batch *batch, const char *text); /* returns false */

#endif
