/* state_stopped.c - states in a data directory that nobody runs on: read from the store's view, and
 * changed by commits like any other. */
#include "cli/state_source.h"

#include "base/map.h"
#include "base/mem.h"
#include "engine/keys.h"
#include "engine/partition.h"
#include "runtime/state_export.h"
#include "runtime/state_http.h"

#include <assert.h>

/* An epoch of an import: large enough that its sync does not count. */
enum { BATCH_BYTES = 4 << 20 };

/* --- what functions have declared --- */

struct known_spec {
    struct map_node by_key;
    struct buffer key;    /* as stored */
    struct buffer stored; /* empty: nothing was declared */
    struct state_spec is;
};

struct spec_cache {
    struct map specs;
    struct buffer key;
};

void spec_cache_free(struct spec_cache *cache)
{
    if (!cache)
        return;
    for (struct map_node *node; (node = map_walk(&cache->specs, NULL));) {
        struct known_spec *known = container_of(node, struct known_spec, by_key);
        map_take(&cache->specs, node);
        buffer_destroy(&known->key);
        buffer_destroy(&known->stored);
        free(known);
    }
    map_destroy(&cache->specs);
    buffer_destroy(&cache->key);
    free(cache);
}

static struct known_spec *read_spec(struct state_source *source, struct bytes key, uint64_t hash)
{
    struct known_spec *known = mem_new(sizeof *known);
    buffer_add_bytes(&known->key, key);
    if (store_get(source->place.store, key, &known->stored)) {
        bool good = stored_spec_parse(buffer_bytes(&known->stored), &known->is);
        assert(good && "a stored spec makes no sense");
    }
    map_put(&source->specs->specs, &known->by_key, hash);
    return known;
}

/* NULL if no function has declared that state. */
static const struct state_spec *find_spec(struct state_source *source,
                                          const struct address *address, struct bytes state)
{
    if (!source->specs) {
        source->specs = mem_new(sizeof *source->specs);
        map_init(&source->specs->specs);
    }
    struct bytes key = key_of_spec(&source->specs->key, address->type, state);
    uint64_t hash = hash_stable(key);
    struct map_node *node = map_find(&source->specs->specs, hash);
    while (node &&
           !bytes_equal(buffer_bytes(&container_of(node, struct known_spec, by_key)->key), key))
        node = map_same(node);
    struct known_spec *known =
        node ? container_of(node, struct known_spec, by_key) : read_spec(source, key, hash);
    return known->stored.size ? &known->is : NULL;
}

static bool check_type(struct state_source *source, const struct address *address,
                       struct bytes state, struct bytes type, struct sf_status *status)
{
    const struct state_spec *spec = find_spec(source, address, state);
    return !spec || bytes_equal(spec->type, type) ||
           sf_fail(status, SF_CONFLICT,
                   "state '%.*s' is of type %.*s, found a value of type %.*s: its function could "
                   "not read that",
                   BYTES_ARG(state), BYTES_ARG(spec->type), BYTES_ARG(type));
}

static uint64_t deadline_of(struct state_source *source, const struct address *address,
                            struct bytes state)
{
    const struct state_spec *spec = find_spec(source, address, state);
    return spec && spec->mode != EXPIRE_NONE ? source->now_ms + (uint64_t)spec->expire_after_ms : 0;
}

/* --- one state --- */

static struct bytes key_of(struct state_source *source, const struct address *address,
                           struct bytes state, struct buffer *key)
{
    return key_of_state(key, partition_of(address->id, store_partitions(source->place.store)),
                        address->wire, state);
}

static bool no_value(struct sf_status *status)
{
    return sf_fail(status, SF_NOT_FOUND, "there is no value");
}

static bool read_stored(struct state_source *source, const struct state_name *name,
                        struct buffer *stored, struct sf_status *status)
{
    struct buffer key = {0};
    struct bytes bytes = key_of(source, &name->address, name->state, &key);
    bool good = store_get(source->place.store, bytes, stored) &&
                !stored_is_expired(bytes, buffer_bytes(stored), source->now_ms);
    buffer_destroy(&key);
    return good || no_value(status);
}

static bool stopped_get(struct state_source *source, const struct state_name *name,
                        struct buffer *type, struct buffer *value, struct sf_status *status)
{
    struct buffer stored = {0};
    struct typed_value typed;
    bool good = read_stored(source, name, &stored, status) &&
                typed_value_parse(bytes_from(buffer_bytes(&stored), 8), &typed, status);
    if (good) {
        buffer_add_bytes(type, typed.type);
        buffer_add_bytes(value, typed.value);
    }
    buffer_destroy(&stored);
    return good;
}

static bool commit(struct state_source *source, struct delta *delta, struct sf_status *status)
{
    return store_commit(source->place.store, delta->epoch, &delta, 1, status);
}

static struct delta *next_delta(struct state_source *source)
{
    return delta_new(0, store_epoch(source->place.store) + 1, 0);
}

/* `value` and `key` are scratch. */
static void add_put(struct state_source *source, struct delta *delta, const struct address *address,
                    const struct state_line *line, struct buffer *key, struct buffer *value)
{
    uint64_t deadline = line->deadline ? line->deadline : deadline_of(source, address, line->state);
    buffer_clear(value);
    buffer_add_u64(value, deadline);
    typed_value_add(value, &line->value);
    delta_put(delta, key_of(source, address, line->state, key), buffer_bytes(value));
}

