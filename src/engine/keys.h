/* keys.h - what is stored under which key: the layout of everything that survives.
 *
 * A key begins with one letter for its kind. Numbers are big-endian, so that keys sort as their
 * numbers do; `part` is the partition (2 bytes), `sized X` is 2 bytes of size and then X.
 *
 *   kind  key                                                value
 *   's'   part, sized address, state name                    deadline (8, 0 = none), TypedValue
 *   'm'   part, sized address, sequence (8)                  body (wire/invocation.h, change.h)
 *   't'   part, fire time in ms (8), sequence (8)            StoredDelayed (see keys.c)
 *   'i'   part, hash of address and idempotency key (16)     deadline (8), epoch (8)
 *   'p'   sized ingress id, name of its partition            position: bytes of that ingress's own
 *   'f'   sized function type, state name                    StoredSpec
 *   'o'   sized egress id, epoch (8), worker (2), nth (4)    record: bytes of that egress's own
 *   'd'   epoch (8), worker (2), nth (4)                     StoredDeadLetter
 *   'k'   part, sized address                                StoredParked
 *
 * Addresses and types are in their canonical form (wire/address.h). A value that begins with a
 * deadline may be dropped by the store once the wall clock (ms since 1970) has passed it. */
#ifndef ENGINE_KEYS_H
#define ENGINE_KEYS_H

#include "base/bytes.h"
#include "wire/invocation.h"

enum key_kind {
    KEY_STATE = 's',
    KEY_MESSAGE = 'm',
    KEY_DELAYED = 't',
    KEY_IDEMPOTENCY = 'i',
    KEY_POSITION = 'p',
    KEY_SPEC = 'f',
    KEY_OUTBOX = 'o',
    KEY_DEAD_LETTER = 'd',
    KEY_PARKED = 'k' /* before 'm': an address is known as parked before its messages come */
};

/* Each builder replaces what is in `key` and returns it as bytes, valid until the next use. */
struct bytes key_of_state(struct buffer *key, uint32_t partition, struct bytes address,
                          struct bytes state);
struct bytes key_of_message(struct buffer *key, uint32_t partition, struct bytes address,
                            uint64_t sequence);

/* The key of a state where it is to stand: its size, and writes it, returning the place behind. */
size_t state_key_size(struct bytes address, struct bytes state);
uint8_t *state_key_put(uint8_t *to, uint32_t partition, struct bytes address, struct bytes state);

struct bytes key_of_delayed(struct buffer *key, uint32_t partition, uint64_t fire_ms,
                            uint64_t sequence);
struct bytes key_of_idempotency(struct buffer *key, uint32_t partition, const uint8_t hash[16]);
struct bytes key_of_position(struct buffer *key, struct bytes ingress, struct bytes partition);
struct bytes key_of_spec(struct buffer *key, struct bytes type, struct bytes state);
struct bytes key_of_record(struct buffer *key, struct bytes egress, uint64_t epoch, uint32_t worker,
                           uint32_t nth);
struct bytes key_of_dead_letter(struct buffer *key, uint64_t epoch, uint32_t worker, uint32_t nth);

struct bytes key_of_parked(struct buffer *key, uint32_t partition, struct bytes address);

/* The start of the keys of an egress's outbox: its range is [prefix of epoch 0, prefix of epoch n).
 */
struct bytes key_of_outbox(struct buffer *key, struct bytes egress, uint64_t epoch);

/* True for what waits in a queue: messages, delayed messages, outbox records and dead letters. Such
 * a key is only ever put while it does not exist, mostly to be removed again soon. */
bool key_is_queued(struct bytes key);

/* How far what was committed can be read. */
struct view_progress {
    uint64_t whole; /* all that happened up to this epoch */
    uint64_t kept;  /* all that is not queued up to this one, which is no earlier */
};

enum view_part { VIEW_KEPT, VIEW_WHOLE };

/* A key taken apart. Only the fields of its kind are set. */
struct key {
    enum key_kind kind;
    uint32_t partition;
    struct bytes subject; /* address, function type, ingress or egress id */
    struct bytes name;    /* state name, name of an ingress's partition */
    uint64_t sequence;
    uint64_t fire_ms;
    uint64_t epoch;
    uint32_t worker, nth;
    const uint8_t *hash;
};

/* False if the bytes are no key of ours. */
bool key_parse(struct bytes bytes, struct key *ret_key);

/* True if a stored value may be dropped at `now_ms`, since its deadline has passed. */
bool stored_is_expired(struct bytes key, struct bytes value, uint64_t now_ms);

/* Values with more than one part, as protobuf messages. */
struct stored_delayed {
    struct bytes target;
    struct bytes body; /* message body: its caller is the sender */
    struct bytes token;
};
void stored_delayed_add(struct buffer *value, const struct stored_delayed *delayed);
bool stored_delayed_parse(struct bytes value, struct stored_delayed *ret_delayed);

/* `name` is part of the key and not of the value. */
void stored_spec_add(struct buffer *value, const struct state_spec *spec);
bool stored_spec_parse(struct bytes value, struct state_spec *ret_spec);

/* Why something was set aside, which also tells what its value is. The numbers are stored. */
enum dead_kind {
    DEAD_UNKNOWN = 0,        /* written before there were kinds */
    DEAD_INVALID_RECORD = 1, /* of an ingress, cannot become a message; value: as it was read */
    DEAD_UNSERVED = 2,       /* no endpoint serves its target; value: the argument (TypedValue) */
    DEAD_UNKNOWN_EGRESS = 3, /* no module defines its egress; value: the argument */
    DEAD_REFUSED = 4,        /* its egress does not take such a thing; value: the argument */
    DEAD_UNDELIVERABLE = 5,  /* its destination does not take it; value: as it was in the outbox */
    DEAD_FAILED = 6,         /* a message that its function fails on; value: the argument */
    DEAD_KINDS
};

/* As people write it: "invalid-record", "unserved", ... */
const char *dead_kind_name(enum dead_kind kind);
bool dead_kind_parse(struct bytes name, enum dead_kind *ret_kind);

/* A record or message that cannot be delivered, set aside with its cause. What does not apply is
 * empty. */
struct dead_letter {
    enum dead_kind kind;
    struct bytes cause; /* what is wrong, what was expected, what was found */
    struct bytes
        origin; /* where it came from: topic, partition and offset, or the sender's address */
    struct bytes ingress; /* that read it: "namespace/name" */
    struct bytes target;  /* whom it was meant for, as text: an address, or function types */
    struct bytes egress;  /* the egress that it was meant for: "namespace/name" */
    struct bytes address; /* of a message: its target; with it, it can be sent again */
    struct bytes caller;  /* of a message from a function: the sender's address */
    struct bytes type;    /* of an invalid record: the typename that its value would have had */
    struct bytes key;     /* of an ingress record that did not become a message */
    struct bytes value;
    struct bytes headers;        /* of such a record, where they are known: for kafka_header_next */
    bool lacks_key, lacks_value; /* of such a record: it is null, not empty. Not stored */
    uint64_t time_ms;
};
void dead_letter_add(struct buffer *value, const struct dead_letter *letter);
bool dead_letter_parse(struct bytes value, struct dead_letter *ret_letter);

/* An address that is not invoked any more, since when and why. */
struct stored_parked {
    struct bytes cause;
    uint64_t time_ms;
};
void stored_parked_add(struct buffer *value, const struct stored_parked *parked);
bool stored_parked_parse(struct bytes value, struct stored_parked *ret_parked);

#endif
