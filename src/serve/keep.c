/* keep.c - one map under one lock, which is held for a lookup only: what is taken out is its
 * taker's. */
#include "serve/keep.h"

#include "base/mem.h"

#include <sys/random.h>
#include <time.h>

struct kept {
    struct map_node node;
    struct list place; /* in keep->order */
    uint64_t version;
    struct bytes address; /* in `bytes` */
    struct bytes states;  /* (size of name 4, size of value 4, name, value) for each */
    struct buffer bytes;
};

enum { STATE_HEAD = 8 };

/* Versions are counted from a random number: those of two processes never meet. */
static uint64_t first_version(void)
{
    uint64_t number;
    struct timespec now;
    if (getrandom(&number, sizeof number, 0) == (ssize_t)sizeof number)
        return number;
    clock_gettime(CLOCK_REALTIME, &now); /* cannot happen for 8 bytes on Linux */
    return (uint64_t)now.tv_sec << 32 ^ (uint64_t)now.tv_nsec;
}

void keep_init(struct keep *keep, size_t bytes_max)
{
    *keep = (struct keep){.bytes_max = bytes_max, .last = first_version()};
    pthread_mutex_init(&keep->lock, NULL);
    map_init(&keep->map);
    list_init(&keep->order);
}

static size_t size_of(const struct kept *kept)
{
    return sizeof *kept + kept->bytes.capacity;
}

static void take_out(struct keep *keep, struct kept *kept)
{
    map_take(&keep->map, &kept->node);
    list_take(&kept->place);
    keep->bytes -= size_of(kept);
}

void keep_destroy(struct keep *keep)
{
    while (!list_is_empty(&keep->order)) {
        struct kept *kept = list_first(&keep->order, struct kept, place);
        take_out(keep, kept);
        kept_free(kept);
    }
    map_destroy(&keep->map);
    pthread_mutex_destroy(&keep->lock);
}

void kept_free(struct kept *kept)
{
    if (kept)
        buffer_destroy(&kept->bytes);
    free(kept);
}

/* --- what is left of a state --- */

static const struct state_mutation *mutation_of(const struct from_function *reply,
                                                struct bytes name)
{
    const struct state_mutation *found = NULL;
    for (size_t i = 0; i < reply->mutation_count; i++)
        if (bytes_equal(reply->mutations[i].name, name))
            found = &reply->mutations[i]; /* the last one counts */
    return found;
}

/* How large the value will be, about; 0: there is none. */
static size_t size_left(const struct request_state *state, const struct state_mutation *mutation)
{
    enum { TAGS = 16 };
    if (!mutation)
        return state->present ? state->value.size : 0;
    return mutation->kind == MUTATION_DELETE
               ? 0
               : mutation->value.type.size + mutation->value.value.size + TAGS;
}

/* Appends the state, unless it is too small to be kept. */
static void add_state(struct buffer *bytes, const struct request_state *state,
                      const struct state_mutation *mutation)
{
    size_t before = bytes->size;
    buffer_add_u32(bytes, (uint32_t)state->name.size);
    buffer_add_u32(bytes, 0);
    buffer_add_bytes(bytes, state->name);
    size_t value_at = bytes->size;
    if (mutation)
        typed_value_add(bytes, &mutation->value);
    else
        buffer_add_bytes(bytes, state->value);
    size_t size = bytes->size - value_at;
    u32_put(bytes->data + before + 4, (uint32_t)size);
    if (size < STATE_KEPT_BYTES_MIN)
        bytes->size = before;
}

/* Enough for all that will be kept; 0: nothing is. */
static size_t room_for(const struct to_function *request, const struct from_function *reply)
{
    size_t room = 0;
    for (size_t i = 0; i < request->state_count; i++) {
        const struct request_state *state = &request->states[i];
        size_t size = size_left(state, mutation_of(reply, state->name));
        if (size >= STATE_KEPT_BYTES_MIN)
            room += STATE_HEAD + state->name.size + size;
    }
    return room;
}

