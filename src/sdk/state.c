/* state.c - states of functions: values, tables, buffers.
 *
 * A state is one typed value for the runtime. That of a table or a buffer has type SF_TYPE_TABLE or
 * SF_TYPE_BUFFER and holds, as a protobuf message:
 *
 *     1  type name of the keys (of a table)
 *     2  type name of the values
 *     3  entry, repeated: 1 key, 2 value, 3 when it expires, ms since 1970 (absent: never)
 *
 * It is taken apart when a call first touches it and put together again after the call, if it was
 * changed; entries that were not are copied as they stand.
 * The state as a whole expires as its entries do: with the last write (or call) the last of them.
 */
#include "sdk/call.h"

#include "base/hash.h"
#include "wire/protobuf.h"

enum { HEAD_KEY_TYPE = 1, HEAD_TYPE = 2, HEAD_ENTRY = 3 };
enum { ENTRY_KEY = 1, ENTRY_VALUE = 2, ENTRY_DEADLINE = 3 };

static bool fail_kind(struct sf_context *context, const struct sf_state *state,
                      enum sf_state_kind kind)
{
    static const char *const names[] = {"value", "table", "buffer"};
    if (!state->name || !state->type || (state->kind == SF_STATE_TABLE && !state->key))
        return sf_fail_call(context, "state '%s' has no %s", state->name ? state->name : "",
                            !state->name   ? "name"
                            : !state->type ? "type"
                                           : "key type");
    return sf_fail_call(context, "state '%s' is a %s and is used as a %s", state->name,
                        names[state->kind], names[kind]);
}

static inline bool expect_kind(struct sf_context *context, const struct sf_state *state,
                               enum sf_state_kind kind)
{
    return (state->kind == kind && state->name && state->type &&
            (kind != SF_STATE_TABLE || state->key)) ||
           fail_kind(context, state, kind);
}

struct sf_state_name state_name_of(const struct sf_state *state)
{
    return (struct sf_state_name){
        .name = text_to_sf(state->name),
        .type = state->kind == SF_STATE_TABLE    ? text_to_sf(SF_TYPE_TABLE)
                : state->kind == SF_STATE_BUFFER ? text_to_sf(SF_TYPE_BUFFER)
                                                 : type_name(state->type),
        .expiry = state->expiry,
        .expire_ms = state->expire_ms,
    };
}

static inline bool get(struct sf_context *context, const struct sf_state *state,
                       struct sf_bytes *ret_bytes)
{
    if (HOST_HAS(context->host, state_read))
        return context->host->state_read(context, state, ret_bytes);
    struct sf_state_name name = state_name_of(state);
    return context->host->state_get(context, &name, ret_bytes);
}

static inline bool set(struct sf_context *context, const struct sf_state *state,
                       struct sf_bytes bytes)
{
    if (HOST_HAS(context->host, state_write))
        return context->host->state_write(context, state, bytes);
    struct sf_state_name name = state_name_of(state);
    return context->host->state_set(context, &name, bytes);
}

/* --- values --- */

static bool encode_as(struct sf_context *context, const struct sf_state *state,
                      const struct sf_type *type, struct sf_value value, struct sf_bytes *ret_bytes)
{
    struct sf_encoded encoded;
    if (!call_encode(context, state->name, &value, &encoded))
        return false;
    if (value.type != type &&
        !bytes_equal(bytes_from_sf(encoded.type), bytes_from_sf(type_name(type))))
        return sf_fail_call(context, "state '%s' has type '%s', the value is of type '%.*s'",
                            state->name, type->name, (int)encoded.type.size,
                            (const char *)encoded.type.data);
    *ret_bytes = encoded.value;
    return true;
}

static bool decode_as(struct sf_context *context, const struct sf_state *state,
                      const struct sf_type *type, struct sf_bytes bytes, void *ret_value)
{
    struct sf_status status;
    if (value_decode(context, type, bytes, ret_value, &status))
        return true;
    (void)sf_wrap(&status, "state '%s'", state->name);
    return context->host->fail(context, status.message);
}

bool sf_get(struct sf_context *context, const struct sf_state *state, void *ret_value)
{
    struct sf_bytes bytes;
    return expect_kind(context, state, SF_STATE_VALUE) && get(context, state, &bytes) &&
           (value_decode_short(state->type, bytes, ret_value) ||
            decode_as(context, state, state->type, bytes, ret_value));
}

bool sf_set_to(struct sf_context *context, const struct sf_state *state,
               const struct sf_value *value)
{
    struct sf_encoded encoded;
    uint8_t number[VALUE_NUMBER_BYTES];
    if (!expect_kind(context, state, SF_STATE_VALUE))
        return false;
    if (value->type == state->type && value_encode_short(value, number, &encoded))
        return set(context, state, encoded.value);
    return encode_as(context, state, state->type, *value, &encoded.value) &&
           set(context, state, encoded.value);
}

