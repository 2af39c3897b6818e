/* outbox.h - committed egress records on their way to one destination, in order, in bounded memory.
 *
 * The committer puts in what each epoch holds for the egress; the egress takes batches of whole
 * epochs, delivers them, and confirms. Records are held as references to the deltas they came with,
 * so they are not copied again. When those take too much memory, the outbox stops holding them and
 * remembers only from which epoch on they must be read back from the view of the store; so an
 * outage of any length costs bounded memory.
 *
 * The egress room takes committed records to the world. It may include net, loop, spec, engine,
 * wire and base. Threads: one puts, one takes; any may ask for the figures. */
#ifndef EGRESS_OUTBOX_H
#define EGRESS_OUTBOX_H

#include "engine/delta.h"
#include "engine/keys.h"

/* How records are read back. Called on the taking thread. */
struct outbox_reader {
    void *owner;
    uint64_t (*view_epoch)(void *owner);
    /* Visits the stored entries in [from, to) in order, until `visit` returns false. */
    void (*scan)(void *owner, struct bytes from, struct bytes to,
                 bool (*visit)(void *visitor, struct bytes key, struct bytes value), void *visitor);
    /* Asks for the view to come forward. */
    void (*hurry)(void *owner);
};

struct outbox;

/* `id` is the egress's, "namespace/name". `on_put(owner)` is called, on the putting thread, when
 * there may be something new to take. */
struct outbox *outbox_new(uint32_t egress, const char *id, size_t memory_bytes_max,
                          const struct outbox_reader *reader, void (*on_put)(void *owner),
                          void *owner);
void outbox_free(struct outbox *outbox); /* NULL is fine */

/* Begins with what the store holds: epochs up to `committed`, of which those up to `delivered` have
 * reached the destination before. Returns how many records of those are still in the store (they
 * only wait to be trimmed). Before the first take; puts may have come already. */
size_t outbox_begin(struct outbox *outbox, uint64_t delivered, uint64_t committed);

/* The committer: `parts` of an epoch that is durable. */
void outbox_put(struct outbox *outbox, uint64_t epoch, struct delta *const *parts, size_t count);

/* Tells the taking thread that the view has come forward. */
void outbox_viewed(struct outbox *outbox);

struct outbox_record {
    struct bytes key; /* in the store */
    struct bytes value;
};

/* Whole epochs, in order; what it refers to lives until outbox_confirm. */
struct outbox_batch {
    uint64_t epoch; /* the last one in it */
    struct outbox_record *records;
    size_t count;
    size_t bytes;  /* of the values */
    size_t memory; /* that it keeps from being freed */
    struct delta **deltas;
    size_t delta_count;
    struct buffer copy;
};

/* Takes the next epochs that hold records, as many as fit into `bytes_max` but at least one. False
 * if there is nothing to take now. */
bool outbox_take(struct outbox *outbox, size_t bytes_max, struct outbox_batch *ret_batch);

/* The batch has been delivered (or set aside): it is forgotten, and its memory freed. */
void outbox_confirm(struct outbox *outbox, struct outbox_batch *batch);

/* Frees a batch that will not be confirmed, at the end. */
void outbox_drop(struct outbox_batch *batch);

struct outbox_figures {
    uint64_t bytes; /* committed and not confirmed */
    uint64_t records;
    uint64_t epoch;        /* the last one confirmed */
    uint64_t memory_bytes; /* held, batches that were taken included */
    bool is_spilled;
};
void outbox_figures(struct outbox *outbox, struct outbox_figures *ret_figures);

#endif
