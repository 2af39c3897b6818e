/* dead_stopped.c - an epoch made without an engine: letters out, messages and records in. */
#include "runtime/dead_stopped.h"

#include "engine/partition.h"
#include "wire/invocation.h"

struct taking {
    struct store *store;
    enum dead_action action;
    uint64_t sequence; /* the last that was given to a message; 0: not looked for yet */
    uint32_t record_nth;
    struct delta *delta;
    struct buffer key, value; /* scratch */
    json_t *left;
    json_int_t done;
};

/* Messages of an address are taken up in the order of their sequence, so a new one gets a number
 * behind all that were given. */
static bool find_sequence(void *owner, struct bytes bytes, struct bytes value)
{
    struct taking *taking = owner;
    struct key key;
    (void)value;
    if (key_parse(bytes, &key) && key.sequence > taking->sequence)
        taking->sequence = key.sequence;
    return true;
}

static uint64_t next_sequence(struct taking *taking)
{
    static const uint8_t kinds[] = {KEY_MESSAGE, KEY_DELAYED};
    for (size_t i = 0; !taking->sequence && i < sizeof kinds; i++)
        (void)store_scan(taking->store, bytes_make(&kinds[i], 1), (struct bytes){0}, find_sequence,
                         taking);
    return ++taking->sequence;
}

static bool put_message(struct taking *taking, const struct dead_letter *letter,
                        struct sf_status *status)
{
    struct address target;
    if (!address_parse(letter->address, &target))
        return sf_fail(status, SF_CORRUPT, "its target is no address");
    uint32_t partition = partition_of(target.id, store_partitions(taking->store));
    uint64_t sequence = next_sequence(taking);
    size_t size = message_body_size(letter->caller.size, letter->value.size);
    buffer_clear(&taking->value);
    message_body_put(buffer_reserve(&taking->value, size), letter->caller, letter->value);
    delta_put(taking->delta, key_of_message(&taking->key, partition, target.wire, sequence),
              bytes_make(taking->value.data, size));
    return true;
}

static bool put_again(struct taking *taking, const struct dead_letter *letter,
                      struct sf_status *status)
{
    if (letter->kind == DEAD_UNSERVED || letter->kind == DEAD_FAILED)
        return put_message(taking, letter, status);
    if (letter->kind == DEAD_UNDELIVERABLE) {
        delta_put(taking->delta,
                  key_of_record(&taking->key, letter->egress, taking->delta->epoch, 0,
                                taking->record_nth++),
                  letter->value);
        return true;
    }
    if (letter->kind == DEAD_REFUSED || letter->kind == DEAD_UNKNOWN_EGRESS)
        return sf_fail(status, SF_UNSUPPORTED,
                       "its egress must judge it: replay it while the runtime is running");
    return sf_fail(status, SF_UNSUPPORTED,
                   "it is no message: a record that could not become one has to be written to its "
                   "topic anew");
}

static void take_letter(void *owner, struct bytes key, const struct dead_letter *letter)
{
    struct taking *taking = owner;
    struct sf_status status;
    if (taking->action == DEAD_DISCARD || put_again(taking, letter, &status)) {
        delta_remove(taking->delta, key);
        taking->done++;
        return;
    }
    struct buffer id = {0};
    dead_id_add(&id, key);
    json_array_append_new(
        taking->left, json_pack("{s:s, s:s}", "id", buffer_text(&id), "reason", status.message));
    buffer_destroy(&id);
}

bool dead_stopped_take(struct store *store, enum dead_action action,
                       const struct dead_filter *filter, size_t letters_max, json_t **ret_answer,
                       struct sf_status *status)
{
    uint64_t epoch = store_epoch(store) + 1;
    struct taking taking = {
        .store = store, .action = action, .delta = delta_new(0, epoch, 0), .left = json_array()};
    struct buffer next = {0}, id = {0};
    dead_letters_page(store, filter, letters_max, take_letter, &taking, &next);
    bool good = !taking.done || store_commit(store, epoch, &taking.delta, 1, status);
    if (good) {
        if (next.size)
            dead_id_add(&id, buffer_bytes(&next));
        *ret_answer = json_pack("{s:I, s:O, s:b, s:s?}", "done", taking.done, "left", taking.left,
                                "busy", 0, "next", next.size ? buffer_text(&id) : NULL);
    }
    json_decref(taking.left);
    delta_unref(taking.delta);
    buffer_destroy(&taking.key);
    buffer_destroy(&taking.value);
    buffer_destroy(&next);
    buffer_destroy(&id);
    return good;
}