/* --- collections: tables and buffers --- */

struct entry {
    struct bytes key;
    struct bytes value;
    uint64_t hash; /* of the key */
    int64_t deadline_ms;
    struct bytes stored; /* the whole field as it stands in the state; empty: it was changed */
};

struct collection {
    struct entry *entries;
    size_t count, capacity;
    bool is_dirty;
};

static bool is_table(const struct sf_state *state)
{
    return state->kind == SF_STATE_TABLE;
}

static uint64_t hash_key(struct bytes key)
{
    return hash_seeded(key, 0);
}

static struct entry *add_entry(struct sf_context *context, struct collection *collection)
{
    enum { FIRST_CAPACITY = 8 };
    if (collection->count == collection->capacity) {
        size_t capacity = collection->capacity ? collection->capacity * 2 : FIRST_CAPACITY;
        struct entry *entries = context->host->alloc(context, capacity * sizeof *entries);
        if (collection->count)
            memcpy(entries, collection->entries, collection->count * sizeof *entries);
        collection->entries = entries;
        collection->capacity = capacity;
    }
    struct entry *entry = &collection->entries[collection->count++];
    *entry = (struct entry){0};
    return entry;
}

/* Nearly all are of the short form, in the order in which put_entry writes them. */
static bool read_entry(const struct sf_state *state, struct bytes bytes, struct entry *entry)
{
    struct pb_reader reader = pb_read(bytes);
    struct pb_field field;
    if (is_table(state))
        (void)pb_take_short(&reader, ENTRY_KEY, &entry->key);
    (void)pb_take_short(&reader, ENTRY_VALUE, &entry->value);
    while (pb_next(&reader, &field)) {
        if (field.number == ENTRY_KEY && field.type == PB_BYTES)
            entry->key = field.bytes;
        else if (field.number == ENTRY_VALUE && field.type == PB_BYTES)
            entry->value = field.bytes;
        else if (field.number == ENTRY_DEADLINE && field.type == PB_VARINT)
            entry->deadline_ms = (int64_t)field.value;
    }
    if (is_table(state))
        entry->hash = hash_key(entry->key);
    return !reader.failed;
}

static bool add_read(struct sf_context *context, const struct sf_state *state, struct bytes bytes,
                     struct bytes stored, int64_t now_ms, struct collection *collection)
{
    struct entry *entry = add_entry(context, collection);
    entry->stored = stored;
    if (!read_entry(state, bytes, entry))
        return sf_fail_call(context, "state '%s': entry %zu is malformed", state->name,
                            collection->count);
    if (entry->deadline_ms && entry->deadline_ms <= now_ms)
        collection->count--;
    return true;
}

/* Entries are many, and nearly all short. */
static bool next_field(struct pb_reader *reader, struct pb_field *ret_field)
{
    if (!pb_take_short(reader, HEAD_ENTRY, &ret_field->bytes))
        return pb_next(reader, ret_field);
    ret_field->number = HEAD_ENTRY;
    ret_field->type = PB_BYTES;
    return true;
}

/* What has expired is left out; it goes from the state with the next change. */
static bool read_collection(struct sf_context *context, const struct sf_state *state,
                            struct bytes bytes, struct collection *collection)
{
    struct bytes key_type = {0}, type = {0};
    int64_t now_ms = sf_now_ms(context);
    struct pb_reader reader = pb_read(bytes);
    struct pb_field field;
    for (const uint8_t *at; at = reader.at, next_field(&reader, &field);) {
        if (field.type != PB_BYTES)
            continue;
        if (field.number == HEAD_KEY_TYPE)
            key_type = field.bytes;
        else if (field.number == HEAD_TYPE)
            type = field.bytes;
        else if (field.number == HEAD_ENTRY &&
                 !add_read(context, state, field.bytes, bytes_make(at, (size_t)(reader.at - at)),
                           now_ms, collection))
            return false;
    }
    if (reader.failed)
        return sf_fail_call(context, "state '%s' is malformed", state->name);
    if (!bytes_is(type, state->type->name))
        return sf_fail_call(context, "state '%s' holds values of type '%.*s', not of '%s'",
                            state->name, BYTES_ARG(type), state->type->name);
    if (is_table(state) && !bytes_is(key_type, state->key->name))
        return sf_fail_call(context, "state '%s' holds keys of type '%.*s', not of '%s'",
                            state->name, BYTES_ARG(key_type), state->key->name);
    return true;
}

static size_t entry_size(const struct sf_state *state, const struct entry *entry)
{
    size_t size = pb_bytes_size(ENTRY_VALUE, entry->value.size);
    if (is_table(state))
        size += pb_bytes_size(ENTRY_KEY, entry->key.size);
    if (entry->deadline_ms)
        size += 1 + pb_varint_size((uint64_t)entry->deadline_ms);
    return size;
}