static void add_states(struct buffer *bytes, const struct to_function *request,
                       const struct from_function *reply)
{
    for (size_t i = 0; i < request->state_count; i++) {
        const struct request_state *state = &request->states[i];
        const struct state_mutation *mutation = mutation_of(reply, state->name);
        if (size_left(state, mutation) >= STATE_KEPT_BYTES_MIN)
            add_state(bytes, state, mutation);
    }
}

/* --- in and out --- */

static void put(struct keep *keep, struct kept *kept)
{
    map_put(&keep->map, &kept->node, kept->version);
    list_put_last(&keep->order, &kept->place);
    keep->bytes += size_of(kept);
}

/* Takes out the oldest of what is too much, to be freed outside the lock. */
static void make_room(struct keep *keep, struct list *too_much)
{
    while (keep->bytes > keep->bytes_max) {
        struct kept *kept = list_first(&keep->order, struct kept, place);
        take_out(keep, kept);
        list_put_last(too_much, &kept->place);
    }
}

/* Returns its version, as it may be somebody else's already. */
static uint64_t put_last(struct keep *keep, struct kept *kept)
{
    struct list too_much;
    list_init(&too_much);
    pthread_mutex_lock(&keep->lock);
    while (!kept->version)
        kept->version = ++keep->last;
    uint64_t version = kept->version;
    put(keep, kept);
    make_room(keep, &too_much);
    pthread_mutex_unlock(&keep->lock);
    for (struct list *node; (node = list_take_first(&too_much));)
        kept_free(container_of(node, struct kept, place));
    return version;
}

uint64_t keep_add(struct keep *keep, const struct to_function *request,
                  const struct from_function *reply)
{
    size_t room = room_for(request, reply);
    if (!room || sizeof(struct kept) + request->target.size + room > keep->bytes_max)
        return 0;
    struct kept *kept = mem_new(sizeof *kept);
    struct buffer *bytes = &kept->bytes;
    *bytes = (struct buffer){.data = mem_new_raw(request->target.size + room),
                             .capacity = request->target.size + room};
    buffer_add_bytes(bytes, request->target);
    add_states(bytes, request, reply);
    kept->address = bytes_make(bytes->data, request->target.size);
    kept->states = bytes_from(buffer_bytes(bytes), request->target.size);
    list_init(&kept->place);
    if (kept->states.size)
        return put_last(keep, kept);
    kept_free(kept);
    return 0;
}

struct kept *keep_take(struct keep *keep, uint64_t version, struct bytes address)
{
    struct kept *kept = NULL;
    pthread_mutex_lock(&keep->lock);
    struct map_node *node = map_find(&keep->map, version);
    if (node)
        kept = container_of(node, struct kept, node);
    if (kept && !bytes_equal(kept->address, address))
        kept = NULL;
    if (kept)
        take_out(keep, kept);
    pthread_mutex_unlock(&keep->lock);
    return kept;
}

void keep_put(struct keep *keep, struct kept *kept)
{
    (void)put_last(keep, kept);
}

bool kept_is_left(const struct to_function *request, const struct from_function *reply)
{
    for (size_t i = 0; i < request->state_count; i++) {
        const struct request_state *state = &request->states[i];
        const struct state_mutation *mutation = mutation_of(reply, state->name);
        if (state->kept ? mutation != NULL : size_left(state, mutation) >= STATE_KEPT_BYTES_MIN)
            return false;
    }
    return true;
}

uint64_t kept_version(const struct kept *kept)
{
    return kept->version;
}

bool kept_find(const struct kept *kept, struct bytes name, struct bytes *ret_value)
{
    struct bytes states = kept->states;
    while (states.size) {
        struct bytes known = bytes_make(states.data + STATE_HEAD, u32_get(states.data));
        struct bytes value = bytes_make(known.data + known.size, u32_get(states.data + 4));
        states = bytes_from(states, STATE_HEAD + known.size + value.size);
        if (!bytes_equal(known, name))
            continue;
        *ret_value = value;
        return true;
    }
    return false;
}

size_t keep_bytes(struct keep *keep)
{
    pthread_mutex_lock(&keep->lock);
    size_t bytes = keep->bytes;
    pthread_mutex_unlock(&keep->lock);
    return bytes;
}
