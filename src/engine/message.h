/* message.h - one message on its way to an address: one block of memory.
 *
 * Target and body are in wire form: the target a canonical address, the body that of a
 * ToFunction.Invocation (caller and argument), or a change to a state (change.h). A message is
 * owned by whoever holds it: a mailbox, a delayed message, or a post between workers. */
#ifndef ENGINE_MESSAGE_H
#define ENGINE_MESSAGE_H

#include "base/hash.h"
#include "base/list.h"
#include "wire/address.h"

/* What an ingress wants to know about a message that it handed in. */
struct receipt {
    uint64_t number; /* names it in `settle`; 0: nobody waits, there is only a key */
    bool ahead;      /* of a change: it goes before what waits */
    bool has_key;
    struct hash128 key; /* of address and idempotency key */
};

struct instance;

struct message {
    struct list place;         /* in a mailbox */
    struct list fresh;         /* among those that no delta holds yet */
    struct instance *instance; /* whose mailbox has it; set while it is fresh */
    uint64_t sequence;         /* order of arrival; part of its stored key */
    uint64_t persisted;        /* epoch whose delta holds it; 0: none */
    struct receipt *receipt;   /* NULL: nobody asked */
    uint32_t target_size;
    uint32_t body_size;
    uint8_t bytes[]; /* target, body */
};

struct message *message_new(struct bytes target, struct bytes caller, struct bytes argument);

/* Makes a message of memory that has room for it. */
static inline void message_begin(struct message *message, size_t target_size, size_t body_size)
{
    list_init(&message->place);
    list_init(&message->fresh);
    message->sequence = 0;
    message->persisted = 0;
    message->receipt = NULL;
    message->target_size = (uint32_t)target_size;
    message->body_size = (uint32_t)body_size;
}

/* One of which whoever wants it writes the bytes: target, then body. */
struct message *message_new_blank(size_t target_size, size_t body_size);

/* From a body as it was stored. */
struct message *message_from_body(struct bytes target, struct bytes body);

/* Asks for a settlement; `idempotency_key` may be empty. */
void message_add_receipt(struct message *message, uint64_t number, struct bytes idempotency_key);

void message_free(struct message *message); /* NULL is fine */

static inline struct bytes message_target(const struct message *message)
{
    return bytes_make(message->bytes, message->target_size);
}

static inline struct bytes message_body(const struct message *message)
{
    return bytes_make(message->bytes + message->target_size, message->body_size);
}

/* Such a change has an order of its own, which the store could not give back, and nobody counts on
 * it before it is carried out: it is not made durable while it waits. */
static inline bool message_goes_ahead(const struct message *message)
{
    return message->receipt && message->receipt->ahead;
}

/* The memory that it takes. */
static inline size_t message_bytes(const struct message *message)
{
    return sizeof *message + message->target_size + message->body_size;
}

#endif