static uint8_t *put_entry(uint8_t *to, const struct sf_state *state, const struct entry *entry)
{
    to = pb_put_head(to, HEAD_ENTRY, entry_size(state, entry));
    if (is_table(state))
        to = pb_put_bytes(to, ENTRY_KEY, entry->key);
    to = pb_put_bytes(to, ENTRY_VALUE, entry->value);
    if (entry->deadline_ms)
        to = pb_put_uint(to, ENTRY_DEADLINE, (uint64_t)entry->deadline_ms);
    return to;
}

static size_t field_size(const struct sf_state *state, const struct entry *entry)
{
    return entry->stored.size ? entry->stored.size
                              : pb_bytes_size(HEAD_ENTRY, entry_size(state, entry));
}

/* What stands side by side in the state, and still does, is copied at once. */
static uint8_t *put_entries(uint8_t *to, const struct sf_state *state,
                            const struct collection *collection)
{
    const struct entry *entry = collection->entries, *end = entry + collection->count;
    while (entry < end) {
        struct bytes stored = entry->stored;
        if (!stored.size) {
            to = put_entry(to, state, entry++);
            continue;
        }
        while (++entry < end && entry->stored.data == stored.data + stored.size)
            stored.size += entry->stored.size;
        memcpy(to, stored.data, stored.size);
        to += stored.size;
    }
    return to;
}

static bool save_collection(struct sf_context *context, const struct sf_state *state, void *object)
{
    struct collection *collection = object;
    if (!collection->is_dirty)
        return true;
    if (!collection->count) {
        struct sf_state_name name = state_name_of(state);
        return context->host->state_clear(context, &name);
    }

    size_t size = pb_bytes_size(HEAD_TYPE, strlen(state->type->name));
    if (is_table(state))
        size += pb_bytes_size(HEAD_KEY_TYPE, strlen(state->key->name));
    for (size_t i = 0; i < collection->count; i++)
        size += field_size(state, &collection->entries[i]);

    uint8_t *data = context->host->alloc(context, size), *to = data;
    if (is_table(state))
        to = pb_put_bytes(to, HEAD_KEY_TYPE, bytes_of(state->key->name));
    to = pb_put_bytes(to, HEAD_TYPE, bytes_of(state->type->name));
    (void)put_entries(to, state, collection);
    return set(context, state, (struct sf_bytes){data, size});
}

/* NULL: it cannot be read, and the call has failed, or will be done again. */
static struct collection *collection_of(struct sf_context *context, const struct sf_state *state,
                                        enum sf_state_kind kind)
{
    if (!expect_kind(context, state, kind))
        return NULL;
    struct sf_state_cache *cache = context->host->state_cache(context, state);
    if (!cache->object) {
        struct collection *collection = sf_alloc(context, sizeof *collection);
        struct sf_bytes bytes;
        if (get(context, state, &bytes) &&
            !read_collection(context, state, bytes_from_sf(bytes), collection))
            return NULL;
        cache->object = collection;
        cache->save = save_collection;
    }
    return cache->object;
}

/* To be asked before a change. */
static bool may_change(struct sf_context *context)
{
    return !HOST_HAS(context->host, state_may_change) || context->host->state_may_change(context);
}

bool sf_clear(struct sf_context *context, const struct sf_state *state)
{
    if (!expect_kind(context, state, state->kind))
        return false;
    struct sf_state_name name = state_name_of(state);
    if (state->kind == SF_STATE_VALUE)
        return context->host->state_clear(context, &name);
    struct collection *collection = collection_of(context, state, state->kind);
    if (!collection || !may_change(context))
        return false;
    collection->count = 0;
    collection->is_dirty = true;
    return true;
}

/* Begins the time of an entry that was written, or used. */
static void touch(struct sf_context *context, const struct sf_state *state,
                  struct collection *collection, struct entry *entry, enum sf_expiry expiry)
{
    if (state->expiry == SF_EXPIRE_NEVER || state->expiry < expiry)
        return;
    entry->deadline_ms = sf_now_ms(context) + state->expire_ms;
    entry->stored = (struct bytes){0};
    collection->is_dirty = true;
}

/* Encodes a key or a value, and keeps a copy until the call ends: what is handed over is lent. */
static bool keep(struct sf_context *context, const struct sf_state *state,
                 const struct sf_type *type, struct sf_value value, struct bytes *ret_bytes)
{
    struct sf_bytes bytes;
    if (!encode_as(context, state, type, value, &bytes))
        return false;
    uint8_t *copy = context->host->alloc(context, bytes.size + 1);
    if (bytes.size)
        memcpy(copy, bytes.data, bytes.size);
    *ret_bytes = bytes_make(copy, bytes.size);
    return true;
}