static bool stopped_put(struct state_source *source, const struct state_name *name,
                        const struct state_put *put, struct sf_status *status)
{
    struct state_line line = {
        .state = name->state,
        .value = {.type = put->type, .value = put->value, .has_value = true},
    };
    if (!check_type(source, &name->address, name->state, put->type, status))
        return false;
    struct buffer key = {0}, value = {0};
    struct delta *delta = next_delta(source);
    add_put(source, delta, &name->address, &line, &key, &value);
    bool good = commit(source, delta, status);
    delta_unref(delta);
    buffer_destroy(&key);
    buffer_destroy(&value);
    return good;
}

static bool stopped_delete(struct state_source *source, const struct state_name *name, bool ahead,
                           struct sf_status *status)
{
    struct buffer stored = {0}, key = {0};
    (void)ahead; /* nothing is under way here */
    bool good = read_stored(source, name, &stored, status);
    if (good) {
        struct delta *delta = next_delta(source);
        delta_remove(delta, key_of(source, &name->address, name->state, &key));
        good = commit(source, delta, status);
        delta_unref(delta);
    }
    buffer_destroy(&stored);
    buffer_destroy(&key);
    return good;
}

/* --- the states of an address --- */

struct listing {
    uint64_t now_ms;
    struct found_state *states;
    size_t count;
    struct arena arena;
};

static bool add_state(void *owner, struct bytes bytes, struct bytes stored)
{
    struct listing *listing = owner;
    struct key key;
    struct typed_value value;
    struct sf_status status;
    if (stored_is_expired(bytes, stored, listing->now_ms))
        return true;
    bool good = key_parse(bytes, &key) && stored.size >= 8 &&
                typed_value_parse(bytes_from(stored, 8), &value, &status);
    assert(good && "a stored state makes no sense");
    listing->states = mem_resize(listing->states, (listing->count + 1) * sizeof *listing->states);
    listing->states[listing->count++] =
        (struct found_state){.name = arena_add_bytes(&listing->arena, key.name),
                             .type = arena_add_bytes(&listing->arena, value.type),
                             .size = value.value.size,
                             .deadline = u64_get(stored.data)};
    return true;
}

static bool stopped_list(struct state_source *source, const struct state_name *name,
                         struct buffer *json, struct sf_status *status)
{
    struct listing listing = {.now_ms = source->now_ms};
    struct buffer from = {0}, to = {0};
    (void)status;
    (void)key_of(source, &name->address, (struct bytes){0}, &from);
    buffer_add_bytes(&to, buffer_bytes(&from));
    buffer_add_u8(&to, 0xff); /* names are UTF-8, which has no such byte */
    (void)store_scan(source->place.store, buffer_bytes(&from), buffer_bytes(&to), add_state,
                     &listing);
    state_http_list(&name->address, listing.states, listing.count, json);
    arena_destroy(&listing.arena);
    free(listing.states);
    buffer_destroy(&from);
    buffer_destroy(&to);
    return true;
}

/* --- all --- */

static bool stopped_export_page(struct state_source *source, struct buffer *mark,
                                struct buffer *lines, struct sf_status *status)
{
    struct buffer next = {0};
    (void)status;
    buffer_clear(lines);
    state_export_page(source->place.store, buffer_bytes(mark), source->now_ms, lines, &next);
    buffer_clear(mark);
    buffer_add_bytes(mark, buffer_bytes(&next));
    buffer_destroy(&next);
    return true;
}

static bool address_of(const struct state_line *line, struct arena *arena,
                       struct address *ret_address, struct sf_status *status)
{
    return address_make(line->ns, line->name, line->id, arena, ret_address, status);
}

static bool stopped_check(struct state_source *source, const struct state_line *line,
                          struct sf_status *status)
{
    struct arena arena = {0};
    struct address address;
    bool good = address_of(line, &arena, &address, status) &&
                check_type(source, &address, line->state, line->value.type, status);
    arena_destroy(&arena);
    return good;
}

static bool add_lines(struct state_source *source, struct state_lines *lines, struct delta *delta,
                      struct sf_status *status)
{
    struct arena arena = {0};
    struct buffer key = {0}, value = {0};
    struct bytes text;
    bool good = true;
    while (good && state_lines_next(lines, &text)) {
        struct state_line line;
        struct address address;
        arena_clear(&arena);
        good = state_line_parse(text, &arena, &line, status) &&
               address_of(&line, &arena, &address, status) &&
               check_type(source, &address, line.state, line.value.type, status);
        if (good && !(line.deadline && line.deadline <= source->now_ms))
            add_put(source, delta, &address, &line, &key, &value);
    }
    arena_destroy(&arena);
    buffer_destroy(&key);
    buffer_destroy(&value);
    return good;
}

static bool stopped_import(struct state_source *source, struct bytes text, size_t *ret_line,
                           struct sf_status *status)
{
    struct delta *delta = next_delta(source);
    struct state_lines lines = {text, 0};
    bool good = add_lines(source, &lines, delta, status);
    *ret_line = good ? 0 : lines.number;
    if (good)
        good = !delta->entries.size || commit(source, delta, status);
    delta_unref(delta);
    return good;
}

const struct state_source_kind state_source_stopped = {
    .get = stopped_get,
    .put = stopped_put,
    .delete_it = stopped_delete,
    .list = stopped_list,
    .export_page = stopped_export_page,
    .check = stopped_check,
    .import = stopped_import,
    .import_bytes = BATCH_BYTES,
};