/* --- tables --- */

static struct entry *find_entry(struct collection *table, struct bytes key)
{
    uint64_t hash = hash_key(key);
    for (size_t i = 0; i < table->count; i++)
        if (table->entries[i].hash == hash && bytes_equal(table->entries[i].key, key))
            return &table->entries[i];
    return NULL;
}

/* The table and the key; false if either makes no sense. */
static bool look_up(struct sf_context *context, const struct sf_state *state, struct sf_value value,
                    struct collection **ret_table, struct bytes *ret_key)
{
    *ret_table = collection_of(context, state, SF_STATE_TABLE);
    return *ret_table && keep(context, state, state->key, value, ret_key);
}

bool sf_table_get(struct sf_context *context, const struct sf_state *state, struct sf_value key,
                  void *ret_value)
{
    struct collection *table;
    struct bytes bytes;
    if (!look_up(context, state, key, &table, &bytes))
        return false;
    struct entry *entry = find_entry(table, bytes);
    if (!entry)
        return false;
    touch(context, state, table, entry, SF_EXPIRE_AFTER_CALL);
    return decode_as(context, state, state->type, bytes_to_sf(entry->value), ret_value);
}

bool sf_table_set(struct sf_context *context, const struct sf_state *state, struct sf_value key,
                  struct sf_value value)
{
    struct collection *table;
    struct bytes key_bytes, value_bytes;
    if (!look_up(context, state, key, &table, &key_bytes) || !may_change(context) ||
        !keep(context, state, state->type, value, &value_bytes))
        return false;
    struct entry *entry = find_entry(table, key_bytes);
    if (!entry) {
        entry = add_entry(context, table);
        entry->key = key_bytes;
        entry->hash = hash_key(key_bytes);
    }
    entry->value = value_bytes;
    entry->stored = (struct bytes){0};
    table->is_dirty = true;
    touch(context, state, table, entry, SF_EXPIRE_AFTER_WRITE);
    return true;
}

bool sf_table_remove(struct sf_context *context, const struct sf_state *state, struct sf_value key)
{
    struct collection *table;
    struct bytes bytes;
    if (!look_up(context, state, key, &table, &bytes) || !may_change(context))
        return false;
    struct entry *entry = find_entry(table, bytes);
    if (!entry)
        return true;
    struct entry *end = table->entries + table->count;
    memmove(entry, entry + 1, (size_t)(end - (entry + 1)) * sizeof *entry);
    table->count--;
    table->is_dirty = true;
    return true;
}

size_t sf_table_size(struct sf_context *context, const struct sf_state *state)
{
    struct collection *table = collection_of(context, state, SF_STATE_TABLE);
    return table ? table->count : 0;
}

/* The next entry of a collection; NULL at its end. */
static struct entry *next_entry(struct sf_context *context, const struct sf_state *state,
                                enum sf_state_kind kind, size_t *position)
{
    struct collection *collection = collection_of(context, state, kind);
    if (!collection || *position >= collection->count)
        return NULL;
    struct entry *entry = &collection->entries[(*position)++];
    touch(context, state, collection, entry, SF_EXPIRE_AFTER_CALL);
    return entry;
}

bool sf_table_next(struct sf_context *context, const struct sf_state *state, size_t *position,
                   void *ret_key, void *ret_value)
{
    struct entry *entry = next_entry(context, state, SF_STATE_TABLE, position);
    return entry &&
           (!ret_key || decode_as(context, state, state->key, bytes_to_sf(entry->key), ret_key)) &&
           (!ret_value ||
            decode_as(context, state, state->type, bytes_to_sf(entry->value), ret_value));
}

/* --- buffers --- */

bool sf_buffer_append(struct sf_context *context, const struct sf_state *state,
                      struct sf_value value)
{
    struct collection *buffer = collection_of(context, state, SF_STATE_BUFFER);
    struct bytes bytes;
    if (!buffer || !may_change(context) || !keep(context, state, state->type, value, &bytes))
        return false;
    struct entry *entry = add_entry(context, buffer);
    entry->value = bytes;
    buffer->is_dirty = true;
    touch(context, state, buffer, entry, SF_EXPIRE_AFTER_WRITE);
    return true;
}

size_t sf_buffer_size(struct sf_context *context, const struct sf_state *state)
{
    struct collection *buffer = collection_of(context, state, SF_STATE_BUFFER);
    return buffer ? buffer->count : 0;
}

bool sf_buffer_next(struct sf_context *context, const struct sf_state *state, size_t *position,
                    void *ret_value)
{
    struct entry *entry = next_entry(context, state, SF_STATE_BUFFER, position);
    return entry && decode_as(context, state, state->type, bytes_to_sf(entry->value), ret_value);
}
